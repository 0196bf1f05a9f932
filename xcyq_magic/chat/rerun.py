"""A cell that runs again replaces its turn: which turns of a conversation are a cell's, and where its next one goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.conversation import CellRun, Turn
    from xcyq_magic.chat.messages import Message

EARLIER = ""  # the run of a turn from another kernel's life; no request of this kernel has that id
REDRAWN = "redrawn"  # the same, where its cell may have another id by now


def of_cell(turns: Sequence[Turn], cell: CellRun, prompt: Message | None) -> list[int]:
    """Return the indices of the turns of a cell that asks `prompt`.

    Where none has its id, they are those of the first cell that may have another id by now and has the same source, or
    asked the same.

    Parameters
    ----------
    turns
        Those of a conversation.
    cell
        The run of the cell.
    prompt
        What it asks; None where that is not known yet.
    """
    mine = [i for i, t in enumerate(turns) if t.cell and t.cell.cell_id == cell.cell_id]
    if mine:
        return mine
    redrawn = [(t.cell, t.prompt) for t in turns if t.cell and t.cell.run == REDRAWN]
    same = [its for its, _ in redrawn if cell.source is not None and its.source == cell.source]
    same += [its for its, asked in redrawn if asked == prompt]
    return [i for i, t in enumerate(turns) if t.cell in same[:1]]


def around(
    turns: Sequence[Turn], cell: CellRun | None, prompt: Message | None
) -> tuple[tuple[Turn, ...], tuple[Turn, ...]]:
    """Return the turns above a new turn of `cell`, and those below; turns that it replaces are in neither.

    Parameters
    ----------
    turns
        Those of a conversation.
    cell
        The run of the cell that asks; None goes to the end.
    prompt
        What it asks; None where that is not known yet.
    """
    mine = of_cell(turns, cell, prompt) if cell else []
    if not mine:
        return tuple(turns), ()
    stale = {i for i in mine if turns[i].cell != cell}
    fresh = [i for i in mine if i not in stale]
    cut = fresh[-1] + 1 if fresh else mine[0]
    above = tuple(t for i, t in enumerate(turns[:cut]) if i not in stale)
    below = tuple(t for i, t in enumerate(turns[cut:], cut) if i not in stale)
    return above, below


def to_retry(turns: Sequence[Turn]) -> int:
    """Return the index of the turn that is asked again where none is named: the last one.

    If another kernel asked that, it is the last of this kernel's: the cells below have not run again yet.
    """
    earlier = [t.cell is not None and t.cell.earlier for t in turns]
    here = [i for i, t in enumerate(turns) if t.cell and not earlier[i]]
    return here[-1] if here and earlier[-1] else len(turns) - 1


def place_after(turns: Sequence[Turn], above: Sequence[Turn]) -> int:
    """Return the index behind the last of `turns` that is one of `above`, or that took the place of one."""
    here = {t.id for t in turns}
    ids = {t.id for t in above}
    replaced = {t.cell.cell_id for t in above if t.cell and t.id not in here}
    places = (n for n, t in enumerate(turns, 1) if t.id in ids or (t.cell and t.cell.cell_id in replaced))
    return max(places, default=0)
