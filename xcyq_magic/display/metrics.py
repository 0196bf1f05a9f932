"""The figures of a comparison, as text: a row for each model, with what makes the fastest and the longest seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from xcyq_magic.display.caption import WAY_OUT, ending, tokens_so_far
from xcyq_magic.display.markup import escape, plain_line
from xcyq_magic.display.style import COMPARISON_STYLE, body, pool, quiet, styled
from xcyq_magic.errors import show_directions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xcyq_magic.chat.comparison import Column
    from xcyq_magic.chat.usage import ModelUsage, UsageReport
    from xcyq_magic.display.bundle import Bundle
    from xcyq_magic.session.live import LiveReply


_COST_DIGITS = 4  # a reply costs a fraction of a cent
_WITHOUT_BARS = {"tokens in"}  # they hardly differ
_SEPARATOR = " · "


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


class _Figure(NamedTuple):
    heading: str
    of: Callable[[ModelUsage], float | None]
    text: Callable[[float], str]


_USAGE_FIGURES = (
    _Figure("turns", lambda m: m.turns, "{:,.0f}".format),
    _Figure("tokens in", lambda m: m.prompt_tokens if m.counted else None, "{:,.0f}".format),
    _Figure("tokens out", lambda m: m.completion_tokens if m.counted else None, "{:,.0f}".format),
    _Figure("time", lambda m: m.duration_s, seconds),
    _Figure("first token", lambda m: m.first_token_s, seconds),
    _Figure("cost", lambda m: m.cost, price),
)


def usage_bundle(report: UsageReport) -> Bundle:
    """The table, and a line on what it does not know."""
    headings, rows = usage_table(report)
    table, notes = table_html(headings, rows, classes="xcyq-metrics xcyq-usage"), list(_notes(report))
    html = styled(COMPARISON_STYLE + table + "".join(map(quiet, notes)))
    plain = "\n\n".join([table_markdown(headings, rows), *notes])
    return {"text/html": html, "text/plain": plain_line(plain)}


def usage_table(report: UsageReport) -> tuple[list[str], list[list[Cell]]]:
    """The headings, a row for each model, and one for all if there are several; a cost where any is known."""
    figures = [f for f in _USAGE_FIGURES if f.heading != "cost" or report.total.cost is not None]
    rows = [[Cell(m.model), *(_figure_cell(f, m, report) for f in figures)] for m in report.models]
    if len(rows) > 1:
        rows.append([Cell("in all"), *(_text(f, report.total) for f in figures)])
    return [report.of, *(f.heading for f in figures)], rows


def _text(figure: _Figure, usage: ModelUsage) -> Cell:
    value = figure.of(usage)
    return Cell("" if value is None else figure.text(value))


def _figure_cell(figure: _Figure, usage: ModelUsage, report: UsageReport) -> Cell:
    """One figure of a model, with a bar where there is something to compare it with."""
    cell, value = _text(figure, usage), figure.of(usage)
    most = max((v for m in report.models if (v := figure.of(m)) is not None), default=0.0)
    return cell if value is None or not most or len(report.models) == 1 else replace(cell, share=value / most)


def _notes(report: UsageReport) -> Iterator[str]:
    total = report.total
    if total.counted < total.turns:
        yield f"Tokens are those of {total.counted} of {total.turns} turns: of the others, the gateway gave no count."
    if total.cost is None:
        yield (
            f"What it cost needs prices, of a million tokens in and out, in your currency: "
            f'%config GatewaySettings.prices = {{"{report.models[0].model}": (1.25, 10)}}'
        )
    elif without := [m.model for m in report.models if m.counted and m.cost is None]:
        yield f"The cost is without {', '.join(without)}: GatewaySettings.prices has no price for it."


def overall_line(
    replies: Sequence[LiveReply], judging: Sequence[LiveReply], label: str = "", *, clickable: bool = False
) -> str:
    """How far the whole comparison is."""
    ended = sum(r.ended for r in replies)
    elapsed = max(r.elapsed_s for r in (*replies, *judging))
    parts = [f"{ended} of {len(replies)} ended", label, f"{elapsed:.1f} s"]
    parts += [f"{j.model} judges" for j in judging]
    return _SEPARATOR.join(p for p in (*parts, "" if clickable else WAY_OUT) if p)


def state_lines(reply: LiveReply, *, kept: bool = False) -> list[str]:
    """How far one reply is: its pool and its state, and its figures so far."""
    state = [pool(reply.model), _state(reply), "to be kept" if kept else ""]
    figures = [f"{reply.elapsed_s:.1f} s"] if reply.state != "failed" or reply.first_token_s is not None else []
    if reply.first_token_s is not None:
        count, exact = tokens_so_far(reply)
        streaming_s = reply.elapsed_s - reply.first_token_s
        figures.append(f"first {seconds(reply.first_token_s)}")
        figures.append(f"{'' if exact else '~'}{count:,} tokens")
        figures.append(f"{pace(count / streaming_s)}/s" if streaming_s > 0 else "")
    return [_SEPARATOR.join(part for part in line if part) for line in (state, figures)]


def _state(reply: LiveReply) -> str:
    if reply.retry is not None and not reply.ended:
        return str(reply.retry)
    if reply.state == "streaming" and not reply.builder.text_pieces:
        return "thinking"
    return {"failed": "failed", "done": "done", "stopped": "stopped", "streaming": "streaming"}.get(
        reply.state, "waiting"
    )
