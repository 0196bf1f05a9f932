"""A conversation follows its notebook: cells run again, edited, deleted, kernels restarted, conversations forked."""

from __future__ import annotations

import json
import os

import pytest
from kernels import KEY, Kernel, write_notebook
from servers import eventually

NOTEBOOK = "analysis.ipynb"
SAID = (
    "[(t.prompt.text, t.completion.model)"
    " for t in get_ipython().magics_manager.registry['xcyq_magic'].context.session.conversation().turns]"
)


class Page:
    """A notebook whose cells are chats, and its kernel; what it should say is kept beside.

    `asked` is the oracle: the prompts that stand on the page, in order.
    """

    def __init__(self, sandbox, folder) -> None:
        self.sandbox = sandbox
        self._folder = folder
        self.path = str(folder / NOTEBOOK)
        self.kernel: Kernel | None = None
        self.cells: dict[str, str] = {}
        self.run_count = 0

    def start(self, setup: str = "%load_ext xcyq_magic") -> str:
        """Start the kernel, or start it again; returns what loading printed."""
        self.stop()
        write_notebook(self.path, self.cells)
        env = {**os.environ, "XCYQ_BASE_URL": self.sandbox.base_url, "XCYQ_API_KEY": KEY}
        self.kernel = Kernel({**env, "JPY_SESSION_NAME": self.path})
        return self.do(setup)

    def stop(self) -> None:
        if self.kernel is not None:
            self.kernel.close()
            self.kernel = None

    def do(self, code: str) -> str:
        """Run a cell that is no chat."""
        self.run_count += 1
        ran = self.kernel.run(code, cell_id=f"other-{self.run_count}")
        assert ran.status == "ok", "\n".join(ran.error)
        return ran.text

    def run(self, cell_id: str) -> list[str]:
        """Run a chat cell; returns the prompts that the server received, the last of them the cell's."""
        ran = self.kernel.run(self.cells[cell_id], cell_id=cell_id)
        assert ran.status == "ok", "\n".join(ran.error)
        messages = self.sandbox.received[-1].body["messages"]
        assert [m["role"] for m in messages] == ["user", "assistant"] * (len(messages) // 2) + ["user"]
        return [m["content"] for m in messages if m["role"] == "user"]

    def above(self, cell_id: str) -> list[str]:
        """The prompts on the page down to this cell."""
        ids = list(self.cells)
        return [self.cells[i].removeprefix("%%chat\n") for i in ids[: ids.index(cell_id) + 1]]


@pytest.fixture
def page(sandbox, tmp_path):
    page = Page(sandbox, tmp_path)
    yield page
    page.stop()


def test_after_each_step_the_server_receives_what_stands_on_the_page(page):
    assert page.start() == ""
    page.cells = {f"cell-{n}": f"%%chat\nquestion {n}" for n in range(1, 6)}
    for cell in page.cells:
        assert page.run(cell) == page.above(cell)

    page.cells["cell-3"] = "%%chat\nquestion 3, edited"
    assert page.run("cell-3") == page.above("cell-3")
    history = page.kernel.run("%chat_history").outputs[0]["text/plain"]
    assert [line.split()[1] == "*" for line in history.splitlines()[2:7]] == [False, False, False, True, True]
    assert "is older than a turn above it" in history
    for cell in page.cells:  # Run All
        assert page.run(cell) == page.above(cell)
    assert "is older than a turn above it" not in page.kernel.run("%chat_history").outputs[0]["text/plain"]

    del page.cells["cell-2"]
    page.do("%chat_undo --turn 2")
    for cell in page.cells:
        assert page.run(cell) == page.above(cell)

    said = page.start()
    assert said == f"Resumed {NOTEBOOK}: 4 turns; %chat_reset starts afresh.\n"
    page.cells["cell-4"] = "%%chat\nquestion 4, edited"
    assert page.run("cell-4") == page.above("cell-4")  # a cell of the kernel before is known
    page.cells["cell-6"] = "%%chat\nquestion 6"
    assert page.run("cell-6") == page.above("cell-6")
    for cell in page.cells:
        assert page.run(cell) == page.above(cell)

    page.do("%chat_undo 2")
    whole = page.cells
    page.cells = {c: page.cells[c] for c in ("cell-1", "cell-3", "cell-4")} | {"cell-7": "%%chat\nquestion 7"}
    assert page.run("cell-7") == page.above("cell-7")

    page.do("%chat_switch --fork 2 idea")
    page.cells = {c: whole[c] for c in ("cell-1", "cell-3")} | {"cell-8": "%%chat\nquestion 8"}
    assert page.run("cell-8") == page.above("cell-8")
    page.cells["cell-3"] = "%%chat\nquestion 3 of the fork"
    assert page.run("cell-3") == page.above("cell-3")

    assert f"Resumed {NOTEBOOK}, idea: 3 turns" in page.start()
    assert page.run("cell-8") == page.above("cell-8")
    page.do("%chat_switch main")
    page.cells = {c: whole[c] for c in ("cell-1", "cell-3", "cell-4")} | {"cell-7": "%%chat\nquestion 7"}
    assert page.run("cell-7") == page.above("cell-7")
    page.do("%chat_reset")
    assert page.start() == ""  # afresh
    page.cells = {"cell-7": "%%chat\nquestion 7"}
    assert page.run("cell-7") == page.above("cell-7")


def test_the_outputs_of_a_page_make_its_conversation_again(page, tmp_path):
    """Turns that were asked again or kept of a comparison stand where they stood in the conversation."""
    page.start()
    page.cells = {
        "A": "%%chat\na",
        "B": "%%chat\nb",
        "again": "%chat_retry -m gpt-5.4",
        "compare": "%%compare gpt-5.5 claude-opus-4-7\nc",
        "keep": "%chat_keep gpt-5.5",
        "D": "%%chat\nd",
        "keep another": "%chat_keep claude-opus-4-7",
    }
    cells = []
    for n, source in enumerate(page.cells.values()):
        ran = page.kernel.run(source, cell_id=f"cell-{n}")
        assert ran.status == "ok", "\n".join(ran.error)
        outputs = [{"output_type": "display_data", "data": data, "metadata": {}} for data in ran.outputs]
        cells.append({"cell_type": "code", "id": f"cell-{n}", "source": source, "outputs": outputs, "metadata": {}})
    said = page.kernel.value(SAID)
    path = tmp_path / "saved.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    page.do("%chat_reset")
    assert "Loaded 4 turns" in page.do(f"%chat_load {path}")
    again = page.kernel.value(SAID)
    assert again == said
    assert "('b', 'gpt-5.4'), ('c', 'claude-opus-4-7'), ('d', " in again


def test_cells_that_are_no_plain_chat(page):
    """What is promised for copied and moved cells, several turns in a cell, loops, and cells without ids."""
    page.start()
    page.cells = {"A": "%%chat\na", "B": "%chat b1\n%chat b2", "C": "%%chat\nc"}
    for cell in page.cells:
        page.run(cell)
    # Two lines in a cell are two turns: the second follows the first, and both are replaced.
    assert page.run("B") == ["a", "b1", "b2"]
    # A copied cell has a new id: its turn goes to the end.
    page.cells["copy of A"] = page.cells["A"]
    assert page.run("copy of A") == ["a", "b1", "b2", "c", "a"]
    # The kernel is not told of a move: a moved cell's turn stays where it was asked first.
    page.cells = {c: page.cells[c] for c in ("C", "A", "B", "copy of A")}
    assert page.run("C") == ["a", "b1", "b2", "c"]
    # A loop is as many turns, all of its cell; run again, it replaces them all.
    page.do("from xcyq_magic import Chat")
    page.cells["loop"] = "for n in range(3):\n    Chat(conversation='main')(f'loop {n}')"
    for _ in range(2):
        assert page.run("loop") == ["a", "b1", "b2", "c", "a", "loop 0", "loop 1", "loop 2"]
    # A `Chat` has a conversation of its own.
    page.cells["own"] = "chat = Chat()\nfor n in range(2):\n    chat(f'own {n}')"
    for _ in range(2):
        assert page.run("own") == ["own 0", "own 1"]
    # Without an id, as in a terminal, a turn goes to the end, each time.
    for _ in range(2):
        page.kernel.run("%chat no id")
    assert page.run("copy of A") == ["a", "b1", "b2", "c", "a"]
    page.cells["last"] = "%%chat\nlast"
    assert page.run("last")[-4:] == ["loop 2", "no id", "no id", "last"]
    # A cell that fails leaves its turn as it was.
    failed = page.kernel.run("%%chat\nsandbox: status 400", cell_id="A")
    assert failed.status == "error"
    assert page.run("last")[0] == "a"


def test_the_open_notebook_is_not_saved_over_also_under_a_new_name(page, tmp_path):
    page.start()
    page.cells = {"A": "%%chat\na", "B": "%%chat\nb"}
    for cell in page.cells:
        page.run(cell)
    write_notebook(page.path, page.cells)
    before = (tmp_path / NOTEBOOK).read_bytes()
    for name in (NOTEBOOK, "renamed.ipynb"):
        if name != NOTEBOOK:
            (tmp_path / NOTEBOOK).rename(tmp_path / name)
        for force in ("", "--force "):
            ran = page.kernel.run(f"%chat_save {force}{tmp_path}/{name}", cell_id="saves")
            assert ran.status == "error"
            assert "is the open notebook" in ran.reply["evalue"]
        assert (tmp_path / name).read_bytes() == before
    for _ in range(2):  # Run All, twice
        assert "Saved 2 turns" in page.do(f"%chat_save {tmp_path}/chat.ipynb")


def test_what_was_on_its_way_when_the_kernel_was_killed_is_said_to_be_unknown(page):
    page.start()
    page.cells = {"a": "%%chat\nsandbox: first 0\none", "b": "%%chat\nsandbox: first 0\nsandbox: stall\ntwo"}
    page.run("a")
    usage = page.sandbox.received[-1]
    page.kernel.start(page.cells["b"], cell_id="b")
    assert eventually(lambda: page.sandbox.received[-1] is not usage)
    page.kernel.kill()
    page.kernel.close(now=True)
    page.kernel = None
    page.start()
    ran = page.kernel.run("%chat_usage -o spent")
    (shown,) = ran.outputs
    assert "1 request was on its way when its kernel ended: what it took is not known." in shown["text/html"]
    total = "(spent.total.requests, spent.total.prompt_tokens > 0, spent.unknown)"
    assert page.kernel.value(total) == "(1, True, 1)"


def sent(page) -> list[str]:
    return [m["content"] for m in page.sandbox.received[-1].body["messages"] if m["role"] != "assistant"]


# Notebooks by the sources of their cells; beside each that asks, the system prompt and the prompts of its request.
SEVERAL = {
    "a new one, a fork, and back": {
        "m1": ("%%chat\nin main", ["in main"]),
        "new": ("%chat_switch --new side", None),
        "s1": ("%%chat\nin side", ["in side"]),
        "fork": ("%chat_switch --fork 1 branch", None),
        "b1": ("%%chat\nin the branch", ["in side", "in the branch"]),
        "back": ("%chat_switch main", None),
        "m2": ("%%chat\nin main again", ["in main", "in main again"]),
        "last": ("%chat_switch side", None),
    },
    "it ends in a fork": {
        "m1": ("%%chat\none", ["one"]),
        "m2": ("%%chat\ntwo", ["one", "two"]),
        "fork": ("%chat_switch --fork 1 branch", None),
        "b1": ("%%chat\nthree", ["one", "three"]),
    },
    "the first cell names a conversation": {
        "n0": ("%chat -c notes hello", ["hello"]),
        "m1": ("%%chat\nin main", ["in main"]),
        "new": ("%chat_switch --new side", None),
        "s1": ("%%chat\nin side", ["in side"]),
    },
    "the first cell names it in Python": {
        "loop": ("from xcyq_magic import Chat\nfor t in 'xy': Chat(conversation=t)('about ' + t)", ["about y"]),
        "m1": ("%%chat\nin main", ["in main"]),
    },
    "the first cell sets the system prompt": {
        "sys": ("%chat_system Be brief.", None),
        "m1": ("%%chat\nin main", ["Be brief.", "in main"]),
        "new": ("%chat_switch --new side", None),
        "s1": ("%%chat\nin side", ["in side"]),
    },
    "the first cell starts afresh": {
        "m0": ("%chat_reset", None),
        "m1": ("%%chat\nin main", ["in main"]),
        "fork": ("%chat_switch --fork side", None),
        "s1": ("%%chat\nin side", ["in main", "in side"]),
    },
    "one of them starts afresh": {
        "m1": ("%%chat\nin main", ["in main"]),
        "new": ("%chat_switch --new side", None),
        "s1": ("%%chat\nin side", None),
        "reset": ("%chat_reset", None),
        "s2": ("%%chat\nin side again", None),
    },
    "a comparison of which nothing is kept": {
        "cmp": ("%%compare gpt-5.5 gpt-5.4\nwhich?", None),
        "m1": ("%%chat\nin main", ["in main"]),
        "new": ("%chat_switch --new side", None),
        "s1": ("%%chat\nin side", ["in side"]),
    },
    "a turn that was taken back": {
        "m1": ("%%chat\nin main", ["in main"]),
        "new": ("%chat_switch --new side", None),
        "s1": ("%%chat\nin side", ["in side"]),
        "back": ("%chat_switch main", None),
        "undo": ("%chat_undo", None),
        "last": ("%chat_switch side", None),
    },
    "conversations without a name": {
        "m1": ("%%chat\nin main", ["in main"]),
        "new": ("%chat_switch --new", None),
        "s1": ("%%chat\nin another one", ["in another one"]),
        "fork": ("%chat_switch --fork", None),
        "b1": ("%%chat\nin a fork", ["in another one", "in a fork"]),
    },
    "a fork of a conversation with a system prompt": {
        "sys": ("%chat_system Be brief.", None),
        "m1": ("%%chat\none", ["Be brief.", "one"]),
        "fork": ("%chat_switch --fork idea", None),
        "i1": ("%%chat\ntwo", ["Be brief.", "one", "two"]),
    },
    "a cell of its own comes first": {
        "o1": ("%%chat --once\nhi", ["hi"]),
        "m1": ("%%chat\none", ["one"]),
        "new": ("%chat_switch --new side", None),
        "sys": ("%chat_system Be brief.", None),
        "s1": ("%%chat\ntwo", ["Be brief.", "two"]),
    },
    "two in one cell": {
        "both": ("%chat_switch --new a\n%chat x\n%chat_switch --new b\n%chat y", ["y"]),
        "b2": ("%chat z", ["y", "z"]),
    },
}


@pytest.mark.parametrize("what", SEVERAL)
def test_restart_and_run_all_asks_each_cell_where_it_asked_before(page, what):
    page.start()
    page.cells = {cell_id: source for cell_id, (source, _) in SEVERAL[what].items()}
    known = None
    for run in range(3):
        if run:
            page.start()
        for cell_id, (source, prompts) in SEVERAL[what].items():
            ran = page.kernel.run(source, cell_id=cell_id)
            assert ran.status == "ok", (run, cell_id, ran.error)
            assert "This cell asked in" not in ran.text, (run, cell_id)
            assert prompts is None or sent(page) == prompts, (run, cell_id)
        names = page.kernel.value("get_ipython().magics_manager.registry['xcyq_magic'].context.conversation_names")
        assert known in {None, names}  # none is begun again
        known = names


def test_a_restart_goes_on_where_the_notebook_was_and_a_cell_goes_back_to_where_it_ran(page):
    page.start()
    page.cells = {"m1": "%%chat\nin main"}
    page.run("m1")
    page.do("%chat_switch --new side")
    page.cells = {"s1": "%%chat\nin side"}
    page.run("s1")
    assert "Resumed analysis.ipynb, side: 1 turn" in page.start()
    page.cells |= {"m1": "%%chat\nin main"}
    ran = page.kernel.run(page.cells["m1"], cell_id="m1")
    assert "Resumed analysis.ipynb: 1 turn, where this cell ran before; %chat_switch side goes back." in ran.text
    assert sent(page) == ["in main"]
    page.do("%chat_switch side")
    assert "Resumed analysis.ipynb, side: 1 turn" in page.start()
    page.cells |= {"n1": "%%chat --background\nmore"}
    page.kernel.run(page.cells["n1"], cell_id="n1")
    assert eventually(lambda: sent(page) == ["in side", "more"])
    remark = (
        "This cell asked in main before: that turn stays, and this one goes into side. %chat_switch main goes back."
    )
    ran = page.kernel.run(page.cells["m1"], cell_id="m1")
    assert remark in ran.text
    assert "in main" in page.do(f"print({SAID})")
    assert remark not in page.kernel.run(page.cells["m1"], cell_id="m1").text  # it is of both now


def test_what_was_chosen_for_a_conversation_is_said_where_it_is_resumed(page):
    page.start()
    page.cells = {"m": "%chat_model gpt-5.5", "s": "%chat_system Be brief.", "a": "%%chat\none"}
    for cell_id, source in page.cells.items():
        page.kernel.run(source, cell_id=cell_id)
    assert "Resumed analysis.ipynb: 1 turn, model gpt-5.5, with a system prompt; %chat_reset starts" in page.start()


def test_a_name_that_is_taken_is_refused_in_a_cell_that_did_not_begin_it(page):
    page.start()
    cells = {
        "a": "%chat_switch --new side",
        "b": "%%chat\none",
        "c": "%chat_switch main",
        "d": "%chat -c side two",
    }
    for cell_id, source in cells.items():
        assert page.kernel.run(source, cell_id=cell_id).status == "ok"
    for option in "--new", "--fork":
        ran = page.kernel.run(f"%chat_switch {option} side", cell_id="d")
        assert "There is a conversation called side already" in "\n".join(ran.error)
    again = page.kernel.run("%chat_switch --new side", cell_id="a").text
    assert "The conversation is side now: 2 turns, " in again
    assert "side is there from an earlier run of this cell, and goes on." in again


def test_a_fork_that_runs_again_begins_as_its_origin_stands_now(page):
    page.start()
    cells = {
        "m1": "%%chat\none",
        "m2": "%%chat\ntwo",
        "f": "%chat_switch --fork 2 idea",
        "i1": "%%chat\nthree",
        "b": "%chat_switch main",
    }
    for run in range(3):
        if run == 1:
            page.cells = cells
            page.start()
        one = f"one, edition {run}"
        cells["m1"] = f"%%chat\n{one}"
        for cell_id, source in cells.items():
            assert page.kernel.run(source, cell_id=cell_id).status == "ok"
            if cell_id == "i1":
                assert sent(page) == [one, "two", "three"]
    page.do("%chat_switch idea")
    back = page.do("%chat_undo --restore\n%chat_undo --restore")
    assert "Brought back: one, edition 1" in back  # what was replaced is not lost


def test_who_keeps_nothing_of_a_notebook_hears_of_nothing_that_was(page):
    setup = "%load_ext xcyq_magic\n%config ChatSettings.resume = False"
    page.start(setup)
    page.cells = {"m1": "%%chat\nin main", "new": "%chat_switch --new side", "s1": "%%chat\nin side"}
    for _ in range(2):
        for cell_id, source in page.cells.items():
            ran = page.kernel.run(source, cell_id=cell_id)
            assert "earlier run" not in ran.text
            assert "This cell asked" not in ran.text
        page.start(setup)


def test_where_a_refused_prompt_would_have_gone_is_not_said(page):
    page.start()
    page.cells = {"m1": "%%chat\nin main"}
    page.run("m1")
    page.do("%chat_switch --new side")
    for options in "--code --as int", "--background --code":
        ran = page.kernel.run(f"%%chat {options}\nhi", cell_id="m1")
        assert "nothing was sent" in "\n".join(ran.error)
        assert "This cell asked" not in ran.text


def test_a_prompt_is_asked_again_by_its_cell_after_a_restart_too(page):
    page.start()
    page.cells = {
        "a": "%%chat\none",
        "b": "%%chat\ntwo",
        "again": "%chat_retry -m gpt-5.4",
        "c": "%%chat\nthree",
    }
    for run in range(3):
        if run:
            page.start()
        for cell_id, source in page.cells.items():
            assert page.kernel.run(source, cell_id=cell_id).status == "ok"
            if cell_id == "again":
                assert sent(page) == ["one", "two"]
        models = "['claude-sonnet-4-6', 'gpt-5.4', 'claude-sonnet-4-6']"
        assert page.do(f"print([model for _, model in {SAID}])").strip() == models


def test_a_new_cell_belongs_to_where_it_stands_on_the_page(page):
    page.start()
    page.cells = {"m1": "%%chat\none", "new": "%chat_switch --new side", "s1": "%%chat\ntwo"}
    for cell_id, source in page.cells.items():
        page.kernel.run(source, cell_id=cell_id)
    page.cells = {"top": "%chat_system Be brief.", **page.cells, "end": "%%chat\nthree"}
    page.start()
    assert page.kernel.run(page.cells["end"], cell_id="end").status == "ok"
    assert sent(page) == ["two", "three"]  # below the last that ran, it goes on
    page.start()
    expected = {"m1": ["Be brief.", "one"], "s1": ["two"], "end": ["two", "three"]}
    for cell_id, source in page.cells.items():
        assert page.kernel.run(source, cell_id=cell_id).status == "ok"
        assert cell_id not in expected or sent(page) == expected[cell_id]


def test_a_fork_that_runs_again_keeps_what_it_got_since(page):
    page.start()
    page.cells = {
        "m1": "%%chat\none",
        "m2": "%%chat\ntwo",
        "m3": "%%chat\nthree",
        "f": "%chat_switch --fork 2 idea",
    }
    for cell_id, source in page.cells.items():
        page.kernel.run(source, cell_id=cell_id)
    page.kernel.run("%%chat\nthree, otherwise", cell_id="m3")
    page.do("%chat_switch main")
    page.kernel.run(page.cells["f"], cell_id="f")
    prompts = page.do(f"print([prompt for prompt, _ in {SAID}])").strip()
    assert prompts == "['one', 'two', 'three, otherwise']"


def test_a_late_reply_says_nothing_about_where_its_cell_ran_since(page):
    page.start()
    page.cells = {"a": "%%chat --background\nsandbox: first 2\nlong"}
    page.kernel.run(page.cells["a"], cell_id="a")
    page.do("%chat_switch --new side")
    page.cells = {"a": "%%chat\nshort"}
    page.kernel.run(page.cells["a"], cell_id="a")
    page.do("%chat_switch --new third")
    threads = "str([t.name for t in __import__('threading').enumerate()])"
    assert eventually(lambda: "xcyq background" not in page.kernel.value(threads))
    page.do("%chat_switch side")
    page.start()
    page.kernel.run(page.cells["a"], cell_id="a")
    assert sent(page) == ["short"]
    context = "get_ipython().magics_manager.registry['xcyq_magic'].context"
    assert page.kernel.value(f"{context}.conversations.current") == "side"


def test_a_cell_that_began_two_without_a_name_goes_on_with_the_last(page):
    page.start()
    page.cells = {"new": "%chat_switch --new", "s1": "%%chat\none"}
    page.kernel.run(page.cells["new"], cell_id="new")
    page.kernel.run(page.cells["new"], cell_id="new")
    page.kernel.run(page.cells["s1"], cell_id="s1")
    page.start()
    assert "main-2-2 now: 1 turn" in page.kernel.run(page.cells["new"], cell_id="new").text
    page.kernel.run(page.cells["s1"], cell_id="s1")
    assert "0 turns" in page.kernel.run(page.cells["new"], cell_id="new").text  # once more in one kernel
