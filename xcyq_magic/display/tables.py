"""Tables of plain text cells, for a notebook and for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.display.markup import escape
from xcyq_magic.display.plain import plain_line
from xcyq_magic.display.style import body, quiet, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.display.bundle import Bundle


def table_bundle(header: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> Bundle:
    """A table, with a line of `note` below it."""
    html = body(_html(header, rows)) + (quiet(note) if note else "")
    return {"text/html": styled(html), "text/plain": _plain(header, rows, note)}


def _html(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    lines = "".join("<tr>" + "".join(_cell(c) for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(text: str) -> str:
    # A name or a number stays on one line, a sentence may not.
    return f'<td style="white-space: nowrap">{escape(text)}</td>' if " " not in text else f"<td>{escape(text)}</td>"


def _plain(header: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> str:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in (header, *rows)]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return plain_line("\n".join([*lines, note] if note else lines))
