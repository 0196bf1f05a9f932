"""A conversation as Markdown: to be read, on GitHub say. It is not loaded again; the other formats are for that."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from xcyq_magic.chat.given import replace_surrogates
from xcyq_magic.chat.parts import MediaLink, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcyq_magic.chat.conversation import Conversation, Turn
    from xcyq_magic.chat.parts import Part


_MARK = "<!-- Written by %chat_save, which replaces this file while it is unchanged: {} -->\n\n"


def dumps(conversation: Conversation, system: str) -> str:
    """Write the conversation as Markdown, with a comment on its first line by which `is_unchanged` knows it.

    Parameters
    ----------
    system
        The system prompt that it goes on with; ``""`` for none.
    """
    lines = [f"## System prompt\n\n{system}\n\n"] if system else []
    for number, turn in enumerate(conversation.turns, 1):
        lines += _turn(turn, number)
    return _marked("".join(lines))


def is_unchanged(text: str) -> bool:
    """Return whether `dumps` wrote a text, and nobody changed it since."""
    return text == _marked(text.partition("\n\n")[2])


def _marked(text: str) -> str:
    """Return a text below the comment that has its SHA-256, whichever line ends git gives it."""
    digest = hashlib.sha256(replace_surrogates(text).replace("\r\n", "\n").encode())
    return _MARK.format(digest.hexdigest()) + text


def _turn(turn: Turn, number: int) -> Iterator[str]:
    completion = turn.completion
    yield f"## {number}. Prompt\n\n"
    for part in turn.prompt.parts:
        yield f"{_part(part)}\n\n"
    yield f"## {number}. {' '.join(completion.model.split()) or 'Reply'}\n\n"
    if completion.reasoning:
        yield f"<details><summary>Reasoning</summary>\n\n{completion.reasoning}\n\n</details>\n\n"
    yield f"{completion.text}\n\n"
    for image in completion.images:
        yield f"{_part(image)}\n\n"


def _part(part: Part) -> str:
    """Write a part of a prompt: text as it is, a picture within the file, a video by its name."""
    if isinstance(part, Text):
        return part.text
    name = re.sub(r"[^\w .-]", " ", part.name or part.kind)
    if isinstance(part, MediaLink):
        url = part.url
    else:
        url = f"data:{part.mime};base64,{base64.b64encode(part.data).decode('ascii')}"
    return f"*{name}*" if part.kind == "video" else f"![{name}](<{url}>)"
