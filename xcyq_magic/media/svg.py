"""SVG becomes PNG, by a library that the user has installed for it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import MediaError
from xcyq_magic.media.images import image_of_bytes

if TYPE_CHECKING:
    from xcyq_magic.chat.messages import Image


def image_of_svg(data: bytes, name: str, shown: str) -> Image:
    """The picture that an SVG draws, on white: as it is seen in a notebook.

    Raises
    ------
    MediaError
        No library for it is installed, or the file is damaged.
    """
    try:
        png = _png(data)
    except ImportError:
        msg = f"{shown} is an SVG, and nothing that makes a PNG of it is installed; nothing was sent."
        raise MediaError(msg, "Type %pip install resvg-py, then run this cell again.") from None
    except Exception as e:  # noqa: BLE001  # each library has errors of its own, down to those of XML and cairo
        msg = f"{shown} is an SVG that cannot be drawn ({type(e).__name__}: {e}); nothing was sent."
        raise MediaError(msg, "Save it as PNG, and attach that.") from None
    return image_of_bytes(png, name, shown)


def _png(data: bytes) -> bytes:
    # They are imported by name because neither is installed for the type checker.
    try:
        resvg: Any = importlib.import_module("resvg_py")
    except ImportError:
        cairosvg: Any = importlib.import_module("cairosvg")
        return bytes(cairosvg.svg2png(bytestring=data, background_color="white", url_fetcher=_nothing))
    return bytes(resvg.svg_to_bytes(svg_string=data.decode("utf-8-sig"), background="white"))


def _nothing(url: str, _: object = None) -> bytes:
    """What cairosvg gets for an address: nothing is fetched from here."""
    msg = f"it refers to {url}"
    raise ValueError(msg)
