"""What is kept of conversations comes back, after whatever was done to them."""

from __future__ import annotations

import json
import os
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.chat.completion import Completion, Usage
from xcyq_magic.chat.conversation import CellRun, Conversation, Parameters, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image
from xcyq_magic.chat.rerun import EARLIER
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.store.database import Database
from xcyq_magic.store.recognition import Notebook

NOTEBOOK = "/notebooks/analysis.ipynb"


def at(path: str = NOTEBOOK) -> Notebook:
    """The notebook at `path`, of which all is done in one cell, which ran: so it is always known."""
    cell = f"cell-{zlib.crc32(path.encode(errors='replace'))}"
    return Notebook(path, lambda: cell, {cell: ""})


def turn(prompt: str, cell: CellRun | None = None, at: float = 0.0, *media: Image) -> Turn:
    completion = Completion(f"reply to {prompt}", requested_model="m", model="m")
    return Turn(Message.of("user", *media, prompt), completion, cell=cell, asked_at=at)


def with_turn(new: Turn):
    """What puts `new` into a conversation."""
    return lambda now: now.with_turn(new)


def prompts(conversation: Conversation) -> list[str]:
    return [t.prompt.text for t in conversation.turns]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "kept.sqlite"


@pytest.fixture
def kernel(path):
    """Begin a kernel: the conversations of a notebook, as it finds them."""
    begun: list[Conversations] = []

    def begin(notebook: str | None = NOTEBOOK, *, resume: bool = True, ran: dict | None = None) -> Conversations:
        begun.append(Conversations(Database(path), at(notebook) if notebook else None, resume=resume))
        if ran:
            begun[-1]._sync.notebook.ran.update(ran)
        return begun[-1]

    yield begin
    for conversations in begun:
        conversations.close()


def said(kernel, *said: str, notebook: str | None = NOTEBOOK, name: str = "main") -> Conversations:
    """A kernel in which this was said, each in a cell of its own."""
    conversations = kernel(notebook)
    for n, prompt in enumerate(said):
        new = turn(prompt, CellRun(f"cell-{prompt}", str(n)), float(n + 1))
        conversations.edit(name, with_turn(new))
    return conversations


# A restart


def test_a_turn_comes_back_as_it_was(kernel):
    image = Image(b"pixels", "image/png", 2, 3, "plot.png")
    first = turn("Hello", CellRun("cell-1", "3"), 12.5, image)
    first = replace(first, system="Be brief.", request="abc")
    kernel().edit("main", with_turn(first))
    (again,) = kernel().get().turns
    assert again == replace(first, cell=CellRun("cell-1", EARLIER))
    assert (again.id, again.request) == (first.id, "abc")


def test_a_restarted_kernel_goes_on_with_its_notebook(kernel):
    said(kernel, "a", "b")
    again = kernel()
    resumed = again.resume()[0]
    assert str(resumed) == "analysis.ipynb: 2 turns"
    assert prompts(again.get()) == ["a", "b"]
    assert kernel("/notebooks/other.ipynb").resume()[0] is None


def test_a_cell_run_again_after_a_restart_replaces_its_turn(kernel):
    said(kernel, "a", "b", "c")
    again = kernel()
    again.edit("main", with_turn(turn("b, edited", CellRun("cell-b", "1"))))
    assert prompts(again.get()) == prompts(kernel().get()) == ["a", "b, edited", "c"]


def test_an_id_that_no_notebook_file_holds_ends_with_the_kernel(kernel):
    """VS Code numbers the cells of a window: after a reload, the number may be another cell's."""

    def cell(number: int, run: str) -> CellRun:
        return CellRun(f"vscode-notebook-cell:/a.ipynb#W{number}sZmlsZQ==", run)

    for prompt, its in {"a": cell(0, "1"), "b1": cell(1, "2"), "b2": cell(1, "2"), "c": cell(0, "3")}.items():
        kernel().edit("main", with_turn(turn(prompt, its)))
    assert prompts(kernel().get()) == ["a", "b1", "b2", "c"]
    again, hot = kernel(), Parameters(temperature=0.9)
    for prompt, its in {"a": cell(1, "4"), "b1": cell(0, "5"), "b2": cell(0, "5")}.items():  # each asks the same
        again.edit("main", with_turn(replace(turn(prompt, its), parameters=hot)))
        assert prompts(kernel().get()) == (["a", "b1", "c"] if prompt == "b1" else ["a", "b1", "b2", "c"])
    assert [t.parameters for t in kernel().get().turns] == [hot, hot, hot, Parameters()]


def test_what_was_chosen_for_a_conversation_comes_back(kernel):
    conversations = kernel()
    conversations.edit(None, lambda now: replace(now, model="gpt-5.5", system=""))
    again = kernel().get()
    assert (again.model, again.system) == ("gpt-5.5", "")


def test_without_a_notebook_nothing_is_resumed(kernel):
    said(kernel, "a", notebook=None)
    again = kernel(None)
    assert again.resume()[0] is None
    assert prompts(again.get()) == []
    assert [str(s) for s in again.summaries()] == ["main: 1 turn"]


def test_resume_can_be_switched_off_and_what_was_is_found_again(kernel):
    said(kernel, "a", "b")
    fresh = kernel(resume=False)
    assert fresh.resume()[0] is None
    assert prompts(fresh.get()) == []
    fresh.edit("main", with_turn(turn("c")))
    assert prompts(kernel().get()) == ["c"]
    old = next(s for s in fresh.summaries() if s.set_aside)
    assert prompts(fresh.adopt(old)) == ["a", "b"]
    assert prompts(kernel().get()) == ["a", "b"]


# What is done to it


def test_a_conversation_begun_afresh_sets_the_old_one_aside(kernel):
    conversations = said(kernel, "a", "b")
    old = conversations.begin(Conversation("main"))
    assert kernel().resume()[0].turns == 0  # the empty one is what the notebook is in
    conversations.edit("main", with_turn(turn("c")))
    assert prompts(kernel().get()) == ["c"]
    assert [(s.id, s.turns, s.set_aside) for s in conversations.summaries() if s.set_aside] == [(old.id, 2, True)]
    conversations.adopt(old)
    assert prompts(conversations.get()) == prompts(kernel().get()) == ["a", "b"]
    assert [s.turns for s in conversations.summaries() if s.set_aside] == [1]


def test_the_conversation_that_the_notebook_was_in_is_resumed(kernel):
    conversations = said(kernel, "a")
    conversations.switch("idea")
    conversations.edit("idea", with_turn(turn("b")))
    conversations.edit("main", with_turn(turn("c")))
    again = kernel()
    assert str(again.resume()[0]) == "analysis.ipynb, idea: 1 turn"
    assert (again.current, prompts(again.get()), prompts(again.get("main"))) == ("idea", ["b"], ["a", "c"])


def test_a_conversation_that_was_seen_empty_is_resumed_once_something_is_in_it(kernel):
    conversations = kernel()
    conversations.get("main")
    conversations.edit("other", with_turn(turn("one")))  # is written while nothing is in main yet
    conversations.edit("main", with_turn(turn("two")))
    conversations.close()
    again = kernel()
    assert str(again.resume()[0]) == "analysis.ipynb: 1 turn"
    assert prompts(again.get()) == ["two"]


def test_a_fork_shares_its_turns_and_then_goes_its_own_way(kernel, path):
    conversations = said(kernel, "a", "b", "c")
    source = conversations.get()
    conversations.begin(replace(source, name="idea", turns=source.turns[:2]))
    conversations.switch("idea")
    conversations.edit("idea", with_turn(turn("b, edited", CellRun("cell-b", "9"))))
    again = kernel()
    again.resume()
    assert prompts(again.get()) == ["a", "b, edited"]
    assert prompts(again.get("main")) == ["a", "b", "c"]
    assert Database(path).read("SELECT count(*) FROM turns") == [(4,)]


def test_a_conversation_of_another_notebook_is_copied(kernel):
    """So a notebook that was renamed has its conversation again, and one that was not keeps it."""
    said(kernel, "a", "b")
    renamed = kernel("/notebooks/renamed.ipynb", ran={"cell-b": "%chat b"})
    (found,) = renamed.summaries()
    assert found.notebook == NOTEBOOK
    assert prompts(renamed.adopt(found)) == ["a", "b"]
    assert renamed.current == "main"
    again = kernel("/notebooks/renamed.ipynb")
    assert str(again.resume()[0]) == "renamed.ipynb: 2 turns"
    again.edit("main", with_turn(turn("b, edited", CellRun("cell-b", "1"))))
    assert prompts(again.get()) == ["a", "b, edited"]
    assert prompts(kernel().get()) == ["a", "b"]


@pytest.mark.parametrize("source", [None, "", "%chat c", "%chat b or not"])
def test_a_turn_of_another_notebook_is_not_replaced_by_a_cell_that_asks_something_else(kernel, source):
    """Programs that write notebooks call their cells cell-1, cell-2."""
    said(kernel, "a", "b")
    other = kernel("/notebooks/other.ipynb", ran={} if source is None else {"cell-b": source})
    other.adopt(*other.summaries())
    other.edit("main", with_turn(turn("c", CellRun("cell-b", "1"))))
    assert prompts(other.get()) == ["a", "b", "c"]
    assert prompts(kernel("/notebooks/other.ipynb").get()) == ["a", "b", "c"]


def test_a_copy_does_not_take_the_place_of_what_is_there(kernel):
    said(kernel, "a")
    other = said(kernel, "b", notebook="/notebooks/other.ipynb")
    found = next(s for s in other.summaries() if s.notebook == NOTEBOOK)
    other.adopt(found)
    assert (other.current, prompts(other.get()), prompts(other.get("main"))) == ("main-2", ["a"], ["b"])


def test_what_was_taken_back_can_be_brought_back_and_stays_in_the_file(kernel, path):
    conversations = said(kernel, "a", "b", "c")
    conversations.take_back("main", lambda now: now.without_last(2))
    assert prompts(kernel().get()) == ["a"]
    assert Database(path).read("SELECT count(*) FROM turns") == [(3,)]
    assert [t.prompt.text for t in conversations.restore("main")] == ["b", "c"]
    assert prompts(kernel().get()) == ["a", "b", "c"]
    assert conversations.restore("main") == ()
    assert prompts(kernel().get()) == ["a", "b", "c"]


def test_the_cell_of_a_change_that_could_not_be_written_is_noted_with_the_next(path):
    conversations = Conversations(Database(path), Notebook(NOTEBOOK, lambda: "first"))
    path.mkdir()
    conversations.edit(None, lambda now: replace(now, model="gpt-5.5"))
    path.rmdir()
    conversations._sync.notebook.running = lambda: None
    conversations.edit(None, lambda now: replace(now, system="Be brief."))
    conversations.close()
    again = Conversations(Database(path), Notebook(NOTEBOOK, ran={"first": ""}))
    assert again.get().model == "gpt-5.5"
    again.close()


def test_a_reply_goes_into_the_conversation_that_asked_whatever_has_its_name_by_then(kernel):
    conversations = said(kernel, "a")
    place = conversations.open("main")
    with conversations.reply_lock(place):
        conversations.begin(Conversation("main"))
        conversations.edit("main", with_turn(turn("b")))
        conversations.edit(place, with_turn(turn("c")))
    conversations.edit(place, with_turn(turn("d")))  # the store alone has it now
    assert prompts(conversations.get("main")) == prompts(kernel().get("main")) == ["b"]
    (old,) = [s for s in conversations.summaries() if s.set_aside]
    assert prompts(conversations.adopt(old)) == prompts(kernel().get("main")) == ["a", "c", "d"]


def test_a_picture_is_kept_once(kernel, path):
    conversations = kernel()
    image = Image(b"pixels" * 1000, "image/png", 2, 3)
    for n in range(3):
        said = turn(str(n), None, 0.0, image)
        conversations.edit("main", with_turn(said))
    assert Database(path).read("SELECT count(*), sum(length(data)) FROM media") == [(1, 6000)]
    assert all(t.prompt.images == (image,) for t in kernel().get().turns)
    assert conversations.media({image.sha256, "0" * 64}) == {image.sha256: image.data}


def test_two_kernels_of_one_notebook_write_into_one_conversation(kernel):
    one, other = kernel(), kernel()
    assert prompts(one.get()) == prompts(other.get()) == []
    one.edit("main", with_turn(turn("a")))
    other.edit("main", with_turn(turn("b")))
    one.edit("main", with_turn(turn("c")))
    assert prompts(kernel().get()) == ["a", "b", "c"]


def test_a_turn_that_cannot_be_read_is_left_out_and_said(kernel, path):
    said(kernel, "a", "b")
    with Database(path).transaction() as execute:
        execute("UPDATE turns SET completion = '{' WHERE prompt LIKE ?", '%"a"%')
    again = kernel()
    assert prompts(again.get()) == ["b"]
    assert "1 of the kept turns of main cannot be read" in again.take_notices()[0]


ODD = {
    "NaN": "NaN",
    "a number": "-1",
    "5000 digits": "9" * 5000,
    "endless": "1e999",
    "some text": '"x"',
    "a list": "[[1]]",
    "deep": "[" * 100_000 + "]" * 100_000,
    "half a character": '"\\ud800"',
    "no JSON": "{",
}


@pytest.mark.parametrize(
    "update",
    [
        "UPDATE turns SET prompt = ? WHERE prompt LIKE ?",
        "UPDATE turns SET completion = ? WHERE prompt LIKE ?",
        "UPDATE turns SET system = ? WHERE prompt LIKE ?",
        "UPDATE turns SET parameters = ? WHERE prompt LIKE ?",
        "UPDATE turns SET request = ? WHERE prompt LIKE ?",
    ],
)
def test_whatever_a_row_holds_the_others_are_read(kernel, path, update):
    said(kernel, *ODD, "last")
    with Database(path).transaction() as execute:
        for name, odd in ODD.items():
            execute(update, odd, f'%"{name}"%')
    again = kernel()
    assert prompts(again.get())[-1] == "last"
    again.edit("main", with_turn(turn("after it", CellRun("new", "1"))))
    assert prompts(kernel().get())[-1] == "after it"


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_figure_of_a_row_that_cannot_be_is_not_known(kernel, path, odd):
    said(kernel, "a")
    usage = dict.fromkeys(["prompt_tokens", "completion_tokens", "total_tokens"], "ODD")
    figures = {"usage": usage, "first_token_s": "ODD", "duration_s": "ODD", "created": "ODD"}
    record = json.dumps({**turn("a").completion.to_dict(), **figures}).replace('"ODD"', odd)
    with Database(path).transaction() as execute:
        execute("UPDATE turns SET completion = ?, asked_at = ?", record, float("inf"))
    conversations = kernel()
    for turn_ in conversations.get().turns:
        assert (turn_.completion.usage, turn_.completion.created, turn_.asked_at) == (Usage(), None, 0.0)


def ask(now: Conversations, number: int, cell_id: str | None) -> None:
    for k in range(1 + number % 2):
        said = turn(f"{number}.{k}", CellRun(cell_id, str(number)) if cell_id else None, float(number))
        now.edit(None, with_turn(said))


def fork(now: Conversations) -> None:
    name = now.unused_name("fork")
    now.begin(replace(now.get(), name=name, turns=now.get().turns[:2]))
    now.switch(name)


STEPS = {
    "undo": lambda now: now.take_back(None, lambda c: c.without_last(1)),
    "drop the first": lambda now: now.take_back(None, lambda c: c.without(c.turns[:1])),
    "restore": lambda now: now.restore(),
    "reset": lambda now: now.begin(Conversation(now.current)),
    "fork": fork,
    "main": lambda now: now.switch("main"),
    "model": lambda now: now.edit(None, lambda c: replace(c, model=f"m{len(c.turns)}")),
}


@given(st.lists(st.sampled_from(["A", "B", "C", None, "restart", *STEPS]), max_size=25))
def test_whatever_is_done_a_restarted_kernel_finds_what_stood_in_memory(tmp_path_factory, done):
    path = tmp_path_factory.mktemp("store") / "kept.sqlite"
    now = Conversations(Database(path), at())
    for number, what in enumerate(done):
        if what == "restart":
            now.close()
            now = Conversations(Database(path), at())
            now.resume()
        elif what in STEPS:
            STEPS[what](now)
        else:
            ask(now, number, what)
    again = Conversations(Database(path), at())
    again.resume()
    if now.get().turns:
        assert again.current == now.current
    for name in {"main", now.current}:
        one, other = ([(t.id, t.cell and t.cell.cell_id) for t in c.get(name).turns] for c in (now, again))
        assert one == other
        assert again.get(name).model == now.get(name).model
    now.close()
    again.close()


# Where the store fails


def test_where_nothing_can_be_kept_the_chat_goes_on_and_says_so_once():
    conversations = Conversations(Database(Path("/dev/null/kept.sqlite")), at())
    assert conversations.resume()[0] is None
    conversations.edit("main", with_turn(turn("a")))
    (notice,) = conversations.take_notices()
    assert "/dev/null/kept.sqlite" in notice
    assert "The chat goes on in memory." in notice
    old = conversations.begin(Conversation("main"))
    conversations.edit("main", with_turn(turn("b")))
    assert prompts(conversations.adopt(old)) == ["a"]
    assert [s.turns for s in conversations.summaries()] == [1, 1]
    assert conversations.take_notices() == []


def test_what_was_missed_is_kept_once_the_store_works_again(kernel, path):
    conversations = said(kernel, "a")
    path.rename(path.with_name("away"))
    path.mkdir()
    conversations.edit("main", with_turn(turn("b")))
    conversations.begin(Conversation("idea"))
    conversations.edit("idea", with_turn(turn("c")))
    assert len(conversations.take_notices()) == 1
    path.rmdir()
    path.with_name("away").rename(path)
    conversations.edit("main", with_turn(turn("d")))
    assert prompts(kernel().get()) == ["a", "b", "d"]
    assert prompts(kernel().get("idea")) == ["c"]


# Values that a row cannot hold: none of them is to cost more than its own turn.
IMPOSSIBLE = {
    "no number": {"asked_at": float("nan")},
    "too large a number": {"asked_at": 10**400},
    "an object": {"asked_at": {}},
    "a model that is a dict": {"completion": Completion("reply", requested_model={"a": 1}, model="m")},
    "a model that is nothing": {"completion": Completion("reply", requested_model=None, model="m")},
    "half a character": {"request": "\ud800"},
    "what is no JSON": {"parameters": Parameters(extra={"a": {1, 2}})},
    "a key that is no JSON": {"parameters": Parameters(extra={(1, 2): "a"})},
    "too many digits": {"parameters": Parameters(extra={"a": 10**5000})},
    "a picture that is no bytes": {"prompt": Message.of("user", Image("text", "image/png", 1, 1))},
}


def refused(values: dict, cell: CellRun | None = None) -> Turn:
    return replace(turn("impossible", cell), **values)


@pytest.mark.parametrize("values", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_turn_that_can_never_be_written_costs_no_other_one_and_is_said_once(kernel, values):
    conversations = said(kernel, "a")
    conversations.edit("main", with_turn(refused(values)))
    (notice,) = conversations.take_notices()
    assert notice.startswith("One turn cannot be kept")
    assert "in this kernel's memory only" in notice
    conversations.edit("main", with_turn(turn("b")))
    conversations.edit("other", with_turn(turn("c")))
    assert conversations.take_notices() == []
    assert len(conversations.get().turns) == 3  # it is in memory
    again = kernel()
    assert (prompts(again.get()), prompts(again.get("other"))) == (["a", "b"], ["c"])


def test_nothing_of_a_turn_that_can_never_be_written_stays(kernel, path):
    image = Image(b"pixels", "image/png", 2, 3)
    said(kernel, "a").edit("main", with_turn(refused({"prompt": Message.of("user", image), "asked_at": float("nan")})))
    assert Database(path).read("SELECT count(*) FROM media") == [(0,)]


def test_what_is_no_hash_names_no_media(kernel):
    assert said(kernel, "a").media({None, 5, 10**400, "\ud800", "a"}) == {}


def test_a_reply_from_the_store_has_a_time_that_a_calendar_knows(kernel, path):
    conversations = kernel()
    conversations.record([replace(turn("a"), request="hash")])
    with Database(path).transaction() as execute:
        execute("UPDATE turns SET asked_at = 1e300")
    assert conversations.answered("hash").asked_at == 0.0


def test_each_turn_that_can_never_be_written_is_said(kernel):
    conversations = said(kernel, "a")
    conversations.edit("main", lambda _: replace(conversations.get(), turns=tuple(map(refused, IMPOSSIBLE.values()))))
    assert len(conversations.take_notices()) == len(IMPOSSIBLE)
    conversations.begin(replace(conversations.get(), name="fork"))  # a new conversation, with the same turns
    assert conversations.take_notices() == []
    assert prompts(kernel().get()) == []


def test_what_comes_above_a_turn_that_was_not_written_keeps_its_place(kernel):
    conversations = said(kernel, "a")
    conversations.edit("main", with_turn(refused({"asked_at": float("nan")})))
    conversations.edit("main", with_turn(turn("c")))
    now = conversations.get()
    conversations.edit("main", lambda _: replace(now, turns=(now.turns[0], turn("b"), *now.turns[1:])))
    assert prompts(conversations.get()) == ["a", "b", "impossible", "c"]
    assert prompts(kernel().get()) == ["a", "b", "c"]


def test_a_turn_that_was_not_written_can_be_taken_back_and_replaced(kernel):
    conversations = said(kernel, "a")
    conversations.edit("main", with_turn(refused({"asked_at": float("nan")}, CellRun("cell-x", "0"))))
    conversations.edit("main", with_turn(turn("x", CellRun("cell-x", "1"))))
    assert prompts(kernel().get()) == ["a", "x"]
    conversations.edit("main", with_turn(refused({"asked_at": float("nan")})))
    conversations.edit("main", lambda _: conversations.get().without_last(1))
    assert prompts(kernel().get()) == ["a", "x"]


def test_a_turn_of_no_conversation_that_can_never_be_written_is_said(kernel):
    conversations = said(kernel, "a")
    conversations.record([refused({"asked_at": float("nan")})])
    (notice,) = conversations.take_notices()
    assert "The chat goes on in memory" not in notice  # the store works
    conversations.record([replace(turn("b"), request="hash")])
    assert conversations.answered("hash") is not None
    assert conversations.take_notices() == []


def test_what_the_store_could_not_take_now_is_told_from_what_it_can_never_take(kernel, path):
    """A file that is away comes back: all but the turn that can never be written is made up for."""
    conversations = said(kernel, "a")
    path.rename(path.with_name("away"))
    path.mkdir()
    conversations.edit("main", with_turn(turn("b")))
    conversations.edit("main", with_turn(refused({"asked_at": float("nan")})))
    assert ["goes on in memory" in notice for notice in conversations.take_notices()] == [True]
    path.rmdir()
    path.with_name("away").rename(path)
    conversations.edit("main", with_turn(turn("c")))
    assert [n.startswith("One turn cannot be kept") for n in conversations.take_notices()] == [True]
    assert prompts(kernel().get()) == ["a", "b", "c"]


def test_a_turn_that_can_never_be_written_stays_in_memory_when_its_conversation_is_set_aside(kernel):
    conversations = said(kernel, "a")
    conversations.edit("main", with_turn(refused({"asked_at": float("nan")})))
    old = conversations.begin(Conversation("main"))
    conversations.edit("main", with_turn(turn("b")))
    assert prompts(conversations.adopt(old)) == ["a", "impossible"]


def test_a_conversation_that_can_never_be_written_costs_no_other_one_and_is_said_once(kernel):
    conversations = said(kernel, "a")
    conversations.edit("odd", lambda _: Conversation("odd", (turn("b"),), model={"a": 1}))
    conversations.switch("odd")
    (notice,) = conversations.take_notices()
    assert notice.startswith("The conversation odd cannot be kept")
    conversations.edit("main", with_turn(turn("c")))
    assert conversations.take_notices() == []
    assert prompts(kernel().get()) == ["a", "c"]


def test_a_damaged_file_costs_nothing_that_this_kernel_knows(kernel, path):
    conversations = said(kernel, "a", "b")
    conversations.close()
    os.truncate(path, 8000)
    conversations.edit("main", with_turn(turn("c")))
    (notice,) = conversations.take_notices()
    assert "set aside" in notice
    assert prompts(kernel().get()) == ["a", "b", "c"]


def test_a_file_that_was_overwritten_costs_nothing_and_stays_as_it_is(kernel, path):
    conversations = said(kernel, "a", "b")
    conversations.close()
    path.write_text("a,b\n1,2\n")
    conversations.edit("main", with_turn(turn("c")))
    (notice,) = conversations.take_notices()
    assert "it was left as it is" in notice
    assert path.read_text() == "a,b\n1,2\n"
    path.rename(path.with_name("mine.csv"))
    assert conversations.failure() == ""
    assert prompts(kernel().get()) == ["a", "b", "c"]


def test_the_file_can_be_changed_while_it_is_used(kernel, path, tmp_path):
    conversations = said(kernel, "a")
    conversations.use(Database(None))
    conversations.edit("main", with_turn(turn("b")))
    assert prompts(kernel().get()) == ["a"]
    conversations.use(Database(tmp_path / "other.sqlite"))
    conversations.edit("main", with_turn(turn("c")))
    assert prompts(Conversations(Database(tmp_path / "other.sqlite"), at()).get()) == ["a", "c"]


@pytest.mark.skipif(sys.platform == "win32", reason="paths there are text")
def test_a_path_that_is_no_text(kernel):
    notebook = "/notebooks/caf\udce9.ipynb"
    said(kernel, "a", notebook=notebook)
    assert kernel(notebook).resume()[0].turns == 1
