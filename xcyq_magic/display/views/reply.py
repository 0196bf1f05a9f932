"""The live view of one reply."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from xcyq_magic.display.bundle import attachments, opening_bundle, turn_bundle, turn_bundles
from xcyq_magic.display.caption import live_caption
from xcyq_magic.display.style import LIVE_PART, LIVE_STYLE, MORE, STOP, STYLE, folded, quiet, thinking
from xcyq_magic.display.views.growing import GrowingReply
from xcyq_magic.display.views.live_sections import LiveSections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.session.live import LiveReply
    from xcyq_magic.session.turn import Outcome

_CLOCK_S = 0.5  # the caption alone needs no 20 frames a second


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
        self._widgets: _ReplyWidgets | None = None
        self._sections: LiveSections | None = None
        self._shown = 0
        self._captioned = 0.0

    def paint(self, replies: Sequence[LiveReply]) -> None:
        """Show what came since the last frame; the first call opens the view."""
        reply = replies[0]
        if self._widgets is None or self._sections is None:
            self._widgets, self._sections = self._open(reply)
        pieces = reply.builder.text_pieces[self._shown :]
        if pieces and not self._shown:
            self._widgets.thoughts(folded("Reasoning", "".join(reply.builder.reasoning_pieces)))
        self._shown += len(pieces)
        self._sections.feed("".join(pieces))
        now = time.monotonic()
        if now - self._captioned >= _CLOCK_S:
            self._captioned = now
            self._caption(self._widgets, reply)

    def _open(self, reply: LiveReply) -> tuple[_ReplyWidgets, LiveSections]:
        self._widgets = made = _ReplyWidgets(reply)
        display_id = uuid.uuid4().hex
        display(made.box, display_id=display_id)
        opening = partial(opening_bundle, reply, self._label)
        # What another thread displays would go to the cell that runs then.
        return made, LiveSections(display_id, made.reply, opening, None if self._background else made.further)

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
        if self._sections is not None:
            self.paint([reply])
            self._sections.feed("")

    def _replace(self, outcome: Outcome) -> None:
        if self._sections is None:
            display(turn_bundle(outcome, self._label), raw=True)
        else:
            self._sections.settle(lambda sections: turn_bundles(outcome, self._label, sections))

    def close(self) -> None:
        """Close the widgets, whatever became of the reply."""
        if self._widgets is not None:
            self._widgets.close(self._sections.widgets if self._sections else [])
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
        self.reply = GrowingReply(self._html, self._layout)
        self._top = widgets.HBox([self._status, self._stop], layout=widgets.Layout(align_items="center", margin="0"))
        # As wide as a settled output, whose element leaves room at its right.
        self._wide = widgets.Layout(margin="0", width="auto", overflow="visible", padding="0 20px 0 0")
        self.box = widgets.VBox(self._parts, layout=self._wide)

    @property
    def _parts(self) -> tuple[widgets.Widget, ...]:
        return (self._top, self._notices, self._thoughts, *self.reply.parts)

    def _html(self, value: str, *classes: str) -> widgets.HTML:
        return widgets.HTMLMath(
            value, layout=self._layout, style=self._status.style, _dom_classes=(LIVE_PART, *classes)
        )

    def further(self) -> tuple[GrowingReply, widgets.VBox]:
        """A further section of the reply: its text, and the box for all of it. What stood at the top is at its end."""
        text = GrowingReply(self._html, self._layout)
        parts = (self._html(LIVE_STYLE), *text.parts, self._top)
        return text, widgets.VBox(parts, layout=self._wide, _dom_classes=(MORE,))

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

    def close(self, others: Sequence[widgets.Widget]) -> None:
        """Close every widget, layout and style, also of `others`, so that none stays open in the kernel."""
        mine = [self.box, self._status, self._stop, *self._parts, *self.reply.all, *others]
        own = {id(w): w for m in mine for w in (m, m.layout, getattr(m, "style", None)) if w is not None}
        for widget in own.values():
            widget.close()


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
