"""What an exchange reports on its way, in order; times are `time.monotonic()`, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
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
