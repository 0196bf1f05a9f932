"""The cells of a notebook's file, as they were saved last.

A path is no proof that a file is the notebook's: it is the one that the kernel was told when it started, and a notebook
may have been renamed since, and another one put in its place.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xcyq_magic.media.files import read_file

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from xcyq_magic.magics.cell_outputs import RanCell

_MOST_BYTES = 256 * 2**20  # of a notebook's file
_ATTEMPTS, _PAUSE_S = 4, 0.05  # to read a file that is being written
# Notebooks of a folder that are looked at for one that was renamed, those that were written last, and their bytes.
_MOST_NEIGHBOURS, _MOST_READ = 50, 64 * 2**20
_ID = re.compile(rb'"id": ?"([^"\\]*)"')


@dataclass(frozen=True)
class SavedCells:
    """What a notebook's file holds.

    Attributes
    ----------
    cells
        In the order of the page, each as in the file but for what is of a wrong type.
    at
        When it was written, in Unix seconds.
    """

    cells: Sequence[Mapping[str, Any]]
    at: float


def saved_cells(path: str, ran: Sequence[RanCell], ids: Collection[str]) -> SavedCells | None:
    """Return the cells of the notebook's file, also if it was renamed since its kernel started.

    Parameters
    ----------
    path
        Where it was then.
    ran
        The cells that ran.
    ids
        Theirs, and those of cells that ran earlier.

    Returns
    -------
    SavedCells or None
        None where there is no file, or it is another notebook's.
    """
    given = Path(path)
    saved = _read(given, _ATTEMPTS)
    sources = {cell.source.strip() for cell in ran} - {""}
    if saved and any(c["id"] in ids for c in saved.cells):
        return saved
    for other in _neighbours(given, ids):
        if (renamed := _read(other, 1)) and any(c["id"] in ids for c in renamed.cells):
            return renamed
    # Last, since the first cells of many notebooks are the same. VS Code tells other ids than it saves.
    if saved and any(c["source"].strip() in sources for c in saved.cells):
        return saved
    # None of the cells that ran is saved yet: it is as it was opened.
    return saved if saved and ran and all(saved.at < cell.began_at for cell in ran) else None


def _neighbours(path: Path, ids: Collection[str]) -> list[Path]:
    """Return the notebooks of the same folder in which one of `ids` stands, the one that was written last first."""
    known = {i.encode(errors="replace") for i in ids}
    found, room = [], _MOST_READ
    try:
        with os.scandir(path.parent) as entries:
            notebooks = [(e.stat(), e.name) for e in entries if e.name.endswith(".ipynb") and e.is_file()]
        notebooks.sort(key=lambda entry: -entry[0].st_mtime)
        for status, name in notebooks[:_MOST_NEIGHBOURS]:
            room -= status.st_size
            if room < 0:
                break
            if not known.isdisjoint(_ID.findall(read_file(path.with_name(name), _MOST_READ))):
                found.append(path.with_name(name))
    except (OSError, ValueError):
        pass
    return found


def _read(path: Path, attempts: int) -> SavedCells | None:
    """Return the cells of a notebook's file; None for what is none. One that is being written is read again."""
    for attempt in range(attempts):
        try:
            written = path.stat().st_mtime
            notebook = json.loads(read_file(path, _MOST_BYTES))
            cells = notebook.get("cells") if isinstance(notebook, dict) else None
            return SavedCells([*map(_cell, cells)], written) if isinstance(cells, list) else None
        except FileNotFoundError:  # noqa: PERF203  # each attempt fails by itself
            return None
        except (OSError, ValueError, RecursionError):  # each attempt fails by itself
            if attempt < attempts - 1:
                time.sleep(_PAUSE_S)
    return None


def _cell(given: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON value
    """Return a cell as nbformat has it, whatever stands there: without what is of a wrong type.

    See https://nbformat.readthedocs.io/en/latest/format_description.html.
    """
    cell = given if isinstance(given, dict) else {}
    source, outputs, metadata, number = (cell.get(k) for k in ("source", "outputs", "metadata", "execution_count"))
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return {
        "id": i if isinstance(i := cell.get("id"), str) else None,
        "cell_type": str(cell.get("cell_type", "code")),
        "source": "".join(map(str, source)) if isinstance(source, list) else str(source or ""),
        "outputs": [o for o in outputs if isinstance(o, dict)] if isinstance(outputs, list) else [],
        "metadata": {"tags": tags if isinstance(tags, list) else []},
        "execution_count": number if isinstance(number, int) else None,
    }
