"""The engine: requests on their way, so many at a time, with one queue, one pace and one way to stop.

The cell's thread waits here and is the only one that paints. An interrupt reaches a thread that
waits on a queue at once, so a stalled stream is stopped as fast as a lively one.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from xcyq_magic.errors import shorten
from xcyq_magic.session.live import LiveReply

if TYPE_CHECKING:
    from xcyq_magic.gateway.attempt import Arrival
    from xcyq_magic.session.live import Arrivals

FRAME_S = 0.05  # 20 frames a second: a Jupyter server drops output over 1,000 messages a second
_IDLE_S = 0.25  # without news, the clock on the screen still moves
_AFTER_CANCEL_S = 0.1  # after a cancel, for what was already on its way
_MOST_PAUSING = 4  # for each slot, replies of one model that wait to be sent again before no further one is begun

Paint: TypeAlias = Callable[[Sequence[LiveReply]], None]


class Painting:
    """Paints until that fails: then the replies come all the same, for they are paid for.

    Parameters
    ----------
    paint
        Shows replies.

    Attributes
    ----------
    error
        Why it failed; None while it has not.
    """

    def __init__(self, paint: Paint) -> None:
        self._paint = paint
        self.error: Exception | None = None

    def __call__(self, replies: Sequence[LiveReply]) -> None:
        """Show `replies`, unless that has failed before."""
        if self.error is None:
            try:
                self._paint(replies)
            except Exception as e:  # noqa: BLE001  # whatever a terminal or a widget raises; it is raised at the end
                self.error = e


def open_view(paint: Paint, replies: Sequence[LiveReply]) -> None:
    """Show `replies` for the first time; a failure is said in a line, for nothing has been sent yet."""
    try:
        paint(replies)
    except Exception as e:
        shorten(e, f"{e}; the output cannot be shown, so nothing was sent")
        raise


class Grid:
    """Replies that are waited for together: models across, cases down. A single reply is a grid of one.

    Parameters
    ----------
    replies
        All of them, in the order in which they are sent. Those that have ended are shown with the others.
    paint
        Called with all replies, on the thread of `run`, at most 20 times a second, and when one begins.
    slots
        How many requests are on their way at once. One that waits to be sent again gives up its slot.
    ended
        Called with the replies that have ended since the last call, before others take their slots; again with the
        same ones where it was interrupted.
    """

    def __init__(
        self,
        replies: Sequence[LiveReply],
        paint: Paint,
        *,
        slots: int,
        ended: Callable[[Sequence[LiveReply]], None] | None = None,
    ) -> None:
        self._replies = replies
        self._paint = paint
        self._painting = Painting(paint)
        self._painted = 0.0
        self._slots = slots
        self._ended = ended
        self._waiting = deque(r for r in replies if not r.ended)
        self._put_off: defaultdict[str, deque[LiveReply]] = defaultdict(deque)  # of these, those of a refused model
        self._running: set[LiveReply] = set()
        self._pausing: set[LiveReply] = set()
        self._arrivals: Arrivals = SimpleQueue()

    def run(self, prepare: Callable[[], None], start: Callable[[LiveReply, Arrivals], None]) -> BaseException | None:
        """Show the replies, send their requests, and wait until all have ended.

        Parameters
        ----------
        prepare
            Called once, before the first request.
        start
            Sends the request of a reply; its news go into the queue.

        Returns
        -------
        BaseException or None
            The user's interrupt, or else what `paint` raised after the first request was sent.
        """
        try:
            open_view(self._paint, self._replies)  # refusals are said before anything is sent
            prepare()
            self._follow(lambda reply: start(reply, self._arrivals))
        except KeyboardInterrupt as interrupt:
            return interrupt
        finally:  # whatever happened: a second interrupt, say
            for reply in self._replies:
                reply.abandon()
            self._hand_over()
        return self._painting.error

    def _follow(self, start: Callable[[LiveReply], None]) -> None:
        """Send what has a slot, and paint what arrives, until every reply has ended.

        An interrupt stops all replies, takes in what was already on its way, and is raised again.
        """
        try:
            self._feed(start)
            self._show()
            while self._running:
                self._take(start)
                self._show()
        except KeyboardInterrupt:
            for reply in self._running:
                reply.stop()
            until = time.monotonic() + _AFTER_CANCEL_S
            with suppress(Empty):
                while not all(r.ended for r in self._running):
                    self._receive(max(0.0, until - time.monotonic()))
            raise

    def _feed(self, start: Callable[[LiveReply], None]) -> None:
        """Have the next replies take the slots that are free."""
        while len(self._running) - len(self._pausing) < self._slots and (reply := self._next_one()) is not None:
            self._running.add(reply)
            start(reply)
            if reply.ended:  # it was stopped before it began
                self._hand_over()

    def _next_one(self) -> LiveReply | None:
        """Return the reply to be sent next, of no model of which too many wait already; None if there is none."""
        pausing = Counter(r.model for r in self._pausing)
        full = {model for model, count in pausing.items() if count >= self._slots * _MOST_PAUSING}
        for model, replies in self._put_off.items():
            if replies and model not in full:
                return replies.popleft()
        while self._waiting:
            reply = self._waiting.popleft()
            if reply.model not in full:
                return reply
            self._put_off[reply.model].append(reply)
        return None

    def _show(self) -> None:
        self._painting(self._replies)
        self._painted = time.monotonic()

    def _take(self, start: Callable[[LiveReply], None]) -> None:
        """Take in what arrives until the next frame is due, a reply begins, or all have ended."""
        wait = _IDLE_S
        while self._running:
            try:
                reply, begins = self._receive(wait)
            except Empty:
                return
            if reply.ended:
                # What has ended meanwhile is written in one go with it.
                with suppress(Empty):
                    for _ in range(self._slots):
                        begins |= self._receive(0.0)[1]
                self._hand_over()
            self._feed(start)
            # The first words are not kept waiting for their frame: there is one such frame for each reply.
            wait = self._painted + FRAME_S - time.monotonic()
            if begins or wait <= 0:
                return

    def _receive(self, wait_s: float) -> tuple[LiveReply, bool]:
        """Take in the next arrival; return its reply, and whether it brought the reply's first words.

        Raises
        ------
        Empty
            None came within so many seconds.
        """
        reply, arrival = self._next(wait_s)
        before = reply.first_token_s
        reply.receive(arrival)
        (self._pausing.add if reply.retry is not None and not reply.ended else self._pausing.discard)(reply)
        return reply, before is None and reply.first_token_s is not None

    def _next(self, wait_s: float) -> tuple[LiveReply, Arrival | None]:
        return self._arrivals.get(timeout=wait_s) if wait_s > 0 else self._arrivals.get_nowait()

    def _hand_over(self) -> None:
        """Give up the slots of the replies that have ended; they are handed over before."""
        over = [r for r in self._running if r.ended]
        if over and self._ended is not None:
            self._ended(over)
        self._running.difference_update(over)
        self._pausing.difference_update(over)
