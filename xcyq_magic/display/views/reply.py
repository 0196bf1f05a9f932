"""The live view of one reply."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display, update_display

from xcyq_magic.display.attachments import attachments
from xcyq_magic.display.bundle import turn_bundle
from xcyq_magic.display.caption import live_caption
from xcyq_magic.display.streaming import Frame, StreamingMarkdown
from xcyq_magic.display.style import (
    LIVE_PART,
    LIVE_STYLE,
    SEGMENTS,
    STOP,
    STYLE,
    TAILS,
    TURNS,
    folded,
    quiet,
    reply_body,
    thinking,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.live import LiveReply
    from xcyq_magic.turn import Outcome

_CLOCK_S = 0.5  # the caption alone needs no 20 frames a second
_BOX_SEGMENTS = 6  # in one box, before the next box begins


class ReplyView:
    """One reply in a cell's output: live, then settled.

    Parameters
    ----------
    shell
        The IPython shell, to know whether a click can reach the kernel while the cell runs.
    label
        A word for the caption, such as ``sandbox``.
    background
        Whether the kernel is free while the reply comes, so that clicks arrive.
    """

    def __init__(self, shell: Any, label: str = "", *, background: bool = False) -> None:  # noqa: ANN401  # its class is ipykernel's
        self._kernel = getattr(shell, "kernel", None)
        self._label = label
        self._background = background
        self._display_id: str | None = None
        self._widgets: _ReplyWidgets | None = None
        self._streaming = StreamingMarkdown()
        self._shown = 0
        self._captioned = 0.0

    def paint(self, replies: Sequence[LiveReply]) -> None:
        """Show what came since the last frame; the first call opens the view."""
        reply = replies[0]
        if self._widgets is None:
            self._widgets = _ReplyWidgets(reply)
            display_id = uuid.uuid4().hex
            display(self._widgets.box, display_id=display_id)
            self._display_id = display_id
        pieces = reply.builder.text_pieces[self._shown :]
        if pieces and not self._shown:
            self._widgets.thoughts(folded("Reasoning", "".join(reply.builder.reasoning_pieces)))
        self._shown += len(pieces)
        self._widgets.show(self._streaming.feed("".join(pieces)) if pieces else self._streaming.refresh())
        now = time.monotonic()
        if now - self._captioned >= _CLOCK_S:
            self._captioned = now
            self._caption(self._widgets, reply)

    def _caption(self, shown: _ReplyWidgets, reply: LiveReply) -> None:
        clickable = self._background or clicks_arrive(self._kernel)
        way_out = "" if clickable else "■ interrupts"
        shown.caption(" · ".join(p for p in (live_caption(reply, self._label), way_out) if p), clickable=clickable)
        shown.notices(reply.notices)
        if reply.builder.reasoning_pieces and not reply.builder.text_pieces:
            shown.thoughts(thinking(reply.builder.reasoning_pieces))

    def settle(self, outcome: Outcome) -> None:
        """Replace the widgets on the screen by the static bundle.

        Who interrupts is impatient, and may interrupt again: the output is settled all the same, for one
        that stayed a widget would be empty after a reopen.
        """
        try:
            self._show_the_last_words(outcome.reply)
            self._replace(outcome)
        except KeyboardInterrupt:
            self._replace(outcome)
            raise

    def _show_the_last_words(self, reply: LiveReply) -> None:
        """Show what a frame may hold back: of a long reply, the whole render takes a moment."""
        if self._widgets is not None:
            self.paint([reply])
            self._widgets.show(self._streaming.refresh())

    def _replace(self, outcome: Outcome) -> None:
        settled = turn_bundle(outcome, self._label)
        if self._display_id is None:
            display(settled, raw=True)
        else:
            update_display(settled, display_id=self._display_id, raw=True)

    def close(self) -> None:
        """Close the widgets, whatever became of the reply."""
        if self._widgets is not None:
            self._widgets.close()
            self._widgets = None


class _ReplyWidgets:
    """The widgets of one live reply."""

    def __init__(self, reply: LiveReply) -> None:
        # Layouts and styles are widgets with messages of their own: one of each serves all.
        self._layout = widgets.Layout(margin="0", width="auto", overflow="visible")
        self._status = widgets.HTMLMath(quiet(live_caption(reply)), layout=self._layout)
        self._stop = widgets.Button(
            description="Stop",
            icon="stop",
            tooltip="End this reply and keep what came",
            layout=widgets.Layout(width="auto", margin="0 0 0 8px", display="none"),
            _dom_classes=(STOP,),
        )
        self._stop.on_click(lambda _: reply.stop())
        let_clicks_through(self._stop)
        self._notices = self._html("")
        self._attached = attachments(reply.prompt)
        self.notices(reply.notices)
        self._thoughts = self._html("")
        self._reply = GrowingReply(self._html, self._layout)
        self._top = widgets.HBox([self._status, self._stop], layout=widgets.Layout(align_items="center", margin="0"))
        # As wide as a settled output, whose element leaves room at its right.
        wide = widgets.Layout(margin="0", width="auto", overflow="visible", padding="0 20px 0 0")
        self.box = widgets.VBox(self._parts, layout=wide)

    @property
    def _parts(self) -> tuple[widgets.Widget, ...]:
        return (self._top, self._notices, self._thoughts, *self._reply.parts)

    def _html(self, value: str, *classes: str) -> widgets.HTML:
        return widgets.HTMLMath(
            value, layout=self._layout, style=self._status.style, _dom_classes=(LIVE_PART, *classes)
        )

    def show(self, frame: Frame) -> None:
        """Show what changed."""
        self._reply.show(frame)

    def caption(self, text: str, *, clickable: bool) -> None:
        """The line above the reply, and the Stop button where it works."""
        self._status.value = quiet(text)
        self._stop.layout.display = "" if clickable else "none"

    def notices(self, lines: Sequence[str]) -> None:
        """The lines for the user about this reply, above what went along with the prompt."""
        self._notices.value = STYLE + LIVE_STYLE + "".join(quiet(line) for line in lines) + self._attached

    def thoughts(self, html: str) -> None:
        """The reasoning: its latest lines while it comes, then folded away."""
        self._thoughts.value = html

    def close(self) -> None:
        """Close every widget, layout and style, so that none stays open in the kernel."""
        mine = [self.box, self._status, self._stop, *self._parts, *self._reply.segments, *self._reply.boxes]
        own = {id(w): w for m in mine for w in (m, m.layout, getattr(m, "style", None)) if w is not None}
        for widget in own.values():
            widget.close()


class GrowingReply:
    """The widgets of a reply's text: its segments, and two tails of which one is shown.

    What is finished moves from the tail to a segment. Two widgets cannot change at once, and for a moment text would
    be missing or there twice. So the hidden tail gets what is left, and the segment's message, which brings what is
    finished, brings the class by which the page shows that tail instead of the other (`style.LIVE_STYLE`).

    The segments stand in boxes, each within the one before it, at its end. For where a box gets a child, Chromium
    computes the style of all that is in the box: its own style sheet for MathML, which MathJax writes for screen
    readers, has a rule with ``:nth-child``. In one box for all, that took 200 ms for each segment after 50 kB.
    """

    def __init__(self, html: Callable[..., widgets.HTML], layout: widgets.Layout) -> None:
        self._html = html
        self._turn = 0
        self._tails = [html("", name) for name in TAILS]
        self._layout = layout
        # A new view takes a moment to appear, so one is always ready. Segments have boxes of their own: what stands
        # behind a new child would be drawn anew.
        self.segments = [html("", TURNS[0]), html("")]
        self.boxes = [self._box(*self.segments)]
        self.parts = (self.boxes[0], *self._tails)

    def _box(self, *segments: widgets.HTML) -> widgets.Box:
        return widgets.Box(segments, layout=self._layout, _dom_classes=(SEGMENTS,))

    def show(self, frame: Frame) -> None:
        """Show what changed."""
        if frame.segment is None:
            if frame.tail is not None:
                self._tails[self._turn].value = reply_body(frame.tail, unfinished=True)
            return
        self._turn = 1 - self._turn
        self._tails[self._turn].value = reply_body(frame.tail or "", unfinished=True)
        growing, spare = self.segments[-2:]
        with growing.hold_sync():
            growing.value = reply_body(frame.segment, unfinished=True)
            growing._dom_classes = (LIVE_PART, TURNS[self._turn])  # noqa: SLF001  # add_class sends a message each
        if frame.closed:
            spare.add_class(TURNS[self._turn])
            growing.remove_class(TURNS[self._turn])
            self._add(self._html(""))

    def _add(self, segment: widgets.HTML) -> None:
        self.segments.append(segment)
        last = self.boxes[-1]
        if len(last.children) < _BOX_SEGMENTS:
            last.children = (*last.children, segment)
        else:
            self.boxes.append(self._box(segment))
            last.children = (*last.children, self.boxes[-1])


def clicks_arrive(kernel: Any) -> bool:  # noqa: ANN401  # ipykernel's class, which may be missing
    """Whether a click's message is handled while a cell runs: only where the frontend opened a subshell.

    ipykernel before 7 has none, and nbclient and older frontends do not open one.
    """
    if not getattr(kernel, "_supports_kernel_subshells", False):
        return False
    channel = getattr(kernel, "shell_channel_thread", None)
    return bool(channel is not None and channel.manager.list_subshell())


def let_clicks_through(button: widgets.Button) -> None:
    """Keep the button out of ipykernel 7.4's rule that a comm's messages go to the shell that last sent on it.

    That shell is the one which is busy with the cell.
    """
    comm = button.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default  # noqa: SLF001  # there is no public way
