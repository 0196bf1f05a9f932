"""The ledger in the store: what each file has of it, whatever changes meanwhile, and what older files kept."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from said import notebook_at, turn

from xcyq_magic.chat.completion import Usage
from xcyq_magic.chat.conversation import Conversation
from xcyq_magic.chat.usage import BY, LedgerEntry, Price, UsageReport
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.store.database import Database
from xcyq_magic.store.schema import MIGRATIONS

NOTEBOOK, OTHER = "/notebooks/analysis.ipynb", "/notebooks/other.ipynb"
# The tables of the version that had no ledger.
BEFORE = MIGRATIONS[: next(n for n, (first, *_) in enumerate(MIGRATIONS) if "CREATE TABLE requests" in first)]
PRICE = {"m": Price(1e6, 1e6)}.get


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kept.sqlite"


@pytest.fixture
def kernel(path):
    opened = []

    def begin(notebook: str | None = NOTEBOOK, migrations=MIGRATIONS, store=path) -> Conversations:
        opened.append(Conversations(Database(store, migrations), notebook_at(notebook) if notebook else None))
        return opened[-1]

    yield begin
    for each in opened:
        each.close()


def sent(conversations: Conversations, asked_at: float = 0.0, **known) -> LedgerEntry:
    """Begin an entry."""
    moment = asked_at or time.time()
    where = conversations.books.kernel, conversations.path
    entry = LedgerEntry(secrets.token_hex(8), moment, *where, "turn", "m", "m", **known)
    conversations.books.enter(entry)
    return entry


def asked(conversations: Conversations, tokens: int = 1, **known) -> LedgerEntry:
    """Begin an entry, and end it."""
    entry = sent(conversations, **known)._replace(prompt_tokens=tokens, completion_tokens=0, ended="done")
    conversations.record((), [entry])
    return entry


def tokens(conversations: Conversations, *, everything: bool = False) -> list[int]:
    return sorted(e.prompt_tokens for e in conversations.books.entries(everything=everything).answered)


def test_a_notebook_sees_its_own_and_all_on_request_also_after_a_restart(kernel):
    asked(kernel(), 1)
    asked(kernel(OTHER), 2)
    asked(kernel(None), 4)
    again = kernel()
    assert tokens(again) == [1]
    assert tokens(again, everything=True) == [1, 2, 4]
    assert tokens(kernel(None)) == []  # without a notebook, a kernel sees its own alone


def test_what_no_part_of_an_answer_came_to_is_no_entry(kernel, path):
    conversations = kernel()
    entry = sent(conversations)
    assert Database(path).read("SELECT count(*) FROM requests") == [(1,)]
    conversations.record((), [entry._replace(ended="")])
    assert Database(path).read("SELECT count(*) FROM requests") == [(0,)]
    assert conversations.books.entries() == ([], 0)


def test_an_entry_is_read_as_it_was_written(kernel):
    conversations = kernel()
    entry = LedgerEntry("1", 1.5, "k", f"{NOTEBOOK}", "row", "m", "n", 10, 20, 3, 4, 0.25, 0.5, 0.125, 2.0, "stopped")
    conversations.record((), [entry])
    assert kernel().books.entries(everything=True).answered == [entry]


# What was asked while nothing was kept


def test_what_was_asked_while_nothing_was_kept_is_seen_and_in_no_file(kernel, path, tmp_path):
    conversations = kernel()
    asked(conversations, 1)
    conversations.use(Database(None))
    asked(conversations, 2)
    under_way = sent(conversations)
    assert tokens(conversations) == [1, 2]
    conversations.use(Database(path))
    conversations.record((), [under_way._replace(prompt_tokens=4, ended="done")])
    asked(conversations, 8)
    assert tokens(conversations) == [1, 2, 4, 8]
    conversations.use(Database(tmp_path / "another.sqlite"))
    assert tokens(conversations) == [1, 2, 4, 8]
    for file in (path, tmp_path / "another.sqlite"):
        assert Database(file).read("SELECT prompt_tokens FROM requests ORDER BY 1") == [(1,), (8,)]
    assert tokens(kernel()) == [1, 8]


def test_what_ends_after_the_store_changed_is_where_it_is_kept_now(kernel, path, tmp_path):
    conversations = kernel()
    entry = sent(conversations)
    conversations.use(Database(tmp_path / "another.sqlite"))
    conversations.record((), [entry._replace(prompt_tokens=1, ended="done")])
    assert Database(path).read("SELECT count(*) FROM requests") == [(0,)]
    assert tokens(conversations) == [1]
    assert kernel().books.entries(everything=True).unknown == 0


def test_a_day_costs_the_same_when_the_store_changes(kernel, tmp_path):
    conversations = kernel()
    asked(conversations, 2)  # at the price of now: it had none then
    asked(conversations, 1, cost=3.0, estimate=9.0)
    sent(conversations, estimate=4.0)  # on its way
    asked(conversations, 1, cost=100.0, asked_at=1.0)  # long ago
    for store in (None, tmp_path / "another.sqlite", None):
        assert conversations.books.spent_since(1000.0, PRICE) == pytest.approx(9.0)
        conversations.use(Database(store))


# What fails


def test_what_could_not_be_written_is_seen_and_written_later(kernel, path):
    conversations = kernel()
    asked(conversations, 1)
    conversations._sync.database.close()
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    asked(conversations, 2)
    assert tokens(conversations) == [2]
    assert conversations.books.spent_since(1000.0, PRICE) == 2.0
    path.rmdir()
    path.with_suffix(".away").rename(path)
    assert tokens(conversations) == [1, 2]
    assert tokens(kernel()) == [1, 2]


def test_a_request_does_not_wait_for_another_kernel_that_writes(kernel, path):
    conversations, other = kernel(), Database(path)
    asked(conversations, 1)
    begun, done = threading.Event(), threading.Event()

    def write() -> None:
        with other.transaction():
            begun.set()
            done.wait(2)

    writing = threading.Thread(target=write)
    writing.start()
    begun.wait()
    entry = sent(conversations)
    assert conversations._sync.ledger.behind  # it would be written by now, had it waited
    threading.Timer(0.2, done.set).start()
    conversations.record((), [entry._replace(prompt_tokens=2, ended="done")])  # with its end, one waits
    writing.join()
    assert conversations.take_notices() == []
    assert tokens(kernel()) == [1, 2]
    other.close()


# What was on its way

KERNEL = """
import os, signal, sys
from pathlib import Path
from said import notebook_at
from test_ledger import sent
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.store.database import Database
conversations = Conversations(Database(Path(sys.argv[1])), notebook_at(sys.argv[2]))
sent(conversations)
sent(conversations)
print("on their way", flush=True)
sys.stdin.read()
"""


def test_what_was_on_its_way_when_its_kernel_was_killed_is_unknown(kernel, path):
    here = [sys.path[0], str(Path(__file__).parent)]
    env = {**os.environ, "PYTHONPATH": ":".join([*here, *filter(None, sys.path)])}
    command = [sys.executable, "-c", KERNEL, str(path), NOTEBOOK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as other:
        assert other.stdout.readline() == "on their way\n"
        conversations = kernel()
        sent(conversations)  # by another session of this process: that goes on
        assert kernel().books.entries() == ([], 0)
        other.kill()
    assert conversations.books.entries() == ([], 2)
    assert kernel(OTHER).books.entries() == ([], 0)
    assert kernel(OTHER).books.entries(everything=True).unknown == 2


# What older versions kept


def test_what_an_older_version_kept_counts_once(kernel, path):
    old = kernel(migrations=BEFORE)
    turns = [turn(f"{n}", n + 1.0) for n in range(4)]
    usage = Usage(10, 2, 12, 3, 1)
    turns = [
        replace(t, completion=replace(t.completion, usage=usage, first_token_s=0.5, duration_s=1.0 + n))
        for n, t in enumerate(turns)
    ]
    again, once_more = (replace(turns[0], id=i, asked_at=9.0) for i in ("0", "z"))  # taken from the store, or a file
    cached = replace(turns[1], id="cached", completion=replace(turns[1].completion, cached=True, duration_s=7.0))
    imported = replace(turns[1], id="no model", completion=replace(turns[1].completion, requested_model="", model=""))
    old.edit(None, lambda now: replace(now, turns=(again, *turns, once_more, cached, imported)))
    old.take_back(None, lambda now: replace(now, turns=turns[1:]))
    old.begin(Conversation("fork", turns=old.get().turns[:2]))
    old.close()
    now = kernel()
    found = now.books.entries(everything=True).answered
    assert sorted(e.asked_at for e in found) == [1.0, 2.0, 3.0, 4.0]
    assert {e[3:7] for e in found} == {(None, "earlier", "m", "m"), (NOTEBOOK, "turn", "m", "m")}
    assert {e[7:11] for e in found} == {(10, 2, 3, 1)}
    assert {(e.first_token_s, e.ended, e.cost) for e in found} == {(0.5, "done", None)}
    assert len(now.books.entries().answered) == 3
    now.close()
    assert len(kernel().books.entries(everything=True).answered) == 4


ODD = ["NaN", "-1", "9" * 5000, "1e999", '"x"', "[[1]]", "[" * 5000 + "]" * 5000, '"\\ud800"', "{", "null", "true"]


@pytest.mark.parametrize("odd", ODD, ids=lambda o: o[:8])
def test_whatever_an_older_file_holds_it_is_brought_up_and_reported(kernel, path, odd):
    old = kernel(migrations=BEFORE)
    old.edit(None, lambda now: replace(now, turns=(turn("a"), turn("b"))))
    old.close()
    fields = ["prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"]
    record = {**turn("a").completion.to_dict(), "usage": dict.fromkeys(fields, "ODD"), "model": "ODD"}
    record |= dict.fromkeys(["first_token_s", "duration_s", "partial"], "ODD")
    with closing(sqlite3.connect(path)) as connection, connection:
        text = json.dumps(record).replace('"ODD"', odd)
        connection.execute("UPDATE turns SET completion = ? WHERE prompt LIKE '%\"a\"%'", (text,))
        connection.execute("UPDATE turns SET asked_at = 9e999 WHERE prompt LIKE '%\"b\"%'")
    conversations = kernel()
    entries = conversations.books.entries(everything=True).answered
    assert conversations.take_notices() == []
    assert 1 <= len(entries) <= 2
    for by in BY:
        UsageReport.of_entries("all", entries, PRICE, by=by)
