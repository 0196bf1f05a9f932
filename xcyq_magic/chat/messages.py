"""Messages: who says them, and their content parts in order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from xcyq_magic.chat.given import count, record_of, texts
from xcyq_magic.chat.parts import Image, Media, Part, Text, Video, part_from_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

Role: TypeAlias = Literal["system", "user", "assistant"]


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


def _left_out(part: Media) -> str:
    what = "a video" if part.kind == "video" else "a picture"
    return f"[{what} that was shown here before{f': {part.name}' if part.name else ''}]"
