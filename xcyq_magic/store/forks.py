"""What belongs to one process: what a forked child must not take over, and which notebooks a kernel has open.

In a child only the thread that forked goes on. A lock that another thread held stays locked for ever, and an event
loop that another thread ran never runs again. A database that is open in both is soon a damaged one.

Each kernel locks what it has open, and a lock ends with its process, however that ends. The locks are advisory ones on
single bytes of an empty file beside the store; a notebook's byte is a checksum of its path. So two notebooks may share
one: then a conversation is copied that could have been moved.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
import threading
import weakref
import zlib
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


PROCESS = PerProcess(lambda: secrets.token_hex(6))  # a name for this process; a fork has another one


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


if sys.platform != "win32":
    import fcntl

_ANOTHERS = {errno.EACCES, errno.EAGAIN}  # https://docs.python.org/3/library/fcntl.html#fcntl.lockf


class KernelLocks:
    """The locks of this process, and a look at those of others.

    Where there can be none (Windows, some network drives), nobody is known to hold one.

    Parameters
    ----------
    store
        The file that keeps conversations; None where nothing is kept.
    """

    def __init__(self, store: Path | None) -> None:
        self._path = None if store is None else f"{os.path.realpath(store)}-kernels"
        self._file: int | None = None
        self._closing: weakref.finalize[[int], KernelLocks] | None = None

    def hold(self, name: str) -> None:
        """Hold the lock of a notebook, by its path, or of a process, by its name. Do so again from time to time.

        A process loses its locks on a file when it closes it, whichever of its parts does.
        """
        if sys.platform != "win32" and self._path is not None:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._open(self._path), fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _byte(name))

    def held_elsewhere(self, name: str) -> bool:
        """Whether another process holds the lock of that name."""
        if sys.platform == "win32" or self._path is None:
            return False
        try:
            file = self._open(self._path)
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(name))
            fcntl.lockf(file, fcntl.LOCK_UN, 1, _byte(name))
        except OSError as e:
            return e.errno in _ANOTHERS
        return False

    def close(self) -> None:
        """Let them all go."""
        if self._closing is not None:
            self._closing()
            self._closing = self._file = None

    def _open(self, path: str) -> int:
        if self._file is None:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            self._closing = weakref.finalize(self, os.close, self._file)
        return self._file


def _byte(name: str) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass"))
