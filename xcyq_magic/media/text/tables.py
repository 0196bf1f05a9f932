"""Tables as text: shape, columns and rows; of a long one the first and last rows, and a summary of all."""

from __future__ import annotations

import contextlib
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.media.kinds import SERIES, is_a, roots
from xcyq_magic.media.text.cell_text import CellTexts, cells_text
from xcyq_magic.media.text.nested import inline
from xcyq_magic.media.text.shown import INLINE, Shown, all_of, clipped_line, count_of, each_of, fewer, limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Frame: TypeAlias = Any  # pandas is not imported to name its types
Series: TypeAlias = Any

_ROWS = 30  # shown of a long table
_COLUMNS, _FEWEST_COLUMNS = 20, 4  # shown side by side of a wide one, as many as there is room for
_COLUMN_CHARS = 150  # of the budget, for each of them
_LISTED = 60  # columns
_ELEMENT = 3  # characters of a cell with what stands between it and the next, at the least
_NUMBER = 25  # characters of a number, at most
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
        How many cells, labels and names do not go in whole.
    more
        Whether a larger bound takes more of any.
    """

    frame: Frame
    rows: int
    columns: int
    wide: int = 0
    longest: int = 0
    cut: int = 0
    more: bool = True


class _Table:
    """A table of pandas, and how it is written.

    Attributes
    ----------
    rows
        How many.
    names, dtypes, missing
        Of its columns; of each, how many values it lacks, or 0 where counting takes long.
    """

    widest = sys.maxsize  # characters of a line

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
        beside, unseen = _outer(self.columns, columns)
        frame = self.frame.iloc[:, beside].iloc[at].set_flags(allows_duplicate_labels=True)
        frame.index, labels = self._labels(frame.index, longest, middle)
        frame.columns, names = self._labels(frame.columns, longest, unseen)
        wide, found = 0, [*labels, *names]
        for n in range(frame.shape[1]):
            if n == unseen or frame.dtypes.iloc[n].kind in "biufcmM":
                continue
            cells = cells_text(frame.iloc[:, n].array, longest, middle)
            wide += cells.longest
            found.append(cells)
            if cells.changed:
                frame.isetitem(n, sys.modules["pandas"].Series(cells.cells, index=frame.index, dtype=object))
        return _part(frame, rows, columns, wide, found)

    @staticmethod
    def _labels(index: Any, longest: int, middle: int) -> tuple[Any, list[CellTexts]]:  # noqa: ANN401  # pandas'
        """Return the labels of rows or columns, none longer than `longest`, and what became of them."""
        levels = [cells_text(index.get_level_values(n), longest, middle) for n in range(index.nlevels)]
        names = cells_text(index.names, longest)
        if not any(each.cut or each.changed for each in (*levels, names)):
            return index, [*levels, names]
        pd: Any = sys.modules["pandas"]
        texts = [level.cells for level in levels]
        if index.nlevels == 1:
            return pd.Index(texts[0], name=names.cells[0], dtype=object, tupleize_cols=False), [*levels, names]
        return pd.MultiIndex.from_arrays(texts, names=names.cells), [*levels, names]

    def drawn(self, part: _Part) -> str:
        """Return a part of it as text, with marks where rows and columns are left out."""
        options: Any = {"max_colwidth": None, "show_dimensions": False}
        return str(part.frame.to_string(max_rows=part.rows, max_cols=part.columns, **options))

    def summary(self) -> str:
        """Return what `describe` says of all rows."""
        return str(self.frame.describe().to_string(max_colwidth=INLINE))


class _PolarsTable(_Table):
    """A table of Polars."""

    widest = 60_000  # it counts them in 16 bits

    def _missing(self) -> list[int]:
        return list(self.frame.null_count().row(0))

    def part(self, rows: int, columns: int, longest: int) -> _Part:
        pl: Any = sys.modules["polars"]
        at, middle = _outer(self.rows, rows)
        beside, unseen = _outer(self.columns, columns)
        names = [self.names[n] for n in beside]
        shown, texts = self.frame[at], []
        heads = cells_text(names, longest, unseen)
        wide, found = 0, [heads]
        for n, name in enumerate(names):
            column = shown[name]
            if n == unseen or column.dtype.is_numeric() or column.dtype.is_temporal() or column.dtype == pl.Boolean:
                texts.append(column)
                wide += max(_NUMBER, len(str(heads.cells[n])))
                continue
            cells = cells_text(column.to_list(), longest, middle)
            wide += max(cells.longest, len(str(heads.cells[n])))
            found.append(cells)
            as_text = [None if cell is None else str(cell) for cell in cells.cells]
            texts.append(pl.Series(name, as_text, dtype=pl.String))
        frame = pl.DataFrame([text.alias(name) for name, text in zip(_apart(heads.cells), texts, strict=True)])
        return _part(frame, rows, columns, wide, found)

    def drawn(self, part: _Part) -> str:
        return self._plain(part.frame, part.rows, part.columns, part.longest)

    def summary(self) -> str:
        summary = self.frame.describe()
        return self._plain(summary, summary.height, summary.width, INLINE)

    @staticmethod
    def _plain(frame: Frame, rows: int, columns: int, longest: int) -> str:
        """Write columns without lines between them, and without their types."""
        config = sys.modules["polars"].Config(
            tbl_rows=rows,
            tbl_cols=columns,
            tbl_width_chars=_PolarsTable.widest,
            fmt_str_lengths=max(longest, INLINE) + 10,  # which holds for numbers, too
            tbl_formatting="NOTHING",
            tbl_hide_dataframe_shape=True,
            tbl_hide_column_data_types=True,
        )
        with config:
            return "\n".join(map(str.rstrip, str(frame).splitlines()))


def _part(frame: Frame, rows: int, columns: int, wide: int, found: Sequence[CellTexts]) -> _Part:
    longest, cut = max((each.longest for each in found), default=0), sum(each.cut for each in found)
    return _Part(frame, rows, columns, wide, longest, cut, any(each.more for each in found))


def _apart(names: Iterable[object]) -> list[str]:
    """Return the names; such as are equal since they were shortened have a number before them."""
    found: dict[str, None] = {}
    for n, name in enumerate(map(str, names)):
        found[name if name not in found else f"({n}) {name}"] = None
    return [*found]


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep from the user what pandas warns of while a table is looked at: sparse columns, columns without a mean."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@_without_warnings()
def frame_text(frame: Frame, chars: int) -> Shown:
    """Return a DataFrame: its size, each column's type and what it lacks, rows; of a long one a summary as well."""
    table = _PolarsTable(frame) if "polars" in roots(frame) else _Table(frame)
    head = f"{type(frame).__name__}, {count_of(table.rows, 'row')} × {count_of(table.columns, 'column')}"
    room = chars - len(head)
    listed = _columns(table, room // 2)
    body = _rows(table, room - len(listed.text))
    return _with_summary([Shown(head), listed], body, table, chars)


@_without_warnings()
def series_text(series: Series, chars: int) -> Shown:
    """Return a Series, or what else of pandas is one column: its size and type, elements; of a long one a summary."""
    if "polars" in roots(series):
        frame = series.to_frame()
    elif getattr(series, "nlevels", 1) > 1 and not is_a(series, *SERIES):  # a MultiIndex
        frame = series.set_names([n if name is None else name for n, name in enumerate(series.names)]).to_frame(
            index=False
        )
    else:
        name = getattr(series, "name", None)
        frame = sys.modules["pandas"].Series(series, copy=False).to_frame("" if name is None else name)
    table = (_PolarsTable if "polars" in roots(series) else _Table)(frame, series=True)
    lacks = f", {sum(table.missing):,} missing" if any(table.missing) else ""
    called = getattr(series, "name", None)
    called = "" if called is None else f" {inline(called).text}"
    size, dtype = count_of(table.rows, "element"), clipped_line(str(series.dtype), INLINE)
    head = f"{type(series).__name__}{called}, {size}, {dtype}{lacks}"
    return _with_summary([Shown(head)], _rows(table, chars - len(head)), table, chars)


def _columns(table: _Table, chars: int) -> Shown:
    """Name, type, and how many are missing, of as many columns as fit."""
    lines: list[str] = []
    length = 0
    for n, (name, dtype, lacks) in enumerate(zip(table.names, table.dtypes, table.missing, strict=True)):
        line = f"- {clipped_line(str(name), INLINE)}: {clipped_line(str(dtype), INLINE)}" + (
            f", {lacks:,} missing" if lacks else ""
        )
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
    side_by_side = _side_by_side(table, chars)
    if rows * columns * _ELEMENT <= chars:
        limits = [chars, *([_cell_chars(table, rows, columns, chars)] if columns > side_by_side else [])]
        for part in (table.part(rows, columns, longest) for longest in limits):
            whole = rows * part.wide <= chars and part.wide <= table.widest
            if whole and len(text := table.drawn(part)) <= chars:
                return _Body(text, _cells_cut(part), part.more)
    body = _Body("")
    for most in _row_counts(rows, side_by_side, chars):
        body = _body(table, most, side_by_side, chars)
        if len(body.text) <= chars:
            break
    return body


def _body(table: _Table, rows: int, columns: int, chars: int) -> _Body:
    """Return the outer rows and columns of a table, and what is left out between them."""
    part = table.part(rows, columns, _cell_chars(table, rows, columns, chars))
    above, beside = table.rows - rows, table.columns - columns
    what = "element" if table.series else "row"
    cuts = [f"{count_of(n, noun)} in the middle" for n, noun in ((above, what), (beside, "column")) if n]
    text = "\n… ".join([table.drawn(part), *(f"{cut} left out" for cut in cuts)])
    return _Body(text, all_of(*cuts, _cells_cut(part)), more=bool(cuts) or part.more, rows=above)


def _row_counts(rows: int, columns: int, chars: int) -> Sequence[int]:
    """Return how many rows are tried: all, then even numbers of them, for half stand above the middle."""
    first = [rows] if rows * columns * _ELEMENT <= chars else []
    most = min(rows - 1, limit(_ROWS, chars), max(2, chars // (columns * _ELEMENT)))
    return [*first, *dict.fromkeys(max(2, n // 2 * 2) for n in fewer(most, 2) if rows > 2)] or [rows]  # noqa: PLR2004


def _side_by_side(table: _Table, chars: int) -> int:
    """Return how many columns there is room for; an even number, unless it is all."""
    room = min(chars // _COLUMN_CHARS, table.widest // INLINE)
    most = max(_FEWEST_COLUMNS, min(limit(_COLUMNS, chars), room)) // 2 * 2
    return min(int(table.columns), most)


def _cell_chars(table: _Table, rows: int, columns: int, chars: int) -> int:
    """Return the characters of a cell, of so many rows and the line of names."""
    return min(each_of((rows + 1) * columns, chars), max(INLINE, table.widest // columns))


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
    more = any(s.cut and s.more for s in (body, *sections))
    shown = Shown(text, all_of(body.cut, *(s.cut for s in sections)), more)
    cells = table.rows * table.columns
    if body.rows <= _SUMMARY_ROWS or cells > _MOST_SORTED or table.columns > _side_by_side(table, chars):
        return shown
    try:
        summary = table.summary()
    except Exception:  # noqa: BLE001  # of columns that cannot be compared, or that are called as its own are
        return shown
    of = count_of(table.rows, "element" if table.series else "row")
    whole = f"{text}\n\nSummary of all {of}:\n\n{summary}"
    return Shown(whole, shown.cut, more) if len(whole) <= chars else shown
