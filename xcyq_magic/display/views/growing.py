"""The text of a live reply: widgets that change as little as can be while it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from xcyq_magic.display.style import FULL, LIVE_PART, SEGMENTS, TAILS, TURNS, reply_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcyq_magic.display.streaming import Frame

_BOX_SEGMENTS = 6  # in one box, before the next box begins


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

    @property
    def all(self) -> tuple[widgets.Widget, ...]:
        """All that it made."""
        return (*self._tails, *self.segments, *self.boxes)

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
        self._grow(frame.segment, TURNS[self._turn])
        if frame.closed:
            spare.add_class(TURNS[self._turn])
            growing.remove_class(TURNS[self._turn])
            self._add(self._html(""))

    def end(self, segment: str) -> None:
        """Show the last segment; what is below it stands elsewhere by now."""
        self._grow(segment, FULL)

    def _grow(self, segment: str, name: str) -> None:
        """Show the segment that grows, and have its class `name` say what else is to be seen: in one message."""
        growing = self.segments[-2]
        with growing.hold_sync():
            growing.value = reply_body(segment, unfinished=True)
            growing._dom_classes = (LIVE_PART, name)  # noqa: SLF001  # add_class sends a message each

    def _add(self, segment: widgets.HTML) -> None:
        self.segments.append(segment)
        last = self.boxes[-1]
        if len(last.children) < _BOX_SEGMENTS:
            last.children = (*last.children, segment)
        else:
            self.boxes.append(self._box(segment))
            last.children = (*last.children, self.boxes[-1])
