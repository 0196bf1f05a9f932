"""`%chat_save` and `%chat_load`."""

from __future__ import annotations

import re

import openai
import pytest
from PIL import Image as Pillow

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
    import json

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
