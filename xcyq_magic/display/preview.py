"""A request that is not sent, shown whole: what ``--dry-run`` prints."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.messages import DataUrl, Text
from xcyq_magic.display.bundle import caption_of, figure
from xcyq_magic.display.caption import counted, joined
from xcyq_magic.display.markup import escape, without_controls
from xcyq_magic.display.style import body, quiet, styled, unfolding
from xcyq_magic.gateway.tokens import estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcyq_magic.chat.messages import Message, Part
    from xcyq_magic.display.bundle import Bundle
    from xcyq_magic.session.turn import Preview

_ENVELOPE = {"model", "messages"}  # shown apart from the parameters


def request_bundle(preview: Preview) -> Bundle:
    """Return the request for people: each message with its media, the parameters, and the JSON with media shortened."""
    messages = preview.request.messages
    lines = [_summary(preview), *preview.notices]
    parameters = ", ".join(f"{k} = {json.dumps(v)}" for k, v in preview.body.items() if k not in _ENVELOPE)
    rows = "".join(_row(m, preview.request.model) for m in messages)
    sent_with = f"Parameters: {parameters or 'none'}"
    record = json.dumps(preview.body, indent=2, ensure_ascii=False, default=_shortened)
    html = "".join(
        [
            *(quiet(line) for line in lines),
            body(f'<table class="xcyq-request"><tbody>{rows}</tbody></table>'),
            quiet(sent_with),
            unfolding("JSON", f"<pre><code>{escape(record)}</code></pre>"),
        ]
    )
    plain = "\n\n".join([*(f"[{line}]" for line in lines), *map(_plain, messages), sent_with])
    return {"text/html": styled(html), "text/plain": without_controls(plain)}


def _summary(preview: Preview) -> str:
    messages = preview.request.messages
    kinds = Counter(p.kind for m in messages for p in m.media)
    return joined(
        "Dry run: nothing was sent",
        preview.request.model,
        counted(len(messages), "message"),
        counted(kinds["image"], "picture") if kinds["image"] else "",
        counted(kinds["video"], "video") if kinds["video"] else "",
        counted(preview.n_bytes, "byte"),
        _tokens(t for m in messages for p in m.parts if (t := estimated_tokens(p, preview.request.model)) is not None),
        f"to {preview.url}",
    )


def _tokens(counts: Iterable[int]) -> str:
    return f"about {counted(sum(counts), 'token')}"


def _row(message: Message, model: str) -> str:
    return f"<tr><th>{message.role}</th><td>{''.join(_part(p, model) for p in message.parts)}</td></tr>"


def _part(part: Part, model: str) -> str:
    if isinstance(part, Text):
        return f'<div class="xcyq-as-typed" style="white-space:pre-wrap">{escape(part.text)}</div>'
    tokens = estimated_tokens(part, model)
    note = "" if tokens is None else _tokens([tokens])
    return f'<div class="xcyq-media xcyq-quiet">{figure(part, note)}</div>'


def _plain(message: Message) -> str:
    parts = [p.text if isinstance(p, Text) else f"[{caption_of(p)}]" for p in message.parts]
    return f"{message.role}:\n" + "\n".join(parts)


def _shortened(value: Any) -> str:  # noqa: ANN401  # what the body holds besides JSON
    """Return what stands for a file in the JSON, without its bytes."""
    if isinstance(value, DataUrl):
        return value.shortened
    raise TypeError(type(value))
