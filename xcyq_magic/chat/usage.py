"""What replies took, by the model that was asked: turns, tokens, seconds and cost."""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from xcyq_magic.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xcyq_magic.chat.completion import Completion, Usage


_MILLION = 1_000_000
_LEAST_S = 0.1  # what comes within less was sent at once, and its pace is that of the network


class ReplyUsage(NamedTuple):
    """What one reply took, of the model that was asked, and which one answered.

    Two replies never take the same time to the last digit: what is equal is one reply, taken from the store again.
    """

    model: str
    usage: Usage | None
    first_token_s: float | None
    duration_s: float
    answered_by: str

    @classmethod
    def of(cls, completion: Completion) -> ReplyUsage:
        """Return what `completion` took, of the model that was asked."""
        times = completion.first_token_s, completion.duration_s
        return cls(completion.requested_model, completion.usage, *times, completion.model)


@dataclass(frozen=True)
class ModelUsage:
    """What the replies of one model took, or of all.

    Attributes
    ----------
    model
        The model that was asked; ``""`` for all.
    turns, counted
        How many replies there are, and of how many the gateway counted the tokens.
    prompt_tokens, completion_tokens
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

    model: str
    turns: int
    counted: int
    prompt_tokens: int
    completion_tokens: int
    duration_s: float
    first_token_s: float | None
    cost: float | None
    answered_by: tuple[str, ...]

    @classmethod
    def of(cls, model: str, spent: Sequence[ReplyUsage], price_of: Callable[[str], Price | None]) -> ModelUsage:
        """Return the sum of `spent`, which may be of several models.

        Parameters
        ----------
        model
            The name of the row.
        spent
            What each reply took.
        price_of
            Gives the price of a model; None if it has none.
        """
        usages = [s.usage for s in spent if s.usage is not None]
        firsts = [s.first_token_s for s in spent if s.first_token_s is not None]
        costs = [c for s in spent if (c := cost(s.usage, price_of(s.model))) is not None]
        return cls(
            model,
            len(spent),
            len(usages),
            sum(u.prompt_tokens or 0 for u in usages),
            sum(u.completion_tokens or 0 for u in usages),
            sum(s.duration_s for s in spent),
            sum(firsts) / len(firsts) if firsts else None,
            sum(costs) if costs else None,
            tuple(sorted({s.answered_by for s in spent})),
        )


@dataclass(frozen=True)
class UsageReport:
    """What replies took, by model.

    Attributes
    ----------
    of
        Whose replies they are, such as ``main``.
    models
        A sum for each model, the one with the most tokens first.
    total
        The sum of all.

    Examples
    --------
    >>> spent.to_frame().sort_values("cost")     # doctest: +SKIP
    """

    of: str
    models: tuple[ModelUsage, ...]
    total: ModelUsage

    @classmethod
    def from_replies(
        cls, of: str, replies: Iterable[ReplyUsage], price_of: Callable[[str], Price | None]
    ) -> UsageReport:
        """Return the report on `replies`, each once.

        Parameters
        ----------
        of
            Whose replies they are: the conversation, or all.
        replies
            What each reply took.
        price_of
            Gives the price of a model; None if it has none.
        """
        each = [reply for reply in dict.fromkeys(replies) if reply.model]  # those of a file without models cost nothing
        by_model: dict[str, list[ReplyUsage]] = {}
        for spent in each:
            by_model.setdefault(spent.model, []).append(spent)
        models = [ModelUsage.of(model, spent, price_of) for model, spent in by_model.items()]
        models.sort(key=lambda m: (-m.prompt_tokens - m.completion_tokens, m.model))
        return cls(of, tuple(models), ModelUsage.of("", each, price_of))

    def to_frame(self) -> Any:  # noqa: ANN401  # pandas is imported for whoever has it, and not for its types
        """Return a ``pandas.DataFrame`` with a row for each model: turns, tokens, seconds, cost."""
        pd = pandas()
        fields = [name for name in ModelUsage.__dataclass_fields__ if name != "model"]
        index = pd.Index([m.model for m in self.models], name="model")
        rows = [{**asdict(m), "answered_by": ", ".join(m.answered_by)} for m in self.models]
        frame = pd.DataFrame(rows, index=index, columns=fields)
        return frame.astype({"first_token_s": float, "cost": float})  # a column of None alone would be one of objects


class Price(NamedTuple):
    """What a million tokens cost, in the user's currency: those of the prompt, and those of the reply."""

    prompt: float
    completion: float


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


def cost(usage: Usage | None, price: Price | None) -> float | None:
    """Return what the tokens cost; None without a price or a count."""
    if usage is None or price is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    return (usage.prompt_tokens * price.prompt + usage.completion_tokens * price.completion) / _MILLION
