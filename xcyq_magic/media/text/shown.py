"""Text that may be too long: shortened in the middle or at its end, and what is left out of it, in words."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VALUE_CHARS = 4000  # of a value, unless the user sets another bound
INLINE = 60  # characters of a value among others, at the least
_HEAD = 2 / 3  # of what is kept: the beginning tells more than the end
_SHORTEST = 20
_FENCE = re.compile(r"`{3,}")


@dataclasses.dataclass(frozen=True)
class Shown:
    """A value as text, and what is not in it.

    Attributes
    ----------
    text
        What goes in; where something is left out, it says so in its place.
    cut
        What is left out, in words: ``4,970 rows in the middle``; ``""`` if nothing is.
    more
        Whether a larger bound takes more of it.
    """

    text: str
    cut: str = ""
    more: bool = True

    def clipped(self, chars: int) -> Shown:
        """Return it with its beginning and its end alone where it is longer than `chars`."""
        text = self.text
        if len(text) <= chars:
            return self
        kept = max(_SHORTEST, chars - len(_between(len(text))))
        if kept >= len(text):
            return self
        head, left = int(kept * _HEAD), len(text) - kept
        cut = all_of(self.cut, f"{count_of(left, 'character')} in the middle")
        return Shown(f"{text[:head]}{_between(left)}{text[head + left :]}", cut)


def _between(left: int) -> str:
    return f"\n… {count_of(left, 'character')} left out …\n"


def clipped(text: str, chars: int) -> str:
    """Return the beginning and the end of `text`, and between them how much is left out; whole where it fits."""
    return Shown(text).clipped(chars).text


def clipped_line(text: str, chars: int) -> str:
    """Return the same on one line."""
    flat = " ".join(text.split()) if "\n" in text else text
    if len(flat) <= chars:
        return flat
    return f"{flat[:chars]}… ({len(flat) - chars:,} more characters)"


def fenced(text: str, language: str = "") -> str:
    """Return `text` in a fence that it cannot close."""
    longest = max(map(len, _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def all_of(*cuts: str) -> str:
    """Return what is left out, in words, where some of `cuts` may be empty."""
    return " and ".join(filter(None, cuts))


def count_of(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 row``, ``4,970 rows``, ``2 items of lists``."""
    what, of, rest = noun.partition(" of ")
    return f"{count:,} {what}{'s' * (count != 1)}{of}{rest}"


def counts_of(counts: Mapping[str, int]) -> str:
    """Return counts by their nouns, in words; those of none are left out."""
    return all_of(*(count_of(count, noun) for noun, count in counts.items() if count))


def each_of(count: int, chars: int) -> int:
    """Return the characters of each of so many values, where all of them have half of the budget."""
    return max(INLINE, chars // (2 * max(1, count)))


def limit(usual: int, chars: int, of: int = VALUE_CHARS) -> int:
    """Return how many of something go in at most: as many as is usual for `of` characters, and more for more."""
    return max(usual, usual * chars // of)


def fewer(most: int, least: int) -> Iterator[int]:
    """Yield `most`, then two thirds of it, and so on, down to `least`."""
    while most > least:
        yield most
        most = most * 2 // 3
    yield least
