"""What is said of a line that has options which its magic does not take, or not like this."""

from __future__ import annotations

import argparse
import difflib
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import OptionError
from xcyq_magic.magics.line import left_open

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.magics.line import Token

_UNCLOSED = re.compile(r"""(?:-\w|--[\w-]+=)?(?:"(?:[^"\\]|\\.)*|'[^']*)\Z""")
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"  # what word processors and pages make of hyphens, too
_MOST_SHOWN = 60  # characters of a value in an error
_SHORT = 2  # characters of an option whose value may be glued to it
# What other tools call an option.
_ELSEWHERE = {
    "--each": ("--row", "--rows", "--df", "--over"),
    "--as": ("--type", "--as-type", "--schema", "--json", "--format"),
    "--attach": ("--file", "--files", "--image", "--img", "--media", "--add"),
    "--above": ("--context", "--notebook", "--cells", "--history"),
    "--out": ("--output", "--save", "--var", "--into"),
    "--system": ("--role", "--instructions"),
    "--dry-run": ("--preview", "--show"),
}
# For errors, by an option's destination.
_EXAMPLES = {
    "model": "gpt-5.5",
    "judge": "claude-sonnet-4-6",
    "conversation": "idea",
    "system": '"Be brief."',
    "stop": "END",
    "temperature": "0.7",
    "top_p": "0.9",
    "max_tokens": "500",
    "param": "top_k=5",
    "attach": "df",
    "figure": "2",
    "above": "3",
    "by": "day",
    "out": "answer",
    "as_type": "int",
    "each": "df",
    "check": "is_right",
    "repeat": "3",
    "turn": "2",
    "of": "3f2a9c4e",
}


def options_of_magic(magic: Any) -> dict[str, argparse.Action]:  # noqa: ANN401  # a magic with a `parser`
    """Return the options of a magic, by each of their names."""
    return {o: a for a in magic.parser._actions for o in a.option_strings}  # noqa: SLF001  # argparse lists them nowhere else


def name_of(magic: Any) -> str:  # noqa: ANN401  # as above
    """Return a magic's name, as it is typed."""
    return "%" * (not magic.parser.prog.startswith("%")) + str(magic.parser.prog)


def _unsent(magic: Any) -> str:  # noqa: ANN401  # as above
    """Return the end of an error of a magic that would have sent something: such a magic knows of a model."""
    return "; nothing was sent" if "--model" in options_of_magic(magic) else ""


def check_once(magic: Any, options: argparse.Namespace, words: Sequence[str]) -> None:  # noqa: ANN401  # as above
    """Refuse two values for an option that has one: the last would win, and nobody would see it.

    Parameters
    ----------
    magic
        What was typed.
    options
        What argparse read.
    words
        Those of the line, without its text.
    """
    for action in magic.parser._actions:  # noqa: SLF001  # as above
        given = [w for w in words if any(_begins(o)(w) for o in action.option_strings)]
        if len(given) > 1 and action.nargs is None and not isinstance(getattr(options, action.dest), list):
            option = next(o for o in action.option_strings if _begins(o)(given[-1]))
            way_on = f"Write it once. {name_of(magic)}? lists the options, with examples."
            if action.dest == "model":
                way_on = "To ask several models, write their names right after %%compare, without -m."
            msg = f"{option} is given twice{_unsent(magic)}."
            raise OptionError(msg, way_on)


def check_quotes(magic: Any, tokens: list[Token]) -> None:  # noqa: ANN401  # as above
    """Refuse a line on which a quote is open."""
    if unclosed := next((t.text for t in tokens if not t.keeps_quotes and _UNCLOSED.match(t.text)), None):
        msg = f"The quote that begins with {unclosed} is not closed{_unsent(magic)}."
        raise OptionError(msg, "Close it, or leave it out where the value is one word.")
    if found := left_open(tokens):
        source, sign = found
        shown = source if len(source) <= _MOST_SHOWN else f"{source[:_MOST_SHOWN]}…"
        msg = f"The {sign} in {shown} is not closed{_unsent(magic)}."
        raise OptionError(msg, "Close it, so that what follows is no part of it.")


def check_dashes(magic: Any, words: Sequence[str]) -> None:  # noqa: ANN401  # as above
    """Refuse ``-model``, which means ``-m odel``, and what begins with a dash that a word processor has made."""
    options = options_of_magic(magic)
    for word in words:
        typed = word.split("=")[0]
        bare = typed.lstrip(_DASHES)
        dashes = typed.removesuffix(bare)
        meant = f"{'-' * min(len(bare), 2)}{bare}"
        if not dashes or dashes in {"--", "-" * min(len(bare), 2)} or meant not in options:
            continue
        why = "" if {*dashes} == {"-"} else ": its dash is not a hyphen"
        msg = f"{name_of(magic)} has no option {typed}{why}{_unsent(magic)}."
        raise OptionError(msg, f"Did you mean {meant}?{_behind_dashes(magic, typed)}")


def explain(message: str, magic: Any, words: Sequence[str]) -> OptionError:  # noqa: ANN401  # as above
    """Return our error for one of argparse's.

    Parameters
    ----------
    message
        argparse's words.
    magic
        What was typed.
    words
        Those of its line.
    """
    name, unsent, options = name_of(magic), _unsent(magic), options_of_magic(magic)
    known = [o for o, a in options.items() if a.help != argparse.SUPPRESS]
    hint = f"{name}? lists the options, with examples." if known else f"It takes none; {name}? has examples."
    if unknown := re.search(r"unrecognized arguments: (\S+)", message):
        typed = unknown[1].split("=")[0]
        near = [o for o, others in _ELSEWHERE.items() if o in known and typed in others]
        near = (
            near
            or [o for o in known if o.startswith(typed)]
            or difflib.get_close_matches(typed, known, n=1, cutoff=0.7)
        )
        if typed in {"-h", "--help"}:
            return OptionError(f"Help is not an option of {name}{unsent}.", f"Type {name}? for it.")
        hint += _behind_dashes(magic, typed)
        return OptionError(f"{name} has no option {typed}{unsent}.", f"Did you mean {near[0]}?" if near else hint)
    of = re.fullmatch(r"argument ([^:/]+)[^:]*: (.*)", message, re.DOTALL)
    if of is None or of[1] not in options:
        return OptionError(f"{name} cannot read its line: {message}{unsent}.", hint)
    action, wrong = options[of[1]], of[2]
    option = next((o for o in action.option_strings if any(map(_begins(o), words))), of[1])
    way_on = f"Write for example {option} {_EXAMPLES.get(action.dest, 'x')}. {hint}"
    if given := re.fullmatch(r"ignored explicit argument (.*)", wrong, re.DOTALL):
        return OptionError(
            f"{option} takes no value, and {given[1]} was given{unsent}.", f"Write {option} alone. {hint}"
        )
    if wrong.startswith("expected"):
        if dashed := next((w for o, w in pairwise(words) if o == option and w.startswith("-")), ""):
            way_on = f"Where it begins with a dash, write {action.option_strings[-1]}={dashed}. {hint}"
        return OptionError(f"{option} needs a value after it{unsent}.", way_on)
    kind = getattr(action.type, "__name__", "text")
    value = wrong.removeprefix(wrong_value(kind, ""))
    if action.choices:
        *most, last = map(str, action.choices)
        kind, value = f"{', '.join(most)} or {last}", re.sub(r"invalid choice: (.*?) \(choose.*", r"\1", value)
    return OptionError(f"{option} takes {kind}, not {value}{unsent}.", way_on)


def wrong_value(kind: str, value: str) -> str:
    """Say as argparse does that a value is of the wrong kind."""
    return f"invalid {kind} value: {value}"


def _begins(option: str) -> Callable[[str], bool]:
    """Return what tells whether a word is that option, with or without its value."""
    glued = "" if len(option) == _SHORT else "="
    return lambda word: word == option or word.startswith(f"{option}{glued}")


def _behind_dashes(magic: Any, typed: str) -> str:  # noqa: ANN401  # as above
    """Say how a text that begins with a dash is typed, for a magic that takes a text."""
    takes_text = any(a.dest == "text" for a in magic.parser._actions)  # noqa: SLF001  # as above
    return f" Put -- before a text that begins with a dash: {name_of(magic)} -- {typed}" if takes_text else ""
