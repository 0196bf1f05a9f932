"""The sandbox's server. The only module that imports tornado."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import re
import secrets
import socket
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import tornado.httpserver
import tornado.iostream
import tornado.web

from xcyq_magic.errors import SandboxError
from xcyq_magic.gateway.credentials import ApiKey
from xcyq_magic.gateway.loop import LoopThread
from xcyq_magic.gateway.sandbox import answers
from xcyq_magic.gateway.sandbox.answers import Reply
from xcyq_magic.gateway.sandbox.cheats import cheated
from xcyq_magic.gateway.sandbox.contract import Refusal, refuse
from xcyq_magic.gateway.sandbox.directives import Plan, UnknownDirectiveError, parse
from xcyq_magic.gateway.sandbox.formats import FAILURES

PATH = "/gw_llm_power"
ENDPOINT = f"{PATH}/v1/chat/completions"
_MOST_BYTES = 512 * 1024 * 1024
_MOST_DIGITS = 12  # of a length
_MOST_IGNORED = 1024 * 1024  # of the body of a request that was refused by its headers
_LONGEST_IGNORED_S = 5.0
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_MOST_LOGGED = 1000
_LAST_PORT = 65_535
_LONGEST_STALL_S = 600.0
_PING, _PING_S = ": PING\n\n", 0.5


@dataclass
class Received:
    """One request in the sandbox's log; times are `time.monotonic()`, in seconds.

    Attributes
    ----------
    body
        The JSON, decoded.
    ending
        ``finished``, ``refused``, ``dropped``, or ``closed by the client``; ``""`` while it runs.
    """

    body: Any
    at: float
    first_at: float | None = None
    ended_at: float | None = None
    ending: str = ""
    chars_sent: int = 0

    def end(self, ending: str) -> None:
        """Record the ending; later calls are ignored."""
        if not self.ending:
            self.ending, self.ended_at = ending, time.monotonic()


@dataclass
class _State:
    key: ApiKey
    plan: Plan | None
    received: list[Received] = field(default_factory=list)
    refused: dict[tuple[str, str], int] = field(default_factory=dict)  # by model and prompt, for `status 429 2`


class Sandbox:
    """A gateway on loopback, on a thread of its own, from its making until `close`.

    A forked child reaches it, and does not end it.

    Parameters
    ----------
    port
        0 for any free one.
    key
        The only API key that it accepts; a random one unless given.
    plan
        How to answer a prompt without directives.

    Attributes
    ----------
    base_url
        Its address.
    key
        The key that it accepts.
    received
        The last requests, in order.

    Raises
    ------
    SandboxError
        The port cannot be used.
    """

    def __init__(self, port: int = 0, key: str | None = None, plan: Plan | None = None) -> None:
        self._state = _State(ApiKey(key or f"sandbox-{secrets.token_hex(8)}", "the sandbox"), plan)
        self._server: tornado.httpserver.HTTPServer | None = None
        self._loop = LoopThread("xcyq_magic sandbox", self._stop)
        try:
            self.port = self._loop.submit(self._listen(port)).result()
        except (OSError, ValueError) as e:
            self._loop.close()
            why = os.strerror(e.errno).lower() if isinstance(e, OSError) and e.errno else e
            msg = f"The sandbox cannot listen on port {port}: {why}."
            raise SandboxError(msg, "Choose another port, or none.") from None

    async def _listen(self, port: int) -> int:
        application = tornado.web.Application(
            [(ENDPOINT, _Completions, {"state": self._state}), (r".*", _Elsewhere)],
            log_function=lambda _: None,
        )
        if not 0 <= port <= _LAST_PORT:
            msg = f"ports go from 0 to {_LAST_PORT}"
            raise ValueError(msg)
        listening = socket.create_server(("127.0.0.1", port))
        listening.setblocking(False)  # noqa: FBT003  # the standard library's
        self._server = tornado.httpserver.HTTPServer(application, max_buffer_size=_MOST_BYTES)
        self._server.add_socket(listening)
        bound: int = listening.getsockname()[1]
        return bound

    @property
    def base_url(self) -> str:
        """Its address, as `GatewaySettings.base_url` takes it."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def key(self) -> ApiKey:
        """The key that it accepts."""
        return self._state.key

    @property
    def received(self) -> list[Received]:
        """Its log: the last requests, in order."""
        return self._state.received

    async def _stop(self) -> None:
        if self._server is not None:  # it may not have come to listen
            self._server.stop()
            await self._server.close_all_connections()

    def close(self) -> None:
        """End its connections and its thread."""
        self._loop.close()


@tornado.web.stream_request_body
class _HeadersFirst(tornado.web.RequestHandler):
    """Refuses by the headers, before the body comes: who may not ask cannot fill the memory."""

    _refused = False

    def refusal(self) -> Refusal | None:
        """Return the refusal of the request's headers; None if its body is to be read."""
        if not _LOOPBACK.fullmatch(self.request.host):  # a page may have given its own name to this address
            return Refusal(403, "The sandbox answers to 127.0.0.1 and localhost only.", "permission_error", "Host")
        length = self.request.headers.get("Content-Length", "")
        if length.isdigit() and (len(length) > _MOST_DIGITS or int(length) > _MOST_BYTES):
            return Refusal(413, f"The request is larger than {_MOST_BYTES:,} bytes.")
        return None

    async def prepare(self) -> None:
        refusal = self.refusal()
        if refusal is None:
            return
        self._refused = True
        body = json.dumps(refusal.body())
        self.set_status(refusal.status)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.set_header("Content-Length", len(body))
        self.set_header("Connection", "close")
        self.write(body)
        headers = self.request.headers
        if headers.get("Expect") or not (headers.get("Content-Length") or headers.get("Transfer-Encoding")):
            await self.end()
            return
        with contextlib.suppress(tornado.iostream.StreamClosedError):
            await self.flush()
        # What is on its way is thrown away: closing now could cost the client the answer.
        self.request.connection.set_max_body_size(_MOST_IGNORED)  # type: ignore[union-attr]  # HTTP/1's has it
        self.request.connection.set_body_timeout(_LONGEST_IGNORED_S)  # type: ignore[union-attr]  # the same

    def data_received(self, chunk: bytes) -> None:
        """Throw the body away."""

    async def end(self) -> None:
        """End the answer; a client that went away needs no end."""
        with contextlib.suppress(tornado.iostream.StreamClosedError):
            await self.finish()

    async def post(self) -> None:
        """End the refusal."""
        await self.end()

    put = patch = delete = post


class _Elsewhere(_HeadersFirst):
    def refusal(self) -> Refusal | None:
        address = f"{self.request.method} {self.request.path}"
        return super().refusal() or Refusal(404, f"There is no {address}; the endpoint is POST {ENDPOINT}.")


class _Completions(_HeadersFirst):
    SUPPORTED_METHODS = ("POST",)
    log: Received | None = None

    def initialize(self, state: _State) -> None:
        self.state = state
        self._client_left = asyncio.Event()
        self._body = bytearray()

    def refusal(self) -> Refusal | None:
        if refusal := super().refusal():
            return refusal
        scheme, _, key = self.request.headers.get("Authorization", "").partition(" ")
        same = hmac.compare_digest(key.strip().encode(), self.state.key.header("").encode())
        if same and scheme.lower() == "bearer":  # https://www.rfc-editor.org/rfc/rfc9110#name-authentication-scheme
            return None
        return Refusal(401, "Incorrect API key provided.", "authentication_error", code="invalid_api_key")

    def data_received(self, chunk: bytes) -> None:
        if not self._refused:
            self._body += chunk

    def on_connection_close(self) -> None:
        self._client_left.set()
        if self.log is not None:
            self.log.end("closed by the client")

    async def post(self) -> None:
        if self._refused:
            await self.end()
            return
        try:
            body = json.loads(bytes(self._body))
        except (ValueError, RecursionError):
            body = None
        self._body.clear()
        self.log = Received(body, time.monotonic())
        self.state.received.append(self.log)
        del self.state.received[:-_MOST_LOGGED]
        refusal = refuse(body)
        if refusal is None:
            refusal = await self._answer(body, self.log)
        if refusal is not None:
            self.log.end("refused")  # before the client hears of it, so that the log is never behind
            self._refuse(refusal)

    def _refuse(self, refusal: Refusal) -> None:
        self.set_status(refusal.status)
        self.finish(refusal.body())

    async def _answer(self, body: dict[str, Any], log: Received) -> Refusal | None:
        prompt = answers.prompt_of(body["messages"])
        try:
            plan, rest = parse(prompt, body["model"], self.state.plan)
        except UnknownDirectiveError as e:
            return Refusal(400, str(e))
        plan, body = cheated(plan, body)
        if plan.status and self._still_refused(plan, (body["model"], prompt)):
            if plan.retry_after is not None:
                self.set_header("Retry-After", f"{plan.retry_after:g}")
            return Refusal(plan.status, f"The sandbox was asked to refuse with {plan.status}.", "sandbox_error")
        failure = FAILURES.get(plan.fail)
        fails = failure and failure.status != HTTPStatus.OK and (not failure.field or failure.field in body)
        if failure and fails and self._still_refused(plan, (body["model"], prompt)):
            return Refusal(failure.status, raw=failure.body)
        if plan.unsupported in body:
            msg = f"Unsupported parameter: '{plan.unsupported}' is not supported with this model."
            return Refusal(400, msg, param=plan.unsupported)
        if plan.page:
            log.end("finished")
            self.finish("<!DOCTYPE html><html><head><title>Welcome to the sandbox</title></head><body>…</body></html>")
            return None
        reply = Reply.of(plan, body, rest)
        await asyncio.sleep(reply.plan.first_s)
        try:
            await (self._stream(reply, log) if body.get("stream") else self._whole(reply, log))
        except tornado.iostream.StreamClosedError:  # met while writing: tornado does not always say it otherwise
            self.on_connection_close()
        return None

    def _still_refused(self, plan: Plan, asked: tuple[str, str]) -> bool:
        times = self.state.refused.get(asked, 0) + 1
        self.state.refused[asked] = times
        while len(self.state.refused) > _MOST_LOGGED:
            del self.state.refused[next(iter(self.state.refused))]
        return not plan.status_times or times <= plan.status_times

    async def _written(self, reply: Reply) -> None:
        """Wait until all of an answer is there: what that takes is what its stream would take."""
        pace = reply.plan.delta_chars * reply.plan.deltas_per_s
        await asyncio.sleep(min(len(reply.text) / pace, _LONGEST_STALL_S))

    async def _whole(self, reply: Reply, log: Received) -> None:
        await self._written(reply)
        log.chars_sent = len(reply.text)
        if await self._misbehave(reply, log):
            return
        log.end("finished")
        await self.finish(reply.answer())

    async def _stream(self, reply: Reply, log: Received) -> None:
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        started = time.monotonic()
        log.first_at = started
        if reply.plan.buffered:
            await self._written(reply)
        for n, (content, chunk) in enumerate(reply.chunks()):
            behind = started + n / reply.plan.deltas_per_s - time.monotonic()
            if behind > 0:
                await asyncio.sleep(behind)
            if await self._misbehave(reply, log):
                return
            self.write(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n")
            if reply.plan.pings_s is not None:
                self.write(_PING)
            await self.flush()
            log.chars_sent += len(content)
        await self._ping_on(reply.plan.pings_s or 0)
        log.end("finished")
        self.write("data: [DONE]\n\n")
        await self.finish()

    async def _ping_on(self, seconds: float) -> None:
        ends_at = time.monotonic() + min(seconds, _LONGEST_STALL_S)
        while time.monotonic() < ends_at and not self._client_left.is_set():
            self.write(_PING)
            await self.flush()
            await asyncio.sleep(_PING_S)

    async def _last_words(self, words: str, log: Received) -> None:
        log.end("finished")
        self.write(f"data: {words}\n\n" if words and log.first_at is not None else words)
        await self.finish()

    async def _misbehave(self, reply: Reply, log: Received) -> bool:
        """Do what the plan says for this far into the answer; returns whether that was the end of it."""
        plan = reply.plan
        sent = log.chars_sent

        def due(after: int | None) -> bool:
            return after is not None and sent >= min(after, len(reply.text))

        if due(plan.stall_after):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._client_left.wait(), _LONGEST_STALL_S)
        elif due(plan.drop_after):
            log.end("dropped")
            self.request.connection.stream.close()  # type: ignore[union-attr]  # HTTP/1's has it
        elif due(plan.error_after):
            default = Refusal(500, "The sandbox was asked to fail in the middle.", "sandbox_error").body()
            error = FAILURES[plan.fail].body if plan.fail else default
            await self._last_words(json.dumps(error) if error else "", log)
        elif due(plan.cut_after):
            log.end("dropped")
            whole = json.dumps(reply.answer())
            await self.finish("" if log.first_at is not None else whole[: len(whole) // 2])
        elif due(plan.garbage_after):
            await self._last_words("{not JSON", log)
        else:
            return False
        return True
