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


def context(turns: Sequence[Turn], keep_media: int | None = None) -> Context:
    """The messages of `turns`, with the media of the last `keep_media` of them; all media if it is None.

    A picture that is not sent again leaves a line of text in its place, so that the conversation can still be
    followed.
    """
    first = 0 if keep_media is None else max(0, len(turns) - keep_media)
    noted = sum(len(t.prompt.media) for t in turns[:first])
    messages = tuple(m.without_media() if n < first else m for n, t in enumerate(turns) for m in t.messages)
    if not noted:
        return Context(messages)
    them = "1 earlier picture or video is" if noted == 1 else f"{noted} earlier pictures or videos are"
    return Context(messages, (f"{them} sent as a line of text (ChatSettings.keep_media = {keep_media}).",))
