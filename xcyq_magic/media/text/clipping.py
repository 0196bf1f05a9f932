"""Text within a budget of characters, that says what it left out."""

from __future__ import annotations

_HEAD = 2 / 3  # of what is kept: the beginning tells more than the end
_SHORTEST = 20


def clipped(text: str, chars: int) -> str:
    """The beginning and the end of `text`, and between them how much is left out; whole where it fits."""
    if len(text) <= chars:
        return text
    between = f"\n… {len(text):,} characters left out …\n"
    kept = max(_SHORTEST, chars - len(between))
    head = int(kept * _HEAD)
    tail = kept - head
    return f"{text[:head]}\n… {len(text) - kept:,} characters left out …\n{text[-tail:]}"


def clipped_line(text: str, chars: int) -> str:
    """The same on one line."""
    flat = " ".join(text.split()) if "\n" in text else text
    if len(flat) <= chars:
        return flat
    return f"{flat[:chars]}… ({len(flat) - chars:,} more characters)"
