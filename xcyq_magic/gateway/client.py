"""The client: requests out, deltas in. The only module that imports httpx.

One thread with an event loop owns one `httpx.AsyncClient`, which stays open between cells, so that
connections are used again. Whoever asks gets an `Exchange` at once and hears of its progress
through a sink, which is called on the loop's thread and must not block.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import httpx

from xcyq_magic import errors
from xcyq_magic.gateway import wire
from xcyq_magic.gateway.events import EventDecoder
from xcyq_magic.gateway.loop import LoopThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from concurrent.futures import Future

    from xcyq_magic.chat.completion import Delta
    from xcyq_magic.gateway.credentials import ApiKey
    from xcyq_magic.gateway.events import Event
    from xcyq_magic.gateway.request import ChatRequest

_OK = 200
_REDIRECTS = range(300, 400)
_CLOSING_S = 0.5  # for the end of a body after [DONE], so that its connection can be used again


@dataclass(frozen=True)
class Deltas:
    """Deltas that came in one packet; `at` is `time.monotonic()` of its arrival."""

    deltas: tuple[Delta, ...]
    at: float


@dataclass(frozen=True)
class Ended:
    """The exchange is over; `error` is None when the reply is whole. What comes later does not count."""

    error: Exception | None
    at: float


Arrival: TypeAlias = Deltas | Ended
Sink: TypeAlias = Callable[[Arrival], None]


@dataclass(frozen=True)
class Connection:
    """Where a request goes, and how long to wait; times in seconds."""

    url: str
    auth_scheme: str = "Bearer"
    connect_timeout: float = 10.0
    read_timeout: float = 120.0


class Exchange:
    """One request on its way, and its reply."""

    def __init__(self, future: Future[None]) -> None:
        self._future = future

    def cancel(self) -> None:
        """Close its connection, from any thread. No further arrival is promised."""
        self._future.cancel()


class GatewayClient:
    """Sends requests. Its thread and connections begin with the first one and end with `close`."""

    def __init__(self) -> None:
        self._loop: LoopThread | None = None
        self._http: httpx.AsyncClient | None = None

    def send(self, request: ChatRequest, key: ApiKey, connection: Connection, sink: Sink) -> Exchange:
        """Send `request` and return at once; `sink` hears every arrival, `Ended` last."""
        if self._loop is None:
            self._loop = LoopThread("xcyq_magic client")
        return Exchange(self._loop.submit(self._exchange(request, key, connection, sink)))

    def close(self) -> None:
        """End its thread and connections. The next `send` begins anew."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        if self._http is not None:
            loop.submit(self._http.aclose()).result()
            self._http = None
        loop.close()

    async def _exchange(self, request: ChatRequest, key: ApiKey, connection: Connection, sink: Sink) -> None:
        try:
            async with self._open(request, key, connection) as response:
                chunks = response.aiter_bytes()
                await _receive(response, chunks, sink)
                sink(Ended(None, time.monotonic()))
                # Reading the body to its end frees the connection for the next cell.
                with contextlib.suppress(httpx.HTTPError, asyncio.TimeoutError):
                    await asyncio.wait_for(_exhaust(chunks), _CLOSING_S)
        except errors.XcyqError as e:
            e.rewrite(key.hide)
            sink(Ended(e, time.monotonic()))
        except httpx.HTTPError as e:
            sink(Ended(_explain(e, connection), time.monotonic()))
        except Exception as e:  # noqa: BLE001  # whoever waits must hear of it, whatever it is
            sink(Ended(e, time.monotonic()))

    @contextlib.asynccontextmanager
    async def _open(self, request: ChatRequest, key: ApiKey, connection: Connection) -> AsyncIterator[httpx.Response]:
        if self._http is None:
            # Loopback never goes through a proxy of the environment: nothing there could answer.
            loopback = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"))
            self._http = httpx.AsyncClient(mounts=loopback, follow_redirects=False)
        timeout = httpx.Timeout(connection.read_timeout, connect=connection.connect_timeout)
        async with self._http.stream(
            "POST",
            connection.url,
            content=json.dumps(wire.encode(request), ensure_ascii=False).encode(),
            headers={
                "Content-Type": "application/json",
                "Accept": "text/event-stream" if request.stream else "application/json",
            },
            auth=_KeyAuth(key, connection.auth_scheme),
            timeout=timeout,
        ) as response:
            yield response


class _KeyAuth(httpx.Auth):
    """Writes the header at the last moment, so that no other object holds the key."""

    def __init__(self, key: ApiKey, scheme: str) -> None:
        self._key = key
        self._scheme = scheme

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]  # a generator that is only iterated
        request.headers["Authorization"] = self._key.header(self._scheme)
        yield request


async def _receive(response: httpx.Response, chunks: AsyncIterator[bytes], sink: Sink) -> None:
    if response.status_code in _REDIRECTS:
        there = response.headers.get("location", "nowhere")
        msg = f"The gateway answered {response.status_code} and points to {there}."
        raise errors.AnswerError(msg, "If you trust that address, set GatewaySettings.base_url to it.")
    if response.status_code != _OK:
        raise wire.status_error(response.status_code, await _body(chunks))
    if "text/event-stream" in response.headers.get("content-type", "").lower():
        await _receive_stream(chunks, sink)
    else:  # asked for, or answered so although a stream was asked for
        sink(Deltas((wire.decode_answer(await _body(chunks)),), time.monotonic()))


async def _receive_stream(chunks: AsyncIterator[bytes], sink: Sink) -> None:
    decoder = EventDecoder()
    finished = False
    async for chunk in chunks:
        done, ended = _pass_on(decoder.decode(chunk), sink)
        finished = finished or ended
        if done:
            return
    try:
        done, ended = _pass_on(decoder.flush(), sink)
    except errors.AnswerError:  # what the end cut off is no JSON, because it was cut off
        done = ended = False
    if not (done or ended or finished):
        msg = "The reply broke off: the stream ended without a finish reason."
        raise errors.IncompleteReplyError(msg, "What came is kept in _reply and marked. Run the cell again.")


async def _body(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def _pass_on(events: list[Event], sink: Sink) -> tuple[bool, bool]:
    """Give the deltas of `events` to `sink`; returns whether [DONE] and whether a finish reason came."""
    deltas: list[Delta] = []
    done = False
    try:
        for event in events:
            done = event.data.strip() == wire.DONE
            if done:
                break
            if delta := wire.decode_event(event):
                deltas.append(delta)
    finally:  # an error in the same packet must not swallow the text before it
        if deltas:
            sink(Deltas(tuple(deltas), time.monotonic()))
    return done, any(d.finish_reason for d in deltas)


async def _exhaust(chunks: AsyncIterator[bytes]) -> None:
    async for _ in chunks:
        pass


def _explain(error: httpx.HTTPError, connection: Connection) -> errors.GatewayError:
    """One of our errors for one of httpx's."""
    url = httpx.URL(connection.url)
    where = f"{url.scheme}://{url.netloc.decode('ascii')}"
    check = "Check the network and GatewaySettings.base_url; %chat_sandbox works offline."
    if isinstance(error, httpx.ConnectTimeout):
        msg = f"No connection to {where} within {connection.connect_timeout:g} s."
        return errors.NotReachedError(msg, check)
    if isinstance(error, httpx.TimeoutException):
        msg = f"{where} was silent for {connection.read_timeout:g} s."
        return errors.TimedOutError(msg, "Run the cell again, or raise GatewaySettings.read_timeout.")
    if isinstance(error, httpx.ConnectError):
        return errors.NotReachedError(f"No connection to {where}: {error}", check)
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        msg = f"The connection to {where} broke off before the reply was whole."
        return errors.IncompleteReplyError(msg, "What came, if anything, is in _reply. Run the cell again.")
    msg = f"The request to {where} failed: {type(error).__name__}: {error}"
    return errors.GatewayError(msg, check)
