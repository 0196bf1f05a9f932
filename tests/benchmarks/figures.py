"""What media cost: attaching a figure, a large array, and a request with many pictures.

    python tests/benchmarks/figures.py [--rounds 25] [--quick]

Three tables, each figure beside its bound; the exit code is 1 if one is above its own.

- Attaching a figure (`resolve`, and `fit` for the model), against `savefig` to PNG of the same size: the same
  resolution and the same cut. Rounds alternate between the two, and the ratio is the median of the rounds' ratios.
- The memory that an array of 100 megapixels takes besides itself until it is a content part, in a process of
  its own: what the system counts as its peak.
- The body of a fifth turn's request that carries 20 pictures of 1 MB (`ChatSession.request`, then its JSON), against
  joining the bytes of those pictures in base64. The first turn has encoded them.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from table import Row, write

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.conversation import Conversation, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.gateway import encoding
from xcyq_magic.gateway.catalog import image_limits
from xcyq_magic.media.fit import fit
from xcyq_magic.media.resolve import resolve
from xcyq_magic.session.session import ChatSession, TurnOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from xcyq_magic.chat.parts import Image

mpl.use("agg")
import matplotlib.pyplot as plt  # after its backend

ATTACH, MEMORY, BODY = 1.1, 3.0, 2.0
MODEL = "claude-sonnet-4-6"
MEGAPIXELS = 100
PICTURES, PICTURE_BYTES, TURNS = 20, 1_000_000, 5

# In a process of its own, whose peak is its own.
MEASURE = """
import resource, sys
import numpy as np
from xcyq_magic.media.resolve import resolve
dtype, shape = sys.argv[1], tuple(map(int, sys.argv[2].split(",")))
resolve(np.zeros((20, 20, 3)))  # imports
array = np.ones(shape, dtype)
if dtype == "f8":
    array[0] = np.linspace(0, 1, shape[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
(part,) = resolve(array)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(array.nbytes, (after - before) / array.nbytes, part.caption)
"""


def figures() -> dict[str, Figure]:
    """Such as people draw."""
    dice = np.random.default_rng(7)
    made = {}
    made["lines"], axes = plt.subplots()
    axes.plot(dice.normal(size=(500, 3)).cumsum(0))
    made["scatter"], axes = plt.subplots(figsize=(8, 6))
    axes.scatter(*dice.normal(size=(2, 5000)), s=4)
    made["four axes"], grid = plt.subplots(2, 2, figsize=(10, 8))
    for axes in grid.flat:
        axes.hist(dice.normal(size=1000), 30)
    made["picture"], axes = plt.subplots(dpi=150)
    axes.imshow(dice.normal(size=(400, 600)))
    plt.close("all")
    return made


def seconds(run: Callable[[], object]) -> float:
    """The CPU time that one run takes: a busy machine disturbs the clock."""
    start = time.process_time()
    run()
    return time.process_time() - start


def alternating(one: Callable[[], object], other: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Median seconds of both, and the median of the rounds' ratios."""
    pairs = []
    for n in range(rounds + 1):
        # Each goes first in every other round.
        pair = (seconds(one), seconds(other)) if n % 2 else (seconds(other), seconds(one))[::-1]
        pairs.append(pair)
    pairs = pairs[1:]  # the first fills caches
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def attach(rounds: int) -> list[tuple[str, float, float]]:
    """Attaching against savefig, for each figure."""
    print("| figure | pixels | attach | savefig | ratio | bound |\n|---|---|--:|--:|--:|--:|")
    limits, bounds = image_limits(MODEL), []
    for name, figure in figures().items():
        (image,) = resolve(figure)

        def ours(figure: Figure = figure) -> None:
            fit(resolve(figure)[0], limits)

        def theirs(figure: Figure = figure) -> None:
            figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")

        mine, its, ratio = alternating(ours, theirs, rounds)
        size = f"{image.width}×{image.height}"
        print(f"| {name} | {size} | {mine * 1e3:.1f} ms | {its * 1e3:.1f} ms | {ratio:.3f} | {ATTACH:g} |", flush=True)
        bounds.append((name, ratio, ATTACH))
    return bounds


def memory(megapixels: int) -> list[tuple[str, float, float]]:
    """The peak besides the array, in arrays."""
    print("\n| array | is | besides it | bound | sent |\n|---|--:|--:|--:|---|")
    edge, bounds = int((megapixels * 1e6) ** 0.5), []
    kinds = (("u1", 3), ("f8", 1), ("u1", 1), ("?", 1), ("u2", 1), ("f4", 3))
    for dtype, channels in kinds if megapixels == MEGAPIXELS else kinds[:2]:
        shape = f"{edge},{edge}" + (f",{channels}" if channels > 1 else "")
        command = [sys.executable, "-c", MEASURE, dtype, shape]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        held, times, caption = done.stdout.strip().split(" ", 2)
        name = f"{dtype}, {shape.replace(',', '×')}"
        print(f"| {name} | {int(held) / 1e6:.0f} MB | {float(times):.2f} × | {MEMORY:g} × | {caption} |", flush=True)
        bounds.append((name, float(times), MEMORY))
    return bounds


def conversation() -> tuple[Conversation, Message]:
    """Four turns and a prompt, with 20 pictures of 1 MB that are sent as they are."""
    messages = []
    for n in range(TURNS):
        count = PICTURES // TURNS
        images = [picture(n * count + k) for k in range(count)]
        messages.append(Message.of("user", *images, "What do you see?"))
    turns = tuple(Turn(m, Completion("A figure.", MODEL, MODEL)) for m in messages[:-1])
    return Conversation("main", turns), messages[-1]


def picture(seed: int) -> Image:
    """A PNG of noise, a little over 1 MB."""
    dice = np.random.default_rng(seed)
    (image,) = resolve(dice.integers(0, 256, (500, 670, 3), np.uint8))
    if len(image.data) < PICTURE_BYTES:
        sys.exit(f"the pictures are too small: {len(image.data)} bytes")
    return image


def body(rounds: int) -> list[tuple[str, float, float]]:
    """The body of the fifth turn's request against joining its bytes."""
    session = ChatSession()
    past, prompt = conversation()
    options = TurnOptions(MODEL)

    def ours() -> bytes:
        request = session.request(past, prompt, options).request
        return encoding.to_json(encoding.encode(request))

    ours()  # the turns before have encoded them
    request = session.request(past, prompt, options).request
    pieces = [i.data_url.base64 for m in request.messages for i in m.images]
    mine, its, ratio = alternating(ours, lambda: b"".join(pieces), rounds)
    session.close()
    print("\n| request | body | joining | ratio | bound |\n|---|--:|--:|--:|--:|")
    print(
        f"| {len(pieces)} pictures, {sum(map(len, pieces)) / 1e6:.1f} MB | {mine * 1e3:.1f} ms | {its * 1e3:.1f} ms "
        f"| {ratio:.3f} | {BODY:g} |"
    )
    return [("body", ratio, BODY)]


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--quick", action="store_true", help="to see that it runs: smaller, and no bound fails it")
    parser.add_argument("--rows", type=Path, help="a file for the rows of the suite's table")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    attached, besides, joined = attach(rounds), memory(4 if options.quick else MEGAPIXELS), body(rounds)
    bounds = [*attached, *besides, *joined]
    tables = (
        ("a figure attached, over `savefig`", attached),
        ("a large array attached, memory besides it", besides),
        ("a body with 20 pictures, over joining their bytes", joined),
    )
    rows = []
    for what, found in tables:
        name, ratio, most = max(found, key=lambda bound: bound[1])
        rows.append(Row(f"{what}: the worst ({name})" if found[1:] else what, "×", ratio, bound=most))
    write(rows, options.rows)
    broken = [name for name, figure, most in bounds if figure > most]
    print(f"\nAbove the bound: {', '.join(broken) or 'none'}")
    return int(bool(broken) and not options.quick)


if __name__ == "__main__":
    sys.exit(main())
