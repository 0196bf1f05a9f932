"""A client among threads: begun once, closed under way, and no turn lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from kernels import KEY

from xcyq_magic.api import Chat
from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import GatewayError
from xcyq_magic.session import ChatSession
from xcyq_magic.settings import GatewaySettings

FAST = "sandbox: pace 5000 50\nsandbox: first 0\n"


@pytest.fixture
def session(sandbox, monkeypatch):
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    opened = ChatSession(GatewaySettings(base_url=sandbox.base_url))
    yield opened
    opened.close()


def client_threads() -> int:
    return sum(t.name == "xcyq_magic client" for t in threading.enumerate())


def test_turns_of_many_threads_are_all_kept_over_one_client(session):
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: session.ask(Message.of("user", f"{FAST}{n}")), range(16)))
    assert [o.error for o in outcomes] == [None] * 16
    assert len(session.conversation().turns) == 16
    assert client_threads() == 1
    session.close()
    assert client_threads() == 0


def test_closing_under_way_ends_the_wait_of_whoever_asked(session, sandbox):
    ended = []
    thread = threading.Thread(target=lambda: ended.append(session.ask(Message.of("user", "sandbox: first 30"))))
    thread.start()
    while not sandbox.received:
        thread.join(0.01)
    session.close()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(ended[0].error, GatewayError)
    assert ended[0].turn is None


def test_a_chat_of_its_own_leaves_nothing_behind(sandbox, monkeypatch):
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    chat = Chat("gpt-5.5")
    assert chat(f"{FAST}Hello").text
    assert client_threads() == 1
    del chat
    assert client_threads() == 0
