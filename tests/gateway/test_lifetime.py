"""A client among threads: begun once, closed under way, and no turn lost."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from kernels import KEY
from servers import eventually

from xcyq_magic.api import Chat
from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import GatewayError
from xcyq_magic.gateway.arrivals import Ended
from xcyq_magic.gateway.attempt import Connection
from xcyq_magic.gateway.request import ChatRequest
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


def test_at_whatever_step_a_client_is_closed_it_leaves_no_connection_open(sandbox, client):
    taken = []

    async def slowly():
        """So slow a loop that whoever waits for it never comes too late for its next step."""
        while True:
            taken.append(None)
            time.sleep(0.002)  # noqa: ASYNC251  # it is to be slow
            await asyncio.sleep(0)

    request = ChatRequest("gpt-5.5", (Message.of("user", FAST),))
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for steps in 2 * [*range(8)]:
            taken.clear()
            heard = []
            client.send(request, sandbox.key, Connection(f"{sandbox.base_url}/v1/chat/completions"), heard.append)
            client._loop.submit(slowly())
            assert eventually(lambda least=steps: len(taken) > least)
            client.close()
            assert isinstance(heard[-1], Ended)
        gc.collect()
    assert [str(w.message) for w in caught] == []
