"""Whether a record of a gateway is a failure, and in which words it says so. No I/O.

Gateways wrap other gateways, so one failure comes in many shapes: OpenAI's ``{"error": {"message": …}}``, ``{"code",
"msg", "success": false}``, FastAPI's ``detail``, ``errors``, ``base_resp``, a lone string, JSON within a string. The
same two questions are asked of an event, of a whole answer and of the body of a refusal.
"""

from __future__ import annotations

import ast
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.given import replace_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_SHOWN = 300  # characters of a text
_DEEPEST = 8  # records within records, and JSON within strings
_MOST_WORDS = 50  # texts of one record: an answer may hold thousands
_SECONDS = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(?:s|sec|seconds?)?\s*", re.IGNORECASE)
_WELL = {"", "0", "200", "201", "ok", "success", "succeeded", "none", "null", "true", "completed", "done"}
_FAILED = {"error", "failed", "failure", "fail", "fatal", "cancelled", "canceled"}
_REFUSED = 400  # of HTTP statuses
# What keeps a connection alive or tells of progress, and is no failure whatever words stand beside it.
_HARMLESS = {"ping", "pong", "heartbeat", "keepalive", "keep-alive", "keep_alive", "status", "progress", "processing"}
_HARMLESS |= {"queued", "pending", "in_progress", "running", "started", "start", "info", "notice", "warning", "warn"}
_HARMLESS |= {"debug", "waiting", "thinking", "connected", "usage", "metadata", "log", "comment", "created", "open"}
_PLAIN = {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier"}
_BAD_WORDS = re.compile(
    r"\b(?:error|fail(?:ed|ure|s)?|exception|invalid|denied|forbidden|unauthori[sz]ed|exceeded|refused|timed? ?out"
    r"|unavailable|overloaded|not (?:found|supported|allowed)|too many|aborted|rejected)\b",
    re.IGNORECASE,
)
# Where words stand, the most telling first; and where records with further ones do.
_SAY = (
    *(
        "message",
        "msg",
        "error_msg",
        "error_message",
        "errmsg",
        "err_msg",
        "errormessage",
        "status_msg",
        "statusmessage",
    ),
    *("error_description", "detail", "details", "description", "reason", "faultstring", "title", "raw", "hint"),
)
_WITHIN = (
    *("error", "errors", "err", "metadata", "cause", "inner_error", "innererror", "base_resp", "response", "body"),
    *("fault", "data", "exception", "choices", "errordetails", "provider_error", "upstream_error", "result"),
)
_ERROR_WORDS = ("error_msg", "error_message", "errmsg", "err_msg", "errormessage")
_NAMES = ("type", "code", "error_code", "errcode", "status", "status_code", "statuscode", "kind", "name")
# A record in bytes, as Python writes them: LiteLLM puts it into its words. No other escapes, for Python warns of them.
_BYTES = re.compile(r"\bb'\{(?:[^'\\\r\n]|\\(?:['\\nrt]|x[0-9a-f]{2}))*'")
# Words that say no more than that something failed: they come last.
_VAGUE = re.compile(
    r"(?:an? )?(?:provider returned error|internal (?:server )?error|bad (?:request|gateway|response.*)|unknown error"
    r"|(?:service|upstream|api|server|openai|request)[ _]?error|error|failed|failure|invalid request"
    r"|unprocessable entity"
    r"|too many requests|forbidden|unauthorized|something went wrong|unexpected error)[.!]?",
    re.IGNORECASE,
)


def is_failed(record: object) -> bool:
    """Return what `is_failure` does, by a short way for what almost every record of an answer is."""
    if isinstance(record, dict) and record.keys() <= _PLAIN and record.get("object") != "error":
        choices = record.get("choices")
        if isinstance(choices, list) and choices:
            for choice in choices:  # noqa: SIM110  # `any` takes twice as long, for each word of a reply
                if isinstance(choice, dict) and is_failed_choice(choice):
                    return True
            return False
    return is_failure(record)


def is_failure(record: object) -> bool:
    """Return whether a JSON value that came in place of a part of an answer says that something failed.

    A heartbeat, a line on the progress, a warning, usage alone, and what is not known are no failures.
    """
    if isinstance(record, str):
        return _BAD_WORDS.search(record) is not None
    if isinstance(record, list):
        return any(isinstance(r, dict) and is_failure(r) for r in record)
    if not isinstance(record, dict):
        return False
    own = {str(name).lower(): value for name, value in record.items()}
    if _says_error(own):
        return True
    choices = own.get("choices")
    if isinstance(choices, list) and choices:
        return any(isinstance(c, dict) and is_failed_choice(c) for c in choices)
    return not _kinds(own) & _HARMLESS and _says_failure(own)


def _says_error(own: dict[str, Any]) -> bool:
    """Return whether a record, whatever else is in it, is marked as an error."""
    marked = _kinds(own) & _FAILED or own.get("success") is False or own.get("ok") is False
    return bool(marked) or _is_said(own.get("error")) or _is_said(own.get("errors"))


def _says_failure(own: dict[str, Any]) -> bool:
    """Return whether a record without choices tells of a failure by a code, a status, or the names of its fields."""
    if any(_is_said(own.get(name)) for name in _ERROR_WORDS):
        return True
    if isinstance(inner := own.get("base_resp"), dict):
        return not _is_well(inner.get("status_code"))
    codes = [own.get(n) for n in ("code", "error_code", "errcode", "err_code")]
    said = any(_is_said(own.get(name)) for name in _SAY)
    if any(not _is_well(code) for code in codes) and ("data" in own or said):
        return True
    statuses = [_number(own.get(n)) for n in ("status", "status_code", "statuscode", "code")]
    if any(status is not None and status >= _REFUSED for status in statuses):
        return True
    return _is_said(own.get("detail")) and "message" not in own


def _kinds(own: dict[str, Any]) -> set[str]:
    """Return the words that say what kind of record it is."""
    return {str(own.get(name)).lower() for name in ("type", "event", "status", "level", "object", "state")}


def is_failed_choice(choice: dict[str, Any]) -> bool:
    """Return whether a choice of an answer holds an error in place of its end."""
    reason = choice.get("finish_reason")
    error = choice.get("error")
    return (reason is not None and str(reason).lower() in _FAILED) or (error is not None and _is_said(error))


def is_harmless(record: object) -> bool:
    """Return whether a record without a part of an answer is one that may stand in any stream."""
    if isinstance(record, str):
        return record.strip(" :.[]").lower() in _HARMLESS | _WELL
    if not isinstance(record, dict) or not record:
        return True
    own = {str(name).lower(): value for name, value in record.items()}
    known = own.keys() <= {"id", "object", "created", "model", "usage", "choices", "system_fingerprint", "x_groq"}
    marked = {
        str(own.get(name)).lower() for name in ("type", "event", "status", "level", "object", "state")
    } & _HARMLESS
    return known or bool(marked) or bool(own.keys() & _HARMLESS) or not any(_is_said(own.get(n)) for n in _SAY)


@dataclass(frozen=True)
class Failure:
    """What a failure says.

    Attributes
    ----------
    words
        All its words, the most telling first, on one line; ``""`` where it has none.
    kind, param, code
        The fields ``type``, ``param`` and ``code`` of its innermost error, where they are text.
    wait_s
        Seconds to wait, where it says so: Gemini's ``retryDelay``.
    """

    words: str = ""
    kind: str | None = None
    param: str | None = None
    code: str | None = None
    wait_s: float | None = None


def failure_of(record: object) -> Failure:
    """Return what a failure says, in whatever shape it came."""
    said = list(dict.fromkeys(_said(record, 0)))[:_MOST_WORDS]
    said = [s for s in said if not any(s != other and s in other for other in said)]
    said.sort(key=lambda s: _VAGUE.fullmatch(s) is not None)  # stable: the others stay in their order
    fields = next(_errors(record, 0), {})
    names = [
        t
        for name in _NAMES
        if (t := _name(fields.get(name) or (record.get(name) if isinstance(record, dict) else None)))
    ]
    words = "; ".join(said) or ", ".join(dict.fromkeys(names)) or shown(record)
    wait_s = next((s for v in _values_of("retryDelay", record, 0) if (s := seconds_of(v)) is not None), None)
    return Failure(shown(words), _name(fields.get("type")), _param(fields), _name(fields.get("code")), wait_s)


def seconds_of(value: object) -> float | None:
    """Return a time in seconds as it is written: ``31``, ``"31s"``, ``"1.5 s"``; None if it is none."""
    found = _SECONDS.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    return float(found[1]) if found else None


def _values_of(name: str, value: object, depth: int) -> Iterator[object]:
    """Yield what is called `name` anywhere in a JSON value, within its texts as well: LiteLLM wraps answers so."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield from _values_of(name, _parsed(value) if name in value else None, depth + 1)
    elif isinstance(value, dict):
        if name in value:
            yield value[name]
        for inner in value.values():
            yield from _values_of(name, inner, depth + 1)
    elif isinstance(value, list):
        for inner in value[:_MOST_WORDS]:
            yield from _values_of(name, inner, depth + 1)


def shown(value: object) -> str:
    """Return a text, or any other JSON value as text, on one line of bounded length."""
    if value is None:
        return ""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return ""
    flat = " ".join(replace_surrogates(text[: 20 * _MOST_SHOWN]).split())
    return flat if len(flat) <= _MOST_SHOWN else flat[:_MOST_SHOWN] + "…"


def _said(value: object, depth: int) -> Iterator[str]:
    """Yield the words of a value, those of its own before those of what it holds."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        inner = _parsed(value)
        if inner is not None:
            yield from _said(inner, depth + 1)
        elif value.strip():
            yield shown(value)
    elif isinstance(value, list):
        for item in value[:_MOST_WORDS]:
            yield from _said(item, depth + 1)
    elif isinstance(value, dict):
        yield from _said_of_record(value, depth)


def _said_of_record(record: dict[Any, Any], depth: int) -> Iterator[str]:
    own = {str(name).lower(): v for name, v in record.items()}
    where = own.get("loc")  # FastAPI's: the path of the field that is wrong
    if isinstance(where, list | tuple) and isinstance(own.get("msg"), str):
        yield shown(f"{'.'.join(str(w) for w in where if w != 'body')}: {own['msg']}")
        return
    for name in (*_SAY, *_WITHIN):
        value = own.get(name)
        if isinstance(value, str | list | dict):
            yield from _said(value, depth + 1)


def _errors(value: object, depth: int) -> Iterator[dict[Any, Any]]:
    """Yield the records that describe an error, the innermost that has fields of its own first."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str) and (inner := _parsed(value)) is not None:
        yield from _errors(inner, depth + 1)
    elif isinstance(value, list):
        for item in value[:_MOST_WORDS]:
            yield from _errors(item, depth + 1)
    elif isinstance(value, dict):
        for name in ("error", "errors", "detail", "choices"):
            if isinstance(value.get(name), dict | list):
                yield from _errors(value[name], depth + 1)
        if any(value.get(name) for name in ("type", "param", "code", "loc")):
            yield value


def _param(fields: dict[Any, Any]) -> str | None:
    where = fields.get("loc")
    if isinstance(where, list | tuple):
        names = [w for w in where if isinstance(w, str) and w != "body"]
        return names[0] if names else None
    return _name(fields.get("param"))


def _parsed(text: str) -> dict[Any, Any] | list[Any] | None:
    """Return the record that a text holds as JSON; None if it is only text."""
    if found := _BYTES.search(text):
        with suppress(ValueError, SyntaxError):
            text = ast.literal_eval(found[0]).decode("utf-8", "replace")
    start = text.find("{")
    if start < 0 or "}" not in text:
        return None
    for begin in {0, start}:
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(text[begin:].lstrip())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict | list) and value:
            return value
    return None


def _is_said(value: object) -> bool:
    """Return whether a field holds anything."""
    return bool(value) and value not in ("null", "none", "None")


def _is_well(code: object) -> bool:
    """Return whether a code is missing, or says that all went well."""
    return code is None or isinstance(code, bool | dict | list | float) or str(code).strip().lower() in _WELL


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < len("1000000"):
        return int(value)
    return value if type(value) is int else None


def _name(value: object) -> str | None:
    """Return a name or a word, no longer than a line; LiteLLM writes ``"None"`` where there is none."""
    text = str(value) if type(value) is int else value
    return shown(text) if isinstance(text, str) and _is_said(text.strip()) else None
