"""The API key never shows: not on a screen, in a log, a notebook, the history, a traceback or a pickle."""

from __future__ import annotations

import base64
import contextlib
import copy
import gc
import json
import logging
import os
import pickle
import re
import socket
import traceback
from dataclasses import dataclass, field
from html import unescape
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from kernels import Kernel
from servers import DONE, Answer, RawServer, chunked, delta, event, http
from shells import shell_of

from xcyq_magic import errors, load_ipython_extension, unload_ipython_extension
from xcyq_magic.chat.messages import Message
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import GatewaySettings
from xcyq_magic.session.turn import TurnOptions

if TYPE_CHECKING:
    from xcyq_magic.chat.completion import Completion

KEY = "sk-Vq7xW2mN9pLk4RtZ8bYc3HdF"
WINDOW = 10  # so many characters of it are too many
_ESCAPE = re.compile(r"\\+u00(..)")
_BASE64 = re.compile(r"\b(?:[A-Za-z0-9]{4}){6,}")
PIECES = [KEY[n : n + WINDOW] for n in range(len(KEY) - WINDOW + 1)]
PROXIES = [n for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for n in (name, name.upper())]
ECHO = {"error": {"message": f"Incorrect API key: {KEY}.", "type": KEY, "param": f"x {KEY}", "code": KEY}}
PAGE = f"<html><head><title>No access with {KEY}</title></head><body>{KEY}</body></html>"
END = delta("", "stop") + DONE
ACROSS = f"{'x' * 285} {KEY}"


def where_shown(text: str) -> str:
    """What stands around the key in `text`, read in any of its codings; nothing if it is not there."""
    text = "\n".join((text, unquote(text), unescape(text), _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text)))
    text += "".join(base64.b64decode(found + "==").decode("latin-1") for found in _BASE64.findall(text))
    lowered = text.lower()
    return next((text[max(0, at - 200) : at + 50] for p in PIECES if (at := lowered.find(p.lower())) >= 0), "")


@dataclass(frozen=True)
class Scenario:
    """A failure: what the gateway answers, and the environment that differs."""

    answer: Answer | None = field(repr=False, default=None)  # None for nobody there
    environment: dict[str, str] = field(repr=False, default_factory=dict)
    interrupt: bool = False
    by_proxy: bool = False
    in_head: bool = False  # the key is in the answer's head, which httpcore logs


def played(payload: bytes, then: str = "keep", **more: bool) -> Scenario:
    return Scenario(Answer(payload, then), **more)


def stream(body: bytes) -> Scenario:
    return played(http(body, kind="text/event-stream"))


ESCAPED = "".join(f"\\u{ord(c):04x}" for c in KEY)
PERCENT = "".join(f"%{ord(c):02X}" for c in KEY)
ENTITIES = "".join(f"&#{ord(c)};" for c in KEY)
IN_BASE64 = base64.b64encode(f"user:{KEY}".encode()).decode()
LATER = b'data: {"error": "%s"}\n\n'

SCENARIOS = {
    "400, escaped": played(http(f'{{"error": "no: {ESCAPED}"}}', "400 Bad Request")),
    "400, escaped where it is cut": played(http(f'{{"error": "{"x" * 285} {ESCAPED}"}}', "400 Bad Request")),
    "400, escaped twice": played(http(json.dumps({"error": f'{{"message": "{ESCAPED}"}}'}), "400 Bad Request")),
    "an error in JSON, escaped": played(http(f'{{"error": "no: {ESCAPED}"}}')),
    "an error in the stream, escaped": stream(delta("Hel") + LATER % ESCAPED.encode()),
    "no JSON in the stream, escaped": stream(delta("Hel") + f"data: {ESCAPED}\n\n".encode()),
    "a page in entities": played(http(f"<html><title>No: {ENTITIES}</title>", "403 Forbidden", "text/html")),
    "401 in base64": played(http(json.dumps({"error": f"Basic {IN_BASE64}"}), "401 Unauthorized")),
    "401 in capitals": played(http(json.dumps({"error": f"BEARER {KEY.upper()}"}), "401 Unauthorized")),
    "a redirect with the key in percent": played(
        http(b"", "302 Found", Location=f"http://127.0.0.1:9/?key={PERCENT}"), in_head=True
    ),
    "the key as an encoding": played(http(b"", Content_Encoding=KEY), in_head=True),
    "401": played(http(json.dumps(ECHO), "401 Unauthorized")),
    "400": played(http(json.dumps(ECHO), "400 Bad Request")),
    "400 in text": played(http(f"no: {KEY}", "400 Bad Request", "text/plain")),
    "400, the key where it is cut": played(http(json.dumps({"error": ACROSS}), "400 Bad Request")),
    "429": played(http(json.dumps(ECHO), "429 Too Many Requests", Retry_After_Ms="1")),
    "500": played(http(json.dumps(ECHO), "500 Internal Server Error", Retry_After_Ms="1")),
    "502 with a page": played(http(PAGE, "502 Bad Gateway", "text/html", Retry_After_Ms="1")),
    "a page": played(http(PAGE, kind="text/html")),
    "a page, the key where it is cut": played(http(f"<html><title>{ACROSS}</title>", kind="text/html")),
    "another JSON": played(http(json.dumps({"key": KEY}))),
    "an error in JSON": played(http(json.dumps(ECHO))),
    "an error in the stream": stream(delta("Hel") + event(ECHO)),
    "an error in the stream, in text": stream(delta("Hel") + f"event: error\ndata: {KEY}\n\n".encode()),
    "an error in the stream, the key where it is cut": stream(delta("Hel") + event({"error": ACROSS})),
    "no JSON in the stream": stream(delta("Hel") + f"data: {KEY}\n\n".encode()),
    "no JSON in the stream, the key where it is cut": stream(delta("Hel") + f"data: {ACROSS}\n\n".encode()),
    "no HTTP": played(f"SSH-2.0 {KEY}\r\n\r\n".encode(), "close", in_head=True),
    "an odd header": played(f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode(), "close", in_head=True),
    "an odd length": played(f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n".encode(), "close"),
    "a redirect": played(http(b"", "302 Found", Location="http://127.0.0.1:9/elsewhere")),
    "a redirect with the key": played(http(b"", "302 Found", Location=f"http://127.0.0.1:9/?key={KEY}"), in_head=True),
    "dropped": played(b"", "close"),
    "dropped in the middle": played(chunked(delta("Hel"), whole=False), "close"),
    "nobody there": Scenario(),
    "an interrupt": Scenario(Answer(chunked(delta("Hel"), whole=False), "silence"), interrupt=True),
    "a proxy that refuses": Scenario(
        Answer(http(PAGE, "502 Bad Gateway", "text/html", Retry_After_Ms="1")), by_proxy=True
    ),
    "a bad proxy": Scenario(environment={"HTTP_PROXY": "ftp://127.0.0.1:9"}, by_proxy=True),
    "a key with a newline": Scenario(environment={"XCYQ_API_KEY": f"{KEY}\n{KEY}"}),
    "a key with an odd character": Scenario(environment={"XCYQ_API_KEY": f"{KEY}\u200b"}),
}
scenarios = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


@pytest.fixture
def base_url_of(monkeypatch):
    """Start what a scenario needs; returns the gateway's address."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    servers = []

    def start(scenario: Scenario) -> str:
        if scenario.answer is None:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                address = f"http://127.0.0.1:{listener.getsockname()[1]}/gateway"
        else:
            servers.append(RawServer([scenario.answer]))
            address = servers[-1].base_url
        if scenario.by_proxy:
            monkeypatch.setenv("HTTP_PROXY", address.removesuffix("/gateway"))
            address = "http://gateway.invalid/x"
        for name, value in scenario.environment.items():
            monkeypatch.setenv(name, value)
        return address

    start.servers = servers
    yield start
    for server in servers:
        server.close()


@pytest.fixture
def logs(caplog):
    """Every word that is logged."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio", "xcyq_magic"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def interrupt_if_begun(replies) -> None:
    if not replies[0].builder.empty:
        raise KeyboardInterrupt


def texts_of_error(error: BaseException) -> dict[str, str]:
    """Every form in which an error can be shown or kept."""
    captured = traceback.TracebackException.from_exception(error, capture_locals=True, compact=True)
    texts = {
        "str": str(error),
        "repr": repr(error),
        "vars": repr((error.args, vars(error))),
        "traceback": "".join(traceback.format_exception(error)),
        "traceback with locals": "".join(captured.format()),
    }
    if isinstance(error, errors.XcyqError):
        copied = copy.deepcopy(error)
        texts |= {
            "on the screen": "\n".join(error._render_traceback_()),
            "pickle": pickle.dumps(error).decode("latin-1"),
            "copy": repr((copied, vars(copied))),
        }
    return texts


@scenarios
def test_no_object_and_no_log_shows_the_key(scenario, base_url_of, logs, capfd):
    session = ChatSession(GatewaySettings(base_url=base_url_of(scenario)))
    paint = interrupt_if_begun if scenario.interrupt else None
    outcome = None
    try:
        outcome = session.ask(Message.of("user", "Hello"), paint=paint)
        error = outcome.error
    except errors.XcyqError as e:
        error = e.with_traceback(e.__traceback__.tb_next)  # this test's own frame holds the scenario
    assert isinstance(error, errors.XcyqError | KeyboardInterrupt)
    texts = texts_of_error(error)
    for each in (
        session,
        session.access,
        session._client,
        session.gateway,
        session.chat,
        session.conversations,
        outcome,
    ):
        texts[f"repr of {type(each).__name__}"] = repr(each)
        texts[f"fields of {type(each).__name__}"] = repr(getattr(each, "__dict__", ""))
    if outcome is not None:
        request = session.request(session.conversation(), Message.of("user", "Hello"), TurnOptions()).request
        texts |= {"request": repr(request), "reply": repr(vars(outcome.reply)), "access": repr(vars(session.access))}
        for each in (outcome.completion, outcome.turn, session.conversation(), request):
            texts[f"pickle of {type(each).__name__}"] = pickle.dumps(each).decode("latin-1")
            texts[f"copy of {type(each).__name__}"] = repr(copy.deepcopy(each))
    session.close()
    # At DEBUG httpcore logs the head of an answer as it came, before any code of ours sees it.
    by_us = [r for r in logs.records if not (scenario.in_head and r.name.startswith("httpcore"))]
    texts["log"] = "\n".join(f"{r.getMessage()} {r.exc_text}" for r in by_us)
    texts["printed"] = "".join(capfd.readouterr())
    assert {name: around for name, text in texts.items() if (around := where_shown(text))} == {}


# In what a model says


def chunk(where: str, words: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {where: words}}]})


CUTS = [*((n,) for n in range(len(KEY) + 1)), (1, 2), (3, 9, 17), tuple(range(1, len(KEY)))]


@pytest.mark.parametrize("where", ["content", "reasoning_content"])
def test_no_reply_shows_the_key_however_it_is_cut(base_url_of, where):
    written = [KEY, KEY.swapcase(), f"sk-sk-{KEY}", f"{KEY}{KEY}"]
    for words in (f"the word is {key} indeed, sk" for key in written):
        start = words.index(next(key for key in written[::-1] if key in words))
        cuts = [tuple(start + n for n in cut) for cut in CUTS]
        pieces = [[words[a:b] for a, b in pairwise((0, *cut, len(words)))] for cut in cuts]
        answers = [http(b"".join(chunk(where, p) for p in each) + END, kind="text/event-stream") for each in pieces]
        for reply in replies(base_url_of, answers):
            assert (reply.text or reply.reasoning) == re.sub(KEY, "(the API key)", words, flags=re.IGNORECASE)


def replies(base_url_of, answers: list[bytes]) -> list[Completion]:
    """What a session gets of each of the answers."""
    address = base_url_of(Scenario(Answer(b"")))
    base_url_of.servers[-1].answers = [Answer(a) for a in answers]
    session = ChatSession(GatewaySettings(base_url=address))
    outcomes = [session.ask(Message.of("user", "Hello"), TurnOptions(once=True)) for _ in answers]
    session.close()
    return [o.completion for o in outcomes]


@pytest.mark.parametrize("words", [ESCAPED, KEY, "\\/".join((KEY, "")), "".join(f"\\u{ord(c):04X}" for c in KEY)])
def test_no_reply_shows_the_key_however_its_json_is_written(base_url_of, words):
    in_stream = b'data: {"model": "%b", "choices": [{"delta": {"content": "a %b"}}]}\n\n' % ((words.encode(),) * 2)
    whole = b'{"model": "%b", "choices": [{"message": {"content": "a %b"}, "finish_reason": "stop"}]}'
    answers = [http(in_stream + END, kind="text/event-stream"), http(whole % ((words.encode(),) * 2))]
    for reply in replies(base_url_of, answers):
        assert reply.text.startswith("a (the API key)")
        assert reply.model.startswith("(the API key)")


@pytest.mark.parametrize("written", [PERCENT, ENTITIES, IN_BASE64, KEY.lower(), ESCAPED], ids=lambda w: w[:6])
def test_no_reply_shows_the_key_in_another_coding(base_url_of, written):
    for reply in replies(base_url_of, [http(delta(f"a {written}.") + END, kind="text/event-stream")]):
        assert where_shown(reply.text) == ""
        assert "(the API key)" in reply.text


@pytest.mark.parametrize("where", ["content", "reasoning_content"])
@pytest.mark.parametrize("written", [PERCENT, ENTITIES, IN_BASE64, KEY.lower(), ESCAPED], ids=lambda w: w[:6])
def test_no_reply_shows_the_key_in_another_coding_however_it_is_cut(base_url_of, written, where):
    text = f"a {written} b"
    cuts = [*((n,) for n in range(3, len(text), 5)), tuple(range(1, len(text)))]
    pieces = [[text[a:b] for a, b in pairwise((0, *cut, len(text)))] for cut in cuts]
    answers = [http(b"".join(chunk(where, p) for p in each) + END, kind="text/event-stream") for each in pieces]
    said = {reply.text or reply.reasoning for reply in replies(base_url_of, answers)}
    assert len(said) == 1
    assert where_shown(*said) == ""
    assert re.fullmatch(r"a \w*\(the API key\)\w* b", *said)


@pytest.mark.parametrize("written", [KEY, PERCENT, ESCAPED], ids=["plain", "percent", "escaped"])
def test_a_finish_reason_in_each_chunk_shows_no_piece_of_the_key(base_url_of, written):
    pieces = [f"a {written[:9]}", written[9:15], f"{written[15:]} b"]
    answer = b"".join(delta(piece, "stop") for piece in pieces) + DONE
    for reply in replies(base_url_of, [http(answer, kind="text/event-stream")]):
        assert reply.text == "a (the API key) b"


@pytest.mark.parametrize("before", [270, 280, 290])
@pytest.mark.parametrize("name", ["model", "id", "finish_reason"])
def test_no_name_shows_the_key_where_it_is_cut(base_url_of, name, before):
    record = {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    (record["choices"][0] if name == "finish_reason" else record)[name] = "m" * before + KEY
    for reply in replies(base_url_of, [http(event(record) + END, kind="text/event-stream")]):
        assert where_shown(repr(reply)) == ""


@pytest.mark.parametrize("end", [delta("", "stop"), DONE, b"", event({"error": "Overloaded"}), b"data: no JSON\n\n"])
@pytest.mark.parametrize("begun", [KEY[:1], KEY[:-1], "miss", KEY[:5].upper()])
def test_what_only_begins_like_the_key_is_not_lost(base_url_of, begun, end):
    for reply in replies(base_url_of, [http(delta("Hel") + delta(begun) + end, kind="text/event-stream")]):
        assert reply.text == f"Hel{begun}"


def test_an_entered_key_that_is_refused_is_in_no_traceback():
    session = ChatSession()
    try:
        session.access.enter_key(f"{KEY}\n{KEY}")
    except errors.KeyFormatError as e:
        texts = texts_of_error(e.with_traceback(e.__traceback__.tb_next))
    session.close()
    assert {name: around for name, text in texts.items() if (around := where_shown(text))} == {}


def test_a_key_of_a_file_that_is_refused_is_in_no_traceback(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text(f"XCYQ_API_KEY='{KEY} {KEY}'\n")
    monkeypatch.chdir(tmp_path)
    session = ChatSession()
    try:
        session.access.key()
    except errors.KeyFormatError as e:
        texts = texts_of_error(e.with_traceback(e.__traceback__.tb_next))
    session.close()
    assert {name: around for name, text in texts.items() if (around := where_shown(text))} == {}


def test_no_object_that_outlives_a_failure_holds_the_key_in_the_open(base_url_of):
    with contextlib.closing(
        ChatSession(GatewaySettings(base_url=base_url_of(SCENARIOS["dropped in the middle"])))
    ) as session:
        outcome = session.ask(Message.of("user", "Hello"))
        shown = objects_that_show_the_key()
    assert isinstance(outcome.error, errors.IncompleteReplyError)
    assert shown == []


def objects_that_show_the_key() -> list[str]:
    gc.collect()
    # A text that holds it would be a field or an item of one of ours, of httpx or of httpcore.
    ours = [
        o
        for o in gc.get_objects()
        if str(type(o).__module__).split(".")[0] in {"xcyq_magic", "httpx", "httpcore", "h11"}
    ]
    found = []
    for o in ours:
        with contextlib.suppress(ValueError):  # what another test left has a number of too many digits to be shown
            found += [type(o).__qualname__] if where_shown(repr(getattr(o, "__dict__", ""))) else []
    return found


# In IPython

AFTERWARDS = [
    "%tb",
    "%xmode Verbose\n%tb",
    "%xmode Context",
    "%chat",
    "%history -g",
    "%history",
    "%config GatewaySettings",
]
OBJECTS = [
    "get_ipython().magics_manager.registry['xcyq_magic']",
    "vars(get_ipython().magics_manager.registry['xcyq_magic'].context)",
    "get_ipython().magics_manager.registry['xcyq_magic'].context.session",
    "vars(get_ipython().magics_manager.registry['xcyq_magic'].context.session)",
    "vars(get_ipython().magics_manager.registry['xcyq_magic'].context.session.access)",
    "globals().get('_reply')",
]


@scenarios
@pytest.mark.parametrize("mode", ["Verbose"])
def test_no_output_of_a_shell_shows_the_key(scenario, mode, base_url_of, monkeypatch, capsys):
    if scenario.interrupt:
        pytest.skip("the kernel's test interrupts")
    monkeypatch.setenv("XCYQ_BASE_URL", base_url_of(scenario))
    with shell_of() as shell:
        load_ipython_extension(shell)
        shell.run_cell(f"%xmode {mode}")
        failed = shell.run_cell("%%chat\nHello", store_history=True)
        for code in [*AFTERWARDS, *OBJECTS]:
            shell.run_cell(code, store_history=True)
        unload_ipython_extension(shell)
    assert isinstance(failed.error_in_exec, errors.XcyqError)
    printed = "".join(capsys.readouterr())
    assert "Error" in printed
    assert where_shown(printed) == ""


@pytest.fixture
def kernel(base_url_of):
    """A kernel with the extension and the key; every logger talks."""
    base_url_of(SCENARIOS["nobody there"])
    running = Kernel({**os.environ, "XCYQ_API_KEY": KEY})
    logging_on = "import logging, sys; logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)"
    for code in (logging_on, "%load_ext xcyq_magic"):
        assert running.run(code).status == "ok"
    yield running
    running.close()


def test_no_message_of_a_kernel_shows_the_key(kernel, base_url_of):
    failures, ran = 0, []
    for scenario in SCENARIOS.values():
        if scenario.environment or scenario.by_proxy or scenario.in_head:
            continue  # the kernel has an environment of its own
        ran.append(kernel.run(f"%config GatewaySettings.base_url = {base_url_of(scenario)!r}"))
        if scenario.interrupt:
            cell = kernel.start("%%chat\nHello")
            ran.append(kernel.finish(cell, until=lambda m: "Hel" in str(m["content"].get("data", ""))))
            kernel.interrupt()
            ran.append(kernel.finish(cell))
        else:
            ran.append(kernel.run("%%chat\nHello"))
        failures += ran[-1].status == "error"
        ran += [kernel.run(code) for code in ("%tb", "%xmode Verbose\n%tb", "%xmode Context", "%history -g")]
    ran += [kernel.run(code) for code in OBJECTS]
    assert failures > 15
    shown = json.dumps([[m for _, m in r.messages] + [r.reply] for r in ran], default=str)
    assert "HTTP Request" in shown  # the logs are among them
    assert where_shown(shown) == ""


# Errors of ours are values


@pytest.mark.parametrize("name", errors.__all__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_of_ours_survives_pickle_and_copy(name, protocol):
    kind = getattr(errors, name)
    more = (
        {"status": 418, "said": "no", "kind": "k", "param": "p", "code": "c"}
        if issubclass(kind, errors.StatusError)
        else {}
    )
    error = kind("It failed.", "Type something else.", **more)
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.deepcopy(error), copy.copy(error)):  # noqa: S301
        assert type(again) is kind
        assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
