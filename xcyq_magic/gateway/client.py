"""The client: requests out, deltas in. The only module that imports httpx.

One thread with an event loop owns one `httpx.AsyncClient`, which stays open between cells, so that
connections are used again. Whoever asks gets an `Exchange` at once and hears of its progress
through a sink, which is called on the loop's thread and must not block.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

import anyio
import httpx

from xcyq_magic import errors
from xcyq_magic.gateway import encoding, wire
from xcyq_magic.gateway.attempt import (
    Attempt,
    Connection,
    Deltas,
    Ended,
    Instead,
    Notice,
    Retrying,
    Sink,
    bare,
    unexpected,
)
from xcyq_magic.gateway.loop import LoopThread, Slots
from xcyq_magic.gateway.receive import Coalesced, exhaust, read_body, receive
from xcyq_magic.gateway.repairs import Repairs, repair_for
from xcyq_magic.gateway.retries import Chain, Rest, Rests, held_back, retry_after
from xcyq_magic.gateway.route import models_url, no_connection, proxy_of, refused_by_proxy, unusable, variables_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
    from concurrent.futures import Future

    from xcyq_magic.chat.completion import Delta
    from xcyq_magic.gateway.credentials import ApiKey
    from xcyq_magic.gateway.repairs import Repair
    from xcyq_magic.gateway.request import ChatRequest

T = TypeVar("T")

ENDED = (
    "The session was closed, or its extension unloaded; nothing was sent.",
    "Type %load_ext xcyq_magic, or make a new Chat().",
)
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_CLOSING_S = 0.5  # for the end of a body after [DONE], so that its connection can be used again


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
        self._lock = threading.Lock()  # cells run in one thread, but nobody has to
        self._loop: LoopThread | None = None
        self._https: dict[_Way, httpx.AsyncClient] = {}
        self._under_way: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._repairs = Repairs()
        self._rests = Rests()

    def send(
        self,
        request: ChatRequest,
        key: ApiKey,
        connection: Connection,
        sink: Sink,
        *,
        slots: Slots | None = None,
        further: Sequence[ChatRequest] = (),
    ) -> Exchange:
        """Send `request` and return at once; `sink` hears every arrival, `Ended` last.

        Parameters
        ----------
        request
            What is asked; it was checked.
        key
            The key, which goes into a header and nowhere else.
        connection
            Where the request goes, and how long to wait.
        sink
            Called with every arrival, on the thread of the loop: it must not block.
        slots
            Those of the requests that it is one of; one of its own unless given. It takes one for each attempt, and
            gives it up while it waits.
        further
            The same for the models behind it in a chain: each is asked where those before it cannot answer.

        Raises
        ------
        InputError
            It was closed for good. Nothing was sent.
        """
        return Exchange(self._submit(self._begin((request, *further), key, connection, sink, slots or Slots(1))))

    def resting(self, url: str) -> dict[str, Rest]:
        """Return the models that chains pass over at `url` now, on the clock of `time.monotonic`."""
        return self._rests.at(url, time.monotonic())

    def prepare(self, connection: Connection) -> None:
        """Create the HTTP client (TLS context, proxies) before the clock starts.

        Errors are left to the request, which meets them again.
        """
        with contextlib.suppress(Exception):
            self._submit(self._prepare(connection)).result()

    def _submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            if self._closed:
                coroutine.close()
                raise errors.InputError(*ENDED)
            if self._loop is None:
                self._loop = LoopThread("xcyq_magic client", self._end)
            return self._loop.submit(coroutine)

    def body(self, request: ChatRequest, url: str) -> tuple[dict[str, Any], list[str]]:
        """Return the body of `request`, with what is known of its model at `url` applied; and what to say of that."""
        typed = request.response_format is not None
        body, known = self._repairs.apply(url, request.model, encoding.encode(request), typed=typed)
        return body, [n for r in known if (n := r.notice(request.model))]

    def models(self, key: ApiKey, connection: Connection, within_s: float) -> tuple[str, ...]:
        """Return the names of the models that a server lists, in its order.

        Parameters
        ----------
        key
            The key.
        connection
            Where its endpoint is.
        within_s
            How many seconds to wait.

        Raises
        ------
        XcyqError
            It cannot be reached, or gives no list.
        """
        found = self._submit(self._models(key, connection, within_s)).result()
        if isinstance(found, errors.XcyqError):
            raise found
        return found

    async def _models(self, key: ApiKey, connection: Connection, within_s: float) -> tuple[str, ...] | errors.XcyqError:
        """Return the names, or why there are none: not raised here, where the frames hold the request's headers."""
        try:
            with self._noted(), anyio.move_on_after(within_s):
                return await self._list(key, connection)
            msg = f"{connection.where} did not list its models within {within_s:g} s."
            return errors.TimedOutError(msg, "Name one with -m.")
        except errors.XcyqError as e:
            return bare(e, key)
        except asyncio.CancelledError:  # by `close`
            return errors.InputError(*ENDED)
        except Exception as e:  # noqa: BLE001  # as in `_exchange`
            return unexpected(e, key)

    async def _list(self, key: ApiKey, connection: Connection) -> tuple[str, ...]:
        attempt = Attempt(whole=True)
        try:
            async with self._open(None, key, connection) as response:
                attempt.status, attempt.headers = response.status_code, response.headers
                attempt.check_encoding()
                if attempt.refused:
                    await attempt.read_refusal(response.aiter_bytes())
                    raise attempt.refusal(key)
                return wire.models_of(await read_body(response.aiter_bytes()), key.hide)
        except httpx.HTTPError as e:
            raise _explain(e, connection, attempt) from None

    def close(self, *, for_good: bool = False) -> None:
        """End its thread and connections. The next `send` begins anew, unless it is closed `for_good`."""
        with self._lock:
            self._closed = self._closed or for_good
            loop, self._loop = self._loop, None
            if loop is not None:
                loop.close()

    async def _end(self) -> None:
        """End the exchanges, and then the connections: what is still being opened is in no pool that could close it."""
        under_way = tuple(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        for http in self._https.values():
            await http.aclose()
        self._https.clear()

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Have `_end` know of the task that runs, as long as it is within."""
        self._under_way.add(task := cast("asyncio.Task[Any]", asyncio.current_task()))  # a coroutine that runs has one
        try:
            yield
        finally:
            self._under_way.discard(task)

    async def _begin(
        self, requests: Sequence[ChatRequest], key: ApiKey, connection: Connection, sink: Sink, slots: Slots
    ) -> None:
        """Exchange in a task group: it makes anyio's cancellation of a task's, which httpcore needs to clean up."""
        with self._noted():
            async with anyio.create_task_group() as group:
                group.start_soon(self._exchange, requests, key, connection, sink, slots)

    async def _exchange(
        self, requests: Sequence[ChatRequest], key: ApiKey, connection: Connection, sink: Sink, slots: Slots
    ) -> None:
        error: errors.XcyqError | None = None
        try:
            await self._until_answered(requests, key, connection, sink, slots)
        except errors.XcyqError as e:
            error = bare(e, key, requests[-1].model, connection.models)
        except asyncio.CancelledError:  # by the one who asked, who does not wait any more, or by `close`
            sink(
                Ended(
                    errors.GatewayError("The connection was closed from here.", "Run the cell again."), time.monotonic()
                )
            )
            raise
        except Exception as e:  # noqa: BLE001  # whoever waits must hear of it, whatever it is
            error = unexpected(e, key)
        if error is not None:
            sink(Ended(error, time.monotonic()))

    async def _until_answered(
        self, requests: Sequence[ChatRequest], key: ApiKey, connection: Connection, sink: Sink, slots: Slots
    ) -> None:
        """Ask the models of a chain in their order, until one answers; or the one model that there is."""
        chain = Chain([request.model for request in requests])
        while True:
            model = chain.next(self.resting(connection.url))
            request = next(r for r in requests if r.model == model)
            if chain.said:
                sink(Instead(request, chain.said))
            another = chain.at_hand if len(requests) > 1 else None
            patience = connection.until_the_next if another else connection
            try:
                failed = await self._ask(request, key, patience, sink, slots, another=another)
                if failed is None:
                    return
                until = time.monotonic() + connection.fallback_rest
                self._rests.begin(connection.url, model, Rest(failed.why, until))
                if not chain.failed(model, failed.why):
                    raise failed.error
            except errors.GatewayError as error:
                if chain.said:
                    error.begin_with(f"{model}, for {chain.said}")
                raise

    async def _ask(
        self,
        request: ChatRequest,
        key: ApiKey,
        connection: Connection,
        sink: Sink,
        slots: Slots,
        *,
        another: bool | None,
    ) -> _Failed | None:
        """Attempt, and attempt again where that helps: with a parameter repaired, or after a wait.

        Parameters
        ----------
        another
            Whether another model of its chain is at hand, so that this one is not asked again first; None without a
            chain.

        Returns
        -------
        _Failed or None
            None if it was answered. Where another model is worth asking instead, the failure is not raised.
        """

        def tell(*notices: str | None) -> None:
            for notice in filter(None, notices):
                sink(Notice(key.hide(notice)))

        body, known = self.body(request, connection.url)
        tell(*known)
        repairs: list[Repair] = []
        number = 1
        while True:
            attempt = Attempt(whole=not request.stream, repairs=tuple(repairs))
            try:
                async with slots.one(request.model, lambda wait_s: sink(Retrying(held_back(wait_s)))) as sent_at:
                    await self._attempt(attempt, body, key, connection, sink)
            except errors.GatewayError as error:
                retry = retry_after(error, attempt.headers, number, one_of_many=slots.many)
                if another is not None and (why := attempt.why_another(error, retry, connection, at_hand=another)):
                    return _Failed(error, why)
                slots.refused(request.model, error, attempt.headers, sent_at)
                if attempt.final:
                    raise
                repair = repair_for(error, body, typed=request.response_format is not None)
                if repair is not None and all(repair.name not in {r.name, r.new_name} for r in repairs):
                    repairs.append(repair)
                    body = repair.apply(body)
                    tell(repair.notice(request.model))
                    continue
                if retry is None:
                    raise
                sink(Retrying(retry))
                await asyncio.sleep(retry.wait_s)
                number += 1
            else:
                return None

    async def _attempt(
        self, attempt: Attempt, body: dict[str, Any], key: ApiKey, connection: Connection, sink: Sink
    ) -> None:
        """Send `body` once, and read what comes to its end. `attempt` notes how far it came."""

        def pass_on(deltas: list[Delta]) -> None:
            sink(Deltas(tuple(deltas), attempt.came_at))
            attempt.begun = attempt.begun or any(d.text or d.reasoning or d.images for d in deltas)
            attempt.finished = attempt.finished or any(d.finish_reason for d in deltas)

        patience = connection.answer_timeout if attempt.whole else connection.first_byte_timeout
        failure: httpx.HTTPError | None = None
        try:
            with anyio.CancelScope(deadline=anyio.current_time() + patience) as watchdog:
                async with self._open(body, key, connection) as response:
                    attempt.status, attempt.headers = response.status_code, response.headers
                    if attempt.answered:
                        self._rests.end(connection.url, body["model"])
                        for repair in attempt.repairs:
                            self._repairs.remember(connection.url, body["model"], repair)
                    chunks = attempt.watched(response.aiter_bytes(), watchdog, connection)
                    attempt.check_encoding()
                    if attempt.refused:
                        await attempt.read_refusal(chunks)
                        raise attempt.refusal(key)
                    await receive(chunks, pass_on, key)
                    sink(Ended(None, time.monotonic()))
                    # Reading the body to its end frees the connection for the next cell.
                    with contextlib.suppress(httpx.HTTPError), anyio.move_on_after(_CLOSING_S):
                        await exhaust(chunks)
                    return
        except httpx.HTTPError as e:
            failure = e
        except (httpx.InvalidURL, UnicodeError):  # a name that cannot be encoded
            msg = "The base URL is not the address of a gateway; nothing was sent."
            raise errors.SettingError(msg, "%config GatewaySettings.base_url shows it.") from None
        attempt.sent = not isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        if attempt.finished:  # with a finish reason the reply is whole, whatever becomes of the connection
            sink(Ended(None, time.monotonic()))
        elif attempt.refused:  # what came of its words is enough
            raise attempt.refusal(key)
        elif failure is None:
            raise attempt.silence(connection)
        else:
            raise _explain(failure, connection, attempt)

    async def _prepare(self, connection: Connection) -> httpx.AsyncClient:
        way = _Way.to(connection.url)
        if way not in self._https:
            self._https[way] = way.client()
        return self._https[way]

    @contextlib.asynccontextmanager
    async def _open(
        self, body: dict[str, Any] | None, key: ApiKey, connection: Connection
    ) -> AsyncIterator[httpx.Response]:
        """Ask the endpoint with `body`, or for the list of models where there is none."""
        http = await self._prepare(connection)
        accepted = "text/event-stream" if body and body.get("stream") else "application/json"
        headers = {"Accept": accepted, "Accept-Encoding": "gzip, deflate"}
        async with http.stream(
            "GET" if body is None else "POST",
            models_url(connection.url) if body is None else connection.url,
            content=None if body is None else encoding.to_json(body),
            headers=headers if body is None else {**headers, "Content-Type": "application/json"},
            auth=_KeyAuth(key, connection.auth_scheme),
            timeout=httpx.Timeout(None, connect=connection.connect_timeout),  # the watchdog sees to the rest
        ) as response:
            response.stream = _Coalesced(cast("httpx.AsyncByteStream", response.stream))  # an AsyncClient's is async
            yield response


class _Failed(NamedTuple):
    """How a model of a chain failed, and why that is a reason to ask another."""

    error: errors.GatewayError
    why: str


class _Way(NamedTuple):
    """How an address is reached, as the environment says now: what is set in a cell counts from the next one on.

    httpx reads the environment itself, but fails on ``NO_PROXY=[::1]``, and with that would not for loopback, where
    nothing but ``SSL_CERT_FILE`` matters.
    """

    proxy: str | None
    certificates: tuple[str, ...] | None  # what the environment says of them; None for plain http

    @classmethod
    def to(cls, url: str) -> _Way:
        """Return the way to `url`."""
        secure = urlsplit(url).scheme == "https"
        return cls(proxy_of(url), tuple(os.environ.get(n, "") for n in _CERTIFICATES) if secure else None)

    def client(self) -> httpx.AsyncClient:
        """Return a client whose connections are kept; errors name the environment's variable that is wrong."""
        try:
            # Without https there is nothing to verify, and nothing to load for it.
            tls = httpx.create_ssl_context() if self.certificates else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            return httpx.AsyncClient(verify=tls, proxy=self.proxy, trust_env=False, follow_redirects=False)
        except (ValueError, ImportError, OSError, httpx.InvalidURL) as e:
            of_file = isinstance(e, OSError)
            wrong = [n for n in (_CERTIFICATES if of_file else variables_of(self.proxy)) if os.environ.get(n)]
            if not wrong:
                raise
            raise unusable(wrong, e) from None


class _KeyAuth(httpx.Auth):
    """Writes the header at the last moment, so that no other object holds the key."""

    def __init__(self, key: ApiKey, scheme: str) -> None:
        self._key = key
        self._scheme = scheme

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]  # a generator that is only iterated
        if header := self._key.header(self._scheme):
            request.headers["Authorization"] = header
        yield request


class _Coalesced(Coalesced, httpx.AsyncByteStream):
    """As httpx asks for it."""


def _explain(error: httpx.HTTPError, connection: Connection, attempt: Attempt) -> errors.GatewayError:
    """Return one of our errors for one of httpx's."""
    if attempt.answered:
        return attempt.broken_off(connection, damaged=isinstance(error, httpx.DecodingError))
    if isinstance(error, httpx.ConnectTimeout):
        msg = f"No connection to {connection.where} within {connection.connect_timeout:g} s."
        return errors.NotReachedError(msg, "Check the network, or raise GatewaySettings.connect_timeout.")
    if isinstance(error, httpx.ProxyError):
        return refused_by_proxy(connection.url, str(error))
    if isinstance(error, httpx.RemoteProtocolError) and not str(error).startswith("Server disconnected"):
        return attempt.no_http(connection)
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError):
        return attempt.closed(connection)
    return no_connection(connection.url, error)
