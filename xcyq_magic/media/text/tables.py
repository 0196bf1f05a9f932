"""pandas' tables as text: shape, columns, first and last rows, and statistics where they fit."""

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
_MOST_COUNTED = 20_000_000  # cells: beyond that, counting what is missing takes seconds
_MOST_SORTED = 5_000_000  # cells: beyond that, their quartiles do; and they take as long for each column


def frame_text(frame: Frame, chars: int) -> str:
    """Return a DataFrame: how many rows and columns, each column's type and what it lacks, rows, and `describe`."""
    rows, columns = frame.shape
    head = f"{type(frame).__name__}, {_count(rows, 'row')} × {_count(columns, 'column')}"
    room = chars - len(head)
    listed = _columns(frame, room // 2)
    room -= len(listed)
    body = _rows(frame, room)
    return _with_statistics([head, listed, body], frame, chars)


def series_text(series: Series, chars: int) -> str:
    """Return a Series: how many elements, of which type, what it lacks, elements, and `describe`."""
    missing = int(series.isna().sum()) if len(series) <= _MOST_COUNTED else 0
    lacks = f", {missing:,} missing" if missing else ""
    name = "" if series.name is None else f" {inline(series.name)}"
    head = f"{type(series).__name__}{name}, {_count(len(series), 'element')}, {series.dtype}{lacks}"
    body = _rows(series.to_frame("" if series.name is None else series.name), chars - len(head))
    return _with_statistics([head, body], series, chars)


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


def _rows(frame: Frame, chars: int) -> str:
    """Return all rows where they fit, else the first and the last."""
    rows, columns = frame.shape
    if not rows or not columns:
        return ""
    text, side_by_side = "", _side_by_side(chars)
    for most in (rows, *_ROWS) if rows <= chars else _ROWS:
        if most > rows:
            continue
        text = frame.to_string(max_rows=most, max_cols=side_by_side, max_colwidth=_LONGEST_CELL, show_dimensions=False)
        if most < rows:
            text += f"\n… {_count(rows - most, 'row')} in the middle left out"
        if columns > side_by_side:
            text += f"\n… {_count(columns - side_by_side, 'column')} in the middle left out"
        if len(text) <= chars:
            break
    return text


def _side_by_side(chars: int) -> int:
    return next((n for n in _COLUMNS if n * _COLUMN_CHARS <= chars), _COLUMNS[-1])


def _with_statistics(sections: list[str], table: Frame | Series, chars: int) -> str:
    text = "\n\n".join(s for s in sections if s)
    rows, columns = table.shape[0], len(getattr(table, "columns", [""]))
    if rows <= 1 or table.size > _MOST_SORTED or columns > _side_by_side(chars):
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas warns of columns that have no mean
            statistics = table.describe()
        if not hasattr(statistics, "columns"):  # of a Series
            statistics = statistics.to_frame("")
        statistics = statistics.to_string(max_colwidth=_LONGEST_CELL)
    except (TypeError, ValueError):  # what the columns hold cannot be compared or counted
        return text
    whole = f"{text}\n\n{statistics}"
    return whole if len(whole) <= chars else text
