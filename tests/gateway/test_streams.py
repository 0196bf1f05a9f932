"""What gateways really send, row by row: what the reader sees of it, and what stays in the conversation.

The bytes are played by a raw server to a whole session. However they are cut into packets, the result is the same.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Literal

import pytest
from servers import DONE, Answer, RawServer, chunked, delta, event, http

from xcyq_magic import errors
from xcyq_magic.chat.completion import CompletionBuilder, Usage
from xcyq_magic.chat.messages import Message
from xcyq_magic.display.bundle import turn_bundle
from xcyq_magic.gateway import refusals
from xcyq_magic.gateway.credentials import ApiKey
from xcyq_magic.gateway.receive import read_body, receive
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable

    from xcyq_magic.session.turn import Outcome

MODEL = "claude-sonnet-4-6"
KEY = ApiKey("sk-5ecret-0123456789")
STREAM = "text/event-stream"
BOM = b"\xef\xbb\xbf"
FINISH = delta("", "stop")
HELLO = delta("Hel") + delta("lo")
USAGE = {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}
COUNTED = Usage(11, 2, 13)
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in &amp; go on</title></head><body><hr>nginx</body></html>"


def said(finish_reason: str | None = None, **fields: object) -> bytes:
    """The event of a chunk whose delta holds `fields`."""
    return event({"choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]})


@dataclass(frozen=True)
class Row:
    """An answer, and what must come of it.

    Attributes
    ----------
    framing
        How HTTP says where the body ends; the last three end the connection before that.
    kept
        What then stands in the conversation.
    words
        In the error's message.
    shown
        In the settled output.
    """

    body: bytes
    text: str = "Hello"
    reasoning: str = ""
    finish_reason: str | None = "stop"
    usage: Usage | None = None
    model: str = MODEL
    error: type[errors.XcyqError] | None = None
    words: str = ""
    kept: Literal["whole", "incomplete", "nothing"] = "whole"
    shown: str = ""
    kind: str = STREAM
    status: str = "200 OK"
    framing: Literal["length", "chunked", "gzip", "until close", "dropped", "dropped in a chunk", "short"] = "length"

    @property
    def dropped(self) -> bool:
        return self.framing in {"dropped", "dropped in a chunk", "short"}

    def payload(self) -> bytes:
        """The whole response, as far as it goes."""
        plain = f"HTTP/1.1 {self.status}\r\nContent-Type: {self.kind}\r\n"
        return {
            "length": http(self.body, self.status, self.kind, x_should_retry="false"),
            "gzip": http(gzip.compress(self.body, mtime=0), self.status, self.kind, Content_Encoding="gzip"),
            "chunked": chunked(self.body, kind=self.kind),
            "until close": f"{plain}\r\n".encode() + self.body,
            "dropped": chunked(self.body, kind=self.kind, whole=False),
            "dropped in a chunk": f"{plain}Transfer-Encoding: chunked\r\n\r\nffff\r\n".encode() + self.body,
            "short": f"{plain}Content-Length: {len(self.body) + 100}\r\n\r\n".encode() + self.body,
        }[self.framing]

    def answer(self, cuts: Iterable[int] = ()) -> Answer:
        then = "close" if self.dropped or self.framing == "until close" else "keep"
        return Answer(self.payload(), then, tuple(cuts))


def broken(body: bytes, error: type[errors.XcyqError], words: str, **more) -> Row:
    """An answer that fails after its text, if it had any."""
    text = more.pop("text", "Hello")
    has_said = bool(text or more.get("reasoning"))
    more = {"finish_reason": None, "shown": "incomplete" if has_said else "no reply", **more}
    return Row(body, text=text, error=error, words=words, kept="incomplete" if has_said else "nothing", **more)


def refused(body: bytes, error: type[errors.XcyqError], words: str, **more) -> Row:
    """An answer without a word of a model's."""
    return broken(body, error, words, text="", **more)


SEPARATORS = "a\u2028b\u2029c\u0085d\u000be\u000cf\u001cg"
RAW_SEPARATORS = json.dumps({"choices": [{"delta": {"content": "a\u2028b\u2029c\u0085d"}}]}, ensure_ascii=False)
TWO_LINES = b'data: {"choices": [{"delta":\ndata: {"content": "Hello"}}]}\n\n'
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": MODEL}
WHOLE_HEAD = {**HEAD, "object": "chat.completion", "system_fingerprint": None}

TABLE = {
    # The standard's rules
    "plain": Row(HELLO + FINISH + DONE),
    "comments": Row(
        b": PING\n\n: keep-alive\n:\n" + delta("Hel") + b": PING\n\n" + delta("lo") + b":\n" + FINISH + DONE
    ),
    "no space after data:": Row((HELLO + FINISH + DONE).replace(b"data: ", b"data:")),
    "CR": Row((HELLO + FINISH + DONE).replace(b"\n", b"\r")),
    "CRLF": Row((HELLO + FINISH + DONE).replace(b"\n", b"\r\n")),
    "CR, LF and CRLF": Row(delta("Hel").replace(b"\n", b"\r") + delta("lo") + FINISH.replace(b"\n", b"\r\n") + DONE),
    "several data: lines": Row(TWO_LINES + FINISH + DONE),
    "several data: lines in CRLF": Row((TWO_LINES + FINISH + DONE).replace(b"\n", b"\r\n")),
    "event, id and retry": Row(
        b"retry: 3000\n\nid: 1\nevent: message\n" + HELLO + b"id\nevent: chunk\n" + FINISH + DONE
    ),
    "BOM": Row(BOM + HELLO + FINISH + DONE),
    "empty data": Row(
        b"data:\n\ndata\n\ndata: \n\n" + delta("Hel") + b"data:\ndata:\n\n" + delta("lo") + FINISH + DONE
    ),
    "blank lines first": Row(b"\n\n\r\n" + HELLO + FINISH + DONE),
    "pings in JSON": Row(
        event({"type": "ping"}) + delta("Hel") + event({"type": "ping"}) + delta("lo") + FINISH + DONE
    ),
    "event: ping": Row(
        b'event: ping\ndata: {"type": "ping"}\n\n' + HELLO + b"event: ping\ndata: {}\n\n" + FINISH + DONE
    ),
    "JSON that is no object": Row(
        event(1_700_000_000) + event(None) + event([]) + event("ping") + HELLO + FINISH + DONE
    ),
    "gzip": Row(HELLO + FINISH + DONE, framing="gzip"),
    "gzip of an answer in one piece": Row(json.dumps(ANSWER).encode(), framing="gzip", kind="application/json"),
    "in one chunk": Row(HELLO + FINISH + DONE, framing="chunked"),
    "until the connection ends": Row(HELLO + FINISH + DONE, framing="until close"),
    "letters of many bytes": Row(delta("é漢\N{GRINNING FACE}") + FINISH + DONE, text="é漢\N{GRINNING FACE}"),
    "a charset that is wrong": Row(
        'data: {"choices":[{"delta":{"content":"é漢\N{GRINNING FACE}"}}]}\n\n'.encode() + FINISH + DONE,
        text="é漢\N{GRINNING FACE}",
        kind=f"{STREAM}; charset=iso-8859-1",
    ),
    "a charset that is none": Row(HELLO + FINISH + DONE, kind=f"{STREAM}; charset=nonsense"),
    "the wrong type": Row(HELLO + FINISH + DONE, kind="application/json"),
    "separators in a data line": Row(
        f"data: {RAW_SEPARATORS}\n\n".encode() + FINISH + DONE, text="a\u2028b\u2029c\u0085d"
    ),
    "separators as escapes": Row(delta(SEPARATORS) + FINISH + DONE, text=SEPARATORS),
    "an emoji in two halves": Row(delta("\ud83d") + delta("\ude00") + FINISH + DONE, text="\N{GRINNING FACE}"),
    # Ends
    "no [DONE]": Row(HELLO + FINISH),
    "no finish reason": Row(HELLO + DONE, finish_reason=None),
    "no blank line after [DONE]": Row(HELLO + DONE.rstrip(), finish_reason=None),
    "no blank line after the last event": Row(HELLO + FINISH.rstrip()),
    "no blank line after a last event with text": Row(delta("Hel") + delta("lo", "stop").rstrip()),
    "one line end after the last event": Row(delta("Hel") + delta("lo", "stop")[:-1]),
    "no blank line after the usage": Row(
        HELLO + FINISH + event({"choices": [], "usage": USAGE}).rstrip(), usage=COUNTED
    ),
    "more after [DONE]": Row(HELLO + FINISH + DONE + delta(" again") + b"data: {\n\n" + DONE),
    "dropped after the finish reason": Row(HELLO + FINISH, framing="dropped"),
    "dropped after [DONE]": Row(HELLO + FINISH + DONE, framing="dropped"),
    # Deltas
    "role first": Row(said(role="assistant") + HELLO + FINISH + DONE),
    "role and empty content first": Row(said(role="assistant", content="") + HELLO + FINISH + DONE),
    "role in every delta": Row(said(role="assistant", content="Hello") + said("stop", role="assistant") + DONE),
    "content null": Row(said(role="assistant", content=None) + HELLO + said("stop", content=None) + DONE),
    "delta null": Row(event({"choices": [{"index": 0, "delta": None}]}) + HELLO + FINISH + DONE),
    "no delta": Row(event({"choices": [{"index": 0}]}) + HELLO + FINISH + DONE),
    "choices []": Row(event({"choices": []}) + delta("Hel") + event({"choices": []}) + delta("lo") + FINISH + DONE),
    "choices null": Row(
        event({"choices": None}) + delta("Hel") + event({"choices": None}) + delta("lo") + FINISH + DONE
    ),
    "choices [null]": Row(event({"choices": [None]}) + HELLO + FINISH + DONE),
    "no choices": Row(event(HEAD) + HELLO + FINISH + DONE),
    "reasoning_content": Row(
        said(reasoning_content="Hm, ") + said(reasoning_content="yes.", content=None) + HELLO + FINISH + DONE,
        reasoning="Hm, yes.",
        shown="Reasoning",
    ),
    "reasoning": Row(said(reasoning="Hm.") + HELLO + FINISH + DONE, reasoning="Hm.", shown="Reasoning"),
    "reasoning before the role": Row(
        said(reasoning_content="Hm.") + said(role="assistant", content="") + HELLO + FINISH + DONE, reasoning="Hm."
    ),
    "reasoning and text in one delta": Row(said("stop", reasoning="Hm.", content="Hello") + DONE, reasoning="Hm."),
    "reasoning under both names": Row(
        said(reasoning_content="Hm.", reasoning="Hm.") + HELLO + FINISH + DONE, reasoning="Hm."
    ),
    "reasoning null": Row(said(reasoning_content=None, reasoning=None) + HELLO + FINISH + DONE),
    "usage after the finish reason": Row(
        HELLO + FINISH + event({"choices": [], "usage": USAGE}) + DONE, usage=COUNTED, shown="11 tokens in, 2 out"
    ),
    "usage with choices null": Row(HELLO + FINISH + event({"choices": None, "usage": USAGE}) + DONE, usage=COUNTED),
    "usage without [DONE]": Row(HELLO + FINISH + event({"choices": [], "usage": USAGE}), usage=COUNTED),
    "usage null until the end": Row(
        event({"choices": [{"delta": {"content": "Hello"}}], "usage": None})
        + FINISH
        + event({"choices": [], "usage": {**USAGE, "prompt_tokens_details": {"cached_tokens": 0}}})
        + DONE,
        usage=COUNTED,
    ),
    "usage that is no usage": Row(HELLO + FINISH + event({"choices": [], "usage": "many"}) + DONE),
    "error null": Row(event({"error": None, **ANSWER}) + DONE),
    # Ends that need a word
    "an unknown finish reason": Row(
        HELLO + delta("", "mood swing") + DONE, finish_reason="mood swing", shown="ended: mood swing"
    ),
    "a finish reason that is no text": Row(
        HELLO + event({"choices": [{"delta": {}, "finish_reason": {"why": 1}}]}) + DONE, finish_reason=None
    ),
    "unknown fields": Row(
        event({**HEAD, "provider": {"a": [1]}, "choices": [{"delta": {"content": "Hello", "x": [{}]}, "logprobs": 1}]})
        + event({"x_groq": {"id": 1}, "obfuscation": "…"})
        + FINISH
        + DONE
    ),
    "another model": Row(
        event({**HEAD, "model": "gpt-5.4-low", "choices": [{"delta": {"content": "Hello"}}]}) + FINISH + DONE,
        model="gpt-5.4-low",
        shown=f"{MODEL}, answered by gpt-5.4-low",
    ),
    "length": Row(HELLO + delta("", "length") + DONE, finish_reason="length", shown="raise --max-tokens"),
    "length, nothing said": Row(
        said(role="assistant", content="") + delta("", "length") + DONE,
        text="",
        finish_reason="length",
        shown="Thinking used up max_tokens",
    ),
    "length, only thought": Row(
        said(reasoning_content="Hm.") + delta("", "length") + DONE,
        text="",
        reasoning="Hm.",
        finish_reason="length",
        shown="Thinking used up max_tokens",
    ),
    # Errors inside the stream
    "an error object": broken(
        HELLO + event({"error": {"message": "Overloaded", "type": "overloaded_error"}}),
        errors.IncompleteReplyError,
        "Overloaded",
    ),
    "an error that is text": broken(HELLO + event({"error": "Overloaded"}), errors.IncompleteReplyError, "Overloaded"),
    "event: error": broken(
        HELLO + b'event: error\ndata: {"message": "Overloaded"}\n\n', errors.IncompleteReplyError, "Overloaded"
    ),
    "event: error with an error object": broken(
        HELLO + b'event: error\ndata: {"type": "error", "error": {"message": "Overloaded"}}\n\n',
        errors.IncompleteReplyError,
        "Overloaded",
    ),
    "event: error without JSON": broken(
        HELLO + b"event: error\ndata: Overloaded\n\n", errors.IncompleteReplyError, "Overloaded"
    ),
    "an error without a blank line": broken(
        HELLO + event({"error": "Overloaded"}).rstrip(), errors.IncompleteReplyError, "Over"
    ),
    "an error, and [DONE]": broken(
        HELLO + event({"error": "Overloaded"}) + DONE, errors.IncompleteReplyError, "Overloaded"
    ),
    "an error beside choices": broken(
        HELLO + event({"error": {"message": "Overloaded"}, "choices": [{"delta": {}, "finish_reason": "error"}]}),
        errors.IncompleteReplyError,
        "Overloaded",
    ),
    "an error after reasoning": broken(
        said(reasoning="Hm.") + event({"error": "Overloaded"}),
        errors.IncompleteReplyError,
        "Over",
        text="",
        reasoning="Hm.",
    ),
    "an error first": refused(event({"error": {"message": "Overloaded"}}), errors.IncompleteReplyError, "Overloaded"),
    "an error of the older shape": broken(
        HELLO + event({"object": "error", "message": "Overloaded", "code": 503}),
        errors.IncompleteReplyError,
        "Overloaded",
    ),
    "no JSON": broken(HELLO + b"data: {not JSON\n\n" + FINISH + DONE, errors.IncompleteReplyError, "not valid JSON"),
    "no JSON first": refused(b"data: {not JSON\n\n" + FINISH + DONE, errors.AnswerError, "not valid JSON"),
    "no JSON after an empty delta": refused(
        said(role="assistant") + b"data: {not JSON\n\n", errors.AnswerError, "not valid JSON"
    ),
    "no JSON after reasoning": broken(
        said(reasoning="Hm.") + b"data: {not JSON\n\n",
        errors.IncompleteReplyError,
        "not valid JSON",
        text="",
        reasoning="Hm.",
    ),
    # Ends in the middle
    "neither finish reason nor [DONE]": broken(HELLO, errors.IncompleteReplyError, "broke off"),
    "ended in an event": broken(HELLO + b'data: {"choi', errors.IncompleteReplyError, "broke off"),
    "ended in a letter": broken(
        HELLO + b'data: {"choices":[{"delta":{"content":"\xe6', errors.IncompleteReplyError, ""
    ),
    "ended until the connection ends": broken(HELLO, errors.IncompleteReplyError, "broke off", framing="until close"),
    "dropped between chunks": broken(HELLO, errors.IncompleteReplyError, "broke off", framing="dropped"),
    "dropped in a chunk": broken(HELLO, errors.IncompleteReplyError, "broke off", framing="dropped in a chunk"),
    "dropped in an event": broken(
        HELLO + b'data: {"choi', errors.IncompleteReplyError, "broke off", framing="dropped in a chunk"
    ),
    "shorter than its length": broken(HELLO, errors.IncompleteReplyError, "broke off", framing="short"),
    "dropped before any text": refused(
        b": PING\n\n" + said(role="assistant"), errors.IncompleteReplyError, "broke off", framing="dropped"
    ),
    "comments and no more": refused(b": PING\n\n: PING\n\n", errors.IncompleteReplyError, "broke off"),
    # Answers that are no streams
    "a whole answer": Row(json.dumps({**WHOLE_HEAD, **ANSWER, "usage": USAGE}).encode(), usage=COUNTED),
    "a whole answer of its own type": Row(json.dumps(ANSWER, indent=2).encode(), kind="application/json"),
    "a whole answer after blank lines": Row(
        BOM + b"\r\n\n " + json.dumps(ANSWER).encode() + b"\n", kind="application/json"
    ),
    "a whole answer with reasoning": Row(
        json.dumps({"choices": [{"message": {"content": "Hello", "reasoning_content": "Hm."}}]}).encode(),
        reasoning="Hm.",
        finish_reason=None,
    ),
    "a whole answer in letters of many bytes": Row(
        json.dumps({"choices": [{"message": {"content": "é漢\u2028"}}]}, ensure_ascii=False).encode(),
        text="é漢\u2028",
        finish_reason=None,
        kind="application/json; charset=iso-8859-1",
    ),
    "a whole answer that is cut": refused(json.dumps(ANSWER).encode()[:-20], errors.AnswerError, "no chat completion"),
    "a whole answer that is dropped": refused(
        json.dumps(ANSWER).encode()[:-20], errors.IncompleteReplyError, "broke off", framing="dropped"
    ),
    "an error in JSON": refused(b'{"error": {"message": "Quota is used up"}}', errors.AnswerError, "Quota is used up"),
    "an error in JSON of its own type": refused(
        b'{"error": "Quota is used up"}', errors.AnswerError, "Quota is used up", kind="application/json"
    ),
    "an error in JSON of the older shape": refused(
        b'{"object": "error", "message": "Quota is used up"}', errors.AnswerError, "Quota is used up"
    ),
    "another JSON": refused(
        b'{"ok": true}', errors.AnswerError, "200 with no chat completion", kind="application/json"
    ),
    "a list in JSON": refused(b"[]", errors.AnswerError, "200 with no chat completion", kind="application/json"),
    "text that is no JSON": refused(b"Quota is used up", errors.AnswerError, "Quota is used up", kind="text/plain"),
    "a page": refused(PAGE, errors.AnswerError, "200 with a web page ('Sign in & go on')", kind="text/html"),
    "a page that says it is a stream": refused(PAGE, errors.AnswerError, "200 with a web page ('Sign in & go on')"),
    "a page with 502": refused(
        PAGE, errors.ServerError, "502: a web page 'Sign in & go on'", kind="text/html", status="502 Bad Gateway"
    ),
    "a stream's error with 502": refused(
        b'{"error": {"message": "No upstream"}}', errors.ServerError, "502: No upstream", status="502 Bad Gateway"
    ),
    "nothing": refused(b"", errors.AnswerError, "200 with nothing"),
    "nothing in JSON": refused(b"", errors.AnswerError, "200 with nothing", kind="application/json"),
    "nothing until the connection ends": refused(b"", errors.AnswerError, "200 with nothing", framing="until close"),
    "nothing in gzip": refused(b"", errors.AnswerError, "200 with nothing", framing="gzip"),
    "blank lines and no more": refused(BOM + b"\r\n\n", errors.AnswerError, "200 with nothing"),
}

table = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)


# Over a socket, through a session


@pytest.fixture(scope="module")
def server():
    server = RawServer([Answer(b"", "close")])
    yield server
    server.close()


@pytest.fixture(scope="module")
def session(server):
    session = ChatSession(GatewaySettings(base_url=server.base_url), ChatSettings(model=MODEL))
    yield session
    session.close()


@pytest.fixture
def play(monkeypatch, server, session):
    """Let the session's gateway give these answers from now on."""
    monkeypatch.setenv("XCYQ_API_KEY", "sk-5ecret-0123456789")

    def start(*answers: Answer) -> ChatSession:
        server.answers, server.requests = list(answers), []
        return session

    return start


def ask(session: ChatSession) -> Outcome:
    session.reset()
    return session.ask(Message.of("user", "Hi"))


def must_be(outcome: Outcome, row: Row, session: ChatSession) -> None:
    """The outcome is what the row says, in the values and on the screen."""
    error, completion = outcome.error, outcome.completion
    if row.error is None:
        assert error is None
    else:
        assert isinstance(error, row.error), repr(error)
        assert row.words in error.message
        assert "<" not in str(error)
    turns = session.conversation().turns
    if row.kept == "nothing":
        assert completion is outcome.turn is None
        assert turns == ()
    else:
        assert turns == (outcome.turn,)
        assert (row.kept == "incomplete") == isinstance(error, errors.IncompleteReplyError)
        assert completion.partial == (None if row.kept == "whole" else "incomplete")
        assert (completion.text, completion.reasoning) == (row.text, row.reasoning)
        assert (completion.finish_reason, completion.usage) == (row.finish_reason, row.usage)
        assert (completion.requested_model, completion.model) == (MODEL, row.model)
    shown = turn_bundle(outcome)
    assert escape(row.shown, quote=False) in shown["text/html"] or escape(row.shown) in shown["text/html"]
    if row.kept == "incomplete":
        assert "incomplete" in shown["text/plain"]


@table
def test_an_answer_in_one_packet(play, row):
    session = play(row.answer())
    must_be(ask(session), row, session)


@table
def test_an_answer_byte_by_byte(play, row):
    payload = row.payload()
    session = play(replace(row.answer(range(1, len(payload))), pause_s=0))
    must_be(ask(session), row, session)


@table
def test_what_follows_on_a_failure_is_not_harmed_by_it(play, row):
    session = play(row.answer(), Answer(http(HELLO + FINISH + DONE, kind=STREAM)))
    first = ask(session)
    second = session.ask(Message.of("user", "And now?"))
    assert second.error is None
    assert second.completion.text == "Hello"
    assert len(session.conversation().turns) == (1 if first.turn is None else 2)


# Without a socket, cut everywhere


@dataclass(frozen=True)
class Received:
    """What came of the chunks of a body."""

    text: str
    reasoning: str
    finish_reason: str | None
    usage: Usage | None
    model: str
    error: tuple[type, str] | None


def finish(coroutine: Coroutine[None, None, None]) -> None:
    """Run what never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    pytest.fail("it waited")


async def each(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def received(row: Row, chunks: Iterable[bytes]) -> Received:
    """What the client makes of the chunks, by the status."""
    builder = CompletionBuilder()

    async def read() -> None:
        if row.status.startswith("200"):
            await receive(each(chunks), lambda deltas: [builder.add(d) for d in deltas], KEY)
        else:
            raise refusals.status_error(int(row.status[:3]), await read_body(each(chunks)))

    error = None
    try:
        finish(read())
    except errors.XcyqError as e:
        error = (type(e), str(e))
    c = builder.build(MODEL)
    return Received(c.text, c.reasoning, c.finish_reason, c.usage, c.model, error)


@table
def test_a_body_cut_in_two_anywhere(row):
    whole = received(row, [row.body])
    for n in range(len(row.body) + 1):
        assert received(row, [row.body[:n], row.body[n:]]) == whole, n


@table
def test_a_body_byte_by_byte_with_empty_chunks_between(row):
    chunks = [chunk for n in range(len(row.body)) for chunk in (row.body[n : n + 1], b"")]
    assert received(row, [b"", *chunks]) == received(row, [row.body])


@table
def test_a_body_that_ends_anywhere_is_either_whole_or_an_error(row):
    whole = received(row, [row.body])
    for n in range(len(row.body)):
        begun = received(row, [row.body[:n]])
        assert whole.text.startswith(begun.text.removesuffix("\ufffd")), n  # half an emoji
        assert whole.reasoning.startswith(begun.reasoning), n
        if begun.error is None:
            assert (begun.text, begun.reasoning) == (whole.text, whole.reasoning), n
