"""A reply that is gone through while it comes, and that is left half-way: it ends, and what came is kept."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest
from servers import eventually

from xcyq_magic.api import Chat
from xcyq_magic.errors import StatusError
from xcyq_magic.session.session import ChatSession

SLOW = "sandbox: first 0\nsandbox: pace 50 10\nsandbox: markdown 2000"
FAST = "sandbox: first 0\nsandbox: pace 5000 20\nsandbox: echo\n"
BREAKS = "sandbox: first 0\nsandbox: pace 5000 20\nsandbox: error 100\nsandbox: markdown 1000"


@pytest.fixture
def session():
    session = ChatSession()
    session.access.start_sandbox()
    yield session
    session.close()


@pytest.fixture
def chat(session):
    return Chat(session=session)


def ended(chat) -> bool:
    """Whether no thread waits for a reply any more."""
    return not any(t.name == "xcyq stream" for t in threading.enumerate())


def test_all_deltas_make_the_reply(chat):
    stream = chat.stream(f"{FAST}{'word ' * 200}")
    text = "".join(delta.text for delta in stream)
    assert text == stream.completion.text == "word " * 199 + "word "
    assert chat.conversation.turns[0].completion == stream.completion


def test_reasoning_comes_apart(chat):
    deltas = list(chat.stream("sandbox: think 200\nsandbox: first 0\nsandbox: pace 5000 20"))
    assert len("".join(d.reasoning for d in deltas)) >= 200
    assert "".join(d.text for d in deltas) == chat.conversation.turns[0].completion.text


def test_the_completion_alone_waits_for_the_end(chat):
    assert chat.stream(f"{FAST}hello").completion.text == "hello"


def test_a_loop_that_breaks_stops_the_reply_and_what_came_is_kept(chat, session):
    for delta in chat.stream(SLOW):
        if delta.text:
            break
    assert eventually(lambda: ended(chat))
    (turn,) = chat.conversation.turns
    assert turn.completion.partial == "stopped"
    assert 0 < len(turn.completion.text) < 2000
    assert eventually(lambda: session.access.sandbox.received[0].ending == "closed by the client")
    assert chat(f"{FAST}next").text == "next"


@pytest.mark.parametrize("how", ["close", "with", "raise"])
def test_who_leaves_it_half_way_finds_it_ended(chat, how):
    with pytest.raises(ValueError, match="mine") if how == "raise" else chat.stream(f"{FAST}before"):
        with chat.stream(SLOW) as stream:
            next(stream)
            if how == "raise":
                msg = "mine"
                raise ValueError(msg)
            if how == "close":
                stream.close()
        assert ended(chat)
    assert chat.conversation.turns[-1].completion.partial == "stopped"
    assert eventually(lambda: ended(chat))


def test_one_that_is_never_read_ends_when_it_is_let_go(chat):
    stream = chat.stream(SLOW)
    del stream
    gc.collect()
    assert eventually(lambda: ended(chat))


def test_what_it_fails_of_is_raised_behind_what_came(chat):
    stream, came = chat.stream(BREAKS), []
    with pytest.raises(Exception, match="broke the reply off") as raised:
        came.extend(stream)
    assert "".join(d.text for d in came) == chat.conversation.turns[0].completion.text
    with pytest.raises(type(raised.value)):
        _ = stream.completion


def test_a_chat_whose_request_failed_goes_when_it_is_let_go(session):
    """Its session ends with it, and a thread: that must not wait for the garbage collector."""
    chat = Chat(session=session)
    gc.disable()
    try:
        with pytest.raises(StatusError):
            chat("sandbox: status 401")
        known = weakref.ref(chat)
        del chat
        assert eventually(lambda: known() is None)  # the loop lets go of the error a moment later
    finally:
        gc.enable()


def test_a_refusal_is_raised_at_the_first_step(chat):
    with pytest.raises(StatusError):
        next(chat.stream("sandbox: status 401"))
    assert chat.conversation.turns == ()


def test_two_streams_of_a_chat_follow_each_other(chat):
    first, second = chat.stream(f"{FAST}one"), chat.stream(f"{FAST}two")
    assert {first.completion.text, second.completion.text} == {"one", "two"}
    assert len(chat.conversation.turns) == 2


def test_a_reply_is_awaited_while_the_loop_goes_on(session):
    async def several() -> list[str]:
        replies = await asyncio.gather(*(Chat(session=session).ask(f"{FAST}{n}") for n in range(6)))
        return [reply.text for reply in replies]

    assert asyncio.run(several()) == ["0", "1", "2", "3", "4", "5"]


def test_async_for_goes_through_it(chat):
    async def read() -> str:
        return "".join([delta.text async for delta in chat.stream(f"{FAST}{'word ' * 50}")])

    assert asyncio.run(read()) == "word " * 49 + "word "


def test_a_task_that_is_cancelled_stops_the_reply(chat):
    async def read() -> None:
        task = asyncio.create_task(chat.ask(SLOW))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(read())
    assert eventually(lambda: ended(chat))
    assert chat.conversation.turns[0].completion.partial == "stopped"


def test_an_async_loop_that_breaks_stops_the_reply(chat):
    async def read() -> None:
        async with chat.stream(SLOW) as stream:
            async for delta in stream:
                if delta.text:
                    break
        assert ended(chat)

    asyncio.run(read())
    assert chat.conversation.turns[0].completion.partial == "stopped"


def test_a_refusal_is_raised_where_it_is_awaited(chat):
    with pytest.raises(StatusError):
        asyncio.run(chat.ask("sandbox: status 401"))


def test_outside_of_a_notebook_nothing_is_shown_and_nothing_sent(chat, session):
    with pytest.raises(Exception, match="needs a notebook or IPython"):
        chat.show("hello")
    assert session.access.sandbox.received == []
