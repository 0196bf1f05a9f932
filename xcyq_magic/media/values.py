"""Any value as compact text that says what it left out."""

from __future__ import annotations

import functools
import sys
from contextlib import nullcontext
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import MediaError
from xcyq_magic.media.kinds import FRAMES, INDEXES, SERIES, is_a, is_array, is_buffer, roots
from xcyq_magic.media.text.array_text import array_text
from xcyq_magic.media.text.nested import written
from xcyq_magic.media.text.shown import VALUE_CHARS, Shown, count_of
from xcyq_magic.media.text.sources import module_text, source_of, traceback_text
from xcyq_magic.media.text.tables import frame_text, series_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

_AROUND = 80  # characters of what is said of bytes
_WITH_SOURCE = (FunctionType, MethodType, BuiltinFunctionType, type, functools.partial)


def describe(value: object, chars: int = VALUE_CHARS) -> str:
    """Return `value` as text, as `shown` does."""
    return shown(value, chars).text


def shown(value: object, chars: int = VALUE_CHARS) -> Shown:
    """Return `value` as text that says what it left out.

    Nothing is computed, fetched or consumed for it: of an iterator or a lazy table stands what it says of itself.

    Parameters
    ----------
    value
        A string, which stays whole; a table, an array, an exception, a function, a class, a module, nested lists
        and dicts, bytes; a number, a date, a path as a reader writes it; of anything else what ``print`` shows.
    chars
        Characters of the text, at most, unless it is a string.

    Raises
    ------
    MediaError
        Its ``repr`` fails.
    """
    if isinstance(value, str):
        return Shown(str(value))
    try:
        with _numbers_without_types():
            return _text_of(value)(value, chars).clipped(chars)
    except Exception as e:
        why = " ".join(f"{type(e).__name__}: {e}".split())[:200]
        msg = f"This {type(value).__name__} cannot be shown as text ({why}); nothing was sent."
        raise MediaError(msg, "Its repr fails; send a part of it, or a text that you make of it.") from e


def _numbers_without_types() -> AbstractContextManager[object]:
    """Have NumPy 2 write its numbers as NumPy 1 did, also in the ``repr`` of what holds them.

    See ``legacy`` in https://numpy.org/doc/stable/reference/generated/numpy.set_printoptions.html.
    """
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or numpy.__version__.startswith("1."):
        return nullcontext()
    return numpy.printoptions(legacy="1.25")  # type: ignore[no-any-return]  # NumPy, by another name


def _text_of(value: object) -> Callable[[Any, int], Shown]:
    """Return how a value is shown: by the first entry that it is one of."""
    ways: tuple[tuple[bool, Callable[[Any, int], Shown]], ...] = (
        (is_a(value, *FRAMES), frame_text),
        (is_a(value, *SERIES, *INDEXES), series_text),
        (isinstance(value, BaseException), lambda v, _: traceback_text(v)),
        (isinstance(value, _WITH_SOURCE), lambda v, _: source_of(v)),
        (isinstance(value, ModuleType), lambda v, _: module_text(v)),
        (is_buffer(value), _bytes_text),
        (is_array(value) and "xarray" not in roots(value), _array_text),  # which says what its axes are
    )
    return next((text for fits, text in ways if fits), written)


def _array_text(value: object, chars: int) -> Shown:
    try:
        return array_text(value, chars)
    except MediaError:  # NumPy cannot read it; it may still say something of itself
        return written(value, chars)


def _bytes_text(value: Any, chars: int) -> Shown:  # noqa: ANN401  # bytes in one of their forms
    if isinstance(value, memoryview):
        value = value.cast("B") if value.c_contiguous and value.nbytes else value.tobytes()
    kept = bytes(value[: max(1, chars - _AROUND) // 4])  # of which each may be written as \x00
    left_out = len(value) - len(kept)
    cut = count_of(left_out, "byte") if left_out else ""
    more = f"\n… {cut} left out" if cut else ""
    return Shown(f"{count_of(len(value), 'byte')}: {kept!r}{more}", cut)
