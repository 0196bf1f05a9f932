"""The check of pools: cheats that are found, alarms of an honest pool, tokens, and how long many pools take.

    python tests/benchmarks/pools.py [--rows FILE] [--quick]

The sandbox plays the pools, over HTTP: each of nine cheats, one at a time, and an honest pool whose times vary by 10 %
and whose counts vary by 15 %. The checks of the honest one are kept, so that each stands beside those before it.
`--quick` checks a few times.
"""

from __future__ import annotations

import contextlib
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from table import Row, run

from xcyq_magic.gateway.catalog import MODELS
from xcyq_magic.gateway.sandbox.cheats import CHEATS
from xcyq_magic.gateway.sandbox.directives import Plan
from xcyq_magic.gateway.sandbox.server import Sandbox
from xcyq_magic.session.checking import Checking
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from xcyq_magic.chat.checks import CheckReport

HONEST = "noise"
MOST_TOKENS, MOST_S, ANSWER_S = 1_500, 60.0, 0.5
ANSWERED_AT_ONCE = Plan(first_s=ANSWER_S / 2, deltas_per_s=66 / (ANSWER_S / 2))  # about 66 deltas of a long answer


@contextlib.contextmanager
def session_of(plan: Plan | None = None) -> Iterator[ChatSession]:
    """A session that asks a sandbox of its own, with the settings that everybody has."""
    with closing(Sandbox(key="none", plan=plan)) as sandbox:
        session = ChatSession(GatewaySettings(base_url=sandbox.base_url), ChatSettings(store=":memory:"))
        session.access.entered = sandbox.key
        try:
            yield session
        finally:
            session.close()


def checked(session: ChatSession, *words: str, deep: bool = False) -> CheckReport:
    """What a check sees."""
    done = Checking(session, words, deep=deep).check()
    assert done.error is None
    return done.report


def cheats(base: str) -> Row:
    """Each cheat by itself; what is found of it is that, and nothing else."""
    names = [name for name in CHEATS if name != HONEST]
    with session_of() as session:
        report = checked(session, *(f"{base}~{name}" for name in names), deep=True)
    found = [[name for name, f in pool.findings.items() if f.stands_out] for pool in report.pools]
    assert all(len(of) <= 1 for of in found), "another cheat than the one was found"
    return Row(f"cheats of {base} missed, of {len(names)}", "", found.count([]), bound=0)


def honest(times: int) -> list[Row]:
    """Alarms of an honest pool with noise, and its largest check."""
    alarms, most = 0, 0
    with session_of() as session:
        for _ in range(times):
            (pool,) = checked(session, f"gpt-5.5~{HONEST}", deep=True).pools
            alarms += pool.stands_out
            if pool.stands_out:
                print(pool.sentences, {n: (f.value, f.usual) for n, f in pool.findings.items() if f.stands_out})
            usage = pool.usage
            most = max(most, (usage.prompt_tokens or 0) + (usage.completion_tokens or 0))
    return [
        Row(f"alarms of an honest pool with noise, of {times} checks", "", alarms, bound=0),
        Row("tokens of its largest check, with --deep", "", most, bound=MOST_TOKENS),
    ]


def many(count: int) -> list[Row]:
    """Seconds for many pools whose answers take half a second, and how many of them stand out."""
    with session_of(ANSWERED_AT_ONCE) as session:
        started = time.perf_counter()
        report = checked(session, *list(MODELS)[:count])
        took = time.perf_counter() - started
    alarms = sum(pool.stands_out for pool in report.pools)
    what = f"{count} pools at {ANSWER_S:g} s an answer"
    return [Row(what, "s", took, bound=MOST_S), Row(f"alarms of {what}", "", alarms, bound=0)]


def measure(options: argparse.Namespace) -> list[Row]:
    """All of it."""
    quick = options.quick
    bases = ["gpt-5.5"] if quick else ["gpt-5.5", "claude-opus-4-7", "gemini-2.5-pro"]
    return [*map(cheats, bases), *honest(2 if quick else 200), *many(5 if quick else len(MODELS))]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run(measure, __doc__ or "")
