"""What a kernel keeps of its chats: resident memory after 1, 100 and 1,000 replies of 10 kB.

    python tests/benchmarks/memory.py [--quick]

Each chat is a `%%chat --once` cell in one real kernel, with its live view and its settled output; a conversation would
keep its text, which is what it is for. The size is what the system counts, after a collection of garbage.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import cells
from streams import Streams
from table import Row, run
from texts import mixed

if TYPE_CHECKING:
    import argparse

CHARS = 10_000
MARKS, QUICK_MARKS = (1, 100, 1000), (1, 3, 5)
MORE_MB = 5.0

RESIDENT = """
import gc, os, pathlib
gc.collect()
print(int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
"""


def measure(options: argparse.Namespace) -> list[Row]:
    """Chat, and look at the marks."""
    marks = QUICK_MARKS if options.quick else MARKS
    asked, found = cells.ours(), {}
    with closing(Streams()) as streams, closing(asked.kernel(streams)) as kernel:
        streams.text, streams.delta_chars = mixed(CHARS), 100
        for number in range(1, marks[-1] + 1):
            kernel.run(asked.cell)
            if number in marks:
                found[number] = kernel.run(RESIDENT).value
    rows = [Row(f"resident memory after {n:,} replies of 10 kB", "MB", megabytes) for n, megabytes in found.items()]
    more = found[marks[2]] - found[marks[1]]
    what = f"resident memory, chat {marks[1]:,} to chat {marks[2]:,}: more"
    return [*rows, Row(what, "MB", more, bound=MORE_MB)]


if __name__ == "__main__":
    run(measure, __doc__)
