"""Long JSON as shorter JSON: fewer items of each list and object, and shorter strings."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter

from xcyq_magic.media.text.shown import INLINE, Shown, clipped_line, counts_of


def shortened_json(value: object, chars: int) -> Shown:
    """Return a value of JSON as JSON, with fewer items of each list and object where it is too long.

    What is left out is counted where it stood: as the last item of a list, under the name ``…`` of an object.
    """
    most, longest = chars, max(INLINE, chars // 4)
    while True:
        short = _ShortJson(most, longest if most else INLINE)
        text = json.dumps(short.of(value), indent=1, ensure_ascii=False)
        if len(text) <= chars or not most:
            return Shown(text, counts_of(short.cut))
        # The square root, for lists stand in lists.
        most = min(most * 9 // 10, int(min(most, short.widest) * math.sqrt(chars / len(text))))


class _ShortJson:
    """Shortens a value of JSON: so many items of each list and object, so many characters of each string."""

    def __init__(self, most: int, longest: int) -> None:
        self._most = max(1, most)
        self._longest = longest
        self.widest = 0  # items of a list or an object, of those that are kept
        self.cut: Counter[str] = Counter()

    def of(self, value: object) -> object:
        """Return `value`, shortened."""
        if isinstance(value, str):
            self.cut["character of its strings"] += max(0, len(value) - self._longest)
            return clipped_line(value, self._longest) if len(value) > self._longest else value
        if not isinstance(value, list | dict):
            return value
        more = max(0, len(value) - self._most)
        self.widest = max(self.widest, len(value) - more)
        self.cut["item of its lists and objects"] += more
        said = f"{more:,} more of {len(value):,} left out"
        if isinstance(value, list):
            return [*map(self.of, value[: self._most]), *([f"… {said}"] if more else ())]
        kept = {key: self.of(item) for key, item in itertools.islice(value.items(), self._most)}
        return {**kept, "…": said} if more else kept
