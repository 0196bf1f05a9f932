"""A LiteLLM proxy between cells and models: what it says in its own words, and what it makes of each vendor's.

Its vendors are one scripted server, which answers in the form of whom it stands for.
"""

from __future__ import annotations

import base64
import io
import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest
from IPython.utils.capture import capture_output
from PIL import Image
from servers import DONE, Answer, RawServer, chunked, delta, event, http
from shells import shell_of

from xcyq_magic import errors, load_ipython_extension, unload_ipython_extension
from xcyq_magic.gateway.catalog import MODELS

KEY = "sk-" + secrets.token_hex(16)
VENDORS_KEY = "sk-upstream-0123456789"
VENDORS = {"gpt-5.5": "openai", "gpt-5.4": "openai", "gemini-2.5-pro": "gemini"}
VENDORS |= {"claude-sonnet-4-6": "anthropic", "claude-opus-4-7": "anthropic"}
STOOD_IN = "claude-haiku-4-5"
NO_LOOKUP = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # of prices, on the internet
OPENAI, CLAUDE, GEMINI = "gpt-5.5", "claude-sonnet-4-6", "gemini-2.5-pro"


def sse(*events: bytes) -> Answer:
    return Answer(http(b"".join(events), kind="text/event-stream"))


def refusal(record: object, status: str = "400 Bad Request", **headers: str) -> Answer:
    return Answer(http(json.dumps({"error": record}), status, **headers))


def anthropic(kind: str, **fields: object) -> bytes:
    """One event of Anthropic's own API."""
    return b"event: %s\n" % kind.encode() + event({"type": kind, **fields})


def block(index: int, kind: str, *deltas: dict) -> bytes:
    parts = [anthropic("content_block_start", index=index, content_block={"type": kind, kind: ""})]
    parts += [anthropic("content_block_delta", index=index, delta=d) for d in deltas]
    return b"".join([*parts, anthropic("content_block_stop", index=index)])


def google(*parts: dict, **fields: object) -> dict:
    """An answer of Gemini's own API."""
    usage = {"promptTokenCount": 258, "candidatesTokenCount": 3, "thoughtsTokenCount": 5, "totalTokenCount": 266}
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **fields}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-pro"}


USAGE = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}})
HELLO = sse(delta("Hel"), delta("lo", "stop"), USAGE, DONE)
BEGIN = anthropic(
    "message_start",
    message={
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": CLAUDE,
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 11, "output_tokens": 1},
    },
)
THOUGHT = block(
    0,
    "thinking",
    {"type": "thinking_delta", "thinking": "A greeting."},
    {"type": "signature_delta", "signature": "c2ln"},
)
TEXT = block(1, "text", {"type": "text_delta", "text": "Hel"}, {"type": "text_delta", "text": "lo"})
END = anthropic("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9})
CLAUDES_HELLO = sse(BEGIN, THOUGHT, TEXT, END, anthropic("message_stop"))
GEMINIS_HELLO = sse(
    event(google({"text": "Let me see.", "thought": True})),
    event(google({"text": "A red square."}, finishReason="STOP")),
)


@pytest.fixture(scope="module")
def litellm(environment):
    return environment("litellm", "litellm[proxy]==1.108.7")


@pytest.fixture(scope="module")
def vendors():
    server = RawServer([Answer(http("{}"))])
    yield server
    server.close()


@pytest.fixture(scope="module")
def proxy(litellm, vendors, tmp_path_factory):
    """The address of a proxy that has every name of the catalogue; those that no vendor answers are mocked."""

    def model(name: str) -> dict:
        vendor = VENDORS.get(name)
        to = {"model": f"{vendor}/{name}"} if vendor else {"model": f"openai/{name}", "mock_response": f"I am {name}."}
        return {"model_name": name, "litellm_params": {**to, "api_base": vendors.base_url, "api_key": VENDORS_KEY}}

    config = {
        "model_list": [model(name) for name in MODELS],
        "router_settings": {"num_retries": 0, "disable_cooldowns": True, "fallbacks": [{"gpt-5.4": [STOOD_IN]}]},
        # It would ask the vendors for their models, at any moment.
        "general_settings": {"master_key": KEY, "disable_model_info_refresh": True},
    }
    file = tmp_path_factory.mktemp("litellm") / "config.yaml"
    file.write_text(json.dumps(config))
    with litellm.serve("litellm", file, **NO_LOOKUP) as address:
        yield address


@dataclass
class Seen:
    """What a cell did."""

    shown: str
    error: BaseException | None
    reply: object


@pytest.fixture
def run(proxy, monkeypatch, tmp_path):
    """Run a cell in a shell whose gateway is the proxy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    monkeypatch.setenv("XCYQ_BASE_URL", proxy)

    with shell_of() as shell:
        load_ipython_extension(shell)

        def cell(source: str) -> Seen:
            shell.user_ns.pop("_reply", None)
            with capture_output() as captured:
                result = shell.run_cell(source)
            shown = captured.stdout + captured.stderr + "".join(str(o.data) for o in captured.outputs)
            assert KEY not in shown
            assert "Traceback" not in shown
            return Seen(shown, result.error_in_exec, shell.user_ns.get("_reply"))

        cell.shell = shell
        yield cell
        unload_ipython_extension(shell)


@pytest.fixture
def ask(run, vendors):
    """Ask a model whose vendor gives these answers, in this order."""

    def asked(line: str, *answers: Answer, prompt: str = "Hello?") -> Seen:
        vendors.answers[:] = answers
        vendors.requests.clear()
        return run(f"%%chat -m {line}\n{prompt}")

    asked.shell, asked.requests = run.shell, vendors.requests
    return asked


# What comes


@pytest.mark.parametrize(
    ("model", "answer", "said", "tokens"),
    [
        (OPENAI, HELLO, ("Hello", ""), (7, 2, None)),
        (CLAUDE, CLAUDES_HELLO, ("Hello", "A greeting."), (11, 9, 3)),
        (GEMINI, GEMINIS_HELLO, ("A red square.", "Let me see."), (258, 8, 5)),
    ],
)
def test_a_reply_streams_with_its_reasoning_and_its_usage(ask, model, answer, said, tokens):
    seen = ask(model, answer)
    assert seen.error is None
    assert (seen.reply.text, seen.reply.reasoning) == said
    assert seen.reply.finish_reason == "stop"
    usage = seen.reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens) == tokens
    assert seen.reply.model == model
    assert seen.shown.count(said[0]) == 1
    (asked,) = ask.requests
    assert KEY.encode() not in asked.body
    assert KEY not in str(asked.headers)


def test_a_whole_reply(ask):
    whole = google({"text": "I see.", "thought": True}, {"text": "A red square."}, finishReason="STOP")
    seen = ask(f"{GEMINI} --no-stream", Answer(http(json.dumps(whole))))
    assert (seen.error, seen.reply.text, seen.reply.reasoning) == (None, "A red square.", "I see.")
    assert seen.reply.usage.total_tokens == 266


@pytest.mark.parametrize(
    ("model", "answer", "within"),
    [
        (OPENAI, HELLO, r'"url": ?"data:image/\w+;base64,([^"]+)'),
        (CLAUDE, CLAUDES_HELLO, r'"type": ?"base64"[^}]*"data": ?"([^"]+)"'),
        (GEMINI, GEMINIS_HELLO, r'"inline_?[dD]ata": ?{[^}]*"data": ?"([^"]+)"'),
    ],
)
def test_a_picture_reaches_its_vendor_between_the_words(ask, model, answer, within):
    ask.shell.user_ns["pic"] = Image.new("RGB", (320, 240), (200, 100, 50))
    assert ask(model, answer, prompt="What is {{ pic }} here?").error is None
    body = ask.requests[0].body.decode()
    found = re.search(within, body)
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as sent:
        assert (sent.size, sent.convert("RGB").getpixel((5, 5))) == ((320, 240), (200, 100, 50))
    assert body.index("What is") < found.start() < body.index("here?")


def test_a_video_reaches_gemini(ask):
    ask.shell.user_ns["clip"] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(99)
    assert ask(GEMINI, GEMINIS_HELLO, prompt="What is {{ clip }} here?").error is None
    inline = [p["inline_data"] for p in ask.requests[0].json["contents"][0]["parts"] if "inline_data" in p]
    assert [i["mime_type"] for i in inline] == ["video/mp4"]
    assert base64.b64decode(inline[0]["data"]) == ask.shell.user_ns["clip"]


def test_the_turns_above_go_along(ask):
    ask(CLAUDE, CLAUDES_HELLO, prompt="First.")
    ask(OPENAI, HELLO, prompt="Second.")
    said = [(m["role"], m["content"]) for m in ask.requests[0].json["messages"]]
    assert said == [("user", "First."), ("assistant", "Hello"), ("user", "Second.")]


def test_several_of_its_models_side_by_side(run):
    assert run("%%compare gpt-5.5-{official,hc} claude-sonnet-4-5 gemini-2.5-flash-lite\nHello?").error is None
    found = run.shell.user_ns["_comparison"]
    assert {name: reply.text for name, reply in found.items()} == {name: f"I am {name}." for name in found}
    assert len(found) == 4


def test_who_answered_in_the_place_of_another_is_shown(ask):
    seen = ask("gpt-5.4", refusal({"message": "It broke.", "type": "server_error"}, "500 Internal Server Error"))
    assert (seen.error, seen.reply.text) == (None, f"I am {STOOD_IN}.")
    assert (seen.reply.requested_model, seen.reply.model) == ("gpt-5.4", STOOD_IN)
    assert STOOD_IN in seen.shown.replace(seen.reply.text, "")


# What is refused

EXCLUDE = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
BOTH = refusal({"type": "invalid_request_error", "message": EXCLUDE})
NO_SEED = refusal(
    {
        "message": "Unsupported parameter: 'seed' is not supported with this model.",
        "type": "invalid_request_error",
        "param": "seed",
        "code": "unsupported_parameter",
    }
)


@pytest.mark.parametrize(
    ("line", "answers", "gone"),
    [
        (f"{OPENAI} -t 0.5", [HELLO], "temperature"),  # these three by LiteLLM itself
        (f"{OPENAI} --top-p 0.5", [HELLO], "top_p"),
        ("claude-opus-4-7 -t 0.5", [CLAUDES_HELLO], "temperature"),
        (f"{CLAUDE} -t 0.5 --top-p 0.5", [BOTH, CLAUDES_HELLO], "top_p"),
        (f"{OPENAI} -p seed=3", [NO_SEED, HELLO], "seed"),
    ],
)
def test_a_field_that_is_refused_is_left_out_and_told(ask, line, answers, gone):
    seen = ask(line, *answers)
    assert (seen.error, seen.reply and seen.reply.text) == (None, "Hello")
    assert f"does not take {gone} like this: it was left out" in seen.shown
    assert len(ask.requests) == len(answers)
    assert gone not in ask.requests[-1].json


def test_what_a_model_refuses_only_while_it_thinks_is_not_remembered(ask):
    ask(f"{OPENAI} -t 0.5", HELLO)
    seen = ask(f"{OPENAI} -t 0.5 -p reasoning_effort=none", HELLO)
    assert seen.error is None
    assert ask.requests[-1].json["temperature"] == 0.5


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (OPENAI, "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."),
        (CLAUDE, "prompt is too long: 250000 tokens > 200000 maximum"),
        (GEMINI, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
    ],
)
def test_a_context_that_is_too_long_says_how_to_shorten_it(ask, model, words):
    seen = ask(model, refusal({"message": words, "type": "invalid_request_error", "code": 400}))
    assert type(seen.error) is errors.BadRequestError
    assert words in seen.error.message
    assert "%chat_undo" in seen.error.hint


WAIT = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.2s"}
SLOW_DOWN = {"code": 429, "message": "You exceeded your current quota.", "status": "RESOURCE_EXHAUSTED"}
LIMIT = {"message": "Rate limit reached for gpt-5.5.", "type": "requests", "code": "rate_limit_exceeded"}


@pytest.mark.parametrize(
    ("model", "busy", "answer"),
    [
        (OPENAI, refusal(LIMIT, "429 Too Many Requests", Retry_After="0.2"), HELLO),
        (GEMINI, refusal({**SLOW_DOWN, "details": [WAIT]}, "429 Too Many Requests"), GEMINIS_HELLO),
        (CLAUDE, refusal({"type": "overloaded_error", "message": "Overloaded"}, "529 Overloaded"), CLAUDES_HELLO),
    ],
)
def test_a_busy_vendor_is_asked_again(ask, model, busy, answer):
    seen = ask(model, busy, answer)
    assert (seen.error, len(ask.requests)) == (None, 2)


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (OPENAI, refusal(LIMIT, "429 Too Many Requests", Retry_After="300")),
        (GEMINI, refusal({**SLOW_DOWN, "details": [{**WAIT, "retryDelay": "300s"}]}, "429 Too Many Requests")),
    ],
)
def test_a_vendor_that_is_busy_for_long_is_not_waited_for(ask, model, answer):
    seen = ask(model, answer)
    assert (type(seen.error), len(ask.requests)) == (errors.RateLimitError, 1)
    assert "-official" in seen.error.hint


def test_words_within_bytes_within_words(ask):
    words = "This request would exceed your organization's limit of 50,000 tokens; it's \N{DEGREE SIGN} too much."
    seen = ask(f"{CLAUDE} --max-tokens 9", refusal({"type": "invalid_request_error", "message": words}))
    assert seen.error.said == words


def test_a_used_up_quota_is_not_waited_for(ask):
    words = "You exceeded your current quota, please check your plan and billing details."
    gone = {"message": words, "type": "insufficient_quota", "code": "insufficient_quota"}
    seen = ask(OPENAI, refusal(gone, "429 Too Many Requests"))
    assert (type(seen.error), len(ask.requests)) == (errors.RateLimitError, 1)
    assert "top it up" in seen.error.hint


def test_a_model_that_the_proxy_does_not_have(run):
    seen = run("%%chat -m gpt-6\nHello?")
    assert isinstance(seen.error, errors.BadRequestError)
    assert "gpt-6" in seen.error.message
    assert "%chat_models" in seen.error.hint


def test_a_key_that_the_proxy_does_not_know(run, monkeypatch):
    monkeypatch.setenv("XCYQ_API_KEY", "sk-another-0123456789")
    seen = run(f"%%chat -m {OPENAI}\nHello?")
    assert isinstance(seen.error, errors.StatusError)
    assert "%chat_key" in seen.error.hint
    assert "sk-another" not in seen.shown


# What breaks off

BROKEN = event({"error": {"message": "The engine stumbled.", "type": "server_error"}})
OVERLOADED = anthropic("error", error={"type": "overloaded_error", "message": "Overloaded"})


@pytest.mark.parametrize(
    ("model", "answer", "words"),
    [
        (OPENAI, sse(delta("Hel"), BROKEN), "The engine stumbled."),
        (OPENAI, Answer(chunked(delta("Hel"), whole=False), "reset"), "Connection error."),
        (CLAUDE, sse(BEGIN, block(0, "text", {"type": "text_delta", "text": "Hel"}), OVERLOADED), "Overloaded"),
    ],
)
def test_an_error_in_the_middle_keeps_what_came(ask, model, answer, words):
    seen = ask(model, answer)
    assert type(seen.error) is errors.IncompleteReplyError
    assert words in seen.error.message
    assert (seen.reply.text, seen.reply.partial) == ("Hel", "incomplete")


BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}}
REFUSED = anthropic("message_delta", delta={"stop_reason": "refusal"}, usage={"output_tokens": 1})


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (f"{GEMINI} --no-stream", Answer(http(json.dumps(google(finishReason="SAFETY"))))),
        (GEMINI, sse(event({**BLOCKED, "modelVersion": GEMINI}))),
        (CLAUDE, sse(BEGIN, REFUSED, anthropic("message_stop"))),
    ],
)
def test_a_filter_is_named(ask, line, answer):
    seen = ask(line, answer)
    assert seen.reply.text == ""
    assert "filter" in seen.shown


# The other way round


def test_the_sandbox_serves_its_client(litellm, sandbox):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 100, 50)).save(buffer, "PNG")
    picture = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    script, base = Path(__file__).with_name("asking.py"), f"{sandbox.base_url}/v1"
    status, out, err = litellm.run("python", script, base, sandbox.key.header(""), picture, **NO_LOOKUP)
    assert status == 0, err
    got = json.loads(out.splitlines()[-1])
    text, *end = got["whole"]
    assert "| 1 | PNG | 64 by 48 |" in text
    assert "#c86432" in text
    assert end[0] == "stop"
    assert "Hello" in got["streamed"]
    assert min(got["usage"], end[1]) > 20
    assert got["reasoning"]
    assert [got["rule"][0], got["busy"][0]] == ["BadRequestError", "RateLimitError"]
    assert "top_p" in got["rule"][1]
    assert "asked to refuse with 429" in got["busy"][1]
    assert "asked to fail in the middle" in got["middle"][1]
