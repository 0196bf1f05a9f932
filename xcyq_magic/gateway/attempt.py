"""One attempt at a request: where it goes, how far it came, and the error that says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import anyio

from xcyq_magic.errors import AnswerError, GatewayError, IncompleteReplyError, NotReachedError, TimedOutError, XcyqError
from xcyq_magic.gateway import refusals
from xcyq_magic.gateway.retries import why_another
from xcyq_magic.gateway.route import proxy_of, shown_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from xcyq_magic.chat.completion import Delta
    from xcyq_magic.gateway.credentials import ApiKey
    from xcyq_magic.gateway.repairs import Repair
    from xcyq_magic.gateway.request import ChatRequest
    from xcyq_magic.gateway.retries import Retry


_AFTER_FINISH_S = 5.0  # after the finish reason, for the usage and [DONE]
_OK = range(200, 300)
_REDIRECTS = range(300, 400)
_LONGEST_REFUSAL = 1024 * 1024  # bytes read of a refusal, which is cut to a few hundred characters
_ASKED = {"gzip", "x-gzip", "deflate"}
_UNASKED = {"br", "zstd", "compress", "x-compress", "lzma", "xz", "bzip2", "lz4"}  # codings beside gzip and deflate
# A proxy gave up on an answer that may have been made: time-outs, and what is said where the upstream breaks off.
_PROXY_WAITED = {408, 502, 504, 520, 524, 598, 599}
PERHAPS_PAID = (
    "It may have been answered and billed, so it was not sent again automatically. Running the cell sends it again."
)
_CHECK = "Check the address: %config GatewaySettings.base_url shows it."


@dataclass(frozen=True)
class Deltas:
    """Deltas that came together, the first of them at the time `at`."""

    deltas: tuple[Delta, ...]
    at: float


@dataclass(frozen=True)
class Retrying:
    """The request failed before an answer, and is sent again after a wait."""

    retry: Retry


@dataclass(frozen=True)
class Instead:
    """Another model of a chain is asked now: its request, and who was not to answer, in words with the reason."""

    request: ChatRequest
    why: str


@dataclass(frozen=True)
class Notice:
    """A line for the user about this exchange."""

    notice: str


@dataclass(frozen=True)
class Ended:
    """The exchange is over; `error` is None when the reply is whole. What comes later does not count."""

    error: Exception | None
    at: float


Arrival: TypeAlias = Deltas | Retrying | Instead | Notice | Ended
Sink: TypeAlias = Callable[[Arrival], None]


@dataclass(frozen=True)
class Connection:
    """Where a request goes, and how long to wait.

    Attributes
    ----------
    connect_timeout, first_byte_timeout, read_timeout
        Seconds for a connection, for a stream's first byte, and of silence within it.
    answer_timeout
        Seconds for a whole answer, which is not streamed.
    fallback_after, fallback_after_silence
        Seconds after which the next model of a chain is asked: of a wait that a limit asks for, and without a first
        byte of a stream.
    fallback_rest
        Seconds for which a model of a chain that failed is passed over.
    models
        The names that the server lists; none where that is not known.
    """

    url: str
    auth_scheme: str = "Bearer"
    connect_timeout: float = 10.0
    first_byte_timeout: float = 120.0
    read_timeout: float = 180.0
    answer_timeout: float = 600.0
    fallback_after: float = 5.0
    fallback_after_silence: float = 30.0
    fallback_rest: float = 60.0
    models: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The gateway's scheme, host and port, for errors."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def until_the_next(self) -> Connection:
        """The same with the patience for the stream of a model that has another behind it in a chain."""
        return replace(self, first_byte_timeout=min(self.first_byte_timeout, self.fallback_after_silence))


@dataclass
class Attempt:
    """How far one attempt came.

    Attributes
    ----------
    whole
        Whether the answer is to come in one piece.
    repairs
        What earlier refusals changed in the request.
    sent
        Whether there was a connection for the request, so that it may have arrived.
    status, headers
        Of its answer; 0 and empty while there is none.
    body
        Of a refusal, as far as it came.
    came_at
        When the last of its body came, in seconds of `time.monotonic()`; 0 while there is none.
    begun
        Whether text or reasoning was in it.
    finished
        Whether a finish reason was in it.
    ends_at
        When to wait no longer for what follows a finish reason, on the clock of the loop; None before it.
    """

    whole: bool = False
    repairs: tuple[Repair, ...] = ()
    sent: bool = False
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    came_at: float = 0.0
    begun: bool = False
    finished: bool = False
    ends_at: float | None = None

    @property
    def answered(self) -> bool:
        """Whether a reply has come."""
        return self.status in _OK

    @property
    def final(self) -> bool:
        """Whether nothing is sent again: a reply has come, or it may have been made and paid for.

        A stream begins before its reply is written, a whole answer after that: while it is awaited, a gateway that
        has the request is at work, or done with it, also where a proxy does not wait for it.
        """
        unknown = self.status in _PROXY_WAITED or (self.sent and not self.status)
        return self.answered or (self.whole and unknown)

    def why_another(
        self, error: GatewayError, retry: Retry | None, connection: Connection, *, at_hand: bool
    ) -> str | None:
        """Return why another model of its chain is worth asking, as `retries.why_another` does; None if it is not.

        Parameters
        ----------
        error
            How the attempt failed.
        retry
            The wait before the same model could be asked again; None for none.
        connection
            How long to wait.
        at_hand
            Whether another one is there that does not rest: then this one is not asked again first.
        """
        # Where nothing is sent again, nobody else is asked. But a stream of which no byte came is given up: whether it
        # had a status line does not tell whether the model is at work.
        if (self.final and (self.whole or self.came_at)) or (retry is not None and not at_hand):
            return None
        return why_another(error, retry, connection.fallback_after, connection.first_byte_timeout)

    @property
    def refused(self) -> bool:
        """Whether the answer is no reply."""
        return self.status != 0 and self.status not in _OK

    def check_encoding(self) -> None:
        """Refuse what was not asked for: each further layer of compression multiplies what a small answer can become.

        Raises
        ------
        AnswerError
            The body is in another encoding.
        """
        encoding = self.headers.get("content-encoding", "").strip().lower()
        codings = [c.strip() for c in encoding.split(",") if c.strip() in _UNASKED | _ASKED]
        if len(codings) > 1 or _UNASKED & {*codings}:  # any other word, such as utf-8 or none, names no coding
            msg = f"The gateway answered {self.status} in the encoding {encoding!r}, which was not asked for."
            raise AnswerError(msg, _CHECK)

    async def read_refusal(self, chunks: AsyncIterator[bytes]) -> None:
        """Read the words of a refusal, or as many of them as can matter."""
        async for chunk in chunks:
            self.body += chunk
            if len(self.body) > _LONGEST_REFUSAL:
                return

    async def watched(
        self, chunks: AsyncIterator[bytes], watchdog: anyio.CancelScope, connection: Connection
    ) -> AsyncIterator[bytes]:
        """Pass a body on, and put the deadline of `watchdog` off as far as what came allows.

        Parameters
        ----------
        chunks
            The body.
        watchdog
            Ends the attempt at its deadline.
        connection
            How long to wait.
        """
        async for chunk in chunks:
            self.came_at = time.monotonic()
            yield chunk
            # Not before it has been read: the finish reason may be in it.
            now = anyio.current_time()
            if self.finished:  # whatever comes then, pings too
                self.ends_at = self.ends_at or now + _AFTER_FINISH_S
                watchdog.deadline = self.ends_at
            elif not self.whole:  # the first word has the patience of the first byte: a model may think before it
                patience = connection.read_timeout
                watchdog.deadline = now + (patience if self.begun else max(patience, connection.first_byte_timeout))

    def refusal(self, key: ApiKey) -> GatewayError:
        """Return the error of an answer whose status is not 200."""
        if self.status in _REDIRECTS:
            msg = f"The gateway answered {self.status} and points to {self.headers.get('location', 'nowhere')}."
            return AnswerError(msg, "If you trust that address, set GatewaySettings.base_url to it.")
        # The key is taken out before the words are cut to length: half of it would show otherwise.
        error = refusals.status_error(self.status, key.hide(self.body.decode("utf-8", "replace")).encode())
        if self.final:
            error.hint = PERHAPS_PAID
        return error

    def silence(self, connection: Connection) -> TimedOutError:
        """Return the error of an answer that did not come, or did not go on."""
        if self.whole:
            msg = f"{connection.where} gave no whole answer within {connection.answer_timeout:g} s."
            hint = "Raise GatewaySettings.answer_timeout, or let the reply come as a stream."
            hint = f"{PERHAPS_PAID} {hint}" if self.final else hint
        elif self.begun:
            msg = f"{connection.where} was silent for {connection.read_timeout:g} s in the middle of its answer."
            hint = "What came is kept in _reply and marked. Run the cell again, or raise GatewaySettings.read_timeout."
        elif self.came_at:
            patience = max(connection.first_byte_timeout, connection.read_timeout)
            msg = f"{connection.where} began its answer, and then sent no words for {patience:g} s."
            hint = "Run the cell again, or raise GatewaySettings.read_timeout."
        else:
            msg = f"{connection.where} sent nothing within {connection.first_byte_timeout:g} s."
            hint = "Run the cell again, or raise GatewaySettings.first_byte_timeout."
        return TimedOutError(msg, hint)

    def broken_off(self, connection: Connection, *, damaged: bool) -> IncompleteReplyError:
        """Return the error of an answer that ended in the middle; `damaged` is one that cannot be unpacked."""
        why = "could not be unpacked any further" if damaged else "broke off"
        msg = f"The reply of {connection.where} {why} before it was whole."
        kept = "What came is kept in _reply and marked. Run" if self.begun else "Nothing of it had come. Run"
        return IncompleteReplyError(msg, f"{kept} the cell again.")

    def no_http(self, connection: Connection) -> AnswerError:
        """Return the error of an answer that is not HTTP, or breaks its rules."""
        return AnswerError(f"{self._nearest(connection)} sent an answer that is not HTTP.", _CHECK)

    def closed(self, connection: Connection) -> NotReachedError:
        """Return the error of a connection that ended before an answer."""
        msg = f"{self._nearest(connection)} closed the connection before it answered."
        check = f"Run the cell again. {_CHECK} %chat_sandbox works offline."
        return NotReachedError(msg, PERHAPS_PAID if self.final else check)

    def _nearest(self, connection: Connection) -> str:
        """Return who may have closed the connection, or sent what came: the gateway, or a proxy on the way."""
        proxy = None if self.status else proxy_of(connection.url)
        return f"{connection.where}, or the proxy {shown_proxy(proxy)} on the way," if proxy else connection.where


def bare(error: XcyqError, key: ApiKey, model: str = "", known: Collection[str] = ()) -> XcyqError:
    """Return an error without its traceback, whose frames hold the request's headers and the gateway's words.

    Its hint says whose key was refused, and which name is like that of a `model` that there is not.

    Parameters
    ----------
    error
        What the request ended with.
    key
        The key that it carried.
    model
        The model that it asked; ``""`` for none.
    known
        The names that it may be meant for, where they are not those of the catalogue.
    """
    error.hint = refusals.hint_of(error, key.source, model, known)
    error.rewrite(key.hide)
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def unexpected(error: Exception, key: ApiKey) -> GatewayError:
    """Return an error for one that is not ours, whose frames hold the request's headers."""
    what = key.hide(f"{type(error).__name__}: {error}")
    return GatewayError(f"The request failed in an unexpected way: {what}", "Run the cell again.")
