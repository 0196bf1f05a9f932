"""What ``%load_ext xcyq_magic`` gives a shell, and what unloading takes back."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from xcyq_magic.errors import SettingError
from xcyq_magic.forks import PerProcess
from xcyq_magic.magics.background import Background
from xcyq_magic.magics.chat import ChatMagics
from xcyq_magic.magics.code import CodeMagics
from xcyq_magic.magics.compare import CompareMagics
from xcyq_magic.magics.completer import MagicCompleter
from xcyq_magic.magics.failure import FailureMagics, LastFailure
from xcyq_magic.magics.history import ConversationMagics, SwitchMagics
from xcyq_magic.magics.image_history import SeenImages
from xcyq_magic.magics.key import Access, AccessMagics
from xcyq_magic.magics.models import ModelMagics, UsageMagics
from xcyq_magic.magics.notebook import cell_id, notebook_path, resumption
from xcyq_magic.magics.save_load import FileMagics
from xcyq_magic.magics.transformers import MagicText, empty_cell
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

if TYPE_CHECKING:
    import argparse

    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.magic import Magics

    from xcyq_magic.chat.conversation import CellRun
    from xcyq_magic.session.notebook import Conversations
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.store.database import Database
    from xcyq_magic.store.recognition import Notebook
    from xcyq_magic.store.summaries import Summary


MAGICS = (
    ChatMagics,
    CompareMagics,
    CodeMagics,
    FailureMagics,
    ConversationMagics,
    SwitchMagics,
    FileMagics,
    UsageMagics,
    ModelMagics,
    AccessMagics,
)
_NAME = "xcyq_magic"  # of its entry in the shell's registry of magics


class Extension:
    """All that lives while the extension is loaded: one for each shell.

    Attributes
    ----------
    shell
        The shell that it was loaded into.
    gateway, chat
        The settings, known to ``%config``.
    seen
        The images that the user saw last.
    failure
        The last exception of a cell.
    background
        The replies that go on after their cells.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        try:
            self.gateway = GatewaySettings(parent=shell)
            self.chat = ChatSettings(parent=shell)
        except TraitError as e:
            msg = f"The configuration holds a wrong value: {e}"
            raise SettingError(msg, "Mend it in ipython_config.py, then %load_ext xcyq_magic again.") from None
        self._access: Access = shell.meta.pop(_NAME, None) or Access()
        self.seen = SeenImages(shell)
        self.failure = LastFailure(shell)
        self._completer = MagicCompleter(self)
        self.background = Background()
        self._lock = PerProcess(threading.RLock)
        self._session: ChatSession | None = None
        self._conversations: Conversations | None = None
        self._said: set[str] = set()  # lines on what is resumed
        self._resumed = ""  # the id of the conversation that was said to be resumed
        self._run = 0
        self._ran: dict[str, str] = {}  # the sources of the cells that ran, by their ids
        self._magics: list[Magics] = []
        self._replaced: dict[str, dict[str, Any]] = {"line": {}, "cell": {}}
        self._registered: dict[str, set[str]] = {"line": set(), "cell": set()}

    @classmethod
    def of(cls, shell: InteractiveShell) -> Extension | None:
        """The extension as `shell` has it loaded; None if it has not."""
        found = shell.magics_manager.registry.get(_NAME)
        return found if isinstance(found, cls) else None

    @classmethod
    def current(cls) -> Extension | None:
        """The extension of the shell that runs this code; None outside of IPython."""
        ipython = sys.modules.get("IPython")  # not imported: then there is no shell either
        shell = ipython.get_ipython() if ipython else None
        return cls.of(shell) if shell is not None else None

    @classmethod
    def load(cls, shell: InteractiveShell) -> Extension:
        """Load it into `shell`; if it is loaded, leave it as it is."""
        return cls.of(shell) or cls(shell).register()

    @classmethod
    def unload(cls, shell: InteractiveShell) -> None:
        """Give everything back."""
        extension = cls.of(shell)
        if extension is not None:
            extension.unregister()

    @property
    def session(self) -> ChatSession:
        """The shell's session; made, and its modules imported, when first used."""
        with self._lock.get():  # threads may be the first to ask, and at once
            conversations = self.conversations
            if self._session is None:
                from xcyq_magic.session.session import ChatSession

                session = ChatSession(self.gateway, self.chat, conversations)
                if self._access.offline:
                    session.access.start_sandbox()
                session.access.entered = self._access.key
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
        path = notebook_path(self.shell)
        if path is None:
            return None
        from xcyq_magic.store.recognition import Notebook

        return Notebook(path, lambda: cell_id(self.shell), self._ran)

    def _say_what_is_resumed(self, found: Summary | None, line: str) -> None:
        """Say what the notebook goes on with, once."""
        if found is not None and found.id == self._resumed:
            return
        self._resumed = found.id if found else self._resumed
        if line and line not in self._said:
            self._said.add(line)
            sys.stdout.write(f"{line}\n")

    def _open_database(self) -> Database:
        from xcyq_magic.store.database import open_database

        return open_database(self.chat.store, self._folder)

    @property
    def _folder(self) -> Path | None:
        """The profile's directory, where IPython keeps its own history."""
        location = getattr(getattr(self.shell, "profile_dir", None), "location", None)
        return Path(location) if location else None

    def _move_store(self, *_: object) -> None:
        """Keep everything where ``ChatSettings.store`` says now."""
        if self._conversations is not None:
            self._conversations.use(self._open_database())

    @property
    def conversation_names(self) -> list[str]:
        """The names of the conversations that this kernel knows, without loading any for it."""
        return self._conversations.names if self._conversations else ["main"]

    @property
    def compared(self) -> list[str]:
        """The names of the columns of the last comparison."""
        comparison = self._session.comparison if self._session else None
        return list(comparison or ())

    @property
    def parsers(self) -> dict[str, argparse.ArgumentParser | None]:
        """The names of the magics, each with the parser of its options, if it has one."""
        functions = {name: f for m in self._magics for named in m.magics.values() for name, f in named.items()}
        return {name: getattr(f, "parser", None) for name, f in functions.items()}

    @property
    def cell(self) -> CellRun | None:
        """The run of the cell that is running; None where cells have no ids."""
        from xcyq_magic.chat.conversation import CellRun

        running = cell_id(self.shell)
        return CellRun(running, self._run) if running else None

    @property
    def _mimebundles(self) -> Any:  # noqa: ANN401  # IPython's, without types
        """IPython's formatter for whole bundles."""
        formatter: Any = self.shell.display_formatter
        return formatter.mimebundle_formatter

    def _count_run(self, info: Any) -> None:  # noqa: ANN401  # IPython's, without types
        self._run += 1
        if running := cell_id(self.shell):
            self._ran[running] = info.raw_cell

    def _say_notices(self, *_: object) -> None:
        """What could not be kept; a turn's output says it itself."""
        if self._conversations is not None:
            sys.stdout.writelines(f"{line}\n" for line in self._conversations.take_notices())

    def register(self) -> Extension:
        """Give the shell everything; `load` sees to it that this happens once."""
        manager = self.shell.magics_manager
        for magics in MAGICS:
            for kind, names in magics.magics.items():
                self._registered[kind] |= set(names)
        for kind, names in self._registered.items():
            known = manager.magics[kind]
            self._replaced[kind] = {name: known[name] for name in names if name in known}
        self._magics = [magics(self) for magics in MAGICS]  # each enters itself into the shell's configurables
        by_class = dict(manager.registry)  # IPython has a CodeMagics, too, and finds it by this name
        manager.register(*self._magics)
        for magics in MAGICS:
            del manager.registry[magics.__name__]
        manager.registry |= {**by_class, _NAME: self}
        self.shell.configurables += [self.gateway, self.chat]  # type: ignore[list-item]  # it holds any Configurable
        self.shell.events.register("pre_run_cell", self._count_run)
        self.seen.register()
        self.shell.events.register("post_run_cell", self._say_notices)
        self.failure.register()
        self.shell.input_transformer_manager.token_transformers.append(MagicText)
        self.shell.input_transformer_manager.line_transforms.insert(0, empty_cell)  # before `%%` is seen to
        _show_ours(self._mimebundles)
        self.chat.observe(self._move_store, "store")
        self._completer.register()
        self._say_what_was_replaced()
        if self._access.offline:
            sys.stdout.write("Requests go to a sandbox on this machine, as before. %chat_sandbox off ends it.\n")
        if self.chat.resume and (notebook := self.notebook):
            self._say_what_is_resumed(*resumption(self._open_database(), notebook))
        return self

    def _say_what_was_replaced(self) -> None:
        for kind, sign in (("cell", "%%"), ("line", "%")):
            for name, owner in self._replaced[kind].items():
                where = getattr(owner, "__module__", None) or "another extension"
                sys.stdout.write(
                    f"{sign}{name} was {where}'s; it is xcyq_magic's now. %unload_ext xcyq_magic gives it back.\n"
                )

    def unregister(self) -> None:
        """Take back everything that `register` gave, and end the session."""
        shell, manager = self.shell, self.shell.magics_manager
        for kind, names in self._registered.items():
            known = manager.magics[kind]
            for name in names:
                # What somebody put in its place since then is theirs.
                if getattr(known.get(name), "__self__", None) in self._magics:
                    known.pop(name)
                    if name in self._replaced[kind]:
                        known[name] = self._replaced[kind][name]
        if manager.registry.get(_NAME) is self:
            manager.registry.pop(_NAME)
        mine: tuple[object, ...] = (self.gateway, self.chat, *self._magics)
        shell.configurables[:] = [c for c in shell.configurables if not any(c is m for m in mine)]
        shell.events.unregister("pre_run_cell", self._count_run)
        self.seen.unregister()
        self.failure.unregister()
        shell.events.unregister("post_run_cell", self._say_notices)
        shell.input_transformer_manager.token_transformers.remove(MagicText)
        shell.input_transformer_manager.line_transforms.remove(empty_cell)
        _forget_ours(self._mimebundles)
        self._completer.unregister()
        self.chat.unobserve(self._move_store, "store")
        self._end()

    def _end(self) -> None:
        """End the replies and the session, and leave in the shell what is to outlive them."""
        if self._session is not None:
            self._access = Access(self._session.access.sandbox is not None, self._session.access.entered)
        if self._access != Access():
            self.shell.meta[_NAME] = self._access
        self.background.close()
        if self._session is not None:  # it stays: whoever asks for it again hears that it is closed
            self._session.close()
        elif self._conversations is not None:
            self._conversations.close()


def _completion(completion: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # IPython's protocol
    from xcyq_magic.display.bundle import completion_bundle

    return completion_bundle(completion)


def _comparison(comparison: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # as above
    from xcyq_magic.display.settled_comparison import comparison_bundle

    return comparison_bundle(comparison)


def _usage(report: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # as above
    from xcyq_magic.display.metrics import usage_bundle

    return usage_bundle(report)


# By module and name: their modules are imported with the first of them.
_SHOWN = {
    ("xcyq_magic.chat.completion", "Completion"): _completion,
    ("xcyq_magic.chat.comparison", "Comparison"): _comparison,
    ("xcyq_magic.chat.usage", "UsageReport"): _usage,
}


def _show_ours(formatter: Any) -> None:  # noqa: ANN401  # IPython's
    """Have IPython's formatter of whole bundles show them."""
    for (module, name), bundle in _SHOWN.items():
        formatter.for_type_by_name(module, name, bundle)


def _forget_ours(formatter: Any) -> None:  # noqa: ANN401  # IPython's
    """Take that back."""
    # By name they wait as deferred; once one was shown, it is known by its class.
    for key in _SHOWN:
        formatter.deferred_printers.pop(key, None)
    for cls in [t for t in formatter.type_printers if (t.__module__, t.__name__) in _SHOWN]:
        formatter.pop(cls)
