"""The notebook that a shell belongs to, as its frontend tells it, and the cell that is running."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING

from xcyq_magic.errors import StoreError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from xcyq_magic.store.database import Database
    from xcyq_magic.store.recognition import Notebook
    from xcyq_magic.store.summaries import Summary


def cell_id(shell: InteractiveShell) -> str | None:
    """The id of the cell that is running; None where cells have none (a terminal, nbclient)."""
    parent = getattr(shell, "parent_header", None) or {}
    found = parent.get("metadata", {}).get("cellId")
    return found if isinstance(found, str) and found else None


def notebook_path(shell: InteractiveShell) -> str | None:
    """The absolute path of the notebook, as it was when the kernel started; None where there is none.

    Jupyter servers set JPY_SESSION_NAME. A console's has no suffix, and the next console has the same. A kernel
    that runs another notebook from within this one (nbclient, papermill) inherits the variable; its cells have no ids.
    """
    told = shell.user_ns.get("__vsc_ipynb_file__")  # VS Code
    if isinstance(told, str) and told:
        return told
    named = os.environ.get("JPY_SESSION_NAME", "")
    return named if os.path.isabs(named) and PurePath(named).suffix and cell_id(shell) else None  # noqa: PTH117  # a str


def resumption(database: Database, notebook: Notebook) -> tuple[Summary | None, str]:
    """Return what `find` does, for a store that nothing else uses yet."""
    from xcyq_magic.store.recognition import find

    try:
        return find(database, notebook)
    except StoreError as e:
        return None, e.message if e.replaced else ""  # what only fails is said once it matters
    finally:
        database.close()
