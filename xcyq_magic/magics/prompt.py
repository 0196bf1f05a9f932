"""From what was typed to what is sent: the message and the options of ``%chat``, ``%%chat`` and their kin."""

from __future__ import annotations

import builtins
import json
import re
import typing
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import ExpressionError, InputError, MediaError, OptionError, before_sending
from xcyq_magic.magics.base import say
from xcyq_magic.magics.expand import (
    Expression,
    check_variable,
    evaluate,
    names_of,
    names_within,
    nearest_name,
    parse,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from xcyq_magic.chat.messages import Above, Message
    from xcyq_magic.chat.parts import Part
    from xcyq_magic.magics.context import Context
    from xcyq_magic.magics.image_history import SeenImage
    from xcyq_magic.media.resolve import Reading
    from xcyq_magic.session.turn import TurnOptions
    from xcyq_magic.session.typed import AnswerType

_WORD = re.compile(r"[A-Za-z_][\w.-]*")
_NAME = re.compile(r"[A-Za-z]+")
_CALLED = re.compile(r"(list|dict|tuple|set|Literal|Optional)\(([^()\[\]=]+)\)")
_TYPES = {name: name for name in ("int", "float", "bool", "str", "list", "dict")}  # and what else they are called
_TYPES |= {"integer": "int", "number": "float", "boolean": "bool", "string": "str", "text": "str", "array": "list"}
_PDF = "Type %config InlineBackend.figure_formats = ['png'] and show it again, or attach the figure: -a NAME."
_LONG = 100_000  # characters of a text that is said before it is sent


@before_sending()
def prompt_of(
    context: Context,
    magic: str,
    options: argparse.Namespace,
    text: str,
    cell: str | None,
    *,
    tell: Callable[[str], None] = say,
) -> Message:
    """The user's message: what is attached, and the text with its expressions in their places.

    Parameters
    ----------
    context
        Whose shell was typed into.
    magic
        The magic's name, for errors.
    options
        The options of a turn.
    text
        What follows them on the magic's line; the prompt of a line magic.
    cell
        The cell below the line; None for a line magic.
    tell
        Shows a line for the user.

    Raises
    ------
    InputError
        There is no prompt, it stands in the wrong place, or something in it cannot be sent.
    """
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.magics.as_text import option_hint
    from xcyq_magic.magics.attached import attached, reading_of
    from xcyq_magic.magics.wrong_options import options_of_magic

    if cell is not None and text:
        msg = f"The prompt goes below the %%{magic} line, not on it ({text!r}); nothing was sent."
        raise OptionError(msg, _hint_for_stray_text(magic, options, text, names_of(context.shell)))
    said = text if cell is None else cell.removesuffix("\n") if options.raw else _without_blank_ends(cell)
    if cell is not None:
        known = options_of_magic(context.shell.find_cell_magic(magic))
        if hint := option_hint(cell, magic, known):
            tell(hint)
    reading = reading_of(context, tell, _model(context, options))
    before = _figures(context, options.figure)
    before += [part for named in options.attach for part in attached(context, named, tell, reading)]
    if not said.strip() and not before:
        msg = "The prompt is empty, so nothing was sent."
        on_the_line = "" if magic == "compare" else f", or after %{magic} on the same line"
        raise InputError(msg, f"Write it below the %%{magic} line{on_the_line}.")
    prompt = Message.of("user", *before, *([said] if options.raw else expanded(context, said, tell, reading)))
    return prompt if options.above is None else with_cells(prompt, *cells_of(context, options))


def with_cells(prompt: Message, cells: Sequence[Part], above: Above) -> Message:
    """Return a prompt with the cells above before it, as `cells_of` gives them."""
    return replace(prompt, parts=(*cells, *prompt.parts), above=above)


@before_sending()
def cells_of(context: Context, options: argparse.Namespace) -> tuple[list[Part], Above]:
    """The cells above, as ``--above`` asks for them, but for those of turns that go along anyway.

    Raises
    ------
    InputError
        There are none.
    """
    from xcyq_magic.magics.above import cells_above

    once = options.once or (options.each is not None and options.conversation is None)
    turns = () if once else context.session.conversation(options.conversation).above(context.runs.current)
    if context.chat.history_turns is not None:
        turns = turns[max(0, len(turns) - context.chat.history_turns) :]
    return cells_above(context, options.above, {turn.id for turn in turns})


def _model(context: Context, options: argparse.Namespace) -> str:
    """The model that is asked, the first of several."""
    session = context.session
    named = [options.model] if getattr(options, "model", None) else getattr(options, "models", [])
    return str(named[0]) if named else session.model_of(session.conversation(options.conversation))


def expanded(
    context: Context, text: str, tell: Callable[[str], None] = say, reading: Reading | None = None
) -> list[Part | str]:
    """A text with each ``{{ expr }}`` replaced by what it stands for: text within the text, media in its place.

    Parameters
    ----------
    context
        Whose shell was typed into.
    text
        What was typed.
    tell
        Shows a line for the user.
    reading
        How long what is read may be.

    Raises
    ------
    InputError
        An expression is none or fails, or its value cannot be sent.
    """
    from xcyq_magic.chat.parts import Text
    from xcyq_magic.magics.as_text import brace_hints, file_hint, named_files
    from xcyq_magic.magics.attached import reading_of
    from xcyq_magic.media.kinds import is_missing
    from xcyq_magic.media.resolve import hint_for, resolve

    parts: list[Part | str] = []
    written = ""
    block = False  # whether a value of several lines was written last
    pieces = list(parse(text))  # whole, before any of it is evaluated
    outside = "".join(piece for piece in pieces if not isinstance(piece, Expression))
    for hint in (*brace_hints(text, names_of(context.shell)), *named_files(outside)):
        tell(hint)
    for piece in pieces:
        if not isinstance(piece, Expression):
            written = _apart(written, piece) if block else written + piece
            block = block and not piece
            continue
        value, name = evaluate(context.shell, piece.source, piece.shown), piece.source.strip()
        if is_missing(value) and "row" in names_within():
            tell(f"{piece.shown} is missing in at least one row, which says {value} there.")
        found = resolve(value, name, reading or reading_of(context, tell))
        for part in found:
            if not isinstance(part, Text):
                parts += [*_stripped(written), part]
                written, block = "", False
                continue
            said = _long(piece, part.text) or file_hint(value, name) or hint_for(value, name, part.text)
            if len(found) == 1 and said:
                tell(said)
            shown = context.session.access.hide(part.text)
            written = _apart(written, shown) if block or "\n" in shown or len(found) > 1 else written + shown
            block = "\n" in shown or len(found) > 1
    return [*parts, *_stripped(written)]


def _long(piece: Expression, text: str) -> str:
    """A line on a text that may be longer than was meant; nothing for others."""
    if len(text) <= _LONG:
        return ""
    return f"{piece.shown} is a text of {len(text):,} characters, about {len(text) // 4:,} tokens, and goes in whole."


def expanded_text(context: Context, text: str) -> str:
    """A system prompt as `expanded`; it takes no media.

    Raises
    ------
    InputError
        As `expanded`, and where an expression stands for a picture or a video.
    """
    parts = expanded(context, text)
    if not all(isinstance(p, str) for p in parts):
        msg = "A picture or a video cannot stand in a system prompt; nothing was sent."
        raise MediaError(msg, "Put it into the prompt.")
    return "".join(p for p in parts if isinstance(p, str))


def _apart(before: str, after: str) -> str:
    """Two texts of which one is a value of several lines, such as a table: it has its lines to itself."""
    touch = before.strip() and after.strip() and not before.endswith("\n") and not after.startswith("\n")
    return f"{before.rstrip(' ')}\n{after.lstrip(' ')}" if touch else before + after


def _stripped(text: str) -> list[str]:
    """A stretch of text between media, without the line breaks that set them apart; nothing if it is blank."""
    return [text.strip("\n")] if text.strip() else []


def _without_blank_ends(cell: str) -> str:
    """A cell's body without the blank lines above and below what is meant; all else of it is as it was typed."""
    lines = cell.split("\n")
    meant = [n for n, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[meant[0] : meant[-1] + 1]) if meant else ""


def _figures(context: Context, count: int | None) -> list[Part]:
    """The last images that the user saw, as ``-f`` asks for them."""
    if count is None:
        return []
    if count < 1:
        msg = f"-f takes a number of images, at least 1, not {count}; nothing was sent."
        raise OptionError(msg, "Try -f, or -f 2 for the last two.")
    seen = context.seen.last(count)
    if len(seen) < count:
        have = f"only {len(seen)} image{'s' * (len(seen) != 1)}" if seen else "no image yet"
        msg = f"-f {count}: cells have shown {have} since xcyq_magic was loaded; nothing was sent."
        raise MediaError(msg, "Run the cell that shows it again, or attach it with -a NAME.")
    if drawn := next((image.drawn for image in reversed(seen) if image.drawn and image.figure is None), ""):
        which = "What was seen last" if count == 1 else f"One of the last {count}"
        msg = f"{which} is {drawn}, of which there is no image; nothing was sent."
        way_on = "Attach it by its name, which draws it anew: -a NAME. Or attach a picture of it: -a plot.png."
        raise MediaError(msg, _PDF if "PDF" in drawn else way_on)
    names = ["last image"] if count == 1 else [f"image {n} of {count}" for n in range(1, count + 1)]
    return [_of_seen(image, name) for image, name in zip(seen, names, strict=True)]


def _of_seen(image: SeenImage, name: str) -> Part:
    """Return an image that was seen; of a figure that lives on in the page, the one that is seen now."""
    from xcyq_magic.media.figures import image_of_figure
    from xcyq_magic.media.files import media_of_bytes

    if (figure := image.figure) is not None:
        return image_of_figure(figure, name)
    return media_of_bytes(image.content, name, name.capitalize())


def _hint_for_stray_text(magic: str, options: argparse.Namespace, text: str, names: Mapping[str, Any]) -> str:
    """Say what to type for words on the line of a cell magic: media, models, or a prompt.

    Parameters
    ----------
    magic
        The magic's name.
    options
        Those of the line.
    text
        The words.
    names
        Those of the user's variables.
    """
    from xcyq_magic.gateway import catalog
    from xcyq_magic.magics.as_text import names_media

    words = list(dict.fromkeys(takewhile(lambda word: not word.startswith("-"), re.split(r"[,\s]+", text.strip(", ")))))
    models = [catalog.suggest(word) for word in words]
    asked = [*dict.fromkeys(name for name in (options.model, *models) if name)]
    if words and all(models) and len(asked) > 1:
        return f"%%{magic} asks one model; %%compare {' '.join(asked)} asks several."
    if words and models[0] and not options.model:
        return f"To choose a model, type %%{magic} -m {models[0]}."
    if words and all(names_media(word, names) for word in words):
        return f"To send {' and '.join(words)} along, write {' '.join(f'-a {word}' for word in words)} instead."
    return 'Move it to the next line. A value of several words needs quotes: -s "Be brief."'


def options_of(options: argparse.Namespace, context: Context) -> TurnOptions:
    """The options of a turn as the session takes them.

    Raises
    ------
    OptionError
        ``-p`` is no NAME=JSON, ``-o`` no name, or ``--as`` no type.
    ExpressionError
        An expression in the system prompt fails.
    """
    from xcyq_magic.chat.conversation import Parameters
    from xcyq_magic.session.turn import TurnOptions

    check_variable(options.out, names_of(context.shell))
    extra = {name: value for p in options.param for name, value in _fields(p).items()}
    _remark_on(extra, options)
    stop = extra.get("stop")  # in JSON it may hold line ends
    in_json = isinstance(stop, list) and all(isinstance(s, str) for s in stop)
    return TurnOptions(
        model=options.model,
        system=options.system if options.raw or not options.system else expanded_text(context, options.system),
        parameters=Parameters(
            temperature=options.temperature,
            top_p=options.top_p,
            max_tokens=options.max_tokens,
            stop=tuple(extra.pop("stop") if in_json else options.stop),
            extra=extra,
        ),
        once=options.once,
        stream=False if options.no_stream else None,
        cached=True if options.cached else None,
        answer=None if options.as_type is None else answer_type(context, options.as_type),
    )


def answer_type(context: Context, source: str) -> AnswerType[Any]:
    """The type that stands after ``--as``: an expression of the user's names, and of those of `typing`.

    Raises
    ------
    InputError
        It fails, it is no type, or pydantic is not installed.
    """
    from xcyq_magic.session.typed import AnswerType

    if source.startswith("{{") and source.endswith("}}"):  # as in a prompt
        source = source[2:-2]
    way_on = "It takes the name of a class, or a type such as list[int] or Literal['a', 'b']."
    names = {name: getattr(typing, name) for name in _NAME.findall(source) if name in typing.__all__}
    word = source.strip()
    known = {*names, *names_of(context.shell), *vars(builtins)}
    if word.isidentifier() and word not in known and (meant := _TYPES.get(word.lower()) or nearest_name(word, known)):
        msg = f"--as {word}: there is no type of that name; nothing was sent."
        raise ExpressionError(msg, f"Did you mean {meant}? {way_on}")
    if called := _CALLED.fullmatch(word):
        msg = f"--as {word} calls {called[1]}; nothing was sent."
        raise ExpressionError(msg, f"Did you mean {called[1]}[{called[2]}]? {way_on}")
    return AnswerType(evaluate(context.shell, source, f"--as {source.strip()}", way_on, names))


def _remark_on(fields: dict[str, Any], options: argparse.Namespace) -> None:
    """Say which of the fields that ``-p`` sets is nearly called as an option is: it may be meant."""
    from xcyq_magic.gateway.request import meant

    no_option = {"text", "param", "models", "as_type"} | ({"model"} if hasattr(options, "models") else set())
    for name in fields:
        if near := meant(name, vars(options).keys() - no_option):
            say(f"-p {name} sets a field of that name. Did you mean --{near.replace('_', '-')}?")


def _fields(text: str) -> dict[str, Any]:
    """The fields that ``-p`` sets: NAME=JSON, or an object in JSON whatever their names."""
    is_object = text.startswith("{")
    name, equals, value = ("", "", text) if is_object else text.partition("=")
    hint = 'Write -p top_k=5, or -p thinking={"type": "enabled"}.'
    if not is_object and not (equals and _WORD.fullmatch(name)):
        msg = f"-p takes NAME=JSON, not {text!r}; nothing was sent."
        raise OptionError(msg, hint)
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        if not is_object and _WORD.fullmatch(value):  # a bare word can only be meant as a string
            return {name: value}
        msg = f"The value of -p {name} is no JSON: {value}; nothing was sent."
        raise OptionError(msg, hint) from None
    return found if is_object else {name: found}
