"""Code with its colours: Pygments' classes, for those tokens only that JupyterLab's themes colour.

A class for every name and bracket would make the saved notebook twice as large and look the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, Comment, Keyword, Literal, Name, Operator
from pygments.util import ClassNotFound

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

# What a theme colours, as `display.style` does; the most special first.
_COLOURED = (
    *(Comment, Keyword, Literal.String, Literal.Number, Operator.Word, Name.Decorator, Name.Function),
    *(Name.Class, Name.Builtin, Name.Tag, Name.Attribute, Name.Exception),
)
CLASSES = frozenset(STANDARD_TYPES[t] for t in _COLOURED)
LONGEST = 200_000  # characters of one block that are coloured; a lexer may be slow on what is no code


def highlighted(code: str, language: str) -> list[tuple[str, str]] | None:
    """Return `code` in pieces, each with its class, ``""`` for none; None where the language is not known."""
    lexer = _lexer(language.strip("{}.").lower()) if language and len(code) <= LONGEST else None
    if lexer is None:
        return None
    pieces: list[tuple[str, str]] = []
    for kind, text in lexer.get_tokens(code):
        name = _class_of(kind)
        if pieces and (pieces[-1][0] == name or (not text.strip() and "\n" not in text)):
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + text)
        else:
            pieces.append((name, text))
    return pieces


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    try:
        # As it stands: no line of the code may vanish.
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=512)
def _class_of(kind: _TokenType) -> str:
    return next((STANDARD_TYPES[t] for t in _COLOURED if kind[: len(t)] == t), "")
