"""Whatever is done to conversations, a plain model of them says what stands in them, and nothing is lost."""

from __future__ import annotations

import shutil
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from kernels import KEY, write_notebook
from servers import HeldServer, eventually
from shells import request, shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.chat.conversation import CellRun, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import InputError
from xcyq_magic.store.conversations import ConversationStore
from xcyq_magic.store.database import Database

CELLS = st.sampled_from(["A", "B", "C", None])


EARLIER = ""  # the run of a turn of another kernel


@dataclass(eq=False)
class Said:
    """A turn."""

    prompt: str
    reply: str
    cell: str | None
    run: str

    @property
    def shown(self) -> tuple[str, str, str | None]:
        return self.prompt, self.reply, self.cell


@dataclass(eq=False)
class Talk:
    """A conversation, and what was taken back from it, or replaced by a cell: the turns, and all turns before that."""

    name: str
    turns: list[Said] = field(default_factory=list)
    model: str | None = None
    taken: list[tuple[list[Said], list[Said]]] = field(default_factory=list)
    replaced: dict[str, tuple[list[Said], list[Said]]] = field(default_factory=dict)
    id: str = ""
    busy: int = 0

    def place(self, cell: str | None, run: str) -> tuple[list[Said], list[Said]]:
        """The turns above and below a new one of that run of a cell, which replaces what earlier runs left."""
        own = [t for t in self.turns if cell and t.cell == cell]
        stale = [t for t in own if t.run != run]
        fresh = [t for t in own if t.run == run]
        if not own:
            return list(self.turns), []
        cut = self.turns.index(fresh[-1]) + 1 if fresh else self.turns.index(stale[0])
        return [t for t in self.turns[:cut] if t not in stale], [t for t in self.turns[cut:] if t not in stale]

    def add(self, said: Said) -> None:
        above, below = self.place(said.cell, said.run)
        if gone := [t for t in self.turns if t not in above and t not in below]:
            self.replaced.pop(said.cell, None)
            self.replaced[said.cell] = gone, self.turns
        self.turns = [*above, said, *below]

    def last_taken(self) -> tuple[list[Said], list[Said]] | None:
        """What comes back first, of what is not back yet."""
        here, both = self.turns, [*self.replaced.values(), *self.taken]
        return next((entry for entry in reversed(both) if any(t not in here for t in entry[0])), None)

    def forget_up_to(self, entry: tuple[list[Said], list[Said]] | None) -> None:
        """Forget what comes back before `entry`, and that; all without it."""
        while self.taken or self.replaced:
            if (self.taken.pop() if self.taken else self.replaced.popitem()[1]) is entry:
                return


def shown(turn: Turn) -> tuple[str, str, str | None]:
    return turn.prompt.text, turn.completion.text, turn.cell and turn.cell.cell_id


class Histories(RuleBasedStateMachine):
    """A notebook, its kernels, and what should stand in its conversations."""

    folders = monkeypatch = capsys = None  # pytest's, set by the test

    def __init__(self) -> None:
        super().__init__()
        self.folder = self.folders.mktemp("history")
        self.server = HeldServer()
        for name, value in {
            "IPYTHONDIR": self.folder,
            "XCYQ_BASE_URL": self.server.base_url,
            "XCYQ_API_KEY": KEY,
        }.items():
            self.monkeypatch.setenv(name, str(value))
        # As another kernel sees it.
        self.store = ConversationStore(Database(self.folder / "profile_default" / "xcyq_magic.sqlite"))
        self.talks = {"main": Talk("main")}
        self.aside: list[Talk] = []
        self.current = "main"
        self.resumed = False  # whether nothing was done since the restart
        self.ran_in: dict[str, str] = {}  # the names of conversations, by the ids of cells that ran there last
        self.ever: list[Said] = []
        self.saved: dict[str, list[Said]] = {}
        self.page: dict[str, str] = {}
        self.cells = self.questions = 0
        self.compared: tuple[Talk, list[Said]] | None = None
        self.background: dict[str, tuple[threading.Thread, Talk, CellRun | None]] = {}
        self.path = self.folder / "page.ipynb"
        self.start()
        self.choose_a_model("gpt-5.5")  # in a cell: what none of the notebook's cells wrote to, it would not know again

    def start(self) -> None:
        """Start a kernel, and load the extension."""
        self.monkeypatch.setenv("JPY_SESSION_NAME", str(self.path))
        self.kernel = ExitStack()
        self.shell = self.kernel.enter_context(shell_of())
        self.kernel.callback(unload_ipython_extension, self.shell)
        request(self.shell, "load")
        load_ipython_extension(self.shell)
        self.session = self.shell.magics_manager.registry["xcyq_magic"].context.session

    def teardown(self) -> None:
        while self.background:
            self.finish(next(iter(self.background)))
        self.kernel.close()
        self.server.close()
        kept, query = self.store.database, "SELECT json_extract(completion, '$.text') FROM turns"
        replies = {reply for (reply,) in kept.read(query)} if kept.exists else set()
        kept.close()
        assert {t.reply for t in self.ever} <= replies  # the store has every reply that ever came

    # How the user acts, and how the model follows

    @property
    def now(self) -> Talk:
        return self.talks[self.current]

    def do(self, code: str, cell: str | None = "") -> str:
        """Run a cell, a new one unless given; returns what it printed."""
        self.cells += 1
        cell = f"other-{self.cells}" if cell == "" else cell
        self.page |= {cell: code} if cell else {}
        request(self.shell, cell, str(self.cells))
        self.capsys.readouterr()
        self.shell.run_cell(code).raise_error()
        self.follow(cell, code)
        return self.capsys.readouterr().out

    def follow(self, cell: str | None, code: str) -> None:
        """After a restart, a cell takes the notebook to where it ran last, unless something was done before."""
        if self.resumed and cell in self.ran_in:
            self.resumed, self.current = self.ran_in[cell] == self.current, self.ran_in[cell]
        if not code.startswith("%chat_save"):
            self.resumed = False
            if cell:
                self.ran_in[cell] = self.current

    def refused(self, code: str) -> bool:
        """Whether a reply is on its way, so that `code` is refused; it is tried then."""
        if not self.now.busy:
            return False
        with pytest.raises(InputError, match="in the middle of a reply"):
            self.do(code)
        return True

    def said(self, prompt: str, reply: str, cell: str | None, run: str = EARLIER) -> Said:
        self.ever.append(Said(prompt, reply, cell, run))
        return self.ever[-1]

    def asked(self) -> list[str]:
        """The prompts that the server received last."""
        return [m["content"] for m in self.server.received[-1]["messages"] if m["role"] == "user"]

    def question(self) -> str:
        self.questions += 1
        return f"question {self.questions}"

    def set_aside(self, talk: Talk) -> None:
        talk.id = self.session.conversations.open(talk.name).id
        self.aside.append(talk)

    @precondition(lambda self: not self.now.busy)
    @rule(cell=CELLS)
    def ask(self, cell: str | None) -> None:
        self.ask_in(cell, self.question())

    def ask_in(self, cell: str | None, prompt: str) -> None:
        self.do(f"%chat {prompt}", cell)
        above, _ = self.now.place(cell, str(self.cells))
        assert self.asked() == [t.prompt for t in above] + [prompt]
        self.now.add(self.said(prompt, self.server.replies[prompt][-1], cell, str(self.cells)))

    @precondition(lambda self: not self.now.busy)
    @rule(cell=CELLS)
    def ask_in_the_background(self, cell: str | None) -> None:
        prompt = f"hold {self.question()}"
        self.page |= {cell: f"%chat --background {prompt}"} if cell else {}
        run = CellRun(cell, prompt) if cell else None
        asking = threading.Thread(target=self.session.ask, args=(Message.of("user", prompt),), kwargs={"cell": run})
        asking.start()
        self.resumed = False
        assert eventually(lambda: any(b["messages"][-1]["content"] == prompt for b in self.server.received))
        self.now.busy += 1
        self.background[prompt] = asking, self.now, run

    @precondition(lambda self: self.background)
    @rule(data=st.data())
    def a_background_reply_ends(self, data) -> None:
        self.finish(data.draw(st.sampled_from(sorted(self.background))))

    def finish(self, prompt: str) -> None:
        asking, talk, run = self.background.pop(prompt)
        self.server.release(prompt)
        asking.join(10)
        assert not asking.is_alive()
        talk.busy -= 1
        cell = (run.cell_id, run.run) if run else (None, EARLIER)
        talk.add(self.said(prompt, self.server.replies[prompt][-1], *cell))

    @precondition(lambda self: self.now.turns)
    @rule(data=st.data(), single=st.booleans())
    def undo(self, data, single) -> None:
        before = list(self.now.turns)
        number = data.draw(st.integers(1, len(before)))
        line = f"%chat_undo --turn {number}" if single else f"%chat_undo {number}"
        if not self.refused(line):
            self.do(line)
            gone = [before[number - 1]] if single else before[-number:]
            self.now.turns = [t for t in before if t not in gone]
            self.now.taken.append((gone, before))

    @rule()
    def restore(self) -> None:
        if self.refused("%chat_undo --restore"):
            return
        stood, last = list(self.now.turns), self.now.last_taken()
        self.now.forget_up_to(last)
        if last is None:
            with pytest.raises(InputError, match="Nothing was taken back"):
                self.do("%chat_undo --restore")
            return
        gone, before = last
        self.do("%chat_undo --restore")
        known = {t.shown: t for t in (*stood, *gone)}
        after = [known[shown(t)] for t in self.session.conversation().turns]
        assert [t for t in after if t in stood] == stood  # nothing is removed, and nothing moved
        assert sorted(map(id, after)) == sorted({*map(id, stood), *map(id, gone)})
        if [t for t in stood if t in before] == [t for t in before if t in stood]:
            assert [t for t in after if t in before] == [t for t in before if t in after]  # each is in its place
        self.now.turns = after

    @precondition(lambda self: self.now.turns and not self.now.busy and "hold" not in self.now.turns[-1].prompt)
    @rule()
    def retry(self) -> None:
        before = list(self.now.turns)
        old = before[-1]
        self.do("%chat_retry")
        assert self.asked() == [t.prompt for t in before]
        new = self.said(old.prompt, self.server.replies[old.prompt][-1], old.cell, old.run)
        self.now.turns = [*before[:-1], new]
        self.now.taken.append(([old], before))

    @rule(model=st.sampled_from(["gpt-5.5", "gemini-2.5-pro"]))
    def choose_a_model(self, model: str) -> None:
        self.do(f"%chat_model {model}")
        self.now.model = model

    @rule(cell=CELLS)
    def compare(self, cell: str | None) -> None:
        prompt = self.question()
        self.do(f"%%compare gpt-5.5 gemini-2.5-pro\n{prompt}", cell)
        assert self.asked()[-1] == prompt
        columns = self.session.comparison.columns
        self.compared = self.now, [Said(prompt, c.text, cell, str(self.cells)) for c in columns]

    @precondition(lambda self: self.compared)
    @rule(number=st.integers(1, 2))
    def keep(self, number: int) -> None:
        asked, answers = self.compared
        said, talk = answers[number - 1], self.talks[asked.name]
        if talk is not asked and asked.turns:  # it was set aside
            with pytest.raises(InputError, match="nothing was kept"):
                self.do(f"%chat_keep {number}")
            return
        self.compared = talk, answers
        self.do(f"%chat_keep {number}")
        self.ever.append(said)
        at = next((n for n, t in enumerate(talk.turns) if t in answers), None)
        if at is None:
            talk.add(said)
        else:
            talk.turns = [*talk.turns[:at], said, *talk.turns[at + 1 :]]

    @rule()
    def reset(self) -> None:
        if not self.refused("%chat_reset"):
            self.set_aside(self.now)
            self.do("%chat_reset")
            self.talks[self.current] = Talk(self.current)

    @precondition(lambda self: any(t.turns for t in self.aside))
    @rule(data=st.data())
    def switch_to_what_was_set_aside(self, data) -> None:
        talk = data.draw(st.sampled_from([t for t in self.aside if t.turns]))
        self.set_aside(self.talks[talk.name])
        self.do(f"%chat_switch {talk.id}")
        self.aside.remove(talk)
        self.talks[talk.name] = talk
        self.current = talk.name

    @rule(data=st.data())
    def switch(self, data) -> None:
        self.current = data.draw(st.sampled_from(sorted(self.talks)))
        self.do(f"%chat_switch {self.current}")

    @precondition(lambda self: len(self.talks) < 4)
    @rule()
    def switch_to_a_new_one(self) -> None:
        self.current = f"idea{len(self.talks)}"
        self.talks[self.current] = Talk(self.current)
        self.do(f"%chat_switch --new {self.current}")

    @precondition(lambda self: len(self.talks) < 4 and self.now.turns)
    @rule(data=st.data())
    def fork(self, data) -> None:
        number, name = data.draw(st.integers(1, len(self.now.turns))), f"idea{len(self.talks)}"
        self.do(f"%chat_switch --fork {number} {name}")
        self.talks[name] = Talk(name, self.now.turns[:number], self.now.model)
        self.current = name

    @precondition(lambda self: self.now.turns)
    @rule(suffix=st.sampled_from(["json", "ipynb"]))
    def save(self, suffix: str) -> None:
        path = str(self.folder / f"chat.{suffix}")
        self.do(f"%chat_save {path}")
        self.saved[path] = list(self.now.turns)

    @precondition(lambda self: self.saved)
    @rule(data=st.data())
    def load(self, data) -> None:
        path = data.draw(st.sampled_from(sorted(self.saved)))
        if self.refused(f"%chat_load {path}"):
            return
        self.set_aside(self.now)
        self.do(f"%chat_load {path}")
        loaded = self.session.conversation()
        assert [(t.prompt.text, t.completion.text) for t in loaded.turns] == [s.shown[:2] for s in self.saved[path]]
        turns = [Said(*shown(t), EARLIER) for t in loaded.turns]
        self.talks[self.current] = Talk(self.current, turns, loaded.model)

    @rule()
    def restart(self) -> None:
        while self.background:
            self.finish(next(iter(self.background)))
        self.close()
        self.start()

    def close(self) -> None:
        """Save the notebook, and end its kernel."""
        write_notebook(self.path, self.page)
        self.kernel.close()
        for talk in (*self.talks.values(), *self.aside):
            talk.taken.clear()
            talk.replaced.clear()
            for turn in talk.turns:
                turn.run = EARLIER
        self.compared, self.resumed = None, True

    @precondition(lambda self: any(t.cell and self.page[t.cell] == f"%chat {t.prompt}" for t in self.now.turns))
    @rule()
    def copy_the_notebook_and_run_all(self) -> None:
        while self.background:
            self.finish(next(iter(self.background)))
        self.close()
        copy = self.folder / f"copy-{self.cells}.ipynb"
        self.path = shutil.copy(self.path, copy)
        self.aside.clear()  # they stay with the original
        self.start()
        for cell, source in list(self.page.items()):
            if cell in {"A", "B", "C"} and source.startswith("%chat question"):
                self.ask_in(cell, source.removeprefix("%chat "))

    @invariant()
    def what_stands_is_what_the_model_says(self) -> None:

        if not self.background:
            assert self.session.conversations.current == self.current
        for name, talk in self.talks.items():
            found = self.session.conversation(name)
            assert [shown(t) for t in found.turns] == [t.shown for t in talk.turns]
            assert found.model == talk.model
        for talk in (t for t in self.aside if t.turns):
            kept = self.store.load(talk.id).conversation
            assert [shown(t) for t in kept.turns] == [t.shown for t in talk.turns]
            assert kept.model == talk.model


@pytest.mark.parametrize("examples", [40])
def test_a_plain_model_says_what_stands_in_the_conversations(examples, tmp_path_factory, monkeypatch, capsys):
    machine = type("Machine", (Histories,), {"folders": tmp_path_factory, "monkeypatch": monkeypatch, "capsys": capsys})
    steps = settings(
        max_examples=examples, stateful_step_count=50, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
    )
    run_state_machine_as_test(machine, settings=steps)
