"""``--above``: the cells above the one that asks, as they stand on the page, with what they showed last.

Their order, and what is no code, come from the notebook's file; what ran in this kernel, and what it showed, from the
kernel, which knows it before the file does.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.messages import Above, Text
from xcyq_magic.chat.records import SECTION_MIME, TURN_MIME
from xcyq_magic.errors import InputError
from xcyq_magic.media.cells import Cell, cell_of, parts_of_cells
from xcyq_magic.media.files import read_file
from xcyq_magic.media.secrets import is_private, mask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from xcyq_magic.chat.messages import Part
    from xcyq_magic.magics.context import Context
    from xcyq_magic.magics.ran_cells import RanCell

ALL = 0  # as the number of cells
_HEAD = "The notebook above this cell, {order}:\n\n"
_END = "(End of the cells above.)\n"
_BY_PAGE, _BY_RUN = "in the order of the page", "in the order in which its cells ran"
_MOST_BYTES = 256 * 2**20  # of a notebook's file
_ATTEMPTS, _PAUSE_S = 4, 0.05  # to read a file that is being written
_MOST_NEIGHBOURS = 200  # notebooks of a folder, looked at for one that was renamed
_OURS = re.compile(r"\s*(?:%%?chat\w*|%%compare|%(?:re|un)?load_ext\s+xcyq_magic|%config\s+(?:Chat|Gateway)Settings)\b")
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
    """

    key: str
    record: Mapping[str, Any]
    note: str = ""
    ran: RanCell | None = None
    saved: str | None = None

    @property
    def number(self) -> int | None:
        """The one in ``In [4]``; None where it has none."""
        return self.record.get("execution_count")

    @property
    def is_private(self) -> bool:
        """Whether its first line or its tags say so, as it ran or as it is saved."""
        tags = (self.record.get("metadata") or {}).get("tags") or ()
        markdown = self.record.get("cell_type") == "markdown"
        sources = filter(None, {_source(self.record), self.saved, self.ran.source if self.ran else None})
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
    cells = [cell for p in placed if not p.is_private and (cell := _cell(p, turns)) is not None]
    if count != ALL:
        cells = cells[-count:]
    if private := sum(p.is_private for p in placed):
        notes.append(f"{_cells(private)} left out as private")
    if not cells:
        of = " that may go along" if private else ""
        msg = f"There is no cell above this one{of}, so nothing was sent."
        raise InputError(msg, "Leave out --above.")
    cells, hidden = _masked(context, cells)
    notes += [f"{hidden} value{'s' * (hidden != 1)} hidden"] if hidden else []
    shown = parts_of_cells(cells, context.chat.above_chars, context.chat.above_images)
    notes += [f"{shown.shortened} shortened"] if shown.shortened else []
    if further := len(cells) - shown.cells:
        notes.append(f"{further} further up left out (ChatSettings.above_chars = {context.chat.above_chars:,})")
    order = _BY_RUN if _BY_RUN in notes else _BY_PAGE
    parts = _between(shown.parts, _HEAD.format(order=order), _END)
    return parts, Above(len(parts), shown.cells, tuple(notes))


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


def _masked(context: Context, cells: Sequence[Cell]) -> tuple[list[Cell], int]:
    """Return cells without what looks like a key in them, and how many such values there were."""
    hide = context.session.access.hide
    masked = mask([text for cell in cells for text in (cell.source, *cell.outputs)])
    texts = map(hide, masked.texts)
    found = [replace(c, source=next(texts), outputs=tuple(next(texts) for _ in c.outputs)) for c in cells]
    return found, masked.count


def _cell(placed: _Placed, turns: Collection[str]) -> Cell | None:
    """Return a cell as it goes along; None for one that is empty, or ours and of no interest or known already."""
    source, record = _source(placed.record), placed.record
    lines = [line for line in source.split("\n") if line.strip()]
    if not lines:
        return None
    outputs = record.get("outputs")
    outputs = outputs if isinstance(outputs, list) else []
    kept = list(_without_turns(outputs, turns))
    if record.get("cell_type") == "code" and (lines[0].lstrip().startswith("%%") or all(map(_OURS.match, lines))):
        answered = any(isinstance(o, dict) and "data" in o for o in kept) and len(kept) == len(outputs)
        asks = any(map(_ASKS.match, lines)) and "--dry-run" not in lines[0]
        if _OURS.match(lines[0]) and not (asks and answered):
            return None
    return cell_of({**record, "outputs": kept}, placed.note)


def _without_turns(outputs: Iterable[Any], turns: Collection[str]) -> Iterable[Any]:
    """Return outputs but for those that show one of `turns`; a long reply has several."""
    within = False
    for output in outputs:
        data = output.get("data") if isinstance(output, dict) else None
        data = data if isinstance(data, dict) else {}
        turn = data.get(TURN_MIME)
        if isinstance(turn, dict):
            within = turn.get("id") in turns
        elif SECTION_MIME not in data:
            within = False
        if not within:
            yield output


def _source(record: Mapping[str, Any]) -> str:
    source = record.get("source")
    return "".join(source) if isinstance(source, list) else str(source or "")


# The page


def _page(context: Context) -> tuple[list[_Placed], list[str]]:
    """Return the cells above the one that asks, and what to know of their places."""
    ran = list(context.ran)
    here = next((r.key for r in ran if r.run == context.ran.asking), None)
    notebook = context.notebook
    saved, saved_at = _saved(notebook.path, ran) if notebook else (None, 0.0)
    if saved is None:
        placed, notes = _history(context, next((cell.number for cell in ran), None)), [_BY_RUN]
    else:
        placed, notes = _of_file(context, saved, saved_at, ran), []
    known = {p.key for p in placed}
    for cell in ran:  # in the order of their first runs, so that each has its predecessor
        if cell.key not in known and (saved is None or cell.began_at > saved_at or cell.key == here):
            at = next((n for n, p in enumerate(placed, 1) if p.key == cell.after), len(placed))
            if cell.key == here and 0 < at < len(placed):
                notes.append(f"not saved yet: this cell is taken to stand below In [{placed[at - 1].number}]")
            placed.insert(at, _Placed(cell.key, cell.record, ran=cell))
    return placed[: next((n for n, p in enumerate(placed) if p.key == here), len(placed))], notes


def _of_file(
    context: Context, saved: Sequence[Mapping[str, Any]], saved_at: float, ran: list[RanCell]
) -> list[_Placed]:
    """Return the cells of a notebook's file, with what ran in this kernel in their places.

    Parameters
    ----------
    context
        Whose kernel it is.
    saved
        The cells of the file.
    saved_at
        When it was written, in Unix seconds.
    ran
        What ran.
    """
    typed = set(context.shell.history_manager.input_hist_raw) if context.shell.history_manager else set()
    by_id = {cell.key: cell for cell in ran}
    if not any(record.get("id") in by_id for record in saved):  # VS Code tells other ids than it saves
        by_id = _by_source(saved, ran)
    placed = []
    for n, record in enumerate(saved):
        key, source = str(record.get("id", n)), _source(record)
        cell = by_id.get(key)
        if cell is None:
            unknown = record.get("cell_type") == "code" and source not in typed
            placed.append(_Placed(key, record, "not run in this kernel" if unknown else "", saved=source))
            continue
        changed = cell.source.strip() != source.strip() and saved_at > cell.began_at
        now = {"metadata": record.get("metadata"), **({"source": source} if changed else {})}
        note = "changed since it ran" if changed else ""
        placed.append(_Placed(cell.key, {**cell.record, **now}, note, cell, source))
    return placed


def _by_source(saved: Sequence[Mapping[str, Any]], ran: list[RanCell]) -> dict[str, RanCell]:
    """Return what ran by the ids of the saved cells with the same source, each once."""
    left, found = list(ran), {}
    for n, record in enumerate(saved):
        source = _source(record).strip()
        cell = next((c for c in left if c.source.strip() == source and source), None)
        if cell is not None:
            left.remove(cell)
            found[str(record.get("id", n))] = cell
    return found


def _saved(path: str, ran: list[RanCell]) -> tuple[list[Mapping[str, Any]] | None, float]:
    """Return the cells of the notebook's file, and when it was written; None where it has none of those that ran."""
    from pathlib import Path

    cells, written = _read(Path(path))
    if cells is not None and _is_ours(cells, ran):
        return cells, written
    for other in _neighbours(Path(path)):  # it was renamed since its kernel started
        cells, written = _read(other)
        if cells is not None and any(c.get("id") in {r.cell_id for r in ran} for c in cells):
            return cells, written
    return None, 0.0


def _is_ours(cells: Sequence[Mapping[str, Any]], ran: list[RanCell]) -> bool:
    ids, sources = {r.cell_id for r in ran}, {r.source.strip() for r in ran} - {""}
    return any(c.get("id") in ids or _source(c).strip() in sources for c in cells)


def _neighbours(path: Path) -> list[Path]:
    """Return the notebooks of the same folder that were written last."""
    try:
        with os.scandir(path.parent) as entries:
            found = [(e.stat().st_mtime, e.path) for e in entries if e.name.endswith(".ipynb") and e.is_file()]
    except OSError:
        return []
    return [path.with_name(os.path.basename(p)) for _, p in sorted(found, reverse=True)[:_MOST_NEIGHBOURS]]  # noqa: PTH119  # a str


def _read(path: Path) -> tuple[list[Mapping[str, Any]] | None, float]:
    """Return the cells of a notebook's file, and when it was written; None for what is none.

    A frontend may be writing it at this moment: then it is read again.
    """
    for attempt in range(_ATTEMPTS):
        try:
            written = path.stat().st_mtime
            notebook = json.loads(read_file(path, _MOST_BYTES))
            cells = notebook.get("cells") if isinstance(notebook, dict) else None
            return ([c for c in cells if isinstance(c, dict)], written) if isinstance(cells, list) else (None, 0.0)
        except FileNotFoundError:  # noqa: PERF203  # each attempt fails by itself
            return None, 0.0
        except (OSError, ValueError, RecursionError):  # each attempt fails by itself
            if attempt < _ATTEMPTS - 1:
                time.sleep(_PAUSE_S)
    return None, 0.0


def _history(context: Context, before: int | None) -> list[_Placed]:
    """Return the cells that ran before number `before`, or before this one, as IPython's history has them."""
    history = context.shell.history_manager
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
