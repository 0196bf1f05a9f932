"""Plain IPython shells in this process."""

from __future__ import annotations

import atexit
import contextlib
import sys
import uuid

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


@contextlib.contextmanager
def shell_of(**settings):
    """A shell whose history stays in memory; `settings` as in ``ChatSettings={"model": ...}``."""
    config = Config({"HistoryManager": {"hist_file": ":memory:"}, **settings})
    InteractiveShell.clear_instance()
    # A shell puts its namespace there and keeps what stood there: each would hold all those before it, and the garbage
    # collection at its end would take longer with each.
    main = sys.modules["__main__"]
    shell = InteractiveShell.instance(config=config)
    try:
        yield shell
    finally:
        atexit.unregister(shell.atexit_operations)
        shell.atexit_operations()
        sys.modules["__main__"] = main
        InteractiveShell.clear_instance()


def request(shell, cell_id: str | None, msg_id: str = "") -> None:
    """Begin a request to execute, as a frontend does, for what runs next in `shell`."""
    metadata = {"cellId": cell_id} if cell_id else {}
    shell.parent_header = {"header": {"msg_id": msg_id or uuid.uuid4().hex}, "metadata": metadata}
