"""A magic's line, taken apart: into words and numbers, and what is being typed at its end.

Pure: text in, values out. What the words mean is said in `arguments`, what completes at the cursor in `completer`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import tokenize
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

from xcyq_magic.errors import OptionError
from xcyq_magic.magics.expand import open_expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# {{ expr }}, with strings and one level of braces in it.
EXPRESSION = r"""\{\{(?:[^{}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\{[^{}]*\})*\}\}"""
_TOKEN = re.compile(rf"""(?:{EXPRESSION}|"(?:[^"\\]|\\.)*"|'[^']*'|\S)+""")
_QUOTED = re.compile(rf"""{EXPRESSION}|"((?:[^"\\]|\\.)*)"|'([^']*)'""")
# What may stand before JSON that is taken as it stands: -p, glued or before it, and the name of a field.
_BEFORE_JSON = re.compile(r"(?P<option>-p|--param=)?(?:[^\W\d][\w.-]*=)?(?=[{\[])")
# Options whose value is a Python expression, and one that is glued to its value.
_OF_PYTHON = {"--as", "--each", "--check"}
_BEFORE_PYTHON = re.compile(r"--(?:as|each|check)=")
# An expression with brackets, as `-a` may name one: df["a b"], (fig, df); or a PDF's pages, which are as they stand.
_ATTACHED = re.compile(r"(?:--attach=|-a)?(?:[^\W\d][\w.]*(?=[\[(])|(?=[\[(]|\{(?!\{)))")
_BAR = re.compile(r"\s*\|\s*")  # of a union, which may have spaces around it
_CELL = re.compile(
    r"\s*%%(?P<name>\w+)(?P<line>[^\n]*)(?P<body>\n.*)?", re.DOTALL
)  # after empty lines, as IPython has it
_LINE = re.compile(r"[ \t]*%(?P<name>\w+)(?P<line>[ \t].*)")
# As `_TOKEN`, but for a quote that is not closed yet: it goes on to the cursor.
_WORD = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']|"(?:[^"\\]|\\.)*\\?\Z|'[^']*\Z)+""")
_WHOLE = re.compile(r"-?[0-9]{1,18}")  # int() also takes ١٢, 1_000 and spaces
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_OPTIONAL = {"figure", "above"}  # options whose value may be left out
_GLUED = 2  # characters of an option before a value without a space, as in -mgpt-5.5


class Token(NamedTuple):
    """A word of a magic's line, as it is typed, and where it begins; or what keeps its quotes, as `split` says."""

    text: str
    start: int
    keeps_quotes: bool = False


def split(line: str, word: re.Pattern[str] = _TOKEN) -> list[Token]:
    """The words of a magic's line.

    A JSON object or list behind ``-p`` goes on to its closing brace, and an expression behind ``--as``, ``--each`` or
    ``--check`` to its closing bracket.

    Parameters
    ----------
    line
        What follows the magic's name.
    word
        What a word looks like.
    """
    tokens: list[Token] = []
    at = 0
    while found := word.search(line, at):
        start, at = found.span()
        before = tokens[-1].text if tokens else ""
        value = _BEFORE_JSON.match(line, start)
        if value and (value["option"] or before in {"-p", "--param"}):
            with contextlib.suppress(ValueError, RecursionError):  # it may be quoted as a shell has it
                _, end = json.JSONDecoder().raw_decode(line, value.end())
                if not line[end : end + 1].strip():
                    tokens.append(Token(line[start:end], start, keeps_quotes=True))
                    at = end
                    continue
        glued = _BEFORE_PYTHON.match(found[0])
        if glued or before in _OF_PYTHON:
            source = start + (glued.end() if glued else 0)
            if line[source : source + 1] not in {'"', "'"}:  # it may be quoted as a shell has it, too
                at = _end_of_expression(line, source)
                tokens.append(Token(line[start:at], start, keeps_quotes=True))
                continue
        attached = _end_of_attached(line, start, before)
        at = attached or at
        tokens.append(Token(line[start:at], start, keeps_quotes=attached is not None))
    return tokens


def _end_of_attached(line: str, start: int, before: str) -> int | None:
    """Return where an expression with brackets behind ``-a`` ends that begins at `start`; None for others."""
    if not (found := _ATTACHED.match(line, start)) or found[0].startswith("-") == (before in {"-a", "--attach"}):
        return None
    end = _end_of_expression(line, start, union=False)
    return None if open_sign(line[start:end]) else end


def _end_of_expression(line: str, at: int, *, union: bool = True) -> int:
    """Return where an expression ends that begins at `at`: at the first space outside its brackets and quotes."""
    depth, quote = 0, ""
    while at < len(line):
        sign = line[at]
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif union and depth <= 0 and (bar := _BAR.match(line, at)):
            at = bar.end()
            continue
        elif depth <= 0 and sign.isspace():
            return at
        else:
            depth += (sign in "[({") - (sign in "])}")
        at += 1
    return at


def left_open(tokens: Sequence[Token]) -> tuple[str, str] | None:
    """Return the first value of an option that is an expression with a bracket or a quote open, and what that is."""
    for before, token in pairwise((Token("", 0), *tokens)):
        glued = _BEFORE_PYTHON.match(token.text)
        if token.keeps_quotes and (glued or before.text in _OF_PYTHON):
            source = token.text[glued.end() if glued else 0 :]
            if sign := open_sign(source):
                return source, sign
    return None


def open_sign(source: str) -> str:
    """Return the bracket that an expression leaves open, or ``quote``; ``""`` if none."""
    brackets, found = "", tokenize.generate_tokens(io.StringIO(source).readline)
    try:
        for kind, text, *_ in found:
            if kind == tokenize.OP and text in "[({":
                brackets += text
            elif kind == tokenize.OP and text in "])}":
                brackets = brackets[:-1]
            elif kind == tokenize.ERRORTOKEN and text[0] in "\"'":  # before Python 3.12
                return "quote"
    except (tokenize.TokenError, SyntaxError) as e:  # it ends amid brackets or a text
        return "quote" if "string" in str(e) else brackets[-1:] or "quote"
    return brackets[-1:]


def unquote(token: str) -> str:
    """Return a word as it is meant, without the quotes in it; an expression as it is, with its own."""
    return _QUOTED.sub(_content, token)


def _content(quoted: re.Match[str]) -> str:
    """Return what stands in quotes; an expression as it is, with its own."""
    if quoted[1] is not None:
        return quoted[1].replace('\\"', '"')
    return quoted[0] if quoted[2] is None else quoted[2]


def is_whole(text: str) -> bool:
    """Tell whether `text` is a whole number in plain digits, of a size that a count may have."""
    return _WHOLE.fullmatch(text) is not None


def number(text: str) -> float | str:
    """The number that `text` is, for an option; `text` itself if it holds an expression, which is no number yet."""
    if "{{" in text:
        return text
    value = float(text) if _NUMBER.fullmatch(text) else float("inf")
    if abs(value) == float("inf"):  # 1e400, too
        raise ValueError(text)
    return value


def whole_number(text: str) -> int | str:
    """The whole number that `text` is, for an option; `text` itself if it holds an expression, as for `number`."""
    if "{{" in text:
        return text
    if not is_whole(text):
        raise ValueError(text)
    return int(text)


def cell_count(text: str) -> int | str:
    """The number of cells that `text` is, 0 for ``all`` of them; `text` itself if it holds an expression."""
    found = 0 if text == "all" else whole_number(text)
    if text != "all" and isinstance(found, int) and found < 1:
        raise ValueError(text)
    return found


# What errors call them.
number.__name__, whole_number.__name__ = "a number", "a whole number"
cell_count.__name__ = "a number of cells, at least 1"


def one_count(line: str, magic: str, default: int | None, what: str = "a number of turns") -> int | None:
    """The one number that a magic such as ``%chat_undo 2`` takes.

    Raises
    ------
    OptionError
        It is no number of at least 1.
    """
    text = line.strip()
    if not text:
        return default
    if not is_whole(text) or int(text) < 1:
        msg = f"%{magic} takes {what}, at least 1, not {text!r}."
        raise OptionError(msg, f"Try %{magic} 2, or %{magic} alone.")
    return int(text)


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
        return option.dest in _OPTIONAL and not word.isdigit()

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
