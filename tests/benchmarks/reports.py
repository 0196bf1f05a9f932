"""Tables and bounds of what rendering costs."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import TypeAlias

from table import Row
from texts import FRAME_CHARS

BYTES_PER_CHAR, EXPONENT, GIANT_EXPONENT, OF_WHOLE = 30.0, 1.1, 1.15, 1 / 50
LOOP_RATIO = 200.0  # a line of two characters costs what a line of prose does; the square of 100 kB takes more
COMPARED = 100_000  # characters at which CPU times are compared
PROSE = "prose"

Bound: TypeAlias = tuple[str, float, float]  # what, the figure, and the most that it may be
Seconds: TypeAlias = float | None  # None: it took too long


@dataclass(frozen=True)
class Run:
    """One reply, painted and settled; with `every` above 1, figures scaled from every such frame."""

    painter: str
    text: str
    chars: int
    every: int
    live_bytes: int
    settled_bytes: int
    messages: int
    cpu_s: float

    @property
    def per_char(self) -> float:
        """Bytes for each character of the reply."""
        return (self.live_bytes + self.settled_bytes) / self.chars


def slope(xs: list[float], ys: list[float]) -> float:
    """The exponent of a power law: least squares of logarithms."""
    return statistics.linear_regression([math.log(x) for x in xs], [math.log(y) for y in ys]).slope


def exponents(runs: list[Run]) -> tuple[float, float]:
    """Of bytes and of CPU, over the size."""
    sizes = [r.chars for r in runs]
    return slope(sizes, [r.per_char * r.chars for r in runs]), slope(sizes, [r.cpu_s for r in runs])


def line(*cells: str, widths: tuple[int, ...]) -> None:
    """A row of a table: the first cell to the left, all others to the right."""
    first, *others = (c.ljust(w) if n == 0 else c.rjust(w) for n, (c, w) in enumerate(zip(cells, widths, strict=True)))
    print("| " + " | ".join([first, *others]) + " |", flush=True)


def head(*cells: str, widths: tuple[int, ...]) -> None:
    """The first two rows of a table."""
    line(*cells, widths=widths)
    print("|" + "|".join("-" * (w + 1) + ("-" if n == 0 else ":") for n, w in enumerate(widths)) + "|", flush=True)


RUN_WIDTHS = (7, 7, 16, 10, 8, 8, 8, 9)


def print_runs_head() -> None:
    """The head of the table of replies, whose rows come as they are measured."""
    print("Mixed Markdown: bytes for each character, of which live and settled, and seconds of CPU")
    head("painter", "kB", "frames painted", "bytes/char", "live", "settled", "messages", "CPU s", widths=RUN_WIDTHS)


def print_run(r: Run) -> None:
    """One row of the table of replies."""
    frames = -(-r.chars // FRAME_CHARS)
    painted = f"{frames:,}" if r.every == 1 else f"{frames // r.every:,} of {frames:,}"
    line(
        *(r.painter, f"{r.chars / 1000:g}", painted, f"{r.per_char:,.1f}"),
        *(f"{r.live_bytes / r.chars:,.1f}", f"{r.settled_bytes / r.chars:,.1f}", f"{r.messages:,}", f"{r.cpu_s:,.2f}"),
        widths=RUN_WIDTHS,
    )


def print_exponents(found: dict[str, list[Run]]) -> None:
    """The exponents of each painter."""
    widths = (7, 11, 9, 13)
    print("\nExponents over the size, and CPU at the largest size next to ours")
    head("painter", "of bytes", "of CPU", "times our CPU", widths=widths)
    for painter, runs in found.items():
        of_bytes, of_cpu = exponents(runs)
        times = runs[-1].cpu_s / found["ours"][-1].cpu_s
        line(painter, f"{of_bytes:.2f}", f"{of_cpu:.2f}", f"{times:,.1f}", widths=widths)


def reply_bounds(ours: list[Run], whole: list[Run]) -> list[Bound]:
    """What holds for a reply."""
    of_bytes, of_cpu = exponents(ours)
    mine, theirs = (next(r.cpu_s for r in runs if r.chars == COMPARED) for runs in (ours, whole))
    return [
        (f"bytes per character at {ours[-1].chars // 1000} kB", ours[-1].per_char, BYTES_PER_CHAR),
        ("exponent of bytes", of_bytes, EXPONENT),
        ("exponent of CPU", of_cpu, EXPONENT),
        ("CPU at 100 kB, of the whole again and again", mine / theirs, OF_WHOLE),
    ]


def reply_rows(found: dict[str, list[Run]], bounds: list[Bound]) -> list[Row]:
    """The same bounds, and next to them what the others' painters take, at the size at which they are compared."""
    ours, *others = ({r.chars: r for r in runs}[COMPARED] for runs in found.values())
    size = f"{COMPARED // 1000} kB"
    rows = [Row(f"a reply while it grows: {name}", "", figure, bound=most) for name, figure, most in bounds[:3]]
    for other in others:
        name = "the whole again and again" if other.painter == "whole" else other.painter
        cpu, sent = (
            Row(what, unit, a, name, b, a / b)
            for what, unit, a, b in (
                (f"a reply of {size}, rendered and sent: CPU", "s", ours.cpu_s, other.cpu_s),
                (f"a reply of {size}: sent for each character", "bytes", ours.per_char, other.per_char),
            )
        )
        rows += [replace(cpu, bound=OF_WHOLE) if other.painter == "whole" else cpu, sent]
    return rows


def print_giants(found: dict[str, list[Run]]) -> list[Bound]:
    """Bytes for each character and CPU by size, and the exponents of both."""
    sizes = [f"{r.chars / 1000:g} kB" for r in next(iter(found.values()))]
    widths = (13, *(9 for _ in sizes), 8, *(9 for _ in sizes), 8)
    print("\nOne block without an end: bytes for each character, then seconds of CPU")
    head("block", *sizes, "exponent", *sizes, "exponent", widths=widths)
    bounds = []
    for name, runs in found.items():
        of_bytes, of_cpu = exponents(runs)
        per_char, cpu = [f"{r.per_char:,.1f}" for r in runs], [f"{r.cpu_s:,.2f}" for r in runs]
        line(name, *per_char, f"{of_bytes:.2f}", *cpu, f"{of_cpu:.2f}", widths=widths)
        bounds.append((f"{name}: exponent of bytes", of_bytes, GIANT_EXPONENT))
        bounds.append((f"{name}: exponent of CPU", of_cpu, GIANT_EXPONENT))
    return bounds


def limit_of(prose_s: Seconds, limit_s: float) -> float:
    """Seconds after which a case is cut: long enough to tell that it breaks the bound."""
    return max(limit_s, LOOP_RATIO * (prose_s or 0.0))


def print_loops(found: dict[str, dict[str, Seconds]], limit_s: float) -> list[Bound]:
    """How many times the CPU of prose each fragment takes."""
    prose = found[PROSE]
    widths = (22, *(15 for _ in prose), 4)
    print("\nRepeated without an end: CPU in seconds for prose, then in times of it")
    head("fragment", *prose, "", widths=widths)
    line(PROSE, *(f"{s or math.inf:.4f} s" for s in prose.values()), "", widths=widths)
    bounds = []
    for name, cases in found.items():
        if name == PROSE:
            continue
        pairs = [(s, prose[case] or math.inf) for case, s in cases.items()]
        cells = (f"> {limit_of(p, limit_s) / p:,.0f}" if s is None else f"{s / p:,.1f}" for s, p in pairs)
        bounds.append((f"loop: {name}", max(math.inf if s is None else s / p for s, p in pairs), LOOP_RATIO))
        line(name, *cells, verdict(bounds[-1]), widths=widths)
    return bounds


def verdict(bound: Bound) -> str:
    """Whether it is kept."""
    _, figure, most = bound
    return "PASS" if figure <= most else "FAIL"


def print_bounds(bounds: list[Bound]) -> bool:
    """Print each bound; returns whether all are kept. Loops that keep theirs are summed up."""
    print("\nBounds")
    kept = [b for b in bounds if b[0].startswith("loop: ") and verdict(b) == "PASS"]
    for bound in bounds:
        if bound not in kept:
            print(f"{verdict(bound)}  {bound[0]:45} {bound[1]:9.3f}  at most {bound[2]:g}")
    if kept:
        print(
            f"PASS  {f'{len(kept)} loops, the worst of them':45} {max(b[1] for b in kept):9.3f}  at most {LOOP_RATIO:g}"
        )
    return all(verdict(b) == "PASS" for b in bounds)
