"""Many rows: beside bare httpx and a peer, with waits, broken answers, kills, and models over cases.

    python tests/benchmarks/rows.py [--rounds 5] [--rows FILE] [--quick]

A server in a process of its own answers after 50 ms, and counts what it is asked; ten requests are on their way at
once. `--quick` asks a few rows, and no peer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx
from peers import CHATLAS
from pydantic import BaseModel
from table import Row, run

from xcyq_magic import ask_each, compare
from xcyq_magic.chat.scores import LEVEL, chance_of
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

AT_ONCE, DELAY_S = 10, 0.05
SEVENTH, TENTH = 7, 10
MODELS = ["gpt-5.5", "gpt-5.4", "gpt-5.2", "claude-opus-4-7", "claude-sonnet-4-6", "gemini-2.5-pro"]
ANSWER = {"label": "good", "why": "it says so"}
OVER_HTTPX, OVER_429, LINEAR, MOST_MB, CHANCE = 1.10, 1.5, 1.3, 100.0, 0.05


class Review(BaseModel):
    """What is asked for."""

    label: Literal["good", "bad", "mixed"]
    why: str


# The server


class Script:
    """How a server answers, and what it was asked.

    Parameters
    ----------
    mode
        ``plain``; ``limited`` refuses every seventh request for a second; ``broken`` breaks the JSON of every tenth
        prompt once; ``refuses`` takes no ``response_format``.
    delay_s
        Seconds for each answer.
    """

    def __init__(self, mode: str, delay_s: float) -> None:
        self.mode, self.delay_s = mode, delay_s
        self.prompts: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                writer.write(await self.answer(json.loads(await reader.readexactly(length))))
                await writer.drain()
        writer.close()

    async def answer(self, body: dict) -> bytes:
        """The response to one request."""
        content = body["messages"][-1]["content"]
        prompt = content if isinstance(content, str) else content[-1]["text"]
        asked = sum(p == prompt for p in self.prompts) if self.mode == "broken" else 0
        self.prompts.append(prompt)
        await asyncio.sleep(self.delay_s)
        if self.mode == "limited" and len(self.prompts) % SEVENTH == 0:
            return _http(b'{"error": {"message": "slow down"}}', "429 Too Many Requests", "Retry-After: 1\r\n")
        if self.mode == "refuses" and "response_format" in body:
            words = b'{"error": {"message": "response_format is not supported by this model"}}'
            return _http(words, "400 Bad Request")
        number = prompt.rsplit(" ", 1)[-1]
        broken = self.mode == "broken" and number.isdigit() and int(number) % TENTH == 0 and not asked
        text = '{"label": "good", "why":' if broken else json.dumps(ANSWER)
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            record = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"], "usage": usage}
            return _http(json.dumps({**record, "choices": [choice]}).encode())
        chunk = {"id": "x", "model": body["model"], "choices": [{"index": 0, "delta": {"content": text}}]}
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
        events = b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in (chunk, end)) + b"data: [DONE]\n\n"
        return _http(events, kind="text/event-stream")


def _http(body: bytes, status: str = "200 OK", more: str = "", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def _serve(pipe: Connection, mode: str, delay_s: float) -> None:
    """Serve until told to end; give the port, and each time it is asked, the prompts that came."""

    async def main() -> None:
        script = Script(mode, delay_s)
        server = await asyncio.start_server(script.serve, "127.0.0.1", 0, backlog=512)
        pipe.send(server.sockets[0].getsockname()[1])
        while await asyncio.to_thread(pipe.recv):
            pipe.send(script.prompts)
        os._exit(0)

    asyncio.run(main())


class Server:
    """A server in a process of its own."""

    def __init__(self, mode: str = "plain", delay_s: float = DELAY_S) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        spawn = multiprocessing.get_context("spawn")
        self._process = spawn.Process(target=_serve, args=(theirs, mode, delay_s), daemon=True)
        self._process.start()
        self.url = f"http://127.0.0.1:{self._pipe.recv()}"

    @property
    def prompts(self) -> list[str]:
        """What came so far."""
        self._pipe.send(1)
        return self._pipe.recv()

    def close(self) -> None:
        """End it."""
        self._pipe.send(0)
        self._process.join(5)


@contextlib.contextmanager
def session_at(url: str, store: str = ":memory:") -> Iterator[ChatSession]:
    """A session with ten slots."""
    settings = ChatSettings(store=store, concurrency=AT_ONCE, each_limit=1_000_000)
    session = ChatSession(GatewaySettings(base_url=url), settings)
    try:
        yield session
    finally:
        session.close()


# Who asks


def ours_s(url: str, count: int) -> float:
    """Seconds for so many rows, of which each is kept in a file."""
    with tempfile.TemporaryDirectory() as folder, session_at(url, f"{folder}/rows.sqlite") as session:
        ask_each(["warm 1"], "{row}", session=session)
        started = time.perf_counter()
        rows = ask_each([f"row {n}" for n in range(count)], "{row}", as_=Review, session=session)
        took = time.perf_counter() - started
    assert all(r.data == Review(**ANSWER) for r in rows)
    return took


def bare_s(url: str, bodies: list[dict]) -> float:
    """Seconds for the same by httpx alone, its answers streamed as ours are, and their events read as JSON."""

    async def main() -> float:
        slots = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient() as client:

            async def one(body: dict) -> object:
                text = ""
                async with slots, client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
                    async for line in answer.aiter_lines():
                        if line.startswith("data: {"):
                            text += json.loads(line[6:])["choices"][0]["delta"].get("content", "")
                return json.loads(text)

            await one(bodies[0])
            started = time.perf_counter()
            found = await asyncio.gather(*map(one, bodies))
            assert found == [ANSWER] * len(bodies)
            return time.perf_counter() - started

    return asyncio.run(main())


def bodies_of(prompts: list[str], models: tuple[str, ...] = ("claude-sonnet-4-6",)) -> list[dict]:
    """What bare httpx sends."""
    return [{"model": m, "messages": [{"role": "user", "content": p}], "stream": True} for p in prompts for m in models]


THEIRS = """
import sys, time, logging
from chatlas import ChatOpenAICompletions, parallel_chat_structured
from pydantic import BaseModel
import asyncio

class Review(BaseModel):
    label: str
    why: str

chat = ChatOpenAICompletions(base_url=sys.argv[1] + "/v1", model="claude-sonnet-4-6", api_key="none")
prompts = [f"row {n}" for n in range(int(sys.argv[2]))]

async def main():
    started = time.perf_counter()
    found = await parallel_chat_structured(chat, prompts, Review, max_active=10, rpm=1_000_000)
    whole = sum(hasattr(r, "data") for r in found)
    print("SECONDS", time.perf_counter() - started, whole)

asyncio.run(main())
"""


def theirs_s(url: str, count: int) -> tuple[float, int]:
    """Seconds for the same by chatlas, and how many rows came."""
    command = [CHATLAS.python(), "-W", "ignore", "-c", THEIRS, url, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    line = next((line for line in done.stdout.splitlines() if line.startswith("SECONDS")), None)
    assert line is not None, done.stderr
    return float(line.split()[1]), int(line.split()[2])


# What is measured


def in_time(rounds: int, count: int, *, peers: bool) -> list[Row]:
    """Rows over bare httpx and beside the peer, and a comparison of six models over cases."""
    ours, bare, theirs, six, six_bare = [], [], [], [], []
    cases = [f"case {n}" for n in range(max(2, count // 10))]
    for _ in range(rounds):
        with closing(Server()) as server:
            ours.append(ours_s(server.url, count))
            bare.append(bare_s(server.url, bodies_of([f"row {n}" for n in range(count)])))
            if peers:
                theirs.append(theirs_s(server.url, count)[0])
            with session_at(server.url) as session:
                ask_each(["warm 1"], "{row}", session=session)
                started = time.perf_counter()
                compare(MODELS, "{row}", each=cases, check=lambda *_: True, session=session, go=True)
                six.append(time.perf_counter() - started)
            six_bare.append(bare_s(server.url, bodies_of(cases, tuple(MODELS))))
    what = f"{count} rows of 50 ms"
    rows = [Row.of_rounds(what, "s", ours, "httpx", bare, bound=OVER_HTTPX)]
    if peers:
        rows.append(Row.of_rounds(what, "s", ours, CHATLAS.label, theirs, bound=1.0))
    matrix = f"{len(cases)} × 6 comparison of 50 ms"
    return [*rows, Row.of_rounds(matrix, "s", six, "httpx", six_bare, bound=OVER_HTTPX)]


def with_waits(rounds: int, count: int) -> Row:
    """Every seventh request is refused for a second."""
    waits, without = [], []
    for _ in range(rounds):
        for mode, into in (("limited", waits), ("plain", without)):
            with closing(Server(mode)) as server:
                into.append(ours_s(server.url, count))
    return Row.of_rounds(
        f"{count:,} rows, every 7th refused with `Retry-After: 1`", "s", waits, "none refused", without, bound=OVER_429
    )


def counted(count: int) -> list[Row]:
    """Requests of equal rows, rows of broken answers, and of a model that refuses the schema."""
    found = []
    few = max(2, count // 5)
    with closing(Server(delay_s=0)) as server, session_at(server.url) as session:
        ask_each([f"row {n % few}" for n in range(count)], "{row}", as_=Review, session=session)
        found.append(Row(f"requests for {count} rows of which {few} differ", "", len(server.prompts), bound=few))
    for mode, what in (("broken", "broken JSON for every tenth, once"), ("refuses", "`response_format` refused")):
        with closing(Server(mode, 0)) as server, session_at(server.url) as session:
            rows = ask_each([f"row {n}" for n in range(count)], "{row}", as_=Review, session=session)
            missing = sum(r.data != Review(**ANSWER) for r in rows)
            found.append(Row(f"rows missing of {count}: {what}", "", missing, bound=0))
    return found


def grown(count: int) -> list[Row]:
    """CPU of a row of 0 ms for many rows, beside a tenth of them, and the memory that many take."""
    cpu = {}
    with closing(Server(delay_s=0)) as server:
        for n in (count // 10, count // 10, count):  # the first imports what the others find
            with session_at(server.url) as session:
                before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
                ask_each(range(n), "{row}", session=session)
                cpu[n] = (time.process_time() - started) / n * 1e6
                memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    many, few = cpu[count], cpu[count // 10]
    what = f"CPU of a row of 0 ms, {count:,} of them"
    return [
        Row(what, "µs", many, f"{count // 10:,} of them", few, many / few, LINEAR),
        Row(f"memory for {count:,} rows", "MB", memory, bound=MOST_MB),
    ]


KILLED = """
import sys
from xcyq_magic import ask_each
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings
settings = ChatSettings(store=sys.argv[2], concurrency=10, each_limit=10**6)
session = ChatSession(GatewaySettings(base_url=sys.argv[1]), settings)
print("READY", flush=True)
ask_each(range(int(sys.argv[3])), "{row}", session=session)
print("DONE", flush=True)
"""


def killed(kills: int, count: int) -> Row:
    """A process that asks is killed at random moments and begun again; what is paid twice was on its way then."""
    rng = random.Random(0)  # noqa: S311  # moments
    with tempfile.TemporaryDirectory() as folder, closing(Server()) as server:
        done = 0
        while done < kills:
            command = [sys.executable, "-c", KILLED, server.url, f"{folder}/{done}.sqlite", str(count)]
            before, of_this = len(server.prompts), 0
            while True:
                process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(rng.uniform(0, 0.5))
                ended = process.poll() is not None
                if not ended:
                    process.send_signal(signal.SIGKILL)
                    of_this += 1
                if "DONE" in process.communicate()[0]:
                    break
                if done + of_this >= kills:
                    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                    break
            asked = len(server.prompts) - before
            assert asked >= count, "a row is missing"
            assert asked - count <= of_this * AT_ONCE, "more was paid twice than can have been on its way"
            twice = asked - count
            done += max(of_this, 1)
    return Row(f"requests paid twice at {kills} kills, a kill", "", twice / max(of_this, 1), bound=AT_ONCE)


def called_different(times: int) -> Row:
    """Two equal models, compared again and again over 60 cases."""
    rng = random.Random(0)  # noqa: S311  # no secret
    called = 0
    for _ in range(times):
        hard = [rng.random() for _ in range(60)]
        called += chance_of([rng.random() < h for h in hard], [rng.random() < h for h in hard]) < LEVEL
    return Row(f"equal models called different, of {times:,}", "", called / times, bound=CHANCE)


def measure(options: argparse.Namespace) -> list[Row]:
    """All of it, the shortest first."""
    quick = options.quick
    return [
        *in_time(1 if quick else options.rounds, 20 if quick else 200, peers=not quick),
        *([] if quick else [with_waits(2, 2_000)]),
        *counted(20 if quick else 200),
        *grown(500 if quick else 10_000),
        killed(1 if quick else 100, 30 if quick else 200),
        called_different(100 if quick else 1_000),
    ]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run(measure, __doc__ or "")
