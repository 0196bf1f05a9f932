"""How sure a score is, and whether a difference between two may be chance. No I/O.

A share of yes and no has Wilson's interval, https://doi.org/10.1080/01621459.1927.10502953, and McNemar's exact test,
https://doi.org/10.1007/BF02295996. The mean of numbers has the interval of a bootstrap, and a test that flips signs.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL = 0.05  # below which a difference is not put down to chance
_SAMPLES = 2_000  # of a bootstrap
_FLIPS = 1_999  # of a test, where all that there are would be more
_FEW = 12  # pairs, of which all flips are tried
_ENOUGH = 3  # values of a bootstrap


@dataclass(frozen=True)
class Score:
    """A mean, and where it lies in 95 of 100 such samples.

    Attributes
    ----------
    count
        How many cases were scored.
    mean
        The share of yes, 0 to 1, or the mean of numbers.
    low, high
        The ends of its 95 % interval; the mean itself for fewer than three numbers.
    is_share
        Whether it is one of yes and no.
    """

    count: int
    mean: float
    low: float
    high: float
    is_share: bool


def score_of(values: Sequence[float], *, shares: bool = False) -> Score | None:
    """Return the score of what each case got; None where there is none.

    Parameters
    ----------
    values
        Bools or numbers.
    shares
        Whether numbers are parts of a yes, 0 to 1, as a judge gives them.
    """
    if not values:
        return None
    mean, shares = fmean(values), shares or all(isinstance(v, bool) for v in values)
    low, high = _wilson(sum(values), len(values)) if shares else _bootstrap(values)
    return Score(len(values), mean, low, high, shares)


def _wilson(yes: float, count: int) -> tuple[float, float]:
    z = NormalDist().inv_cdf(1 - LEVEL / 2)
    share, square = yes / count, z * z / count
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _bootstrap(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < _ENOUGH:
        return fmean(values), fmean(values)
    chance = random.Random(len(values))  # noqa: S311  # no secret; the same interval each time
    means = sorted(fmean(chance.choices(values, k=len(values))) for _ in range(_SAMPLES))
    at = int(LEVEL / 2 * _SAMPLES)
    return means[at], means[-1 - at]


def chance_of(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how likely two equal models would differ as much as these, 0 to 1, for the same cases in the same order.

    Of yes and no, by McNemar's exact test; of numbers, by flipping the signs of their differences.
    """
    differences = [a - b for a, b in zip(one, other, strict=True) if a != b]
    if not differences:
        return 1.0
    if all(isinstance(v, bool) for v in (*one, *other)):
        return _binomial(sum(d > 0 for d in differences), len(differences))
    seen = abs(math.fsum(differences)) - 1e-12 * math.fsum(map(abs, differences))  # a sum rounds
    if len(differences) <= _FEW:
        flips = [
            math.fsum(d * s for d, s in zip(differences, signs, strict=True)) for signs in _signs(len(differences))
        ]
        return sum(abs(f) >= seen for f in flips) / len(flips)
    chance = random.Random(len(differences))  # noqa: S311  # no secret; the same answer each time
    as_far = 0
    for _ in range(_FLIPS):
        bits = chance.getrandbits(len(differences))
        as_far += abs(math.fsum(d if bits >> n & 1 else -d for n, d in enumerate(differences))) >= seen
    return (as_far + 1) / (_FLIPS + 1)


def _signs(count: int) -> product[tuple[int, ...]]:
    return product((1, -1), repeat=count)


def _binomial(wins: int, count: int) -> float:
    """Return the two-sided exact test of so many wins in fair tosses."""
    tail = sum(math.comb(count, n) for n in range(min(wins, count - wins) + 1))
    return min(1.0, float(2 * tail / 2**count))


def holm(chances: Sequence[float]) -> list[float]:
    """Return the chances of several tests, corrected by Holm's method: together they err as rarely as one."""
    order = sorted(range(len(chances)), key=chances.__getitem__)
    corrected, most = [0.0] * len(chances), 0.0
    for rank, n in enumerate(order):
        most = max(most, min(1.0, chances[n] * (len(chances) - rank)))
        corrected[n] = most
    return corrected
