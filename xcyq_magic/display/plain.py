"""Text for a terminal: what a model says must not move the cursor, change the title or type for the user."""

from __future__ import annotations

import re

from xcyq_magic.errors import show_directions

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but newline and tab


def without_controls(text: str) -> str:
    """`text`, which may hold a reply, as a terminal may show it."""
    return _CONTROL.sub("", show_directions(text, within="a reply"))


def plain_line(text: str) -> str:
    """Text of ours, with names in it that others gave, as a terminal may show it."""
    return without_controls(show_directions(text))
