"""One reply while it comes: what came, how it stands, and how it is stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from xcyq_magic.chat.completion import Completion, CompletionBuilder, Delta, Partial
from xcyq_magic.errors import InputError, TypeMismatchError
from xcyq_magic.gateway.attempt import Arrival, Deltas, Ended, Notice, Retrying

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.messages import Message
    from xcyq_magic.gateway.attempt import Sink
    from xcyq_magic.gateway.client import Exchange
    from xcyq_magic.gateway.retries import Retry
    from xcyq_magic.session.typed import AnswerType

State: TypeAlias = Literal["waiting", "streaming", "done", "stopped", "failed"]
_PARTIAL: dict[State, Partial] = {"stopped": "stopped", "failed": "incomplete"}


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
        self._unwanted = False
        self._first: Completion | None = None  # the reply that did not fit
        self._again: Callable[[str, TypeMismatchError], Send] | None = None
        self._data: Any = None
        self._in_fence = False  # of what is shown

    def start(
        self, send: Send, arrivals: Arrivals, again: Callable[[str, TypeMismatchError], Send] | None = None
    ) -> None:
        """Send the request, unless its end was asked for before; what arrives goes into `arrivals`.

        Parameters
        ----------
        send
            Sends the request.
        arrivals
            Where all that is heard of it goes.
        again
            Gives what asks again, from a reply that does not fit its type and the reason; None to ask once.
        """
        if self._unwanted:
            self.receive(None)
            return
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
        self._unwanted = True
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
        self._again = None  # it holds the job, which holds this

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
