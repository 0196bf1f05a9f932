"""The options that magics take, and how their lines are read."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, argument_group, magic_arguments

from xcyq_magic.errors import OptionError
from xcyq_magic.magics.expand import filled, names_of
from xcyq_magic.magics.line import EXPRESSION, cell_count, number, split, unquote, whole_number
from xcyq_magic.magics.misplaced import TypedLine, check_attached, check_end, check_models, check_out, check_system
from xcyq_magic.magics.wrong_options import (
    check_dashes,
    check_once,
    check_quotes,
    explain,
    name_of,
    options_of_magic,
    wrong_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcyq_magic.magics.line import Token


F = TypeVar("F", bound="Callable[..., None]")
# Among words, braces within braces are those of a pattern: {{a,b},c}.
_WHOLE_EXPRESSION = re.compile(rf"\\\{{\{{|(?<!\{{){EXPRESSION}(?!\}})")
# What is no name and no number: text, which is expanded as a prompt is, and expressions, fields and variables.
_TEXTS = {"text", "system", "attach", "param", "stop", "out", "each", "check", "as_type"}
_DIGITS = re.compile(r"-?[0-9]+")


def turn_options(function: F) -> F:
    """Decorate a magic with the options of a turn. Its text comes after them, in `text`."""
    return _decorated(
        function,
        argument("--background", action="store_true", help="Return at once; the reply goes on in the cell's output."),
        argument(
            "--code",
            action="store_true",
            help="Put the Python code of the reply into the next cell, without running it.",
        ),
        argument("text", nargs="...", help="The prompt, on the magic's own line."),
    )


def compare_options(function: F) -> F:
    """Decorate a magic with the options of a turn, and the models that are compared, in `models`."""
    function = _decorated(
        function,
        argument_group("the comparison"),
        argument("models", nargs="*", help="Names, patterns (claude-*), braces (gpt-5.5{,-low}), chains (A,B)."),
        argument("--repeat", metavar="N", type=whole_number, default=1, help="How many times each model is asked."),
        argument(
            "--check",
            metavar="FN",
            help="With --each, a function of a reply and its row that returns yes or no, or a number.",
        ),
        argument("--diff", action="store_true", help="Show what differs between the replies."),
        argument(
            "--judge", metavar="NAME", help="A model that chooses the best reply, without seeing the models' names."
        ),
    )
    parser: argparse.ArgumentParser = function.parser  # type: ignore[attr-defined]  # the decorator gave it
    parser.prog = "%%compare"
    one_model = next(a for a in parser._actions if a.dest == "model")  # noqa: SLF001  # argparse lists them nowhere else
    one_model.help = argparse.SUPPRESS  # the models are words; `parse_models` says so to who types -m
    return function


def _decorated(function: F, *more: Any) -> F:  # noqa: ANN401  # IPython's decorators
    decorators = [
        magic_arguments(),
        argument_group("the model"),
        argument(
            "-m",
            "--model",
            metavar="NAME",
            help="The model of this turn, or a chain that is asked in order: A,B or A{-official,,-fd}.",
        ),
        argument("-s", "--system", metavar="TEXT", help="The system prompt, for this turn; '' for none."),
        argument("-t", "--temperature", metavar="T", type=number, help="Sampling temperature, 0 to 2."),
        argument(
            "--top-p",
            metavar="P",
            type=number,
            help="Nucleus sampling mass, 0 to 1. Better not together with the temperature.",
        ),
        argument("--max-tokens", metavar="N", type=whole_number, help="Most tokens to generate."),
        argument(
            "--stop",
            metavar="TEXT",
            action="append",
            default=[],
            help="A string that ends the reply; up to four times. One with a line end: -p 'stop=[\"\\n\"]'.",
        ),
        argument(
            "-p",
            "--param",
            metavar="NAME=JSON",
            action="append",
            default=[],
            help="Any other field of the request, such as top_k=5; a bare word is text. Or several, as a JSON object.",
        ),
        argument_group("the prompt"),
        argument(
            "-a",
            "--attach",
            metavar="WHAT",
            action="append",
            default=[],
            help="A variable, an expression, a path or an address that goes before the text: df, notes.md, "
            "report.pdf[3-5], src/. Again for more.",
        ),
        argument(
            "-f",
            "--figure",
            metavar="[N]",
            type=whole_number,
            help="The last image that a cell showed, or the last N.",
        ),
        argument(
            "--above",
            metavar="[N]",
            type=cell_count,
            help="Send the code cells above along, or the last N of them, with what they showed: with this prompt, not "
            "with later ones. Not those that begin with # private, nor values that look like keys.",
        ),
        argument("--raw", action="store_true", help="Send the prompt as it is typed, {{ }} and all."),
        argument("--dry-run", action="store_true", help="Show what would be sent, and send nothing."),
        argument_group("the conversation"),
        argument(
            "-c",
            "--conversation",
            metavar="NAME",
            help="Another conversation than the current one.",
        ),
        argument("--once", action="store_true", help="Neither read nor write the history."),
        argument_group("many cases"),
        argument(
            "--each",
            metavar="EXPR",
            help="Ask once for each row of a data frame, {{ row.text }}, item of a list, {{ row }}, or pair of a "
            "mapping. Implies --once unless -c is given.",
        ),
        argument("--go", action="store_true", help="With --each, send more requests than ChatSettings.each_limit."),
        argument("--fresh", action="store_true", help="With --each, ask again also what was answered before."),
        argument_group("the reply"),
        argument(
            "-o",
            "--out",
            metavar="VAR",
            help="A variable for the reply, besides _reply; for the answers of %%compare, besides _comparison; with "
            "--each, for the rows, besides _rows. A value of --as is in its .data.",
        ),
        argument(
            "--cached",
            action="store_true",
            help="Take the reply from the store if the same request was answered before.",
        ),
        argument(
            "--as",
            dest="as_type",
            metavar="TYPE",
            help="The type of the answer: a pydantic model, int, Literal['a', 'b'] …; its value is the reply's .data.",
        ),
        argument("--no-stream", action="store_true", help="Get the reply in one piece."),
        *more,
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    function.parser.allow_abbrev = False  # type: ignore[attr-defined]  # an abbreviation may mean another option tomorrow
    return function


def takes(*arguments: Callable[[F], F], text: bool = False) -> Callable[[F], F]:
    """Decorate a magic with options, each an `argument` of IPython's.

    Its `words` stand anywhere among them. With `text`, it has a `text` behind them instead.
    """
    rest = argument("text", nargs="...") if text else argument("words", nargs="*")

    def decorate(function: F) -> F:
        decorators: list[Any] = [magic_arguments(), *arguments, rest]
        for decorator in reversed(decorators):
            function = decorator(function)
        function.parser.allow_abbrev = False  # type: ignore[attr-defined]  # as for the options of a turn
        return function

    return decorate


def takes_words(function: F) -> F:
    """Decorate a magic that has no options, only `words`."""
    decorate: Callable[[F], F] = takes()
    return decorate(function)


def parse_words(magic: Any, line: str) -> argparse.Namespace:  # noqa: ANN401  # a magic with a `parser`
    """The options on a magic's line, and its `words`.

    Raises
    ------
    OptionError
        An option is unknown, lacks its value, or has a wrong one.
    """
    tokens = split(line)
    options = _parsed(magic, magic.parser.parse_args, tokens)
    check_quotes(magic, tokens)
    check_dashes(magic, [t.text for t in tokens])
    return options


def parse_line(magic: Any, line: str, cell: str | None = None) -> tuple[argparse.Namespace, str]:  # noqa: ANN401  # a magic with a `parser`
    """The options on a magic's line, and the text after them, character for character.

    Parameters
    ----------
    magic
        What was typed.
    line
        What follows its name.
    cell
        The cell below the line; None for a line magic, whose text it is.

    Raises
    ------
    OptionError
        An option is unknown, lacks its value, or has a wrong one; or the text holds what is an option for sure.
    """
    tokens = split(line)
    options = _parsed(magic, magic.parser.parse_args, tokens)
    count = len(options.text)
    check_quotes(magic, tokens[: len(tokens) - count])
    check_dashes(magic, [t.text for t in tokens[: len(tokens) - count + 1]])  # with the first word of the text
    text = line[tokens[-count].start :].rstrip() if count else ""
    names = names_of(magic.__self__.shell) if hasattr(magic, "__self__") else {}
    check_attached(line, tokens, len(tokens) - count, names)
    if count and all(t.text != "--" for t in tokens[: len(tokens) - count + 1]):
        typed = TypedLine(name_of(magic), tokens[:-count], tokens[-count:], line, options_of_magic(magic))
        if cell is not None:
            check_out(typed)
        else:
            check_system(typed)
            check_end(typed, names)
    return options, "" if text == "--" else text.removeprefix("-- ")  # which ends the options


def parse_models(magic: Any, line: str) -> argparse.Namespace:  # noqa: ANN401  # a magic with a `parser`
    """The models and the options on the line of ``%%compare``, in any order.

    Raises
    ------
    OptionError
        An option is unknown, lacks its value, or has a wrong one.
    """
    tokens = split(line)
    options = _parsed(magic, magic.parser.parse_intermixed_args, tokens)
    check_quotes(magic, tokens)
    check_dashes(magic, [t.text for t in tokens])
    check_attached(line, tokens, len(tokens), names_of(magic.__self__.shell))
    name, known = name_of(magic), options_of_magic(magic)
    for n in range(1, len(tokens)):
        check_models(TypedLine(name, tokens[:n], tokens[n:], line, known))
    if options.model is not None:
        msg = "%%compare has no option -m; nothing was sent."
        models = " ".join(dict.fromkeys([options.model, *(options.models or ["gpt-5.5"])]))
        raise OptionError(msg, f"Write the models right after the magic: %%compare {models}.")
    return options


def _parsed(
    magic: Any,  # noqa: ANN401  # as above
    parse: Callable[[list[str]], argparse.Namespace],
    tokens: list[Token],
) -> argparse.Namespace:
    try:
        options = parse(_with_counts([t.text if t.keeps_quotes else unquote(t.text) for t in tokens]))
    except UsageError as e:
        check_dashes(magic, [t.text for t in tokens if t.text.startswith("-")])
        raise explain(str(e), magic, [t.text for t in tokens]) from None
    check_once(magic, options, [t.text for t in tokens[: len(tokens) - len(getattr(options, "text", ()))]])
    for action in magic.parser._actions:  # noqa: SLF001  # argparse lists them nowhere else
        if action.dest not in _TEXTS and hasattr(options, action.dest):
            setattr(options, action.dest, _filled(magic, action, getattr(options, action.dest)))
    return options


def _filled(magic: Any, action: Any, value: Any) -> Any:  # noqa: ANN401  # of any option
    """Return the value of an option with the expressions in it evaluated, of the option's type."""
    if isinstance(value, list):
        words = [_filled(magic, action, word) for word in value]
        return [name for word in words for name in (word if isinstance(word, list) else [word])]
    if (
        not isinstance(value, str)
        or "{{" not in value
        or (not action.option_strings and not _WHOLE_EXPRESSION.search(value))
    ):
        return value
    found = filled(magic.__self__.shell, value)
    if isinstance(found, list) and action.option_strings:
        msg = f"{action.option_strings[0]} takes one value, and {value} has {len(found)}; nothing was sent."
        raise OptionError(msg, "Write one of them, such as {{ names[0] }}.")
    try:
        return action.type(found) if callable(action.type) else found
    except ValueError:
        wrong = wrong_value(action.type.__name__, f"{value}, which is {found!r}")
        wrong = f"argument {action.option_strings[0]}: {wrong}"
        raise explain(wrong, magic, ()) from None


def _with_counts(words: list[str]) -> list[str]:
    """The words with a value of ``-f`` and ``--above`` where no number follows: it would be the prompt's first word."""
    alone = {"-f": "-f1", "--figure": "--figure=1", "--above": "--above=all"}
    following = [*words, ""][1:]
    return [w if _DIGITS.fullmatch(n) else alone.get(w, w) for w, n in zip(words, following, strict=False)]
