"""Code as text: the source of functions, classes and modules, and the tracebacks of exceptions."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import itertools
import linecache
import re
import sysconfig
import textwrap
import traceback
from collections import Counter
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from xcyq_magic.media.text.shown import Shown, all_of, count_of, counts_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


def source_of(value: Any) -> Shown:  # noqa: ANN401  # a function, a method, a class
    """Return the source, else the signature and the docstring."""
    if isinstance(value, functools.partial):
        return Shown(f"{value!r}\n\n{source_of(value.func).text}")
    try:
        source = inspect.getsource(value)
    except (OSError, TypeError):
        source = _class_in_a_cell(value) or _summary(value)
    return Shown(textwrap.dedent(source).rstrip())


def module_text(module: ModuleType) -> Shown:
    """Name, version, the docstring's first paragraph, and the public names."""
    version = getattr(module, "__version__", None)
    head = f"module {module.__name__}" + (f", version {version}" if isinstance(version, str) else "")
    about = (inspect.getdoc(module) or "").split("\n\n", 1)[0]
    names = sorted(n for n in vars(module) if not n.startswith("_"))
    return Shown("\n\n".join(t for t in (head, about, ", ".join(names)) if t))


def _class_in_a_cell(value: object) -> str | None:
    """Return the source of a class that has no file: one of its methods knows where it was compiled.

    `inspect.getsource` looks into the file of ``__main__``, which a notebook does not have.
    """
    if not isinstance(value, type):
        return None
    codes = [f.__code__ for f in vars(value).values() if isinstance(f, FunctionType)]
    for code in codes:
        lines = linecache.getlines(code.co_filename)
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:  # a cell with a magic in it, say
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef) or node.name != value.__name__ or node.end_lineno is None:
                continue
            start = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if start <= code.co_firstlineno <= node.end_lineno:
                return "".join(lines[start - 1 : node.end_lineno])
    return None


def _summary(value: Any) -> str:  # noqa: ANN401  # as above
    name = getattr(value, "__qualname__", repr(value))
    try:
        name += str(inspect.signature(value))
    except (TypeError, ValueError):  # a built-in without one
        name = repr(value)
    head = f"class {name}" if isinstance(value, type) else name
    about = inspect.getdoc(value)
    return f"{head}\n\n{about}" if about else head


_AROUND = 2  # lines before and after the one that ran, of the user's code
_MOST_FRAMES = 8  # of the user's, the last ones
_MOST_CHAINED = 4
_GROUP: type = getattr(builtins, "BaseExceptionGroup", ())  # type: ignore[arg-type]  # from Python 3.11 on
_CELL = re.compile(r"ipykernel_\d+[/\\]\d+\.py$|^<(?:ipython-input|stdin)")
# Where packages are put, whoever's they are: the machine's, a user's, a virtual environment's, an archive's.
_INSTALLED = re.compile(r"[/\\](?:site-packages|dist-packages|python\d+\.zip|[^/\\]+\.(?:egg|whl))[/\\]", re.IGNORECASE)
# What runs a cell: of no use to whoever reads the traceback.
_RUNNERS = re.compile(r"[/\\](?:IPython|ipykernel)[/\\]")


def traceback_text(error: BaseException) -> Shown:
    """Return the exception, what led to it, and the frames of the user's code with the lines around them."""
    chain = [*itertools.islice(_chain(error), _MOST_CHAINED + 1)]
    cut: Counter[str] = Counter()
    text = "\n\nand then:\n\n".join(_one(e, cut) for e in reversed(chain[:_MOST_CHAINED]))
    earlier = "what led to its first exception" if len(chain) > _MOST_CHAINED else ""
    return Shown(text, all_of(counts_of(cut), earlier), more=False)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception, then what it was raised from, and so on."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)


def _one(error: BaseException, cut: Counter[str], depth: int = 0) -> str:
    said = "".join(traceback.format_exception_only(type(error), error)).rstrip()
    group = getattr(error, "exceptions", ()) if isinstance(error, _GROUP) else ()
    within = group[:_MOST_CHAINED] if depth < _MOST_CHAINED else ()
    cut["exception of a group"] += len(group) - len(within)
    parts = [f"{n} of {len(group)}:\n{_one(e, cut, depth + 1)}" for n, e in enumerate(within, 1)]
    return "\n".join([*_frames(error.__traceback__, cut), said, *(textwrap.indent(part, "  ") for part in parts)])


def _frames(trace: TracebackType | None, cut: Counter[str]) -> Iterator[str]:
    frames = [(f.f_code.co_filename, line, f.f_code.co_name) for f, line in traceback.walk_tb(trace)]
    users = {file for file in {f[0] for f in frames} if _is_users(file)}
    frames = [f for f in frames if f[0] in users or not _RUNNERS.search(f[0])]
    mine = [n for n, (file, _, _) in enumerate(frames) if file in users]
    cut["frame of your code"] += max(0, len(mine) - _MOST_FRAMES)
    shown = {*mine[-_MOST_FRAMES:], len(frames) - 1} if frames else set()
    skipped = 0
    for n, (file, line, name) in enumerate(frames):
        if n not in shown:
            skipped += 1
            continue
        if skipped:
            yield f"… {count_of(skipped, 'more frame')} …"
            skipped = 0
        yield f"{_where(file)}, line {line}, in {name}:"
        yield from _lines(file, line, _AROUND if n in mine else 0)


def _is_users(file: str) -> bool:
    """Return whether a file is neither the standard library's nor an installed package's."""
    if _CELL.search(file):
        return True
    # A compiled library's frames name files that are not there.
    if not linecache.getlines(file) or _INSTALLED.search(file):
        return False
    folders = {Path(sysconfig.get_path(n)).resolve() for n in ("stdlib", "platstdlib", "purelib", "platlib")}
    return not any(Path(file).resolve().is_relative_to(folder) for folder in folders)


def _where(file: str) -> str:
    return "Cell" if _CELL.search(file) else Path(file).name


def _lines(file: str, line: int, around: int) -> Iterator[str]:
    source = lines_of(file)
    for n in range(max(1, line - around), min(len(source), line + around) + 1):
        yield f"{'->' if n == line else '  '} {n:4} {source[n - 1]}"


def lines_of(file: str) -> list[str]:
    """Return the lines of a source, those of a cell magic as they were typed: IPython makes one call of them."""
    lines = [line.rstrip() for line in linecache.getlines(file)]
    if not lines or not lines[0].startswith("get_ipython().run_cell_magic("):
        return lines
    try:
        name, line, body = map(ast.literal_eval, ast.parse("\n".join(lines)).body[0].value.args)  # type: ignore[attr-defined]
    except (SyntaxError, ValueError, AttributeError):
        return lines
    return [f"%%{name} {line}".rstrip(), *body.splitlines()]
