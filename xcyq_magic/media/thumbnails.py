"""Small copies of pictures, to show in an output what was sent."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xcyq_magic.chat.messages import Image

EDGE = 192  # pixels: twice what is shown, for screens of high density
_QUALITY = 60  # of WebP: a chart of this size is 2 to 5 kB


def thumbnail(image: Image) -> str:
    """Return a small copy of `image`, at most 192 by 192 pixels, as a data URL of a few kB.

    It is shown at least twice, live and settled, and made once: the picture keeps it, as a cached property would, and
    takes it along when nobody needs the picture any more.
    """
    kept = vars(image)
    if "thumbnail" not in kept:
        kept["thumbnail"] = _made(image.data)
    return str(kept["thumbnail"])


def _made(data: bytes) -> str:
    import PIL.Image  # noqa: PLC0415  # loading the extension must not load Pillow

    with PIL.Image.open(io.BytesIO(data)) as picture:
        small = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    small.thumbnail((EDGE, EDGE), PIL.Image.Resampling.LANCZOS, reducing_gap=2.0)
    small.info = {}  # no metadata: it stays in the notebook
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
