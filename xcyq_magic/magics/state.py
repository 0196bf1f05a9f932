"""Where a conversation stands, at a glance: what ``%chat`` alone shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.conversation import Conversation, Turn
    from xcyq_magic.session.session import ChatSession

_MOST_SHOWN = 100  # characters of a system prompt


def state_of(session: ChatSession) -> list[str]:
    """Conversation, tokens, gateway and key in a line each, and what to type next."""
    conversation, access = session.conversation(), session.access
    count = len(conversation.turns)
    turns = f"{count} turn{'s' * (count != 1)}"
    lines = [f"Conversation: {conversation.name}, {turns}, model {session.model_of(conversation)}"]
    if system := session.system_of(conversation):
        flat = " ".join(system.split())
        lines.append(f"System prompt: {flat if len(flat) <= _MOST_SHOWN else flat[: _MOST_SHOWN - 1] + '…'}")
    if count:
        lines.append(f"Tokens so far: {_tokens(conversation.turns)}")
    lines.append(f"Gateway: {access.shown_url}{' (the sandbox)' if access.sandbox else ''}")
    try:
        return [*lines, f"API key: from {access.key().source}", _next_step(conversation)]
    except InputError as e:
        return [*lines, f"API key: {e.message.removesuffix(', so nothing was sent.').removesuffix('.')}.", e.hint]


def _tokens(turns: Sequence[Turn]) -> str:
    usages = [t.completion.usage for t in turns if t.completion.usage is not None]
    if not usages:
        return "the gateway did not count"
    tokens_in, tokens_out = sum(u.prompt_tokens or 0 for u in usages), sum(u.completion_tokens or 0 for u in usages)
    of = "" if len(usages) == len(turns) else f" (counted for {len(usages)} of them)"
    return f"{tokens_in:,} in, {tokens_out:,} out{of}"


def _next_step(conversation: Conversation) -> str:
    """What is most useful to type now."""
    if not conversation.turns:
        return "Write %%chat on the first line of a cell, and a question below it. %%chat? has examples."
    last = conversation.turns[-1].completion
    if last.partial:
        return "The last reply is not whole: run its cell again, or type %chat go on."
    if last.code:
        return "%chat_code puts the code of the last reply into a cell. %%chat? lists the options."
    return "%chat_history shows the turns, %chat_undo takes the last one back. %%chat? lists the options."
