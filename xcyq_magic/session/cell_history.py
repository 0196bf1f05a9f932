"""Where the cells of a notebook ran, and which conversations they began: in this kernel, and before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcyq_magic.store.slots import Slot
    from xcyq_magic.store.sync import Sync


class CellHistory:
    """The cells that asked, or changed something.

    A cell is known by an id that lasts: those of a terminal have none, and nothing is known of them.

    Parameters
    ----------
    sync
        Knows the cell that is running, and what the store has of it.
    """

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._ran_in: dict[str, str] = {}  # the names of conversations, by the ids of the cells that ran there last
        self._noted: set[tuple[str, str]] = set()  # runs of cells: a reply may come after the next run has begun
        self._began: set[tuple[str, str]] = set()  # ids of cells, and the names of conversations
        self._kept: dict[str, str] | None = None  # as `_ran_in`, of before this kernel

    @property
    def running(self) -> tuple[str, str] | None:
        """The ids of the running cell and of this run of it; None where it has no id that lasts."""
        return self._sync.cell_run

    def note(self, current: Slot, all_slots: Iterable[Slot]) -> None:
        """Note that the running cell asks, or changes something, while the notebook is in the conversation `current`.

        Of each run of a cell the first time counts: what it does then may lead to another conversation.
        """
        run = self.running
        if run is None or run in self._noted:
            return
        self._noted.add(run)
        cell_id, _ = run
        for slot in all_slots:
            slot.here.discard(cell_id)
        current.here.add(cell_id)
        self._ran_in[cell_id] = current.now.name

    def note_begun(self, slot: Slot) -> None:
        """Note that the running cell began a conversation, also if that was in an earlier run."""
        if (run := self.running) is not None:
            slot.began.add(run[0])
            self._began.add((run[0], slot.now.name))

    @property
    def ran_in(self) -> str | None:
        """The name of the conversation that the notebook was in when the running cell ran last; None if unknown."""
        if (run := self.running) is None:
            return None
        return self._ran_in.get(run[0]) or self._before().get(run[0])

    def place_on_page(self) -> str | None:
        """Return where the running cell ran last; for a new one, where the next known cell below it ran."""
        run, last = self.running, self.ran_in
        if run is None or last is not None:
            return last
        known, cells = self._before(), self._sync.cells_on_page()
        below = cells[cells.index(run[0]) :] if run[0] in cells else []
        return next((known[cell] for cell in below if cell in known), None)

    def forget_store(self) -> None:
        """Look into the store anew: it is another one."""
        self._kept = None

    def _before(self) -> dict[str, str]:
        if self._kept is None:
            self._kept = self._sync.ran_in()
        return self._kept or {}

    def begun(self, name: str) -> list[str]:
        """Return the names of conversations that earlier runs of the running cell began, the latest first.

        Parameters
        ----------
        name
            The name that is looked for; ``""`` for any that was begun before this kernel started, unless the cell has
            begun one since.
        """
        if (run := self.running) is None:
            return []
        here = {begun for cell_id, begun in self._began if cell_id == run[0]}
        before = self._sync.begun_by(run[0])
        if name:
            return [name] if name in here or name in before else []
        return [] if here else before
