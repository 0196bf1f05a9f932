"""A conversation from Python."""

from __future__ import annotations

import threading
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from xcyq_magic.chat.conversation import Conversation
from xcyq_magic.errors import InputError, printable
from xcyq_magic.gateway.client import ENDED
from xcyq_magic.magics.chat import TurnMagics
from xcyq_magic.magics.context import Context
from xcyq_magic.session.calls import (
    check_count,
    check_names,
    check_session,
    check_texts,
    message_of,
    parameters_of,
    plain,
)
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings
from xcyq_magic.session.stream import ReplyStream
from xcyq_magic.session.turn import TurnOptions
from xcyq_magic.session.typed import AnswerType
from xcyq_magic.store.forks import PerProcess
from xcyq_magic.store.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.session.grid import Paint
    from xcyq_magic.session.turn import Outcome

T = TypeVar("T")


class _Source:
    """Where a `Chat` and its copies have their session from: the one given, else the notebook's, else one of their own.

    In another process it is the notebook's there, unless one was given, else one of their own with the same settings.

    Attributes
    ----------
    travelled
        Whether it came from another process.
    """

    def __init__(self, given: ChatSession | None) -> None:
        self.travelled = False
        self._given = given is not None
        self._alone = False  # with a session of its own
        current = None if self._given else Context.current()
        self._session = current.session if current else given
        self._settings: dict[str, Any] = {}
        self._lock = PerProcess(threading.RLock)

    def get(self) -> ChatSession:
        """Return the session to use now.

        Raises
        ------
        InputError
            It is closed, and no other has taken its place.
        """
        with self._lock.get():
            current = None if self._given or self._alone else Context.current()
            notebooks = current.session if current else None  # asked each time: it looks which notebook this is
            if self._session is None or self._session.closed:  # or after %reload_ext
                self._session = notebooks or self._session or self._of_its_own()
            if self._session.closed:
                raise InputError(*ENDED)
            return self._session

    @property
    def known(self) -> ChatSession | None:
        """The session that was used last; None in another process, before the first use."""
        return self._session

    @property
    def model(self) -> str:
        """The model of the settings."""
        chat = self._session.chat if self._session else ChatSettings(**self._settings.get("chat", {}))
        return str(chat.model)

    def _of_its_own(self) -> ChatSession:
        settings = self._settings
        self._alone = True
        session = ChatSession(GatewaySettings(**settings.get("gateway", {})), ChatSettings(**settings.get("chat", {})))
        weakref.finalize(self, session.close)  # nobody else can end its thread and connections
        if settings.get("sandbox"):  # what was offline stays so
            session.access.start_sandbox()
        return session

    def __deepcopy__(self, _: object) -> _Source:
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Return what travels: the settings, and whether the sandbox is used. The key does not."""
        settings, session = self._settings, self._session
        if session is not None or not settings:
            gateway, chat = (session.gateway, session.chat) if session else (GatewaySettings(), ChatSettings())
            settings = {
                "gateway": gateway.trait_values(config=True),
                "chat": chat.trait_values(config=True),
                "sandbox": session is not None and session.access.sandbox is not None,
            }
        return {"_given": self._given, "_settings": settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, travelled=True, _session=None, _alone=False, _lock=PerProcess(threading.RLock))


class Chat:
    """A conversation from Python. Threads may use it at once; it has one reply at a time.

    It can be copied and pickled, with its turns and without the key. A copy goes on with a conversation of its own,
    unless that has a name. In another process it uses the notebook's session, or one of its own with the same settings
    and the key of that process's environment.

    Parameters
    ----------
    model
        The model to ask; by default that of the settings.
    system
        The system prompt; by default that of the settings, ``""`` for none.
    conversation
        The name of one of the notebook's conversations to take part in. Without it, a `Chat` has
        a conversation of its own.
    session
        The session to use; in a notebook with the extension loaded it is the notebook's.
    cached
        Whether to take the reply from the store if the same request was answered before; by default, the settings say.
    temperature, top_p, max_tokens, stop
        As in a request: 0 to 2, 0 to 1, at least 1, up to four strings.
    **extra
        Any other field of the request's body. A name that is close to an argument's is refused.

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
        stop: Sequence[str] | str | None = (),
        **extra: Any,  # noqa: ANN401  # any JSON value
    ) -> None:
        check_names(Chat, extra)
        check_texts(model=model, system=system, conversation=conversation)
        check_session(session)
        self._source = _Source(session)
        self._name = conversation
        self._own = Slot(Conversation("Chat"), own=True)  # with a name, what it brought from another process
        self._options = TurnOptions(
            model,
            system,
            parameters_of(extra, stop, temperature=temperature, top_p=top_p, max_tokens=max_tokens),
            cached=cached,
        )

    def __repr__(self) -> str:
        """Return its name, its model and how many turns it has. Nothing is started for it."""
        session = self._source.known
        now = session.conversation(self._name) if session and self._name else self._own.now
        count = len(now.turns)
        model = self._options.model or now.model or self._source.model
        turns = f"{count or 'no'} turn{'s' * (count != 1)}"
        return printable(f"<Chat{f' {self._name!r}' if self._name else ''}: {model}, {turns}>")

    @property
    def conversation(self) -> Conversation:
        """The conversation as it stands."""
        if not self._name:
            return self._own.now
        session = self._source.get()
        return self._own.now if self._brings(session) else session.conversation(self._name)

    @overload
    def __call__(
        self, prompt: str, *media: object, as_: type[T], once: bool = False, stream: bool | None = None
    ) -> Completion[T]: ...

    @overload
    def __call__(
        self, prompt: str, *media: object, as_: None = None, once: bool = False, stream: bool | None = None
    ) -> Completion[None]: ...

    @overload  # Literal["a", "b"], int | None: no class to a type checker
    def __call__(
        self, prompt: str, *media: object, as_: object, once: bool = False, stream: bool | None = None
    ) -> Completion: ...

    def __call__(
        self, prompt: str, *media: object, as_: object = None, once: bool = False, stream: bool | None = None
    ) -> Completion:
        """Ask, and wait for the reply.

        Parameters
        ----------
        prompt
            The text.
        *media
            What goes before it: figures, arrays, pictures, videos, paths, addresses; any other value as text.
        as_
            The type that the reply is to have: a pydantic model, a dataclass, ``list[int]``, ``Literal["a", "b"]`` …
            The value is the reply's ``data``. A reply that does not fit is asked for again, once.
        once
            Neither read nor write the history.
        stream
            Whether to have the reply sent in deltas; the settings decide unless given.

        Raises
        ------
        XcyqError
            The request cannot be sent, or failed. A reply that broke off is kept in the
            conversation, marked; so is one that does not fit its type.
        KeyboardInterrupt
            The user's; what came is kept as well.
        """
        return self._asking(prompt, media, as_, once=once, stream=stream)(None).result()

    def _asking(
        self, prompt: str, media: Sequence[object], as_: object, *, once: bool, stream: bool | None = None
    ) -> Callable[[Paint | None], Outcome]:
        """Return what sends the prompt, paints what comes, and returns how it ended; see `__call__`."""
        session = self._session()
        told: list[str] = []
        message = message_of(session, prompt, media, told, self._options.model or session.model_of(self.conversation))
        answer: AnswerType[Any] | None = None if as_ is None else AnswerType(as_)
        options = replace(self._options, once=once, stream=stream, answer=answer, notices=tuple(told))
        current = Context.current() if self._name else None
        cell = current.runs.current if current else None
        where = self._name or self._own
        return lambda paint: session.ask(message, options, conversation=where, cell=cell, paint=paint)

    @overload
    def stream(self, prompt: str, *media: object, as_: type[T], once: bool = False) -> ReplyStream[T]: ...
    @overload
    def stream(self, prompt: str, *media: object, as_: None = None, once: bool = False) -> ReplyStream[None]: ...
    @overload
    def stream(self, prompt: str, *media: object, as_: object, once: bool = False) -> ReplyStream: ...
    def stream(self, prompt: str, *media: object, as_: object = None, once: bool = False) -> ReplyStream:
        """Ask, and go through the reply while it comes: with ``for`` or ``async for``.

        Parameters
        ----------
        prompt, *media, as_, once
            As in a call of the chat.

        Returns
        -------
        ReplyStream
            Its deltas, and its `completion` at the end. It raises what a call would raise. Whoever leaves it half-way
            stops the reply, and what came is kept.

        Examples
        --------
        >>> for delta in chat.stream("Tell me more."):   # doctest: +SKIP
        ...     print(delta.text, end="")
        """
        return ReplyStream(self._asking(prompt, media, as_, once=once, stream=True))

    @overload
    async def ask(self, prompt: str, *media: object, as_: type[T], once: bool = False) -> Completion[T]: ...
    @overload
    async def ask(self, prompt: str, *media: object, as_: None = None, once: bool = False) -> Completion[None]: ...
    @overload
    async def ask(self, prompt: str, *media: object, as_: object, once: bool = False) -> Completion: ...
    async def ask(self, prompt: str, *media: object, as_: object = None, once: bool = False) -> Completion:
        """Ask, and await the reply: ``await chat.ask("…")`` is a call that leaves the event loop free.

        If it is cancelled, the reply is stopped, and what came is kept.

        Parameters
        ----------
        prompt, *media, as_, once
            As in a call of the chat.
        """
        reply = ReplyStream[Any](self._asking(prompt, media, as_, once=once))
        async for _ in reply:
            pass
        return reply.completion

    def show(self, prompt: str, *media: object, as_: object = None, once: bool = False) -> Completion:
        """Ask, and show the reply in the cell's output as it comes, like ``%%chat``.

        Parameters
        ----------
        prompt, *media, as_, once
            As in a call of the chat.

        Raises
        ------
        InputError
            No extension is loaded that can show it.
        XcyqError
            As for a call.
        """
        if (current := Context.current()) is None:
            msg = "show needs a notebook or IPython with xcyq_magic loaded; nothing was sent."
            raise InputError(msg, 'Type %load_ext xcyq_magic first, or call the chat: chat("…").')
        magics = next(m for m in current.magics if isinstance(m, TurnMagics))
        outcome = magics.run_turn(self._asking(prompt, media, as_, once=once), None)
        return cast("Outcome", outcome).result()  # there is none only in the background

    def _session(self) -> ChatSession:
        """Return the session to use now, with what a named conversation brought along, unless it is known there."""
        session = self._source.get()
        if self._name and self._source.travelled:
            with self._own.reply_lock:
                brings, brought, self._own.now = self._brings(session), self._own.now, Conversation(self._name)
                if brings:
                    session.conversations.edit(self._name, lambda now: now if now.turns else brought)
        return session

    def _brings(self, session: ChatSession) -> bool:
        """Return whether it brought turns along from another process that its conversation is to have."""
        known = session.conversations.open(self._name)  # one without turns may have been begun, by %chat_reset say
        return bool(self._own.now.turns) and not (known.now.turns or known.wanted)

    def __getstate__(self) -> dict[str, Any]:
        try:
            now = self.conversation
        except InputError:  # its session is closed: what it brought itself goes along
            now = self._own.now
        return {**self.__dict__, "_own": now}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _own=Slot(state["_own"], own=True))

    def undo(self, count: int = 1) -> None:
        """Take back the last `count` turns."""
        check_count(plain(count))
        conversations = self._session().conversations
        conversations.take_back(self._name or self._own, lambda now: now.without_last(count))
