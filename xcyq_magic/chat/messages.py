"""Messages and their content parts."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias
from urllib.parse import urlsplit

from xcyq_magic.chat.given import count, record_of, said, seconds, text, texts
from xcyq_magic.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Mapping

Role: TypeAlias = Literal["system", "user", "assistant"]
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


def _left_out(part: Media) -> str:
    what = "a video" if part.kind == "video" else "a picture"
    return f"[{what} that was shown here before{f': {part.name}' if part.name else ''}]"


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


@dataclass(frozen=True)
class Above:
    """The part of a prompt that shows the cells above it in the notebook.

    Attributes
    ----------
    parts
        How many content parts it has; they are the first of the prompt.
    cells
        How many cells are in them.
    notes
        What to know of them, such as ``2 values hidden``.
    """

    parts: int
    cells: int
    notes: tuple[str, ...] = ()

    @property
    def placeholder(self) -> str:
        """What stands for it where the prompt is repeated: ``[7 cells of the notebook were shown here]``."""
        them = "1 cell of the notebook was" if self.cells == 1 else f"{self.cells} cells of the notebook were"
        return f"[{them} shown here]"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        return {"parts": self.parts, "cells": self.cells, "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, record: Any, parts: int) -> Above | None:  # noqa: ANN401  # any JSON value
        """Undo `to_dict` for a prompt of so many `parts`; None for what is no such record."""
        if not isinstance(record, dict):
            return None
        above = cls(count(record.get("parts")) or 0, count(record.get("cells")) or 0, texts(record.get("notes")))
        return above if 0 < above.parts <= parts else None


@dataclass(frozen=True)
class Message:
    """One message: who says it, and its content parts in order.

    Attributes
    ----------
    role, parts
        Who says it, and what.
    above
        Of a prompt that begins with the cells above it, how much of it they are; None for any other.
    """

    role: Role
    parts: tuple[Part, ...]
    above: Above | None = None

    @classmethod
    def of(cls, role: Role, *parts: Part | str) -> Message:
        """Return a message from parts; a string is a part of text."""
        return cls(role, tuple(Text(p) if isinstance(p, str) else p for p in parts))

    @property
    def text(self) -> str:
        """Its text, without the media."""
        return "\n".join(p.text for p in self.parts if isinstance(p, Text))

    @property
    def own(self) -> tuple[Part, ...]:
        """Its parts without the cells above it."""
        return self.parts[self.above.parts :] if self.above else self.parts

    @property
    def retold(self) -> Message:
        """The message as later requests repeat it: with a line of text in the place of the cells above it."""
        return Message(self.role, (Text(f"{self.above.placeholder}\n"), *self.own)) if self.above else self

    @property
    def overview(self) -> str:
        """Its text, with the names of the media in their places: ``Which point of [fig] is odd?``."""
        shown, parts = "", self.own
        for before, part in zip((None, *parts), parts, strict=False):
            piece = part.text if isinstance(part, Text) else f"[{part.name or part.kind}]"
            # What was attached before the text has no space behind it.
            apart = before is not None and not isinstance(before, Text) and (piece[:1].isalnum() or piece[:1] == "[")
            shown += f" {piece}" if apart else piece
        return shown

    @property
    def media(self) -> tuple[Media, ...]:
        """All that is no text, in order."""
        return tuple(p for p in self.parts if not isinstance(p, Text))

    @property
    def images(self) -> tuple[Image, ...]:
        """Its pictures, in order; not those that are passed on by their address."""
        return tuple(p for p in self.parts if isinstance(p, Image))

    @property
    def videos(self) -> tuple[Video, ...]:
        """Its videos, in order; not those that are passed on by their address."""
        return tuple(p for p in self.parts if isinstance(p, Video))

    def without_media(self) -> Message:
        """Return the message with a line of text in the place of each picture and video."""
        return replace(self, parts=tuple(p if isinstance(p, Text) else Text(_left_out(p)) for p in self.parts))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form, with media named by their hash."""
        above = {"above": self.above.to_dict()} if self.above else {}
        return {"role": self.role, "parts": [p.to_dict() for p in self.parts], **above}

    @classmethod
    def from_dict(cls, record: Any, media: Mapping[str, bytes]) -> Message:  # noqa: ANN401  # any JSON value
        """Undo `to_dict`; `media` maps a hash to its bytes.

        Raises
        ------
        ValueError
            It is no record of a message.
        KeyError
            `media` lacks the bytes of a part.
        """
        record = record_of(record, "a message")
        role, parts = record.get("role"), record.get("parts")
        if role not in ("system", "user", "assistant") or not isinstance(parts, list | tuple):
            msg = "no message of the system, the user or the assistant"
            raise ValueError(msg)
        above = Above.from_dict(record.get("above"), len(parts))
        return cls(role, tuple(part_from_dict(p, media) for p in parts), above)
