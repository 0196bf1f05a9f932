"""The errors of answers that are no reply: a status, an error in a stream, a page; and what helps. No I/O."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, NamedTuple

from xcyq_magic.errors import (
    AnswerError,
    AuthenticationError,
    BadRequestError,
    IncompleteReplyError,
    NotFoundError,
    RateLimitError,
    ServerError,
    StatusError,
    XcyqError,
)
from xcyq_magic.gateway.catalog import MODELS, suggest
from xcyq_magic.gateway.events import records_of
from xcyq_magic.gateway.failures import failure_of, shown

if TYPE_CHECKING:
    from collections.abc import Collection

_CHECK_KEY = "Check the key: %chat_key asks for it again."
_MOST_READ = 20_000  # of a page, for its title


# A prolog, comments and a doctype may come first; then any element makes it a page.
_BEFORE_PAGE = re.compile(r"\s*(?:<\?[^>]*>|<!--.*?-->)", re.DOTALL)


_PAGE = re.compile(r"\s*<(?:!doctype\s|[a-z][a-z0-9]*[\s/>])", re.IGNORECASE)


_BY_STATUS: dict[int, tuple[type[StatusError], str]] = {
    402: (BadRequestError, "The account's balance is used up: top it up, or use another key (%chat_key) or pool (-m)."),
    401: (AuthenticationError, _CHECK_KEY),
    403: (AuthenticationError, "The key may not use this model: ask its owner, or try another with -m."),
    404: (NotFoundError, "Check the address (%config GatewaySettings.base_url) and the model's name (%chat_models)."),
    407: (BadRequestError, "A proxy asks for a user name and a password: HTTP_PROXY=http://USER:PASSWORD@HOST:PORT."),
    408: (ServerError, "Run the cell again."),
    413: (BadRequestError, "Attach smaller pictures, or shorten the conversation with %chat_undo."),
    429: (RateLimitError, "Wait a little, or try another pool: the same model with -official or -low."),
}


class _Cause(NamedTuple):
    """What the words of a failure tell of its cause, and what helps.

    Attributes
    ----------
    lasting, unserved
        As in `StatusError`.
    """

    words: re.Pattern[str]
    hint: str
    lasting: bool = False
    unserved: bool = False


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
        "A filter refused the prompt: reword it, or ask another model with -m.",
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
        unserved=True,
    ),
    _Cause(
        re.compile(
            r"image inputs?\b.{0,20}not supported|image_url is only supported|unknown variant .{0,3}image_url"
            r"|\bsupport(?:s|ed)? (?:image|vision)s?\b(?! ?(?:format|type|size|url))|not a multimodal model"
            r"|at most 0 image",
            re.IGNORECASE,
        ),
        "This model reads no pictures: ask another with -m, or leave them out.",
        lasting=True,
    ),
    _Cause(
        re.compile(
            r"invalid model name|\bmodel.{0,40}(?:does not exist|not.found)|(?:unknown|no such|not a valid) model"
            r"|\u6a21\u578b.{0,40}\u4e0d\u5b58\u5728",
            re.IGNORECASE,
        ),
        "Check the model's name (%chat_models) and the address (%config GatewaySettings.base_url).",
        unserved=True,
    ),
    # LiteLLM without a database says of a key that it does not know that it could not look it up.
    _Cause(
        re.compile(r"api.?key not valid|(?:incorrect|invalid).api.?key|no connected db", re.IGNORECASE),
        _CHECK_KEY,
        lasting=True,
    ),
)


def cause_of(words: str) -> _Cause | None:
    """Return the cause that the words of a failure tell; None where they tell none."""
    return next((cause for cause in _CAUSES if cause.words.search(words)), None)


def hint_for(words: str, otherwise: str) -> str:
    """Return what helps with a failure of these words; `otherwise` where they tell nothing."""
    cause = cause_of(words)
    return cause.hint if cause else otherwise


def hint_of(error: XcyqError, source: str, model: str = "", known: Collection[str] = ()) -> str:
    """Return the hint of an error, with whose key its request had, and which name is like that of its model.

    Parameters
    ----------
    error
        Any error of a request.
    source
        Where its key came from; ``""`` where none was sent.
    model
        The model that was asked; ``""`` for none.
    known
        The names that it may be meant for, where they are not those of the catalogue.
    """
    near = suggest(model, known) if isinstance(error, NotFoundError) and model not in (known or MODELS) else None
    if near:
        return f"Did you mean {near}? {error.hint}"
    if not source and (isinstance(error, AuthenticationError) or error.hint == _CHECK_KEY):
        return "No key was sent, for none was found: %chat_key asks for it, or set XCYQ_API_KEY."
    if error.hint == _CHECK_KEY:
        return f"Check the key, which came from {source}: %chat_key asks for it again."
    return error.hint


def stream_error(record: object) -> IncompleteReplyError:
    """Return the error that came inside a stream whose status was 200."""
    words = failure_of(record).words
    msg = f"The gateway broke the reply off: {words or 'it did not say why'}"
    return IncompleteReplyError(msg, hint_for(words, "Run the cell again, or ask another model with -m."))


def no_completion(body: bytes, status: int = 200, what: str = "no chat completion") -> AnswerError:
    """Return the error for an answer that is something else: a page, nothing, another JSON.

    Parameters
    ----------
    body, status
        Of the answer.
    what
        What it is none of.
    """
    title = page_title(body)
    if not body.strip():
        what = "nothing"
    elif title is not None:
        what = f"a web page ({title!r})" if title else "a web page"
    else:
        what = f"{what}: {shown(body.decode('utf-8', 'replace'))}"
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
    records, _ = records_of(text)
    title = page_title(body)
    if title is None:
        failure = failure_of(records[0] if records else text)
        words = failure.words
    else:
        failure, words = failure_of(None), f"a web page {title!r}" if title else "a web page"
    message = f"The gateway refused with {status}: {words}" if words else f"The gateway refused with {status}."
    # Gemini calls a limit a minute a quota as well; what is to be waited for does not last.
    cause = cause_of(f"{words} {failure.code} {failure.kind}") if failure.wait_s is None else None
    return cls(
        message,
        cause.hint if cause else hint,
        status=status,
        said=words,
        kind=failure.kind,
        param=failure.param,
        code=failure.code,
        wait_s=failure.wait_s,
        lasting=cause is not None and cause.lasting,
        unserved=cause is not None and cause.unserved,
    )
