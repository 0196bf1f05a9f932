"""The store's file: the tables in it, and before SQLite opens it, whether it is ours to open and who may read it.

The tables are migrations: each takes a file from one version to the next. The first stays as it is for ever. A turn is
written once and never changed. A conversation is a list of places, which name turns: a fork shares them, and what is
taken back or replaced leaves its place and stays in the file.

SQLite takes what it is given. It adds tables to any database, takes a file of one byte for an empty one, and deletes or
overwrites what stands beside a new one under the names of its own files.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

from xcyq_magic.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

# "xcyq", in the header of our files: https://www.sqlite.org/fileformat.html#application_id
APPLICATION_ID = 0x78637971


def _counted(tokens: str) -> str:
    return _number(f"$.usage.{tokens}_tokens", "('integer')")


def _seconds(name: str) -> str:
    return _number(f"$.{name}", "('integer', 'real')")


def _number(path: str, types: str) -> str:
    """Return SQL for a number of a turn's completion; NULL for what is none."""
    return f"CASE WHEN json_type(completion, '{path}') IN {types} THEN json_extract(completion, '{path}') END"


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE file (identity TEXT NOT NULL)",
        "INSERT INTO file VALUES (lower(hex(randomblob(16))))",
        """
        CREATE TABLE conversations (
            id TEXT PRIMARY KEY,
            notebook TEXT,              -- its absolute path; NULL for one that lives with its kernel
            name TEXT NOT NULL,
            model TEXT,                 -- as chosen for it; NULL leaves it to the settings
            system TEXT,
            created_at REAL NOT NULL,   -- Unix seconds, here and below
            changed_at REAL NOT NULL,
            set_aside INTEGER NOT NULL DEFAULT 0   -- 1: its name is another one's now
        )
        """,
        "CREATE UNIQUE INDEX conversations_by_name ON conversations (notebook, name) WHERE NOT set_aside",
        "CREATE INDEX conversations_by_change ON conversations (changed_at)",
        "CREATE TABLE notebooks (path TEXT PRIMARY KEY, current TEXT NOT NULL REFERENCES conversations)",
        """
        CREATE TABLE turns (
            id TEXT PRIMARY KEY,
            asked_at REAL NOT NULL,
            model TEXT NOT NULL,        -- the one that was asked
            prompt TEXT NOT NULL,       -- JSON, with media by hash
            completion TEXT NOT NULL,   -- JSON: text, usage, timings, finish reason
            system TEXT,
            parameters TEXT NOT NULL,   -- JSON: what the user set
            request TEXT                -- SHA-256 of the whole request
        )
        """,
        "CREATE INDEX turns_by_request ON turns (request, asked_at) WHERE request IS NOT NULL",
        """
        CREATE TABLE places (
            conversation TEXT NOT NULL REFERENCES conversations,
            position INTEGER NOT NULL,
            turn TEXT NOT NULL REFERENCES turns,
            cell_id TEXT,
            PRIMARY KEY (conversation, turn)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX places_in_order ON places (conversation, position)",
        "CREATE TABLE media (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL)",
    ),
    (
        # The cells that a conversation was changed in: a notebook goes on with it if it has one of them. From here on,
        # `set_aside` is 2 where another notebook is at the conversation's path.
        """
        CREATE TABLE cells (
            cell_id TEXT NOT NULL,
            conversation TEXT NOT NULL REFERENCES conversations,
            PRIMARY KEY (cell_id, conversation)
        ) WITHOUT ROWID
        """,
        "INSERT OR IGNORE INTO cells SELECT cell_id, conversation FROM places WHERE cell_id IS NOT NULL",
        "CREATE INDEX places_by_turn ON places (turn)",
    ),
    # When a turn was taken from a comparison; 0 for one that was asked in its conversation.
    ("ALTER TABLE turns ADD COLUMN kept_at REAL NOT NULL DEFAULT 0",),
    (f"PRAGMA application_id = {APPLICATION_ID}",),  # a new file has it before its first table
    (
        # What came so far of replies that are on their way; their turns take the place of these.
        """
        CREATE TABLE drafts (
            turn TEXT PRIMARY KEY,
            conversation TEXT NOT NULL,
            cell_id TEXT,
            record TEXT NOT NULL        -- JSON of the turn
        ) WITHOUT ROWID
        """,
    ),
    (
        # What the checks of pools saw.
        """
        CREATE TABLE checks (
            gateway TEXT NOT NULL,      -- its address, or sandbox
            model TEXT NOT NULL,
            at REAL NOT NULL,
            figures TEXT NOT NULL,      -- JSON: seconds, tokens a second, a ratio of tokens
            kept TEXT NOT NULL          -- JSON: what was as it should be
        )
        """,
        "CREATE INDEX checks_by_model ON checks (gateway, model, at)",
    ),
    (
        # The ledger. What is NULL is not known.
        """
        CREATE TABLE requests (
            id TEXT PRIMARY KEY,
            asked_at REAL NOT NULL,
            kernel TEXT NOT NULL,       -- the process that sent it, and its session
            notebook TEXT,
            kind TEXT NOT NULL,         -- turn, once, column, judge, row, …
            model TEXT NOT NULL,        -- the one that was asked
            answered_by TEXT NOT NULL,
            prompt_tokens INTEGER,
            completion_tokens INTEGER,
            cached_tokens INTEGER,      -- of the prompt
            reasoning_tokens INTEGER,   -- of the completion
            cost REAL,                  -- at the price of then
            estimate REAL,              -- of the cost, before it was sent
            first_token_s REAL,
            duration_s REAL NOT NULL,
            ended TEXT                  -- done, stopped, failed; NULL while it is on its way
        ) WITHOUT ROWID
        """,
        # What was kept until now counts, too, each reply once: two never take the same time to the last digit, so what
        # is equal was taken from the store or a file again.
        f"""
        INSERT INTO requests
        SELECT id, asked_at, '',
            (SELECT notebook FROM places JOIN conversations ON conversation = conversations.id WHERE turn = turns.id),
            CASE WHEN EXISTS (SELECT 1 FROM places WHERE turn = turns.id) THEN 'turn' ELSE 'earlier' END,
            model, coalesce(nullif(json_extract(completion, '$.model'), ''), model),
            {", ".join(map(_counted, ("prompt", "completion", "cached", "reasoning")))},
            NULL, NULL, {_seconds("first_token_s")}, coalesce({_seconds("duration_s")}, 0),
            CASE json_extract(completion, '$.partial') WHEN 'stopped' THEN 'stopped' WHEN 'incomplete' THEN 'failed'
                ELSE 'done' END
        FROM turns
        WHERE json_valid(completion) AND model != '' AND json_extract(completion, '$.cached') IS NOT 1
        GROUP BY model, json_extract(completion, '$.usage', '$.first_token_s', '$.duration_s', '$.model')
        HAVING asked_at = min(asked_at)
        """,  # noqa: S608  # our own names
        "CREATE INDEX requests_by_time ON requests (asked_at)",
    ),
    (
        # Whether the notebook was in the conversation when the cell ran last, and whether the cell began it.
        "ALTER TABLE cells ADD COLUMN here INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE cells ADD COLUMN began INTEGER NOT NULL DEFAULT 0",
        # Whether it went to the sandbox: it costs nothing then.
        "ALTER TABLE requests ADD COLUMN offline INTEGER NOT NULL DEFAULT 0",
        # The address that answered last, or sandbox; NULL where it is not known.
        "ALTER TABLE conversations ADD COLUMN answered_at TEXT",
    ),
)

# The tables of a file that has no application id yet, in the versions that there were.
_FIRST = {"file", "conversations", "notebooks", "turns", "places", "media"}
UNMARKED_TABLES = (_FIRST, _FIRST | {"cells"})
ANOTHER = 'Name a new file: %config ChatSettings.store = "chats.sqlite", or "" for the one in the profile.'
_BESIDE = ("-wal", "-shm", "-journal")
# With what they begin, unless it is zeros: https://www.sqlite.org/fileformat.html, https://www.sqlite.org/walformat.html.
_BEGINNINGS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", struct.pack("=I", 3_007_000), b"\xd9\xd5\x05\xf9")
_OTHERS_MAY_READ = 0o077


def check_path(path: Path) -> bool:
    """Return whether there is something in the file `path`, whosever it is; not, if it is empty or not there yet.

    Raises
    ------
    StoreError
        It is no file, or a new one would cost another file beside it.
    OSError
        It cannot be looked at.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        status = None
    except ValueError as e:
        msg = f"{path} cannot be the path of a file: {e}."
        raise StoreError(msg, ANOTHER) from None
    if status is not None and not stat.S_ISREG(status.st_mode):
        what = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
        msg = f"{path} is {what}; conversations are kept in a file."
        raise StoreError(msg, ANOTHER)
    if status is not None and status.st_size:
        return True
    for beside in (Path(f"{path}{suffix}") for suffix in _BESIDE):
        if not _may_go(beside):
            msg = f"{path} cannot be a new store: SQLite would overwrite {beside.name}, which is there already."
            raise StoreError(msg, ANOTHER)
    return False


def _may_go(beside: Path) -> bool:
    """Return whether nothing of another program's is in a file that SQLite is about to overwrite."""
    try:
        if not stat.S_ISREG(beside.stat().st_mode):
            return False
        with beside.open("rb") as file:
            beginning = file.read(4)
    except FileNotFoundError:
        return True
    return beginning in _BEGINNINGS or not any(beginning)


def is_store(execute: Callable[[str], list[tuple[object, ...]]], *, at_our_place: bool) -> bool:
    """Return whether a database is a store of ours: by its header, or, if it is from before that, by its tables.

    Parameters
    ----------
    execute
        Returns the rows of a statement, and changes nothing.
    at_our_place
        Whether one without tables is ours, too.
    """
    if execute("PRAGMA application_id") == [(APPLICATION_ID,)]:
        return True
    tables = {name for (name,) in execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    tables = {name for name in tables if not str(name).startswith("sqlite_")}
    return tables in UNMARKED_TABLES or (at_our_place and not tables)


def make_file(path: Path, *, at_our_place: bool) -> None:
    """Create the file, unless it is there. One that is new, or `at_our_place`, only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        # An existing file is not opened here: closing it would end the locks that another session of ours holds.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    mode = path.stat().st_mode  # fails for a link to nowhere
    if at_our_place and mode & _OTHERS_MAY_READ:
        path.chmod(mode & 0o700)


def move_aside(path: Path) -> Path:
    """Move a damaged file out of the way, with what SQLite has beside it, and return its new path."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    for suffix in ("", *_BESIDE):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")  # noqa: PTH105  # a name with a suffix
    return aside


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one of its name; None if there is none, or none that can be reached."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
