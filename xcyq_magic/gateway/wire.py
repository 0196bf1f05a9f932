"""From the JSON of an OpenAI-compatible endpoint, and what is none, to our values. No I/O."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from xcyq_magic.chat.completion import Delta, Usage
from xcyq_magic.chat.given import count
from xcyq_magic.errors import (
    AnswerError,
    AuthenticationError,
    BadRequestError,
    GatewayError,
    IncompleteReplyError,
    NotFoundError,
    RateLimitError,
    ServerError,
    StatusError,
)
from xcyq_magic.gateway.choices import Choices, Thoughts, text_of
from xcyq_magic.gateway.failures import failure_of, is_failure, is_harmless, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcyq_magic.gateway.events import Event

_MOST_NAMES = 4
_MOST_DIGITS = 400
_MOST_READ = 20_000  # of a page, for its title
# A prolog, comments and a doctype may come first; then any element makes it a page.
_BEFORE_PAGE = re.compile(r"\s*(?:<\?[^>]*>|<!--.*?-->)", re.DOTALL)
_PAGE = re.compile(r"\s*<(?:!doctype\s|[a-z][a-z0-9]*[\s/>])", re.IGNORECASE)
_DONE = re.compile(r"[\s\"']*\[?\s*done\s*\]?[\s\"']*", re.IGNORECASE)
# What stands between records of one event: the prefix again, a comment, the end of the stream.
_BETWEEN = re.compile(r"[\s,]*(?:data:[ \t]*|:[^\n]*(?:\n|$)|event:[^\n]*(?:\n|$))*[\s,]*")
_TOOLS = "The model asked for {}, which is not run here: leave the tools out of the request, or answer in its place."
_OTHERS = "\n\n---\n\n**Answer {}**\n\n"
NO_REASON = "The gateway did not say why the reply ended."
_BY_STATUS: dict[int, tuple[type[StatusError], str]] = {
    402: (BadRequestError, "The account's balance is used up: top it up, or use another key (%chat_key) or pool (-m)."),
    401: (AuthenticationError, "Check the key: %chat_key asks for it anew."),
    403: (AuthenticationError, "The key may not use this model: ask its owner, or try another with -m."),
    404: (NotFoundError, "Check the address (%config GatewaySettings.base_url) and the model's name (%chat_models)."),
    408: (ServerError, "Run the cell again."),
    413: (BadRequestError, "Attach smaller pictures, or shorten the conversation with %chat_undo."),
    429: (RateLimitError, "Wait a little, or try another pool: the same model with -official or -low."),
}


class _Cause(NamedTuple):
    """What the words of a failure tell of its cause, and what helps; `lasting` is one that waiting does not mend."""

    words: re.Pattern[str]
    hint: str
    lasting: bool = False


_CAUSES = (
    _Cause(
        re.compile(
            r"context.{0,10}length|context.{0,10}window|maximum context|too many tokens|prompt is too long"
            r"|input.{0,20}too long|token.{0,20}exceed.{0,20}(?:limit|maximum|context)",
            re.IGNORECASE,
        ),
        "Shorten what is sent: %chat_undo takes turns back, ChatSettings.history_turns and keep_media bound the "
        "history, --once leaves it out; or ask a model with a larger window with -m.",
        lasting=True,
    ),
    _Cause(
        re.compile(
            r"insufficient.{0,3}(?:quota|balance|credit|fund)|billing|payment|arrears|\u4f59\u989d|\u989d\u5ea6"
            r"|\u6b20\u8d39|exceeded your current quota"
            r"|(?:balance|credits?).{0,30}(?:exhausted|used up|too low|not enough|exceeded)",
            re.IGNORECASE,
        ),
        "The account's balance or quota is used up: top it up, or use another key (%chat_key) or pool (-m).",
        lasting=True,
    ),
    _Cause(
        re.compile(
            r"moderation|content.{0,3}(?:policy|filter)|flagged|safety|\u654f\u611f|\u8fdd\u89c4", re.IGNORECASE
        ),
        "A filter refused the prompt: put it in other words, or ask another model with -m.",
        lasting=True,
    ),
    _Cause(
        re.compile(
            r"no available (?:channel|account|provider|deployment)|no (?:channel|provider)s? available"
            r"|\u65e0\u53ef\u7528\u6e20\u9053",
            re.IGNORECASE,
        ),
        "This pool has no channel for the model now: try the same model with -official, -fd or -low.",
        lasting=True,
    ),
)


def cause_of(words: str) -> _Cause | None:
    """Return the cause that the words of a failure tell; None where they tell none."""
    return next((cause for cause in _CAUSES if cause.words.search(words)), None)


def _hint(words: str, otherwise: str) -> str:
    cause = cause_of(words)
    return cause.hint if cause else otherwise


class AnswerDecoder:
    """Reads one answer, streamed or whole.

    Parameters
    ----------
    hide
        Takes the key out of a text. It is asked before words are cut to length: half a key would show otherwise.

    Attributes
    ----------
    said
        Whether any text or reasoning came.
    done
        Whether the stream said that it has ended.
    finished
        Whether a finish reason came: the reply is whole, whatever becomes of the rest.
    unknown
        A record that nobody understood, in words; ``""`` while there is none.
    """

    def __init__(self, hide: Callable[[str], str] = str) -> None:
        self._hide = hide
        self._choices = Choices()
        self._thoughts = Thoughts()
        self._noted: set[str] = set()
        self._names: dict[str, str] = {}  # as they came, and as they are shown: they are repeated in each chunk
        self.said = False
        self.done = False
        self.finished = False
        self.unknown = ""

    def event(self, event: Event) -> Iterator[Delta]:
        """Yield what an event of a stream adds to the reply.

        Raises
        ------
        GatewayError
            The event is an error, or no JSON, and no finish reason came before it.
        """
        records, rest = _records(event.data)
        try:
            for record in records:
                if isinstance(record, str) and _DONE.fullmatch(record):
                    self.done = True
                    return
                yield from self._record(record, error=event.type == "error")
            if rest and event.type == "error":
                raise stream_error(self._hide(rest))
            if rest:
                msg = f"The gateway's stream holds what is no JSON: {shown(self._hide(rest))}"
                raise AnswerError(msg, "Ask again; if it stays so, check GatewaySettings.base_url.")
        except GatewayError:
            if not self.finished:
                raise

    def _record(self, record: object, *, error: bool = False) -> Iterator[Delta]:
        record = unwrapped(record)
        if error or is_failure(record):
            # An error may come with the last words of the reply.
            if isinstance(record, dict) and record.get("choices") and (last := self._delta(record)).text:
                yield replace(last, finish_reason=None)
            raise stream_error(self._clean(record))
        if isinstance(record, dict) and _is_part(record):
            delta = self._delta(record)
            yield delta
            self.finished = self.finished or delta.finish_reason is not None
        elif not is_harmless(record):
            self.unknown = self.unknown or failure_of(self._clean(record)).words

    def whole(self, body: bytes) -> Delta:
        """Return what a whole answer says.

        Raises
        ------
        AnswerError
            The body is an error, or something else that is no chat completion.
        """
        text = body.decode("utf-8-sig", "replace")
        records, rest = _records(text)
        record = unwrapped(records[0]) if len(records) == 1 and not rest else None
        if record is not None and is_failure(record):
            words = failure_of(self._clean(record)).words
            msg = f"The gateway answered with an error: {words or 'it did not say why'}"
            raise AnswerError(msg, _hint(words, "Run the cell again, or try another model with -m."))
        if not isinstance(record, dict) or not _is_answer(record):
            raise no_completion(self._hide(text).encode())
        return self._delta(record)

    def flush(self) -> Delta:
        """Return what was held back, and what is to be said of the answer at its end."""
        last = self._delta({"choices": []}, last=True)
        text, reasoning = self._thoughts.flush()
        text, reasoning = last.text + text, last.reasoning + reasoning
        for index, pieces in self._choices.others.items():
            if other := "".join(pieces).strip():
                number = index + 1 if isinstance(index, int) else index
                text += f"{_OTHERS.format(number)}{other}"
        return replace(last, text=text, reasoning=reasoning)

    def _delta(self, record: dict[str, Any], *, last: bool = False) -> Delta:
        """Return one chunk of a stream, or a whole answer: they differ only in ``delta`` and ``message``."""
        choices = record.get("choices")
        each = [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
        told = self._choices.read(each, last=last)
        if not told.text and isinstance(choices, list | None) and not choices:
            told.text = text_of(record.get("content"))  # what an envelope held
        text, thought = self._thoughts(told.text)
        self.said = self.said or bool(text or told.reasoning or thought)
        notes = [_TOOLS.format(f"the tool {', '.join(told.calls)}")] if told.calls else []
        if told.pictures:
            notes.append("A picture came with the reply; pictures of replies are neither shown nor kept.")
        if told.refused:
            notes.append("The model refused: the reply is its refusal.")
        return Delta(
            text=text,
            reasoning=told.reasoning + thought,
            id=self._name(record.get("id")),
            created=count(record.get("created")),
            model=self._name(record.get("model")),
            finish_reason=told.end and self._name(told.end),
            usage=usage_of(record),
            notes=tuple(self._new(notes)),
        )

    def _name(self, value: object) -> str | None:
        """Return a name or a word, in whole characters, without the key and no longer than a line."""
        if not isinstance(value, str) or not value:
            return None
        if value not in self._names:
            self._names = {value: shown(self._hide(value)), **dict(list(self._names.items())[:_MOST_NAMES])}
        return self._names[value]

    def _clean(self, record: object) -> object:
        """Return a record without the key."""
        try:
            return json.loads(self._hide(json.dumps(record, ensure_ascii=False)))
        except (ValueError, RecursionError):
            return self._hide(str(record))

    def _new(self, notes: list[str]) -> Iterator[str]:
        for note in notes:
            if note not in self._noted:
                self._noted.add(note)
                yield note


def _records(text: str) -> tuple[list[Any], str]:
    """Return the JSON values of an event's data, and the rest that is none.

    One value is the rule. Several, the prefix ``data:`` again, and comments are what gateways make of it that join or
    forward lines.
    """
    stripped = text.strip()
    if not stripped or _DONE.fullmatch(stripped):
        return (["[DONE]"], "") if stripped else ([], "")
    try:
        return [_loads(stripped)], ""
    except (ValueError, RecursionError):
        pass
    found: list[Any] = []
    at = _end_of_between(text, 0)
    decoder = json.JSONDecoder(strict=False, parse_int=_whole)
    while at < len(text):
        line_end = text.find("\n", at)
        line = text[at : line_end if line_end >= 0 else len(text)]
        if _DONE.fullmatch(line):
            return [*found, "[DONE]"], ""
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return found, text[at:]
        found.append(value)
        at = _end_of_between(text, at)
    return found, ""


def _end_of_between(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _loads(text: str | bytes) -> Any:  # noqa: ANN401  # any JSON value
    return json.loads(text, strict=False, parse_int=_whole)


def _whole(digits: str) -> int | float:
    """Return a whole number; Python makes no int of thousands of digits, and such a number is not known."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def unwrapped(record: object) -> object:
    """Return the answer in an envelope of the kind ``{"code": "200", "msg": "ok", "data": {…}}``; else the record."""
    if not isinstance(record, dict) or "choices" in record or not {"code", "success", "msg", "status"} & record.keys():
        return record
    inner = record.get("data")
    if isinstance(inner, str) and inner.lstrip().startswith("{"):
        inner = next(iter(_records(inner)[0]), None)
    if not isinstance(inner, dict) or is_failure({k: v for k, v in record.items() if k != "data"} | {"msg": "?"}):
        return record
    return inner


def _is_answer(record: dict[str, Any]) -> bool:
    """Return whether a record is a whole answer."""
    return isinstance(record.get("choices"), list) or isinstance(record.get("content"), str | list)


def _is_part(record: dict[str, Any]) -> bool:
    """Return whether a record is a part of an answer: choices, what an envelope held, or usage alone."""
    return _is_answer(record) or usage_of(record) is not None


def is_chunk(line: bytes) -> bool:
    """Return whether a line is a chunk of a stream by itself, as in a body of one record a line."""
    records, rest = _records(line.decode("utf-8", "replace"))
    record = records[0] if len(records) == 1 and not rest else None
    if not isinstance(record, dict) or not isinstance(choices := record.get("choices"), list):
        return False
    return str(record.get("object")).endswith("chunk") or any("delta" in c for c in choices if isinstance(c, dict))


def usage_of(record: dict[str, Any]) -> Usage | None:
    """Return what a record counts, under the names of any vendor; None where it counts nothing.

    A prompt of no tokens cannot be: such a count is not known.
    """
    found = record.get("usage") or record.get("usageMetadata") or record.get("x_groq")
    if isinstance(found, dict) and isinstance(found.get("usage"), dict):
        found = found["usage"]
    if not isinstance(found, dict) or not found:
        return None

    def first(*names: str, of: object = found) -> int | None:
        known = (count(of.get(name)) for name in names) if isinstance(of, dict) else ()
        return next((n for n in known if n is not None), None)

    cached = first("cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")
    reasoning = first("reasoning_tokens", "thoughtsTokenCount")
    for kind in ("prompt_tokens_details", "input_tokens_details"):
        cached = cached or first("cached_tokens", of=found.get(kind))
    for kind in ("completion_tokens_details", "output_tokens_details"):
        reasoning = reasoning or first("reasoning_tokens", of=found.get(kind))
    usage = Usage(
        first("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_token_count") or None,
        first("completion_tokens", "output_tokens", "candidatesTokenCount", "generated_tokens"),
        first("total_tokens", "totalTokenCount") or None,
        cached or None,
        reasoning or None,
    )
    return usage if usage != Usage() else None


def stream_error(record: object) -> IncompleteReplyError:
    """Return the error that came inside a stream whose status was 200."""
    words = failure_of(record).words
    msg = f"The gateway broke the reply off: {words or 'it did not say why'}"
    return IncompleteReplyError(msg, _hint(words, "Run the cell again, or ask another model with -m."))


def no_completion(body: bytes, status: int = 200) -> AnswerError:
    """Return the error for an answer that is something else: a page, nothing, another JSON."""
    title = page_title(body)
    if not body.strip():
        what = "nothing"
    elif title is not None:
        what = f"a web page ({title!r})" if title else "a web page"
    else:
        what = f"no chat completion: {shown(body.decode('utf-8', 'replace'))}"
    msg = f"The gateway answered {status} with {what}."
    return AnswerError(msg, "Check the address: %config GatewaySettings.base_url shows it.")


def page_title(body: bytes) -> str | None:
    """Return the title of an HTML page; None if `body` is none. The page itself is never shown."""
    head = body[:_MOST_READ].decode("utf-8-sig", "replace")
    at = 0
    while before := _BEFORE_PAGE.match(head, at):
        at = before.end()
    if not _PAGE.match(head, at):
        return None
    title = re.search(r"<title[^>]*>(.*?)</title>", head, re.IGNORECASE | re.DOTALL)
    return shown(html.unescape(title[1])) if title else ""


def status_error(status: int, body: bytes) -> StatusError:
    """Return the error of an answer whose status is not 200, with the gateway's own words."""
    fallback = (
        (ServerError, "Run the cell again, or try another model with -m.")
        if status >= 500  # noqa: PLR2004  # the status codes' own classes
        else (BadRequestError, "Change what it names; %chat? lists the options.")
    )
    cls, hint = _BY_STATUS.get(status, fallback)
    text = body.decode("utf-8-sig", "replace")
    records, _ = _records(text)
    title = page_title(body)
    if title is None:
        failure = failure_of(records[0] if records else text)
        words = failure.words
    else:
        failure, words = failure_of(None), f"a web page {title!r}" if title else "a web page"
    message = f"The gateway refused with {status}: {words}" if words else f"The gateway refused with {status}."
    return cls(
        message,
        _hint(words, hint),
        status=status,
        said=words,
        kind=failure.kind,
        param=failure.param,
        code=failure.code,
        wait_s=failure.wait_s,
        lasting=(cause := cause_of(f"{words} {failure.code} {failure.kind}")) is not None and cause.lasting,
    )
