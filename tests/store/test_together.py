"""Several kernels write at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from xcyq_magic.chat.messages import Message
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.session.session import ChatSession
from xcyq_magic.store.database import Database
from xcyq_magic.store.recognition import Notebook

WRITE = """
import sys
from pathlib import Path
from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.conversation import Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.store.database import Database
from xcyq_magic.store.recognition import Notebook

conversations = Conversations(Database(Path(sys.argv[1])), Notebook(sys.argv[2], lambda: "A", {"A": ""}))
picture = Image(b"pixels" * 10_000, "image/png", 1, 1)
sys.stdin.readline()
for n in range(200):
    turn = Turn(Message.of("user", picture, f"{sys.argv[3]}.{n}"), Completion("reply " * 100, "m", "m"))
    conversations.edit("main", lambda now: now.with_turn(turn))
print(*conversations.take_notices())
"""


@pytest.mark.parametrize("notebooks", [("a", "b", "c", "d"), ("a",) * 4], ids=["four notebooks", "one notebook"])
def test_four_kernels_write_200_turns_each(tmp_path, notebooks):
    path = tmp_path / "kept.sqlite"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(path), f"/{notebook}.ipynb", str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number, notebook in enumerate(notebooks)
    ]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [p.communicate(timeout=120)[0].strip() for p in running] == [""] * 4
    database = Database(path)
    assert database.read("SELECT count(*) FROM turns") == [(800,)]
    places = "SELECT count(*), count(DISTINCT position), count(DISTINCT conversation) FROM places GROUP BY conversation"
    assert database.read(places) == [(800 // len(set(notebooks)), 800 // len(set(notebooks)), 1)] * len(set(notebooks))
    assert database.read("SELECT count(*) FROM media") == [(1,)]
    assert database.read("PRAGMA integrity_check") == [("ok",)]
    database.close()


def test_the_first_word_does_not_wait_for_another_kernel_that_writes(tmp_path):
    path = tmp_path / "kept.sqlite"
    session = ChatSession(conversations=Conversations(Database(path), Notebook("/a.ipynb")))
    session.access.start_sandbox()
    session.ask(Message.of("user", "one"))
    other = Database(path)
    writing = other.transaction()
    writing.__enter__()
    said: list[bool] = []

    def paint(replies) -> None:
        if replies[0].builder.text_pieces and not said:
            said.append(True)
            writing.__exit__(None, None, None)  # before, a write would have waited in vain, and been told

    outcome = session.ask(Message.of("user", "two"), paint=paint)
    assert said
    assert outcome.reply.notices == []
    assert other.read("SELECT count(*) FROM places") == [(2,)]
    session.close()
    other.close()
