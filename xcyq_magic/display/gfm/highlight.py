"""Code with its colours: Pygments' classes, for those tokens only that JupyterLab's themes colour.

A class for every name and bracket would make the saved notebook twice as large and look the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement

from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, Comment, Keyword, Literal, Name, Operator
from pygments.util import ClassNotFound

from xcyq_magic.errors import show_directions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pygments.lexer import Lexer
    from pygments.token import _TokenType

# What a theme colours, as `display.style` does; the most special first.
_COLOURED = (
    *(Comment, Keyword, Literal.String, Literal.Number, Operator.Word, Name.Decorator, Name.Function),
    *(Name.Class, Name.Builtin, Name.Tag, Name.Attribute, Name.Exception),
)
CLASSES = frozenset(STANDARD_TYPES[t] for t in _COLOURED)
LONGEST = 200_000  # characters of one block that are coloured; a lexer may be slow on what is no code


def code_element(lines: Sequence[str], language: str = "") -> Element:
    """A ``pre`` for lines of code; with colours where the language is known."""
    code = "".join(f"{line}\n" for line in lines)
    lexer = _lexer(language.strip("{}.").lower()) if language and len(code) <= LONGEST else None
    pre = Element("pre")
    element = SubElement(pre, "code")
    if lexer is None:
        element.text = _escaped(code)
        return pre
    pieces: list[tuple[str, str]] = []
    for kind, text in lexer.get_tokens(code):
        name = _class_of(kind)
        if pieces and (pieces[-1][0] == name or (not text.strip() and "\n" not in text)):
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + text)
        else:
            pieces.append((name, text))
    last = None
    for name, text in pieces:
        if name:
            last = SubElement(element, "span", {"class": name})
            last.text = _escaped(text)
        elif last is None:
            element.text = (element.text or "") + _escaped(text)
        else:
            last.tail = (last.tail or "") + _escaped(text)
    wrapper = Element("div", {"class": "highlight"})
    wrapper.append(pre)
    return wrapper


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


def _escaped(text: str) -> str:
    return show_directions(text, within="code").replace("&", "&amp;")
