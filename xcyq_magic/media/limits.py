"""What a family of models takes as a picture."""

from __future__ import annotations

from dataclasses import dataclass


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
