"""Every error that a user can meet, in one tree.

::

    XcyqError                     what happened, and what to type next
    ├── InputError                what was typed cannot be used; nothing was sent
    │   ├── OptionError           an option, a name or a number on a magic's line, an argument from Python
    │   ├── RequestError          a rule of the gateway that the request would break
    │   ├── BudgetError           it would pass ``ChatSettings.budget``
    │   ├── SettingError          a value in ipython_config.py or the environment
    │   ├── KeyFormatError        an API key that cannot be one; its text is never shown
    │   ├── MissingKeyError       no API key at all
    │   ├── ExpressionError       a {{ expression }} in a prompt that is none, or that fails
    │   ├── MediaError            a file or a value that cannot be attached
    │   └── ConversationFileError a file that holds no conversation, cannot hold one, or holds something else
    ├── StoreError                what is kept cannot be read or written; the chat goes on in memory
    ├── CheckError                the check of a comparison failed for a reply, or gave no score
    ├── KeyringError              the system keyring cannot be used
    ├── SandboxError              the offline gateway cannot start or stop
    └── GatewayError              it was sent, and did not end as it should
        ├── NotReachedError       no connection, or none that lasted until an answer
        ├── TimedOutError         a connection, and then silence
        ├── StatusError           the gateway refused, with a status
        │   ├── BadRequestError         400 and other 4xx
        │   ├── AuthenticationError     401, 403
        │   ├── NotFoundError           404
        │   ├── RateLimitError          429
        │   └── ServerError             5xx
        ├── AnswerError           what came back is no chat completion
        ├── TypeMismatchError     the reply does not fit the type that it was asked for; its text is kept
        └── IncompleteReplyError  the reply broke off in the middle; its text is kept

An error prints as a line or two (`_render_traceback_`), without a traceback through the HTTP
client, and it still fails its cell: IPython prints the plain form only for `UsageError` itself,
not for a subclass, and `jupyter execute` has to see a failure.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "AnswerError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetError",
    "CheckError",
    "ConversationFileError",
    "ExpressionError",
    "GatewayError",
    "IncompleteReplyError",
    "InputError",
    "KeyFormatError",
    "KeyringError",
    "MediaError",
    "MissingKeyError",
    "NotFoundError",
    "NotReachedError",
    "OptionError",
    "RateLimitError",
    "RequestError",
    "SandboxError",
    "ServerError",
    "SettingError",
    "StatusError",
    "StoreError",
    "TimedOutError",
    "TypeMismatchError",
    "XcyqError",
]

_MOST_SAID = 2000  # characters of a message, and of a hint
_RED, _PLAIN = "\x1b[31m", "\x1b[0m"


# Characters that turn the direction of what follows. In our own lines, they make one name look like another.
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Those that turn letters around, or that make code look as it does not run; no language is written with them in code.
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_OVERRIDES = re.compile("[\u202d\u202e]")


def show_directions(text: str, *, within: Literal["a line", "code", "a reply"] = "a line") -> str:
    """Show the characters that turn the direction of text as what they are, by their numbers in Unicode.

    Parameters
    ----------
    within
        A line of ours shows all of them, code those that reorder it. A reply in Arabic or Hebrew needs most of them:
        there, only overrides are shown.
    """
    if text.isascii():
        return text
    shown = {"a line": _DIRECTIONS, "code": _REORDERING, "a reply": _OVERRIDES}[within]
    return shown.sub(lambda found: f"\u2039U+{ord(found[0]):04X}\u203a", text)


def printable(text: str) -> str:
    """Return `text` on one line, without control characters: it may have come over the wire."""
    return "".join(c if c.isprintable() else " " for c in show_directions(text))


def encodable(text: str) -> str:
    """Return `text` as standard output can write it: with a question mark for each character that it cannot."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding, getattr(sys.stdout, "errors", None) or "strict")
    except UnicodeEncodeError:
        return text.encode(encoding, "replace").decode(encoding)
    return text


def short_traceback(name: str, message: str, hint: str = "") -> list[str]:
    """Return the lines that IPython prints instead of a traceback.

    Parameters
    ----------
    name
        The name of the error.
    message
        What happened, and why.
    hint
        What to type next.
    """
    lines = [f"{_RED}{name}{_PLAIN}: {encodable(message)}"]
    return [*lines, encodable(hint)] if hint else lines


def shorten(error: BaseException, message: str) -> None:
    """Have IPython print one line for `error`, which is none of ours, without the traceback through our code."""
    said = printable(message)
    error._render_traceback_ = lambda: short_traceback(type(error).__name__, said)  # type: ignore[attr-defined]  # IPython's hook


@contextmanager
def before_sending() -> Iterator[None]:
    """Have an interrupt of what is done within, before anything is sent, printed as one line."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        shorten(interrupt, "stopped; nothing was sent")
        raise


def _bounded(text: str) -> str:
    """Return `text` without its middle where it is long: it may repeat megabytes of what was typed or attached."""
    left_out = len(text) - _MOST_SAID
    half = _MOST_SAID // 2
    return text if left_out <= 0 else f"{text[:half]}… ({left_out:,} more characters) …{text[-half:]}"


class XcyqError(Exception):
    """The root of the tree.

    Parameters
    ----------
    message
        What happened, and why.
    hint
        What to type next.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = printable(_bounded(message))
        self.hint = printable(_bounded(hint))
        super().__init__(self.message, self.hint)

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Apply `change` to every text that it holds."""
        self.message, self.hint = change(self.message), change(self.hint)
        self.args = (self.message, self.hint)

    def begin_with(self, what: str) -> None:
        """Have the message say first what it is about, such as a row."""
        self.message = f"{printable(what)}: {self.message}"
        self.args = (self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        return short_traceback(type(self).__name__, self.message, self.hint)


class InputError(XcyqError):
    """What was typed cannot be used. Nothing was sent."""


class OptionError(InputError):
    """An option, a name or a number on a magic's line, or an argument from Python."""


class RequestError(InputError):
    """A rule of the gateway that the request would break."""


class BudgetError(InputError):
    """It would pass ``ChatSettings.budget``, a day's."""


class SettingError(InputError):
    """A value in ``ipython_config.py`` or the environment. What ``%config`` refuses, IPython only logs."""


class KeyFormatError(InputError):
    """An API key that cannot be one. Its text is never shown."""


class MissingKeyError(InputError):
    """No API key at all."""


class ExpressionError(InputError):
    """A ``{{ expression }}`` in a prompt, or one after ``-a``, that is none, or that fails."""


class MediaError(InputError):
    """A file or a value that cannot be attached."""


class ConversationFileError(InputError):
    """A file that holds no conversation, cannot hold one, or holds something else that would be lost."""


class StoreError(XcyqError):
    """What is kept cannot be read or written. The chat goes on in memory.

    Attributes
    ----------
    replaced
        Whether another file has taken the place of the one that failed, so that it can be tried again.
    refused
        Whether it is about a value that can never be written; the store itself works.
    """

    def __init__(self, message: str, hint: str = "", *, replaced: bool = False, refused: bool = False) -> None:
        super().__init__(message, hint)
        self.replaced = replaced
        self.refused = refused


class CheckError(XcyqError):
    """The user's function that scores replies failed for one, or returned no score. The reply is kept."""


class KeyringError(XcyqError):
    """The system keyring cannot be used."""


class SandboxError(XcyqError):
    """The offline gateway cannot start or stop."""


class GatewayError(XcyqError):
    """It was sent, and did not end as it should."""


class NotReachedError(GatewayError):
    """No connection to the gateway, or none that lasted until it answered."""


class TimedOutError(GatewayError):
    """A connection, and then silence."""


class StatusError(GatewayError):
    """The gateway refused, with a status.

    Attributes
    ----------
    status
        The HTTP status.
    said
        The gateway's own words.
    kind, param, code
        `error.type`, `error.param` and `error.code` of the gateway's answer, where it gave them.
    wait_s
        Seconds that the answer's body asks to wait; None if it does not say.
    lasting
        Whether waiting does not help: the quota is used up, or no channel serves the model.
    unserved
        Whether it is the model that is not served: it has no channel, or its name is not known.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        status: int = 0,
        said: str = "",
        kind: str | None = None,
        param: str | None = None,
        code: str | None = None,
        wait_s: float | None = None,
        lasting: bool = False,
        unserved: bool = False,
    ) -> None:
        super().__init__(message, hint)
        self.wait_s = wait_s
        self.lasting = lasting
        self.unserved = unserved
        self.status = status
        self.said = printable(said)
        self.kind = kind
        self.param = param
        self.code = code

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Apply `change` to every text that it holds."""
        super().rewrite(change)
        self.said = change(self.said)
        self.kind, self.param, self.code = (change(t) if t else t for t in (self.kind, self.param, self.code))


class BadRequestError(StatusError):
    """400, and every 4xx that has no class of its own."""


class AuthenticationError(StatusError):
    """401 and 403: the key."""


class NotFoundError(StatusError):
    """404: there is no such address, or no such model."""


class RateLimitError(StatusError):
    """429: too many requests, or the quota is used up."""


class ServerError(StatusError):
    """5xx: the gateway, or the model behind it, failed."""


class AnswerError(GatewayError):
    """What came back is no chat completion."""


class TypeMismatchError(GatewayError):
    """The reply does not fit the type after ``--as``, or it was cut off before it could. Its text is kept.

    Attributes
    ----------
    final
        Whether asking again does not help: a validator of the type's own failed.
    """

    def __init__(self, message: str, hint: str = "", *, final: bool = False) -> None:
        super().__init__(message, hint)
        self.final = final


class IncompleteReplyError(GatewayError):
    """The reply ended in the middle. What came is kept, and marked."""
