"""The settled output: a static bundle of MIME types that needs no kernel, no widget and no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.display.caption import completion_caption, failure_caption
from xcyq_magic.display.markup import REPLY_CLASS, escape, to_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.session import Outcome

TURN_MIME = "application/vnd.xcyq.turn+json"
TURN_VERSION = 1

Bundle: TypeAlias = dict[str, Any]

_QUIET = (
    "color: var(--jp-ui-font-color2, #616161); font-family: var(--jp-ui-font-family, sans-serif); "
    "font-size: var(--jp-ui-font-size1, 13px); line-height: 1.6; padding: 2px 0"
)
_REPLY = "padding: 0; line-height: var(--jp-content-line-height, 1.6)"


def quiet(text: str) -> str:
    """HTML of a small line beside a reply."""
    return f'<div style="{_QUIET}">{escape(text)}</div>'


def body(reply_html: str) -> str:
    """HTML of a reply, as JupyterLab shows Markdown."""
    return f'<div class="{REPLY_CLASS}" style="{_REPLY}">{reply_html}</div>'


def folded(summary: str, text: str) -> str:
    """HTML of text that opens with a click."""
    if not text:
        return ""
    return f'<details style="{_QUIET}"><summary>{escape(summary)}</summary>{body(to_html(text))}</details>'


def turn_bundle(outcome: Outcome, label: str = "") -> Bundle:
    """The settled output of a turn; `label` stands in its caption."""
    turn = outcome.turn
    if turn is None:
        caption = failure_caption(outcome.reply, label)
        return {"text/html": quiet(caption), "text/plain": f"[{caption}]"}
    bundle = completion_bundle(turn.completion, outcome.reply.notices, label)
    return {**bundle, TURN_MIME: {"version": TURN_VERSION, **turn.to_dict()}}


def completion_bundle(completion: Completion, notices: Sequence[str] = (), label: str = "") -> Bundle:
    """A completion, for people: HTML, and its Markdown."""
    caption = completion_caption(completion, label)
    html = "".join(
        [
            quiet(caption),
            *(quiet(n) for n in notices),
            folded("Reasoning", completion.reasoning),
            body(to_html(completion.text)),
        ]
    )
    # Half an answer must not look whole where only text is shown.
    plain = f"{completion.text}\n\n[{caption}]" if completion.partial else completion.text
    return {"text/html": f"<div>{html}</div>", "text/plain": plain}
