"""Files, read within a bound, and what they hold: pictures and films."""

from __future__ import annotations

import errno
import os
import stat
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
# Without waiting, should a pipe have taken the file's place; as bytes on Windows, where that is not the default.
_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_file(path: Path, most_bytes: int) -> bytes:
    """Read a regular file.

    Nothing else is opened: a pipe waits for its writer, and a device may have no end. No more is read than the file
    says it has; those of ``/proc`` say that they are empty.

    Raises
    ------
    OSError
        It cannot be read, is no regular file, or has more than `most_bytes`.
    ValueError
        No system takes such a path.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    with os.fdopen(os.open(path, _READING), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise OSError(errno.EFBIG, f"it has {size / 1e6:,.0f} MB, which is too much")
        return file.read(size)


def reason(error: OSError | ValueError) -> str:
    """Why a file could not be read or written, to go on a sentence."""
    why = getattr(error, "strerror", None) or str(error)
    return why[:1].lower() + why[1:]


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
        data = read_file(path, _MOST_BYTES)
    except (OSError, ValueError) as e:
        msg = f"{shown} cannot be attached: {reason(e)}; nothing was sent."
        too_large = isinstance(e, OSError) and e.errno == errno.EFBIG
        raise MediaError(
            msg, "Cut or scale it down first." if too_large else f"Paths count from {path.cwd()}."
        ) from None
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
