"""Conversations as they stand in memory, beside what the store has of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from xcyq_magic.store.forks import PerProcess
from xcyq_magic.store.summaries import Summary, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xcyq_magic.chat.conversation import Conversation, Turn

    _Taken: TypeAlias = tuple[tuple[Turn, ...], tuple[Turn, ...]]


@dataclass(frozen=True)
class Kept:
    """What was written of a conversation: as it stood then, and whether it is set aside in the file."""

    conversation: Conversation
    aside: bool = False


@dataclass(eq=False)
class Slot:
    """A conversation as it stands, and what the store has of it.

    Attributes
    ----------
    now
        As it stands.
    kept
        What each file has of it, by the file's identity: ``ChatSettings.store`` may change, and change back.
    wanted
        Whether to keep it although nothing is in it yet.
    writable
        Whether anything was done to it while conversations are kept: of one that is not, a file has not even the name.
    joins
        Whether it is the same as one of its name, or its id, that another kernel of the notebook writes.
    displaced
        Whether another kernel set it aside in the store, while it stands here.
    taken
        What was taken back from it: each time the turns that were, and all turns before that; the latest last.
    replaced
        The same of what the last run of a cell replaced, by the cell's id.
    cells, here, began
        The ids of the cells that it was changed in, of those that ran while the notebook was in it, and of those that
        began it, as far as they are not in the store yet.
    lock
        Its `reply_lock`, in each process.
    own
        Whether it is a `Chat`'s own: in no list, and in the store its turns alone.
    id
        Its name in the store.
    """

    now: Conversation
    kept: dict[str, Kept] = field(default_factory=dict)
    wanted: bool = False
    writable: bool = False
    joins: bool = False
    displaced: bool = False
    taken: list[_Taken] = field(default_factory=list)
    replaced: dict[str, _Taken] = field(default_factory=dict)
    cells: set[str] = field(default_factory=set)
    here: set[str] = field(default_factory=set)
    began: set[str] = field(default_factory=set)
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
        """Whether anybody could miss it: it is stored already, was created by name, or is not empty."""
        return self.wanted or bool(self.kept) or not self.empty

    @property
    def in_use(self) -> bool:
        """Whether this kernel could miss something of it that is in no file."""
        return self.worth_keeping or bool(self.taken or self.replaced) or self.reply_lock.locked()

    def follow(self, before: Slot) -> None:
        """Take the place of `before`: its turns come first, and what was chosen here goes on."""
        now, said = before.now, self.now
        known = {t.id for t in now.turns}
        turns = tuple(t for t in said.turns if t.id not in known)
        chosen = {what: v for what, v in (("model", said.model), ("system", said.system)) if v is not None}
        self.now = replace(now, turns=(*now.turns, *turns), **chosen) if turns or chosen else now
        self.kept, self.id, self.joins = before.kept, before.id, before.joins

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
        """Return what was taken from it last and is not back; what cells replaced comes after the rest.

        To run a cell again is to replace its turns: who wants something back has most likely taken that back.
        """
        here = {t.id for t in self.now.turns}
        while self.taken or self.replaced:
            gone, before = self.taken[-1] if self.taken else self.replaced[next(reversed(self.replaced))]
            if back := tuple(t for t in gone if t.id not in here):
                return back, before
            self.forget_last()  # it is back
        return None

    def forget_last(self) -> None:
        """Forget what `last_taken` returned, once it is back."""
        if self.taken:
            self.taken.pop()
        else:
            self.replaced.popitem()

    def summary(self, notebook: str | None, *, aside: bool) -> Summary:
        """Return the `Summary` that ``%chat_switch`` lists."""
        asked = self.now.turns[-1].asked_at if self.now.turns else 0.0
        now = self.now
        has_system = bool(now.system)
        return Summary(
            self.id, notebook, now.name, len(now.turns), asked, aside, model=now.model, has_system=has_system
        )


class Standing:
    """Which conversation has which name, and which are set aside. Each step leaves it whole: an interrupt may follow.

    Attributes
    ----------
    named
        Those that stand, by their names.
    aside
        Those that were set aside, and that memory needs: no file has all of them, or they may change yet.
    """

    def __init__(self) -> None:
        self.named: dict[str, Slot] = {}
        self.aside: list[Slot] = []

    @property
    def all(self) -> dict[Slot, bool]:
        """All conversations in memory, and whether each is set aside."""
        return {**dict.fromkeys(self.aside, True), **dict.fromkeys(self.named.values(), False)}

    @property
    def turns(self) -> Iterable[Turn]:
        """The turns of all of them."""
        return (turn for slot in self.all for turn in slot.now.turns)

    def of_id(self, identifier: str) -> Slot | None:
        """Return the conversation that the store knows by that id; None if it is not in memory."""
        return next((s for s in self.all if s.id == identifier), None)

    def put(self, slot: Slot) -> None:
        """Let `slot` have its name; the one that has it is set aside."""
        name = slot.now.name
        if (old := self.named.get(name)) is not None and old is not slot and old.worth_keeping:
            self.put_aside(old)  # it has its name until the next line
        self.named[name] = slot
        self.aside = [s for s in self.aside if s is not slot]
        slot.displaced = slot.joins = False

    def put_aside(self, slot: Slot) -> None:
        """Have memory keep a conversation that has no name here."""
        if slot not in self.aside:
            self.aside.append(slot)

    def let_go(self, has_all: Callable[[Slot], bool]) -> None:
        """Forget what was set aside and cannot change, where `has_all` says that a file has all of it."""
        self.aside = [s for s in self.aside if s.taken or s.replaced or s.reply_lock.locked() or not has_all(s)]

    def change_store(self) -> None:
        """Forget what nobody could miss: another file may have something under these names."""
        self.named = {name: slot for name, slot in self.named.items() if slot.in_use}
        for slot in self.all:
            slot.joins = False  # what has its name or its id there is another one

    def summaries(self, notebook: str | None, kept: Iterable[Summary], known: Iterable[Summary]) -> list[Summary]:
        """Return the `Summary` of each conversation of the notebook that has turns, or stands; the latest first.

        Parameters
        ----------
        notebook
            The path of the notebook.
        kept
            Those of the notebook that the store has.
        known
            Those of them that the notebook is known by.
        """
        here = {slot: aside for slot, aside in self.all.items() if slot.worth_keeping}
        ids, known_ids = {s.id for s in here}, {s.id for s in known}
        standing = {s.now.name for s, aside in here.items() if not aside}
        rest = [
            replace(s, set_aside=s.set_aside or s.id not in known_ids or s.name in standing)
            for s in kept
            if s.id not in ids
        ]
        found = [*rest, *(s.summary(notebook, aside=aside) for s, aside in here.items())]
        return sorted((s for s in found if s.turns or not s.set_aside), key=lambda s: -s.last_turn_at)
