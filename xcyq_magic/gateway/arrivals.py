"""What an exchange reports on its way, in order; times are `time.monotonic()`, in seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcyq_magic.chat.completion import Delta
    from xcyq_magic.gateway.retries import Retry


@dataclass(frozen=True)
class Deltas:
    """Deltas that came together, the first of them at the time `at`."""

    deltas: tuple[Delta, ...]
    at: float


@dataclass(frozen=True)
class Waiting:
    """The request failed before an answer, and is sent again after a wait."""

    retry: Retry


@dataclass(frozen=True)
class Told:
    """A line for the user about this exchange."""

    notice: str


@dataclass(frozen=True)
class Ended:
    """The exchange is over; `error` is None when the reply is whole. What comes later does not count."""

    error: Exception | None
    at: float


Arrival: TypeAlias = Deltas | Waiting | Told | Ended
Sink: TypeAlias = Callable[[Arrival], None]


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
