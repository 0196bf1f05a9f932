"""A thread that runs an asyncio event loop, so that blocking code can start and stop tasks on it; and their slots."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

from xcyq_magic.gateway.retries import Hold

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
    from concurrent.futures import Future

    from xcyq_magic.errors import GatewayError

T = TypeVar("T")

_CLOSE_S = 5.0


class LoopThread:
    """An event loop on a daemon thread of its own; it starts at once.

    Parameters
    ----------
    name
        Of the thread.
    finish
        Runs on the loop when it is closed, before everything that still runs there is cancelled.
    """

    def __init__(self, name: str, finish: Callable[[], Awaitable[None]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._finish = finish
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            # Here, where it cannot come too late: the thread that closes does not wait for ever.
            self._loop.run_until_complete(self._end())
        finally:
            self._loop.close()

    async def _end(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._finish(), _CLOSE_S)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        with contextlib.suppress(asyncio.TimeoutError):  # its threads look up addresses
            await asyncio.wait_for(self._loop.shutdown_default_executor(), _CLOSE_S)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `coroutine` as a task; cancelling the future cancels the task.

        Raises
        ------
        RuntimeError
            The loop does not run: it was closed, or it is the parent's of a forked process.
        """
        if not self.running:
            coroutine.close()
            msg = "the event loop does not run in this process"
            raise RuntimeError(msg)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    @property
    def running(self) -> bool:
        """Whether its thread runs, in this process: a forked child has the parent's loop, but not its thread."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the loop and wait for its thread. Harmless when done before, in a forked child, and on the loop."""
        if not self.running:
            return
        with contextlib.suppress(RuntimeError):  # another thread closes it, too
            self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.current_thread() is not self._thread:  # there, the garbage collector may close it
            self._thread.join(_CLOSE_S)


class Slots:
    """What the requests of one grid share on the loop: how many are on their way at once, and whom they wait for.

    Parameters
    ----------
    count
        How many at once.
    many
        Whether there are more requests than that.
    """

    def __init__(self, count: int, *, many: bool = False) -> None:
        self.many = many
        self._free = asyncio.Semaphore(count)
        self._holds: defaultdict[str, Hold] = defaultdict(Hold)

    @contextlib.asynccontextmanager
    async def one(self, model: str, tell: Callable[[float], object]) -> AsyncIterator[float]:
        """Take a slot for an attempt to ask `model`, once it is not held back. It is answered if nothing raises.

        Parameters
        ----------
        model
            The model.
        tell
            Called with the seconds for which it is held back. It has no slot meanwhile: others may be asked.

        Yields
        ------
        float
            When it took the slot, on the clock of `time.monotonic`.
        """
        hold = self._holds[model]
        while True:
            if (wait_s := hold.wait_s(time.monotonic())) > 0:
                tell(wait_s)
                await asyncio.sleep(wait_s)
                continue
            async with self._free:
                if hold.wait_s(time.monotonic()) <= 0:  # another one may have been refused while it waited for a slot
                    yield time.monotonic()
                    hold.answered()
                    return

    def refused(self, model: str, error: GatewayError, headers: Mapping[str, str], sent_at: float) -> None:
        """Note how an attempt to ask `model` failed.

        Parameters
        ----------
        model
            The model that was asked.
        error, headers
            How it failed, and the headers of its answer.
        sent_at
            When it took its slot, as `one` said.
        """
        self._holds[model].refused(error, headers, sent_at, time.monotonic())
