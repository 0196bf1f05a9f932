"""Whether a picture's file holds anything besides its pixels: a walk through its container.

Pillow reads some metadata (EXIF, XMP, text) and ignores the rest: unknown chunks, what comes after the
pixels, and what stands behind the end, such as the film that a phone puts behind a photograph. So a
file counts as clean only when every part of it is of a kind listed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def only_pixels(data: bytes, mime: str) -> bool:
    """Whether the file `data` holds a picture and nothing else; false also when that cannot be told."""
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
    """Where the entropy-coded data that begins at `at` ends: at a marker other than a restart."""
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
    """Bytes of the colour table that a GIF's flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _sub_blocks(data: bytes, at: int) -> Iterator[int]:
    """The sizes of the sub-blocks from `at` on, up to and with the empty one."""
    while True:
        size = data[at]
        yield size
        if not size:
            return
        at += 1 + size
