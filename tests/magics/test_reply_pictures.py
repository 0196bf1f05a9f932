"""Pictures that come with a reply: shown, kept once, saved and loaded, and never sent back as text."""

from __future__ import annotations

import json
import sqlite3

import pytest

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.magics.context import Context
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.store.database import Database

IN_A_FIELD = "%%chat -m gpt-5.5\nsandbox: picture 64 48\nsandbox: echo\nDraw it."
IN_THE_TEXT = "%%chat -m gpt-5.5\nsandbox: picture 64 48 text\nsandbox: echo\nDraw it."
BOTH = pytest.mark.parametrize(
    ("cell", "line"), [(IN_A_FIELD, "[picture 1]"), (IN_THE_TEXT, "[picture 1: a gradient]")]
)


def reply(shell):
    return shell.user_ns["_reply"]


def sent(sandbox) -> str:
    return json.dumps(sandbox.received[-1].body)


@BOTH
@pytest.mark.parametrize("how", ["", " --no-stream"])
def test_it_is_in_the_reply_and_a_line_stands_for_it_later(run, shell, sandbox, capsys, *, cell, line, how):
    run(cell.replace("gpt-5.5", f"gpt-5.5{how}"))
    assert "[picture 1 · 64×48, " in capsys.readouterr().out
    image = reply(shell).images[0]
    assert (image.mime, image.width, image.height) == ("image/png", 64, 48)
    assert "base64" not in reply(shell).text
    run("%chat And now?")
    assert sandbox.received[-1].body["messages"][1]["content"] == f"Draw it.\n\n{line}"
    assert "base64" not in sent(sandbox)
    shell.user_ns["picture"] = image
    run("%chat {{ _reply.images or picture.caption }}")  # an expression of it is no base64 either
    assert "base64" not in sent(sandbox)


def test_a_reply_that_is_only_a_picture_stays_in_the_history(run, shell, sandbox):
    run("%%chat -m gpt-5.5 --stop Draw\nsandbox: picture 8 8\nsandbox: echo\nDraw it.")
    assert reply(shell).text == ""
    run("%chat And now?")
    assert [m["content"] for m in sandbox.received[-1].body["messages"]] == [
        "sandbox: picture 8 8\nsandbox: echo\nDraw it.",
        "[picture 1]",
        "And now?",
    ]


@BOTH
@pytest.mark.parametrize("suffix", ["ipynb", "json"])
def test_it_is_saved_and_loaded(run, shell, sandbox, tmp_path, monkeypatch, *, cell, line, suffix):
    monkeypatch.chdir(tmp_path)
    run(cell)
    before = reply(shell)
    run(f"%chat_save it.{suffix}")
    run(f"%chat_save it.{suffix}")  # it is known as our own
    run("%config ChatSettings.store = ':memory:'")  # what it says is in the file
    run("%chat_reset")
    run(f"%chat_load it.{suffix}")
    run("%chat And now?")
    assert "base64" not in sent(sandbox)
    assert sandbox.received[-1].body["messages"][1]["content"] == f"Draw it.\n\n{line}"
    loaded = Context.of(shell).session.conversation().turns[0].completion
    assert loaded.text == before.text
    assert [(i.data, i.mime, i.width, i.height, i.name) for i in loaded.images] == [
        (i.data, i.mime, i.width, i.height, i.name) for i in before.images
    ]


def test_markdown_shows_it(run, shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(IN_A_FIELD)
    run("%chat_save it.md")
    text = (tmp_path / "it.md").read_text("utf-8")
    assert f"![picture 1](<{reply(shell).images[0].data_url}>)" in text


def test_it_is_kept_once_and_comes_back(bare_shell, sandbox, monkeypatch, tmp_path):
    path = tmp_path / "kept.sqlite"
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", "sandbox-test-key")
    bare_shell.run_cell(f"%config ChatSettings.store = {str(path)!r}")
    load_ipython_extension(bare_shell)
    bare_shell.run_cell(f"%config ChatSettings.store = {str(path)!r}")
    for _ in range(2):
        bare_shell.run_cell(IN_A_FIELD).raise_error()
    images = reply(bare_shell).images
    for _ in range(2):  # the second one is from the store
        bare_shell.run_cell(IN_A_FIELD.replace("-m", "--once --cached -m")).raise_error()
    assert reply(bare_shell).cached
    assert reply(bare_shell).images == images
    unload_ipython_extension(bare_shell)
    with sqlite3.connect(path) as kept:
        assert kept.execute("SELECT count(*) FROM media").fetchall() == [(1,)]
        identifier = kept.execute("SELECT id FROM conversations").fetchone()[0]
        assert "base64" not in str(kept.execute("SELECT completion FROM turns").fetchall())
    kept.close()
    conversations = Conversations(Database(path), None)
    loaded = conversations._sync.store.load(identifier)
    conversations.close()
    assert [t.completion.images for t in loaded.conversation.turns] == [images, images]


@pytest.mark.parametrize("cell", ["sandbox: picture 64 48", "sandbox: picture 64 48 text"])
def test_a_comparison_shows_and_keeps_it(run, shell, sandbox, capsys, cell):
    run(f"%%compare gpt-5.5 gpt-5.4\n{cell}\nsandbox: echo\nDraw it.")
    assert capsys.readouterr().out.count("[picture 1 ·") == 2
    run("%chat_keep gpt-5.4")
    run("%chat And now?")
    assert "[picture 1" in sandbox.received[-1].body["messages"][1]["content"]
    assert "base64" not in sent(sandbox)


def test_a_picture_of_a_reply_can_be_sent_on_purpose(run, shell, sandbox):
    run(IN_A_FIELD)
    run("%chat -a _reply.images[0] What is it?")
    assert sandbox.received[-1].body["messages"][-1]["content"][0]["type"] == "image_url"
