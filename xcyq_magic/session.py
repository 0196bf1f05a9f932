"""One shell's conversations and its client: `ChatSession.ask` is the middle of every chat."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from xcyq_magic.access import GatewayAccess
from xcyq_magic.chat.conversation import CellRun, Conversation, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parameters import Parameters
from xcyq_magic.errors import IncompleteReplyError
from xcyq_magic.gateway import catalog
from xcyq_magic.gateway.client import GatewayClient
from xcyq_magic.gateway.request import ChatRequest, check
from xcyq_magic.live import Arrivals, LiveReply, Paint, follow
from xcyq_magic.media.fit import Fitting
from xcyq_magic.settings import ChatSettings, GatewaySettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.gateway.attempt import Connection
    from xcyq_magic.gateway.credentials import ApiKey

MAIN = "main"


@dataclass(frozen=True)
class TurnOptions:
    """What one turn asks for; None leaves it to the conversation, or to the settings.

    Attributes
    ----------
    model, system
        An empty `system` means none.
    parameters
        As the user set them.
    once
        Neither read nor write the history.
    stream
        Whether the reply comes in deltas.
    """

    model: str | None = None
    system: str | None = None
    parameters: Parameters = field(default_factory=Parameters)
    once: bool = False
    stream: bool | None = None


@dataclass(frozen=True)
class Outcome:
    """How a turn ended.

    Attributes
    ----------
    reply
        The reply as it stood at its end: state, times, notices.
    turn
        The turn, with its completion; None when no word of the model's came.
    conversation
        The conversation with the turn in it, or as it was.
    error
        What the cell has to raise: a failure, or the user's interrupt; None when all went well.
    """

    reply: LiveReply
    turn: Turn | None
    conversation: Conversation
    error: BaseException | None

    @property
    def completion(self) -> Completion | None:
        """The model's reply, whole or partial."""
        return self.turn.completion if self.turn else None

    def result(self) -> Completion:
        """The completion; raises `error` if there is one."""
        if self.error is not None or self.turn is None:
            raise self.error or IncompleteReplyError("The reply ended without a word.", "Ask again.")
        return self.turn.completion


class ChatSession:
    """One shell's conversations, its client, and its key.

    Parameters
    ----------
    gateway, chat
        The settings; they are read anew for each turn.

    Attributes
    ----------
    conversations
        By name, as they stand.
    access
        The key, the address, the sandbox.
    """

    def __init__(self, gateway: GatewaySettings | None = None, chat: ChatSettings | None = None) -> None:
        self.gateway = gateway or GatewaySettings()
        self.chat = chat or ChatSettings()
        self.conversations: dict[str, Conversation] = {}
        self.access = GatewayAccess(self.gateway)
        self._client = GatewayClient()
        self._keeping = threading.Lock()
        self._fitting = Fitting()

    # What a turn is made of

    def conversation(self, name: str | None = None) -> Conversation:
        """The conversation called `name` as it stands, ``main`` unless given."""
        return self.conversations.get(name or MAIN) or Conversation(name or MAIN)

    def keep(self, conversation: Conversation) -> None:
        """Let `conversation` be the one of its name."""
        self.conversations[conversation.name] = conversation

    def model_of(self, conversation: Conversation) -> str:
        """The model that the next turn of `conversation` asks."""
        return conversation.model or self.chat.model

    def system_of(self, conversation: Conversation) -> str:
        """The system prompt of `conversation`, ``""`` for none."""
        return self.chat.system if conversation.system is None else conversation.system

    def choose(self, conversation: Conversation, *, model: str | None = None, system: str | None = None) -> None:
        """Set the model or the system prompt of `conversation`; None leaves it, ``""`` is no system prompt."""
        self.keep(
            replace(
                conversation,
                model=conversation.model if model is None else model,
                system=conversation.system if system is None else system,
            )
        )

    def reset(self, name: str | None = None) -> None:
        """Let the conversation called `name` begin afresh."""
        self.conversations.pop(name or MAIN, None)

    def request(
        self,
        conversation: Conversation,
        prompt: Message,
        options: TurnOptions,
        cell: CellRun | None = None,
    ) -> tuple[ChatRequest, str | None]:
        """The request of a turn, checked, and the system prompt in it. Nothing is sent.

        Raises
        ------
        InputError
            It breaks a rule.
        """
        model = self.model_of(conversation) if options.model is None else options.model
        system = (self.system_of(conversation) if options.system is None else options.system).strip() or None
        past = () if options.once else conversation.above(cell)
        messages = (
            *([Message.of("system", system)] if system else []),
            *(m for turn in past for m in turn.messages),
            prompt,
        )
        limits = catalog.image_limits(model, sum(len(m.images) for m in messages))
        # Past turns too: a picture over the limit of the model asked now would fail this turn as well.
        messages = tuple(self._fitting.message(m, limits) for m in messages)
        stream = self.chat.stream if options.stream is None else options.stream
        request = ChatRequest(model, messages, options.parameters, stream)
        check(request)
        return request, system

    # A turn

    def ask(
        self,
        prompt: Message,
        options: TurnOptions | None = None,
        *,
        conversation: str | None = None,
        cell: CellRun | None = None,
        paint: Paint | None = None,
    ) -> Outcome:
        """One turn of the conversation called `conversation`; see `reply`. Its turn is kept."""
        outcome = self.reply(self.conversation(conversation), prompt, options, cell=cell, paint=paint)
        if outcome.turn is None or (options and options.once):
            return outcome
        with self._keeping:  # into the conversation as it is now: another thread may have added to it meanwhile
            kept = self.conversation(conversation).with_turn(outcome.turn)
            self.keep(kept)
        return replace(outcome, conversation=kept)

    def reply(
        self,
        conversation: Conversation,
        prompt: Message,
        options: TurnOptions | None = None,
        *,
        cell: CellRun | None = None,
        paint: Paint | None = None,
    ) -> Outcome:
        """Send `prompt` after the turns of `conversation`, and wait for the reply.

        Parameters
        ----------
        paint
            Called with the reply while it comes, on this thread, at most 20 times a second.

        Returns
        -------
        Outcome
            Also for a failure and an interrupt, with what came until then.

        Raises
        ------
        InputError
            The request cannot be sent. Nothing was.
        """
        options = options or TurnOptions()
        request, system = self.request(conversation, prompt, options, cell)
        key, connection = self.access.key(), self.access.connection()
        notices = [n for n in (catalog.notice(request.model), self.access.route_notice()) if n]
        live = LiveReply(request.model, notices, streamed=request.stream)
        asked_at = time.time()
        interrupt = self._await([live], [request], key, connection, paint or (lambda _: None))
        completion = live.completion
        turn = None
        if completion is not None:
            turn = Turn(prompt, completion, system, options.parameters, cell, asked_at)
            if not options.once:
                conversation = conversation.with_turn(turn)
        return Outcome(live, turn, conversation, interrupt or live.error)

    def _await(
        self,
        replies: Sequence[LiveReply],
        requests: Sequence[ChatRequest],
        key: ApiKey,
        connection: Connection,
        paint: Paint,
    ) -> KeyboardInterrupt | None:
        """Send the requests at once and wait for all replies; returns the user's interrupt, if it came."""
        arrivals: Arrivals = SimpleQueue()
        try:
            for live, request in zip(replies, requests, strict=True):
                live.start(partial(self._client.send, request, key, connection), arrivals)
            follow(replies, arrivals, paint)
        except KeyboardInterrupt as interrupt:
            return interrupt
        finally:  # whatever happened: a second interrupt, a view that failed
            for live in replies:
                live.abandon()
        return None

    def close(self) -> None:
        """End its threads and connections; its conversations stay in memory."""
        self.access.stop_sandbox()
        self._client.close()
