"""From what the user named to a content part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xcyq_magic.chat.messages import Image
from xcyq_magic.errors import MediaError
from xcyq_magic.media.images import read_image

if TYPE_CHECKING:
    from xcyq_magic.chat.messages import Part


def resolve(value: object) -> Part:
    """The content part of `value`: a part itself, or the path of a picture.

    Raises
    ------
    MediaError
        It is neither.
    """
    if isinstance(value, Image):
        return value
    if isinstance(value, str | Path):
        try:
            path = Path(value).expanduser()
        except RuntimeError as e:  # ~somebody, who has no home here
            msg = f"{value} cannot be attached: {e}; nothing was sent."
            raise MediaError(msg, "Write the path without ~.") from None
        return read_image(path, str(value))
    msg = f"A {type(value).__name__} cannot be attached; nothing was sent."
    raise MediaError(msg, "Attach the path of a picture: PNG, JPEG, WEBP or GIF.")
