"""What of a prompt on a magic's own line is an option for sure, or belongs to one: it would go out as words, unseen."""

from __future__ import annotations

import builtins
import re
import typing
from dataclasses import dataclass
from itertools import takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import InputError, MediaError, OptionError
from xcyq_magic.magics.expand import known_names
from xcyq_magic.magics.line import unquote

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from xcyq_magic.magics.line import Token

ADDRESS = re.compile(r"https?://\S")  # what begins as one
_ATTACH, _GLUED = {"-a", "--attach"}, ("--attach=", "-a")
_SYSTEM, _OUT = ("-s", "--system"), ("-o", "--out")
_EXPRESSION = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_PLAIN = re.compile(r"[^\W\d]+[.,;:!?]?")  # a word of a sentence
_ENDS = re.compile(r"[\w}]\Z")  # not "is it -m gpt-5.5?"
_SENTENCE = 3  # words in a row
_MOST_WORDS = 12  # of a path
_MOST_SHOWN = 60  # characters of a text in an error
_MOST_LINE = 120  # of a line that is shown as it is meant
_SHORT = 2  # characters of an option whose value may be glued to it


@dataclass(frozen=True)
class TypedLine:
    """A magic's line that has a text.

    Attributes
    ----------
    magic
        The magic's name, as it is typed: ``%chat``.
    before, text
        The words before the text, and those of it.
    line
        All of it, behind the name.
    options
        Those of the magic, by their names.
    """

    magic: str
    before: Sequence[Token]
    text: Sequence[Token]
    line: str
    options: Mapping[str, argparse.Action]

    @property
    def typed(self) -> str:
        """The text, character for character."""
        return self.line[self.text[0].start :].rstrip()

    def value_before(self, names: tuple[str, str]) -> str | None:
        """Return the value of an option where it is one word without quotes that the text follows; else None."""
        last, option = ["", "", *(t.text for t in self.before)][:-3:-1]
        if option not in names:
            option, _, last = _glued(last)
        plain = last and not set("\"'") & set(last) and "{{" not in last
        return last if option in names and names[0] in self.options and plain else None


def check_system(typed: TypedLine) -> None:
    """Refuse a system prompt of one word that the prompt follows: it may be the first of several that have no quotes.

    Raises
    ------
    OptionError
        It is.
    """
    if (word := typed.value_before(_SYSTEM)) is not None:
        msg = f"The system prompt would be {word!r}, and the prompt {_short(typed.typed)!r}; nothing was sent."
        rest = typed.text[0].text
        raise OptionError(
            msg, f'Put the system prompt into quotes: -s "{word} {rest} …", or -s "{word}" for the one word.'
        )


def check_models(typed: TypedLine) -> None:
    """Refuse the same where the first word of the text is to be a model, and looks like a word of a sentence.

    Raises
    ------
    OptionError
        It does.
    """
    from xcyq_magic.gateway import catalog

    word, following = typed.value_before(_SYSTEM), typed.text[0].text
    if word is not None and _PLAIN.fullmatch(following) and not catalog.suggest(following):
        msg = f"The system prompt would be {word!r}, and {following!r} a model; nothing was sent."
        raise OptionError(msg, f'Put the system prompt into quotes: -s "{word} {following} …", or -s "{word}".')


def check_names(models: Sequence[str]) -> None:
    """Refuse a sentence where models are named: words that no model is called, three in a row, or two and a sign.

    Raises
    ------
    OptionError
        There is one.
    """
    from xcyq_magic.gateway import catalog

    plain = [bool(_PLAIN.fullmatch(word)) and not catalog.suggest(word) for word in models]
    start = next((n for n, is_plain in enumerate(plain) if is_plain), len(plain))
    words = [word for word, _ in takewhile(itemgetter(1), zip(models[start:], plain[start:], strict=True))]
    if len(words) >= _SENTENCE or (len(words) > 1 and not words[-1].isalpha()):
        msg = f"{_short(' '.join(models[start:]))!r} would be models; nothing was sent."
        raise OptionError(msg, "The prompt goes below the %%compare line.")


def check_out(typed: TypedLine) -> None:
    """Refuse further words behind the variable of ``-o``, above a cell.

    Raises
    ------
    OptionError
        There are.
    """
    if (word := typed.value_before(_OUT)) is not None:
        msg = f"-o takes one name of a variable, and behind {word} stands {_short(typed.typed)!r}; nothing was sent."
        name = f"{word}_{rest}" if (rest := typed.typed).isidentifier() else "answer"
        raise OptionError(msg, f"Write a name without spaces, such as -o {name}. A prompt goes below the line.")


def check_attached(line: str, tokens: Sequence[Token], until: int, names: Mapping[str, Any]) -> None:
    """Refuse a path behind ``-a`` that is none, but is one together with the words behind it.

    Parameters
    ----------
    line
        What follows the magic's name.
    tokens
        Its words.
    until
        How many of them can be options.
    names
        Those of the user's variables.

    Raises
    ------
    MediaError
        It is.
    """
    from xcyq_magic.magics.attached import exists

    for n in range(until):
        before, token = tokens[n - 1].text if n else "", tokens[n]
        glued = "" if before in _ATTACH else next((o for o in _GLUED if token.text.startswith(o)), None)
        word, start = token.text[len(glued or "") :], token.start + len(glued or "")
        if glued is None or not word or set("\"'") & set(word) or exists(word) or known_names(word, dict(names)):
            continue
        ends = (t.start + len(t.text) for t in tokens[n + 1 : n + _MOST_WORDS])
        if path := next((line[start:end] for end in ends if exists(line[start:end])), None):
            msg = f"-a {word}: there is neither a variable nor a file of that name; nothing was sent."
            raise MediaError(msg, f'Quote the path, which has spaces: -a "{path}"')


def check_end(typed: TypedLine, names: Mapping[str, Any]) -> None:
    """Refuse a text whose last words are options of the magic for sure.

    Parameters
    ----------
    typed
        The line.
    names
        Those of the user's variables.

    Raises
    ------
    OptionError
        They are. What may be a part of a question stays text: ``what does rm -f do``, ``is -m an option?``.
    """
    names = {name: value for name, value in names.items() if not hasattr(builtins, name)}  # IPython has its own open
    words, at, sure = [t.text for t in typed.text], len(typed.text), False
    while at > 1:  # the first word is none: the text begins with it
        one, two = (_likely(typed.options, words[max(at - n, 1) : at], names) for n in (1, 2))
        if not one and (not two or at <= _SHORT):
            break
        at, sure = at - (1 if one else 2), sure or "sure" in {one, two}
    if not sure:
        return
    start = typed.text[at].start
    moved, text = typed.line[start:].rstrip(), typed.line[typed.text[0].start : start].rstrip()
    unsent = "sent as text; nothing was sent" if "--model" in typed.options else "taken as text"
    line = " ".join(filter(None, (typed.magic, typed.line[: typed.text[0].start].strip(), moved, text)))
    meant = f": {line}" if len(line) <= _MOST_LINE else "."
    msg = f"{_short(moved)} stands behind the text, where it would be {unsent}."
    raise OptionError(msg, f"Options come before the text{meant} With -- before the text it is taken as it is typed.")


def _likely(options: Mapping[str, argparse.Action], words: Sequence[str], names: Mapping[str, Any]) -> str:
    """Return ``sure`` where words are one option with its value, ``likely`` where they may be, ``""`` where not."""
    option, *values = words
    is_long = option.startswith("--")
    if option not in options and not values:
        option, equals, value = _glued(option)
        values = [value] if equals or value else []
    action = options.get(option)
    if action is None:
        return ""
    if not values:
        alone = action.nargs == 0 or action.dest in {"figure", "above"}
        return ("sure" if is_long else "likely") if alone else ""
    if action.nargs == 0:
        return ""
    return _with_value(action, values[0], names, is_long=is_long)


def _glued(word: str) -> tuple[str, str, str]:
    """Return the option that a word begins with, what stands between, and the value that is glued to it."""
    return word.partition("=") if word.startswith("--") else (word[:_SHORT], "", word[_SHORT:])


def _with_value(action: argparse.Action, word: str, names: Mapping[str, Any], *, is_long: bool) -> str:
    """Return the same for an option and the word behind it."""
    of_python = action.dest in {"each", "as_type"} and not word.startswith(("'", '"'))
    value = word if of_python else unquote(word)
    if expression := _EXPRESSION.fullmatch(value):
        return "sure" if known_names(expression[1], dict(names)) else ""
    if action.dest in {"model", "attach"}:
        is_one = _is_model(value) if action.dest == "model" else _is_attached(value, names)
        return "sure" if is_one else ""
    by_dest: dict[str, Callable[[], bool]] = {
        "out": value.isidentifier,
        "conversation": value.isidentifier,
        "system": lambda: value != word,  # in quotes
        "param": lambda: "=" in value,
        "each": lambda: known_names(value, dict(names)),
        "as_type": lambda: known_names(value, {**vars(builtins), **vars(typing), **names}),
        "stop": lambda: True,
    }
    fits = by_dest[action.dest]() if action.dest in by_dest else _converts(action, value)
    return ("sure" if is_long else "likely") if fits else ""


def _is_model(value: str) -> bool:
    from xcyq_magic.gateway import catalog

    try:
        return _ENDS.search(value) is not None and all(catalog.suggest(name) for name in catalog.chain_of(value))
    except InputError:
        return False


def _is_attached(value: str, names: Mapping[str, Any]) -> bool:
    from xcyq_magic.magics.attached import exists
    from xcyq_magic.media.documents import is_media_name

    is_path = re.search(r"\w", value) and (exists(value) or is_media_name(value))  # not `ls -a .`
    return bool(is_path or ADDRESS.match(value) or known_names(value, dict(names)))


def _converts(action: argparse.Action, value: str) -> bool:
    if not callable(action.type):
        return False
    try:
        action.type(value)
    except ValueError:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
