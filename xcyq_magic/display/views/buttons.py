"""The Stop button, and the other widgets of the live views: each kind is made here, with its layout and its classes."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from xcyq_magic.display.style import FULL, HIDDEN, LIVE_PART, SEGMENTS, STOP, TAILS, TURNS, quiet, reply_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xcyq_magic.display.streaming import Frame


_FLUSH = {"margin": "0", "width": "auto", "overflow": "visible"}
_OUTPUT = {
    **_FLUSH,
    "padding": "0 26px 0 6px",
}  # as wide as a settled output, which leaves 20 px at its right besides its own 6
_ROW = {"width": "auto"}  # how it scrolls is its class's business
_LINE = {"margin": "0", "align_items": "center"}
_BUTTON = {"width": "auto", "margin": "0 0 0 8px"}
_LONG_S = 2.0  # after which somebody may have saved the notebook, and loaded its page anew
_MOST_LEFT = 4  # replies that a page which is loaded anew finds
_left: deque[set[widgets.Widget]] = deque()


class WidgetMaker:
    """Makes the widgets of one view, and closes them all.

    Layouts and styles are widgets with messages of their own, so widgets that look alike share one.
    """

    def __init__(self) -> None:
        self._made: list[widgets.Widget] = []
        self._left: set[widgets.Widget] = set()
        self._shown_at = math.inf
        self._layouts: dict[tuple[str, ...], widgets.Layout] = {}
        self._styles: dict[type[widgets.Widget], widgets.Widget] = {}

    def lines(self, html: str = "") -> widgets.HTML:
        """Return a widget for HTML of ours, without math."""
        return self._make(widgets.HTML, _FLUSH, value=html)

    def part(self, html: str = "", *classes: str) -> widgets.HTMLMath:
        """Return a widget for HTML of a reply."""
        return self._make(widgets.HTMLMath, _FLUSH, LIVE_PART, *classes, value=html)

    def box(self, children: Iterable[widgets.Widget], *classes: str) -> widgets.Box:
        """Return a box whose children stand as its classes say."""
        return self._make(widgets.Box, _FLUSH, *classes, children=tuple(children))

    def row(self, children: Iterable[widgets.Widget], *classes: str) -> widgets.Box:
        """Return a box whose children stand beside each other, and which scrolls if it is too narrow for them."""
        return self._make(widgets.Box, _ROW, *classes, children=tuple(children))

    def line(self, children: Iterable[widgets.Widget]) -> widgets.HBox:
        """Return a box whose children stand on one line."""
        return self._make(widgets.HBox, _LINE, children=tuple(children))

    def output(self, children: Iterable[widgets.Widget], *classes: str) -> widgets.VBox:
        """Return the box that an output shows, its children below each other."""
        return self._make(widgets.VBox, _OUTPUT, *classes, children=tuple(children))

    def stop(self, click: Callable[[], None], *, tooltip: str = "End this reply and keep what came") -> widgets.Button:
        """Return a Stop button, hidden at first."""
        return self._button("Stop", "stop", tooltip, click)

    def keep(self, click: Callable[[], None]) -> widgets.Button:
        """Return a button that keeps an answer, hidden at first."""
        return self._button("Keep this", "check", "Take this answer into the conversation", click)

    def _button(self, description: str, icon: str, tooltip: str, click: Callable[[], None]) -> widgets.Button:
        traits = {"description": description, "icon": icon, "tooltip": tooltip}
        button = self._make(widgets.Button, _BUTTON, STOP, HIDDEN, **traits)
        button.on_click(lambda _: click())
        let_clicks_through(button)
        return button

    def _make(self, kind: type[widgets.DOMWidget], layout: dict[str, str], *classes: str, **traits: Any) -> Any:  # noqa: ANN401  # ipywidgets has no types
        key = tuple(layout.values())
        if key not in self._layouts:
            self._layouts[key] = widgets.Layout(**layout)
        if kind in self._styles:
            traits["style"] = self._styles[kind]
        widget = kind(layout=self._layouts[key], _dom_classes=classes, **traits)
        if hasattr(widget, "style"):
            self._styles[kind] = widget.style
        self._made.append(widget)
        return widget

    def show(self, box: widgets.Box, said: str, display_id: str) -> None:
        """Display `box`; in its place stands the line `said` where there are no widgets: in a file, on GitHub."""
        self._shown_at = min(self._shown_at, time.monotonic())
        bundle = {**box._repr_mimebundle_(), "text/plain": said, "text/html": quiet(said)}
        display(bundle, raw=True, display_id=display_id)

    def leave(self, settled: Iterable[tuple[widgets.Box, str]]) -> None:
        """Have each box show its HTML in a page that is loaded anew, and stay as long as it is one of the latest.

        A page whose file names a widget asks the kernel for it once that is idle, after the reply has ended; with none,
        it shows an error. Of what was over at once nothing stays: nobody can have loaded the page anew meanwhile.
        """
        if time.monotonic() - self._shown_at <= _LONG_S:
            return
        for box, html in settled:
            box.children = (whole := self.part(html),)
            self._left |= {box, whole, box.layout, whole.layout, whole.style}

    def close(self) -> None:
        """Close every widget, layout and style, so that none stays open in the kernel; what is left, some day."""
        if self._left:
            _left.append(self._left)
        ended = _left.popleft() if len(_left) > _MOST_LEFT else set()
        for widget in (*self._made, *self._layouts.values(), *self._styles.values(), *ended):
            if widget not in self._left:
                widget.close()


def show_button(button: widgets.Button, *, visible: bool) -> None:
    """Show the button, or hide it; nothing is sent where nothing changes."""
    button._dom_classes = (STOP,) if visible else (STOP, HIDDEN)  # noqa: SLF001  # add_class sends a message each


def is_captured(request: str) -> bool:
    """Return whether an `Output` widget takes what a request displays: it shows no updates of that."""
    made: dict[str, widgets.Widget] = getattr(widgets.widget, "_instances", {})  # no public name lists them
    return any(isinstance(w, widgets.Output) and w.msg_id == request for w in tuple(made.values()))


def clicks_arrive(kernel: Any) -> bool:  # noqa: ANN401  # ipykernel's class, which may be missing
    """Return whether a click's message is handled while a cell runs: only where the frontend opened a subshell.

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
