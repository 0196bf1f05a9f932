"""`ChatSettings.store` names a file: whatever stands there that is not a store of ours stays as it is."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from files import at_once
from kernels import KEY
from shells import shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.store.schema import MIGRATIONS


@contextlib.contextmanager
def sqlite(path, *statements: str):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        yield connection


TABLE = ("CREATE TABLE t (a)", "INSERT INTO t VALUES (randomblob(9000))")


def written(*statements: str):
    def make(path):
        with sqlite(path, *statements):
            pass

    return make


@contextlib.contextmanager
def open_elsewhere(path):
    with sqlite(path, "PRAGMA journal_mode = WAL", *TABLE):
        yield


@contextlib.contextmanager
def locked(path):
    with sqlite(path, *TABLE, "BEGIN EXCLUSIVE"):
        yield


def mixed(path):
    """What the user's own database became before this was refused: it has our tables, too."""
    statements = [s for migration in MIGRATIONS[:2] for s in migration]
    written(*TABLE, *statements, "PRAGMA user_version = 2")(path)


def link(target: str):
    def make(path):
        beside = path.with_name("target")
        FOREIGN[target](beside)
        path.symlink_to(beside)

    return make


FOREIGN = {
    "a table": lambda path: path.write_text("a,b\n1,2\n"),
    "a long text": lambda path: path.write_text("This is not a database. " * 500),
    "one byte": lambda path: path.write_bytes(b"x"),
    "zeros": lambda path: path.write_bytes(bytes(8192)),
    "a notebook": lambda path: path.write_text('{"cells": []}'),
    "a database": written(*TABLE),
    "a database with a log": written("PRAGMA journal_mode = WAL", *TABLE),
    "a database of a named program": written("PRAGMA application_id = 252006674", *TABLE),
    "a database without tables": written("PRAGMA user_version = 2"),
    "half a database": lambda path: (FOREIGN["a database"](path), os.truncate(path, 5000)),
    "a database with our tables": mixed,
    "a database open elsewhere": open_elsewhere,
    "a locked database": locked,
    "a directory": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to a table": link("a table"),
    "a link to a database": link("a database"),
    "a link to a directory": link("a directory"),
    "a journal beside": lambda path: path.with_name(f"{path.name}-journal").write_text("Dear diary"),
    "a log beside": lambda path: path.with_name(f"{path.name}-wal").write_text("my log"),
    "an index beside": lambda path: path.with_name(f"{path.name}-shm").write_text("my index"),
    "a journal beside an empty file": lambda path: (path.touch(), FOREIGN["a journal beside"](path)),
    "a directory beside": lambda path: path.with_name(f"{path.name}-wal").mkdir(),
}


def seen(folder) -> dict:
    """The names, permissions, times and contents in a folder."""
    found = {}
    for path in sorted(folder.iterdir()):
        status = path.lstat()
        index = path.name.endswith("-shm") and path.with_name(path.name[:-4]).exists()  # locks, which are no content
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) and not index else None
        found[path.name] = (oct(status.st_mode), 0 if index else status.st_mtime_ns, content)
    return found


@pytest.fixture(params=FOREIGN)
def foreign(request, tmp_path):
    """A path that is not ours to use, in a folder of its own; what is there must not change."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "mine.sqlite"
    made = FOREIGN[request.param](path)
    with made if isinstance(made, contextlib.AbstractContextManager) else contextlib.nullcontext():
        before, mode = seen(folder), folder.stat().st_mode
        with at_once(20):
            yield path
        assert seen(folder) == before
        assert folder.stat().st_mode == mode


def test_what_is_not_ours_is_refused_by_config_at_once(foreign, run, sandbox, capsys, caplog):
    run("%chat one")
    run(f"%config ChatSettings.store = {str(foreign)!r}")
    assert str(foreign.name) in caplog.text  # IPython logs the refusal
    assert "%config ChatSettings.store" in caplog.text
    assert run("%config ChatSettings.store") == ""
    run("%chat two")
    assert "in memory" not in capsys.readouterr().out
    assert len(sandbox.received[-1].body["messages"]) == 3


@contextlib.contextmanager
def configured(store, sandbox, monkeypatch):
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    with shell_of(ChatSettings={"store": str(store)}) as shell:
        load_ipython_extension(shell)
        yield lambda code: shell.run_cell(code).raise_error()
        unload_ipython_extension(shell)


def test_what_is_not_ours_is_said_once_when_it_is_first_used(foreign, sandbox, monkeypatch, capsys):
    with configured(foreign, sandbox, monkeypatch) as run:
        run("%chat one")
        said = capsys.readouterr().out
        assert "The chat goes on in memory." in said
        assert foreign.name in said
        run("%chat two")
        run("%chat_history")
        assert "in memory" not in capsys.readouterr().out
        assert len(sandbox.received[-1].body["messages"]) == 3
        for _ in range(2):
            run("%chat")
            (line,) = [line for line in capsys.readouterr().out.splitlines() if "in memory" in line]
            assert foreign.name in line


def test_the_state_says_it_also_before_the_first_turn(sandbox, monkeypatch, capsys, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n")
    with configured(path, sandbox, monkeypatch) as run:
        run("%chat")
        assert capsys.readouterr().out.count("in memory") == 1
        path.unlink()
        run("%chat one")
        run("%chat")
        assert "in memory" not in capsys.readouterr().out  # it is kept now
    assert path.read_bytes().startswith(b"SQLite format 3\0")


def test_the_state_of_a_store_that_works_has_no_line_more(run, capsys, tmp_path):
    for store in (str(tmp_path / "kept.sqlite"), ":memory:", ""):
        run(f"%config ChatSettings.store = {store!r}")
        run("%chat")
        run("%chat one")
        run("%chat")
    assert "in memory" not in capsys.readouterr().out


GOOD = {
    "a new file": lambda path: None,
    "an empty file": lambda path: path.touch(0o644),
    "a link to an empty file": lambda path: (path.with_name("target").touch(0o640), path.symlink_to("target")),
    "empty files beside": lambda path: [path.with_name(f"{path.name}{s}").touch() for s in ("-wal", "-journal")],
}


@pytest.mark.parametrize("kind", GOOD)
def test_a_new_or_an_empty_file_becomes_a_store(kind, sandbox, monkeypatch, capsys, tmp_path):
    path = tmp_path / "folder" / "chats.sqlite"
    path.parent.mkdir()
    GOOD[kind](path)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    for count in (1, 3):  # the second time it is a store
        with configured(path, sandbox, monkeypatch) as run:
            run("%chat one")
            run("%chat_usage --all")
            assert f"{count // 2 + 1} " in capsys.readouterr().out
    assert "in memory" not in capsys.readouterr().out
    assert stat.S_IMODE(path.stat().st_mode) == mode
    with sqlite(path) as connection:
        assert connection.execute("SELECT count(*) FROM turns").fetchone() == (2,)


@pytest.mark.parametrize("store", ["~nobody-here/chats.sqlite", "a\0b", "\ud800"])
def test_what_is_no_path_is_refused_by_config(run, store, caplog):
    run(f"%config ChatSettings.store = {store!r}")
    assert "ChatSettings.store" in caplog.text
    assert run("%config ChatSettings.store") == ""
    run("%chat one")
