"""What the magics share: the extension that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics

if TYPE_CHECKING:
    from xcyq_magic.magics.extension import Extension
    from xcyq_magic.session import ChatSession


def say(text: str) -> None:
    """Show a line of plain text."""
    from xcyq_magic.display.plain import without_controls

    print(without_controls(text))  # noqa: T201  # this is a magic's output


class ExtensionMagics(Magics):
    """Magics that belong to a loaded extension."""

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
