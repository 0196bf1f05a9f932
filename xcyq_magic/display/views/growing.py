"""The text of a live reply: widgets that change as little as can be while it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.display.style import FULL, LIVE_PART, SEGMENTS, TAILS, TURNS, reply_body

if TYPE_CHECKING:
    import ipywidgets as widgets

    from xcyq_magic.display.streaming import Frame
    from xcyq_magic.display.views.maker import WidgetMaker

_BOX_SEGMENTS = 6  # in one box, before the next box begins


class GrowingReply:
    """The widgets of a reply's text: its segments, and two tails of which one is shown.

    What is finished moves from the tail to a segment. Two widgets cannot change at once, and for a moment text would
    be missing or there twice. So the hidden tail gets what is left, and the segment's message, which brings what is
    finished, brings the class by which the page shows that tail instead of the other (`style.LIVE_STYLE`).

    The segments stand in boxes, each within the one before it, at its end. For where a box gets a child, Chromium
    computes the style of all that is in the box: its own style sheet for MathML, which MathJax writes for screen
    readers, has a rule with ``:nth-child``. In one box for all, that took 200 ms for each segment after 50 kB.

    Attributes
    ----------
    parts
        The widgets that a view puts below each other.
    """

    def __init__(self, made: WidgetMaker) -> None:
        self._made = made
        self._turn = 0
        self._tails = [made.part("", name) for name in TAILS]
        # A new view takes a moment to appear, so one is always ready. Segments have boxes of their own: what stands
        # behind a new child would be drawn anew.
        self._growing, self._spare = made.part("", TURNS[0]), made.part()
        self._last_box = made.box([self._growing, self._spare], SEGMENTS)
        self.parts = (self._last_box, *self._tails)

    def show(self, frame: Frame) -> None:
        """Show what changed."""
        if frame.segment is None:
            if frame.tail is not None:
                self._tails[self._turn].value = reply_body(frame.tail, unfinished=True)
            return
        self._turn = 1 - self._turn
        self._tails[self._turn].value = reply_body(frame.tail or "", unfinished=True)
        self._grow(frame.segment, TURNS[self._turn])
        if frame.closed:
            self._spare.add_class(TURNS[self._turn])
            self._growing.remove_class(TURNS[self._turn])
            self._growing, self._spare = self._spare, self._made.part()
            self._add(self._spare)

    def end(self, segment: str) -> None:
        """Show the last segment; what is below it stands elsewhere by now."""
        self._grow(segment, FULL)

    def _grow(self, segment: str, name: str) -> None:
        """Show the segment that grows, and have its class `name` say what else is to be seen: in one message."""
        with self._growing.hold_sync():
            self._growing.value = reply_body(segment, unfinished=True)
            self._growing._dom_classes = (LIVE_PART, name)  # noqa: SLF001  # add_class sends a message each

    def _add(self, segment: widgets.HTML) -> None:
        last = self._last_box
        if len(last.children) < _BOX_SEGMENTS:
            last.children = (*last.children, segment)
        else:
            self._last_box = self._made.box([segment], SEGMENTS)
            last.children = (*last.children, self._last_box)
