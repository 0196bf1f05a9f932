"""Directives: lines of a prompt that make the sandbox misbehave on purpose."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import TypeAlias

from xcyq_magic.gateway.sandbox.formats import FAILURES
from xcyq_magic.gateway.sandbox.schemas import JSON_WORDS

_LINE = re.compile(r"^[ \t]*sandbox:[ \t]*(?P<name>[\w-]+)[ \t]*(?P<argument>.*?)[ \t]*$\n?", re.MULTILINE)

MOST_CHARS = 1_000_000  # of an answer, its reasoning, or a delta
MOST_PIXELS = 2_048  # along each side of a picture
MOST_SECONDS = 86_400  # to wait, or to ask to wait


class UnknownDirectiveError(ValueError):
    """A directive that the sandbox does not know, or whose argument it cannot read."""


@dataclass(frozen=True)
class Plan:
    """How to answer.

    Attributes
    ----------
    markdown_chars
        Length of a sample of Markdown to answer with; 0 for the report on what was received.
    echo
        Answer with the prompt itself, directives aside.
    thinking_chars
        Length of the reasoning that comes first.
    deltas_per_s, delta_chars, first_s
        The pace: deltas a second, characters of each, seconds before the first.
    stall_after, drop_after, error_after, garbage_after
        Characters of the answer after which the stream falls silent, is cut, brings an error, or no JSON.
    status, status_times
        An HTTP status to refuse with, and how many times for the same prompt (0: always).
    retry_after
        Seconds to name in a refusal's ``Retry-After``; None for no such header.
    unsupported
        A parameter to refuse.
    fail
        One of `field.FAILURES`, to refuse with, or to break the answer off with.
    cut_after
        Characters of the answer after which it ends, as if it were whole.
    pings_s
        Seconds for which keep-alives go on after the answer; they come between its deltas, too. None for none.
    tags
        Whether the reasoning stands in the text, between ``<think>`` and ``</think>``.
    refuses
        Whether the answer is a model's refusal.
    tool
        A tool to ask for.
    finish_reason, model
        To report instead of the true ones.
    page
        Answer with a web page instead of JSON.
    drops_media
        Neither count nor report the media, as a gateway that does not know the form of their parts.
    picture
        Width and height of a picture that comes with the answer; None for none.
    in_text
        Whether it stands in the answer's text, as some models write it.
    asked
        The model that was asked.
    json
        How to write a value that a schema asks for: one of `schemas.JSON_WORDS`; ``""`` for JSON alone.
    vary
        Answer in the format and at the pace of the model that was asked.
    counts
        Times the true number of tokens, as it is reported.
    buffered
        Whether the answer is streamed only once all of it is there.
    """

    markdown_chars: int = 0
    echo: bool = False
    help: bool = False
    thinking_chars: int = 0
    deltas_per_s: float = 100.0
    delta_chars: int = 12
    first_s: float = 0.05
    stall_after: int | None = None
    drop_after: int | None = None
    error_after: int | None = None
    garbage_after: int | None = None
    retry_after: float | None = None
    unsupported: str = ""
    status: int = 0
    status_times: int = 0
    fail: str = ""
    cut_after: int | None = None
    pings_s: float | None = None
    tags: bool = False
    refuses: bool = False
    tool: str = ""
    finish_reason: str = ""
    model: str = ""
    page: bool = False
    drops_media: bool = False
    picture: tuple[int, int] | None = None
    in_text: bool = False
    asked: str = ""
    json: str = ""
    vary: bool = False
    counts: float = 1.0
    buffered: bool = False


Change: TypeAlias = Callable[[Plan, list[str]], Plan]


@dataclass(frozen=True)
class Directive:
    """What one directive does to the plan, and how it is written."""

    example: str
    help: str
    change: Change


DIRECTIVES = {
    "help": Directive("help", "lists the directives", lambda p, _: replace(p, help=True)),
    "echo": Directive("echo", "answers with the rest of the prompt, unchanged", lambda p, _: replace(p, echo=True)),
    "markdown": Directive(
        "markdown 20000",
        "answers with that many characters of mixed Markdown",
        lambda p, a: replace(p, markdown_chars=_chars(a[0])),
    ),
    "think": Directive(
        "think 400",
        "sends that many characters of reasoning first; with a second word, tags, between `<think>` and `</think>`",
        lambda p, a: replace(p, thinking_chars=_chars(a[0]), tags=_is_said("tags", a[1:])),
    ),
    "pace": Directive(
        "pace 20 8",
        "20 deltas a second, of 8 characters each",
        lambda p, a: replace(p, deltas_per_s=_pace(a[0]), delta_chars=_chars(a[1], 1) if a[1:] else p.delta_chars),
    ),
    "first": Directive(
        "first 2", "waits 2 seconds before the first delta", lambda p, a: replace(p, first_s=_seconds(a[0]))
    ),
    "stall": Directive(
        "stall 40",
        "falls silent after 40 characters, with the connection open",
        lambda p, a: replace(p, stall_after=_chars(a[0]) if a else 40),
    ),
    "drop": Directive(
        "drop 500",
        "cuts the connection after 500 characters",
        lambda p, a: replace(p, drop_after=_chars(a[0]) if a else 500),
    ),
    "error": Directive(
        "error 100",
        "sends an error inside the stream after 100 characters",
        lambda p, a: replace(p, error_after=_chars(a[0]) if a else 100),
    ),
    "status": Directive(
        "status 429 2",
        "refuses with 429 the first 2 times (without a number: always)",
        lambda p, a: replace(p, status=_status(a[0]), status_times=_chars(a[1]) if a[1:] else 0),
    ),
    "fail": Directive(
        "fail context",
        f"fails as gateways do: {', '.join(FAILURES)}; with a number, so many times, or after so many characters",
        lambda p, a: _failing(p, *a),
    ),
    "cut": Directive(
        "cut 100",
        "ends the answer after 100 characters, without a word on why",
        lambda p, a: replace(p, cut_after=_chars(a[0]) if a else 100),
    ),
    "ping": Directive(
        "ping 30",
        "sends keep-alives between the deltas, and for 30 seconds after the last",
        lambda p, a: replace(p, pings_s=_seconds(a[0])),
    ),
    "refuse": Directive(
        "refuse", "answers with a model's refusal", lambda p, a: replace(p, refuses=not _is_said("", a))
    ),
    "tool": Directive("tool look_up", "asks for a tool", lambda p, a: replace(p, tool=a[0])),
    "retry-after": Directive(
        "retry-after 2", "asks, when it refuses, to wait 2 seconds", lambda p, a: replace(p, retry_after=_seconds(a[0]))
    ),
    "garbage": Directive(
        "garbage 100",
        "sends what is no JSON after 100 characters",
        lambda p, a: replace(p, garbage_after=_chars(a[0]) if a else 100),
    ),
    "unsupported": Directive(
        "unsupported temperature",
        "refuses a request that sets that parameter, in the words of GPT-5",
        lambda p, a: replace(p, unsupported=a[0]),
    ),
    "finish": Directive(
        "finish content_filter", "reports that finish reason", lambda p, a: replace(p, finish_reason=a[0])
    ),
    "model": Directive("model gpt-5.4-low", "says that another model answered", lambda p, a: replace(p, model=a[0])),
    "picture": Directive(
        "picture 320 200",
        "sends a picture of that size with the answer; with a third word, text, within its text",
        lambda p, a: replace(p, picture=(_edge(a[0]), _edge(a[1])), in_text=_is_said("text", a[2:])),
    ),
    "json": Directive(
        "json fenced",
        f"writes the value that a schema asks for in another way: {', '.join(JSON_WORDS)}; broken, until asked again",
        lambda p, a: replace(p, json=JSON_WORDS[JSON_WORDS.index(" ".join(a))]),
    ),
    "vary": Directive(
        "vary",
        "answers at a pace and in a format that differ from model to model, and say nothing about the real ones",
        lambda p, _: replace(paced(p), vary=True),
    ),
    "for": Directive("for gpt-*: first 2", "a directive for some of the models that are asked", lambda _, a: _alone(a)),
    "page": Directive("page", "answers with a web page", lambda p, _: replace(p, page=True)),
    "drop-media": Directive(
        "drop-media",
        "neither counts nor reports pictures and videos, as a gateway that does not know their parts",
        lambda p, _: replace(p, drops_media=True),
    ),
}


def paced(plan: Plan) -> Plan:
    """Return the plan at a pace that is always the same for the same name, and tells nothing about the model."""
    number = zlib.crc32(plan.asked.encode())
    return replace(
        plan,
        first_s=0.15 + number % 7 * 0.08,
        deltas_per_s=40.0 + number // 7 % 6 * 9,
        delta_chars=4 + number // 42 % 5,
    )


def has_pace(plan: Plan) -> bool:
    """Return whether the pace is another one than that of every plan."""
    usual = Plan.first_s, Plan.deltas_per_s, Plan.delta_chars
    return (plan.first_s, plan.deltas_per_s, plan.delta_chars) != usual


def _failing(plan: Plan, name: str, number: str = "") -> Plan:
    failure = FAILURES.get(name)
    if failure is None:
        raise ValueError(name)
    if failure.status == HTTPStatus.OK:
        return replace(plan, fail=name, error_after=_chars(number) if number else 0 if name == "empty" else 40)
    return replace(plan, fail=name, status_times=_chars(number) if number else 0)


def _alone(argument: list[str]) -> Plan:
    raise ValueError(argument)  # what stands behind `for` is read by `parse`; this is a `for` within one


class _OutOfBoundsError(ValueError):
    """A number that a directive does not take."""


def _bounded(text: str, least: float, most: float) -> float:
    value = float(text)
    if not least <= value <= most:  # NaN is not between anything
        msg = f"It takes a number from {least:,} to {most:,}, not {text[:20]}."
        raise _OutOfBoundsError(msg)
    return value


def _pace(text: str) -> float:
    return _bounded(text, 0.01, MOST_CHARS)


def _seconds(text: str) -> float:
    return _bounded(text, 0, MOST_SECONDS)


def _chars(text: str, least: int = 0, most: int = MOST_CHARS) -> int:
    _bounded(text, least, most)
    return int(text)


def _edge(text: str) -> int:
    return _chars(text, 1, MOST_PIXELS)


def _is_said(word: str, words: list[str]) -> bool:
    if words not in ([], [word]):
        raise ValueError(words)
    return bool(words)


def _status(text: str) -> int:
    return _chars(text, 400, 599)  # the error statuses of HTTP


def parse(prompt: str, model: str = "", plan: Plan | None = None) -> tuple[Plan, str]:
    """Return the plan that the directives in `prompt` ask for when `model` is asked, and the prompt without them.

    Parameters
    ----------
    prompt
        With its directives.
    model
        The model that was asked.
    plan
        How to answer a prompt without directives.

    Raises
    ------
    UnknownDirectiveError
        One of them is not known, or its argument is wrong.
    """
    plan = replace(plan or Plan(), asked=model)
    for line in _LINE.finditer(prompt):
        name, argument, pattern = line["name"], line["argument"], "*"
        if name == "for" and ":" in argument:
            pattern, _, rest = argument.partition(":")
            name, _, argument = rest.strip().partition(" ")
        directive = DIRECTIVES.get(name)
        if directive is None:
            msg = f"The sandbox knows no directive {name!r}, only {', '.join(DIRECTIVES)}."
            raise UnknownDirectiveError(msg)
        try:
            changed = directive.change(plan, argument.split())
        except (ValueError, IndexError, TypeError) as e:
            why = f"{e} " if isinstance(e, _OutOfBoundsError) else ""
            msg = f"{why}Write it like this: sandbox: {directive.example}"
            raise UnknownDirectiveError(msg) from None
        plan = changed if fnmatchcase(model, pattern.strip()) else plan
    return plan, without_directives(prompt).strip("\n")


def without_directives(text: str) -> str:
    """Return a text without the lines that are directives."""
    return _LINE.sub("", text)
