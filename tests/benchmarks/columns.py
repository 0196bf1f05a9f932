"""What each further column of a comparison costs: time over the slowest model alone, bytes, and CPU.

    python tests/benchmarks/columns.py [--rounds 5] [--quick]

3, 6 and 12 models of the sandbox, of which the slowest takes 2 s. CPU is a real kernel's, for the whole of a
`%%compare` cell, whose sandbox runs outside of it.
"""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING

from comparison import BYTES_BOUND, POOLS, TOGETHER_BOUND, in_kernel, together
from counting import CountingKernel
from kernels import KEY  # `comparison` has said where it is
from reports import EXPONENT, slope
from table import Row, run

from xcyq_magic.gateway.sandbox import answers
from xcyq_magic.gateway.sandbox.server import Sandbox

if TYPE_CHECKING:
    import argparse

COUNTS, QUICK_COUNTS = (3, 6, 12), (2, 3)
SLOWEST_S, QUICK_SLOWEST_S = 2.0, 0.1
CHARS, QUICK_CHARS = 4000, 200
NAMES = [f"{base}{pool}" for base, pools in POOLS.items() for pool in pools]
TIMED = "%%capture _\nfrom time import process_time\n_before = process_time()"
TOLD = "print((process_time() - _before) * 1000)"


def cpu_ms(counts: tuple[int, ...], chars: int, rounds: int) -> dict[int, float]:
    """Milliseconds of the kernel's CPU for so many columns: medians of rounds that take turns."""
    sandbox = Sandbox(key=KEY)
    kernel = CountingKernel(sys.executable, {"XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY})
    found: dict[int, list[float]] = {count: [] for count in counts}
    said = f"sandbox: echo\nsandbox: pace 100 12\n{answers.sample(chars)}"
    try:
        kernel.run("%load_ext xcyq_magic\n%config ChatSettings.concurrency = 12")
        kernel.run(f"%%compare {' '.join(NAMES[:2])} --once\n{said}")  # the first imports what the others find
        for _ in range(rounds):
            for count, times in found.items():
                kernel.run(TIMED)
                kernel.run(f"%%compare {' '.join(NAMES[:count])} --once\n{said}")
                times.append(kernel.run(TOLD).value)
    finally:
        kernel.close()
        sandbox.close()
    return {count: statistics.median(times) for count, times in found.items()}


def measure(options: argparse.Namespace) -> list[Row]:
    """Time, CPU and bytes."""
    quick, rounds = options.quick, 1 if options.quick else options.rounds
    counts, slowest_s = (QUICK_COUNTS, QUICK_SLOWEST_S) if quick else (COUNTS, SLOWEST_S)
    rows = []
    for count in counts:
        slow = {name: (n + 1) / count for n, name in enumerate(NAMES[:count])}
        times = [together(slowest_s, slow) for _ in range(rounds)]
        rows.append(Row(f"{count} models at once, over the slowest alone", "×", statistics.median(times),
                        bound=TOGETHER_BOUND))  # fmt: skip
    cpu = cpu_ms(counts, QUICK_CHARS if quick else CHARS, rounds)
    rows += [Row(f"a column's CPU, {count} columns", "ms", ms / count) for count, ms in cpu.items()]
    grown = slope([float(c) for c in cpu], list(cpu.values()))
    rows.append(Row("exponent of CPU over the number of columns", "", grown, bound=EXPONENT))
    if not quick:
        sent, _ = in_kernel(CHARS)
        rows.append(Row("12 columns: sent for each character", "bytes", sent, bound=BYTES_BOUND))
    return rows


if __name__ == "__main__":
    run(measure, __doc__)
