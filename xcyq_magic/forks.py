"""What a forked child must not take over from its parent: locks that nobody there will free, and running threads.

In a child only the thread that forked goes on. A lock that another thread held stays locked for ever, and an event
loop that another thread ran never runs again.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A value that each process makes for itself when it first asks for it.

    The parent's is kept in the child, unused: to end it there would end it in the parent too, whose sockets and
    epoll it shares.

    Parameters
    ----------
    make
        Makes the value. Of two threads that ask first at once, one may make a value that is thrown away.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[int, T] = {}

    def get(self) -> T:
        """Return the value of this process."""
        pid = os.getpid()
        found = self._made.get(pid)
        return self._made.setdefault(pid, self._make()) if found is None else found


class Lock:
    """A lock that a forked child finds free, whoever held it in the parent."""

    _make: Callable[[], threading.Lock | threading.RLock] = staticmethod(threading.Lock)

    def __init__(self) -> None:
        self._mine = PerProcess(self._make)

    def __enter__(self) -> None:
        self._mine.get().acquire()

    def __exit__(self, *_: object) -> None:
        self._mine.get().release()

    def locked(self) -> bool:
        """Whether somebody in this process holds it."""
        return self._mine.get().locked()  # type: ignore[union-attr]  # an RLock has it from 3.14 on


class RLock(Lock):
    """A `Lock` that the thread which holds it can take again."""

    _make = staticmethod(threading.RLock)
