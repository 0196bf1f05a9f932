"""What IPython shows as a picture is one: its display objects, and any value with a picture's representation."""

from __future__ import annotations

import base64
import binascii
import importlib
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.parts import MediaLink
from xcyq_magic.errors import MediaError
from xcyq_magic.media.files import media_of_bytes, read_media
from xcyq_magic.media.kinds import is_a, roots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xcyq_magic.chat.parts import Media, MediaKind

_IMAGE, _VIDEO = "IPython.core.display.Image", "IPython.core.display.Video"
_IMAGE_WIDGET, _VIDEO_WIDGET = (f"ipywidgets.widgets.widget_media.{kind}" for kind in ("Image", "Video"))
_METHODS = {"image/png": "_repr_png_", "image/jpeg": "_repr_jpeg_", "image/svg+xml": "_repr_svg_"}
# What has a picture's representation and says more as text: sympy draws its formulas, and when its printing is on,
# every number, list and dict as well; shapely a shape without its coordinates.
_AS_TEXT = {"sympy", "pandas", "polars", "shapely"}


@dataclass(frozen=True)
class _Drawn:
    """A library whose plots are drawn by a page's scripts.

    Attributes
    ----------
    base
        The class that its plots are derived from; its module may have a version in its name.
    png
        Its own way to a PNG.
    hint
        What that needs.
    """

    base: re.Pattern[str]
    png: Callable[[Any], bytes]
    hint: str

    def draws(self, value: object) -> bool:
        """Return whether `value` is one of its plots."""
        return any(self.base.fullmatch(f"{c.__module__}.{c.__qualname__}") for c in type(value).__mro__)


def _png_of_altair(chart: Any) -> bytes:  # noqa: ANN401  # no library is imported to name its type
    buffer = io.BytesIO()
    chart.save(buffer, format="png", scale_factor=2)
    return buffer.getvalue()


def _png_of_bokeh(plot: Any) -> bytes:  # noqa: ANN401  # as above
    export: Any = importlib.import_module("bokeh.io.export")
    buffer = io.BytesIO()
    export.get_screenshot_as_png(plot).save(buffer, "PNG")
    return buffer.getvalue()


_DRAWN = (
    _Drawn(
        re.compile(r"plotly\.basedatatypes\.BaseFigure"),
        lambda figure: bytes(figure.to_image(format="png")),
        "plotly draws PNG with kaleido: %pip install kaleido.",
    ),
    _Drawn(
        re.compile(r"altair\.vegalite\.v\d+\.api\.TopLevelMixin"),
        _png_of_altair,
        "Altair draws PNG with vl-convert: %pip install vl-convert-python. chart.save('chart.png') shows more.",
    ),
    _Drawn(
        re.compile(r"bokeh\.models\.layouts\.LayoutDOM"),
        _png_of_bokeh,
        "Bokeh draws PNG with Selenium and a browser: %pip install selenium. Or attach a picture of it: -a plot.png.",
    ),
)


def of_display_object(value: Any) -> Media | None:  # noqa: ANN401  # an IPython display object
    """Return the picture or video of an `IPython.display.Image` or `Video`, or the widget of that name; else None.

    Raises
    ------
    MediaError
        Its data are neither, or its file cannot be read.
    """
    if is_a(value, _IMAGE_WIDGET, _VIDEO_WIDGET):
        return _of_widget(value)
    if not is_a(value, _IMAGE, _VIDEO):
        return None
    kind: MediaKind = "video" if is_a(value, _VIDEO) else "image"
    # A video is read from its file although IPython only shows it from there: it has to travel.
    if value.data is not None:
        name = Path(value.filename).name if value.filename else ""
        return media_of_bytes(_bytes(value.data), name, f"This {type(value).__name__}")
    if value.filename:
        return read_media(Path(value.filename).expanduser(), str(value.filename))
    if value.url:
        return _at(str(value.url), kind)
    msg = f"This {type(value).__name__} holds neither data nor a file; nothing was sent."
    raise MediaError(msg, "Create it again, from bytes or a path.")


def _of_widget(widget: Any) -> Media:  # noqa: ANN401  # ipywidgets is not imported to name its types
    shown = f"This {type(widget).__name__}"
    if widget.format == "url":
        return _at(bytes(widget.value).decode(), "video" if is_a(widget, _VIDEO_WIDGET) else "image")
    return media_of_bytes(bytes(widget.value), "", shown)


def _at(url: str, kind: MediaKind) -> Media:
    """Return what is at an address; one without a host is relative to the notebook, as a browser sees it."""
    if url.lower().startswith(("http:", "https:")):
        return MediaLink(url, kind)
    return read_media(Path(url), url)


def of_representation(value: object) -> Media | None:
    """Return the picture that IPython's display formatters make of `value`; None if they make none.

    Its ``_repr_mimebundle_`` counts, then ``_repr_png_``, ``_repr_jpeg_`` and ``_repr_svg_``, and what was
    registered for its type.

    Raises
    ------
    MediaError
        Making it failed, or it is an SVG and nothing makes a PNG of it.
    """
    if isinstance(value, type) or not roots(value) - {"builtins"} or roots(value) & _AS_TEXT:
        return None
    shown = f"The {type(value).__name__}"
    if (drawn := next((d for d in _DRAWN if d.draws(value)), None)) is not None:
        return _of_plot(value, drawn, shown)
    bundle: Mapping[str, Any] = {}
    for mime, method in _METHODS.items():
        bundle = _bundle(value, mime, shown) or bundle
        data = bundle.get(mime)
        if data is None:
            data = _called(_formatter(value, mime, method), shown)
        if data is not None:
            data = data[0] if isinstance(data, tuple) else data  # with metadata beside it
            return media_of_bytes(_bytes(data, text=mime == "image/svg+xml"), "", shown)
    return None


def _formatter(value: object, mime: str, method: str) -> Callable[[], Any] | None:
    """Return what makes a representation: a function registered for the type, else the value's own method."""
    from IPython.utils.dir2 import get_real_method  # noqa: PLC0415  # only where a display object is looked at

    shell = sys.modules["IPython"].get_ipython()
    formatter = shell.display_formatter.formatters.get(mime) if shell and shell.display_formatter else None
    if formatter is not None:
        try:
            registered = formatter.lookup(value)
        except KeyError:
            pass
        else:
            return lambda: registered(value)
    found: Callable[[], Any] | None = get_real_method(value, method)
    return found


def _bundle(value: object, mime: str, shown: str) -> Mapping[str, Any]:
    """Return what ``_repr_mimebundle_`` gives when it is asked for one type. Some give others all the same."""
    from IPython.utils.dir2 import get_real_method  # noqa: PLC0415  # as above

    method = get_real_method(value, "_repr_mimebundle_")
    made = _called(method and (lambda: method(include={mime}, exclude=set())), shown)
    made = made[0] if isinstance(made, tuple) else made  # with metadata beside it
    return made if isinstance(made, dict) else {}


def _called(make: Callable[[], Any] | None, shown: str) -> Any:  # noqa: ANN401  # whatever a representation is
    if make is None:
        return None
    try:
        return make()
    except NotImplementedError:  # how some say that they have none
        return None
    except Exception as e:
        msg = f"{shown} cannot be drawn ({type(e).__name__}: {' '.join(str(e).split())}); nothing was sent."
        raise MediaError(msg, "display(…) shows where it fails.") from e


def _of_plot(plot: object, drawn: _Drawn, shown: str) -> Media:
    """Draw what a page's scripts draw: its own representation is for a browser."""
    try:
        data = drawn.png(plot)
    except Exception as e:
        msg = f"{shown} cannot be drawn ({type(e).__name__}: {' '.join(str(e).split())[:200]}); nothing was sent."
        raise MediaError(msg, drawn.hint) from e
    return media_of_bytes(data, "", shown)


def _bytes(data: Any, *, text: bool = False) -> bytes:  # noqa: ANN401  # bytes, or text that stands for them
    """Return the bytes of a representation: in base64, as a bundle carries them, unless they are text themselves."""
    if not isinstance(data, str):
        return bytes(data)
    if text:
        return data.encode()
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return data.encode()
