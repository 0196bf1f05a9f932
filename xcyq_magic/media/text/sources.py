"""Functions, classes and modules as text: their source, or what they say of themselves."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import textwrap
from types import FunctionType, ModuleType
from typing import Any

from xcyq_magic.media.text.nested import clipped


def source_of(value: Any, chars: int) -> str:  # noqa: ANN401  # a function, a method, a class
    """Return the source, else the signature and the docstring."""
    if isinstance(value, functools.partial):
        return clipped(f"{value!r}\n\n{source_of(value.func, chars)}", chars)
    try:
        source = inspect.getsource(value)
    except (OSError, TypeError):
        source = _class_in_a_cell(value) or _summary(value)
    return clipped(textwrap.dedent(source).rstrip(), chars)


def module_text(module: ModuleType, chars: int) -> str:
    """Name, version, the docstring's first paragraph, and the public names."""
    version = getattr(module, "__version__", None)
    head = f"module {module.__name__}" + (f", version {version}" if isinstance(version, str) else "")
    about = (inspect.getdoc(module) or "").split("\n\n", 1)[0]
    names = sorted(n for n in vars(module) if not n.startswith("_"))
    return clipped("\n\n".join(t for t in (head, about, ", ".join(names)) if t), chars)


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
