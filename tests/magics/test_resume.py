"""What `%load_ext` goes on with, as the settings and the frontend say. Shells with cell ids stand for kernels."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import uuid
from pathlib import Path

import pytest
from kernels import KEY, write_notebook
from shells import request, shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.chat.records import TURN_MIME, turn_record
from xcyq_magic.errors import NotReachedError, SettingError
from xcyq_magic.store.recognition import contents
from xcyq_magic.store.schema import MIGRATIONS

NOTEBOOK = "analysis.ipynb"
UNMARKED = next(n for n, statements in enumerate(MIGRATIONS) if "application_id" in statements[0])  # the last version


class Run:
    """A shell that runs cells, which its notebook's file has then, and what they printed."""

    def __init__(self, shell, sandbox, capsys) -> None:
        self._shell, self._sandbox, self._capsys = shell, sandbox, capsys
        self.cells: dict[str, str] = {}

    def __call__(self, code: str, cell_id: str | None = "") -> str:
        if cell_id == "":  # as a notebook names its cells: at random
            cell_id = uuid.uuid4().hex[:8]
        self.cells |= {cell_id: code} if cell_id else {}
        request(self._shell, cell_id)
        self._shell.run_cell(code).raise_error()
        return self._capsys.readouterr().out

    def asked(self, code: str, cell_id: str) -> list[str]:
        """Run a chat; the prompts that the server received."""
        self(code, cell_id)
        return [m["content"] for m in self._sandbox.received[-1].body["messages"] if m["role"] == "user"]


@pytest.fixture
def kernel(sandbox, monkeypatch, capsys, tmp_path):
    """Start a kernel whose notebook is at `path`; returns a function that runs a cell.

    The notebook's cells are in its file when the kernel has ended, unless it is not `saved`.
    """
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", KEY)

    @contextlib.contextmanager
    def start(path: str = NOTEBOOK, *, saved: bool = True, **settings):
        monkeypatch.setenv("JPY_SESSION_NAME", path if path.startswith("relative") else str(tmp_path / path))
        with shell_of(**settings) as shell:
            run = Run(shell, sandbox, capsys)
            yield run
            unload_ipython_extension(shell)
        if saved:
            write_notebook(tmp_path / path, {**contents(str(tmp_path / path)).cells, **run.cells})

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


@pytest.mark.parametrize("line", ["%chat -m gpt-5.5 c", "%%compare gpt-5.5 gpt-5.4\nc", "%chat_retry"])
def test_a_conversation_goes_to_another_server_only_if_that_is_asked_for_twice(kernel, sandbox, monkeypatch, line):
    said(kernel, "a", "b")
    monkeypatch.setenv("XCYQ_BASE_URL", "https://gateway.invalid")
    with kernel() as run:
        run(LOAD)
        with pytest.raises(NotReachedError):
            run("%chat --once c")  # nothing of it goes along
        with pytest.raises(SettingError) as raised:
            run(line)
        was, here = sandbox.base_url, "https://gateway.invalid"
        assert raised.value.message == (
            f"main was answered by {was}, and would be sent to {here} now; nothing was sent."
        )
        with pytest.raises(NotReachedError):
            run(line)
        run(raised.value.hint.partition(" goes on there")[0])
        assert run.asked("%chat d", "cell-d") == ["a", "b", "d"]


def test_a_notebook_runs_again_at_another_server(kernel, monkeypatch):
    said(kernel, "a", "b")
    monkeypatch.setenv("XCYQ_BASE_URL", "https://gateway.invalid")
    with kernel() as run:
        run(LOAD)
        with pytest.raises(NotReachedError):
            run("%chat a", "cell-a")  # which nothing stands above
    with kernel() as run:
        run(f"{LOAD}\n%chat_sandbox")
        assert "2 earlier turns" in run("%chat c", "cell-c")  # on this machine


def test_a_system_prompt_that_is_off_is_none(kernel):
    with kernel() as run:
        run(f"{LOAD}\n%chat_system Be brief.\n%chat a\n%chat_system off")
    with kernel() as run:
        assert run(LOAD) == "Resumed analysis.ipynb: 1 turn; %chat_reset starts afresh.\n"


def test_where_no_cell_ran_yet_the_first_magic_says_what_is_resumed(kernel, capsys):
    """`c.InteractiveShellApp.extensions` loads it before any message has come."""
    said(kernel, "a")
    with kernel() as run:
        load_ipython_extension(run._shell)
        assert capsys.readouterr().out == ""
        assert "Resumed analysis.ipynb: 1 turn;" in run("%chat_history")
        assert "Resumed" not in run("%chat_history")


# A path is no proof that it is the same notebook


def test_a_new_notebook_at_an_old_path_begins_afresh_and_what_was_is_offered(kernel, tmp_path):
    said(kernel, "a", "b")
    (tmp_path / NOTEBOOK).rename(tmp_path / "renamed.ipynb")
    write_notebook(tmp_path / NOTEBOOK, {"new-1": ""})
    with kernel() as run:
        said_at_loading = run(LOAD)
        assert "kept for analysis.ipynb: 2 turns. The saved notebook holds none of its cells" in said_at_loading
        identifier = re.findall(r"%chat_switch (\w+) goes on with it", said_at_loading)[0]
        assert run.asked("%chat c", "new-2") == ["c"]
        assert re.search(rf"this one +\w+ +{identifier} +2 .*set aside", run("%chat_switch"))
    with kernel() as run:
        assert "Resumed analysis.ipynb: 1 turn;" in run(LOAD)
        assert "main now: 2 turns" in run(f"%chat_switch {identifier}")
        assert run.asked("%chat d", "new-3") == ["a", "b", "d"]


def test_what_has_no_turn_yet_is_not_inherited_either(kernel, tmp_path):
    with kernel() as run:
        run(LOAD)
        run("%chat_system Our secret.", "setup")
        run("%chat_model gpt-5.5", "setup")
        run("%chat_switch --new idea", "setup")
        run("%chat_system Another secret.", "setup")
    write_notebook(tmp_path / NOTEBOOK, {"new-1": ""})
    with kernel() as run:
        run(LOAD)
        assert "secret" not in run("%chat_system") + run("%chat")
        assert run("%chat").startswith("Conversation: main, 0 turns, model claude")
        run("%chat_switch --new idea")
        assert "secret" not in run("%chat_system")


def test_a_renamed_notebook_goes_on_under_its_new_name(kernel, tmp_path):
    said(kernel, "a", "b")
    (tmp_path / NOTEBOOK).rename(tmp_path / "renamed.ipynb")
    with kernel("renamed.ipynb") as run:
        assert run(LOAD) == (
            "Resumed renamed.ipynb: 2 turns, kept as analysis.ipynb until now; %chat_reset starts afresh.\n"
        )
        assert run.asked("%chat b", "cell-b") == ["a", "b"]
    with kernel("renamed.ipynb") as run:
        assert run(LOAD) == "Resumed renamed.ipynb: 2 turns; %chat_reset starts afresh.\n"
    with kernel() as run:
        assert run(LOAD) == ""


def test_a_renamed_notebook_goes_on_though_a_new_one_stands_at_its_old_path(kernel, tmp_path):
    said(kernel, "a")
    (tmp_path / NOTEBOOK).rename(tmp_path / "renamed.ipynb")
    with kernel() as run:
        run(LOAD)
        assert run.asked("%chat b", "new") == ["b"]
    with kernel("renamed.ipynb") as run:
        assert "Resumed renamed.ipynb: 1 turn, kept as analysis.ipynb" in run(LOAD)
        assert run.asked("%chat c", "cell-c") == ["a", "c"]
    with kernel() as run:
        assert run(LOAD) == "Resumed analysis.ipynb: 1 turn; %chat_reset starts afresh.\n"
        assert run.asked("%chat d", "new-2") == ["b", "d"]


def test_a_notebook_that_comes_back_to_its_path_goes_on(kernel, tmp_path):
    said(kernel, "a")
    (tmp_path / NOTEBOOK).rename(tmp_path / "away.ipynb")
    with kernel() as run:
        run(LOAD)
        run("%chat b", "new")
    (tmp_path / "away.ipynb").replace(tmp_path / NOTEBOOK)
    with kernel() as run:
        assert run(LOAD) == "Resumed analysis.ipynb: 1 turn; %chat_reset starts afresh.\n"
        assert run.asked("%chat c", "cell-c") == ["a", "c"]


def test_a_copy_beside_its_original_gets_a_fork(kernel, tmp_path):
    said(kernel, "a", "b")
    shutil.copy(tmp_path / NOTEBOOK, tmp_path / "copy.ipynb")
    with kernel("copy.ipynb") as run:
        assert run(LOAD) == "Resumed copy.ipynb: 2 turns, forked from analysis.ipynb; %chat_reset starts afresh.\n"
        assert run.asked("%chat b", "cell-b") == ["a", "b"]
        assert run.asked("%chat c", "cell-c") == ["a", "b", "c"]
    with kernel() as run:
        assert run(LOAD) == "Resumed analysis.ipynb: 2 turns; %chat_reset starts afresh.\n"
        assert run.asked("%chat d", "cell-d") == ["a", "b", "d"]


def test_a_notebook_whose_cells_are_called_alike_gets_nothing_of_another_one(kernel, tmp_path):
    """Programs that write notebooks call their cells cell-1, cell-2."""
    said(kernel, "a", "b")
    write_notebook(tmp_path / "other.ipynb", {"cell-a": "%chat What is it?", "cell-b": "%chat c"})
    for _ in range(2):
        with kernel("other.ipynb") as run:
            assert "analysis" not in run(LOAD)
            assert run.asked("%chat c", "cell-b") == ["c"]


@pytest.mark.parametrize("rename", [shutil.move, shutil.copy])
def test_a_notebook_at_another_path_is_in_the_conversation_that_it_was_in_last(kernel, tmp_path, rename):
    with kernel() as run:
        run(LOAD)
        run("%chat a", "cell-a")
        run("%chat_switch --new idea", "switch")
        run("%chat b", "cell-b")
        run("%chat -c main c", "cell-c")  # the one that is written last
    rename(tmp_path / NOTEBOOK, tmp_path / "new.ipynb")
    with kernel("new.ipynb") as run:
        assert "Resumed new.ipynb, idea: 1 turn" in run(LOAD)
        assert run.asked("%chat d", "cell-d") == ["b", "d"]


def test_all_conversations_of_a_renamed_notebook_come_along(kernel, tmp_path):
    with kernel() as run:
        run(LOAD)
        run("%chat a", "cell-a")
        run("%chat_reset", "reset")
        run("%chat b", "cell-b")
        run("%chat_switch --new idea", "switch")
        run("%chat c", "cell-c")
    (tmp_path / NOTEBOOK).rename(tmp_path / "renamed.ipynb")
    with kernel("renamed.ipynb") as run:
        assert "Resumed renamed.ipynb, idea: 1 turn, kept as" in run(LOAD)
        assert run.asked("%chat d", "cell-d") == ["c", "d"]
        run("%chat_switch main")
        assert run.asked("%chat e", "cell-e") == ["b", "e"]
        assert len(re.findall(r"this one +\w+ +\w+ +1 .*set aside", run("%chat_switch"))) == 1


def test_an_output_tells_whose_conversation_it_is_where_cells_have_no_ids(kernel, tmp_path):
    """Formats before 4.5: a frontend draws the ids of cells anew whenever it opens them."""
    with kernel(saved=False) as run:
        run(LOAD)
        run("%chat a", "drawn-1")
        session = run._shell.magics_manager.registry["xcyq_magic"].context.session
        record = turn_record(session.conversation().turns[0], "main")
    output = {"output_type": "display_data", "data": {TURN_MIME: record}, "metadata": {}}
    cell = {"cell_type": "code", "source": "%chat a", "metadata": {}, "outputs": [output]}
    (tmp_path / NOTEBOOK).write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    with kernel(saved=False) as run:
        assert "Resumed analysis.ipynb: 1 turn;" in run(LOAD)


def test_what_the_file_does_not_have_yet_is_known_once_its_cell_runs(kernel, tmp_path):
    with kernel(saved=False) as run:
        run(LOAD)
        run("%chat a", "cell-a")
        run("%chat b", "cell-b")
    write_notebook(tmp_path / NOTEBOOK, {"first": ""})
    with kernel(saved=False) as run:
        assert "is set aside" in run(LOAD, "first")
        assert "No turns yet" in run("%chat_history", "first")
        assert "Resumed analysis.ipynb: 2 turns;" in run("%chat a, edited", "cell-a")
        assert run.asked("%chat c", "cell-c") == ["a, edited", "b", "c"]


@pytest.mark.parametrize("how", ["run", "saved"])
@pytest.mark.parametrize("first", ["%chat c", "%chat_model gpt-5.5"])
def test_what_is_known_late_is_resumed_and_what_was_said_until_then_comes_after_it(kernel, tmp_path, first, how):
    with kernel(saved=False) as run:
        run(LOAD)
        run("%chat a", "cell-a")
        run("%chat b", "cell-b")
    with kernel(saved=False) as run:
        assert "is set aside until one of them is saved or run." in run(LOAD)
        run(first, "cell-c")
        if how == "saved":
            write_notebook(tmp_path / NOTEBOOK, {"cell-b": "%chat b"})
        assert "What was said here until now comes after" in run("%chat a", "cell-a" if how == "run" else "cell-d")
        expected = ["a", "b", *(["c"] if "chat c" in first else []), *(["a"] if how == "saved" else [])]
        assert run.asked("%chat e", "cell-e") == [*expected, "e"]
        assert run._sandbox.received[-1].body["model"] == ("claude-sonnet-4-6" if "chat c" in first else "gpt-5.5")
    with kernel(saved=False) as run:
        write_notebook(tmp_path / NOTEBOOK, {"cell-b": ""})
        model = "" if "chat c" in first else ", model gpt-5.5"
        assert f"Resumed analysis.ipynb: {len(expected) + 1} turns{model}; %chat_reset starts" in run(LOAD)
        assert run.asked("%chat b", "cell-b") == ["a", "b"]


@pytest.mark.parametrize("own", ["%chat_reset", "%chat_switch --new idea", "%chat_switch {}"])
def test_what_the_user_chose_meanwhile_stays(kernel, own):
    with kernel(saved=False) as run:
        run(LOAD)
        run("%chat a", "cell-a")
    with kernel(saved=False) as run:
        identifier = re.findall(r"%chat_switch (\w+) goes on", run(LOAD))[0]
        run("%chat c", "cell-c")
        run(own.format(identifier), "cell-own")
        assert "Resumed" not in run("%chat a", "cell-a")
        assert run.asked("%chat d", "cell-d") == ["a", "d"]


def test_what_is_saved_after_loading_is_known_then(kernel, tmp_path):
    with kernel(saved=False) as run:
        run(LOAD)
        run("%chat a", "cell-a")
    with kernel(saved=False) as run:
        assert "is set aside" in run(LOAD)
        write_notebook(tmp_path / NOTEBOOK, {"cell-a": ""})
        assert run.asked("%chat c", "cell-c") == ["a", "c"]


# Loaded again in the same kernel

SETTINGS = {"kept": {}, "in memory": {"store": ":memory:"}, "each kernel afresh": {"resume": False}}


@pytest.mark.parametrize("again", ["%reload_ext xcyq_magic", "%unload_ext xcyq_magic\n%load_ext xcyq_magic"])
@pytest.mark.parametrize("path", [NOTEBOOK, "relative console"])
@pytest.mark.parametrize("how", SETTINGS)
def test_what_stands_goes_on_when_it_is_loaded_again(kernel, how, path, again):
    with kernel(path, saved=False, ChatSettings=SETTINGS[how]) as run:
        run(LOAD)
        run("%chat a", "cell-a")
        run("%chat_switch --new idea", "switch")
        run("%chat b", "cell-b")
        run("%chat c", "cell-c")
        run("%chat_undo", "undo")
        for _ in range(2):  # the second time, nothing was asked in between
            said_again = run(again, "again")
            named = "Resumed analysis.ipynb, idea: 1 turn; %chat_reset starts afresh.\n"
            assert said_again == (named if path == NOTEBOOK else "")
        run("%chat_undo --restore", "restore")
        assert run.asked("%chat b, edited", "cell-b") == ["b, edited"]
        assert run.asked("%chat d", "cell-d") == ["b, edited", "c", "d"]
        run("%chat_switch main", "back")
        assert run.asked(f"{again}\n%chat e", "cell-e") == ["a", "e"]
    with kernel(path, saved=False) as run:
        run(LOAD)
        assert run.asked("%chat a", "cell-a") == ["a"]
        kept = ["e"] if path == NOTEBOOK and how != "in memory" else []
        assert run.asked("%chat f", "cell-f") == ["a", *kept, "f"]


def test_cells_that_ran_are_known_when_it_is_loaded_again_before_anything_was_asked(kernel):
    with kernel(saved=False) as run:
        run(LOAD)
        run("%chat a", "cell-a")
    with kernel(saved=False) as run:
        run(LOAD)
        run("None", "cell-a")  # it chats no more, but is there
        assert "Resumed analysis.ipynb: 1 turn;" in run("%reload_ext xcyq_magic", "again")


UNREADABLE = {
    "nothing": b"",
    "no JSON": b"{",
    "no notebook": b"[1, 2]",
    "odd cells": b'{"cells": [1, null, {"id": 5}, {"id": ["x"], "outputs": [{"data": 1}]}]}',
    "deep": b"[" * 100_000,
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_file_that_is_no_notebook_knows_nothing(kernel, tmp_path, what):
    said(kernel, "a")
    (tmp_path / NOTEBOOK).write_bytes(UNREADABLE[what])
    with kernel(saved=False) as run:
        assert "is set aside" in run(LOAD)
        assert run.asked("%chat b", "cell-b") == ["b"]


def test_a_pipe_in_place_of_the_file_keeps_nobody_waiting(kernel, tmp_path):
    said(kernel, "a")
    (tmp_path / NOTEBOOK).unlink()
    os.mkfifo(tmp_path / NOTEBOOK)
    with kernel(saved=False) as run:
        assert "is set aside" in run(LOAD)


def test_a_chat_that_began_without_a_cell_belongs_to_the_notebook_once_a_cell_runs(kernel):
    said(kernel, "a")
    with kernel() as run:
        run(LOAD, None)
        run("%chat_system Be brief.", None)
        assert "Resumed analysis.ipynb: 1 turn" in run("%chat b", "cell-b")
        assert run.asked("%chat c", "cell-c") == ["a", "b", "c"]
        assert "Be brief." in run("%chat_system")
    with kernel() as run:
        assert "Resumed analysis.ipynb: 3 turns" in run(LOAD)
        assert "Be brief." in run("%chat_system")


def test_a_chat_from_python_that_began_without_a_cell_belongs_to_the_notebook_too(kernel):
    """A callback, or a thread: it has no cell, and asks the session that the `Chat` found when it was made."""
    with kernel() as run:
        run(LOAD, None)
        run("from xcyq_magic import Chat\nchat = Chat(conversation='main')\nchat('a')", None)
        assert run.asked("chat('b')", "cell-b") == ["a", "b"]
    with kernel() as run:
        assert "2 turns" in run(LOAD)


def test_what_runs_within_a_notebook_is_not_taken_for_it(kernel):
    """A kernel that nbclient or papermill starts from a notebook inherits its name, but its cells have no ids."""
    said(kernel, "a")
    with kernel() as run:
        assert run(LOAD, None) == ""
        assert run.asked("%chat b", None) == ["b"]


@pytest.mark.parametrize("path", ["Console 1", "relative.ipynb"])
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


def test_a_damaged_file_is_set_aside_at_loading(kernel):
    path = Path(os.environ["IPYTHONDIR"], "profile_default", "xcyq_magic.sqlite")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"This is not a database. " * 500)
    with kernel() as run:
        assert "was set aside as xcyq_magic.sqlite.damaged-" in run(LOAD)
        run("%chat a", "cell-a")
    with kernel() as run:
        assert "Resumed analysis.ipynb: 1 turn" in run(LOAD)


def test_a_store_from_before_stores_were_marked_is_resumed(kernel, tmp_path):
    path = tmp_path / "chats.sqlite"
    said(kernel, "a", "b", ChatSettings={"store": str(path)})
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA application_id = 0")
        connection.execute(f"PRAGMA user_version = {UNMARKED}")
        for table in ("requests", "drafts", "checks"):  # they are younger
            connection.execute(f"DROP TABLE {table}")
        for column in ("here", "began"):
            connection.execute(f"ALTER TABLE cells DROP COLUMN {column}")
        connection.execute("ALTER TABLE conversations DROP COLUMN answered_at")
    with kernel(ChatSettings={"store": str(path)}) as run:
        assert "Resumed analysis.ipynb: 2 turns" in run(LOAD)
        assert run.asked("%chat c", "cell-c") == ["a", "b", "c"]


def test_the_list_names_the_notebook_first_by_its_path_from_here(kernel, tmp_path):
    for path in ("sub/other.ipynb", "beside.ipynb"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        with kernel(path) as run:
            run(LOAD)
            run("%chat a", f"cell-{path}")
    with kernel() as run:
        run(LOAD)
        run("%chat b", "cell-b")
        head, _, *rows = run("%chat_switch").splitlines()
    assert head.split("  ")[0] == "notebook"
    listed = dict(re.findall(r"^(\S+(?: \S+)*) +main .*?(here|)\s*$", "\n".join(rows), re.MULTILINE))
    assert listed == {"this one": "here", "beside.ipynb": "", str(Path("sub", "other.ipynb")): ""}


def test_without_a_notebook_a_conversation_of_an_ended_kernel_is_not_the_one_here(kernel, tmp_path):
    store = {"store": str(tmp_path / "kept.sqlite")}
    rows = []
    for prompt in "ab":
        with kernel(ChatSettings=store) as run:
            run(LOAD, None)
            run(f"%chat {prompt}", None)
            rows = run("%chat_switch", None).splitlines()[2:4]
    assert re.match(r"none, this kernel +main .*here", rows[0])
    assert re.match(r"none +main ", rows[1])
    assert "here" not in rows[1]
