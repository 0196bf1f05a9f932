"""pandas' tables as text: shape, columns and rows; of a long one the first and last rows, and a summary of all."""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias

from xcyq_magic.media.text.nested import inline

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
