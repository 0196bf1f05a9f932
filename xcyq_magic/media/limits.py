"""What a family of models takes as a picture."""

from __future__ import annotations

from dataclasses import dataclass

# No model of the catalogue sees more pixels on the longer side. So what comes as pixels is scaled to that before it
# is encoded at all, and an array of 100 megapixels costs what a screenshot costs.
MOST_LONG_EDGE = 2576


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
