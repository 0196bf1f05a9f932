"""The check of pools: each is sent a few small requests, and what came back is held against what was asked."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xcyq_magic.chat.checks import ASPECTS, CheckReport, Finding, PoolCheck
from xcyq_magic.chat.usage import cost
from xcyq_magic.errors import OptionError, XcyqError, before_sending
from xcyq_magic.gateway.catalog import models_named
from xcyq_magic.session.probes import probes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from xcyq_magic.chat.checks import Figures
    from xcyq_magic.session.live import LiveReply
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.session.turn import Job

_MILLION = 1_000_000


@dataclass(frozen=True)
class CheckOutlook:
    """What is about to be sent.

    Attributes
    ----------
    pools, requests
        How many there are.
    tokens
        About how many tokens the requests and their answers take together.
    cost
        What these cost; None without a price.
    """

    pools: int
    requests: int
    tokens: int
    cost: float | None

    def __str__(self) -> str:
        pools = f"{self.pools:,} pool{'s' * (self.pools != 1)}"
        spent = "" if self.cost is None else f" · cost about {self.cost:.2g}"
        return f"{pools} · {self.requests:,} requests · about {self.tokens:,} tokens{spent}"


@dataclass
class CheckProgress:
    """How far a check is, for a view.

    Attributes
    ----------
    outlook
        What was about to be sent.
    pools
        What was seen so far, in the order of the pools.
    looked_at
        The names of the aspects that are looked at.
    replies
        The replies that come, for Stop.
    started_at
        On the clock of `time.monotonic`.
    """

    outlook: CheckOutlook
    pools: list[PoolCheck]
    looked_at: tuple[str, ...]
    replies: Sequence[LiveReply]
    started_at: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.started_at

    @property
    def report(self) -> CheckReport:
        """What was seen so far."""
        return CheckReport(tuple(self.pools), self.elapsed_s, self.looked_at)

    def stop(self) -> None:
        """Send nothing more, and keep what came."""
        for reply in self.replies:
            reply.stop()


@dataclass(frozen=True)
class Checked:
    """How a check ended.

    Attributes
    ----------
    report
        What was seen, also of a part.
    error
        What the cell has to raise: the user's interrupt, or what the view raised; None when all went well. What a pool
        fails with is in its row.
    """

    report: CheckReport
    error: BaseException | None


class Checking:
    """A check of pools that is ready to be sent.

    Parameters
    ----------
    session
        Who asks.
    words
        Names, parts of names, patterns and braces.
    deep
        Whether to ask for a `response_format`, too.

    Attributes
    ----------
    models
        The pools.
    outlook
        What is about to be sent.
    notice
        A line on who can read what is sent; None where that was said.

    Raises
    ------
    InputError
        There is no key, or no pool is meant. Nothing was sent.
    """

    def __init__(self, session: ChatSession, words: Sequence[str], *, deep: bool = False) -> None:
        self._session = session
        if not words:
            msg = "A check needs the names of pools, or a pattern; nothing was sent."
            raise OptionError(msg, "For example: %chat_models --check claude-opus-4-7* (an asterisk alone is for all).")
        session.access.key()
        self.notice = session.access.route_notice()
        self.models = models_named(words, lambda: session.models(anew=False))
        with before_sending():
            self._probes = {model: probes_of(session, model, deep=deep) for model in self.models}
        # Of the list of models it is not known yet whether there is one.
        self._looked_at = tuple(n for n, a in ASPECTS.items() if n != "listed" and (deep or not a.deep))
        self.outlook = self._outlook()

    def _outlook(self) -> CheckOutlook:
        probes = [probe for of in self._probes.values() for probe in of]
        priced = [(p, price) for p in probes if (price := self._session.gateway.price_of(p.job.request.model))]
        spent = sum(p.sent * price.prompt + p.expected * price.completion for p, price in priced) / _MILLION
        tokens = sum(p.sent + p.expected for p in probes)
        return CheckOutlook(len(self.models), len(probes), tokens, spent if priced else None)

    def check(self, paint: Callable[[CheckProgress], None] | None = None) -> Checked:
        """Send the requests, and wait for their answers.

        Parameters
        ----------
        paint
            Called with how far it is, on this thread, at most 20 times a second.
        """
        session, listed = self._session, self._session.listed()
        earlier = session.conversations.books.earlier_checks(session.places.here, self.models)
        by_reply = {probe.job.live: model for model, of in self._probes.items() for probe in of}
        jobs = [probe.job for of in self._probes.values() for probe in of]
        progress = CheckProgress(
            self.outlook, [PoolCheck(model) for model in self.models], self._looked_at, [*by_reply]
        )

        def over(some: Sequence[Job]) -> None:
            for model in dict.fromkeys(by_reply[job.live] for job in some):
                progress.pools[self.models.index(model)] = self._seen(model, listed, earlier)

        error = session.send(jobs, lambda _: paint(progress) if paint else None, over)
        over(jobs)
        session.conversations.books.record_checks(session.places.here, [pool for pool in progress.pools if pool.whole])
        return Checked(progress.report, error)

    def _seen(self, model: str, listed: Collection[str], earlier: Mapping[str, Sequence[Figures]]) -> PoolCheck:
        """Return what was seen of a pool until now."""
        probes = [probe for probe in self._probes[model] if probe.job.live.ended]
        check = PoolCheck(model, whole=len(probes) == len(self._probes[model]))
        findings: dict[str, Finding] = {}
        for probe in probes:
            live = probe.job.live
            completion = live.completion
            if completion is not None and completion.partial is None:
                findings |= probe.read(completion)
            if completion is not None and completion.usage is not None:
                spent = cost(completion.usage, self._session.gateway.price_of(model))
                total = check.cost if spent is None else (check.cost or 0.0) + spent
                check = replace(check, usage=check.usage.plus(completion.usage), cost=total)
            if live.state == "stopped":
                check = replace(check, whole=False)
            elif isinstance(live.error, XcyqError) and check.error is None:
                check = replace(check, error=live.error)
        failed = check.error is not None and not findings
        if findings or failed:
            findings["reachable"] = Finding(kept=not failed)
        if listed:
            findings["listed"] = Finding(kept=model in listed)
        return replace(check, findings=findings).beside(earlier.get(model, ()))
