"""What ``%load_ext xcyq_magic`` gives a shell, and what unloading takes back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from xcyq_magic.errors import SettingError
from xcyq_magic.magics.access import AccessMagics
from xcyq_magic.magics.chat import ChatMagics
from xcyq_magic.magics.code import CodeMagics
from xcyq_magic.magics.compare import CompareMagics
from xcyq_magic.magics.completer import MagicCompleter
from xcyq_magic.magics.conversation import ConversationMagics
from xcyq_magic.magics.failure import FailureMagics, LastFailure
from xcyq_magic.magics.input import MagicText, empty_cell
from xcyq_magic.magics.models import ModelMagics
from xcyq_magic.magics.seen import SeenImages
from xcyq_magic.settings import ChatSettings, GatewaySettings

if TYPE_CHECKING:
    import argparse

    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.magic import Magics

    from xcyq_magic.chat.conversation import CellRun
    from xcyq_magic.session import ChatSession

MAGICS = (
    ChatMagics,
    CompareMagics,
    CodeMagics,
    FailureMagics,
    ConversationMagics,
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
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        try:
            self.gateway = GatewaySettings(parent=shell)
            self.chat = ChatSettings(parent=shell)
        except TraitError as e:
            msg = f"The configuration holds a wrong value: {e}"
            raise SettingError(msg, "Mend it in ipython_config.py, then %load_ext xcyq_magic again.") from None
        self.seen = SeenImages(shell)
        self.failure = LastFailure(shell)
        self._completer = MagicCompleter(self)
        self._session: ChatSession | None = None
        self._run = 0
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
        if self._session is None:
            from xcyq_magic.session import ChatSession

            self._session = ChatSession(self.gateway, self.chat)
        return self._session

    @property
    def conversations(self) -> list[str]:
        """The names of the conversations that there are, without making a session for them."""
        return list(dict.fromkeys(["main", *(self._session.conversations if self._session else ())]))

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

        parent = getattr(self.shell, "parent_header", None) or {}
        cell_id = parent.get("metadata", {}).get("cellId")
        return CellRun(cell_id, self._run) if isinstance(cell_id, str) and cell_id else None

    @property
    def _mimebundles(self) -> Any:  # noqa: ANN401  # IPython's, without types
        """IPython's formatter for whole bundles."""
        formatter: Any = self.shell.display_formatter
        return formatter.mimebundle_formatter

    def _count_run(self, *_: object) -> None:
        self._run += 1

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
        manager.register(*self._magics)
        manager.registry[_NAME] = self
        self.shell.configurables += [self.gateway, self.chat]  # type: ignore[list-item]  # it holds any Configurable
        self.shell.events.register("pre_run_cell", self._count_run)
        self.seen.register()
        self.failure.register()
        self.shell.input_transformer_manager.token_transformers.append(MagicText)
        self.shell.input_transformer_manager.line_transforms.insert(0, empty_cell)  # before `%%` is seen to
        for (module, name), bundle in _SHOWN.items():
            self._mimebundles.for_type_by_name(module, name, bundle)
        self._completer.register()
        self._say_what_was_replaced()
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
        ours = (self, *self._magics)
        for name in (_NAME, *(m.__name__ for m in MAGICS)):
            if any(manager.registry.get(name) is one for one in ours):
                manager.registry.pop(name)
        mine: tuple[object, ...] = (self.gateway, self.chat, *self._magics)
        shell.configurables[:] = [c for c in shell.configurables if not any(c is m for m in mine)]
        shell.events.unregister("pre_run_cell", self._count_run)
        self.seen.unregister()
        self.failure.unregister()
        shell.input_transformer_manager.token_transformers.remove(MagicText)
        shell.input_transformer_manager.line_transforms.remove(empty_cell)
        _forget_formatters(self._mimebundles)
        self._completer.unregister()
        if self._session is not None:
            self._session.close()
            self._session = None


def _completion_bundle(completion: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # IPython's protocol
    from xcyq_magic.display.bundle import completion_bundle

    return completion_bundle(completion)


def _comparison_bundle(comparison: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # as above
    from xcyq_magic.display.comparison import comparison_bundle

    return comparison_bundle(comparison)


# The values that IPython shows as we do, by module and name: their modules are imported with the first of them.
_SHOWN = {
    ("xcyq_magic.chat.completion", "Completion"): _completion_bundle,
    ("xcyq_magic.chat.comparison", "Comparison"): _comparison_bundle,
}


def _forget_formatters(formatter: Any) -> None:  # noqa: ANN401  # IPython's
    # By name they wait as deferred; once one was shown, it is known by its class.
    for key in _SHOWN:
        formatter.deferred_printers.pop(key, None)
    for cls in [t for t in formatter.type_printers if (t.__module__, t.__name__) in _SHOWN]:
        formatter.pop(cls)
