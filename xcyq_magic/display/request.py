"""A request that is not sent, shown whole: what ``--dry-run`` prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.messages import DataUrl, Text
from xcyq_magic.display.attachments import caption_of, figure
from xcyq_magic.display.markup import escape
from xcyq_magic.display.plain import without_controls
from xcyq_magic.display.style import body, quiet, styled, unfolding

if TYPE_CHECKING:
    from xcyq_magic.chat.messages import Message, Part
    from xcyq_magic.display.bundle import Bundle
    from xcyq_magic.turn import Preview

_ENVELOPE = {"model", "messages"}  # shown apart from the parameters


def request_bundle(preview: Preview) -> Bundle:
    """The request, for people: each message with its media, the parameters, and the JSON with media shortened."""
    lines = [_summary(preview), *preview.notices]
    parameters = ", ".join(f"{k} = {json.dumps(v)}" for k, v in preview.body.items() if k not in _ENVELOPE)
    sent_with = f"Parameters: {parameters or 'none'}"
    record = json.dumps(preview.body, indent=2, ensure_ascii=False, default=_shortened)
    messages = preview.request.messages
    html = "".join(
        [
            *(quiet(line) for line in lines),
            body(f"<table><tbody>{''.join(map(_row, messages))}</tbody></table>"),
            quiet(sent_with),
            unfolding("JSON", f"<pre><code>{escape(record)}</code></pre>"),
        ]
    )
    plain = "\n\n".join([*(f"[{line}]" for line in lines), *map(_plain, messages), sent_with])
    return {"text/html": styled(html), "text/plain": without_controls(plain)}


def _summary(preview: Preview) -> str:
    messages = preview.request.messages
    media = sum(len(m.media) for m in messages)
    parts = [
        "Dry run: nothing was sent",
        preview.request.model,
        _counted(len(messages), "message"),
        _counted(media, "picture or video") if media else "",
        f"{preview.n_bytes:,} bytes",
        f"to {preview.url}",
    ]
    return " · ".join(p for p in parts if p)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} " + what.replace(" or ", "s or ") + "s"


def _row(message: Message) -> str:
    return f"<tr><th>{message.role}</th><td>{''.join(map(_part, message.parts))}</td></tr>"


def _part(part: Part) -> str:
    if isinstance(part, Text):
        return f'<div class="xcyq-as-typed">{escape(part.text)}</div>'
    return f'<div class="xcyq-media xcyq-quiet">{figure(part)}</div>'


def _plain(message: Message) -> str:
    parts = [p.text if isinstance(p, Text) else f"[{caption_of(p)}]" for p in message.parts]
    return f"{message.role}:\n" + "\n".join(parts)


def _shortened(value: Any) -> str:  # noqa: ANN401  # what the body holds besides JSON
    """A file's place in the JSON, without its bytes."""
    if isinstance(value, DataUrl):
        return value.shortened
    raise TypeError(type(value))
