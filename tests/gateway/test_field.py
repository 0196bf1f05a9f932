"""Answers as gateways of the field send them, kind by kind: each is read right, streamed, whole, and however it is cut.

`field.json` holds the cases: an answer, the options of the cell that asks, and what must be seen.
"""

from __future__ import annotations

import contextlib
import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from IPython.utils.capture import capture_output
from PIL import Image
from servers import DONE, Answer, RawServer, delta, http
from shells import shell_of

from xcyq_magic import errors, load_ipython_extension, unload_ipython_extension
from xcyq_magic.chat.completion import CompletionBuilder
from xcyq_magic.gateway.credentials import ApiKey
from xcyq_magic.gateway.receive import receive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CASES = json.loads(Path(__file__).with_name("field.json").read_text("utf-8"))
KEY = "sk-5ecret-0123456789"
HELLO = Answer(http(delta("Hel") + delta("lo", "stop") + DONE, kind="text/event-stream"))


def answer(case: dict) -> Answer:
    headers = {name: value for name, value in case["headers"].items() if name != "Content-Type"}
    kind = case["headers"].get("Content-Type", "application/json")
    lines = {name.replace("-", "_"): value for name, value in headers.items()}
    return Answer(http(case["body"], f"{case['status']} Case", kind, **lines))


@pytest.fixture
def seen(monkeypatch, tmp_path):
    """Ask a gateway from a cell; returns the server, whether the cell succeeded, and what was seen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    servers = []

    def ask(line: str, *answers: Answer):
        servers.append(
            RawServer([*answers, Answer(http(delta("Hel") + delta("lo", "stop") + DONE, kind="text/event-stream"))])
        )
        monkeypatch.setenv("XCYQ_BASE_URL", servers[-1].base_url)
        with shell_of() as shell:
            shell.user_ns["pic"] = Image.new("RGB", (64, 48), (200, 100, 50))
            load_ipython_extension(shell)
            with capture_output() as captured:
                result = shell.run_cell(f"%%chat -m claude-sonnet-4-6 {line}\nHello?")
            reply = shell.user_ns.get("_reply")
            unload_ipython_extension(shell)
        return servers[-1], result.success, captured.stdout, reply

    yield ask
    for server in servers:
        server.close()


@pytest.mark.parametrize("name", CASES)
def test_it_is_seen_as_it_is(seen, name):
    case, want = CASES[name], CASES[name]["want"]
    server, ok, shown, reply = seen(case["line"], answer(case))
    assert KEY not in shown
    assert "Traceback" not in shown
    assert len(server.requests) == want.get("requests", 1), shown
    if "ok" in want:
        assert ok == want["ok"], shown
    if "says" in want:
        assert want["says"].lower() in shown.lower()
    if "says_not" in want:
        assert want["says_not"].lower() not in shown.lower()
    if "text" in want:
        assert reply.text == want["text"]
    if "reasoning" in want:
        assert reply.reasoning.strip() == want["reasoning"]
    assert (reply.partial if reply else None) == want.get("partial")
    if "pictures" in want:
        assert [[i.mime, i.width, i.height] for i in reply.images] == want["pictures"]
        assert "base64" not in str(server.requests[-1].json["messages"])
    if "finish" in want:
        assert reply.finish_reason == want["finish"]


def read(body: bytes, cuts: tuple[int, ...]) -> tuple:
    """What is read of a body that comes in these pieces."""
    builder, notes = CompletionBuilder(), []

    def take(deltas) -> None:
        for one in deltas:
            builder.add(one)
            notes.extend(one.notes)

    async def pieces() -> AsyncIterator[bytes]:
        bounds = [0, *cuts, len(body)]
        for begin, end in pairwise(bounds):
            yield body[begin:end]

    failure, reading = None, receive(pieces(), take, ApiKey(KEY))
    try:
        with contextlib.suppress(StopIteration):
            reading.send(None)  # it never waits, so there is no need of an event loop
    except errors.GatewayError as e:
        failure = (type(e), e.message)
    built = builder.build("m")
    return built.text, built.reasoning, built.images, built.finish_reason, built.usage, tuple(notes), failure


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c["status"] == 200])
def test_however_it_is_cut_it_is_read_alike(name):
    body = CASES[name]["body"].encode()
    whole = read(body, ())
    for at in range(1, len(body)):
        assert read(body, (at,)) == whole, body[:at]
    assert read(body, tuple(range(1, len(body)))) == whole
