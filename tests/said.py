"""Turns that were said, in a notebook that is always known."""

from __future__ import annotations

import zlib

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.conversation import CellRun, Conversation, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.store.recognition import Notebook


def notebook_at(path: str) -> Notebook:
    """The notebook at `path`, all of which is done in one cell, which ran."""
    cell = f"cell-{zlib.crc32(path.encode())}"
    return Notebook(path, lambda: cell, {cell: ""})


def turn(prompt: str, asked_at: float = 1.0) -> Turn:
    """A turn of a cell of its own."""
    completion = Completion(f"reply to {prompt}", requested_model="m", model="m")
    return Turn(Message.of("user", prompt), completion, cell=CellRun(f"cell-{prompt}", "1"), asked_at=asked_at)


def say(prompt: str, asked_at: float = 1.0):
    """What puts such a turn into a conversation."""
    new = turn(prompt, asked_at)
    return lambda now: now.with_turn(new)


def prompts(conversation: Conversation) -> list[str]:
    """What was asked in it."""
    return [t.prompt.text for t in conversation.turns]
