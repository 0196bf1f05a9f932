"""What ``%load_ext xcyq_magic`` gives a shell, and what unloading takes back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from xcyq_magic.magics.chat import ChatMagics, FailureMagics
from xcyq_magic.magics.code import CodeMagics
from xcyq_magic.magics.compare import CompareMagics
from xcyq_magic.magics.completer import MagicCompleter
from xcyq_magic.magics.context import NAME, Context
from xcyq_magic.magics.history import ConversationMagics, SwitchMagics
from xcyq_magic.magics.key import AccessMagics
from xcyq_magic.magics.models import ModelMagics, UsageMagics
from xcyq_magic.magics.save_load import FileMagics
from xcyq_magic.magics.transformers import MagicText, automagic, empty_cell, give_back, keep_as_typed, misplaced

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_BEFORE_IPYTHON = [misplaced, automagic, empty_cell]  # before it sees to `%%` and `?`
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


class Extension:
    """What a shell is given, and what it gets back: one for each shell.

    Attributes
    ----------
    context
        What its magics share.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.context = Context(shell)
        self._completer = MagicCompleter(self.context)
        self._replaced: dict[str, dict[str, Any]] = {"line": {}, "cell": {}}
        self._registered: dict[str, set[str]] = {"line": set(), "cell": set()}

    @classmethod
    def of(cls, shell: InteractiveShell) -> Extension | None:
        """Return the extension as `shell` has it loaded; None if it has not."""
        found = shell.magics_manager.registry.get(NAME)
        return found if isinstance(found, cls) else None

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

    def register(self) -> Extension:
        """Give the shell everything; `load` sees to it that this happens once."""
        shell, manager = self.context.shell, self.context.shell.magics_manager
        for magics in MAGICS:
            for kind, names in magics.magics.items():
                self._registered[kind] |= set(names)
        for kind, names in self._registered.items():
            known = manager.magics[kind]
            self._replaced[kind] = {name: known[name] for name in names if name in known}
        # Each enters itself into the shell's configurables.
        self.context.magics = [magics(self.context) for magics in MAGICS]
        by_class = dict(manager.registry)  # IPython has a CodeMagics, too, and finds it by this name
        manager.register(*self.context.magics)
        for magics in MAGICS:
            del manager.registry[magics.__name__]
        manager.registry |= {**by_class, NAME: self}
        shell.input_transformer_manager.token_transformers.append(MagicText)
        shell.input_transformer_manager.line_transforms[:0] = _BEFORE_IPYTHON
        keep_as_typed(shell.input_transformer_manager.cleanup_transforms)
        _show_ours(shell)
        self._completer.register()
        self._say_what_was_replaced()
        self.context.register()
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
        shell, manager = self.context.shell, self.context.shell.magics_manager
        mine: tuple[object, ...] = tuple(self.context.magics)
        for kind, names in self._registered.items():
            known = manager.magics[kind]
            for name in names:
                # What somebody put in its place since then is theirs.
                if getattr(known.get(name), "__self__", None) in mine:
                    known.pop(name)
                    if name in self._replaced[kind]:
                        known[name] = self._replaced[kind][name]
        if manager.registry.get(NAME) is self:
            manager.registry.pop(NAME)
        shell.configurables[:] = [c for c in shell.configurables if not any(c is m for m in mine)]
        shell.input_transformer_manager.token_transformers.remove(MagicText)
        for transform in _BEFORE_IPYTHON:
            shell.input_transformer_manager.line_transforms.remove(transform)
        give_back(shell.input_transformer_manager.cleanup_transforms)
        _forget_ours(shell)
        self._completer.unregister()
        self.context.unregister()


def _completion(completion: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # IPython's protocol
    from xcyq_magic.display.bundle import completion_bundle

    return completion_bundle(completion)


def _comparison(comparison: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # as above
    from xcyq_magic.display.settled_comparison import comparison_bundle

    return comparison_bundle(comparison)


def _evaluation(evaluation: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # as above
    from xcyq_magic.display.settled_evaluation import evaluation_bundle

    return evaluation_bundle(evaluation)


def _rows(rows: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # as above
    from xcyq_magic.display.settled_rows import rows_bundle

    return rows_bundle(rows)


def _usage(report: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # as above
    from xcyq_magic.display.metrics import usage_bundle

    return usage_bundle(report)


def _checks(report: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # as above
    from xcyq_magic.display.settled_checks import checks_bundle

    return checks_bundle(report)


# By module and name: their modules are imported with the first of them.
_SHOWN = {
    ("xcyq_magic.chat.completion", "Completion"): _completion,
    ("xcyq_magic.chat.comparison", "Comparison"): _comparison,
    ("xcyq_magic.chat.evaluation", "Evaluation"): _evaluation,
    ("xcyq_magic.chat.rows", "Rows"): _rows,
    ("xcyq_magic.chat.usage", "UsageReport"): _usage,
    ("xcyq_magic.chat.checks", "CheckReport"): _checks,
}


def _show_ours(shell: InteractiveShell) -> None:
    """Have IPython show our values by the bundles above."""
    for (module, name), bundle in _SHOWN.items():
        _whole_bundles(shell).for_type_by_name(module, name, bundle)


def _forget_ours(shell: InteractiveShell) -> None:
    """Undo `_show_ours`."""
    formatter = _whole_bundles(shell)
    # By name they wait as deferred; once one was shown, it is known by its class.
    for key in _SHOWN:
        formatter.deferred_printers.pop(key, None)
    for cls in [t for t in formatter.type_printers if (t.__module__, t.__name__) in _SHOWN]:
        formatter.pop(cls)


def _whole_bundles(shell: InteractiveShell) -> Any:  # noqa: ANN401  # IPython's, without types
    """Return IPython's formatter for whole bundles."""
    formatter: Any = shell.display_formatter
    return formatter.mimebundle_formatter
