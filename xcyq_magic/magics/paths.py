"""Files and folders whose paths begin with what was typed."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MOST = 500  # of one folder: nobody reads more
_NEEDS_QUOTES = re.compile(r"[\s\"']")


def paths_from(typed: str, suffixes: Collection[str] = ()) -> Iterator[str]:
    """The paths that begin with `typed`, as they would be typed.

    A folder ends in ``/``. A path with a space gets quotes; one that `typed` opens is closed behind a file.

    Parameters
    ----------
    typed
        May begin with a quote, and with ``~``.
    suffixes
        Of the files to find, such as ``.md``; any unless given. Folders are always found.
    """
    quote = typed[:1] if typed[:1] in {'"', "'"} else ""
    start = typed[len(quote) :]
    name = re.split(r"[/\\]" if os.sep == "\\" else "/", start)[-1]
    folder = start[: len(start) - len(name)]
    for found, is_folder in _entries(folder, name):
        if is_folder or not suffixes or Path(found).suffix.lower() in suffixes:
            path = f"{folder}{found}{'/' if is_folder else ''}"
            yield _quoted(path, quote, closed=not is_folder)


def _entries(folder: str, name: str) -> list[tuple[str, bool]]:
    """The names in `folder` that begin with `name`, each with whether it is a folder."""
    try:
        with os.scandir(Path(folder or ".").expanduser()) as entries:
            found = ((e.name, e.is_dir()) for e in entries if e.name.startswith(name))
            shown = (f for f in found if name.startswith(".") or not f[0].startswith("."))
            return sorted(islice(shown, MOST))
    except (OSError, RuntimeError, ValueError):  # no such folder, not allowed, ~nobody, a null byte
        return []


def _quoted(path: str, quote: str, *, closed: bool) -> str:
    if not quote and _NEEDS_QUOTES.search(path):
        quote = "'" if '"' in path else '"'
    return f"{quote}{path}{quote if closed else ''}"
