"""A chat endpoint that answers ours and the peers with the same prepared words, and notes when it sent the first."""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' servers

import servers

MODEL = "gpt-4o"  # a name that every client knows


class Streams:
    """An OpenAI-compatible server on loopback, until `close`.

    Attributes
    ----------
    text
        What the next reply says.
    delta_chars
        How many characters of it come in a delta.
    before_s, between_s
        Seconds from the role, which comes first and alone, to the first words, and between deltas.
    first_at
        When the first words of the last reply went out, in seconds of `time.monotonic()`.
    """

    def __init__(self) -> None:
        self.text = ""
        self.delta_chars = 20
        self.before_s = self.between_s = 0.0
        self.first_at = 0.0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Endpoint)
        self._server.daemon_threads = True
        self._server.streams = self  # type: ignore[attr-defined]  # for `_Endpoint`
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def base_url(self) -> str:
        """The address, as the openai client takes it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class _Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked.get("stream"):
            self._stream(self.server.streams)
        else:
            self._whole(self.server.streams)

    def _whole(self, streams: Streams) -> None:
        message = {"role": "assistant", "content": streams.text}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        body = json.dumps({**_frame("chat.completion"), "choices": choices, "usage": _USAGE}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        streams.first_at = time.monotonic()
        self.wfile.write(body)

    def _stream(self, streams: Streams) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        text, size = streams.text, streams.delta_chars
        self._send({"role": "assistant", "content": ""})
        time.sleep(streams.before_s)
        streams.first_at = time.monotonic()
        for start in range(0, len(text), size):
            self._send({"content": text[start : start + size]})
            if streams.between_s:
                time.sleep(streams.between_s)
        self._send({}, "stop")
        self._chunk(servers.event({**_frame("chat.completion.chunk"), "choices": [], "usage": _USAGE}))
        self._chunk(servers.DONE)
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, delta: dict[str, Any], finish_reason: str | None = None) -> None:
        self._chunk(event(delta, finish_reason))

    def _chunk(self, body: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))

    def log_message(self, *_: object) -> None:
        """It is the measurement that speaks."""


_USAGE = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}


def _frame(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": MODEL}


def event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    """The event of one delta, as it travels."""
    choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    return servers.event({**_frame("chat.completion.chunk"), "choices": choices})
