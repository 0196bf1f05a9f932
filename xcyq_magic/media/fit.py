"""Pictures become what a model takes: upright, scaled, without metadata, and each encoded once."""

from __future__ import annotations

import base64
import io
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from xcyq_magic.chat.parts import Image
from xcyq_magic.media.images import decoding, eight_bits, encoded, opened, scaled, upright_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image as PillowImage

    from xcyq_magic.chat.messages import Message
    from xcyq_magic.media.images import ImageLimits


EDGE = 192  # pixels: twice what is shown, for screens of high density
REPLY_EDGE = 1024  # the same, of a picture that came with a reply
_QUALITY = 60  # of WebP: a chart of this size is 2 to 5 kB
# A JPEG of a photograph at quality 90 is off by 2 or 3 levels of 255, noise apart; at an edge of a line or a letter by
# dozens, which is seen as a halo.
_MOST_RMS = 4.0
_SEEN = 24
_MOST_SEEN = 1e-3  # of all values
# https://www.w3.org/TR/png-3/#11Chunks: pixels, and how to show them.
_PNG = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"bKGD", b"sBIT", b"hIST"}
# matplotlib names itself in each figure. Encoding every figure again for that would help nobody.
_PNG_SOFTWARE = b"Software\0"
# ITU-T T.81, table B.1: frames and tables (C0 to CF), DQT, DRI. APP0 and APP14 are looked at one by one.
_JPEG = {*range(0xC0, 0xD0), 0xDB, 0xDD}
_JPEG_SCAN, _JPEG_END, _JPEG_APP0, _JPEG_ADOBE = 0xDA, 0xD9, 0xE0, 0xEE
_JFIF_BYTES = 14  # of its APP0 without a thumbnail
_ADOBE_BYTES = 12
# https://developers.google.com/speed/webp/docs/riff_container
_WEBP = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
_GIF_IMAGE, _GIF_EXTENSION, _GIF_END, _GIF_CONTROL = 0x2C, 0x21, 0x3B, 0xF9
_JPEG_QUALITIES = (90, 80, 65, 45)
_LARGE = 250_000  # pixels from which a JPEG can spare bytes that anybody notices
_SMALLEST = 200  # pixels of the longer side, which a model needs: see https://docs.claude.com on vision
_SPARED = 3  # times smaller a JPEG must be to stand for a PNG
_MOST = 200  # pictures remembered
_MOST_BYTES = 256 * 1024 * 1024


def thumbnail(image: Image, edge: int = EDGE) -> str:
    """Return a small copy of `image`, of at most so many pixels along each side, as a data URL of some kB.

    It is shown at least twice, live and settled, and made once: the picture keeps it, as a cached property would, and
    takes it along when nobody needs the picture any more.
    """
    kept = vars(image)
    if (name := f"thumbnail {edge}") not in kept:
        kept[name] = _made(image, edge)
    return str(kept[name])


def _made(image: Image, edge: int) -> str:
    import PIL.Image  # noqa: PLC0415  # loading the extension must not load Pillow

    shown = image.name or "The picture"
    with decoding(shown), opened(image.data, shown) as picture:
        small = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    small.thumbnail((edge, edge), PIL.Image.Resampling.LANCZOS, reducing_gap=2.0)
    small.info = {}  # no metadata: it stays in the notebook
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def looks_the_same(one: PillowImage, other: PillowImage) -> bool:
    """Return whether two pictures of the same size and mode differ by less than an eye sees."""
    import PIL.ImageChops  # noqa: PLC0415  # loading the extension must not load Pillow

    counts = PIL.ImageChops.difference(one, other).histogram()
    values = sum(counts)
    squares = sum(count * (level % 256) ** 2 for level, count in enumerate(counts))
    seen = sum(count for level, count in enumerate(counts) if level % 256 > _SEEN)
    return squares <= _MOST_RMS**2 * values and seen <= _MOST_SEEN * values


def only_pixels(data: bytes, mime: str) -> bool:
    """Return whether the file `data` holds a picture and nothing else; false also when that cannot be told."""
    walk = {"image/png": _png, "image/jpeg": _jpeg, "image/webp": _webp, "image/gif": _gif}.get(mime)
    try:
        return walk is not None and walk(data)
    except IndexError:  # it ends too early
        return False


def _png(data: bytes) -> bool:
    at = 8
    while at + 12 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        text_of_ours = kind == b"tEXt" and data[at + 8 :].startswith(_PNG_SOFTWARE)
        if kind not in _PNG and not text_of_ours:
            return False
        at += 12 + size
        if kind == b"IEND":
            return at == len(data)
    return False


def _jpeg(data: bytes) -> bool:
    at = 2
    while data[at] == 0xFF:  # noqa: PLR2004  # how each marker begins
        marker = data[at + 1]
        if marker == _JPEG_END:
            return at + 2 == len(data)
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        content = data[at + 4 : at + 2 + size]
        plain_jfif = marker == _JPEG_APP0 and content.startswith(b"JFIF\0") and len(content) == _JFIF_BYTES
        plain_adobe = marker == _JPEG_ADOBE and content.startswith(b"Adobe") and len(content) == _ADOBE_BYTES
        if marker not in _JPEG and marker != _JPEG_SCAN and not plain_jfif and not plain_adobe:
            return False
        at += 2 + size
        if marker == _JPEG_SCAN:
            at = _after_scan(data, at)
    return False


def _after_scan(data: bytes, at: int) -> int:
    """Return where the entropy-coded data that begins at `at` ends: at a marker other than a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise IndexError
        follows = data[at + 1]
        if follows != 0 and not 0xD0 <= follows <= 0xD7:  # noqa: PLR2004  # a stuffed byte, or RST0 to RST7
            return at
        at += 2


def _webp(data: bytes) -> bool:
    at = 12
    while at + 8 <= len(data):
        if data[at : at + 4] not in _WEBP:
            return False
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return at == len(data)


def _gif(data: bytes) -> bool:
    at = 13 + _colours(data[10])
    while data[at] != _GIF_END:
        if data[at] == _GIF_IMAGE:
            at += 10 + _colours(data[at + 9]) + 1
        elif data[at] == _GIF_EXTENSION and data[at + 1] == _GIF_CONTROL:
            at += 2
        else:
            return False
        for size in _sub_blocks(data, at):
            at += 1 + size
    return at + 1 == len(data)


def _colours(flags: int) -> int:
    """Return bytes of the colour table that a GIF's flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _sub_blocks(data: bytes, at: int) -> Iterator[int]:
    """Yield the sizes of the sub-blocks from `at` on, up to and with the empty one."""
    while True:
        size = data[at]
        yield size
        if not size:
            return
        at += 1 + size


def fit(image: Image, limits: ImageLimits) -> Image:
    """Return the picture as `limits` allow it, without metadata (a photograph's place, for one).

    A picture that fits and carries nothing but pixels is returned as it is. One of a few pixels is enlarged, each pixel
    to a square: models see little of it otherwise.

    Raises
    ------
    MediaError
        Its file is damaged.
    """
    import PIL.Image  # noqa: PLC0415  # see above

    shown = image.name or "The picture"
    picture = opened(image.data, shown)
    with decoding(shown):
        frames = getattr(picture, "n_frames", 1)
    # How many pixels become a side of one; 1 where they are enough to be seen.
    times = max(1, min(-(-_SMALLEST // max(picture.size)), limits.long_edge // max(picture.size)))
    small = times == 1 and max(picture.size) <= limits.long_edge
    light = limits.max_bytes is None or len(image.data) <= limits.max_bytes
    if small and light and frames == 1 and image.mime in limits.mimes and only_pixels(image.data, image.mime):
        return image
    with decoding(shown):
        upright, how = eight_bits(upright_of(picture))
        original = image.original or upright.size
        if max(upright.size) > limits.long_edge:
            upright = scaled(upright, limits.long_edge)
        if times > 1:
            upright = upright.resize((upright.width * times, upright.height * times), PIL.Image.Resampling.NEAREST)
        data, mime = _encode(upright, limits, as_jpeg=picture.format == "JPEG" and times == 1)
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
    """Return whether a JPEG looks the same and is much smaller: true of photographs, false of lines and letters."""
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
        self._lock = threading.Lock()

    def message(self, message: Message, limits: ImageLimits) -> Message:
        """Return the message with its pictures as `limits` allow them."""
        if not message.images:
            return message
        parts = tuple(self._image(p, limits) if isinstance(p, Image) else p for p in message.parts)
        return replace(message, parts=parts)

    def _image(self, image: Image, limits: ImageLimits) -> Image:
        known = (image.sha256, image.name, image.note, limits)
        with self._lock:
            if found := self._fitted.get(known):
                self._fitted.move_to_end(known)
                return found
        fitted = fit(image, limits)
        with self._lock:
            if found := self._fitted.get(known):  # another thread was faster
                return found
            self._fitted[known] = fitted
            self._bytes += _weight(fitted)
            while len(self._fitted) > 1 and (len(self._fitted) > self._most or self._bytes > self._most_bytes):
                _, oldest = self._fitted.popitem(last=False)
                self._bytes -= _weight(oldest)
        return fitted


def _weight(image: Image) -> int:
    """Return bytes of a picture and of its base64."""
    return len(image.data) * 7 // 3
