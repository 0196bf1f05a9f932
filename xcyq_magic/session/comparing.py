"""Several models, one prompt: asked at once, judged if wished, and one answer kept."""

from __future__ import annotations

import hashlib
import json
import random
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from xcyq_magic.chat.comparison import Column, Comparison, Verdict
from xcyq_magic.chat.usage import cost
from xcyq_magic.errors import IncompleteReplyError, InputError, OptionError, RequestError, XcyqError, before_sending
from xcyq_magic.gateway.catalog import asked_models
from xcyq_magic.gateway.request import check_model
from xcyq_magic.session.grid import Painting
from xcyq_magic.session.judging import question, verdict_of
from xcyq_magic.session.live import LiveReply
from xcyq_magic.session.turn import Job, Preview, TurnOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.conversation import CellRun, Conversation, Turn
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.session.grid import Paint
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.store.slots import Slot


_FEWEST_JUDGED = 2
_MOST_KEPT = 20  # comparisons whose answers can be kept


@dataclass(frozen=True)
class Compared:
    """How a comparison ended.

    Attributes
    ----------
    comparison
        What came.
    error
        What the cell has to raise: the user's interrupt, a failure if no model answered, or what the view raised; None
        when all went well.
    """

    comparison: Comparison
    error: BaseException | None

    def result(self) -> Comparison:
        """Return the comparison; raises `error` if there is one."""
        if self.error is not None:
            raise self.error
        return self.comparison


def compare(
    session: ChatSession,
    models: Sequence[str],
    prompt: Message,
    options: TurnOptions | None = None,
    *,
    repeat: int = 1,
    judge: str | None = None,
    conversation: str | None = None,
    cell: CellRun | None = None,
    paint: Paint | None = None,
    order: random.Random | None = None,
) -> Compared:
    """Ask several models at once, after the turns of a conversation, which stays as it is.

    Parameters
    ----------
    models
        Names, patterns and braces, as `gateway.patterns` expands them.
    options
        Of the turn; its `model` does not matter.
    repeat
        How many times each model is asked.
    judge
        A model that judges the replies, which it sees unnamed and in random order.
    conversation
        The name of the conversation to follow, ``main`` unless given.
    paint
        Called with the replies while they come, and with the judge's as one more at the end.
    order
        Where the judge's order comes from; what was asked and answered unless given.

    Returns
    -------
    Compared
        Also for failures and an interrupt, with what came until then; the session remembers the comparison.

    Raises
    ------
    InputError
        No model, or not the judge, can be asked. Nothing was sent.
    """
    session.conversations.note_cell()
    place = session.conversations.open(conversation)
    asking = _Asking(session, prompt, options or TurnOptions(), session.conversation(place), cell)
    if judge is not None:  # who cannot be asked is refused before the others are
        check_model(judge)
    names = _asked(session, models, repeat)
    if not asking.options.once:
        session.places.check(asking.history, cell, prompt)
    with before_sending():
        jobs = [asking.job(name, model) for name, model in names.items()]
    replies = [job.live for job in jobs]
    if all(job.ready is None for job in jobs) and replies[0].error is not None:
        raise replies[0].error
    paint = paint or (lambda _: None)
    asked_at = time.time()
    error = session.send(jobs, paint)
    comparison = asking.comparison(replies, asked_at)
    if not isinstance(error, KeyboardInterrupt) and not any(c.completion is not None for c in comparison.columns):
        error = comparison.columns[0].error
    elif error is None and judge is not None:
        painting = Painting(lambda live: paint([*replies, *live]))
        order = order or order_of(prompt, comparison.system, [c.text for c in comparison.columns])
        verdict, error = asking.verdict(judge, comparison, order, painting)
        comparison, error = replace(comparison, verdict=verdict), error or painting.error
    if any(comparison.turn(column) for column in comparison.columns):  # else there is nothing to keep of it
        session.compared = [*session.compared, (comparison, place)][-_MOST_KEPT:]
    return Compared(comparison, error)


def order_of(prompt: Message, system: str | None, replies: Iterable[str]) -> random.Random:
    """Return a source of chance that is the same for the same replies, so that a judge's verdict can be a kept one.

    A reply cannot know what comes of it: the other replies are in it.

    Parameters
    ----------
    prompt, system
        What was asked.
    replies
        Their texts.
    """
    said = [prompt.to_dict(), system, [*replies]]
    return random.Random(hashlib.sha256(json.dumps(said).encode("ascii")).digest())  # noqa: S311  # no secret


def _asked(session: ChatSession, models: Sequence[str], repeat: int) -> dict[str, str]:
    return asked_models(models, repeat, session.chat.compare_limit, partial(session.models, anew=False))


def previews(
    session: ChatSession,
    models: Sequence[str],
    prompt: Message,
    options: TurnOptions,
    *,
    repeat: int = 1,
    conversation: str | None = None,
    cell: CellRun | None = None,
) -> list[Preview | RequestError]:
    """Return what `compare` would send to each model, or why it would send nothing to it. Nothing is sent.

    Parameters
    ----------
    models
        Names, patterns and braces, as `asked_models` expands them.
    prompt
        The prompt.
    options
        Of the turn; its `model` does not matter.
    repeat
        How many times each model is asked.
    conversation
        The name of the conversation to follow, the current one unless given.
    cell
        The run of the cell that asks.

    Raises
    ------
    InputError
        No comparison can be made of these models.
    """

    def preview(model: str) -> Preview | RequestError:
        try:
            return session.preview(prompt, replace(options, model=model), conversation=conversation, cell=cell)
        except RequestError as e:
            return e

    return [preview(model) for model in _asked(session, models, repeat).values()]


@dataclass(frozen=True)
class _Asking:
    """What the columns of one comparison share."""

    session: ChatSession
    prompt: Message
    options: TurnOptions
    history: Conversation
    cell: CellRun | None

    def job(self, name: str, model: str) -> Job:
        """Return a column's request; it is refused already if this model cannot be asked."""
        options, recorded = replace(self.options, model=model), self.session.takes_kept(self.options)
        try:
            return self.session.job(
                self.history, self.prompt, options, self.cell, name=name, recorded=recorded, kind="column"
            )
        except RequestError as e:
            live = LiveReply(model, name=name)
            live.refuse(e)
            return Job(self.prompt, options, self.cell, live)

    def comparison(self, replies: Sequence[LiveReply], asked_at: float) -> Comparison:
        """Return what came."""
        options = self.options
        system = self.session.system_of(self.history) if options.system is None else options.system
        return Comparison(
            self.prompt,
            tuple(map(self._column, replies)),
            system.strip() or None,
            options.parameters,
            self.history.name,
            self.cell,
            asked_at,
        )

    def _column(self, live: LiveReply) -> Column:
        completion = live.completion
        error = live.error if isinstance(live.error, XcyqError) else live.mismatch
        if completion is None and error is None:
            error = IncompleteReplyError("It was stopped before its reply began.", "Ask again.")
        price = self._cost(live.model, completion)
        return Column(live.name, live.model, completion, error, tuple(live.notices), live.elapsed_s, price)

    def _cost(self, model: str, completion: Completion | None) -> float | None:
        return cost(completion.usage if completion is not None else None, self.session.gateway.price_of(model))

    def verdict(
        self, model: str, comparison: Comparison, order: random.Random, paint: Paint
    ) -> tuple[Verdict, BaseException | None]:
        """Ask `model` for its verdict; returns that and an interrupt. A judge that fails spoils no comparison.

        Parameters
        ----------
        model
            The judge.
        comparison
            What to judge.
        order
            Where the order of the replies, and the mark in the question, come from.
        paint
            Called with the reply of the judge while it comes.
        """
        judged = [c for c in comparison.columns if c.text.strip()]
        if len(judged) < _FEWEST_JUDGED:
            why = OptionError("There are not two replies to judge.", "Ask again, or leave the judge out.")
            return Verdict(model, error=why), None
        order.shuffle(judged)
        names = tuple(c.name for c in judged)
        mark = f"{order.getrandbits(32):08x}"
        message = question(comparison.prompt, comparison.system, [c.text for c in judged], mark)
        above = () if self.options.once else self.history.above(self.cell, comparison.prompt)
        past = replace(self.history, turns=above)
        options = TurnOptions(model=model, system="", cached=self.options.cached)
        try:
            job = self.session.job(past, message, options, recorded=self.session.takes_kept(options), kind="judge")
            broken = self.session.send([job], paint)
        except InputError as e:
            return Verdict(model, names, error=e), None
        completion, error, model = job.live.completion, broken or job.live.error, job.live.model
        winner, reason = verdict_of(completion.text, names) if completion is not None else (None, "")
        return (
            Verdict(
                model,
                names,
                None if completion is not None and completion.partial else winner,
                reason,
                completion,
                error if isinstance(error, XcyqError) else None,
                self._cost(model, completion),
            ),
            None if isinstance(error, XcyqError) else error,
        )


@dataclass(frozen=True)
class Kept:
    """An answer that was kept as a `turn`, and the answer to the same prompt that it replaced, if there was one."""

    turn: Turn
    instead_of: Turn | None


def keep(session: ChatSession, comparison: Comparison, column: Column) -> Kept:
    """Let the prompt and that answer be a turn of the comparison's conversation, instead of one kept before.

    Parameters
    ----------
    session
        Whose conversation it goes into.
    comparison
        What was asked, and what came.
    column
        The answer to keep.

    Raises
    ------
    OptionError
        No word of that answer came.
    InputError
        The conversation that was asked is not the one of its name any more.
    """
    turn = comparison.turn(column)
    if turn is None:
        msg = f"There is no reply of {column.name} to keep."
        raise OptionError(msg, "Keep another, or run the comparison again.")
    turns = [t for c in comparison.columns if (t := comparison.turn(c))]
    conversations, place = session.conversations, _place_of(session, comparison)
    other = next((t for t in conversations.get(place).turns if t in turns), None)
    # What was kept before stays as it is: the turns below it have seen it.
    kept = other if other is not None and other == turn else replace(turn, kept_at=time.time())
    # Another answer can be kept again; what an earlier run of the cell left can be restored.
    change = conversations.take_back if other is None else conversations.edit
    change(place, lambda now: now.with_one_of(kept, turns))
    return Kept(kept, other)


def _place_of(session: ChatSession, comparison: Comparison) -> Slot:
    """Return the conversation that was asked, which another one may have set aside since then."""
    conversations = session.conversations
    place = conversations.open(comparison.conversation)
    asked = next((slot for c, slot in session.compared if c is comparison), place)
    if asked.id != place.id and conversations.get(asked).turns:  # one without turns is as good as another
        msg = f"The comparison belongs to a {comparison.conversation} that has been set aside since; nothing was kept."
        way_on = f"%chat_switch {asked.id} goes back to it, and %chat_keep keeps an answer there."
        raise InputError(msg, f"{way_on} Or run the comparison again, to ask after this conversation.")
    session.compared = [(c, place if c is comparison else slot) for c, slot in session.compared]
    return place
