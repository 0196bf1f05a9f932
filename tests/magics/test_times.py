"""Times, as they are shown: one that is not known is shown as none."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest
from kernels import KEY
from shells import shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension

MESSAGES = [{"role": r, "content": c} for r, c in (("user", "one"), ("assistant", "first"))]


@pytest.fixture
def shown(run, capsys):
    """Run a cell; returns what it prints."""

    def show(code: str) -> str:
        capsys.readouterr()
        run(code)
        return capsys.readouterr().out

    return show


@pytest.fixture
def chat_json(tmp_path):
    """A file of messages, which tell no time."""
    path = tmp_path / "c.json"
    path.write_text(json.dumps(MESSAGES))
    return path


def test_a_turn_of_messages_has_no_time(shown, chat_json):
    shown(f"%chat_load {chat_json}")
    history = shown("%chat_history")
    assert "19" not in history
    assert ":" not in history.split("\n")[2]
    shown("%chat two")
    rows = shown("%chat_history").split("\n")[2:4]
    assert ":" not in rows[0]
    assert ":" in rows[1][:12]
    assert not any("*" in row[:4] for row in rows)


def test_a_turn_of_an_unknown_time_is_not_taken_for_an_old_one(shown, tmp_path):
    shown("%chat one")
    shown("%chat two")
    shown(f"%chat_save {tmp_path}/c.ipynb")
    text = (tmp_path / "c.ipynb").read_text()
    notebook = json.loads(text)
    records = [o["data"] for c in notebook["cells"] for o in c["outputs"]]
    records[1]["application/vnd.xcyq.turn+json"]["asked_at"] = None
    (tmp_path / "c.ipynb").write_text(json.dumps(notebook))
    shown(f"%chat_load {tmp_path}/c.ipynb")
    assert not any("*" in row[:4] for row in shown("%chat_history").split("\n"))


def test_a_conversation_whose_last_turn_has_no_time_is_listed_without_one(shown, chat_json):
    shown(f"%chat_load {chat_json}")
    listed = next(line for line in shown("%chat_switch").split("\n") if " main " in line)
    assert "1970" not in listed
    assert ":" not in listed


def test_so_it_is_listed_in_the_next_kernel(chat_json, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    store = tmp_path / "kept.sqlite"
    for code in (f"%chat_load {chat_json}", "%chat_switch"):
        with shell_of(ChatSettings={"store": str(store)}) as shell:
            load_ipython_extension(shell)
            capsys.readouterr()
            shell.run_cell(code).raise_error()
            unload_ipython_extension(shell)
    listed = next(line for line in capsys.readouterr().out.split("\n") if " main " in line)
    assert ":" not in listed
    assert listed.endswith(" 1")


@pytest.mark.parametrize("odd", ["'x'", "-5", "9e99", "x'00'", "1e400"])
def test_an_odd_time_in_the_store_is_shown_as_none(shown, shell, odd, sandbox, capsys):
    shown("%config ChatSettings.cached = True")
    shown("%chat one")
    shown("%chat_switch --new other")
    shown("%chat --once again")
    database = shell.magics_manager.registry["xcyq_magic"].context.conversations._sync.database
    with sqlite3.connect(database.path) as connection:
        connection.execute(f"UPDATE turns SET asked_at = {odd}")  # noqa: S608  # ours
        connection.execute(f"UPDATE conversations SET changed_at = {odd}")  # noqa: S608  # as above
    connection.close()
    assert "from the store, nothing was sent" in shown("%chat --once again")
    shown("%chat_switch")


def test_a_reply_of_the_store_says_when_it_was_asked_if_that_is_known(shown, shell):
    shown("%config ChatSettings.cached = True")
    shown("%chat one")
    shown("%chat_reset")
    today = time.strftime("%Y-%m-%d ")
    assert f"Asked before, on {today}" in shown("%chat one")
    shown("%chat_reset")
    database = shell.magics_manager.registry["xcyq_magic"].context.conversations._sync.database
    with sqlite3.connect(Path(database.path)) as connection:
        connection.execute("UPDATE turns SET asked_at = 0")
    connection.close()
    assert "Asked before: the reply is from the store, nothing was sent." in shown("%chat one")
