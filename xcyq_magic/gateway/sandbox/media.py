"""The pictures and videos that come with a request, decoded: the sandbox says what it received."""

from __future__ import annotations

import base64
import binascii
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.errors import MediaError
from xcyq_magic.media import digits
from xcyq_magic.media.images import decoding, opened
from xcyq_magic.media.video import TAKEN, duration_s, mime_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKENS_PER_IMAGE = 200
_TOKENS_PER_VIDEO_S = 263
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)


@dataclass(frozen=True)
class Picture:
    """A picture that came with a request, decoded.

    Attributes
    ----------
    digits
        Those that a check drew in it; ``""`` for any other picture.
    """

    form: str
    width: int
    height: int
    n_bytes: int
    mean: tuple[int, int, int]
    digits: str = ""
    tokens: int = _TOKENS_PER_IMAGE


@dataclass(frozen=True)
class Video:
    """A video that came with a request, and the type of the part that it came in."""

    mime: str
    n_bytes: int
    seconds: float | None
    part: str

    @property
    def tokens(self) -> int:
        """About how many prompt tokens it costs; a video that does not tell its length counts as a second."""
        return math.ceil((self.seconds or 1.0) * _TOKENS_PER_VIDEO_S)


@dataclass(frozen=True)
class Address:
    """What a request named by its address. The sandbox fetches nothing."""

    url: str
    part: str
    tokens: int = _TOKENS_PER_IMAGE


Medium: TypeAlias = Picture | Video | Address


def media_of(messages: Iterable[dict[str, Any]]) -> list[Medium]:
    """Return all media of a request, in order.

    Raises
    ------
    ValueError
        One of them is not what it says.
    """
    parts = (p for m in messages if isinstance(m.get("content"), list) for p in m["content"])
    return [medium for part in parts if (medium := medium_of(part))]


def medium_of(part: dict[str, Any]) -> Medium | None:
    """Return the picture, video or address in a content part; None for a part of another kind.

    Raises
    ------
    ValueError
        It is not what it says.
    """
    kind = str(part.get("type"))
    if kind not in {"image_url", "video_url", "file"}:
        return None
    url = str(part["file"]["file_data"] if kind == "file" else part[kind]["url"])
    if url.lower().startswith(("http://", "https://")):
        return Address(url, kind)
    head = _DATA_URL.match(url)
    if head is None:
        msg = f"Invalid {kind}: expected a base64-encoded data URL, or an http(s) address."
        raise ValueError(msg)
    try:
        data = base64.b64decode(url[head.end() :], validate=True)
    except binascii.Error as e:
        msg = f"Invalid base64 data in a part of type '{kind}'."
        raise ValueError(msg) from e
    return _video(data, head[1], kind) if head[1].startswith("video/") else _picture(data)


def holds_video(part: dict[str, Any]) -> bool:
    """Return whether a content part asks for a model that takes video."""
    medium = medium_of(part)
    return isinstance(medium, Video) or (isinstance(medium, Address) and medium.part != "image_url")


def _picture(data: bytes) -> Picture:
    import PIL.Image  # noqa: PLC0415  # only for a request with a picture

    try:
        with decoding("The picture"):
            picture = opened(data, "The picture")
            read = digits.read(picture)
            small = picture.convert("RGB").resize((1, 1), PIL.Image.Resampling.BOX)
    except MediaError as e:
        msg = "Could not process image"
        raise ValueError(msg) from e
    red, green, blue = small.tobytes()
    return Picture(picture.format or "?", *picture.size, len(data), (red, green, blue), read)


def _video(data: bytes, mime: str, kind: str) -> Video:
    if mime not in TAKEN:
        msg = f"Unsupported MIME type: {mime}"
        raise ValueError(msg)
    if mime_of(data) != mime:
        msg = f"Could not process video: its data are not {mime}"
        raise ValueError(msg)
    return Video(mime, len(data), duration_s(data), kind)
