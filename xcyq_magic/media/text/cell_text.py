"""The cells of a table, such as are long or hold other values as short texts, and how many do not go in whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xcyq_magic.errors import MediaError
from xcyq_magic.media.arrays import as_numpy
from xcyq_magic.media.kinds import FRAMES, INDEXES, SERIES, is_a, is_array, is_buffer
from xcyq_magic.media.text.array_text import elements_text
from xcyq_magic.media.text.nested import inline, is_container
from xcyq_magic.media.text.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPES = str.maketrans({"\t": r"\t", "\r": r"\r", "\n": r"\n"})
_NUMBERS = (bool, int, float, complex)
_END = "its end"


@dataclass(frozen=True)
class CellTexts:
    """The cells of a column.

    Attributes
    ----------
    cells
        As they are, or as text.
    longest
        Characters of the longest text.
    cut
        How many do not go in whole.
    more
        Whether a larger bound takes more of any.
    changed
        Whether any is a text in place of what it was.
    """

    cells: list[object]
    longest: int
    cut: int
    more: bool
    changed: bool


def cells_text(values: Iterable[object], longest: int, unseen: int = -1) -> CellTexts:
    """Return the cells of a column, none longer than `longest` as text.

    Parameters
    ----------
    values
        What it holds.
    longest
        Characters.
    unseen
        The place of one that is not shown.
    """
    cells: list[object] = []
    most = cut = 0
    more = changed = False
    for n, value in enumerate(values):
        found = None if n == unseen or value is None or isinstance(value, _NUMBERS) else _cell(value, longest)
        is_same = found is None or (isinstance(value, str) and found.text == value)
        cells.append(value if found is None or is_same else found.text)
        if found is not None:
            most, cut, changed = max(most, len(found.text)), cut + bool(found.cut), changed or not is_same
            more = more or (bool(found.cut) and found.more)
    return CellTexts(cells, most, cut, more, changed)


def _cell(value: object, longest: int) -> Shown | None:
    """Return a cell as text; None for what its library writes itself: a date, say."""
    if isinstance(value, str):
        return _shortened(value[: longest + 1], longest)
    if is_container(value) or is_a(value, *FRAMES, *SERIES, *INDEXES):
        return inline(value, longest)
    if is_buffer(value):
        found = _shortened(repr(bytes(value[:longest])), longest)
        return found if len(value) <= longest else Shown(found.text, _END)
    if is_array(value) and getattr(value, "shape", ()) != ():
        return _array(value, longest)
    text = str(value)
    found = _shortened(text, longest)
    return None if found.text == text else found


def _shortened(text: str, longest: int) -> Shown:
    escaped = text.translate(_ESCAPES)
    return Shown(escaped) if len(escaped) <= longest else Shown(f"{escaped[: longest - 1]}…", _END)


def _array(value: object, longest: int) -> Shown:
    try:
        found = elements_text(as_numpy(value), longest)
    except MediaError:  # NumPy cannot read it; it may still say something of itself
        return _shortened(str(value), longest)
    return replace(found, text=" ".join(found.text.split()))
