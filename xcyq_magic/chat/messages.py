"""Messages and their content parts."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Role: TypeAlias = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Text:
    """A content part of text."""

    text: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {"type": "text", "text": self.text}


@dataclass(frozen=True)
class Image:
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
    """

    data: bytes = field(repr=False)
    mime: str
    width: int
    height: int
    name: str = ""

    @cached_property
    def sha256(self) -> str:
        """The hash of `data`, in hexadecimal digits: how a picture is named wherever it is kept."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def data_url(self) -> str:
        """`data` as a data URL; encoded once, however many turns send it."""
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode('ascii')}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form, with the bytes named by their hash."""
        return {
            "type": "image",
            "sha256": self.sha256,
            "mime": self.mime,
            "bytes": len(self.data),
            "width": self.width,
            "height": self.height,
            "name": self.name,
        }


Part: TypeAlias = Text | Image


def part_from_dict(record: Mapping[str, Any], media: Mapping[str, bytes]) -> Part:
    """Undo ``to_dict`` of a part; `media` maps a hash to its bytes.

    Raises
    ------
    KeyError
        `media` lacks the bytes.
    """
    if record["type"] == "text":
        return Text(record["text"])
    return Image(
        media[record["sha256"]],
        mime=record["mime"],
        width=record["width"],
        height=record["height"],
        name=record["name"],
    )


@dataclass(frozen=True)
class Message:
    """One message: who says it, and its content parts in order."""

    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, role: Role, *parts: Part | str) -> Message:
        """A message from parts; a string is a part of text."""
        return cls(role, tuple(Text(p) if isinstance(p, str) else p for p in parts))

    @property
    def text(self) -> str:
        """Its text, without the media."""
        return "\n".join(p.text for p in self.parts if isinstance(p, Text))

    @property
    def images(self) -> tuple[Image, ...]:
        """Its pictures, in order."""
        return tuple(p for p in self.parts if isinstance(p, Image))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form, with media named by their hash."""
        return {"role": self.role, "parts": [p.to_dict() for p in self.parts]}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], media: Mapping[str, bytes]) -> Message:
        """Undo `to_dict`; `media` maps a hash to its bytes."""
        return cls(record["role"], tuple(part_from_dict(p, media) for p in record["parts"]))
