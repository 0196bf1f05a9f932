"""A KeyboardInterrupt at a chosen line of the package, as Ctrl-C brings it to any line."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextlib.contextmanager
def interrupted_at(number: int, *modules: str) -> Iterator[Callable[[], bool]]:
    """Raise one before line `number` that runs in files with these names; yields whether that line came."""
    seen = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.endswith(modules):
            return None
        if event == "line":
            seen += 1
            if seen == number:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: seen >= number
    finally:
        sys.settrace(before)
