"""Which notebooks running kernels have open: each holds a lock, which ends with its process, however that ends.

The locks are advisory ones on single bytes of an empty file beside the store; a notebook's byte is a checksum of its
path. So two notebooks may share one: then a conversation is copied that could have been moved.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import weakref
import zlib
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

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
        """Hold the lock of a notebook, by its path. Do so again from time to time.

        A process loses its locks on a file when it closes it, whichever of its parts does.
        """
        if sys.platform != "win32" and self._path is not None:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._open(self._path), fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _byte(name))

    def held_elsewhere(self, name: str) -> bool:
        """Whether another process holds the lock of a notebook."""
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
