"""Pillow's modes: what has more than eight bits, a palette or inks becomes grey or red, green and blue."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_PLAIN = {"L", "LA", "RGB", "RGBA"}


def eight_bits(picture: PillowImage) -> tuple[PillowImage, str]:
    """The picture in a mode that scales well and that PNG and JPEG take, and how its greys were scaled.

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
