"""Tables and arrays as text: shape, columns and rows; of a long one the first and last rows, and a summary of all."""

from __future__ import annotations

import functools
import math
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.media.arrays import as_numpy, bands
from xcyq_magic.media.text.nested import inline, readable

if TYPE_CHECKING:
    from numpy.typing import NDArray


Frame: TypeAlias = Any  # pandas is not imported to name its types
Series: TypeAlias = Any

_ROWS = (30, 10, 6, 4, 2)  # shown, tried in turn
_COLUMNS = (20, 8, 4)  # side by side, as many as the budget has room for
_COLUMN_CHARS = 150  # of the budget, for each of them
_MOST_LISTED = 60
_LONGEST_CELL = 60
_SUMMARY_ROWS = 8  # of `describe`: fewer rows that are left out are no reason for it
_MOST_COUNTED = 20_000_000  # cells: beyond that, counting what is missing takes seconds
_MOST_SORTED = 5_000_000  # cells: beyond that, their quartiles do; and they take as long for each column


def frame_text(frame: Frame, chars: int) -> str:
    """Return a DataFrame: its size, each column's type and what it lacks, rows; of a long one a summary as well."""
    rows, columns = frame.shape
    head = f"{type(frame).__name__}, {_count(rows, 'row')} × {_count(columns, 'column')}"
    room = chars - len(head)
    listed = _columns(frame, room // 2)
    room -= len(listed)
    body, left_out = _rows(frame, room)
    return _with_summary([head, listed, body], frame, left_out, chars)


def series_text(series: Series, chars: int) -> str:
    """Return a Series: its size, its type and what it lacks, elements; of a long one a summary as well."""
    missing = int(series.isna().sum()) if len(series) <= _MOST_COUNTED else 0
    lacks = f", {missing:,} missing" if missing else ""
    name = "" if series.name is None else f" {inline(series.name)}"
    head = f"{type(series).__name__}{name}, {_count(len(series), 'element')}, {series.dtype}{lacks}"
    body, left_out = _rows(series.to_frame("" if series.name is None else series.name), chars - len(head))
    return _with_summary([head, body], series, left_out, chars)


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _columns(frame: Frame, chars: int) -> str:
    """Name, type, and how many are missing, of as many columns as fit."""
    small = frame.shape[0] * frame.shape[1] <= _MOST_COUNTED
    missing = frame.isna().sum() if small else None
    lines: list[str] = []
    for n, (name, dtype) in enumerate(zip(frame.columns, frame.dtypes, strict=True)):
        lacks = int(missing.iloc[n]) if missing is not None else 0
        line = f"- {str(name)[:_LONGEST_CELL]}: {dtype}" + (f", {lacks:,} missing" if lacks else "")
        if n == _MOST_LISTED or sum(map(len, lines)) + len(line) > chars:
            lines.append(f"… {_count(frame.shape[1] - n, 'more column')}")
            break
        lines.append(line)
    return "\n".join(lines)


def _rows(frame: Frame, chars: int) -> tuple[str, int]:
    """Return all rows where they fit, else the first and the last; and how many are left out."""
    rows, columns = frame.shape
    if not rows or not columns:
        return "", 0
    text, most, side_by_side = "", rows, _side_by_side(chars)
    for most in (m for m in ((rows, *_ROWS) if rows <= chars else _ROWS) if m <= rows):
        text = frame.to_string(max_rows=most, max_cols=side_by_side, max_colwidth=_LONGEST_CELL, show_dimensions=False)
        if most < rows:
            text += f"\n… {_count(rows - most, 'row')} in the middle left out"
        if columns > side_by_side:
            text += f"\n… {_count(columns - side_by_side, 'column')} in the middle left out"
        if len(text) <= chars:
            break
    return text, rows - most


def _side_by_side(chars: int) -> int:
    return next((n for n in _COLUMNS if n * _COLUMN_CHARS <= chars), _COLUMNS[-1])


def _with_summary(sections: list[str], table: Frame | Series, left_out: int, chars: int) -> str:
    """Return the sections, and what `describe` says of all rows: where more are left out than it has, and it fits.

    Parameters
    ----------
    sections
        What is said of the table.
    table
        The whole of it.
    left_out
        How many of its rows are not among the sections.
    chars
        Characters of the whole, at most.
    """
    text = "\n\n".join(s for s in sections if s)
    columns = getattr(table, "columns", [""])
    if left_out <= _SUMMARY_ROWS or table.size > _MOST_SORTED or len(columns) > _side_by_side(chars):
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas warns of columns that have no mean
            summary = table.describe()
        if not hasattr(summary, "columns"):  # of a Series
            summary = summary.to_frame("")
        summary = summary.to_string(max_colwidth=_LONGEST_CELL)
    except (TypeError, ValueError):  # what the columns hold cannot be compared or counted
        return text
    of = _count(table.shape[0], "row" if hasattr(table, "columns") else "element")
    whole = f"{text}\n\nSummary of all {of}:\n\n{summary}"
    return whole if len(whole) <= chars else text


_FEW = 20  # elements that need no statistics
_EDGES = (6, 4, 3, 2, 1)
_ELEMENT = 3  # characters of an element, at the least
_WIDTH = 110


def array_text(value: object, chars: int) -> str:
    """Shape, type, smallest, mean and largest element, how many are no numbers, and as many elements as fit."""
    array = as_numpy(value)
    if array.ndim == 0:
        text = readable(value)
        return repr(value) if text is None else text
    kind = type(value).__name__
    name = "array" if kind == "ndarray" else kind
    head = f"{name} of shape {array.shape}, {array.dtype}"
    facts = _facts(array) if array.size > _FEW else []
    if array.ndim > 2:  # noqa: PLR2004  # height and width
        facts.append("not one picture, so in numbers")
    head = "; ".join([head, *facts])
    return f"{head}\n{_elements(array, chars - len(head) - 1)}"


def _elements(array: NDArray[Any], chars: int) -> str:
    """Return all elements where they fit, else the corners."""
    import numpy as np  # noqa: PLC0415  # whoever has an array has NumPy

    text = ""
    shown = functools.partial(
        np.array2string, array, max_line_width=_WIDTH, separator=", ", formatter={"object": inline}
    )
    if array.size * _ELEMENT <= chars:
        text = shown(threshold=array.size + 1)
        if len(text) <= chars:
            return text
    for edge in _EDGES:
        text = shown(threshold=1, edgeitems=edge, precision=4)
        if len(text) <= chars:
            break
    return text


def _facts(array: NDArray[Any]) -> list[str]:
    if array.dtype.kind == "b":
        return [f"{int(array.sum()):,} of {array.size:,} true"]
    if array.dtype.kind in "iufc":
        return _number_facts(array)
    return [f"from {array.min()} to {array.max()}"] if array.dtype.kind in "mM" else []


def _number_facts(array: NDArray[Any]) -> list[str]:
    """Piece by piece, so that no second array of its size is needed."""
    import numpy as np  # noqa: PLC0415  # as above

    low, high, total, count, odd = math.inf, -math.inf, 0.0, 0, 0
    for rows in bands(array):
        band = array[rows]
        if array.dtype.kind == "c":
            band = np.abs(band)
        finite = band[np.isfinite(band)]
        odd += band.size - finite.size
        count += finite.size
        if finite.size:
            low, high = min(low, finite.min()), max(high, finite.max())
            total += float(finite.sum(dtype=np.float64))
    what = " of the magnitudes" if array.dtype.kind == "c" else ""
    facts = [f"min {low:.6g}, mean {total / count:.6g}, max {high:.6g}{what}"] if count else []
    return [*facts, f"{odd:,} of {array.size:,} NaN or infinite"] if odd else facts
