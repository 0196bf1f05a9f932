"""From the chunks of an answer's body to deltas; no I/O of its own, and bounds that protect the kernel."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from xcyq_magic.errors import AnswerError, IncompleteReplyError
from xcyq_magic.gateway import wire
from xcyq_magic.gateway.events import EventDecoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from xcyq_magic.chat.completion import Delta
    from xcyq_magic.gateway.events import Event

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


async def receive(chunks: AsyncIterator[bytes], pass_on: Callable[[list[Delta]], None]) -> None:
    """Read a reply, giving its deltas to `pass_on` packet by packet.

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
        pass_on([wire.decode_answer(await read_body(chunks, begun))])
    else:
        await _receive_stream(begun, chunks, pass_on)


async def _receive_stream(begun: bytes, chunks: AsyncIterator[bytes], pass_on: Callable[[list[Delta]], None]) -> None:
    decoder = EventDecoder()
    done, finished = _pass_on(decoder.decode(begun), pass_on)
    if done:
        return
    async for chunk in chunks:
        done, ended = _pass_on(decoder.decode(chunk), pass_on)
        finished = finished or ended
        if done:
            return
    try:
        done, ended = _pass_on(decoder.flush(), pass_on)
    except AnswerError:  # what the end cut off is no JSON, because it was cut off
        done = ended = False
    if not (done or ended or finished):
        msg = "The reply broke off: the stream ended without a finish reason."
        raise IncompleteReplyError(msg, "What came is kept in _reply and marked. Run the cell again.")


def _pass_on(events: list[Event], pass_on: Callable[[list[Delta]], None]) -> tuple[bool, bool]:
    """Give the deltas of `events` to `pass_on`; returns whether [DONE] and whether a finish reason came."""
    deltas: list[Delta] = []
    done = False
    try:
        for event in events:
            done = event.data.strip() == wire.DONE
            if done:
                break
            if delta := wire.decode_event(event):
                deltas.append(delta)
    finally:  # an error in the same packet must not swallow the text before it
        if deltas:
            pass_on(deltas)
    return done, any(d.finish_reason for d in deltas)
