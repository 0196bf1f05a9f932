"""Digits in a picture, drawn without a font: large enough for every model, and read back by the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.media.images import image_of_picture

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from xcyq_magic.chat.parts import Image

# Five by seven squares each, as on a board of lamps; a row of a digit is a number whose bits are its squares.
_SHAPES = {
    "0": (14, 17, 17, 17, 17, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
}
_WIDTH, _HEIGHT = 5, 7  # squares of a digit
_STEP = _WIDTH + 1  # squares from one digit to the next
_MARGIN = 2  # squares
_SQUARE = 16  # pixels
_COUNT = 3
_SIZE = ((_COUNT * _STEP - 1 + 2 * _MARGIN) * _SQUARE, (_HEIGHT + 2 * _MARGIN) * _SQUARE)
_DARK = 128


def drawn(digits: str) -> Image:
    """Return a picture of 336 by 176 pixels with three digits, black on white."""
    import PIL.Image  # noqa: PLC0415  # only for who asks for it

    picture = PIL.Image.new("L", _SIZE, 255)
    for place, digit in enumerate(digits):
        for y, row in enumerate(_SHAPES[digit]):
            for x in range(_WIDTH):
                if row >> (_WIDTH - 1 - x) & 1:
                    left, top = (_MARGIN + place * _STEP + x) * _SQUARE, (_MARGIN + y) * _SQUARE
                    picture.paste(0, (left, top, left + _SQUARE, top + _SQUARE))
    return image_of_picture(picture, "digits")


def read(picture: PillowImage) -> str:
    """Return the digits that `drawn` drew in a picture; ``""`` for any other picture."""
    if picture.size != _SIZE:
        return ""
    grey = picture.convert("L")
    shapes: dict[tuple[int, ...], str] = {shape: digit for digit, shape in _SHAPES.items()}
    found = (shapes.get(_shape(grey, place), "") for place in range(_COUNT))
    digits = "".join(found)
    return digits if len(digits) == _COUNT else ""


def _shape(grey: PillowImage, place: int) -> tuple[int, ...]:
    """Return which squares are dark at the place of a digit, as `_SHAPES` has them."""

    def bit(x: int, y: int) -> int:
        middle = (
            (_MARGIN + place * _STEP + x) * _SQUARE + _SQUARE // 2,
            (_MARGIN + y) * _SQUARE + _SQUARE // 2,
        )
        value = grey.getpixel(middle)
        return int(isinstance(value, int) and value < _DARK) << (_WIDTH - 1 - x)

    return tuple(sum(bit(x, y) for x in range(_WIDTH)) for y in range(_HEIGHT))
