"""Arrays as text: their shape, what they range over, and their corners."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from xcyq_magic.media.arrays import as_numpy, bands
from xcyq_magic.media.text.nested import inline, readable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEW = 20  # elements that need no statistics
_EDGES = (6, 4, 3, 2, 1)
_ELEMENT = 3  # characters of an element, at the least
_WIDTH = 110


def array_text(value: object, chars: int) -> str:
    """Shape, type, smallest, mean and largest element, how many are no numbers, and as many elements as fit."""
    array = as_numpy(value)
    if array.ndim == 0:
        text = readable(value)
        return repr(value) if text is None else text
    kind = type(value).__name__
    name = "array" if kind == "ndarray" else kind
    head = f"{name} of shape {array.shape}, {array.dtype}"
    facts = _facts(array) if array.size > _FEW else []
    if array.ndim > 2:  # noqa: PLR2004  # height and width
        facts.append("not one picture, so in numbers")
    head = "; ".join([head, *facts])
    return f"{head}\n{_elements(array, chars - len(head) - 1)}"


def _elements(array: NDArray[Any], chars: int) -> str:
    """Return all elements where they fit, else the corners."""
    import numpy as np  # noqa: PLC0415  # whoever has an array has NumPy

    text = ""
    shown = functools.partial(
        np.array2string, array, max_line_width=_WIDTH, separator=", ", formatter={"object": inline}
    )
    if array.size * _ELEMENT <= chars:
        text = shown(threshold=array.size + 1)
        if len(text) <= chars:
            return text
    for edge in _EDGES:
        text = shown(threshold=1, edgeitems=edge, precision=4)
        if len(text) <= chars:
            break
    return text


def _facts(array: NDArray[Any]) -> list[str]:
    if array.dtype.kind == "b":
        return [f"{int(array.sum()):,} of {array.size:,} true"]
    if array.dtype.kind in "iufc":
        return _number_facts(array)
    return [f"from {array.min()} to {array.max()}"] if array.dtype.kind in "mM" else []


def _number_facts(array: NDArray[Any]) -> list[str]:
    """Piece by piece, so that no second array of its size is needed."""
    import numpy as np  # noqa: PLC0415  # as above

    low, high, total, count, odd = math.inf, -math.inf, 0.0, 0, 0
    for rows in bands(array):
        band = array[rows]
        if array.dtype.kind == "c":
            band = np.abs(band)
        finite = band[np.isfinite(band)]
        odd += band.size - finite.size
        count += finite.size
        if finite.size:
            low, high = min(low, finite.min()), max(high, finite.max())
            total += float(finite.sum(dtype=np.float64))
    what = " of the magnitudes" if array.dtype.kind == "c" else ""
    facts = [f"min {low:.6g}, mean {total / count:.6g}, max {high:.6g}{what}"] if count else []
    return [*facts, f"{odd:,} of {array.size:,} NaN or infinite"] if odd else facts
