"""The same question to several models, from Python."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, overload

from xcyq_magic.api.many import messages_for, session_for
from xcyq_magic.errors import OptionError
from xcyq_magic.magics.context import Context
from xcyq_magic.session.calls import (
    check_names,
    check_session,
    check_texts,
    message_of,
    model_words,
    parameters_of,
    plain,
)
from xcyq_magic.session.cases import cases_of
from xcyq_magic.session.comparing import compare as compare_in
from xcyq_magic.session.evaluating import Evaluating
from xcyq_magic.session.turn import TurnOptions
from xcyq_magic.session.typed import AnswerType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.chat.comparison import Comparison
    from xcyq_magic.chat.evaluation import Evaluation
    from xcyq_magic.session.evaluating import Check
    from xcyq_magic.session.session import ChatSession

T = TypeVar("T")


@overload
def compare(
    models: str | Sequence[str],
    prompt: str | Callable[[Any], object],
    *,
    each: object,
    check: Check | None = ...,
    fresh: bool = ...,
    go: bool = ...,
    as_: object = None,
    judge: str | None = ...,
    system: str | None = ...,
    conversation: str | None = ...,
    session: ChatSession | None = ...,
    temperature: float | None = ...,
    top_p: float | None = ...,
    max_tokens: int | None = ...,
    stop: Sequence[str] | str | None = ...,
    stream: bool | None = ...,
    **extra: Any,  # noqa: ANN401  # any JSON value
) -> Evaluation: ...


@overload
def compare(
    models: str | Sequence[str],
    prompt: str,
    *media: object,
    each: None = None,
    as_: type[T],
    repeat: int = ...,
    judge: str | None = ...,
    system: str | None = ...,
    conversation: str | None = ...,
    session: ChatSession | None = ...,
    temperature: float | None = ...,
    top_p: float | None = ...,
    max_tokens: int | None = ...,
    stop: Sequence[str] | str | None = ...,
    stream: bool | None = ...,
    **extra: Any,  # noqa: ANN401  # any JSON value
) -> Comparison[T]: ...


@overload
def compare(
    models: str | Sequence[str],
    prompt: str,
    *media: object,
    each: None = None,
    as_: object = None,
    repeat: int = ...,
    judge: str | None = ...,
    system: str | None = ...,
    conversation: str | None = ...,
    session: ChatSession | None = ...,
    temperature: float | None = ...,
    top_p: float | None = ...,
    max_tokens: int | None = ...,
    stop: Sequence[str] | str | None = ...,
    stream: bool | None = ...,
    **extra: Any,  # noqa: ANN401  # any JSON value
) -> Comparison: ...


def compare(
    models: str | Sequence[str],
    prompt: str | Callable[[Any], object],
    *media: object,
    each: object = None,
    check: Check | None = None,
    fresh: bool | None = None,
    go: bool = False,
    as_: object = None,
    repeat: int = 1,
    judge: str | None = None,
    system: str | None = None,
    conversation: str | None = None,
    session: ChatSession | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    stop: Sequence[str] | str | None = (),
    stream: bool | None = None,
    **extra: Any,  # any JSON value
) -> Comparison | Evaluation:
    """Ask several models the same question at once, and wait for all; with `each`, about each of many cases.

    Parameters
    ----------
    models
        Names, patterns such as ``claude-*`` and braces such as ``gpt-5.5{,-low}``: a list, or a string
        with spaces between.
    prompt
        The text; with `each`, as for `ask_each`.
    *media
        What goes before it: figures, arrays, pictures, videos, paths, addresses; any other value as text.
    each
        The cases, as for `ask_each`.
    check
        With `each`, a function of a reply and its case that returns yes or no, or a number: the reply's score.
    fresh
        Whether to ask again what was answered before, in place of taking it from the store; by default as the settings
        say.
    go
        With `each`, whether to send more requests than ``ChatSettings.each_limit``.
    as_
        The type that the replies are to have, as for a `Chat`; the values are their ``data``.
    repeat
        How many times each model is asked; the columns are then called ``NAME#1``, ``NAME#2``.
    judge
        A model that chooses the best reply, without seeing the models' names.
    system
        The system prompt; by default that of the settings, ``""`` for none.
    conversation
        The name of one of the notebook's conversations, whose turns are sent along. Without it, the prompt is
        sent alone.
    session
        The session to use; in a notebook with the extension loaded it is the notebook's.
    temperature, top_p, max_tokens, stop
        As in a request: 0 to 2, 0 to 1, at least 1, up to four strings.
    stream
        Whether replies are streamed; by default as the settings say. Without, there is no time to the first token.
    **extra
        Any other field of the request's body. A name that is close to an argument's is refused.

    Returns
    -------
    Comparison or Evaluation
        An ordered mapping of names to what came: a `Completion`, or the error of a model that failed. With `each`, a
        mapping of models to their rows, with scores, and with the probability that a difference is chance.

    Raises
    ------
    XcyqError
        Nothing can be sent, or not one model answered.
    KeyboardInterrupt
        The user interrupted. In a notebook, what came is in ``_comparison``.

    Examples
    --------
    >>> found = compare(["gpt-5.5", "claude-opus-4-7"], "What is odd here?", "scatter.png")   # doctest: +SKIP
    >>> found.to_frame()[["duration_s", "tokens_per_s"]]                                      # doctest: +SKIP
    """
    check_names(compare, extra)
    check_texts(judge=judge, system=system, conversation=conversation)
    check_session(session)
    words = model_words(models)
    parameters = parameters_of(extra, stop, temperature=temperature, top_p=top_p, max_tokens=max_tokens)
    answer: AnswerType[Any] | None = None if as_ is None else AnswerType(as_)
    options = TurnOptions(
        None,
        system,
        parameters,
        once=conversation is None,
        stream=stream,
        cached=None if fresh is None else not fresh,
        answer=answer,
    )
    found: Comparison | Evaluation
    with session_for(session) as used:
        if each is None:
            _check_without_cases(check, prompt)
            told: list[str] = []
            message = message_of(used, prompt, media, told, next(iter(words), ""))
            options = replace(options, notices=tuple(told))
            try:
                ended = compare_in(
                    used, words, message, options, repeat=plain(repeat), judge=judge, conversation=conversation
                )
            except OptionError as e:  # as it is written below a magic
                e.rewrite(lambda said: said.replace("--repeat ", "repeat="))
                raise
            found, error = ended.comparison, ended.error
        else:
            _check_with_cases(media, plain(repeat))
            cases = cases_of(each, "each", used.chat.each_limit, go=go)
            asking = Evaluating(
                used,
                words,
                cases,
                messages_for(used, prompt),
                options,
                check=check,
                judge=judge,
                conversation=conversation,
                fresh=bool(fresh),
            )
            asking.check_limit(go=go)
            for line in (*cases.notices, *asking.notices):
                warnings.warn(line, stacklevel=2)
            evaluated = asking.evaluate()
            found, error = evaluated.evaluation, evaluated.error
    current = Context.current()
    if current is not None and (session is None or session is current.session):
        current.shell.push({"_comparison": found})
    if error is not None:
        raise error
    return found


def _check_without_cases(check: object, prompt: object) -> None:
    if check is not None:
        msg = "check needs many cases, given as each; nothing was sent."
        raise OptionError(msg, "Try compare(models, prompt, each=cases, check=is_right).")
    if isinstance(prompt, list | tuple):
        msg = "compare takes the models first, then the prompt; nothing was sent."
        raise OptionError(msg, 'For example: compare(["gpt-5.5", "claude-opus-4-7"], "What is a mode?")')
    if callable(prompt):
        msg = "A prompt can be a function only together with each; nothing was sent."
        raise OptionError(msg, "Add each=cases, or write the prompt as text.")


def _check_with_cases(media: Sequence[object], repeat: object) -> None:
    if media or repeat != 1:
        wrong = "An attachment" if media else "repeat"
        msg = f"{wrong} does not go together with each; nothing was sent."
        way_on = "Make the prompt a function of the case that returns a tuple: the text, then the attachments."
        raise OptionError(msg, way_on if media else "Leave it out.")
