"""Plain IPython shells in this process."""

from __future__ import annotations

import atexit
import contextlib

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


@contextlib.contextmanager
def shell_of(**settings):
    """A shell whose history stays in memory; `settings` as in ``ChatSettings={"model": ...}``."""
    config = Config({"HistoryManager": {"hist_file": ":memory:"}, **settings})
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    try:
        yield shell
    finally:
        atexit.unregister(shell.atexit_operations)
        shell.atexit_operations()
        InteractiveShell.clear_instance()
