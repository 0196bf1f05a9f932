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
