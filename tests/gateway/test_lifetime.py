"""A client among threads: begun once, closed under way, and no turn lost."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from kernels import AT_ONCE, KEY
from servers import eventually

from xcyq_magic.api import Chat
from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import GatewayError
from xcyq_magic.gateway.attempt import Connection, Ended
from xcyq_magic.gateway.request import ChatRequest
from xcyq_magic.gateway.route import endpoint
from xcyq_magic.gateway.sandbox.server import Sandbox
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import GatewaySettings

if TYPE_CHECKING:
    from xcyq_magic.gateway.client import GatewayClient

FAST = "sandbox: pace 5000 50\nsandbox: first 0\n"
HELLO = ChatRequest("gpt-5.5", (Message.of("user", FAST),))


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
    assert eventually(lambda: client_threads() == 0)


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
    assert eventually(lambda: client_threads() == 0)


async def slowly(taken: list[None]) -> None:
    """Make the loop so slow that whoever waits for it never comes too late for its next step."""
    while True:
        taken.append(None)
        time.sleep(0.002)  # noqa: ASYNC251  # it is to be slow
        await asyncio.sleep(0)


@pytest.fixture
def unclosed():
    """Return what is still open that nothing holds any more."""

    def collected() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gc.collect()
        return [str(w.message) for w in caught]

    collected()
    return collected


def ask_and_close(client: GatewayClient, server: Sandbox, steps: int) -> list:
    """Close `client` so many steps of its loop after a request; returns what was heard of it."""
    heard, taken = [], []
    client.prepare(Connection(endpoint(server.base_url)))
    client._loop.submit(slowly(taken))
    assert eventually(lambda: taken)
    client.send(HELLO, server.key, Connection(endpoint(server.base_url)), heard.append)
    taken.clear()
    assert eventually(lambda: len(taken) > steps)
    client.close()
    return heard


def test_at_whatever_step_a_client_is_closed_it_leaves_no_connection_open(sandbox, client, unclosed):
    for steps in 2 * [*range(8)]:
        assert isinstance(ask_and_close(client, sandbox, steps)[-1], Ended)
    assert unclosed() == []


def test_nor_while_it_gives_up_those_that_a_server_has_closed(sandbox, client, unclosed):
    for steps in range(8):
        heard = []
        other = Sandbox(key=KEY, plan=AT_ONCE)
        for _ in range(12):
            client.send(HELLO, other.key, Connection(endpoint(other.base_url)), heard.append)
        assert eventually(lambda heard=heard: sum(isinstance(h, Ended) for h in heard) == 12)
        time.sleep(0.05)  # their bodies are read to the end
        other.close()
        assert isinstance(ask_and_close(client, sandbox, steps)[-1], Ended)
    assert unclosed() == []
