"""Whatever is done while the store changes, and changes back, each file has what stood, minus what is not kept."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from said import notebook_at, prompts, turn

from xcyq_magic.chat.conversation import CellRun, Conversation
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.store.database import Database

NOTEBOOK = "/notebooks/analysis.ipynb"
NOWHERE = "nowhere"


class Kernel:
    """A notebook's conversations, and what is known of them beside."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.unkept: set[str] = set()
        self.store = "one"
        self.number = 0
        self.now = self.begin()

    def begin(self) -> Conversations:
        now = Conversations(self.database(), notebook_at(NOTEBOOK))
        now.resume()
        return now

    def database(self) -> Database:
        return Database(None if self.store == NOWHERE else self.folder / f"{self.store}.sqlite")

    def use(self, store: str) -> None:
        self.store = store
        self.now.use(self.database())

    def restart(self) -> None:
        self.now.close()
        self.store = "one" if self.store == NOWHERE else self.store
        self.now = self.begin()

    def say(self, cell: str | None) -> None:
        self.number += 1
        prompt = f"said {self.number}."
        if self.store == NOWHERE:
            self.unkept.add(prompt)
        new = replace(turn(prompt), cell=CellRun(cell, str(self.number)) if cell else None)
        self.now.take_back(None, lambda now: now.with_turn(new))

    def fork(self) -> None:
        name = self.now.unused_name("fork")
        self.now.begin(replace(self.now.get(), name=name, turns=self.now.get().turns[:2]))
        self.now.switch(name)

    def go_back(self) -> None:
        if aside := next((s for s in self.now.summaries() if s.set_aside), None):
            self.now.adopt(aside)


STEPS = {
    "undo": lambda k: k.now.take_back(None, lambda c: c.without_last(1)),
    "drop the first": lambda k: k.now.take_back(None, lambda c: c.without(c.turns[:1])),
    "restore": lambda k: k.now.restore(),
    "reset": lambda k: k.now.begin(Conversation(k.now.current)),
    "fork": Kernel.fork,
    "go back": Kernel.go_back,
    "main": lambda k: k.now.switch("main"),
    "model": lambda k: k.now.edit(None, lambda c: replace(c, model=f"m{len(c.turns)}")),
    "restart": Kernel.restart,
    **{store: (lambda k, store=store: k.use(store)) for store in ("one", "two", NOWHERE)},
    **{f"say in {cell}": (lambda k, cell=cell: k.say(cell)) for cell in ("A", "B", None)},
}


def rows(database: Database) -> set[str]:
    """The prompts of all turns that a file has, wherever they stand."""
    return {json.loads(p)["parts"][0]["text"] for (p,) in database.read("SELECT prompt FROM turns")}


@given(st.lists(st.sampled_from([*STEPS]), max_size=25))
def test_a_file_has_what_stood_but_not_what_was_said_while_nothing_was_kept(tmp_path_factory, done):
    kernel = Kernel(tmp_path_factory.mktemp("stores"))
    for what in done:
        before = prompts(kernel.now.get())
        STEPS[what](kernel)
        if what in {"one", "two", NOWHERE} and before:
            assert prompts(kernel.now.get()) == before
    kernel.use("one" if kernel.store == NOWHERE else kernel.store)
    kernel.say("end")
    kernel.now.close()
    for name in ("one", "two"):
        file = Database(kernel.folder / f"{name}.sqlite")
        assert not file.exists or kernel.unkept.isdisjoint(rows(file))
        file.close()
    again = kernel.begin()
    assert again.current == kernel.now.current
    stands = kernel.now.get()
    assert prompts(again.get()) == [p for p in prompts(stands) if p not in kernel.unkept]
    assert again.get().model == stands.model
    again.close()


def test_what_a_cell_replaced_before_is_in_the_file_though_it_came_back_while_nothing_was_kept(tmp_path):
    kernel = Kernel(tmp_path)
    kernel.say("A")
    kernel.say("A")
    kernel.use(NOWHERE)
    kernel.now.restore()
    kernel.use("one")
    kernel.restart()
    assert prompts(kernel.now.get()) == ["said 1.", "said 2."]
    kernel.now.close()
