"""Replies while they come: one queue, one pace, one way to stop, for one model or for twelve.

The cell's thread waits here and is the only one that paints. An interrupt reaches a thread that
waits on a queue at once, so a stalled stream is stopped as fast as a lively one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Literal, TypeAlias

from xcyq_magic.chat.completion import Completion, CompletionBuilder, Delta, Partial
from xcyq_magic.errors import shorten
from xcyq_magic.gateway.attempt import Arrival, Deltas, Ended, Notice, Retrying

if TYPE_CHECKING:
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.gateway.attempt import Sink
    from xcyq_magic.gateway.client import Exchange
    from xcyq_magic.gateway.retries import Retry

State: TypeAlias = Literal["waiting", "streaming", "done", "stopped", "failed"]

FRAME_S = 0.05  # 20 frames a second: a Jupyter server drops output over 1,000 messages a second
_IDLE_S = 0.25  # without news, the clock on the screen still moves
_AFTER_CANCEL_S = 0.1  # after a cancel, for what was already on its way


class LiveReply:
    """One model's reply while it comes.

    Attributes
    ----------
    model
        The model that was asked.
    prompt
        The prompt as it is sent, its media fitted for the model.
    name
        What tells it from others of its model; the model's name unless given.
    builder
        What came so far.
    notices
        Lines for the user about this reply.
    retry
        The wait before the request is sent again; None while it is not waited for.
    error
        Why it failed; None while it has not.
    """

    def __init__(
        self,
        model: str,
        notices: Sequence[str] = (),
        *,
        prompt: Message | None = None,
        streamed: bool = True,
        name: str = "",
    ) -> None:
        self.model = model
        self.name = name or model
        self.prompt = prompt
        self._streamed = streamed
        self.notices = list(notices)
        self.builder = CompletionBuilder()
        self.retry: Retry | None = None
        self.error: BaseException | None = None
        self.state: State = "waiting"
        self._started = time.monotonic()
        self._first_content: float | None = None
        self._ended: float | None = None
        self._exchange: Exchange | None = None
        self._arrivals: Arrivals | None = None
        self._kept: Completion | None = None

    def start(self, send: Callable[[Sink], Exchange], arrivals: Arrivals) -> None:
        """Send the request; what arrives goes into `arrivals`."""
        self._arrivals = arrivals
        self._started = time.monotonic()
        self._exchange = send(lambda arrival: arrivals.put((self, arrival)))

    def replay(self, completion: Completion, notice: str) -> None:
        """End with a reply that was kept; nothing is sent, and nothing is paid."""
        self.notices.append(notice)
        self.builder.add(Delta(completion.text, completion.reasoning, images=completion.images))
        self._kept = replace(
            completion, usage=None, first_token_s=None, duration_s=self.elapsed_s, partial=None, cached=True
        )
        self._end("done", time.monotonic())

    def refuse(self, error: Exception) -> None:
        """End it before it is sent: `error` says why it cannot be."""
        self.error = error
        self._end("failed", self._started)

    def stop(self) -> None:
        """Ask for its end, from any thread: its connection is closed, and what came is kept."""
        if self._exchange is not None and self._arrivals is not None:
            self._arrivals.put((self, None))  # first, so that it ends as stopped, not as cancelled
            self._exchange.cancel()

    def abandon(self) -> None:
        """End it now, if it has not ended: nobody waits for it any more."""
        if not self.ended:
            self.stop()
            self.receive(None)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._ended is not None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request, until now or until its end."""
        return (time.monotonic() if self._ended is None else self._ended) - self._started

    @property
    def first_token_s(self) -> float | None:
        """Seconds from the request to the first content; None before it."""
        return None if self._first_content is None else self._first_content - self._started

    def receive(self, arrival: Arrival | None) -> None:
        """Take in what arrived; None says that a stop was asked for."""
        if self.ended:
            return
        if arrival is None:
            self._end("stopped", time.monotonic())
        elif isinstance(arrival, Ended):
            self.error = arrival.error
            self._end("failed" if arrival.error else "done", arrival.at)
        elif isinstance(arrival, Notice):
            self.notices.append(arrival.notice)
        elif isinstance(arrival, Retrying):
            self.retry = arrival.retry
        else:
            self._grow(arrival)

    def _grow(self, arrival: Deltas) -> None:
        self.retry = None
        for delta in arrival.deltas:
            self.builder.add(delta)
            self.notices += delta.notes
        if self._first_content is None and not self.builder.empty:
            self._first_content = arrival.at
            self.state = "streaming"

    def _end(self, state: State, at: float) -> None:
        self.state = state
        self._ended = at

    @property
    def completion(self) -> Completion | None:
        """The completion of what came; None if it ended without a word of the model's."""
        if self._kept is not None:
            return self._kept
        partial: Partial | None = {"stopped": "stopped", "failed": "incomplete"}.get(self.state)  # type: ignore[assignment]  # mypy widens the values to str
        if partial and self.builder.empty:
            return None
        return self.builder.build(
            self.model,
            first_token_s=self.first_token_s if self._streamed else None,
            duration_s=self.elapsed_s,
            partial=partial,
        )


Arrivals: TypeAlias = SimpleQueue[tuple[LiveReply, Arrival | None]]
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


def exchange(replies: Sequence[LiveReply], start: Callable[[Arrivals], None], paint: Paint) -> BaseException | None:
    """Show `replies`, send their requests, and wait until all have ended.

    Parameters
    ----------
    replies
        What is waited for.
    start
        Sends the requests; their news go into the queue.
    paint
        Called with all replies, on this thread.

    Returns
    -------
    BaseException or None
        The user's interrupt, or else what `paint` raised after the requests were sent.
    """
    arrivals: Arrivals = SimpleQueue()
    painting = Painting(paint)
    try:
        open_view(paint, replies)  # refusals are said before anything is sent
        start(arrivals)
        follow(replies, arrivals, painting)
    except KeyboardInterrupt as interrupt:
        return interrupt
    finally:  # whatever happened: a second interrupt, say
        for reply in replies:
            reply.abandon()
    return painting.error


def follow(replies: Sequence[LiveReply], arrivals: Arrivals, paint: Paint) -> None:
    """Wait until every reply has ended, painting on the way; at most 20 frames a second.

    An interrupt stops all replies, takes in what was already on its way, and is raised again.

    Parameters
    ----------
    replies
        Those that were sent.
    arrivals
        Where their news arrives.
    paint
        Called with all replies, on this thread.
    """
    try:
        _follow(replies, arrivals, paint)
    except KeyboardInterrupt:
        for reply in replies:
            reply.stop()
        _drain(arrivals, time.monotonic() + _AFTER_CANCEL_S, replies)
        raise


def _follow(replies: Sequence[LiveReply], arrivals: Arrivals, paint: Paint) -> None:
    paint(replies)
    painted = time.monotonic()
    while not all(r.ended for r in replies):
        try:
            reply, arrival = arrivals.get(timeout=_IDLE_S)
        except Empty:
            pass
        else:
            # The first words are not kept waiting for their frame: there is one such frame for each reply.
            if not _begins(reply, arrival):
                _drain(arrivals, painted + FRAME_S, replies, to_first_words=True)
        paint(replies)
        painted = time.monotonic()


def _begins(reply: LiveReply, arrival: Arrival | None) -> bool:
    """Take in what arrived; returns whether it brought the reply's first words."""
    before = reply.first_token_s
    reply.receive(arrival)
    return before is None and reply.first_token_s is not None


def _drain(arrivals: Arrivals, until: float, replies: Sequence[LiveReply], *, to_first_words: bool = False) -> None:
    """Take in what arrives up to the time `until`, or until all replies have ended, or one of them begins."""
    while not all(r.ended for r in replies):
        try:
            reply, arrival = arrivals.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return
        if _begins(reply, arrival) and to_first_words:
            return
