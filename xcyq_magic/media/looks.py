"""Whether two pictures look the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# A JPEG of a photograph at quality 90 is off by 2 or 3 levels of 255, noise apart; at an edge of a line or a letter by
# dozens, which is seen as a halo.
_MOST_RMS = 4.0
_SEEN = 24
_MOST_SEEN = 1e-3  # of all values


def looks_the_same(one: PillowImage, other: PillowImage) -> bool:
    """Whether two pictures of the same size and mode differ by less than an eye sees."""
    import PIL.ImageChops  # noqa: PLC0415  # loading the extension must not load Pillow

    counts = PIL.ImageChops.difference(one, other).histogram()
    values = sum(counts)
    squares = sum(count * (level % 256) ** 2 for level, count in enumerate(counts))
    seen = sum(count for level, count in enumerate(counts) if level % 256 > _SEEN)
    return squares <= _MOST_RMS**2 * values and seen <= _MOST_SEEN * values
