"""What a reply in the background does before its cell has opened its view."""

from __future__ import annotations

import signal
import threading

import pytest
from servers import eventually

from xcyq_magic.chat.messages import Message
from xcyq_magic.magics.background import Background
from xcyq_magic.magics.base import settle
from xcyq_magic.magics.context import Context
from xcyq_magic.session.live import LiveReply
from xcyq_magic.session.turn import Outcome


def test_an_interrupt_while_the_thread_begins_ends_it(monkeypatch):
    class View:
        closed = threading.Event()

        def close(self) -> None:
            self.closed.set()

    def ask(paint) -> Outcome:
        paint([LiveReply("claude-sonnet-4-6")])  # before anything is sent
        raise AssertionError

    def interrupted(thread, start=threading.Thread.start) -> None:
        start(thread)
        raise KeyboardInterrupt  # as a user's, which comes while `start` waits for the thread

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    background, view = Background(), View()
    with pytest.raises(KeyboardInterrupt):
        background.start(ask, view, lambda _: (None, True))
    assert view.closed.wait(10)
    background.close()


def test_a_reply_does_not_end_before_its_view_is_open():
    ended, done = threading.Event(), []

    class View:
        def paint(self, replies) -> None:
            done.append(("painted", ended.wait(0.2)))

        def close(self) -> None:
            done.append(("closed", ended.is_set()))

    def ask(paint) -> Outcome:
        reply = LiveReply("claude-sonnet-4-6")
        paint([reply])
        ended.set()
        return Outcome(reply, None, None, None)

    background = Background()
    background.start(ask, View(), lambda _: (done.append(("settled", ended.is_set())), True))
    background.close()
    assert done == [("painted", False), ("settled", True), ("closed", True)]


class Seen:
    """A view that notes what it is told, and may fail."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.done: list[str] = []
        self.error = error

    def paint(self, replies) -> None:
        self.done.append("painted")
        if self.error:
            raise self.error

    def close(self) -> None:
        self.done.append("closed")


def exchange(sent: list[str], may_paint: threading.Event):
    """As a session asks: it makes the request ready, shows the view, and sends."""

    def ask(paint) -> Outcome:
        may_paint.wait(10)
        reply = LiveReply("claude-sonnet-4-6")
        paint([reply])
        sent.append("sent")
        return Outcome(reply, None, None, None)

    return ask


@pytest.mark.parametrize("ready_s", [0, 0.1])
def test_an_interrupt_of_the_cell_before_its_view_is_open_prevents_the_request(ready_s):
    view, sent, ready = Seen(), [], threading.Event()
    background = Background()

    def interrupt() -> None:
        signal.raise_signal(signal.SIGINT)
        threading.Timer(ready_s, ready.set).start()

    threading.Timer(0.1, interrupt).start()
    with pytest.raises(KeyboardInterrupt) as raised:
        background.start(exchange(sent, ready), view, lambda _: (view.done.append("settled"), True))
    assert "nothing was sent" in "".join(raised.value._render_traceback_())
    ready.set()
    background.close()
    assert (view.done, sent) == (["closed"], [])


@pytest.mark.parametrize("error", [UnicodeEncodeError("ascii", "é", 0, 1, "no"), OSError(28, "full"), ValueError("x")])
def test_a_view_that_cannot_be_opened_prevents_the_request(error):
    view, sent, ready = Seen(error), [], threading.Event()
    ready.set()
    background = Background()
    with pytest.raises(type(error)) as raised:
        background.start(exchange(sent, ready), view, lambda _: (view.done.append("settled"), True))
    (line,) = raised.value._render_traceback_()
    assert "nothing was sent" in line
    background.close()
    assert (view.done, sent) == (["painted", "closed"], [])


def test_what_an_output_raises_at_the_end_is_said_in_a_line(capsys):
    view, sent, ready = Seen(), [], threading.Event()
    ready.set()
    background = Background()
    background.start(exchange(sent, ready), view, lambda _: (OSError(28, "full"), False))
    background.close()
    assert (view.done, sent) == (["painted", "closed"], ["sent"])
    assert capsys.readouterr().err == "OSError: [Errno 28] full\n"


@pytest.mark.parametrize("settles", [True, False])
def test_a_view_that_fails_is_said_once_whether_its_output_settles_or_not(shell, capsys, settles):
    session, shown = Context.of(shell).session, []

    class Failing(Seen):
        def paint(self, replies) -> None:
            super().paint(replies)
            if len(self.done) > 1:
                raise OSError(28, "full")

        def settle(self, outcome: Outcome) -> None:
            if not settles:
                raise OSError(28, "full")
            shown.extend(outcome.reply.notices)

    view, background = Failing(), Background()

    def finish(outcome: Outcome):
        return settle(lambda: view.settle(outcome), outcome.error, "what came is in _reply")

    background.start(lambda paint: session.ask(Message.of("user", "Hi"), paint=paint), view, finish)
    assert eventually(lambda: "closed" in view.done)
    background.close()
    line = "OSError: [Errno 28] full"
    assert [n for n in shown if "full" in n] == [line] * settles
    assert capsys.readouterr().err == f"{line}\n" * (not settles)
