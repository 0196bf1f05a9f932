"""The settled output of a comparison: the replies side by side, their figures, the verdict, and what differs."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.usage import amount
from xcyq_magic.display.bundle import attachments, picture_lines, pictures
from xcyq_magic.display.caption import (
    advice,
    asked,
    completion_caption,
    ending,
    joined,
    pools_that_differ,
    seconds,
)
from xcyq_magic.display.difference import difference_html, difference_plain
from xcyq_magic.display.markup import escape, to_html, without_controls
from xcyq_magic.display.metrics import metrics_html, metrics_markdown
from xcyq_magic.display.style import (
    COLUMN_EM,
    COMPARISON_STYLE,
    LINE,
    folded,
    inlined,
    marked,
    quiet,
    reply_body,
    styled,
)
from xcyq_magic.display.value_table import compared_html, compared_markdown, folded_value
from xcyq_magic.errors import show_directions
from xcyq_magic.gateway.catalog import same_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xcyq_magic.chat.comparison import Column, Comparison, Verdict
    from xcyq_magic.display.bundle import Bundle

_IN_TURN = "apputils:run-all-enabled"
_TYPE_AND_RUN = ["notebook:insert-cell-below", "notebook:replace-selection", "notebook:run-cell"]
COMPARISON_MIME = "application/vnd.xcyq.comparison+json"


def comparison_bundle(
    comparison: Comparison, label: str = "", *, diff: bool = False, kept: str | None = None
) -> Bundle:
    """Return the settled output of a comparison.

    Parameters
    ----------
    comparison
        What came.
    label
        A word that stands in the caption, such as ``sandbox``.
    diff
        Whether to show what differs.
    kept
        The name of the column whose answer was kept.
    """
    columns = comparison.columns
    notices = shared_notices([(c.name, c.notices) for c in columns])
    next_step = _next_step(comparison, kept)
    differing = _several(comparison) if diff else {}
    parts = [
        COMPARISON_STYLE,
        quiet(_caption(columns, label)),
        *map(quiet, notices),
        attachments(comparison.prompt),
        _columns_html(_heads(columns, kept, comparison.mark), list(map(_reply, columns))),
        compared_html(values) if (values := _values(comparison)) else "",
        metrics_html(columns),
        _verdict_html(comparison.verdict) if comparison.verdict else "",
        marked(difference_html(differing)) if differing else "",
        quiet(next_step) if next_step else "",
    ]
    plain = [
        *(show_directions(f"[{line}]") for line in notices),
        *(f"## {c.name}\n\n{_plain_reply(c)}" for c in columns),
        summary_markdown(comparison, diff=diff, kept=kept),
    ]
    return {
        "text/html": styled("".join(parts)),
        "text/plain": without_controls("\n\n".join(plain)),
        COMPARISON_MIME: comparison.to_dict(),
    }


def summary_markdown(comparison: Comparison, *, diff: bool = False, kept: str | None = None) -> str:
    """Return what is said about the replies, as Markdown: their figures, the verdict, what differs.

    Parameters
    ----------
    comparison, diff, kept
        As those of `comparison_bundle`.
    """
    differing, next_step = _several(comparison) if diff else {}, _next_step(comparison, kept)
    parts = [
        f"## Values\n\n{compared_markdown(values)}" if (values := _values(comparison)) else "",
        metrics_markdown(comparison.columns),
        _verdict_plain(comparison.verdict) if comparison.verdict else "",
        f"## What differs\n\n{difference_plain(differing)}" if differing else "",
        f"[{next_step}]" if next_step else "",
    ]
    return "\n\n".join(p for p in parts if p)


def _values(comparison: Comparison) -> dict[str, Any]:
    """Return the values that were asked for, by name; none where the replies have no type."""
    return {
        c.name: c.completion.data
        for c in comparison.columns
        if c.completion is not None and c.completion.data is not None
    }


def _several(comparison: Comparison) -> dict[str, str]:
    """Return the replies that can differ, by name; none if there is only one."""
    replies = {c.name: c.text for c in comparison.columns if c.text.strip()}
    return replies if len(replies) > 1 else {}


def shared_notices(noticed: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Return each notice once, with the names of those that it is about, unless it is about all."""
    about: dict[str, list[str]] = {}
    for name, notices in noticed:
        for notice in notices:
            about.setdefault(notice, []).append(name)
    return [n if len(names) == len(noticed) else f"{', '.join(names)}: {n}" for n, names in about.items()]


def _columns_html(heads: Sequence[str], bodies: Sequence[str]) -> str:
    """Return columns of HTML side by side, as a table: that is readable wherever its style is lost."""

    def cells(tag: str, below: int, contents: Sequence[str]) -> str:
        style = f"vertical-align:top;text-align:left;line-height:1.6;padding:7px 13px {below}px"
        first, line = f"{style};padding-left:0", f"{style};border-left:{LINE}"
        return "".join(f'<{tag} style="{line if n else first}">{cell}</{tag}>' for n, cell in enumerate(contents))

    width = f"table-layout:fixed;width:100%;min-width:{COLUMN_EM * len(heads)}em"
    return (
        '<div class="xcyq-scrolls" style="overflow-x:auto;margin:0 0 10px">'
        f'<table class="xcyq-columns" style="{width};margin:0;border-collapse:collapse">'
        f"<thead><tr>{cells('th', 2, heads)}</tr></thead><tbody><tr>{cells('td', 7, bodies)}</tr></tbody></table></div>"
    )


def name_html(name: str) -> str:
    """Return the name above a column as HTML."""
    style = "font-size:18px;font-weight:600;line-height:1.4;overflow-wrap:anywhere"
    return f'<div class="xcyq-name" style="{style}">{escape(name)}</div>'


def failed_html(message: str, hint: str) -> str:
    """Return an error in the place of a reply, as HTML."""
    lines = "".join(f"<div>{escape(line)}</div>" for line in (message, hint) if line)
    style = "border-left:3px solid #d32f2f;padding:3px 10px;font-size:13px;line-height:1.6;overflow-wrap:anywhere"
    return f'<div class="xcyq-failed" style="{style}">{lines}</div>'


def _caption(columns: Sequence[Column], label: str) -> str:
    answered = sum(c.completion is not None for c in columns)
    count = f"{len(columns)} columns" if answered == len(columns) else f"{answered} of {len(columns)} answered"
    return joined(count, label, seconds(max(c.duration_s for c in columns)))


def _heads(columns: Sequence[Column], kept: str | None, mark: str) -> list[str]:
    pools = pools_that_differ([c.model for c in columns])
    return [
        _head(column, of, "" if column.completion is None or column.name == kept else _keep_button(number, mark))
        for number, (column, of) in enumerate(zip(columns, pools, strict=True), 1)
    ]


def _head(column: Column, pool: str, button: str) -> str:
    parts = [pool, seconds(column.duration_s) if column.completion is not None else "no reply"]
    if column.completion is not None and not same_model(column.model, column.completion.model):
        parts.append(f"answered by {column.completion.model}")
    if column.completion is not None and column.completion.chain:
        parts.insert(0, asked(column.model, column.completion.instead_of))
    return name_html(column.name) + quiet(joined(*parts), button)


def _keep_button(number: int, mark: str) -> str:
    """Return a button that types ``%chat_keep`` and runs it, by commands of JupyterLab's own and without a script.

    JupyterLab and Notebook 7 run what ``data-commandlinker-command`` names, in an output that they trust. All three
    commands get the same arguments. Elsewhere the button stays hidden, and has no words that could be left over.
    """
    typed = {"commands": _TYPE_AND_RUN, "args": {"text": f"%chat_keep {number} --of {mark}"}}
    command = f'data-commandlinker-command="{_IN_TURN}" data-commandlinker-args="{html.escape(json.dumps(typed))}"'
    return f'<button class="xcyq-keep" style="display:none" {command}></button>'


def _reply(column: Column) -> str:
    completion, error = column.completion, column.error
    parts = []
    if completion is not None:
        next_step, end = advice(completion), ending(completion)
        text = folded_value(completion) or reply_body(inlined(to_html(completion.text)))
        parts = [folded("Reasoning", completion.reasoning), text]
        parts.append(pictures(completion.images))
        parts += [quiet(line) for line in (end, next_step) if line]
    if error is not None:
        parts.append(failed_html(error.message, error.hint))
    return "".join(parts)


def _plain_reply(column: Column) -> str:
    lines = [column.text] if column.text else []
    if column.completion is not None:
        lines += picture_lines(column.completion.images)
        lines += [f"[{line}]" for line in (ending(column.completion), advice(column.completion)) if line]
    if column.error is not None:
        lines.append(f"[{column.error.message} {column.error.hint}]")
    return "\n\n".join(lines)


def _next_step(comparison: Comparison, kept: str | None) -> str:
    best = comparison.verdict.winner if comparison.verdict else None
    names = [c.name for c in comparison.columns if c.completion is not None and c.name != kept]
    names.sort(key=lambda name: name != best)  # stable: the others stay in their order
    if kept:
        other = f" %chat_keep {names[0]} takes another instead." if names else ""
        return f"{kept} is kept: its answer is part of the conversation.{other}"
    return f"%chat_keep {names[0]} takes that answer into the conversation." if names else ""


def _verdict_lines(verdict: Verdict) -> Iterator[str]:
    """Yield the lines about a verdict, besides its reason."""
    if verdict.winner:
        yield f"Best, says {verdict.model}: {verdict.winner}"
    elif verdict.error is not None or verdict.completion is None:
        yield f"{verdict.model} gave no verdict."
    else:
        yield f"{verdict.model} chose no best reply."
    if verdict.order:
        seen = ", ".join(f"{n} was {name}" for n, name in enumerate(verdict.order, 1))
        yield f"It saw the replies without names: {seen}."
    if verdict.completion is not None:
        spent = f", cost {amount(verdict.cost)}" if verdict.cost is not None else ""
        yield completion_caption(verdict.completion) + spent
    if verdict.error is not None:
        yield f"{verdict.error.message} {verdict.error.hint}".strip()


def _verdict_html(verdict: Verdict) -> str:
    first, *rest = _verdict_lines(verdict)
    reason = reply_body(inlined(to_html(verdict.reason))) if verdict.reason else ""
    style = "border-left:3px solid #3b82f6;padding:3px 10px;margin:0 0 10px"
    said = f"<strong>{escape(first)}</strong>{reason}{''.join(map(quiet, rest))}"
    return f'<div class="xcyq-verdict" style="{style}">{said}</div>'


def _verdict_plain(verdict: Verdict) -> str:
    first, *rest = map(show_directions, _verdict_lines(verdict))
    return "\n\n".join(p for p in (f"## {first}", verdict.reason, *(f"[{line}]" for line in rest)) if p)
