"""From what was typed to the message that is sent: the prompt of ``%chat``, ``%%chat`` and their kin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.errors import InputError, OptionError

if TYPE_CHECKING:
    import argparse

    from xcyq_magic.chat.messages import Message
    from xcyq_magic.magics.extension import Extension


def prompt_of(extension: Extension, magic: str, options: argparse.Namespace, text: str, cell: str | None) -> Message:
    """The user's message: what is attached, and the text.

    Parameters
    ----------
    extension
        Whose shell was typed into.
    magic
        The magic's name, for errors.
    options
        The options of a turn.
    text
        What follows them on the magic's line; the prompt of a line magic.
    cell
        The cell below the line; None for a line magic.

    Raises
    ------
    InputError
        There is no prompt, it stands in the wrong place, or something in it cannot be sent.
    """
    del extension  # nothing of the shell is needed for a path
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.media.resolve import attach

    if cell is not None and text:
        msg = f"The prompt goes below the %%{magic} line, not on it ({text!r}); nothing was sent."
        raise OptionError(msg, _hint_for_stray_text(magic, text))
    said = text if cell is None else cell.strip("\n")
    if not said.strip():
        msg = "The prompt is empty, so nothing was sent."
        raise InputError(msg, f"Write it below the %%{magic} line, or after %{magic} on the same line.")
    return Message.of("user", *(attach(a) for a in options.attach), said)


def _hint_for_stray_text(magic: str, text: str) -> str:
    from xcyq_magic.gateway import catalog

    model = catalog.suggest(text.split(maxsplit=1)[0])
    if model:
        return f"To choose a model, type %%{magic} -m {model}."
    return 'Move it to the next line. A value of several words needs quotes: -s "Be brief."'
