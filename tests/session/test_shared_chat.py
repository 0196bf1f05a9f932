"""A `Chat` that threads share, that is copied and pickled, and that a forked child takes over."""

from __future__ import annotations

import copy
import gc
import json
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from forking import in_fork
from kernels import KEY
from servers import DONE, Answer, RawServer, chunked, delta, eventually

from xcyq_magic import errors
from xcyq_magic.api import Chat
from xcyq_magic.chat.messages import Message
from xcyq_magic.gateway.attempt import Connection
from xcyq_magic.gateway.client import GatewayClient
from xcyq_magic.gateway.request import ChatRequest
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

FAST = "sandbox: first 0\nsandbox: pace 5000 50\n"
ECHO = FAST + "sandbox: echo\n"
SECRET = "sk-5ecret-0123456789"  # noqa: S105  # none
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")


@pytest.fixture
def session(sandbox, tmp_path):
    """A session of its own, whose gateway is the test's sandbox, and whose conversations are in a file."""
    opened = ChatSession(GatewaySettings(base_url=sandbox.base_url), ChatSettings(store=str(tmp_path / "kept.sqlite")))
    opened.access.enter_key(KEY)
    yield opened
    opened.close()


@pytest.fixture
def server(monkeypatch):
    """A server that answers everything, for processes of their own."""
    monkeypatch.setenv("XCYQ_API_KEY", SECRET)
    opened = RawServer([Answer(chunked(delta("Yes.", "stop"), DONE))])
    yield opened
    opened.close()


def prompts(chat: Chat) -> list[str]:
    return [t.prompt.text.removeprefix(ECHO) for t in chat.conversation.turns]


def our_threads() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith(("xcyq", "asyncio"))}


# Threads


@pytest.mark.parametrize("name", [None, "review"])
def test_turns_of_threads_are_all_kept_one_reply_at_a_time(session, sandbox, name):
    chat = Chat(session=session, conversation=name)
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda word: chat(ECHO + word), "abcd"))
    assert [r.text for r in replies] == list("abcd")
    assert sorted(prompts(chat)) == list("abcd")
    assert sorted(len(r.body["messages"]) for r in sandbox.received) == [1, 3, 5, 7]


def test_chats_of_one_name_share_one_conversation_also_from_threads(session, sandbox):
    chats = [Chat(session=session, conversation="review") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda chat: chat(ECHO + "x"), chats))
    assert sorted(len(r.body["messages"]) for r in sandbox.received) == [1, 3, 5, 7]
    assert len(chats[0].conversation.turns) == 4


def test_what_is_asked_once_waits_for_nobody(session, sandbox):
    chat = Chat(session=session)
    waiting = ThreadPoolExecutor(1)
    slow = waiting.submit(chat, "sandbox: first 0\nsandbox: markdown 400\nsandbox: stall 40")
    assert eventually(lambda: sandbox.received and sandbox.received[0].chars_sent)
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda word: chat(ECHO + word, once=True), "abcd"))
    assert [r.text for r in replies] == list("abcd")
    assert not slow.done()
    assert chat.conversation.turns == ()
    session.close()
    assert isinstance(slow.exception(5), errors.GatewayError)
    waiting.shutdown()


def test_undo_while_a_reply_comes_takes_back_what_stands_and_the_reply_is_kept(session, sandbox):
    chat = Chat(session=session)
    chat(ECHO + "one")
    thread = threading.Thread(target=chat, args=("sandbox: first 0.3\nsandbox: echo\ntwo",))
    thread.start()
    assert eventually(lambda: len(sandbox.received) == 2)
    chat.undo()
    assert prompts(chat) == []
    thread.join()
    assert len(chat.conversation.turns) == 1


def test_a_chats_own_conversation_is_in_no_list_and_its_turns_are_counted(session):
    chat = Chat(session=session)
    chat(ECHO + "one")
    chat(ECHO + "two")
    chat.undo()
    assert session.conversations.names == ["main"]
    assert session.conversations.summaries() == []
    assert len(session.conversations.books.entries().answered) == 2


@pytest.mark.parametrize("name", [None, "review"])
def test_a_session_that_threads_use_first_at_once_is_one_session(sandbox, monkeypatch, name):
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    before = our_threads()
    chats, start = [Chat(conversation=name)], threading.Barrier(8)

    def ask(word: str) -> str:
        start.wait()
        return chats[0](ECHO + word, once=word in "aceg").text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, "abcdefgh")) == list("abcdefgh")
    assert len(chats[0].conversation.turns) == 4
    assert [t.name for t in threading.enumerate()].count("xcyq_magic client") == 1
    chats.clear()
    assert our_threads() == before


def test_threads_that_start_the_sandbox_at_once_start_one():
    session, start = ChatSession(), threading.Barrier(8)

    def begin(_: int) -> int:
        start.wait()
        return session.access.start_sandbox().port

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(begin, range(8)))) == 1
    session.close()
    assert our_threads() == set()


def test_a_closed_session_refuses_and_starts_no_thread(session, sandbox):
    chat, named = Chat(session=session), Chat(session=session, conversation="review")
    chat(ECHO + "one")
    session.close()
    for ask in (chat, named, lambda p: session.ask(Message.of("user", p))):
        with pytest.raises(errors.InputError, match=r"closed.*nothing was sent") as raised:
            ask("two")
        assert "%load_ext" in raised.value.hint
    assert our_threads() == {"xcyq_magic sandbox"}  # the test's
    assert prompts(chat) == ["one"]
    assert len(sandbox.received) == 1


def test_a_session_that_was_offline_asks_for_no_key_when_it_is_closed():
    session = ChatSession()
    session.access.start_sandbox()
    session.close()
    with pytest.raises(errors.InputError, match="was closed"):
        session.ask(Message.of("user", "one"))


def test_a_client_that_is_closed_for_good_begins_no_thread(sandbox):
    client, request = GatewayClient(), ChatRequest("gpt-5.5", (Message.of("user", ECHO),))
    client.close(for_good=True)
    with pytest.raises(errors.InputError, match="was closed"):
        client.send(request, sandbox.key, Connection(f"{sandbox.base_url}/v1/chat/completions"), lambda _: None)
    assert our_threads() == {"xcyq_magic sandbox"}


def test_whoever_waits_for_a_reply_when_the_session_is_closed_sends_nothing(session, sandbox):
    chat, raised = Chat(session=session), []

    def ask() -> None:
        try:
            chat("sandbox: first 30")
        except errors.XcyqError as e:
            raised.append(type(e))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(sandbox.received) == 1)
    session.close()
    for thread in threads:
        thread.join(5)
    assert sorted(raised, key=str) == [errors.GatewayError, errors.InputError, errors.InputError]
    assert len(sandbox.received) == 1
    assert our_threads() == {"xcyq_magic sandbox"}


# Copies, and other processes


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_goes_on_with_a_conversation_of_its_own(session, sandbox, copied):
    chat = Chat("gpt-5.5", session=session, system="Be brief.", temperature=0.5, seed=7)
    chat(ECHO + "one")
    twin = copied(chat)
    twin(ECHO + "two")
    chat(ECHO + "three")
    assert (prompts(chat), prompts(twin)) == (["one", "three"], ["one", "two"])
    body = sandbox.received[1].body
    assert (body["model"], body["temperature"], body["seed"], len(body["messages"])) == ("gpt-5.5", 0.5, 7, 4)
    chat.undo(2)
    assert prompts(twin) == ["one", "two"]


def test_a_copy_of_a_chat_with_a_name_takes_part_in_the_same_conversation(session):
    chat = Chat(session=session, conversation="review")
    chat(ECHO + "one")
    twin = copy.deepcopy(chat)
    session.reset("review")
    twin(ECHO + "two")
    assert prompts(chat) == prompts(twin) == ["two"]


def test_a_chat_whose_session_is_closed_can_be_copied():
    session = ChatSession()
    chat = Chat(session=session, conversation="review")
    session.close()
    with pytest.raises(errors.InputError):
        copy.copy(chat)("one")


def test_a_copy_keeps_the_session_that_the_first_one_made(server, monkeypatch):
    monkeypatch.setenv("XCYQ_BASE_URL", server.base_url)
    chat = Chat()
    chat("one")
    twin = copy.deepcopy(chat)
    del chat
    twin("two")
    assert server.connections == 1
    del twin
    assert our_threads() == set()


def test_a_pickled_chat_has_its_turns_and_settings_and_not_the_key(sandbox, monkeypatch):
    session = ChatSession(GatewaySettings(base_url=sandbox.base_url, read_timeout=7), ChatSettings(system="Be brief."))
    session.access.enter_key(KEY)
    chat = Chat("gpt-5.5", session=session, top_p=0.5)
    chat(ECHO + "one")
    pickled = pickle.dumps(chat)
    session.close()
    assert KEY.encode() not in pickled
    there = pickle.loads(pickled)  # noqa: S301  # our own
    assert there.conversation == chat.conversation
    with pytest.raises(errors.AuthenticationError):
        there("two")
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    there(ECHO + "two")
    body = sandbox.received[-1].body
    assert [m["content"].removeprefix(ECHO) for m in body["messages"]] == ["Be brief.", "one", "one", "two"]
    assert (body["model"], body["top_p"]) == ("gpt-5.5", 0.5)
    assert prompts(chat) == ["one"]
    again = pickle.loads(pickle.dumps(pickle.loads(pickled)))  # noqa: S301  # handed on unused
    again(ECHO + "three")
    assert len(sandbox.received[-1].body["messages"]) == 4
    del there, again
    gc.collect()  # the error and its frames hold each other, and a frame holds the chat
    assert our_threads() == {"xcyq_magic sandbox"}


def test_a_pickled_chat_that_was_offline_stays_offline(server, monkeypatch):
    monkeypatch.setenv("XCYQ_BASE_URL", server.base_url)
    session = ChatSession()
    session.access.start_sandbox()
    chat = Chat(session=session)
    chat(ECHO + "one")
    there = pickle.loads(pickle.dumps(chat))  # noqa: S301  # our own
    assert there(ECHO + "two").text == "two"
    assert server.requests == []
    assert len(session.access.sandbox.received) == 1
    session.close()
    del there
    assert our_threads() == set()


def test_a_pickled_chat_with_a_name_brings_its_turns_where_the_name_is_not_known(session, sandbox, monkeypatch):
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    session.chat.store = ":memory:"
    chat = Chat(session=session, conversation="review")
    chat(ECHO + "one")
    there = pickle.loads(pickle.dumps(chat))  # noqa: S301  # our own
    there(ECHO + "two")
    assert len(sandbox.received[-1].body["messages"]) == 3
    assert (prompts(chat), prompts(there)) == (["one"], ["one", "two"])
    there._source.get().reset("review")
    there(ECHO + "three")
    assert prompts(there) == ["three"]


# Forks


@forks
@pytest.mark.parametrize("name", [None, "review"])
def test_a_forked_child_goes_on_with_the_chat(session, sandbox, name):
    chat = Chat(session=session, conversation=name)
    chat(ECHO + "one")
    chat(ECHO + "two")
    threads = our_threads()

    def work() -> tuple[str, list[str], set[str]]:
        return chat(ECHO + "child").text, prompts(chat), our_threads()

    assert in_fork(work) == ("child", ["one", "two", "child"], {"xcyq_magic client"})
    assert len(sandbox.received[-1].body["messages"]) == 5
    assert chat(ECHO + "parent").text == "parent"
    assert (prompts(chat), our_threads()) == (["one", "two", "parent"], threads)


@forks
def test_a_child_forked_in_the_middle_of_a_reply_has_no_lock_of_its_parent(session, sandbox):
    chat = Chat(session=session)
    slow = threading.Thread(target=chat, args=("sandbox: first 1\nsandbox: echo\nslow",))
    slow.start()
    assert eventually(lambda: sandbox.received)
    ours = (session.conversations._lock, session.conversations._sync._lock, session.access._lock)
    with ours[0].get(), ours[1].get(), ours[2].get():
        held = threading.Event()

        def hold() -> None:
            with session._client._lock, chat._source._lock.get():
                held.set()
                done.wait()

        done, holder = threading.Event(), threading.Thread(target=hold)
        holder.start()
        held.wait()
        try:
            assert in_fork(lambda: chat(ECHO + "child").text) == "child"
        finally:
            done.set()
            holder.join()
    slow.join()
    assert len(chat.conversation.turns) == 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="shows no open files")
def test_a_fork_carries_no_open_file_of_the_store_over(session):
    chat = Chat(session=session, conversation="review")
    chat(ECHO + "one")
    path = str(session.conversations._sync.database.path)

    def open_files() -> list[str]:
        links = [link for n in Path("/proc/self/fd").iterdir() if (link := _target(n)).startswith(path)]
        return [link for link in links if not link.endswith("-kernels")]  # whose locks a child does not inherit

    assert open_files()
    assert in_fork(open_files) == []
    in_fork(lambda: chat(ECHO + "child") and None)
    chat(ECHO + "two")
    assert open_files()
    session.conversations._sync.database.close()
    other = ChatSession(session.gateway, session.chat)
    assert len(other.conversations.books.entries(everything=True).answered) == 3
    other.close()


def _target(number: Path) -> str:
    try:
        return str(number.readlink())
    except OSError:  # the folder's own, closed since
        return ""


@forks
def test_forks_of_threads_while_others_write_do_not_hang(session):
    database = session.conversations._sync.database
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with database.transaction() as execute:
                execute("SELECT 1 FROM turns")

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        with ThreadPoolExecutor(3) as pool:
            found = pool.map(lambda _: in_fork(lambda: database.read("SELECT 7")[0][0]), range(6))
            assert list(found) == [7] * 6
    finally:
        stop.set()
        for writer in writers:
            writer.join()


@forks
def test_a_child_leaves_its_parents_sandbox_running():
    session = ChatSession()
    session.access.start_sandbox()
    chat = Chat(session=session)
    chat(ECHO + "one")

    def work() -> str:
        said = chat(ECHO + "child").text
        session.close()
        return said

    assert in_fork(work) == "child"
    assert chat(ECHO + "two").text == "two"
    assert len(session.access.sandbox.received) == 3
    session.close()
    assert our_threads() == set()


SCRIPT = """
import json, multiprocessing, os, sys, warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
from xcyq_magic import Chat

if __name__ == "__main__":
    chat = Chat("gpt-5.5", system="Be brief.")
    chat("one")
    told = {}
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            told[method] = [reply.text for reply in pool.map(chat, ["two", "three"])]
            pool.close()
            pool.join()
    child = os.fork()
    if child == 0:
        chat("child")
        sys.exit(0)  # through the interpreter's own end
    told["exit"] = os.waitpid(child, 0)[1]
    told["turns"] = len(chat.conversation.turns)
    print(json.dumps(told))
"""


@forks
def test_pools_of_processes_work_and_end_and_so_does_a_child_that_exits(server, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "XCYQ_BASE_URL": server.base_url, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", script],
        capture_output=True, text=True, timeout=60, check=False, env=environment,
    )  # fmt: skip
    assert done.stderr == ""
    assert json.loads(done.stdout) == {"fork": ["Yes."] * 2, "spawn": ["Yes."] * 2, "exit": 0, "turns": 1}
    assert sorted(len(r.json["messages"]) for r in server.requests) == [2, 4, 4, 4, 4, 4]
