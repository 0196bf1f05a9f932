"""A comparison of models over many cases: what each answered, how it scored, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.rows import Row, Rows
from xcyq_magic.chat.scores import LEVEL, Score, chance_of, holm, score_of
from xcyq_magic.chat.usage import pandas

if TYPE_CHECKING:
    from collections.abc import Sequence

_THOUSAND = 1_000


@dataclass(frozen=True)
class ModelScore:
    """How one model did over all cases.

    Attributes
    ----------
    model
        Its name.
    score
        The mean of what its replies got; None where nothing was scored.
    cost_of_1000
        What 1,000 such cases cost; None where no price is set.
    first_token_s, duration_s
        The medians, in seconds, of the replies that were not kept ones; None where there are none.
    failed
        How many cases have an error.
    """

    model: str
    score: Score | None
    cost_of_1000: float | None
    first_token_s: float | None
    duration_s: float | None
    failed: int


@dataclass(frozen=True)
class Difference:
    """Two models, and how likely equal ones would differ as much, 0 to 1, over the `count` cases scored for both.

    Where there are several pairs, the chance is corrected by Holm's method.
    """

    one: str
    other: str
    count: int
    chance: float

    @property
    def may_be_chance(self) -> bool:
        """Whether these cases are too few, or too alike, to tell the two apart."""
        return self.chance >= LEVEL


class Evaluation(Mapping[str, Rows[Any]]):
    """What several models answered to the same cases: a mapping of each model to its rows.

    How they did is computed once: the intervals and tests of 1,000 cases take about a second.

    Parameters
    ----------
    rows
        Those of each model, one for each case.
    scored_by
        The name of the check, or of the judge; ``""`` where nothing was scored.
    judged
        Whether a judge scored it.

    Examples
    --------
    >>> found.to_frame().groupby("model").score.mean()   # doctest: +SKIP
    """

    def __init__(self, rows: Mapping[str, Rows[Any]], scored_by: str = "", *, judged: bool = False) -> None:
        self._rows = dict(rows)
        self.scored_by = scored_by
        self.judged = judged

    def __getitem__(self, model: str) -> Rows[Any]:
        """Return the rows of a model."""
        return self._rows[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<Evaluation: {len(self)} models, {len(self.cases):,} cases>"

    @property
    def cases(self) -> Sequence[Row[Any]]:
        """The rows of the first model: each has its case and its label."""
        return next(iter(self._rows.values()), Rows(()))

    @cached_property
    def models(self) -> list[ModelScore]:
        """How each model did, the best first; in the order asked where nothing was scored."""
        found = [_model_score(model, rows, shares=self.judged) for model, rows in self._rows.items()]
        return sorted(found, key=lambda m: -m.score.mean if m.score else float("inf"))

    @cached_property
    def in_shares(self) -> bool:
        """Whether the scores are shares, 0 to 1: of yes and no, or of what a judge found the best."""
        scores = [m.score for m in self.models if m.score]
        return bool(scores) and all(s.is_share for s in scores)

    @cached_property
    def differences(self) -> list[Difference]:
        """Each pair of models whose scores can be compared, the best first."""
        found = [self._difference(a.model, b.model) for a, b in combinations([m for m in self.models if m.score], 2)]
        tested = [d for d in found if d.count]
        chances = holm([d.chance for d in tested])
        return [Difference(d.one, d.other, d.count, p) for d, p in zip(tested, chances, strict=True)]

    def _difference(self, one: str, other: str) -> Difference:
        pairs = [
            (a.score, b.score)
            for a, b in zip(self[one], self[other], strict=True)
            if a.score is not None and b.score is not None
        ]
        return Difference(one, other, len(pairs), chance_of([a for a, _ in pairs], [b for _, b in pairs]))

    @cached_property
    def disagreements(self) -> list[dict[str, Row[Any]]]:
        """The cases whose models got different scores, or, unscored, gave different answers: their rows by model."""
        cases = [dict(zip(self._rows, rows, strict=True)) for rows in zip(*self._rows.values(), strict=True)]
        return [case for case in cases if _differ([*case.values()], scored=bool(self.scored_by))]

    def to_frame(self) -> Any:  # noqa: ANN401  # pandas is imported for whoever has it, and not for its types
        """Return a ``pandas.DataFrame`` with a row for each model and case.

        A field of the answers that is called as another column, such as ``score``, is ``reply_score`` there.
        """
        records = [
            row.columns(
                model=model,
                case=row.label,
                score=row.score,
                error=None if row.error is None else row.error.message,
                first_token_s=row.completion.first_token_s if row.completion is not None else None,
                duration_s=row.completion.duration_s if row.completion is not None else None,
                cost=row.cost,
            )
            for model, rows in self._rows.items()
            for row in rows
        ]
        frame = pandas().DataFrame(records)
        first = ["model", "case"]
        last = ["score", "error", "first_token_s", "duration_s", "cost"]
        return frame[[*first, *(c for c in frame if c not in {*first, *last}), *last]]


def _model_score(model: str, rows: Rows[Any], *, shares: bool) -> ModelScore:
    costs = [r.cost for r in rows if r.cost is not None and r.completion is not None and not r.completion.cached]
    sent = [r.completion for r in rows if r.completion is not None and not r.completion.cached]
    firsts = [c.first_token_s for c in sent if c.first_token_s is not None]
    return ModelScore(
        model,
        score_of([r.score for r in rows if r.score is not None], shares=shares),
        _THOUSAND * sum(costs) / len(costs) if costs else None,
        median(firsts) if firsts else None,
        median(c.duration_s for c in sent) if sent else None,
        len(rows.failed),
    )


def _differ(rows: Sequence[Row[Any]], *, scored: bool) -> bool:
    if scored:
        return len({r.score for r in rows if r.score is not None}) > 1
    answers = [r.text.strip() if r.data is None else r.data for r in rows if r.completion is not None]
    return any(answer != answers[0] for answer in answers)
