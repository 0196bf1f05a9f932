"""What the magics share: the extension that they belong to."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any

from IPython.core.magic import MAGIC_NO_VAR_EXPAND_ATTR, Magics

from xcyq_magic.errors import InputError
from xcyq_magic.magics.help import help_page

if TYPE_CHECKING:
    from xcyq_magic.chat.conversation import Conversation
    from xcyq_magic.magics.extension import Extension
    from xcyq_magic.session.session import ChatSession


def say(text: str) -> None:
    """Show a line of plain text."""
    from xcyq_magic.display.plain import plain_line

    print(plain_line(text))  # noqa: T201  # this is a magic's output


class ExtensionMagics(Magics):
    """Magics that belong to a loaded extension. What is behind ``?`` for each is `help_page`."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for magic in vars(cls).values():
            if inspect.isfunction(magic) and hasattr(magic, MAGIC_NO_VAR_EXPAND_ATTR):
                parser = getattr(magic, "parser", None)
                magic.__doc__ = help_page(parser.description if parser else magic.__doc__ or "", parser)

    def __init__(self, extension: Extension) -> None:
        super().__init__(extension.shell)
        self.extension = extension

    @property
    def session(self) -> ChatSession:
        """The shell's session."""
        return self.extension.session

    @property
    def in_terminal(self) -> bool:
        """Whether output goes to a terminal instead of a notebook."""
        return getattr(self.shell, "kernel", None) is None

    def show(self, bundle: dict[str, Any]) -> None:
        """Show a static bundle of MIME types."""
        if self.in_terminal:
            print(bundle["text/plain"])  # noqa: T201  # this is its output
        else:
            from IPython.display import display

            display(bundle, raw=True)

    def say(self, text: str) -> None:
        """Show a line of plain text."""
        say(text)

    def conversation_at_rest(self) -> Conversation:
        """The current conversation, which no reply in the background is about to change.

        Raises
        ------
        InputError
            There is one.
        """
        conversation = self.session.conversation()
        if self.session.conversations.reply_lock(conversation.name).locked():
            msg = f"{conversation.name} is in the middle of a reply in the background; nothing was changed."
            raise InputError(msg, "Run this cell again once the reply has ended, or stop it with its button.")
        return conversation

    @property
    def label(self) -> str:
        """A word for captions: where the answers come from, if not from the gateway."""
        return "sandbox" if self.session.access.sandbox else ""


def count(number: int, what: str) -> str:
    """Such as ``1 turn``, ``2 turns``."""
    return f"{number} {what}{'s' * (number != 1)}"


def day_and_time(at: float) -> str:
    """The time `at`, in Unix seconds, with its day if that is not today."""
    then = time.localtime(at)
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)
