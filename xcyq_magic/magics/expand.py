r"""``{{ expr }}`` in a prompt: a Python expression of the user's namespace, in the place where it stands.

Only doubled braces mean something: code, JSON, LaTeX and dollars pass as they are typed. ``\{{`` is a literal ``{{``.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import difflib
import functools
import keyword
import re
import unicodedata
import warnings
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from numbers import Number
from typing import TYPE_CHECKING, TypeVar, cast

from xcyq_magic.errors import ExpressionError, InputError, OptionError
from xcyq_magic.media.kinds import FRAMES, is_a

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.magic import Magics

F = TypeVar("F", bound="Callable[..., object]")
_LOCALS: ContextVar[dict[str, object]] = ContextVar("xcyq_magic_locals", default={})  # noqa: B039  # it is only read
_OPENING = re.compile(r"(?P<escape>\\?)\{\{")
_MOST_CLOSINGS = 50  # tried for one expression: `}}` may stand within it, but not that often
_MOST_SHOWN = 60  # characters of an expression in an error
_MOST_KEYS = 2000  # among which a near one is looked for
_MOST_SAID = 200  # characters of an exception's words
_SHELLS = {"In", "Out", "get_ipython", "display", "exit", "quit"}  # IPython's, of which not all are built in
_NEVER_MEANT = _SHELLS - {"display"}  # by a name that is not known
_PER_ROW = "With --each, a column of a data frame is {{ row.NAME }}, and an item of a list {{ row }}."
_IMPORTS = {
    "Path": "from pathlib import Path",
    "pd": "import pandas as pd",
    "np": "import numpy as np",
    "plt": "import matplotlib.pyplot as plt",
}
_OF_INDEX = "A row has no index: --each df.reset_index() makes it a column."
_AS_TYPED = r"Was it not meant as Python? Write \{{ for a literal {{, or send the prompt as it is typed with --raw."


def _short(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


@dataclass(frozen=True)
class Expression:
    """What stands between ``{{`` and ``}}``."""

    source: str

    @property
    def shown(self) -> str:
        """It, short enough for an error."""
        return "{{ " + _short(self.source, _MOST_SHOWN) + " }}"


def parse(text: str) -> Iterator[str | Expression]:
    r"""The text and the expressions of a prompt, in order; ``\{{`` is text.

    Raises
    ------
    ExpressionError
        An expression is not closed, or is none.
    """
    at = 0
    while opening := _OPENING.search(text, at):
        yield text[at : opening.start()]
        if opening["escape"]:
            yield "{{"
            at = opening.end()
            continue
        expression = _expression(text, opening.end())
        yield expression
        at = text.index("}}", opening.end() + len(expression.source)) + 2
    yield text[at:]


def open_expression(text: str) -> str | None:
    """What was typed of the expression at the end of `text`; None where none is open."""
    at = 0
    while opening := _OPENING.search(text, at):
        at = opening.end()
        if opening["escape"]:
            continue
        source = next(_whole_expressions(text, at), None)
        if source is None:
            return text[at:]
        at += len(source) + 2
    return None


def _expression(text: str, start: int) -> Expression:
    """The expression from `start` on: up to the first ``}}`` before which there is a whole one."""
    source = next(_whole_expressions(text, start), None)
    if source is not None:
        return Expression(source)
    closing = text.find("}}", start)
    if closing < 0:
        rest = Expression(text[start : start + _MOST_SHOWN]).shown.removesuffix(" }}")
        msg = f"{rest} is not closed by }}}}; nothing was sent."
        raise ExpressionError(msg, _AS_TYPED)
    first = Expression(text[start:closing])
    way_on = _file_hint(first.source) or _AS_TYPED
    msg = f"{first.shown} is not a Python expression ({_syntax_error(first.source)}); nothing was sent."
    column = first.source.strip().removeprefix("row.")
    raise ExpressionError(msg, f'Did you mean row["{column}"]? {_AS_TYPED}' if column in _row() else way_on)


def _file_hint(source: str) -> str:
    """Return what to type for an expression that is the path of a file; nothing for any other."""
    from xcyq_magic.magics.attached import exists

    path = source.strip()
    typed = path if path.split() == [path] else f'"{path}"'
    return f"To send the file {path}, attach it: -a {typed}" if path and exists(path) else ""


def _whole_expressions(text: str, start: int) -> Iterator[str]:
    """What stands between `start` and each ``}}`` behind it, where that is an expression."""
    ends = islice((m.start() for m in re.finditer(r"\}(?=\})", text[start:])), _MOST_CLOSINGS)
    return (source for end in ends if _syntax_error(source := text[start : start + end]) is None)


def _syntax_error(source: str) -> str | None:
    """What is wrong with an expression; None if nothing is."""
    if not source.strip():
        return "it is empty"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # said when it runs
            ast.parse(source.strip(), mode="eval")
    except SyntaxError as e:
        return e.msg
    except (ValueError, RecursionError, MemoryError) as e:  # a null byte; nested too deep
        return str(e) or type(e).__name__
    return None


def names_of(shell: InteractiveShell) -> dict[str, object]:
    """Return what expressions see: the notebook's names, and before these the names of a function that calls."""
    within = _LOCALS.get()
    return {**shell.user_global_ns, **within} if within else shell.user_ns


def names_within() -> Collection[str]:
    """Return what expressions see besides the notebook's names: those of a function that calls, or ``row``."""
    return _LOCALS.get().keys()


def in_callers_scope(magic: F) -> F:
    """Let the expressions of a magic see the names of the function that calls it (IPython's ``needs_local_scope``)."""

    @functools.wraps(magic)
    def called(self: Magics, *words: str | None, local_ns: dict[str, object] | None = None) -> object:
        shell = self.shell
        token = _LOCALS.set({} if shell is None or local_ns is None or local_ns is shell.user_ns else local_ns)
        try:
            return magic(self, *words)
        finally:
            _LOCALS.reset(token)

    called.needs_local_scope = True  # type: ignore[attr-defined]  # IPython looks for it
    return cast("F", called)


@contextlib.contextmanager
def seeing(**names: object) -> Iterator[None]:
    """Let expressions see further names, such as ``row``, before those of the notebook."""
    token = _LOCALS.set({**_LOCALS.get(), **names})
    try:
        yield
    finally:
        _LOCALS.reset(token)


def evaluate(
    shell: InteractiveShell,
    source: str,
    shown: str,
    way_on: str = _AS_TYPED,
    more: Mapping[str, object] | None = None,
) -> object:
    """The value of an expression in the user's namespace.

    Parameters
    ----------
    shell
        Whose namespace it is.
    source
        The expression.
    shown
        How the user wrote it, for the error.
    way_on
        What to type next if it fails.
    more
        Names that it may use where the user has none such.

    Raises
    ------
    ExpressionError
        It fails; the error says how. One of ours is passed on as it is.
    """
    try:
        within = _LOCALS.get() or more
        names = {**(more or {}), **names_of(shell)}
        return shell.ev(source.strip()) if not within else eval(source.strip(), names)  # noqa: S307  # the user's
    except InputError:
        raise
    except Exception as e:  # noqa: BLE001  # whatever a user's expression raises
        why = _short(f"{type(e).__name__}: {e}", _MOST_SAID).removesuffix(":")
        near = None
        with contextlib.suppress(Exception):  # whatever a value raises that is asked for its attributes or keys
            near = _near(e, names_of(shell), source)
        msg = f"{shown} failed: {why}; nothing was sent."
        if isinstance(e, NameError) and e.name in _IMPORTS:
            raise ExpressionError(msg, f"Type {_IMPORTS[e.name]}, and run the cell again.") from None
        if way_on == _AS_TYPED and (file := _file_hint(source)):
            raise ExpressionError(msg, file) from None
        if way_on == _AS_TYPED and "row" in names_within():
            way_on = _OF_INDEX if isinstance(e, AttributeError) and e.name == "index" else _PER_ROW
            near = near if near and (near.startswith("row") or not isinstance(e, NameError)) else None
        raise ExpressionError(msg, f"Did you mean {near}? {way_on}" if near else way_on) from None


def filled(shell: InteractiveShell, word: str) -> str | list[str]:
    """Return a word of a magic's line with each ``{{ expr }}`` in it replaced by the name or the number that it is.

    Where an expression is the whole word, it may be a list or a tuple of them.

    Parameters
    ----------
    shell
        In whose namespace an expression is evaluated.
    word
        A name, a number, or an expression of one.

    Raises
    ------
    InputError
        An expression fails, or is neither.
    """
    pieces = [p for p in parse(word) if p != ""]
    values = [
        p if isinstance(p, str) else evaluate(shell, p.source, p.shown, "Or write the name itself.") for p in pieces
    ]
    if len(values) == 1 and isinstance(values[0], list | tuple):
        return [_name(value, pieces[0]) for value in values[0]]
    return "".join(_name(value, piece) for value, piece in zip(values, pieces, strict=True))


def _name(value: object, piece: str | Expression) -> str:
    if isinstance(value, str) or (isinstance(value, Number) and not isinstance(value, bool)):
        return str(value)
    shown = piece if isinstance(piece, str) else piece.shown
    msg = f"{shown} is a {type(value).__name__}, and a name or a number is needed there; nothing was sent."
    raise OptionError(msg, "Only a prompt takes any value.")


def _near(error: Exception, names: dict[str, object], source: str) -> str | None:
    """The user's name that the missing one may be meant for: of a variable, an attribute, a key or a column."""
    missing = getattr(error, "name", None)
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):  # which does not say of what
        owners = _owners(source, error.args[0], names)
        return next((near for o in owners if (near := nearest_name(error.args[0], _keys(o)))), None)
    if not isinstance(missing, str):
        return None
    if isinstance(error, AttributeError):
        owner = getattr(error, "obj", None)
        # A row's columns are attributes, too, and so are a frame's.
        return nearest_name(missing, _keys(owner)) or (
            None if isinstance(owner, dict) else nearest_name(missing, dir(owner))
        )
    if isinstance(error, NameError):
        return f"row.{missing}" if missing in _row() else nearest_name(missing, names)
    return None


def _owners(source: str, key: str, names: Mapping[str, object]) -> Iterator[object]:
    """Yield the values among `names` that an expression asks for `key`, and its frames."""
    for node in ast.walk(ast.parse(source.strip(), mode="eval")):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and f"{key!r}" in ast.unparse(node.slice)
        ):
            yield names.get(node.value.id)
    yield from (names[name] for name in _free_names(source) if is_a(names.get(name), *FRAMES))


def _keys(value: object) -> list[str]:
    """Return the keys of a mapping, or the columns of a frame, that are text; none of any other value."""
    keys = value if isinstance(value, Mapping) else getattr(value, "columns", ()) if is_a(value, *FRAMES) else ()
    return [key for key in islice(keys, _MOST_KEYS) if isinstance(key, str)]


def _row() -> Collection[object]:
    """Return the columns of the row that is asked about; none where there is no row, or it has none."""
    row = _LOCALS.get().get("row")
    return row if isinstance(row, dict) else ()


def nearest_name(missing: str, names: Iterable[str]) -> str | None:
    """The name among the user's `names` that `missing` may be meant for; None if none is near."""
    own = [n for n in names if not n.startswith("_") and n not in _NEVER_MEANT]
    return next(iter(difflib.get_close_matches(missing, own, 1, 0.7)), None)


def known_names(source: str, names: dict[str, object]) -> bool:
    """Whether `source` is an expression whose names all stand in `names`, at least one of them."""
    free = _free_names(source)
    return any(n in names for n in free) and missing_name(source, names) is None


def missing_name(source: str, names: dict[str, object]) -> str | None:
    """Return the first name in the expression `source` that is not known; None if there is none, or no expression."""
    return next((n for n in _free_names(source) if n not in names and not hasattr(builtins, n)), None)


def _free_names(source: str) -> list[str]:
    """Return the names that an expression takes from around it, in order; none of what is no expression."""
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    used = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    bound |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    return [n for n in used if n not in bound]


def check_variable(name: str | None, names: Mapping[str, object], unsent: str = "; nothing was sent") -> None:
    """See to it that what stands behind ``-o`` can be a variable, and is none that holds data.

    Parameters
    ----------
    name
        What stands there; None for nothing.
    names
        Those of the user's variables.
    unsent
        The end of the error of a magic that sends.

    Raises
    ------
    OptionError
        It cannot, or the variable's table, array or figure would be lost.
    """
    if name is None:
        return
    plain = name.isidentifier() and unicodedata.normalize("NFKC", name) == name  # as Python reads it
    if not plain or keyword.iskeyword(name) or name.startswith("_"):
        msg = f"-o takes the name of a variable, not {name!r}{unsent}."
        raise OptionError(msg, "Try -o answer. What begins with an underscore is IPython's.")
    if hasattr(builtins, name) or name in _SHELLS:
        msg = f"A variable called {name} would hide Python's or IPython's own {name}{unsent}."
        raise OptionError(msg, "Try -o answer.")
    from xcyq_magic.magics.as_text import is_data

    if is_data(held := names.get(name)):
        msg = f"{name} holds a {type(held).__name__}, which -o {name} would replace{unsent}."
        raise OptionError(msg, f"Choose another name, such as -o {name}_answers, or delete it first: del {name}")
