"""When to send a request again, how long to wait before, and when to ask another model. No I/O, no clock.

Only a request of which no byte was answered is sent again. The rules are those of the OpenAI and
Anthropic clients: connection errors, 408, 409, 429 and 5xx, up to `ATTEMPTS` in all; `Retry-After`
and `Retry-After-Ms` say how long, `x-should-retry` says whether. LiteLLM hands on those of the vendor
by another name.

A chain of models has further ones behind its first: where one cannot answer, the next is asked at once.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

from xcyq_magic.errors import GatewayError, NotReachedError, RateLimitError, ServerError, StatusError, TimedOutError
from xcyq_magic.gateway.failures import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ATTEMPTS = 3
MANY_ATTEMPTS = 10  # of one of many requests that is told how long to wait: with so many, some are refused often
LONGEST_WAIT_S = 120.0  # a server that asks for more is not waited for

_FIRST_DELAY_S, _LONGEST_DELAY_S, _JITTER = 0.5, 8.0, 0.25
_WHOLE_SECONDS = 10.0  # from which on tenths do not matter
_STATUSES = {408, 409, 429}
_SERVER_ERRORS = range(500, 600)
_UNSERVED = {400, 404, 422}  # where the words say that it is the model, not the request, that is wrong
_VENDORS = "llm_provider-"  # before the name of a header that LiteLLM hands on


@dataclass(frozen=True)
class Retry:
    """One wait before a request is sent again.

    Attributes
    ----------
    reason
        In a word or two: ``429``, ``no connection``.
    wait_s
        Seconds.
    number, of
        The first retry of two is 1 of 2; 0 where others were refused, and it is held back with them.
    """

    reason: str
    wait_s: float
    number: int
    of: int = ATTEMPTS - 1

    def __str__(self) -> str:
        wait = f"{self.wait_s:.0f}" if self.wait_s >= _WHOLE_SECONDS else f"{self.wait_s:.2g}"
        return f"{self.reason}, again in {wait} s" + (f", {self.number} of {self.of}" if self.number else "")


def retry_after(
    error: GatewayError, headers: Mapping[str, str], attempt: int, *, one_of_many: bool = False
) -> Retry | None:
    """Return the wait before the attempt after `attempt` (from 1); None if there is to be none.

    Parameters
    ----------
    error
        How the attempt failed, before any byte of an answer's body came.
    headers
        Of the refusal, in any case; empty if there was none.
    one_of_many
        Whether it is one of more requests than can be sent at once.
    """
    told = _told_wait_s(error, headers)
    most = MANY_ATTEMPTS if one_of_many and told is not None else ATTEMPTS
    if attempt >= most or not _worth_it(error, _named(headers).get("x-should-retry", "").lower()):
        return None
    if told is not None and told > LONGEST_WAIT_S:
        return None
    delay = min(_FIRST_DELAY_S * 2 ** (attempt - 1), _LONGEST_DELAY_S)
    wait_s = told if told is not None else delay * (1 - _JITTER * random.random())  # noqa: S311  # no secret
    return Retry(_reason(error), wait_s, attempt, most - 1)


def held_back(wait_s: float) -> Retry:
    """Return the wait of a request that is held back for so many seconds, because others were refused."""
    return Retry("others were refused", wait_s, 0)


def _reason(error: GatewayError) -> str:
    if isinstance(error, StatusError):
        return str(error.status)
    return "no answer" if isinstance(error, TimedOutError) else "no connection"


def _worth_it(error: GatewayError, said: str) -> bool:
    if said in {"true", "false"}:
        return said == "true"
    if isinstance(error, StatusError):
        return not error.lasting and (error.status in _STATUSES or error.status in _SERVER_ERRORS)
    return isinstance(error, NotReachedError | TimedOutError)


def why_another(error: GatewayError, retry: Retry | None, after_s: float, silence_s: float) -> str | None:
    """Return why another model is worth asking in place of the one that failed; None where it is not.

    It goes on from the model's name: ``had no channel``. A 4xx that is the user's to mend is no reason.

    Parameters
    ----------
    error
        How an attempt failed, before any byte of an answer's body came.
    retry
        The wait before that model could be asked again; None for none.
    after_s
        Seconds of a wait that are borne where the model is over its limit.
    silence_s
        Seconds that were waited for a first byte.
    """
    if isinstance(error, TimedOutError):
        return f"was silent for {silence_s:g} s"
    if isinstance(error, NotReachedError):
        return "could not be reached"
    if not isinstance(error, StatusError):
        return None
    if error.unserved and (isinstance(error, ServerError | RateLimitError) or error.status in _UNSERVED):
        return "had no channel"
    if isinstance(error, RateLimitError) and (retry is None or retry.wait_s > after_s):
        return "was over its limit" if retry is None else f"was over its limit for {retry.wait_s:.0f} s"
    return f"failed with {error.status}" if isinstance(error, ServerError) else None


class Rest(NamedTuple):
    """That a model of a chain is passed over: why, and until when."""

    why: str
    until: float


class Rests:
    """The models that are passed over for a while, because they failed; by their address."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Rest] = {}

    def begin(self, url: str, model: str, rest: Rest) -> None:
        """Have a model rest."""
        self._all[url, model] = rest

    def end(self, url: str, model: str) -> None:
        """Note that a model answered."""
        self._all.pop((url, model), None)

    def at(self, url: str, now: float) -> dict[str, Rest]:
        """Return who rests at the time `now`. It may be called from any thread."""
        return {model: rest for (where, model), rest in [*self._all.items()] if where == url and rest.until > now}


class Chain:
    """The models that are asked one after the other until one answers.

    Attributes
    ----------
    said
        Why the others before the one that is asked are not; empty where there are none.
    at_hand
        Whether another one is left that does not rest.
    """

    def __init__(self, models: Iterable[str]) -> None:
        self._left = list(models)
        self._whys: dict[str, str] = {}
        self.said = ""
        self.at_hand = False

    def next(self, resting: Mapping[str, Rest]) -> str:
        """Return the model to ask now: the first that does not rest, and when all others have failed, one that does."""
        fresh = [model for model in self._left if model not in resting]
        model = (fresh or self._left)[0]
        passed = self._left[: self._left.index(model)]
        self._left.remove(model)
        whys = self._whys | {m: f"rests ({resting[m].why})" for m in passed}
        self.said = " and ".join(f"{m} {why}" for m, why in whys.items())
        self.at_hand = len(fresh) > 1
        return model

    def failed(self, model: str, why: str) -> bool:
        """Note why `model` did not answer; return whether any is left."""
        self._whys[model] = why
        return bool(self._left)


class Hold:
    """How long the requests to one model wait, because others were refused.

    A single refusal that names a wait is about its own request. A second one, of a request that was sent after the
    first was refused, with no answer between the two, is taken to be about all of them: each would be refused as well.
    """

    def __init__(self) -> None:
        self._refused = 0
        self._refused_at = 0.0
        self._until = 0.0

    def answered(self) -> None:
        """Note an answer."""
        self._refused = 0

    def refused(self, error: GatewayError, headers: Mapping[str, str], sent_at: float, now: float) -> None:
        """Note how an attempt failed; it counts where it names a wait that is worth it.

        Parameters
        ----------
        error, headers
            How it failed, and the headers of its answer.
        sent_at, now
            When it was sent, and when it failed.
        """
        wait_s = _told_wait_s(error, headers)
        worth_it = isinstance(error, StatusError) and wait_s is not None and wait_s <= LONGEST_WAIT_S
        if not worth_it or wait_s is None or (self._refused and sent_at < self._refused_at):
            return
        self._refused, self._refused_at = self._refused + 1, now
        if self._refused > 1:
            self._until = max(self._until, now + wait_s)

    def wait_s(self, now: float) -> float:
        """Return the seconds for which nothing is to be sent, from `now` on; none or less for none."""
        return self._until - now


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by their names in lower case, without a vendor's prefix."""
    named = {name.lower(): value.strip() for name, value in headers.items()}
    return {name.removeprefix(_VENDORS): value for name, value in named.items()} | named


def _told_wait_s(error: GatewayError, headers: Mapping[str, str]) -> float | None:
    """Return seconds that the server asks to wait, in its headers or in its words; None if it does not say."""
    told = _wait_of(_named(headers))
    return error.wait_s if told is None and isinstance(error, StatusError) else told


def _wait_of(headers: Mapping[str, str]) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "")
    seconds = seconds_of(text)
    if seconds is not None or not text:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
