"""Painters of a growing reply: ours and two to compare with. Runs in the kernels whose messages are counted.

What the others need is imported where it is used: a kernel has either our package or the peer's.
"""

from __future__ import annotations

import functools
import gc
import sys
import time
from typing import Any

from IPython import get_ipython
from texts import DELTA_CHARS, FRAME_CHARS, TEXTS, mixed

FRAME_S = 0.05  # of the reply's clock, not of ours
WARM_UP_CHARS = 30_000  # every kind of block, so that lexers and the like are loaded


class Ours:
    """The view that a cell has, with a live reply that grows."""

    def __init__(self) -> None:
        from xcyq_magic.display.views import ReplyView
        from xcyq_magic.session.live import LiveReply

        self.clock = _Clock()
        self.clock.rule()
        self.reply = LiveReply("openai/gpt-sample")
        self.view = ReplyView(get_ipython())
        self.view.paint([self.reply])

    def add(self, frame: str) -> None:
        """Let the deltas of one frame arrive."""
        from xcyq_magic.chat.completion import Delta
        from xcyq_magic.gateway.attempt import Deltas

        self.clock.now += FRAME_S
        deltas = (Delta(text=frame[at : at + DELTA_CHARS]) for at in range(0, len(frame), DELTA_CHARS))
        self.reply.receive(Deltas(tuple(deltas), self.clock.now))

    def paint(self) -> None:
        """Show what came."""
        self.view.paint([self.reply])

    def finish(self) -> None:
        """End the reply as a cell does."""
        from xcyq_magic.gateway.attempt import Ended

        self.reply.receive(Ended(None, self.clock.now))
        self.view.paint([self.reply])
        self.view.settle(_outcome(self.reply))
        self.view.close()
        self.clock.retire()


class Whole:
    """The same HTML in one widget, all of it for each frame; it ends like ours."""

    def __init__(self) -> None:
        import ipywidgets
        from IPython.display import display

        self.text = ""
        self.widget = ipywidgets.HTMLMath()
        display(self.widget, display_id="whole")

    def add(self, frame: str) -> None:
        """Let one frame arrive."""
        self.text += frame

    def paint(self) -> None:
        """Show all that came."""
        from xcyq_magic.display.markup import to_html
        from xcyq_magic.display.style import body

        self.widget.value = body(to_html(self.text))

    def finish(self) -> None:
        """Put the static output in its place."""
        from IPython.display import update_display

        from xcyq_magic.chat.completion import Delta
        from xcyq_magic.display.bundle import turn_bundle
        from xcyq_magic.gateway.attempt import Deltas, Ended
        from xcyq_magic.session.live import LiveReply

        reply = LiveReply("openai/gpt-sample")
        reply.receive(Deltas((Delta(text=self.text),), time.monotonic()))
        reply.receive(Ended(None, time.monotonic()))
        update_display(turn_bundle(_outcome(reply)), display_id="whole", raw=True)
        self.widget.close()


class Chatlas:
    """The display that `chatlas.Chat` has in a notebook: `IPython.display.Markdown`, all of it for each frame."""

    def __init__(self) -> None:
        self.context = _chat()._markdown_display(echo="text")
        self.display = self.context.__enter__()
        self.frames: list[str] = []

    def add(self, frame: str) -> None:
        """Let one frame arrive."""
        self.frames.append(frame)

    def paint(self) -> None:
        """Show all that came: the display repaints whatever is echoed."""
        self.display.echo("".join(self.frames))
        self.frames.clear()

    def finish(self) -> None:
        """What is shown stays as it is."""
        self.context.__exit__(None, None, None)


PAINTERS = {"ours": Ours, "whole": Whole, "chatlas": Chatlas}


@functools.cache  # it takes 0.1 s to build, which is no part of rendering
def _chat() -> Any:
    from chatlas import ChatOpenAI

    return ChatOpenAI(api_key="none")


class _Clock:
    """Stands for `time` in our modules: 20 frames a second, however fast they are painted.

    What is shown at times, such as the caption, comes as often as in life.
    """

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.modules = [
            module
            for name, module in list(sys.modules.items())
            if name.startswith(("xcyq_magic.display", "xcyq_magic.session.live")) and hasattr(module, "time")
        ]

    def __getattr__(self, name: str) -> Any:  # whatever `time` has
        return getattr(time, name)

    def monotonic(self) -> float:
        return self.now

    def rule(self) -> None:
        for module in self.modules:
            module.time = self

    def retire(self) -> None:
        for module in self.modules:
            module.time = time


def _outcome(reply: Any) -> Any:  # classes of a package that this kernel may not have
    from xcyq_magic.chat.conversation import Conversation, Turn
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.session.turn import Outcome

    turn = Turn(Message.of("user", "Go on."), reply.completion)
    return Outcome(reply, turn, Conversation(), None)


_open: list[Any] = []  # the painter between the two cells


def paint(painter: str, text: str, chars: int, every: int = 1) -> float:
    """Paint a reply frame by frame, or every `every`-th frame of it; returns the seconds of CPU.

    The painter stays open for `settle`, in another cell, so that the bytes of either are known.
    """
    whole = TEXTS[text](chars)
    frames = [whole[at : at + FRAME_CHARS] for at in range(0, chars, FRAME_CHARS)]
    gc.collect()  # of what came before
    started = _cpu_s()
    shown = PAINTERS[painter]()
    _open.append(shown)
    for number, frame in enumerate(frames):
        shown.add(frame)
        if number % every == every // 2:  # the middle one, so that a sample is neither too long nor too short
            shown.paint()
    return _cpu_s() - started


def settle() -> float:
    """End what `paint` left open; returns the seconds of CPU."""
    started = _cpu_s()
    _open.pop().finish()
    return _cpu_s() - started


def warm_up(painter: str) -> None:
    """Load what the first reply loads."""
    shown = PAINTERS[painter]()
    shown.add(mixed(WARM_UP_CHARS))
    shown.paint()
    shown.finish()


def _cpu_s() -> float:
    """This process's CPU time, in seconds, once the thread that sends has sent all."""
    sys.stdout.flush()
    return time.process_time()
