"""The array of messages of OpenAI's API, as JSON: what any other tool takes.

https://platform.openai.com/docs/api-reference/chat/create. It holds what was said and what was shown; models,
times and parameters are not in it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import groupby
from typing import Any

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.conversation import Conversation, Turn
from xcyq_magic.chat.messages import Message, Role
from xcyq_magic.chat.parts import Image, Text
from xcyq_magic.errors import ConversationFileError, MediaError
from xcyq_magic.gateway.encoding import decode_message, encode_message
from xcyq_magic.store.formats.turns import ReadConversation, parsed_json

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_WRITTEN = ("system", "user", "assistant")
_NOT_A_MESSAGE = (KeyError, TypeError, ValueError, AttributeError, MediaError)
_HINT = "A conversation in JSON is an array of messages, each with a role and a content."


def dumps(conversation: Conversation, system: str = "") -> str:
    """The messages of a conversation that goes on with the system prompt `system`."""
    messages = [m for turn in conversation.turns for m in _messages(turn)]
    return _text([Message.of("system", system), *messages] if system else messages)


def _messages(turn: Turn) -> tuple[Message, ...]:
    """The messages of a turn, the reply's with its pictures: later requests have a line for each instead."""
    said = turn.completion
    if not said.images:
        return turn.messages
    return turn.prompt, Message.of("assistant", *([said.text] if said.text.strip() else []), *said.images)


def _text(messages: list[Message]) -> str:
    return json.dumps([encode_message(m) for m in messages], ensure_ascii=False, indent=1, default=str) + "\n"


def is_unchanged(text: str) -> bool:
    """Return whether a text is an array of messages as `dumps` writes it, down to the last space."""
    try:
        messages = [decode_message(record) for record in parsed_json(text) if record["role"] in _WRITTEN]
        return _text(messages) == text
    except _NOT_A_MESSAGE:
        return False


def loads(text: str) -> ReadConversation:
    """A conversation from its messages; which model gave the replies is not known, nor when.

    Raises
    ------
    ConversationFileError
        They are no such messages, or some that are no chat between a user and a model.
    """
    try:
        record = parsed_json(text)
    except ValueError:
        msg = "It is not valid JSON."
        raise ConversationFileError(msg, _HINT) from None
    records = record.get("messages") if isinstance(record, dict) else record
    if not isinstance(records, list):
        msg = "it holds no array of messages."
        raise ConversationFileError(msg, _HINT)
    messages = [_message(r, n) for n, r in enumerate(records, 1)]
    system = "\n\n".join(m.text for m in messages if m.role == "system") or None
    return _conversation([m for m in messages if m.role != "system"], system)


def _message(record: Any, number: int) -> Message:  # noqa: ANN401  # any JSON value
    role = _ROLES.get(str(record.get("role"))) if isinstance(record, dict) else None
    if role is None:
        msg = f"Message {number} has a role other than system, user or assistant."
        raise ConversationFileError(msg, _HINT)
    try:
        message = decode_message({**record, "role": role})
        whole = all(isinstance(p.text, str) for p in message.parts if isinstance(p, Text))
    except _NOT_A_MESSAGE:
        whole = False
    if not whole:
        msg = f"Message {number} holds something other than text, pictures and videos."
        raise ConversationFileError(msg, _HINT)
    mine = role == "assistant"
    parts = (_measured(p, number, of_a_reply=mine) if isinstance(p, Image) else p for p in message.parts)
    return Message(role, tuple(parts))


def _measured(image: Image, number: int, *, of_a_reply: bool) -> Image:
    """A picture with its size, which does not travel. A reply's is never sent, and may be what nobody can read."""
    from xcyq_magic.media.images import image_of_bytes  # noqa: PLC0415  # it loads Pillow

    try:
        return image_of_bytes(image.data, "")
    except MediaError:
        if of_a_reply:
            return image
        msg = f"Message {number} holds a picture that cannot be read."
        raise ConversationFileError(msg, _HINT) from None


def _conversation(messages: list[Message], system: str | None) -> ReadConversation:
    turns: list[Turn] = []
    prompt: list[Message] = []
    joined = 0
    for role, group in groupby(messages, key=lambda m: m.role):
        said = list(group)
        joined += len(said) - 1
        if role == "user":
            prompt = said
        elif prompt:
            parts = tuple(p for m in prompt for p in m.parts)
            pictures = [replace(i, name=f"picture {n}") for n, i in enumerate((i for m in said for i in m.images), 1)]
            words = "\n\n".join(m.text for m in said)
            reply = Completion(words, requested_model="", model="", images=tuple(pictures))
            turns.append(Turn(Message("user", parts), reply, system))
            prompt = []
        else:
            msg = "It begins with a reply that has no prompt."
            raise ConversationFileError(msg, _HINT)
    notices = []
    if joined:
        notices.append(f"{joined} of its messages had the role of the one before, and were joined to it.")
    if prompt:
        notices.append(f"Its last prompt has no reply, and was left out: {_first_words(prompt)}")
    return ReadConversation(Conversation(turns=tuple(turns), system=system), tuple(notices))


def _first_words(prompt: list[Message]) -> str:
    words = " ".join(p.text for m in prompt for p in m.parts if isinstance(p, Text))
    return words[:60]
