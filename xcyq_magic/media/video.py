"""Films: what kind they are and how long, without decoding them."""

from __future__ import annotations

import re

from xcyq_magic.chat.parts import Video
from xcyq_magic.errors import MediaError

# The image formats that the models take; whatever else Pillow opens is encoded anew.
_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"BM", "image/bmp"),
)
_VIDEOS = (
    (b"\x00\x00\x01\xba", "video/mpeg"),  # a program stream, then a bare video stream
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/wmv"),  # ASF
)
_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/avi"}
# The kinds of box that may begin a file of QuickTime's family; `ftyp` tells which member it is.
_QUICKTIME_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_IMAGE_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"}
_EBML = b"\x1a\x45\xdf\xa3"
_EBML_HEAD = 64  # bytes within which the document type stands
_SVG_HEAD = 1000  # a prolog and comments may stand before the root
_ELEMENT = re.compile(rb"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)")
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_BMP_RESERVED = slice(6, 10)
# https://ai.google.dev/gemini-api/docs/video-understanding#supported-formats
TAKEN = {
    "video/mp4",
    "video/mpeg",
    "video/mov",
    "video/avi",
    "video/wmv",
    "video/x-flv",
    "video/webm",
    "video/3gpp",
}
SUFFIXES = {
    "video/mp4": "mp4",
    "video/mpeg": "mpeg",
    "video/mov": "mov",
    "video/avi": "avi",
    "video/wmv": "wmv",
    "video/x-flv": "flv",
    "video/webm": "webm",
    "video/3gpp": "3gp",
}
_BOXED = {"video/mp4", "video/mov", "video/3gpp"}
_LONG_BOX, _TO_THE_END = 1, 0
_HEAD = 8  # bytes of a box before its content
_LONGEST_S = 1e6  # what is longer is a damaged header


def mime_of(data: bytes) -> str | None:
    """Return the MIME type of a picture or a video, as the gateway names it; None if its first bytes are neither's.

    Parameters
    ----------
    data
        The file, or its first thousand bytes.
    """
    for signature, mime in (*_IMAGES, *_VIDEOS):
        if data.startswith(signature):
            # "BM" alone is how many a text begins.
            return None if mime == "image/bmp" and any(data[_BMP_RESERVED]) else mime
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12])
    if data.startswith(_EBML):
        return "video/webm" if b"webm" in data[:_EBML_HEAD] else "video/x-matroska"
    return _of_boxes(data) or ("image/svg+xml" if is_svg(data) else None)


def _of_boxes(data: bytes) -> str | None:
    """ISO/IEC 14496-12, 4.3: the brand in the first box; QuickTime's older files have none."""
    kind, brand = data[4:8], data[8:12]
    if kind == b"ftyp":
        if brand in _IMAGE_BRANDS:
            return f"image/{brand.decode()}"
        if brand.startswith(b"3g"):
            return "video/3gpp"
        return "video/mov" if brand == b"qt  " else "video/mp4"
    # What begins as a text does, "The free …", would have half a gigabyte in its first box.
    return "video/mov" if kind in _QUICKTIME_BOXES and data[0] < ord(" ") else None


def is_svg(data: bytes) -> bool:
    """Return whether the file is an SVG."""
    head = data[:_SVG_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    root = _ELEMENT.search(_COMMENT.sub(b"", head))  # of HTML, one within it may be an SVG
    return head.startswith(b"<") and b"<svg" in head and (root is None or root[1].lower() == b"svg")


def video_of_bytes(data: bytes, name: str, shown: str = "") -> Video:
    """Return the video whose file `data` is, as it is.

    Parameters
    ----------
    data
        The bytes of the file.
    name
        What the user called it.
    shown
        What an error calls it.

    Raises
    ------
    MediaError
        It is of a kind that no model takes.
    """
    mime = mime_of(data) or "of an unknown kind"
    if mime not in TAKEN:
        msg = f"{shown or name or 'The video'} is {mime}, which no model takes; nothing was sent."
        raise MediaError(msg, "Make an MP4 of it, for example: ffmpeg -i film.mkv film.mp4")
    return Video(data, mime, name, duration_s(data) if mime in _BOXED else None)


def duration_s(data: bytes) -> float | None:
    """Return the length of an MP4 or QuickTime file, from its movie header (ISO/IEC 14496-12, 8.2.2), or None."""
    header = _box(_box(data, b"moov"), b"mvhd")
    if header is None or len(header) < 32:  # noqa: PLR2004  # up to the duration of version 1
        return None
    # A version and flags, then two dates, ticks a second, and ticks: dates and ticks of 8 bytes in version 1.
    wide = header[0] == 1
    scale, ticks = (header[20:24], header[24:32]) if wide else (header[12:16], header[16:20])
    rate = int.from_bytes(scale, "big")
    seconds = int.from_bytes(ticks, "big") / rate if rate else 0.0
    return seconds if 0 < seconds < _LONGEST_S else None


def _box(data: memoryview | bytes | None, kind: bytes) -> memoryview | None:
    """Return the content of the first box of a kind (ISO/IEC 14496-12, 4.2)."""
    if data is None:
        return None
    view, at = memoryview(data), 0
    while at + _HEAD <= len(view):
        size, head = int.from_bytes(view[at : at + 4], "big"), _HEAD
        if size == _LONG_BOX:
            size, head = int.from_bytes(view[at + 8 : at + 16], "big"), 16
        elif size == _TO_THE_END:
            size = len(view) - at
        if size < head:
            return None
        if view[at + 4 : at + 8] == kind:
            return view[at + head : at + size]
        at += size
    return None
