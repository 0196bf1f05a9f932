"""What a file is, told by its first bytes. Its name is not asked: it may be wrong, and bytes have none."""

from __future__ import annotations

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
_BMP_RESERVED = slice(6, 10)


def mime_of(data: bytes) -> str | None:
    """The MIME type of a picture or a film, as the gateway names it; None if its first bytes are neither's.

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
    return "video/mov" if kind in _QUICKTIME_BOXES else None


def is_svg(data: bytes) -> bool:
    """Whether the file is an SVG."""
    head = data[:_SVG_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and b"<svg" in head
