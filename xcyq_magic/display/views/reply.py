"""The live view of one reply."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.display import display

from xcyq_magic.display.bundle import attachments, opening_bundle, pictures, turn_bundle, turn_bundles
from xcyq_magic.display.caption import live_caption
from xcyq_magic.display.style import LIVE_STYLE, MORE, STYLE, folded, quiet, thinking
from xcyq_magic.display.views.buttons import GrowingReply, WidgetMaker, clicks_arrive, show_button
from xcyq_magic.display.views.live_sections import LiveSections

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ipywidgets as widgets

    from xcyq_magic.session.live import LiveReply
    from xcyq_magic.session.turn import Outcome

_WHERE_IT_IS = "its reply was still coming when this was saved. %chat_history shows it whole."
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
    live
        Whether updates are seen; otherwise only the settled output is shown, once.
    """

    def __init__(self, shell: Any, label: str = "", *, background: bool = False, live: bool = True) -> None:  # noqa: ANN401  # its class is ipykernel's
        self._kernel = getattr(shell, "kernel", None)
        self._label = label
        self._background = background
        self._live = live
        self._made = WidgetMaker()
        self._sections: LiveSections | None = None
        self._shown = 0  # pieces of the reply
        self._drawn = 0  # pictures of it
        self._captioned = 0.0

    def paint(self, replies: Sequence[LiveReply]) -> None:
        """Show what came since the last frame; the first call opens the view."""
        reply = replies[0]
        if not self._live:
            return
        if self._sections is None:
            self._sections = self._open(reply)
        pieces = reply.shown[self._shown :]
        if pieces and not self._shown:
            self._thoughts.value = folded("Reasoning", "".join(reply.builder.reasoning_pieces))
        self._shown += len(pieces)
        self._sections.feed("".join(pieces))
        if len(images := reply.builder.images) != self._drawn:
            self._drawn, self._pictures.value = len(images), pictures(images)
        now = time.monotonic()
        if now - self._captioned >= _CLOCK_S:
            self._captioned = now
            self._caption(reply)

    def _open(self, reply: LiveReply) -> LiveSections:
        made = self._made
        self._attached = attachments(reply.prompt, reply.model)
        self._status, self._stop = made.lines(), made.stop(reply.stop)
        self._top = made.line([self._status, self._stop])
        self._notices, self._thoughts = made.part(), made.part()
        text = GrowingReply(made)
        self._pictures = made.lines()
        output = made.output([self._top, self._notices, self._thoughts, *text.parts, self._pictures])
        self._caption(reply)
        said = f"{reply.model} was asked at {time.strftime('%H:%M:%S')}; {_WHERE_IT_IS}"
        opening = partial(opening_bundle, reply, self._label)
        # What another thread displays would go to the cell that runs then.
        # JSON stays in one output, for a value is one table.
        further = None if self._background or reply.answer is not None else self._further
        return LiveSections(made, (text, output), said, opening, further)

    def _further(self) -> tuple[GrowingReply, widgets.VBox]:
        """Return a further section: its text, and the box for all of it. What stood at the top is at its end."""
        text = GrowingReply(self._made)
        return text, self._made.output([self._made.part(LIVE_STYLE), *text.parts, self._pictures, self._top], MORE)

    def _caption(self, reply: LiveReply) -> None:
        """Write what stands above the text, and show the Stop button where it works."""
        clickable = self._background or clicks_arrive(self._kernel)
        self._status.value = quiet(live_caption(reply, self._label, clickable=clickable))
        show_button(self._stop, visible=clickable)
        self._notices.value = STYLE + LIVE_STYLE + "".join(map(quiet, reply.notices)) + self._attached
        if reply.builder.reasoning_pieces and not reply.builder.text_pieces:
            self._thoughts.value = thinking(reply.builder.reasoning_pieces)

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
        self._made.close()
