"""Tables of plain text cells, for a notebook and for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.display.bundle import Bundle, quiet
from xcyq_magic.display.markup import escape

if TYPE_CHECKING:
    from collections.abc import Sequence


def table_bundle(header: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> Bundle:
    """A table, with a line of `note` below it."""
    return {"text/html": _html(header, rows) + (quiet(note) if note else ""), "text/plain": _plain(header, rows, note)}


def _html(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    left = 'style="text-align: left"'
    head = "".join(f"<th {left}>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td {left}>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _plain(header: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> str:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in (header, *rows)]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join([*lines, note] if note else lines)
