"""Pictures: read, oriented, stripped of metadata, and fitted to what a model takes."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, cast

from xcyq_magic.chat.messages import Image
from xcyq_magic.errors import MediaError
from xcyq_magic.media.containers import only_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image as PillowImage

    from xcyq_magic.media.limits import ImageLimits

_MIMES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
_JPEG_QUALITIES = (90, 80, 65, 45)


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
    except (OSError, ValueError) as e:  # a ValueError for a path that no system takes
        why = (getattr(e, "strerror", None) or str(e)).lower()
        msg = f"{shown} cannot be attached: {why}; nothing was sent."
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
    if small and light and still and image.mime in limits.mimes and only_pixels(image.data, image.mime):
        return image
    try:
        upright = _eight_bits(PIL.ImageOps.exif_transpose(picture))
        if max(upright.size) > limits.long_edge:
            upright.thumbnail((limits.long_edge, limits.long_edge), PIL.Image.Resampling.LANCZOS)
        data, mime = _encode(upright, limits, as_jpeg=picture.format == "JPEG")
    except (OSError, ValueError, SyntaxError) as e:
        raise _damaged(image.name or "The picture", e) from None
    return Image(data, mime, *upright.size, name=image.name)


def _eight_bits(picture: PillowImage) -> PillowImage:
    """The picture in a mode that scales well and that PNG and JPEG take: L, LA, RGB or RGBA."""
    if picture.mode in {"L", "LA", "RGB", "RGBA"} and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I"):  # 16 bits of grey; converting clips them at 255
        return picture.convert("I").point(lambda grey: grey * (1 / 257)).convert("L")
    if picture.mode == "F":
        low, high = cast("tuple[float, float]", picture.getextrema())
        scale = 255 / (high - low) if high > low else 0.0
        return picture.point(lambda grey: grey * scale - low * scale).convert("L")
    if picture.mode in {"PA", "La", "RGBa"} or "transparency" in picture.info:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _encode(picture: PillowImage, limits: ImageLimits, *, as_jpeg: bool) -> tuple[bytes, str]:
    """PNG for graphics; JPEG for what came as JPEG or is too large as PNG."""
    if not as_jpeg:
        data = _save(picture, "PNG")
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
    clean.info = {}
    clean.save(buffer, form, **options)
    return buffer.getvalue()
