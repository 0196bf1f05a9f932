"""How cells of ours are read before IPython reads them.

Lets ``%chat why is this slow?`` be a prompt, although IPython takes a line that ends in ``?`` as help: also behind
``x =``, under an alias, and without its ``%`` where IPython adds that (automagic).

All lines of these magics are taken, not only those with a question mark: an open bracket in one of them
would otherwise make IPython take the next one as its continuation.

And lets the body of a ``%%chat`` cell be the prompt as it is typed, although IPython takes ``>>>`` and ``In [1]:`` out
of cells, and the spaces out of blank lines.
"""

from __future__ import annotations

import builtins
import re
import tokenize
from typing import TYPE_CHECKING, TypeAlias

from IPython.core.getipython import get_ipython
from IPython.core.inputtransformer2 import PromptStripper, TokenTransformBase, leading_indent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Transform: TypeAlias = Callable[[list[str]], list[str]]

# With white space after the name: `%chat?` is still the call for help. A backslash at the end continues a line.
_LINE = re.compile(
    r"(?P<before>[ \t]*(?:[^%#\n]*[^%#\n=!<>:+*/|&^@~-]=[ \t]*)?)%(?P<name>[^\W\d]\w*)[ \t]+"
    r"(?P<text>[^ \t\n](?:.*[^\\ \t\r\n])?)[ \t]*\r?\n?"
)
_NAMES = {"chat", "chat_system", "chat_error"}
_AUTOMAGIC = re.compile(r"(?P<name>[^\W\d]\w*)[ \t]+(?P<text>[^\s=(\[.,+*/%&|^<>!-].*\?)\s*")
_NO_CODE = {tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT}
_FIRST_LINE = re.compile(r"%%(?:chat|chat_system|compare)(?!\w)")
_EMPTY_CELL = re.compile(r"%%(?P<name>chat|chat_system|compare)(?:[ \t]+(?P<line>\S.*?))?[ \t]*\r?\n?")


class MagicText(TokenTransformBase):
    """Finds such a line where it is code, not within a string, and turns it into a call of the magic."""

    priority = 4  # before IPython's own transformer for `?`, which has 5

    @classmethod
    def find(cls, tokens_by_line: Sequence[Sequence[tokenize.TokenInfo]]) -> MagicText | None:
        """The first such line of the cell."""
        for tokens in tokens_by_line:
            first = next((t for t in tokens if t.type not in _NO_CODE), None)
            if first is None or first.line.lstrip() != first.line[first.start[1] :]:
                continue
            found = _LINE.fullmatch(first.line)
            if found and (first.string == "%" or "=" in found["before"]) and is_prompt_of(found["name"]):
                return cls(first.start)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """The cell with the line found replaced by Python."""
        found = _LINE.fullmatch(lines[self.start_line])
        if found is None:
            msg = "the line is no question to a magic"
            raise SyntaxError(msg)
        call = f"{found['before']}get_ipython().run_line_magic({found['name']!r}, {found['text']!r})\n"
        return [*lines[: self.start_line], call, *lines[self.start_line + 1 :]]


def is_prompt_of(name: str) -> bool:
    """Return whether a line magic takes a prompt: one of ours, or an alias of one."""
    shell = get_ipython()
    magic = shell.magics_manager.magics["line"].get(name) if shell is not None and name not in _NAMES else None
    return name in _NAMES or getattr(magic, "magic_name", "").lstrip("%") in _NAMES


def automagic(lines: list[str]) -> list[str]:
    """Put the ``%`` before a single line that ends in a question mark, where IPython would for one that does not."""
    shell = get_ipython()
    found = _AUTOMAGIC.fullmatch(lines[0]) if len(lines) == 1 else None
    if found is None or shell is None or not shell.automagic or found["name"] in {*shell.user_ns, *vars(builtins)}:
        return lines
    return [f"%{lines[0]}"] if is_prompt_of(found["name"]) and found["text"] not in {"?", "??"} else lines


def misplaced(lines: list[str]) -> list[str]:
    """Let a cell whose magic stands below a comment say so: IPython's own error is that there is no such magic."""
    at, magic = next(((n, m) for n, line in enumerate(lines) if (m := _FIRST_LINE.match(line))), (0, None))
    if magic is None or not at or any(not line.startswith("#") and line.strip() for line in lines[:at]):
        return lines
    msg = f"{magic[0]} must be the first line of its cell, and there is a comment above it; nothing was sent."
    error = "__import__('xcyq_magic.errors', fromlist=['errors']).InputError"
    return [f"raise {error}({msg!r}, 'Put the comment into a cell of its own, or leave it out.')\n"]


def empty_cell(lines: list[str]) -> list[str]:
    """Let a cell without a body reach its magic: IPython's own refusal offers the line magic instead."""
    found = _EMPTY_CELL.fullmatch(lines[0]) if lines else None
    if found is None or any(line.strip() for line in lines[1:]):
        return lines
    return [f"get_ipython().run_cell_magic({found['name']!r}, {found['line'] or ''!r}, '\\n')\n"]


class AsTyped:
    """One of IPython's own changes of whole cells, which leaves the cells of these magics as they are typed.

    It equals what it stands for: who takes that out of IPython's list finds it there.
    """

    def __init__(self, transform: Transform) -> None:
        self.transform = transform

    def __call__(self, lines: list[str]) -> list[str]:
        """Return the lines of a cell as they are to be read."""
        return lines if _is_ours(lines) else self.transform(lines)

    def __eq__(self, other: object) -> bool:
        return self is other or self.transform == other

    def __hash__(self) -> int:
        return hash(self.transform)


def keep_as_typed(transforms: list[Transform]) -> None:
    """Let the bodies of our cells pass IPython's changes."""
    transforms[:] = [AsTyped(t) if t is leading_indent or isinstance(t, PromptStripper) else t for t in transforms]


def give_back(transforms: list[Transform]) -> None:
    """Undo `keep_as_typed`; what others have put there or taken away since then stays so."""
    transforms[:] = [t.transform if isinstance(t, AsTyped) else t for t in transforms]


def _is_ours(lines: list[str]) -> bool:
    """Return whether a cell is one of these magics, or another's with one of these in it (``%%capture``)."""
    for number, line in enumerate(lines):
        if _FIRST_LINE.match(line):
            return True
        if not line.startswith("%%") and (number == 0 or line.strip()):
            return False
    return False
