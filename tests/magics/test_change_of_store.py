"""`ChatSettings.store` changes while conversations stand: each file gets what stands, minus what was not to be kept."""

from __future__ import annotations

import json
import re
import shutil
import threading

import pytest
from kernels import KEY, write_notebook
from servers import HeldServer, eventually
from shells import request, shell_of

from xcyq_magic import unload_ipython_extension
from xcyq_magic.chat.messages import Message
from xcyq_magic.store.conversations import ConversationStore
from xcyq_magic.store.database import Database
from xcyq_magic.store.summaries import latest


class Kernel:
    """A notebook's shell. Each chat is in a cell of its own, called as the prompt."""

    def __init__(self, shell, folder, capsys) -> None:
        self.shell, self._folder, self._capsys = shell, folder, capsys
        self.page: dict[str, str] = {}

    def __call__(self, code: str, cell: str = "") -> str:
        self.page[cell or code.replace(" ", "-")] = code
        write_notebook(self._folder / "page.ipynb", self.page)
        request(self.shell, cell or code.replace(" ", "-"))
        self._capsys.readouterr()
        self.shell.run_cell(code).raise_error()
        return self._capsys.readouterr().out

    def say(self, *prompts: str) -> str:
        return "".join(self(f"%chat {p}", f"cell-{p}") for p in prompts)

    def store(self, setting: object) -> str:
        return self(f"%config ChatSettings.store = {str(setting)!r}", "config")

    @property
    def session(self):
        return self.shell.magics_manager.registry["xcyq_magic"].context.session

    @property
    def prompts(self) -> list[str]:
        return [t.prompt.text for t in self.session.conversation().turns]


@pytest.fixture
def server():
    server = HeldServer()
    yield server
    server.close()


@pytest.fixture
def start(server, monkeypatch, capsys, tmp_path):
    """Start a kernel with a store; the one before it ends."""
    monkeypatch.setenv("XCYQ_BASE_URL", server.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "page.ipynb"))
    running = []

    def end() -> None:
        while running:
            shell, context = running.pop()
            unload_ipython_extension(shell)
            context.__exit__(None, None, None)

    def begin(store: object) -> Kernel:
        end()
        context = shell_of(ChatSettings={"store": str(store)})
        shell = context.__enter__()
        running.append((shell, context))
        kernel = Kernel(shell, tmp_path, capsys)
        kernel.page.update(begin.page)
        begin.page = kernel.page
        kernel.loaded = kernel("%load_ext xcyq_magic", "load")
        return kernel

    begin.page = {}
    yield begin
    end()


def kept(path) -> dict[str, list[list[str]]]:
    """What a file has: the prompts of each conversation by its name, the one that has the name first."""
    database, found = Database(path), {}
    for summary in sorted(latest(database, None, 100), key=lambda s: s.set_aside):
        turns = ConversationStore(database).load(summary.id).conversation.turns
        found.setdefault(summary.name, []).append([t.prompt.text for t in turns])
    database.close()
    return found


def on_disk(folder, words: str) -> bool:
    """Whether a store in `folder` holds them anywhere."""
    return any(words.encode() in f.read_bytes() for f in folder.glob("*.sqlite*"))


NOWHERE = ":memory:"


def test_what_was_said_while_nothing_is_kept_is_not_written_later(start, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(file)
    kernel.say("a1", "a2")
    kernel.store(NOWHERE)
    kernel.say("secret")
    kernel("%chat_undo --turn 2")
    assert kept(file) == {"main": [["a1", "a2"]]}
    kernel.store(file)
    kernel.say("a3")
    assert kernel.prompts == ["a1", "secret", "a3"]
    assert kept(file) == {"main": [["a1", "a3"]]}
    assert not on_disk(tmp_path, "secret")
    assert start(file).prompts == ["a1", "a3"]


def test_nor_is_it_written_into_another_file(start, tmp_path):
    kernel = start(tmp_path / "a.sqlite")
    kernel.say("a1")
    kernel.store(NOWHERE)
    kernel.say("secret")
    kernel.store(tmp_path / "b.sqlite")
    kernel.say("b1")
    assert kept(tmp_path / "b.sqlite") == {"main": [["a1", "b1"]]}
    kernel.store(tmp_path / "a.sqlite")
    kernel.say("a2")
    assert kept(tmp_path / "a.sqlite") == {"main": [["a1", "b1", "a2"]]}
    assert not on_disk(tmp_path, "secret")


def test_a_conversation_begun_while_nothing_is_kept_is_written_with_what_is_said_later(start, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(NOWHERE)
    kernel("%chat_switch --new confidential")
    kernel("%chat_system Our plan.")
    kernel.say("secret")
    kernel("%chat_switch main")
    kernel.store(file)
    kernel.say("a1")
    assert kept(file) == {"main": [["a1"]]}
    assert not on_disk(tmp_path, "confidential")
    kernel("%chat_switch confidential")
    kernel.say("a2")
    assert kernel.prompts == ["secret", "a2"]
    assert kept(file) == {"main": [["a1"]], "confidential": [["a2"]]}
    assert not on_disk(tmp_path, "secret")


def test_a_turn_replaced_while_nothing_is_kept_leaves_the_file_with_its_place(start, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(file)
    kernel.say("a1", "a2", "a3")
    kernel.store(NOWHERE)
    kernel("%chat secret", "cell-a2")
    kernel("%chat_retry")
    kernel.store(file)
    kernel.say("a4")
    assert kernel.prompts == ["a1", "secret", "a3", "a4"]
    assert kept(file) == {"main": [["a1", "a4"]]}
    kernel("%chat_undo --restore")
    assert kept(file) == {"main": [["a1", "a3", "a4"]]}


def test_a_reset_while_nothing_is_kept_is_made_up_for(start, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(file)
    kernel.say("a1")
    kernel.store(NOWHERE)
    kernel("%chat_reset")
    kernel.say("secret")
    kernel.store(file)
    kernel.say("a2")
    assert kernel.prompts == ["secret", "a2"]
    assert kept(file) == {"main": [["a2"], ["a1"]]}
    assert start(file).prompts == ["a2"]


def test_a_turn_that_was_restored_while_nothing_is_kept_was_said_before(start, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(file)
    kernel.say("a1", "a2")
    kernel("%chat_undo")
    kernel.store(NOWHERE)
    kernel("%chat_undo --restore")
    kernel.store(file)
    kernel.say("a3")
    assert kept(file) == {"main": [["a1", "a2", "a3"]]}


def test_what_is_loaded_while_nothing_is_kept_is_not_written_until_it_is_loaded_again(start, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(NOWHERE)
    kernel.say("secret")
    kernel(f"%chat_save {tmp_path}/chat.ipynb")
    kernel(f"%chat_load {tmp_path}/chat.ipynb")
    kernel.store(file)
    kernel.say("a1")
    assert kept(file) == {"main": [["a1"]]}
    kernel(f"%chat_load {tmp_path}/chat.ipynb")
    assert kept(file) == {"main": [["secret"], ["a1"]]}


def test_a_reply_under_way_is_kept_if_turns_were_from_its_question_to_its_end(start, server, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(file)
    kernel.say("a1")
    for asked_at, prompt in ((NOWHERE, "hold secret"), (file, "hold a2")):
        kernel.store(asked_at)
        asking = threading.Thread(target=kernel.session.ask, args=(Message.of("user", prompt),))
        asking.start()
        assert eventually(lambda p=prompt: any(b["messages"][-1]["content"] == p for b in server.received))
        kernel.store(file if asked_at == NOWHERE else NOWHERE)
        server.release(prompt)
        asking.join(10)
    kernel.store(file)
    kernel.say("a3")
    assert kernel.prompts == ["a1", "hold secret", "hold a2", "a3"]
    assert kept(file) == {"main": [["a1", "a3"]]}
    assert not on_disk(tmp_path, "secret")


def test_what_was_set_aside_while_nothing_is_kept_stays_within_reach(start, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(NOWHERE)
    kernel.say("secret", "another")
    (back,) = re.findall(r"%chat_switch (\w+) brings", kernel("%chat_reset"))
    kernel.store(file)
    kernel.say("a1")
    kernel(f"%chat_switch {back}")
    assert kernel.prompts == ["secret", "another"]
    kernel.say("a2")
    (again,) = re.findall(r"%chat_switch (\w+) brings", kernel("%chat_reset"))
    kernel(f"%chat_switch {again}")
    assert kernel.prompts == ["secret", "another", "a2"]  # what is not in the file is still in memory
    assert not on_disk(tmp_path, "secret")


def test_the_conversations_of_another_file_are_set_aside_there_and_said(start, tmp_path):
    one, other = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    start(other).say("b1", "b2")
    kernel = start(one)
    kernel.say("a1")
    kernel.store(other)
    said = kernel.say("a2")
    (back,) = re.findall(r"The store had page.ipynb: 2 turns under the name main; .*%chat_switch (\w+) ", said)
    assert kernel.prompts == ["a1", "a2"]
    assert kept(other) == {"main": [["a1", "a2"], ["b1", "b2"]]}
    kernel(f"%chat_switch {back}")
    assert kernel.prompts == ["b1", "b2"]
    assert "The store had" not in kernel.say("b3")
    assert kept(other) == {"main": [["b1", "b2", "b3"], ["a1", "a2"]]}


def test_where_nothing_was_said_yet_another_file_is_gone_on_with(start, tmp_path):
    one, other = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    start(other).say("b1")
    kernel = start(one)
    kernel("%chat_history")
    kernel.store(other)
    assert "Resumed page.ipynb: 1 turn" in kernel.say("b2")
    assert kernel.prompts == ["b1", "b2"]
    assert kept(other) == {"main": [["b1", "b2"]]}


def test_a_copy_of_the_file_gets_what_was_said_since(start, tmp_path):
    one, copy = tmp_path / "a.sqlite", tmp_path / "copy.sqlite"
    start(one).say("a1", "a2")
    start(NOWHERE)  # the file is closed, and whole
    shutil.copy(one, copy)
    kernel = start(one)
    kernel.say("a3")
    kernel.store(copy)
    kernel.say("a4")
    assert kernel.prompts == ["a1", "a2", "a3", "a4"]
    assert kept(copy) == {"main": [["a1", "a2", "a3", "a4"]]}


def test_what_a_full_disk_kept_from_a_file_is_written_though_nothing_was_to_be_kept_since(start, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(file)
    kernel.say("a1")
    file.rename(tmp_path / "away")
    file.mkdir()
    assert "The chat goes on in memory." in kernel.say("a2")
    kernel.store(NOWHERE)
    kernel.say("secret")
    file.rmdir()
    (tmp_path / "away").rename(file)
    kernel.store(file)
    kernel.say("a3")
    assert kept(file) == {"main": [["a1", "a2", "a3"]]}


def test_a_single_reply_asked_while_nothing_is_kept_stays_out_of_the_file(start, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(NOWHERE)
    kernel("%chat --once --cached secret")
    kernel("%%compare gpt-5.5 gemini-2.5-pro\nsecret too", "compare")
    kernel.store(file)
    kernel("%chat_keep 1")
    kernel.say("a1")
    assert kernel.prompts == ["secret too", "a1"]
    assert kept(file) == {"main": [["a1"]]}
    assert not on_disk(tmp_path, "secret")


def rows(path) -> list[str]:
    database = Database(path)
    found = [json.loads(p)["parts"][0]["text"] for (p,) in database.read("SELECT prompt FROM turns")]
    database.close()
    return found


def test_a_chat_of_its_own_is_recorded_only_while_turns_are_kept(start, tmp_path):
    file = tmp_path / "a.sqlite"
    kernel = start(NOWHERE)
    kernel("from xcyq_magic import Chat\nchat = Chat()\nchat('secret')", "c1")
    kernel.store(file)
    kernel("chat('a1')", "c2")
    assert rows(file) == ["a1"]
