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
from xcyq_magic.store.schema import MIGRATIONS, UNMARKED_TABLES

MEDIA = "INSERT INTO media VALUES (?, ?)"
UNMARKED = next(n for n, statements in enumerate(MIGRATIONS) if "application_id" in statements[0])  # the last version


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


@pytest.mark.parametrize("at_our_place", [True, False])
def test_a_file_in_the_profile_is_closed_to_others_and_a_named_one_stays_as_its_owner_set_it(path, at_our_place):
    database = Database(path, at_our_place=at_our_place)
    put(database, "a")
    database.close()
    path.chmod(0o644)
    assert names(database) == ["a"]
    assert stat.S_IMODE(path.stat().st_mode) == (0o600 if at_our_place else 0o644)
    database.close()


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


def unmarked(path: Path, version: int) -> sqlite3.Connection:
    """A file as it was made before stores were marked, still open: all but its first page is in the log."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in [s for migration in MIGRATIONS[:version] for s in migration]:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute(MEDIA, ("a", b""))
    return connection


@pytest.mark.parametrize("state", ["closed", "open elsewhere", "killed", "in the profile, its index gone"])
@pytest.mark.parametrize("version", range(1, UNMARKED + 1))
def test_a_file_from_before_stores_were_marked_is_read_and_marked(path, state, version):
    if state == "killed" or "gone" in state:
        with contextlib.closing(unmarked(path.with_name("live"), version)):
            for suffix in ("", "-wal", *([] if "gone" in state else ["-shm"])):
                shutil.copy(path.with_name(f"live{suffix}"), f"{path}{suffix}")
        connection = None
    else:
        connection = unmarked(path, version)
        if state == "closed":
            connection.close()
    database = Database(path, at_our_place="profile" in state)
    database.check()
    assert names(database) == ["a"]
    put(database, "b")
    if connection:
        connection.close()
    database.close()
    assert path.read_bytes()[68:72] == b"xcyq"
    assert names(database) == ["a", "b"]
    database.close()


def test_a_new_file_is_marked_before_anything_is_in_it(path, database):
    names(database)
    assert path.read_bytes()[68:72] == b"xcyq"  # not only in the log
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"xcyq", "big"),)


READ = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(*connection.execute("SELECT sha256 FROM media"))
connection.close()
"""


def test_a_look_at_a_file_ends_no_lock_that_another_session_of_this_process_holds(path, database):
    put(database, "a")
    other = Database(path)
    other.check()
    names(other)
    other.close()
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, check=True)
    assert done.stdout == "('a',)\n"
    assert path.with_name(f"{path.name}-wal").exists()  # that process was not the last one
    put(database, "b")
    assert names(database) == ["a", "b"]


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
def nobody_writes(request):
    """A directory that this process cannot write to, also where it is root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(getattr(request, "param", 0o555))
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


@pytest.mark.parametrize("nobody_writes", [0o000], indirect=True)
def test_a_directory_that_cannot_be_entered(nobody_writes):
    database = Database(nobody_writes / "kept.sqlite")
    database.check()
    assert not database.exists
    with pytest.raises(StoreError, match="Permission denied"):
        put(database, "a")


@pytest.mark.parametrize("name", ["n" * 300, "a\0b", "\ud800"])
def test_a_name_that_no_file_can_have(tmp_path, name):
    database = Database(tmp_path / name)
    assert not database.exists
    with pytest.raises(StoreError, match="cannot be"):
        put(database, "a")
    assert list(tmp_path.iterdir()) == []


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


def damage(path: Path) -> None:
    """Overwrite the middle of every page but the first."""
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 4000] = b"\xa5" * 4000
    path.write_bytes(content)


def overwrite(path: Path) -> None:
    path.write_bytes(b"This is not a database. " * 500)


def unmark(path: Path) -> None:
    """Make it a file from before stores were marked, without the tables that came later."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if table not in UNMARKED_TABLES[-1]:
                connection.execute(f"DROP TABLE {table}")
        for column in ("here", "began"):
            connection.execute(f"ALTER TABLE cells DROP COLUMN {column}")
        connection.execute("ALTER TABLE conversations DROP COLUMN answered_at")
        connection.execute("PRAGMA application_id = 0")
        connection.execute(f"PRAGMA user_version = {UNMARKED}")


OURS_BEYOND_DOUBT = {
    "torn pages": damage,
    "torn pages of an unmarked one": lambda path: (unmark(path), damage(path)),
    "the first page alone": lambda path: os.truncate(path, 4096),
    "the header alone": lambda path: os.truncate(path, 100),
}
IN_DOUBT = {
    "another file": overwrite,
    "a byte": lambda path: path.write_bytes(b"x"),
    "half a header": lambda path: os.truncate(path, 60),
    "zeros": lambda path: path.write_bytes(bytes(8192)),
    "the header of an unmarked one": lambda path: (unmark(path), os.truncate(path, 100)),
}


@pytest.mark.parametrize(
    ("at_our_place", "how"),
    [(False, h) for h in OURS_BEYOND_DOUBT.values()]
    + [(True, h) for h in [*OURS_BEYOND_DOUBT.values(), *IN_DOUBT.values()]],
)
def test_a_damaged_file_is_set_aside_and_never_deleted(path, how, at_our_place):
    database = Database(path, at_our_place=at_our_place)
    put(database, "a", 10_000)
    database.close()
    how(path)
    was = path.read_bytes()
    with pytest.raises(StoreError, match="set aside as") as raised:
        put(database, "b")
    assert raised.value.replaced
    (aside,) = path.parent.glob("kept.sqlite.damaged-*")
    assert aside.read_bytes()[100:] == was[100:]  # in its header it may have been marked before
    put(database, "b")
    assert names(database) == ["b"]
    database.close()


@pytest.mark.parametrize("how", IN_DOUBT)
def test_a_damaged_file_that_may_be_another_ones_stays_as_it_is(path, database, how):
    put(database, "a", 10_000)
    database.close()
    IN_DOUBT[how](path)
    path.chmod(0o644)
    was = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match="left as it is") as raised:
            put(database, "b")
        assert not raised.value.replaced
        assert "ChatSettings.store" in raised.value.hint
    assert path.read_bytes() == was
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_another_programs_database_in_the_profile_stays_as_it_is(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
    path.chmod(0o644)
    was = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        put(Database(path, at_our_place=True), "a")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (was, 0o644)


def test_two_kernels_set_a_damaged_file_aside_once(path):
    overwrite(path)
    one, other = Database(path, at_our_place=True), Database(path, at_our_place=True)
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
