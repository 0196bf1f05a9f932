"""What a full store costs: how long a kernel takes to resume its conversation, and a turn's write.

    python tests/benchmarks/store.py [--conversations 10000] [--turns 20] [--rounds 40] [--quick]

A store with one conversation is compared with a full one. To resume is what `%load_ext` does, and then what the
first chat does: to open the file, count, and load the turns. Writes are whole turns, each in a transaction of its
own, of a conversation of 20 turns and of one with 1,000. The first word is what a chat with the sandbox waits for it,
once its conversation is resumed; each asks the same, and one that keeps nothing on the disk is compared with the
others. `--quick` measures a small store, to see that it runs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from xcyq_magic.chat.completion import Completion, Usage
from xcyq_magic.chat.conversation import CellRun, Conversation, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.turn import TurnOptions
from xcyq_magic.store.conversations import ConversationStore
from xcyq_magic.store.database import Database
from xcyq_magic.store.recognition import Notebook, find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.session.live import LiveReply

RESUME_MS, WRITE_MS = 50.0, 10.0  # more than with one conversation; for one turn, in the median
REPLY = "A reply with **some** Markdown and `code`, as long as they are in the mean. " * 20


def turn(number: int, notebook: int = 0) -> Turn:
    completion = Completion(REPLY, "claude-sonnet-4-6", "claude-sonnet-4-6", usage=Usage(900, 400, 1300))
    prompt = Message.of("user", f"Question {number}: what stands out in this table?")
    return Turn(
        prompt,
        completion,
        cell=CellRun(f"cell-{notebook}-{number}", "0"),
        asked_at=float(number),
        request=f"{number:064x}",
    )


def notebook_of(number: int) -> Notebook:
    """A notebook whose kernel ran its first cell."""
    return Notebook(f"/notebooks/{number}.ipynb", ran={f"cell-{number}-0": ""})


def fill(path: Path, conversations: int, turns: int) -> None:
    """Make a store; in transactions of 500 conversations, as nobody's chats come."""
    database = Database(path)
    store = ConversationStore(database)
    for start in range(0, conversations, 500):
        with database.transaction() as execute:
            for n in range(start, min(start + 500, conversations)):
                name = store.create(execute, f"c{n}", f"/notebooks/{n}.ipynb", Conversation("main"))
                said = Conversation("main", tuple(turn(k, n) for k in range(turns)))
                store.change(execute, name, Conversation("main"), said)
                store.choose(execute, f"/notebooks/{n}.ipynb", name)
    database.close()


def resume_ms(path: Path, notebook: Notebook) -> float:
    """Milliseconds until a new kernel has its conversation."""
    started = time.perf_counter()
    database = Database(path)
    find(database, notebook)  # as %load_ext
    database.close()
    conversations = Conversations(Database(path), notebook)  # as the first chat
    conversations.resume()
    found = conversations.get()
    took = time.perf_counter() - started
    assert found.turns
    conversations.close()
    return took * 1000


def write_ms(path: Path, notebook: Notebook, rounds: int) -> list[float]:
    """Milliseconds of each of `rounds` turns."""
    conversations = Conversations(Database(path), notebook)
    conversations.resume()
    took = []
    for n in range(rounds):
        said = turn(100_000 + n)
        started = time.perf_counter()
        conversations.edit("main", lambda now, said=said: now.with_turn(said))
        took.append((time.perf_counter() - started) * 1000)
    assert conversations.take_notices() == []
    conversations.close()
    return took


def first_words_ms(databases: Sequence[Database], rounds: int) -> list[float]:
    """Milliseconds from a question to the first word of its answer, for each database; the median of so many rounds."""
    sessions = [ChatSession(conversations=Conversations(d, notebook_of(0))) for d in databases]
    past = Conversation("main", tuple(turn(k) for k in range(20)))
    prompt = Message.of("user", "sandbox: first 0\nsandbox: pace 5000 20\nHello")
    took: list[list[float]] = [[] for _ in sessions]
    for session in sessions:
        session.access.start_sandbox()
        session.conversations.resume()
    for n in range(rounds + 1):
        for session, mine in zip(sessions, took, strict=True):
            words: list[float] = []
            session.conversations.edit("main", lambda _: past)  # what goes along is the same for all
            started = time.perf_counter()

            def paint(replies: Sequence[LiveReply], words: list[float] = words) -> None:
                if replies[0].builder.text_pieces and not words:
                    words.append(time.perf_counter())

            session.ask(prompt, TurnOptions(), paint=paint)
            if n:  # the first opens the connection
                mine.append((words[0] - started) * 1000)
    for session in sessions:
        session.close()
    return [statistics.median(mine) for mine in took]


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    many, rounds = (20, 3) if options.quick else (options.conversations, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        paths = {count: Path(folder) / f"{count}.sqlite" for count in (1, many)}
        for count, path in paths.items():
            fill(path, count, options.turns)
        resumed = {count: [] for count in paths}
        for n in range(rounds):  # one after the other, so that a busy machine disturbs both
            for count, path in paths.items():
                resumed[count].append(resume_ms(path, notebook_of(n * 7919 % count)))
        print("| conversations | turns | file | resume, median | a turn's write, median | 95 % | its bound |")
        print("|--:|--:|--:|--:|--:|--:|--:|")
        for count, path in paths.items():
            size = path.stat().st_size / 1e6
            writes = sorted(write_ms(path, notebook_of(0), rounds * 5))
            middle, late = statistics.median(writes), writes[int(len(writes) * 0.95)]
            print(
                f"| {count:,} | {count * options.turns:,} | {size:.1f} MB | {statistics.median(resumed[count]):.1f} ms "
                f"| {middle:.2f} ms | {late:.2f} ms | {WRITE_MS:.0f} ms |"
            )
        kept = [Database(None), *(Database(path) for path in paths.values())]
        words = [f"{took:.1f} ms" for took in first_words_ms(kept, rounds)]
        long = Path(folder) / "long.sqlite"
        fill(long, 1, 1000)
        writes = write_ms(long, notebook_of(0), rounds)
        whole = resume_ms(long, notebook_of(0))
        print(f"| 1 | 1,000 | | {whole:.1f} ms | {statistics.median(writes):.2f} ms | | |")
        more = statistics.median(b - a for a, b in zip(*resumed.values(), strict=True))
        print(f"\nThe first word of a reply comes after {words[0]} if nothing is kept on the disk,")
        print(f"after {words[1]} with one conversation there, after {words[2]} with {many:,}.")
        print(f"\nWith {many:,} conversations, resuming takes {more:.1f} ms more than with one; bound {RESUME_MS:.0f}.")


if __name__ == "__main__":
    main()
