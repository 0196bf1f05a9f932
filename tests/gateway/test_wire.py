"""The JSON of the endpoint's answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.chat.completion import Delta, Usage
from xcyq_magic.errors import (
    AnswerError,
    AuthenticationError,
    BadRequestError,
    GatewayError,
    IncompleteReplyError,
    NotFoundError,
    RateLimitError,
    ServerError,
    StatusError,
)
from xcyq_magic.gateway import refusals, wire
from xcyq_magic.gateway.events import Event
from xcyq_magic.gateway.failures import is_failure

# Streams


def decoded(data: str, kind: str = "message") -> Delta | None:
    """What an event adds, or all that it adds; None if nothing."""
    found = [*wire.AnswerDecoder().event(Event(data, kind))]
    assert len(found) < 2
    return found[0] if found else None


def decoded_answer(body: bytes) -> Delta:
    return wire.AnswerDecoder().whole(body)


def chunk(**delta) -> dict:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


CHUNKS = {
    "content": (chunk(content="a"), Delta("a")),
    "role alone": (chunk(role="assistant"), Delta()),
    "role and empty content": (chunk(role="assistant", content=""), Delta()),
    "content null": (chunk(content=None), Delta()),
    "content of parts": (chunk(content=[{"type": "text", "text": "a"}, {"type": "x"}, "y"]), Delta("ay")),
    "content that is a number": (chunk(content=3), Delta()),
    "reasoning_content": (chunk(reasoning_content="hm"), Delta(reasoning="hm")),
    "reasoning": (chunk(reasoning="hm"), Delta(reasoning="hm")),
    "reasoning before the role": (chunk(reasoning_content="hm", content=None), Delta(reasoning="hm")),
    "both": (chunk(reasoning="hm", content="a"), Delta("a", "hm")),
    "no choices": ({}, Delta()),
    "choices empty": ({"choices": []}, Delta()),
    "choices null": ({"choices": None}, Delta()),
    "choices of nothing": ({"choices": [None]}, Delta()),
    "choices that are no list": ({"choices": {"0": {}}}, Delta()),
    "delta null": ({"choices": [{"delta": None}]}, Delta()),
    "delta that is a string": ({"choices": [{"delta": "a"}]}, Delta("a")),
    "no delta": ({"choices": [{"index": 0}]}, Delta()),
    "finish reason": ({"choices": [{"delta": {}, "finish_reason": "stop"}]}, Delta(finish_reason="stop")),
    "finish reason without a delta": ({"choices": [{"finish_reason": "length"}]}, Delta(finish_reason="length")),
    "an unknown finish reason": ({"choices": [{"delta": {}, "finish_reason": "mood"}]}, Delta(finish_reason="mood")),
    "an empty finish reason": ({"choices": [{"delta": {"content": "a"}, "finish_reason": ""}]}, Delta("a")),
    "usage": (
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
        Delta(usage=Usage(1, 2, 3)),
    ),
    "usage null": ({**chunk(content="a"), "usage": None}, Delta("a")),
    "usage with details": (
        {"usage": {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 1}, "cost": 0.1}},
        Delta(usage=Usage(1, cached_tokens=1)),
    ),
    "envelope": (
        {"id": "x", "object": "chat.completion.chunk", "created": 7, "model": "m", **chunk(content="a")},
        Delta("a", id="x", created=7, model="m"),
    ),
    "envelope of wrong types": ({"id": 5, "created": "7", "model": None, **chunk(content="a")}, Delta("a")),
    "unknown fields": ({**chunk(content="a", tool_calls=[], audio={}), "x": {"y": []}, "choices_left": 3}, Delta("a")),
    "error null": ({**chunk(content="a"), "error": None}, Delta("a")),
}


@pytest.mark.parametrize(("record", "delta"), CHUNKS.values(), ids=CHUNKS)
def test_a_chunk_is_a_delta(record, delta):
    assert (decoded(json.dumps(record)) or Delta()) == delta


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["choices", "delta", "content", "usage", "reasoning", "message"]), inner)
    ),
    max_leaves=12,
)


@given(json_values)
def test_a_chunk_of_any_shape_is_read_without_a_crash(record):
    try:
        assert all(isinstance(d, Delta) for d in wire.AnswerDecoder().event(Event(json.dumps(record))))
    except GatewayError:
        assert is_failure(record)


@pytest.mark.parametrize("data", ["", "  ", "\n", "1", "null", '"ping"', "[]", "true"])
def test_an_event_without_an_object_adds_nothing(data):
    assert decoded(data) is None


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Event('{"error": {"message": "Overloaded", "type": "overloaded_error"}}'), "Overloaded"),
        (Event('{"error": "quota is used up"}'), "quota is used up"),
        (Event('{"error": {"code": 500}}'), "500"),
        (Event('{"choices": [], "error": {"message": "late"}}'), "late"),
        (Event('{"error": {"message": "typed"}}', "error"), "typed"),
        (Event('{"message": "no error object"}', "error"), "no error object"),
        (Event('{"type": "error", "error": {"type": "x", "message": "twice"}}', "error"), "twice"),
        (Event('"only words"', "error"), "only words"),
        (Event("upstream is gone", "error"), "upstream is gone"),
    ],
)
def test_an_error_in_the_stream_is_raised_with_its_words(event, words):
    with pytest.raises(IncompleteReplyError, match=words):
        decoded(event.data, event.type)


@pytest.mark.parametrize("data", ["{", "hello", '{"a": 1}\n{"b": 2', "[" * 100_000])
def test_an_event_that_is_no_json_is_no_answer(data):
    with pytest.raises(AnswerError, match="not valid JSON"):
        decoded(data)


# Whole answers


def answer(**message) -> dict:
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("record", "delta"),
    [
        (answer(role="assistant", content="a"), Delta("a", finish_reason="stop")),
        (answer(content="a", reasoning_content="hm"), Delta("a", "hm", finish_reason="stop")),
        (answer(content=None), Delta(finish_reason="stop")),
        (
            {
                "id": "x",
                "object": "chat.completion",
                "created": 7,
                "model": "m",
                **answer(content="a"),
                "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
                "system_fingerprint": None,
            },
            Delta("a", id="x", created=7, model="m", finish_reason="stop", usage=Usage(1, 2, 3)),
        ),
    ],
)
def test_a_whole_answer_is_a_delta(record, delta):
    assert decoded_answer(json.dumps(record).encode()) == delta


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "Overloaded"}}', "Overloaded"),
        (b'{"error": "quota"}', "quota"),
    ],
)
def test_an_answer_that_is_an_error_is_raised_with_its_words(body, words):
    with pytest.raises(AnswerError, match=words):
        decoded_answer(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "200 with nothing"),
        (b" \r\n", "200 with nothing"),
        (b'{"status": "ok"}', 'no chat completion: {"status": "ok"}'),
        (b'{"choices": null}', "no chat completion"),
        (b"[]", "no chat completion"),
        (b"null", "no chat completion"),
        (b"hello", "no chat completion: hello"),
        (b"\xff\xfe", "no chat completion"),
        (b"[" * 100_000, "no chat completion"),
    ],
)
def test_an_answer_that_is_something_else_is_no_chat_completion(body, words):
    with pytest.raises(AnswerError) as raised:
        decoded_answer(body)
    assert words in raised.value.message
    assert len(raised.value.message) < 400
    assert "GatewaySettings.base_url" in raised.value.hint


# Web pages

PAGES = {
    "a page": (b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><b>x</b>", "502 Bad Gateway"),
    "in capitals": (b"<HTML><HEAD><TITLE>Sign in</TITLE></HEAD>", "Sign in"),
    "a title over lines": (b"\n\n<html><title lang='en'>\n  Sign\n  in\n</title><h1>x</h1>", "Sign in"),
    "body alone": (b"<body><h1>502 Bad Gateway</h1></body>", ""),
    "no title": (b"<html><h1>502 Bad Gateway</h1></html>", ""),
    "an old doctype": (b'<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<title>302 Found</title>', "302 Found"),
    "a comment first": (b"<!-- cdn 7 --><html><title>Blocked</title><p>x</p></html>", "Blocked"),
    "a BOM first": (b"\xef\xbb\xbf<!DOCTYPE html><title>Blocked</title><p>x</p>", "Blocked"),
    "XHTML": (b'<?xml version="1.0"?>\n<!DOCTYPE html><html><title>Blocked</title><p>x</p></html>', "Blocked"),
    "a title first": (b"<title>504 Gateway Time-out</title><h1>x</h1>", "504 Gateway Time-out"),
    "a heading alone": (b"<h1>Bad Gateway</h1><p>x</p>", ""),
}
pages = pytest.mark.parametrize(("page", "title"), PAGES.values(), ids=PAGES)


@pages
def test_a_page_instead_of_an_answer_shows_its_title_and_no_html(page, title):
    error = refusals.no_completion(page)
    assert f"200 with a web page{f' ({title!r})' if title else ''}." in error.message
    assert "<" not in str(error)


@pages
def test_a_page_with_a_status_shows_its_title_and_no_html(page, title):
    error = refusals.status_error(502, page)
    assert "502" in error.message
    assert "a web page" in error.message
    assert title in error.message
    assert "<" not in str(error)


def test_the_title_of_a_page_is_shown_as_it_reads():
    assert refusals.page_title(b"<html><title>Tom &amp; Jerry&#39;s</title>") == "Tom & Jerry's"


@pytest.mark.parametrize("body", [b"", b"hello", b'{"html": "<html>"}', b"1 < 2"])
def test_what_is_no_page_has_no_title(body):
    assert refusals.page_title(body) is None


# Statuses


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, BadRequestError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (405, BadRequestError),
        (408, ServerError),
        (413, BadRequestError),
        (422, BadRequestError),
        (429, RateLimitError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (529, ServerError),
        (599, ServerError),
    ],
)
def test_each_status_has_its_error(status, kind):
    error = refusals.status_error(status, b'{"error": {"message": "no"}}')
    assert type(error) is kind
    assert error.status == status
    assert str(status) in error.message


def test_the_fields_of_an_error_are_kept():
    body = {"error": {"message": "Bad stop", "type": "invalid_request_error", "param": "stop", "code": "bad"}}
    error = refusals.status_error(400, json.dumps(body).encode())
    assert (error.kind, error.param, error.code) == ("invalid_request_error", "stop", "bad")
    assert "Bad stop" in error.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "m", "type": null, "param": null, "code": 7}}', "refused with 400: m"),
        (b'{"error": "text"}', "refused with 400: text"),
        (b'{"object": "error", "message": "m", "code": 40001}', "refused with 400: m"),
        (b'{"message": "m"}', "refused with 400: m"),
        (b'{"detail": "Not allowed"}', "refused with 400: Not allowed"),
        (b'"m"', "refused with 400: m"),
        (b"upstream connect error", "refused with 400: upstream connect error"),
        (b"", "refused with 400."),
        (b"{}", "refused with 400: {}"),
        (b"[]", "refused with 400: []"),
        (b"null", "refused with 400."),
        (b'{"error": {}}', 'refused with 400: {"error": {}}'),
        (b'{"error": {"message": {"a": 1}}}', 'refused with 400: {"error": {"message": {"a": 1}}}'),
        (b"\xff\xfe\x00", "refused with 400"),
        (b"[" * 100_000, "refused with 400"),
    ],
)
def test_an_error_of_any_shape_shows_its_words(body, words):
    error = refusals.status_error(400, body)
    assert words in error.message
    assert len(error.message) < 400
    assert (error.kind, error.param) == (None, None)


@given(st.integers(400, 599), st.binary(max_size=60) | json_values.map(lambda v: json.dumps(v).encode()))
def test_a_refusal_of_any_bytes_is_an_error_that_prints(status, body):
    error = refusals.status_error(status, body)
    assert isinstance(error, StatusError)
    assert error.message.isprintable()


def test_errors_within_errors_have_a_bound():
    record = "the innermost"
    for _ in range(5000):
        record = {"error": record}
    assert len(str(refusals.stream_error(record))) < 1000


@pytest.mark.parametrize("name", ["model", "id"])
def test_a_name_is_no_longer_than_a_line(name):
    delta = decoded(json.dumps({**chunk(content="a"), name: "word\n" * 20_000}))
    assert len(getattr(delta, name)) < 310
    assert "\n" not in getattr(delta, name)


def test_a_number_without_an_end_costs_nothing_but_itself():
    usage = f'{{"prompt_tokens": {"9" * 5000}, "completion_tokens": 2}}'
    event = Event(f'{{"choices": [{{"index": 0, "delta": {{"content": "a"}}}}], "usage": {usage}}}')
    assert decoded(event.data).text == "a"
    assert decoded(event.data).usage == Usage(None, 2)
    assert decoded_answer(event.data.encode()).text == "a"


def test_an_error_of_many_words_is_cut_to_a_line_or_two():
    message = refusals.status_error(500, json.dumps({"error": {"message": "word \n" * 2000}}).encode()).message
    assert len(message) < 400
    assert message.endswith("…")
