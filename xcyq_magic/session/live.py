"""One reply while it comes: what came, how it stands, and how it is stopped."""

from __future__ import annotations

import time
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Literal, TypeAlias

from xcyq_magic.chat.completion import Completion, CompletionBuilder, Delta, Partial
from xcyq_magic.gateway.attempt import Arrival, Deltas, Ended, Notice, Retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.chat.messages import Message
    from xcyq_magic.gateway.attempt import Sink
    from xcyq_magic.gateway.client import Exchange
    from xcyq_magic.gateway.retries import Retry

State: TypeAlias = Literal["waiting", "streaming", "done", "stopped", "failed"]


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
        self._unwanted = False

    def start(self, send: Callable[[Sink], Exchange], arrivals: Arrivals) -> None:
        """Send the request, unless its end was asked for before; what arrives goes into `arrivals`."""
        if self._unwanted:
            self.receive(None)
            return
        self._arrivals = arrivals
        self._started = time.monotonic()
        self._exchange = send(lambda arrival: arrivals.put((self, arrival)))
        if self._unwanted:  # its end was asked for meanwhile, by a click, and there was nothing to cancel
            self.stop()

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
