"""A turn as the output of its cell records it, and the turns that the outputs of a page make together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xcyq_magic.chat.conversation import Turn

TURN_MIME = "application/vnd.xcyq.turn+json"
TURN_VERSION = 1


def turn_record(
    turn: Turn,
    conversation: str | None,
    plain: str | None = None,
    *,
    elsewhere: bool = False,
    instead_of: Turn | None = None,
) -> dict[str, Any]:
    """The record of a turn in an output, JSON-ready, with media named by their hash.

    Parameters
    ----------
    conversation
        The name of the conversation that it is in; None if it is in none.
    plain
        The plain text beside it in the output. If that is the reply's text, the record leaves it out: the notebook's
        file would hold each reply once more.
    elsewhere
        Whether another cell shows it than the one that it belongs to, as ``%chat_retry`` and ``%chat_keep`` do.
    instead_of
        The turn whose place it took there.
    """
    record = {"version": TURN_VERSION, **turn.to_dict(), "id": turn.id, "conversation": conversation}
    if turn.completion.text == plain:
        del record["completion"]["text"]
    if elsewhere:
        cell = turn.cell.lasting_id if turn.cell else None
        record["in_place_of"] = {"turn": instead_of.id if instead_of else None, "cell": cell}
    return record


def record_of_output(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The whole record of the turn in an output, from all of its MIME types; None if it has no turn.

    A file may hold text as its lines, see https://nbformat.readthedocs.io/en/latest/format_description.html.
    """
    record = data.get(TURN_MIME)
    if not isinstance(record, dict):
        return None
    completion, plain = record.get("completion"), data.get("text/plain")
    if isinstance(completion, dict) and "text" not in completion and plain is not None:
        return {**record, "completion": {**completion, "text": "".join(plain)}}
    return record


def place_of(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the record of a turn says of its place; None if that is where its output stands."""
    place = record.get("in_place_of")
    return place if isinstance(place, dict) else None


@dataclass(eq=False)
class _Standing:
    """A turn, and where on the page it stands."""

    turn: Turn
    id: object
    place: Mapping[str, Any] | None

    def is_of(self, cell: object) -> bool:
        return self.turn.cell is not None and self.turn.cell.cell_id == cell


def in_their_places(shown: Iterable[tuple[Turn, Mapping[str, Any]]]) -> tuple[Turn, ...]:
    """The turns of a page's outputs as they stood in their conversation.

    One that another cell shows takes the place of the turn that it names, or of what its own cell shows, unless that
    is newer: the cell was run again since. If neither is on the page any more, it stands where it is shown.

    Parameters
    ----------
    shown
        The turns in the order of the page, each with its record.
    """
    page = [_Standing(turn, record.get("id"), place_of(record)) for turn, record in shown]
    in_place = [s for s in page if s.place is None]
    moved = [(s, s.place) for s in page if s.place is not None]
    for late, place in sorted(moved, key=lambda m: m[0].turn.asked_at):  # one may have taken another's place
        named = [s for s in page if s is not late and s.id is not None and s.id == place.get("turn")]
        of_its_cell = [s for s in in_place if s.is_of(place.get("cell"))]
        target = next(reversed(named or of_its_cell), None)
        if target is None:
            in_place.append(late)
            continue
        page.remove(late)
        if target.turn.asked_at <= late.turn.asked_at:
            target.turn, target.id = late.turn, late.id
    return tuple(s.turn for s in page)
