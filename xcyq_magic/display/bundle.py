"""The settled output: a static bundle of MIME types that needs no kernel, no widget and no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.chat.settled import TURN_MIME, turn_record
from xcyq_magic.display.attachments import attachments
from xcyq_magic.display.caption import advice, completion_caption, failure_caption
from xcyq_magic.display.markup import to_html
from xcyq_magic.display.plain import without_controls
from xcyq_magic.display.style import folded, quiet, reply_body, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.turn import Outcome

Bundle: TypeAlias = dict[str, Any]


def turn_bundle(outcome: Outcome, label: str = "") -> Bundle:
    """The settled output of a turn; `label` stands in its caption."""
    turn = outcome.turn
    if turn is None:
        caption = failure_caption(outcome.reply, label)
        lines = [caption, *outcome.reply.notices]
        html = "".join(quiet(line) for line in lines)
        return {"text/html": styled(html), "text/plain": without_controls("\n".join(f"[{line}]" for line in lines))}
    bundle = completion_bundle(turn.completion, outcome.reply.notices, label, attachments(outcome.reply.prompt))
    name = outcome.conversation.name if any(t.id == turn.id for t in outcome.conversation.turns) else None
    replaced = outcome.instead_of
    record = turn_record(turn, name, bundle["text/plain"], elsewhere=replaced is not None, instead_of=replaced)
    return {**bundle, TURN_MIME: record}


def completion_bundle(
    completion: Completion, notices: Sequence[str] = (), label: str = "", attached: str = ""
) -> Bundle:
    """A completion, for people: HTML, and its Markdown; `attached` is the HTML of what went along with the prompt."""
    caption, next_step = completion_caption(completion, label), advice(completion)
    html = "".join(
        [
            quiet(caption),
            *(quiet(n) for n in notices),
            attached,
            folded("Reasoning", completion.reasoning),
            reply_body(to_html(completion.text)),
            quiet(next_step) if next_step else "",
        ]
    )
    # Half an answer must not look whole where only text is shown.
    whole = completion.partial is None and next_step is None
    plain = completion.text if whole else f"{completion.text}\n\n[{caption}]".lstrip()
    return {"text/html": styled(html), "text/plain": without_controls(plain)}
