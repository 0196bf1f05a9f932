"""One turn: what it asks for, what is ready to be sent, how it ended, and how the last one is asked again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from xcyq_magic.chat.conversation import Parameters, Turn, new_turn_id
from xcyq_magic.chat.rerun import to_retry
from xcyq_magic.errors import IncompleteReplyError, InputError
from xcyq_magic.gateway.tokens import ignored_media

_DRAFT_S = 3.0  # of a reply, between what is kept of it while it comes

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.conversation import CellRun, Conversation
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.chat.usage import LedgerEntry
    from xcyq_magic.gateway.request import ChatRequest
    from xcyq_magic.session.live import LiveReply
    from xcyq_magic.session.notebook import Conversations
    from xcyq_magic.session.spending import Estimate
    from xcyq_magic.session.typed import AnswerType
    from xcyq_magic.store.slots import Slot


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
    cached
        Whether a reply that is kept to the same request will do.
    answer
        The type that the reply is to have; None for any text.
    notices
        Lines for the user about the prompt.
    """

    model: str | None = None
    system: str | None = None
    parameters: Parameters = field(default_factory=Parameters)
    once: bool = False
    stream: bool | None = None
    cached: bool | None = None
    answer: AnswerType[Any] | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A turn that is ready to be sent.

    Attributes
    ----------
    request
        Checked, its media fitted for the model.
    system
        The system prompt in it; None for none.
    notices
        Lines for the user about it.
    """

    request: ChatRequest
    system: str | None
    notices: tuple[str, ...]


@dataclass
class Job:
    """One request of a grid, and the reply to it.

    Attributes
    ----------
    prompt, options, cell
        What is asked, as the user gave it.
    live
        The reply while it comes. It has ended already where the request is refused before it is sent.
    ready
        The request; None where it is refused.
    digest
        The SHA-256 of the request, or of a whole chain; ``""`` where it is refused.
    further, first_digest
        Of a chain: the same requests of the models behind the first, and the SHA-256 of the first one's.
    recorded
        Whether its turn is kept without a place in a conversation, for whoever asks the same again.
    asked_at
        When, in Unix seconds.
    kind
        What it is, for the ledger: a turn, once, a column, a judge, a row, …
    estimate
        What it is thought to cost, before it is sent; None without a price.
    entry
        That of the ledger on the request under way; None while none is.
    entry_began_s
        When that was sent, in seconds after the first request of the reply.
    """

    prompt: Message
    options: TurnOptions
    cell: CellRun | None
    live: LiveReply
    ready: Prepared | None = None
    digest: str = ""
    recorded: bool = False
    asked_at: float = 0.0
    further: tuple[ChatRequest, ...] = ()
    first_digest: str = ""
    kind: str = "turn"
    estimate: float | None = None
    entry: LedgerEntry | None = None
    entry_began_s: float = 0.0
    _turn: Turn | None = field(default=None, init=False, repr=False)
    _id: str = field(default_factory=new_turn_id, init=False, repr=False)
    _drafted_at: float = field(default_factory=time.monotonic, init=False, repr=False)

    @property
    def turn(self) -> Turn | None:
        """The turn that came of it, always the same one; None while it has not ended, or if no word of a reply came."""
        if self._turn is None and self.live.ended and (completion := self.live.completion) is not None:
            self._turn = self._turn_of(completion)
        return self._turn

    def _turn_of(self, completion: Completion) -> Turn:
        system, parameters = self.ready.system if self.ready else None, self.options.parameters
        turn = Turn(self.prompt, completion, system, parameters, self.cell, self.asked_at, id=self._id)
        # What the first of a chain answered is what it answers alone, too; what another did is the chain's alone.
        first = self.ready is not None and self.live.model == self.ready.request.model
        return replace(turn, request=(self.first_digest if first else "") or self.digest or None)

    def draft(self, keep: Callable[[Turn], None]) -> None:
        """Keep what came so far, if nothing was kept of it for a few seconds."""
        now, live = time.monotonic(), self.live
        if (
            live.state == "streaming"
            and now - self._drafted_at >= _DRAFT_S
            and (completion := live.completion) is not None
        ):
            keep(self._turn_of(replace(completion, partial="incomplete", data=None)))
            self._drafted_at = time.monotonic()

    @property
    def request(self) -> ChatRequest:
        """The request of one that was not refused; of a chain, to the model that is asked now."""
        first = cast("Prepared", self.ready).request
        return next((r for r in self.further if r.model == self.live.model), first)

    def note_ignored_media(self) -> None:
        """Have the reply say so where its usage shows that the request's media did not reach the model."""
        messages = self.request.messages if self.ready else ()
        if ignored := ignored_media(messages, self.live.model, self.live.builder.usage):
            self.live.notices.append(ignored)


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
        What the cell has to raise: a failure, the user's interrupt, or what its view raised; None when all went well.
    instead_of
        The turn of another cell whose place the new one took; None where a cell asked for itself.
    """

    reply: LiveReply
    turn: Turn | None
    conversation: Conversation
    error: BaseException | None
    instead_of: Turn | None = None

    @property
    def completion(self) -> Completion | None:
        """The model's reply, whole or partial."""
        return self.turn.completion if self.turn else None

    def result(self) -> Completion:
        """Return the completion; raises `error` if there is one."""
        error, turn = self.error, self.turn
        if error is None and turn is not None:
            return turn.completion
        try:
            raise error or IncompleteReplyError("The reply was empty.", "Ask again.")
        finally:  # the error holds this frame, and would be held by it: a `Chat` would wait for the garbage collector
            del self, error


@dataclass(frozen=True)
class Preview:
    """A request that is not sent.

    Attributes
    ----------
    request
        What would be sent.
    body
        The same as the JSON that would travel.
    url
        Where it would go.
    notices
        What the user would be told about it.
    n_bytes
        The length of its JSON.
    estimate
        What it would take.
    """

    request: ChatRequest
    body: dict[str, Any]
    url: str
    notices: tuple[str, ...]
    n_bytes: int
    estimate: Estimate


def keep(
    conversations: Conversations, outcome: Outcome, place: Slot, put: Callable[[Conversation, Turn], Conversation]
) -> Outcome:
    """Keep the turn of `outcome`, also for who interrupts meanwhile; return the outcome as it is then.

    Parameters
    ----------
    conversations
        Where it is kept.
    outcome
        How the turn ended.
    place
        Its conversation, as `Conversations.open` gave it.
    put
        Puts the turn into the conversation. What it takes the place of can be restored; where a cell's run gave no
        whole reply for it, a notice says so.
    """
    turn, before = outcome.turn.as_kept if outcome.turn else None, conversations.get(place)

    def kept(interrupt: KeyboardInterrupt | None) -> Outcome:
        if turn is not None:
            conversations.take_back(place, lambda now: put(now, turn))
        now = conversations.get(place)
        gone = before.without(now.turns).turns
        if turn is not None and turn.completion.partial and turn.replaces(gone):
            what = "the reply" if len(gone) == 1 else f"the {len(gone)} replies"
            outcome.reply.notices.append(f"%chat_undo --restore brings {what} before it back.")
        outcome.reply.notices += conversations.take_notices()
        return replace(outcome, conversation=now, error=outcome.error or interrupt)

    return even_if_interrupted(kept)


def retry(
    conversations: Conversations, reply: Callable[..., Outcome], model: str | None = None, name: str | None = None
) -> Outcome:
    """Ask the last prompt again, as it was asked; the new turn takes the place of the old one once it is there.

    Parameters
    ----------
    conversations
        Where it is kept.
    reply
        Asks, as `ChatSession.reply` does.
    model
        Another model to ask.
    name
        Of the conversation, the current one unless given.

    Raises
    ------
    InputError
        There is no turn yet, or the request cannot be sent.
    """
    conversations.note_cell()
    place = conversations.open(name)
    with conversations.reply_lock(place):
        before = conversations.get(place)
        if not before.turns:
            msg = "There is no turn to ask again yet, and a prompt that failed is none."
            raise InputError(
                msg, "Run its cell again, or write %%chat on the first line of a cell and a question below."
            )
        at = to_retry(before.turns)
        old = before.turns[at]
        asked = (old.completion.chain or old.completion.requested_model or None) if model is None else model
        options = TurnOptions(asked, old.system or "", old.parameters, cached=False)
        # All others stand above it, whichever their cells are.
        above = replace(before, turns=tuple(replace(t, cell=None) for t in before.turns[:at]))
        outcome = reply(above, old.prompt, options, cell=old.cell)
        kept = keep(conversations, outcome, place, lambda now, turn: now.with_instead(turn, old))
        return replace(kept, instead_of=old)


def even_if_interrupted(do: Callable[[KeyboardInterrupt | None], Outcome]) -> Outcome:
    """Call `do(None)`. If a KeyboardInterrupt arrives meanwhile, call `do(interrupt)`.

    So a second Ctrl-C cannot lose the reply. `do` must be safe to call twice.
    """
    try:
        return do(None)
    except KeyboardInterrupt as interrupt:
        return do(interrupt)
