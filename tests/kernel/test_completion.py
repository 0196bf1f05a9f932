"""What TAB offers, asked as a frontend asks: a `complete_request` for a cell and a place in it."""

from __future__ import annotations

import os

import pytest
from kernels import TIMEOUT_S, Kernel

NAMES = """
class Frame:
    columns = ["a", "b"]
    def describe(self): ...
    def __init__(self):
        self.parts = {"first": 1, "second": 2.5}
class Costly:
    asked = []
    @property
    def value(self):
        self.asked.append("value")
        return 1
    def __getattr__(self, name):
        self.asked.append(name)
        raise AttributeError(name)
df = Frame()
costly = Costly()
df_other = 3.5
_hidden = 1
import math
"""
FILES = ["plot one.png", "plant.png", ".hidden.png", "notes.md", "talk.json", "data.csv", "folder/inner.md"]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A kernel in a folder with files, where some names are defined."""
    folder = tmp_path_factory.mktemp("notebook")
    for file in FILES:
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        path.touch()
    running = Kernel({**os.environ, "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython"))})
    for code in (f"%cd -q {folder}", "%load_ext xcyq_magic", NAMES):
        assert running.run(code).status == "ok"
    yield running
    running.close()


def complete(kernel, code: str) -> dict:
    """What the kernel answers for the place marked by ``¦``; each match is put in, to see what would stand there."""
    cursor = code.index("¦")
    code = code.replace("¦", "")
    reply = kernel.client.complete(code, cursor, reply=True, timeout=TIMEOUT_S)["content"]
    assert reply["status"] == "ok"
    assert reply["cursor_end"] == cursor
    before, after = code[: reply["cursor_start"]], code[reply["cursor_end"] :]
    types = [m["type"] for m in reply["metadata"]["_jupyter_types_experimental"]]
    assert not any(" " in t or "-" in t for t in types if t != "dict key")  # JupyterLab would break the line there
    types = [t.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NON-BREAKING HYPHEN}", "-") for t in types]
    return {before + match + after: kind for match, kind in zip(reply["matches"], types, strict=True)}


OFFERED = [
    # Options, with their help
    ("%%chat --te¦\nHello", "%%chat --temperature\nHello", "Sampling temperature, 0 to 2"),
    ("%chat -¦", "%chat --once", "Neither read nor write the history"),
    ("%%chat -m gpt-5.5 ¦", "%%chat -m gpt-5.5 --system", "The system prompt, for this turn"),
    ("%chat -s 'two words' --st¦", "%chat -s 'two words' --stop", ""),
    # Models: names with hyphens and dots are replaced whole
    ("%%chat -m claude-opus-4-¦\nHello", "%%chat -m claude-opus-4-7\nHello", "Claude, standard"),
    ("%chat --model=gpt-5.5-o¦ Hello", "%chat --model=gpt-5.5-official Hello", "GPT, official"),
    ("%chat -mgemini-3.1-p¦", "%chat -mgemini-3.1-pro-preview", ""),
    ("%chat -m opus-4-7¦", "%chat -m claude-opus-4-7", ""),
    ("%chat -m gpt-5.4,gpt-5.4-l¦ Hello", "%chat -m gpt-5.4,gpt-5.4-low Hello", "GPT, budget"),
    ("%chat_model gpt-5.4-l¦", "%chat_model gpt-5.4-low", "GPT, budget"),
    ("%chat_models gemini-2.5-f¦", "%chat_models gemini-2.5-flash-lite", ""),
    ("for n in range(2):\n    %chat -m gpt-5.5-h¦", "for n in range(2):\n    %chat -m gpt-5.5-hc", ""),
    ("%%compare gem¦\nHello", "%%compare gemini-2.5-pro\nHello", ""),
    ("%%compare gpt-5.5 claude-sonnet-4-¦", "%%compare gpt-5.5 claude-sonnet-4-6", ""),
    ("%%compare gpt-5.5 --diff opus-4-6-h¦", "%%compare gpt-5.5 --diff claude-opus-4-6-hc", ""),
    ("%chat_usage --a¦", "%chat_usage --all", "Of every notebook"),
    ("%%compare gpt-5.5 --judge ha¦", "%%compare gpt-5.5 --judge claude-haiku-4-5", ""),
    ("%%compare gpt-5.5 --rep¦", "%%compare gpt-5.5 --repeat", ""),
    # Conversations
    ("%chat -c ma¦", "%chat -c main", "conversation"),
    # Variables and paths
    ("%%chat -a df¦\nHello", "%%chat -a df_other\nHello", "float"),
    ("%chat -a df.des¦", "%chat -a df.describe", ""),
    ("%chat -a df.parts['fi¦", "%chat -a df.parts['first", ""),
    ("%chat -a pla¦", "%chat -a plant.png", "path"),
    ("%chat -a plo¦", '%chat -a "plot one.png"', "path"),
    ("%chat -a 'plot o¦", "%chat -a 'plot one.png'", "path"),
    ("%chat -a fol¦", "%chat -a folder/", "path"),
    ("%chat -a folder/¦", "%chat -a folder/inner.md", "path"),
    ("%chat -a ./.hid¦", "%chat -a ./.hidden.png", "path"),
    # Expressions
    ("%%chat\nSee {{ df.des¦ }} now", "%%chat\nSee {{ df.describe }} now", ""),
    ("%%chat -m gpt-5.5\n{{ df_other }} and {{ df_o¦", "%%chat -m gpt-5.5\n{{ df_other }} and {{ df_other", ""),
    ("%%chat\n{{ df.parts['sec¦'] }}", "%%chat\n{{ df.parts['second'] }}", ""),
    ("%%chat\n{{ [\n  math.sq¦", "%%chat\n{{ [\n  math.sqrt", ""),
    ("%chat why is {{ df.col¦ }}", "%chat why is {{ df.columns }}", ""),
    ("%%chat_system\nBe {{ df.col¦ }}", "%%chat_system\nBe {{ df.columns }}", ""),
    ("%chat_system Be {{ df.col¦ }}", "%chat_system Be {{ df.columns }}", ""),
    ("%%chat\n{{ (1.5).is_int¦", "%%chat\n{{ (1.5).is_integer", ""),
    # A magic's own words
    ("%chat_sandbox o¦", "%chat_sandbox off", ""),
]


@pytest.mark.parametrize(("code", "then", "kind"), OFFERED, ids=[code for code, *_ in OFFERED])
def test_what_is_offered_stands_right(kernel, code, then, kind):
    found = complete(kernel, code)
    assert then in found
    if kind:
        assert found[then] == kind


@pytest.mark.parametrize(
    ("code", "there", "not_there"),
    [
        ("%chat --once -¦", "%chat --once --stop", "%chat --once --once"),  # once is enough
        ("%chat --stop A --st¦", "%chat --stop A --stop", "%chat --stop A --step"),  # again for more
        ("%chat -m ¦", "%chat -m gpt-5.5", "%chat -m folder/"),
        ("%%compare gpt-5.5 --¦", "%%compare gpt-5.5 --diff", "%%compare gpt-5.5 --model"),  # models are words there
        ("%chat -a ¦", "%chat -a df", "%chat -a math"),
        ("%chat -a ¦", "%chat -a plant.png", "%chat -a _hidden"),
        ("%chat_model ¦", "%chat_model gpt-5.5", "%chat_model main"),
        ("%%chat\n{{ d¦", "%%chat\n{{ df", "%%chat\n{{ data.csv"),
        ("%%chat\n{{ ch¦", "%%chat\n{{ chr", "%%chat\n{{ %chat"),
    ],
)
def test_only_what_fits_is_offered(kernel, code, there, not_there):
    found = complete(kernel, code)
    assert there in found
    assert not_there not in found


@pytest.mark.parametrize(
    ("code", "not_there"),
    [
        ("%chat_model gpt-5.5 gem¦", "%chat_model gpt-5.5 gemini-2.5-pro"),  # it takes one
        ("%chat hello -¦", "%chat hello --model"),  # options come before the text
        ("%chat -- -¦", "%chat -- --model"),
        ("%%compare claude-*-h¦", "%%compare claude-haiku-4-5-hc"),
        ("%%compare gpt-5.5{,-o¦", "%%compare gpt-5.5{,-official"),
        ("%%chat\n%chat -m gpt-5.4-l¦", "%%chat\n%chat -m gpt-5.4-low"),  # a prompt's text
        ("x = 3 %chat -m gpt-5.4-l¦", "x = 3 %chat -m gpt-5.4-low"),
    ],
)
def test_nothing_of_ours_is_offered_where_it_has_no_meaning(kernel, code, not_there):
    assert not_there not in complete(kernel, code)


def test_python_and_other_magics_complete_as_before(kernel):
    assert "df.describe" in complete(kernel, "df.des¦")
    assert "%%chat" in complete(kernel, "%%cha¦")
    assert "%config ChatSettings" in complete(kernel, "%config ChatS¦")


def test_completing_calls_nothing_of_the_users(kernel):
    for code in ("%%chat\n{{ costly.val¦", "%chat -a costly.val¦", "%chat -a cos¦", "%%chat\n{{ cos¦"):
        assert complete(kernel, code)
    # IPython's own completer, where ours finds nothing, is another matter: Jedi calls properties.
    matcher = (
        "__import__('xcyq_magic.magics.extension').magics.extension.Extension.of(get_ipython())._completer._expressions"
    )
    assert kernel.value(f"{matcher}.complete('costly.value.re')") == "('', [])"
    assert kernel.value("costly.asked") == "[]"


def test_completing_imports_nothing_heavy(tmp_path_factory):
    running = Kernel({**os.environ, "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython"))})
    assert running.run("%load_ext xcyq_magic\nvalue = 1.5").status == "ok"
    for code in ("%chat -¦", "%chat -m ¦", "%chat -c ¦", "%chat -a ¦", "%%chat\n{{ value.is_¦", "%chat_model opus¦"):
        assert complete(running, code)
    heavy = ("httpx", "PIL", "markdown", "numpy", "nh3", "xcyq_magic.session.session")
    found = running.value(f"[m for m in {heavy!r} if m in __import__('sys').modules]")
    running.close()
    assert found == "[]"


def test_a_new_conversation_is_offered(kernel):
    kernel.run("%chat_sandbox")
    assert kernel.run("%chat -c plants Hello").status == "ok"
    assert "%chat -c plants" in complete(kernel, "%chat -c pl¦")


def test_the_columns_of_the_last_comparison_are_offered(kernel):
    kernel.run("%chat_sandbox")
    assert kernel.run("%%compare gpt-5.5 gemini-2.5-pro\nHello").status == "ok"
    offered = [f"%chat_keep {word}" for word in ("gpt-5.5", "gemini-2.5-pro", "--of")]
    assert list(complete(kernel, "%chat_keep ¦")) == offered
