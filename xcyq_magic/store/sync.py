"""Brings the store up to what stands in memory.

The values in memory are what counts. Where the store fails, the chat goes on, and the next write brings what was
missed: each slot knows what each file has of it, and only the difference is written. What is said while nothing is kept
is never written.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from xcyq_magic.chat.conversation import CellRun
from xcyq_magic.chat.rerun import EARLIER, REDRAWN
from xcyq_magic.errors import StoreError
from xcyq_magic.store.conversations import Answered, ConversationStore
from xcyq_magic.store.database import together
from xcyq_magic.store.forks import PROCESS, KernelLocks, PerProcess
from xcyq_magic.store.ledger import Ledger
from xcyq_magic.store.recognition import in_their_cells, known
from xcyq_magic.store.slots import Kept, Slot
from xcyq_magic.store.summaries import begun_by, column, ran_in
from xcyq_magic.store.writing import Writing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from xcyq_magic.chat.conversation import Turn
    from xcyq_magic.chat.usage import LedgerEntry
    from xcyq_magic.store.database import Database, Execute
    from xcyq_magic.store.ledger import Entries
    from xcyq_magic.store.recognition import Notebook
    from xcyq_magic.store.summaries import Summary

T = TypeVar("T")

_REPLACED = "{message} What this kernel has in memory is kept in the new one."
_DISPLACED = (
    "Another kernel of this notebook began {slot.now.name} afresh, and set this conversation aside. It goes on here; "
    "%chat_switch {slot.id} brings it back there, or after a restart."
)


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
        self.ledger = Ledger()
        self._resume = resume
        self._failure = ""  # why the store cannot be used, in a line
        self._notices: list[str] = []
        self._current = ("", "")  # as the store has it: the file, and the conversation that the notebook is in
        self._refused: set[str] = set()  # the ids of what the store can never take; each was said
        self._concealed: set[str] = set()  # the ids of the turns that no file may have
        self._unkept: list[tuple[float, float]] = []  # when nothing was kept, until now, in Unix seconds
        self._missed: dict[str, Turn] = {}  # turns to be recorded: whole ones by their requests, others by their ids
        self._since = time.time()  # that the database is this one
        self._kernel_locks = KernelLocks(store.database.path)
        self._lock = PerProcess(threading.RLock)

    @property
    def database(self) -> Database:
        """The file."""
        return self.store.database

    @property
    def in_memory(self) -> bool:
        """Whether nothing is kept."""
        return self.database.path is None

    @property
    def _path(self) -> str | None:
        return self.notebook.path if self.notebook else None

    def attempt(self, action: Callable[[], T]) -> T | None:
        """What `action` returns; None where the store fails, which the user hears of once."""
        with self._lock.get():
            try:
                try:
                    done = action()
                except StoreError as e:
                    if not e.replaced:
                        raise
                    self._notices.append(_REPLACED.format(message=e.message))
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
        alone = not self._kernel_locks.held_elsewhere(self._path or found.id)
        self._hold(found.id)
        known = {self.database.identity: Kept(loaded.conversation, found.set_aside)}
        slot = Slot(loaded.conversation, known, writable=not self.in_memory, joins=True, id=found.id)
        self._put_in_cells(slot)
        if alone:  # otherwise they may still be coming, in another kernel
            self._recover(slot)
        return slot

    def _recover(self, slot: Slot) -> None:
        """Put what came of replies whose kernel ended with them into their conversation, marked.

        It takes the place of no whole reply: that of a cell that was run again goes to the end.
        """
        found = self.attempt(lambda: self.store.drafts(slot.id)) or ()
        for turn in found:
            cells = {t.cell.cell_id for t in slot.now.turns if t.cell}
            apart = turn.cell is not None and turn.cell.cell_id in cells
            slot.now = slot.now.with_turn(replace(turn, cell=None) if apart else turn)
        if found:
            what = "The reply that was coming" if len(found) == 1 else f"The {len(found)} replies that were coming"
            self._notices.append(f"{what} when the kernel ended is kept in {slot.now.name}, as far as it had come.")

    def look_again(self, slot: Slot) -> None:
        """Look for the cells of turns whose cells may have other ids by now: the notebook's file may have changed."""
        if any(t.cell and t.cell.run == REDRAWN for t in slot.now.turns):
            self._put_in_cells(slot)

    def _put_in_cells(self, slot: Slot) -> None:
        if self.notebook is not None:
            before, held = slot.now, self.notebook.contents()
            slot.now = replace(before, turns=in_their_cells(held, before.turns))
            kept = slot.kept.items()  # nothing of it is to be written for that
            slot.kept = {i: replace(k, conversation=slot.now) if k.conversation is before else k for i, k in kept}

    # To the store

    def record(self, turns: Iterable[Turn], entries: Sequence[LedgerEntry] = ()) -> None:
        """Keep turns without a place in a conversation, and entries of the ledger, in one transaction.

        What was asked while nothing was kept is left out.
        """
        with self._lock.get():
            for turn in turns:
                if not self.conceals(turn):
                    self._missed[turn.id if turn.completion.partial else turn.request or turn.id] = turn
            self.ledger.note(entries)
            self.write_missed()

    def write_missed(self) -> None:
        """Write the turns without a place in a conversation, and the entries, that the store has not got yet."""

        def write() -> None:
            with self.database.transaction() as execute:
                for turn in self._missed.values():
                    self._record(execute, turn)
                written = self.ledger.write(execute, self.conceals)
            self.ledger.wrote(written, self.conceals)
            self._missed.clear()

        with self._lock.get():
            if self._missed or self.ledger.behind:
                self.attempt(write)

    def answered(self, request: str) -> Answered | None:
        """Return the latest whole reply to the request of that hash, also one that could not be written yet."""
        with self._lock.get():
            if missed := self._missed.get(request):
                return Answered(missed.completion, missed.asked_at)
            return self.attempt(lambda: self.store.answered(request))

    def keep_draft(self, slot: Slot, turn: Turn) -> None:
        """Keep what came so far of a turn, for the next kernel, should this one end before the reply does."""

        def write() -> None:
            with self.database.transaction() as execute:
                self.store.keep_draft(execute, slot.id, turn)

        if not self.in_memory and not self.conceals(turn):
            self.attempt(write)

    def enter(self, entries: Sequence[LedgerEntry]) -> None:
        """Keep entries of the ledger, whose last is of a request that is about to be sent and waits for nobody."""
        self.ledger.note(entries)

        def write() -> None:
            written: list[LedgerEntry] = []
            if self.database.try_to_write(lambda execute: written.extend(self.ledger.write(execute, self.conceals))):
                self.ledger.wrote(written, self.conceals)
                self._kernel_locks.hold(PROCESS.get())  # while it is held, what is on its way is not lost

        self.attempt(write)

    def entries(self, *, everything: bool, offline: bool | None) -> Entries:
        """Return the entries of the notebook's requests, or of all."""
        self.record(())
        path, lives = column(self._path), self._kernel_locks.held_elsewhere
        found = self.attempt(
            lambda: self.ledger.entries(self.database, path, everything=everything, lives=lives, offline=offline)
        )
        return self.ledger.entries_here(offline=offline) if found is None else found

    def _record(self, execute: Execute, turn: Turn) -> None:
        try:
            self.store.record(execute, turn)
        except StoreError as e:
            if not e.refused:
                raise
            self._say_refused(turn.id, e)  # the others of the transaction are written

    def behind(self, slot: Slot, *, aside: bool) -> bool:
        """Whether the store lacks something of a conversation; `aside` is whether it is set aside now."""
        kept = slot.kept.get(self.database.identity)
        if kept is None:
            return slot.worth_keeping and (slot.writable or self.in_memory)
        return slot.now is not kept.conversation or aside != kept.aside or bool(slot.here or slot.began)

    def has_all(self, slot: Slot) -> bool:
        """Whether a conversation that was set aside is whole in a file, so that memory may let it go."""
        lacking = self._refused | self._concealed
        whole = lacking.isdisjoint({slot.id, *(t.id for t in slot.now.turns)})
        return whole and not self.in_memory and not self.behind(slot, aside=True)

    def write(self, slots: Mapping[Slot, bool], current: Slot | None) -> bool:
        """Write what the store lacks.

        Parameters
        ----------
        slots
            The conversations, and whether each is set aside.
        current
            The one that the notebook is in.

        Returns
        -------
        bool
            Whether the store could be used.
        """
        try:
            return bool(self.attempt(lambda: self._write(slots, current)))
        except KeyboardInterrupt:  # in the moment of writing: what it ended is kept all the same
            self.attempt(lambda: self._write(slots, current))
            raise

    def _write(self, slots: Mapping[Slot, bool], current: Slot | None) -> bool:
        written: dict[Slot, Kept] = {}
        with self.database.transaction() as execute:
            identity, chosen, path = self.database.identity, self._current, self._path
            concealed = set() if self.in_memory else self._concealed
            writing = Writing(self.store, execute, path, self.named, self._resume, concealed, self._say_refused)
            # A name is free for another one only once its old owner is aside.
            for slot, aside in sorted(slots.items(), key=lambda s: not s[1]):
                if self.behind(slot, aside=aside):
                    try:
                        with together(execute, f"The conversation {slot.now.name}"):
                            written[slot] = writing.write(slot, aside=aside)
                    except StoreError as e:
                        self._say_refused(slot.id, e)
            if self.notebook is not None and current is not None:
                has = written.get(current) or current.kept.get(identity)
                if has is not None and not has.aside:
                    chosen = (identity, current.id)
                if chosen != self._current:
                    self.store.choose(execute, self.notebook.path, current.id)
        for slot, kept in written.items():
            slot.kept[identity] = kept
            for noted in slot.cells, slot.here, slot.began:
                noted.clear()
            self._hold(slot.id)
            if kept.aside and not slots[slot] and not slot.displaced:
                writing.notices.append(_DISPLACED.format(slot=slot))
            slot.displaced = kept.aside and not slots[slot]
        self._current = chosen
        self._notices += writing.notices
        return True

    def _hold(self, identifier: str) -> None:
        """Let no other notebook take a conversation over while this kernel has it."""
        self._kernel_locks.hold(self._path or identifier)

    def _say_refused(self, identifier: str, error: StoreError) -> None:
        if identifier not in self._refused:
            self._refused.add(identifier)
            self._notices.append(f"{error.message} {error.hint}")

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

    @property
    def cell_run(self) -> tuple[str, str] | None:
        """The ids of the running cell and of this run of it; None where it has no id that lasts."""
        run = self.notebook.run() if self.notebook else None
        return (cell_id, run) if run and (cell_id := self._lasting_id) else None

    @property
    def _lasting_id(self) -> str | None:
        """The id of the running cell; None where it has none that lasts."""
        cell_id = self.notebook.running() if self.notebook else None
        return CellRun(cell_id, EARLIER).lasting_id if cell_id is not None else None

    def begun_by(self, cell_id: str) -> list[str]:
        """Return the names of the conversations that a cell began, the latest first."""
        return self._read(lambda path: begun_by(self.database, path, cell_id)) or []

    def cells_on_page(self) -> list[str]:
        """Return the ids of the notebook's cells, in their order as it was saved."""
        return [*self.notebook.contents().cells] if self.notebook else []

    def ran_in(self) -> dict[str, str] | None:
        """Return the names of the conversations that the notebook was in when its cells ran last, by their ids.

        It is None where nothing can be read.
        """
        return self._read(lambda path: ran_in(self.database, path))

    def _read(self, read: Callable[[str], T]) -> T | None:
        """Return what `read` does for the notebook's path; None where that fails: whoever writes next says so."""
        if self.notebook is None or not self._resume or not self.database.exists:
            return None
        try:
            return read(self.notebook.path)
        except StoreError as e:
            if e.replaced:  # the next one finds a new file
                self._notices.append(_REPLACED.format(message=e.message))
            return None

    # What is to be written

    def note(self, slot: Slot, new: Collection[Turn] = (), *, asked: bool = True) -> None:
        """Note that a conversation is about to be changed.

        Parameters
        ----------
        slot
            The conversation. The cell that is running counts as one of its cells.
        new
            The turns that it gets. Those that come while nothing is kept are not written later.
        asked
            Whether they were asked in this kernel; otherwise they come from elsewhere, whenever they were asked.
        """
        concealed = {t.id for t in new if self.in_memory or (asked and self.conceals(t))}
        self._concealed |= concealed
        if not self.in_memory and (not new or len(concealed) < len(new)):
            slot.writable = True
        if (cell_id := self._lasting_id) is not None:
            slot.cells.add(cell_id)

    def conceals(self, asked: Turn | LedgerEntry) -> bool:
        """Whether something was asked while nothing was kept, so that it is not written now."""
        return not self.in_memory and any(a <= asked.asked_at <= b for a, b in self._unkept)

    def use(self, database: Database) -> None:
        """Keep everything in `database` from the next write on."""
        with self._lock.get():
            self.attempt(lambda: self.ledger.leave(self.database))
            if self.in_memory:
                self._unkept.append((self._since, time.time()))
            old, self.store, self._since = self.store, ConversationStore(database), time.time()
            self._failure = ""
            old.database.close()
            self._kernel_locks.close()
            self._kernel_locks = KernelLocks(database.path)

    def close(self) -> None:
        """Let the file go."""
        self.database.close(for_good=True)
        self._kernel_locks.close()
