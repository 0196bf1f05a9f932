"""Replies while they come: one queue, one pace, one way to stop, for one model or for twelve.

The cell's thread waits here and is the only one that paints. An interrupt reaches a thread that
waits on a queue at once, so a stalled stream is stopped as fast as a lively one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from xcyq_magic.chat.completion import Completion, CompletionBuilder, Delta, Partial
from xcyq_magic.errors import InputError, TypeMismatchError, shorten
from xcyq_magic.gateway.attempt import Arrival, Deltas, Ended, Notice, Retrying

if TYPE_CHECKING:
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.gateway.attempt import Sink
    from xcyq_magic.gateway.client import Exchange
    from xcyq_magic.gateway.retries import Retry
    from xcyq_magic.session.typed import AnswerType

State: TypeAlias = Literal["waiting", "streaming", "done", "stopped", "failed"]
_PARTIAL: dict[State, Partial] = {"stopped": "stopped", "failed": "incomplete"}

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
    answer
        The type that it is to have; None for any text. A reply that does not fit is asked for again, once.
    builder
        What came so far; where it was asked for again, of the second reply.
    shown
        The text of both, in pieces, as views show it while it comes.
    notices
        Lines for the user about this reply.
    retry
        The wait before the request is sent again; None while it is not waited for.
    error
        Why it failed; None while it has not.
    mismatch
        Why the whole reply does not fit its type; None if it does.
    """

    def __init__(
        self,
        model: str,
        notices: Sequence[str] = (),
        *,
        prompt: Message | None = None,
        streamed: bool = True,
        name: str = "",
        answer: AnswerType[Any] | None = None,
    ) -> None:
        self.model = model
        self.name = name or model
        self.prompt = prompt
        self._streamed = streamed
        self.notices = list(notices)
        self.answer = answer
        self.mismatch: TypeMismatchError | None = None
        self.builder = CompletionBuilder()
        self.shown = self.builder.text_pieces if answer is None else []
        self.retry: Retry | None = None
        self.error: BaseException | None = None
        self.state: State = "waiting"
        self._started = time.monotonic()
        self._first_content: float | None = None
        self._ended: float | None = None
        self._exchange: Exchange | None = None
        self._arrivals: Arrivals | None = None
        self._kept: Completion | None = None
        self._first: Completion | None = None  # the reply that did not fit
        self._again: Callable[[str, TypeMismatchError], Send] | None = None
        self._data: Any = None
        self._in_fence = False  # of what is shown

    def start(
        self, send: Send, arrivals: Arrivals, again: Callable[[str, TypeMismatchError], Send] | None = None
    ) -> None:
        """Send the request; what arrives goes into `arrivals`.

        Parameters
        ----------
        send
            Sends the request.
        arrivals
            Where all that is heard of it goes.
        again
            Gives what asks again, from a reply that does not fit its type and the reason; None to ask once.
        """
        self._arrivals, self._again = arrivals, again
        self._started = time.monotonic()
        self._exchange = send(self._sink(arrivals))

    def _sink(self, arrivals: Arrivals) -> Sink:
        """Return what passes on all that arrives up to the end; what comes later does not count."""
        ended = False

        def sink(arrival: Arrival) -> None:
            nonlocal ended
            if not ended:
                arrivals.put((self, arrival))
            ended = ended or isinstance(arrival, Ended)

        return sink

    def replay(self, completion: Completion, notice: str) -> None:
        """End with a reply that was kept; nothing is sent, and nothing is paid.

        Raises
        ------
        TypeMismatchError
            It does not fit the type that is asked for now.
        """
        data = self.answer.parse(completion.text) if self.answer else None
        self.notices.append(notice)
        self.builder.add(Delta(completion.text, completion.reasoning, images=completion.images))
        self._kept = replace(
            completion, usage=None, first_token_s=None, duration_s=self.elapsed_s, partial=None, cached=True, data=data
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
            if self._exchange is not None:  # another one may have begun since the stop
                self._exchange.cancel()
            self._end("stopped", time.monotonic())
        elif isinstance(arrival, Ended):
            self.error = arrival.error
            if arrival.error is not None or self._fits():
                self._end("failed" if arrival.error else "done", arrival.at)
        elif isinstance(arrival, Notice):
            self.notices.append(arrival.notice)
        elif isinstance(arrival, Retrying):
            self.retry = arrival.retry
        else:
            self._grow(arrival)

    def _fits(self) -> bool:
        """Return whether the whole reply is one to end with; otherwise it has been asked for again."""
        if self.answer is None:
            return True
        reply = self.builder.build(self.model, duration_s=self.elapsed_s, first_token_s=self.first_token_s)
        try:
            self._data = self.answer.parse(reply.text, truncated=reply.finish_reason == "length")
        except TypeMismatchError as e:
            self.mismatch = e
            if self._first is not None or e.final or self._again is None or self._arrivals is None:
                return True
            with contextlib.suppress(InputError):  # the session was closed meanwhile
                self._exchange = self._again(reply.text, e)(self._sink(self._arrivals))
                self.notices.append(f"{e.message} It was asked for again.")
                self._first, self.builder, self.state = reply, CompletionBuilder(), "waiting"
                self._close_fence()
                return False
        else:
            self.mismatch = None
        return True

    def _grow(self, arrival: Deltas) -> None:
        self.retry = None
        shown = len(self.builder.text_pieces)
        for delta in arrival.deltas:
            self.builder.add(delta)
            self.notices += delta.notes
        if self.answer is not None and (pieces := self.builder.text_pieces[shown:]):
            if not shown and "".join(pieces).lstrip().startswith(("{", "[")):
                self.shown.append("```json\n")
                self._in_fence = True
            self.shown += pieces
        if not self.builder.empty:
            self._first_content = self._first_content or arrival.at
            self.state = "streaming"

    def _close_fence(self) -> None:
        if self._in_fence:
            self.shown.append("\n```")
        if self.shown:
            self.shown.append("\n\n")
        self._in_fence = False

    def _end(self, state: State, at: float) -> None:
        if self.answer is not None:
            self._close_fence()
        self.state = state
        self._ended = at

    @property
    def completion(self) -> Completion | None:
        """The completion of what came; None if it ended without a word of the model's."""
        if self._kept is not None:
            return self._kept
        partial = _PARTIAL.get(self.state)
        if partial and self.builder.empty and self._first is None:
            return None
        built = self.builder.build(
            self.model,
            first_token_s=self.first_token_s if self._streamed else None,
            duration_s=self.elapsed_s,
            partial=partial,
        )
        if self._first is not None:
            built = self._both(self._first, built)
        return replace(built, data=self._data)

    def _both(self, first: Completion, second: Completion) -> Completion:
        """Return the second reply, or the first one where no word of the second came, with the tokens of both."""
        last = second
        if self.ended and self.builder.empty:
            last = replace(first, first_token_s=second.first_token_s, duration_s=second.duration_s)
        return replace(last, usage=first.usage.plus(second.usage) if first.usage else second.usage)


Arrivals: TypeAlias = SimpleQueue[tuple[LiveReply, Arrival | None]]
Send: TypeAlias = Callable[["Sink"], "Exchange"]
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
