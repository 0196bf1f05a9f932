"""The same question about each of many cases, from Python."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any, TypeVar, overload

from xcyq_magic.magics.context import Context
from xcyq_magic.session.asking import Asking
from xcyq_magic.session.calls import (
    check_names,
    check_session,
    check_texts,
    message_of,
    parameters_of,
    prompt_about,
)
from xcyq_magic.session.cases import cases_of
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.turn import TurnOptions
from xcyq_magic.session.typed import AnswerType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xcyq_magic.chat.messages import Message
    from xcyq_magic.chat.rows import Case, Rows

T = TypeVar("T")


@contextlib.contextmanager
def session_for(given: ChatSession | None) -> Iterator[ChatSession]:
    """Give the session of one call: the one given, else the notebook's, else one that ends with the call."""
    current = Context.current()
    if given is not None:
        yield given
    elif current is not None:
        yield current.session
    else:
        with contextlib.closing(ChatSession()) as session:
            yield session


def messages_for(session: ChatSession, prompt: object) -> Callable[[Case], Message]:
    """Return what gives the message about a case; see `prompt_about`."""

    def message(case: Case) -> Message:
        text, media = prompt_about(prompt, case.value)
        return message_of(session, text, media)

    return message


@overload
def ask_each(
    cases: object,
    prompt: str | Callable[[Any], object],
    *,
    as_: type[T],
    model: str | None = ...,
    system: str | None = ...,
    conversation: str | None = ...,
    session: ChatSession | None = ...,
    fresh: bool = ...,
    go: bool = ...,
    temperature: float | None = ...,
    top_p: float | None = ...,
    max_tokens: int | None = ...,
    stop: Sequence[str] | str | None = ...,
    stream: bool | None = ...,
    **extra: Any,  # noqa: ANN401  # any JSON value
) -> Rows[T]: ...
@overload
def ask_each(
    cases: object,
    prompt: str | Callable[[Any], object],
    *,
    as_: object = None,
    model: str | None = ...,
    system: str | None = ...,
    conversation: str | None = ...,
    session: ChatSession | None = ...,
    fresh: bool = ...,
    go: bool = ...,
    temperature: float | None = ...,
    top_p: float | None = ...,
    max_tokens: int | None = ...,
    stop: Sequence[str] | str | None = ...,
    stream: bool | None = ...,
    **extra: Any,  # noqa: ANN401  # any JSON value
) -> Rows[Any]: ...
def ask_each(
    cases: object,
    prompt: str | Callable[[Any], object],
    *,
    as_: object = None,
    model: str | None = None,
    system: str | None = None,
    conversation: str | None = None,
    session: ChatSession | None = None,
    fresh: bool = False,
    go: bool = False,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    stop: Sequence[str] | str | None = (),
    stream: bool | None = None,
    **extra: Any,  # any JSON value
) -> Rows[Any]:
    """Ask once for each case, several at a time, and wait for all of them.

    Equal requests are sent once, and what was answered before comes from the store: called again, it asks what failed
    or is new. A notebook has a store; outside of one, `session` has it: ``ChatSettings(store="answers.sqlite")``.

    Parameters
    ----------
    cases
        A data frame, whose rows are the cases, a list, an array, whose first axis counts, a mapping or a generator.
    prompt
        A text with the case's fields in braces, ``"Judge: {text}"``, or the case itself, ``{row}``; or a function of
        the case that returns a text, or a tuple of a text and what goes before it: figures, arrays, pictures.
    as_
        The type that each reply is to have, as for a `Chat`; the values are the rows' ``data``.
    model
        The model to ask; by default that of the settings.
    system
        The system prompt; by default that of the settings, ``""`` for none.
    conversation
        The name of one of the notebook's conversations, whose turns go along with each prompt; it stays as it is.
    session
        The session to use; in a notebook with the extension loaded it is the notebook's.
    fresh
        Whether to ask again what was answered before.
    go
        Whether to send more requests than ``ChatSettings.each_limit``.
    temperature, top_p, max_tokens, stop
        As in a request: 0 to 2, 0 to 1, at least 1, up to four strings.
    stream
        Whether replies are streamed; by default as the settings say.
    **extra
        Any other field of the request's body. A name that is close to an argument's is refused.

    Returns
    -------
    Rows
        A row for each case, in their order; one that failed has its error.

    Raises
    ------
    XcyqError
        Nothing can be sent, or not one row was answered.
    KeyboardInterrupt
        The user interrupted. What was answered is kept, and is not asked again.

    Warns
    -----
    UserWarning
        What a cell would say before it asks, for example that only a part of a generator was taken.

    Examples
    --------
    >>> rows = ask_each(df, "Is this review good or bad? {text}", as_=Literal["good", "bad"])   # doctest: +SKIP
    >>> df.join(rows.to_frame())                                                                # doctest: +SKIP
    """
    check_names(ask_each, extra)
    check_texts(model=model, system=system, conversation=conversation)
    check_session(session)
    parameters = parameters_of(extra, stop, temperature=temperature, top_p=top_p, max_tokens=max_tokens)
    answer: AnswerType[Any] | None = None if as_ is None else AnswerType(as_)
    options = TurnOptions(model, system, parameters, stream=stream, answer=answer)
    with session_for(session) as used:
        found = cases_of(cases, "cases", used.chat.each_limit, go=go)
        asking = Asking(used, found, messages_for(used, prompt), options, conversation=conversation, fresh=fresh)
        asking.check_limit(go=go)
        for line in (*found.notices, *asking.notices):
            warnings.warn(line, stacklevel=2)
        return asking.ask().result()
