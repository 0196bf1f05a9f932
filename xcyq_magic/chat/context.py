"""What of a conversation goes along with its next prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.conversation import Turn
    from xcyq_magic.chat.messages import Message


@dataclass(frozen=True)
class Context:
    """Past messages as they are sent again.

    Attributes
    ----------
    messages
        In order; prompts and replies.
    notices
        Lines for the user on what was left out.
    """

    messages: tuple[Message, ...] = ()
    notices: tuple[str, ...] = ()


def context(turns: Sequence[Turn], keep_media: int | None = None, history_turns: int | None = None) -> Context:
    """The messages of the last `history_turns` of `turns`, with the media of the last `keep_media`; None is all.

    A picture that is not sent again leaves a line of text in its place, so that the conversation can still be
    followed.
    """
    notices = []
    if history_turns is not None and len(turns) > history_turns:
        out = len(turns) - history_turns
        turns = turns[out:]
        them = "1 earlier turn is" if out == 1 else f"{out} earlier turns are"
        notices.append(f"{them} not sent (ChatSettings.history_turns = {history_turns}).")
    first = 0 if keep_media is None else max(0, len(turns) - keep_media)
    noted = sum(len(t.prompt.media) for t in turns[:first])
    messages = tuple(m.without_media() if n < first else m for n, t in enumerate(turns) for m in t.messages)
    if noted:
        them = "1 earlier picture or video is" if noted == 1 else f"{noted} earlier pictures or videos are"
        notices.append(f"{them} sent as a line of text (ChatSettings.keep_media = {keep_media}).")
    return Context(messages, tuple(notices))
