"""What replies took, as a table with bars: a row for each model, and their sum."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from xcyq_magic.display.comparison_style import COMPARISON_STYLE
from xcyq_magic.display.metrics import Cell, price, seconds, table_html, table_markdown
from xcyq_magic.display.plain import plain_line
from xcyq_magic.display.style import quiet, styled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcyq_magic.chat.usage import ModelUsage, UsageReport
    from xcyq_magic.display.bundle import Bundle


class _Figure(NamedTuple):
    heading: str
    of: Callable[[ModelUsage], float | None]
    text: Callable[[float], str]


_FIGURES = (
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
    figures = [f for f in _FIGURES if f.heading != "cost" or report.total.cost is not None]
    rows = [[Cell(m.model), *(_cell(f, m, report) for f in figures)] for m in report.models]
    if len(rows) > 1:
        rows.append([Cell("in all"), *(_text(f, report.total) for f in figures)])
    return [report.of, *(f.heading for f in figures)], rows


def _text(figure: _Figure, usage: ModelUsage) -> Cell:
    value = figure.of(usage)
    return Cell("" if value is None else figure.text(value))


def _cell(figure: _Figure, usage: ModelUsage, report: UsageReport) -> Cell:
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
