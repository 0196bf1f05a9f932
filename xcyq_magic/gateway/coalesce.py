"""Chunks of a body that came together, joined: what follows is done once for all of them. No I/O of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from typing_extensions import Self  # for type checkers only: it is in typing from Python 3.11 on

_MOST_AT_ONCE = 64 * 1024  # bytes, and one chunk: as much as httpcore reads at once; little may unpack to much


class Stream(Protocol):
    """Chunks that are closed by whoever has enough of them."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over them; it ends without closing."""

    async def aclose(self) -> None:
        """Take no more."""


class Coalesced:
    """The chunks of `stream`, those as one that come without a return to the event loop.

    A packet may hold hundreds, each an HTTP chunk of its own. A task of its own reads them; whoever takes them is
    woken at the return to the loop, so that nothing waits for what has not come yet. An error of `stream` is raised
    after all that came before it.

    The task only reads: cancelled while it closes a stream of httpcore, it would leave a connection of the pool
    taken for ever. So whoever iterates closes.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._came: list[bytes] = []
        self._news = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    async def _read(self) -> None:
        size = 0
        try:
            async for chunk in self._stream:
                self._came.append(chunk)
                self._news.set()
                size += len(chunk)
                if size > _MOST_AT_ONCE:
                    size = 0
                    await asyncio.sleep(0)  # whoever takes them has been woken, and comes first
        finally:
            self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
        while not self._came:
            if self._reader.done():
                self._reader.result()  # raises its error
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        joined = b"".join(self._came)
        self._came.clear()
        return joined

    async def aclose(self) -> None:
        """End the reading, and close the stream."""
        try:
            if self._reader is not None:
                self._reader.cancel()
                with anyio.CancelScope(shield=True):
                    await asyncio.gather(self._reader, return_exceptions=True)
        finally:
            await self._stream.aclose()
