"""Which kept conversations a notebook goes on with: those that it has cells or outputs of.

A path is no proof of that: a new notebook may stand where another one stood, and a renamed one stands elsewhere. What
a notebook's file keeps are the ids of its cells
(https://nbformat.readthedocs.io/en/latest/format_description.html#cell-ids) and, in its outputs, the ids of turns.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.settled import TURN_MIME
from xcyq_magic.store.summaries import DISPLACED, column, current, new_id, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xcyq_magic.store.database import Database, Execute
    from xcyq_magic.store.summaries import Summary

_MOST_BYTES = 256 * 2**20  # of a notebook's file; a larger one is not looked into


@dataclass(frozen=True)
class Contents:
    """The ids of a notebook's cells, and those of the turns in its outputs."""

    cells: frozenset[str] = frozenset()
    turns: frozenset[str] = frozenset()


@dataclass
class Notebook:
    """A notebook, and what tells it from another one at the same path.

    Attributes
    ----------
    path
        Its absolute path.
    running
        Returns the id of the cell that is running; None where cells have none.
    ran
        The ids of the cells that ran in this kernel: the file may not have them yet.
    """

    path: str
    running: Callable[[], str | None] = lambda: None
    ran: set[str] = field(default_factory=set)

    def contents(self) -> Contents:
        """Return what is known now of the cells and outputs in it."""
        held, running = contents(self.path), self.running()
        return Contents(held.cells | self.ran | ({running} if running else set()), held.turns)


def contents(path: str) -> Contents:
    """Return the ids in a notebook's file; none where it cannot be read."""
    try:
        # Without waiting: a named pipe may stand there, which nobody writes to.
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(file, encoding="utf-8") as text:  # noqa: PTH123  # a descriptor
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
                return Contents()
            cells = json.load(text)["cells"]
        ids = (cell.get("id") for cell in cells)
        return Contents(frozenset(i for i in ids if isinstance(i, str)), frozenset(_turns(cells)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Contents()


def _turns(cells: Sequence[Any]) -> Iterator[str]:
    for cell in cells:
        for output in cell.get("outputs", ()):
            record = (output.get("data") or {}).get(TURN_MIME)
            if isinstance(record, dict) and isinstance(record.get("id"), str):
                yield record["id"]


def known(database: Database, held: Contents) -> list[Summary]:
    """Return the conversations with a cell or a turn that is in `held`, the one changed last first.

    Raises
    ------
    StoreError
        The database cannot be read; also from what follows.
    """
    return select(
        database,
        "WHERE conversations.id IN (SELECT conversation FROM cells WHERE cell_id IN (SELECT value FROM json_each(?))"
        " UNION SELECT conversation FROM places WHERE turn IN (SELECT value FROM json_each(?)))"
        " ORDER BY changed_at DESC",
        json.dumps(sorted(held.cells)),
        json.dumps(sorted(held.turns)),
    )


def find(database: Database, notebook: Notebook) -> tuple[Summary | None, str]:
    """Find the conversation that `notebook` goes on with; its conversations that were kept elsewhere come along.

    Returns
    -------
    Summary or None
        The conversation; None if none is known to be the notebook's.
    str
        A line for the user on what happened; ``""`` if there is nothing to say.
    """
    if not database.exists:
        return None, ""
    path, held = notebook.path, notebook.contents()
    came, mine = "", known(database, held)
    if all(s.notebook != path or s.set_aside for s in mine):
        astray = [s for s in mine if s.displaced or (s.notebook != path and not s.set_aside)]
        if astray:
            origin = astray[0].notebook
            came = _bring(database, path, origin, [s for s in mine if s.notebook == origin])
            mine = known(database, held)
    here = {s.id: s for s in mine if s.notebook == path and not s.set_aside}
    last = current(database, path)
    if here:
        found = here[last.id] if last and last.id in here else next(iter(here.values()))
        return found, f"Resumed {found}{came}; %chat_reset starts afresh." if found.turns else ""
    if last is None or not last.turns:
        return None, ""
    return None, (
        f"What was kept of {last} has no cell in this notebook, so it is set aside; "
        f"%chat_switch {last.id} goes on with it."
    )


def _bring(database: Database, path: str, origin: str | None, ours: Sequence[Summary]) -> str:
    """Bring conversations from the path `origin` to `path`; return what to say of it.

    Those that the notebook at `origin` knows as well are forked, since the one at `path` is a copy of it. The others
    are moved: their notebook was renamed.
    """
    theirs = {s.id for s in known(database, contents(origin))} if origin and origin != path else set()
    last = current(database, origin) if origin else None
    forked = False
    with database.transaction() as execute:
        for summary in reversed(ours):  # of two with one name, the one changed last has it in the end
            if summary.set_aside and not summary.displaced:
                if summary.id not in theirs:
                    execute("UPDATE conversations SET notebook = ? WHERE id = ?", column(path), summary.id)
                continue
            free_name(execute, path, summary.name, DISPLACED)
            if summary.id in theirs:
                here, forked = _fork(execute, summary.id, path), True
            else:
                here = summary.id
                execute("UPDATE conversations SET notebook = ?, set_aside = 0 WHERE id = ?", column(path), here)
            if last is None or summary.id == last.id or summary is ours[0]:
                execute("INSERT OR REPLACE INTO notebooks VALUES (?, ?)", column(path), here)
    if origin == path:
        return ""
    was = os.path.basename(origin) if origin else "this kernel"  # noqa: PTH119  # a str
    return f", forked from {was}" if forked else f", kept as {was} until now"


def _fork(execute: Execute, identifier: str, path: str) -> str:
    """Give `path` a conversation with the same turns as another one; return its id."""
    fork = new_id()
    execute(
        "INSERT INTO conversations SELECT ?, ?, name, model, system, created_at, changed_at, 0"
        " FROM conversations WHERE id = ?",
        fork,
        column(path),
        identifier,
    )
    execute("INSERT INTO places SELECT ?, position, turn, cell_id FROM places WHERE conversation = ?", fork, identifier)
    execute("INSERT INTO cells SELECT cell_id, ? FROM cells WHERE conversation = ?", fork, identifier)
    return fork


def free_name(execute: Execute, path: str, name: str, how: int = 1) -> None:
    """Set aside whichever conversation of `path` is called `name`: 1 on purpose, 2 for another notebook's."""
    execute(
        "UPDATE conversations SET set_aside = ? WHERE notebook = ? AND name = ? AND NOT set_aside",
        how,
        column(path),
        column(name),
    )
