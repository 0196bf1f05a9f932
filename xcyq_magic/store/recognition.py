"""Which kept conversations a notebook goes on with: those that it has cells or outputs of.

A path is no proof of that: a new notebook may stand where another one stood, and a renamed one stands elsewhere. What
a notebook's file keeps are the ids of its cells
(https://nbformat.readthedocs.io/en/latest/format_description.html#cell-ids) and, in its outputs, the ids of turns.
Nor is an id alone: programs that write notebooks call their cells ``cell-1``, ``cell-2``. So a conversation is the
notebook's if an output holds one of its turns, or if two of these match: path, cell id, prompt.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.conversation import CellRun
from xcyq_magic.chat.records import TURN_MIME, place_of
from xcyq_magic.chat.rerun import EARLIER, REDRAWN
from xcyq_magic.store.forks import KernelLocks
from xcyq_magic.store.formats.ipynb import is_own_cell
from xcyq_magic.store.summaries import DISPLACED, column, current, new_id, select

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from xcyq_magic.chat.conversation import Turn
    from xcyq_magic.store.database import Database, Execute
    from xcyq_magic.store.summaries import Summary

_MOST_BYTES = 256 * 2**20  # of a notebook's file; a larger one is not looked into
_BEGINNING = 20  # characters of a prompt, to be looked for in its cell
_MOST_ELSEWHERE = 100  # conversations of other notebooks with the same cells, such as copies of one template


@dataclass(frozen=True)
class Contents:
    """What a notebook holds.

    Attributes
    ----------
    cells
        The sources of its cells, by their ids.
    turns
        The ids of the turns in its outputs, each with the cell that asked; None where another one shows it.
    nameless
        Whether cells have no ids in its file: a frontend draws them anew whenever it opens it.
    told
        The ids that the frontend tells: those of cells that ran; if the file has one of them, all that it has.
    """

    cells: Mapping[str, str] = field(default_factory=dict)
    turns: Mapping[str, CellRun | None] = field(default_factory=dict)
    nameless: bool = False
    told: Collection[str] = ()


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
        The sources of the cells that ran in this kernel, by their ids, None where one is not known: the file may not
        have them yet.
    run
        Returns the id of this run of the cell that is running.
    """

    path: str
    running: Callable[[], str | None] = lambda: None
    ran: dict[str, str | None] = field(default_factory=dict)
    run: Callable[[], str | None] = lambda: None
    _read: tuple[object, Contents] = field(default=(None, Contents()), init=False, repr=False)

    def contents(self) -> Contents:
        """Return what is known now of the cells and outputs in it; its file is read again once it has changed."""
        state = _state(self.path)
        if state is None or state != self._read[0]:
            self._read = state, contents(self.path)
        saved = self._read[1]
        ran = {i: source for i, source in self.ran.items() if source is not None}
        told = set(self.ran) if saved.cells.keys().isdisjoint(self.ran) else saved.cells.keys() | self.ran.keys()
        return replace(saved, cells={**saved.cells, **ran}, told=told)


def _state(path: str) -> tuple[int, int, int] | None:
    """Return what changes with a file; None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  # a str
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


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
        sources = {i: "".join(cell.get("source", "")) for cell in cells if isinstance(i := cell.get("id"), str)}
        return Contents(sources, _turns(cells), nameless=any("id" not in cell for cell in cells))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Contents()


def holds_any(path: str, cells: Iterable[str]) -> bool:
    """Return whether a notebook's file has one of the ids `cells`, other than those of saved conversations."""
    return any(not is_own_cell(cell) for cell in contents(path).cells.keys() & set(cells))


def is_same_file(path: str, other: str) -> bool:
    """Return whether to replace what stands at `path` would be to replace the file `other`, which may be a link."""
    if os.path.abspath(path) == os.path.abspath(other):  # noqa: PTH100  # strs
        return True
    try:
        here = os.lstat(path)
        return any(os.path.samestat(here, look(other)) for look in (os.lstat, os.stat))
    except (OSError, ValueError):
        return False


def _turns(cells: Sequence[Any]) -> dict[str, CellRun | None]:
    """Return the turns in the outputs of cells, as `Contents` has them."""
    found: dict[str, CellRun | None] = {}
    for n, cell in enumerate(cells):
        identifier, source = cell.get("id"), "".join(cell.get("source", ""))
        # What numbers a cell without an id is none that a frontend could tell, nor one that lasts.
        own = CellRun(identifier if isinstance(identifier, str) else f"cell {n}", EARLIER, source)
        for output in cell.get("outputs", ()):
            record = (output.get("data") or {}).get(TURN_MIME)
            if isinstance(record, dict) and isinstance(record.get("id"), str):
                place = place_of(record)
                found.setdefault(record["id"], own if place is None else found.get(str(place.get("turn"))))
    return found


def known(database: Database, held: Contents, path: str | None = None) -> list[Summary]:
    """Return the conversations with a cell or a turn that is in `held`, the one changed last first.

    Parameters
    ----------
    database
        Where they are kept.
    held
        What a notebook holds.
    path
        Of the notebook that they are kept for. Without it, the latest of all notebooks' are returned.

    Raises
    ------
    StoreError
        The database cannot be read; also from what follows.
    """
    return select(
        database,
        "WHERE notebook IS coalesce(?, notebook) AND conversations.id IN ("
        "SELECT conversation FROM cells WHERE cell_id IN (SELECT value FROM json_each(?))"
        " UNION SELECT conversation FROM places WHERE turn IN (SELECT value FROM json_each(?)))"
        " ORDER BY changed_at DESC LIMIT ?",
        column(path),
        json.dumps(sorted(held.cells)),
        json.dumps(sorted(held.turns)),
        _MOST_ELSEWHERE if path is None else -1,
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
    path, held, came = notebook.path, notebook.contents(), ""
    mine = known(database, held, path)
    if all(s.displaced for s in mine):  # it was not at this path before, or not last
        origin, ours = _origin(database, held, mine)
        if ours:
            came = _bring(database, path, origin, ours)
            mine = known(database, held, path)
    here, last = [s for s in mine if not s.set_aside], current(database, path)
    if last is not None and (not last.turns or any(s.id == last.id for s in here)):
        found = last if mine else None
    else:
        found = next(iter(here), None)
    if found is not None or last is None or not last.turns:
        return found, f"{found.resumed}{came}; %chat_reset starts afresh." if found and found.turns else ""
    return None, (
        f"A conversation is kept for {last}. The saved notebook holds none of its cells, so the conversation is set "
        f"aside until one of them is saved or run.\n%chat_switch {last.id} goes on with it."
    )


def _origin(database: Database, held: Contents, displaced: Sequence[Summary]) -> tuple[str | None, list[Summary]]:
    """Return where the conversations of a notebook were kept until now, and which they are."""
    elsewhere = known(database, held)
    candidates = [s for s in elsewhere if not s.set_aside or s.displaced]
    found = next(iter(displaced), None) or next((s for s in candidates if _asked_in(database, s, held)), None)
    return (found.notebook, [s for s in elsewhere if s.notebook == found.notebook]) if found else (None, [])


def _asked_in(database: Database, conversation: Summary, held: Contents) -> bool:
    """Whether a turn of the conversation is in an output of `held`, or its prompt in the cell that it is of."""
    rows = database.read(
        "SELECT turn, cell_id, prompt FROM places JOIN turns ON turn = turns.id WHERE conversation = ?",
        conversation.id,
    )
    return any(turn in held.turns or _asks(held.cells.get(cell), prompt) for turn, cell, prompt in rows)


def _asks(source: str | None, prompt: str) -> bool:
    """Whether the source of a cell may be that of a kept prompt; an empty one says nothing against it."""
    try:
        record = json.loads(prompt)
        above = (record.get("above") or {}).get("parts", 0)  # which are other cells
        text = "".join(part.get("text", "") for part in record["parts"][above:]).strip()
    except (ValueError, LookupError, TypeError, AttributeError):
        return False
    if source is None or not source.strip():
        return source is not None
    words = text.split()
    # Of a long one its beginning, since what `{{ }}` stood for may follow.
    return text[:_BEGINNING] in source if len(text) > _BEGINNING else source.split()[-len(words) :] == words


def in_cells_here(held: Contents, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return turns of another notebook, each in its cell only if `held` has one of that id that asks the same."""

    def stays(turn: Turn) -> bool:
        source = held.cells.get(turn.cell.cell_id, "") if turn.cell else ""
        return bool(source.strip()) and _asks(source, json.dumps(turn.prompt.to_dict()))

    return tuple(turn if stays(turn) else replace(turn, cell=None) for turn in turns)


def in_their_cells(held: Contents, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return kept turns of a notebook, each in its cell: by the cell's id, else by the output that it is in."""

    def cell_of(turn: Turn) -> CellRun | None:
        own, found = turn.cell, held.turns.get(turn.id)
        lasting = own.lasting_id if own else None
        if own is not None and not own.earlier:  # it was asked in this kernel
            return own
        if lasting is not None and lasting in held.cells:
            found = CellRun(lasting, EARLIER, held.cells[lasting])
        if found is None:
            return replace(own, run=REDRAWN) if own is not None and held.nameless else own
        if found.cell_id in held.told:
            return found
        return replace(found, cell_id=lasting or found.cell_id, run=REDRAWN)

    return tuple(replace(turn, cell=cell_of(turn)) for turn in turns)


def _bring(database: Database, path: str, origin: str | None, ours: Sequence[Summary]) -> str:
    """Bring conversations from the path `origin` to `path`; return what to say of it.

    Those that the notebook at `origin` knows as well, or that its kernel has open, are forked, since the one at `path`
    is a copy of it. The others are moved: their notebook was renamed.
    """
    moved = origin is None or origin == column(path)
    theirs = {s.id for s in known(database, contents(origin), origin)} if origin and not moved else set()
    with contextlib.closing(KernelLocks(database.path)) as locks:
        # A kernel that goes on with them writes to them, whatever its notebook's file has of them.
        theirs |= {s.id for s in ours if s.notebook != column(path) and locks.held_elsewhere(s.notebook or s.id)}
    last, forked = current(database, origin) if origin else None, False
    goes_on = [s for s in ours if not s.set_aside or s.displaced]
    chosen = next((s for s in goes_on if last and s.id == last.id), next(iter(goes_on), None))  # or the latest
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
            if summary is chosen:
                execute("INSERT OR REPLACE INTO notebooks VALUES (?, ?)", column(path), here)
    if origin == column(path):
        return ""
    was = os.path.basename(origin) if origin else f"{'another' if forked else 'this'} kernel"  # noqa: PTH119  # a str
    return f", forked from {was}" if forked else f", kept as {was} until now"


def _fork(execute: Execute, identifier: str, path: str) -> str:
    """Give `path` a conversation with the same turns as another one; return its id."""
    fork = new_id()
    execute(
        "INSERT INTO conversations SELECT ?, ?, name, model, system, created_at, changed_at, 0, answered_at"
        " FROM conversations WHERE id = ?",
        fork,
        column(path),
        identifier,
    )
    execute("INSERT INTO places SELECT ?, position, turn, cell_id FROM places WHERE conversation = ?", fork, identifier)
    execute("INSERT INTO cells SELECT cell_id, ?, here, began FROM cells WHERE conversation = ?", fork, identifier)
    return fork


def free_name(execute: Execute, path: str, name: str, how: int = 1) -> None:
    """Set aside whichever conversation of `path` is called `name`: 1 on purpose, 2 for another notebook's."""
    execute(
        "UPDATE conversations SET set_aside = ? WHERE notebook = ? AND name = ? AND NOT set_aside",
        how,
        column(path),
        column(name),
    )
