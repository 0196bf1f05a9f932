"""Keep one notebook's conversations: list them, switch between them, and write each change to the store."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from itertools import chain, count
from typing import TYPE_CHECKING

from xcyq_magic.chat.conversation import Conversation
from xcyq_magic.errors import InputError
from xcyq_magic.session.bookkeeping import Bookkeeping
from xcyq_magic.session.cell_history import CellHistory
from xcyq_magic.store.conversations import ConversationStore
from xcyq_magic.store.forks import PerProcess
from xcyq_magic.store.recognition import Contents, find, in_cells_here
from xcyq_magic.store.slots import Slot, Standing
from xcyq_magic.store.summaries import MAIN, column, latest
from xcyq_magic.store.sync import Sync

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.chat.conversation import Turn
    from xcyq_magic.chat.usage import LedgerEntry
    from xcyq_magic.store.conversations import Answered
    from xcyq_magic.store.database import Database
    from xcyq_magic.store.recognition import Notebook
    from xcyq_magic.store.summaries import Summary

_OTHERS_LISTED = 10  # conversations of other notebooks


class Conversations:
    """The conversations of one notebook, by name. Threads may use it at once.

    Parameters
    ----------
    database
        Where they are kept.
    notebook
        The notebook; None where there is none: they live with the kernel then.
    resume
        Whether to go on with what is kept of the notebook.

    Attributes
    ----------
    current
        The name of the one that the notebook is in.
    books
        What its requests took, and what checks of pools saw.
    place
        Returns where replies come from; None until a session asks.
    """

    def __init__(self, database: Database, notebook: Notebook | None = None, *, resume: bool = True) -> None:
        self.current = MAIN
        self._resume = resume
        self._sync = Sync(ConversationStore(database), notebook, resume=resume)
        self._standing = Standing()
        self._begun: set[str] = set()  # the ids of those that began here
        self._unknown = False  # whether there is one that may be the notebook's, whose cells are not known yet
        self._as_resumed = False  # whether nothing was done since the current one was resumed
        self._cells = CellHistory(self._sync)
        self.books = Bookkeeping(self._sync)
        self.place: Callable[[], str] | None = None
        self._lock = PerProcess(threading.RLock)

    # As they stand

    def open(self, which: str | Slot | None = None) -> Slot:
        """Return a handle of a conversation by its name, the current one unless given; a handle stays itself.

        Whoever waits for a reply holds on to it: the name may be another conversation's when the reply has come.
        """
        with self._lock.get():
            return self._slot(which)

    def get(self, which: str | Slot | None = None) -> Conversation:
        """Return a conversation as it stands: by its name, or as `open` gave it; the current one unless given."""
        with self._lock.get():
            return self._slot(which).now

    def edit(self, which: str | Slot | None, change: Callable[[Conversation], Conversation]) -> Conversation:
        """Change a conversation as it is now, and write it. Nothing else changes one that there is.

        Parameters
        ----------
        which
            Its name, or what `open` gave; None for the current one.
        change
            Takes the conversation as it is and returns it as it should be. Called once, while no other thread can
            write; what it raises changes nothing.
        """
        with self._lock.get():
            self.note_cell()
            slot = self._slot(which)
            after = change(slot.now)
            taken = (gone for gone, _ in (*slot.taken, *slot.replaced.values()))
            known = {t.id for turns in (slot.now.turns, *taken) for t in turns}
            new = [t for t in after.turns if t.id not in known]
            if new and self.place is not None:
                after = replace(after, answered_at=self.place())
            if slot.own:
                slot.now = after
                self.record(new)
                return slot.now
            if slot not in self._standing.all:  # another one has its name by now
                self._standing.put_aside(slot)
            self._sync.note(slot, new)
            slot.now = after
            self._write()
            return slot.now

    def take_back(self, which: str | Slot | None, change: Callable[[Conversation], Conversation]) -> tuple[Turn, ...]:
        """Change a conversation with `edit`, and return the turns that it lost by it: `restore` brings them back."""
        taken: list[Turn] = []
        with self._lock.get():
            slot = self._slot(which)

            def take(now: Conversation) -> Conversation:
                after = change(now)
                taken.extend(slot.note_taken(now, after))  # before it is written: an interrupt then must not lose it
                return after

            self.edit(slot, take)
        return tuple(taken)

    def restore(self, which: str | Slot | None = None) -> tuple[Turn, ...]:
        """Put the turns back that the last `take_back` took from a conversation, and return them.

        Nothing is removed for it: a turn that took the place of one of them stays behind it.
        """
        with self._lock.get():
            slot = self._slot(which)
            back, before = slot.last_taken() or ((), ())
            if back:
                self.edit(slot, partial(Conversation.with_restored, gone=back, before=before))
                slot.forget_last()  # not before: an interrupt must not lose it
            return back

    def reply_lock(self, which: str | Slot | None = None) -> threading.Lock:
        """Return the lock that is held while a reply of the conversation comes: the next one has to know it."""
        with self._lock.get():
            return self._slot(which).reply_lock

    # Turns, wherever they are

    def record(self, turns: Sequence[Turn], entries: Sequence[LedgerEntry] = ()) -> None:
        """Keep turns that are in no conversation, for whoever asks the same again, and entries of the ledger."""
        self._sync.record(turns, entries)
        with self._lock.get():
            self._write_cells()

    def keep_draft(self, slot: Slot, turn: Turn) -> None:
        """Keep what came so far of a turn that goes into a conversation once its reply has ended."""
        with self._lock.get():
            if slot.own:
                return
            if not slot.worth_keeping:  # the first turn of a conversation: the store does not know of it yet
                slot.wanted = True
                self._sync.note(slot)
                self._write()
            self._write_cells()
            self._sync.keep_draft(slot, turn)

    def answered(self, request: str) -> Answered | None:
        """The latest whole reply to the request of that hash; None if there is none."""
        return self._sync.answered(request)

    def media(self, hashes: set[str]) -> dict[str, bytes]:
        """The bytes of media by their SHA-256: those of the conversations here, then those of the store."""
        with self._lock.get():
            files = [p for t in self._standing.turns for p in t.files]
        here = {p.sha256: p.data for p in files if p.sha256 in hashes}
        return here | (self._sync.attempt(lambda: self._sync.store.media(hashes - here.keys())) or {})

    # What could not be kept

    def take_notices(self) -> list[str]:
        """Lines for the user on what could not be kept; each is given once."""
        return self._sync.take_notices()

    def failure(self) -> str:
        """Return a line on why nothing can be kept now; ``""`` if it can. What was missed is written then."""
        with self._lock.get():
            if not self._catch_up():
                self._sync.look()
            return self._sync.take_failure()

    # Which one

    @property
    def path(self) -> str | None:
        """The notebook's path as the store has it; None where there is none."""
        return column(self._sync.notebook.path) if self._sync.notebook else None

    def resume(self) -> tuple[Summary | None, str]:
        """Go on with the conversation that the notebook was in, if it is known to be the notebook's.

        Returns
        -------
        Summary or None
            The conversation; None if there is none. What was said here until now comes after what is kept of it.
        str
            A line for the user; ``""`` if there is nothing to say.
        """
        notebook = self._sync.notebook
        with self._lock.get():
            if notebook is None or not self._resume:
                return None, ""
            if self._as_resumed:
                return self._go_back() or (None, "")
            if any(s.worth_keeping or s.reply_lock.locked() for s in self._standing.all):
                return self._resume_late() if self._unknown else (None, "")
            found, line = self._sync.attempt(lambda: find(self._sync.database, notebook)) or (None, "")
            self._unknown = found is None and bool(line)
            if found is None:
                return None, line
            self.current, self._as_resumed = found.name, True
            self._standing.named.clear()  # nothing is in them, and more is known now
            return self._go_back() or (found, line)

    def _go_back(self) -> tuple[Summary, str] | None:
        """Go to where the running cell ran before: after a restart, cells may run from the top."""
        home, last = self._cells.place_on_page(), self.current
        if home is None or home == last:
            return None
        found = self._sync.attempt(lambda: self._sync.named(home))
        if found is None:
            return None
        self.current, self._as_resumed = home, False
        self._slot(home)
        self._write()  # which is the current one
        return found, f"{found.resumed}, where this cell ran before; %chat_switch {last} goes back."

    def note_cell(self) -> None:
        """Note which conversation the notebook is in while the running cell asks or changes something."""
        with self._lock.get():
            self._as_resumed = False
            self._cells.note(self._slot(None), self._standing.all)

    def asked_before(self) -> str | None:
        """Return the name of the conversation that an earlier run of this cell asked in; None for the current one."""
        with self._lock.get():
            home, run = self._cells.ran_in, self._cells.running
            if run is None or home in {None, self.current}:
                return None
            there, here = (self._slot(name).now.turns for name in (home, self.current))
            asked = any(t.cell and t.cell.cell_id == run[0] and t.cell.run != run[1] for t in there)
            return home if asked and not any(t.cell and t.cell.cell_id == run[0] for t in here) else None

    def begun_by_cell(self, name: str = "") -> str | None:
        """Return the name of the conversation that the running cell began before; None if it began none.

        With a `name`, it is that one. Without, it is the latest of those that it began before this kernel started.
        """
        with self._lock.get():
            return next(filter(self.has, self._cells.begun(name)), None)

    def _resume_late(self) -> tuple[Summary | None, str]:
        """Do what `resume` does, once the cells of what was set aside for want of them are known."""
        known = self._sync.attempt(self._sync.known) or ()
        found = next((s for s in known if s.displaced and s.name == self.current), None)
        slot = self._standing.named.get(self.current)
        before = self._sync.load(found) if found and slot and not slot.reply_lock.locked() else None
        if found is None or slot is None or before is None:
            return None, ""
        self._standing.put_aside(Slot(slot.now, slot.kept, writable=slot.writable, id=slot.id))
        self._join(slot, before)
        self._unknown = False
        self._write()
        return found, f"{found.resumed}. What was said here until now comes after them; %chat_reset starts afresh."

    def belong_to(self, notebook: Notebook) -> tuple[Summary | None, str]:
        """Let the conversations be those of `notebook`, which was not known yet; return what `resume` does.

        What was said until now comes after what is kept of the notebook.
        """
        with self._lock.get():
            until_now = self._standing.named
            try:
                self._standing.named, self._sync.notebook = {}, notebook
                found, line = self.resume()
                for name, slot in until_now.items():
                    self._join(slot, self._slot(name))
                    self._standing.named[name] = slot
            except BaseException:  # an interrupt: all is as it was, and the next cell tries again
                self._standing.named, self._sync.notebook = until_now, None
                raise
            self._catch_up()
            return found, line

    def _join(self, slot: Slot, before: Slot) -> None:
        """Let `slot`, which began here, go on with what is kept `before`."""
        slot.follow(before)
        if slot.now is not before.now:
            self._sync.note(slot)
        self._begun.add(slot.id)

    def begin(self, conversation: Conversation) -> Summary | None:
        """Let `conversation` take the place of the one of its name.

        Returns that one, which is set aside; None if there was nothing in it.
        """
        with self._lock.get():
            self.note_cell()
            self._unknown = False
            old, new = self._slot(conversation.name), self._new(conversation, wanted=True)
            new.here, old.here = old.here, set()  # a cell goes back to whichever has the name
            here = {t.id for t in self._standing.turns}
            self._sync.note(new, [t for t in conversation.turns if t.id not in here], asked=False)
            self._standing.put(new)
            self._write()
            return None if old.empty else old.summary(self.path, aside=True)

    def switch(self, name: str, *, begins: bool = False) -> Conversation:
        """Go to the conversation called `name`; begin it if there is none.

        Parameters
        ----------
        name
            Its name.
        begins
            Whether the running cell is what begins it, or began it when it ran before.
        """
        with self._lock.get():
            self.note_cell()
            slot = self._slot(name)
            self._sync.note(slot)
            slot.wanted = True
            if begins:
                self._cells.note_begun(slot)
            self.current = name
            self._write()
            return slot.now

    def has(self, name: str) -> bool:
        """Whether there is a conversation called `name`."""
        with self._lock.get():
            return self._slot(name).worth_keeping or name in {MAIN, self.current}

    @property
    def names(self) -> list[str]:
        """The names of the notebook's conversations."""
        with self._lock.get():
            kept = [s.name for s in self.summaries() if self.is_mine(s) and not s.set_aside]
            return list(dict.fromkeys([MAIN, self.current, *kept]))

    def unused_name(self, stem: str) -> str:
        """A name that no conversation has: `stem`, or with a number."""
        return next(n for n in chain([stem], (f"{stem}-{number}" for number in count(2))) if not self.has(n))

    def summaries(self) -> list[Summary]:
        """The conversations of this notebook, then the latest of others; the latest first."""
        with self._lock.get():
            kept = self._sync.attempt(lambda: latest(self._sync.database, self.path, _OTHERS_LISTED)) or []
            known = self._sync.attempt(self._sync.known) or ()
            mine = self._standing.summaries(self.path, filter(self.is_mine, kept), known)
            here = {s.id for s in mine}
            return [*mine, *(s for s in kept if not self.is_mine(s) and s.id not in here)]

    def is_mine(self, found: Summary) -> bool:
        """Whether a conversation began here, or is of the notebook, where that is known."""
        return found.id in self._begun or (self.path is not None and found.notebook == self.path)

    def adopt(self, found: Summary) -> Conversation:
        """Go on with a conversation of `summaries`.

        One that was set aside comes back in the place of the one that has its name. One of another
        notebook is copied, and stays there as it is.

        Raises
        ------
        InputError
            It cannot be read.
        """
        with self._lock.get():
            slot = self._standing.of_id(found.id) or self._sync.load(found)
            if slot is None:
                msg = f"The conversation {found.id} cannot be read from the store; nothing was changed."
                raise InputError(msg, "Run the cell again once the store can be used.")
            if not self.is_mine(found):
                name = found.name if self._slot(found.name).empty else self.unused_name(found.name)
                held = self._sync.notebook.contents() if self._sync.notebook else Contents()
                self.begin(replace(slot.now, name=name, turns=in_cells_here(held, slot.now.turns)))
                return self.switch(name)
            self._unknown = False
            self._slot(found.name)  # it is set aside, also if only the store had it until now
            self._standing.put(slot)
            return self.switch(found.name)

    def use(self, database: Database) -> None:
        """Keep everything in `database` from now on: what stands, but not what was said while nothing was kept."""
        with self._lock.get():
            self._as_resumed = False
            self._cells.forget_store()
            self._sync.use(database)
            self._standing.change_store()

    def reopen(self, database: Database) -> tuple[Summary | None, str]:
        """Go on after `close` with what stands, and return what `resume` does, in a notebook."""
        with self._lock.get():
            self.use(database)
            now = self._standing.named.get(self.current)
            if now is None or not now.now.turns:
                return self.resume()
            found = now.summary(self.path, aside=False)
            return found, f"{found.resumed}; %chat_reset starts afresh." if self._sync.notebook else ""

    def close(self) -> None:
        """Keep what has not been kept yet, and let the file go."""
        with self._lock.get():
            self._catch_up()
            self._sync.close()

    def _new(self, conversation: Conversation, *, wanted: bool = False, joins: bool = False) -> Slot:
        slot = Slot(conversation, wanted=wanted, joins=joins)
        self._begun.add(slot.id)
        return slot

    def _slot(self, which: str | Slot | None) -> Slot:
        if isinstance(which, Slot):
            return self._standing.of_id(which.id) or which
        name = which or self.current
        slot = self._standing.named.get(name)
        if slot is not None:
            self._sync.look_again(slot)
        else:
            found = self._sync.attempt(lambda: self._sync.named(name))
            slot = (self._sync.load(found) if found else None) or self._new(Conversation(name), joins=True)
            self._standing.named[name] = slot
        return slot

    def _write(self) -> None:
        if self._sync.write(self._standing.all, self._standing.named.get(self.current)):
            self._standing.let_go(self._sync.has_all)

    def _write_cells(self) -> None:
        """Write which cells ran where: the kernel may end before the conversation changes."""
        if any(s.here and self._sync.behind(s, aside=False) for s in self._standing.named.values()):
            self._write()

    def _catch_up(self) -> bool:
        """Write what the store lacks; return whether it lacked anything of a conversation."""
        self._sync.write_missed()
        missed = any(self._sync.behind(s, aside=aside) for s, aside in self._standing.all.items())
        if missed:
            self._write()
        return missed
