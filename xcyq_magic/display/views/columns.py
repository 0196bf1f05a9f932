"""The live view of a comparison: a column for each model, in one output."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.display import display, update_display

from xcyq_magic.chat.records import TURN_MIME, turn_record
from xcyq_magic.display.bundle import attachments, pictures
from xcyq_magic.display.caption import overall_line, pools_that_differ, state_line
from xcyq_magic.display.settled_comparison import comparison_bundle, failed_html, name_html, shared_notices
from xcyq_magic.display.streaming import Frame, StreamingMarkdown
from xcyq_magic.display.style import (
    COLUMN,
    COLUMNS,
    COMPARISON_STYLE,
    LIVE_COLUMNS_STYLE,
    LIVE_STYLE,
    STYLE,
    folded,
    quiet,
    thinking,
)
from xcyq_magic.display.views.buttons import GrowingReply, WidgetMaker, clicks_arrive, show_button
from xcyq_magic.errors import XcyqError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import ipywidgets as widgets

    from xcyq_magic.chat.comparison import Comparison
    from xcyq_magic.chat.conversation import Turn
    from xcyq_magic.session.live import LiveReply

_WHERE_THEY_ARE = "their answers were still coming when this was saved. _comparison has them."
_CLOCK_S = 1.0  # of the lines above the replies, where nothing happens but that time goes by
_PAINTED = 1  # column of a frame: 12 of them, each 20 times a second, are far more than a page can draw


class ColumnsView:
    """A comparison in a cell's output: live, then settled.

    Parameters
    ----------
    shell
        The IPython shell, to know whether a click can reach the kernel while the cell runs.
    label
        A word for the caption, such as ``sandbox``.
    diff
        Whether the settled output shows what differs.
    live
        Whether updates are seen; otherwise only the settled output is shown, once.

    Attributes
    ----------
    kept
        The number of the column whose *Keep this* was clicked last, from 0; None for none.
    """

    def __init__(self, shell: Any, label: str = "", *, diff: bool = False, live: bool = True) -> None:  # noqa: ANN401  # ipykernel's
        self._kernel = getattr(shell, "kernel", None)
        self._label = label
        self._diff = diff
        self._live = live
        self.kept: int | None = None
        self._display_id: str | None = None
        self._columns: list[_Column] = []
        self._made = WidgetMaker()
        self._captioned = 0.0
        self._next = 0  # the column whose turn to be painted it is

    def paint(self, replies: Sequence[LiveReply]) -> None:
        """Show what came since the last frame; the first call opens the view."""
        if not self._live:
            return
        if not self._columns:
            self._open(replies)
        self._show_some()
        if all(r.ended for r in replies):
            return  # the settled output says the rest: nothing may come before the last words now
        now = time.monotonic()
        changed = [c for c in self._columns if c.changed(self.kept)]
        if now - self._captioned >= _CLOCK_S:
            self._captioned = now
            changed = self._columns
        if changed:
            self._caption(changed, replies[len(self._columns) :])

    def _show_some(self) -> None:
        """Show what came of the columns whose turn it is, and of those that have ended: they wait for nothing."""
        count = len(self._columns)
        painted = 0
        for column in [self._columns[(self._next + n) % count] for n in range(count)]:
            if column.reply.ended:
                column.show()
            elif painted < _PAINTED and column.show():
                painted += 1
                self._next = (column.number + 1) % count

    def _open(self, replies: Sequence[LiveReply]) -> None:
        pools = pools_that_differ([r.model for r in replies])
        self._columns = [_Column(self._made, n, r, self._keep, pools[n]) for n, r in enumerate(replies)]
        prompt = next((r.prompt for r in replies if r.prompt is not None), None)
        style = STYLE + LIVE_STYLE + COMPARISON_STYLE + LIVE_COLUMNS_STYLE
        self._top = self._made.lines()
        row = self._made.row([c.box for c in self._columns], COLUMNS)
        self._output = self._made.output([self._top, self._made.lines(style + attachments(prompt)), row])
        self._caption(self._columns, ())
        self._display_id = uuid.uuid4().hex
        said = f"{', '.join(r.name for r in replies)} were asked at {time.strftime('%H:%M:%S')}; {_WHERE_THEY_ARE}"
        self._made.show(self._output, said, self._display_id)

    def _keep(self, number: int) -> None:
        """Note which answer to keep, in the thread of the click; the cell's own keeps it when all have ended."""
        self.kept = number

    def _caption(self, columns: Sequence[_Column], judging: Sequence[LiveReply]) -> None:
        clickable = clicks_arrive(self._kernel)
        replies = [c.reply for c in self._columns]
        lines = [overall_line(replies, judging, self._label, clickable=clickable)]
        lines += shared_notices([(r.name, r.notices) for r in replies])
        self._top.value = "".join(map(quiet, lines))
        for column in columns:
            column.caption(self.kept, clickable=clickable)

    def settle(self, comparison: Comparison, kept: Turn | None = None) -> None:
        """Replace the widgets on the screen by the static bundle; also for who interrupts again meanwhile.

        Parameters
        ----------
        comparison
            What came.
        kept
            The turn of the answer that was kept; None if none was.
        """
        try:
            for column in self._columns:
                column.show()
            self._replace(comparison, kept)
        except KeyboardInterrupt:
            self._replace(comparison, kept)
            raise

    def _replace(self, comparison: Comparison, kept: Turn | None) -> None:
        name = comparison.columns[self.kept].name if kept is not None and self.kept is not None else None
        settled = comparison_bundle(comparison, self._label, diff=self._diff, kept=name)
        if kept is not None:
            settled[TURN_MIME] = turn_record(kept, comparison.conversation)
        if self._display_id is None:
            display(settled, raw=True)
        else:
            update_display(settled, display_id=self._display_id, raw=True)
            self._made.leave([(self._output, settled["text/html"])])

    def close(self) -> None:
        """Close every widget, whatever became of the replies."""
        self._made.close()


class _Column:
    """One column: the widgets of its head, its buttons and its reply."""

    def __init__(
        self, made: WidgetMaker, number: int, reply: LiveReply, keep: Callable[[int], None], pool: str
    ) -> None:
        self.number, self.reply = number, reply
        self._made = made
        self._pool = pool
        self._streaming = StreamingMarkdown()
        self._shown = 0  # pieces of the reply
        self._drawn = 0  # pictures of it
        self._written: tuple[object, ...] = ()
        self._state = made.lines()
        self._stop = made.stop(reply.stop)
        self._keep = made.keep(partial(keep, number))
        self._thoughts = made.part()
        self._text = GrowingReply(made)
        self._pictures: widgets.HTML | None = None
        self._error: widgets.HTML | None = None
        head = [made.lines(name_html(reply.name)), made.line([self._state, self._stop, self._keep])]
        self.box = made.box([*head, self._thoughts, *self._text.parts], COLUMN)

    def show(self) -> bool:
        """Show what came, and return whether there was something to draw."""
        builder = self.reply.builder
        pieces = self.reply.shown[self._shown :]
        if pieces and not self._shown:
            self._thoughts.value = folded("Reasoning", "".join(builder.reasoning_pieces))
        self._shown += len(pieces)
        frames = [self._streaming.feed("".join(pieces))] if pieces else []
        if not pieces or self.reply.ended:
            frames.append(self._streaming.refresh())
        changed = [f for f in frames if f != Frame()]
        for frame in changed:
            self._text.show(frame)
        if len(builder.images) != self._drawn:
            self._drawn, self._pictures = len(builder.images), self._further(self._pictures, pictures(builder.images))
        return bool(changed)

    def _situation(self, kept: int | None) -> tuple[object, ...]:
        reply = self.reply
        return reply.state, reply.retry, bool(reply.builder.text_pieces or reply.builder.images), kept == self.number

    def changed(self, kept: int | None) -> bool:
        """Return whether something has happened since its lines were written, besides more text."""
        return self._situation(kept) != self._written

    def caption(self, chosen: int | None, *, clickable: bool) -> None:
        """Write the lines above the reply, and show the buttons where they work.

        Parameters
        ----------
        chosen
            The number of the column that was chosen to be kept.
        clickable
            Whether a click arrives.
        """
        reply, builder, kept = self.reply, self.reply.builder, chosen == self.number
        self._written = self._situation(chosen)
        self._state.value = quiet(state_line(reply, self._pool, kept=kept))
        show_button(self._stop, visible=clickable and not reply.ended)
        show_button(self._keep, visible=clickable and bool(builder.text_pieces or builder.images) and not kept)
        if reply.ended and isinstance(reply.error, XcyqError):
            self._error = self._further(self._error, failed_html(reply.error.message, reply.error.hint))
        if builder.reasoning_pieces and not builder.text_pieces:
            self._thoughts.value = thinking(builder.reasoning_pieces)

    def _further(self, widget: widgets.HTML | None, html: str) -> widgets.HTML:
        """Show HTML below the reply, in `widget` if it is there: few need it, and each takes the page a moment."""
        if widget is None:
            widget = self._made.lines(html)
            self.box.children = (*self.box.children, widget)
        elif widget.value != html:
            widget.value = html
        return widget
