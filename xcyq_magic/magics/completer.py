"""What TAB offers in the lines of the magics, and within ``{{ }}``.

A matcher of IPython's second API; the older hook, `complete_command`, spoils names with a hyphen.
https://ipython.readthedocs.io/en/stable/api/generated/IPython.core.completer.html
"""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from IPython.core.completer import (
    IPCompleter,
    SimpleCompletion,
    context_matcher,
    provisionalcompleter,
    rectify_completions,
)

from xcyq_magic.magics.line import Typed, typed_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from IPython.core.completer import Completion, CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from xcyq_magic.magics.context import Context

    Source: TypeAlias = Callable[["Context", str], Iterable[SimpleCompletion]]
    from collections.abc import Collection, Iterator


_PRIORITY = 1000.0  # IPython's own have 0: they are asked only where this one offers nothing
_MOST_SHOWN = 44  # characters of an option's help
_MEMBER_OF = re.compile(r"(?P<name>[^\W\d]\w*)[.\[(]")
_WITHIN_A_TYPE = re.compile(r".*[\[(,|]\s*|(?=.*\.)", re.DOTALL)  # what stands before the last name of it
_IN_A_STRING = re.compile(r"[\"'][^\"']*\Z")
MOST = 500  # of one folder: nobody reads more
_NEEDS_QUOTES = re.compile(r"[\s\"']")


class MagicCompleter:
    """Completes what is typed to the magics of a shell."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._expressions = ExpressionCompleter(context.shell)

    def register(self) -> None:
        """Let the shell ask."""
        self._context.shell.Completer.custom_matchers.append(self.match)

    def unregister(self) -> None:
        """Take that back."""
        self._context.shell.Completer.custom_matchers.remove(self.match)

    @context_matcher(identifier="xcyq_magic", priority=_PRIORITY)  # type: ignore[untyped-decorator]  # IPython's
    def match(self, context: CompletionContext) -> SimpleMatcherResult:
        """What may stand at the cursor, in an order that means something."""
        lines = context.full_text.split("\n")[: context.cursor_line]
        typed = typed_at("\n".join([*lines, context.text_until_cursor]), self._context.parsers)
        if typed is None:
            return {"completions": []}
        fragment, found = self._offers(typed)
        return {"completions": found, "matched_fragment": fragment, "suppress": True, "ordered": True}

    def _offers(self, typed: Typed) -> tuple[str, list[SimpleCompletion]]:
        """What completes, and the part of the fragment that it replaces."""
        if typed.kind == "expression":
            return self._expressions.complete(typed.fragment)
        if typed.option == "as_type" and (opened := _WITHIN_A_TYPE.search(typed.fragment)):
            return self._expressions.complete(typed.fragment[opened.end() :])
        if typed.option == "attach" and self._is_expression(typed.fragment):
            fragment, found = self._expressions.complete(typed.fragment)
            if found:
                return fragment, found
        return typed.fragment, list(self._from_tables(typed))

    def _is_expression(self, text: str) -> bool:
        member = _MEMBER_OF.match(text)
        return member is not None and member["name"] in self._context.shell.user_ns

    def _from_tables(self, typed: Typed) -> Iterable[SimpleCompletion]:
        if typed.kind == "value":
            source = VALUES.get(typed.option)
            return source(self._context, typed.fragment) if source else ()
        if typed.kind == "option":
            return self._options(typed)
        words = WORDS.get(typed.magic)
        taken = words is not None and words.most is not None and typed.words >= words.most
        found = [] if words is None or taken else [*words.source(self._context, typed.fragment)]
        return found if typed.fragment else [*found, *self._options(typed)]

    def _options(self, typed: Typed) -> Iterable[SimpleCompletion]:
        """The options that may follow, each with its help where the frontend shows a type."""
        parser = self._context.parsers[typed.magic]
        for action in parser._actions if parser else ():  # noqa: SLF001  # argparse lists them nowhere else
            again = isinstance(action.default, list)
            names = [n for n in action.option_strings if n.startswith(typed.fragment)]
            if names and action.help != argparse.SUPPRESS and (again or action.dest not in typed.given):
                # One of two names is enough: the long one says what it means.
                yield SimpleCompletion(names[-1], type=_brief(action.help or ""))


def _brief(text: str) -> str:
    """The first clause of a help, for the place of a type: JupyterLab would wrap it there, line over line."""
    clause = re.split(r"[.;:](?: |$)", text, maxsplit=1)[0]
    if len(clause) > _MOST_SHOWN:
        clause = clause[:_MOST_SHOWN].rpartition(" ")[0].rstrip(",") + " …"
    return clause.replace(" ", "\N{NO-BREAK SPACE}").replace("-", "\N{NON-BREAKING HYPHEN}")


class ExpressionCompleter:
    """Completes Python by IPython's own completer: names, attributes, keys, keywords of a call.

    It is one of its own, for the shell's is in the middle of its work when it asks. It does without Jedi, which
    calls the user's properties, and takes long to import: the objects are there to be looked at. Where they
    tell nothing (what a call would return), the shell goes on to its own matchers.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._completer: IPCompleter | None = None

    def complete(self, source: str) -> tuple[str, list[SimpleCompletion]]:
        """What completes the expression `source`, and the part at its end that this replaces."""
        if self._completer is None:
            self._completer = IPCompleter(self._shell, {}, parent=self._shell)
            self._completer.use_jedi = False
        self._completer.namespace = self._shell.user_ns
        with provisionalcompleter():
            found = [c for c in self._completer.completions(source, len(source)) if _belongs(c, source)]
            found = list(rectify_completions(source, found))
        if not found:
            return "", []
        start, texts = found[0].start, [c.text for c in found]
        if all(t.startswith(".") for t in texts):
            # An attribute with its dot, which is there already. (IPython 8 names the whole object as replaced.)
            start, texts = source.rindex(".") + 1, [t[1:] for t in texts]
        return source[start:], [SimpleCompletion(t, type=c.type) for t, c in zip(texts, found, strict=True)]


def _belongs(completion: Completion, source: str) -> bool:
    """Whether it can stand in an expression: no magic, and no path but within a string."""
    if completion.text.startswith("%"):
        return False
    return completion.type != "path" or _IN_A_STRING.search(source) is not None


# What completes at which position. A magic that is not there is not asked for.


def _models(context: Context, typed: str) -> Iterable[SimpleCompletion]:
    """Models whose names begin with what was typed, of a chain behind its last comma, else those that hold it."""
    known, (before, comma, last) = context.models, typed.rpartition(",")
    names = [n for n in known if n.startswith(last)] or [n for n in known if last.lower() in n.lower()]
    return [SimpleCompletion(before + comma + n, type=_pool(n)) for n in names]


def _pool(name: str) -> str:
    from xcyq_magic.gateway.catalog import MODELS

    model = MODELS.get(name)
    return _brief(f"{model.family.name}, {re.split(' [(]|,', model.pool, maxsplit=1)[0]}" if model else "model")


def _conversations(context: Context, typed: str) -> Iterable[SimpleCompletion]:
    return [SimpleCompletion(n, type="conversation") for n in context.conversation_names if n.startswith(typed)]


def _answers(context: Context, typed: str) -> Iterable[SimpleCompletion]:
    return [SimpleCompletion(n, type="answer") for n in context.compared if n.startswith(typed)]


def _attachments(context: Context, typed: str) -> Iterable[SimpleCompletion]:
    """Variables, and paths."""
    shell = context.shell
    for name, value in shell.user_ns.items():
        own = name not in shell.user_ns_hidden and not name.startswith("_") and not isinstance(value, ModuleType)
        if own and name.startswith(typed):
            yield SimpleCompletion(name, type=type(value).__name__)
    yield from _files(context, typed)


def _types(context: Context, typed: str) -> Iterable[SimpleCompletion]:
    """Classes of the notebook, and the types that everybody knows."""
    names, hidden = context.shell.user_ns, context.shell.user_ns_hidden
    own = [n for n, v in names.items() if isinstance(v, type) and n not in hidden and not n.startswith("_")]
    found = dict.fromkeys([*own, "bool", "float", "int", "list", "str", "Literal"])
    return [SimpleCompletion(name, type="class") for name in found if name.startswith(typed)]


def _files(_: Context, typed: str) -> Iterable[SimpleCompletion]:
    return [SimpleCompletion(p, type="path") for p in paths_from(typed)]


def _saved(*suffixes: str) -> Source:
    return lambda _, typed: [SimpleCompletion(p, type="path") for p in paths_from(typed, suffixes)]


def _fixed(*words: str) -> Source:
    return lambda _, typed: [SimpleCompletion(w, type="keyword") for w in words if w.startswith(typed)]


@dataclass(frozen=True)
class Words:
    """What completes the words of a magic that are no options, and how many there may be; None for any."""

    source: Source
    most: int | None = 1


VALUES: dict[str, Source] = {  # by the destination of an option
    "model": _models,
    "judge": _models,
    "conversation": _conversations,
    "attach": _attachments,
    "as_type": _types,
}
WORDS: dict[str, Words] = {
    "compare": Words(_models, None),
    "chat_model": Words(_models),
    "chat_models": Words(_models, None),
    "chat_keep": Words(_answers),
    "chat_switch": Words(_conversations),
    "chat_save": Words(_saved(".md", ".json", ".ipynb")),
    "chat_load": Words(_saved(".json", ".ipynb")),
    "chat_sandbox": Words(_fixed("auto", "off", "on")),
    "chat_system": Words(_fixed("off")),
}


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
