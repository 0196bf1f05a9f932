"""The tables, as migrations: each takes a file from one version to the next. The first stays as it is for ever.

A turn is written once and never changed. A conversation is a list of places, which name turns: a fork shares
them, and what is taken back or replaced leaves its place and stays in the file.
"""

from __future__ import annotations

# "xcyq", in the header of our files: https://www.sqlite.org/fileformat.html#application_id
APPLICATION_ID = 0x78637971

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
)

# The tables of a file that has no application id yet, in the versions that there were.
_FIRST = {"file", "conversations", "notebooks", "turns", "places", "media"}
UNMARKED_TABLES = (_FIRST, _FIRST | {"cells"})
