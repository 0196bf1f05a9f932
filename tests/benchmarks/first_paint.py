"""How soon the first words of a reply are shown: from their bytes on the socket to the message that holds them.

    python tests/benchmarks/first_paint.py [--rounds 5] [--quick]

A server on loopback sends the role first, as gateways do, and the first words at a random time within the next
60 ms. The clock starts just before they are written, and ends when the first message with them has left a real kernel
and was read by a raw socket, as a Jupyter server reads it. Chats alternate between ours and the peers. jupyter-ai's
`%%ai` does not stream: its clock starts when the whole reply is written. A round has 40 chats with each.
"""

from __future__ import annotations

import random
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import cells
from streams import Streams
from table import Row, run

if TYPE_CHECKING:
    import argparse

    from counting import CountingKernel

CHATS, QUICK_CHATS = 40, 3
MOST_BEFORE_S, BETWEEN_S = 0.06, 0.01
BOUND_MS = 15.0


def paint_ms(asked: cells.Asked, kernel: CountingKernel, streams: Streams, number: int) -> float:
    """Milliseconds from the first words on the socket to the first message that holds them."""
    mark = f"word{number}x"
    streams.text = f"{mark} and then some more words that come after it, one by one."
    counted = kernel.run(asked.cell.replace("%s", streams.base_url), mark=mark)
    if counted.marked_at is None:
        sys.exit(f"{asked.label} never showed {mark}")
    return (counted.marked_at - streams.first_at) * 1000


def percentile(values: list[float], part: float) -> float:
    """The value below which that part of all lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def measure(options: argparse.Namespace) -> list[Row]:
    """Chat with each, in turn."""
    everyone = [cells.ours()] + ([] if options.quick else [cells.chatlas(), cells.jupyter_ai()])
    chance = random.Random(1)  # noqa: S311  # no secret
    streams = Streams()
    with ExitStack() as ends:
        ends.callback(streams.close)
        kernels = []
        for asked in everyone:
            kernels.append(asked.kernel(streams))
            ends.callback(kernels[-1].close)
        streams.between_s = BETWEEN_S
        found: list[list[float]] = [[] for _ in everyone]
        for number in range(QUICK_CHATS if options.quick else CHATS * options.rounds):
            for asked, kernel, times in zip(everyone, kernels, found, strict=True):
                streams.before_s = chance.uniform(0, MOST_BEFORE_S)
                times.append(paint_ms(asked, kernel, streams, number))
    return _rows(everyone, found)


def _rows(everyone: list[cells.Asked], found: list[list[float]]) -> list[Row]:
    what = "first words on the socket to first message, "
    middle, late = ([percentile(times, part) for times in found] for part in (0.5, 0.99))
    rows = [
        Row(f"{what}p50", "ms", middle[0], bound=BOUND_MS),
        Row(f"{what}p99", "ms", late[0]),
    ]
    for n, asked in list(enumerate(everyone))[1:]:
        rows.append(Row(f"{what}p50", "ms", middle[0], asked.label, middle[n], middle[0] / middle[n], 1.0))
        rows.append(Row(f"{what}p99", "ms", late[0], asked.label, late[n], late[0] / late[n]))
    return rows


if __name__ == "__main__":
    run(measure, __doc__)
