"""What is being typed at the cursor of a cell: an option, its value, a word of the magic's, an expression.

Pure: text in, a value out. What completes there is `completer`'s business.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xcyq_magic.magics.arguments import split
from xcyq_magic.magics.expand import open_expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CELL = re.compile(
    r"\s*%%(?P<name>\w+)(?P<line>[^\n]*)(?P<body>\n.*)?", re.DOTALL
)  # after empty lines, as IPython has it
_LINE = re.compile(r"[ \t]*%(?P<name>\w+)(?P<line>[ \t].*)")
# As `arguments` takes a line apart, but for a quote that is not closed yet: it goes on to the cursor.
_WORD = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']|"(?:[^"\\]|\\.)*\\?\Z|'[^']*\Z)+""")
_OPTIONAL = "figure"  # the option whose value may be left out
_GLUED = 2  # characters of an option before a value without a space, as in -mgpt-5.5


@dataclass(frozen=True)
class Typed:
    """What is being typed.

    Attributes
    ----------
    magic
        Its name.
    kind
        ``option``; ``value`` of an option; ``word`` that is neither; ``expression`` between ``{{`` and ``}}``.
    fragment
        What of it stands before the cursor.
    option
        The destination of the option whose value it is.
    given
        The destinations of the options that stand before it.
    words
        How many words that are no options stand before it.
    """

    magic: str
    kind: Literal["option", "value", "word", "expression"]
    fragment: str
    option: str = ""
    given: frozenset[str] = frozenset()
    words: int = 0


def typed_at(before: str, magics: Mapping[str, argparse.ArgumentParser | None]) -> Typed | None:
    """What is being typed at the end of `before`, the cell's text up to the cursor.

    Parameters
    ----------
    magics
        The names of the magics that matter, each with the parser of its options, if it has one.

    Returns
    -------
    Typed or None
        None in any other magic, in Python, and in the text of a prompt.
    """
    cell = _CELL.fullmatch(before)
    if cell is not None and cell["name"] in magics:
        name, body = cell["name"], cell["body"]
        words = [w.text for w in split(cell["line"], _WORD)]
        if body is None:
            return _on_line(name, cell["line"], magics[name])
        return None if "--raw" in words else _expression(name, body)
    line = _LINE.fullmatch(before[before.rfind("\n") + 1 :])
    if line is None or line["name"] not in magics:
        return None
    return _on_line(line["name"], line["line"], magics[line["name"]])


def _expression(magic: str, text: str) -> Typed | None:
    source = open_expression(text)
    return None if source is None else Typed(magic, "expression", source)


def _on_line(magic: str, line: str, parser: argparse.ArgumentParser | None) -> Typed | None:
    """What is being typed on a magic's own line; `line` is what follows its name."""
    if not line:
        return None  # the name itself, which IPython completes
    words = [w.text for w in split(line, _WORD)]
    if "--raw" not in words and (expression := _expression(magic, line)):
        return expression
    fragment = words.pop() if not line[-1].isspace() or _is_open(words) else ""
    place = _Place(parser)
    for word in words:
        place.pass_over(word)
    return place.typed(magic, fragment)


def _is_open(words: Sequence[str]) -> bool:
    """Whether the last word has a quote that is not closed: the white space after it is its own."""
    return bool(words) and words[-1][-1].isspace()


class _Place:
    """How far a line has come: read word by word, as argparse reads it."""

    def __init__(self, parser: argparse.ArgumentParser | None) -> None:
        actions = parser._actions if parser else []  # noqa: SLF001  # argparse lists them nowhere else
        self._options = {name: a for a in actions for name in a.option_strings}
        self._has_text = any(a.nargs == argparse.REMAINDER for a in actions)
        self._awaits: argparse.Action | None = None  # the option whose value comes next
        self._given: set[str] = set()
        self._words = 0
        self._in_text = False

    def pass_over(self, word: str) -> None:
        """Take in a word that is complete."""
        awaited, self._awaits = self._awaits, None
        if self._in_text or (awaited is not None and not self._skips(awaited, word)):
            return
        option, value = self._split(word)
        if option is not None:
            self._given.add(option.dest)
            if value is None and option.nargs != 0:
                self._awaits = option
        elif self._options and word.startswith("-"):
            self._in_text = True  # -- or an option that there is not
        else:
            self._words += 1
            self._in_text = self._has_text

    def typed(self, magic: str, fragment: str) -> Typed | None:
        """What the word at the cursor is."""
        if self._in_text:
            return None
        given = frozenset(self._given)
        if self._awaits is not None and not self._skips(self._awaits, fragment):
            return Typed(magic, "value", fragment, self._awaits.dest, given, self._words)
        option, value = self._split(fragment)
        if option is not None and value is not None and option.nargs != 0:
            return Typed(magic, "value", value, option.dest, given, self._words)
        kind: Literal["option", "word"] = "option" if self._options and fragment.startswith("-") else "word"
        return Typed(magic, kind, fragment, "", given, self._words)

    def _skips(self, option: argparse.Action, word: str) -> bool:
        """Whether `word` is not the value of `option` although it stands behind it."""
        return option.dest == _OPTIONAL and not word.isdigit()

    def _split(self, word: str) -> tuple[argparse.Action | None, str | None]:
        """The option that a word begins with, if it is one, and the value that stands in the same word, if any."""
        if word in self._options:
            return self._options[word], None
        name, equals, value = word.partition("=")
        if equals and name in self._options:
            return self._options[name], value
        if not word.startswith("--") and len(word) > _GLUED:
            return self._options.get(word[:_GLUED]), word[_GLUED:]
        return None, None
