"""The fenced code blocks of a reply."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# https://spec.commonmark.org/0.31.2/#fenced-code-blocks, also on the line of a list item or quotation.
_OPENING = re.compile(r"(?P<before>[ \t]*(?:(?:[-*+>]|\d{1,9}[.)])[ \t]+)*)(?P<fence>`{3,}(?!.*`)|~{3,})(?P<info>.*)")
_CLOSING = re.compile(r"(?P<before>[ \t>]*)(?P<fence>`{3,}|~{3,})[ \t]*")
_PYTHON = {"python", "python3", "py", "py3", "ipython", "ipython3", "{python}"}
_MOST_INDENT = 3  # of a closing fence, beyond that of its opening one


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block: its language (``""`` if it names none) and what it holds."""

    language: str
    code: str

    @property
    def is_python(self) -> bool:
        """Whether it is Python: by its language, or by its looks if it names none."""
        return self.language.lower() in _PYTHON or (not self.language and _looks_like_python(self.code))


def code_blocks(markdown: str) -> Iterator[CodeBlock]:
    """Yield the fenced blocks of a text, in order; one that is never closed is not among them."""
    opening: re.Match[str] | None = None
    lines: list[str] = []
    for ended in markdown.split("\n"):  # not splitlines, which splits at U+2028 and form feeds inside code
        line = ended.removesuffix("\r")
        if opening is None:
            opening = _OPENING.fullmatch(line)
            lines = []
        elif _closes(line, opening):
            language = opening["info"].split()[:1]
            yield CodeBlock("".join(language), "\n".join(lines))
            opening = None
        else:
            lines.append(_without_indent(line, len(opening["before"])))


def _closes(line: str, opening: re.Match[str]) -> bool:
    closing = _CLOSING.fullmatch(line)
    return (
        closing is not None
        and closing["fence"].startswith(opening["fence"])
        and len(closing["before"]) <= len(opening["before"]) + _MOST_INDENT
    )


def _without_indent(line: str, indent: int) -> str:
    """Return the line without the indentation of its fence, as far as it has it."""
    lead = line[:indent]
    return lead.lstrip(" \t>") + line[indent:]


def _looks_like_python(code: str) -> bool:
    """Return whether it is Python that does something: a lone word, a number or a path is Python as well."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model's code may hold an invalid escape, or what is deprecated
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # none; a null byte; nested too deep
        return False
    return any(_does_something(statement) for statement in tree.body)


def _does_something(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call | ast.Await | ast.Yield)
    return not isinstance(statement, ast.AnnAssign) or statement.value is not None  # `name: text` alone is no code
