"""The client over loopback: against the sandbox, and against bytes that no sandbox sends."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import select
import socket
import ssl
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import urlsplit

import pytest
from servers import DONE, Answer, RawServer, chunked, delta, event, eventually, http

from xcyq_magic import errors
from xcyq_magic.chat.completion import Completion, CompletionBuilder, Usage
from xcyq_magic.chat.messages import Message
from xcyq_magic.gateway.attempt import Connection, Deltas, Ended
from xcyq_magic.gateway.client import GatewayClient
from xcyq_magic.gateway.credentials import ApiKey
from xcyq_magic.gateway.request import ChatRequest
from xcyq_magic.gateway.route import endpoint

KEY = ApiKey("sk-5ecret-0123456789")
FAST = "sandbox: first 0\nsandbox: pace 5000 20\n"
ANSWER = {"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]}
THREAD = "xcyq_magic client"
PEM = Path(__file__).with_name("loopback.pem")


@dataclass
class Heard:
    """What a sink heard of one exchange."""

    completion: Completion
    error: Exception | None
    packets: int
    notes: list[str]

    @property
    def text(self) -> str:
        return self.completion.text


class Asked:
    """One exchange under way."""

    def __init__(self, client: GatewayClient, server, prompt: str = "Hello", *, stream: bool = True, **timeouts):
        self._arrivals: SimpleQueue = SimpleQueue()
        self._builder = CompletionBuilder()
        self._packets = 0
        self._notes: list[str] = []
        request = ChatRequest("gpt-5.4", (Message.of("user", prompt),), stream=stream)
        connection = Connection(endpoint(server.base_url), **timeouts)
        self.exchange = client.send(request, getattr(server, "key", KEY), connection, self._arrivals.put)

    def next(self) -> Deltas | Ended:
        arrival = self._arrivals.get(timeout=10)
        if isinstance(arrival, Deltas):
            self._packets += 1
            for d in arrival.deltas:
                self._builder.add(d)
                self._notes += d.notes
        return arrival

    def until_text(self) -> str:
        while self._builder.empty:
            assert isinstance(self.next(), Deltas)
        return self._builder.build("asked").text

    def to_the_end(self) -> Heard:
        while not isinstance(arrival := self.next(), Ended):
            pass
        return Heard(self._builder.build("asked"), arrival.error, self._packets, self._notes)


def ask(client: GatewayClient, server, prompt: str = "Hello", **options) -> Heard:
    return Asked(client, server, prompt, **options).to_the_end()


def client_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == THREAD]


# Replies that are whole


def test_a_streamed_and_a_whole_reply_have_the_same_text(client, sandbox):
    prompt = FAST + "sandbox: markdown 900"
    streamed, whole = ask(client, sandbox, prompt), ask(client, sandbox, prompt, stream=False)
    assert streamed.error is whole.error is None
    assert len(whole.text) == 900
    assert streamed.text == whole.text
    assert whole.packets == 1
    assert streamed.completion.usage == whole.completion.usage != Usage()
    assert streamed.completion.finish_reason == whole.completion.finish_reason == "stop"
    assert [r.body.get("stream") for r in sandbox.received] == [True, None]


def test_deltas_arrive_while_the_rest_is_on_its_way(client, sandbox):
    asked = Asked(client, sandbox, "sandbox: first 0\nsandbox: stall 40")
    assert asked.until_text()
    assert sandbox.received[-1].ending == ""
    asked.exchange.cancel()


def test_what_comes_together_is_heard_together_in_order_and_before_the_end(client, serve):
    words = [f"{n} " for n in range(200)]
    heard = ask(client, serve(chunked(*map(delta, words), delta("", "stop"), DONE)))
    assert (heard.text, heard.error) == ("".join(words), None)
    assert heard.packets <= 3  # a packet may be cut on its way
    cut = ask(client, serve(Answer(chunked(*map(delta, words), whole=False), "close")))
    assert isinstance(cut.error, errors.IncompleteReplyError)
    assert cut.text == "".join(words)


def test_several_replies_come_at_once(client, sandbox):
    asked = [Asked(client, sandbox, f"{FAST}sandbox: echo\nnumber {n}") for n in range(8)]
    assert [a.to_the_end().text for a in asked] == [f"number {n}" for n in range(8)]


def test_the_request_is_json_with_the_key_in_its_header(client, serve):
    server = serve(http(json.dumps(ANSWER)))
    ask(client, server, "Grüße \N{GRINNING FACE}")
    request = server.requests[0]
    assert request.line == "POST /gateway/v1/chat/completions HTTP/1.1"
    assert request.headers["authorization"] == "Bearer sk-5ecret-0123456789"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "text/event-stream"
    assert request.json["messages"] == [{"role": "user", "content": "Grüße \N{GRINNING FACE}"}]


@pytest.mark.parametrize(("scheme", "header"), [("Token", "Token sk-5ecret-0123456789"), ("", "sk-5ecret-0123456789")])
def test_the_scheme_before_the_key_is_a_setting(client, serve, scheme, header):
    server = serve(http(json.dumps(ANSWER)))
    assert ask(client, server, auth_scheme=scheme).error is None
    assert server.requests[0].headers["authorization"] == header


FINISH = delta("", "stop")
STREAMS = {
    "in chunks": chunked(delta("Hel"), delta("lo"), FINISH, DONE),
    "with a length": http(delta("Hello") + FINISH + DONE, kind="text/event-stream"),
    "cut in the middle of an event": chunked(delta("Hello")[:30], delta("Hello")[30:], FINISH + DONE[:5], DONE[5:]),
    "in CRLF, with comments": chunked(b": PING\r\n\r\n" + (delta("Hello") + FINISH + DONE).replace(b"\n", b"\r\n")),
    "without [DONE]": chunked(delta("Hello"), FINISH),
    "without a finish reason": chunked(delta("Hello"), DONE),
    "without the last blank line": chunked(delta("Hello"), FINISH.rstrip()),
    "with odd events": chunked(b"data:\n\n", event({"choices": []}), event(1), delta("Hello"), FINISH, DONE),
    "with what comes after [DONE]": chunked(delta("Hello"), FINISH, DONE, delta(" again"), b"data: {\n\n"),
    "compressed": http(gzip.compress(delta("Hello") + DONE), kind="text/event-stream", Content_Encoding="gzip"),
    "with its type in capitals": http(delta("Hello") + FINISH + DONE, kind="Text/Event-Stream; Charset=UTF-8"),
    "that is a whole answer": http(json.dumps(ANSWER)),
    "that is a whole answer of an odd type": http(json.dumps(ANSWER), kind="text/plain"),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_reply_is_whole(client, serve, stream):
    heard = ask(client, serve(stream))
    assert heard.error is None
    assert heard.text == "Hello"


def test_a_stream_is_utf_8_whatever_its_charset_says(client, serve):
    events = 'data: {"choices":[{"delta":{"content":"é漢\u2028\u0085"}}]}\n\n'.encode() + DONE
    heard = ask(client, serve(http(events, kind="text/event-stream; charset=iso-8859-1")))
    assert (heard.error, heard.text) == (None, "é漢\u2028\u0085")


def choice(index: int | None, text: str, where: str = "delta", finish_reason: str | None = None) -> dict:
    return {"index": index, where: {"content": text}, "finish_reason": finish_reason}


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(
            http(
                json.dumps(
                    {"choices": [choice(1, "Other", "message", "length"), choice(0, "Hello", "message", "stop")]}
                )
            ),
            id="whole",
        ),
        pytest.param(
            chunked(
                *(event({"choices": [choice(n, t)]}) for n, t in ((1, "Ot"), (0, "Hel"), (1, "her"), (0, "lo")))
            ).removesuffix(b"0\r\n\r\n")
            + chunked(
                event({"choices": [choice(1, "", finish_reason="length")]}),
                event({"choices": [choice(0, "", finish_reason="stop")]}),
                DONE,
            ).partition(b"\r\n\r\n")[2],
            id="in chunks of their own",
        ),
        pytest.param(
            chunked(event({"choices": [choice(1, "Other"), choice(0, "Hello")]}), FINISH, DONE), id="in one chunk"
        ),
        pytest.param(chunked(event({"choices": [choice(None, "Hello")]}), FINISH, DONE), id="without an index"),
    ],
)
def test_a_second_answer_stands_behind_the_first(client, serve, payload):
    heard = ask(client, serve(payload))
    assert (heard.error, heard.completion.finish_reason) == (None, "stop")
    assert heard.text in {"Hello", "Hello\n\n---\n\n**Answer 2**\n\nOther"}
    assert ("Other" in heard.text) == (b"Ot" in payload)


# Connections


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(http(json.dumps(ANSWER)), id="whole"),
        pytest.param(chunked(delta("Hello"), FINISH, DONE), id="stream"),
        pytest.param(http(delta("Hello") + DONE, kind="text/event-stream"), id="stream with a length"),
        pytest.param(http('{"error": "no"}', "429 Too Many Requests"), id="refusal"),
    ],
)
def test_a_connection_is_used_again(client, serve, payload):
    server = serve(payload)
    ask(client, server)
    # The rest of a body is read after its reply has ended: a request that is faster opens a second connection.
    assert eventually(lambda: used_again(client, server))


def used_again(client: GatewayClient, server: RawServer) -> bool:
    before = server.connections
    ask(client, server)
    return server.connections == before


def test_a_cancelled_reply_closes_its_connection_within_a_second(client, sandbox):
    asked = Asked(client, sandbox, "sandbox: first 0\nsandbox: stall 40")
    asked.until_text()
    asked.exchange.cancel()
    assert eventually(lambda: sandbox.received[-1].ending == "closed by the client")


def test_a_reply_is_cancelled_before_its_first_byte(client, sandbox):
    asked = Asked(client, sandbox, "sandbox: first 60")
    assert eventually(lambda: sandbox.received)
    asked.exchange.cancel()
    assert eventually(lambda: sandbox.received[-1].ending == "closed by the client")


def test_a_cancelled_reply_leaves_the_others_alone(client, sandbox):
    stalled = Asked(client, sandbox, "sandbox: first 0\nsandbox: stall 40")
    stalled.until_text()
    other = Asked(client, sandbox, "sandbox: first 0\nsandbox: pace 200 10\nsandbox: markdown 300")
    other.until_text()
    stalled.exchange.cancel()
    assert other.to_the_end().error is None
    assert ask(client, sandbox, FAST).error is None


def test_closing_ends_the_thread_and_the_next_request_begins_anew(client, sandbox):
    assert eventually(lambda: not client_threads())
    assert ask(client, sandbox, FAST).error is None
    assert len(client_threads()) == 1
    client.close()
    assert eventually(lambda: not client_threads())
    client.close()
    assert ask(client, sandbox, FAST).error is None
    assert len(client_threads()) == 1


def test_closing_ends_a_reply_that_stalls(client, sandbox):
    Asked(client, sandbox, "sandbox: first 0\nsandbox: stall 40").until_text()
    client.close()
    assert eventually(lambda: not client_threads())
    assert eventually(lambda: sandbox.received[-1].ending == "closed by the client")


def test_a_client_that_never_sent_has_no_thread():
    client = GatewayClient()
    assert eventually(lambda: not client_threads())
    client.close()


# Replies that break off


def test_a_dropped_reply_is_incomplete_and_its_deltas_are_kept(client, sandbox):
    heard = ask(client, sandbox, FAST + "sandbox: markdown 900\nsandbox: drop 200")
    assert type(heard.error) is errors.IncompleteReplyError
    assert 200 <= len(heard.text) < 300
    assert sandbox.received[-1].ending == "dropped"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(chunked(delta("Hel"))), id="ended without a finish reason"),
        pytest.param(Answer(chunked(delta("Hel"), b'data: {"cho')), id="ended in an event"),
        pytest.param(Answer(chunked(delta("Hel"), b'data: {"cho', whole=False), "close"), id="cut in an event"),
        pytest.param(Answer(chunked(delta("Hel"), whole=False), "close"), id="cut between events"),
    ],
)
def test_a_stream_that_ends_early_is_incomplete(client, serve, answer):
    heard = ask(client, serve(answer))
    assert type(heard.error) is errors.IncompleteReplyError
    assert heard.text == "Hel"
    assert heard.error.hint


def test_a_connection_that_ends_without_an_answer_is_an_error_of_ours(client, serve):
    heard = ask(client, serve(Answer(b"", "close")))
    assert isinstance(heard.error, errors.GatewayError)
    assert heard.text == ""


def test_what_is_no_http_is_an_error_of_ours(client, serve):
    heard = ask(client, serve(Answer(b"SSH-2.0-OpenSSH_9.6\r\n", "close")))
    assert isinstance(heard.error, errors.GatewayError)


def test_an_error_in_the_middle_is_raised_and_the_text_before_it_is_kept(client, sandbox):
    heard = ask(client, sandbox, FAST + "sandbox: markdown 900\nsandbox: error 100")
    assert type(heard.error) is errors.IncompleteReplyError
    assert "asked to fail in the middle" in heard.error.message
    assert 100 <= len(heard.text) < 200


@pytest.mark.parametrize(
    "last",
    [
        b'data: {"error": {"message": "Overloaded"}}\n\n',
        b'data: {"error": "Overloaded"}\n\n',
        b'event: error\ndata: {"message": "Overloaded"}\n\n',
        b"event: error\ndata: Overloaded\n\n",
        b'data: {"error": {"message": "Overloaded"}}',
    ],
)
@pytest.mark.parametrize("each", [False, True], ids=["in one chunk", "each a chunk"])
def test_an_error_in_the_packet_of_the_text_does_not_swallow_it(client, serve, last, each):
    before = delta("Hel"), delta("lo")
    payload = chunked(*before, last) if each else http(b"".join([*before, last]), kind="text/event-stream")
    heard = ask(client, serve(payload))
    assert heard.text == "Hello"
    assert type(heard.error) is errors.IncompleteReplyError
    assert "Overloaded" in heard.error.message


def test_errors_leave_no_connection_taken(client, serve):
    server = serve(
        *[chunked(delta("Hello"), event({"error": "Overloaded"}))] * 101,
        chunked(delta("Hello"), delta("", "stop"), DONE),
    )
    for _ in range(101):
        assert "Overloaded" in ask(client, server).error.message
    assert ask(client, server).error is None


def test_what_is_no_chunk_in_the_packet_of_the_text_does_not_swallow_it(client, serve):
    heard = ask(client, serve(chunked(delta("Hel"), delta("lo"), whole=False) + b"no size\r\n"))
    assert heard.text == "Hello"
    assert isinstance(heard.error, errors.IncompleteReplyError)
    assert "broke off" in heard.error.message


# Answers that are no replies


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "refusal",
    [
        ("status 400", errors.BadRequestError, "refused with 400: The sandbox was asked to refuse with 400."),
        ("status 403", errors.AuthenticationError, "refused with 403"),
        ("status 404", errors.NotFoundError, "refused with 404"),
        ("status 429\nsandbox: retry-after 0", errors.RateLimitError, "refused with 429"),
        ("status 503\nsandbox: retry-after 0", errors.ServerError, "refused with 503"),
        ("page", errors.AnswerError, "200 with a web page ('Welcome to the sandbox')"),
        ("nonsense", errors.BadRequestError, "knows no directive 'nonsense'"),
    ],
    ids=lambda refusal: refusal[0],
)
def test_a_refusal_is_raised_with_the_gateways_words(client, sandbox, refusal, stream):
    directive, kind, words = refusal
    heard = ask(client, sandbox, f"sandbox: {directive}", stream=stream)
    assert type(heard.error) is kind
    assert words in heard.error.message
    assert heard.completion == Completion("", "asked", "asked")


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (http(b""), "200 with nothing"),
        (http(b"", kind="text/html"), "200 with nothing"),
        (http(b"<html><title>Sign in</title><p>x</p>", kind="text/html"), "200 with a web page ('Sign in')"),
        (http(b'{"ok": true}'), 'no chat completion: {"ok": true}'),
    ],
)
def test_a_200_that_is_no_chat_completion_is_an_error(client, serve, payload, words):
    heard = ask(client, serve(payload))
    assert type(heard.error) is errors.AnswerError
    assert words in heard.error.message
    assert "<p>" not in str(heard.error)


def test_an_empty_stream_is_an_error(client, serve):
    heard = ask(client, serve(http(b"", kind="text/event-stream")))
    assert isinstance(heard.error, errors.GatewayError)
    assert heard.text == ""


def test_a_json_error_with_status_200_is_raised_with_its_words(client, serve):
    heard = ask(client, serve(http('{"error": {"message": "quota is used up"}}')))
    assert type(heard.error) is errors.AnswerError
    assert "quota is used up" in heard.error.message


def test_a_web_page_with_502_shows_its_title_alone(client, serve):
    page = "<html><head><title>502 Bad Gateway</title></head><body><hr>nginx</body></html>"
    heard = ask(client, serve(http(page, "502 Bad Gateway", "text/html")))
    assert type(heard.error) is errors.ServerError
    assert "a web page '502 Bad Gateway'" in heard.error.message
    assert "nginx" not in str(heard.error)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_a_redirect_is_not_followed_and_its_location_is_named(client, serve, status):
    elsewhere = serve(http(json.dumps(ANSWER)))
    server = serve(http(b"", status, Location=f"{elsewhere.base_url}/v1/chat/completions"))
    heard = ask(client, server)
    assert type(heard.error) is errors.AnswerError
    assert status[:3] in heard.error.message
    assert elsewhere.base_url in heard.error.message
    assert elsewhere.connections == 0
    assert len(server.requests) == 1


def test_a_key_that_the_gateway_repeats_is_not_shown(client, serve):
    body = '{"error": {"message": "Incorrect API key provided: sk-5ecret-0123456789.", "code": "sk-5ecret-0123456789"}}'
    heard = ask(client, serve(http(body, "401 Unauthorized")))
    assert type(heard.error) is errors.AuthenticationError
    assert "5ecret" not in str(heard.error)
    assert "5ecret" not in repr((heard.error.args, vars(heard.error)))


def _call(name: str) -> dict:
    return {"index": 0, "function": {"name": name, "arguments": "{}"}}


# A part of an answer that holds a word of the gateway's.
PLACES = {
    "text": lambda word: {"choices": [{"delta": {"content": word}}]},
    "reasoning": lambda word: {"choices": [{"delta": {"reasoning_content": word}}]},
    "refusal": lambda word: {"choices": [{"delta": {"refusal": word}}]},
    "a tool": lambda word: {"choices": [{"delta": {"tool_calls": [_call(word), _call("two")]}}]},
    "a function": lambda word: {"choices": [{"delta": {"function_call": {"name": word}}}]},
    "a part that is a tool": lambda word: {"choices": [{"delta": {"content": [{"type": "tool_use", "name": word}]}}]},
    "the end": lambda word: {"choices": [{"delta": {}, "finish_reason": word}]},
    "the index": lambda word: {"choices": [{"index": i, "delta": {"content": "one"}} for i in (0, word)]},
    "the model": lambda word: {"model": word, "choices": [{"delta": {"content": "one"}}]},
    "the id": lambda word: {"id": word, "choices": [{"delta": {"content": "one"}}]},
    "what nobody understands": lambda word: {"message": word, "thing": {word: word}},
    "an error": lambda word: {"error": {"message": word, "type": word, "param": word, "code": word}},
    "an error's number": lambda word: {"error": {"message": f"0x{word}", "code": 400}},
    "a choice's error": lambda word: {"choices": [{"finish_reason": "error", "error": {"message": word}}]},
    "an envelope": lambda word: {"code": word, "msg": word, "data": None},
}


@pytest.mark.parametrize("before", [0, 285, 295])  # words are cut at 300 characters
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_the_key_is_hidden_wherever_an_answer_holds_it(client, serve, place, before):
    record = place("x" * before + "sk-5ecret-0123456789")
    server = serve(chunked(event(record), delta("", "stop"), DONE), http(json.dumps(record)))
    for stream in (True, False):
        heard = ask(client, server, stream=stream)
        shown = repr(heard) + repr(vars(heard.error) if heard.error else "")
        assert "5ecret" not in shown.replace("\\", "")
        assert "sk-" not in shown


# No answer at all


def test_nobody_listening_is_told_with_the_address(client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    class Nobody:
        base_url = f"http://127.0.0.1:{port}/gateway"

    heard = ask(client, Nobody)
    assert type(heard.error) is errors.NotReachedError
    assert f"http://127.0.0.1:{port}" in heard.error.message
    assert "%chat_sandbox" in heard.error.hint


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
SHORT = HEAD + b"Content-Length: 900\r\n\r\n"
FAULTS = {
    "closed": (Answer(b"", "close"), "closed the connection before it answered.", "Run the cell again."),
    "reset": (Answer(b"", "reset"), "closed the connection before it answered.", "Run the cell again."),
    "closed in its head": (Answer(HEAD, "close"), "closed the connection before it answered.", "Run the cell again."),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "sent an answer that is not HTTP.", "Check the address"),
    "no header": (HEAD + b"a b\r\n\r\n", "sent an answer that is not HTTP.", "Check the address"),
    "a long head": (
        HEAD + b"a: %b\r\n\r\n" % (b"b" * 200_000),
        "sent an answer that is not HTTP.",
        "Check the address",
    ),
    "short": (Answer(SHORT, "close"), "broke off before it was whole.", "Nothing of it had come."),
    "short, with words": (Answer(SHORT + delta("Hel"), "close"), "broke off before it was whole.", "is kept in _reply"),
    "no chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "broke off before it was whole.", "Run the cell"),
    "no gzip": (
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
        "could not be unpacked",
        "Nothing of it",
    ),
    "proxy": (http(status="407 No"), "The gateway refused with 407.", "USER:PASSWORD"),
}
OTHERS_WORDS = re.compile(r"Errno|\[SSL|_ssl\.c|attempts failed|peer closed|illegal|not known|bytearray|Receive buffer")


def check(error, says: str, way_on: str) -> None:
    assert isinstance(error, errors.GatewayError)
    assert says in error.message
    assert way_on in error.hint
    assert not OTHERS_WORDS.search(str(error))


def test_a_fault_on_the_way_is_said_in_words_of_ours(client, serve):
    asked = [Asked(client, serve(answer)) for answer, *_ in FAULTS.values()]  # at once, for some are asked again
    for one, (_, *words) in zip(asked, FAULTS.values(), strict=True):
        check(one.to_the_end().error, *words)


class At:
    def __init__(self, base_url: str) -> None:
        self.base_url = base_url


UNREACHED = {
    "http://127.0.0.1:{free}": ("No connection to http://127.0.0.1:{free}: no server listens there.", "Start it"),
    "http://nowhere.invalid": ("no address is known for nowhere.invalid.", "Check how it is spelt"),
    "https://127.0.0.1:{plain}": ("the server there does not speak https.", "write http://"),
    "https://127.0.0.1:{closing}": ("the connection was closed while it was set up.", "Check the network"),
    "https://127.0.0.1:{old}": ("it offers no version of TLS that this Python accepts.", "it needs TLS 1.2 or later"),
    "https://127.0.0.1:{own}": ("its certificate is not signed by anybody that this machine trusts.", "SSL_CERT_FILE="),
}


@pytest.fixture
def ports():
    """What listens, by the port: nothing, plain http, what closes, and TLS that is too old or has a certificate."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    own, old = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
    for tls in (own, old):
        tls.load_cert_chain(PEM)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    servers = {
        "own": RawServer([Answer(b"")], tls=own),
        "old": RawServer([Answer(b"")], tls=old),
        "plain": Impatient(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        "closing": Impatient(b""),
    }
    yield {"free": free, **{name: urlsplit(s.base_url).port for name, s in servers.items()}}
    for server in servers.values():
        server.close()


class Impatient(RawServer):
    """Answers the first bytes that come, and closes."""

    def __init__(self, answer: bytes) -> None:
        super().__init__([Answer(answer)])

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(10)
            connection.sendall(self.answers[0].payload)


def test_a_certificate_for_another_name_is_told_as_that(client, ports, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    error = ask(client, At(f"https://[::ffff:127.0.0.1]:{ports['own']}")).error
    check(error, "its certificate is for another name.", "Set GatewaySettings.base_url to the name")


def test_what_cannot_be_reached_is_said_in_words_of_ours(client, ports):
    asked = [Asked(client, At(url.format(**ports))) for url in UNREACHED]
    for one, (says, way_on) in zip(asked, UNREACHED.values(), strict=True):
        error = one.to_the_end().error
        assert type(error) is errors.NotReachedError
        check(error, says.format(**ports), way_on)


PROXIES = {
    "407 Who": ("The proxy {} refused, on the way to gateway.example: 407 Who.", "USER:PASSWORD"),
    "403 No": (
        "The proxy {} refused, on the way to gateway.example: 403 No.",
        "or go without it: %env NO_PROXY=gateway.",
    ),
    b"": ("https://gateway.example, or the proxy {} on the way, closed the connection", "Run the cell again."),
}


@pytest.mark.parametrize("status", PROXIES)
def test_a_proxy_that_leads_nowhere_is_named(client, serve, monkeypatch, status):
    proxy = urlsplit(serve(Answer(status and http(status=status), "close")).base_url).netloc
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:s3cret@{proxy}")
    says, way_on = PROXIES[status]
    error = ask(client, At("https://gateway.example")).error
    check(error, says.format(proxy), way_on)
    assert "s3cret" not in str(error)


@pytest.mark.skipif(sys.platform != "linux", reason="a full backlog is refused elsewhere")
def test_a_connection_that_does_not_come_about_is_given_up(client):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = fill(listener)

        class Full:
            base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/gateway"

        heard = ask(client, Full, connect_timeout=0.2)
        for s in waiting:
            s.close()
    assert type(heard.error) is errors.NotReachedError
    assert "within 0.2 s" in heard.error.message


def fill(listener: socket.socket) -> list[socket.socket]:
    """Open connections until the listener, which accepts none, takes no more."""
    waiting = []
    while True:
        waiting.append(socket.socket())
        waiting[-1].settimeout(0)
        waiting[-1].connect_ex(listener.getsockname())
        if not select.select([], [waiting[-1]], [], 0.1)[1]:
            return waiting


def test_silence_before_the_answer_is_a_time_out(client, serve):
    heard = ask(client, serve(Answer(b"", "silence")), first_byte_timeout=0.2)
    assert type(heard.error) is errors.TimedOutError
    assert "sent nothing within 0.2 s" in heard.error.message
    assert "first_byte_timeout" in heard.error.hint


def test_silence_within_the_answer_is_a_time_out_that_keeps_the_text(client, serve):
    heard = ask(client, serve(Answer(chunked(delta("Hel"), whole=False), "silence")), read_timeout=0.2)
    assert type(heard.error) is errors.TimedOutError
    assert heard.text == "Hel"


def test_the_usage_may_come_later_than_any_silence_within_the_answer(client, serve):
    reply = chunked(delta("Hello"), delta("", "stop"), whole=False)
    usage = {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}
    payload = reply + chunked(event({"choices": [], "usage": usage}), DONE).partition(b"\r\n\r\n")[2]
    heard = ask(client, serve(Answer(payload, cuts=(len(reply),), pause_s=0.6)), read_timeout=0.2)
    assert (heard.error, heard.text) == (None, "Hello")
    assert heard.completion.usage == Usage(11, 2, 13)


PING = b": ping\n\n"


def paced(*pieces: bytes, pause_s: float) -> Answer:
    """A stream whose pieces come one by one."""
    payload = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + b"".join(pieces)
    ends = list(accumulate(map(len, pieces), initial=len(payload) - sum(map(len, pieces))))
    return Answer(payload, "close", tuple(ends[1:-1]), pause_s)


def test_pings_after_the_finish_reason_keep_no_reply_waiting(client, serve):
    started = time.monotonic()
    heard = ask(client, serve(paced(delta("Hello"), FINISH, *[PING] * 60, pause_s=0.2)))
    assert (heard.error, heard.text) == (None, "Hello")
    assert time.monotonic() - started < 11  # and not the 12 s that the pings take


def test_a_model_may_think_before_its_first_word_for_as_long_as_for_the_first_byte(client, serve):
    role = event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
    answer = paced(role, delta("Hello"), FINISH, DONE, pause_s=0.5)
    heard = ask(client, serve(answer), read_timeout=0.2, first_byte_timeout=5)
    assert isinstance(heard.error, errors.TimedOutError)  # within the reply, read_timeout holds
    assert heard.text == "Hello"
    assert "kept in _reply" in heard.error.hint


def test_nothing_is_said_to_be_kept_where_nothing_came(client, serve):
    role = event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
    heard = ask(client, serve(Answer(chunked(role, whole=False), "silence")), read_timeout=0.1, first_byte_timeout=0.2)
    assert isinstance(heard.error, errors.TimedOutError)
    assert "kept" not in heard.error.hint


def test_silence_after_done_does_not_matter(client, serve):
    heard = ask(client, serve(Answer(chunked(delta("Hello"), DONE, whole=False), "silence")), read_timeout=0.2)
    assert (heard.error, heard.text) == (None, "Hello")
