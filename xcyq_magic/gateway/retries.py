"""When to send a request again, and how long to wait before. No I/O, no clock.

Only a request of which no byte was answered is sent again. The rules are those of the OpenAI and
Anthropic clients: connection errors, 408, 409, 429 and 5xx, up to `ATTEMPTS` in all; `Retry-After`
and `Retry-After-Ms` say how long, `x-should-retry` says whether. LiteLLM hands on those of the vendor
by another name.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from xcyq_magic.errors import GatewayError, NotReachedError, StatusError, TimedOutError
from xcyq_magic.gateway.failures import seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTEMPTS = 3
LONGEST_WAIT_S = 120.0  # a server that asks for more is not waited for

_FIRST_DELAY_S, _LONGEST_DELAY_S, _JITTER = 0.5, 8.0, 0.25
_WHOLE_SECONDS = 10.0  # from which on tenths do not matter
_STATUSES = {408, 409, 429}
_SERVER_ERRORS = range(500, 600)
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


def retry_after(error: GatewayError, headers: Mapping[str, str], attempt: int) -> Retry | None:
    """Return the wait before the attempt after `attempt` (from 1); None if there is to be none.

    Parameters
    ----------
    error
        How the attempt failed, before any byte of an answer's body came.
    headers
        Of the refusal, in any case; empty if there was none.
    """
    if attempt >= ATTEMPTS or not _worth_it(error, _named(headers).get("x-should-retry", "").lower()):
        return None
    told = _told_wait_s(error, headers)
    if told is not None and told > LONGEST_WAIT_S:
        return None
    delay = min(_FIRST_DELAY_S * 2 ** (attempt - 1), _LONGEST_DELAY_S)
    wait_s = told if told is not None else delay * (1 - _JITTER * random.random())  # noqa: S311  # no secret
    return Retry(_reason(error), wait_s, attempt)


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


class Hold:
    """How long the requests to one model wait, because others were refused.

    A single refusal that names a wait is about its own request. A second one, with no answer between the two, is taken
    to be about all of them: each would be refused as well.
    """

    def __init__(self) -> None:
        self._refused = 0
        self._until = 0.0

    def answered(self) -> None:
        """Note an answer."""
        self._refused = 0

    def refused(self, error: GatewayError, headers: Mapping[str, str], now: float) -> None:
        """Note how an attempt failed, at the time `now`; it counts where it names a wait that is worth it."""
        wait_s = _told_wait_s(error, headers)
        if isinstance(error, StatusError) and wait_s is not None and wait_s <= LONGEST_WAIT_S:
            self._refused += 1
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
