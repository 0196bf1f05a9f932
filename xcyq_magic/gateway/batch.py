"""Deltas on their way to whoever waits for them: together, if they came together."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from xcyq_magic.gateway.arrivals import Deltas, Ended

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcyq_magic.chat.completion import Delta
    from xcyq_magic.gateway.arrivals import Sink


class Batch:
    """Passes deltas on together that came together, so that whoever waits for them is woken once.

    A packet may hold hundreds, each an HTTP chunk of its own. They are read without a return to the event loop, and
    what is to be called soon is called at that return.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._deltas: list[Delta] = []
        self._at = 0.0

    def add(self, deltas: Iterable[Delta]) -> None:
        """Pass these on soon."""
        if not self._deltas:
            self._at = time.monotonic()
            self._loop.call_soon(self.flush)
        self._deltas.extend(deltas)

    def flush(self) -> None:
        """Pass on now what has come: something else is to be said after it."""
        if self._deltas:
            deltas, self._deltas = tuple(self._deltas), []
            self._sink(Deltas(deltas, self._at))

    def end(self) -> None:
        """Pass on what has come, and that the reply is whole."""
        self.flush()
        self._sink(Ended(None, time.monotonic()))
