"""Arrays that are scaled to be seen: how, and that it is said."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pictures import pixels

from xcyq_magic.media.arrays import image_of_array, picture_hint
from xcyq_magic.media.images import MOST_LONG_EDGE

RAMP = np.linspace(0, 1, 400).reshape(20, 20)
COLOURS = np.linspace(0, 1, 1200).reshape(20, 20, 3)
EIGHT_BITS = np.rint(RAMP * 255).astype(np.uint8)


def seen(value) -> np.ndarray:
    return np.asarray(pixels(image_of_array(value)))


def note(value) -> str:
    return image_of_array(value).note


@pytest.mark.parametrize(
    ("array", "note_"),
    [
        (RAMP * 10.3 - 3.2, "scaled from -3.2..7.1 to 0..255"),
        (RAMP * 255, "scaled from 0..255 to 0..255"),
        (RAMP.astype(np.float16) * 3, "scaled from 0..3 to 0..255"),
        (RAMP * 1e300, "scaled from 0..1e+300 to 0..255"),
        ((RAMP * 2 - 1) * 1.7e308, "scaled from -1.7e+308..1.7e+308 to 0..255"),
        (RAMP * 1e-12 - 1e-4, "scaled from -0.0001..-0.0001 to 0..255"),
        (np.rint(RAMP * 65535).astype(np.uint16), "scaled from 0..6.554e+04 to 0..255"),
        (np.rint(RAMP * 2000 - 1000).astype(np.int16), "scaled from -1000..1000 to 0..255"),
        (((RAMP * 2 - 1) * 2**62).astype(np.int64), "scaled from -4.612e+18..4.612e+18 to 0..255"),
    ],
)
def test_a_range_of_its_own_becomes_black_to_white_and_is_named(array, note_):
    assert note(array) == note_
    assert np.abs(seen(array).astype(int) - EIGHT_BITS).max() <= 1


def test_from_0_to_1_is_black_to_white_without_a_word():
    assert note(RAMP) == ""
    np.testing.assert_array_equal(seen(RAMP), EIGHT_BITS)
    np.testing.assert_array_equal(seen(RAMP * 0.5), np.rint(RAMP * 0.5 * 255))


def test_a_rounding_error_beyond_0_and_1_changes_nothing():
    np.testing.assert_array_equal(seen(RAMP * (1 + 2e-7) - 1e-7), EIGHT_BITS)


def test_whole_numbers_of_0_and_1_are_black_and_white():
    mask = (RAMP > 0.5).astype(np.int64)
    assert note(mask) == "scaled from 0..1 to 0..255"
    np.testing.assert_array_equal(seen(mask), mask * 255)


def test_what_is_one_number_all_over_is_black_and_says_so():
    assert note(np.full((9, 9), 7.5)) == "all 7.5, drawn black"
    assert seen(np.full((9, 9), 7.5)).max() == 0


def test_what_is_no_number_is_black_and_counted():
    array = RAMP * 10
    array[0, :3] = np.nan
    array[1, 0], array[1, 1] = np.inf, -np.inf
    assert note(array).endswith("to 0..255, 3 not a number, drawn black")
    assert list(seen(array)[0, :3]) == [0, 0, 0]
    assert list(seen(array)[1, :2]) == [255, 0]


def test_what_is_masked_is_no_number():
    array = np.ma.masked_less(np.arange(400).reshape(20, 20), 100)
    assert note(array) == "scaled from 100..399 to 0..255, 100 not a number, drawn black"


def test_colours_are_scaled_together():
    array = COLOURS * 4 - 1
    np.testing.assert_array_equal(seen(array), np.rint(COLOURS * 255))


@pytest.mark.parametrize(
    ("factor", "opacity", "expected"),
    [(1, 0.5, 128), (4, 0.5, 128), (1, 128, 128), (300, 128, 128)],
    ids=["both to 1", "colours to 4", "opacity to 255", "both beyond 1"],
)
def test_opacity_has_a_range_of_its_own(factor, opacity, expected):
    array = np.dstack([COLOURS * factor, np.full((20, 20), opacity)])
    came = seen(array)
    np.testing.assert_array_equal(came[..., :3], np.rint(COLOURS * 255))
    assert np.abs(came[..., 3].astype(int) - expected).max() <= 0


def test_opacity_of_16_bits():
    array = np.dstack([COLOURS * 65535, np.full((20, 20), 65535)]).astype(np.uint16)
    assert seen(array)[..., 3].min() == 255


numbers = npst.arrays(
    dtype=npst.integer_dtypes() | npst.unsigned_integer_dtypes() | npst.floating_dtypes() | npst.boolean_dtypes(),
    shape=st.sampled_from([(8, 9), (9, 8, 1), (8, 8, 3), (8, 9, 4)]),
)


@given(numbers)
def test_any_array_of_a_pictures_shape_is_one_in_order(array):
    """An element that is larger than another is never drawn darker."""
    with np.errstate(all="ignore"):
        image = image_of_array(array)
    if image is None:
        assert not np.isfinite(array[..., :3] if array.ndim == 3 else array).any()
        return
    came = np.asarray(pixels(image)).astype(int)
    if came.dtype != bool and array.ndim == 3 and array.shape[2] == 4:
        came, array = came[..., :3], array[..., :3]
    flat, drawn = array.ravel(), came.ravel() if came.size == array.size else None
    assert drawn is not None
    order = np.argsort(flat[~np.isnan(flat)] if flat.dtype.kind == "f" else flat, kind="stable")
    drawn = drawn[~np.isnan(flat)] if flat.dtype.kind == "f" else drawn
    assert (np.diff(drawn[order]) >= 0).all()


def test_an_array_beyond_what_any_model_sees_is_scaled_at_once():
    image = image_of_array(np.tile(RAMP, (20, 300)), "ramps")
    assert (image.width, image.height, image.original) == (MOST_LONG_EDGE, 172, (6000, 400))
    assert image.caption.startswith("6000×400 → 2576×172, ")
    assert image.name == "ramps"


@pytest.mark.parametrize(
    ("dtype", "shape"), [("f8", (2000, 3000)), ("u1", (2000, 1000, 3)), ("?", (2000, 3000)), ("u2", (2000, 1500))]
)
def test_it_takes_little_memory_besides_the_array(dtype, shape):
    array = np.zeros(shape, dtype)
    array[0, 0] = 1
    image_of_array(array)  # imports and caches
    tracemalloc.start()
    image_of_array(array)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Bands of a million elements as floats, a few at once; one byte for each element that was none.
    assert most < array.size + 80_000_000


class Lazy:
    """An array whose elements are computed when they are asked for, such as dask's."""

    shape, dtype, chunks = (20, 20), np.dtype("f8"), ((20,), (20,))

    def __array__(self, dtype=None, copy=None):
        pytest.fail("it was computed")


Lazy.__module__ = "dask.array.core"


class Wide(Lazy):
    """An array whose shape says that it is no picture is not read."""

    shape = (3, 20, 20)


def test_what_is_lazy_is_not_computed():
    assert image_of_array(Lazy()) is None
    Wide.__module__ = "zarr"
    assert image_of_array(Wide()) is None


class Broken:
    shape, dtype = (20, 20), np.dtype("f8")

    def __array__(self, dtype=None, copy=None):
        msg = "it is on another device"
        raise TypeError(msg)


def test_what_cannot_be_read_is_no_picture():
    assert image_of_array(Broken()) is None


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((5, 20, 20, 3), "{{ name[0] }}"),
        ((5, 20, 20), "{{ name[0] }}"),
        ((3, 20, 20), "{{ name.transpose(1, 2, 0) }}"),
        ((20, 20), "{{ plt.matshow(name) }}"),
        ((20, 20, 1), "{{ plt.matshow(name) }}"),
        ((20,), None),
        ((3, 3), None),
    ],
)
def test_an_array_that_holds_pictures_gets_a_hint(shape, hint):
    said = picture_hint(np.zeros(shape), "name", whole=False)
    assert (said is None) if hint is None else hint in said


def test_a_matrix_that_goes_in_whole_gets_no_hint():
    assert picture_hint(np.zeros((20, 20)), "name", whole=True) is None
    assert picture_hint(np.zeros((5, 20, 20)), "name", whole=True) is not None


def test_what_is_no_array_gets_no_hint():
    assert picture_hint("text", "name", whole=False) is None
