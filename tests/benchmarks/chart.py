"""The table as a picture: each figure as a part of its bound, on a logarithmic axis."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rows import Row

WIDTH, LEFT, RIGHT, LINE, TOP = 1180, 500, 200, 22, 62
OURS, BROKEN, THEIRS, INK, QUIET = "#1a7f5a", "#c0392b", "#8a8f98", "#1f2328", "#59636e"
FONT = "system-ui,-apple-system,'Segoe UI',sans-serif"


def chart(rows: list[Row]) -> str:
    """An SVG of all rows that have a bound; its ground is white, so that it is readable in the dark."""
    shown = [row for row in rows if row.bound is not None and row.figure > 0]
    places = [_places(row) for row in shown]
    low = math.floor(min((p for pair in places for p in pair if p is not None), default=-1))
    high = math.ceil(max((p for pair in places for p in pair if p is not None), default=1))
    height = TOP + LINE * len(shown) + 16

    def x(power: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (power - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="{FONT}" font-size="12">',
        "<title>xcyq_magic beside its peers, each figure as a part of its bound</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(x(0), 20, "the bound", INK, "middle", bold=True),
        _dot(LEFT - 430, 16, OURS),
        _text(LEFT - 420, 20, "xcyq_magic", INK, "start"),
        _ring(LEFT - 325, 16),
        _text(LEFT - 315, 20, "the peer, or what is compared", INK, "start"),
    ]
    for power in range(low, high + 1):
        stroke = f'stroke="{INK}" stroke-width="1.5"' if power == 0 else 'stroke="#e3e6ea"'
        parts.append(f'<line x1="{x(power):.1f}" x2="{x(power):.1f}" y1="44" y2="{height - 10}" {stroke}/>')
        parts.append(_text(x(power), 38, f"{10.0**power:g} ×", QUIET, "middle"))
    for n, (row, (ours, theirs)) in enumerate(zip(shown, places, strict=True)):
        y = TOP + LINE * n
        parts.append(_text(LEFT - 12, y + 4, row.what.replace("`", ""), INK, "end"))
        if theirs is not None:
            parts.append(f'<line x1="{x(ours):.1f}" x2="{x(theirs):.1f}" y1="{y}" y2="{y}" stroke="#c9ced6"/>')
            parts.append(_ring(x(theirs), y))
            name = row.beside.split(",")[0].replace("_magic_commands", " magics")
            parts.append(_text(WIDTH - RIGHT + 10, y + 4, name, QUIET))
        parts.append(_dot(x(ours), y, OURS if row.held else BROKEN))
    return "\n".join([*parts, "</svg>\n"])


def _places(row: Row) -> tuple[float, float | None]:
    """Where ours and theirs stand, as powers of ten of the bound."""
    bound = row.bound or 1.0
    return math.log10(row.figure / bound), None if row.ratio is None else math.log10(1 / bound)


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start", *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{colour}"/>'


def _ring(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y}" r="4.5" fill="#fff" stroke="{THEIRS}" stroke-width="2"/>'
