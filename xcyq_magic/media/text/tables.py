"""Tables and arrays as text: shape, columns and rows; of a long one the first and last rows, and a summary of all."""

from __future__ import annotations

import math
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.media.arrays import as_numpy, bands
from xcyq_magic.media.kinds import roots
from xcyq_magic.media.text.nested import Shown, all_of, count_of, inline, readable

if TYPE_CHECKING:
    from numpy.typing import NDArray


Frame: TypeAlias = Any  # pandas is not imported to name its types
Series: TypeAlias = Any

_ROWS = (30, 10, 6, 4, 2)  # shown, tried in turn
_COLUMNS = (20, 8, 4)  # side by side, as many as the budget has room for
_COLUMN_CHARS = 150  # of the budget, for each of them
_MOST_LISTED = 60
_LONGEST_CELL = 60
_WIDEST = 10_000  # characters of a line, for Polars, which leaves out columns that do not fit
_SUMMARY_ROWS = 8  # of `describe`: fewer rows that are left out are no reason for it
_MOST_COUNTED = 20_000_000  # cells: beyond that, counting what is missing takes seconds
_MOST_SORTED = 5_000_000  # cells: beyond that, their quartiles do; and they take as long for each column


class _Table:
    """A table of pandas, and how it is written.

    Attributes
    ----------
    rows
        How many.
    names, dtypes, missing
        Of its columns; of each, how many values it lacks, or 0 where counting takes long.
    """

    def __init__(self, frame: Frame, *, series: bool = False) -> None:
        self.frame = frame
        self.series = series
        self.rows, self.columns = frame.shape
        self.names, self.dtypes = list(frame.columns), list(frame.dtypes)
        few = self.rows * self.columns <= _MOST_COUNTED
        self.missing = self._missing() if few else [0] * self.columns

    def _missing(self) -> list[int]:
        return [int(n) for n in self.frame.isna().sum()]

    def drawn(self, rows: int, columns: int, longest: int | None = _LONGEST_CELL) -> str:
        """Return it with at most so many rows and columns, the outer ones, and characters of a cell; None for all."""
        options: Any = {"max_colwidth": longest, "show_dimensions": False}
        return str(self.frame.to_string(max_rows=rows, max_cols=columns, **options))

    def lengths(self, rows: int, columns: int) -> list[list[int]]:
        """Return of each column that `drawn` shows and that may hold text, how long the cells that it shows are."""
        shown = self.frame.iloc[:, _outer(self.columns, columns)].iloc[_outer(self.rows, rows)]
        may_be_long = (column for _, column in shown.items() if column.dtype.kind not in "biufcmM")
        return [[len(str(cell)) for cell in column] for column in may_be_long]

    def summary(self) -> str:
        """Return what `describe` says of all rows."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas warns of columns that have no mean
            summary = self.frame.describe()
        return str(summary.to_string(max_colwidth=_LONGEST_CELL))


class _PolarsTable(_Table):
    """A table of Polars."""

    def _missing(self) -> list[int]:
        return list(self.frame.null_count().row(0))

    def drawn(self, rows: int, columns: int, longest: int | None = _LONGEST_CELL) -> str:
        return self._plain(self.frame, rows, columns, _WIDEST if longest is None else longest)

    def lengths(self, rows: int, columns: int) -> list[list[int]]:
        shown = self.frame[_outer(self.rows, rows)]
        names = [self.names[n] for n in _outer(self.columns, columns)]
        return [[len(cell) for cell in shown[name].to_list() if isinstance(cell, str)] for name in names]

    def summary(self) -> str:
        summary = self.frame.describe()
        return self._plain(summary, summary.height, summary.width)

    @staticmethod
    def _plain(frame: Frame, rows: int, columns: int, longest: int = _LONGEST_CELL) -> str:
        """Write columns without lines between them, and without their types."""
        config = sys.modules["polars"].Config(
            tbl_rows=rows,
            tbl_cols=columns,
            tbl_width_chars=_WIDEST,
            fmt_str_lengths=longest,
            tbl_formatting="NOTHING",
            tbl_hide_dataframe_shape=True,
            tbl_hide_column_data_types=True,
        )
        with config:
            return "\n".join(map(str.rstrip, str(frame).splitlines()))


def frame_text(frame: Frame, chars: int) -> Shown:
    """Return a DataFrame: its size, each column's type and what it lacks, rows; of a long one a summary as well."""
    table = _PolarsTable(frame) if "polars" in roots(frame) else _Table(frame)
    head = f"{type(frame).__name__}, {count_of(table.rows, 'row')} × {count_of(table.columns, 'column')}"
    room = chars - len(head)
    listed = _columns(table, room // 2)
    body = _rows(table, room - len(listed))
    return _with_summary([head, listed], body, table, chars)


def series_text(series: Series, chars: int) -> Shown:
    """Return a Series: its size, its type and what it lacks, elements; of a long one a summary as well."""
    if "polars" in roots(series):
        table: _Table = _PolarsTable(series.to_frame(), series=True)
    else:
        table = _Table(series.to_frame("" if series.name is None else series.name), series=True)
    lacks = f", {table.missing[0]:,} missing" if table.missing[0] else ""
    name = "" if series.name is None else f" {inline(series.name)}"
    head = f"{type(series).__name__}{name}, {count_of(len(series), 'element')}, {series.dtype}{lacks}"
    return _with_summary([head], _rows(table, chars - len(head)), table, chars)


def _columns(table: _Table, chars: int) -> str:
    """Name, type, and how many are missing, of as many columns as fit."""
    lines: list[str] = []
    for n, (name, dtype, lacks) in enumerate(zip(table.names, table.dtypes, table.missing, strict=True)):
        line = f"- {str(name)[:_LONGEST_CELL]}: {dtype}" + (f", {lacks:,} missing" if lacks else "")
        if n == _MOST_LISTED or sum(map(len, lines)) + len(line) > chars:
            lines.append(f"… {count_of(table.columns - n, 'more column')}")
            break
        lines.append(line)
    return "\n".join(lines)


@dataclass(frozen=True)
class _Body(Shown):
    """The rows of a table, and how many of them are left out."""

    rows: int = 0


def _rows(table: _Table, chars: int) -> _Body:
    """Return all rows where they fit, with long cells whole or not; else the first and the last."""
    rows, columns = table.rows, table.columns
    if not rows or not columns:
        return _Body("")
    if rows * columns * _ELEMENT <= chars:
        lengths = table.lengths(rows, columns)
        long = sum(length > _LONGEST_CELL for column in lengths for length in column)
        wide = sum(max(column, default=0) for column in lengths)  # all cells of a column are as wide as its longest
        if long and rows * wide <= chars and len(text := table.drawn(rows, columns, None)) <= chars:
            return _Body(text)
        if len(text := table.drawn(rows, columns)) <= chars:
            return _Body(text, _cells_cut(long))
    text, cuts, most, side_by_side = "", [""], rows, _side_by_side(chars)
    for most in (m for m in ((rows, *_ROWS) if rows <= chars else _ROWS) if m <= rows):
        cuts = [f"{count_of(rows - most, 'row')} in the middle"] if most < rows else []
        cuts += [f"{count_of(columns - side_by_side, 'column')} in the middle"] if columns > side_by_side else []
        text = "\n… ".join([table.drawn(most, side_by_side), *(f"{cut} left out" for cut in cuts)])
        if len(text) <= chars:
            break
    long = sum(length > _LONGEST_CELL for column in table.lengths(most, side_by_side) for length in column)
    return _Body(text, all_of(*cuts, _cells_cut(long)), rows=rows - most)


def _cells_cut(long: int) -> str:
    return f"the ends of {count_of(long, 'cell')} of more than {_LONGEST_CELL} characters" if long else ""


def _outer(count: int, most: int) -> list[int]:
    """Return the places of the first and the last of so many, `most` in all, as pandas and Polars choose them."""
    if most >= count:
        return [*range(count)]
    return [*range(most - most // 2), *range(count - most // 2, count)]


def _side_by_side(chars: int) -> int:
    return next((n for n in _COLUMNS if n * _COLUMN_CHARS <= chars), _COLUMNS[-1])


def _with_summary(sections: list[str], body: _Body, table: _Table, chars: int) -> Shown:
    """Return the table, and what `describe` says of all rows: where more are left out than it has, and it fits.

    Parameters
    ----------
    sections
        What is said of the table.
    body
        Its rows.
    table
        The whole of it.
    chars
        Characters of the whole, at most.
    """
    text = "\n\n".join(s for s in (*sections, body.text) if s)
    shown = Shown(text, body.cut)
    cells = table.rows * table.columns
    if body.rows <= _SUMMARY_ROWS or cells > _MOST_SORTED or table.columns > _side_by_side(chars):
        return shown
    try:
        summary = table.summary()
    except (TypeError, ValueError):  # what the columns hold cannot be compared or counted
        return shown
    of = count_of(table.rows, "element" if table.series else "row")
    whole = f"{text}\n\nSummary of all {of}:\n\n{summary}"
    return Shown(whole, body.cut) if len(whole) <= chars else shown


_FEW = 20  # elements that need no statistics
_EDGES = (6, 4, 3, 2, 1)
_ELEMENT = 3  # characters of an element, at the least
_WIDTH = 110
_HEAD = 200  # characters of what is said of an array before its elements
_DIGITS = 4  # behind the point, where all do not fit
_ROUNDED = f"\n… rounded to {_DIGITS} digits"


def array_text(value: object, chars: int) -> Shown:
    """Shape, type, smallest, mean and largest element, how many are no numbers, and as many elements as fit."""
    array = as_numpy(value)
    if array.ndim == 0:
        text = readable(value)
        return Shown(repr(value) if text is None else text)
    kind = type(value).__name__
    name = "array" if kind == "ndarray" else kind
    head = f"{name} of shape {array.shape}, {array.dtype}"
    facts = _facts(array) if array.size > _FEW else []
    if array.ndim > 2:  # noqa: PLR2004  # height and width
        facts.append("not one picture, so in numbers")
    head = "; ".join([head, *facts])
    elements = _elements(array, chars - len(head) - 1)
    return Shown(f"{head}\n{elements.text}", elements.cut)


def fits_as_text(array: NDArray[Any], chars: int) -> bool:
    """Return whether all elements of an array can be written in so many characters."""
    return _all_elements(array, chars - _HEAD) is not None


def _all_elements(array: NDArray[Any], chars: int) -> str | None:
    if array.size * _ELEMENT > chars:
        return None
    text = _written(array, threshold=array.size + 1)
    if len(text) > chars and array.dtype.kind == "f":
        text = _written(array, threshold=array.size + 1, precision=_DIGITS, suppress_small=True) + _ROUNDED
    return text if len(text) <= chars else None


def _elements(array: NDArray[Any], chars: int) -> Shown:
    """Return all elements where they fit, else the corners."""
    if (text := _all_elements(array, chars)) is not None:
        return Shown(text)
    text, edge = "", 0
    for edge in _EDGES:
        text = _written(array, threshold=1, edgeitems=edge, precision=_DIGITS)
        if len(text) <= chars:
            break
    corners = math.prod(min(length, 2 * edge) for length in array.shape)
    return Shown(text, f"{count_of(array.size - corners, 'element')} in the middle" if array.size > corners else "")


def _written(array: NDArray[Any], **options: Any) -> str:  # noqa: ANN401  # NumPy's options
    import numpy as np  # noqa: PLC0415  # whoever has an array has NumPy

    formatter: Any = {"object": inline}
    return np.array2string(array, max_line_width=_WIDTH, separator=", ", formatter=formatter, **options)


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
