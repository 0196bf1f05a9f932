"""Any value as compact text that says what it left out."""

from __future__ import annotations

VALUE_CHARS = 4000


def describe(value: object, chars: int = VALUE_CHARS) -> str:
    """`value` as text of about `chars` characters at most, that says what it left out."""
    return value if isinstance(value, str) else repr(value)[:chars]
