"""Files that nobody can read to their end, and files that are none."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
from pathlib import Path

ENDLESS = ("pipe", "link to a pipe", "link to a device", "folder", "memory", "sparse", "socket")


def make_endless(kind: str, path) -> None:
    """Put such a file at `path`."""
    beside = path.with_name("beside")
    if kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2**40)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a pipe":
        os.mkfifo(beside)
        path.symlink_to(beside)
    else:
        path.symlink_to("/dev/zero" if kind == "link to a device" else "/proc/self/pagemap")


@contextlib.contextmanager
def at_once(seconds: float = 30, more_bytes: int = 2**30):
    """Fail a test that waits, or takes more memory, instead of the whole run."""

    def too_late(*_):
        msg = "it waits"
        raise AssertionError(msg)

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    resource.setrlimit(resource.RLIMIT_AS, (size + more_bytes, hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
