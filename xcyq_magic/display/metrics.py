"""The figures of a comparison, as text: a row for each model, with what makes the fastest and the longest seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xcyq_magic.display.caption import ending
from xcyq_magic.display.markup import escape
from xcyq_magic.errors import show_directions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.chat.comparison import Column

_COST_DIGITS = 4  # a reply costs a fraction of a cent


@dataclass(frozen=True)
class Cell:
    """One figure.

    Attributes
    ----------
    share
        Of the column's largest, 0 to 1, for a bar; None for none.
    best
        Whether it is the best of its column.
    stands_out
        Whether it is not what one expects.
    """

    text: str
    share: float | None = None
    best: bool = False
    stands_out: bool = False


@dataclass(frozen=True)
class Figure:
    """One column of the table: its heading, what it shows, and whether less of it is better."""

    heading: str
    of: Callable[[Column], float | None]
    text: Callable[[float], str]
    less_is_better: bool | None = None


def seconds(value: float) -> str:
    """Such as ``0.42 s`` or ``12.3 s``."""
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"  # noqa: PLR2004  # hundredths of what is short


def pace(value: float) -> str:
    """Tokens a second."""
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004  # as above


def price(value: float) -> str:
    """In the user's currency."""
    return f"{value:.{_COST_DIGITS}f}" if value >= 10**-_COST_DIGITS or not value else f"{value:.1g}"


_FIGURES = (
    Figure("first token", lambda c: c.completion.first_token_s if c.completion else None, seconds, less_is_better=True),
    Figure("total", lambda c: c.duration_s if c.completion else None, seconds, less_is_better=True),
    Figure("tokens in", lambda c: c.metrics["prompt_tokens"], "{:,.0f}".format),
    Figure("tokens out", lambda c: c.metrics["completion_tokens"], "{:,.0f}".format, less_is_better=None),
    Figure("tokens/s", lambda c: c.tokens_per_s, pace, less_is_better=False),
    Figure("cost", lambda c: c.cost, price, less_is_better=True),
)
_WITHOUT_BARS = {"tokens in"}  # they hardly differ


def metrics_table(columns: Sequence[Column]) -> tuple[list[str], list[list[Cell]]]:
    """The headings, and a row for each column of the comparison; there is a cost where any is known."""
    figures = [f for f in _FIGURES if f.heading != "cost" or any(c.cost is not None for c in columns)]
    rows = list(map(list, zip(*(_cells(f, columns) for f in figures), strict=True)))
    headings = ["model", "answered by", *(f.heading for f in figures), "ended"]
    return headings, [
        [Cell(c.name), _answered_by(c), *cells, _ending(c)] for c, cells in zip(columns, rows, strict=True)
    ]


def _cells(figure: Figure, columns: Sequence[Column]) -> list[Cell]:
    values = [figure.of(c) for c in columns]
    # Of a reply that is not whole, no figure is a record.
    whole = [v for v, c in zip(values, columns, strict=True) if v is not None and not _partial(c)]
    best = None
    if figure.less_is_better is not None and len(set(whole)) > 1:
        best = min(whole) if figure.less_is_better else max(whole)
    most = max((v for v in values if v is not None), default=0.0)
    cells = []
    for value, column in zip(values, columns, strict=True):
        cell = Cell("" if value is None else figure.text(value))
        if value is not None and figure.heading not in _WITHOUT_BARS:
            cell = replace(cell, share=value / most if most else 0.0, best=value == best and not _partial(column))
        cells.append(cell)
    return cells


def _partial(column: Column) -> bool:
    return column.completion is None or column.completion.partial is not None


def _answered_by(column: Column) -> Cell:
    if column.completion is None:
        return Cell("")
    other = column.completion.model != column.model
    return Cell(f"⚠ {column.completion.model}" if other else column.completion.model, stands_out=other)


def _ending(column: Column) -> Cell:
    if column.completion is None:
        return Cell(type(column.error).__name__, stands_out=True)
    said = ending(column.completion)
    return Cell(said or column.completion.finish_reason or "", stands_out=bool(said))


def metrics_html(columns: Sequence[Column]) -> str:
    """The table as HTML. Its bars need no style element: their width is their own."""
    return table_html(*metrics_table(columns))


def table_html(headings: Sequence[str], rows: Sequence[Sequence[Cell]], *, classes: str = "xcyq-metrics") -> str:
    """A table of figures as HTML."""
    head = "".join(f"<th>{escape(h)}</th>" for h in headings)
    lines = "".join("<tr>" + "".join(map(_td, row)) + "</tr>" for row in rows)
    return (
        '<div class="xcyq-scrolls" style="overflow-x: auto">'
        f'<table class="{classes}"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
    )


def _td(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.best:
        text = f"<strong>{text}</strong>"
    elif cell.stands_out:
        text = f'<span class="xcyq-stands-out" style="color: #b45309">{text}</span>'
    if cell.share is None:
        return f"<td>{text}</td>"
    # Without a theme's variables: an output that is not trusted keeps only plain values.
    width = f"width: {max(1, round(100 * cell.share))}%"
    colour = "#3b82f6" if cell.best else "#9ca3af"
    bar = f'<div class="xcyq-bar" style="{width}; height: 4px; background-color: {colour}"></div>'
    return f"<td>{text}{bar}</td>"


def metrics_markdown(columns: Sequence[Column]) -> str:
    """The table as Markdown."""
    return table_markdown(*metrics_table(columns))


def table_markdown(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table of figures as Markdown."""
    texts = [[*headings], *([_escaped(c) for c in row] for row in rows)]
    widths = [max(3, *(len(row[i]) for row in texts)) for i in range(len(headings))]
    lines = ["| " + " | ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)) + " |" for row in texts]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def _escaped(cell: Cell) -> str:
    text = show_directions(cell.text).replace("|", "\\|")
    return f"**{text}**" if cell.best else text
