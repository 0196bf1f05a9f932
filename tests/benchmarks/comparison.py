"""Models side by side: how long they take together, how soon their words are seen, what that sends, and its figures.

    python tests/benchmarks/comparison.py [--rounds 3] [--chars 12000] [--quick]

Together: three models of the sandbox that take 1, 2 and 4 s, next to the slowest of them alone. Then 12 columns at
100 deltas a second each. In a kernel: the bytes that it sends for each character, and how far first tokens and totals
are from the server's own log. In JupyterLab, in a headless Chromium: the time from the last delta of each column to
the first animation frame in which the page holds its last word. The exit code is 1 if a median is above its bound.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parents[1]
sys.path[:0] = [str(HERE), str(HERE / "browser")]  # the tests' browser

from counting import CountingKernel  # noqa: E402
from kernels import KEY  # noqa: E402
from screen import notebook_page  # noqa: E402

from xcyq_magic.chat.messages import Message  # noqa: E402
from xcyq_magic.gateway.sandbox import answers  # noqa: E402
from xcyq_magic.gateway.sandbox.server import Received, Sandbox  # noqa: E402
from xcyq_magic.session.comparing import compare  # noqa: E402
from xcyq_magic.session.session import ChatSession  # noqa: E402
from xcyq_magic.session.settings import ChatSettings  # noqa: E402
from xcyq_magic.session.turn import TurnOptions  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

TOGETHER_BOUND, LATE_BOUND_MS, BYTES_BOUND = 1.05, 500.0, 30.0
OFF_BOUND = 1.0  # of 50 ms or 5 %, whichever is more
OFF_S, OFF_PART = 0.05, 0.05

SLOW = {"gpt-5.5": 1.0, "claude-opus-4-7": 2.0, "gemini-2.5-pro": 4.0}
TWELVE = "gpt-5.5{,-official,-hc,-fd,-low} claude-opus-4-7{,-official,-hc,-fd} gemini-2.5-pro{,-official,-low}"
COLUMNS = 12
LAST = "the-last-word"

# Notes, by column, the first frame in which it holds the last word; live or already settled. It looks now and then:
# an animation frame of its own, 60 times a second, would be most of what the page does.
WATCH = """(last) => {
    window.complete = {};
    const found = new Set();
    const look = () => {
        const live = [...document.querySelectorAll('.xcyq-live-column')];
        const columns = live.length ? live : [...document.querySelectorAll('.xcyq-columns > tbody > tr > td')];
        columns.forEach((column, n) => {
            if (found.has(n) || !column.textContent.includes(last)) return;
            found.add(n);
            requestAnimationFrame(() => { window.complete[n] = Date.now(); });
        });
    };
    setInterval(look, 25);
}"""


def together(scale: float, slow: Mapping[str, float] = SLOW) -> float:
    """The time of models at once, as a part of the slowest one's alone; `slow` has their seconds, before `scale`."""
    session = ChatSession(chat=ChatSettings(concurrency=len(slow)))
    session.access.start_sandbox()
    waits = "\n".join(f"sandbox: for {model}: first {seconds * scale}" for model, seconds in slow.items())
    prompt = Message.of("user", f"sandbox: echo\nsandbox: pace 5000 20\n{waits}\nHello")
    slowest = max(slow, key=lambda model: slow[model])
    try:
        compare(session, list(slow), prompt)  # the first imports what the others find
        started = time.perf_counter()
        session.ask(prompt, TurnOptions(slowest, once=True))
        alone = time.perf_counter()
        compare(session, list(slow), prompt)
        return (time.perf_counter() - alone) / (alone - started)
    finally:
        session.close()


def _cell(chars: int) -> str:
    return f"%%compare {TWELVE}\nsandbox: echo\nsandbox: pace 100 12\n{answers.sample(chars)}\n\n{LAST}"


def in_kernel(chars: int) -> tuple[float, float]:
    """Bytes for each character of the replies; and how far the figures are from the log, in parts of the bound."""
    sandbox = Sandbox(key=KEY)
    os.environ.update(XCYQ_BASE_URL=sandbox.base_url, XCYQ_API_KEY=KEY)
    kernel = CountingKernel(sys.executable)
    try:
        kernel.run("%load_ext xcyq_magic\n%config ChatSettings.concurrency = 12")
        kernel.run("%%compare gpt-5.5 gpt-5.4\nsandbox: markdown 900")  # the first imports what the others find
        first = len(sandbox.received)
        counted = kernel.run(_cell(chars))
        figures = "[[r.requested_model, r.first_token_s, r.duration_s, len(r.text)] for r in _comparison.values()]"
        found = kernel.run(f"import json; print(json.dumps({figures}))").value
        log = {r.body["model"]: r for r in sandbox.received[first:]}
    finally:
        kernel.close()
        sandbox.close()
    off = max(_off(log[model], first_s, total_s) for model, first_s, total_s, _ in found)
    return sum(counted.n_bytes.values()) / sum(length for *_, length in found), off


def _off(record: Received, first_token_s: float, duration_s: float) -> float:
    """The larger of the two distances from the log, in parts of what is allowed."""
    pairs = ((first_token_s, record.first_at - record.at), (duration_s, record.ended_at - record.at))
    return max(abs(told - true) / max(OFF_S, OFF_PART * true) for told, true in pairs)


def on_screen(chars: int) -> list[float]:
    """Milliseconds from each column's last delta to its last word on the page."""
    sandbox = Sandbox(key=KEY)
    try:
        env = {"XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY}
        with notebook_page("lab", _cell(chars), {}, env) as page:
            page.page.evaluate(WATCH, LAST)
            page.start_all()
            page.wait(180)
            page.page.wait_for_function(f"() => Object.keys(window.complete).length === {COLUMNS}", timeout=60_000)
            complete = page.js("() => window.complete")
    finally:
        sandbox.close()
    clock = time.time() - time.monotonic()
    ended = {r.body["model"]: (r.ended_at + clock) * 1000 for r in sandbox.received}
    names = [f"{base}{pool}" for base, pools in POOLS.items() for pool in pools]
    return [complete[str(n)] - ended[name] for n, name in enumerate(names)]


POOLS = {
    "gpt-5.5": ("", "-official", "-hc", "-fd", "-low"),
    "claude-opus-4-7": ("", "-official", "-hc", "-fd"),
    "gemini-2.5-pro": ("", "-official", "-low"),
}


def _row(name: str, values: list[float], bound: float, unit: str = "") -> bool:
    """Print a line of the table; returns whether the bound holds."""
    held = statistics.median(values) <= bound
    digits = 0 if unit == " ms" else 2
    cells = (min(values), statistics.median(values), max(values), bound)
    figures = " | ".join(f"{v:.{digits}f}{unit}" for v in cells)
    print(f"| {name} | {figures} | {'PASS' if held else 'FAIL'} |", flush=True)
    return held


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chars", type=int, default=12_000, help="of each reply")
    parser.add_argument("--quick", action="store_true", help="one short round, no browser; bounds are not judged")
    options = parser.parse_args()
    rounds, chars, scale = (1, 600, 0.1) if options.quick else (options.rounds, options.chars, 1.0)
    print(f"| {chars:,} characters in each column | min | median | max | bound | |\n|---|--:|--:|--:|--:|---|")
    times = [together(scale) for _ in range(rounds)]
    held = [_row("three models at once, of the slowest alone", times, TOGETHER_BOUND)]
    kernels = [in_kernel(chars) for _ in range(rounds)]
    held.append(_row("bytes for each character, 12 columns", [n for n, _ in kernels], BYTES_BOUND))
    held.append(_row("figures off the server's log, of 50 ms or 5 %", [off for _, off in kernels], OFF_BOUND))
    if not options.quick:
        late = [on_screen(chars) for _ in range(rounds)]
        each, slowest = [ms for found in late for ms in found], [max(found) for found in late]
        held.append(_row("last delta to the screen, each column", each, LATE_BOUND_MS, " ms"))
        held.append(_row("last delta to the screen, the last column", slowest, LATE_BOUND_MS, " ms"))
    return int(not all(held) and not options.quick)


if __name__ == "__main__":
    sys.exit(main())
