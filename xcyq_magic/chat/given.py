"""Values as a gateway, a file or the store gives them; each `from_dict` and the decoding of answers check them here.

A figure that cannot be (a negative count, NaN seconds) is read as not known: it costs nothing but itself. Words that
were said cannot be done without: where they are no text, their record is refused with a `ValueError`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
MOST_COUNTED = 10**12  # tokens, pixels, seconds since 1970: far beyond what is, and safe in every sum and table
MOST_SECONDS = 1e9  # thirty years
_MOST_NESTED = 50
_YEAR_10000 = 253_402_300_800  # in Unix seconds: no calendar of Python's goes further


def has_surrogates(text: str) -> bool:
    """Return whether `text` holds a surrogate."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def replace_surrogates(text: str) -> str:
    """Return `text` with halves joined, and U+FFFD for those that stayed alone."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if has_surrogates(text) else text


def text(value: object) -> str | None:
    """Return `value` if it is text, in whole characters; else None."""
    return replace_surrogates(value) if isinstance(value, str) else None


def texts(value: object) -> tuple[str, ...]:
    """Return what is text of a list; nothing if `value` is none."""
    return tuple(t for v in value if (t := text(v)) is not None) if isinstance(value, list | tuple) else ()


def number(value: object) -> float | None:
    """Return `value` if it is a number, and finite; else None."""
    return value if isinstance(value, int | float) and type(value) is not bool and is_json(value) else None


def count(value: object) -> int | None:
    """Return `value` if it is a count that can be; else None."""
    return value if type(value) is int and 0 <= value <= MOST_COUNTED else None


def seconds(value: object, most: float = MOST_SECONDS) -> float | None:
    """Return `value` if it is a number of seconds that can be; else None."""
    known = number(value)
    return float(known) if known is not None and 0 <= known <= most else None


def moment(value: object) -> float:
    """Return `value` if it is a time in Unix seconds that a calendar knows; else 0, for a time that is not known."""
    return seconds(value, _YEAR_10000 - 1) or 0.0


def is_json(value: object, most_nested: int = _MOST_NESTED) -> bool:
    """Return whether `value` can be written as JSON by everybody: no NaN, no endless number, not too deep."""
    if isinstance(value, Mapping | list | tuple):
        if not most_nested:
            return False
        inner = value.values() if isinstance(value, Mapping) else value
        named = not isinstance(value, Mapping) or all(isinstance(name, str) for name in value)
        return named and all(is_json(v, most_nested - 1) for v in inner)
    if isinstance(value, int | float):  # a bool, too
        return abs(value) <= sys.float_info.max  # NaN is not less than anything
    return value is None or isinstance(value, str)


def record_of(value: object, what: str) -> Mapping[str, Any]:
    """`value`, which has to be the record of `what`.

    Raises
    ------
    ValueError
        It is no record at all.
    """
    if not isinstance(value, Mapping):
        msg = f"no record of {what}"
        raise ValueError(msg)  # noqa: TRY004  # what is caught is one error
    return value


def said(record: Mapping[str, Any], name: str) -> str:
    """Return the text called `name` of a record that cannot do without it.

    Raises
    ------
    ValueError
        There is none.
    """
    found = text(record.get(name))
    if found is None:
        msg = f"no text called {name}"
        raise ValueError(msg)
    return found
