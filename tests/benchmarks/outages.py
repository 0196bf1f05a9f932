"""Outages of pools, on a chain of three models: whether all is answered, how late, and whether anything twice.

    python tests/benchmarks/outages.py [--rows FILE] [--quick]

A server in a process of its own answers after 50 ms, fails as the prompt says, and counts what it answers: no channel,
500, a limit of 60 s, a connection that breaks, and silence, which is borne for 0.5 s. In every other outage the first
two models of the chain fail. Each is met anew: nothing rests. `--quick` has one outage of each kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from table import Row, run

from xcyq_magic import Chat
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

if TYPE_CHECKING:
    import argparse
    from multiprocessing.connection import Connection

CHAIN = ["claude-opus-4-7-official", "claude-opus-4-7", "claude-opus-4-7-fd"]
DELAY_S, SILENCE_S, LATE_S = 0.05, 0.5, 0.3
KINDS = ["channel", "500", "limit", "reset", "silence"]
ROUNDS = 10  # of all kinds: 50 outages
REFUSALS = {
    "channel": ("503 Service Unavailable", "", "No available channel for this model under group default"),
    "500": ("500 Internal Server Error", "", "internal error"),
    "limit": ("429 Too Many Requests", "Retry-After: 60\r\n", "rate limit reached"),
}


# The server: a prompt is its number, how it fails, and how many models of the chain do


class Script:
    """How a server answers, and whom it answered."""

    def __init__(self) -> None:
        self.answered: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                prompt = body["messages"][-1]["content"]
                _, kind, failing = prompt.split()
                fails = CHAIN.index(body["model"]) < int(failing)
                if fails and kind == "reset":
                    writer.transport.abort()
                    return
                if fails and kind == "silence":
                    await reader.read()  # until the client closes it
                    break
                writer.write(_refusal(*REFUSALS[kind]) if fails else await self._answer(prompt, body["model"]))
                await writer.drain()
        writer.close()

    async def _answer(self, prompt: str, model: str) -> bytes:
        await asyncio.sleep(DELAY_S)
        self.answered.append(prompt)
        chunk = {"id": "x", "model": model, "choices": [{"index": 0, "delta": {"content": f"answer to {prompt}"}}]}
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        events = b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in (chunk, end)) + b"data: [DONE]\n\n"
        return _http(events, kind="text/event-stream")


def _refusal(status: str, more: str, words: str) -> bytes:
    return _http(json.dumps({"error": {"message": words}}).encode(), status, more)


def _http(body: bytes, status: str = "200 OK", more: str = "", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def _serve(pipe: Connection) -> None:
    """Serve until told to end; give the port, and when asked, the prompts that were answered."""

    async def main() -> None:
        script = Script()
        server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        while await asyncio.to_thread(pipe.recv):
            pipe.send(script.answered)
        os._exit(0)

    asyncio.run(main())


class Server:
    """A server in a process of its own."""

    def __init__(self) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        spawn = multiprocessing.get_context("spawn")
        self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        self.url = f"http://127.0.0.1:{self._pipe.recv()}"

    @property
    def answered(self) -> list[str]:
        """The prompts that were answered so far."""
        self._pipe.send(1)
        return self._pipe.recv()

    def close(self) -> None:
        """End it."""
        self._pipe.send(0)
        self._process.join(5)


# What is measured


def taken_s(session: ChatSession, prompt: str) -> float | None:
    """Seconds until the answer; None without one, or with another's."""
    started = time.perf_counter()
    with contextlib.suppress(Exception):  # whatever it is, the prompt was not answered
        if Chat(",".join(CHAIN), session=session)(prompt).text == f"answer to {prompt}":
            return time.perf_counter() - started
    return None


def measure(options: argparse.Namespace) -> list[Row]:
    """All of it."""
    rounds = 1 if options.quick else ROUNDS
    outages = [(kind, 1 + number % 2) for number in range(rounds) for kind in KINDS]
    late: dict[str, list[float]] = {kind: [] for kind in KINDS}
    missing = 0
    with closing(Server()) as server:
        gateway = GatewaySettings(base_url=server.url, fallback_after_silence=SILENCE_S, fallback_rest=1e-9)
        with closing(ChatSession(gateway, ChatSettings(store=":memory:"))) as session:
            taken_s(session, "warm none 0")
            healthy = [taken_s(session, f"healthy{n} none 0") or 0.0 for n in range(max(3, rounds))]
            usual = statistics.median(healthy)
            for number, (kind, failing) in enumerate(outages):
                took = taken_s(session, f"{number} {kind} {failing}")
                if took is None:
                    missing += 1
                else:
                    late[kind].append(took - usual - failing * SILENCE_S * (kind == "silence"))
        answered = Counter(server.answered)
    twice = sum(times > 1 for times in answered.values())
    quick = [s for kind, each in late.items() if kind != "silence" for s in each]
    many = len(outages)
    return [
        Row(f"replies missing of {many} outages on a chain of three", "", missing, bound=0),
        Row(f"prompts answered twice of {many}, by the server's count", "", twice, bound=0),
        Row("median delay over a healthy pool", "s", statistics.median(quick), "healthy", usual, bound=LATE_S),
        Row(f"the same beyond the {SILENCE_S:g} s of silence", "s", statistics.median(late["silence"]), bound=LATE_S),
    ]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run(measure, __doc__ or "")
