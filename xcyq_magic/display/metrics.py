"""Tables: the figures of a comparison and of usage, with a bar for each, and tables of words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from xcyq_magic.chat.usage import amount
from xcyq_magic.display.caption import ending, pace, seconds, who
from xcyq_magic.display.markup import escape, plain_line
from xcyq_magic.display.style import COMPARISON_STYLE, LINE, body, quiet, styled
from xcyq_magic.errors import show_directions
from xcyq_magic.gateway.catalog import same_model

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from xcyq_magic.chat.comparison import Column
    from xcyq_magic.chat.usage import UsageReport, UsageRow
    from xcyq_magic.display.bundle import Bundle

_Item = TypeVar("_Item")
_LONG_WORD = 40  # characters
_SELDOM = ("cost", "of these cached", "of these reasoning")
_ANSWERED_BY, _ENDED = "answered by", "ended"  # the columns that hold words
_FIGURE = "vertical-align:top;padding:3px {side_px}px;white-space:nowrap;line-height:1.6"
_NOTHING = "Nothing was answered yet, so nothing was spent."


@dataclass(frozen=True)
class Cell:
    """One cell of a table of figures.

    Attributes
    ----------
    share
        Of the column's largest, 0 to 1, for a bar; None for none.
    interval
        Where a bar begins, where its mark is, and where it ends, 0 to 1; nothing for none.
    best
        Whether it is the best of its column.
    stands_out
        Whether it is not what one expects.
    below
        A small line below it.
    """

    text: str
    share: float | None = None
    best: bool = False
    stands_out: bool = False
    interval: Sequence[float] = ()
    below: str = ""


@dataclass(frozen=True)
class Figure(Generic[_Item]):
    """One column of a table of figures.

    Attributes
    ----------
    of, text
        Give the figure of a row, and its text.
    less_is_better
        Whether the smallest is the best, or the largest; None where neither is.
    bar
        Whether a bar shows it.
    """

    heading: str
    of: Callable[[_Item], float | None]
    text: Callable[[float], str]
    less_is_better: bool | None = None
    bar: bool = True

    def cell(self, item: _Item) -> Cell:
        """Return the cell of one row, without a bar."""
        value = self.of(item)
        return Cell("" if value is None else self.text(value))

    def cells(self, items: Sequence[_Item]) -> list[Cell]:
        """Return the cells of all rows, each with its share of the largest."""
        values = [self.of(item) for item in items]
        most = max((v for v in values if v is not None), default=0.0) if self.bar else 0.0
        shares = [v / most if v is not None and most else None for v in values]
        return [replace(self.cell(item), share=share) for item, share in zip(items, shares, strict=True)]


def _known(figures: Iterable[Figure[_Item]], items: Sequence[_Item]) -> list[Figure[_Item]]:
    """Return the figures without those that no item has and few ever have."""
    return [f for f in figures if f.heading not in _SELDOM or any(f.of(item) is not None for item in items)]


# A comparison

_COLUMN_FIGURES: tuple[Figure[Column], ...] = (
    Figure("first token", lambda c: c.metrics["first_token_s"], seconds, less_is_better=True),
    Figure("total", lambda c: c.duration_s if c.completion is not None else None, seconds, less_is_better=True),
    Figure("tokens in", lambda c: c.metrics["prompt_tokens"], "{:,.0f}".format, bar=False),  # they hardly differ
    Figure("tokens out", lambda c: c.metrics["completion_tokens"], "{:,.0f}".format),
    Figure("tokens/s", lambda c: c.tokens_per_s, pace, less_is_better=False),
    Figure("cost", lambda c: c.cost, amount, less_is_better=True),
)


def metrics_html(columns: Sequence[Column]) -> str:
    """Return the figures of a comparison as HTML. Its bars need no style element: their width is their own."""
    return figures_html(*metrics_table(columns))


def metrics_markdown(columns: Sequence[Column]) -> str:
    """Return the figures of a comparison as a table of Markdown."""
    return figures_markdown(*metrics_table(columns))


def metrics_table(columns: Sequence[Column]) -> tuple[list[str], list[list[Cell]]]:
    """Return the headings, and a row for each column of the comparison; a cost and who answered where they tell."""
    figures = _known(_COLUMN_FIGURES, columns)
    headings, cells = [f.heading for f in figures], [with_best(f, columns, _is_whole) for f in figures]
    answered = list(map(_answered_by, columns))
    if any(cell.stands_out for cell in answered):
        headings, cells = [_ANSWERED_BY, *headings], [answered, *cells]
    rows = zip(*cells, strict=True)
    return ["model", *headings, _ENDED], [[Cell(c.name), *row, _ended(c)] for c, row in zip(columns, rows, strict=True)]


def with_best(
    figure: Figure[_Item], items: Sequence[_Item], is_whole: Callable[[_Item], bool] = lambda _: True
) -> list[Cell]:
    """Return the cells of all rows, the best of them marked; none where they read alike.

    Parameters
    ----------
    figure
        What the cells show.
    items
        The rows.
    is_whole
        Whether a row may be the best.
    """
    cells, values = figure.cells(items), [figure.of(item) for item in items]
    whole = list(map(is_whole, items))
    ranked = [v for v, w in zip(values, whole, strict=True) if w and v is not None]
    if figure.less_is_better is None or len({figure.text(v) for v in ranked}) <= 1:  # a sum rounds
        return cells
    best = figure.text(min(ranked) if figure.less_is_better else max(ranked))
    return [replace(c, best=w and c.text == best) for c, w in zip(cells, whole, strict=True)]


def _is_whole(column: Column) -> bool:
    """Return whether a reply is whole: of another, no figure is a record."""
    return column.completion is not None and column.completion.partial is None


def _answered_by(column: Column) -> Cell:
    if column.completion is None:
        return Cell("")
    other = not same_model(column.model, column.completion.model)
    return Cell(f"⚠ {column.completion.model}" if other else column.completion.model, stands_out=other)


def _ended(column: Column) -> Cell:
    if column.completion is None:
        return Cell(type(column.error).__name__, stands_out=True)
    said = ending(column.completion)
    return Cell(said or column.completion.finish_reason or "", stands_out=bool(said))


# Usage

_USAGE_FIGURES: tuple[Figure[UsageRow], ...] = (
    Figure("requests", lambda r: r.requests, "{:,.0f}".format),
    Figure("tokens in", lambda r: r.prompt_tokens if r.counted else None, "{:,.0f}".format),
    Figure("of these cached", lambda r: r.cached_tokens or None, "{:,.0f}".format, bar=False),
    Figure("tokens out", lambda r: r.completion_tokens if r.counted else None, "{:,.0f}".format),
    Figure("of these reasoning", lambda r: r.reasoning_tokens or None, "{:,.0f}".format, bar=False),
    Figure("time", lambda r: r.duration_s, seconds),
    Figure("first token", lambda r: r.first_token_s, seconds),
    Figure("cost", lambda r: r.cost, amount),
)


def usage_bundle(report: UsageReport) -> Bundle:
    """Return the output of a report: a table with a row for each model, and lines on what it does not know."""
    notes = list(_notes(report))
    if not report.rows:
        lines = [_NOTHING, *notes]
        return {"text/html": styled("".join(map(quiet, lines))), "text/plain": plain_line("\n".join(lines))}
    headings, rows = _usage_table(report)
    table = figures_html(headings, rows)
    plain = "\n\n".join([figures_markdown(headings, rows), *notes])
    return {
        "text/html": styled(COMPARISON_STYLE + table + "".join(map(quiet, notes))),
        "text/plain": plain_line(plain),
    }


def _usage_table(report: UsageReport) -> tuple[list[str], list[list[Cell]]]:
    """Return the headings, a row for each, and one for all if there are several."""
    figures, rows = _known(_USAGE_FIGURES, report.rows), report.rows
    headings, names = [report.of, *(f.heading for f in figures)], _names(report)
    if len(rows) == 1:  # there is nothing to compare it with
        return headings, [[Cell(names[0]), *(f.cell(rows[0]) for f in figures)]]
    figure_rows = zip(*(f.cells(rows) for f in figures), strict=True)
    cells = [[Cell(name), *row] for name, row in zip(names, figure_rows, strict=True)]
    return headings, [*cells, [Cell("in all"), *(f.cell(report.total) for f in figures)]]


def _names(report: UsageReport) -> list[str]:
    """Return what the rows are called: a notebook without its folder, unless another one has the same name."""
    if report.by == "model":
        return [who(row.name, row.answered_by) for row in report.rows]
    names = [row.name for row in report.rows]
    if report.by != "notebook":
        return names
    short = Counter(map(_base, names))
    return [_base(name) if short[_base(name)] == 1 else name for name in names]


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _notes(report: UsageReport) -> Iterator[str]:
    total = report.total
    if total.counted < total.requests:
        yield (
            f"Tokens are counted for {total.counted:,} of {total.requests:,} requests: the gateway gave no count for "
            "the others."
        )
    if report.unknown:
        one = report.unknown == 1
        yield (
            f"{report.unknown:,} request{' was on its' if one else 's were on their'} way when "
            f"{'its' if one else 'their'} kernel ended: what {'it' if one else 'they'} took is not known."
        )
    if total.cost is None and report.unpriced:
        yield (
            f"For the cost, set your prices for a million tokens in and out: "
            f'%config GatewaySettings.prices = {{"{report.unpriced[0]}": (IN, OUT)}}'
        )
    elif report.unpriced:
        yield f"The cost leaves out {', '.join(report.unpriced)}: GatewaySettings.prices has no price for it."


# Tables of figures, in both forms


def figures_html(
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    words: Collection[str] = (_ANSWERED_BY, _ENDED),
    side_px: int = 10,
) -> str:
    """Return a table of figures as HTML. All its looks are in its elements: JupyterLab has rules for every table.

    Parameters
    ----------
    headings
        One for each column.
    rows
        The cells, row by row.
    words
        The headings of the columns that hold words, or marks.
    side_px
        Pixels beside the text of a cell.
    """
    sides = ["left" if n == 0 or heading in words else "right" for n, heading in enumerate(headings)]
    styles = [f"{_FIGURE.format(side_px=side_px)};text-align:{side}" for side in sides]
    styles[0] += ";padding-left:0"
    head = "".join(
        f'<th style="{style};font-weight:{400 if n else 600}">{quiet(heading)}</th>'
        for n, (heading, style) in enumerate(zip(headings, styles, strict=True))
    )
    styles = [f"{style};border-top:{LINE}" for style in styles]
    styles[0] += ";font-weight:600"
    lines = (
        f'<tr style="background-color:rgba(0,0,0,0)">{"".join(map(_figure_cell, row, styles))}</tr>' for row in rows
    )
    style = "table-layout:auto;margin:0;border-collapse:collapse"
    table = f'<table class="xcyq-metrics" style="{style}"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody>'
    return f'<div class="xcyq-scrolls" style="overflow-x:auto;margin:0 0 10px">{table}</table></div>'


def _figure_cell(cell: Cell, style: str) -> str:
    text = escape(cell.text)
    if cell.best:
        text = f"<strong>{text}</strong>"
    elif cell.stands_out:
        text = f'<span class="xcyq-stands-out" style="font-weight:600">{text}</span>'
    bar = ""
    if cell.interval:
        low, mark, high = cell.interval
        width, before = max(1, round(100 * (high - low))), min(99, round(100 * low))
        mean = _bar("3px", f"0 0 0 {100 * (mark - low) / (high - low):.0f}%" if high > low else "0", "#3b82f6")
        bar = _bar(f"{width}%", f"1px 0 2px {before}%", "#9ca3af", mean)
    elif cell.share is not None:
        width = max(1, round(100 * cell.share))
        bar = _bar(f"{width}%", "1px 0 2px auto", "#3b82f6" if cell.best else "#9ca3af")
    return f'<td style="{style}">{text}{bar}{quiet(cell.below) if cell.below else ""}</td>'


def _bar(width: str, margin: str, colour: str, within: str = "") -> str:
    style = f"width:{width};height:4px;margin:{margin};border-radius:2px;background-color:{colour}"
    return f'<div class="xcyq-bar" style="{style}">{within}</div>'


def figures_markdown(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table of figures as Markdown."""
    texts = [[*headings], *([_markdown_cell(c) for c in row] for row in rows)]
    widths = [max(3, width) for width in _widths(texts)]
    lines = ["| " + " | ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)) + " |" for row in texts]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def table_markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts of one line as Markdown."""
    return figures_markdown(headings, [[*map(Cell, row)] for row in rows])


def _markdown_cell(cell: Cell) -> str:
    text = show_directions(cell.text).replace("|", "\\|")
    return f"**{text}**" if cell.best else text


# Tables of words


def table_bundle(headings: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> Bundle:
    """Return the output of a table.

    Parameters
    ----------
    headings
        One for each column.
    rows
        The cells' texts, row by row.
    note
        A line to stand below it.
    """
    table = _table(headings, (map(_word_cell, row) for row in rows))
    lines = aligned([headings, *rows])
    return {
        "text/html": styled(body(table) + (quiet(note) if note else "")),
        "text/plain": plain_line("\n".join([*lines, note] if note else lines)),
    }


def aligned(texts: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of texts as lines, in columns; the first row has the headings."""
    widths = _widths(texts)
    lines = ["  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in texts]
    return [lines[0], "  ".join("-" * w for w in widths), *lines[1:]]


def _word_cell(text: str) -> str:
    if " " in text:
        return f"<td>{escape(text)}</td>"
    # A name or a number stays on one line, unless it is longer than a line.
    wraps = "overflow-wrap:anywhere;min-width:16em" if len(text) > _LONG_WORD else "white-space:nowrap"
    return f'<td style="text-align:left;{wraps}">{escape(text)}</td>'


def _table(headings: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table as HTML; its cells are HTML."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    lines = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how many characters each column of a table needs."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]
