"""Replies that go on after their cell."""

from __future__ import annotations

import contextvars
import threading
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from xcyq_magic.errors import XcyqError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.session.live import LiveReply, Paint
    from xcyq_magic.session.turn import Outcome

_SETTLE_S = 5.0  # for a reply to settle, once it was stopped


class View(Protocol):
    """What shows a reply."""

    def paint(self, replies: Sequence[LiveReply]) -> None:
        """Show what came."""

    def close(self) -> None:
        """Let it go."""


@dataclass
class _Running:
    """A reply on its way, and the thread that waits for it."""

    thread: threading.Thread | None = None
    replies: Sequence[LiveReply] = field(default_factory=tuple)


class Background:
    """The replies of a shell that go on after their cells, each on a thread of its own."""

    def __init__(self) -> None:
        self._running: list[_Running] = []

    def start(self, ask: Callable[[Paint], Outcome], view: View, finish: Callable[[Outcome], None]) -> None:
        """Have a reply come; returns once it is on its way.

        Its view is opened here, on the cell's thread, so that it stands in the cell's output. What prevents the
        request is raised here, too.
        """
        news: SimpleQueue[Sequence[LiveReply] | BaseException | None] = SimpleQueue()
        opened = threading.Event()
        running = _Running()

        def paint(replies: Sequence[LiveReply]) -> None:
            if opened.is_set():
                view.paint(replies)
                return
            running.replies = replies
            news.put(replies)
            opened.wait()

        def work() -> None:
            try:
                outcome = ask(paint)
                if isinstance(outcome.error, XcyqError):  # no cell fails of it any more, so the output says it
                    outcome.reply.notices.append(f"{type(outcome.error).__name__}: {outcome.error}")
                finish(outcome)
            except BaseException as e:
                if opened.is_set():
                    raise
                news.put(e)  # the cell still waits, and raises it
            finally:
                view.close()
                self._running.remove(running)
                news.put(None)

        # The outputs of this thread belong to the cell that started it: ipykernel keeps that in the context.
        context = contextvars.copy_context()
        running.thread = threading.Thread(target=context.run, args=(work,), name="xcyq background", daemon=True)
        self._running.append(running)
        running.thread.start()
        try:
            first = news.get()
            if isinstance(first, BaseException):
                raise first
            if first is not None:
                view.paint(first)
        finally:
            opened.set()

    def close(self) -> None:
        """Stop every reply; what came of each is kept and shown."""
        for running in list(self._running):
            for reply in running.replies:
                reply.stop()
            if running.thread is not None:
                running.thread.join(_SETTLE_S)
