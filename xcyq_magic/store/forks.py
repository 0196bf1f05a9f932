"""What a forked child must not take over from its parent: locks that nobody there will free, and running threads.

In a child only the thread that forked goes on. A lock that another thread held stays locked for ever, and an event
loop that another thread ran never runs again. A database that is open in both is soon a damaged one.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

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


class Holdable(Protocol):
    """What is let go while the process forks."""

    def hold(self) -> None:
        """Let the file go, and let no thread open it, until `release`."""

    def release(self) -> None:
        """End `hold`."""


class _Forks:
    """The databases of this process: none is carried over a fork.

    See https://www.sqlite.org/howtocorrupt.html, *Carrying an open database file across a fork()*. A child opens the
    file anew; what is in memory alone, it has as it was, for no thread is amid a statement when the process forks.
    """

    def __init__(self) -> None:
        self._all: weakref.WeakSet[Holdable] = weakref.WeakSet()
        self._held: list[Holdable] = []
        self._lock = threading.Lock()  # held while the process forks
        if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
            os.register_at_fork(before=self._before, after_in_parent=self._after, after_in_child=self._after_in_child)

    def add(self, database: Holdable) -> None:
        with self._lock:
            self._all.add(database)

    def _before(self) -> None:
        self._lock.acquire()
        self._held = list(self._all)
        for database in self._held:
            database.hold()

    def _after(self) -> None:
        for database in self._held:
            database.release()
        self._held = []
        self._lock.release()

    def _after_in_child(self) -> None:
        self._held = []  # their locks are free here
        self._lock.release()  # by the thread that took it


_forks = _Forks()


def let_go_at_forks(database: Holdable) -> None:
    """Hold `database` while the process forks, for as long as it lives."""
    _forks.add(database)
