"""Pictures: files that are read as they are, and pixels that are encoded."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from xcyq_magic.chat.parts import Image
from xcyq_magic.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image as PillowImage


_PLAIN = {"L", "LA", "RGB", "RGBA"}
# No model of the catalogue sees more pixels on the longer side. So what comes as pixels is scaled to that before it
# is encoded at all, and an array of 100 megapixels costs what a screenshot costs.
MOST_LONG_EDGE = 2576
# Of what else Pillow opens, it has Ghostscript run for some (EPS), the system draw some (WMF), and looks for any of its
# formats within some (IPTC).
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "ICO", "PPM", "JPEG2000", "AVIF", "HEIF")
MIMES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}  # that a PNG holds as they are, and every model reads
_ORIENTATION = 0x0112  # EXIF's tag
_GAP = 2.0  # as many times the final size a picture has when the good filter begins; before it are boxes
_MANY_PIXELS = 1_000_000  # beyond which zlib's default level takes seconds


def eight_bits(picture: PillowImage) -> tuple[PillowImage, str]:
    """Return the picture in a mode that scales well and that PNG and JPEG take, and how its greys were scaled.

    The mode is L, LA, RGB or RGBA.
    """
    if picture.mode in _PLAIN and "transparency" not in picture.info:
        return picture, ""
    deep = picture.mode == "I" and picture.format == "PNG"  # 16 bits, as Pillow before 11 reads them
    if deep or picture.mode.startswith("I;16"):  # converting to L would clip them at 255
        return picture.convert("I").point(lambda grey: grey * (1 / 257)).convert("L"), "scaled from 0..65535 to 0..255"
    if picture.mode in {"I", "F"}:
        return _stretched(picture)
    if picture.mode in {"PA", "La", "RGBa"} or "transparency" in picture.info:
        return picture.convert("RGBA"), ""
    return picture.convert("L" if picture.mode == "1" else "RGB"), ""


def _stretched(picture: PillowImage) -> tuple[PillowImage, str]:
    """Greys of 32 bits, scaled from their own range."""
    low, high = cast("tuple[float, float]", picture.getextrema())
    scale = 255 / (high - low) if high > low else 0.0
    grey = picture.convert("F").point(lambda value: value * scale - low * scale).convert("L")
    return grey, f"scaled from {low:.4g}..{high:.4g} to 0..255"


@dataclass(frozen=True)
class ImageLimits:
    """What a picture may be.

    Attributes
    ----------
    mimes
        The formats that are taken.
    long_edge
        Pixels of the longer side beyond which a model sees no more: larger pictures are scaled.
    max_bytes
        Bytes of one picture, before base64; None where only the request is bounded.
    """

    mimes: frozenset[str]
    long_edge: int
    max_bytes: int | None = None


def image_of_bytes(data: bytes, name: str, shown: str = "") -> Image:
    """Return the picture whose file `data` is, as it is; `fit` makes of it what may be sent.

    Parameters
    ----------
    data
        A PNG, JPEG, WEBP or GIF, or whatever else Pillow opens.
    name, shown
        What the user called it, for the output and for errors.

    Raises
    ------
    MediaError
        It is no picture, damaged, or too large to open safely.
    """
    shown = shown or name
    picture = opened(data, shown)
    with decoding(shown):
        picture.load()  # a file that was cut off shows itself only here
    return Image(data, MIMES.get(picture.format or "", f"image/x-{picture.format}"), *picture.size, name=name)


def image_of_picture(picture: PillowImage, name: str = "", note: str = "") -> Image:
    """Return a picture of Pillow's as PNG: exactly, unless no model sees as many pixels.

    Parameters
    ----------
    picture
        In any mode.
    name
        What the user called it.
    note
        What was changed on the way, for the output.

    Raises
    ------
    MediaError
        It has no pixels, or they cannot be read.
    """
    if not all(picture.size):
        msg = f"The picture has no pixels ({picture.width}×{picture.height}); nothing was sent."
        raise MediaError(msg, "Look at how it was made.")
    with decoding(name or "The picture"):
        frames = getattr(picture, "n_frames", 1)
        upright = upright_of(picture)
        original = upright.size if max(upright.size) > MOST_LONG_EDGE else None
        if original or upright.mode not in _PNG_MODES:
            upright, how = eight_bits(upright)
            note = note or how
        if original:
            upright = scaled(upright, MOST_LONG_EDGE)
        data = png(upright)
    note = note or (f"the shown one of {frames} frames" if frames > 1 else "")
    return Image(data, "image/png", *upright.size, name, note, original)


def upright_of(picture: PillowImage) -> PillowImage:
    """Return the picture as its EXIF orientation shows it; itself, not copied, if that says nothing."""
    import PIL.ImageOps  # noqa: PLC0415  # loading the extension must not load Pillow

    turned = picture.getexif().get(_ORIENTATION, 1) != 1
    return PIL.ImageOps.exif_transpose(picture) if turned else picture


def scaled(picture: PillowImage, long_edge: int) -> PillowImage:
    """Return a copy scaled down to so many pixels of its longer side, with a good filter."""
    import PIL.Image  # noqa: PLC0415  # see above

    factor = long_edge / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, PIL.Image.Resampling.LANCZOS, reducing_gap=_GAP)


def png(picture: PillowImage) -> bytes:
    """Return the pixels as PNG, with nothing else in it."""
    many = picture.width * picture.height > _MANY_PIXELS
    return encoded(picture, "PNG", **({"compress_level": 1} if many else {}))


def encoded(picture: PillowImage, form: str, **options: Any) -> bytes:  # noqa: ANN401  # Pillow's options
    """Return the pixels in a format of Pillow's, with nothing else in it."""
    buffer = io.BytesIO()
    clean = picture.copy()
    clean.info = {k: v for k, v in picture.info.items() if k == "transparency"}
    clean.save(buffer, form, **options)
    return buffer.getvalue()


def opened(data: bytes, shown: str) -> PillowImage:
    """Return the picture in a file of one of the formats that are taken, its pixels not yet read.

    Raises
    ------
    MediaError
        It is no picture, or too large to open safely.
    """
    import PIL.Image  # noqa: PLC0415  # see above

    try:
        with warnings.catch_warnings():
            # Pillow warns above 89 megapixels and raises above twice that: both mean a bomb here.
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            PIL.Image.init()  # or Pillow does not know yet what it can open
            return PIL.Image.open(io.BytesIO(data), formats=[f for f in _FORMATS if f in PIL.Image.OPEN])
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        msg = f"{shown} has too many pixels to open safely; nothing was sent."
        raise MediaError(msg, "Scale it down first.") from None
    except Exception:  # noqa: BLE001  # as in `decoding`
        msg = f"{shown} is not a picture that can be read; nothing was sent."
        hint = "PNG, JPEG, WEBP, GIF, TIFF, BMP, ICO, PPM, JPEG 2000 and AVIF can be attached, "
        hint += "videos for Gemini, texts, tables and PDFs."
        raise MediaError(msg, hint) from None


@contextlib.contextmanager
def decoding(shown: str) -> Iterator[None]:
    """Raise a MediaError for whatever Pillow raises while it reads a picture.

    Its plugins raise what their decoders do, down to TypeError and RuntimeError, and not only of damaged files.
    """
    try:
        yield
    except MediaError:
        raise
    except Exception as e:  # noqa: BLE001  # see above
        msg = f"{shown} is damaged ({str(e) or type(e).__name__}); nothing was sent."
        raise MediaError(msg, "Save it again, or attach another.") from None
