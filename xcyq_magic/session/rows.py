"""The same question about each of many cases."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.conversation import Conversation
from xcyq_magic.chat.rows import Row, Rows
from xcyq_magic.chat.usage import cost
from xcyq_magic.errors import IncompleteReplyError, InputError, OptionError, XcyqError, before_sending
from xcyq_magic.gateway.tokens import estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.chat.messages import Message
    from xcyq_magic.chat.rows import Case
    from xcyq_magic.session.cases import Cases
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.session.turn import Job, Preview, TurnOptions

_LATEST = 5  # rows that a view shows while others come
_ENOUGH_FAILURES = 10  # with no answer before them, and the others are not asked
_MILLION = 1_000_000
_NOT_ASKED = IncompleteReplyError("It was not asked.", "Run the cell again: what was answered is not asked again.")


@dataclass(frozen=True)
class Outlook:
    """What is about to be asked.

    Attributes
    ----------
    rows, distinct, answered
        How many cases there are, how many different requests they make, and how many of these were answered before.
    tokens
        About how many tokens the others take, without their replies.
    cost
        What these tokens cost; None without a price.
    """

    rows: int
    distinct: int
    answered: int
    tokens: int
    cost: float | None

    @property
    def to_send(self) -> int:
        """How many requests are to be sent."""
        return self.distinct - self.answered

    def __str__(self) -> str:
        parts = [f"{self.rows:,} row{'s' * (self.rows != 1)}"]
        parts += [f"{self.distinct:,} distinct"] if self.distinct != self.rows else []
        parts += [f"{self.answered:,} answered before"] if self.answered else []
        if self.to_send:
            tokens = f"{self.tokens / _MILLION:.1f} M" if self.tokens >= _MILLION else f"{self.tokens:,}"
            spent = "" if self.cost is None else f", cost {self.cost:.2g} and that of the replies"
            parts.append(f"about {tokens} tokens to send{spent}")
        return " · ".join(parts)


@dataclass
class Progress:
    """How far the rows are, for a view.

    Attributes
    ----------
    outlook
        What was about to be asked.
    done, failed
        Rows that have ended, and those of them with an error.
    prompt_tokens, completion_tokens, cost
        What the replies took so far; the cost is None where no price is set.
    latest
        The rows that ended last.
    started_at
        On the clock of `time.monotonic`.
    replies
        The replies that come, for Stop.
    """

    outlook: Outlook
    replies: Sequence[Any]
    done: int = 0
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
        self.failed += sum(r.error is not None for r in rows)
        if first.completion is None or not first.completion.cached:
            self._sent += 1
        if first.completion is not None and (usage := first.completion.usage) is not None:
            self.prompt_tokens += usage.prompt_tokens or 0
            self.completion_tokens += usage.completion_tokens or 0
        if first.cost is not None:
            self.cost = (self.cost or 0.0) + first.cost
        self.latest.extend(rows[-_LATEST:])

    def stop(self) -> None:
        """Send nothing more, and keep what came."""
        for reply in self.replies:
            reply.stop()


@dataclass(frozen=True)
class Asked:
    """How the rows ended.

    Attributes
    ----------
    rows
        A row for each case, also for those that failed or were not asked.
    error
        What the cell has to raise: the user's interrupt, a failure if not one row was answered, or what the view
        raised; None when all went well, and when a part of the rows failed.
    """

    rows: Rows[Any]
    error: BaseException | None

    def result(self) -> Rows[Any]:
        """Return the rows; raises `error` if there is one."""
        if self.error is not None:
            raise self.error
        return self.rows


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
    conversation
        The name of a conversation whose turns go along with each; None for none. It stays as it is.
    fresh
        Whether to ask again what was answered before.

    Attributes
    ----------
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
        conversation: str | None = None,
        fresh: bool = False,
    ) -> None:
        self._session = session
        self._cases = cases
        self._conversation = conversation
        self._options = replace(options, once=conversation is None, cached=not fresh)
        self._history = Conversation() if conversation is None else session.conversation(conversation)
        self._prices = session.gateway.price_of
        with before_sending():
            self._jobs = self._distinct(message_of)
            for job, _ in self._jobs.values():
                session.replay(job)
        self.outlook = self._outlook()
        told = (n for job, _ in self._jobs.values() if job.ready for n in job.ready.notices)
        self.notices = tuple(dict.fromkeys(told))
        if self.outlook.distinct == 1 < self.outlook.rows:
            same = "All rows make the same request, which is sent once: does the prompt name {{ row }}?"
            self.notices = (*self.notices, same)

    def preview(self) -> Preview:
        """Return what would be sent of the first row."""
        first = next(iter(self._jobs.values()))[0]
        return self._session.preview(first.prompt, self._options, conversation=self._conversation)

    def _distinct(self, message_of: Callable[[Case], Message]) -> dict[str, tuple[Job, list[int]]]:
        """Return the requests by their digests, each with the places of its cases."""
        found: dict[str, tuple[Job, list[int]]] = {}
        for place, case in enumerate(self._cases.all):
            try:
                job = self._session.job(self._history, message_of(case), self._options, recorded=True)
            except InputError as e:
                e.message = f"Row {case.label!r}: {e.message}"
                raise
            found.setdefault(job.digest, (job, []))[1].append(place)
        return found

    def _outlook(self) -> Outlook:
        jobs = [job for job, _ in self._jobs.values() if not job.live.ended]
        tokens = sum(
            estimated_tokens(part, job.live.model) or 0
            for job in jobs
            for message in job.request.messages
            for part in message.parts
        )
        model = next(iter(self._jobs.values()))[0].live.model
        price = self._prices(model)
        spent = None if price is None else tokens * price.prompt / _MILLION
        return Outlook(len(self._cases.all), len(self._jobs), len(self._jobs) - len(jobs), tokens, spent)

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

    def ask(self, paint: Callable[[Progress], None] | None = None) -> Asked:
        """Send what was not answered before, and wait for it.

        Parameters
        ----------
        paint
            Called with how far it is, on this thread, at most 20 times a second and when a reply begins.
        """
        pairs = list(self._jobs.values())
        jobs = [job for job, _ in pairs]
        places = {job.digest: cases for job, cases in pairs}
        progress = Progress(self.outlook, [job.live for job in jobs])
        rows: list[Row[Any] | None] = [None] * len(self._cases.all)

        def ended(over: Sequence[Job]) -> None:
            for job in over:
                own = places[job.digest]
                fresh = rows[own[0]] is None
                for place in own:
                    rows[place] = self._row(job, place)
                if fresh:  # an interrupt may have it called twice
                    progress.add([row for place in own if (row := rows[place]) is not None])
            if progress.failed >= _ENOUGH_FAILURES and progress.failed == progress.done:
                progress.stop()

        ended([job for job in jobs if job.live.ended])
        error = self._session.send(jobs, lambda _: paint(progress) if paint else None, ended)
        ended([job for job in jobs if rows[places[job.digest][0]] is None])
        all_rows = [row for row in rows if row is not None]
        found = Rows(all_rows, jobs[0].live.model, self._cases.index, progress.elapsed_s)
        if error is None and len(found.failed) == len(found):
            error = found[0].error
        return Asked(found, error)

    def _row(self, job: Job, place: int) -> Row[Any]:
        live, case = job.live, self._cases.all[place]
        completion = live.completion
        error = live.error if isinstance(live.error, XcyqError) else None
        if error is None and (completion is None or completion.partial):
            error = _NOT_ASKED if completion is None else IncompleteReplyError("It was stopped.", "Run the cell again.")
        spent = 0.0 if completion is not None and completion.cached else None
        if completion is not None and completion.usage is not None:
            spent = cost(completion.usage, self._prices(live.model))
        return Row(
            case.label, case.value, completion, None, error, spent, job.prompt.media, asked=error is not _NOT_ASKED
        )
