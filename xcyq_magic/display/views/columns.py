"""The live view of a comparison: a column for each model, in one output."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display, update_display

from xcyq_magic.display.attachments import attachments
from xcyq_magic.display.comparison import comparison_bundle, failed_html, head_html, shared_notices
from xcyq_magic.display.comparison_style import COLUMN, COLUMNS, COMPARISON_STYLE, LIVE_COLUMNS_STYLE
from xcyq_magic.display.live_metrics import overall_line, state_lines
from xcyq_magic.display.streaming import Frame, StreamingMarkdown
from xcyq_magic.display.style import LIVE_PART, LIVE_STYLE, STOP, STYLE, folded, quiet, thinking
from xcyq_magic.display.views.reply import GrowingReply, clicks_arrive, let_clicks_through
from xcyq_magic.errors import XcyqError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.chat.comparison import Comparison
    from xcyq_magic.live import LiveReply

_CLOCK_S = 0.5  # the lines above the replies need no 20 frames a second
_PAINTED = 4  # columns of a frame: 12 of them, each 20 times a second, are more than a page can draw
_MOST_THOUGHTS = 600  # characters of reasoning shown while it comes


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

    Attributes
    ----------
    kept
        The number of the column whose *Keep this* was clicked last, from 0; None for none.
    """

    def __init__(self, shell: Any, label: str = "", *, diff: bool = False) -> None:  # noqa: ANN401  # ipykernel's
        self._kernel = getattr(shell, "kernel", None)
        self._label = label
        self._diff = diff
        self.kept: int | None = None
        self._display_id: str | None = None
        self._columns: list[_Column] = []
        self._layout = _layout()
        self._top = widgets.HTMLMath(layout=self._layout)
        self._box: widgets.VBox | None = None
        self._captioned = 0.0
        self._next = 0  # the column whose turn to be painted it is

    def paint(self, replies: Sequence[LiveReply]) -> None:
        """Show what came since the last frame; the first call opens the view."""
        if self._box is None:
            self._open(replies)
        count = len(self._columns)
        in_turn = (self._columns[(self._next + n) % count] for n in range(count))
        painted = 0
        for column in in_turn:
            if painted == _PAINTED:
                break
            if column.show():
                painted += 1
                self._next = (column.number + 1) % count
        now = time.monotonic()
        if now - self._captioned >= _CLOCK_S or any(c.changed(self.kept) for c in self._columns):
            self._captioned = now
            self._caption(replies[count:])

    def _open(self, replies: Sequence[LiveReply]) -> None:
        self._columns = [_Column(n, reply, self._keep) for n, reply in enumerate(replies)]
        prompt = next((r.prompt for r in replies if r.prompt is not None), None)
        style = STYLE + LIVE_STYLE + COMPARISON_STYLE + LIVE_COLUMNS_STYLE
        first = widgets.HTMLMath(style + attachments(prompt), layout=self._layout, style=self._top.style)
        row = widgets.Box([c.box for c in self._columns], layout=self._layout, _dom_classes=(COLUMNS,))
        self._box = widgets.VBox([self._top, first, row], layout=_layout(padding="0 20px 0 0"))
        self._caption(())
        self._display_id = uuid.uuid4().hex
        display(self._box, display_id=self._display_id)

    def _keep(self, number: int) -> None:
        """In the thread of the click: the cell's own thread keeps the answer when all have ended."""
        self.kept = number

    def _caption(self, judging: Sequence[LiveReply]) -> None:
        clickable = clicks_arrive(self._kernel)
        replies = [c.reply for c in self._columns]
        lines = [overall_line(replies, judging, self._label, clickable=clickable)]
        lines += shared_notices([(r.name, r.notices) for r in replies])
        _set(self._top, "".join(map(quiet, lines)))
        for column in self._columns:
            column.caption(self.kept, clickable=clickable)

    def settle(self, comparison: Comparison) -> None:
        """Replace the widgets on the screen by the static bundle; also for who interrupts again meanwhile."""
        try:
            for column in self._columns:
                column.show()
            self._replace(comparison)
        except KeyboardInterrupt:
            self._replace(comparison)
            raise

    def _replace(self, comparison: Comparison) -> None:
        kept = comparison.columns[self.kept] if self.kept is not None else None
        name = kept.name if kept is not None and kept.completion is not None else None
        settled = comparison_bundle(comparison, self._label, diff=self._diff, kept=name)
        if self._display_id is None:
            display(settled, raw=True)
        else:
            update_display(settled, display_id=self._display_id, raw=True)

    def close(self) -> None:
        """Close every widget, layout and style, whatever became of the replies."""
        if self._box is None:
            return
        mine = [self._box, *self._box.children, *(w for c in self._columns for w in c.widgets)]
        own = {id(w): w for m in mine for w in (m, m.layout, getattr(m, "style", None)) if w is not None}
        for widget in own.values():
            widget.close()
        self._box, self._columns = None, []


class _Column:
    """One column: its head, its buttons, its reply."""

    def __init__(self, number: int, reply: LiveReply, keep: Callable[[int], None]) -> None:
        self.number, self.reply = number, reply
        self._streaming = StreamingMarkdown()
        self._shown = 0  # pieces of the reply
        self._written: tuple[object, ...] = ()
        self._layout = _layout()
        self._head = widgets.HTMLMath(layout=self._layout)
        self._stop = _button("Stop", "stop", "End this reply and keep what came", lambda _: reply.stop())
        self._keep = _button("Keep this", "check", "Take this answer into the conversation", lambda _: keep(number))
        self._buttons = widgets.HBox([self._stop, self._keep], layout=self._layout)
        self._thoughts, self._error = self._html(""), self._html("")
        self._text = GrowingReply(self._html, self._layout)
        parts = (self._head, self._buttons, self._thoughts, *self._text.parts, self._error)
        self.box = widgets.VBox(parts, layout=self._layout, _dom_classes=(COLUMN,))

    def _html(self, value: str, *classes: str) -> widgets.HTML:
        return widgets.HTMLMath(value, layout=self._layout, style=self._head.style, _dom_classes=(LIVE_PART, *classes))

    @property
    def widgets(self) -> list[widgets.Widget]:
        """All that have to be closed."""
        return [self.box, *self.box.children, *self._buttons.children, *self._text.segments]

    def show(self) -> bool:
        """Show what came; returns whether there was something to draw."""
        builder = self.reply.builder
        pieces = builder.text_pieces[self._shown :]
        if pieces and not self._shown:
            self._thoughts.value = folded("Reasoning", "".join(builder.reasoning_pieces))
        self._shown += len(pieces)
        frames = [self._streaming.feed("".join(pieces))] if pieces else []
        if not pieces or self.reply.ended:
            frames.append(self._streaming.refresh())
        changed = [f for f in frames if f != Frame()]
        for frame in changed:
            self._text.show(frame)
        return bool(changed)

    def _situation(self, kept: int | None) -> tuple[object, ...]:
        reply = self.reply
        return reply.state, reply.retry, bool(reply.builder.text_pieces), kept == self.number

    def changed(self, kept: int | None) -> bool:
        """Whether something has happened since its lines were written, besides more text."""
        return self._situation(kept) != self._written

    def caption(self, chosen: int | None, *, clickable: bool) -> None:
        """The lines above the reply, and the buttons where they work; `chosen` is the number of the kept column."""
        reply, builder, kept = self.reply, self.reply.builder, chosen == self.number
        self._written = self._situation(chosen)
        _set(self._head, head_html(reply.name, state_lines(reply, kept=kept)))
        _set_visible(self._stop, clickable and not reply.ended)
        _set_visible(self._keep, clickable and bool(builder.text_pieces) and not kept)
        if reply.ended and isinstance(reply.error, XcyqError):
            _set(self._error, failed_html(reply.error.message, reply.error.hint))
        if builder.reasoning_pieces and not builder.text_pieces:
            self._thoughts.value = thinking("".join(builder.reasoning_pieces[-_MOST_THOUGHTS:])[-_MOST_THOUGHTS:])


def _layout(**more: str) -> widgets.Layout:
    return widgets.Layout(margin="0", width="auto", overflow="visible", **more)


def _button(description: str, icon: str, tooltip: str, click: Callable[[Any], None]) -> widgets.Button:
    button = widgets.Button(
        description=description,
        icon=icon,
        tooltip=tooltip,
        layout=widgets.Layout(width="auto", margin="0 8px 4px 0", display="none"),
        _dom_classes=(STOP,),
    )
    button.on_click(click)
    let_clicks_through(button)
    return button


def _set(widget: widgets.HTML, value: str) -> None:
    if widget.value != value:
        widget.value = value


def _set_visible(button: widgets.Button, visible: bool) -> None:  # noqa: FBT001  # a state
    button.layout.display = "" if visible else "none"
