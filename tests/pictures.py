"""Pictures, decoded."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import PIL.Image

if TYPE_CHECKING:
    from xcyq_magic.chat.messages import Image


def pixels(image: Image) -> PIL.Image.Image:
    """The pixels of a content part."""
    decoded = PIL.Image.open(io.BytesIO(image.data))
    decoded.load()
    return decoded
