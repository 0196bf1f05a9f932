"""Pictures, decoded."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import PIL.Image

from xcyq_magic.media.resolve import attach, resolve

if TYPE_CHECKING:
    from xcyq_magic.chat.parts import Image, Part


def pixels(image: Image) -> PIL.Image.Image:
    """The pixels of a content part."""
    decoded = PIL.Image.open(io.BytesIO(image.data))
    decoded.load()
    return decoded


def part_of(value: object) -> Part:
    """The one content part of a value in a prompt."""
    (part,) = resolve(value)
    return part


def attached_part(value: object) -> Part:
    """The one content part of what is attached."""
    (part,) = attach(value)
    return part
