"""What a reply in the background does before its cell has opened its view."""

from __future__ import annotations

import threading

from xcyq_magic.magics.background import Background
from xcyq_magic.session.live import LiveReply
from xcyq_magic.session.turn import Outcome


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
    background.start(ask, View(), lambda _: done.append(("settled", ended.is_set())))
    background.close()
    assert done == [("painted", False), ("settled", True), ("closed", True)]
