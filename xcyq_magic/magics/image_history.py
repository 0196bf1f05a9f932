"""The images that the user saw: what cells displayed or returned, from any library, as it was sent to the page.

Nothing is rendered again but a figure of matplotlib's that lives in the page as a widget (ipympl): that may have been
drawn on since. The formats are those that a frontend shows as a picture. A plot that is a script's business has a
picture only if its library sent one along; else it is remembered that such a plot was seen last, and what drew it.
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcyq_magic.media.kinds import PICTURES, roots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

MOST_IMAGES = 30
MOST_BYTES = 64_000_000


_WIDGET = "application/vnd.jupyter.widget-view+json"
# What a page's scripts draw, or a viewer of its own.
_DRAWN = {
    "application/pdf": "a PDF",
    "application/vnd.plotly.v1+json": "a plot of plotly",
    "application/vnd.bokehjs_exec.v0+json": "a plot of Bokeh",
    "application/vnd.holoviews_exec.v0+json": "a plot of HoloViews",
}
_VEGA = re.compile(r"application/vnd\.vega(?:lite)?\.v\d+[.+]json")
# Widgets of others, by the package of their class.
_DRAWN_WIDGETS = {
    "plotly",
    "altair",
    "jupyter_bokeh",
    "ipympl",
    "bqplot",
    "ipyleaflet",
    "ipyvolume",
    "k3d",
    "pythreejs",
}
_SCRIPT = re.compile(r"<(?:script|iframe)\b", re.IGNORECASE)
# Of a page's script, the word that tells the library.
_LIBRARIES = {
    "plotly-graph-div": "plotly",
    "vega": "Altair",
    "bokeh": "Bokeh",
    "leaflet": "Leaflet",
    "echarts": "ECharts",
}
_MOST_READ = 100_000  # characters of HTML


@dataclass(frozen=True)
class SeenImage:
    """One image as it went to the page.

    Attributes
    ----------
    mime
        Its format; ``""`` where there is no image.
    data
        Text for SVG, and for the base64 that a message holds.
    drawn
        What there is no image of: ``a plot of plotly``.
    widget
        The id of the widget that shows it; ``""`` for an image that stays as it is.
    """

    mime: str
    data: bytes | str
    drawn: str = ""
    widget: str = ""

    @property
    def figure(self) -> Figure | None:
        """The figure of matplotlib's that its widget shows, as it is now."""
        helpers = sys.modules.get("matplotlib._pylab_helpers")
        managers = helpers.Gcf.get_all_fig_managers() if self.widget and helpers else []
        canvases = (manager.canvas for manager in managers)
        return next((c.figure for c in canvases if getattr(c, "model_id", None) == self.widget), None)

    @property
    def content(self) -> bytes:
        """The bytes of its file; none if its base64 is broken."""
        if isinstance(self.data, bytes):
            return self.data
        if self.mime == "image/svg+xml":
            return self.data.encode()
        try:
            return base64.b64decode(self.data)
        except (binascii.Error, ValueError):
            return b""


class SeenImages:
    """Remembers the last images that a shell showed, within a bound."""

    def __init__(self) -> None:
        self._images: OrderedDict[object, SeenImage] = OrderedDict()
        self._bytes = 0

    def last(self, count: int) -> list[SeenImage]:
        """The last `count` images and plots, the oldest first; fewer if there are fewer."""
        inline = sys.modules.get("matplotlib_inline.backend_inline")
        if inline is not None:
            inline.flush_figures()  # of this cell, which are shown at its end otherwise
        return list(self._images.values())[-count:]

    def remember(self, bundle: Mapping[str, Any], display_id: object = None) -> None:
        """Take in an output that was shown. With the id of an earlier one it takes its place."""
        mime = next((m for m in PICTURES if isinstance(bundle.get(m), bytes | str)), "")
        key = object() if display_id is None else display_id
        self._forget(key)
        drawn = "" if mime else _drawn(bundle)
        if not (mime or drawn) or len(bundle.get(mime, "")) > MOST_BYTES:
            return
        view = bundle.get(_WIDGET)
        widget = str(view.get("model_id", "")) if isinstance(view, dict) else ""
        self._images[key] = SeenImage(mime, bundle.get(mime, ""), drawn, widget)
        self._bytes += len(self._images[key].data)
        while len(self._images) > MOST_IMAGES or self._bytes > MOST_BYTES:
            self._forget(next(iter(self._images)))

    def _forget(self, key: object) -> None:
        forgotten = self._images.pop(key, None)
        self._bytes -= len(forgotten.data) if forgotten else 0


def _drawn(bundle: Mapping[str, Any]) -> str:
    """Return what draws an output that has no image, such as ``a plot of plotly``; ``""`` for what is no plot."""
    if any(mime.endswith("_load.v0+json") for mime in bundle):  # Bokeh or HoloViews itself
        return ""
    for mime in bundle:
        if mime in _DRAWN or _VEGA.fullmatch(mime):
            return _DRAWN.get(mime, "a plot of Altair")
    view = bundle.get(_WIDGET)
    widgets: Any = sys.modules.get("ipywidgets.widgets.widget")
    if isinstance(view, dict) and widgets is not None:
        widget = getattr(widgets, "_instances", {}).get(view.get("model_id"))
        package = next((p for p in roots(widget) if p in _DRAWN_WIDGETS), "")
        return package and f"a widget of {package}"
    html = bundle.get("text/html", "")
    html = html[:_MOST_READ] if isinstance(html, str) and _SCRIPT.search(html[:_MOST_READ]) else ""
    library = next((name for word, name in _LIBRARIES.items() if word in html.lower()), "")
    return library and f"a plot of {library}"
