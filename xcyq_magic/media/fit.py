"""Pictures become what a model takes: upright, scaled, without metadata, and each encoded once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from xcyq_magic.chat.messages import Image, Message
from xcyq_magic.forks import PerProcess
from xcyq_magic.media.containers import only_pixels
from xcyq_magic.media.images import damaged, encoded, opened, scaled, upright_of
from xcyq_magic.media.looks import looks_the_same
from xcyq_magic.media.modes import eight_bits

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from xcyq_magic.media.limits import ImageLimits

_JPEG_QUALITIES = (90, 80, 65, 45)
_LARGE = 250_000  # pixels from which a JPEG can spare bytes that anybody notices
_SPARED = 3  # times smaller a JPEG must be to stand for a PNG
_MOST = 200  # pictures remembered
_MOST_BYTES = 256 * 1024 * 1024


def fit(image: Image, limits: ImageLimits) -> Image:
    """The picture as `limits` allow it, without metadata (a photograph's place, for one).

    A picture that fits and carries nothing but pixels is returned as it is.

    Raises
    ------
    MediaError
        Its file is damaged.
    """
    shown = image.name or "The picture"
    picture = opened(image.data, shown)
    frames = getattr(picture, "n_frames", 1)
    small = max(picture.size) <= limits.long_edge
    light = limits.max_bytes is None or len(image.data) <= limits.max_bytes
    if small and light and frames == 1 and image.mime in limits.mimes and only_pixels(image.data, image.mime):
        return image
    try:
        upright, how = eight_bits(upright_of(picture))
        original = image.original or upright.size
        if max(upright.size) > limits.long_edge:
            upright = scaled(upright, limits.long_edge)
        data, mime = _encode(upright, limits, as_jpeg=picture.format == "JPEG")
    except (OSError, ValueError, SyntaxError) as e:
        raise damaged(shown, e) from None
    notes = [image.note, f"first of {frames} frames" if frames > 1 else "", how]
    return Image(
        data,
        mime,
        *upright.size,
        name=image.name,
        note=", ".join(n for n in notes if n),
        original=None if original == upright.size else original,
    )


def _encode(picture: PillowImage, limits: ImageLimits, *, as_jpeg: bool) -> tuple[bytes, str]:
    """PNG for graphics; JPEG for what came as JPEG, looks the same and is much smaller, or is too large as PNG."""
    if not as_jpeg and not _is_photograph(picture):
        data = encoded(picture, "PNG")
        if limits.max_bytes is None or len(data) <= limits.max_bytes:
            return data, "image/png"
    for quality in _JPEG_QUALITIES:
        data = encoded(_on_white(picture), "JPEG", quality=quality)
        if limits.max_bytes is None or len(data) <= limits.max_bytes:
            break
    return data, "image/jpeg"


def _is_photograph(picture: PillowImage) -> bool:
    """Whether a JPEG looks the same and is much smaller: true of photographs, false of lines and letters."""
    if picture.mode not in {"L", "RGB"} or picture.width * picture.height < _LARGE:
        return False
    jpeg = encoded(picture, "JPEG", quality=_JPEG_QUALITIES[0])
    if not looks_the_same(picture, opened(jpeg, "")):
        return False
    # The fastest level is enough to compare with, and the default takes seconds for a photograph.
    return len(jpeg) * _SPARED < len(encoded(picture, "PNG", compress_level=1))


def _on_white(picture: PillowImage) -> PillowImage:
    import PIL.Image  # noqa: PLC0415  # see above

    if picture.mode in {"L", "RGB"}:
        return picture
    rgba = picture.convert("RGBA")
    white = PIL.Image.new("RGBA", rgba.size, "white")
    return PIL.Image.alpha_composite(white, rgba).convert("RGB")


class Fitting:
    """Remembers what it fitted: a conversation sends its pictures again with every turn.

    What is remembered is the picture with its base64, so that neither is made again. Of what was not used
    for longest, the memory is freed. Replies in the background use it at the same time, each in its thread.
    """

    def __init__(self, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._fitted: OrderedDict[tuple[str, str, str, ImageLimits], Image] = OrderedDict()
        self._bytes = 0
        # Not held while a picture is fitted, which takes a second for a large one.
        self._lock = PerProcess(threading.Lock)

    def message(self, message: Message, limits: ImageLimits) -> Message:
        """The message with its pictures as `limits` allow them."""
        if not message.images:
            return message
        parts = tuple(self._image(p, limits) if isinstance(p, Image) else p for p in message.parts)
        return replace(message, parts=parts)

    def _image(self, image: Image, limits: ImageLimits) -> Image:
        known = (image.sha256, image.name, image.note, limits)
        with self._lock.get():
            if found := self._fitted.get(known):
                self._fitted.move_to_end(known)
                return found
        fitted = fit(image, limits)
        with self._lock.get():
            if found := self._fitted.get(known):  # another thread was faster
                return found
            self._fitted[known] = fitted
            self._bytes += _weight(fitted)
            while len(self._fitted) > 1 and (len(self._fitted) > self._most or self._bytes > self._most_bytes):
                _, oldest = self._fitted.popitem(last=False)
                self._bytes -= _weight(oldest)
        return fitted


def _weight(image: Image) -> int:
    """Bytes of a picture and of its base64."""
    return len(image.data) * 7 // 3
