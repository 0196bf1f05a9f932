"""Replies that go on after their cell."""

from __future__ import annotations

import contextvars
import sys
import threading
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from xcyq_magic.errors import before_sending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.session.grid import Paint
    from xcyq_magic.session.live import LiveReply
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
    """A reply on its way, and the thread that waits for it.

    Attributes
    ----------
    news
        For the cell: the reply once its view can be opened, or what prevents the request; None at the end.
    left
        Set once the cell does not wait any more.
    shown
        Whether its view was open by then. Otherwise nothing is sent.
    """

    view: View
    thread: threading.Thread | None = None
    replies: Sequence[LiveReply] = field(default_factory=tuple)
    news: SimpleQueue[Sequence[LiveReply] | BaseException | None] = field(default_factory=SimpleQueue)
    left: threading.Event = field(default_factory=threading.Event)
    shown: bool = False

    def paint(self, replies: Sequence[LiveReply]) -> None:
        """Show `replies`; the first time, which is before anything is sent, have the cell do it."""
        if self.replies:
            self.view.paint(replies)
            return
        self.replies = replies
        self.news.put(replies)
        self.left.wait()
        if not self.shown:
            raise _GivenUp


class _GivenUp(BaseException):
    """Ends a reply whose cell has ended before anything was sent."""


class Background:
    """The replies of a shell that go on after their cells, each on a thread of its own."""

    def __init__(self) -> None:
        self._running: list[_Running] = []

    def start(
        self,
        ask: Callable[[Paint], Outcome],
        view: View,
        finish: Callable[[Outcome], tuple[BaseException | None, bool]],
    ) -> None:
        """Have a reply come; returns once it is on its way.

        Its view is opened here, on the cell's thread, so that it stands in the cell's output. What prevents the
        request is raised here, too; an interrupt until then prevents it.

        Parameters
        ----------
        ask
            Sends the request, and returns how it ended.
        view
            Shows the reply.
        finish
            Shows how it ended; returns what a cell would have to raise, and whether it is shown.
        """
        from xcyq_magic.session.grid import open_view

        running = _Running(view)
        # The outputs of this thread belong to the cell that started it: ipykernel keeps that in the context.
        context = contextvars.copy_context()
        running.thread = threading.Thread(
            target=context.run, args=(self._work, running, ask, finish), name="xcyq background", daemon=True
        )
        try:
            with before_sending():
                self._running.append(running)
                running.thread.start()  # which waits for it to begin: an interrupt may come meanwhile
                first = running.news.get()
                if isinstance(first, BaseException):
                    raise first
                if first is not None:
                    open_view(view.paint, first)
            running.shown = True
        finally:
            running.left.set()

    def _work(
        self,
        running: _Running,
        ask: Callable[[Paint], Outcome],
        finish: Callable[[Outcome], tuple[BaseException | None, bool]],
    ) -> None:
        try:
            outcome = ask(running.paint)
            if isinstance(outcome.error, Exception):  # no cell fails of it any more, so the output says it
                outcome.reply.notices.append(f"{type(outcome.error).__name__}: {outcome.error}")
            error, settled = finish(outcome)
            if error is not None and not settled:  # the output does not say it then
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
        except _GivenUp:
            pass
        except BaseException as e:
            if running.shown:
                raise
            running.news.put(e)  # the cell still waits, and raises it; or it was interrupted, and nobody wants to know
        finally:
            running.view.close()
            self._running.remove(running)
            running.news.put(None)

    def close(self) -> None:
        """Stop every reply; what came of each is kept and shown."""
        for running in list(self._running):
            for reply in running.replies:
                reply.stop()
            if running.thread is not None:
                running.thread.join(_SETTLE_S)
