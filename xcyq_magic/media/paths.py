"""What to say of a path that leads nowhere."""

from __future__ import annotations

import difflib
import os
import shlex
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MOST_NAMES = 5000  # of a folder, looked at for one that is near
_NEAR = 0.8  # of 1; endings make names near that are not


def hint_for_missing(path: Path) -> str:
    """Return a line on the file that `path` may be meant for, else on where paths begin."""
    try:
        near = None if path.exists() else _near(path)
    except (OSError, ValueError):  # there is no such folder, or no such path on any system
        near = None
    return f"Did you mean {shlex.quote(str(near))}?" if near else f"Paths count from {path.cwd()}."


def _near(path: Path) -> Path | None:
    """Return the file of the same folder whose name is nearly that of `path`, or is but for its ending."""
    with os.scandir(path.parent) as entries:
        names = [e.name for e in islice(entries, _MOST_NAMES) if e.is_file()]
    named = {form.casefold(): name for name in names for form in (path.with_name(name).stem, name)}
    near = difflib.get_close_matches(path.name.casefold(), named, 1, _NEAR)
    return path.with_name(named[near[0]]) if near else None
