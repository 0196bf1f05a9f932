"""The ledger beside a server's own count: mixed requests, and processes that are killed while they ask.

    python tests/benchmarks/ledger.py [--rows FILE] [--quick]

The server gives each answer a number of prompt tokens that no other one has, so that what the ledger lacks is known by
name. Turns, `--once`, columns, judges, rows, typed answers and `Chat` are mixed; some answers are stopped, some break
off, some are refused. `--quick` sends a few, and kills two processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from table import Row, run

from xcyq_magic import Chat, ask_each, compare
from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import XcyqError
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings
from xcyq_magic.session.turn import TurnOptions, retry
from xcyq_magic.store.database import Database

if TYPE_CHECKING:
    import argparse

AT_ONCE = 10
WAITING = 5  # for each slot, at most: one that waits to be sent again gives its slot to another
DONE = b"data: [DONE]\n\n"
WHOLE = ("whole",) * 6 + ("no stream",)
ENDS = (*WHOLE, "stopped", "broken", "refused", "limited", "uncounted")


# The server


class Counting:
    """A server, on a thread of its own, and what it told of the tokens of each answer.

    Attributes
    ----------
    told
        By the prompt tokens of an answer, its completion, cached and reasoning tokens.
    received, uncounted
        How many requests came, and how many answers it gave no count of.
    """

    def __init__(self) -> None:
        self.told: dict[int, tuple[int, int, int]] = {}
        self.received = self.uncounted = 0
        self._serials = itertools.count(1000)
        self._limited: set[str] = set()
        self._rng = random.Random(0)  # noqa: S311  # no secret
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self._loop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                if not await self._answer(json.loads(await reader.readexactly(length)), writer):
                    break
        writer.close()

    async def _answer(self, body: dict, writer: asyncio.StreamWriter) -> bool:
        """Answer as the prompt says; return whether the connection goes on."""
        self.received += 1
        prompt = body["messages"][-1]["content"]
        how = next((end for end in ENDS if f"<{end}>" in prompt), "whole")
        if how == "refused" or (how == "limited" and prompt not in self._limited):
            self._limited.add(prompt)
            status = "400 Bad Request" if how == "refused" else "429 Too Many Requests\r\nRetry-After: 0"
            words = b'{"error": {"message": "no"}}'
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(words)}\r\n\r\n".encode() + words)
            return True
        await asyncio.sleep(self._rng.uniform(0, 0.02))
        text = "BEST: 1" if "BEST" in prompt else "7"
        if "<typed>" in prompt and len(body["messages"]) == 2:  # its second request has the first reply in it
            text = "seven"
        if how == "uncounted":
            self.uncounted += 1
            counted: dict = {}
        else:
            serial = next(self._serials)
            told = (self._rng.randint(1, 500), self._rng.randint(0, 1000), self._rng.randint(0, 50))
            self.told[serial] = told
            counted = {
                "usage": {
                    "prompt_tokens": serial,
                    "completion_tokens": told[0],
                    "prompt_tokens_details": {"cached_tokens": told[1]},
                    "completion_tokens_details": {"reasoning_tokens": told[2]},
                }
            }
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            words = json.dumps({"model": body["model"], "choices": [choice], **counted}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(words)}\r\n\r\n"
            writer.write(head.encode() + words)
            return True
        events = [{"choices": [], **counted}, {"choices": [{"index": 0, "delta": {"content": text}}]}]
        whole = how not in {"stopped", "broken"}
        if whole:
            events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        sent = b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in events) + (DONE if whole else b"")
        length = len(sent) + (0 if whole else 100)  # of which the rest never comes
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {length}\r\n\r\n".encode())
        writer.write(sent)
        if how == "stopped":
            await writer.drain()
            await asyncio.sleep(20)  # the client is faster
        return whole


# Who asks


def session_at(url: str, store: str) -> ChatSession:
    """A session that asks the server."""
    gateway = GatewaySettings(base_url=url, prices={"gpt-*": (1, 2, 0.1)})
    return ChatSession(gateway, ChatSettings(store=store, concurrency=AT_ONCE, each_limit=10_000))


def mix(url: str, store: str, count: int, seed: int) -> None:
    """Ask so many things, of every kind, in any order."""
    rng = random.Random(seed)  # noqa: S311  # no secret
    with contextlib.closing(session_at(url, store)) as session:
        asking = Asking(session, rng)
        while asking.number < count:
            with contextlib.suppress(XcyqError, KeyboardInterrupt):
                rng.choice(asking.kinds)()


class Asking:
    """What is asked, one kind after another.

    Attributes
    ----------
    number
        How many prompts there were.
    """

    def __init__(self, session: ChatSession, rng: random.Random) -> None:
        self.number = 0
        self._session = session
        self._rng = rng
        self._run = rng.random()
        self._chat = Chat("gpt-5.5", session=session)
        self.kinds = [self.turn, self.once, self.columns, self.rows, self.chat, self.again, self.evaluate, self.typed]

    def prompt(self, ends: tuple[str, ...] = ENDS) -> str:
        """A prompt that nobody asked before, and how it is to end."""
        self.number += 1
        return f"{self._run} {self.number} <{self._rng.choice(ends)}>"

    def ask(self, *, once: bool) -> None:
        text = self.prompt()
        options = TurnOptions(once=once, stream="<no stream>" not in text)
        self._session.ask(Message.of("user", text), options, paint=self._paint)

    def _paint(self, replies) -> None:  # as `Paint` has it
        for reply in replies:
            if "<stopped>" in reply.prompt.text and reply.builder.text_pieces:
                if self._rng.random() < 0.5:
                    raise KeyboardInterrupt
                reply.stop()

    def turn(self) -> None:
        """A turn of the conversation, some of which are taken back."""
        self.ask(once=False)
        if self._rng.random() < 0.3:
            self._session.conversations.take_back(None, lambda now: now.without_last(min(1, len(now.turns))))

    def once(self) -> None:
        self.ask(once=True)

    def again(self) -> None:
        """The last turn again; one that stops does so for good, for nobody stops it here."""
        turns = self._session.conversation().turns
        if turns and "<stopped>" not in turns[-1].prompt.text:
            self.number += 1
            retry(self._session.conversations, self._session.reply)

    def columns(self) -> None:
        self.number += 3
        compare("gpt-5.5 gpt-5.4 claude-opus-4-7", self.prompt(WHOLE), session=self._session, judge="gpt-5.5-low")

    def evaluate(self) -> None:
        self.number += 5
        cases = [self.prompt((*WHOLE, "broken", "refused")) for _ in range(2)]
        compare("gpt-5.5 claude-opus-4-7", "{row}", each=cases, session=self._session, judge="gpt-5.4", go=True)

    def rows(self) -> None:
        ends = tuple(end for end in ENDS if end != "stopped")
        ask_each([self.prompt(ends) for _ in range(20)], "{row}", model="gpt-5.5", session=self._session)

    def chat(self) -> None:
        self._chat(self.prompt(WHOLE))

    def typed(self) -> None:
        self.number += 1
        self._chat(f"{self.prompt(WHOLE)} <typed>", as_=int, once=True)


# What is measured


def entries_of(store: str) -> tuple[dict[int, tuple[int, int, int]], int, int]:
    """What a ledger has: the tokens of its answers as the server tells them, how many have none, and the unknown."""
    with contextlib.closing(Conversations(Database(Path(store)))) as conversations:
        found = conversations.books.entries(everything=True)
    counted = [e for e in found.answered if e.counted]
    told = {e.prompt_tokens: (e.completion_tokens, e.cached_tokens or 0, e.reasoning_tokens or 0) for e in counted}
    assert len(told) == len(counted), "an answer is in the ledger twice"
    return told, len(found.answered) - len(counted), found.unknown  # type: ignore[return-value]  # they are counted


def process_of(url: str, store: str, count: int, seed: int) -> multiprocessing.process.BaseProcess:
    """A process that asks."""
    process = multiprocessing.get_context("spawn").Process(target=mix, args=(url, store, count, seed), daemon=True)
    process.start()
    return process


def tokens(told: dict[int, tuple[int, int, int]]) -> int:
    """All of them."""
    return sum(prompt + sum(others) for prompt, others in told.items())


def mixed(count: int) -> list[Row]:
    """Requests of every kind, none of which is killed."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Counting()) as server:
        process = process_of(server.url, f"{folder}/kept.sqlite", count, 1)
        process.join()
        assert process.exitcode == 0
        told, uncounted, unknown = entries_of(f"{folder}/kept.sqlite")
        wrong = [p for p in told.keys() | server.told.keys() if told.get(p) != server.told.get(p)]
        off, of = abs(tokens(told) - tokens(server.told)), f"{tokens(server.told):,} for {server.received:,} requests"
        return [
            Row(f"tokens by which the ledger is off, of {of}", "", off, bound=0),
            Row("answers that are not in it as they were told", "", len(wrong) + unknown, bound=0),
            Row("answers without a count, too many or too few", "", abs(uncounted - server.uncounted), bound=0),
        ]


def killed(kills: int) -> list[Row]:
    """A process is killed at random moments, and the next one goes on with its store."""
    rng, silent, invented, most = random.Random(2), 0, 0, 0  # noqa: S311  # no secret
    unknown = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Counting()) as server:
        store = f"{folder}/kept.sqlite"
        for seed in range(kills):
            process, before = process_of(server.url, store, 1_000_000, seed), len(server.told)
            while len(server.told) == before:
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 1.0))
            process.kill()
            process.join()
            time.sleep(0.05)  # what the server had begun to answer
            told, uncounted, now = entries_of(store)
            missing = len(server.told) - len(told) + server.uncounted - uncounted
            silent, most = max(silent, missing - now), max(most, now - unknown)
            invented += sum(server.told.get(p) != others for p, others in told.items())
            unknown = now
    return [
        Row(f"answers that are not in the ledger after {kills} kills, and not said to be unknown", "", silent, bound=0),
        Row("answers in it that are not what the server told", "", invented, bound=0),
        Row("requests said to be unknown, at most at a kill", "", most, bound=WAITING * AT_ONCE),
    ]


def measure(options: argparse.Namespace) -> list[Row]:
    """Both."""
    return [*mixed(60 if options.quick else 2_200), *killed(2 if options.quick else 20)]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run(measure, __doc__ or "")
