"""The session from Python."""

from __future__ import annotations

import contextlib
import difflib
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.comparison import Comparison
from xcyq_magic.chat.conversation import Conversation
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parameters import Parameters
from xcyq_magic.comparing import compare as compare_in
from xcyq_magic.errors import OptionError
from xcyq_magic.magics.extension import Extension
from xcyq_magic.media.resolve import attach
from xcyq_magic.session import ChatSession
from xcyq_magic.turn import TurnOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.completion import Completion

__all__ = ["Chat", "Comparison", "compare"]

_PARAMETERS = ("temperature", "top_p", "max_tokens", "stop", "system")


class Chat:
    """A conversation from Python.

    Parameters
    ----------
    model
        The model to ask; the settings' unless given.
    system
        The system prompt; the settings' unless given, ``""`` for none.
    conversation
        The name of one of the notebook's conversations to take part in. Without it, a `Chat` has
        a conversation of its own.
    session
        The session to use; in a notebook with the extension loaded it is the notebook's.
    cached
        Whether a reply that is kept to the same request will do; the settings decide unless given.
    temperature, top_p, max_tokens, stop
        As in a request: 0 to 2, 0 to 1, at least 1, up to four strings.
    **extra
        Any other field of the request's body.

    Examples
    --------
    >>> chat = Chat("claude-sonnet-4-6")            # doctest: +SKIP
    >>> chat("What is odd here?", "scatter.png")    # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        system: str | None = None,
        conversation: str | None = None,
        session: ChatSession | None = None,
        cached: bool | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        stop: Sequence[str] | str = (),
        **extra: Any,  # noqa: ANN401  # any JSON value
    ) -> None:
        _check_names("Chat", extra)
        current = Extension.current()
        if session is None and current is None:
            session = ChatSession()
            weakref.finalize(self, session.close)  # nobody else can end its thread and connections
        self._session = session or current.session  # type: ignore[union-attr]  # one of the two is there
        self._name = conversation
        self._own = Conversation("Chat")
        self._options = TurnOptions(
            model,
            system,
            Parameters(temperature, top_p, max_tokens, _stops(stop), extra),
            cached=cached,
        )

    @property
    def conversation(self) -> Conversation:
        """The conversation as it stands."""
        return self._session.conversation(self._name) if self._name else self._own

    def __call__(self, prompt: str, *media: object, once: bool = False, stream: bool | None = None) -> Completion:
        """Ask, and wait for the reply.

        Parameters
        ----------
        prompt
            The text.
        *media
            What goes before it: figures, arrays, pictures, films, paths, addresses; any other value as text.
        once
            Neither read nor write the history.
        stream
            Whether to have the reply sent in deltas; the settings decide unless given.

        Raises
        ------
        XcyqError
            The request cannot be sent, or failed. A reply that broke off is kept in the
            conversation, marked.
        KeyboardInterrupt
            The user's; what came is kept as well.
        """
        chars = self._session.chat.value_chars
        message = Message.of("user", *(attach(m, value_chars=chars) for m in media), prompt)
        options = replace(self._options, once=once, stream=stream)
        if self._name:
            current = Extension.current()
            outcome = self._session.ask(
                message, options, conversation=self._name, cell=current.cell if current else None
            )
        else:
            outcome = self._session.reply(self._own, message, options)
            self._own = outcome.conversation
            if outcome.turn is not None and not once:
                self._session.conversations.record(outcome.turn)
        return outcome.result()

    def undo(self, count: int = 1) -> None:
        """Take back the last `count` turns."""
        if self._name:
            self._session.conversations.take_back(self._name, lambda now: now.without_last(count))
        else:
            self._own = self._own.without_last(count)


def compare(
    models: str | Sequence[str],
    prompt: str,
    *media: object,
    repeat: int = 1,
    judge: str | None = None,
    system: str | None = None,
    conversation: str | None = None,
    session: ChatSession | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    stop: Sequence[str] | str = (),
    stream: bool | None = None,
    **extra: Any,  # noqa: ANN401  # any JSON value
) -> Comparison:
    """Ask several models the same at once, and wait for all of them.

    Parameters
    ----------
    models
        Names, patterns such as ``claude-*`` and braces such as ``gpt-5.5{,-low}``: a list, or a string
        with spaces between.
    prompt
        The text.
    *media
        What goes before it: figures, arrays, pictures, films, paths, addresses; any other value as text.
    repeat
        How many times each model is asked; the columns are then called ``NAME#1``, ``NAME#2``.
    judge
        A model that says which reply is the best, without knowing whose it is.
    system
        The system prompt; the settings' unless given, ``""`` for none.
    conversation
        The name of one of the notebook's conversations, whose turns are sent along. Without it, the prompt is
        sent alone.
    session
        The session to use; in a notebook with the extension loaded it is the notebook's.
    temperature, top_p, max_tokens, stop
        As in a request: 0 to 2, 0 to 1, at least 1, up to four strings.
    stream
        Whether to have the replies sent in deltas; the settings decide unless given. Without, no first token is seen.
    **extra
        Any other field of the request's body.

    Returns
    -------
    Comparison
        An ordered mapping of names to what came: a `Completion`, or the error of a model that failed.

    Raises
    ------
    XcyqError
        Nothing can be sent, or not one model answered.
    KeyboardInterrupt
        The user's. In a notebook, what came is in ``_comparison``.

    Examples
    --------
    >>> found = compare(["gpt-5.5", "claude-opus-4-7"], "What is odd here?", "scatter.png")   # doctest: +SKIP
    >>> found.to_frame()[["duration_s", "tokens_per_s"]]                                      # doctest: +SKIP
    """
    _check_names("compare", extra)
    parameters = Parameters(temperature, top_p, max_tokens, _stops(stop), extra)
    options = TurnOptions(None, system, parameters, once=conversation is None, stream=stream)
    words = models.split() if isinstance(models, str) else models
    current = Extension.current()
    with contextlib.ExitStack() as stack:
        if session is None:
            session = current.session if current else stack.enter_context(contextlib.closing(ChatSession()))
        chars = session.chat.value_chars
        message = Message.of("user", *(attach(m, value_chars=chars) for m in media), prompt)
        compared = compare_in(session, words, message, options, repeat=repeat, judge=judge, conversation=conversation)
    if current is not None and session is current.session:
        current.shell.push({"_comparison": compared.comparison})
    return compared.result()


def _stops(stop: Sequence[str] | str) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _check_names(function: str, extra: dict[str, Any]) -> None:
    """Refuse what is nearly the name of a parameter: it would be sent as a field of its own."""
    for name in extra:
        if near := difflib.get_close_matches(name, _PARAMETERS, 1, 0.85):
            msg = f"{function} has no parameter {name}."
            raise OptionError(msg, f"Did you mean {near[0]}?")
