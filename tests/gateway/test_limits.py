"""What a gateway may send at most: beyond that comes a clear error, and the kernel lives on."""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc
import zlib
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from servers import DONE, Answer, delta, event, http

from xcyq_magic import errors
from xcyq_magic.chat.messages import Message
from xcyq_magic.gateway.events import EventDecoder
from xcyq_magic.session.turn import TurnOptions

if TYPE_CHECKING:
    from xcyq_magic.session.session import ChatSession

MIB = 1024 * 1024
PATIENCE_S = 30.0
MOST_MEMORY = 300 * MIB
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
PACKET = b"a" * MIB
TEXT = delta("a" * MIB)
WHOLE = Answer(http(delta("Hello") + delta("", "stop") + DONE, kind="text/event-stream"))


def zipped(begun: bytes, mib: int, *, twice: bool = False) -> bytes:
    """A response of which little travels."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    head = packer.compress(begun) + packer.flush(zlib.Z_FULL_FLUSH)
    packet = packer.compress(PACKET) + packer.flush(zlib.Z_FULL_FLUSH)  # needs nothing before it: it may come again
    crc, size = reduce(lambda crc, _: zlib.crc32(PACKET, crc), range(mib), zlib.crc32(begun)), len(begun) + mib * MIB
    body = gzip.compress(b"")[:10] + head + packet * mib + packer.flush() + struct.pack("<II", crc, size)
    return http(
        gzip.compress(body) if twice else body, kind="text/event-stream", Content_Encoding="gzip" + ", gzip" * twice
    )


FLOODS = {
    "an event": (Answer(STREAM + b"data: ", "close", more=PACKET, times=100), "more than 32 MiB"),
    "a comment": (Answer(STREAM + b": ", "close", more=PACKET, times=100), "more than 32 MiB"),
    "a field without a colon": (Answer(STREAM, "close", more=PACKET, times=100), "more than 32 MiB"),
    "an event in many lines": (
        Answer(STREAM, "close", more=b"data: " + b"a" * 65_000 + b"\n", times=1600),
        "more than 32 MiB",
    ),
    "an event after text": (
        Answer(STREAM + delta("Hel") + b"data: ", "close", more=PACKET, times=100),
        "more than 32 MiB",
    ),
    "a reply of many events": (Answer(STREAM, "close", more=TEXT, times=120), "64 MiB"),
    "a body in JSON": (Answer(JSON + b'{"choices": "', "close", more=PACKET, times=150), "larger than 64 MiB"),
    "a page": (Answer(STREAM + b"<!doctype html><p>", "close", more=PACKET, times=150), "larger than 64 MiB"),
    "blank lines": (Answer(STREAM, "close", more=b"\n" * MIB, times=70), "64 MiB"),
    "a refusal's body": (
        Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n", "close", more=PACKET, times=150),
        "refused with 400",  # its first words are enough; the rest is not read
    ),
    "a bomb of an event": (Answer(zipped(b"data: ", 200)), "more than 32 MiB"),
    "a bomb of JSON": (Answer(zipped(b'{"choices": "', 200)), "larger than 64 MiB"),
    "a bomb of a page": (Answer(zipped(b"<html>", 200)), "larger than 64 MiB"),
    "a bomb in a bomb": (Answer(zipped(b"data: ", 600, twice=True)), ""),
    "a header": (Answer(b"HTTP/1.1 200 OK\r\nX-Flood: ", "close", more=PACKET, times=100), ""),
    "headers": (Answer(b"HTTP/1.1 200 OK\r\n", "close", more=b"X-Flood: 1\r\n" * 1000, times=2000), ""),
    "a status line": (Answer(b"HTTP/1.1 200 ", "close", more=PACKET, times=100), ""),
    "trailers": (
        Answer(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "close",
            more=b"X-Flood: 1\r\n" * 1000,
            times=2000,
        ),
        "",
    ),
    "a chunk's head": (
        Answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "close", more=PACKET, times=100),
        "",
    ),
}


def ask(session: ChatSession):
    def paint(replies) -> None:
        if replies[0].elapsed_s > PATIENCE_S:
            replies[0].stop()

    return session.ask(Message.of("user", "Hello"), TurnOptions(once=True), paint=paint)


@pytest.fixture
def memory():
    """Bytes that Python holds more than at the beginning, at most so far."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    yield lambda: tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()


@pytest.mark.parametrize(("answer", "words"), FLOODS.values(), ids=FLOODS)
def test_a_flood_ends_in_a_clear_error_and_the_client_goes_on(gateway, memory, answer, words):
    session, server = gateway(answer, WHOLE)
    error = ask(session).error
    assert isinstance(error, errors.GatewayError)
    assert words in error.message
    assert "unexpected" not in error.message
    assert error.hint
    assert len(str(error)) < 1000
    assert memory() < MOST_MEMORY
    assert len(server.requests) == 1
    after = ask(session)
    assert (after.error, after.completion.text) == (None, "Hello")


def test_a_large_reply_within_the_bounds_is_read_whole(gateway, memory):
    body = {"choices": [{"message": {"content": "a" * (30 * MIB)}, "finish_reason": "stop"}]}
    payload, streamed = http(json.dumps(body)), http(event(body) + DONE, kind="text/event-stream")
    session, _ = gateway(Answer(payload), Answer(streamed))
    for _ in range(2):
        outcome = ask(session)
        assert outcome.error is None
        assert len(outcome.completion.text) == 30 * MIB
    assert memory() < 2 * MOST_MEMORY


def test_comments_without_end_hold_no_memory(memory):
    decoder = EventDecoder()
    packet = b": keep-alive\n\n" * 5000
    for _ in range(100):
        assert decoder.decode(packet) == []
    assert memory() < MIB


@pytest.mark.parametrize("line", [b"data:\n", b"data: a\n"], ids=repr)
def test_an_event_of_tiny_lines_is_bounded_too(line):
    decoder, packet = EventDecoder(), line * (MIB // len(line))

    def decode() -> None:
        for _ in range(40):
            decoder.decode(packet)

    with pytest.raises(errors.AnswerError, match="32 MiB"):
        decode()
