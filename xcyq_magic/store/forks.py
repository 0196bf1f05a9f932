"""What a forked child must not take over from its parent: locks that nobody there will free, and running threads.

In a child only the thread that forked goes on. A lock that another thread held stays locked for ever, and an event
loop that another thread ran never runs again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A value that each process makes for itself when it first asks for it.

    The parent's is kept in the child, unused: to end it there would end it in the parent too, whose sockets and
    epoll it shares. A lock is taken by ``with lock.get():``, which runs no Python code at its end, where an interrupt
    could come before the release.

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
