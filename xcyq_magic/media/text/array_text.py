"""Arrays as text: shape, type and range, and as many elements as fit: all, else the corners."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from xcyq_magic.media.arrays import as_numpy, bands
from xcyq_magic.media.text.nested import inline, readable
from xcyq_magic.media.text.shown import Shown, all_of, count_of, each_of, fewer, limit

if TYPE_CHECKING:
    from numpy.typing import NDArray


_FEW = 20  # elements that need no statistics
_EDGE = 6  # elements of a corner, along each axis
_ELEMENT = 3  # characters of an element, at the least
_BYTES = 8  # of an element of an array in an element
_WIDTH = 110
_HEAD = 200  # characters of what is said of an array before its elements
_DIGITS = 4  # behind the point, where all do not fit
_ROUNDED = f"\n… rounded to {_DIGITS} digits"


def array_text(value: object, chars: int) -> Shown:
    """Shape, type, smallest, mean and largest element, how many are no numbers, and as many elements as fit."""
    array = as_numpy(value)
    if array.ndim == 0:
        text = readable(value)
        return Shown(repr(value) if text is None else text)
    kind = type(value).__name__
    name = "array" if kind == "ndarray" else kind
    head = f"{name} of shape {array.shape}, {array.dtype}"
    facts = _facts(array) if array.size > _FEW else []
    if array.ndim > 2:  # noqa: PLR2004  # height and width
        facts.append("not one picture, so in numbers")
    head = "; ".join([head, *facts])
    elements = elements_text(array, chars - len(head) - 1)
    return Shown(f"{head}\n{elements.text}", elements.cut, elements.more)


def fits_as_text(array: NDArray[Any], chars: int) -> bool:
    """Return whether all elements of an array can be written in so many characters."""
    return all_elements(array, chars - _HEAD) is not None


def all_elements(array: NDArray[Any], chars: int) -> Shown | None:
    """Return all elements of an array; None where they do not fit."""
    inner = max(1, array.dtype.itemsize // _BYTES) if array.dtype.names else 1  # an element may hold arrays
    if array.size * inner * _ELEMENT > chars:
        return None
    longest = each_of(array.size, chars)
    found = _written(array, longest, threshold=sys.maxsize)  # an element may be an array of its own
    if len(found.text) > chars and array.dtype.kind == "f":
        found = _written(array, longest, threshold=sys.maxsize, precision=_DIGITS, suppress_small=True)
        found = Shown(found.text + _ROUNDED)
    return found if len(found.text) <= chars else None


def elements_text(array: NDArray[Any], chars: int) -> Shown:
    """Return all elements of an array where they fit, else the corners."""
    if (found := all_elements(array, chars)) is not None:
        return found
    if array.ndim > 1 and math.prod(min(length, 2) for length in array.shape) * _ELEMENT > chars:
        first = elements_text(array.flat[: chars // _ELEMENT], chars)  # of so many axes, a corner is too much
        return Shown(first.text, f"{count_of(array.size, 'element')} but the first few")
    found, corners = Shown(""), 0
    fit = int((max(1, chars) / _ELEMENT) ** (1 / array.ndim)) // 2
    for edge in fewer(max(1, min(limit(_EDGE, chars), fit)), 1):
        corners = math.prod(min(length, 2 * edge) for length in array.shape)
        found = _written(array, each_of(corners, chars), threshold=1, edgeitems=edge, precision=_DIGITS)
        if len(found.text) <= chars:
            break
    left = f"{count_of(array.size - corners, 'element')} in the middle" if array.size > corners else ""
    inner = "the middle of arrays in it" if array.dtype.names and not left else ""
    return Shown(found.text, all_of(left, inner, found.cut), more=bool(left or inner) or found.more)


def _written(array: NDArray[Any], longest: int, **options: Any) -> Shown:  # noqa: ANN401  # NumPy's options
    import numpy as np  # noqa: PLC0415  # whoever has an array has NumPy

    cuts: list[Shown] = []

    def element(value: object) -> str:
        found = inline(value, longest)
        if found.cut:
            cuts.append(found)
        return found.text

    formatter: Any = {"object": element}
    text = np.array2string(array, max_line_width=_WIDTH, separator=", ", formatter=formatter, **options)
    cut = f"parts of {count_of(len(cuts), 'element')}" if cuts else ""
    return Shown(text, cut, more=any(found.more for found in cuts))


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
