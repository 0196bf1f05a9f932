"""The sandbox: the reference client works against it, and it misbehaves as it is told."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from urllib.parse import urlsplit

import openai
import pytest
from PIL import Image as Pillow

from xcyq_magic.chat.completion import code_blocks
from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import SandboxError
from xcyq_magic.gateway.catalog import MODELS
from xcyq_magic.gateway.sandbox.answers import Reply
from xcyq_magic.gateway.sandbox.directives import DIRECTIVES, Plan
from xcyq_magic.gateway.sandbox.server import Sandbox
from xcyq_magic.session.judging import question, verdict_of

FAST = "sandbox: first 0\nsandbox: pace 5000 20\n"


def key_of(sandbox: Sandbox) -> str:
    return sandbox.key.header("")


@pytest.fixture
def reference(sandbox):
    """The official client, as its users set it up for a gateway."""
    with openai.OpenAI(base_url=f"{sandbox.base_url}/v1", api_key=key_of(sandbox), max_retries=0) as client:
        yield client


def create(reference, content, model="gpt-5.4", **options):
    messages = [{"role": "user", "content": content}]
    return reference.chat.completions.create(model=model, messages=messages, **options)


def streamed(reference, content, **options):
    """The chunks of a streamed reply."""
    with create(reference, content, stream=True, stream_options={"include_usage": True}, **options) as stream:
        return list(stream)


def text_of(chunks) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def streamed_text(reference, content) -> str:
    return text_of(streamed(reference, content))


def whole_text(reference, content) -> str:
    return create(reference, content).choices[0].message.content


def picture_content(text: str = "What is this?") -> list[dict]:
    buffer = io.BytesIO()
    Pillow.new("RGB", (7, 5), "#ff8000").save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}]


# The reference client


def test_the_reference_client_gets_a_whole_answer(reference):
    answer = create(reference, FAST + "Hello there")
    assert answer.object == "chat.completion"
    assert answer.model == "gpt-5.4"
    assert abs(answer.created - time.time()) < 60
    choice = answer.choices[0]
    assert (choice.finish_reason, choice.message.role) == ("stop", "assistant")
    assert "not a model" in choice.message.content
    assert "Hello there" in choice.message.content
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_reference_client_gets_the_same_answer_in_a_stream(reference):
    chunks = streamed(reference, FAST + "Hello there")
    whole = create(reference, FAST + "Hello there")
    assert text_of(chunks) == whole.choices[0].message.content
    assert {c.object for c in chunks} == {"chat.completion.chunk"}
    assert len({c.id for c in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


def test_usage_comes_in_a_stream_only_where_it_was_asked_for(reference):
    with create(reference, FAST, stream=True) as stream:
        assert all(c.usage is None for c in stream)


@pytest.mark.parametrize("stream", [True, False])
def test_the_reference_client_sends_a_picture(reference, stream):
    content = picture_content(FAST + "What is this?")
    ask = streamed_text if stream else whole_text
    text = ask(reference, content)
    assert re.search(r"PNG \| 7 \S+ 5 \|", text)
    assert "#ff8000" in text


def test_a_picture_counts_as_tokens(reference):
    bare = create(reference, FAST).usage.prompt_tokens
    assert create(reference, picture_content(FAST)).usage.prompt_tokens >= bare + 200


def report_of(reference, messages) -> str:
    answer = reference.chat.completions.create(model="gpt-5.4-low", messages=messages)
    return answer.choices[0].message.content


def test_the_report_tells_of_the_pictures_of_the_prompt_alone(reference):
    earlier = {"role": "user", "content": picture_content("one")}
    text = report_of(reference, [earlier, {"role": "user", "content": picture_content(FAST + "two")}])
    assert "\n> (picture 1) two\n" in text
    assert "With it: 1 earlier turn, with 1 picture\n" in text
    assert len([row for row in text.splitlines() if "| PNG |" in row]) == 1
    text = report_of(reference, [earlier] * 9 + [{"role": "user", "content": FAST + "two"}])
    assert "With it: 9 earlier turns, with 9 pictures" in text
    assert "| PNG |" not in text


def test_the_report_says_what_a_model_would_get(reference):
    messages = [
        {"role": "system", "content": "Be *brief*."},
        {"role": "user", "content": "first | question"},
        {"role": "assistant", "content": "first answer"},
        {"role": "user", "content": FAST + "second | question"},
    ]
    answer = reference.chat.completions.create(model="claude-haiku-4-5", messages=messages, temperature=0.5, seed=7)
    assert answer.choices[0].message.content == (
        "**This is the sandbox, not a model.** `claude-haiku-4-5` would get this:\n\n> second \\| question\n\n"
        "With it: the system prompt “Be \\*brief\\*.” · 1 earlier turn · `seed` = `7` · `temperature` = `0.5`"
    )


def test_the_report_shortens_a_long_prompt_and_names_the_pool(reference):
    table = "\n".join(f"{n:5} {n * n:7}" for n in range(40))
    text = report_of(reference, [{"role": "user", "content": f"{FAST}What is odd in\n{table}"}])
    assert "`gpt-5.4-low` (budget)" in text
    assert "\n        3       9\n" in text
    assert "400" not in text
    assert " …\n" in text
    text = report_of(reference, [{"role": "user", "content": FAST + "word " * 1_000}])
    assert text.count("word") == 60
    assert "`sandbox: help`" in text


@pytest.mark.parametrize(("prompt", "is_asked"), [("Write a FUNCTION for it", True), ("Is it odd?", False)])
def test_who_asks_for_code_gets_some_that_runs(reference, prompt, is_asked):
    blocks = list(code_blocks(report_of(reference, [{"role": "user", "content": f"{FAST}{prompt}\nNow."}])))
    assert [b.language for b in blocks] == ["python"] * is_asked
    for block in blocks:
        exec(block.code)  # noqa: S102  # the sandbox's own


def test_a_report_comes_at_a_pace_that_is_seen_unless_told_otherwise(sandbox):
    plans = [Plan(asked=model) for model in ("gpt-5.5", "claude-opus-4-7")]
    seen = [Reply.of(plan, body_of(**message("Hello")), "Hello").plan for plan in plans]
    assert seen[0].deltas_per_s * seen[0].delta_chars < Plan.deltas_per_s * Plan.delta_chars
    assert (seen[0].deltas_per_s, seen[0].first_s) != (seen[1].deltas_per_s, seen[1].first_s)
    for told in (replace(plans[0], first_s=0), replace(plans[0], delta_chars=1), replace(plans[0], markdown_chars=9)):
        assert Reply.of(told, body_of(**message("Hello")), "Hello").plan == told


@pytest.mark.parametrize("stream", [True, False])
def test_max_tokens_cut_the_answer(reference, stream):
    content = FAST + "sandbox: markdown 400"
    if stream:
        chunks = streamed(reference, content, max_tokens=10)
        text, usage = text_of(chunks), chunks[-1].usage
        reason = [c.choices[0].finish_reason for c in chunks if c.choices][-1]
    else:
        answer = create(reference, content, max_tokens=10)
        text, usage, reason = answer.choices[0].message.content, answer.usage, answer.choices[0].finish_reason
    assert reason == "length"
    assert len(text) == 40
    assert usage.completion_tokens == 10


def test_max_tokens_that_suffice_cut_nothing(reference):
    answer = create(reference, FAST + "sandbox: markdown 40", max_tokens=10)
    assert (len(answer.choices[0].message.content), answer.choices[0].finish_reason) == (40, "stop")


@pytest.mark.parametrize(
    ("stop", "text"),
    [("three", "one two "), (["four", "two"], "one "), (["five"], "one two three four"), (None, "one two three four")],
)
def test_stop_strings_end_the_answer(reference, stop, text):
    answer = create(reference, FAST + "sandbox: echo\none two three four", **({"stop": stop} if stop else {}))
    assert answer.choices[0].message.content == text
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": 3}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"extra_body": {"stream": "yes"}}, "stream"),
    ],
)
def test_the_reference_client_gets_bad_request_for_a_broken_rule(reference, options, words):
    with pytest.raises(openai.BadRequestError) as raised:
        create(reference, "Hello", **options)
    assert raised.value.type == "invalid_request_error"
    assert raised.value.param == words
    assert words in str(raised.value)


def test_the_reference_client_gets_authentication_error_for_another_key(sandbox):
    with openai.OpenAI(base_url=f"{sandbox.base_url}/v1", api_key="another", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as raised:
            create(client, "Hello")
        assert raised.value.code == "invalid_api_key"
        assert key_of(sandbox) not in str(raised.value)
    assert sandbox.received == []


def test_the_reference_client_gets_not_found_for_an_unknown_model(reference):
    with pytest.raises(openai.NotFoundError) as raised:
        create(reference, "Hello", model="gpt-0")
    assert raised.value.code == "model_not_found"


def test_the_reference_client_gets_not_found_at_another_address(reference):
    with pytest.raises(openai.NotFoundError, match="There is no GET"):
        reference.models.list()


def test_the_reference_client_gets_rate_limit_error_for_429(reference):
    with pytest.raises(openai.RateLimitError):
        create(reference, "sandbox: status 429")


def test_the_reference_client_gets_an_error_in_the_middle_of_a_stream(reference):
    with pytest.raises(openai.APIError, match="asked to fail in the middle"):
        streamed(reference, FAST + "sandbox: error 40")


# Bodies that no client of good manners sends


def post(sandbox: Sandbox, body: object, timeout: float = 10.0) -> http.client.HTTPResponse:
    address = urlsplit(sandbox.base_url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key_of(sandbox)}", "Content-Type": "application/json", "Connection": "close"}
    connection.request("POST", f"{address.path}/v1/chat/completions", raw, headers)
    return connection.getresponse()


def refusal(sandbox: Sandbox, body: object) -> tuple[int, dict]:
    with closing(post(sandbox, body)) as response:
        return response.status, json.load(response)["error"]


def body_of(**changes) -> dict:
    return {"model": "gpt-5.4", "messages": [{"role": "user", "content": "Hello"}]} | changes


def message(content: object, role: object = "user") -> dict:
    return {"messages": [{"role": role, "content": content}]}


MP4 = bytes.fromhex("0000001066747970") + b"isom" + bytes(4)


def film_parts(data: bytes, mime: str = "video/mp4") -> list[dict]:
    """A film in each form of a part."""
    url = f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"
    return [
        {"type": "video_url", "video_url": {"url": url}},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "file", "file": {"filename": "film.mp4", "file_data": url}},
    ]


def answer_to(sandbox: Sandbox, body: dict) -> dict:
    with closing(post(sandbox, body)) as response:
        assert response.status == 200
        return json.load(response)


def content_of(answer: dict) -> str:
    return answer["choices"][0]["message"]["content"]


TEXT_PART = {"type": "text", "text": "What is this?"}
HALF_BASE64 = "data:image/png;base64,AAAAA"
BAD_PNG = "data:image/png;base64," + base64.b64encode(b"no picture").decode("ascii")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"", id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({}, id="no model"),
        pytest.param(body_of(model=None), id="model null"),
        pytest.param(body_of(model=5), id="model that is a number"),
        pytest.param({"model": "gpt-5.4"}, id="no messages"),
        pytest.param(body_of(messages=[]), id="messages empty"),
        pytest.param(body_of(messages="Hello"), id="messages that are a string"),
        pytest.param(body_of(messages=["Hello"]), id="a message that is a string"),
        pytest.param(body_of(**message("Hello", "robot")), id="an unknown role"),
        pytest.param(body_of(**message("Hello", None)), id="role null"),
        pytest.param(body_of(**message("Hello", [])), id="a role that is a list"),
        pytest.param(body_of(**message(None)), id="content null"),
        pytest.param(body_of(**message("")), id="content empty"),
        pytest.param(body_of(**message([])), id="no parts"),
        pytest.param(body_of(**message(["Hello"])), id="a part that is a string"),
        pytest.param(body_of(**message([{"type": "x"}])), id="an unknown part"),
        pytest.param(body_of(**message([{"type": []}])), id="a part whose type is a list"),
        pytest.param(body_of(**message([{"type": "text"}])), id="a text part without text"),
        pytest.param(body_of(**message([{"type": "text", "text": None}])), id="a text part of null"),
        pytest.param(body_of(**message([{"type": "image_url"}])), id="an image part without an address"),
        pytest.param(body_of(**message([{"type": "image_url", "image_url": "data:"}])), id="an image part of a string"),
        pytest.param(body_of(**message([{"type": "image_url", "image_url": {"url": None}}])), id="an address of null"),
        pytest.param(body_of(**message([{"type": "image_url", "image_url": {"url": BAD_PNG}}])), id="no picture"),
        pytest.param(body_of(**message([{"type": "image_url", "image_url": {"url": "x"}}])), id="an odd address"),
        pytest.param(body_of(**message([{"type": "image_url", "image_url": {"url": HALF_BASE64}}])), id="half base64"),
        *(pytest.param(body_of(**message([p])), id=f"a video for GPT as {p['type']}") for p in film_parts(MP4)),
        pytest.param(body_of(model="gemini-2.5-pro", **message(film_parts(b"no film"))), id="no film"),
        pytest.param(
            body_of(model="gemini-2.5-pro", **message(film_parts(MP4, "video/quicktime"))), id="another name of a type"
        ),
        pytest.param(body_of(model="gemini-2.5-pro", **message([{"type": "file", "file": {}}])), id="an empty file"),
        pytest.param(body_of(temperature="warm"), id="a temperature that is a word"),
        pytest.param(body_of(temperature=True), id="a temperature that is true"),
        pytest.param(b'{"model": "gpt-5.4", "messages": [{"role": "user", "content": "a"}], "top_p": NaN}', id="NaN"),
        pytest.param(body_of(max_tokens=1.5), id="half a token"),
        pytest.param(body_of(stop=[1]), id="a stop that is a number"),
        pytest.param(body_of(stop={}), id="a stop that is an object"),
        pytest.param(body_of(stream="true"), id="a stream that is a word"),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused_with_400(sandbox, body):
    status, error = refusal(sandbox, body)
    assert status == 400
    assert error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("part", film_parts(MP4), ids=lambda p: p["type"])
def test_a_film_for_gemini_is_reported_and_counted_whatever_its_part(sandbox, part):
    bodies = [body_of(model="gemini-2.5-pro", **message(parts)) for parts in ([TEXT_PART], [TEXT_PART, part])]
    answers = [answer_to(sandbox, body) for body in bodies]
    assert f"| 1 | video/mp4 | ? | 0.0 kB | `{part['type']}` |" in content_of(answers[1])
    assert "> What is this? (video 1)\n" in content_of(answers[1])
    assert answers[1]["usage"]["prompt_tokens"] - answers[0]["usage"]["prompt_tokens"] == 263


def test_an_address_is_reported_and_not_fetched(sandbox):
    part = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    text = content_of(answer_to(sandbox, body_of(**message([part]))))
    assert "does not fetch" in text
    assert "`https://example.org/a.png` in a part of type `image_url`" in text


# Directives: each does what its help says


def test_drop_media_neither_counts_nor_reports_them(sandbox):
    body = body_of(**message(picture_content("sandbox: drop-media")))
    plain = body_of(**message("sandbox: drop-media"))
    dropped, without = answer_to(sandbox, body), answer_to(sandbox, plain)
    assert dropped["usage"]["prompt_tokens"] == without["usage"]["prompt_tokens"]
    assert content_of(dropped) == content_of(without)


def say(sandbox: Sandbox, prompt: str) -> dict:
    """A whole answer to the prompt."""
    return answer_to(sandbox, body_of(**message(prompt)))


class BrokenOffError(Exception):
    """A stream ended without [DONE]."""


def chunks_of(sandbox: Sandbox, prompt: str, timeout: float = 10.0):
    """The chunks of a streamed answer, as they come, up to [DONE]."""
    with closing(post(sandbox, body_of(**message(prompt), stream=True), timeout)) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        for line in response:
            if line.startswith(b"data: "):
                if line.strip() == b"data: [DONE]":
                    return
                yield json.loads(line[6:])
    raise BrokenOffError


def deltas_of(chunks, name: str = "content") -> list[str]:
    return [d for c in chunks if c["choices"] and (d := c["choices"][0]["delta"].get(name))]


def test_help_lists_every_directive(sandbox):
    text = content_of(say(sandbox, FAST + "sandbox: help"))
    for directive in DIRECTIVES.values():
        assert f"| `sandbox: {directive.example}` | {directive.help} |" in text


def test_every_directive_understands_its_own_example(sandbox):
    for directive in DIRECTIVES.values():
        prompt = f"sandbox: {directive.example}\nsandbox: status 418"
        assert refusal(sandbox, body_of(**message(prompt)))[0] == 418


def test_echo_answers_with_the_rest_of_the_prompt(sandbox):
    prompt = f"{FAST}sandbox: echo\nfirst line\n\n  sandbox: think 5\n    `code` and sandbox: drop\nlast line"
    assert content_of(say(sandbox, prompt)) == "first line\n\n    `code` and sandbox: drop\nlast line"


@pytest.mark.parametrize("chars", [1, 100, 5000])
def test_markdown_has_the_length_that_was_asked_for(sandbox, chars):
    assert len(content_of(say(sandbox, f"{FAST}sandbox: markdown {chars}"))) == chars


def test_think_sends_reasoning_first(sandbox):
    chunks = list(chunks_of(sandbox, FAST + "sandbox: think 50\nsandbox: echo\nHello"))
    assert len("".join(deltas_of(chunks, "reasoning_content"))) == 50
    names = [next(iter(c["choices"][0]["delta"]), "") for c in chunks[1:-1]]
    assert names == ["reasoning_content"] * 3 + ["content"]
    whole = say(sandbox, FAST + "sandbox: think 50\nsandbox: echo\nHello")
    assert len(whole["choices"][0]["message"]["reasoning_content"]) == 50


def test_pace_sets_the_deltas_and_their_length(sandbox):
    started = time.monotonic()
    deltas = deltas_of(chunks_of(sandbox, "sandbox: first 0\nsandbox: pace 20 8\nsandbox: markdown 80"))
    assert [len(d) for d in deltas] == [8] * 10
    assert time.monotonic() - started >= 0.5  # the server's own waits, so never less


def test_first_waits_before_the_first_delta(sandbox):
    started = time.monotonic()
    next(chunks := chunks_of(sandbox, "sandbox: first 0.3"))
    assert time.monotonic() - started >= 0.3
    chunks.close()


def test_stall_falls_silent_with_the_connection_open(sandbox):
    came: list = []
    with pytest.raises(TimeoutError):
        came.extend(chunks_of(sandbox, FAST + "sandbox: markdown 400\nsandbox: stall 40", timeout=0.4))
    assert 40 <= len("".join(deltas_of(came))) < 60


def test_drop_cuts_the_connection(sandbox):
    came: list = []
    with pytest.raises(BrokenOffError):
        came.extend(chunks_of(sandbox, FAST + "sandbox: markdown 900\nsandbox: drop 500"))
    assert 500 <= len("".join(deltas_of(came))) < 520
    assert sandbox.received[-1].ending == "dropped"


def test_drop_of_a_short_answer_cuts_it_before_its_end(sandbox):
    came: list = []
    with pytest.raises(BrokenOffError):
        came.extend(chunks_of(sandbox, FAST + "sandbox: echo\nsandbox: drop 500\nshort"))
    assert "".join(deltas_of(came)) == "short"
    assert all(c["choices"][0]["finish_reason"] is None for c in came)


def test_error_sends_an_error_inside_the_stream(sandbox):
    chunks = []
    for chunk in chunks_of(sandbox, FAST + "sandbox: markdown 400\nsandbox: error 100"):
        chunks.append(chunk)
        if "error" in chunk:
            break
    assert chunks[-1]["error"]["message"] == "The sandbox was asked to fail in the middle."
    assert 100 <= len("".join(deltas_of(chunks[:-1]))) < 120


def test_status_refuses_as_often_as_it_was_told(sandbox):
    prompt = f"{FAST}sandbox: status 429 2\nsandbox: echo\nHello"
    for _ in range(2):
        assert refusal(sandbox, body_of(**message(prompt)))[0] == 429
    assert content_of(say(sandbox, prompt)) == "Hello"
    for _ in range(3):
        assert refusal(sandbox, body_of(**message("sandbox: status 503")))[0] == 503


def test_a_refusal_is_counted_for_each_model(sandbox):
    messages = message(f"{FAST}sandbox: status 429 1\nsandbox: echo\nHello")
    for model in ("gpt-5.4", "gpt-5.5"):
        body = {**body_of(**messages), "model": model}
        assert refusal(sandbox, body)[0] == 429
        assert content_of(answer_to(sandbox, body)) == "Hello"


def test_for_is_a_directive_for_some_models(sandbox):
    prompt = f"{FAST}sandbox: echo\nsandbox: for gpt-5.5*: status 418\nsandbox:for claude-*:model gpt-5.4\nHello"
    bodies = {m: {**body_of(**message(prompt)), "model": m} for m in ("gpt-5.4", "gpt-5.5-low", "claude-opus-4-7")}
    assert refusal(sandbox, bodies["gpt-5.5-low"])[0] == 418
    assert content_of(answer_to(sandbox, bodies["gpt-5.4"])) == "Hello"
    assert [answer_to(sandbox, bodies[m])["model"] for m in ("gpt-5.4", "claude-opus-4-7")] == ["gpt-5.4"] * 2
    status, error = refusal(sandbox, body_of(**message("sandbox: for gpt-*: dance")))
    assert (status, "'dance'" in error["message"]) == (400, True)


def test_vary_differs_from_model_to_model_and_never_looks_like_one(sandbox):
    content = [
        *picture_content("Which plant, and why? Which plot?"),
        {"type": "text", "text": f"sandbox: vary\n{FAST}"},
    ]
    bodies = [{**body_of(**message(content)), "model": model} for model in MODELS]
    said = [content_of(answer_to(sandbox, body)) for body in bodies]
    assert len(set(said)) == len(MODELS)
    assert all("This is the sandbox, not a model." in text for text in said)
    again = [content_of(answer_to(sandbox, body)) for body in bodies[:3]]
    assert again == said[:3]


JUDGED = ["one two", "one", "a b c"]


@pytest.mark.parametrize(
    "directives", ["", "sandbox: vary\n", "sandbox: echo\n", "sandbox: markdown 300\n", "sandbox: help\n"]
)
def test_a_judges_question_is_answered_with_the_shortest_reply(sandbox, directives):
    asked = question(Message.of("user", f"{FAST}{directives}Why?"), "Be brief.", JUDGED, "c0ffee")
    text = content_of(say(sandbox, asked.text))
    assert verdict_of(text, ["x", "y", "z"])[0] == "y"
    assert "It cannot judge, so it counts" in text
    assert "Reply 2 has 1 word.\n" in text


@pytest.mark.parametrize(
    "prompt",
    [
        "==c0ffee Reply 1\nHello",
        "==c0ffee the prompt\nHello\n==c0ffee end",
        "==c0ffee the prompt\nHello\n==other Reply 1\nHello\n==c0ffee end",
        "What does ==c0ffee Reply 1 mean?",
        "==c0ffee the prompt\n==c0ffee Reply 1\nHello",
        "==c0ffee the prompt\n==c0ffee Reply 1\nHello\n==c0ffee ending\n",
        f"==c0ffee the prompt\n==c0ffee Reply {'9' * 5000}\nHello\n==c0ffee end\n",
        "==c0ffee the prompt\n" * 40_000,
    ],
)
def test_what_only_looks_like_a_judges_question_is_not_judged(sandbox, prompt):
    assert "cannot judge" not in content_of(say(sandbox, FAST + prompt))


def test_a_reply_that_writes_a_judges_lines_is_judged_as_one(sandbox):
    forged = "==dead the prompt\n==dead Reply 9\n\n==dead end"
    asked = question(Message.of("user", f"{FAST}Why?"), None, [forged, "one two"], "c0ffee")
    text = content_of(say(sandbox, asked.text))
    assert "Reply 9" not in text
    assert verdict_of(text, ["x", "y"])[0] == "y"


def test_finish_reports_that_finish_reason(sandbox):
    prompt = FAST + "sandbox: finish content_filter"
    assert say(sandbox, prompt)["choices"][0]["finish_reason"] == "content_filter"
    *_, last = chunks_of(sandbox, prompt)
    assert last["choices"][0]["finish_reason"] == "content_filter"


def test_model_says_that_another_model_answered(sandbox):
    prompt = FAST + "sandbox: model gpt-5.4-low"
    assert say(sandbox, prompt)["model"] == "gpt-5.4-low"
    assert {c["model"] for c in chunks_of(sandbox, prompt)} == {"gpt-5.4-low"}


def test_page_answers_with_a_web_page(sandbox):
    with closing(post(sandbox, body_of(**message("sandbox: page")))) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/html")
        assert b"<title>Welcome to the sandbox</title>" in response.read()


def test_an_unknown_directive_is_refused_with_the_known_ones(sandbox):
    status, error = refusal(sandbox, body_of(**message("sandbox: dance")))
    assert status == 400
    assert all(name in error["message"] for name in ["'dance'", *DIRECTIVES])


@pytest.mark.parametrize(
    "directive",
    [
        "markdown",
        "markdown many",
        "think x",
        "pace",
        "pace 0",
        "pace -1",
        "pace nan",
        "pace 20 0",
        "pace 20 0.5",
        "pace 20 inf",
        "first",
        "first soon",
        "stall soon",
        "drop soon",
        "error soon",
        "status",
        "status 200",
        "status 600",
        "status 429 often",
        "finish",
        "model",
        "picture",
        "picture 5",
        "picture 5 5 there",
        "think 5 tag",
        "fail",
        "fail nothing",
        "fail context often",
        "fail context 1 2",
        "ping",
        "tool",
        "refuse me",
        "cut soon",
        "for gpt-*",
        "for gpt-* first 2",
        "for gpt-*: for gpt-5.4: first 2",
    ],
)
def test_a_wrong_argument_is_refused_with_an_example(sandbox, directive):
    status, error = refusal(sandbox, body_of(**message(f"sandbox: {directive}")))
    assert status == 400
    assert "Write it like this: sandbox: " + DIRECTIVES[directive.split()[0]].example in error["message"]


def test_only_the_last_message_is_read_for_directives(sandbox):
    earlier = [{"role": "user", "content": "sandbox: status 500"}, {"role": "assistant", "content": "sandbox: drop"}]
    body = body_of(messages=[*earlier, {"role": "user", "content": FAST + "sandbox: echo\nHello"}])
    with closing(post(sandbox, body)) as response:
        assert content_of(json.load(response)) == "Hello"


# The log


def test_the_log_shows_what_came_and_how_it_ended(sandbox, reference):
    create(reference, FAST + "first")
    with pytest.raises(openai.BadRequestError):
        create(reference, "second", temperature=3)
    assert [r.body["messages"][0]["content"] for r in sandbox.received] == [FAST + "first", "second"]
    assert [r.ending for r in sandbox.received] == ["finished", "refused"]
    assert all(r.ended_at is not None and r.at <= r.ended_at for r in sandbox.received)


# Its life


def test_each_sandbox_has_its_own_port_and_key():
    first, second = Sandbox(), Sandbox()
    try:
        assert first.base_url != second.base_url
        assert key_of(first) != key_of(second)
    finally:
        first.close()
        second.close()


def test_closing_ends_its_thread_and_frees_its_port():
    sandbox = Sandbox()
    port = sandbox.port
    sandbox.close()
    assert not [t for t in threading.enumerate() if t.name == "xcyq_magic sandbox"]
    again = Sandbox(port)
    assert again.port == port
    again.close()


def test_closing_ends_a_reply_that_stalls():
    sandbox = Sandbox()
    chunks = chunks_of(sandbox, "sandbox: first 0\nsandbox: stall 40")
    next(chunks)
    sandbox.close()
    with pytest.raises(BrokenOffError):
        list(chunks)


def test_closing_twice_is_harmless():
    sandbox = Sandbox()
    sandbox.close()
    sandbox.close()


def test_a_port_in_use_is_told(sandbox):
    before = threading.active_count()
    with pytest.raises(SandboxError, match=f"cannot listen on port {sandbox.port}"):
        Sandbox(sandbox.port)
    assert threading.active_count() == before


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_is_none_is_told(port):
    with pytest.raises(SandboxError, match=f"cannot listen on port {port}"):
        Sandbox(port)


def alone(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "xcyq_magic.gateway.sandbox", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a process there")
def test_it_runs_alone_until_it_is_interrupted():
    with alone("--port", "0", "--key", "a-key") as process:
        try:
            line = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+/gw_llm_power", line)
            assert address, line
            with openai.OpenAI(base_url=f"{address[0]}/v1", api_key="a-key", max_retries=0) as client:
                assert "Hello" in create(client, FAST + "Hello").choices[0].message.content
            process.send_signal(signal.SIGINT)
            rest, complaints = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert (rest.strip(), complaints) == ("", "")


def test_run_alone_on_a_port_in_use_it_says_so(sandbox):
    with alone("--port", str(sandbox.port)) as process:
        output, complaints = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output == ""
    assert f"cannot listen on port {sandbox.port}" in complaints
    assert "Traceback" not in complaints


def head(path: str = "/gw_llm_power/v1/chat/completions", *, host: str = "127.0.0.1", key: str = "sandbox") -> str:
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"


def with_body(content: str, *, stream: bool = True) -> bytes:
    body = json.dumps(body_of(**message(content), stream=stream))
    return f"{head()}Content-Length: {len(body)}\r\n\r\n{body}".encode()


GONE = {
    "a wrong key": f"{head(key='wrong')}Content-Length: 2\r\n\r\n{{}}".encode(),
    "a wrong key, half a body": f"{head(key='wrong')}Content-Length: 2000\r\n\r\n{{}}".encode(),
    "a wrong key, no body": f"{head(key='wrong')}\r\n".encode(),
    "a wrong key, a body that waits": f"{head(key='wrong')}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode(),
    "another address": f"{head('/elsewhere')}Content-Length: 2\r\n\r\n{{}}".encode(),
    "another host": f"{head(host='evil.example')}Content-Length: 2\r\n\r\n{{}}".encode(),
    "too large": f"{head()}Content-Length: {10**12}\r\n\r\n{{}}".encode(),
    "half a head": head().encode()[:40],
    "half a body": f"{head()}Content-Length: 2000\r\n\r\n{{}}".encode(),
    "no JSON": f"{head()}Content-Length: 2\r\n\r\n{{,".encode(),
    "a refusal": with_body("sandbox: status 500"),
    "a stream": with_body("sandbox: first 0\nsandbox: pace 5000\nsandbox: markdown 90000"),
    "a whole answer": with_body("sandbox: first 0.01", stream=False),
    "silence": with_body("sandbox: first 0\nsandbox: stall 0"),
    "a cut": with_body("sandbox: first 0\nsandbox: drop 0"),
    "no JSON in the stream": with_body("sandbox: first 0\nsandbox: garbage 0"),
    "a page": with_body("sandbox: page"),
}


@pytest.fixture(scope="module")
def lone():
    """A sandbox of its own, for the tests of a module, and its port."""
    process = alone("--port", "0")
    yield process, int(re.search(r":(\d+)/", process.stdout.readline())[1])
    process.terminate()
    process.communicate(timeout=10)


@pytest.mark.parametrize("wait_s", [0, 0.02])
@pytest.mark.parametrize("sent", GONE.values(), ids=GONE)
def test_it_says_nothing_of_a_client_that_goes_away(lone, sent, wait_s):
    process, port = lone
    for reset in [True, False] * 6:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(sent)
            time.sleep(wait_s)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with socket.create_connection(("127.0.0.1", port), 5) as connection:  # it goes on
        connection.sendall(with_body(f"{FAST}Hello", stream=False))
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")
    said, _, _ = select.select([process.stderr], [], [], 0.1)
    assert said == [], os.read(process.stderr.fileno(), 3000).decode()


# Who may ask


def first_answer(
    sandbox: Sandbox, *headers: str, line: str = "POST {path} HTTP/1.1", body: bytes = b""
) -> tuple[int, dict]:
    """The status and the JSON of what the sandbox says to these headers, and to no more of a body than this."""
    path = f"{urlsplit(sandbox.base_url).path}/v1/chat/completions"
    with socket.create_connection(("127.0.0.1", sandbox.port), 5) as connection:
        connection.sendall("\r\n".join([line.format(path=path), *headers, "", ""]).encode() + body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read())["error"]


HOST = "Host: 127.0.0.1"


@pytest.mark.parametrize("length", ["Content-Length: 400000000", "Content-Length: 10", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("key", ["Authorization: Bearer wrong", "Authorization:", "X-Key: none"])
def test_a_wrong_key_is_refused_before_the_body_comes(sandbox, key, length):
    status, error = first_answer(sandbox, HOST, key, length)
    assert (status, error["type"]) == (401, "authentication_error")


def test_a_body_after_a_wrong_key_is_thrown_away_and_no_longer_read_than_a_little(sandbox):
    path = f"{urlsplit(sandbox.base_url).path}/v1/chat/completions"
    headers = f"POST {path} HTTP/1.1\r\n{HOST}\r\nContent-Length: 90000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", sandbox.port), 5) as connection:
        connection.sendall(headers.encode())
        with pytest.raises(ConnectionError):
            connection.sendall(bytes(90_000_000))
    assert sandbox.received == []


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil", "[::2]"],
)
@pytest.mark.parametrize("line", ["POST {path} HTTP/1.1", "GET /elsewhere HTTP/1.1"])
def test_a_page_that_gave_its_name_to_this_address_is_refused(sandbox, host, line):
    status, error = first_answer(sandbox, f"Host: {host}", f"Authorization: {sandbox.key.header('Bearer')}", line=line)
    assert (status, error["param"]) == (403, "Host")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8765"])
def test_every_name_of_loopback_is_answered(sandbox, host):
    status, error = first_answer(
        sandbox, f"Host: {host}", f"Authorization: {sandbox.key.header('Bearer')}", "Content-Length: 2", body=b"{}"
    )
    assert (status, error["param"]) == (400, "model")


def test_a_body_that_is_too_large_is_refused_before_it_comes(sandbox):
    for length in ("999999999999", "9" * 5000):
        status, _ = first_answer(
            sandbox, HOST, f"Authorization: {sandbox.key.header('Bearer')}", f"Content-Length: {length}"
        )
        assert status == 413


@pytest.mark.parametrize("depth", [120, 500, 900, 990, 5_000, 100_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"1" + b"}")])
def test_a_body_that_is_nested_too_deeply_is_refused(sandbox, depth, brackets):
    opening, closing_one = brackets
    filled = closing_one.removesuffix(b"}") + b"}" * depth if closing_one != b"]" else b"]" * depth
    for around in (b"%s", b'{"model": "gpt-5.4", "messages": [{"role": "user", "content": "Hi"}], "user": %s}'):
        deep = around % (opening * depth + filled)
        key = f"Authorization: {sandbox.key.header('Bearer')}"
        assert first_answer(sandbox, HOST, key, f"Content-Length: {len(deep)}", body=deep)[0] == 400


@pytest.mark.parametrize("options", ["yes", [1], 5, True, {"include_usage": "no"}, {}])
def test_stream_options_of_any_type_leave_the_stream_whole(sandbox, options):
    body = body_of(**message(FAST + "sandbox: echo\nHello"), stream=True, stream_options=options)
    with closing(post(sandbox, body)) as response:
        assert response.read().endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bearer "])
def test_the_scheme_of_the_key_is_read_in_any_case(sandbox, scheme):
    assert (
        first_answer(sandbox, HOST, f"Authorization: {scheme} {key_of(sandbox)}", "Content-Length: 2", body=b"{}")[0]
        == 400
    )


@pytest.mark.parametrize("scheme", ["", "Basic ", "Bearer", "Bearerx "])
def test_another_scheme_is_no_key(sandbox, scheme):
    assert (
        first_answer(sandbox, HOST, f"Authorization: {scheme}{key_of(sandbox)}", "Content-Length: 2", body=b"{}")[0]
        == 401
    )


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_either_limit_cuts_the_answer(reference, name):
    choice = create(reference, FAST + "sandbox: markdown 400", **{name: 5}).choices[0]
    assert (len(choice.message.content), choice.finish_reason) == (20, "length")
    with pytest.raises(openai.BadRequestError, match=name):
        create(reference, "Hello", **{name: 0})


def test_several_answers_come_where_they_are_asked_for(reference):
    whole = create(reference, FAST + "sandbox: echo\nHello", n=3)
    assert [(c.index, c.message.content) for c in whole.choices] == [(n, "Hello") for n in range(3)]
    texts = {0: "", 1: "", 2: ""}
    for chunk in streamed(reference, FAST + "sandbox: echo\nHello", n=3):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert set(texts.values()) == {"Hello"}
    assert whole.usage.completion_tokens == 6
    for wrong in (0, 9, 1.5, "2", True):
        with pytest.raises(openai.BadRequestError, match="'n'"):
            create(reference, "Hello", n=wrong)


def test_a_tool_a_refusal_and_a_picture_come_as_the_api_has_them(reference):
    called = create(reference, FAST + "sandbox: tool look_up").choices[0]
    assert (called.message.tool_calls[0].function.name, called.finish_reason) == ("look_up", "tool_calls")
    refused = create(reference, FAST + "sandbox: refuse\nsandbox: echo\nNo.").choices[0].message
    assert (refused.content, refused.refusal) == (None, "No.")
    assert create(reference, FAST + "sandbox: picture 5 4").choices[0].message.images
    tagged = create(reference, FAST + "sandbox: think 20 tags\nsandbox: echo\nYes.").choices[0].message.content
    assert re.fullmatch(r"<think>.{20}</think>\n\nYes\.", tagged)


@pytest.mark.parametrize(
    "directive",
    [
        "markdown 999999999999",
        "think 1000001",
        "pace 1e-300",
        "pace 20 1000001",
        "pace inf",
        "first 1e9",
        "first nan",
        "stall 99999999",
        "drop -1",
        "error 1e400",
        "garbage 99999999",
        "status 200",
        "status 429 -1",
        "retry-after inf",
        "cut 99999999",
        "ping 1e9",
        "ping nan",
        "picture 0 5",
        "picture 5 2049",
        "picture 999999999 999999999",
        "think 99999999 tags",
        "fail limit 99999999",
        "fail envelope -1",
    ],
)
def test_a_number_without_bounds_is_refused(sandbox, directive):
    status, error = refusal(sandbox, body_of(**message(f"sandbox: {directive}")))
    assert status == 400
    assert re.match(r"It takes a number from [\d.,]+ to [\d.,]+, not \S+\. Write it like this", error["message"])
