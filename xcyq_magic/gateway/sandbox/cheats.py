"""Cheats: what pools are said to do, for `%chat_models --check` to find, asked for behind a model's name.

``gpt-5.5~picture-dropped`` is answered as `gpt-5.5` is, but for the picture, which gets lost. Several may follow each
other. The probes of a check are answered here, too: the sandbox is no model, and plays a pool that keeps to all that it
is told. It knows a probe by its form, and answers it from what arrived: the words that are left of the system prompt
and of the history, and the digits that it finds in the pixels.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xcyq_magic.gateway.sandbox.media import Picture, media_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcyq_magic.gateway.sandbox.directives import Plan

_SIGN = "~"  # before each cheat
_INFLATED = 1.6
_JITTER, _MISCOUNT = 0.1, 0.15  # of an honest pool with noise: in its times, and in its counts
_ANOTHER = "gpt-4o-mini"
_noise = random.Random()  # noqa: S311  # no secret
Body = dict[str, Any]


@dataclass(frozen=True)
class Cheat:
    """What a pool does wrong.

    Attributes
    ----------
    help
        The same in words.
    body, plan
        Change what arrived, and how it is answered; None for no change.
    """

    help: str
    body: Callable[[Body], Body] | None = None
    plan: Callable[[Plan], Plan] | None = None


def _without(*fields: str) -> Callable[[Body], Body]:
    return lambda body: {name: value for name, value in body.items() if name not in fields}


def _without_pictures(body: Body) -> Body:
    def texts(content: Any) -> Any:  # noqa: ANN401  # as it came
        return content if isinstance(content, str) else [p for p in content if p.get("type") == "text"]

    return {**body, "messages": [{**m, "content": texts(m["content"])} for m in body["messages"]]}


def _without_system(body: Body) -> Body:
    return {**body, "messages": [m for m in body["messages"][:-1] if m["role"] != "system"] + body["messages"][-1:]}


def _without_history(body: Body) -> Body:
    return {**body, "messages": [m for m in body["messages"][:-1] if m["role"] == "system"] + body["messages"][-1:]}


def _with_noise(plan: Plan) -> Plan:
    def about(value: float, spread: float) -> float:
        return value * _noise.uniform(1 - spread, 1 + spread)

    first, pace = about(plan.first_s, _JITTER), about(plan.deltas_per_s, _JITTER)
    return replace(plan, first_s=first, deltas_per_s=pace, counts=about(plan.counts, _MISCOUNT))


CHEATS = {
    "another-model": Cheat("another model answers", plan=lambda p: replace(p, model=_ANOTHER)),
    "picture-dropped": Cheat("pictures get lost", _without_pictures),
    "system-dropped": Cheat("the system prompt gets lost", _without_system),
    "history-cut": Cheat("all but the last message gets lost", _without_history),
    "usage-inflated": Cheat("counts 60 % more tokens", plan=lambda p: replace(p, counts=_INFLATED)),
    "buffered": Cheat("collects the whole reply, and then streams it", plan=lambda p: replace(p, buffered=True)),
    "stop-ignored": Cheat("does not end at a stop string", _without("stop")),
    "max-tokens-ignored": Cheat("does not end at max_tokens", _without("max_tokens", "max_completion_tokens")),
    "dead": Cheat("never answers, for it has no channel", plan=lambda p: replace(p, fail="channel")),
    "noise": Cheat("is honest: its times vary by 10 %, and its counts by 15 %", plan=_with_noise),
}


def base_of(name: str) -> str:
    """Return a model's name without its cheats."""
    return name.partition(_SIGN)[0]


def unknown_cheat(name: str) -> str | None:
    """Return the first cheat in a model's name that there is not; None where all are known."""
    return next((cheat for cheat in name.split(_SIGN)[1:] if cheat not in CHEATS), None)


def cheated(plan: Plan, body: Body) -> tuple[Plan, Body]:
    """Return the plan and the body as the cheats in the model's name leave them."""
    for name in body["model"].split(_SIGN)[1:]:
        cheat = CHEATS[name]
        body = cheat.body(body) if cheat.body else body
        plan = cheat.plan(plan) if cheat.plan else plan
    return plan, body


# Probes

_NUMBERS = re.compile(r"the numbers from (\d{1,4}) to (\d{1,4}), with spaces between")
_OPENING = re.compile(r"Begin each answer with a line that says only (\w+)\.")
_REMEMBER = re.compile(r"Remember the word (\w+)\b")
_LAST = re.compile(r"^4\. the words (\w+ \w+)$", re.MULTILINE)
_MOST = 200  # numbers


def probe_answer(messages: list[tuple[str, str]], body: Body) -> str | None:
    """Return the answer to a probe of a check; None if it is none.

    Parameters
    ----------
    messages
        The role and the text of each.
    body
        The request.
    """
    prompt = messages[-1][1]
    counting, last = _NUMBERS.search(prompt), _LAST.search(prompt)
    if counting is None:
        return None
    first, end = int(counting[1]), int(counting[2])
    numbers = " ".join(map(str, range(first, min(end, first + _MOST) + 1)))
    if last is None:
        return numbers
    opening = next((found[1] for role, text in messages if role == "system" and (found := _OPENING.search(text))), "")
    word = next((found[1] for _, text in messages[:-1] if (found := _REMEMBER.search(text))), "no word came")
    seen = [m.digits for m in media_of(body["messages"][-1:]) if isinstance(m, Picture)]
    lines = [word, seen[0] if seen else "no picture came", numbers, last[1]]
    return "\n".join([*([opening] if opening else []), *lines])
