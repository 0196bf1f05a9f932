"""CPU time of replies that repeat themselves without end, next to prose of the same length.

A worker process converts; one that takes too long for a case is ended, and the next case gets a new one.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from reports import PROSE, Seconds, limit_of
from texts import FRAME_CHARS, prose

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' fragments

from loops import NAMES, looping

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MODES = ("whole", "streamed")
REPEAT_BELOW_S = 0.1  # a short time is the best of three
MOST_MEMORY = 4 * 2**30  # what explodes shall not take the machine along


def convert(text: str, mode: str) -> float:
    """Seconds of CPU for `text`, whole or as it comes."""
    from xcyq_magic.display.markup import to_html
    from xcyq_magic.display.streaming import StreamingMarkdown

    started = time.process_time()
    if mode == "whole":
        to_html(text)
    else:
        streaming = StreamingMarkdown()
        for at in range(0, len(text), FRAME_CHARS):
            streaming.feed(text[at : at + FRAME_CHARS])
        to_html(text)  # as the reply settles
    return time.process_time() - started


def work(connection: Connection) -> None:
    """Convert what is asked for, until there is nothing more."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    for mode in MODES:
        convert(prose(1000), mode)  # loads what the first loads
    while True:
        name, chars, mode = connection.recv()
        text = prose(chars) if name == PROSE else looping(name, chars)
        seconds = convert(text, mode)
        if seconds < REPEAT_BELOW_S:
            seconds = min(seconds, convert(text, mode), convert(text, mode))
        connection.send(seconds)


class Worker:
    """A process that converts; made anew after a case that took too long."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None

    def seconds(self, name: str, chars: int, mode: str, limit_s: float) -> Seconds:
        """Seconds of CPU for one case; None if it took too long, or brought its process down."""
        if self._process is None:
            self._start()
        self._connection.send((name, chars, mode))
        try:
            if self._connection.poll(limit_s):
                return self._connection.recv()
        except (EOFError, OSError):  # it died
            pass
        self.close()
        return None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is heard here

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def measure(sizes: tuple[int, ...], limit_s: float, *, step: int = 1) -> dict[str, dict[str, Seconds]]:
    """Seconds of CPU by name, prose first, and by mode and size; of every `step`-th fragment."""
    worker = Worker()
    found: dict[str, dict[str, Seconds]] = {PROSE: {}}
    try:
        for name in [PROSE, *NAMES[::step]]:
            times = found.setdefault(name, {})
            for mode in MODES:
                taken: Seconds = 0.0
                for chars in sizes:  # more of what took too long takes too long
                    case = f"{mode} {chars // 1000} kB"
                    most_s = limit_of(found[PROSE].get(case), limit_s)
                    taken = None if taken is None else worker.seconds(name, chars, mode, most_s)
                    times[case] = taken
    finally:
        worker.close()
    return found
