"""The same question about each of many cases, to one model or to several."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.chat.rows import Row, Rows
from xcyq_magic.chat.usage import cost
from xcyq_magic.errors import IncompleteReplyError, InputError, OptionError, XcyqError, before_sending
from xcyq_magic.gateway.catalog import chain_of
from xcyq_magic.session.cases import without_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.chat.rows import Case
    from xcyq_magic.session.cases import Cases
    from xcyq_magic.session.live import LiveReply
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.session.spending import Estimate
    from xcyq_magic.session.turn import Job, Preview, TurnOptions

_LATEST = 5  # rows that a view shows while others come
_ENOUGH_FAILURES = 10  # with no answer before them, and the others are not asked
Place: TypeAlias = tuple[str, int]  # a model, and the place of a case
_NOT_ASKED = IncompleteReplyError("It was not asked.", "Run the cell again: what was answered is not asked again.")


@dataclass(frozen=True)
class Outlook:
    """What is about to be asked.

    Attributes
    ----------
    rows, models
        How many cases there are, and how many models are asked about each.
    distinct, answered
        How many different requests they make, and how many of these were answered before.
    estimate
        What the others take.
    judge
        The model that is asked which reply to each case is the best; ``""`` where the cases themselves are asked about.
    """

    rows: int
    distinct: int
    answered: int
    estimate: Estimate
    models: int = 1
    judge: str = ""

    @property
    def in_all(self) -> int:
        """How many answers there will be."""
        return self.rows * self.models

    @property
    def to_send(self) -> int:
        """How many requests are to be sent."""
        return self.distinct - self.answered

    def __str__(self) -> str:
        parts = [f"{self.rows:,} row{'s' * (self.rows != 1)}"]
        parts += [f"{self.models} models"] if self.models > 1 else []
        parts += [f"{self.distinct:,} distinct"] if self.distinct != self.in_all else []
        parts += [f"{self.answered:,} answered before"] if self.answered else []
        if self.to_send:
            parts.append(str(self.estimate))
        return " · ".join(parts)


@dataclass
class Progress:
    """How far the rows are, for a view.

    Attributes
    ----------
    outlook
        What was about to be asked.
    done, answered, failed
        Rows that have ended, those of them with a reply, and those with an error.
    prompt_tokens, completion_tokens, cost
        What the replies took so far; the cost is None where no price is set.
    latest
        The rows that ended last.
    started_at
        On the clock of `time.monotonic`.
    replies
        The replies that come, for Stop.
    rows
        Those of each model so far, in the order of the cases; None for one that has not ended.
    """

    outlook: Outlook
    replies: Sequence[LiveReply]
    rows: Mapping[str, Sequence[Row[Any] | None]]
    done: int = 0
    answered: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    latest: deque[Row[Any]] = field(default_factory=lambda: deque(maxlen=_LATEST))
    started_at: float = field(default_factory=time.monotonic)
    _sent: int = 0

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.started_at

    @property
    def waiting(self) -> int:
        """How many replies wait to be sent again."""
        return sum(r.retry is not None and not r.ended for r in self.replies)

    @property
    def left_s(self) -> float | None:
        """About how many seconds are left; None before the first answer."""
        left = self.outlook.to_send - self._sent
        return self.elapsed_s / self._sent * left if self._sent else None

    def add(self, rows: Sequence[Row[Any]]) -> None:
        """Note the rows of one request that has ended."""
        first = rows[0]
        self.done += len(rows)
        self.answered += sum(r.completion is not None for r in rows)
        self.failed += sum(r.error is not None for r in rows)
        if first.completion is None or not first.completion.cached:
            self._sent += 1
        if first.completion is not None and (usage := first.completion.usage) is not None:
            self.prompt_tokens += usage.prompt_tokens or 0
            self.completion_tokens += usage.completion_tokens or 0
        if first.cost is not None:
            self.cost = (self.cost or 0.0) + first.cost
        self.latest.extend(rows[-_LATEST:])

    def stop_if_hopeless(self) -> None:
        """Send nothing more where so many have failed, and not one was answered."""
        if self.done >= _ENOUGH_FAILURES and not self.answered:
            self.stop()

    def stop(self) -> None:
        """Send nothing more, and keep what came."""
        for reply in reversed(self.replies):  # one that is stopped gives its slot to the next, which is not sent then
            reply.stop()


@dataclass(frozen=True)
class Asked:
    """How the rows ended.

    Attributes
    ----------
    by_model
        The rows of each model, one for each case, also for those that failed or were not asked.
    error
        What the cell has to raise: the user's interrupt, a failure if not one row was answered, or what the view
        raised; None when all went well, and when a part of the rows failed.
    """

    by_model: Mapping[str, Rows[Any]]
    error: BaseException | None

    @property
    def rows(self) -> Rows[Any]:
        """The rows of the first model, or of the only one."""
        return next(iter(self.by_model.values()))

    def result(self) -> Rows[Any]:
        """Return the rows; raises `error` if there is one."""
        if self.error is not None:
            raise self.error
        return self.rows


Ended: TypeAlias = Callable[[str, int, Row[Any]], Row[Any]]


class Asking:
    """Rows that are ready to be asked.

    Parameters
    ----------
    session
        Who asks.
    cases
        What to ask about.
    message_of
        Returns the prompt of a case.
    options
        Of each request.
    models
        Who is asked, instead of the one of `options`.
    conversation
        The name of a conversation whose turns go along with each; None for none. It stays as it is.
    fresh
        Whether to ask again what was answered before.

    Attributes
    ----------
    cases
        As they are shown: without the key.
    models
        Who is asked.
    prompts
        Those of the cases, in their order.
    outlook
        What is about to be asked.
    notices
        Lines for the user about the requests.

    Raises
    ------
    InputError
        A row cannot be asked; the message names it. Nothing was sent.
    """

    def __init__(
        self,
        session: ChatSession,
        cases: Cases,
        message_of: Callable[[Case], Message],
        options: TurnOptions,
        *,
        models: Sequence[str] = (),
        conversation: str | None = None,
        fresh: bool = False,
    ) -> None:
        self._session = session
        shown = tuple(without_keys(case, session.access.hide) for case in cases.all)
        self.cases = replace(cases, all=shown)
        self._conversation = conversation
        self.options = replace(options, once=conversation is None, cached=not fresh)
        self.history = session.conversation(conversation)
        if conversation is None:  # its model and its system prompt hold, as with --once
            self.history = replace(self.history, turns=())
        session.places.check(self.history)
        self.models = [*models] or [",".join(chain_of(options.model or session.model_of(self.history)))]
        with before_sending():
            self.prompts = [self._prompt(message_of, *both) for both in zip(cases.all, shown, strict=True)]
            self._jobs = self._distinct()
            for job, _ in self._jobs.values():
                session.replay(job)
        self.outlook = self._outlook()
        told = (n for job, _ in self._jobs.values() if job.ready for n in job.ready.notices)
        self.notices = tuple(dict.fromkeys(told))
        if self.outlook.distinct == len(self.models) < self.outlook.in_all:
            same = "All rows make the same request, so it is sent once. Does the prompt use the row?"
            self.notices = (*self.notices, same)

    def preview(self) -> Preview:
        """Return what would be sent of the first row."""
        options = replace(self.options, model=self.models[0])
        return self._session.preview(self.prompts[0], options, conversation=self._conversation)

    def _prompt(self, message_of: Callable[[Case], Message], case: Case, shown: Case) -> Message:
        with self._named(shown):
            return message_of(case)

    @contextlib.contextmanager
    def _named(self, case: Case) -> Iterator[None]:
        """Have an error say which row it is about, and no key that the row holds."""
        try:
            yield
        except InputError as e:
            e.begin_with(f"Row {case.label!r}")
            e.rewrite(self._session.access.hide)
            raise

    def _distinct(self) -> dict[str, tuple[Job, list[Place]]]:
        """Return the requests by their digests, each with the models and the places of its cases."""
        found: dict[str, tuple[Job, list[Place]]] = {}
        for place, (case, prompt) in enumerate(zip(self.cases.all, self.prompts, strict=True)):
            for model in self.models:
                with self._named(case):
                    options = replace(self.options, model=model)
                    job = self._session.job(self.history, prompt, options, recorded=True, kind="row")
                found.setdefault(job.digest, (job, []))[1].append((model, place))
        return found

    def _outlook(self) -> Outlook:
        jobs = [job for job, _ in self._jobs.values() if not job.live.ended]
        estimate = self._session.spending.estimate([job.request for job in jobs])
        answered = len(self._jobs) - len(jobs)
        return Outlook(len(self.cases.all), len(self._jobs), answered, estimate, len(self.models))

    def check_limit(self, *, go: bool) -> None:
        """Refuse to send more requests than ``ChatSettings.each_limit``, unless `go`.

        Raises
        ------
        OptionError
            They are more.
        """
        most = self._session.chat.each_limit
        if self.outlook.to_send > most and not go:
            msg = (
                f"{self.outlook.to_send:,} requests are more than ChatSettings.each_limit, {most:,}; nothing was sent."
            )
            raise OptionError(msg, "Add --go (go=True) to send them all, or try a part first, such as df.head(20).")

    def ask(self, paint: Callable[[Progress], None] | None = None, ended: Ended | None = None) -> Asked:
        """Send what was not answered before, and wait for it.

        Parameters
        ----------
        paint
            Called with how far it is, on this thread, at most 20 times a second and when a reply begins.
        ended
            Called with each row that has ended, its model and its place; returns the row, with its score, say.
        """
        pairs = list(self._jobs.values())
        jobs = [job for job, _ in pairs]
        rows: dict[str, list[Row[Any] | None]] = {model: [None] * len(self.cases.all) for model in self.models}
        progress = Progress(self.outlook, [job.live for job in jobs], rows)

        def over(some: Sequence[Job]) -> None:
            for job in some:
                own = self._jobs[job.digest][1]
                if rows[own[0][0]][own[0][1]] is not None:  # after an interrupt, it is called with the same again
                    continue
                reply = job.live.completion  # one for all rows of the request: it is paid once
                found = [self._row(job, reply, model, place, ended) for model, place in own]
                for (model, place), row in zip(own, found, strict=True):
                    rows[model][place] = row
                progress.add(found)
            progress.stop_if_hopeless()

        error: BaseException | None
        try:
            over([job for job in jobs if job.live.ended])
            error = self._session.send(jobs, lambda _: paint(progress) if paint else None, over)
        except KeyboardInterrupt as interrupt:  # of a check of the user's, also before anything is sent
            error = interrupt
            progress.stop()
        over(jobs)
        index, took = self.cases.index, progress.elapsed_s
        found = {m: Rows([r for r in of if r is not None], m, index, took) for m, of in rows.items()}
        if error is None and not any(r.completion is not None for of in found.values() for r in of):
            failed = [r.error for of in found.values() for r in of]
            error = next((e for e in failed if e is not _NOT_ASKED), _NOT_ASKED)
        return Asked(found, error)

    def _row(self, job: Job, completion: Completion | None, model: str, place: int, ended: Ended | None) -> Row[Any]:
        live, case = job.live, self.cases.all[place]
        error = live.error if isinstance(live.error, XcyqError) else live.mismatch
        if error is None and (completion is None or completion.partial):
            error = _NOT_ASKED if completion is None else IncompleteReplyError("It was stopped.", "Run the cell again.")
        price = self._session.gateway.price_of(live.model)  # of a chain, of the one that answered
        spent = cost(completion.usage, price) if completion is not None else None
        if completion is not None and completion.cached and price is not None:
            spent = 0.0
        asked, media = error is not _NOT_ASKED, job.prompt.media
        data = completion.data if completion is not None else None
        row: Row[Any] = Row(case.label, case.value, completion, data, error, spent, media=media, asked=asked)
        return row if ended is None else ended(model, place, row)
