"""What differs in the field: failures as gateways send them, and answers in formats that differ from model to model.

The failures are word by word, for `sandbox: fail NAME`. The answer to a judge's question is here, too.

The formats are for `sandbox: vary`. What they say is true: the words of the prompt counted, the pictures measured.
Which model gets which format is an accident of its name, and tells nothing about the real one.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcyq_magic.gateway.catalog import MODELS
from xcyq_magic.gateway.sandbox.media import Picture, media_of

if TYPE_CHECKING:
    from collections.abc import Callable

NO_MODEL = "**This is the sandbox, not a model.**"
# How ``--judge`` quotes what is to be judged: between lines with a mark that no reply knows.
_QUOTED = re.compile(r"^==(?P<mark>\w{1,64}) the prompt$", re.MULTILINE)
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
_LONG = 4  # letters of a word that is counted


def varied_report(body: dict[str, Any], prompt: str) -> str:
    """Return what was received, in a format of the model that was asked; its pools differ in a sentence or two."""
    asked = str(body["model"])
    base = MODELS[asked].base if asked in MODELS else asked
    report = _FORMATS[zlib.crc32(base.encode()) % len(_FORMATS)]
    number = zlib.crc32(asked.encode()) // 1009
    more = [sentence for n, sentence in enumerate(_more(prompt, body)) if number >> n & 1]
    return "\n\n".join(part for part in (report(asked, prompt, body), " ".join(more)) if part)


def judgement(question: str) -> str | None:
    """Return the answer to a judge's question: which reply has the fewest words; None if it is no such question."""
    first = _QUOTED.search(question)
    if first is None:
        return None
    quoted, end, _ = question[first.end() :].partition(f"\n=={first['mark']} end\n")
    parts = re.split(rf"^=={first['mark']} Reply (\d{{1,9}})$", quoted, flags=re.MULTILINE)[1:]
    counts = {int(number): len(text.split()) for number, text in zip(parts[::2], parts[1::2], strict=True)}
    if not counts or not end:
        return None
    shortest = min(counts, key=lambda number: counts[number])
    listed = "\n".join(f"- Reply {n} has {count} word{'s' * (count != 1)}." for n, count in sorted(counts.items()))
    words = f"It cannot judge, so it counts:\n\n{listed}\n\nNone is shorter than Reply {shortest}."
    return f"{NO_MODEL} {words}\n\nBEST: {shortest}"


def _more(prompt: str, body: dict[str, Any]) -> list[str]:
    counted = Counter(w for w in _words(prompt) if len(w) >= _LONG)
    word, times = max(counted.items(), key=lambda pair: (pair[1], len(pair[0])), default=("", 0))
    messages = len(body["messages"])
    return [
        f"Of its words, *{word}* stands out ({times} time{'s' * (times != 1)})." if word else "It has no long words.",
        f"It came as message {messages} of {messages}.",
        f"Its letters are {sum(c.isupper() for c in prompt)} capitals and {sum(c.islower() for c in prompt)} others.",
    ]


def _pictures(body: dict[str, Any]) -> list[Picture]:
    return [medium for medium in media_of(body["messages"]) if isinstance(medium, Picture)]


def _words(text: str) -> list[str]:
    return [w for word in text.lower().split() if (w := word.strip(".,;:!?()\"'`"))]


def _facts(prompt: str, body: dict[str, Any]) -> dict[str, str]:
    words = _words(prompt)
    facts = {
        "words": f"{len(words)}, {len(set(words))} of them different",
        "characters": f"{len(prompt):,}",
        "the longest word": f"`{max(words, key=len, default='')}`",
        "questions": str(prompt.count("?")),
    }
    for n, picture in enumerate(_pictures(body), 1):
        facts[f"picture {n}"] = f"{picture.form}, {picture.width} by {picture.height} pixels"
    return facts


def _as_list(asked: str, prompt: str, body: dict[str, Any]) -> str:
    items = "\n".join(
        f"{n}. **{name.capitalize()}:** {fact}" for n, (name, fact) in enumerate(_facts(prompt, body).items(), 1)
    )
    return f"{NO_MODEL} `{asked}` would have read this:\n\n{items}"


def _as_table(asked: str, prompt: str, body: dict[str, Any]) -> str:
    rows = "\n".join(f"| {name} | {fact} |" for name, fact in _facts(prompt, body).items())
    lead = f"## What arrived\n\n{NO_MODEL} It received a request for `{asked}`, and measured it."
    first_line = next(iter(prompt.strip().splitlines()), "…")
    return f"{lead}\n\n| the prompt's | |\n|---|---|\n{rows}\n\n> {first_line}"


def _as_code(asked: str, prompt: str, body: dict[str, Any]) -> str:
    shown = {"model": asked, "messages": len(body["messages"]), "characters": len(prompt)}
    names = {"model", "messages", "stream", "stream_options"}
    shown |= {name: value for name, value in body.items() if name not in names}
    pictures = _pictures(body)
    seen = f" The picture's mean colour is `#{bytes(pictures[0].mean).hex()}`." if pictures else ""
    code = f"```python\nrequest = {json.dumps(shown, indent=4)}\n```"
    return f"{NO_MODEL} In Python, the request is\n\n{code}\n\nA model would go on from here.{seen}"


_FORMATS: tuple[Callable[[str, str, dict[str, Any]], str], ...] = (_as_list, _as_table, _as_code)


# Failures, by the name that `sandbox: fail` has for each


@dataclass(frozen=True)
class Failure:
    """What is sent in the place of an answer; with the status 200, after the beginning of one.

    Attributes
    ----------
    status
        Of HTTP.
    body
        A record, or a text as it is.
    field
        The field of a request that it refuses; ``""`` for one that refuses any.
    """

    status: int
    body: dict[str, Any] | str
    field: str = ""


def _error(message: str, **more: object) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


FAILURES = {
    "quota": Failure(
        429,
        _error(
            "You exceeded your current quota, please check your plan and billing details.",
            type="insufficient_quota",
            param=None,
            code="insufficient_quota",
        ),
    ),
    "limit": Failure(
        429,
        _error(
            "Resource has been exhausted (e.g. check quota).",
            code=429,
            status="RESOURCE_EXHAUSTED",
            details=[{"@type": _RETRY_INFO, "retryDelay": "1s"}],
        ),
    ),
    "balance": Failure(402, {"code": 402, "msg": "Insufficient account balance", "success": False}),
    "moderation": Failure(
        403, _error("Your input was flagged.", code=403, metadata={"reasons": ["violence"], "flagged_input": "…"})
    ),
    "channel": Failure(
        503, _error("No available channel for this model under group default (distributor)", type="new_api_error")
    ),
    "context": Failure(
        400,
        _error(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            type="invalid_request_error",
            param="messages",
            code="context_length_exceeded",
        ),
    ),
    "overloaded": Failure(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    "detail": Failure(
        422,
        {"detail": [{"loc": ["body", "messages", 0], "msg": "Input should be a valid string", "type": "string_type"}]},
    ),
    "temperature": Failure(
        400,
        _error(
            "litellm.UnsupportedParamsError: gpt-5 models don't support temperature=0.5. Only temperature=1 is "
            "supported. To drop unsupported params set `litellm.drop_params = True`",
            type="None",
            param="None",
            code="400",
        ),
        "temperature",
    ),
    "bad-gateway": Failure(502, _PAGE),
    "envelope": Failure(200, {"code": "500", "msg": "upstream error", "success": False}),
    "choice": Failure(
        200,
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": ""},
                    "finish_reason": "error",
                    "error": {"code": 502, "message": "Provider disconnected"},
                }
            ]
        },
    ),
    "empty": Failure(200, ""),
}
