"""Server-Sent Events, after https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.

However the bytes are cut into chunks, the events are the same.
"""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.gateway.events import Event, EventDecoder

E = Event
BOM = b"\xef\xbb\xbf"

TABLE = {
    "nothing": (b"", []),
    "one event": (b"data: a\n\n", [E("a")]),
    "two events": (b"data: a\n\ndata: b\n\n", [E("a"), E("b")]),
    "no space after the colon": (b"data:a\n\n", [E("a")]),
    "one space is dropped, not two": (b"data:  a \n\n", [E(" a ")]),
    "a tab is no space": (b"data:\ta\n\n", [E("\ta")]),
    "colons in the value": (b"data: a: b:c\n\n", [E("a: b:c")]),
    "CR": (b"data: a\r\rdata: b\r\r", [E("a"), E("b")]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [E("a"), E("b")]),
    "LF then CRLF": (b"data: a\n\r\ndata: b\r\n\n", [E("a"), E("b")]),
    "CR then CRLF": (b"data: a\r\r\ndata: b\r\r\n", [E("a"), E("b")]),
    "CRLF is one line ending": (b"data: a\r\ndata: b\r\n\r\n", [E("a\nb")]),
    "LF CR is two": (b"data: a\n\rdata: b\n\r", [E("a"), E("b")]),
    "several data lines": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [E("YHOO\n+2\n10")]),
    "comments": (b": PING\n\n: keep-alive\n:\ndata: a\n:between\ndata: b\n\n", [E("a\nb")]),
    "the standard's comments": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [E("first event"), E("second event"), E(" third event")],
    ),
    "the standard's empty data": (b"data\n\ndata\ndata\n\n", [E(""), E("\n")]),
    "an empty data line": (b"data:\n\n", [E("")]),
    "an empty data line among others": (b"data: a\ndata:\ndata: b\n\n", [E("a\n\nb")]),
    "blank lines alone": (b"\n\n\r\r\r\n\r\n", []),
    "event": (b"event: error\ndata: a\n\ndata: b\n\n", [E("a", "error"), E("b")]),
    "event after data": (b"data: a\nevent: ping\n\n", [E("a", "ping")]),
    "the last event field counts": (b"event: a\nevent: b\ndata: x\n\n", [E("x", "b")]),
    "an empty event field": (b"event: a\nevent:\ndata: x\n\n", [E("x")]),
    "event without data": (b"event: ping\n\ndata: a\n\n", [E("a")]),
    "id and retry": (b"id: 7\nretry: 3000\ndata: a\n\nid\nretry: soon\n\n", [E("a")]),
    "other fields": (b"foo: bar\nfoo\ndatas: x\ndata: a\n\n", [E("a")]),
    "fields have small letters": (b"Data: x\nDATA: y\ndata: a\n\n", [E("a")]),
    "no space before a field or its colon": (b" data: x\ndata : y\ndata: a\n\n", [E("a")]),
    "BOM": (BOM + b"data: a\n\n", [E("a")]),
    "BOM and nothing": (BOM, []),
    "a second BOM is no BOM": (BOM + BOM + b"data: x\n\ndata: a\n\n", [E("a")]),
    "a BOM in the middle is no BOM": (b"data: a\n\n" + BOM + b"data: b\n\n", [E("a")]),
    "a BOM in a value": (b"data: a" + BOM + b"\n\n", [E("a\ufeff")]),
    "separators that end no line": (
        "data: a\u2028b\u2029c\u0085d\n\n".encode(),
        [E("a\u2028b\u2029c\u0085d")],
    ),
    "controls that end no line": (b"data: a\x0bb\x0cc\x1cd\x1de\x1ef\n\n", [E("a\x0bb\x0cc\x1cd\x1de\x1ef")]),
    "NUL": (b"data: a\0b\n\n", [E("a\0b")]),
    "letters of many bytes": ("data: é漢\N{GRINNING FACE}\n\n".encode(), [E("é漢\N{GRINNING FACE}")]),
    "bytes that are no UTF-8": (b"data: \xff\xe6\xbc\n\n", [E("\ufffd\ufffd")]),
    "a last event without a blank line": (b"data: a\n\ndata: b\n", [E("a"), E("b")]),
    "a last event without a line's end": (b"data: a\n\nevent: x\ndata: b", [E("a"), E("b", "x")]),
    "a last event that ends in CR": (b"data: a\r\ndata: b\r", [E("a\nb")]),
    "a last line that is another field": (b"data: a\nid: 1", [E("a")]),
    "a last line that is a comment": (b"data: a\n\n: bye", [E("a")]),
    "a last event field alone": (b"data: a\n\nevent: x", [E("a")]),
}

table = pytest.mark.parametrize(("stream", "events"), TABLE.values(), ids=TABLE)


def decode(*chunks: bytes) -> list[Event]:
    decoder = EventDecoder()
    return [event for chunk in chunks for event in decoder.decode(chunk)] + decoder.flush()


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(bounds)]


@table
def test_a_stream_in_one_piece(stream, events):
    assert decode(stream) == events


@table
def test_a_stream_cut_in_two_anywhere(stream, events):
    for n in range(len(stream) + 1):
        assert decode(stream[:n], stream[n:]) == events, n


@table
def test_a_stream_byte_by_byte(stream, events):
    assert decode(*(stream[n : n + 1] for n in range(len(stream)))) == events


@given(st.sampled_from(sorted(TABLE)), st.lists(st.integers(0, 120), max_size=12))
def test_a_stream_cut_in_any_way(name, cuts):
    stream, events = TABLE[name]
    assert decode(*cut(stream, cuts)) == events


def test_an_event_is_there_with_its_blank_line():
    decoder = EventDecoder()
    assert decoder.decode(b"data: a\n") == []
    assert decoder.decode(b"\n") == [E("a")]
    assert decoder.flush() == []


def test_an_event_does_not_wait_for_the_LF_after_its_CR():  # noqa: N802  # the standard's names
    decoder = EventDecoder()
    assert decoder.decode(b"data: a\r\r") == [E("a")]
    assert decoder.decode(b"\ndata: b\r\n\r\n") == [E("b")]


def test_what_was_flushed_does_not_come_again():
    decoder = EventDecoder()
    decoder.decode(b"data: a")
    assert decoder.flush() == [E("a")]
    assert decoder.flush() == []


def as_the_standard_says(stream: bytes) -> list[Event]:
    """The standard's rules, word for word; but the end of the stream ends its last event."""
    lines = re.split("\r\n|\r|\n", stream.decode("utf-8", "replace").removeprefix("\ufeff"))
    events, data, kind = [], "", ""
    for line in [*lines, ""]:
        name, _, value = line.partition(":")
        if line == "":
            if data:
                events.append(Event(data.removesuffix("\n"), kind or "message"))
            data, kind = "", ""
        elif name == "event":
            kind = value.removeprefix(" ")
        elif name == "data":
            data += value.removeprefix(" ") + "\n"
    return events


@table
def test_the_table_is_the_standards(stream, events):
    assert as_the_standard_says(stream) == events


TOKENS = [b"data", b"event", b"id", b":", b" ", b"\r", b"\n", b"\r\n", b"\n\n", BOM, b"a", b"\xc3\xa9", b"\xff", b"\0"]
streams = st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join) | st.binary(max_size=60)


@given(streams, st.lists(st.integers(0, 60), max_size=8))
def test_any_bytes_in_any_chunks_are_read_as_the_standard_says(stream, cuts):
    assert decode(*cut(stream, cuts)) == as_the_standard_says(stream)
