"""How long an interrupt of a stalled stream takes, in a real kernel.

    python tests/benchmarks/interrupt.py [--rounds 10] [--quick]

Each round stalls a reply after 300 characters, interrupts the kernel as ■ does, and measures the time
until the cell has ended, and until the gateway saw its connection close. The table gives the figures in
milliseconds beside their bounds; the exit code is 1 if a median is above its bound.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' kernel

from kernels import KEY, Kernel

from xcyq_magic.gateway.sandbox.server import Sandbox

PROMPT_BOUND_MS, CLOSE_BOUND_MS = 300.0, 1000.0


def measure(kernel: Kernel, sandbox: Sandbox) -> tuple[float, float]:
    """Milliseconds until the cell has ended, and until the gateway saw the connection close."""
    cell = kernel.start("%%chat --once\nsandbox: markdown 2000\nsandbox: stall 300")
    kernel.finish(cell, until=lambda m: "Part 1" in str(m["content"]))
    while sandbox.received[-1].chars_sent < 300:
        time.sleep(0.005)
    asked = time.monotonic()
    kernel.interrupt()
    ran = kernel.finish(cell)
    back = time.monotonic()
    if ran.reply["ename"] != "KeyboardInterrupt":
        raise SystemExit("\n".join(ran.error))
    while not sandbox.received[-1].ended_at:
        time.sleep(0.001)
    return (back - asked) * 1000, (sandbox.received[-1].ended_at - asked) * 1000


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="two rounds; bounds are not judged")
    options = parser.parse_args()
    sandbox = Sandbox(key=KEY)
    kernel = Kernel({**os.environ, "XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY})
    try:
        kernel.run("%load_ext xcyq_magic")
        measure(kernel, sandbox)  # the first imports what the others find
        rounds = [measure(kernel, sandbox) for _ in range(2 if options.quick else options.rounds)]
    finally:
        kernel.close()
        sandbox.close()
    columns = list(zip(*rounds, strict=True))
    print("| after an interrupt | min | median | max | bound |\n|---|--:|--:|--:|--:|")
    names = (("the prompt is back", PROMPT_BOUND_MS), ("the gateway saw the close", CLOSE_BOUND_MS))
    for (name, bound), times in zip(names, columns, strict=True):
        figures = (min(times), statistics.median(times), max(times), bound)
        print(f"| {name} | " + " | ".join(f"{ms:.0f} ms" for ms in figures) + " |")
    broken = any(statistics.median(t) > b for (_, b), t in zip(names, columns, strict=True))
    return int(broken and not options.quick)


if __name__ == "__main__":
    sys.exit(main())
