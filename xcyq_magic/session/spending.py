"""What requests cost: estimated before they are sent, held to the day's budget, and written to the ledger."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcyq_magic.chat.completion import Usage
from xcyq_magic.chat.usage import LedgerEntry, amount, cost
from xcyq_magic.errors import BudgetError, InputError
from xcyq_magic.gateway.tokens import prompt_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.gateway.attempt import Sink
    from xcyq_magic.gateway.client import Exchange
    from xcyq_magic.gateway.request import ChatRequest
    from xcyq_magic.session.live import LiveReply, Send
    from xcyq_magic.session.notebook import Conversations
    from xcyq_magic.session.settings import ChatSettings, GatewaySettings
    from xcyq_magic.session.turn import Job

_MILLION = 1_000_000


@dataclass(frozen=True)
class Estimate:
    """What requests are about to take.

    Attributes
    ----------
    tokens
        About how many tokens are to be sent.
    cost
        What these and their replies cost; None where none of the models has a price.
    with_replies
        Whether the cost has all replies in it: of some, nobody knows how long they will be.
    unpriced
        The models that have no price, so that they are not in the cost.
    """

    tokens: int
    cost: float | None
    with_replies: bool = True
    unpriced: tuple[str, ...] = ()

    def __str__(self) -> str:
        tokens = f"{self.tokens / _MILLION:.1f} M" if self.tokens >= _MILLION else f"{self.tokens:,}"
        return f"about {tokens} token{'s' * (self.tokens != 1)} to send{self.priced}"

    @property
    def priced(self) -> str:
        """The cost, to stand behind the tokens; ``""`` without a price."""
        if self.cost is None:
            return ""
        replies = "with the replies" if self.with_replies else "and that of the replies"
        without = f", without {', '.join(self.unpriced)}, which no price is set for" if self.unpriced else ""
        return f", cost about {amount(self.cost)} {replies}{without}"


class Spending:
    """What one session's requests cost.

    Parameters
    ----------
    gateway, chat
        The settings: the prices, and the budget.
    conversations
        Where the ledger is kept.
    offline
        Whether the sandbox answers now. What it would cost counts in the sandbox alone, where a budget can be tried.
    """

    def __init__(
        self,
        gateway: GatewaySettings,
        chat: ChatSettings,
        conversations: Conversations,
        offline: Callable[[], bool] = lambda: False,
    ) -> None:
        self._offline = offline
        self._gateway = gateway
        self._chat = chat
        self._conversations = conversations
        self._told: set[str] = set()  # the models that were said to be in no budget

    def estimate(self, requests: Sequence[ChatRequest]) -> Estimate:
        """Return what requests are about to take, by the prices of now."""
        means: dict[str, float | None] = {}
        found = [self._estimate(request, means) for request in requests]
        costs = [spent for _, spent, _ in found if spent is not None]
        unpriced = dict.fromkeys(r.model for r, (_, spent, _) in zip(requests, found, strict=True) if spent is None)
        return Estimate(
            sum(tokens for tokens, _, _ in found),
            sum(costs) if costs else None,
            all(known for _, spent, known in found if spent is not None),
            tuple(unpriced),
        )

    def _estimate(self, request: ChatRequest, means: dict[str, float | None]) -> tuple[int, float | None, bool]:
        """Return the tokens to send, what they and the reply cost, and whether it is known how long that will be.

        Parameters
        ----------
        request
            The request.
        means
            The mean length of a model's replies, by its name; those that are missing are added.
        """
        model, price = request.model, self._gateway.price_of(request.model)
        tokens = prompt_tokens(request.messages, model)
        if price is None:
            return tokens, None, False
        reply: float | None = request.parameters.max_tokens
        if reply is None:
            if model not in means:
                means[model] = self._conversations.books.mean_completion(model, offline=self._offline())
            reply = means[model]
        return tokens, cost(Usage(tokens, round(reply or 0)), price), reply is not None

    def check(self, jobs: Sequence[Job]) -> None:
        """Refuse what would pass the day's budget, and note what each request is thought to cost.

        Raises
        ------
        BudgetError
            It would. Nothing was sent.
        """
        means: dict[str, float | None] = {}
        to_send = [job for job in jobs if not job.live.ended]
        for job in to_send if self._gateway.prices else ():
            job.estimate = self._estimate(job.request, means)[1]
        budget = self._chat.budget
        if budget is None:
            return
        takes = sum(job.estimate or 0.0 for job in to_send)
        spent = self._conversations.books.spent_since(_midnight(), self._gateway.price_of, offline=self._offline())
        left = max(0.0, budget - spent)
        if takes > left:
            what = "This request" if len(to_send) == 1 else f"These {len(to_send):,} requests"
            msg = (
                f"{what} would cost about {amount(takes)}, and {amount(left)} of today's budget of {budget:g} is left; "
                "nothing was sent."
            )
            way_on = "%config ChatSettings.budget = … raises it, None ends it; --max-tokens bounds a reply."
            raise BudgetError(msg, f"{way_on} %chat_usage --all --by day shows what was spent.")
        for job in to_send:
            model = job.request.model
            if job.estimate is None and model not in self._told:
                self._told.add(model)
                job.live.notices.append(
                    f"{model} does not count towards the budget: GatewaySettings.prices has no price for it."
                )

    def entered(self, job: Job, request: ChatRequest, send: Send) -> Send:
        """Return what begins the ledger's entry of a request, and then sends it.

        Parameters
        ----------
        job
            Whose request it is; what it sent before has ended.
        request
            The request.
        send
            Sends it. It raises `InputError` if it cannot be sent.
        """

        def enter(sink: Sink) -> Exchange:
            before = [self._ended(job, job.entry)] if job.entry else []
            if before and before[0].ended:
                self.check([job])
            self._begin(job, request, before)
            try:
                return send(sink)
            except InputError:
                if job.entry is not None:
                    self._conversations.record((), [job.entry._replace(ended="")])
                    job.entry = None
                raise

        return enter

    def _begin(self, job: Job, request: ChatRequest, before: Sequence[LedgerEntry]) -> None:
        job.entry_began_s = job.live.elapsed_s if before else 0.0
        where = self._conversations.books.kernel, self._conversations.path
        entry = LedgerEntry(secrets.token_hex(8), time.time(), *where, job.kind, request.model, request.model)
        job.entry = entry._replace(estimate=job.estimate, offline=self._offline())
        self._conversations.books.enter(*before, job.entry)

    def end(self, jobs: Sequence[Job]) -> None:
        """Write how requests ended, and in the same transaction the turns that are kept in no conversation."""
        turns = [job.turn for job in jobs if job.recorded and job.turn]
        self._conversations.record(turns, [self._ended(job, job.entry) for job in jobs if job.entry is not None])
        for job in jobs:
            job.entry = None

    def settle(self, jobs: Sequence[Job]) -> None:
        """Do what `end` does for those that have no end yet, because a second interrupt came amid it."""
        if left := [job for job in jobs if job.entry is not None]:
            self.end(left)

    @staticmethod
    def _ended_as(live: LiveReply) -> str:
        """Return how the request of a reply ended; ``""`` if no part of an answer came."""
        if live.builder.empty and live.builder.usage is None and live.state != "done":
            return ""
        return live.state if live.ended else "done"  # a second request follows

    def _ended(self, job: Job, entry: LedgerEntry) -> LedgerEntry:
        live = job.live
        builder = live.builder
        usage = builder.counted or Usage()
        second = job.entry_began_s > 0
        return entry._replace(
            model=live.model,  # of a chain, the one that was asked in the end
            answered_by=builder.model or live.model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost=cost(usage, self._gateway.price_of(live.model)),
            first_token_s=live.first_token_s if job.request.stream and not second else None,
            duration_s=live.elapsed_s - job.entry_began_s,
            ended=self._ended_as(live),
        )


def _midnight() -> float:
    """Return when today began here, in Unix seconds."""
    now = time.localtime()
    return time.mktime((now.tm_year, now.tm_mon, now.tm_mday, 0, 0, 0, 0, 0, -1))
