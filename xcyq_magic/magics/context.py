"""What a magic may see of its shell: the session, the notebook and its cells, and what was shown and failed before."""

from __future__ import annotations

import os
import re
import sys
import threading
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from xcyq_magic.errors import InputError, SettingError, StoreError, XcyqError, encodable
from xcyq_magic.magics.background import Background
from xcyq_magic.magics.image_history import SeenImages
from xcyq_magic.magics.ran_cells import RanCells
from xcyq_magic.magics.running_cell import CellRuns
from xcyq_magic.session.settings import DEFAULT_BASE_URL, ChatSettings, GatewaySettings
from xcyq_magic.store.forks import PerProcess

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.magic import Magics

    from xcyq_magic.gateway.credentials import ApiKey
    from xcyq_magic.session.notebook import Conversations
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.store.database import Database
    from xcyq_magic.store.recognition import Notebook
    from xcyq_magic.store.summaries import Summary

NAME = "xcyq_magic"  # of its entry in the shell's registry of magics


@dataclass
class Left:
    """What an unloaded extension leaves in the shell: loaded again, it goes on as before, and sends nothing elsewhere.

    What ``%config`` set is not among it: IPython keeps that itself.

    Attributes
    ----------
    offline
        Whether requests went to the sandbox.
    key
        The one that was entered.
    ran
        The sources of the cells that ran, by their ids, None for one that is not known.
    conversations
        As they stand, and which of them is the current one; None before the first use.
    """

    offline: bool = False
    key: ApiKey | None = None
    ran: dict[str, str | None] = field(default_factory=dict)
    conversations: Conversations | None = None


_OURS = re.compile(r"`%%?(?:c[hat]{2,3}(?:_\w*)?|compar\w*)`")  # the name of a magic, in an error of IPython


class LastFailure:
    """The last exception that was shown and is not one of ours: those say by themselves what to type next.

    It is a cell's own, one whose traceback a cell has shown (``%run`` does), or a thread's.

    Attributes
    ----------
    cell
        The cell as it was typed; ``""`` where it failed before the extension was loaded.
    ours_since
        The name of an error of ours that came after it; ``""`` if none did.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._seen: BaseException | None = None
        self._shown: BaseException | None = None  # where Python keeps the last one for its debugger, when last looked
        self._of_threads = threading.excepthook
        self.cell = self.ours_since = ""

    def register(self) -> None:
        """Hear of each cell's end from now on, and of threads that fail."""
        self._shell.events.register("post_run_cell", self._ended)
        self._of_threads, threading.excepthook = threading.excepthook, self._thread_ended

    def unregister(self) -> None:
        """Hear of no further one, and let go of what was held."""
        self._shell.events.unregister("post_run_cell", self._ended)
        if threading.excepthook == self._thread_ended:  # somebody else's, by now, calls this one
            threading.excepthook = self._of_threads
        self._seen, self.cell = None, ""

    def _ended(self, result: Any) -> None:  # noqa: ANN401  # IPython's, without types
        shown = _last_shown()
        error = result.error_in_exec or result.error_before_exec or (shown if shown is not self._shown else None)
        self._shown = shown
        if self._seen is not None and error is not None and _is_misspelt(error):
            return
        if isinstance(error, XcyqError):
            self.ours_since = type(error).__name__
        elif error is not None:
            self._seen, self.cell, self.ours_since = error, result.info.raw_cell, ""

    def _thread_ended(self, ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None and not isinstance(ended.exc_value, XcyqError | SystemExit):
            self._seen, self.cell, self.ours_since = ended.exc_value, "", ""
        self._of_threads(ended)

    @property
    def error(self) -> BaseException:
        """The last exception that was shown, other than one of this package's own.

        Raises
        ------
        InputError
            There is none.
        """
        shown = _last_shown()  # also what failed before the extension was loaded, or in this very cell
        if shown is not self._shown and shown is not None and not isinstance(shown, XcyqError):
            self._seen, self._shown, self.cell, self.ours_since = shown, shown, "", ""
        error = self._seen or shown
        if error is None:
            msg = "No cell has failed yet, so nothing was sent."
            raise InputError(msg, "Run a cell that fails, then %chat_error.")
        if isinstance(error, XcyqError):
            msg = f"The last error, {type(error).__name__}, comes from xcyq_magic itself; nothing was sent."
            raise InputError(msg, error.hint or error.message)
        return error


def _is_misspelt(error: BaseException) -> bool:
    """Return whether an error is IPython's, of one of our magics whose name was mistyped."""
    return type(error).__name__ == "UsageError" and _OURS.search(str(error)) is not None


def _last_shown() -> BaseException | None:
    """Return the exception whose traceback was shown last."""
    return getattr(sys, "last_value", None)


class Context:
    """What lives while the extension is loaded into a shell, each magic's view of it.

    Attributes
    ----------
    shell
        The shell that it was loaded into.
    gateway, chat
        The settings, known to ``%config``.
    seen
        The images that the user saw last.
    ran
        The cells that ran, with what they showed.
    failure
        The last exception of a cell.
    background
        The replies that go on after their cells.
    runs
        Which run of a cell asks.
    magics
        The magics that were registered with it.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        try:
            self.gateway = GatewaySettings(parent=shell)
            self.chat = ChatSettings(parent=shell)
        except TraitError as e:
            msg = f"The configuration holds a wrong value: {e}"
            raise SettingError(msg, "Correct it in ipython_config.py, then %load_ext xcyq_magic again.") from None
        self.seen = SeenImages()
        self.ran = RanCells(shell, self.seen)
        self.failure = LastFailure(shell)
        self.background = Background()
        self._left: Left = shell.meta.pop(NAME, None) or Left()
        self.runs = CellRuns(shell, self._left.ran)
        self.magics: list[Magics] = []
        self._lock = PerProcess(threading.RLock)
        self._session: ChatSession | None = None
        self._conversations = self._left.conversations
        self._said: set[str] = set()  # lines on what is resumed
        self._resumed = ""  # the id of the conversation that was said to be resumed

    @classmethod
    def of(cls, shell: InteractiveShell) -> Context | None:
        """Return the context of `shell`; None if the extension is not loaded there."""
        found = getattr(shell.magics_manager.registry.get(NAME), "context", None)
        return found if isinstance(found, cls) else None

    @classmethod
    def current(cls) -> Context | None:
        """Return the context of the shell that runs this code; None outside of IPython."""
        ipython = sys.modules.get("IPython")  # not imported: then there is no shell either
        shell = ipython.get_ipython() if ipython else None
        return cls.of(shell) if shell is not None else None

    @property
    def session(self) -> ChatSession:
        """The shell's session; made, and its modules imported, when first used."""
        with self._lock.get():  # threads may be the first to ask, and at once
            conversations = self.conversations
            if self._session is None:
                from xcyq_magic.session.session import ChatSession

                session = ChatSession(self.gateway, self.chat, conversations)
                if self._left.offline:
                    session.access.start_sandbox()
                session.access.entered, session.access.has_magics = self._left.key, True
                self._session = session
            return self._session

    @property
    def conversations(self) -> Conversations:
        """The notebook's conversations; imported and, where there are any, resumed when first used."""
        with self._lock.get():
            if self._conversations is None:
                from xcyq_magic.session.notebook import Conversations

                self._conversations = Conversations(self._open_database(), self.notebook, resume=self.chat.resume)
                self._say_what_is_resumed(*self._conversations.resume())
            elif self._conversations.path is None and (notebook := self.notebook):  # the first magic ran without a cell
                self._say_what_is_resumed(*self._conversations.belong_to(notebook))
            else:  # a cell that ran meanwhile, or the notebook's file, may tell now what was not known
                self._say_what_is_resumed(*self._conversations.resume())
            return self._conversations

    @property
    def notebook(self) -> Notebook | None:
        """The notebook that the running cell belongs to; None where there is none."""
        path = notebook_path(self.shell, self.runs.cell_id)
        if path is None:
            return None
        from xcyq_magic.store.recognition import Notebook

        return Notebook(path, partial(_running, self.shell), self.runs.sources, partial(_run, self.shell))

    def is_open(self, path: Path) -> bool:
        """Return whether a path is that of the open notebook, also if it was renamed since its kernel started."""
        from xcyq_magic.store.recognition import holds_any, is_same_file

        told = notebook_path(self.shell, self.runs.cell_id) or os.environ.get(
            "JPY_SESSION_NAME", ""
        )  # also in a kernel within another
        return (bool(told) and is_same_file(str(path), told)) or holds_any(str(path), self.runs.sources)

    @property
    def conversation_names(self) -> list[str]:
        """The names of the conversations that this kernel knows, without loading any for it."""
        return self._conversations.names if self._conversations else ["main"]

    @property
    def models(self) -> Collection[str]:
        """The names of the models that can be asked; imports no session for those of the catalogue."""
        from xcyq_magic.gateway.catalog import MODELS

        asked = self._session is not None or self.gateway.base_url != DEFAULT_BASE_URL
        return self.session.models(anew=False) if asked else MODELS

    @property
    def compared(self) -> list[str]:
        """The names of the columns of the last comparison."""
        comparison = self._session.comparison if self._session else None
        return list(comparison or ())

    @property
    def parsers(self) -> dict[str, argparse.ArgumentParser | None]:
        """The names of the magics, each with the parser of its options, if it has one."""
        functions = {name: f for m in self.magics for named in m.magics.values() for name, f in named.items()}
        return {name: getattr(f, "parser", None) for name, f in functions.items()}

    def _open_database(self) -> Database:
        from xcyq_magic.store.database import open_database

        return open_database(self.chat.store, self._folder)

    @property
    def _folder(self) -> Path | None:
        """The profile's directory, where IPython keeps its own history."""
        location = getattr(getattr(self.shell, "profile_dir", None), "location", None)
        return Path(location) if location else None

    def _say_what_is_resumed(self, found: Summary | None, line: str) -> None:
        """Say what the notebook goes on with, once."""
        if found is not None and found.id == self._resumed:
            return
        self._resumed = found.id if found else self._resumed
        if line and line not in self._said:
            self._said.add(line)
            sys.stdout.write(encodable(f"{line}\n"))

    def register(self) -> None:
        """Hear of the shell's cells and settings from now on, and say what the notebook goes on with."""
        self.shell.configurables += [self.gateway, self.chat]  # type: ignore[list-item]  # it holds any Configurable
        self.runs.register()
        self.ran.register()
        self.shell.events.register("post_run_cell", self._say_notices)
        self.failure.register()
        self.chat.observe(self._move_store, "store")
        self.gateway.observe(self._say_who_answers, "base_url")
        self.chat.observe(self._say_what_counts, "budget")
        if self._left.offline:
            sys.stdout.write("Requests go to a sandbox on this machine, as before. %chat_sandbox off ends it.\n")
        if self._conversations is not None:
            self._say_what_is_resumed(*self._conversations.reopen(self._open_database()))
        elif self.chat.resume and (notebook := self.notebook):
            self._say_what_is_resumed(*resumption(self._open_database(), notebook))

    def _say_notices(self, *_: object) -> None:
        """What could not be kept; a turn's output says it itself."""
        if self._conversations is not None:
            sys.stdout.writelines(encodable(f"{line}\n") for line in self._conversations.take_notices())

    def _say_who_answers(self, *_: object) -> None:
        """Say so where the sandbox answers in place of the address that was just set, or turns go to another server."""
        notice = self._session.access.sandbox_notice() if self._session is not None else None
        if self._session is None and self._left.offline:  # it begins to answer again with the first prompt
            from xcyq_magic.session.access import still_answers

            notice = still_answers(self.gateway.base_url)
        if notice is None and self._session is not None:
            notice = self._session.places.notice(self._session.conversation())
        if notice:
            sys.stdout.write(encodable(f"{notice}\n"))

    def _say_what_counts(self, *_: object) -> None:
        """Say so where a budget was set that nothing counts towards."""
        if self.chat.budget is not None and not self.gateway.prices:
            sys.stdout.write("No request counts towards the budget before there are %config GatewaySettings.prices.\n")

    def _move_store(self, *_: object) -> None:
        """Keep everything where ``ChatSettings.store`` says now."""
        if self._conversations is not None:
            self._conversations.use(self._open_database())

    def unregister(self) -> None:
        """End the replies and the session, and leave in the shell what is to outlive them."""
        mine: tuple[object, ...] = (self.gateway, self.chat)
        self.shell.configurables[:] = [c for c in self.shell.configurables if not any(c is m for m in mine)]
        self.runs.unregister()
        self.ran.unregister()
        self.failure.unregister()
        self.shell.events.unregister("post_run_cell", self._say_notices)
        self.chat.unobserve(self._move_store, "store")
        self.gateway.unobserve(self._say_who_answers, "base_url")
        self.chat.unobserve(self._say_what_counts, "budget")
        if self._session is not None:
            access = self._session.access
            self._left = replace(self._left, offline=access.sandbox is not None, key=access.entered)
        self.shell.meta[NAME] = replace(self._left, conversations=self._conversations)
        self.background.close()
        if self._session is not None:  # it stays: whoever asks for it again hears that it is closed
            self._session.close()
        elif self._conversations is not None:
            self._conversations.close()


def notebook_path(shell: InteractiveShell, running: str | None) -> str | None:
    """The absolute path of the notebook, as it was when the kernel started; None where there is none.

    Jupyter servers set JPY_SESSION_NAME. A console's has no suffix, and the next console has the same. A kernel
    that runs another notebook from within this one (nbclient, papermill) inherits the variable; its cells have no ids.
    """
    told = shell.user_ns.get("__vsc_ipynb_file__")  # VS Code
    if isinstance(told, str) and told:
        return told
    named = os.environ.get("JPY_SESSION_NAME", "")
    return named if os.path.isabs(named) and PurePath(named).suffix and running else None  # noqa: PTH117  # a str


def _running(shell: InteractiveShell) -> str | None:
    """Return the id of the cell that runs in `shell`, also after the extension was loaded again."""
    context = Context.of(shell)
    return context.runs.cell_id if context else None


def _run(shell: InteractiveShell) -> str | None:
    """Return the id of the run of the cell that runs in `shell`."""
    context = Context.of(shell)
    return context.runs.run_id if context else None


def resumption(database: Database, notebook: Notebook) -> tuple[Summary | None, str]:
    """Return what `find` does, for a store that nothing else uses yet."""
    from xcyq_magic.store.recognition import find

    try:
        return find(database, notebook)
    except StoreError as e:
        return None, e.message if e.replaced else ""  # what only fails is said once it matters
    finally:
        database.close()
