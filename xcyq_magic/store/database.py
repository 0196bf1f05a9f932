"""A SQLite file that several kernels share. The only module that imports sqlite3.

What fails here is a `StoreError`, and never costs more than what it was about to write: a transaction is there whole or
not at all, and the next call opens the file anew. What is another program's is not opened. A damaged file is set aside,
never deleted, if it is ours beyond doubt.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.errors import SettingError, StoreError
from xcyq_magic.store.forks import PerProcess, let_go_at_forks
from xcyq_magic.store.schema import (
    ANOTHER,
    APPLICATION_ID,
    MIGRATIONS,
    check_path,
    identity_of,
    is_store,
    make_file,
    move_aside,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Row: TypeAlias = tuple[Any, ...]
Execute: TypeAlias = "Callable[..., list[Row]]"  # a statement and its parameters; returns the rows

IN_MEMORY = ":memory:"
FILE = "xcyq_magic.sqlite"
_BUSY_S = 4.0  # to wait for another kernel's transaction
_BUSY_AGAIN_S = 0.2  # after having waited in vain
# https://www.sqlite.org/rescode.html; their names are attributes of the error from Python 3.11 on only.
_DAMAGED = ("malformed", "not a database")
_LOCKED = ("locked", "busy")
# What says that a value can never be written: SQLite's words for it, and Python's on the way from a value to a row.
_REFUSALS = (
    *(sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError),
    *(OverflowError, TypeError, ValueError, AttributeError, RecursionError),
)


class Database:
    """A file with our tables; opened when first used.

    Parameters
    ----------
    path
        The file; None keeps all in memory.
    migrations
        The statements that lead from each version to the next.
    at_our_place
        Whether nobody else has a reason to put a file there, as in the profile: it is ours whatever is left of it.

    Attributes
    ----------
    identity
        What tells the file that was opened last from any other: what was written to another is not in this one.
    """

    def __init__(
        self, path: Path | None, migrations: Sequence[Sequence[str]] = MIGRATIONS, *, at_our_place: bool = False
    ) -> None:
        self.path = path
        self._at_our_place = at_our_place
        self.identity = ""
        self._migrations = migrations
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._lock = PerProcess(threading.RLock)
        self._busy_s = _BUSY_S
        self._done = False
        self._under_way = 0  # calls, one within the other
        let_go_at_forks(self)

    @property
    def exists(self) -> bool:
        """Whether there is anything in it to read."""
        return self._connection is not None if self.path is None else identity_of(self.path) is not None

    def read(self, sql: str, *parameters: object) -> list[Row]:
        """The rows that a query gives.

        Raises
        ------
        StoreError
            The file cannot be read.
        """
        with self._lock.get(), self._explained():
            return self._open().execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Statements that take effect together, at the end, or not at all.

        Raises
        ------
        StoreError
            They took no effect.
        """
        with self._lock.get(), self._explained():
            connection = self._open()
            with _transaction(connection):
                yield lambda sql, *parameters: connection.execute(sql, parameters).fetchall()

    def try_to_write(self, write: Callable[[Execute], None]) -> bool:
        """Do as `transaction` does, unless another program is writing now; return whether it was done.

        Raises
        ------
        StoreError
            The file cannot be used. Nothing took effect.
        """
        with self._lock.get(), self._explained():
            connection = self._open()
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                with _transaction(connection):
                    write(lambda sql, *parameters: connection.execute(sql, parameters).fetchall())
            except sqlite3.OperationalError as e:
                if not any(word in str(e) for word in _LOCKED):
                    raise
                return False
            finally:
                connection.execute(f"PRAGMA busy_timeout = {self._busy_s * 1000:.0f}")
            return True

    def check(self) -> None:
        """Look at what stands at the path, and change nothing.

        Raises
        ------
        StoreError
            It is not ours to open. What cannot be told now, such as of a locked file, is told when it is opened.
        """
        with self._lock.get(), contextlib.suppress(OSError, sqlite3.Error):
            self._check()

    def close(self, *, for_good: bool = False) -> None:
        """Let the file go; the next call opens it again, and lets it go at its end if this is `for_good`."""
        with self._lock.get():
            self._done = self._done or for_good
            connection, self._connection = self._connection, None
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()

    def hold(self) -> None:
        """Let the file go, and let no thread open it, until `release`. What is in memory alone stays."""
        self._lock.get().acquire()
        if self.path is not None:
            self.close()

    def release(self) -> None:
        """End `hold`."""
        self._lock.get().release()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self.path is not None and identity_of(self.path) != self._inode:
            self.close()  # somebody moved or deleted the file: what we write there, nobody would find
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _check(self) -> None:
        path = self.path
        if path is None or not check_path(path):
            return
        what = "a database of another program"
        try:
            with _looking_at(path, self._busy_s, at_our_place=self._at_our_place) as execute:
                ours = is_store(execute, at_our_place=self._at_our_place)
        except sqlite3.DatabaseError as e:
            if self._at_our_place or not _is_damage(e):
                raise
            ours, what = False, "not a store of xcyq_magic, or damaged beyond recognition"
        if not ours:
            msg = f"{path} is {what}; it was left as it is."
            raise StoreError(msg, ANOTHER)

    def _connect(self) -> sqlite3.Connection:
        if self.path is not None:
            self._inode = identity_of(self.path)
            self._check()
            make_file(self.path, at_our_place=self._at_our_place)
        # Threads take turns by our lock. Transactions are ours: the module would begin them late.
        file = self.path or IN_MEMORY
        connection = sqlite3.connect(file, timeout=self._busy_s, isolation_level=None, check_same_thread=False)
        try:
            self._inode = identity_of(self.path) if self.path else None
            if not connection.execute("PRAGMA page_count").fetchone()[0]:
                # Before all else, and not into the log: whoever looks at the file alone sees whose it is.
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            _write_ahead(connection, time.monotonic() + self._busy_s)
            migrate(connection, self._migrations)
            name = connection.execute("SELECT identity FROM file").fetchone()[0]
            self.identity = f"{name} {self._inode}"  # a copy has the name of its original
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite or the file system says into a `StoreError`."""
        self._under_way += 1
        try:
            yield
        except (sqlite3.Error, OSError) as e:
            raise self._explain(e) from None
        finally:
            self._under_way -= 1
            if self._done and not self._under_way:
                self.close()
        self._busy_s = _BUSY_S

    def _explain(self, error: Exception) -> StoreError:
        self.close()
        said = str(error) or type(error).__name__
        if _is_damage(error):
            return self._set_aside()
        if any(word in said for word in _LOCKED):
            self._busy_s = _BUSY_AGAIN_S
            said = "another program keeps it locked"
        return StoreError(f"{self.path} cannot be used ({said}).")

    def _set_aside(self) -> StoreError:
        """Move the damaged file away, so that a new one can begin."""
        path = self.path
        if path is None or identity_of(path) != self._inode:
            return StoreError(f"{path} was damaged, and has been replaced meanwhile.", replaced=True)
        try:
            self._check()  # somebody may have overwritten it
        except StoreError as e:
            return e
        except (OSError, sqlite3.Error) as e:
            if not self._at_our_place:
                return StoreError(f"{path} is damaged; it was left as it is ({e}).", ANOTHER)
        try:
            aside = move_aside(path)
        except OSError as e:
            return StoreError(f"{path} is damaged, and cannot be moved out of the way ({e.strerror}).")
        return StoreError(f"{path} is damaged. It was set aside as {aside.name}, and a new one begins.", replaced=True)


def _is_damage(error: Exception) -> bool:
    return isinstance(error, sqlite3.DatabaseError) and any(word in str(error) for word in _DAMAGED)


@contextlib.contextmanager
def _looking_at(path: Path, busy_s: float, *, at_our_place: bool) -> Iterator[Callable[[str], list[Row]]]:
    """Look into a database without changing it or creating a file beside it, but for the log's index `at_our_place`.

    With `immutable`, SQLite reads the file alone; without, also a log that an open or a killed program has left.
    """
    log = Path(f"{path}-wal")
    by_log = log.is_file() and log.stat().st_size and (at_our_place or Path(f"{path}-shm").exists())
    uri = f"{path.absolute().as_uri()}?mode=ro{'' if by_log else '&immutable=1'}"
    with contextlib.closing(sqlite3.connect(uri, timeout=busy_s, uri=True)) as connection:
        connection.execute("PRAGMA writable_schema = ON")  # it is what has SQLite read the header of a truncated file
        if not connection.execute("PRAGMA page_count").fetchone()[0]:  # a file of a byte, which SQLite takes for empty
            raise sqlite3.DatabaseError(_DAMAGED[-1])
        yield lambda sql: connection.execute(sql).fetchall()


@contextlib.contextmanager
def together(execute: Execute, what: str) -> Iterator[None]:
    """Let statements of a transaction take effect together, or not at all; either way, the transaction goes on.

    Parameters
    ----------
    execute
        The transaction's.
    what
        What they write, for the error.

    Raises
    ------
    StoreError
        One of their values can never be written: the error is `refused`. Any other failure ends the transaction.
    """
    execute("SAVEPOINT together")
    try:
        yield
    except _REFUSALS as e:
        execute("ROLLBACK TO together")
        execute("RELEASE together")
        msg, hint = f"{what} cannot be kept ({e}).", "It stays in this kernel's memory only; later changes are saved."
        raise StoreError(msg, hint, refused=True) from None
    execute("RELEASE together")


def migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]]) -> None:
    """Bring the tables to the newest version, in one transaction.

    Raises
    ------
    StoreError
        The file is of a version that does not exist yet.
    """
    newest = len(migrations)
    if _version(connection) == newest:
        return
    with _transaction(connection):
        version = _version(connection)  # another kernel may have been faster
        if version > newest:
            msg = f"What is kept was written by a newer xcyq_magic (version {version} of its tables)."
            raise StoreError(msg, "%pip install -U xcyq-magic, and restart the kernel.")
        for statements in migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {newest}")  # a pragma takes no parameters


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE: a transaction that begins by reading cannot wait for another writer, it fails at once.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _write_ahead(connection: sqlite3.Connection, until: float) -> None:
    """Let readers and one writer work at once; a killed kernel then loses nothing that was committed.

    Where several kernels open a new file at once, this one statement does not wait by itself.
    """
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as e:
            if not any(word in str(e) for word in _LOCKED) or time.monotonic() > until:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def open_database(setting: str, folder: Path | None) -> Database:
    """The database that ``ChatSettings.store`` names.

    Parameters
    ----------
    setting
        A path, ``:memory:``, or ``""`` for the file in `folder`.
    folder
        The profile's directory; None where there is none, and then nothing is kept by default.

    Raises
    ------
    SettingError
        It is no path.
    """
    if setting == IN_MEMORY or not (setting or folder):
        return Database(None)
    if not setting:
        return Database(Path(folder or "") / FILE, at_our_place=True)
    try:
        return Database(Path(setting).expanduser())
    except RuntimeError as e:  # ~somebody, who has no home here
        msg = f"ChatSettings.store = {setting!r} cannot be used: {e}."
        raise SettingError(msg, 'Write the path without ~, or ":memory:".') from None
