"""From the chunks of an answer's body to deltas; no I/O of its own, and bounds that protect the kernel."""

from __future__ import annotations

import codecs
import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcyq_magic.errors import AnswerError, IncompleteReplyError
from xcyq_magic.gateway import wire
from xcyq_magic.gateway.events import Event, EventDecoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from xcyq_magic.chat.completion import Delta

LARGEST_BODY = 64 * 1024 * 1024  # bytes of an answer in one piece
_EVENT_LINE = re.compile(rb":|(data|event|id|retry)\s*(:|$)", re.MULTILINE)
_MOST_SHOWN = 2_000  # bytes kept of what may be no stream at all, for its error
_BLANK = codecs.BOM_UTF8 + b" \t\r\n"


def _too_large() -> AnswerError:
    msg = f"The gateway's answer is larger than {LARGEST_BODY >> 20} MiB; it was not read to its end."
    return AnswerError(msg, "Check the address: %config GatewaySettings.base_url shows it.")


async def read_body(chunks: AsyncIterator[bytes], begun: bytes = b"") -> bytes:
    """The whole body, `begun` included.

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
    hide: Callable[[str], str] = str,
) -> None:
    """Read a reply, giving its deltas to `pass_on` packet by packet.

    `hide` takes out what must not be shown, before anything is cut to length.

    The body itself tells what it is: gateways answer JSON or a page although a stream was asked for,
    under any content type. No line of an event stream begins like either.

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
    if begun[:1] in {b"{", b"[", b"<"}:
        body = (await read_body(chunks, begun)).decode("utf-8-sig", "replace")
        pass_on([wire.decode_answer(hide(body).encode("utf-8", "surrogatepass"))])
    else:
        await _receive_stream(begun, chunks, _Passing(pass_on, hide))


@dataclass
class _Passing:
    """Gives the deltas of events on, and notes how the stream stands."""

    pass_on: Callable[[list[Delta]], None]
    hide: Callable[[str], str]
    done: bool = False
    finished: bool = False
    begun: bool = False  # whether any event came
    size: int = 0  # characters of text and reasoning

    def __call__(self, events: list[Event]) -> None:
        deltas: list[Delta] = []
        self.begun = self.begun or bool(events)
        try:
            for event in events:
                self.done = event.data.strip() == wire.DONE
                if self.done:
                    break
                if delta := wire.decode_event(Event(self.hide(event.data), event.type)):
                    deltas.append(delta)
        finally:  # an error in the same packet must not swallow the text before it
            if deltas:
                self.pass_on(deltas)
        self.finished = self.finished or any(d.finish_reason for d in deltas)
        self.size += sum(len(d.text) + len(d.reasoning) for d in deltas)
        if self.size > LARGEST_BODY:
            raise _too_large()


async def _receive_stream(begun: bytes, chunks: AsyncIterator[bytes], passing: _Passing) -> None:
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
        raise wire.no_completion(passing.hide(begun.decode("utf-8", "replace")).encode())
    if not (passing.done or passing.finished):
        msg = "The reply broke off: the stream ended without a finish reason."
        raise IncompleteReplyError(msg, "What came is kept in _reply and marked. Run the cell again.")
