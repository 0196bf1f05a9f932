"""What the check of a pool saw: a finding for each aspect, and beside each figure what it usually was. No I/O."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.completion import Usage
from xcyq_magic.chat.usage import pandas

if TYPE_CHECKING:
    from xcyq_magic.errors import XcyqError

Figures = Mapping[str, float]
EARLIER = 20  # checks of a pool whose median is what is usual for it
_WORSE = 3.0  # times, from which on a figure stands out
_LEAST_COUNTED, _MOST_COUNTED = 0.7, 1.5  # prompt tokens as they were counted, of those that were sent
_AT_ONCE = 0.8  # of a text, within 50 ms
REFUSED = "not taken"  # what is said of a parameter that a pool refuses


@dataclass(frozen=True)
class Aspect:
    """What is looked at.

    Attributes
    ----------
    heading
        Of its column.
    means
        What its mark says, for the legend; ``""`` for a figure.
    broken
        What a pool did that has the wrong mark.
    most_worse
        The least by which a figure is to differ before it counts as worse; None for one that has no such mark.
    less_is_better
        Whether a figure is better if it is smaller.
    deep
        Whether it takes a request of its own, which ``--deep`` asks for.
    """

    heading: str
    means: str = ""
    broken: str = ""
    most_worse: float | None = None
    less_is_better: bool = True
    deep: bool = False


ASPECTS: dict[str, Aspect] = {
    "reachable": Aspect("reached", "it answered", "did not answer"),
    "answered_by": Aspect("own name", "the answer names the model that was asked", "answered as another model"),
    "streams": Aspect("streams", "the words came as they were written", "sent nearly all of its words at once"),
    "system": Aspect(
        "system", "used the word that only the system prompt has", "did not use the word from the system prompt"
    ),
    "history": Aspect("history", "knew a word from two turns before", "did not know the word from two turns before"),
    "picture": Aspect("picture", "read three digits in a picture", "did not read the digits in the picture"),
    "stop": Aspect("stop", "ended at the stop string", "wrote on after the stop string"),
    "max_tokens": Aspect("max_tokens", "ended within max_tokens", "wrote on beyond max_tokens"),
    "response_format": Aspect(
        "format",
        "answered in the JSON that response_format asks for",
        "did not answer in the response_format",
        deep=True,
    ),
    "prompt_tokens": Aspect(
        "counted",
        f"counted {_LEAST_COUNTED} to {_MOST_COUNTED} times the prompt tokens estimated from its words",
        "counted more or fewer prompt tokens than were sent",
    ),
    "listed": Aspect("listed", "is in the server's list of models", "is not in the server's list of models"),
    "first_token_s": Aspect("first token", broken="took much longer than usual to its first word", most_worse=0.5),
    "duration_s": Aspect("whole", broken="took much longer than usual for its answer", most_worse=0.5),
    "tokens_per_s": Aspect("tokens/s", broken="wrote much slower than usual", most_worse=1.0, less_is_better=False),
}


@dataclass(frozen=True)
class Finding:
    """What was seen of one aspect.

    Attributes
    ----------
    kept
        Whether it was as it should be; None for a mere figure, and where it could not be told.
    said
        A word on it, such as the name of the model that answered.
    value
        The figure; None where there is none.
    usual
        The median of its last checks; None before the second one.
    worse
        Whether the figure is three times worse than that.
    """

    kept: bool | None = None
    said: str = ""
    value: float | None = None
    usual: float | None = None
    worse: bool = False

    @property
    def stands_out(self) -> bool:
        """Whether it is one to look at."""
        return self.kept is False or self.worse

    def beside(self, aspect: Aspect, earlier: Sequence[float]) -> Finding:
        """Return the finding beside the same figure of `earlier` checks, the latest first."""
        if self.value is None or not earlier:
            return self
        usual = statistics.median(earlier[:EARLIER])
        low, high = (usual, self.value) if aspect.less_is_better else (self.value, usual)
        least = math.inf if aspect.most_worse is None else aspect.most_worse
        return replace(self, usual=usual, worse=high >= _WORSE * low and high - low >= least)


def counted(tokens: int | None, sent: int) -> Finding:
    """Return what a count of prompt tokens says, of about so many that were `sent`."""
    if tokens is None:
        return Finding(said="not counted")
    ratio = tokens / sent
    return Finding(_LEAST_COUNTED <= ratio <= _MOST_COUNTED, f"×{ratio:.2f}", ratio)


def streamed(most_at_once: int, chars: int) -> Finding:
    """Return what it says that of a text of so many characters, `most_at_once` came within 50 ms."""
    share = most_at_once / chars
    return Finding(share <= _AT_ONCE)


@dataclass(frozen=True)
class PoolCheck:
    """What was seen of one pool.

    Attributes
    ----------
    model
        Its name.
    findings
        By the names of `ASPECTS`; without those that are not known yet.
    error
        Why it did not answer, or one of its answers is missing; None if all came.
    usage
        The tokens of all its answers, as it counted them.
    cost
        What they cost; None without a price.
    whole
        Whether all of its requests have ended by themselves.
    """

    model: str
    findings: Mapping[str, Finding] = field(default_factory=dict)
    error: XcyqError | None = None
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    whole: bool = False

    @property
    def stands_out(self) -> bool:
        """Whether there is anything to look at."""
        return self.error is not None or any(f.stands_out for f in self.findings.values())

    @property
    def sentences(self) -> list[str]:
        """What it did that stands out, in words."""
        if (reached := self.findings.get("reachable")) and reached.kept is False:
            return [ASPECTS["reachable"].broken + (f": {self.error.message}" if self.error else "")]
        said = [_sentence(name, finding) for name, finding in self.findings.items() if finding.stands_out]
        return [*said, *([f"left a request without an answer: {self.error.message}"] if self.error else [])]

    @property
    def figures(self) -> dict[str, float]:
        """Its figures, as they are kept."""
        return {name: f.value for name, f in self.findings.items() if f.value is not None}

    def beside(self, earlier: Sequence[Figures]) -> PoolCheck:
        """Return the check beside the figures of `earlier` ones, the latest first."""
        known = {name: [e[name] for e in earlier if name in e] for name in self.findings}
        return replace(self, findings={n: f.beside(ASPECTS[n], known[n]) for n, f in self.findings.items()})


def _sentence(name: str, finding: Finding) -> str:
    if name == "answered_by":
        return f"answered as {finding.said}"
    if name == "prompt_tokens":
        return f"counted {finding.value:.2f} times the prompt tokens that were sent"
    return ASPECTS[name].broken


@dataclass(frozen=True)
class CheckReport:
    """What a check of pools saw.

    Attributes
    ----------
    pools
        A check for each, in the order in which they were named.
    duration_s
        Seconds that all took.
    looked_at
        The names of the aspects that were looked at, also where nothing was seen of one.

    Examples
    --------
    >>> pools.to_frame().query("not system")     # doctest: +SKIP
    """

    pools: tuple[PoolCheck, ...]
    duration_s: float = 0.0
    looked_at: tuple[str, ...] = ()

    @property
    def aspects(self) -> dict[str, Aspect]:
        """Those that were looked at, in their order."""
        seen = {*self.looked_at, *(name for pool in self.pools for name in pool.findings)}
        return {name: aspect for name, aspect in ASPECTS.items() if name in seen}

    @property
    def usage(self) -> Usage:
        """The tokens of all answers."""
        total = Usage()
        for pool in self.pools:
            total = total.plus(pool.usage)
        return total

    @property
    def cost(self) -> float | None:
        """What all cost; None where no price is set."""
        costs = [pool.cost for pool in self.pools if pool.cost is not None]
        return sum(costs) if costs else None

    def to_frame(self) -> Any:  # noqa: ANN401  # pandas is imported for whoever has it, and not for its types
        """Return a ``pandas.DataFrame`` with a row for each pool.

        A mark is true or false, and missing where it could not be told; a figure is a number, with the usual one in a
        column beside it.
        """
        pd = pandas()
        index = pd.Index([pool.model for pool in self.pools], name="model")
        columns: dict[str, list[Any]] = {}
        for name, aspect in self.aspects.items():
            found = [pool.findings.get(name, Finding()) for pool in self.pools]
            if aspect.means:
                columns[name] = [f.kept for f in found]
            if name == "answered_by":
                columns["model_named"] = [f.said for f in found]
            if any(f.value is not None for f in found):
                figure = f"{name}_ratio" if aspect.means else name
                columns[figure] = [f.value for f in found]
                columns[f"{figure}_usual"] = [f.usual for f in found]
        frame = pd.DataFrame(columns, index=index)
        marks = [name for name, aspect in self.aspects.items() if aspect.means]
        frame = frame.astype(dict.fromkeys(marks, "boolean"))
        frame["stands_out"] = [pool.stands_out for pool in self.pools]
        frame["error"] = [None if pool.error is None else pool.error.message for pool in self.pools]
        return frame
