"""Which conversations are kept. Light to import: ``%load_ext`` asks this much and no more."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.given import moment

if TYPE_CHECKING:
    from xcyq_magic.store.database import Database, Row

MAIN = "main"  # the conversation that every notebook begins with
DISPLACED = 2  # `set_aside` of a conversation whose notebook is not the one at its path any more


def new_id() -> str:
    """Return a conversation's id: short enough to be typed, long enough to be the only one."""
    return base64.b32encode(secrets.token_bytes(5)).decode("ascii").lower()


@dataclass(frozen=True)
class Summary:
    """A kept conversation at a glance.

    Attributes
    ----------
    id
        Its name in the database.
    notebook
        The path of its notebook; None for one that lived with its kernel.
    name
        What the user calls it.
    turns
        How many it has.
    last_turn_at
        When its last turn was asked, in Unix seconds; 0 where that is not known, or there is none.
    set_aside
        Whether its name is another one's now.
    displaced
        Whether that is so because another notebook is at its notebook's path.
    model
        The model that was chosen for it; None for that of the settings.
    has_system
        Whether it has a system prompt.
    """

    id: str
    notebook: str | None
    name: str
    turns: int
    last_turn_at: float
    set_aside: bool = False
    displaced: bool = False
    model: str | None = None
    has_system: bool = False

    @property
    def resumed(self) -> str:
        """The conversation, and what was set for it: that holds for what is asked from now on."""
        system = ", with a system prompt" if self.has_system else ""
        return f"Resumed {self}{f', model {self.model}' if self.model else ''}{system}"

    def __str__(self) -> str:
        """Such as ``analysis.ipynb: 6 turns``, with the conversation's name if it is not the first one's."""
        where = os.path.basename(self.notebook) if self.notebook else self.name  # noqa: PTH119  # a str
        what = f", {self.name}" if self.notebook and self.name != MAIN else ""
        return f"{where}{what}: {self.turns} turn{'s' * (self.turns != 1)}"


_QUERY = (
    "SELECT conversations.id, notebook, name, (SELECT count(*) FROM places WHERE conversation = conversations.id),"
    " (SELECT asked_at FROM places JOIN turns ON turn = turns.id WHERE conversation = conversations.id"
    " ORDER BY position DESC LIMIT 1), set_aside, model, coalesce(system, '') <> '' FROM conversations"
)


def column(text: str | None) -> Any:  # noqa: ANN401  # str or None, as it came
    """`text` as SQLite takes it: a path of another encoding holds halves of characters."""
    if not isinstance(text, str):
        return text  # None; anything else is SQLite's to refuse
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def current(database: Database, notebook: str) -> Summary | None:
    """The conversation that `notebook` was in last; None if it has none.

    This and what follows raises `StoreError` where the database cannot be read.
    """
    found = select(
        database,
        "JOIN notebooks ON current = conversations.id AND notebook = path WHERE path = ? AND NOT set_aside",
        column(notebook),
    )
    return found[0] if found else None


def latest(database: Database, notebook: str | None, others: int) -> list[Summary]:
    """All conversations of `notebook`, and the latest `others` that have turns; the latest first."""
    mine = select(database, "WHERE notebook = ? ORDER BY changed_at DESC", column(notebook or ""))
    rest = select(
        database,
        "WHERE notebook IS NOT ? AND EXISTS (SELECT 1 FROM places WHERE conversation = conversations.id)"
        " ORDER BY changed_at DESC LIMIT ?",
        column(notebook or ""),
        others,
    )
    return mine + rest


def ran_in(database: Database, notebook: str) -> dict[str, str]:
    """Return the names of the conversations that a notebook was in when its cells ran last, by their ids."""
    query = "SELECT cell_id, name FROM cells JOIN conversations ON conversation = id WHERE notebook = ? AND here"
    return {str(cell_id): str(name) for cell_id, name in database.read(query, column(notebook))}


def begun_by(database: Database, notebook: str, cell_id: str) -> list[str]:
    """Return the names of the conversations of a notebook that a cell began, the latest first."""
    rows = database.read(
        "SELECT name FROM cells JOIN conversations ON conversation = id WHERE notebook = ? AND cell_id = ? AND began"
        " ORDER BY created_at DESC",
        column(notebook),
        column(cell_id),
    )
    return [str(name) for (name,) in rows]


def select(database: Database, which: str, *parameters: object) -> list[Summary]:
    """Return the conversations that the SQL `which` chooses, with its `parameters`."""
    return [_summary(row) for row in database.read(f"{_QUERY} {which}", *parameters)] if database.exists else []


def _summary(row: Row) -> Summary:
    identifier, notebook, name, turns, asked_at, set_aside, model, has_system = row
    aside = bool(set_aside), set_aside == DISPLACED
    return Summary(identifier, notebook, name, turns, moment(asked_at), *aside, model, bool(has_system))
