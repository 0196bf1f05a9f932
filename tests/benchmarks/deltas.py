"""From a delta's bytes to the thread that paints: CPU for each delta, ours, the openai client's, and the least.

    python tests/benchmarks/deltas.py [--rounds 5] [--quick]

Another process sends 20,000 deltas over loopback, as they are after a proxy, many in a packet, or each as an HTTP
chunk of its own. Ours ends when the thread that asked has each `Delta`. The openai client's ends when it has yielded
each chunk. The least that can be done is httpx's bytes, cut into lines, and `json.loads`. CPU is the whole process's,
all threads; rounds alternate.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import sys
import time
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' server

from servers import DONE, Answer, RawServer, chunked, http
from streams import MODEL, event
from table import Row, run

from xcyq_magic.chat.messages import Message
from xcyq_magic.gateway.attempt import Connection, Deltas, Ended
from xcyq_magic.gateway.client import GatewayClient
from xcyq_magic.gateway.credentials import ApiKey
from xcyq_magic.gateway.request import ChatRequest

if TYPE_CHECKING:
    import argparse
    from multiprocessing.connection import Connection as Pipe

DELTAS, QUICK_DELTAS = 20_000, 500
OF_OPENAI, OF_LEAST = 1 / 4, 3.0
WORDS = "one more word of it,"  # 20 characters


def serve(pipe: Pipe, count: int, *, each: bool) -> None:
    """Answer with so many deltas, until the pipe says something."""
    events = [event({"content": WORDS})] * (count - 1)
    events = [event({"role": "assistant", "content": ""}), *events, event({}, "stop"), DONE]
    payload = chunked(*events) if each else http(b"".join(events), kind="text/event-stream")
    server = RawServer([Answer(payload)])
    pipe.send(server.base_url)
    pipe.recv()
    server.close()


class Ours:
    """The client, and a thread that takes each delta from the queue."""

    def __init__(self, url: str) -> None:
        self._client = GatewayClient()
        self._connection = Connection(f"{url}/v1/chat/completions")
        self._request = ChatRequest(MODEL, (Message.of("user", "Go on."),))

    def __call__(self) -> int:
        arrivals: SimpleQueue = SimpleQueue()
        self._client.send(self._request, ApiKey("sk-5ecret-0123456789", "here"), self._connection, arrivals.put)
        count = 0
        while not isinstance(arrival := arrivals.get(), Ended):
            if isinstance(arrival, Deltas):
                count += sum(delta.text == WORDS for delta in arrival.deltas)
        if arrival.error:
            raise arrival.error
        return count

    def close(self) -> None:
        self._client.close()


class OpenAI:
    """The reference client."""

    def __init__(self, url: str) -> None:
        import openai

        self._client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")

    def __call__(self) -> int:
        messages = [{"role": "user", "content": "Go on."}]
        stream = self._client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        return sum(chunk.choices[0].delta.content == WORDS for chunk in stream)

    def close(self) -> None:
        self._client.close()


class Least:
    """What nobody can do without: bytes, lines, JSON."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v1/chat/completions"
        self._client = httpx.Client()

    def __call__(self) -> int:
        count, rest = 0, b""
        with self._client.stream("POST", self._url, json={"model": MODEL, "stream": True}) as response:
            for chunk in response.iter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.startswith(b"data: {"):
                        count += json.loads(line[6:])["choices"][0]["delta"].get("content") == WORDS
        return count

    def close(self) -> None:
        self._client.close()


def cpu_us(way: Ours | OpenAI | Least, count: int) -> float:
    """Microseconds of CPU for each delta of one reply."""
    gc.collect()
    started = time.process_time()
    if (got := way()) != count - 1:
        sys.exit(f"{type(way).__name__} got {got} deltas of {count - 1}")
    return (time.process_time() - started) / count * 1e6


def alternate(count: int, rounds: int, *, each: bool, peers: bool) -> dict[str, list[float]]:
    """The figures of all rounds, by who."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs, count), kwargs={"each": each}, daemon=True)
    server.start()
    url = pipe.recv()
    ways = {"ours": Ours(url), "least": Least(url)} | ({"openai": OpenAI(url)} if peers else {})
    try:
        for way in ways.values():
            cpu_us(way, count)  # the first imports, and connects
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                found[name].append(cpu_us(way, count))
    finally:
        for way in ways.values():
            way.close()
        pipe.send("enough")
        server.join()
    return found


def measure(options: argparse.Namespace) -> list[Row]:
    """Both ways to send them."""
    count = QUICK_DELTAS if options.quick else DELTAS
    rows = []
    for each, how in ((False, "many in a packet"), (True, "each an HTTP chunk")):
        found = alternate(count, 1 if options.quick else options.rounds, each=each, peers=not options.quick)
        what = f"a delta, {how}: bytes to `Delta`, CPU"
        if "openai" in found:
            rows.append(Row.of_rounds(what, "µs", found["ours"], "openai", found["openai"], bound=OF_OPENAI))
        rows.append(Row.of_rounds(what, "µs", found["ours"], "httpx + json.loads", found["least"], bound=OF_LEAST))
    return rows


if __name__ == "__main__":
    run(measure, __doc__)
