"""The requests by which a pool is checked, and what their answers show.

Two requests, and a third one for `response_format`. Every word that an answer is to hold is drawn anew, so that none
can be ready. The sandbox answers them by their form: a change of their words is one of `gateway.sandbox.cheats`, too.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from xcyq_magic.chat.checks import REFUSED, Finding, counted, streamed
from xcyq_magic.chat.conversation import Conversation, Parameters
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.usage import tokens_per_s
from xcyq_magic.gateway.catalog import same_model
from xcyq_magic.gateway.repairs import Repair
from xcyq_magic.gateway.tokens import estimated_tokens
from xcyq_magic.media.digits import drawn
from xcyq_magic.session.turn import TurnOptions

if TYPE_CHECKING:
    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.session.turn import Job

Read: TypeAlias = Callable[["Completion"], Mapping[str, Finding]]

_drawn = random.SystemRandom()
# Of one token each for most models.
_NOUNS = """
anchor basket bridge button candle castle cherry copper desert dragon engine falcon feather forest garden guitar
hammer harbor island jacket kettle ladder lantern lemon magnet marble meadow mirror mountain needle ocean orange
palace paper parrot pencil pepper pillow planet pocket rabbit ribbon river rocket saddle salmon shadow silver spider
spring statue sugar summer temple thunder tiger tunnel turtle valley velvet violin walnut window winter
"""
_FILLING = """
able away back ball band bank base bear bell bird blue boat body book born call calm card care city clay club coal
coat cold cook corn dark deep desk door down draw east face fair farm fast film fine fire fish flag flat food foot
free game gate gold good hall hand hard head hill hold home hope iron keep kind king land last late leaf lift like
line list long lost mark mile milk moon name near neck nine note open over page park part path pink plan play rain
read rest rice ride ring road rock roof room root rope sail salt sand seed ship shop side sign silk size skin slow
"""
_FILLED = 70  # words: a few hundred characters, so that what is around them hardly counts
_NUMBERED, _MORE = 60, 80  # numbers that are asked for
_MOST, _FEW, _DEEP = 600, 32, 200  # max_tokens of the requests: all three take 1,500 with what is sent
_A_MESSAGE = 4  # tokens around each message
_ENOUGH = 150  # characters of a text that tell how it came
_DEAF = Finding(said="no words")

_SYSTEM = "Begin each answer with a line that says only {0}."
_REMEMBER = "Remember the word {0} for me, I will ask for it later."
_PROMPT = """\
Answer in this order, each on a line of its own:
1. the word that I asked you to remember
2. the three digits in the picture
3. the numbers from {0} to {1}, with spaces between
4. the words {2} {3}"""
_COUNT = """\
Here are some words, which do not matter: {2}.
Write the numbers from {0} to {1}, with spaces between, and nothing else."""
_NAME = "What is a {0}, in a few words?"


@dataclass(frozen=True)
class Probe:
    """One request of a check.

    Attributes
    ----------
    job
        It, ready to be sent.
    sent
        About how many tokens it sends.
    expected
        About how many tokens its answer has.
    read
        Returns what a whole answer shows, by the names of `ASPECTS`.
    """

    job: Job
    sent: int
    expected: int
    read: Read


def probes_of(session: ChatSession, model: str, *, deep: bool) -> list[Probe]:
    """Return the requests that check a pool.

    Parameters
    ----------
    session
        Whose they are.
    model
        The pool.
    deep
        Whether to ask for a `response_format`, too.
    """
    return [_all_kept(session, model), _bounded(session, model), *([_formatted(session, model)] if deep else [])]


def _all_kept(session: ChatSession, model: str) -> Probe:
    """Return the request with a system prompt, a history, a picture, a stop string, and a reply that takes a while."""
    opening, remembered, ending, behind = _drawn.sample(_NOUNS.split(), 4)
    ending = ending.upper()
    first, asked = _drawn.randrange(400, 900), _drawn.randrange(20, 90)
    digits = str(_drawn.randrange(100, 400))
    seen = r"(?<!\d)" + r"[\s,.-]*".join(digits) + r"(?!\d)"  # perhaps with spaces between
    prompt = Message.of("user", drawn(digits), _PROMPT.format(first, first + _NUMBERED - 1, ending, behind))
    history = (
        Message.of("user", _REMEMBER.format(remembered)),
        Message.of("assistant", "I will."),
        Message.of("user", f"What comes after {asked}?"),
        Message.of("assistant", str(asked + 1)),
    )
    parameters = Parameters(max_tokens=_MOST, stop=(ending,))
    job = _job(session, model, prompt, parameters, system=_SYSTEM.format(opening))
    # Whatever the settings say of older turns, these belong to it.
    system, *_, last = job.request.messages
    request = replace(job.request, messages=(system, *history, last))
    job.ready = replace(job.ready, request=request) if job.ready else None

    def read(completion: Completion) -> dict[str, Finding]:
        live, said = job.live, completion.text.lower()
        found = {**_named(job, completion), **_timed(completion)}
        if not said.strip():
            return {**found, **dict.fromkeys(("streams", "system", "history", "picture", "stop"), _DEAF)}
        long = completion.first_token_s is not None and len(said) >= _ENOUGH
        whole = re.search(rf"\b{first + _NUMBERED - 1}\b", said) is not None
        return {
            **found,
            "streams": streamed(live.most_at_once, len(said)) if long else Finding(said="too short"),
            "system": Finding(opening in said),
            "history": Finding(remembered in said),
            "picture": Finding(re.search(seen, said) is not None),
            "stop": _kept(job, "stop", broken=behind in said, told=whole),
        }

    return Probe(job, _tokens(job), 3 * _NUMBERED, read)


def _bounded(session: ChatSession, model: str) -> Probe:
    """Return the request for more than `max_tokens` allows, of words whose tokens are known well enough."""
    first = _drawn.randrange(100, 900)
    words = " ".join(_drawn.sample(_FILLING.split(), _FILLED))
    prompt = Message.of("user", _COUNT.format(first, first + _MORE - 1, words))
    job = _job(session, model, prompt, Parameters(max_tokens=_FEW))
    sent = _tokens(job)

    def read(completion: Completion) -> dict[str, Finding]:
        numbers = len(re.findall(r"\d+", completion.text))  # each takes a token at least
        ended = completion.finish_reason == "length"
        usage = completion.usage
        return {
            "max_tokens": _kept(job, "max_tokens", broken=numbers > _FEW, told=ended or numbers > 0),
            "prompt_tokens": counted(usage.prompt_tokens if usage else None, sent),
        }

    return Probe(job, sent, _FEW, read)


def _formatted(session: ChatSession, model: str) -> Probe:
    """Return the request whose JSON has a field that only its `response_format` names."""
    name, thing = _drawn.sample(_NOUNS.split(), 2)
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"}},
        "required": [name],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    parameters = Parameters(max_tokens=_DEEP, extra={"response_format": form})
    job = _job(session, model, Message.of("user", _NAME.format(thing)), parameters)

    def read(completion: Completion) -> dict[str, Finding]:
        if not completion.text.strip():
            return {"response_format": _DEAF}
        try:
            answer = json.loads(completion.text)
        except (ValueError, RecursionError):
            answer = None
        fits = isinstance(answer, dict) and [*answer] == [name]
        return {"response_format": _kept(job, "response_format", broken=not fits, told=True)}

    return Probe(job, _tokens(job) + len(json.dumps(form)) // 4, _FEW, read)


def _job(session: ChatSession, model: str, prompt: Message, parameters: Parameters, system: str = "") -> Job:
    options = TurnOptions(model=model, system=system, parameters=parameters, once=True, stream=True, cached=False)
    return session.job(Conversation(), prompt, options, recorded=False, kind="check")


def _tokens(job: Job) -> int:
    messages = job.request.messages
    parts = (part for message in messages for part in message.parts)
    return sum(estimated_tokens(part, job.live.model) or 0 for part in parts) + _A_MESSAGE * len(messages)


def _kept(job: Job, parameter: str, *, broken: bool, told: bool) -> Finding:
    """Return whether a parameter was kept to; not known where the pool refused it, so that it was left out."""
    model = job.request.model
    if Repair(parameter, None, always=False).notice(model) in job.live.notices:
        return Finding(said=REFUSED)
    return Finding(kept=False) if broken else Finding(kept=True) if told else _DEAF


def _named(job: Job, completion: Completion) -> dict[str, Finding]:
    if job.live.builder.model is None:
        return {"answered_by": Finding(said="no name")}
    return {"answered_by": Finding(same_model(job.request.model, completion.model), completion.model)}


def _timed(completion: Completion) -> dict[str, Finding]:
    figures: dict[str, float | None] = {
        "first_token_s": completion.first_token_s,
        "duration_s": completion.duration_s,
        "tokens_per_s": tokens_per_s(completion),
    }
    return {name: Finding(value=value) for name, value in figures.items()}
