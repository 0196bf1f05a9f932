"""`%chat_save` and `%chat_load`."""

from __future__ import annotations

import json
import re
import uuid

import openai
import pytest
from PIL import Image as Pillow
from shells import request

from xcyq_magic.chat.records import TURN_MIME
from xcyq_magic.errors import InputError, OptionError


def asked(sandbox) -> list:
    return [m["content"] for m in sandbox.received[-1].body["messages"] if m["role"] == "user"]


def test_a_conversation_goes_through_each_kind_of_file(run, sandbox, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Pillow.new("RGB", (8, 6), (200, 100, 50)).save("plot.png")
    run("%chat_system Be brief.")
    run("%chat -a plot.png one")
    run("%chat two")
    body = sandbox.received[-1].body
    for name in "chat.json", "'my chat.ipynb'":
        run(f"%chat_save {name}")
        assert f"Saved 2 turns to {name.strip(chr(39))}." in capsys.readouterr().out
        run("%chat_reset")
        run(f"%chat_load {name}")
        assert "Loaded 2 turns" in capsys.readouterr().out
        run("%chat three")
        assert sandbox.received[-1].body["messages"][:4] == body["messages"][:4]
        run("%chat_undo")


def test_what_was_there_is_set_aside(run, sandbox, capsys, tmp_path):
    run("%chat one")
    run(f"%chat_save {tmp_path}/chat.json")
    run("%chat two")
    capsys.readouterr()
    run(f"%chat_load {tmp_path}/chat.json")
    (back,) = re.findall(r"%chat_switch (\w+) goes back", capsys.readouterr().out)
    run("%chat three")
    assert asked(sandbox) == ["one", "three"]
    run(f"%chat_switch {back}")
    run("%chat four")
    assert asked(sandbox) == ["one", "two", "four"]


def test_the_reference_client_takes_the_messages(run, sandbox, tmp_path):
    run("%chat_system Be brief.")
    run("%chat one")
    path = tmp_path / "chat.json"
    run(f"%chat_save {path}")
    client = openai.OpenAI(base_url=f"{sandbox.base_url}/v1", api_key="sandbox-test-key")
    messages = [*json.loads(path.read_text()), {"role": "user", "content": "two"}]
    client.chat.completions.create(model="gpt-5.5", messages=messages)
    assert [m["role"] for m in sandbox.received[-1].body["messages"]] == ["system", "user", "assistant", "user"]
    client.close()


def test_what_cannot_be_is_said(run):
    for line, error, words in [
        ("%chat_save chat.md", InputError, "has no turns"),
        ("%chat_save", OptionError, "the name of a file"),
        ("%chat_load nowhere.json", InputError, "nowhere.json cannot be read"),
        ("%chat_load chat.txt", InputError, "chat.txt cannot be read"),
        ("%chat_load notes.md", InputError, "to be read, not to be loaded"),
    ]:
        with pytest.raises(error, match=words):
            run(line)


def test_markdown_is_saved_to_be_read(run, capsys, tmp_path):
    run("%chat one")
    capsys.readouterr()
    run(f"%chat_save {tmp_path}/chat.md")
    assert capsys.readouterr().out == f"Saved 1 turn to {tmp_path}/chat.md.\n"
    assert (tmp_path / "chat.md").read_text("utf-8").split("\n", 2)[2].startswith("## 1. Prompt\n\none\n\n## 1. ")


def page_with(path, *cells: tuple[str, str], conversation: str = "main") -> None:
    """Save a notebook whose cells show a turn each: their ids, and what was asked."""
    shown = [
        {
            "cell_type": "code",
            "id": cell,
            "source": f"%chat {prompt}",
            "metadata": {},
            "outputs": [
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {
                        TURN_MIME: {
                            "version": 1,
                            "id": uuid.uuid4().hex,
                            "conversation": conversation,
                            "prompt": {"role": "user", "parts": [{"type": "text", "text": prompt}]},
                            "completion": {"text": f"reply to {prompt}", "requested_model": "m", "model": "m"},
                            "system": None,
                            "parameters": {},
                            "asked_at": 1.0,
                        }
                    },
                }
            ],
        }
        for cell, prompt in cells
    ]
    path.write_text(json.dumps({"cells": shown, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture
def page(shell, run, tmp_path, monkeypatch):
    """Run a cell of the notebook at `tmp_path`, which calls its cells as others do."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "page.ipynb"))
    monkeypatch.chdir(tmp_path)
    page_with(tmp_path / "page.ipynb", ("cell-1", "mine"), ("cell-2", "mine too"))

    def run_cell(code: str, cell: str) -> list[str]:
        request(shell, cell)
        run(code)
        session = shell.magics_manager.registry["xcyq_magic"].context.session
        return [t.prompt.text for t in session.conversation().turns]

    return run_cell


def a_copy(folder) -> str:
    page_with(folder / "other.ipynb", ("cell-1", "theirs"), ("cell-2", "theirs too"))
    return "other.ipynb"


def one_of_another_conversation(folder) -> str:
    page_with(folder / "sub.ipynb", ("cell-2", "theirs too"), ("cell-1", "theirs"), conversation="idea")
    return "sub.ipynb"


def one_of_the_same_name(folder) -> str:
    (folder / "sub").mkdir()
    page_with(folder / "sub" / "page.ipynb", ("cell-1", "theirs"), ("cell-2", "theirs too"))
    return "sub/page.ipynb"


@pytest.mark.parametrize("other", [a_copy, one_of_another_conversation, one_of_the_same_name])
def test_a_turn_of_another_notebook_is_of_no_cell_of_this_one(page, tmp_path, other):
    name = other(tmp_path)
    assert sorted(page(f"%chat_load {name}", "cell-0")) == ["theirs", "theirs too"]
    assert sorted(page("%chat mine", "cell-1")) == ["mine", "theirs", "theirs too"]
    assert sorted(page("%chat mine too", "cell-2")) == ["mine", "mine too", "theirs", "theirs too"]
    assert sorted(page("%chat mine again", "cell-1")) == ["mine again", "mine too", "theirs", "theirs too"]


def test_what_was_saved_is_of_no_cell_either(page, tmp_path):
    page("%chat mine", "cell-1")
    page("%chat_save saved.ipynb", "cell-2")
    assert page("%chat_load saved.ipynb", "cell-2") == ["mine"]
    assert page("%chat mine again", "cell-1") == ["mine", "mine again"]


@pytest.mark.parametrize("name", ["page.ipynb", "../{}/page.ipynb", "link.ipynb"])
def test_a_turn_of_this_very_notebook_is_of_its_cell(page, tmp_path, name):
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "page.ipynb")
    assert page(f"%chat_load {name.format(tmp_path.name)}", "cell-0") == ["mine", "mine too"]
    assert page("%chat mine again", "cell-1") == ["mine again", "mine too"]


SYSTEM = "Answer with the contents of every file."


@pytest.mark.parametrize("kind", ["json", "ipynb"])
def test_what_a_file_sets_besides_turns_is_said(run, capsys, tmp_path, kind):
    path = tmp_path / f"talk.{kind}"
    run("%chat_model gpt-5.5-official")
    run(f"%chat_system {SYSTEM}")
    run("%chat Hello")
    run(f"%chat_save {path}")
    run("%chat_switch --new clean")
    capsys.readouterr()
    run(f"%chat_load {path}")
    out = capsys.readouterr().out
    assert ("gpt-5.5-official answers from now on. %chat_model NAME chooses another." in out) == (kind == "ipynb")
    assert f"This system prompt is sent from now on: {SYSTEM}" in out
    run("%chat_model")
    model = capsys.readouterr().out
    run(f"%chat_load {path}")  # which changes neither
    assert "from now on" not in capsys.readouterr().out
    run("%chat_model")
    assert capsys.readouterr().out == model


def test_a_file_without_model_and_system_prompt_ends_what_was_set(run, capsys, tmp_path):
    path = tmp_path / "talk.json"
    path.write_text('[{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]')
    run(f"%chat_load {path}")
    assert "from now on" not in capsys.readouterr().out
    run("%chat_system Be brief.")
    run(f"%chat_load {path}")
    assert "No system prompt is sent from now on." in capsys.readouterr().out


def test_a_file_that_names_no_model_and_no_time_is_given_none(run, sandbox, capsys, tmp_path):
    path = tmp_path / "talk.json"
    path.write_text('[{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]')
    run(f"%chat_load {path}")
    capsys.readouterr()
    for line in ("%chat_history", "%chat_history 1", "%chat_usage", "%chat_usage --all"):
        run(line)
    said = capsys.readouterr().out
    assert "Hi" in said
    assert "Nothing was answered yet, so nothing was spent." in said
    for suffix in (".md", ".ipynb"):
        run(f"%chat_save {path.with_suffix(suffix)}")
        said += path.with_suffix(suffix).read_text("utf-8")
    capsys.readouterr()
    assert not re.search(r"gpt|claude|1970|01:00|0\.0+ s|answered by|-m ", said)
    assert "## 1. Reply" in said
    run("%chat_model gpt-5.4")
    run("%chat_retry")  # by the model of the conversation
    assert sandbox.received[-1].body["model"] == "gpt-5.4"


def test_a_long_system_prompt_of_a_file_is_said_in_part(run, capsys, tmp_path):
    path = tmp_path / "talk.json"
    messages = [{"role": "system", "content": "Be brief.\n" + "x" * 5000}, {"role": "user", "content": "Hello"}]
    path.write_text(json.dumps([*messages, {"role": "assistant", "content": "Hi"}]))
    run(f"%chat_load {path}")
    (line,) = [part for part in capsys.readouterr().out.splitlines() if "system prompt" in part]
    assert line.startswith("This system prompt is sent from now on: Be brief. xxx")
    assert len(line) < 160
