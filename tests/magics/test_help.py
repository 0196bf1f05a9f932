"""What is behind the question mark of each magic; its examples are run."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from xcyq_magic.magics.extension import MAGICS

mpl.use("agg")
ASKS = {"%chat_key", "%chat_key --save"}  # for a key, which nobody types here; the kernel's tests do
PAGES = {name: inspect.getdoc(getattr(m, f)) for m in MAGICS for k in m.magics.values() for name, f in k.items()}


def examples(page: str) -> list[str]:
    """The examples of a page, in order; what stands between them is blank."""
    block = re.search(r"^Examples:\n\n((?:    .*\n|\n)+)", page + "\n", re.MULTILINE)
    return [e for e in textwrap.dedent(block[1]).strip().split("\n\n") if e] if block else []


def test_every_magic_has_a_page_with_examples():
    without = [name for name, page in PAGES.items() if not examples(page)]
    assert without == []
    few = [name for name, page in PAGES.items() if len(examples(page)) < 3]
    assert set(few) <= {"chat_history", "chat_reset", "chat_retry", "chat_keep"}  # there is no third way to use them


@pytest.fixture(scope="module")
def names():
    """What the examples mention."""
    figure, axes = plt.subplots()
    axes.plot([1, 2, 4])
    yield {
        "fig": figure,
        "df": pd.DataFrame({"weight": [1.5, 2.5], "text": ["It bends.", "It breaks."]}),
        "name": "plants",
        "cases": pd.DataFrame({"question": ["6 x 7?", "6 + 7?"], "answer": ["42", "13"]}),
        "is_right": lambda reply, case: case.answer in reply.text,
    }
    plt.close(figure)


@pytest.fixture
def run_example(run, shell, names, monkeypatch, tmp_path):
    """Run a cell where all is there that the examples mention: variables, a picture, an image seen, turns."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20, 20), "white").save("scatter.png")
    shell.push(names)
    shell.magics_manager.registry["xcyq_magic"].context.seen.remember({"image/png": Path("scatter.png").read_bytes()})
    shell.run_cell("x = 1", store_history=True)
    shell.run_cell("1 / 0", store_history=True)
    for prompt in ("Hello", "Hello", "sandbox: markdown 2000"):
        run(f"%%chat\nsandbox: first 0\nsandbox: pace 5000 40\n{prompt}")
    run("%%compare gpt-5.5 claude-opus-4-7\nsandbox: first 0\nsandbox: pace 5000 40\nHello")
    return run


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_of_a_page_work(name, run_example):
    for example in examples(PAGES[name]):
        assert example.startswith((f"%{name}", f"%%{name}", "%chat"))
        if example not in ASKS:
            run_example(example)


def test_a_page_has_its_examples_before_its_options_in_groups(run, capsys):
    run("%%chat?")
    page = capsys.readouterr().out
    headings = re.findall(r"^\S.*:$", page, re.MULTILINE)
    options = ["The model:", "The prompt:", "The conversation:", "Many cases:", "The reply:"]
    assert headings[-6:] == ["Examples:", *options]
    assert "usage:" not in page
    assert "``" not in page
    for option in ("-m, --model NAME", "-p, --param NAME=JSON", "--dry-run", "-o, --out VAR"):
        assert f"  {option}  " in page or f"  {option} " in page
    assert max(map(len, page.split("\n"))) <= 120


def test_the_state_says_how_many_tokens_and_what_comes_next(run, shell, sandbox, monkeypatch, capsys):
    def state() -> str:
        capsys.readouterr()
        run("%chat")
        return capsys.readouterr().out

    assert "%%chat? has examples" in state()
    run("%chat_system Be brief.")
    run("%chat one")
    run("%%chat\nsandbox: echo\ntwo")
    usages = [
        t.completion.usage for t in shell.magics_manager.registry["xcyq_magic"].context.session.conversation().turns
    ]
    shown = state()
    assert f"{sum(u.prompt_tokens for u in usages):,} in, {sum(u.completion_tokens for u in usages):,} out" in shown
    assert "System prompt: Be brief." in shown
    assert "%chat_undo" in shown
    run("%chat sandbox: markdown 2000")
    assert "%chat_code" in state()
    monkeypatch.delenv("XCYQ_API_KEY")
    run("%config GatewaySettings.base_url = 'https://gateway.invalid'")  # a server on this machine needs none
    shown = state()
    assert "API key: none.\nSet XCYQ_API_KEY, or enter it with %chat_key" in shown
    assert shown.strip().endswith("work offline with %chat_sandbox.")
