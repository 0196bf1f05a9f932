"""`llm`, the command line by Simon Willison, asks the sandbox as it is set up for any OpenAI-compatible server."""

from __future__ import annotations

import json
import re

import pytest
from kernels import KEY
from PIL import Image


@pytest.fixture(scope="module")
def installed(environment):
    return environment("llm", "llm==0.36")


@pytest.fixture
def llm(installed, sandbox, tmp_path):
    """Run a command; returns its exit status and all that it wrote."""
    model = {"model_id": "sb", "model_name": "gpt-5.4", "api_base": f"{sandbox.base_url}/v1", "api_key_name": "sb"}
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps([{**model, "vision": True}]))
    (tmp_path / "keys.json").write_text(json.dumps({"sb": KEY}))

    def run(*command: str) -> tuple[int, str]:
        status, out, err = installed.run("llm", *command, LLM_USER_PATH=str(tmp_path))
        assert KEY not in out + err
        return status, out + err

    return run


def test_it_goes_on_with_a_conversation(llm, sandbox, tmp_path):
    picture = tmp_path / "red.png"
    Image.new("RGB", (64, 48), (200, 100, 50)).save(picture)
    status, streamed = llm("-m", "sb", "-u", "-s", "Be brief.", "Hello")
    assert status == 0
    assert "Hello" in streamed
    assert re.search(r"Token usage: \d+ input, [1-9]\d+ output", streamed)
    status, whole = llm("-c", "-u", "--no-stream", "And this?", "-a", str(picture))
    assert status == 0
    assert "| 1 | PNG | 64 by 48 |" in whole
    assert re.search(r"Token usage: [1-9]\d+ input, [1-9]\d+ output", whole)
    first, second = (r.body for r in sandbox.received)
    assert (first["stream"], second.get("stream", False)) == (True, False)
    assert [m["role"] for m in second["messages"]] == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["sandbox: error 40"], "This is the sandbox.*The sandbox was asked to fail in the middle."),
        (["--key", "another", "Hello"], "401 - Incorrect API key provided."),
    ],
)
def test_it_tells_an_error_in_the_words_of_the_sandbox(llm, command, words):
    status, said = llm("-m", "sb", *command)
    assert status == 1
    assert re.search(words, said, re.DOTALL)
