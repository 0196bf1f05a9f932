"""What is sent again, when, and how that shows; and what is never sent twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from queue import SimpleQueue

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from servers import DONE, Answer, RawServer, chunked, delta, event, eventually, http

from xcyq_magic import errors
from xcyq_magic.chat.messages import Message
from xcyq_magic.display.caption import live_caption
from xcyq_magic.gateway.attempt import Connection, Deltas, Ended, Retrying
from xcyq_magic.gateway.client import GatewayClient
from xcyq_magic.gateway.credentials import ApiKey
from xcyq_magic.gateway.refusals import status_error
from xcyq_magic.gateway.request import ChatRequest
from xcyq_magic.gateway.retries import ATTEMPTS, Retry, retry_after
from xcyq_magic.gateway.route import endpoint
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import GatewaySettings

KEY = ApiKey("sk-5ecret-0123456789")
ANSWER = {"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]}
FINISH = delta("", "stop")
UNREACHED, SILENT = errors.NotReachedError("nobody there"), errors.TimedOutError("nothing came")

# When, and for how long


def refusal(status: int) -> errors.StatusError:
    return status_error(status, b"")


@pytest.mark.parametrize(
    ("status", "again"),
    [
        *((s, False) for s in (400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 418, 451, 499)),
        *((s, True) for s in (408, 409, 429, 500, 501, 502, 503, 504, 520, 524, 529, 599)),
    ],
)
def test_a_status_says_whether_to_ask_again(status, again):
    retry = retry_after(refusal(status), {}, 1)
    assert (retry is not None) is again
    if retry:
        assert (retry.reason, retry.number, retry.of) == (str(status), 1, 2)


@pytest.mark.parametrize(
    ("error", "reason"), [(UNREACHED, "no connection"), (SILENT, "no answer")], ids=["no connection", "no answer"]
)
def test_a_request_that_reached_nobody_is_sent_again(error, reason):
    assert retry_after(error, {}, 1).reason == reason


@pytest.mark.parametrize(
    "error", [errors.GatewayError("?"), errors.AnswerError("a page"), errors.IncompleteReplyError("broke off")]
)
def test_what_was_answered_is_not_sent_again(error):
    assert retry_after(error, {}, 1) is None


@pytest.mark.parametrize("error", [refusal(429), refusal(500), UNREACHED, SILENT], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("headers", [{}, {"x-should-retry": "true"}, {"Retry-After": "1"}], ids=str)
def test_there_are_three_attempts_in_all(error, headers):
    assert ATTEMPTS == 3
    assert [retry_after(error, headers, n) is not None for n in (1, 2, 3, 4)] == [True, True, False, False]
    assert [retry_after(error, headers, n).number for n in (1, 2)] == [1, 2]


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1.0)])
def test_the_delay_doubles_less_up_to_a_quarter(attempt, longest):
    waits = [retry_after(UNREACHED, {}, attempt).wait_s for _ in range(2000)]
    assert 0.75 * longest <= min(waits) < 0.78 * longest
    assert 0.97 * longest < max(waits) <= longest


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "7"}, 7),
        ({"RETRY-AFTER": " 7 "}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"Retry-After": "120"}, 120),
        ({"Retry-After-Ms": "250"}, 0.25),
        ({"retry-after-ms": "1"}, 0.001),
        ({"Retry-After-Ms": "120000"}, 120),
        ({"Retry-After-Ms": "250", "Retry-After": "60"}, 0.25),
        ({"Retry-After-Ms": "soon", "Retry-After": "60"}, 60),
        ({"Retry-After-Ms": "-1", "Retry-After": "60"}, 60),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"llm_provider-retry-after": "7"}, 7),
        ({"llm_provider-retry-after": "60", "Retry-After": "7"}, 7),
        ({"Retry-After": "7", "LLM_Provider-Retry-After": "60"}, 7),
    ],
    ids=str,
)
@pytest.mark.parametrize("attempt", [1, 2])
def test_the_server_says_how_long(headers, wait_s, attempt):
    assert retry_after(refusal(429), headers, attempt).wait_s == pytest.approx(wait_s)


@pytest.mark.parametrize("zone", [timezone.utc, timezone(timedelta(hours=-5))], ids=["GMT", "-0500"])
def test_the_server_says_when(zone):
    at = datetime.now(zone) + timedelta(seconds=60)
    text = format_datetime(at, usegmt=zone is timezone.utc)
    assert 30 < retry_after(refusal(503), {"Retry-After": text}, 1).wait_s <= 60


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "121"},
        {"Retry-After": "86400"},
        {"Retry-After-Ms": "120001"},
        {"Retry-After-Ms": "500000", "Retry-After": "1"},
        {"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"},
    ],
    ids=str,
)
def test_a_server_that_wants_more_than_two_minutes_is_not_waited_for(headers):
    assert retry_after(refusal(429), headers, 1) is None


@pytest.mark.parametrize("text", ["", "soon", "-1", "nan", "1 x", "7, 8", "Wed, 99 Oct 2015", "0x10", "١٢ soon"])
@pytest.mark.parametrize("name", ["Retry-After", "Retry-After-Ms"])
def test_a_time_that_nobody_can_read_is_as_none(name, text):
    assert 0.375 <= retry_after(refusal(429), {name: text}, 1).wait_s <= 0.5


@given(st.text() | st.from_regex(r"Mon, [0-9]{1,3} Jan [0-9]{1,12} [0-9:]{1,12} [+-][0-9]{1,30}", fullmatch=True))
@example("Mon, 01 Jan 99999999999 00:00:00 +0000")
@example("Mon, 01 Jan 2024 00:00:00 +99999999999999999999")
def test_no_text_of_the_server_breaks_it(text):
    retry = retry_after(refusal(429), {"Retry-After": text}, 1)
    assert retry is None or 0 <= retry.wait_s <= 120


@pytest.mark.parametrize("said", ["true", "TRUE", " True "])
@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500])
def test_x_should_retry_true_wins(said, status):
    assert retry_after(refusal(status), {"X-Should-Retry": said}, 1) is not None


@pytest.mark.parametrize("said", ["false", "False"])
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_x_should_retry_false_wins(said, status):
    assert retry_after(refusal(status), {"x-should-retry": said, "Retry-After": "1"}, 1) is None


@pytest.mark.parametrize("said", ["", "maybe", "1"])
def test_another_x_should_retry_says_nothing(said):
    assert retry_after(refusal(400), {"x-should-retry": said}, 1) is None
    assert retry_after(refusal(500), {"x-should-retry": said}, 1) is not None


@pytest.mark.parametrize(
    ("retry", "text"),
    [
        (Retry("429", 2, 1), "429, again in 2 s, 1 of 2"),
        (Retry("no connection", 0.42, 2), "no connection, again in 0.42 s, 2 of 2"),
        (Retry("503", 12, 1), "503, again in 12 s, 1 of 2"),
        (Retry("503", 120, 1), "503, again in 120 s, 1 of 2"),
    ],
    ids=str,
)
def test_a_wait_in_words(retry, text):
    assert str(retry) == text


# Over a socket


class Heard:
    """What a sink hears of one exchange."""

    def __init__(self, client: GatewayClient, base_url: str, *, stream: bool = True, **timeouts: float) -> None:
        self._queue: SimpleQueue = SimpleQueue()
        self.arrivals: list = []
        request = ChatRequest("gpt-5.4", (Message.of("user", "Hello"),), stream=stream)
        self.exchange = client.send(request, KEY, Connection(endpoint(base_url), **timeouts), self._queue.put)

    def until(self, *kinds: type) -> object:
        while True:
            self.arrivals.append(self._queue.get(timeout=10))
            if isinstance(self.arrivals[-1], kinds):
                return self.arrivals[-1]

    @property
    def waits(self) -> list[str]:
        return [str(a.retry) for a in self.arrivals if isinstance(a, Retrying)]

    @property
    def text(self) -> str:
        return "".join(d.text for a in self.arrivals if isinstance(a, Deltas) for d in a.deltas)


def ask(client: GatewayClient, server: RawServer, **options: float) -> tuple[Heard, Exception | None]:
    heard = Heard(client, server.base_url, **options)
    return heard, heard.until(Ended).error


def refuse(status: int, wait_ms: int | None = 1, **headers: str) -> bytes:
    if wait_ms is not None:
        headers["Retry_After_Ms"] = str(wait_ms)
    return http(json.dumps({"error": {"message": f"no: {status}"}}), f"{status} No", **headers)


WHOLE = http(delta("Hello") + FINISH + DONE, kind="text/event-stream")


def test_two_refusals_and_a_reply(client, serve):
    server = serve(refuse(429), refuse(429, 2), WHOLE)
    heard, error = ask(client, server)
    assert (error, heard.text) == (None, "Hello")
    assert heard.waits == ["429, again in 0.001 s, 1 of 2", "429, again in 0.002 s, 2 of 2"]
    assert [type(a) for a in heard.arrivals[:2]] == [Retrying, Retrying]
    assert len(server.requests) == 3
    assert len({r.body for r in server.requests}) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_three_refusals_are_an_error_after_three_requests(client, serve, status):
    server = serve(refuse(status))
    heard, error = ask(client, server)
    assert type(error) is (errors.RateLimitError if status == 429 else type(status_error(status, b"")))
    assert f"no: {status}" in error.message
    assert len(server.requests) == 3
    assert len(heard.waits) == 2


def test_three_server_errors_are_a_server_error(client, serve):
    assert type(ask(client, serve(refuse(500)))[1]) is errors.ServerError


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_another_refusal_is_an_error_after_one_request(client, serve, status):
    server = serve(refuse(status), WHOLE)
    heard, error = ask(client, server)
    assert isinstance(error, errors.StatusError)
    assert error.status == status
    assert heard.waits == []
    assert not eventually(lambda: len(server.requests) > 1, within_s=0.1)


def test_a_refusal_is_repeated_when_the_server_says_so(client, serve):
    server = serve(refuse(422, x_should_retry="true"), WHOLE)
    assert ask(client, server)[1] is None
    assert len(server.requests) == 2


def test_a_refusal_is_not_repeated_when_the_server_says_so(client, serve):
    server = serve(refuse(500, x_should_retry="false"), WHOLE)
    assert type(ask(client, server)[1]) is errors.ServerError
    assert len(server.requests) == 1


def test_a_wait_of_hours_is_an_error_at_once(client, serve):
    server = serve(refuse(429, wait_ms=None, Retry_After="7200"), WHOLE)
    assert type(ask(client, server)[1]) is errors.RateLimitError
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "304 Not Modified", "308 Permanent Redirect"])
def test_a_redirect_is_not_repeated(client, serve, status):
    server = serve(http(b"", status, Location="http://127.0.0.1:9/elsewhere"), WHOLE)
    assert type(ask(client, server)[1]) is errors.AnswerError
    assert len(server.requests) == 1


def test_a_connection_that_is_refused_is_tried_again(client, serve):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    heard = Heard(client, f"http://127.0.0.1:{port}/gateway")
    heard.until(Retrying)
    server = serve(WHOLE, port=port)
    assert heard.until(Ended).error is None
    assert heard.text == "Hello"
    assert heard.waits[0].startswith("no connection, again in 0.")
    assert len(server.requests) == 1


def test_a_connection_that_is_refused_three_times_is_an_error(client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    heard = Heard(client, f"http://127.0.0.1:{port}/gateway")
    assert type(heard.until(Ended).error) is errors.NotReachedError
    assert [w[-6:] for w in heard.waits] == ["1 of 2", "2 of 2"]


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_connection_that_ends_before_any_byte_is_tried_again(client, serve, then):
    server = serve(Answer(b"", then), WHOLE)
    heard, error = ask(client, server)
    assert (error, heard.text) == (None, "Hello")
    assert len(heard.waits) == 1
    assert len(server.requests) == 2


def test_a_connection_that_ended_between_two_cells_costs_no_error(client, serve):
    server = serve(Answer(WHOLE, "close"), WHOLE)
    assert ask(client, server)[1] is None
    heard, error = ask(client, server)
    assert (error, heard.text) == (None, "Hello")


def test_silence_before_the_first_byte_is_tried_again(client, serve):
    server = serve(Answer(b"", "silence"), WHOLE)
    heard, error = ask(client, server, first_byte_timeout=0.2)
    assert (error, heard.text) == (None, "Hello")
    assert heard.waits[0].startswith("no answer, again in 0.")
    assert len(server.requests) == 2


# Never twice after a byte of an answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
BEGUN = {
    "the head alone": HEAD,
    "one byte": chunked(b"d", whole=False),
    "a comment": chunked(b": PING\n\n", whole=False),
    "a role": chunked(event({"choices": [{"delta": {"role": "assistant"}}]}), whole=False),
    "text": chunked(delta("Hel"), whole=False),
    "the head of a body with a length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    "a whole answer's first byte": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
}
begun = pytest.mark.parametrize("payload", BEGUN.values(), ids=BEGUN)


@begun
@pytest.mark.parametrize("then", ["close", "reset", "silence"])
def test_a_reply_that_has_begun_is_not_sent_again(client, serve, payload, then):
    server = serve(Answer(payload, then), WHOLE)
    heard, error = ask(client, server, first_byte_timeout=2.0, read_timeout=0.3)
    assert isinstance(error, errors.GatewayError)
    assert heard.waits == []
    assert heard.text in {"", "Hel"}
    assert len(server.requests) == 1


# A whole answer comes after the work: from the request's last byte on, it may have been made and paid for


@pytest.mark.parametrize("payload", [b"", *BEGUN.values()], ids=["nothing", *BEGUN])
@pytest.mark.parametrize("then", ["close", "reset", "silence"])
def test_a_whole_answer_that_does_not_come_is_not_asked_for_twice(client, serve, payload, then):
    server = serve(Answer(payload, then), WHOLE)
    heard, error = ask(client, server, stream=False, answer_timeout=0.3)
    assert isinstance(error, errors.GatewayError)
    assert heard.waits == []
    assert len(server.requests) == 1
    if not payload:
        assert "may have been answered and billed" in error.hint
    if then == "silence":
        assert "no whole answer within 0.3 s" in error.message
        assert "GatewaySettings.answer_timeout" in error.hint


@pytest.mark.parametrize("cut", [0, 60], ids=["before its head", "within its body"])
def test_a_whole_answer_may_take_longer_than_any_silence_within_a_stream(client, serve, cut):
    whole = http(json.dumps(ANSWER))
    server = serve(Answer(whole, cuts=(cut,), pause_s=0.4))
    heard, error = ask(client, server, stream=False, first_byte_timeout=0.1, read_timeout=0.1)
    assert (error, heard.text) == (None, "Hello")
    assert len(server.requests) == 1


def test_a_whole_answer_has_its_time_in_all(client, serve):
    slow = Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "silence", more=b" ", times=5)
    started = time.monotonic()
    assert type(ask(client, serve(slow), stream=False, answer_timeout=0.3)[1]) is errors.TimedOutError
    assert time.monotonic() - started < 1


def test_a_whole_answer_is_asked_for_again_where_the_proxy_let_nothing_through(client, serve, monkeypatch):
    proxy = serve(http(b"", "502 Bad Gateway"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.base_url.removesuffix("/gateway"))
    heard = Heard(client, "https://gateway.invalid", stream=False)
    heard.until(Retrying)
    heard.exchange.cancel()


@pytest.mark.parametrize("status", [408, 502, 504, 520, 524, 598, 599])
def test_a_whole_answer_that_a_proxy_did_not_wait_for_is_not_asked_for_twice(client, serve, status):
    server = serve(refuse(status), http(json.dumps(ANSWER)))
    _, error = ask(client, server, stream=False)
    assert isinstance(error, errors.ServerError)
    assert "may have been answered and billed" in error.hint
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_a_whole_answer_that_is_refused_is_asked_for_again(client, serve, status):
    server = serve(refuse(status), http(json.dumps(ANSWER)))
    heard, error = ask(client, server, stream=False)
    assert (error, heard.text) == (None, "Hello")
    assert len(server.requests) == 2


def test_a_whole_answer_is_asked_for_again_where_nobody_was_reached(client, serve):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    heard = Heard(client, f"http://127.0.0.1:{port}/gateway", stream=False)
    heard.until(Retrying)
    server = serve(http(json.dumps(ANSWER)), port=port)
    assert heard.until(Ended).error is None
    assert len(server.requests) == 1


def test_a_connection_that_ended_between_two_whole_answers_costs_no_error(client, serve):
    server = serve(Answer(http(json.dumps(ANSWER)), "close"), http(json.dumps(ANSWER)))
    assert ask(client, server, stream=False)[1] is None
    assert eventually(lambda: not any(t.is_alive() for t in server._threads[1:]))  # it has closed the connection
    assert ask(client, server, stream=False)[1] is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(event({"error": {"message": "Overloaded"}}), id="error"),
        pytest.param(event({"error": {"message": "Rate limit", "code": 429}}), id="error 429"),
        pytest.param(delta("Hel") + event({"error": "Overloaded"}), id="error after text"),
        pytest.param(delta("Hel") + b"data: {not JSON\n\n", id="no JSON"),
        pytest.param(delta("Hel"), id="no end"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html><title>Sign in</title>", id="page"),
        pytest.param(b'{"error": "Overloaded"}', id="error in JSON"),
    ],
)
def test_a_reply_that_fails_is_not_sent_again(client, serve, body):
    server = serve(http(body, kind="text/event-stream", x_should_retry="true", Retry_After_Ms="1"), WHOLE)
    heard, error = ask(client, server)
    assert isinstance(error, errors.GatewayError)
    assert heard.waits == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("then", ["close", "reset", "silence"])
@pytest.mark.parametrize("body", [b"", b'{"error": {"mess'], ids=["head", "half a body"])
def test_a_refusal_that_breaks_off_is_still_that_refusal(client, serve, then, body):
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    server = serve(Answer(head + body, then), WHOLE)
    heard, error = ask(client, server, first_byte_timeout=0.3, read_timeout=0.3)
    assert len(server.requests) == 1
    assert heard.waits == []
    assert "400" in error.message


# An interrupt ends a wait

LONG = 60_000


def test_a_cancel_ends_a_wait_and_nothing_more_is_sent(client, serve):
    server = serve(refuse(429, 300), WHOLE)
    heard = Heard(client, server.base_url)
    heard.until(Retrying)
    heard.exchange.cancel()
    assert not eventually(lambda: len(server.requests) > 1, within_s=0.5)
    while not heard._queue.empty():
        assert isinstance(heard._queue.get(), Ended)


def test_closing_the_client_ends_a_wait(serve):
    server = serve(refuse(429, LONG), WHOLE)
    client = GatewayClient()
    Heard(client, server.base_url).until(Retrying)
    started = time.monotonic()
    client.close()
    assert time.monotonic() - started < 20  # of 60
    assert len(server.requests) == 1


@pytest.fixture
def session_of(monkeypatch, serve):
    """A session that asks a raw server."""
    monkeypatch.setenv("XCYQ_API_KEY", "sk-5ecret-0123456789")
    sessions = []

    def start(*answers: Answer | bytes) -> tuple[ChatSession, RawServer]:
        server = serve(*answers)
        sessions.append(ChatSession(GatewaySettings(base_url=server.base_url)))
        return sessions[-1], server

    yield start
    for session in sessions:
        session.close()


def hello() -> Message:
    return Message.of("user", "Hello")


def test_a_wait_shows_while_it_lasts_and_no_longer(session_of):
    session, _ = session_of(refuse(429, 300), WHOLE)
    captions = []
    outcome = session.ask(hello(), paint=lambda replies: captions.append(live_caption(replies[0])))
    assert outcome.error is None
    assert any("429, again in 0.3 s, 1 of 2" in c for c in captions)
    assert "again" not in live_caption(outcome.reply)


def test_stop_ends_a_wait_at_once(session_of):
    session, server = session_of(refuse(429, LONG), WHOLE)

    def paint(replies) -> None:
        if replies[0].retry:
            replies[0].stop()

    started = time.monotonic()
    outcome = session.ask(hello(), paint=paint)
    assert time.monotonic() - started < 20  # of 60
    assert outcome.reply.state == "stopped"
    assert (outcome.turn, session.conversation().turns) == (None, ())
    assert not eventually(lambda: len(server.requests) > 1, within_s=0.2)


@pytest.mark.skipif(os.name == "nt", reason="a signal to oneself ends the process there")
def test_an_interrupt_ends_a_wait_at_once(session_of):
    session, server = session_of(refuse(429, LONG), WHOLE)
    interrupted: list[float] = []

    def interrupt() -> None:
        interrupted.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.1, interrupt)

    def paint(replies) -> None:
        if replies[0].retry and not timer.ident:
            timer.start()

    outcome = session.ask(hello(), paint=paint)
    took = time.monotonic() - interrupted[0]
    timer.join()
    assert isinstance(outcome.error, KeyboardInterrupt)
    assert took < 20  # of 60; benchmarks/interrupt.py measures
    assert (outcome.turn, session.conversation().turns) == (None, ())
    assert not eventually(lambda: len(server.requests) > 1, within_s=0.2)


def test_after_a_stop_the_session_asks_again(session_of):
    session, server = session_of(refuse(429, LONG), WHOLE)
    session.ask(hello(), paint=lambda replies: replies[0].stop() if replies[0].retry else None)
    outcome = session.ask(hello())
    assert (outcome.error, outcome.completion.text) == (None, "Hello")
    assert len(server.requests) == 2


# What the body says


def of_body(status: int, body: object) -> errors.StatusError:
    return status_error(status, json.dumps(body).encode())


GEMINI = [
    {
        "error": {
            "code": 429,
            "message": "Resource has been exhausted",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "31s"}],
        }
    }
]


def test_the_delay_in_the_body_of_gemini_is_waited_for():
    assert retry_after(of_body(429, GEMINI), {}, 1).wait_s == 31
    assert retry_after(of_body(429, GEMINI), {"Retry-After": "2"}, 1).wait_s == 2  # a header is nearer


@pytest.mark.parametrize("code", ["context_length_exceeded", "model_not_found", "invalid_api_key"])
def test_a_code_alone_tells_the_cause(code):
    hint = of_body(400, {"error": {"message": "Bad request", "code": code}}).hint
    assert {"context": "%chat_undo", "model": "%chat_models", "invalid": "%chat_key"}[code.split("_")[0]] in hint


@pytest.mark.parametrize("words", ["it's 25 °C", "a \"quoted\" 'word'", "a back\\slash", "two\nlines", "b'{", "\u5929"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_record_in_bytes_within_the_words_is_read(words, ascii_only):
    record = json.dumps({"error": {"message": words}}, ensure_ascii=ascii_only).encode()
    error = of_body(400, {"error": {"message": f"litellm.BadRequestError: {record!r}\n\nLiteLLM: no fallback."}})
    assert error.said == " ".join(words.split())


@pytest.mark.parametrize("words", ["b'{", "b'{'", r"b'{\d}'", "b'{\u00e9}'", r"b'{\x00}'", "b'{}' * 9", "b'{" * 9999])
def test_what_only_looks_like_bytes_is_shown_as_it_is(words):
    assert of_body(400, {"error": {"message": words}}).said.startswith(words[:20])


def test_what_is_to_be_waited_for_is_no_used_up_quota():
    told = {**GEMINI[0]["error"], "message": "You exceeded your current quota, please check your plan."}
    for body in [{"error": told}, {"error": {"message": f"b'{json.dumps({'error': told})}'\n\nLiteLLM: no fallback."}}]:
        error = of_body(429, body)
        assert retry_after(error, {}, 1).wait_s == 31
        assert error.hint.startswith("Wait a little")


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("2 s", 2), ("1.5s", 1.5), ("3 seconds", 3)])
def test_a_header_with_a_unit_is_read(text, seconds):
    assert retry_after(refusal(429), {"Retry-After": text}, 1).wait_s == seconds


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}},
        {"error": {"message": "insufficient balance", "type": "billing"}},
        {"code": "429", "msg": "\u8d26\u6237\u4f59\u989d\u4e0d\u8db3"},
        {"error": {"message": "No available channel for model gpt-5.5 under group default"}},
        {"error": {"message": "\u5f53\u524d\u5206\u7ec4\u4e0b\u65e0\u53ef\u7528\u6e20\u9053"}},
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_what_waiting_does_not_mend_is_not_waited_for(body, status):
    error = of_body(status, body)
    assert retry_after(error, {}, 1) is None
    assert "-m" in error.hint or "-official" in error.hint
    assert retry_after(error, {"x-should-retry": "true"}, 1) is not None  # the gateway's own word wins


@pytest.mark.parametrize(
    ("status", "words", "hint"),
    [
        (400, "This model's maximum context length is 128000 tokens", "%chat_undo"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", "keep_media"),
        (402, "Payment Required", "top it up"),
        (403, "insufficient balance", "top it up"),
        (403, "Input was flagged by moderation", "reword it"),
        (503, "no available channel", "-official"),
        (400, "request (4031 tokens) exceeds the available context size (2048 tokens)", "%chat_undo"),
        (500, "image input is not supported - hint: you may need to provide the mmproj", "reads no pictures"),
        (400, "Invalid content type. image_url is only supported by certain models.", "reads no pictures"),
        (404, "No endpoints found that support image input", "reads no pictures"),
        (400, "unknown variant `image_url`, expected `text`", "reads no pictures"),
        (400, "/chat/completions: Invalid model name passed in model=nope.", "%chat_models"),
        (400, "The model `nope` does not exist or you do not have access to it.", "%chat_models"),
        (400, "API key not valid. Please pass a valid API key.", "%chat_key"),
        (400, "No connected db.", "%chat_key"),
        (400, "This endpoint does not support image type heic", "%chat?"),
        (400, "The image is not supported", "%chat?"),
    ],
)
def test_the_hint_fits_the_cause(status, words, hint):
    assert hint in of_body(status, {"error": {"message": words}}).hint
