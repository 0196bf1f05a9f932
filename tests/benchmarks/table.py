"""A figure of ours beside a peer's and beside its bound: what every measurement of the suite prints and writes."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROUNDS = 5
HEAD = "| what | ours | beside | theirs | ratio | bound | held |\n|---|--:|---|--:|--:|--:|---|"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    what, unit
        What was measured, and the unit of `ours` and `theirs`.
    ours, theirs
        Medians over the rounds; `theirs` is None where there is nothing to compare with.
    beside
        Whose figure `theirs` is.
    ratio
        Ours of theirs: the median of the rounds' ratios, since both halves of a round met the same machine.
    bound
        The most that `ratio` may be, or `ours` where there is no ratio; None for a line to look at.
    """

    what: str
    unit: str
    ours: float
    beside: str = ""
    theirs: float | None = None
    ratio: float | None = None
    bound: float | None = None

    @classmethod
    def of_rounds(
        cls, what: str, unit: str, ours: Iterable[float], beside: str, theirs: Iterable[float], *, bound: float
    ) -> Row:
        """The row of alternating rounds."""
        mine, its = list(ours), list(theirs)
        ratio = statistics.median(a / b for a, b in zip(mine, its, strict=True))
        return cls(what, unit, statistics.median(mine), beside, statistics.median(its), ratio, bound)

    @property
    def figure(self) -> float:
        """What the bound is about."""
        return self.ours if self.ratio is None else self.ratio

    @property
    def held(self) -> bool | None:
        """Whether the bound holds; None if there is none."""
        return None if self.bound is None else self.figure <= self.bound

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else number(self.ratio)
        theirs = "" if self.theirs is None else f"{number(self.theirs)} {self.unit}".strip()
        limit = self.unit if self.ratio is None else ""
        bound = "" if self.bound is None else f"{number(self.bound)} {limit}".strip()
        held = {None: "", True: "yes", False: "NO"}[self.held]
        ours = f"{number(self.ours)} {self.unit}".strip()
        return f"| {self.what} | {ours} | {self.beside} | {theirs} | {ratio} | {bound} | {held} |"


def number(value: float) -> str:
    """With three digits that count, and no exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def run(measure: Callable[[argparse.Namespace], list[Row]], about: str, *, rounds: int = ROUNDS) -> None:
    """Read the options, measure, print the rows and write them; the exit code is 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--rows", type=Path, help="a file for the rows, as JSON")
    parser.add_argument("--quick", action="store_true", help="to see that it runs: small, no peers, no bounds")
    options = parser.parse_args()
    found = measure(options)
    print(HEAD, *found, sep="\n")
    write(found, options.rows)
    sys.exit(int(not options.quick and any(row.held is False for row in found)))


def write(rows: list[Row], path: Path | None) -> None:
    """Write the rows, if there is a place for them."""
    if path is not None:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def read(path: Path) -> list[Row]:
    """Undo `write`."""
    return [Row(**record) for record in json.loads(path.read_text())]
