"""From what the user named to a content part."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.messages import Image, MediaLink, Text, Video
from xcyq_magic.errors import MediaError
from xcyq_magic.media.arrays import image_of_array
from xcyq_magic.media.displayed import of_display_object, of_representation
from xcyq_magic.media.figures import figure_of, image_of_figure, is_animation, video_of_animation
from xcyq_magic.media.files import media_of_bytes, read_media
from xcyq_magic.media.images import image_of_picture
from xcyq_magic.media.kinds import is_a, is_buffer
from xcyq_magic.media.values import VALUE_CHARS, describe
from xcyq_magic.media.video import mime_of

if TYPE_CHECKING:
    from xcyq_magic.chat.messages import Media, Part

_VIDEO_SUFFIXES = (".mp4", ".mpeg", ".mpg", ".mov", ".avi", ".wmv", ".flv", ".webm", ".3gp")


def attach(value: object, name: str = "", *, value_chars: int = VALUE_CHARS) -> Part:
    """Return the content part of what was attached: by ``-a``, or given to a `Chat` beside the prompt.

    As `resolve`, but a string is the path of a file, or an address that is passed on and not fetched.

    Parameters
    ----------
    value
        What was attached.
    name
        What the user called it.
    value_chars
        Most characters of a value that goes in as text.

    Raises
    ------
    MediaError
        There is no such file, or it or the value cannot be sent.
    """
    if value is None:  # what plt.show() returns, for one
        msg = "None is nothing to attach; nothing was sent."
        raise MediaError(msg, "Attach a figure by its name, or the path of a picture.")
    if not isinstance(value, str):
        return resolve(value, name, value_chars=value_chars)
    if "://" in value:
        video = re.split("[?#]", value)[0].lower().endswith(_VIDEO_SUFFIXES)
        return MediaLink(value, "video" if video else "image", name)
    return read_media(_expanded(value), value)


def resolve(value: object, name: str = "", *, value_chars: int = VALUE_CHARS) -> Part:
    """Return the content part of a value, as ``{{ }}`` puts it into a prompt: media, else its text.

    A string is text: the path or the address in it is not followed. `pathlib.Path` is.

    Parameters
    ----------
    value
        Anything.
    name
        What the user called it, for the output.
    value_chars
        The most characters of what stands for a value that is neither text nor media.

    Raises
    ------
    MediaError
        It is media that cannot be sent, or a value that cannot be shown.
    """
    if isinstance(value, Text):
        return value
    if isinstance(value, Completion):
        return Text(value.text)
    return media_of(value, name) or Text(describe(value, value_chars))


def media_of(value: object, name: str = "") -> Media | None:
    """Return the picture, video or address that a value is; None if it is text.

    In this order: content parts; matplotlib's figures, axes, artists and animations; Pillow's pictures; arrays
    of a picture's shape; `IPython.display.Image` and `Video`; bytes with a known signature; paths; and what
    IPython's display formatters show as PNG, JPEG or SVG.

    Raises
    ------
    MediaError
        It is media that cannot be sent: an empty figure, a missing file, a damaged picture.
    """
    if isinstance(value, Image | Video | MediaLink):
        return value
    if value is None or isinstance(value, str | int | float | complex | type):
        return None
    return _of_object(value, name) or _of_file(value, name) or of_representation(value)


def _of_object(value: object, name: str) -> Media | None:
    figure = figure_of(value)
    if figure is not None:
        return image_of_figure(figure, name)
    if is_animation(value):
        return video_of_animation(value, name)  # type: ignore[arg-type]  # told by its name
    if is_a(value, "PIL.Image.Image"):
        own = getattr(value, "filename", "")
        return image_of_picture(value, name or (Path(own).name if isinstance(own, str) else ""))  # type: ignore[arg-type]  # told by its name
    return image_of_array(value, name)


def _of_file(value: object, name: str) -> Media | None:
    shown = of_display_object(value)
    if shown is not None:
        return shown
    if is_buffer(value):
        head = bytes(value[:1024])
        return media_of_bytes(bytes(value), name, name or "These bytes") if mime_of(head) else None
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        return read_media(_expanded(os.fsdecode(path)), str(value))
    return None


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as e:  # ~somebody, who has no home here
        msg = f"{path} cannot be attached: {e}; nothing was sent."
        raise MediaError(msg, "Write the path without ~.") from None
