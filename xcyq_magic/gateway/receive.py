"""From the chunks of an answer's body to deltas; no I/O of its own, and bounds that protect the kernel."""

from __future__ import annotations

import codecs
import contextlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from xcyq_magic.chat.completion import Delta
from xcyq_magic.errors import AnswerError, GatewayError, IncompleteReplyError
from xcyq_magic.gateway import wire
from xcyq_magic.gateway.credentials import Hider
from xcyq_magic.gateway.events import Event, EventDecoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from xcyq_magic.gateway.credentials import ApiKey

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

    The body itself tells what it is: gateways answer JSON or a page although a stream was asked for,
    under any content type. No line of an event stream begins like either.

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
        raise wire.no_completion(begun)
    passing = _StreamReader(pass_on, key)
    try:
        if begun[:1] in {b"{", b"[", b"<"}:
            passing.whole(await read_body(chunks, begun))
        else:
            await _receive_stream(begun, chunks, passing, key)
    finally:
        passing.flush()


class _StreamReader:
    """Decode events, pass their deltas on without the key, and record whether the end or a finish reason came."""

    def __init__(self, pass_on: Callable[[list[Delta]], None], key: ApiKey) -> None:
        self._pass_on = pass_on
        self._key = key
        self._text, self._reasoning = Hider(key), Hider(key)
        self._names: tuple[str | None, ...] = ()  # the last delta's, and as they are shown
        self._shown: tuple[str | None, ...] = ()
        self.done = False
        self.finished = False
        self.begun = False  # whether any event came
        self._size = 0  # characters of text and reasoning

    def __call__(self, events: list[Event]) -> None:
        deltas: list[Delta] = []
        self.begun = self.begun or bool(events)
        try:
            for event in events:
                self.done = event.data.strip() == wire.DONE
                if self.done:
                    break
                if delta := self._decode(event):
                    deltas.append(self._hidden(delta))
        finally:  # an error in the same packet must not swallow the text before it
            if deltas:
                self._pass_on(deltas)
        self.finished = self.finished or any(d.finish_reason for d in deltas)
        self._size += sum(len(d.text) + len(d.reasoning) for d in deltas)
        if self._size > LARGEST_BODY:
            raise _too_large()

    def _decode(self, event: Event) -> Delta | None:
        try:
            return wire.decode_event(event)
        except GatewayError:  # its words are cut to length: the key is taken out before, or half of it would show
            return wire.decode_event(Event(self._key.hide(event.data), event.type))

    def whole(self, body: bytes) -> None:
        """Take in an answer that is not streamed."""
        text = body.decode("utf-8-sig", "replace")
        try:
            delta = wire.decode_answer(text.encode())
        except GatewayError:  # as above
            delta = wire.decode_answer(self._key.hide(text).encode())
        self._pass_on([self._hidden(delta)])

    def _hidden(self, delta: Delta) -> Delta:
        names = (delta.id, delta.model, delta.finish_reason)
        if names != self._names:  # they are repeated in each delta
            self._names, self._shown = names, tuple(name and self._key.hide(name) for name in names)
        text, reasoning = self._text(delta.text), self._reasoning(delta.reasoning)
        if delta.finish_reason:
            text, reasoning = text + self._text.flush(), reasoning + self._reasoning.flush()
        if self._shown == names and text == delta.text and reasoning == delta.reasoning:
            return delta
        name, model, finish_reason = self._shown
        return replace(delta, text=text, reasoning=reasoning, id=name, model=model, finish_reason=finish_reason)

    def flush(self) -> None:
        """Pass on what was held back because it might have been the beginning of the key."""
        last = Delta(self._text.flush(), self._reasoning.flush())
        if last.text or last.reasoning:
            self._pass_on([last])


async def _receive_stream(begun: bytes, chunks: AsyncIterator[bytes], passing: _StreamReader, key: ApiKey) -> None:
    decoder = EventDecoder()
    passing(decoder.decode(begun))
    if passing.done:
        return
    async for chunk in chunks:
        if not passing.begun and len(begun) < _MOST_SHOWN:
            begun += chunk
        passing(decoder.decode(chunk))
        if passing.done:
            return
    with contextlib.suppress(AnswerError):  # what the end cut off is no JSON, because it was cut off
        passing(decoder.flush())
    if not passing.begun and not _EVENT_LINE.match(begun):
        raise wire.no_completion(key.hide(begun.decode("utf-8", "replace")).encode())
    if not (passing.done or passing.finished):
        msg = "The reply broke off: the stream ended without a finish reason."
        raise IncompleteReplyError(msg, "What came is kept in _reply and marked. Run the cell again.")
