"""Files and bytes become pictures and films."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.errors import MediaError
from xcyq_magic.media.images import image_of_bytes
from xcyq_magic.media.signatures import mime_of
from xcyq_magic.media.svg import image_of_svg
from xcyq_magic.media.video import video_of_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from xcyq_magic.chat.messages import Image, Video

_MOST_BYTES = 512 * 1024 * 1024  # more is no picture that anybody sends, and would fill the memory
_HEAD = 1024


def read_media(path: Path, shown: str = "") -> Image | Video:
    """The picture or the film in a file, as it is; what may be sent is made of it later.

    Parameters
    ----------
    path
        A picture that Pillow opens, an SVG, or a film of a kind that Gemini takes.
    shown
        What the user called it, for errors.

    Raises
    ------
    MediaError
        There is no such file, it is neither, or it is too large to read or to open safely.
    """
    shown = shown or path.name
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(_HEAD if size > _MOST_BYTES else -1)
    except (OSError, ValueError) as e:  # a ValueError for a path that no system takes
        why = (getattr(e, "strerror", None) or str(e)).lower()
        msg = f"{shown} cannot be attached: {why}; nothing was sent."
        raise MediaError(msg, f"Paths count from {path.cwd()}.") from None
    if size > _MOST_BYTES:
        msg = f"{shown} has {size / 1e6:,.0f} MB, which is too much to attach; nothing was sent."
        raise MediaError(msg, "Cut or scale it down first.")
    return media_of_bytes(data, path.name, shown)


def media_of_bytes(data: bytes, name: str, shown: str) -> Image | Video:
    """The picture or the film whose file `data` is.

    Raises
    ------
    MediaError
        It is neither, or damaged.
    """
    mime = mime_of(data) or ""
    if mime.startswith("video/"):
        return video_of_bytes(data, name, shown)
    if mime == "image/svg+xml":
        return image_of_svg(data, name, shown)
    return image_of_bytes(data, name, shown)
