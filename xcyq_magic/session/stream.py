"""A reply to go through while it comes, with ``for`` or ``async for``."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from xcyq_magic.chat.completion import Completion, DataT_co, Delta

if TYPE_CHECKING:
    from types import TracebackType

    from xcyq_magic.chat.completion import CompletionBuilder
    from xcyq_magic.session.grid import Paint
    from xcyq_magic.session.live import LiveReply
    from xcyq_magic.session.turn import Outcome

Ask: TypeAlias = Callable[["Paint"], "Outcome"]


class _Flow:
    """What the thread that waits for a reply, and whoever reads it, share. It holds no reader, so that one can go.

    Attributes
    ----------
    news
        Told of each change: a delta, or the end.
    deltas
        What came and was not read yet.
    outcome, error
        How it ended; both None while it has not.
    """

    def __init__(self) -> None:
        self.news = threading.Condition()
        self.deltas: deque[Delta] = deque()
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self._wake: list[Callable[[], object]] = []
        self._reply: LiveReply | None = None
        self._unwanted = False
        self._builder: CompletionBuilder | None = None  # whose pieces were passed on
        self._read = (0, 0, 0)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.outcome is not None or self.error is not None

    def run(self, ask: Ask) -> None:
        """Wait for the reply, on a thread of its own."""
        try:
            self.outcome = ask(self._paint)
            self._take(self.outcome.reply)
        except BaseException as e:  # noqa: BLE001  # whatever it is, it is raised where the reply is read
            self.error = e
        self._tell()

    def _paint(self, replies: Sequence[LiveReply]) -> None:
        self._reply = replies[0]
        if self._unwanted:
            self._reply.stop()
        self._take(self._reply)

    def _take(self, reply: LiveReply) -> None:
        """Pass on what came since the last time."""
        builder = reply.builder
        if builder is not self._builder:  # a reply that did not fit its type is followed by another
            self._builder, self._read = builder, (0, 0, 0)
        text, thoughts = builder.text_pieces[self._read[0] :], builder.reasoning_pieces[self._read[1] :]
        images = builder.images[self._read[2] :]
        if text or thoughts or images:
            self._read = (self._read[0] + len(text), self._read[1] + len(thoughts), self._read[2] + len(images))
            self.deltas.append(Delta("".join(text), "".join(thoughts), images=tuple(images)))
            self._tell()

    def _tell(self) -> None:
        with self.news:
            self.news.notify_all()
            waiting, self._wake = self._wake, []
        for wake in waiting:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                wake()

    def call_at_news(self, wake: Callable[[], object]) -> bool:
        """Have `wake` called, once, when there is news; return whether there is none yet."""
        with self.news:
            if self.deltas or self.ended:
                return False
            self._wake.append(wake)
            return True

    def stop(self) -> None:
        """Ask for its end, from any thread; what came is kept."""
        self._unwanted = True
        if self._reply is not None:
            self._reply.stop()


def _set(news: asyncio.Future[None]) -> None:
    if not news.done():  # nobody may wait any more
        news.set_result(None)


class ReplyStream(Iterator[Delta], AsyncIterator[Delta], Generic[DataT_co]):
    """A reply to go through while it comes: with ``for`` or with ``async for``, once.

    Its deltas are what came since the last one, at most 20 a second. Whoever goes on without reading to the end, by
    ``break``, an exception or `close`, stops the reply; what came of it is kept in the conversation, marked.

    Parameters
    ----------
    ask
        Sends the request, paints what comes, and returns how it ended.

    Examples
    --------
    >>> for delta in chat.stream("Tell me more."):   # doctest: +SKIP
    ...     print(delta.text, end="")
    """

    def __init__(self, ask: Ask) -> None:
        self._flow = _Flow()
        self._thread = threading.Thread(target=self._flow.run, args=(ask,), name="xcyq stream", daemon=True)
        self._thread.start()
        weakref.finalize(self, self._flow.stop)

    @property
    def completion(self) -> Completion[DataT_co]:
        """The whole reply; it is waited for. Raises what the reply failed of."""
        self._join()
        if self._flow.error is not None:
            raise self._flow.error
        outcome: Any = self._flow.outcome
        return outcome.result()  # type: ignore[no-any-return]  # a Completion

    def __iter__(self) -> ReplyStream[DataT_co]:
        return self

    def __next__(self) -> Delta:
        """Wait for more of the reply; raises what it failed of, once all that came was read."""
        try:
            with self._flow.news:
                while not self._flow.deltas and not self._flow.ended:
                    self._flow.news.wait()
        except BaseException:  # an interrupt
            self.close()
            raise
        if not self._flow.deltas:
            self._check()
            raise StopIteration
        return self._flow.deltas.popleft()

    def __aiter__(self) -> ReplyStream[DataT_co]:
        return self

    async def __anext__(self) -> Delta:
        """Wait for more of the reply, as `__next__` does."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                news: asyncio.Future[None] = loop.create_future()

                if not self._flow.call_at_news(partial(loop.call_soon_threadsafe, _set, news)):
                    break
                await news
        except BaseException:  # a cancellation
            self._flow.stop()
            raise
        if not self._flow.deltas:
            self._check()
            raise StopAsyncIteration
        return self._flow.deltas.popleft()

    def _check(self) -> None:
        """Raise what the reply failed of; one that was stopped here has not failed."""
        self._join()
        if self._flow.error is not None:
            raise self._flow.error
        if self._flow.outcome is not None and self._flow.outcome.error is not None:
            raise self._flow.outcome.error

    def _join(self) -> None:
        try:
            self._thread.join()
        except KeyboardInterrupt:
            self._flow.stop()
            self._thread.join()
            raise

    def close(self) -> None:
        """Stop the reply, if it still comes, and wait until what came is kept."""
        self._flow.stop()
        self._thread.join()

    async def aclose(self) -> None:
        """Do as `close` does, without keeping the event loop."""
        self._flow.stop()
        await asyncio.to_thread(self._thread.join)

    def __enter__(self) -> ReplyStream[DataT_co]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> ReplyStream[DataT_co]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
