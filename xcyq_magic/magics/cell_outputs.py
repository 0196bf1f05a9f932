"""The last run of a cell: its source, and what it showed, as a notebook's file would have it."""

from __future__ import annotations

import math
from collections.abc import Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_OUTPUTS = 1_000
_MOST_PRINTED = 100_000  # characters of the end of what is printed in a row; as many of its beginning


@dataclass
class Printed:
    """What was printed, of which the middle is left out where it is long.

    Attributes
    ----------
    name
        ``stdout`` or ``stderr``.
    """

    name: str
    _pieces: list[str] = field(default_factory=list)
    _size: int = 0
    _begin: str = ""
    _left_out: int = 0

    def add(self, text: str) -> None:
        """Take in what was printed next."""
        self._pieces.append(text)
        self._size += len(text)
        if self._size > 2 * _MOST_PRINTED:
            whole = "".join(self._pieces)
            if not self._begin:
                self._begin, whole = whole[:_MOST_PRINTED], whole[_MOST_PRINTED:]
            self._left_out += max(0, len(whole) - _MOST_PRINTED)
            self._pieces, self._size = [whole[-_MOST_PRINTED:]], min(len(whole), _MOST_PRINTED)

    @property
    def size(self) -> int:
        """How many characters are kept."""
        return len(self._begin) + self._size

    @property
    def text(self) -> str:
        """What is kept of it."""
        gap = f"\n… {self._left_out:,} characters left out …\n" if self._left_out else ""
        return f"{self._begin}{gap}{''.join(self._pieces)}"


@dataclass
class RanCell:
    """The last run of a cell.

    Attributes
    ----------
    key
        The cell's id; of one without, the id of its run.
    run
        The id of the request that ran it.
    cell_id
        None where the frontend tells none.
    source
        As it ran.
    number
        The one in ``In [4]``; None while it runs.
    began_at
        When it ran, in Unix seconds.
    after
        How many runs there were before its first.
    ended_at
        When it ended; infinity while it runs.
    """

    key: str
    run: str
    cell_id: str | None
    source: str
    began_at: float
    after: int
    number: int | None = None
    ended_at: float = math.inf
    _shown: list[Printed | dict[str, Any]] = field(default_factory=list)
    _clears: bool = False  # once the next output comes

    @property
    def record(self) -> dict[str, Any]:
        """The cell in JSON, as in a notebook's file."""
        outputs = [
            {"output_type": "stream", "name": o.name, "text": o.text} if isinstance(o, Printed) else o
            for o in list(self._shown)
        ]
        return {"cell_type": "code", "source": self.source, "execution_count": self.number, "outputs": outputs}

    @property
    def size(self) -> int:
        """How many characters and bytes are kept of what it showed."""
        sizes = (
            [o.size] if isinstance(o, Printed) else [len(t) for t in o.get("data", {}).values() if isinstance(t, Sized)]
            for o in list(self._shown)
        )
        return len(self.source) + sum(map(sum, sizes))

    def show(self, output: dict[str, Any]) -> None:
        """Add an output."""
        self._clear_if_due()
        self._add(output)

    def print(self, name: str, text: str) -> None:
        """Add what was printed to the stream of that name."""
        self._clear_if_due()
        last = self._shown[-1] if self._shown else None
        if not isinstance(last, Printed) or last.name != name:
            last = Printed(name)
            self._add(last)
        last.add(text)

    def _add(self, output: Printed | dict[str, Any]) -> None:
        self._shown.append(output)
        if len(self._shown) > _MOST_OUTPUTS:
            del self._shown[_MOST_OUTPUTS // 2]  # of what a loop shows, the beginning and the end are kept

    def clear(self, *, wait: bool) -> None:
        """Forget what it showed, or do so once it shows something else."""
        self._clears = wait
        if not wait:
            self._shown.clear()

    def _clear_if_due(self) -> None:
        if self._clears:
            self.clear(wait=False)

    def update(self, display_id: object, data: Mapping[str, Any]) -> None:
        """Replace the outputs of that display id."""
        for output in self._shown:
            if isinstance(output, dict) and output.get("display_id") == display_id:
                output["data"] = data
