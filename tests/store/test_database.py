"""The file: who may read it, what several kernels do to it, and every way in which it can fail."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from xcyq_magic.errors import StoreError
from xcyq_magic.store.database import Database
from xcyq_magic.store.schema import MIGRATIONS

MEDIA = "INSERT INTO media VALUES (?, ?)"


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "kept.sqlite"


@pytest.fixture
def database(path):
    opened = Database(path)
    yield opened
    opened.close()


def put(database: Database, name: str, size: int = 1) -> None:
    with database.transaction() as execute:
        execute(MEDIA, name, bytes(size))


def names(database: Database) -> list[str]:
    return [name for (name,) in database.read("SELECT sha256 FROM media ORDER BY sha256")]


def test_only_the_owner_can_read_it(path, database):
    umask = os.umask(0)
    try:
        put(database, "a")
    finally:
        os.umask(umask)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    assert modes == dict.fromkeys(["kept.sqlite", "kept.sqlite-wal", "kept.sqlite-shm"], 0o600)


def test_a_file_that_others_can_read_is_closed_to_them(path, database):
    put(database, "a")
    database.close()
    path.chmod(0o644)
    assert names(database) == ["a"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_written_before_it_is_used(path, database):
    assert not database.exists
    assert not path.exists()


def test_a_transaction_takes_effect_whole_or_not_at_all(database):
    put(database, "a")

    def fail() -> None:
        with database.transaction() as execute:
            execute(MEDIA, "b", b"")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names(database) == ["a"]
    put(database, "c")
    assert names(database) == ["a", "c"]


def test_in_memory_nothing_reaches_the_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    database = Database(None)
    put(database, "a")
    assert names(database) == ["a"]
    assert list(tmp_path.iterdir()) == []
    database.close()


def test_threads_take_turns(database):
    threads = [threading.Thread(target=lambda n=n: [put(database, f"{n}-{k}") for k in range(20)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(database)) == 80


# Versions


def test_an_older_file_is_brought_to_the_newest_version(path, database):
    put(database, "a")
    database.close()
    newer = Database(path, [*MIGRATIONS, ("ALTER TABLE media ADD COLUMN kind TEXT", "UPDATE media SET kind = 'png'")])
    assert newer.read("SELECT sha256, kind FROM media") == [("a", "png")]
    assert newer.read("PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]
    newer.close()
    with pytest.raises(StoreError, match="newer xcyq_magic") as raised:
        names(database)
    assert "pip install -U" in raised.value.hint


def test_a_migration_that_fails_leaves_the_file_as_it_was(path, database):
    put(database, "a")
    database.close()
    broken = Database(path, [*MIGRATIONS, ("ALTER TABLE media ADD COLUMN kind TEXT", "UPDATE none SET kind = 1")])
    with pytest.raises(StoreError, match="no such table"):
        names(broken)
    assert names(database) == ["a"]


# Failures


def test_a_full_disk_costs_only_what_was_to_be_written(database):
    put(database, "a")
    (pages,) = database.read("PRAGMA page_count")[0]
    database.read(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match="full"):
        put(database, "b", 100_000)
    assert names(database) == ["a"]
    put(database, "c")  # opened anew, without the bound
    assert names(database) == ["a", "c"]


def test_a_write_that_the_system_refuses_costs_only_what_was_to_be_written(database):
    put(database, "a")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"disk I/O error|full"):
            put(database, "b", 1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    put(database, "c")
    assert names(database) == ["a", "c"]


@pytest.fixture
def nobody_writes():
    """A directory that this process cannot write to, also where it is root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    with contextlib.ExitStack() as stack:
        if os.geteuid() == 0:
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)
        yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_directory_that_cannot_be_written_to(nobody_writes):
    database = Database(nobody_writes / "kept.sqlite")
    with pytest.raises(StoreError, match="Permission denied"):
        put(database, "a")


def test_a_path_that_is_none():
    with pytest.raises(StoreError, match="/dev/null"):
        put(Database(Path("/dev/null/kept.sqlite")), "a")


def test_a_locked_file_is_waited_for_and_then_given_up(path, database):
    put(database, "a")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="keeps it locked"):
        put(database, "b")
    assert names(database) == ["a"]  # reading needs no lock
    with pytest.raises(StoreError, match="keeps it locked"):
        put(database, "b")
    other.execute("ROLLBACK")
    other.close()
    put(database, "b")
    assert names(database) == ["a", "b"]


def damage(path: Path) -> bytes:
    """Overwrite the middle of every page but the first."""
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 4000] = b"\xa5" * 4000
    path.write_bytes(content)
    return bytes(content)


@pytest.mark.parametrize("how", ["no database", "torn pages"])
def test_a_damaged_file_is_set_aside_and_never_deleted(path, database, how):
    put(database, "a", 10_000)
    database.close()
    if how == "no database":
        path.write_bytes(b"This is not a database. " * 500)
    else:
        damage(path)
    was = path.read_bytes()
    with pytest.raises(StoreError, match="set aside as") as raised:
        put(database, "b")
    assert raised.value.replaced
    (aside,) = path.parent.glob("kept.sqlite.damaged-*")
    assert aside.read_bytes() == was
    put(database, "b")
    assert names(database) == ["b"]


def test_two_kernels_set_a_damaged_file_aside_once(path):
    path.write_bytes(b"This is not a database. " * 500)
    one, other = Database(path), Database(path)
    with pytest.raises(StoreError):
        put(one, "a")
    put(one, "a")
    put(other, "b")
    assert names(one) == names(other) == ["a", "b"]
    one.close()
    other.close()


def test_a_file_that_was_deleted_meanwhile_begins_anew(path, database):
    put(database, "a")
    before = database.identity
    for file in path.parent.iterdir():
        file.unlink()
    put(database, "b")
    assert names(database) == ["b"]
    assert database.identity != before


OPEN_AND_WRITE = """
import sys
from pathlib import Path
from xcyq_magic.store.database import Database
database = Database(Path(sys.argv[1]))
sys.stdin.readline()
for n in range(25):
    with database.transaction() as execute:
        execute("INSERT INTO media VALUES (?, ?)", f"{sys.argv[2]}-{n}", b"")
"""


def test_processes_that_open_a_new_file_at_once_do_not_meet_a_lock(path, database):
    command = [sys.executable, "-c", OPEN_AND_WRITE, str(path)]
    running = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for n in range(4)
    ]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [p.communicate(timeout=60)[1] for p in running] == [""] * 4
    assert len(names(database)) == 100


def test_a_file_that_was_closed_for_good_is_opened_for_a_call_and_let_go_at_its_end(path):
    database = Database(path)
    database.close(for_good=True)
    with database.transaction() as execute:
        execute("CREATE TABLE words (word TEXT)")
        database.read("SELECT 1 FROM file")  # within the other call
        execute("INSERT INTO words VALUES ('kept')")
    assert not path.with_name(f"{path.name}-wal").exists()
    assert database.read("SELECT word FROM words") == [("kept",)]
    assert not path.with_name(f"{path.name}-wal").exists()
