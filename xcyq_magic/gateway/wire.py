"""From the JSON of an OpenAI-compatible endpoint, and what is none, to our values."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.completion import Delta, Usage
from xcyq_magic.chat.given import count, replace_surrogates
from xcyq_magic.errors import (
    AnswerError,
    AuthenticationError,
    BadRequestError,
    GatewayError,
    NotFoundError,
    RateLimitError,
    ServerError,
    StatusError,
)

if TYPE_CHECKING:
    from xcyq_magic.gateway.events import Event

DONE = "[DONE]"
_MOST_SHOWN = 300
_MOST_READ = 20_000  # of a page, for its title
# A prolog, comments and a doctype may come first; then any element makes it a page.
_BEFORE_PAGE = re.compile(r"\s*(?:<\?[^>]*>|<!--.*?-->)", re.DOTALL)
_PAGE = re.compile(r"\s*<(?:!doctype\s|[a-z][a-z0-9]*[\s/>])", re.IGNORECASE)
_BY_STATUS: dict[int, tuple[type[StatusError], str]] = {
    401: (AuthenticationError, "Check the key: %chat_key asks for it anew."),
    403: (AuthenticationError, "The key may not use this model: ask its owner, or try another with -m."),
    404: (NotFoundError, "Check the address (%config GatewaySettings.base_url) and the model's name (%chat_models)."),
    408: (ServerError, "Run the cell again."),
    413: (BadRequestError, "Attach smaller pictures, or shorten the conversation with %chat_undo."),
    429: (RateLimitError, "Wait a little, or try another pool: the same model with -official or -low."),
}


def decode_event(event: Event) -> Delta | None:
    """Return what one event of a stream adds; None if nothing.

    Raises
    ------
    GatewayError
        The event is an error, or no JSON.
    """
    if not event.data.strip():
        return None
    try:
        record = _loads(event.data)
    except (ValueError, RecursionError):
        if event.type == "error":
            raise stream_error(event.data) from None
        msg = f"The gateway's stream holds what is no JSON: {_short(event.data)}"
        raise AnswerError(msg, "Ask again; if it stays so, check GatewaySettings.base_url.") from None
    if event.type == "error" or _is_error(record):
        raise stream_error(record)
    return decode_chunk(record) if isinstance(record, dict) else None


def _loads(text: str | bytes) -> Any:  # noqa: ANN401  # any JSON value
    try:
        return json.loads(text)
    except ValueError:  # Python makes no int of thousands of digits; such a number is not known
        return json.loads(text, parse_int=float)


def _is_error(record: Any) -> bool:  # noqa: ANN401  # any JSON value
    return isinstance(record, dict) and bool(record.get("error") or record.get("object") == "error")


def stream_error(record: Any) -> GatewayError:  # noqa: ANN401  # any JSON value
    """Return the error that came inside a stream whose status was 200."""
    msg = f"The gateway broke the reply off: {_error_message(record) or 'it did not say why'}"
    return GatewayError(
        msg, "What came, if anything, is in the output above. Run the cell again, or ask another model with -m."
    )


def decode_chunk(record: dict[str, Any]) -> Delta:
    """Return one chunk of a stream, or a whole answer: they differ only in ``delta`` and ``message``."""
    choices = record.get("choices")
    # A second answer to the same prompt (`n`) is not mixed into the first.
    mine = (
        [c for c in choices if isinstance(c, dict) and c.get("index") in (None, 0)] if isinstance(choices, list) else []
    )
    choice = mine[0] if mine else {}
    said = choice.get("delta") or choice.get("message") or {}
    if not isinstance(said, dict):
        said = {}
    usage = record.get("usage")
    return Delta(
        text=_content(said.get("content")),
        reasoning=_content(said.get("reasoning_content") or said.get("reasoning")),
        id=_text(record.get("id")),
        created=count(record.get("created")),
        model=_text(record.get("model")),
        finish_reason=_text(choice.get("finish_reason")),
        usage=Usage.from_dict(usage) if isinstance(usage, dict) else None,
    )


def decode_answer(body: bytes) -> Delta:
    """Return a whole answer, not streamed.

    Raises
    ------
    GatewayError
        The body is an error.
    AnswerError
        It is no chat completion.
    """
    try:
        record = _loads(body)
    except (ValueError, RecursionError):
        raise no_completion(body) from None
    if _is_error(record):
        words = _error_message(record) or "it did not say why"
        msg = f"The gateway answered with an error: {words}"
        raise GatewayError(msg, "Run the cell again, or try another model with -m.")
    if not isinstance(record, dict) or not isinstance(record.get("choices"), list):
        raise no_completion(body)
    return decode_chunk(record)


def no_completion(body: bytes, status: int = 200) -> AnswerError:
    """Return the error for an answer that is something else: a page, nothing, another JSON."""
    title = page_title(body)
    if not body.strip():
        what = "nothing"
    elif title is not None:
        what = f"a web page ({title!r})" if title else "a web page"
    else:
        what = f"no chat completion: {_short(body.decode('utf-8', 'replace'))}"
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
    return _short(html.unescape(title[1])) if title else ""


def status_error(status: int, body: bytes) -> StatusError:
    """Return the error of an answer whose status is not 200, with the gateway's own words."""
    fallback = (
        (ServerError, "Run the cell again, or try another model with -m.")
        if status >= 500  # noqa: PLR2004  # the status codes' own classes
        else (BadRequestError, "Change what it names; %chat? lists the options.")
    )
    cls, hint = _BY_STATUS.get(status, fallback)
    record: Any = None
    try:
        record = _loads(body)
    except (ValueError, RecursionError):
        title = page_title(body)
        words = f"a web page {title!r}" if title else _short(body.decode("utf-8", "replace"))
        if title == "":
            words = "a web page"
    else:
        words = _error_message(record)
    error = record.get("error") if isinstance(record, dict) else None
    fields = error if isinstance(error, dict) else {}
    message = f"The gateway refused with {status}: {words}" if words else f"The gateway refused with {status}."
    return cls(
        message,
        hint,
        status=status,
        said=words,
        kind=_text(fields.get("type")),
        param=_text(fields.get("param")),
        code=_text(fields.get("code")),
    )


def _error_message(record: Any) -> str:  # noqa: ANN401  # any JSON value
    """Return the words of an error in any of the shapes that gateways use."""
    while isinstance(record, dict):
        record = record.get("error") or record.get("message") or record.get("detail")
    return _short(record) if isinstance(record, str) else ""


def _content(value: Any) -> str:  # noqa: ANN401  # any JSON value
    """Content that is a string, or an array of text parts as some gateways write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(p["text"] for p in value if isinstance(p, dict) and isinstance(p.get("text"), str))
    return ""


def _text(value: Any) -> str | None:  # noqa: ANN401  # any JSON value
    """Return a name or a word, in whole characters and no longer than a line."""
    return _short(replace_surrogates(value)) if isinstance(value, str) and value else None


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _MOST_SHOWN else flat[:_MOST_SHOWN] + "…"
