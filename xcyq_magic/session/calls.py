"""What is typed in a call of `Chat` or `compare`, checked before anything is sent."""

from __future__ import annotations

import inspect
import re
import string
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_origin

from xcyq_magic.chat.conversation import Parameters
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Text
from xcyq_magic.errors import InputError, OptionError
from xcyq_magic.gateway.request import meant
from xcyq_magic.gateway.tokens import line_of
from xcyq_magic.media.kinds import is_a
from xcyq_magic.media.resolve import Reading, attach
from xcyq_magic.media.text_files import Bounds, left_out_of
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.typed import name_of_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.media.text_files import Document

_NO_TEXT = 'Put values after it: chat("What is odd?", values). Ask several prompts one by one.'
_IN_THE_CALL = 'Pass it in the call: chat("…").'
# What is an argument of something else, and would be sent as a field.
_ELSEWHERE = {
    "prompt": _IN_THE_CALL,
    "messages": _IN_THE_CALL,
    "once": 'Pass it with the prompt: chat("…", once=True).',
    "as_": 'Pass it with the prompt: chat("…", as_=Review).',
    "as_type": 'The type of the answer is called as_: chat("…", as_=Review).',
    "system_prompt": "Did you mean system?",
    "stream": 'Pass it with the prompt: chat("…", stream=False).',
    "cached": "Pass it to Chat: Chat(cached=True).",
    "repeat": "It belongs to compare.",
    "judge": "It belongs to compare.",
    "each": "It belongs to compare.",
    "check": "It belongs to compare.",
    "api_key": "Set XCYQ_API_KEY, or enter the key with %chat_key.",
    "base_url": "Set XCYQ_BASE_URL, or GatewaySettings.base_url.",
}
_EXAMPLES = {"model": "gpt-5.5", "system": "Be brief.", "conversation": "review", "judge": "claude-sonnet-4-6"}
_EXPRESSION = re.compile(r"\{\{\s*([^\W\d][\w.]*)\s*\}\}")  # what a magic would evaluate
_MOST_SHOWN = 60  # characters of a wrong value
_CALLER = 4  # frames up from `message_of` is the line that calls a chat


def check_names(function: Callable[..., object], extra: Mapping[str, Any]) -> None:
    """Refuse what is nearly the name of an argument, or one of another function: it would be sent as a field.

    Raises
    ------
    OptionError
        The message names the right one.
    """
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    own = [p.name for p in inspect.signature(function).parameters.values() if p.kind in named]
    for name in extra:
        msg = f"{function.__name__} has no parameter {name}."
        if near := meant(name, own):
            raise OptionError(msg, f"Did you mean {near}?")
        if near := meant(name, _ELSEWHERE):
            raise OptionError(msg, _ELSEWHERE[near])


def check_texts(**given: object) -> None:
    """Refuse arguments that are not text, by their names; None was not given.

    Raises
    ------
    OptionError
        The message names the argument.
    """
    for name, value in given.items():
        if value is not None and not isinstance(value, str):
            msg = f"{name} is text, not {_shown(value)}."
            raise OptionError(msg, f'Try {name}="{_EXAMPLES[name]}".')


def check_session(session: object) -> None:
    """Refuse what is no session, such as the name of a conversation; None was not given.

    Raises
    ------
    OptionError
        The message says what to type for a name.
    """
    if session is not None and not isinstance(session, ChatSession):
        msg = f"session is a ChatSession, not {_shown(session)}."
        raise OptionError(msg, f'Try conversation="{session}".' if isinstance(session, str) else "Leave it out.")


def check_count(count: object) -> None:
    """Refuse what is no number of turns.

    Raises
    ------
    OptionError
        It is no whole number, or less than 1.
    """
    if not isinstance(count, int) or count < 1:
        msg = f"undo takes a number of turns, at least 1, not {_shown(count)}."
        raise OptionError(msg, "Try undo(2), or undo() alone.")


def model_words(models: object) -> list[str]:
    """Return the words that name the models of a comparison.

    Raises
    ------
    OptionError
        They are not names.
    """
    given: list[Any]
    given = models.split() if isinstance(models, str) else list(models) if isinstance(models, Iterable) else [models]
    if wrong := [name for name in given if not isinstance(name, str)]:
        msg = f"Models are given by their names, not by {_shown(wrong[0])}; nothing was sent."
        raise OptionError(msg, 'Try compare(["gpt-5.5", "claude-opus-4-7"], "…").')
    return given


def message_of(
    session: ChatSession, prompt: object, media: Iterable[object], told: list[str] | None = None, model: str = ""
) -> Message:
    """Return the user's message: what is attached, then the prompt. It warns of a document that does not go in whole.

    Parameters
    ----------
    session
        Whose settings say how long a value may be.
    prompt
        The text.
    media
        What goes before it.
    told
        Takes a line for each document, and for what does not go in whole.
    model
        Whose tokens are named there.

    Raises
    ------
    InputError
        The prompt is no text, or something cannot be attached.
    """
    if not isinstance(prompt, str):
        msg = f"The prompt is text, not {_a(type(prompt).__name__)}; nothing was sent."
        raise InputError(msg, _NO_TEXT)
    if said := _EXPRESSION.search(prompt):
        value = said[1]
        warnings.warn(
            f"{said[0]} goes in as text: use an f-string, or pass {value} behind the prompt.", stacklevel=_CALLER
        )
    media = list(media)
    if (kind := next((m for m in media if isinstance(m, type) or get_origin(m) is not None), None)) is not None:
        name = name_of_type(kind)
        msg = f"{name} is a type, which cannot be attached; nothing was sent."
        raise OptionError(msg, f"For an answer of that type: as_={name}.")
    bounds = Bounds(session.chat.document_chars, session.chat.value_chars)
    documents: list[Document] = []
    cut: list[str] = []

    def shortened(name: str, what: str, more: str) -> None:
        cut.append(f"{name} does not go in whole. {left_out_of(what, more, bounds)}")

    reading = Reading(bounds, documents.append, shortened)
    parts = [part for m in media for part in attach(m, reading=reading)]
    lines = {line_of(document, model or session.chat.model): bool(document.left_out) for document in documents}
    for line, is_cut in {**lines, **dict.fromkeys(cut, True)}.items():
        if told is not None:
            told.append(line)
        if is_cut:
            warnings.warn(line, stacklevel=_CALLER)
    hide = session.access.hide
    return Message.of("user", *(Text(hide(p.text)) if isinstance(p, Text) else p for p in parts), prompt)


def parameters_of(extra: Mapping[str, Any], stop: Sequence[str] | str | None, **numbers: float | None) -> Parameters:
    """Return the parameters of a request, with NumPy's numbers as Python's.

    Parameters
    ----------
    extra
        Other fields of the request's body.
    stop
        One string or several.
    **numbers
        By the names that `Parameters` has for them.
    """
    several = isinstance(stop, Iterable) and not isinstance(stop, str)
    stops = () if stop is None else tuple(stop) if several else (stop,)
    given: Any = {name: plain(value) for name, value in numbers.items()}
    return Parameters(**given, stop=stops, extra={name: plain(value) for name, value in extra.items()})  # type: ignore[arg-type]  # checked with the request


def prompt_about(prompt: object, value: object) -> tuple[object, tuple[object, ...]]:
    """Return the prompt about one of many cases, and what goes before it.

    Parameters
    ----------
    prompt
        A text with the case's fields in braces, ``"Judge: {text}"``, or the case itself, ``{row}``; or a function of
        the case that returns a text, or a tuple of a text and what goes before it.
    value
        The case.

    Raises
    ------
    InputError
        A field is none of the case's, or the function fails.
    """
    if not isinstance(prompt, str):
        if not callable(prompt):
            msg = f"The prompt is a text or a function of a case, not {_a(type(prompt).__name__)}; nothing was sent."
            raise InputError(
                msg, 'Try ask_each(df, "Judge: {text}"), or ask_each(df, lambda row: f"Judge: {row.text}").'
            )
        try:
            found = prompt(value)
        except Exception as e:  # whatever a user's function raises
            msg = f"the prompt's function failed: {type(e).__name__}: {e}; nothing was sent."
            raise InputError(msg, "Correct it, and call again.") from e
        return (found[0], tuple(found[1:])) if isinstance(found, tuple) and found else (found, ())
    fields = {**value} if isinstance(value, Mapping) else {}
    try:
        if not any(name is not None for _, name, _, _ in _FORMATTER.parse(prompt)) and _means_cell(prompt, fields):
            msg = "doubled braces are plain text here, so the prompt uses no field of the case; nothing was sent."
            raise InputError(msg, f"Write single ones: {{{next(iter(fields), 'row')}}}.")
        return _FORMATTER.vformat(prompt, (), {**fields, "row": value}), ()
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as e:
        have = ", ".join(f"{{{name}}}" for name in (*fields, "row"))
        msg = (
            f"the prompt's braces name a field that the case does not have ({type(e).__name__}: {e}); nothing was sent."
        )
        raise InputError(msg, f"It has {have}. Write {{{{ for a brace, or give a function of the case.") from None


class _Formatter(string.Formatter):
    """Formats as `str.format_map` does, also with fields whose names are numbers or hold dots or brackets."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:  # noqa: ANN401  # of any type
        if field_name in kwargs:
            return kwargs[field_name], field_name
        return super().get_field(field_name, args, kwargs)


_FORMATTER = _Formatter()
_DOUBLED = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)


def _means_cell(prompt: str, fields: Mapping[str, Any]) -> bool:
    """Return whether doubled braces in a prompt hold a field, as they would in a cell: ``{{ row.text }}``."""
    return any(found[1] in fields or found[1].startswith("row") for found in _DOUBLED.finditer(prompt))


def plain(value: Any) -> Any:  # noqa: ANN401  # any value
    """Return a number of NumPy's as Python's, which JSON knows; any other value as it is."""
    return value.item() if is_a(value, "numpy.generic") else value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
