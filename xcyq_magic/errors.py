"""Every error that a user can meet, in one tree.

::

    XcyqError                      what happened, why, and what to type next
    ├── InputError                 what was typed cannot be used; nothing was sent
    │   ├── OptionError            an option, a name or a number is wrong
    │   ├── RequestError           the request would break a rule of the gateway
    │   ├── BudgetError            the request would pass the day's budget
    │   ├── SettingError           a setting has a wrong value
    │   ├── KeyFormatError         what was given as the API key cannot be one
    │   ├── MissingKeyError        there is no API key
    │   ├── ExpressionError        a {{ expression }} is not valid, or fails
    │   ├── MediaError             a file or a value cannot be attached
    │   └── ConversationFileError  a file cannot be loaded, or cannot be saved
    ├── StoreError                 the store of conversations cannot be read or written
    ├── CheckError                 the function after --check failed
    ├── KeyringError               the system keyring cannot be used
    ├── SandboxError               the sandbox cannot start or stop
    └── GatewayError               the request was sent, and no complete answer came
        ├── NotReachedError        no connection to the gateway
        ├── TimedOutError          the gateway went silent
        ├── StatusError            the gateway refused, with an HTTP status
        │   ├── BadRequestError    400, and every 4xx not named below
        │   ├── AuthenticationError  401, 403
        │   ├── NotFoundError      404
        │   ├── RateLimitError     429
        │   └── ServerError        5xx
        ├── AnswerError            the answer is no chat completion
        ├── TypeMismatchError      the reply does not fit the type after --as
        └── IncompleteReplyError   the reply broke off in the middle

Each class says what it means and, after "What to do", how to go on. The message of an error says
it for the case at hand.

An error prints as a line or two (`_render_traceback_`), without a traceback through the HTTP
client, and it still fails its cell: IPython prints the plain form only for `UsageError` itself,
not for a subclass, and `jupyter execute` has to see a failure. `%config` is IPython's own: it logs
what a setting refuses as `ERROR:root:`, keeps the setting as it was, and does not fail the cell.
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
    """An option, a name or a number on a magic's line is wrong, or an argument from Python.

    What to do: Use the name that the message suggests; ``%%chat?`` lists the options.
    """


class RequestError(InputError):
    """The request would break a rule of the gateway, such as a temperature over 2, or a video for Claude.

    What to do: Change what the message names; it says which values are allowed.
    """


class BudgetError(InputError):
    """The request would pass ``ChatSettings.budget``, the most that a day's requests may cost.

    What to do: Wait for tomorrow, raise the budget, or limit the reply with ``--max-tokens``.
    """


class SettingError(InputError):
    """A value in ``ipython_config.py`` or in the environment cannot be used.

    What to do: Correct it; ``%config ChatSettings`` and ``%config GatewaySettings`` list the settings.
    """


class KeyFormatError(InputError):
    """What was given as the API key cannot be one: it is empty, or holds characters that no key has. It is not shown.

    What to do: Enter the key again with ``%chat_key``.
    """


class MissingKeyError(InputError):
    """There is no API key.

    What to do: Type ``%chat_key``, set ``XCYQ_API_KEY``, or work offline with ``%chat_sandbox``.
    """


class ExpressionError(InputError):
    r"""A ``{{ expression }}`` in a prompt, or one after ``-a``, is not valid Python, or fails.

    What to do: Correct it. Where no Python is meant, write ``\{{``, or send the prompt as it is with ``--raw``.
    """


class MediaError(InputError):
    """A file or a value cannot be attached.

    What to do: The message says why. Attach something else, or send it as text: ``{{ str(value) }}``.
    """


class ConversationFileError(InputError):
    """A file holds no conversation, cannot hold one, or holds something else that saving would overwrite.

    What to do: Load ``.json`` or ``.ipynb``; save under another name, or with ``--force``.
    """


class StoreError(XcyqError):
    """The store of conversations cannot be read or written. The chat goes on in memory.

    What to do: Free disk space or give permission, or name another file: ``ChatSettings.store``.

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
    """The function after ``--check`` failed for a reply, or returned no score. The replies are kept.

    What to do: Correct the function, and run the cell again: it asks for nothing twice.
    """


class KeyringError(XcyqError):
    """The system keyring cannot be used.

    What to do: Set ``XCYQ_API_KEY``, or write it into a file ``.env`` beside the notebook.
    """


class SandboxError(XcyqError):
    """The sandbox cannot start or stop.

    What to do: Install what it needs: ``%pip install tornado``.
    """


class GatewayError(XcyqError):
    """The request was sent, and no complete answer came."""


class NotReachedError(GatewayError):
    """There was no connection to the gateway, or it ended before an answer came.

    What to do: Check the network and ``GatewaySettings.base_url``.
    """


class TimedOutError(GatewayError):
    """The gateway accepted the connection and then went silent. What came is kept, and marked.

    What to do: Run the cell again, or raise the timeout that the message names.
    """


class StatusError(GatewayError):
    """The gateway refused, with an HTTP status.

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
    """The gateway refused the request: 400, or a 4xx that has no class of its own.

    What to do: Change what the gateway's words name.
    """


class AuthenticationError(StatusError):
    """The gateway refused the key, or its use for this model: 401 or 403.

    What to do: Enter the key again with ``%chat_key``, or ask another model with ``-m``.
    """


class NotFoundError(StatusError):
    """There is no such address, or no such model: 404.

    What to do: Check ``GatewaySettings.base_url``, and the name in ``%chat_models``.
    """


class RateLimitError(StatusError):
    """Too many requests, or the quota is used up: 429, also after three attempts.

    What to do: Wait, or ask another pool, such as ``-low``.
    """


class ServerError(StatusError):
    """The gateway, or the model behind it, failed: 5xx, also after three attempts.

    What to do: Run the cell again, or ask another model.
    """


class AnswerError(GatewayError):
    """The answer is no chat completion: a web page, nothing at all, an error with status 200, or other JSON.

    What to do: Check ``GatewaySettings.base_url``; the message says what came.
    """


class TypeMismatchError(GatewayError):
    """The reply does not fit the type after ``--as``, also when asked for again, or was cut off. Its text is kept.

    What to do: Run the cell again, ask another model, or raise ``--max-tokens`` if it was cut off.

    Attributes
    ----------
    final
        Whether asking again does not help: a validator of the type's own failed.
    """

    def __init__(self, message: str, hint: str = "", *, final: bool = False) -> None:
        super().__init__(message, hint)
        self.final = final


class IncompleteReplyError(GatewayError):
    """The reply broke off: the connection was lost, or an error came within it. What came is kept, and marked.

    What to do: Run the cell again, or type ``%chat go on``.
    """
