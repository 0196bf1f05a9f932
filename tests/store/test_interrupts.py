"""Ctrl-C at any line of a change: either it was made or it was not, and the store says the same as memory."""

from __future__ import annotations

import shutil
from contextlib import suppress

import pytest
from interrupts import interrupted_at
from said import notebook_at, prompts, say, turn

from xcyq_magic.chat.conversation import Conversation
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.store.database import Database

NOTEBOOK = "/notebooks/analysis.ipynb"
MODULES = ("xcyq_magic/session/notebook.py", "xcyq_magic/store/sync.py", "xcyq_magic/store/slots.py")


def undo(conversations: Conversations) -> None:
    conversations.take_back(None, lambda now: now.without_last(1))


def go_back(conversations: Conversations) -> None:
    conversations.adopt(next(s for s in conversations.summaries() if s.set_aside))


def fork(conversations: Conversations) -> None:
    now = conversations.get()
    conversations.begin(Conversation("fork", now.turns[:1]))
    conversations.switch("fork")


# What is done before the interrupt, what is interrupted, and what may stand in the current conversation after it.
CHANGES = {
    "reset": (None, lambda c: c.begin(Conversation(c.current)), [["a", "b"], []]),
    "load": (None, lambda c: c.begin(Conversation(c.current, (turn("loaded"),))), [["a", "b"], ["loaded"]]),
    "go back": (lambda c: c.begin(Conversation("main")), go_back, [[], ["a", "b"]]),
    "fork": (None, fork, [["a", "b"], ["a"]]),
    "switch": (None, lambda c: c.switch("idea"), [["a", "b"], []]),
    "say": (None, lambda c: c.edit(None, say("c")), [["a", "b"], ["a", "b", "c"]]),
    "undo": (None, undo, [["a", "b"], ["a"]]),
    "restore": (undo, lambda c: c.restore(), [["a"], ["a", "b"]]),
}


@pytest.mark.parametrize(
    ("change", "store"), [*((change, "works") for change in CHANGES), ("reset", "fails"), ("go back", "fails")]
)
def test_an_interrupt_at_any_line_leaves_conversations_whole(tmp_path, change, store):
    """Where the store fails, what was not written before is written later."""
    first, do, outcomes = CHANGES[change]
    stored = tmp_path / "stored.sqlite"
    said = Conversations(Database(stored), notebook_at(NOTEBOOK))
    for prompt in "ab":
        said.edit("main", say(prompt))
    said.close()
    number, reached = 0, True
    while reached:
        number += 1
        where, path = f"line {number}", tmp_path / f"{number}.sqlite"
        shutil.copy(stored, path)
        conversations = Conversations(Database(path), notebook_at(NOTEBOOK))
        assert prompts(conversations.get()) == ["a", "b"]
        if store == "fails":
            path.rename(tmp_path / "away")
            path.mkdir()
        if first:
            first(conversations)
        with suppress(KeyboardInterrupt), interrupted_at(number, *MODULES) as came:
            do(conversations)
        reached = came()
        if store == "fails":
            path.rmdir()
            (tmp_path / "away").rename(path)
        stands = prompts(conversations.get())
        assert stands in outcomes, where
        if change == "restore":  # nothing that was taken back is out of reach
            conversations.restore()
            stands = prompts(conversations.get())
            assert stands == ["a", "b"], where
        conversations.edit(None, say("end"))
        assert prompts(conversations.get()) == [*stands, "end"], where
        conversations.close()
        again = Conversations(Database(path), notebook_at(NOTEBOOK))
        again.resume()
        assert prompts(again.get()) == [*stands, "end"], where
        kept = {tuple(prompts(again._sync.load(s).now)) for s in again.summaries() if s.turns}
        others = set() if stands[:2] == ["a", "b"] or change == "undo" else {("a", "b")}
        begun = {("a",)} if change == "fork" else set()  # and not switched to yet
        assert kept - begun == {(*stands, "end"), *others}, where
        again.close()
    assert number > 10


def test_an_interrupt_while_the_notebook_becomes_known_loses_nothing(tmp_path):
    """What was said before comes after what the notebook has, once: the next cell makes up for it."""
    stored = tmp_path / "stored.sqlite"
    said = Conversations(Database(stored), notebook_at(NOTEBOOK))
    for prompt in "ab":
        said.edit("main", say(prompt))
    said.close()
    number, reached = 0, True
    while reached:
        number += 1
        where, path = f"line {number}", tmp_path / f"{number}.sqlite"
        shutil.copy(stored, path)
        conversations = Conversations(Database(path))
        conversations.edit("main", say("c"))
        conversations.edit("idea", say("d"))
        with suppress(KeyboardInterrupt), interrupted_at(number, *MODULES) as came:
            conversations.belong_to(notebook_at(NOTEBOOK))
        reached = came()
        if conversations.path is None:
            conversations.belong_to(notebook_at(NOTEBOOK))
        conversations.edit("main", say("end"))
        assert prompts(conversations.get("main")) == ["a", "b", "c", "end"], where
        assert prompts(conversations.get("idea")) == ["d"], where
        conversations.close()
        again = Conversations(Database(path), notebook_at(NOTEBOOK))
        assert prompts(again.get("main")) == ["a", "b", "c", "end"], where
        assert prompts(again.get("idea")) == ["d"], where
        again.close()
    assert number > 10
