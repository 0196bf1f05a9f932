"""Pictures: read, oriented, stripped of metadata, and fitted to what a model takes."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.messages import Image
from xcyq_magic.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image as PillowImage

    from xcyq_magic.media.limits import ImageLimits

_MIMES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
_JPEG_QUALITIES = (90, 80, 65, 45)
_ORIENTATION = 0x0112  # the EXIF tag


def read_image(path: Path, name: str = "") -> Image:
    """The picture in a file, as it is; `fit` makes of it what may be sent.

    Parameters
    ----------
    path
        A PNG, JPEG, WEBP or GIF, or whatever else Pillow opens.
    name
        What the user called it, for errors and the output.

    Raises
    ------
    MediaError
        There is no such file, or it is no picture, or one too large to open safely.
    """
    shown = name or path.name
    try:
        data = path.read_bytes()
    except OSError as e:
        msg = f"{shown} cannot be attached: {(e.strerror or str(e)).lower()}; nothing was sent."
        raise MediaError(msg, f"Paths count from {path.cwd()}.") from None
    picture = _open(data, shown)
    try:
        picture.load()  # a file that was cut off shows itself only here
    except (OSError, ValueError, SyntaxError) as e:
        raise _damaged(shown, e) from None
    return Image(data, _MIMES.get(picture.format or "", f"image/x-{picture.format}"), *picture.size, name=path.name)


def _open(data: bytes, shown: str) -> PillowImage:
    import PIL.Image  # noqa: PLC0415  # loading the extension must not load Pillow

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
        raise MediaError(msg, "PNG, JPEG, WEBP and GIF can be attached.") from None


def _damaged(shown: str, error: Exception) -> MediaError:
    return MediaError(f"{shown} is damaged ({error}); nothing was sent.", "Save it again, or attach another.")


def fit(image: Image, limits: ImageLimits) -> Image:
    """The picture as `limits` allow it, without metadata (a photograph's place, for one).

    A picture that fits and carries nothing but pixels is returned as it is.

    Raises
    ------
    MediaError
        Its file is damaged.
    """
    import PIL.Image  # noqa: PLC0415  # see above
    import PIL.ImageOps  # noqa: PLC0415

    picture = _open(image.data, image.name or "The picture")
    small = max(picture.size) <= limits.long_edge
    light = limits.max_bytes is None or len(image.data) <= limits.max_bytes
    still = getattr(picture, "n_frames", 1) == 1
    if small and light and still and image.mime in limits.mimes and not _carries_more(picture):
        return image
    try:
        upright = PIL.ImageOps.exif_transpose(picture)
        if max(upright.size) > limits.long_edge:
            upright.thumbnail((limits.long_edge, limits.long_edge), PIL.Image.Resampling.LANCZOS)
        data, mime = _encode(upright, limits, as_jpeg=picture.format == "JPEG")
    except (OSError, ValueError, SyntaxError) as e:
        raise _damaged(image.name or "The picture", e) from None
    return Image(data, mime, *upright.size, name=image.name)


def _carries_more(picture: PillowImage) -> bool:
    """Whether the file holds anything besides pixels: EXIF, XMP, comments, text chunks."""
    harmless = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "gamma", "transparency", "aspect"}
    harmless |= {"loop", "background", "version", "duration", "extension", "interlace", "timestamp", "sRGB"}
    # matplotlib names itself in a text chunk; re-encoding each figure for that would help nobody.
    info = {k for k in picture.info if k not in harmless and k != "Software"}
    return bool(info) or bool(picture.getexif())


def _encode(picture: PillowImage, limits: ImageLimits, *, as_jpeg: bool) -> tuple[bytes, str]:
    """PNG for graphics; JPEG for what came as JPEG or is too large as PNG."""
    if not as_jpeg:
        has_alpha = picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info
        plain = (
            picture
            if picture.mode in {"1", "L", "P", "RGB", "RGBA"}
            else picture.convert("RGBA" if has_alpha else "RGB")
        )
        data = _save(plain, "PNG", optimize=False)
        if limits.max_bytes is None or len(data) <= limits.max_bytes:
            return data, "image/png"
    for quality in _JPEG_QUALITIES:
        data = _save(_on_white(picture), "JPEG", quality=quality)
        if limits.max_bytes is None or len(data) <= limits.max_bytes:
            break
    return data, "image/jpeg"


def _on_white(picture: PillowImage) -> PillowImage:
    import PIL.Image  # noqa: PLC0415  # see above

    if picture.mode in {"L", "RGB"}:
        return picture
    rgba = picture.convert("RGBA")
    white = PIL.Image.new("RGBA", rgba.size, "white")
    return PIL.Image.alpha_composite(white, rgba).convert("RGB")


def _save(picture: PillowImage, form: str, **options: Any) -> bytes:  # noqa: ANN401  # Pillow's options
    buffer = io.BytesIO()
    clean = picture.copy()
    clean.info = {k: v for k, v in picture.info.items() if k == "transparency"}
    clean.save(buffer, form, **options)
    return buffer.getvalue()
