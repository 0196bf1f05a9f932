"""Asks the last prompt of a conversation again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xcyq_magic.errors import InputError
from xcyq_magic.session.turn import TurnOptions, keep

if TYPE_CHECKING:
    from xcyq_magic.session.live import Paint
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.session.turn import Outcome


def retry(
    session: ChatSession, model: str | None = None, *, conversation: str | None = None, paint: Paint | None = None
) -> Outcome:
    """Ask the last prompt again, as it was asked; the new turn takes the place of the old one once it is there.

    Parameters
    ----------
    model
        Another model to ask.
    conversation
        The name of the conversation, the current one unless given.

    Raises
    ------
    InputError
        There is no turn yet, or the request cannot be sent.
    """
    conversations = session.conversations
    place = conversations.open(conversation)
    with conversations.reply_lock(place):
        before = conversations.get(place)
        if not before.turns:
            msg = "There is no turn to ask again yet."
            raise InputError(msg, "Write %%chat on the first line of a cell, and a question below it.")
        old = before.turns[-1]
        asked = (old.completion.requested_model or None) if model is None else model
        options = TurnOptions(asked, old.system or "", old.parameters, cached=False)
        # All others stand above it, whichever their cells are.
        above = replace(before, turns=tuple(replace(t, cell=None) for t in before.turns[:-1]))
        outcome = session.reply(above, old.prompt, options, cell=old.cell, paint=paint)
        kept = keep(conversations, outcome, place, lambda now, turn: now.with_instead(turn, old))
        return replace(kept, instead_of=old)
