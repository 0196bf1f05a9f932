"""The widgets of the live views: each kind is made here, with its layout and its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from xcyq_magic.display.style import HIDDEN, LIVE_PART, STOP
from xcyq_magic.display.views.clicks import let_clicks_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FLUSH = {"margin": "0", "width": "auto", "overflow": "visible"}
_OUTPUT = {**_FLUSH, "padding": "0 20px 0 0"}  # as wide as a settled output, whose element leaves room at its right
_ROW = {"width": "auto"}  # how it scrolls is its class's business
_LINE = {"margin": "0", "align_items": "center"}
_BUTTON = {"width": "auto", "margin": "0 8px 6px 0"}
_BUTTON_IN_LINE = {"width": "auto", "margin": "0 0 0 8px"}


class WidgetMaker:
    """Makes the widgets of one view, and closes them all.

    Layouts and styles are widgets with messages of their own, so widgets that look alike share one.
    """

    def __init__(self) -> None:
        self._made: list[widgets.Widget] = []
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

    def stop(self, click: Callable[[], None], *, in_line: bool = False) -> widgets.Button:
        """Return a Stop button, hidden at first; with `in_line`, it stands behind text."""
        return self._button("Stop", "stop", "End this reply and keep what came", click, in_line=in_line)

    def keep(self, click: Callable[[], None]) -> widgets.Button:
        """Return a button that keeps an answer, hidden at first."""
        return self._button("Keep this", "check", "Take this answer into the conversation", click)

    def _button(
        self, description: str, icon: str, tooltip: str, click: Callable[[], None], *, in_line: bool = False
    ) -> widgets.Button:
        layout = _BUTTON_IN_LINE if in_line else _BUTTON
        traits = {"description": description, "icon": icon, "tooltip": tooltip}
        button = self._make(widgets.Button, layout, STOP, HIDDEN, **traits)
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

    def close(self) -> None:
        """Close every widget, layout and style, so that none stays open in the kernel."""
        for widget in (*self._made, *self._layouts.values(), *self._styles.values()):
            widget.close()


def show_button(button: widgets.Button, *, visible: bool) -> None:
    """Show the button, or hide it; nothing is sent where nothing changes."""
    button._dom_classes = (STOP,) if visible else (STOP, HIDDEN)  # noqa: SLF001  # add_class sends a message each
