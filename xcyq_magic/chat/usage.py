"""What requests took: the ledger's entries, their sums by model, day, notebook or kind, and what tokens cost."""

from __future__ import annotations

import importlib
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

from xcyq_magic.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xcyq_magic.chat.completion import Completion, Usage


By: TypeAlias = Literal["model", "day", "notebook", "kind"]
BY: tuple[By, ...] = get_args(By)

_MILLION = 1_000_000
_LEAST_S = 0.1  # what comes within less was sent at once, and its pace is that of the network
_COST_DIGITS = 4


class LedgerEntry(NamedTuple):
    """One request that was sent, and what its answer took.

    Attributes
    ----------
    id
        Its own, in every store.
    asked_at
        When it was sent, in Unix seconds.
    kernel
        Who sent it: a process, and a session within it.
    notebook
        The path of its notebook; None where there is none.
    kind
        What asked: a turn, once, a column, a judge, a row, …
    model, answered_by
        The model that was asked, and the one that says it answered.
    prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens
        As the gateway counted them; None where it did not say.
    cost
        At the price of then; None where there was none, or no count.
    estimate
        What it was thought to cost before it was sent; None without a price.
    first_token_s, duration_s
        Seconds to the first content, None where it came in one piece, and to the end.
    ended
        ``done``, ``stopped`` or ``failed``; ``""`` where no part of an answer came, so that it is no entry; None while
        it is on its way.
    offline
        Whether it went to the sandbox, where nothing costs anything.
    """

    id: str
    asked_at: float
    kernel: str
    notebook: str | None
    kind: str
    model: str
    answered_by: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    estimate: float | None = None
    first_token_s: float | None = None
    duration_s: float = 0.0
    ended: str | None = None
    offline: bool = False

    @property
    def counted(self) -> bool:
        """Whether the gateway counted its tokens."""
        return self.prompt_tokens is not None or self.completion_tokens is not None

    def cost_at(self, price_of: Callable[[str], Price | None]) -> float | None:
        """Return what it cost: at the price of then, or at that of now if it had none."""
        return cost(self, price_of(self.model)) if self.cost is None else self.cost

    def key(self, by: By) -> str:
        """Return the row of a report that it belongs to."""
        if by == "day":
            return time.strftime("%Y-%m-%d", time.localtime(self.asked_at))
        return {"model": self.model, "notebook": self.notebook or "no notebook", "kind": self.kind}[by]


@dataclass(frozen=True)
class UsageRow:
    """What some requests took.

    Attributes
    ----------
    name
        The model that was asked, the day, the notebook or the kind; ``""`` for all.
    requests, counted
        How many were answered, and of how many the gateway counted the tokens.
    prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens
        Of those, in all.
    duration_s
        Seconds from the requests to the replies' ends, in all.
    first_token_s
        Seconds to the first content, on average; None where no reply came in deltas.
    cost
        Of the tokens that were counted and have a price, in the currency of the prices; None where there is none.
    answered_by
        The models that say they answered, by name.
    """

    name: str
    requests: int
    counted: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    duration_s: float
    first_token_s: float | None
    cost: float | None
    answered_by: tuple[str, ...]

    @classmethod
    def of(cls, name: str, entries: Sequence[LedgerEntry], costs: Sequence[float | None]) -> UsageRow:
        """Return the sum of `entries`.

        Parameters
        ----------
        name
            The name of the row.
        entries
            What each request took.
        costs
            What each cost; None if that is not known.
        """
        firsts = [e.first_token_s for e in entries if e.first_token_s is not None]
        known = [c for c in costs if c is not None]
        return cls(
            name,
            len(entries),
            sum(e.counted for e in entries),
            sum(e.prompt_tokens or 0 for e in entries),
            sum(e.completion_tokens or 0 for e in entries),
            sum(e.cached_tokens or 0 for e in entries),
            sum(e.reasoning_tokens or 0 for e in entries),
            sum(e.duration_s for e in entries),
            sum(firsts) / len(firsts) if firsts else None,
            sum(known) if known else None,
            tuple(sorted({e.answered_by for e in entries})),
        )


@dataclass(frozen=True)
class UsageReport:
    """What requests took, by model, day, notebook or kind.

    Attributes
    ----------
    of
        Whose requests they are, such as ``this notebook``.
    by
        What the rows are.
    rows
        A sum for each: days in their order, of others the one with the most tokens first.
    total
        The sum of all.
    unpriced
        The models whose tokens were counted and have no price.
    unknown
        How many requests were on their way when their kernel ended.

    Examples
    --------
    >>> spent.to_frame().sort_values("cost")     # doctest: +SKIP
    """

    of: str
    by: By
    rows: tuple[UsageRow, ...]
    total: UsageRow
    unpriced: tuple[str, ...] = ()
    unknown: int = 0

    @classmethod
    def of_entries(
        cls,
        of: str,
        entries: Iterable[LedgerEntry],
        price_of: Callable[[str], Price | None],
        *,
        by: By = "model",
        unknown: int = 0,
    ) -> UsageReport:
        """Return the report on requests that were answered.

        Parameters
        ----------
        of
            Whose requests they are.
        entries
            What each took.
        price_of
            Gives the price of a model; None if it has none.
        by
            What the rows are to be.
        unknown
            How many requests were on their way when their kernel ended.
        """
        each = [(entry, entry.cost_at(price_of)) for entry in entries]
        groups: dict[str, list[tuple[LedgerEntry, float | None]]] = {}
        for pair in each:
            groups.setdefault(pair[0].key(by), []).append(pair)
        rows = [UsageRow.of(name, *_columns(pairs)) for name, pairs in groups.items()]
        rows.sort(key=lambda r: (0 if by == "day" else -r.prompt_tokens - r.completion_tokens, r.name))
        unpriced = sorted({entry.model for entry, spent in each if entry.counted and spent is None})
        return cls(of, by, tuple(rows), UsageRow.of("", *_columns(each)), tuple(unpriced), unknown)

    def to_frame(self) -> Any:  # noqa: ANN401  # pandas is imported for whoever has it, and not for its types
        """Return a ``pandas.DataFrame`` with a row for each: requests, tokens, seconds, cost."""
        pd = pandas()
        fields = [name for name in UsageRow.__dataclass_fields__ if name != "name"]
        index = pd.Index([r.name for r in self.rows], name=self.by)
        rows = [{**asdict(r), "answered_by": ", ".join(r.answered_by)} for r in self.rows]
        frame = pd.DataFrame(rows, index=index, columns=fields)
        return frame.astype({"first_token_s": float, "cost": float})  # a column of None alone would be one of objects


def _columns(
    pairs: Sequence[tuple[LedgerEntry, float | None]],
) -> tuple[list[LedgerEntry], list[float | None]]:
    return [entry for entry, _ in pairs], [spent for _, spent in pairs]


class Price(NamedTuple):
    """What a million tokens cost, in the user's currency: of the prompt, of the reply, and of the prompt if cached."""

    prompt: float
    completion: float
    cached: float | None = None  # as the others of the prompt


def pandas() -> Any:  # noqa: ANN401  # it is imported for whoever has it, and not for its types
    """Return the module ``pandas``, for a table of figures.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return importlib.import_module("pandas")
    except ModuleNotFoundError as e:
        msg = f"A table needs {e.name}, which is not installed here."
        raise InputError(msg, f"Type %pip install {e.name} and run the cell again.") from None


def tokens_per_s(completion: Completion) -> float | None:
    """Return tokens of the reply a second, from its first content to its end.

    None where the gateway did not count, or the reply came at once: then nobody saw its pace.
    """
    count = completion.usage.completion_tokens if completion.usage else None
    if count is None or completion.first_token_s is None:
        return None
    return tokens_within(count, completion.duration_s - completion.first_token_s)


def tokens_within(count: int, seconds: float) -> float | None:
    """Return `count` tokens within so many seconds as tokens a second; None if they came at once."""
    return count / seconds if seconds >= _LEAST_S else None


def cost(usage: Usage | LedgerEntry | None, price: Price | None) -> float | None:
    """Return what the tokens cost; None without a price or a count."""
    if usage is None or price is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    cached = 0 if price.cached is None else min(usage.cached_tokens or 0, usage.prompt_tokens)
    spent = (usage.prompt_tokens - cached) * price.prompt + cached * (price.cached or 0.0)
    return (spent + usage.completion_tokens * price.completion) / _MILLION


def amount(value: float) -> str:
    """Return a cost in the user's currency, without its sign: four decimals, or two digits of a smaller one."""
    digits = 1 - math.floor(math.log10(value)) if 0 < value < 1 else 0
    return f"{value:.{max(_COST_DIGITS, digits)}f}"
