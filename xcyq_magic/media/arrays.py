"""Arrays become pictures: NumPy's, and whatever NumPy can make an array of."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import MediaError
from xcyq_magic.media.images import image_of_picture
from xcyq_magic.media.kinds import is_a, is_array, roots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from xcyq_magic.chat.parts import Image

_SMALLEST = 8  # pixels of a side; the numbers of a smaller array say more than its picture
_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}
_BAND = 1_000_000  # elements scaled at once: what is needed besides the array and its picture
# Of what only its range says is a picture: pixels of the shorter side, and how many times longer the other may be.
_SHORTEST, _LONGEST = 16, 4
_DARK = 127  # integers that stay below are counts or labels
_TOLERANCE = 1e-6  # by which arithmetic leaves the range from 0 to 1
_WHITE = 255


def image_of_array(value: object, name: str = "", fits: Callable[[NDArray[Any]], bool] | None = None) -> Image | None:
    """Return the picture that an array is; None if it is none: a vector, a batch, numbers, what NumPy cannot read.

    Parameters
    ----------
    value
        An array of shape H×W, H×W×1, H×W×3 or H×W×4 with at least 8 pixels each way: booleans (black and
        white), ``uint8`` (as it is), other integers (as they are from 0 to 255, else scaled from their own
        range), or floats (0 to 1, else scaled from their own range). Not a number: black. Infinities: the ends
        of the range.
    name
        What the user called it.
    fits
        Whether a matrix can go in as text, with all its numbers. One that fits is no picture, unless it is of
        ``uint8``; nor is one that has neither a picture's type nor its range and shape. Without it, each is drawn.
    """
    if not is_array(value) or not _could_be_picture(value):
        return None
    try:
        array = as_numpy(value)
    except MediaError:  # it may still say something of itself
        return None
    if not _could_be_picture(array):  # an object whose shape is only known now
        return None
    ranges = _ranges(array)
    if ranges is None or (fits is not None and _is_matrix(array, ranges, fits)):
        return None
    pixels = _pixels(array, ranges)
    import PIL.Image  # noqa: PLC0415  # loading the extension must not load Pillow

    mode = _CHANNELS[pixels.shape[2] if pixels.ndim == 3 else 1]  # noqa: PLR2004  # height, width, channels
    height, width = pixels.shape[:2]
    # Shares the array's memory where Pillow can.
    picture = PIL.Image.frombuffer(mode, (width, height), pixels, "raw", mode, 0, 1)
    return image_of_picture(picture, name, ranges.note)


def _is_matrix(array: NDArray[Any], ranges: _Ranges, fits: Callable[[NDArray[Any]], bool]) -> bool:
    """Return whether the numbers of an array say more than its picture."""
    if array.dtype == "uint8" or (array.ndim == 3 and array.shape[2] > 1):  # noqa: PLR2004  # it has colours
        return False
    if fits(array):
        return True
    if array.dtype in ("bool", "uint16"):
        return False
    short, long = sorted(array.shape[:2])
    return not (ranges.usual and short >= _SHORTEST and long <= _LONGEST * short)


def picture_hint(value: object, name: str, *, whole: bool) -> str | None:
    """Return a line on how to send an array as a picture, for one that goes in as text; None where there is no way.

    Parameters
    ----------
    value
        Any value.
    name
        What the user called it.
    whole
        Whether all of it goes in.
    """
    shape = getattr(value, "shape", None)
    if not is_array(value) or not isinstance(shape, tuple):
        return None
    if _could_be_picture(value):
        seen = f"{{{{ plt.matshow({name}) }}}}"
        return None if whole else f"To send {name} as a picture, write {seen}."
    if len(shape) == 4 and _is_picture_shape(shape[1:]):  # noqa: PLR2004  # a batch of pictures
        return f"{name} is a batch of shape {shape}: it is sent as text. Its first picture is {{{{ {name}[0] }}}}."
    if len(shape) == 3 and shape[0] in _CHANNELS and min(shape[1:]) >= _SMALLEST:  # noqa: PLR2004  # as torch has it
        moved = "permute" if "torch" in roots(value) else "transpose"
        picture = f"{{{{ {name}.{moved}(1, 2, 0) }}}}"
        return f"{name} is an array of shape {shape}: it is sent as text. Its picture is {picture}."
    if len(shape) == 3 and _is_picture_shape(shape[1:]):  # noqa: PLR2004  # a stack of grey pictures
        return f"{name} is a stack of shape {shape}: it is sent as text. Its first picture is {{{{ {name}[0] }}}}."
    return None


def as_numpy(value: Any) -> NDArray[Any]:  # noqa: ANN401  # whatever has __array__
    """Return the NumPy array of `value`.

    Raises
    ------
    MediaError
        The library behind it makes none.
    """
    import numpy as np  # noqa: PLC0415  # whoever has an array has NumPy

    try:
        if is_a(value, "torch.Tensor"):
            value = value.detach().cpu()
        if is_a(value, "numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"):
            return _unmasked(value)
        return np.asarray(value)
    except Exception as e:
        msg = f"The elements of a {type(value).__name__} cannot be read ({type(e).__name__}: {e}); nothing was sent."
        raise MediaError(msg, "Try numpy.asarray(…) on it, and send what that gives.") from e


def _unmasked(value: Any) -> NDArray[Any]:  # noqa: ANN401  # a masked array
    """Replace what is masked by NaN."""
    np = sys.modules["numpy"]
    if not np.ma.is_masked(value):
        return np.asarray(value.data)  # type: ignore[no-any-return]  # NumPy, by another name
    return value.astype(float).filled(np.nan)  # type: ignore[no-any-return]  # as above


def _could_be_picture(value: object) -> bool:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if not isinstance(shape, tuple) or dtype is None:
        return True  # only its array can tell
    kind = getattr(dtype, "kind", "")  # other libraries' types have none
    return (not kind or kind in "biuf") and _is_picture_shape(shape)


def _is_picture_shape(shape: tuple[Any, ...]) -> bool:
    two, three = 2, 3
    return (
        (len(shape) == two or (len(shape) == three and shape[2] in _CHANNELS))
        and all(isinstance(n, int) for n in shape)
        and min(shape[:2]) >= _SMALLEST
    )


@dataclass(frozen=True)
class _Ranges:
    """What becomes black and white, in the colours and in the opacity, and how to say so."""

    low: float
    high: float
    opaque: float = _WHITE
    note: str = ""
    usual: bool = True  # whether pictures have this range


def _ranges(array: NDArray[Any]) -> _Ranges | None:
    """None where no element is a number."""
    kind, itemsize = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        return _Ranges(0, 1, 1)
    if kind == "u" and itemsize == 1:
        return _Ranges(0, _WHITE)
    alpha = array[..., 3] if array.ndim == 3 and array.shape[2] == 4 else None  # noqa: PLR2004  # the opacity's place
    colours = array if alpha is None else array[..., :3]
    low, high, odd = _extent(colours)
    if low > high:
        return None
    top = _extent(alpha)[1] if alpha is not None else 0.0
    notes = [f"{odd:,} not a number, drawn black"] if odd else []
    if kind == "f" and low >= -_TOLERANCE and high <= 1 + _TOLERANCE:
        return _Ranges(0, 1, 1 if top <= 1 + _TOLERANCE else _WHITE, ", ".join(notes))
    if kind != "f" and low >= 0 and 1 < high <= _WHITE:
        return _Ranges(0, _WHITE, _opaque(top, array), usual=high > _DARK)
    scaled = f"scaled from {low:.4g}..{high:.4g} to 0..255" if high > low else f"all {low:.4g}, drawn black"
    return _Ranges(low, high, _opaque(top, array), ", ".join([scaled, *notes]), usual=False)


def _opaque(top: float, array: NDArray[Any]) -> float:
    """Return the value of full opacity: 1, 255, or the largest of the type."""
    if top <= 1 + _TOLERANCE:
        return 1
    if top <= _WHITE or array.dtype.kind == "f":
        return max(_WHITE, top)
    np = sys.modules["numpy"]
    return float(np.iinfo(array.dtype).max)


def bands(array: NDArray[Any]) -> Iterator[slice]:
    """Rows of which each slice holds about a million elements."""
    rows = max(1, _BAND * len(array) // max(1, array.size))
    for start in range(0, len(array), rows):
        yield slice(start, start + rows)


def _extent(array: NDArray[Any]) -> tuple[float, float, int]:
    """Return the smallest and the largest finite element, and how many are no number."""
    np = sys.modules["numpy"]
    low, high, odd = float("inf"), float("-inf"), 0
    for rows in bands(array):
        band = array[rows]
        if array.dtype.kind == "f":
            odd += int(np.isnan(band).sum())
            band = band[np.isfinite(band)]
        if band.size:
            low, high = min(low, float(band.min())), max(high, float(band.max()))
    return low, high, odd


def _pixels(array: NDArray[Any], ranges: _Ranges) -> NDArray[np.uint8]:
    """Return the elements as bytes, in order in the memory."""
    np = sys.modules["numpy"]
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)  # type: ignore[no-any-return]  # NumPy, by another name
    out = np.empty(array.shape, np.uint8)
    for rows in bands(array):
        out[rows] = _scaled(array[rows], ranges.low, ranges.high)
        if array.ndim == 3 and array.shape[2] == 4:  # noqa: PLR2004  # the opacity's place
            out[rows][..., 3] = _scaled(array[rows][..., 3], 0, ranges.opaque)
    return out  # type: ignore[no-any-return]  # as above


def _scaled(band: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    np = sys.modules["numpy"]
    # Halves, because the difference of two large floats may be too large for a float.
    half = np.nan_to_num(band.astype(np.float64), nan=low, posinf=high, neginf=low) / 2 - low / 2
    span = high / 2 - low / 2
    return np.rint(np.clip(half * (_WHITE / span) if span else half * 0, 0, _WHITE))  # type: ignore[no-any-return]  # as above
