"""Tables as text: shape, columns and rows; of a long one the first and last rows, and a summary of all."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.media.kinds import INDEXES, is_a, roots
from xcyq_magic.media.text.cell_text import cells_text
from xcyq_magic.media.text.nested import inline
from xcyq_magic.media.text.shown import Shown, all_of, clipped_line, count_of, fewer, limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Frame: TypeAlias = Any  # pandas is not imported to name its types
Series: TypeAlias = Any

_ROWS = 30  # shown of a long table
_COLUMNS, _FEWEST_COLUMNS = 20, 4  # shown side by side of a wide one, as many as there is room for
_COLUMN_CHARS = 150  # of the budget, for each of them
_LISTED = 60  # columns
_CELL = 60  # characters of a cell that does not go in whole, at the least
_ELEMENT = 3  # characters of a cell with what stands between it and the next, at the least
_WIDEST = 60_000  # characters of a line, for Polars, which counts them in 16 bits
_SUMMARY_ROWS = 8  # of `describe`: fewer rows that are left out are no reason for it
_MOST_COUNTED = 20_000_000  # cells: beyond that, counting what is missing takes seconds
_MOST_SORTED = 5_000_000  # cells: beyond that, their quartiles do; and they take as long for each column


@dataclass(frozen=True)
class _Part:
    """The outer rows and columns of a table, their cells short enough.

    Attributes
    ----------
    frame
        Of the table's library; where some are left out, one row or column of the middle is there, too.
    rows, columns
        How many are shown of it: even numbers, where some are left out.
    wide
        Characters of a line, at the least.
    longest
        Characters of its longest text.
    cut
        How many cells do not go in whole.
    """

    frame: Frame
    rows: int
    columns: int
    wide: int = 0
    longest: int = 0
    cut: int = 0


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

    def part(self, rows: int, columns: int, longest: int) -> _Part:
        """Return its outer rows and columns, and of each cell so many characters at most."""
        at, middle = _outer(self.rows, rows)
        frame = self.frame.iloc[:, _outer(self.columns, columns)[0]].iloc[at]
        frame = frame.copy(deep=False)
        wide = most = cut = 0
        for n in range(frame.shape[1]):
            if frame.dtypes.iloc[n].kind in "biufcmM":
                continue
            found = cells_text(frame.iloc[:, n].array, longest, middle)
            wide, most, cut = wide + found.longest, max(most, found.longest), cut + found.cut
            if found.changed:
                frame.isetitem(n, sys.modules["pandas"].Series(found.cells, index=frame.index, dtype=object))
        frame.index, cut_labels = self._labels(frame.index, longest, middle)
        frame.columns, cut_names = self._labels(frame.columns, longest, -1)
        return _Part(frame, rows, columns, wide, most, cut + cut_labels + cut_names)

    @staticmethod
    def _labels(index: Any, longest: int, middle: int) -> tuple[Any, int]:  # noqa: ANN401  # pandas'
        """Return the labels of rows or columns, none longer than `longest`, and how many were."""
        levels = [cells_text(index.get_level_values(n), longest, middle) for n in range(index.nlevels)]
        cut = sum(level.cut for level in levels)
        if not cut:
            return index, 0
        pd: Any = sys.modules["pandas"]
        texts = [level.cells for level in levels]
        if index.nlevels == 1:
            return pd.Index(texts[0], name=index.name, dtype=object), cut
        return pd.MultiIndex.from_arrays(texts, names=index.names), cut

    def drawn(self, part: _Part) -> str:
        """Return a part of it as text, with marks where rows and columns are left out."""
        options: Any = {"max_colwidth": None, "show_dimensions": False}
        return str(part.frame.to_string(max_rows=part.rows, max_cols=part.columns, **options))

    def summary(self) -> str:
        """Return what `describe` says of all rows."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas warns of columns that have no mean
            summary = self.frame.describe()
        return str(summary.to_string(max_colwidth=_CELL))


class _PolarsTable(_Table):
    """A table of Polars."""

    def _missing(self) -> list[int]:
        return list(self.frame.null_count().row(0))

    def part(self, rows: int, columns: int, longest: int) -> _Part:
        pl: Any = sys.modules["polars"]
        at, middle = _outer(self.rows, rows)
        names = [self.names[n] for n in _outer(self.columns, columns)[0]]
        shown, texts = self.frame[at], []
        wide = most = cut = 0
        for name in names:
            column = shown[name]
            if column.dtype.is_numeric() or column.dtype.is_temporal() or column.dtype == pl.Boolean:
                texts.append(column)
                continue
            found = cells_text(column.to_list(), longest, middle)
            wide, most, cut = wide + found.longest, max(most, found.longest), cut + found.cut
            cells = [None if cell is None else str(cell) for cell in found.cells]
            texts.append(pl.Series(name, cells, dtype=pl.String))
        heads = cells_text(names, longest, -1)
        frame = pl.DataFrame({clear: text.alias(clear) for clear, text in zip(_apart(heads.cells), texts, strict=True)})
        return _Part(frame, rows, columns, wide, max(most, heads.longest), cut + heads.cut)

    def drawn(self, part: _Part) -> str:
        return self._plain(part.frame, part.rows, part.columns, part.longest)

    def summary(self) -> str:
        summary = self.frame.describe()
        return self._plain(summary, summary.height, summary.width, _CELL)

    @staticmethod
    def _plain(frame: Frame, rows: int, columns: int, longest: int) -> str:
        """Write columns without lines between them, and without their types."""
        config = sys.modules["polars"].Config(
            tbl_rows=rows,
            tbl_cols=columns,
            tbl_width_chars=_WIDEST,
            fmt_str_lengths=max(longest, _CELL) + 1,  # which holds for numbers, too
            tbl_formatting="NOTHING",
            tbl_hide_dataframe_shape=True,
            tbl_hide_column_data_types=True,
        )
        with config:
            return "\n".join(map(str.rstrip, str(frame).splitlines()))


def _apart(names: Iterable[object]) -> list[str]:
    """Return the names, such as are equal since they were shortened with a number behind them."""
    found: dict[str, None] = {}
    for name in map(str, names):
        found[name if name not in found else f"{name} ({len(found)})"] = None
    return [*found]


def frame_text(frame: Frame, chars: int) -> Shown:
    """Return a DataFrame: its size, each column's type and what it lacks, rows; of a long one a summary as well."""
    table = _PolarsTable(frame) if "polars" in roots(frame) else _Table(frame)
    head = f"{type(frame).__name__}, {count_of(table.rows, 'row')} × {count_of(table.columns, 'column')}"
    room = chars - len(head)
    listed = _columns(table, room // 2)
    body = _rows(table, room - len(listed.text))
    return _with_summary([Shown(head), listed], body, table, chars)


def series_text(series: Series, chars: int) -> Shown:
    """Return a Series, or what else of pandas is one column: its size and type, elements; of a long one a summary."""
    of = series
    if "polars" in roots(series):
        table: _Table = _PolarsTable(series.to_frame(), series=True)
    else:
        if is_a(series, *INDEXES):
            of = sys.modules["pandas"].Series(series, name=getattr(series, "name", None))
        table = _Table(of.to_frame("" if of.name is None else of.name), series=True)
    lacks = f", {table.missing[0]:,} missing" if table.missing[0] else ""
    name = "" if of.name is None else f" {inline(of.name).text}"
    dtype = getattr(series, "dtype", of.dtype)
    head = f"{type(series).__name__}{name}, {count_of(len(of), 'element')}, {dtype}{lacks}"
    return _with_summary([Shown(head)], _rows(table, chars - len(head)), table, chars)


def _columns(table: _Table, chars: int) -> Shown:
    """Name, type, and how many are missing, of as many columns as fit."""
    lines: list[str] = []
    length = 0
    for n, (name, dtype, lacks) in enumerate(zip(table.names, table.dtypes, table.missing, strict=True)):
        line = f"- {clipped_line(str(name), _CELL)}: {dtype}" + (f", {lacks:,} missing" if lacks else "")
        length += len(line)
        if n == limit(_LISTED, chars * 2) or length > chars:
            left = table.columns - n
            lines.append(f"… {count_of(left, 'more column')}")
            return Shown("\n".join(lines), f"the types of {count_of(left, 'column')}")
        lines.append(line)
    return Shown("\n".join(lines))


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
        for longest in (min(chars, _WIDEST), _cell_chars(rows, columns, chars)):
            part = table.part(rows, columns, longest)
            whole = rows * part.wide <= chars and part.wide <= _WIDEST
            if whole and len(text := table.drawn(part)) <= chars:
                return _Body(text, _cells_cut(part))
    side_by_side = _side_by_side(columns, chars)
    text, cuts, part, most = "", [""], _Part(None, 0, 0), rows
    for most in _row_counts(rows, side_by_side, chars):
        part = table.part(most, side_by_side, _cell_chars(most, side_by_side, chars))
        cuts = [f"{count_of(rows - most, 'row')} in the middle"] if most < rows else []
        cuts += [f"{count_of(columns - side_by_side, 'column')} in the middle"] if columns > side_by_side else []
        text = "\n… ".join([table.drawn(part), *(f"{cut} left out" for cut in cuts)])
        if len(text) <= chars:
            break
    return _Body(text, all_of(*cuts, _cells_cut(part)), rows=rows - most)


def _row_counts(rows: int, columns: int, chars: int) -> Sequence[int]:
    """Return how many rows are tried: all, then even numbers of them, for half stand above the middle."""
    first = [rows] if rows * columns * _ELEMENT <= chars else []
    most = min(rows - 1, limit(_ROWS, chars), max(2, chars // (columns * _ELEMENT)))
    return [*first, *dict.fromkeys(max(2, n // 2 * 2) for n in fewer(most, 2) if rows > 2)] or [rows]  # noqa: PLR2004


def _side_by_side(columns: int, chars: int) -> int:
    """Return how many columns there is room for; an even number, unless it is all."""
    most = max(_FEWEST_COLUMNS, min(limit(_COLUMNS, chars), chars // _COLUMN_CHARS)) // 2 * 2
    return min(columns, most)


def _cell_chars(rows: int, columns: int, chars: int) -> int:
    """Return the characters of a cell, where all of them and the line of names have half of the budget."""
    return max(_CELL, chars // (2 * (rows + 1) * columns))


def _cells_cut(part: _Part) -> str:
    return f"parts of {count_of(part.cut, 'cell')}" if part.cut else ""


def _outer(count: int, most: int) -> tuple[list[int], int]:
    """Return the places of the first and the last of so many and of one between, and where that one is; -1 for all."""
    if most >= count:
        return [*range(count)], -1
    half = most // 2
    return [*range(half + 1), *range(count - half, count)], half


def _with_summary(sections: list[Shown], body: _Body, table: _Table, chars: int) -> Shown:
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
    text = "\n\n".join(s.text for s in (*sections, body) if s.text)
    shown = Shown(text, all_of(body.cut, *(s.cut for s in sections)))
    cells = table.rows * table.columns
    if body.rows <= _SUMMARY_ROWS or cells > _MOST_SORTED or table.columns > _side_by_side(table.columns, chars):
        return shown
    try:
        summary = table.summary()
    except (TypeError, ValueError):  # what the columns hold cannot be compared or counted
        return shown
    of = count_of(table.rows, "element" if table.series else "row")
    whole = f"{text}\n\nSummary of all {of}:\n\n{summary}"
    return Shown(whole, shown.cut) if len(whole) <= chars else shown
