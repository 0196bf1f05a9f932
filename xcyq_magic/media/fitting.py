"""Fits the pictures of a request, each once for the limits that it is fitted to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xcyq_magic.chat.messages import Image, Message
from xcyq_magic.media.images import fit

if TYPE_CHECKING:
    from xcyq_magic.media.limits import ImageLimits

_MOST = 100  # pictures remembered


class Fitting:
    """Remembers what it fitted: a conversation sends its pictures again with every turn."""

    def __init__(self) -> None:
        self._fitted: dict[tuple[str, ImageLimits], Image] = {}

    def message(self, message: Message, limits: ImageLimits) -> Message:
        """The message with its pictures as `limits` allow them."""
        if not message.images:
            return message
        parts = tuple(self._image(p, limits) if isinstance(p, Image) else p for p in message.parts)
        return replace(message, parts=parts)

    def _image(self, image: Image, limits: ImageLimits) -> Image:
        known = (image.sha256, limits)
        if known not in self._fitted:
            while len(self._fitted) >= _MOST:
                del self._fitted[next(iter(self._fitted))]
            self._fitted[known] = fit(image, limits)
        return self._fitted[known]
