"""``--above``: the cells above the one that asks, as they stand on the page, with what they showed last.

Their order, and what is no code, come from the notebook's file; what ran in this kernel, and what it showed, from the
kernel, which knows it before the file does.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.messages import Above
from xcyq_magic.chat.parts import Text
from xcyq_magic.chat.records import SECTION_MIME, TURN_MIME
from xcyq_magic.errors import InputError
from xcyq_magic.media.cells import Cell, cell_of, parts_of_cells
from xcyq_magic.media.secrets import is_private, mask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from xcyq_magic.chat.parts import Part
    from xcyq_magic.magics.cell_outputs import RanCell
    from xcyq_magic.magics.context import Context
    from xcyq_magic.magics.saved_cells import SavedCells

ALL = 0  # as the number of cells
_HEAD = "The notebook above this cell, {order}:\n\n"
_END = "(End of the cells above.)\n"
_BY_PAGE, _BY_RUN = "in the order of the page", "in the order in which its cells ran"
_A_DAY_S = 86_400
_OURS = re.compile(r"\s*(?:%%?chat\w*|%%compare|%(?:re|un)?load_ext\s+xcyq_magic|%config\s+(?:Chat|Gateway)Settings)\b")
_TRACED = re.compile(r"^([ \t]*-*>?[ \t]*\d+ )(.*)$", re.MULTILINE)  # a line of code in a traceback
_ASKS = re.compile(r"\s*(?:%%chat|%%compare|%chat|%chat_error)\b")


@dataclass(frozen=True)
class _Placed:
    """A cell at its place on the page.

    Attributes
    ----------
    key
        Its id, or what stands for it.
    record
        The cell in JSON, as in a notebook's file.
    note
        What to know of it.
    ran
        Its last run in this kernel; None for one that did not run.
    saved
        Its source in the file; None where the file does not have it.
    gone
        Whether it was deleted or cut since the file was written.
    """

    key: str
    record: Mapping[str, Any]
    note: str = ""
    ran: RanCell | None = None
    saved: str | None = None
    gone: bool = False

    @property
    def name(self) -> str:
        """How it is called on the page: ``In [4]``."""
        number = self.record.get("execution_count")
        return f"In [{number}]" if number is not None else "a cell that did not run"

    @property
    def is_private(self) -> bool:
        """Whether its first line or its tags say so, as it ran or as it is saved."""
        tags = self.record.get("metadata", {}).get("tags", ())
        markdown = self.record.get("cell_type") == "markdown"
        sources = filter(None, {self.record["source"], self.saved, self.ran.source if self.ran else None})
        return "private" in tags or any(is_private(source, markdown=markdown) for source in sources)


def cells_above(context: Context, count: int, turns: Collection[str]) -> tuple[list[Part], Above]:
    """Return the cells above the one that asks as content parts, and what they are.

    Parameters
    ----------
    context
        Whose notebook it is.
    count
        How many of them, the nearest; `ALL` for all.
    turns
        The ids of the turns that go along anyway: their cells are left out.

    Raises
    ------
    InputError
        There are none.
    """
    placed, notes = _page(context)
    open_ = [p for p in placed if not p.is_private]
    known, asked = _nearest_known(open_, count, turns)
    if asked:
        notes.insert(0, f"{asked} chat{'s are' if asked > 1 else ' is'} in the conversation already")
    if private := len(placed) - len(open_):
        notes.append(f"{_cells(private)} left out as private")
    if not known:
        of = " that may go along" if private else ""
        of = f" but for what goes along anyway: {notes[0]}" if asked else of
        msg = f"There is no cell above this one{of}, so nothing was sent."
        raise InputError(msg, "Leave out --above.")
    cells, hidden = _masked(context, _nearest(known, context.chat.above_chars), placed)
    notes += [f"{hidden} value{'s' * (hidden != 1)} hidden"] if hidden else []
    shown = parts_of_cells(cells, context.chat.above_chars, context.chat.above_images)
    notes += [f"{shown.shortened} shortened"] if shown.shortened else []
    if further := len(known) - shown.cells:
        notes.append(f"{further} further up left out (ChatSettings.above_chars = {context.chat.above_chars:,})")
    order = _BY_RUN if _BY_RUN in notes else _BY_PAGE
    parts = _between(shown.parts, _HEAD.format(order=order), _END)
    return parts, Above(len(parts), shown.cells, tuple(notes))


def _nearest_known(open_: Sequence[_Placed], count: int, turns: Collection[str]) -> tuple[list[_Placed], int]:
    """Return the nearest cells as they go along, and how many among them are left out for their `turns`."""
    found = [(p, _without_known(p, turns)) for p in open_]
    at = [n for n, (_, kept) in enumerate(found) if kept is not None]
    within = found[at[-count] if 0 < count <= len(at) else 0 :]
    known = [kept for _, kept in within if kept is not None]
    return known, sum(kept is None and _without_known(p, ()) is not None for p, kept in within)


def _cells(count: int) -> str:
    return f"{count} cell{'s' * (count != 1)}"


def _between(parts: Sequence[Part], head: str, end: str) -> list[Part]:
    """Return parts between two texts, with as few parts as that can be."""
    found: list[Part] = [Text(head), *parts, Text(end)]
    joined: list[Part] = []
    for part in found:
        if joined and isinstance(part, Text) and isinstance(before := joined[-1], Text):
            joined[-1] = Text(before.text + part.text)
        else:
            joined.append(part)
    return joined


def _masked(context: Context, cells: Sequence[Cell], page: Sequence[_Placed]) -> tuple[list[Cell], int]:
    """Return cells without what looks like a key, and how many such values there were.

    Parameters
    ----------
    context
        Whose own key is hidden, too.
    cells
        Those that go along.
    page
        All cells: one that is private or further up may set the key that these show.
    """
    sources = {source for p in page for source in (p.record["source"], p.saved, p.ran.source if p.ran else "")}
    masked = mask([text for cell in cells for text in (cell.source, *cell.outputs)], filter(None, sources))
    texts = iter(context.session.access.hide_all(masked.texts))
    private = {line.strip() for p in page if p.is_private for line in p.record["source"].split("\n")} - {""}

    def shown(line: re.Match[str]) -> str:
        return f"{line[1]}(private)" if line[2].strip() in private else line[0]

    found = [
        replace(c, source=next(texts), outputs=tuple(_TRACED.sub(shown, next(texts)) for _ in c.outputs)) for c in cells
    ]
    return found, masked.count


def _nearest(known: Sequence[_Placed], chars: int) -> list[Cell]:
    """Return the last cells, more than have room in so many characters: to read the outputs of all may take long."""
    cells: list[Cell] = []
    room = chars + chars // 4
    for placed in reversed(known):
        if room < 0:
            break
        cells.append(cell_of(placed.record, placed.note))
        room -= min(sum(map(len, (cells[-1].source, *cells[-1].outputs))), chars // 2)  # as it is shortened
    return cells[::-1]


def _without_known(placed: _Placed, turns: Collection[str]) -> _Placed | None:
    """Return a cell as it goes along; None for one that is empty, or ours and of no interest or known already."""
    record, outputs = placed.record, placed.record.get("outputs", [])
    lines = [line for line in record["source"].split("\n") if line.strip()]
    if not lines:
        return None
    kept = list(_without_turns(outputs, turns))
    if record["cell_type"] == "code" and (lines[0].lstrip().startswith("%%") or all(map(_OURS.match, lines))):
        answered = any("data" in o for o in kept) and len(kept) == len(outputs)
        asks = any(map(_ASKS.match, lines)) and "--dry-run" not in lines[0]
        if _OURS.match(lines[0]) and not (asks and answered):
            return None
    return placed if len(kept) == len(outputs) else replace(placed, record={**record, "outputs": kept})


def _without_turns(outputs: Iterable[Any], turns: Collection[str]) -> Iterable[Any]:
    """Return outputs but for those that show one of `turns`; a long reply has several."""
    within = False
    for output in outputs:
        data = data if isinstance(data := output.get("data"), dict) else {}
        turn = data.get(TURN_MIME)
        if isinstance(turn, dict):
            within = str(turn.get("id")) in turns
        elif SECTION_MIME not in data:
            within = False
        if not within:
            yield output


# The page


def _page(context: Context) -> tuple[list[_Placed], list[str]]:
    """Return the cells above the one that asks, and what to know of their places."""
    from xcyq_magic.magics.saved_cells import saved_cells

    ran = list(context.ran)
    here = next((r.key for r in ran if r.run == context.ran.asking), None)
    notebook = context.notebook
    saved = saved_cells(notebook.path, ran, context.runs.sources.keys()) if notebook else None
    placed, notes = _of_file(context, saved, ran) if saved else (_history(context), [_BY_RUN])
    keys = [p.key for p in placed]
    known = set(keys)
    for cell in ran:  # in the order of their first runs, so that each has its predecessor
        if cell.key not in known and (saved is None or cell.began_at > saved.at or cell.key == here):
            at = next((keys.index(key) + 1 for key in context.ran.before(cell) if key in known), len(placed))
            if saved and cell.key == here and at:
                notes.append(f"not saved yet: this cell is taken to stand below {placed[at - 1].name}")
            placed.insert(at, _Placed(cell.key, cell.record, ran=cell))
            keys.insert(at, cell.key)
            known.add(cell.key)
    above = placed[: keys.index(here) if here in known else None]
    kept = [p for p in above if not p.gone]
    return kept, notes + [f"{_cells(len(above) - len(kept))} deleted or cut left out"] * (len(above) > len(kept))


def _of_file(context: Context, saved: SavedCells, ran: list[RanCell]) -> tuple[list[_Placed], list[str]]:
    """Return the cells of a notebook's file, with what ran in this kernel in their places, and what to know of them.

    Parameters
    ----------
    context
        Whose kernel it is.
    saved
        The file.
    ran
        What ran.
    """
    typed = set(context.shell.history_manager.input_hist_raw) if context.shell.history_manager else set()
    by_id = {cell.key: cell for cell in ran}
    if not any(record["id"] in by_id for record in saved.cells):  # VS Code tells other ids than it saves
        by_id = _by_source(saved.cells, ran)
    numbered = any(record["execution_count"] is not None for record in saved.cells)  # not by what saves no outputs
    placed = []
    for n, record in enumerate(saved.cells):
        key, source = record["id"] or str(n), record["source"]
        if context.ran.deleted.get(key, 0.0) > saved.at:
            placed.append(_Placed(key, record, gone=True))  # what ran after it stands there
            continue
        cell = by_id.get(key)
        if cell is None:
            unknown = record["cell_type"] == "code" and source not in typed
            placed.append(_Placed(key, record, "not run in this kernel" if unknown else "", saved=source))
            continue
        changed = cell.source.strip() != source.strip() and saved.at > cell.began_at
        now = {"metadata": record["metadata"], **({"source": source} if changed else {})}
        if numbered and saved.at > cell.ended_at and record["execution_count"] is None and not record["outputs"]:
            now |= {"outputs": [], "execution_count": None}  # they were cleared on the page
        note = "changed since it ran" if changed else ""
        placed.append(_Placed(cell.key, {**cell.record, **now}, note, cell, source))
    form = "%H:%M:%S" if 0 <= time.time() - saved.at < _A_DAY_S else "%Y-%m-%d"
    return placed, [f"order as saved at {time.strftime(form, time.localtime(saved.at))}"]


def _by_source(saved: Sequence[Mapping[str, Any]], ran: list[RanCell]) -> dict[str, RanCell]:
    """Return what ran by the ids of the saved cells with the same source, each once.

    Of cells with the same source, it is the next one below what ran before.
    """
    left = {n: record["source"].strip() for n, record in enumerate(saved)}
    found, last = {}, -1
    for cell in ran:
        source = cell.source.strip()
        places = [n for n, text in left.items() if text == source and text]
        if places:
            last = next((n for n in places if n > last), places[0])
            del left[last]
            found[saved[last]["id"] or str(last)] = cell
    return found


def _history(context: Context) -> list[_Placed]:
    """Return the cells that ran before the first that was heard of, or this one, as IPython's history has them."""
    history, before = context.shell.history_manager, context.ran.first
    sources = list(history.input_hist_raw[1 : -1 if before is None else before]) if history else []
    outputs: Mapping[int, Any] = getattr(history, "outputs", {})  # IPython 9.1 has what was printed
    failed: Mapping[int, Any] = getattr(history, "exceptions", {})
    results: Mapping[int, Any] = context.shell.user_ns.get("_oh", {})
    placed = []
    for number, source in enumerate(sources, 1):
        shown = [_of_history(output) for output in outputs.get(number, ())]
        if not shown and number in results:
            shown = [_result(results[number], context.chat.value_chars)]
        if number in failed:
            shown.append({"output_type": "error", "traceback": list(failed[number].get("traceback", ()))})
        record = {"cell_type": "code", "source": source, "execution_count": number, "outputs": shown}
        placed.append(_Placed(f"in {number}", record))
    return placed


def _of_history(output: Any) -> dict[str, Any]:  # noqa: ANN401  # IPython's HistoryOutput
    if "stream" in output.bundle:
        text = output.bundle["stream"]
        return {"output_type": "stream", "text": "".join(text) if isinstance(text, list) else text}
    return {"output_type": "display_data", "data": output.bundle}


def _result(value: object, chars: int) -> dict[str, Any]:
    from xcyq_magic.errors import MediaError
    from xcyq_magic.media.values import describe

    try:
        return {"output_type": "execute_result", "data": {"text/plain": describe(value, chars)}}
    except MediaError:
        return {"output_type": "execute_result", "data": {"text/plain": f"a {type(value).__name__}"}}
