"""A turn as the output of its cell records it, and the turns that the outputs of a page make together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xcyq_magic.chat.conversation import Turn

TURN_MIME = "application/vnd.xcyq.turn+json"
TURN_VERSION = 1
# A long reply has several outputs. The turn's record is in the first, with the reply's id and their number; each of
# the others says which one it is.
SECTION_MIME = "application/vnd.xcyq.section+json"


def turn_record(
    turn: Turn,
    conversation: str | None,
    plain: str | None = None,
    *,
    sections: tuple[str, int] | None = None,
    elsewhere: bool = False,
    instead_of: Turn | None = None,
) -> dict[str, Any]:
    """Return the record of a turn in an output, JSON-ready, with media named by their hash.

    Parameters
    ----------
    conversation
        The name of the conversation that it is in; None if it is in none.
    plain
        The plain text beside it in the output, or outputs. If that is the reply's text, the record leaves it out: the
        notebook's file would hold each reply once more.
    sections
        The reply's id and the number of its outputs, where it has several.
    elsewhere
        Whether another cell shows it than the one that it belongs to, as ``%chat_retry`` and ``%chat_keep`` do.
    instead_of
        The turn whose place it took there.
    """
    record = {"version": TURN_VERSION, **turn.to_dict(), "id": turn.id, "conversation": conversation}
    if turn.completion.text == plain:
        del record["completion"]["text"]
    if sections:
        record["sections"] = {"of": sections[0], "count": sections[1]}
    if elsewhere:
        cell = turn.cell.lasting_id if turn.cell else None
        record["in_place_of"] = {"turn": instead_of.id if instead_of else None, "cell": cell}
    return record


def section_record(of: str, number: int) -> dict[str, Any]:
    """Return what says that an output is a further section of the reply `of`, counted from 0."""
    return {"of": of, "number": number}


def records_of_outputs(outputs: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the whole record of each turn in the outputs of a cell, from all of their MIME types.

    A file may hold text as its lines, see https://nbformat.readthedocs.io/en/latest/format_description.html.
    """
    outputs = list(outputs)
    for data in outputs:
        record = data.get(TURN_MIME)
        if isinstance(record, dict):
            completion = record.get("completion")
            if isinstance(completion, dict) and "text" not in completion:
                plain = _plain_text(data, record.get("sections"), outputs)
                record = record if plain is None else {**record, "completion": {**completion, "text": plain}}
            yield record


def _plain_text(first: Mapping[str, Any], sections: object, outputs: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the plain text of a reply's outputs; None if one of them is missing."""
    count, texts = 1, {0: first.get("text/plain")}
    if isinstance(sections, dict):
        count = sections.get("count", 1)
        marked = [(data.get(SECTION_MIME), data.get("text/plain")) for data in outputs]
        mine = [(m, plain) for m, plain in marked if isinstance(m, dict) and m.get("of") == sections.get("of")]
        texts |= {mark.get("number", 0): plain for mark, plain in mine}
    numbers = sorted(texts)
    if len(texts) != count or numbers != list(range(count)) or None in texts.values():
        return None
    return "".join("".join(texts[number] or "") for number in numbers)


def place_of(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the record of a turn says of its place; None if that is where its output stands."""
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
    """Return the turns of a page's outputs as they stood in their conversation.

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
