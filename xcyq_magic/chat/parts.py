"""The parts of a message: text, pictures, videos, and addresses of them."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias
from urllib.parse import urlsplit

from xcyq_magic.chat.given import count, record_of, said, seconds, text
from xcyq_magic.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Mapping

MediaKind: TypeAlias = Literal["image", "video"]
_MEDIA_KINDS = ("image", "video")
_MIME = re.compile(r"[a-z]+/[A-Za-z0-9.+-]+")


@dataclass(frozen=True)
class Text:
    """A content part of text."""

    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        return {"type": "text", "text": self.text}


@dataclass(frozen=True)
class DataUrl:
    """A file's bytes as a data URL; its text is made only where somebody reads it.

    Attributes
    ----------
    mime
        The type of the file.
    base64
        Its bytes in base64: a request's body is joined from these as they are.
    """

    mime: str
    base64: bytes = field(repr=False)

    @property
    def prefix(self) -> str:
        """What stands before the base64."""
        return f"data:{self.mime};base64,"

    @property
    def shortened(self) -> str:
        """A form for people: what it is and how long, without the bytes."""
        return f"{self.prefix}… ({len(self.base64):,} characters)"

    def __str__(self) -> str:
        return self.prefix + self.base64.decode("ascii")


@dataclass(frozen=True)
class _File:
    """A content part that holds a file, encoded as it is sent."""

    data: bytes = field(repr=False)
    mime: str

    @cached_property
    def sha256(self) -> str:
        """The hash of `data`, in hexadecimal digits: how the file is named wherever it is kept."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def data_url(self) -> DataUrl:
        """`data` as a data URL; encoded once, however many turns send it."""
        return DataUrl(self.mime, base64.b64encode(self.data))

    def _named(self, kind: MediaKind) -> dict[str, Any]:
        return {"type": kind, "sha256": self.sha256, "mime": self.mime, "bytes": len(self.data)}


@dataclass(frozen=True)
class Image(_File):
    """A content part with a picture, encoded as it is sent.

    Attributes
    ----------
    data
        The file's bytes.
    mime
        ``image/png``, ``image/jpeg``, ``image/webp`` or ``image/gif``.
    width, height
        In pixels.
    name
        What the user called it, for the output.
    note
        How it was made, where that is not evident: ``scaled from -3.2..7.1 to 0..255``.
    original
        Width and height in pixels before it was scaled; None if it was not.
    """

    kind: ClassVar[MediaKind] = "image"
    width: int
    height: int
    name: str = ""
    note: str = ""
    original: tuple[int, int] | None = None

    @property
    def caption(self) -> str:
        """What is sent, for the output: ``4096×3072 → 1568×1176, 212 kB``, and the note."""
        before = f"{self.original[0]}×{self.original[1]} → " if self.original else ""
        size = f"{self.width}×{self.height}" if self.width else ""
        return _caption(f"{before}{size}", file_size(len(self.data)), self.note)

    @property
    def placeholder(self) -> str:
        """What stands for it in the text of a reply: ``[picture 1: a chart]``."""
        return f"[{self.name}{f': {self.note}' if self.note else ''}]"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form, with the bytes named by their hash."""
        record = {**self._named("image"), "width": self.width, "height": self.height, "name": self.name}
        if self.note:
            record["note"] = self.note
        if self.original:
            record["original"] = list(self.original)
        return record


@dataclass(frozen=True)
class Video(_File):
    """A content part with a video, as it is sent. Gemini models take it.

    Attributes
    ----------
    data
        The file's bytes.
    mime
        As Gemini names it, which is not always as Python does: ``video/mp4``, ``video/mov``, ….
    name
        What the user called it, for the output.
    duration_s
        Its length in seconds; None where the file does not tell it cheaply.
    """

    kind: ClassVar[MediaKind] = "video"
    name: str = ""
    duration_s: float | None = None

    @property
    def caption(self) -> str:
        """What is sent, for the output: ``12.5 s, 3.4 MB``."""
        return _caption("" if self.duration_s is None else f"{self.duration_s:.3g} s", file_size(len(self.data)))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form, with the bytes named by their hash."""
        return {**self._named("video"), "name": self.name, "duration_s": self.duration_s}


@dataclass(frozen=True)
class MediaLink:
    """A content part that names a picture or a video by its address, for the model's maker to fetch.

    Attributes
    ----------
    url
        Begins with http:// or https://. It is never fetched from here.
    kind
        What is there.
    name
        What the user called it, for the output.

    Raises
    ------
    MediaError
        The address is of another kind.
    """

    url: str
    kind: MediaKind = "image"
    name: str = ""

    def __post_init__(self) -> None:
        try:
            host = urlsplit(self.url).hostname
        except ValueError:  # a bracket without its other half
            host = None
        is_web = self.url.lower().startswith(("http://", "https://"))
        if not host or not is_web or not self.url.isprintable() or " " in self.url:
            msg = f"{self.url!r} is not an address that can be passed on; nothing was sent."
            raise MediaError(msg, "An address begins with https:// and names a host. For a file, write only its path.")

    @property
    def caption(self) -> str:
        """What is sent, for the output."""
        return f"passed on by its address, {self.url}"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        return {"type": "link", "url": self.url, "kind": self.kind, "name": self.name}


Media: TypeAlias = Image | Video | MediaLink
Part: TypeAlias = Text | Image | Video | MediaLink


def _caption(*pieces: str) -> str:
    return ", ".join(p for p in pieces if p)


def file_size(count: int) -> str:
    """Return `count` bytes in a unit that suits them."""
    for unit, factor in (("MB", 1e6), ("kB", 1e3)):
        if count >= factor * 0.9995:
            return f"{count / factor:.3g} {unit}"
    return f"{count} byte{'s' * (count != 1)}"


def part_from_dict(record: Any, media: Mapping[str, bytes]) -> Part:  # noqa: ANN401  # any JSON value
    """Undo ``to_dict`` of a part; `media` maps a hash to its bytes. What cannot be is read as not known.

    Raises
    ------
    ValueError
        It is no record of a part.
    KeyError
        `media` lacks the bytes.
    """
    record = record_of(record, "a part of a message")
    kind, name = record.get("type"), text(record.get("name")) or ""
    if kind == "text":
        return Text(said(record, "text"))
    if kind == "link":
        return link(said(record, "url"), "video" if record.get("kind") == "video" else "image", name)
    data, mime = media[said(record, "sha256")], said(record, "mime")
    if kind not in _MEDIA_KINDS or not _MIME.fullmatch(mime) or not mime.startswith(f"{kind}/"):
        msg = "neither text nor a picture nor a video"
        raise ValueError(msg)
    if kind == "video":
        return Video(data, mime, name, seconds(record.get("duration_s")))
    width, height = (count(record.get(edge)) or 0 for edge in ("width", "height"))
    note = text(record.get("note")) or ""
    return Image(data, mime, width, height, name, note, _original(record.get("original")))


def link(url: str, kind: MediaKind, name: str) -> MediaLink:
    """Return the link that a record holds.

    Parameters
    ----------
    url
        Begins with http:// or https://.
    kind
        What is there.
    name
        What the user called it.

    Raises
    ------
    ValueError
        Its address cannot be passed on.
    """
    try:
        return MediaLink(url, kind, name)
    except MediaError as e:
        raise ValueError(e.message) from None


def _original(size: object) -> tuple[int, int] | None:
    """Return the size of a picture before it was scaled down, where a record has it."""
    if not isinstance(size, list | tuple) or len(size) != 2:  # noqa: PLR2004  # width and height
        return None
    width, height = map(count, size)
    return None if width is None or height is None else (width, height)
