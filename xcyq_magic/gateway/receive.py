"""From the chunks of an answer's body to deltas; no I/O of its own, and bounds that protect the kernel."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import re
from typing import TYPE_CHECKING, Protocol

import anyio

from xcyq_magic.chat.completion import Delta
from xcyq_magic.errors import AnswerError, IncompleteReplyError
from xcyq_magic.gateway import refusals, wire
from xcyq_magic.gateway.credentials import Hider
from xcyq_magic.gateway.events import Event, EventDecoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from typing_extensions import Self  # for type checkers only: it is in typing from Python 3.11 on

    from xcyq_magic.gateway.credentials import ApiKey


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


LARGEST_BODY = 64 * 1024 * 1024  # bytes of an answer in one piece
_EVENT_LINE = re.compile(rb":|(data|event|id|retry)\s*(:|$)", re.MULTILINE)
_MOST_SHOWN = 2_000  # bytes kept of what may be no stream at all, for its error
_BLANK = codecs.BOM_UTF8 + b" \t\r\n"


def _too_large() -> AnswerError:
    msg = f"The gateway's answer is larger than {LARGEST_BODY >> 20} MiB; it was not read to its end."
    return AnswerError(msg, "Check the address: %config GatewaySettings.base_url shows it.")


async def read_body(chunks: AsyncIterator[bytes], begun: bytes = b"") -> bytes:
    """Return the whole body, `begun` included.

    Raises
    ------
    AnswerError
        It is larger than `LARGEST_BODY`.
    """
    pieces, size = [begun], len(begun)
    async for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > LARGEST_BODY:
            raise _too_large()
    return b"".join(pieces)


async def exhaust(chunks: AsyncIterator[bytes]) -> None:
    """Read to the end what nobody needs: with it, a connection is free for the next request."""
    async for _ in chunks:
        pass


async def receive(
    chunks: AsyncIterator[bytes],
    pass_on: Callable[[list[Delta]], None],
    key: ApiKey,
) -> None:
    """Read a reply, giving its deltas to `pass_on` packet by packet, without the key.

    The body itself tells what it is: gateways answer JSON, a JSON record in each line, or a page although a stream was
    asked for, under any content type. No line of an event stream begins like either.

    Parameters
    ----------
    chunks
        The body of the answer, as it comes.
    pass_on
        Called with the deltas of each packet.
    key
        The key to hide.

    Raises
    ------
    GatewayError
        It is an error, no reply, or not whole. What came before has been passed on.
    """
    begun, skipped = b"", 0
    async for chunk in chunks:
        begun = chunk.lstrip(_BLANK)
        if begun:
            break
        skipped += len(chunk)
        if skipped > LARGEST_BODY:
            raise _too_large()
    if not begun:
        raise refusals.no_completion(begun)
    reader = _StreamReader(pass_on, key)
    try:
        if begun[:1] in {b"{", b"[", b"<", b'"'}:
            await _receive_json(begun, chunks, reader)
        else:
            await _receive_stream(begun, chunks, reader, key)
    except AnswerError as e:
        if reader.said:  # it was one until here
            raise IncompleteReplyError(e.message, "Run the cell again, or ask another model with -m.") from None
        raise
    finally:
        reader.flush()


class _StreamReader:
    """Decode events, pass their deltas on without the key, and count how much came."""

    def __init__(self, pass_on: Callable[[list[Delta]], None], key: ApiKey) -> None:
        self._pass_on = pass_on
        self._key = key
        self._decoder = wire.AnswerDecoder(key.hide)
        self._text, self._reasoning = Hider(key), Hider(key)
        self.begun = False  # whether any event came
        self._size = 0  # characters of text and reasoning, and bytes of pictures

    @property
    def done(self) -> bool:
        """Whether the stream said that it has ended."""
        return self._decoder.done

    @property
    def finished(self) -> bool:
        """Whether a finish reason came: the reply is whole, whatever becomes of the rest."""
        return self._decoder.finished

    @property
    def said(self) -> bool:
        """Whether any word came."""
        return self._decoder.said

    @property
    def unknown(self) -> str:
        """A record that nobody understood, in words."""
        return self._decoder.unknown

    def __call__(self, events: list[Event]) -> None:
        deltas: list[Delta] = []
        self.begun = self.begun or bool(events)
        try:
            for event in events:
                deltas.extend(map(self._hidden, self._decoder.event(event)))  # what came before an error stays
                if self.done:
                    break
        finally:  # an error in the same packet must not swallow the text before it
            if deltas:
                self._pass_on(deltas)
        self._size += sum(len(d.text) + len(d.reasoning) for d in deltas)
        self._size += sum(len(image.data) for d in deltas for image in d.images)
        if self._size > LARGEST_BODY:
            raise _too_large()

    def whole(self, body: bytes) -> None:
        """Take in an answer that is not streamed."""
        self._pass_on([self._hidden(self._decoder.whole(body))])

    def _hidden(self, delta: Delta) -> Delta:
        text, reasoning = self._text(delta.text), self._reasoning(delta.reasoning)
        return (
            delta
            if text == delta.text and reasoning == delta.reasoning
            else delta._replace(text=text, reasoning=reasoning)
        )

    def check_end(self) -> None:
        """Refuse a stream that ended before its reply did, and say where only the reason is missing.

        Raises
        ------
        IncompleteReplyError
            There is neither a finish reason nor an end that can be believed.
        """
        if self.finished:
            return
        why = self.unknown or ("" if self.done else "the stream ended without a finish reason")
        if not why and not self._size and not self._decoder.said:
            why = "the gateway ended it without saying why"
        if why:
            msg = f"The reply broke off: {why}."
            raise IncompleteReplyError(msg, "Run the cell again, or ask another model with -m.")
        self._pass_on([Delta(notes=(wire.NO_REASON,))])

    def flush(self) -> None:
        """Pass on what was held back: the beginning of the key or of a mark that was none, and further answers."""
        last = self._hidden(self._decoder.flush())
        last = last._replace(text=last.text + self._text.flush(), reasoning=last.reasoning + self._reasoning.flush())
        if last != Delta():
            self._pass_on([last])


async def _receive_json(begun: bytes, chunks: AsyncIterator[bytes], reader: _StreamReader) -> None:
    """Read a whole answer; or, where its first line is a chunk by itself, one chunk a line."""
    body, looked = bytearray(begun), 0
    by_line: bool | None = None
    while True:
        while by_line is not False and (end := body.find(b"\n", looked)) >= 0:
            line = bytes(body[:end])
            if by_line is None:
                by_line = wire.is_chunk(line)
                continue
            del body[: end + 1]
            looked = 0
            reader([Event(line.decode("utf-8", "replace"))])
            if reader.done:
                return
        chunk = await anext(chunks, None)
        if chunk is None:
            break
        looked = len(body)
        body += chunk
        if len(body) > LARGEST_BODY:
            raise _too_large()
    if not by_line:
        reader.whole(bytes(body))
        return
    with contextlib.suppress(AnswerError):  # as at the end of a stream
        reader([Event(body.decode("utf-8", "replace"))])
    reader.check_end()


async def _receive_stream(begun: bytes, chunks: AsyncIterator[bytes], reader: _StreamReader, key: ApiKey) -> None:
    decoder = EventDecoder()
    reader(decoder.decode(begun))
    while not reader.done and (chunk := await anext(chunks, None)) is not None:
        if not reader.begun and len(begun) < _MOST_SHOWN:
            begun += chunk
        reader(decoder.decode(chunk))
    if not reader.done:
        with contextlib.suppress(AnswerError):  # what the end cut off is no JSON, because it was cut off
            reader(decoder.flush())
    if not reader.begun and not _EVENT_LINE.match(begun):
        raise refusals.no_completion(key.hide(begun.decode("utf-8", "replace")).encode())
    reader.check_end()
