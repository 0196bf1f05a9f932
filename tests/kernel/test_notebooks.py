"""Whole notebooks: executed as `jupyter execute` does, converted as nbconvert does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from kernels import KEY, Kernel, run_with_kernel
from nbconvert import get_exporter

if TYPE_CHECKING:
    import subprocess

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
TURN = "application/vnd.xcyq.turn+json"


def execute(path: Path) -> subprocess.CompletedProcess:
    env = {name: value for name, value in os.environ.items() if not name.startswith("XCYQ_")}
    env |= {"IPYTHONDIR": str(path.parent / ".ipython")}
    return run_with_kernel("jupyter", "execute", "--inplace", path, cwd=path.parent, env=env)


def output_types(notebook) -> list[list]:
    """What each cell shows. What it prints may come in one piece or in more."""
    shown = [
        [sorted(o.get("data", {})) or o.output_type for o in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    return [[t for n, t in enumerate(types) if types[max(0, n - 1) : n + 1] != ["stream"] * 2] for types in shown]


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda p: p.stem)
def executed(request, tmp_path_factory):
    """A notebook of the project as it was committed, and as it is when run without a key, once for all tests."""
    committed = nbformat.read(request.param, 4)
    folder = tmp_path_factory.mktemp(request.param.stem)
    shutil.copytree(request.param.parent, folder, dirs_exist_ok=True)  # with the files that it reads
    path = folder / request.param.name
    done = execute(path)
    assert done.returncode == 0, done.stderr
    return committed, path


def test_a_notebook_runs_without_a_key_and_gives_what_was_committed(executed):
    committed, path = executed
    assert output_types(nbformat.read(path, 4)) == output_types(committed)
    assert any(TURN in types for cell in output_types(committed) for types in cell)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_asks_the_gateway_where_there_is_a_key_in_a_file(path, tmp_path, sandbox):
    (tmp_path / ".env").write_text(f"XCYQ_API_KEY={KEY}\n")
    first, second, *_ = [c.source for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
    place = {"JPY_SESSION_NAME": str(tmp_path / "notebook.ipynb"), "XCYQ_BASE_URL": sandbox.base_url}
    kernel = Kernel({**os.environ, **place})
    ran = [kernel.run(code) for code in (first, second, "%chat Hello")]
    kernel.close()
    assert [r.status for r in ran] == ["ok"] * 3, ran[-1].error
    assert "the key from the .env file" in ran[1].text
    assert [r.body["messages"][-1]["content"] for r in sandbox.received] == ["Hello"]


def test_a_run_changes_nothing_but_outputs(executed):
    committed, path = executed
    ran = nbformat.read(path, 4)
    for notebook in (committed, ran):
        notebook.metadata.language_info.pop("version")
        for cell in notebook.cells:
            cell.pop("outputs", None)
    for cell in ran.cells:  # nbclient notes when each ran; JupyterLab does not, unless it is told to
        cell.metadata.pop("execution", None)
    assert ran == committed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_its_prompts_are_what_a_reader_would_type(path):
    typed = [c.source for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
    prompts = [source for source in typed if source.startswith("%")]
    assert [prompt for prompt in prompts if "sandbox:" in prompt or "xcyq_magic." in prompt] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_state_of_closed_widgets_is_committed(path):
    assert "widgets" not in nbformat.read(path, 4).metadata


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_nbconvert_shows_every_reply(executed, form):
    _, path = executed
    shown, _ = get_exporter(form)().from_filename(str(path))
    turns = [o for c in nbformat.read(path, 4).cells for o in c.get("outputs", []) if TURN in o.get("data", {})]
    said = "This is the sandbox, not a model."
    assert shown.count(said) >= sum(said in o["data"]["text/plain"] for o in turns)  # a value of a type says nothing
    assert len(turns) > 0
    assert "model not found" not in shown
    assert "Error displaying widget" not in shown


def test_jupyter_execute_fails_where_a_chat_fails(tmp_path):
    cells = ["%load_ext xcyq_magic", "%chat_sandbox", "%%chat\nsandbox: status 429"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    path = tmp_path / "fails.ipynb"
    nbformat.write(notebook, path)
    done = execute(path)
    assert done.returncode != 0
    assert "RateLimitError" in done.stderr
    assert "httpx" not in done.stderr
