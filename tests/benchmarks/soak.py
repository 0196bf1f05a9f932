"""Many chats with a gateway that fails at random: every outcome accounted for, and nothing that grows.

    python tests/benchmarks/soak.py [--chats 2000] [--seed 0] [--quick]

One session talks to the sandbox, whose directives make it refuse, drop, stall, send garbage or an error.
Every 20 turns the conversation begins afresh, so that requests stay small. The sums must match, the
messages of every request must alternate, and after the first tenth threads, sockets, tasks and memory
may not grow; else the exit code is 1. `--quick` makes 100 chats.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import XcyqError
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import GatewaySettings

QUICK = 100
READ_TIMEOUT_S = 1.0  # longer than a busy machine keeps a delta
TURNS = 20  # of one conversation
SETTLE_S = 5.0
MOST_GROWTH = 0.10  # of resident memory, after the first tenth
PACE = "sandbox: pace 5000 50\nsandbox: first 0\nsandbox: retry-after 0\n"

# What the gateway does, how often of 100, and how such a chat may end.
KINDS = {
    "ok": ("sandbox: markdown 400", 34, {"complete"}),
    "with reasoning": ("sandbox: think 200\nsandbox: markdown 200", 6, {"complete"}),
    "429 once": ("sandbox: markdown 200\nsandbox: status 429 1", 10, {"complete"}),
    "500 twice": ("sandbox: markdown 200\nsandbox: status 500 2", 5, {"complete"}),
    "429": ("sandbox: status 429", 8, {"failed"}),
    "500": ("sandbox: status 500", 5, {"failed"}),
    "400": ("sandbox: status 400", 3, {"failed"}),
    "drop": ("sandbox: markdown 400\nsandbox: drop 200", 7, {"partial"}),
    "drop at once": ("sandbox: markdown 400\nsandbox: drop 0", 3, {"failed"}),
    "stall": ("sandbox: markdown 400\nsandbox: stall 200", 4, {"partial"}),
    "garbage": ("sandbox: markdown 400\nsandbox: garbage 200", 6, {"partial"}),
    "error": ("sandbox: markdown 400\nsandbox: error 200", 6, {"partial"}),
    "page": ("sandbox: page", 3, {"failed"}),
}


def sockets() -> int:
    """Sockets that this process has open."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the directory's own
            count += str(entry.readlink()).startswith("socket:")
    return count


def resident_mib() -> float:
    """Resident memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def tasks(session: ChatSession) -> int:
    """Tasks on the loop of the session's client."""
    loop = session._client._loop

    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return loop.submit(count()).result() if loop else 0


def settled(session: ChatSession) -> dict[str, float]:
    """Threads, sockets and tasks once the last chat's are gone, and memory."""
    deadline = time.monotonic() + SETTLE_S
    while tasks(session) and time.monotonic() < deadline:
        time.sleep(0.05)
    return {
        "threads": threading.active_count(),
        "sockets": sockets(),
        "tasks": tasks(session),
        "resident MiB": round(resident_mib(), 1),
    }


def alternates(body: dict) -> bool:
    """Whether user and assistant take turns in a request, and the user has the last word."""
    roles = [m["role"] for m in body["messages"] if m["role"] != "system"]
    return roles == ["user", "assistant"] * (len(roles) // 2) + ["user"] and all(m["content"] for m in body["messages"])


class Soak:
    """The session, and what became of its chats."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311  # no secret
        self.session = ChatSession(GatewaySettings(read_timeout=READ_TIMEOUT_S))
        self.sandbox = self.session.access.start_sandbox()
        self.endings: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.problems: list[str] = []
        self.kept = 0  # turns that should stand in conversations
        self.stood = 0  # turns that did

    def chat(self, number: int) -> None:
        """One chat, and what must be true after it."""
        if number % TURNS == 0:
            self.stood += len(self.session.conversation().turns)
            self.session.reset()
        kind = self.chance.choices(list(KINDS), [weight for _, weight, _ in KINDS.values()])[0]
        directives, _, expected = KINDS[kind]
        outcome = self.session.ask(Message.of("user", f"{PACE}{directives}\nchat {number}"))
        self.kinds[kind] += 1
        if outcome.completion is None:
            ending = "failed"
        else:
            ending = "partial" if outcome.completion.partial else "complete"
            self.kept += 1
        self.endings[ending] += 1
        if outcome.error is not None:
            self.errors[type(outcome.error).__name__] += 1
        if ending not in expected:
            self.problems.append(f"chat {number} ({kind}) ended {ending}: {outcome.error!r}")
        if (outcome.error is None) != (ending == "complete") or not isinstance(outcome.error, XcyqError | None):
            self.problems.append(f"chat {number} ({kind}) ended {ending} with {outcome.error!r}")
        turns = self.session.conversation().turns
        if (outcome.turn is not None) != (bool(turns) and turns[-1] is outcome.turn):
            self.problems.append(f"chat {number} ({kind}): its turn is not where it should be")
        if not alternates(self.sandbox.received[-1].body):
            self.problems.append(f"chat {number} ({kind}): its messages do not alternate")
        del self.sandbox.received[:-1]  # its log would be what grows

    def close(self) -> None:
        """End the session, and count what its end leaves."""
        self.stood += len(self.session.conversation().turns)
        self.session.close()


def grown(rows: dict[int, dict[str, float]]) -> list[str]:
    """What is more at the end than after the first part."""
    first, last = rows[min(rows)], rows[max(rows)]
    # The sandbox may not have seen yet that a connection was closed: one more is no growth.
    allowed = {"threads": 0, "sockets": 2, "tasks": 0, "resident MiB": first["resident MiB"] * MOST_GROWTH}
    return [
        f"{name} grew from {first[name]} to {last[name]}" for name in first if last[name] > first[name] + allowed[name]
    ]


def main() -> int:
    """Chat, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    chats = QUICK if options.quick else options.chats
    marks = {chats // 10, *(chats * n // 4 for n in range(1, 5))}
    started, soak, rows = time.monotonic(), Soak(options.seed), {}
    for number in range(chats):
        soak.chat(number)
        if number + 1 in marks:
            rows[number + 1] = settled(soak.session)
    took = time.monotonic() - started
    soak.close()
    left = [t.name for t in threading.enumerate() if t.name.startswith("xcyq_magic")]
    problems = soak.problems + grown(rows) + [f"a thread is left: {name}" for name in left]
    endings = [soak.endings[e] for e in ("complete", "partial", "failed")]
    if sum(endings) != chats:
        problems.append(f"{sum(endings)} outcomes of {chats} chats")
    if soak.kept != soak.stood:
        problems.append(f"{soak.stood} turns stand in conversations, not {soak.kept}")
    print("| complete | partial | failed | sum | turns kept | of | seconds |\n|--:|--:|--:|--:|--:|--:|--:|")
    print(f"| {' | '.join(map(str, endings))} | {sum(endings)} | {soak.stood} | {soak.kept} | {took:.0f} |\n")
    print("| asked to | chats |\n|---|--:|")
    print("\n".join(f"| {kind} | {soak.kinds[kind]} |" for kind in KINDS) + "\n")
    print("| error | chats |\n|---|--:|")
    print("\n".join(f"| {name} | {count} |" for name, count in sorted(soak.errors.items())) + "\n")
    print("| after chats | threads | open sockets | tasks | resident MiB |\n|--:|--:|--:|--:|--:|")
    for after, row in sorted(rows.items()):
        print(f"| {after} | {' | '.join(map(str, row.values()))} |")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
