"""Text for a terminal: what a model says must not move the cursor, change the title or type for the user."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but newline and tab


def without_controls(text: str) -> str:
    """`text` as a terminal may show it."""
    return _CONTROL.sub("", text)
