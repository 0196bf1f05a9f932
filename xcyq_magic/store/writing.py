"""One transaction that writes conversations: what differs of each, and whose row it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xcyq_magic.store.recognition import free_name
from xcyq_magic.store.slots import Kept
from xcyq_magic.store.summaries import DISPLACED, column, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from xcyq_magic.chat.conversation import Conversation
    from xcyq_magic.errors import StoreError
    from xcyq_magic.store.conversations import ConversationStore
    from xcyq_magic.store.database import Execute
    from xcyq_magic.store.slots import Slot
    from xcyq_magic.store.summaries import Summary


@dataclass
class Writing:
    """What is written, and what is to be said of it once it is.

    Attributes
    ----------
    store
        Where to.
    execute
        The transaction's.
    path
        The notebook's; None where there is none.
    named
        Returns the kept conversation of a name that the notebook goes on with; None if there is none.
    resume
        Whether it goes on with any.
    concealed
        The ids of the turns that are not to be written.
    refuse
        Called with the id of a turn that can never be written, and why.
    notices
        Lines for the user.
    """

    store: ConversationStore
    execute: Execute
    path: str | None
    named: Callable[[str], Summary | None]
    resume: bool
    concealed: Collection[str]
    refuse: Callable[[str, StoreError], None]
    notices: list[str] = field(default_factory=list)

    def write(self, slot: Slot, *, aside: bool) -> Kept:
        """Write what differs of a conversation, and return what the file has then.

        Parameters
        ----------
        slot
            The conversation. It may get another id.
        aside
            Whether it is set aside.
        """
        is_aside = self._own_row(slot, aside=aside)
        kept = None if is_aside is None else slot.kept.get(self.store.database.identity)
        if is_aside is None:
            self._create(slot, aside=aside)
        elif aside and not is_aside:
            self.store.set_aside(self.execute, slot.id)
        elif is_aside and not aside and kept is not None and kept.aside and not slot.displaced:
            self._free_name(slot)  # it was gone back to
            self.store.set_aside(self.execute, slot.id, aside=False)
        else:
            aside = is_aside
        if kept is None or slot.now is not kept.conversation:
            after = self._without_concealed(slot.now)
            before = self._before(slot, after) if kept is None else self._without_concealed(kept.conversation)
            for turn, error in self.store.change(self.execute, slot.id, before, after):
                self.refuse(turn.id, error)
        self.store.note_cells(self.execute, slot.id, slot.cells, slot.here, slot.began)
        return Kept(slot.now, aside)

    def _own_row(self, slot: Slot, *, aside: bool) -> bool | None:
        """Return whether a conversation is set aside in the file; None if it needs a row.

        Its row may be another conversation's by now: one that another notebook goes on with, since what both said would
        stand in it; or one that came from it in another kernel, before this one was told to keep it in this file.
        """
        row = self.store.row(self.execute, slot.id)
        if row is None:
            return None
        notebook, is_aside = row
        if notebook is None or self.path is None or notebook == column(self.path):
            known = slot.joins or self.store.database.identity in slot.kept
            turns = set() if known else self.store.turns_of(self.execute, slot.id)
            if known or (is_aside == aside and turns <= {t.id for t in slot.now.turns}):
                return is_aside
        else:
            other, name = os.path.basename(notebook), slot.now.name  # noqa: PTH119  # a str
            self.notices.append(f"{other} goes on with what was kept of {name}; this notebook goes on with a copy.")
        slot.cells |= self.store.cells_of(self.execute, slot.id)
        slot.id = new_id()
        return None

    def _create(self, slot: Slot, *, aside: bool) -> None:
        if not aside:
            self._free_name(slot)
        slot.id = self.store.create(self.execute, slot.id, self.path, slot.now, aside=aside)

    def _before(self, slot: Slot, after: Conversation) -> Conversation:
        """Return what the file has of `after` in a row that another kernel may have written to."""
        here = self.store.turns_of(self.execute, slot.id)
        return replace(after, turns=tuple(t for t in after.turns if t.id in here))

    def _free_name(self, slot: Slot) -> None:
        """Set aside the conversation of the file that has the name of `slot`, unless `slot` joins it."""
        mine = self.named(slot.now.name)
        if self.path is None or (mine is not None and slot.joins):
            return
        on_purpose = mine is not None or not self.resume
        free_name(self.execute, self.path, slot.now.name, 1 if on_purpose else DISPLACED)
        if mine is not None and mine.turns:
            self.notices.append(
                f"The store had {mine} under the name {mine.name}; that is set aside, and %chat_switch {mine.id} "
                "goes on with it."
            )

    def _without_concealed(self, conversation: Conversation) -> Conversation:
        if not any(t.id in self.concealed for t in conversation.turns):
            return conversation
        return replace(conversation, turns=tuple(t for t in conversation.turns if t.id not in self.concealed))
