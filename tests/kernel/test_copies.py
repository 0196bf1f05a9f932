"""Notebooks that are copied, moved, and opened again, with their files as frontends save and open them."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from typing import TYPE_CHECKING

import pytest
from kernels import KEY, Kernel

if TYPE_CHECKING:
    from pathlib import Path

LOAD = "%load_ext xcyq_magic"


class Open:
    """A notebook that is open: its cells as the page has them, and its kernel."""

    def __init__(self, path: Path, sandbox, *, tells_ids: bool = True) -> None:
        self.path, self._sandbox, self._tells_ids = path, sandbox, tells_ids
        self.page = json.loads(path.read_text())
        for cell in self.page["cells"]:  # as Jupyter's servers do for formats before 4.5
            cell.setdefault("id", uuid.uuid4().hex)
        env = {"XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY, "IPYTHONDIR": str(path.parent / ".ipython")}
        self._env = {**os.environ, **env, **({"JPY_SESSION_NAME": str(path)} if tells_ids else {})}
        self.kernel = Kernel(self._env)

    def close(self) -> None:
        self.kernel.close()

    def restart(self) -> None:
        self.close()
        self.kernel = Kernel(self._env)

    def add(self, source: str) -> dict:
        """Add a cell at the end, and return it."""
        self.page["cells"].append(code(source))
        return self.page["cells"][-1]

    def run(self, cell) -> str:
        """Run a cell, whose outputs stand in it then; returns what it printed."""
        ran = self.kernel.run(cell["source"], cell["id"] if self._tells_ids else None)
        assert ran.status == "ok", "\n".join(ran.error)
        cell["outputs"] = [{"output_type": "display_data", "data": d, "metadata": {}} for d in ran.outputs]
        return ran.text

    @property
    def messages(self) -> int:
        """How many the last request held."""
        return len(self._sandbox.received[-1].body["messages"])

    def run_all(self) -> list[int]:
        """Run all cells; returns how many messages each request held."""
        before = len(self._sandbox.received)
        self.printed = [self.run(cell) for cell in self.page["cells"]]
        return [len(r.body["messages"]) for r in self._sandbox.received[before:]]

    def save(self, minor: int = 5) -> None:
        kept = [{k: v for k, v in cell.items() if k != "id" or minor == 5} for cell in self.page["cells"]]
        self.path.write_text(json.dumps({**self.page, "cells": kept, "nbformat_minor": minor}))


@pytest.fixture
def opened(sandbox):
    """Open a notebook in a kernel."""
    with contextlib.ExitStack() as stack:

        def open_(path: Path, **how) -> Open:
            notebook = Open(path, sandbox, **how)
            stack.callback(notebook.close)
            return notebook

        yield open_


def new(path: Path, *sources: str) -> Path:
    cells = [*map(code, sources)]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def code(source: str) -> dict:
    return {"cell_type": "code", "id": uuid.uuid4().hex, "source": source, "metadata": {}, "outputs": []}


@pytest.mark.parametrize("minor", [5, 4])
def test_a_copy_that_is_run_again_asks_what_its_original_asked(opened, tmp_path, minor):
    original = opened(new(tmp_path / "original.ipynb", LOAD, "%%chat\na", "%%chat\nb"))
    assert original.run_all() == [1, 3]
    original.save(minor)
    copy = tmp_path / "copy.ipynb"
    copy.write_bytes(original.path.read_bytes())
    again = opened(copy)  # the kernel of its original still runs
    assert again.run_all() == [1, 3]
    assert "Resumed copy.ipynb: 2 turns, forked from original.ipynb" in again.printed[0]
    assert again.run_all() == [1, 3]
    assert original.run_all() == [1, 3]


def test_what_was_executed_without_ids_is_replaced_once_it_is_opened(opened, tmp_path):
    """As `jupyter execute` and papermill run a notebook."""
    executed = opened(new(tmp_path / "executed.ipynb", LOAD, "%%chat\na", "%%chat\nb"), tells_ids=False)
    assert executed.run_all() == [1, 3]
    executed.save()
    page = opened(executed.path)
    page.page["cells"][2]["source"] = "%%chat\nb, edited"
    assert page.run_all() == [1, 3]
    assert "Resumed executed.ipynb: 2 turns" in page.printed[0]
    assert page.run_all() == [1, 3]


def test_what_was_never_saved_goes_on_when_it_is_known_and_until_then_nothing_false_is_said(opened, tmp_path):
    page = opened(new(tmp_path / "Untitled.ipynb", ""))
    load, first = page.page["cells"][0], page.add("%%chat\na")
    load["source"] = LOAD
    page.add("%%chat\nb")
    assert page.run_all() == [1, 3]
    page.restart()
    line = page.run(load)
    assert "The saved notebook holds none of its cells" in line
    assert "until one of them is saved or run" in line
    later = page.add("%%chat\nc")
    page.run(later)
    assert "Resumed Untitled.ipynb: 2 turns. What was said here until now" in page.run(first)
    for _ in range(2):
        assert page.run_all() == [1, 3, 5]


def test_what_was_never_saved_goes_on_after_it_is_loaded_again(opened, tmp_path):
    page = opened(new(tmp_path / "Untitled.ipynb", ""))
    page.page["cells"][0]["source"] = LOAD
    page.add("%%chat\na")
    page.add("%chat_switch --new idea")
    page.add("%%chat\nb")
    page.run_all()
    assert page.run(page.add("%reload_ext xcyq_magic")).startswith("Resumed Untitled.ipynb, idea: 1 turn;")
    page.run(page.add("%%chat\nc"))
    assert page.messages == 3
    page.run(page.page["cells"][3])
    assert page.messages == 1
