"""A turn's own cost in a long conversation: to build its request, to encode it, and to keep the turn.

    python tests/benchmarks/turns.py [--rounds 5] [--quick]

No network. The conversation lies in a store on disk, as a notebook's does. CPU of turn 10, 100 and 1,000, and of the
same with 20 pictures, beside the bytes that the turn sends: the cost may grow as they do, and no faster.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from table import Row, run

from xcyq_magic.chat.completion import Completion, Usage
from xcyq_magic.chat.conversation import Conversation, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.gateway import encoding
from xcyq_magic.gateway.request import digest
from xcyq_magic.media.resolve import resolve
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.turn import TurnOptions
from xcyq_magic.store.database import Database
from xcyq_magic.store.recognition import Notebook

if TYPE_CHECKING:
    import argparse

    from xcyq_magic.chat.parts import Image

LENGTHS, QUICK_LENGTHS = (10, 100, 1000), (2, 4, 8)
PICTURES = 20
REPEATS = 5  # turns of one round
BOUND = 1.0
MODEL = "claude-sonnet-4-6"
ASKED = "What stands out in this table, and what would you look at next? " * 4
SAID = "A reply with **some** Markdown and `code`, as long as they are in the mean. " * 20


def pictures(count: int) -> list[Image]:
    """PNGs of noise, of about 100 kB each."""
    dice = np.random.default_rng(7)
    return [resolve(dice.integers(0, 256, (180, 190, 3), np.uint8))[0] for _ in range(count)]


def turn(number: int, images: list[Image]) -> Turn:
    """One that has been; the first ones carry the pictures."""
    said = Completion(SAID, MODEL, MODEL, usage=Usage(900, 400, 1300))
    return Turn(Message.of("user", *images, f"{number}: {ASKED}"), said, asked_at=float(number))


class Long:
    """A conversation with so many turns, in a store of its own."""

    def __init__(self, folder: Path, turns: int, images: list[Image]) -> None:
        self.session = ChatSession(conversations=Conversations(Database(folder / "store.sqlite"), Notebook("/a.ipynb")))
        each = -(-len(images) // min(turns - 1, 5)) if images else 0
        past = tuple(turn(n, images[n * each : (n + 1) * each]) for n in range(turns - 1))
        self.session.conversations.edit("main", lambda _: Conversation("main", past, model=MODEL))
        self.costs: list[float] = []
        self.n_bytes = 0

    def cost(self) -> None:
        """Do all of a turn but the network's part, and take it back."""
        session, before = self.session, self.session.conversation()
        prompt = Message.of("user", f"{time.time()}: {ASKED}")
        gc.collect()
        started = time.process_time()
        request = session.request(session.conversation(), prompt, TurnOptions()).request
        body = encoding.to_json(session._client.body(request, "http://gateway")[0])
        done = Turn(prompt, Completion(SAID, MODEL, MODEL), asked_at=time.time())
        session.conversations.edit(
            "main", lambda now: now.with_turn(replace(done, request=digest(request, "http://gateway")))
        )
        self.costs.append((time.process_time() - started) * 1000)
        self.n_bytes = len(body)
        session.conversations.edit("main", lambda _: before)

    def close(self) -> None:
        self.session.close()


def measure(options: argparse.Namespace) -> list[Row]:
    """All lengths, without pictures and with."""
    lengths = QUICK_LENGTHS if options.quick else LENGTHS
    images = pictures(2 if options.quick else PICTURES)
    with tempfile.TemporaryDirectory() as name:
        longs: dict[tuple[int, bool], Long] = {}
        for length in lengths:
            for shown in (False, True):
                folder = Path(name) / f"{length}-{shown}"
                folder.mkdir()
                longs[length, shown] = Long(folder, length, images if shown else [])
                longs[length, shown].cost()  # the first fits and encodes what is kept then
        for long in longs.values():
            long.costs.clear()
        for _ in range(1 if options.quick else options.rounds * REPEATS):
            for long in longs.values():
                long.cost()
        for long in longs.values():
            long.close()
    return [*_alone(longs, lengths, images), *_growth(longs, lengths, images)]


def _name(length: int, images: list[Image], *, shown: bool) -> str:
    return f"turn {length:,}" + (f" with {len(images)} pictures" if shown else "")


def _alone(longs: dict[tuple[int, bool], Long], lengths: tuple[int, ...], images: list[Image]) -> list[Row]:
    rows = []
    for shown in (False, True):
        for length in lengths:
            long = longs[length, shown]
            what = f"{_name(length, images, shown=shown)}, {long.n_bytes / 1000:,.0f} kB: build, encode, keep; CPU"
            rows.append(Row(what, "ms", statistics.median(long.costs)))
    return rows


def _growth(longs: dict[tuple[int, bool], Long], lengths: tuple[int, ...], images: list[Image]) -> list[Row]:
    """How many times the cost, beside how many times the bytes."""
    pairs = [((n, False), (lengths[0], False)) for n in lengths[1:]] + [((n, True), (n, False)) for n in lengths]
    rows = []
    for more, less in pairs:
        cost = statistics.median(longs[more].costs) / statistics.median(longs[less].costs)
        sent = longs[more].n_bytes / longs[less].n_bytes
        names = [_name(n, images, shown=shown) for n, shown in (more, less)]
        rows.append(Row(f"{names[0]} over {names[1]}: times the CPU", "×", cost, "bytes", sent, cost / sent, BOUND))
    return rows


if __name__ == "__main__":
    run(measure, __doc__)
