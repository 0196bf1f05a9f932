"""Run All in a notebook that was copied, moved, changed or opened again sends what it sent the first time.

Shells with cell ids stand for kernels; files are saved and opened as frontends do, with their outputs.
"""

from __future__ import annotations

import json
import shutil
import uuid
from typing import TYPE_CHECKING

import pytest
from IPython.utils.capture import capture_output
from kernels import KEY
from shells import request, shell_of

from xcyq_magic import unload_ipython_extension
from xcyq_magic.chat.records import TURN_MIME, turn_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xcyq_magic.chat.conversation import Turn

LOAD = "%load_ext xcyq_magic"
# How a frontend names the cells that it runs: with the ids in the file, which are those that it told last, or not;
# with new ones each time, which it saves in format 4.5; with numbers of its own, which no file holds. Each is given
# the number of a cell, and that of the opening.
FRONTENDS = {
    "ids of the file": (4.5, None),
    "ids drawn anew": (4.4, lambda n, k: uuid.uuid4().hex),
    "ids drawn anew and saved": (4.5, lambda n, k: uuid.uuid4().hex),
    "numbers of a window": (4.5, lambda n, k: f"vscode-notebook-cell:/x.ipynb#W{n + k}sZmlsZQ=="),
}


class Page:
    """A notebook that is open in a shell."""

    def __init__(self, path: Path, shell, sandbox, frontend: str = "ids of the file") -> None:
        self.path, self._shell, self._sandbox = path, shell, sandbox
        self._format, name = FRONTENDS[frontend]
        page = json.loads(path.read_text())
        self.cells = page["cells"]
        self._opened = page["metadata"].get("opened", 0) + 1
        for n, cell in enumerate(self.cells):
            cell["told"] = name(n, self._opened) if name else cell["id"]
            if "saved" in frontend or "id" not in cell:
                cell["id"] = cell["told"]
        self.printed = ""

    def add(self, source: str, at: int | None = None) -> dict:
        identifier = uuid.uuid4().hex
        cell = {"cell_type": "code", "id": identifier, "told": identifier, "source": source, "outputs": []}
        self.cells.insert(len(self.cells) if at is None else at, cell)
        return cell

    @property
    def turns(self) -> list[Turn]:
        extension = self._shell.magics_manager.registry.get("xcyq_magic")
        return list(extension.context.session.conversation().turns) if extension else []

    def run(self, *cells: dict) -> list[list[str]]:
        """Run cells; returns the prompts of each request."""
        before = len(self._sandbox.received)
        for cell in cells:
            request(self._shell, cell["told"])
            turns = self.turns
            with capture_output() as captured:
                self._shell.run_cell(cell["source"]).raise_error()
            self.printed += captured.stdout
            cell["outputs"] = [*self._outputs(cell, turns)] if turns or LOAD not in cell["source"] else []
        bodies = [r.body["messages"] for r in self._sandbox.received[before:]]
        return [[m["content"] for m in messages if m["role"] == "user"] for messages in bodies]

    def _outputs(self, cell: dict, before: list[Turn]) -> Iterator[dict]:
        """What a frontend gets of a cell; a shell shows text alone."""
        known, here = {t.id for t in before}, {t.id for t in self.turns}
        for n, turn in enumerate(self.turns):
            if turn.id not in known:
                elsewhere = cell["source"].startswith(("%chat_retry", "%chat_keep"))
                old = before[n] if elsewhere and n < len(before) and before[n].id not in here else None
                record = turn_record(turn, "main", elsewhere=elsewhere, instead_of=old)
                yield {"output_type": "display_data", "data": {TURN_MIME: record}, "metadata": {}}

    def run_all(self) -> list[list[str]]:
        return self.run(*self.cells)

    def save(self, format_: float | None = None) -> None:
        save(self.path, self.cells, format_ or self._format, opened=self._opened)


def save(path: Path, cells: list[dict], format_: float = 4.5, opened: int = 0) -> None:
    out = {"told"} if format_ == 4.5 else {"told", "id"}
    kept = [{k: v for k, v in {"metadata": {}, **cell}.items() if k not in out} for cell in cells]
    page = {"cells": kept, "metadata": {"opened": opened}, "nbformat": 4, "nbformat_minor": round(format_ * 10) % 10}
    path.write_text(json.dumps(page))


@pytest.fixture
def opened(sandbox, monkeypatch, tmp_path):
    """Open a notebook; what is open before is closed."""
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    shells = []

    def close() -> None:
        for shell, context in shells:
            unload_ipython_extension(shell)
            context.__exit__(None, None, None)
        shells.clear()

    def open_(path: Path, *args) -> Page:
        close()
        monkeypatch.setenv("JPY_SESSION_NAME", str(path))
        context = shell_of()
        shells.append((context.__enter__(), context))
        return Page(path, shells[0][0], sandbox, *args)

    yield open_
    close()


def new(path: Path, *sources: str) -> Path:
    cells = [{"cell_type": "code", "id": uuid.uuid4().hex, "source": s, "outputs": []} for s in (LOAD, *sources)]
    save(path, cells)
    return path


@pytest.fixture
def saved(opened, tmp_path):
    """Make a notebook of chats, run it all, and save it; returns its path and what it asked."""

    def make(*sources: str, format_: float = 4.5, frontend: str = "ids of the file"):
        page = opened(new(tmp_path / "original.ipynb", *sources), frontend)
        asked = page.run_all()
        page.save(format_)
        return page.path, asked

    return make


CHATS = ("%%chat\na", "%%chat\nb", "%%chat\nc")
NOTEBOOKS = {
    "plain": CHATS,
    "equal prompts": ("%%chat\ngo on", "%%chat\na", "%%chat\ngo on", "%%chat\ngo on"),
    "equal prompts, written in two ways": ("%%chat\ngo on", "%chat go on", "%%chat -t 0.5\ngo on"),
    "several in a cell": ("%chat a\n%chat b", "%chat b\n%chat a", "%%chat\nc"),
    "a loop": ("from xcyq_magic import Chat\nfor n in 'xyx':\n    Chat(conversation='main')(n)", "%chat x", "%chat y"),
    "a value that changes": ("import time", "%chat {{ time.time_ns() }}", "%%chat\na", "%chat {{ time.time_ns() }}"),
    "asked again": ("%%chat\na", "%%chat\nb", "%chat_retry"),
    "kept of a comparison": ("%%compare gpt-5.5 gpt-5.4\na", "%chat_keep gpt-5.5", "%%chat\nb"),
    "other cells between": ("%%chat\na", "a = 1", "# b", "%%chat\nb", "%chat_history"),
}


def counts(asked: list[list[str]]) -> list[int]:
    return [len(prompts) for prompts in asked]


@pytest.mark.parametrize("what", NOTEBOOKS)
@pytest.mark.parametrize("frontend", FRONTENDS)
def test_run_all_again_sends_the_same_however_a_frontend_names_cells(opened, saved, frontend, what):
    path, asked = saved(*NOTEBOOKS[what], format_=FRONTENDS[frontend][0], frontend=frontend)
    for _ in range(2):
        page = opened(path, frontend)
        again = page.run_all()
        assert counts(again) == counts(asked)
        if "changes" not in what:
            assert again == asked
        assert "Resumed original.ipynb" in page.printed
        page.save()


def moved(path: Path, name: str) -> Path:
    to = path.parent / name
    to.parent.mkdir(exist_ok=True)
    return path.rename(to)


def copied(path: Path, name: str) -> Path:
    return shutil.copy(path, path.with_name(name))


def came_back(path: Path, name: str) -> Path:
    return moved(copied(path, name), path.name)


# What becomes of a file before it is opened again, and what is said of it.
FILES = {
    "opened": (lambda path: path, "Resumed original.ipynb: 3 turns;"),
    "renamed": (lambda path: moved(path, "new.ipynb"), "Resumed new.ipynb: 3 turns, kept as original.ipynb"),
    "moved": (lambda path: moved(path, "folder/original.ipynb"), "Resumed original.ipynb: 3 turns"),
    "copied": (lambda path: copied(path, "copy.ipynb"), "Resumed copy.ipynb: 3 turns, forked from original.ipynb"),
    "copied over": (lambda path: came_back(path, "copy.ipynb"), "Resumed original.ipynb: 3 turns;"),
}


@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("frontend", ["ids of the file", "ids drawn anew"])
def test_a_file_is_known_wherever_it_lies_and_its_cells_replace_their_turns(opened, saved, frontend, what):
    path, asked = saved(*CHATS, format_=FRONTENDS[frontend][0], frontend=frontend)
    change, line = FILES[what]
    page = opened(change(path), frontend)
    assert [page.run_all() for _ in range(2)] == [asked] * 2
    assert line in page.printed


@pytest.mark.parametrize("frontend", ["ids of the file", "ids drawn anew"])
def test_a_copy_of_a_copy_and_its_original_go_on_side_by_side(opened, saved, frontend):
    path, asked = saved(*CHATS, format_=FRONTENDS[frontend][0], frontend=frontend)
    copies = [copied(path, "one.ipynb"), copied(path, "two.ipynb")]
    for _ in range(2):
        for which in (*copies, path):
            page = opened(which, frontend)
            assert page.run_all() == asked
            page.save()
        copies.append(copied(copies[-1], f"{len(copies)}.ipynb"))


def edited(page: Page) -> None:
    page.cells[2]["source"] = "%%chat\nb, edited"


def edited_and_saved(page: Page) -> None:
    edited(page)
    page.save()


def inserted(page: Page) -> None:
    page.add("%%chat\nd", at=2)


def deleted(page: Page) -> None:
    del page.cells[2]


def reordered(page: Page) -> None:
    page.cells[1], page.cells[2] = page.cells[2], page.cells[1]


CHANGES = {
    edited: {"ids of the file": ["a", "ab", "abc"], "": ["a", "abcB", "abc"]},
    edited_and_saved: {"": ["a", "ab", "abc"]},
    inserted: {"": ["a", "abcd", "ab", "abc"]},
    deleted: {"": ["a", "abc"]},
    reordered: {"": ["ab", "a", "abc"]},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("frontend", FRONTENDS)
def test_run_all_twice_sends_the_same_after_any_change_of_the_page(opened, saved, frontend, change):
    path, _ = saved(*CHATS, format_=FRONTENDS[frontend][0], frontend=frontend)
    page = opened(path, frontend)
    change(page)
    first, second = counts(page.run_all()), counts(page.run_all())
    assert first == second
    assert first == [len(a) for a in CHANGES[change].get(frontend, CHANGES[change][""])]


def test_a_new_cell_that_asks_what_another_one_asked_goes_to_the_end(opened, saved):
    path, _ = saved(*CHATS)
    page = opened(path)
    page.run(page.cells[0])
    assert page.run(page.add("%%chat\na")) == [["a", "b", "c", "a"]]
    page.save()
    again = opened(path)
    assert counts(again.run_all()) == [1, 2, 3, 4]


@pytest.mark.parametrize("frontend", [f for f in FRONTENDS if f != "ids drawn anew"])
def test_of_equal_cells_each_replaces_the_turn_in_its_own_output(opened, saved, frontend):
    path, _ = saved("%chat go on", "%chat go on", "%chat go on", frontend=frontend)
    page = opened(path, frontend)
    page.run(page.cells[0])
    if frontend == "ids of the file":
        assert page.run(page.cells[3]) == [["go on"] * 3]
    assert counts(page.run_all()) == [1, 2, 3]


def test_a_format_without_ids_that_is_saved_with_them_is_known_by_them_then(opened, saved):
    path, _ = saved(*CHATS, format_=4.4, frontend="ids drawn anew")
    page = opened(path, "ids drawn anew")
    page.run(page.cells[0], page.cells[1])
    page.save(4.5)
    page.cells[2]["source"] = "%%chat\nb, edited after that"
    assert counts(page.run_all()) == [1, 2, 3]


def test_what_was_loaded_from_a_file_is_replaced_by_no_cell(opened, saved):
    path, _ = saved(*CHATS)
    page = opened(path)
    page.run(page.cells[0], page.add(f"%chat_save {path.with_suffix('.json')}"))
    page.run(page.add(f"%chat_load {path.with_suffix('.json')}"))
    assert page.run(page.cells[1]) == [["a", "b", "c", "a"]]
