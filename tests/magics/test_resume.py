"""What `%load_ext` goes on with, as the settings and the frontend say. Shells with cell ids stand for kernels."""

from __future__ import annotations

import contextlib
import os

import pytest
from kernels import KEY
from shells import shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension

NOTEBOOK = "/notebooks/analysis.ipynb"


class Run:
    """A shell that runs cells, and what they printed."""

    def __init__(self, shell, sandbox, capsys) -> None:
        self._shell, self._sandbox, self._capsys = shell, sandbox, capsys

    def __call__(self, code: str, cell_id: str | None = "other") -> str:
        self._shell.parent_header = {"metadata": {"cellId": cell_id} if cell_id else {}}
        self._shell.run_cell(code).raise_error()
        return self._capsys.readouterr().out

    def asked(self, code: str, cell_id: str) -> list[str]:
        """Run a chat; the prompts that the server received."""
        self(code, cell_id)
        return [m["content"] for m in self._sandbox.received[-1].body["messages"] if m["role"] == "user"]


@pytest.fixture
def kernel(sandbox, monkeypatch, capsys):
    """Start a kernel whose notebook is at `path`; returns a function that runs a cell."""
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", KEY)

    @contextlib.contextmanager
    def start(path: str = NOTEBOOK, **settings):
        monkeypatch.setenv("JPY_SESSION_NAME", path)
        with shell_of(**settings) as shell:
            yield Run(shell, sandbox, capsys)
            unload_ipython_extension(shell)

    return start


LOAD = "%load_ext xcyq_magic"


def said(kernel, *prompts: str, **settings) -> None:
    with kernel(**settings) as run:
        run(LOAD)
        for prompt in prompts:
            run(f"%chat {prompt}", f"cell-{prompt}")


def test_a_line_says_what_is_resumed(kernel):
    said(kernel, "a", "b")
    with kernel() as run:
        assert run(LOAD) == "Resumed analysis.ipynb: 2 turns; %chat_reset starts afresh.\n"
        assert run("%chat_history").count("This is the sandbox") == 2
        assert run.asked("%chat c", "cell-c") == ["a", "b", "c"]


def test_where_no_cell_ran_yet_the_first_magic_says_what_is_resumed(kernel, capsys):
    """`c.InteractiveShellApp.extensions` loads it before any message has come."""
    said(kernel, "a")
    with kernel() as run:
        load_ipython_extension(run._shell)
        assert capsys.readouterr().out == ""
        assert "Resumed analysis.ipynb: 1 turn;" in run("%chat_history")
        assert "Resumed" not in run("%chat_history")


def test_a_renamed_notebook_finds_its_conversation_again(kernel):
    said(kernel, "a", "b")
    with kernel("/notebooks/renamed.ipynb") as run:
        assert run(LOAD) == ""
        (row,) = [line for line in run("%chat_switch").splitlines() if NOTEBOOK in line]
        assert "main now: 2 turns" in run(f"%chat_switch {row.split()[1]}")
        assert run.asked("%chat b", "cell-b") == ["a", "b"]
    with kernel("/notebooks/renamed.ipynb") as run:
        assert "Resumed renamed.ipynb: 2 turns" in run(LOAD)


def test_what_runs_within_a_notebook_is_not_taken_for_it(kernel):
    """A kernel that nbclient or papermill starts from a notebook inherits its name, but its cells have no ids."""
    said(kernel, "a")
    with kernel() as run:
        assert run(LOAD, None) == ""
        assert run.asked("%chat b", None) == ["b"]


@pytest.mark.parametrize("path", ["/notebooks/Console 1", "analysis.ipynb"])
def test_a_name_that_is_no_path_of_a_notebook_is_not_resumed(kernel, path):
    for _ in range(2):
        with kernel(path) as run:
            assert run(LOAD) == ""
            assert run.asked("%chat a", "cell-a") == ["a"]


def test_resume_can_be_switched_off(kernel):
    said(kernel, "a")
    with kernel(ChatSettings={"resume": False}) as run:
        assert run(LOAD) == ""
        assert run.asked("%chat b", "cell-b") == ["b"]
        assert "set aside" in run("%chat_switch")
    with kernel() as run:
        assert "Resumed analysis.ipynb: 1 turn" in run(LOAD)
        assert run.asked("%chat c", "cell-c") == ["b", "c"]


def test_in_memory_nothing_reaches_the_disk(kernel, tmp_path):
    profile = os.environ["IPYTHONDIR"]
    for _ in range(2):
        with kernel(ChatSettings={"store": ":memory:"}) as run:
            assert run(LOAD) == ""
            assert run.asked("%chat a", "cell-a") == ["a"]
            run("%chat_reset")
            assert "set aside" in run("%chat_switch")
    assert not [f for _, _, files in os.walk(profile) for f in files if "xcyq" in f]


def test_where_it_is_kept_can_be_said_after_loading(kernel, tmp_path):
    path = tmp_path / "folder" / "chats.sqlite"
    with kernel() as run:
        run(LOAD)
        run(f"%config ChatSettings.store = {str(path)!r}")
        run("%chat a", "cell-a")
        run("%config ChatSettings.store = ':memory:'")
        run("%chat b", "cell-b")
    assert path.exists()
    with kernel(ChatSettings={"store": str(path)}) as run:
        assert "Resumed analysis.ipynb: 1 turn" in run(LOAD)


def test_where_nothing_can_be_kept_the_chat_goes_on_and_says_so_once(kernel):
    with kernel(ChatSettings={"store": "/dev/null/chats.sqlite"}) as run:
        assert run(LOAD) == ""
        assert "The chat goes on in memory." in run("%chat a", "cell-a")
        assert "in memory" not in run("%chat b", "cell-b")
        assert run.asked("%chat c", "cell-c") == ["a", "b", "c"]


def test_a_damaged_file_is_set_aside_at_loading(kernel, tmp_path):
    path = tmp_path / "chats.sqlite"
    path.write_bytes(b"This is not a database. " * 500)
    with kernel(ChatSettings={"store": str(path)}) as run:
        assert "was set aside as chats.sqlite.damaged-" in run(LOAD)
        run("%chat a", "cell-a")
    with kernel(ChatSettings={"store": str(path)}) as run:
        assert "Resumed analysis.ipynb: 1 turn" in run(LOAD)
