"""Halves of characters: lone surrogates, which no encoding takes.

A gateway that cuts UTF-16 strings sends the two halves of an emoji apart, as JSON escapes; a reply may
end inside one. A half that stayed alone would fail every later request that repeats it.
"""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")
_HIGH_SURROGATE = re.compile("[\ud800-\udbff]$")


def has_halves(text: str) -> bool:
    """Whether `text` holds a surrogate."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def whole_characters(text: str) -> str:
    """`text` with halves joined, and U+FFFD for those that stayed alone."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if has_halves(text) else text


class Pieces:
    """Text that comes in pieces, kept as pieces of whole characters."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._half = ""

    def add(self, text: str) -> None:
        """Take in more; half a character at its end waits for its other half."""
        if self._half or has_halves(text):
            text = self._half + text
            self._half = half[0] if (half := _HIGH_SURROGATE.search(text)) else ""
            text = whole_characters(text.removesuffix(self._half))
        if text:
            self.pieces.append(text)

    def join(self) -> str:
        """All that came."""
        return "".join(self.pieces) + whole_characters(self._half)
