"""Numbers that are typed to magics."""

from __future__ import annotations

from xcyq_magic.errors import OptionError


def number(text: str) -> float:
    """The number that `text` is, for an option."""
    return float(text)


def whole_number(text: str) -> int:
    """The whole number that `text` is, for an option."""
    return int(text)


whole_number.__name__ = "whole number"  # argparse names the type in its error: "invalid whole number value: 'x'"


def one_count(line: str, magic: str, default: int | None, what: str = "a number of turns") -> int | None:
    """The one number that a magic such as ``%chat_undo 2`` takes.

    Raises
    ------
    OptionError
        It is no number of at least 1.
    """
    text = line.strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        msg = f"%{magic} takes {what}, at least 1, not {text!r}."
        raise OptionError(msg, f"Try %{magic} 2, or %{magic} alone.")
    return int(text)
