"""Numbers that are typed to magics."""

from __future__ import annotations

import re

from xcyq_magic.errors import OptionError

_WHOLE = re.compile(r"-?[0-9]{1,18}")  # int() also takes ١٢, 1_000 and spaces
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def is_whole(text: str) -> bool:
    """Tell whether `text` is a whole number in plain digits, of a size that a count may have."""
    return _WHOLE.fullmatch(text) is not None


def number(text: str) -> float:
    """The number that `text` is, for an option."""
    value = float(text) if _NUMBER.fullmatch(text) else float("inf")
    if abs(value) == float("inf"):  # 1e400, too
        raise ValueError(text)
    return value


def whole_number(text: str) -> int:
    """The whole number that `text` is, for an option."""
    if not is_whole(text):
        raise ValueError(text)
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
    if not is_whole(text) or int(text) < 1:
        msg = f"%{magic} takes {what}, at least 1, not {text!r}."
        raise OptionError(msg, f"Try %{magic} 2, or %{magic} alone.")
    return int(text)
