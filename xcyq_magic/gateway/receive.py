"""From the chunks of an answer's body to deltas; no I/O of its own, and bounds that protect the kernel."""

from __future__ import annotations

import codecs
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcyq_magic.errors import AnswerError, IncompleteReplyError
from xcyq_magic.gateway import wire
from xcyq_magic.gateway.events import Event, EventDecoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from xcyq_magic.chat.completion import Delta

LARGEST_BODY = 64 * 1024 * 1024  # bytes of an answer in one piece
_BLANK = codecs.BOM_UTF8 + b" \t\r\n"


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
            msg = f"The gateway's answer is larger than {LARGEST_BODY >> 20} MiB; it was not read to its end."
            raise AnswerError(msg, "Check the address: %config GatewaySettings.base_url shows it.")
    return b"".join(pieces)


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
    begun = b""
    async for chunk in chunks:
        begun += chunk
        if begun.strip(_BLANK):
            break
    if not begun.strip(_BLANK):
        nothing = b""
        raise wire.no_completion(nothing)
    if begun.lstrip(_BLANK)[:1] in {b"{", b"[", b"<"}:
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

    def __call__(self, events: list[Event]) -> None:
        deltas: list[Delta] = []
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


async def _receive_stream(begun: bytes, chunks: AsyncIterator[bytes], passing: _Passing) -> None:
    decoder = EventDecoder()
    passing(decoder.decode(begun))
    if passing.done:
        return
    async for chunk in chunks:
        passing(decoder.decode(chunk))
        if passing.done:
            return
    with contextlib.suppress(AnswerError):  # what the end cut off is no JSON, because it was cut off
        passing(decoder.flush())
    if not (passing.done or passing.finished):
        msg = "The reply broke off: the stream ended without a finish reason."
        raise IncompleteReplyError(msg, "What came is kept in _reply and marked. Run the cell again.")
