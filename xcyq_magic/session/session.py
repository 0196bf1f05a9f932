"""One shell's conversations and its client: `ChatSession.ask` is the middle of every chat."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from xcyq_magic.chat.conversation import Conversation, context
from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import (
    InputError,
    OptionError,
    RequestError,
    TypeMismatchError,
    before_sending,
)
from xcyq_magic.gateway import catalog
from xcyq_magic.gateway.client import ENDED, GatewayClient
from xcyq_magic.gateway.encoding import to_json
from xcyq_magic.gateway.loop import Slots
from xcyq_magic.gateway.request import ChatRequest, check, check_length, digest
from xcyq_magic.gateway.route import without_secrets
from xcyq_magic.gateway.tokens import prompt_tokens
from xcyq_magic.media.fit import Fitting
from xcyq_magic.session.access import GatewayAccess
from xcyq_magic.session.grid import Grid
from xcyq_magic.session.live import LiveReply
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.session.places import Places
from xcyq_magic.session.settings import ChatSettings, GatewaySettings
from xcyq_magic.session.spending import Spending
from xcyq_magic.session.turn import Job, Outcome, Prepared, Preview, TurnOptions, even_if_interrupted, keep
from xcyq_magic.session.typed import ask_again
from xcyq_magic.store.database import open_database
from xcyq_magic.store.forks import PerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from xcyq_magic.chat.comparison import Comparison
    from xcyq_magic.chat.conversation import CellRun, Turn
    from xcyq_magic.session.grid import Paint
    from xcyq_magic.session.live import Arrivals, Send
    from xcyq_magic.store.slots import Slot
    from xcyq_magic.store.summaries import Summary


class ChatSession:
    """One shell's conversations, its client, and its key.

    Parameters
    ----------
    gateway, chat
        The settings; they are read anew for each turn.
    conversations
        Those of the notebook. Without them, a session has its own, kept where ``ChatSettings.store`` says, if it does.

    Attributes
    ----------
    conversations
        By name, as they stand.
    access
        The key, the address, the sandbox.
    compared
        The last comparisons, the newest last, each with the conversation that it followed, as `Conversations.open` gave
        it.
    spending
        The ledger, and the budget.
    closed
        Whether it has ended: nothing more is sent.
    """

    def __init__(
        self,
        gateway: GatewaySettings | None = None,
        chat: ChatSettings | None = None,
        conversations: Conversations | None = None,
    ) -> None:
        self.gateway = gateway or GatewaySettings()
        self.chat = chat or ChatSettings()
        self.conversations = conversations or Conversations(open_database(self.chat.store, None))
        self.access = GatewayAccess(self.gateway)
        self.compared: list[tuple[Comparison, Slot]] = []
        self.places = Places(self.access)
        self.conversations.place = lambda: without_secrets(self.places.here)
        self.spending = Spending(self.gateway, self.chat, self.conversations, lambda: self.access.sandbox is not None)
        self._clients = PerProcess(GatewayClient)
        self.closed = False
        self._fitting = PerProcess(Fitting)

    @property
    def comparison(self) -> Comparison | None:
        """The last comparison; None before the first."""
        return self.compared[-1][0] if self.compared else None

    @property
    def _client(self) -> GatewayClient:
        return self._clients.get()

    def conversation(self, which: str | Slot | None = None) -> Conversation:
        """Return a conversation as it stands: by its name, or a `Chat`'s own; the current one unless given."""
        return self.conversations.get(which)

    def model_of(self, conversation: Conversation) -> str:
        """Return the model that the next turn of `conversation` asks."""
        return conversation.model or self.chat.model

    def system_of(self, conversation: Conversation) -> str:
        """Return the system prompt of `conversation`, ``""`` for none."""
        return self.chat.system if conversation.system is None else conversation.system

    def choose(self, name: str | None = None, *, model: str | None = None, system: str | None = None) -> None:
        """Set what a conversation uses from now on; None leaves it as it is.

        Parameters
        ----------
        name
            Of the conversation, the current one unless given.
        model
            The model that it asks.
        system
            Its system prompt; ``""`` for none.
        """

        def change(now: Conversation) -> Conversation:
            return replace(
                now, model=now.model if model is None else model, system=now.system if system is None else system
            )

        self.conversations.edit(name, change)

    def reset(self, name: str | None = None) -> Summary | None:
        """Let the conversation called `name` begin afresh; the one until now is set aside, and returned."""
        return self.conversations.begin(Conversation(name or self.conversations.current))

    def request(
        self, conversation: Conversation, prompt: Message, options: TurnOptions, cell: CellRun | None = None
    ) -> Prepared:
        """Return the request of a turn, checked. Nothing is sent.

        Parameters
        ----------
        conversation
            Its turns above `cell` go along.
        prompt
            The message to send.
        options
            What the turn asks for.
        cell
            The run of the cell that asks.

        Raises
        ------
        InputError
            It breaks a rule.
        """
        model = self.model_of(conversation) if options.model is None else options.model
        system = (self.system_of(conversation) if options.system is None else options.system).strip() or None
        above = () if options.once else conversation.above(cell, prompt)
        past = context(above, self.chat.keep_media, self.chat.history_turns)
        told = "\n\n".join(filter(None, [system, options.answer.instructions() if options.answer else None]))
        messages = (*([Message.of("system", told)] if told else []), *past.messages, prompt)
        limits = catalog.image_limits(model, sum(len(m.media) for m in messages))
        # Past turns too: a picture over the limit of the model asked now would fail this turn as well.
        messages = tuple(self._fitting.get().message(m, limits) for m in messages)
        stream = self.chat.stream if options.stream is None else options.stream
        if options.answer and "response_format" in options.parameters.extra:
            msg = "response_format is made from the type after --as, so -p cannot set it too; nothing was sent."
            raise OptionError(msg, "Leave one of them out.")
        form = options.answer.response_format() if options.answer else None
        request = ChatRequest(model, messages, options.parameters, stream, self.gateway.video_form, form)
        check(request, self.gateway.max_video_mb)
        long = check_length(model, prompt_tokens(messages, model))
        return Prepared(request, system, (*self.access.remarks(model), *options.notices, *past.notices, *long))

    def chain(
        self, conversation: Conversation, prompt: Message, options: TurnOptions, cell: CellRun | None = None
    ) -> list[Prepared]:
        """Return the requests of a turn to each model of its chain that can take it; without a chain, the one.

        Parameters
        ----------
        conversation, prompt, options, cell
            As for `request`.

        Raises
        ------
        InputError
            None can be sent. Nothing is.
        """

        def request(model: str) -> Prepared | RequestError:
            try:
                return self.request(conversation, prompt, replace(options, model=model), cell)
            except RequestError as e:
                return e

        names = catalog.chain_of(self.model_of(conversation) if options.model is None else options.model)
        tried = list(map(request, names))
        found = [ready for ready in tried if isinstance(ready, Prepared)]
        refused = [e for e in tried if isinstance(e, RequestError)]
        if not found:
            raise refused[0]
        passed = [e.message.replace("nothing was sent", "it is passed over") for e in refused]
        notices = tuple(dict.fromkeys([*(n for ready in found for n in ready.notices), *passed]))
        return [replace(found[0], notices=notices), *found[1:]]

    def resting(self) -> dict[str, str]:
        """Return the models that chains pass over now, each with the reason and the seconds that are left."""
        try:
            url = self.access.connection().url
        except InputError:  # it is no address
            return {}
        now = time.monotonic()
        return {m: f"{rest.why}, {math.ceil(rest.until - now)} s more" for m, rest in self._client.resting(url).items()}

    def models(self, *, anew: bool = True) -> Collection[str]:
        """Return the names of the models that can be asked, as `GatewayAccess.models` does."""
        return self.access.models(self._client, anew=anew)

    def listed(self) -> Collection[str]:
        """Return the names of the models that the server itself lists; none where it gives no list."""
        return self.access.listed(self._client)

    def preview(
        self,
        prompt: Message,
        options: TurnOptions | None = None,
        *,
        conversation: str | None = None,
        cell: CellRun | None = None,
    ) -> Preview:
        """Return what `ask` would send. Nothing is sent, and no key is needed.

        Parameters
        ----------
        prompt
            The message to send.
        options
            What the turn asks for.
        conversation
            The name of a conversation, the current one unless given.
        cell
            The run of the cell that asks.

        Raises
        ------
        InputError
            It could not be sent.
        """
        ready, *further = self.chain(self.conversation(conversation), prompt, options or TurnOptions(), cell)
        url = self.access.connection().url
        body, told = self._client.body(ready.request, url)
        behind = ", then ".join(other.request.model for other in further)
        told += [f"If it cannot answer, {behind} is asked."] if behind else []
        estimate = self.spending.estimate([ready.request])
        return Preview(ready.request, body, url, (*ready.notices, *told), len(to_json(body)), estimate)

    def ask(
        self,
        prompt: Message,
        options: TurnOptions | None = None,
        *,
        conversation: str | Slot | None = None,
        cell: CellRun | None = None,
        paint: Paint | None = None,
    ) -> Outcome:
        """Ask within `conversation`, which is a name, or a `Chat`'s own; see `reply`. The turn is kept.

        A conversation has one reply at a time: a second one waits until the first has ended.

        Parameters
        ----------
        prompt
            The message to send.
        options
            What the turn asks for.
        conversation
            A name, or a `Chat`'s own; the current one unless given.
        cell
            The run of the cell that asks: its turn takes the place of an earlier one of that cell.
        paint
            Called with the reply while it comes, on this thread, at most 20 times a second.
        """
        options = options or TurnOptions()
        self.conversations.note_cell()
        if options.once:
            return self.reply(self.conversation(conversation), prompt, options, cell=cell, paint=paint)
        place = self.conversations.open(conversation)
        with self.conversations.reply_lock(place):
            keep_draft = partial(self.conversations.keep_draft, place)
            now = self.conversations.get(place)
            outcome = self.reply(now, prompt, options, cell=cell, paint=paint, keep_draft=keep_draft)
            return keep(self.conversations, outcome, place, Conversation.with_turn)

    def reply(
        self,
        conversation: Conversation,
        prompt: Message,
        options: TurnOptions | None = None,
        *,
        cell: CellRun | None = None,
        paint: Paint | None = None,
        keep_draft: Callable[[Turn], None] | None = None,
    ) -> Outcome:
        """Send `prompt` after the turns of `conversation`, and wait for the reply.

        Parameters
        ----------
        paint
            Called with the reply while it comes, on this thread, at most 20 times a second.
        keep_draft
            Called with what came so far, every few seconds.

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
        if not options.once:
            self.places.check(conversation, cell, prompt)
        with before_sending():
            job = self.job(conversation, prompt, options, cell)

        def painted(replies: Sequence[LiveReply]) -> None:
            if paint is not None:
                paint(replies)
            if keep_draft is not None:
                job.draft(keep_draft)

        broken = self.send([job], painted)

        def ended(interrupt: KeyboardInterrupt | None) -> Outcome:
            turn, live = job.turn, job.live
            now = conversation if options.once or turn is None else conversation.with_turn(turn.as_kept)
            stopped = broken if isinstance(broken, KeyboardInterrupt) else interrupt
            return Outcome(live, turn, now, stopped or live.error or live.mismatch or broken)

        return even_if_interrupted(ended)

    def job(
        self,
        conversation: Conversation,
        prompt: Message,
        options: TurnOptions,
        cell: CellRun | None = None,
        *,
        name: str = "",
        recorded: bool | None = None,
        kind: str | None = None,
    ) -> Job:
        """Return a request that is ready to be sent, and the reply that waits for it. Nothing is sent.

        Parameters
        ----------
        conversation
            Its turns above `cell` go along.
        prompt
            The message to send.
        options
            What is asked for.
        cell
            The run of the cell that asks.
        name
            What tells the reply from others of its model; the model's name unless given.
        recorded
            Whether the turn is kept without a place in a conversation; where kept replies will do unless given.
        kind
            What it is, for the ledger; a turn, or once, unless given.

        Raises
        ------
        InputError
            It breaks a rule.
        """
        ready, *further = self.chain(conversation, prompt, options, cell)
        request = ready.request
        chain = ",".join(catalog.chain_of(options.model or self.model_of(conversation)))
        chain = chain if "," in chain else ""
        live = LiveReply(
            request.model,
            ready.notices,
            prompt=request.messages[-1],
            streamed=request.stream,
            name=name,
            chain=chain,
            answer=options.answer,
        )
        recorded = options.once and self.takes_kept(options) if recorded is None else recorded
        kind = kind or ("once" if options.once else "turn")
        job = Job(prompt, options, cell, live, ready, digest(request, self.places.here), recorded, kind=kind)
        if chain:
            job.further = tuple(other.request for other in further)
            job.first_digest, job.digest = job.digest, digest(replace(request, model=chain), self.places.here)
        return job

    def replay(self, job: Job) -> None:
        """End a request with a kept reply, if there is one that will do."""
        if job.live.ended or not self.takes_kept(job.options):
            return
        kept = (self.conversations.answered(each) for each in (job.first_digest, job.digest) if each)
        found = next(filter(None, kept), None)
        if found is not None and found.completion.retold:  # an answer without a word is worth another try
            when = time.strftime(", on %Y-%m-%d %H:%M", time.localtime(found.asked_at)) if found.asked_at else ""
            with contextlib.suppress(TypeMismatchError):  # one that does not fit, too
                job.live.replay(found.completion, f"Asked before{when}: the reply is from the store, nothing was sent.")

    def takes_kept(self, options: TurnOptions) -> bool:
        """Return whether a reply that is kept to the same request will do."""
        return self.chat.cached if options.cached is None else options.cached

    def send(
        self, jobs: Sequence[Job], paint: Paint, ended: Callable[[Sequence[Job]], None] | None = None
    ) -> BaseException | None:
        """Send requests, at most ``ChatSettings.concurrency`` at once, and wait for their replies.

        Where the options say so, a reply that is kept to the same request will do: nothing is sent for it, and no key
        is needed.

        Parameters
        ----------
        jobs
            What to send, in that order.
        paint
            Called with all replies while they come, on this thread, at most 20 times a second.
        ended
            Called with those that have ended, as they end.

        Returns
        -------
        BaseException or None
            The user's interrupt, or what `paint` raised; all replies have ended then, too.

        Raises
        ------
        InputError
            There is no key, or no address, or the session is closed, or it would pass the budget. Nothing was sent.
        """
        if self.closed:  # before the key is looked for: its sandbox has ended, too
            raise InputError(*ENDED)
        for job in jobs:
            job.asked_at = time.time()
            self.replay(job)
        by_reply = {job.live: job for job in jobs}
        if all(live.ended for live in by_reply):
            return None
        key, connection, route = self.access.key(), self.access.connection(), self.access.route_notice()
        self.spending.check(jobs)
        slots = Slots(self.chat.concurrency, many=len(jobs) > self.chat.concurrency)
        for live in by_reply:
            live.notices += [route] if route else []

        def send(job: Job, request: ChatRequest, further: Sequence[ChatRequest] = ()) -> Send:
            send = partial(self._client.send, request, key, connection, slots=slots, further=further)
            return self.spending.entered(job, request, send)

        def start(live: LiveReply, arrivals: Arrivals) -> None:
            job = by_reply[live]
            job.asked_at = time.time()
            again = lambda reply, why: send(job, ask_again(job.request, reply, why))  # noqa: E731  # of the model that answered
            live.start(send(job, job.request, job.further), arrivals, again)

        def over(lives: Sequence[LiveReply]) -> None:
            found = [by_reply[live] for live in lives]
            self.spending.end(found)
            if ended is not None:
                ended(found)

        grid = Grid([*by_reply], paint, slots=self.chat.concurrency, ended=over)
        # What preparing takes is none of the gateway's time: it is done before the clocks start.
        try:
            error = grid.run(lambda: self._client.prepare(connection), start)
        finally:
            self.spending.settle(jobs)
        for job in jobs:
            job.note_ignored_media()
        return error

    def close(self) -> None:
        """End its threads and connections, and let the store go; its conversations stay in memory.

        Replies under way end; nothing is sent from then on.
        """
        self.closed = True
        self._client.close(for_good=True)
        self.conversations.close()
        self.access.stop_sandbox()
