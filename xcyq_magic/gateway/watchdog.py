"""A time-out that is put off whenever something comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self  # for type checkers only: it is in typing from Python 3.11 on


class SilenceError(Exception):
    """Nothing came for the time that was allowed last."""


class Watchdog:
    """Cancels the task within its ``async with`` once the allowed time is over, and raises `SilenceError`.

    What `asyncio.timeout` does from Python 3.11 on, but cheap to put off for every packet: the timer
    of the event loop is not touched as long as the new end is later than the old one.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            msg = "a watchdog watches a task"
            raise RuntimeError(msg)
        self._task = task
        self._cancelling = _cancelling(task)
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + self._seconds
        self._timer = self._loop.call_at(self._end, self._look)
        return self

    def allow(self, seconds: float) -> None:
        """Bear `seconds` of silence from now on."""
        self._end = self._loop.time() + seconds
        if self._end < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(self._end, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._end:
            self._timer = self._loop.call_at(self._end, self._look)
        else:
            self._expired = True
            self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._expired:
            # Taken back, because from Python 3.11 on cancellations are counted. If there is another, it is of whoever
            # asked, and wins: what is no longer wanted must not be sent again as after a silence.
            if hasattr(self._task, "uncancel"):
                self._task.uncancel()
            if kind is asyncio.CancelledError and _cancelling(self._task) <= self._cancelling:
                raise SilenceError from None


def _cancelling(task: asyncio.Task[object]) -> int:
    """Return how many cancellations of `task` are under way; 0 before Python 3.11, which does not count."""
    return task.cancelling() if hasattr(task, "cancelling") else 0
