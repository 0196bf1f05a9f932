"""What the magics share: the extension that they belong to."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from IPython.core.magic import MAGIC_NO_VAR_EXPAND_ATTR, Magics

from xcyq_magic.magics.help import help_page

if TYPE_CHECKING:
    from xcyq_magic.magics.extension import Extension
    from xcyq_magic.session import ChatSession


def say(text: str) -> None:
    """Show a line of plain text."""
    from xcyq_magic.display.plain import without_controls

    print(without_controls(text))  # noqa: T201  # this is a magic's output


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

    @property
    def label(self) -> str:
        """A word for captions: where the answers come from, if not from the gateway."""
        return "sandbox" if self.session.access.sandbox else ""
