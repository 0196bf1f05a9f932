"""The file of a notebook, whatever stands there and whoever is writing it: ``--above`` reads it or goes without it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipykernel.zmqshell import ZMQDisplayPublisher
from shells import request, shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.chat.parts import Text
from xcyq_magic.errors import InputError
from xcyq_magic.magics.above import ALL, cells_above
from xcyq_magic.magics.context import Context


class Notebook:
    """A shell in which the cells ``a`` and ``b`` ran, and ``ask`` asks; its notebook's file is at `path`."""

    def __init__(self, shell, path) -> None:
        self.shell, self.path = shell, path
        self.run("a", "a = 1")
        self.run("b", "b = 2")
        self.run("ask", "ask = 3")

    def run(self, cell_id: str, source: str) -> None:
        request(self.shell, cell_id)
        self.shell.run_cell(source, store_history=True)

    def above(self) -> str:
        parts, _ = cells_above(Context.of(self.shell), ALL, ())
        return "".join(part.text for part in parts if isinstance(part, Text))


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    path = tmp_path_factory.mktemp("notebooks") / "n.ipynb"
    with shell_of() as shell, pytest.MonkeyPatch.context() as patch:
        shell.display_pub = ZMQDisplayPublisher(parent=shell)  # a kernel's: with it, what is shown is heard
        patch.setenv("JPY_SESSION_NAME", str(path))
        load_ipython_extension(shell)
        yield Notebook(shell, path)
        unload_ipython_extension(shell)


@pytest.fixture(autouse=True)
def _where_it_is(notebook, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook.path))  # other fixtures take it away
    yield
    for path in notebook.path.parent.iterdir():
        path.rmdir() if path.is_dir() else path.unlink()


def code(cell_id: str, source: object, **more: object) -> dict:
    return {"cell_type": "code", "id": cell_id, "source": source, "metadata": {}, "outputs": [], **more}


def saved(*cells: object) -> str:
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


ASKS = code("ask", "ask = 3")
WORDS = {"cell_type": "markdown", "id": "m", "source": ["# T\n"]}
WHOLE = saved(code("b", "b = 2"), code("a", ["a ", "= 1"]), WORDS, ASKS)
BY_PAGE, BY_RUN = "in the order of the page:", "in the order in which its cells ran:"


def test_a_file_is_read_with_lists_as_sources(notebook):
    notebook.path.write_text(WHOLE)
    above = notebook.above()
    assert BY_PAGE in above
    assert above.index("b = 2") < above.index("a = 1") < above.index("# T")


def test_half_a_character_that_a_cell_holds_or_showed_is_no_reason_to_send_nothing(notebook):
    shown = {"output_type": "stream", "name": "stdout", "text": "\ud83d"}
    notebook.path.write_text(saved(code("a", "a = 1"), code("x", "x = '\udc00'", outputs=[shown]), ASKS))
    assert "x = '" in notebook.above().encode().decode()


BAD = {
    "nothing": b"",
    "cut off": WHOLE.encode()[:-40],
    "no JSON": b"<html>",
    "no UTF-8": b'{"cells": ["\xff"]}',
    "deep": b"[" * 100_000,
    "a list": b"[1]",
    "a long number": b'{"cells": ' + b"1" * 5_000 + b"}",
    "version 3": json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": ["a = 1"]}]}]}).encode(),
    "null bytes": b"\0" * 100,
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_what_is_no_notebook_goes_unread_and_the_order_is_that_of_running(notebook, content):
    notebook.path.write_bytes(content)
    above = notebook.above()
    assert BY_RUN in above
    assert above.index("a = 1") < above.index("b = 2")


def make_large(path) -> None:
    with path.open("wb") as file:
        file.write(WHOLE.encode())
        file.truncate(257 * 2**20)  # it takes no room on the disk


PLACES = {
    "a directory": lambda path: path.mkdir(),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "too large": make_large,
}
if sys.platform != "win32":
    PLACES |= {"a pipe": os.mkfifo, "a device": lambda path: path.symlink_to("/dev/zero")}


@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES.keys())
def test_what_is_no_file_is_not_waited_for(notebook, make):
    make(notebook.path)
    assert BY_RUN in notebook.above()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read all")
def test_a_file_that_may_not_be_read_goes_unread(notebook):
    notebook.path.write_text(WHOLE)
    notebook.path.chmod(0)
    assert BY_RUN in notebook.above()


def test_a_file_that_is_being_written_is_read_once_it_is_whole(notebook):
    """JupyterLab writes it anew in its place, so it is short for a moment."""
    notebook.path.write_text(WHOLE)
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            with notebook.path.open("w") as file:
                for n in range(0, len(WHOLE), 50):
                    file.write(WHOLE[n : n + 50])
                    file.flush()
            time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        read = [notebook.above() for _ in range(40)]
    finally:
        done.set()
        writer.join()
    assert all(BY_PAGE in above and above.index("b = 2") < above.index("a = 1") < above.index("# T") for above in read)


def test_a_file_of_which_a_part_is_written_is_waited_for(notebook):
    notebook.path.write_text(WHOLE[:100])
    writer = threading.Timer(0.03, notebook.path.write_text, [WHOLE])
    writer.start()
    above = notebook.above()
    writer.join()
    assert BY_PAGE in above


def test_a_notebook_of_many_is_found_where_it_was_renamed_and_others_are_not_parsed(notebook):
    for n in range(60):
        notebook.path.with_name(f"{n}.ipynb").write_text("[" * 1_000)
    notebook.path.with_name("renamed.ipynb").write_text(WHOLE)
    above = notebook.above()
    assert BY_PAGE in above
    assert "# T" in above
    notebook.path.with_name("renamed.ipynb").unlink()
    assert BY_RUN in notebook.above()


def test_a_cell_that_ran_again_goes_once_where_there_is_no_file(notebook):
    notebook.run("a", "a = 1")
    notebook.run("ask", "ask = 3")
    assert notebook.above().count("a = 1") == 1


def test_a_file_that_was_written_before_all_that_ran_is_the_notebook_as_it_was_opened(notebook):
    notebook.path.write_text(saved(code("x", "old = 1")))
    assert BY_RUN in notebook.above()
    os.utime(notebook.path, (1_000_000_000, 1_000_000_000))
    above = notebook.above()
    assert BY_PAGE in above
    assert "old = 1" in above
    assert above.index("a = 1") < above.index("b = 2")


KEYS = ["id", "cell_type", "source", "outputs", "metadata", "tags", "execution_count", "output_type", "data", "text"]
KEYS += ["name", "traceback", "ename", "text/plain", "text/html", "image/png", "application/vnd.xcyq.turn+json"]
SAID = ["a", "b", "ask", "code", "markdown", "raw", "stream", "error", "display_data", "private", "%%chat", "\ud800"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(SAID) | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(KEYS), v, max_size=6),
    max_leaves=20,
)
OUTPUT = st.fixed_dictionaries(
    {"output_type": JSON | st.sampled_from(["stream", "error", "display_data"])},
    optional=dict.fromkeys(("data", "text", "name", "traceback", "ename", "evalue"), JSON),
)
CELL = st.fixed_dictionaries(
    {"id": JSON | st.sampled_from(["a", "b", "ask"])},
    optional={
        **dict.fromkeys(("cell_type", "source", "metadata", "execution_count"), JSON),
        "outputs": JSON | st.lists(OUTPUT, max_size=2),
    },
)


@settings(max_examples=300)
@given(JSON | st.fixed_dictionaries({"cells": JSON | st.lists(CELL | JSON, max_size=4)}))
def test_any_json_in_the_place_of_a_notebook_is_read(notebook, record):
    notebook.path.write_text(json.dumps(record))
    with contextlib.suppress(InputError):  # none of its cells has a source
        notebook.above().encode()
