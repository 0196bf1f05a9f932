"""The turns of one request to execute, whatever it runs: they follow each other; the cell's next run replaces them."""

from __future__ import annotations

import json

import pytest
from kernels import write_notebook
from shells import request


@pytest.fixture
def cell(shell, capsys):
    """Run a cell as a frontend has it run; returns the conversation's prompts then."""

    def run_cell(code: str, cell_id: str, **how) -> list[str]:
        request(shell, cell_id)
        shell.run_cell(code, **how).raise_error()
        capsys.readouterr()
        session = shell.magics_manager.registry["xcyq_magic"].context.session
        return [t.prompt.text for t in session.conversation().turns]

    return run_cell


NESTED = {
    "run_cell": "get_ipython().run_cell('x = 1')",
    "of nothing": "get_ipython().run_cell(' ')",
    "in silence": "get_ipython().run_cell('x = 1', silent=True)",
    "rerun": "%rerun 1",
    "deeper": "get_ipython().run_cell(\"get_ipython().run_cell('x = 1')\")",
    "that fails": "get_ipython().run_cell('1/0')",
    "with an await": "get_ipython().run_cell('import asyncio; await asyncio.sleep(0)')",
    "magics": "%time x = 1",
}


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
def test_a_cell_that_runs_others_keeps_all_its_turns(cell, nested):
    cell("x = 0", "first", store_history=True)
    code = f"%chat A\n{nested}\n%chat B\n{nested}\n%chat C"
    assert cell(code, "one") == ["A", "B", "C"]
    assert cell("%chat D", "two") == ["A", "B", "C", "D"]
    assert cell(code, "one") == ["A", "B", "C", "D"]
    assert cell("%chat A", "one") == ["A", "D"]


def test_what_a_cell_runs_may_chat(cell):
    code = "get_ipython().run_cell('%chat A')\n%chat B\nget_ipython().run_cell('%chat C')"
    assert cell(code, "one") == ["A", "B", "C"]
    assert cell(code, "one") == ["A", "B", "C"]


def test_a_run_without_history_or_output_replaces_too(cell):
    cell("%chat A", "one")
    for how in ({"silent": True}, {"silent": True}, {"store_history": False}, {"store_history": True}):
        assert cell("%chat A", "one", **how) == ["A"]


def test_a_cell_that_loads_the_extension_keeps_its_turns(bare_shell, sandbox, monkeypatch):
    for name, value in {"XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": "sandbox-test-key"}.items():
        monkeypatch.setenv(name, value)
    request(bare_shell, "load")
    bare_shell.run_cell("%load_ext xcyq_magic\n%chat A\nget_ipython().run_cell('x = 1')\n%chat B").raise_error()
    session = bare_shell.magics_manager.registry["xcyq_magic"].context.session
    assert [t.prompt.text for t in session.conversation().turns] == ["A", "B"]
    bare_shell.run_cell("%unload_ext xcyq_magic").raise_error()


def test_a_cell_that_runs_others_is_known_by_its_own_source(shell, cell, tmp_path, monkeypatch):
    path = tmp_path / "page.ipynb"
    write_notebook(path, {})
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    code = "%chat A question that is long enough\nget_ipython().run_cell('x = 1')"
    cell(code, "one")
    notebook = shell.magics_manager.registry["xcyq_magic"].context.notebook
    assert notebook.contents().cells["one"] == code
    assert json.loads(path.read_text())["cells"] == []


# What a run replaces comes back

WHOLE, BROKEN = "sandbox: markdown 200", "sandbox: drop 20"


def replies(shell) -> list[tuple[str, str | None]]:
    session = shell.magics_manager.registry["xcyq_magic"].context.session
    return [(t.prompt.text, t.completion.partial) for t in session.conversation().turns]


def run(shell, cell_id: str, code: str) -> str | None:
    """Run a cell; returns the name of its error."""
    request(shell, cell_id)
    result = shell.run_cell(code)
    return type(result.error_in_exec).__name__ if result.error_in_exec else None


def test_a_whole_reply_whose_run_again_breaks_off_comes_back(shell, capsys):
    run(shell, "one", f"%chat {WHOLE}")
    run(shell, "two", f"%chat {WHOLE}")
    capsys.readouterr()
    assert run(shell, "one", f"%chat {BROKEN}") == "IncompleteReplyError"
    assert replies(shell) == [(BROKEN, "incomplete"), (WHOLE, None)]
    assert "%chat_undo --restore brings the reply before it back." in capsys.readouterr().out
    assert run(shell, "three", "%chat_undo --restore") is None
    assert replies(shell) == [(WHOLE, None), (BROKEN, "incomplete"), (WHOLE, None)]
    assert run(shell, "one", f"%chat {WHOLE}") is None  # which replaces both
    assert replies(shell) == [(WHOLE, None)] * 2


@pytest.mark.parametrize("second", ["1/0", f"%chat {BROKEN}", "%chat -t 3 x", "pass"])
def test_a_cell_of_several_turns_that_fails_halfway_gives_all_of_them_back(shell, second):
    code = "%chat A\n{}\n%chat C"
    run(shell, "one", code.format("%chat B"))
    whole = replies(shell)
    run(shell, "one", code.format(second))
    assert replies(shell) != whole
    assert run(shell, "two", "%chat_undo --restore") is None
    assert [r for r in replies(shell) if r in whole][:3] == whole


def test_a_loop_that_is_stopped_says_how_many_come_back(shell, capsys):
    run(shell, "one", "%chat A\n%chat B\n%chat C")
    capsys.readouterr()
    run(shell, "one", f"%chat {BROKEN}")
    assert "%chat_undo --restore brings the 3 replies before it back." in capsys.readouterr().out


def test_a_whole_reply_replaces_without_a_word_and_what_was_taken_back_comes_first(shell, capsys):
    run(shell, "one", "%chat A")
    run(shell, "two", "%chat B")
    run(shell, "three", "%chat_undo")
    capsys.readouterr()
    run(shell, "one", "%chat A again")
    run(shell, "one", "%chat A again and again")
    assert "--restore" not in capsys.readouterr().out
    run(shell, "three", "%chat_undo --restore")
    assert replies(shell) == [("A again and again", None), ("B", None)]
    run(shell, "three", "%chat_undo --restore")
    assert replies(shell) == [("A again", None), ("A again and again", None), ("B", None)]
    assert run(shell, "three", "%chat_undo --restore") == "InputError"  # of each cell, what its last run replaced


def test_what_comes_back_beside_its_cells_new_turn_is_said_to_ask_the_same(shell, capsys):
    run(shell, "one", "%chat A")
    run(shell, "one", "%chat A")
    capsys.readouterr()
    run(shell, "two", "%chat_undo --restore")
    assert "Turn 2 asks the same, and stays: %chat_undo --turn 2 takes it back." in capsys.readouterr().out


def test_a_run_that_leaves_no_turn_leaves_what_was(shell):
    run(shell, "one", f"%chat {WHOLE}")
    assert run(shell, "one", "%%chat\nsandbox: status 429\nsandbox: retry-after 0") == "RateLimitError"
    assert replies(shell) == [(WHOLE, None)]
