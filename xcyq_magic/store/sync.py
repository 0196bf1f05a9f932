"""Brings the store up to what stands in memory.

The values in memory are what counts. Where the store fails, the chat goes on, and the next write brings what was
missed: each slot knows what the store has of it, and only the difference is written.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from xcyq_magic.chat.conversation import EARLIER, CellRun, Conversation
from xcyq_magic.errors import StoreError
from xcyq_magic.store.conversations import ConversationStore
from xcyq_magic.store.database import together
from xcyq_magic.store.forks import PerProcess
from xcyq_magic.store.recognition import free_name, known
from xcyq_magic.store.summaries import DISPLACED, Summary, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from xcyq_magic.chat.conversation import Turn
    from xcyq_magic.store.database import Database, Execute
    from xcyq_magic.store.recognition import Notebook

T = TypeVar("T")
_Taken: TypeAlias = "tuple[tuple[Turn, ...], tuple[Turn, ...]]"


@dataclass(eq=False)
class Slot:
    """A conversation as it stands, and what the store has of it.

    Attributes
    ----------
    now
        As it stands.
    kept
        As the store has it; None if it has nothing.
    file
        The identity of the database that has it.
    wanted
        Whether to keep it although nothing is in it yet.
    aside, kept_aside
        Whether its name is another one's, now and in the store.
    taken
        What was taken back from it: each time the turns that were, and all turns before that; the latest last.
    replaced
        The same of what the last run of a cell replaced, by the cell's id.
    cells
        The ids of the cells that it was changed in, which are not in the store yet.
    lock
        Its `reply_lock`, in each process.
    own
        Whether it is a `Chat`'s own: in no list, and in the store its turns alone.
    id
        Its name in the store.
    """

    now: Conversation
    kept: Conversation | None = None
    file: str = ""
    wanted: bool = False
    aside: bool = False
    kept_aside: bool = False
    taken: list[_Taken] = field(default_factory=list)
    replaced: dict[str, _Taken] = field(default_factory=dict)
    cells: set[str] = field(default_factory=set)
    lock: PerProcess[threading.Lock] = field(default_factory=lambda: PerProcess(threading.Lock))
    own: bool = False
    id: str = field(default_factory=new_id)

    @property
    def reply_lock(self) -> threading.Lock:
        """The lock that is held while a reply of it comes."""
        return self.lock.get()

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not (self.now.turns or self.now.model or self.now.system is not None)

    @property
    def worth_keeping(self) -> bool:
        """Whether to write it: it is stored already, was created by name, or is not empty."""
        return self.wanted or self.kept is not None or not self.empty

    def note_taken(self, before: Conversation, after: Conversation) -> tuple[Turn, ...]:
        """Note which turns a change of it takes out, for `last_taken`, and return them."""
        gone, new = before.without(after.turns).turns, after.without(before.turns).turns
        cells = [t.cell.cell_id for t in new if t.cell and t.replaces(gone) and not t.completion.partial]
        for cell_id in cells:
            self.replaced.pop(cell_id, None)  # it goes to the end
            self.replaced[cell_id] = gone, before.turns
        if gone and not cells:
            self.taken.append((gone, before.turns))
        return gone

    def last_taken(self) -> _Taken | None:
        """Return what was taken from it last and is not back, and forget it; what cells replaced comes after the rest.

        To run a cell again is to replace its turns: who wants something back has most likely taken that back.
        """
        here = {t.id for t in self.now.turns}
        while self.taken or self.replaced:
            gone, before = self.taken.pop() if self.taken else self.replaced.popitem()[1]
            if back := tuple(t for t in gone if t.id not in here):
                return back, before
        return None

    def behind(self, file: str) -> bool:
        """Whether the store lacks something of it."""
        if self.kept is None or self.file != file:
            return self.worth_keeping
        return self.now is not self.kept or self.aside != self.kept_aside

    def summary(self, notebook: str | None) -> Summary:
        """Return the `Summary` that ``%chat_switch`` lists."""
        asked = self.now.turns[-1].asked_at if self.now.turns else 0.0
        return Summary(self.id, notebook, self.now.name, len(self.now.turns), asked, self.aside)


class Sync:
    """What is between a notebook's conversations and the store.

    Parameters
    ----------
    store
        Where they are kept.
    notebook
        The notebook; None where there is none.
    resume
        Whether a name means what is kept under it; otherwise that is set aside for a new one.
    """

    def __init__(self, store: ConversationStore, notebook: Notebook | None, *, resume: bool) -> None:
        self.store = store
        self.notebook = notebook
        self._resume = resume
        self._failure = ""  # why the store cannot be used, in a line
        self._notices: list[str] = []
        self._current = ("", "")  # as the store has it: the file, and the conversation that the notebook is in
        self._refused: set[str] = set()  # the ids of what the store can never take; each was said
        self._lock = PerProcess(threading.RLock)

    @property
    def database(self) -> Database:
        """The file."""
        return self.store.database

    def attempt(self, action: Callable[[], T]) -> T | None:
        """What `action` returns; None where the store fails, which the user hears of once."""
        with self._lock.get():
            try:
                try:
                    done = action()
                except StoreError as e:
                    if not e.replaced:
                        raise
                    self._notices.append(f"{e.message} What this kernel has in memory is kept in the new one.")
                    done = action()
            except StoreError as e:
                if e.refused:
                    self._notices.append(f"{e.message} {e.hint}")
                else:
                    line = " ".join(t for t in (e.message, "The chat goes on in memory.", e.hint) if t)
                    if not self._failure:
                        self._notices.append(line)
                    self._failure = line
                return None
            self._failure = ""
            return done

    def look(self) -> None:
        """Find out whether the store can be used, without writing to it."""

        def look() -> None:
            self.database.check()
            if self.database.exists:
                self.database.read("SELECT identity FROM file")

        self.attempt(look)

    def take_failure(self) -> str:
        """Return why the store could not be used the last time, which is no notice any more; ``""`` if it could."""
        with self._lock.get():
            self._notices = [n for n in self._notices if n != self._failure]
            return self._failure

    def take_notices(self) -> list[str]:
        """Lines for the user on what could not be kept; each is given once."""
        with self._lock.get():
            notices, self._notices = self._notices, []
        return notices

    def load(self, found: Summary) -> Slot | None:
        """Return a slot with a conversation of the store; None if it cannot be read."""
        loaded = self.attempt(lambda: self.store.load(found.id))
        if loaded is None:
            return None
        if loaded.unreadable:
            what = f"{loaded.unreadable} of the kept turns of {found.name}"
            self._notices.append(f"{what} cannot be read; they stay in the file.")
        kept = loaded.conversation
        file, aside = self.database.identity, found.set_aside
        return Slot(kept, kept, file, aside=aside, kept_aside=aside, id=found.id)

    def record(self, turn: Turn) -> None:
        """Write a turn that is in no conversation."""

        def write() -> None:
            with self.database.transaction() as execute:
                self.store.record(execute, turn)

        self.attempt(write)

    def write(self, slots: Collection[Slot], current: Slot | None) -> bool:
        """Write what the store lacks of `slots`; `current` is the one that the notebook is in.

        Returns
        -------
        bool
            Whether the store has it all now.
        """
        try:
            return bool(self.attempt(lambda: self._write(slots, current)))
        except KeyboardInterrupt:  # in the moment of writing: what it ended is kept all the same
            self.attempt(lambda: self._write(slots, current))
            raise

    def _write(self, slots: Collection[Slot], current: Slot | None) -> bool:
        database = self.database
        failed: list[Slot] = []
        with database.transaction() as execute:
            # A name is free for another one only once its old owner is aside.
            for slot in sorted(slots, key=lambda s: not s.aside):
                if slot.behind(database.identity):
                    try:
                        with together(execute, f"The conversation {slot.now.name}"):
                            self._write_slot(execute, slot)
                    except StoreError as e:
                        failed.append(slot)
                        self._say_refused(slot.id, e)
            chosen = self._current
            if self.notebook is not None and current is not None and current.worth_keeping and current not in failed:
                chosen = (database.identity, current.id)
                if chosen != self._current:
                    self.store.choose(execute, self.notebook.path, current.id)
        for slot in slots:
            if slot not in failed and slot.behind(database.identity):
                slot.kept, slot.file, slot.kept_aside = slot.now, database.identity, slot.aside
                slot.cells.clear()
        self._current = chosen
        return not self._refused  # what the store can never take stays in memory

    def _say_refused(self, identifier: str, error: StoreError) -> None:
        if identifier not in self._refused:
            self._refused.add(identifier)
            self._notices.append(f"{error.message} {error.hint}")

    def _write_slot(self, execute: Execute, slot: Slot) -> None:
        kept = slot.kept if slot.file == self.database.identity else None
        if kept is None:
            path = self.notebook.path if self.notebook else None
            if path is not None and not slot.aside:
                self._free_name(execute, path, slot.now.name)
            slot.id = self.store.create(execute, slot.id, path, slot.now, aside=slot.aside)
            kept = Conversation(slot.now.name)
        elif slot.aside != slot.kept_aside:
            self.store.set_aside(execute, slot.id, aside=slot.aside)
        if slot.now is not kept:
            for turn, error in self.store.change(execute, slot.id, kept, slot.now):
                self._say_refused(turn.id, error)
        self.store.note_cells(execute, slot.id, slot.cells)

    def _free_name(self, execute: Execute, path: str, name: str) -> None:
        """Set aside the conversation that has the name, unless it is the notebook's, which another kernel began."""
        if not self._resume:
            free_name(execute, path, name)
        elif self.named(name) is None:
            free_name(execute, path, name, DISPLACED)

    def named(self, name: str) -> Summary | None:
        """Return the kept conversation called `name` that the notebook knows; None if there is none.

        Raises
        ------
        StoreError
            The database cannot be read.
        """
        if self.notebook is None or not self._resume:
            return None
        return next((s for s in self.known() if s.name == name and not s.set_aside), None)

    def known(self) -> list[Summary]:
        """Return the kept conversations of the notebook that it knows; see `named`."""
        return known(self.database, self.notebook.contents(), self.notebook.path) if self.notebook else []

    def note_cell(self, slot: Slot) -> None:
        """Note that a conversation is changed in the cell that is running."""
        cell_id = self.notebook.running() if self.notebook else None
        if cell_id is not None and CellRun(cell_id, EARLIER).lasting_id:
            slot.cells.add(cell_id)

    def use(self, database: Database) -> None:
        """Keep everything in `database` from the next write on."""
        with self._lock.get():
            old, self.store = self.store, ConversationStore(database)
            self._failure = ""
            old.database.close()
