"""A server for answers that no sandbox gives: bytes as they are, and a record of what came."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Answer:
    """Bytes for one request, and what becomes of the connection then.

    ``keep`` waits for the next request on it, ``close`` ends it, ``reset`` breaks it off, ``silence`` sends
    nothing more.

    Attributes
    ----------
    cuts
        Positions in the payload at which a packet ends.
    pause_s
        Seconds between packets, so that they arrive one by one.
    more, times
        What is sent after the payload, and how often: a flood need not be held in memory.
    """

    payload: bytes
    then: Literal["keep", "close", "reset", "silence"] = "keep"
    cuts: tuple[int, ...] = ()
    pause_s: float = 0.001
    more: bytes = b""
    times: int = 0

    def packets(self) -> Iterator[bytes]:
        """What to send at once, in order."""
        bounds = [0, *self.cuts, len(self.payload)]
        for start, end in pairwise(bounds):
            yield self.payload[start:end]
            if self.cuts:
                time.sleep(self.pause_s)
        yield from repeat(self.more, self.times)


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)


def http(body: bytes | str = b"", status: str = "200 OK", kind: str = "application/json", **headers: str) -> bytes:
    """A whole HTTP response."""
    raw = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(raw)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def chunked(*chunks: bytes, kind: str = "text/event-stream", whole: bool = True) -> bytes:
    """A response in chunks; without its last, empty one if it is not `whole`."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    body = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks)
    return head + body + (b"0\r\n\r\n" if whole else b"")


def event(record: object) -> bytes:
    """One event of a stream."""
    return b"data: %s\n\n" % json.dumps(record).encode()


def delta(text: str, finish_reason: str | None = None) -> bytes:
    """The event of one chunk of an answer."""
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}]})


USAGE = event({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}})
DONE = b"data: [DONE]\n\n"


@dataclass
class RawServer:
    """Answers each request with the next of its answers; the last is for all that follow.

    Attributes
    ----------
    requests
        What came, in order.
    connections
        How many were accepted.
    port
        To listen on; 0 for any free one.
    tls
        What it proves itself with; None for plain http.
    """

    answers: list[Answer]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.settimeout(0.05)
        self._closing = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def base_url(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/gateway"

    def close(self) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):  # not everywhere; then the next time-out ends it
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for connection in self._open:
            with contextlib.suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:  # a time-out, or the end
                continue
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        if self.tls:
            try:
                connection = self.tls.wrap_socket(connection, server_side=True)
            except OSError:  # the client does not believe it
                return
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while request := _read(stream):
                answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
                self.requests.append(request)
                for packet in answer.packets():
                    connection.sendall(packet)
                if answer.then == "reset":  # an RST instead of a FIN
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if answer.then in {"close", "reset"}:
                    return
                if answer.then == "silence":
                    stream.read()


class HeldServer:
    """A gateway that numbers its replies, and holds each one to a prompt that begins with ``hold`` until its release.

    Attributes
    ----------
    received
        The bodies of the requests, in order.
    replies
        The replies to each prompt, in order.
    """

    def __init__(self) -> None:
        self.received: list[dict] = []
        self.replies: dict[str, list[str]] = {}
        self._released: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:  # the library's name
                payload = answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._http.server_port}"

    def _answer(self, body: dict) -> bytes:
        prompt = body["messages"][-1]["content"]
        with self._lock:
            self.received.append(body)
            released = self._released.setdefault(prompt, threading.Event())
        if prompt.startswith("hold"):
            released.wait(10)
        with self._lock:
            text = f"reply {sum(map(len, self.replies.values()))} to {prompt}"
            self.replies.setdefault(prompt, []).append(text)
        return delta(text, "stop") + DONE

    def release(self, prompt: str) -> None:
        """Let the held reply to `prompt` go."""
        self._released[prompt].set()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class ScriptedServer:
    """A gateway that answers many at once, each request by a function of its number and its body.

    Parameters
    ----------
    answer
        Returns what is said, and maybe a status and headers: ``"text"`` or ``(429, {"Retry-After": "1"})``.
    delay_s
        Seconds that each answer takes.

    Attributes
    ----------
    received
        The bodies of the requests, in order.
    times
        When each came, on the clock of `time.monotonic`.
    most_at_once
        The most requests that were on their way at once.
    """

    def __init__(self, answer: Callable[[int, dict], str | tuple[int, dict]], delay_s: float = 0.0) -> None:
        self.received: list[dict] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        take, delay = self._take, delay_s
        give_back = self._give_back

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:  # the library's name
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                found = answer(take(body), body)
                time.sleep(delay)
                status, headers = (200, {}) if isinstance(found, str) else found
                payload = (
                    delta(found, "stop") + USAGE + DONE if isinstance(found, str) else b'{"error": {"message": "no"}}'
                )
                give_back()
                self.send_response(status)
                self.send_header("Content-Type", "text/event-stream" if status == 200 else "application/json")
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

        self._http = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._http.server_port}"

    def _take(self, body: dict) -> int:
        with self._lock:
            self.received.append(body)
            self.times.append(time.monotonic())
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            return len(self.received) - 1

    def _give_back(self) -> None:
        with self._lock:
            self._at_once -= 1

    def prompts(self) -> list[str]:
        """The last message of each request, in order."""
        return [body["messages"][-1]["content"] for body in self.received]

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def _read(stream) -> Request | None:
    line = stream.readline().decode("latin-1").strip()
    if not line:
        return None
    headers = {}
    while entry := stream.readline().decode("latin-1").strip():
        name, _, value = entry.partition(":")
        headers[name.lower()] = value.strip()
    return Request(line, headers, stream.read(int(headers.get("content-length", 0))))


def eventually(condition, within_s: float = 20.0) -> bool:
    """Whether `condition()` becomes true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
