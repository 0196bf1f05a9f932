"""The tokens that inline text is made of, in the order of the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(eq=False)
class Open:
    """An element begins; `source` is what to show where it turns out to be none."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    source: str = ""


@dataclass(eq=False)
class Close:
    """The element that `begin` began ends."""

    begin: Open
    source: str = ""


@dataclass(eq=False)
class Whole:
    """An element with nothing but text in it."""

    tag: str
    text: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


# A text stands for itself.
Token: TypeAlias = str | Open | Close | Whole
