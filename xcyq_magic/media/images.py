"""Pictures: files that are read as they are, and pixels that are encoded."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.messages import Image
from xcyq_magic.errors import MediaError
from xcyq_magic.media.limits import MOST_LONG_EDGE
from xcyq_magic.media.modes import eight_bits

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_MIMES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}  # that a PNG holds as they are, and every model reads
_ORIENTATION = 0x0112  # EXIF's tag
_GAP = 2.0  # as many times the final size a picture has when the good filter begins; before it are boxes
_MANY_PIXELS = 1_000_000  # beyond which zlib's default level takes seconds


def image_of_bytes(data: bytes, name: str, shown: str = "") -> Image:
    """The picture whose file `data` is, as it is; `fit` makes of it what may be sent.

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
    try:
        picture.load()  # a file that was cut off shows itself only here
    except (OSError, ValueError, SyntaxError) as e:
        raise damaged(shown, e) from None
    return Image(data, _MIMES.get(picture.format or "", f"image/x-{picture.format}"), *picture.size, name=name)


def image_of_picture(picture: PillowImage, name: str = "", note: str = "") -> Image:
    """A picture of Pillow's as PNG: exactly, unless no model sees as many pixels.

    Raises
    ------
    MediaError
        It has no pixels, or they cannot be read.
    """
    if not all(picture.size):
        msg = f"The picture has no pixels ({picture.width}×{picture.height}); nothing was sent."
        raise MediaError(msg, "Look at how it was made.")
    try:
        frames = getattr(picture, "n_frames", 1)
        upright = upright_of(picture)
        original = upright.size if max(upright.size) > MOST_LONG_EDGE else None
        if original or upright.mode not in _PNG_MODES:
            upright, how = eight_bits(upright)
            note = note or how
        if original:
            upright = scaled(upright, MOST_LONG_EDGE)
        data = png(upright)
    except (OSError, ValueError, SyntaxError) as e:
        raise damaged(name or "The picture", e) from None
    note = note or (f"the shown one of {frames} frames" if frames > 1 else "")
    return Image(data, "image/png", *upright.size, name, note, original)


def upright_of(picture: PillowImage) -> PillowImage:
    """The picture as its EXIF orientation shows it; itself if that says nothing. Large pictures are not copied."""
    import PIL.ImageOps  # noqa: PLC0415  # loading the extension must not load Pillow

    turned = picture.getexif().get(_ORIENTATION, 1) != 1
    return PIL.ImageOps.exif_transpose(picture) if turned else picture


def scaled(picture: PillowImage, long_edge: int) -> PillowImage:
    """A copy scaled down to so many pixels of its longer side, with a good filter."""
    import PIL.Image  # noqa: PLC0415  # see above

    factor = long_edge / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, PIL.Image.Resampling.LANCZOS, reducing_gap=_GAP)


def png(picture: PillowImage) -> bytes:
    """The pixels as PNG, with nothing else in it."""
    many = picture.width * picture.height > _MANY_PIXELS
    return encoded(picture, "PNG", **({"compress_level": 1} if many else {}))


def encoded(picture: PillowImage, form: str, **options: Any) -> bytes:  # noqa: ANN401  # Pillow's options
    """The pixels in a format of Pillow's, with nothing else in it."""
    buffer = io.BytesIO()
    clean = picture.copy()
    clean.info = {k: v for k, v in picture.info.items() if k == "transparency"}
    clean.save(buffer, form, **options)
    return buffer.getvalue()


def opened(data: bytes, shown: str) -> PillowImage:
    """The picture in a file, its pixels not yet read.

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
            return PIL.Image.open(io.BytesIO(data))
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        msg = f"{shown} has too many pixels to open safely; nothing was sent."
        raise MediaError(msg, "Scale it down first.") from None
    except (PIL.UnidentifiedImageError, OSError, ValueError, SyntaxError):
        msg = f"{shown} is no picture that can be read; nothing was sent."
        raise MediaError(msg, "PNG, JPEG, WEBP and GIF can be attached, and films for Gemini.") from None


def damaged(shown: str, error: Exception) -> MediaError:
    """The error for a picture that cannot be read to its end."""
    return MediaError(f"{shown} is damaged ({error}); nothing was sent.", "Save it again, or attach another.")
