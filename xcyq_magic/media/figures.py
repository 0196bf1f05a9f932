"""matplotlib's figures become pictures, drawn as the inline backend draws them."""

from __future__ import annotations

import importlib
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, ValuesView
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.parts import Image
from xcyq_magic.errors import MediaError
from xcyq_magic.media.kinds import is_a
from xcyq_magic.media.video import video_of_bytes

if TYPE_CHECKING:
    from matplotlib.animation import Animation
    from matplotlib.figure import Figure

    from xcyq_magic.chat.parts import Video


_FIGURE = "matplotlib.figure.Figure"
_ARTIST = "matplotlib.artist.Artist"
_PIE = "matplotlib.container.PieContainer"  # the one container that is no tuple
_MOST_ARTISTS = 10_000
_PNG_SIZE = slice(16, 24)  # of the header: width and height, https://www.w3.org/TR/png-3/#11IHDR


def is_animation(value: object) -> bool:
    """Return whether `value` is an animation of matplotlib's."""
    return is_a(value, "matplotlib.animation.Animation")


def video_of_animation(animation: Animation, name: str = "") -> Video:
    """Return the animation as MP4, in its own size and pace. As when it is saved, its figure shows the last frame then.

    Raises
    ------
    MediaError
        There is no ffmpeg, or a frame cannot be drawn.
    """
    from matplotlib import rcParams  # noqa: PLC0415  # there is an animation, so there is matplotlib
    from matplotlib.animation import FFMpegWriter  # noqa: PLC0415

    found = _ffmpeg(rcParams["animation.ffmpeg_path"])

    class Writer(FFMpegWriter):
        """Uses the ffmpeg that was found, and leaves the settings alone."""

        @classmethod
        def bin_path(cls) -> str:
            return found

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "animation.mp4"
        try:
            animation.save(path, writer=Writer(fps=_frames_per_s(animation)))  # type: ignore[arg-type]  # ffmpeg takes any number
            data = path.read_bytes()
        except Exception as e:
            msg = f"The animation cannot be made a video ({type(e).__name__}: {e}); nothing was sent."
            raise MediaError(msg, "animation.save('film.mp4') shows where.") from e
    return video_of_bytes(data, name or "animation.mp4")


def _frames_per_s(animation: Any) -> float:  # noqa: ANN401  # where the interval is kept, no type says
    """Return the pace of the animation, from the milliseconds between its frames."""
    interval = getattr(animation, "_interval", None)
    return 1000.0 / interval if interval else 10.0


def _ffmpeg(setting: str) -> str:
    """Return the path of ffmpeg: the one that matplotlib would use, else that of the package imageio-ffmpeg."""
    if found := shutil.which(setting):
        return found
    try:
        imageio: Any = importlib.import_module("imageio_ffmpeg")  # installed by its user, or not
        return str(imageio.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        msg = "Making a video of an animation needs ffmpeg, which is not installed; nothing was sent."
        raise MediaError(msg, "Type %pip install imageio-ffmpeg, or attach one picture of it: {{ fig }}.") from None


def figure_of(value: object) -> Figure | None:
    """Return the figure that `value` is, belongs to, or holds the artists of; None if there is none.

    Parameters
    ----------
    value
        A `Figure`, `Axes` or any other artist; a list, an array, a dict or a container of artists of one
        figure, as pyplot's functions return them; or an object whose `figure` or `figure_` is one (seaborn's grids,
        scikit-learn's displays).

    Raises
    ------
    MediaError
        It is an artist that is in no figure.
    """
    if "matplotlib" not in sys.modules or isinstance(value, type):
        return None
    if is_a(value, _FIGURE):
        return value  # type: ignore[return-value]  # told by its name
    if is_a(value, _ARTIST):
        return _figure_of_artist(value)
    if isinstance(value, list | tuple | Mapping) or is_a(value, "numpy.ndarray", _PIE):
        return _figure_of_all(value)
    # Its class's own attribute, or one it was given: no `__getattr__` is asked.
    own = getattr(value, "__dict__", {})
    named = (n for n in ("figure", "figure_") if hasattr(type(value), n) or n in own)
    return next((f for f in (getattr(value, n, None) for n in named) if is_a(f, _FIGURE)), None)


def _figure_of_artist(artist: Any) -> Figure:  # noqa: ANN401  # matplotlib is not imported to name its type
    figure = getattr(artist, "figure", None)
    while figure is not None and not is_a(figure, _FIGURE):  # a figure in a figure
        figure = figure.figure
    if figure is None:
        msg = f"This {type(artist).__name__} is in no figure, so there is nothing to see; nothing was sent."
        raise MediaError(msg, "It may have been removed, or its figure cleared. Draw it again.")
    return figure  # type: ignore[no-any-return]  # told by its name


def _figure_of_all(value: object) -> Figure | None:
    """Return the one figure of all artists in `value`."""
    figure = None
    for count, artist in enumerate(_leaves(value)):
        if count == _MOST_ARTISTS:
            break
        if not is_a(artist, _ARTIST):
            return None
        its = _figure_of_artist(artist)
        if figure is not None and its is not figure:
            return None
        figure = its
    return figure


def _leaves(value: object, depth: int = 3) -> Iterator[object]:
    """Yield what a nest of lists, dicts and arrays holds, but None."""
    inner: Any = None
    if depth:
        if isinstance(value, list | tuple):
            inner = value
        elif isinstance(value, Mapping):
            inner = ValuesView(value)  # a row may have a column of the method's name
        elif is_a(value, _PIE):
            inner = value.wedges  # type: ignore[attr-defined]  # told by its name
        elif is_a(value, "numpy.ndarray") and value.dtype == object:  # type: ignore[attr-defined]  # told by its name
            inner = value.flat  # type: ignore[attr-defined]  # as above
    if inner is None:
        if value is not None:
            yield value
        return
    for item in inner:
        yield from _leaves(item, depth - 1)


def image_of_figure(figure: Figure, name: str = "") -> Image:
    """Return the figure as PNG, in its own resolution and colours, cut to what is drawn as the inline backend does.

    The figure, pyplot's state and the settings stay as they are. It may be closed already.

    Raises
    ------
    MediaError
        Nothing is drawn on it, or it cannot be drawn.
    """
    if not [c for c in figure.get_children() if c is not figure.patch]:
        msg = "The figure is empty: nothing is drawn on it, so nothing was sent."
        raise MediaError(msg, "Was it cleared, or drawn on another? Draw on it, then send it.")
    buffer = io.BytesIO()
    try:
        figure.canvas.print_figure(
            buffer,
            format="png",
            dpi=figure.dpi / getattr(figure.canvas, "device_pixel_ratio", 1),  # as set, on whatever screen it is
            facecolor=figure.get_facecolor(),
            edgecolor=figure.get_edgecolor(),
            bbox_inches="tight",
            metadata={"Software": None},
        )
    except Exception as e:
        msg = f"The figure cannot be drawn ({type(e).__name__}: {' '.join(str(e).split())}); nothing was sent."
        raise MediaError(msg, "fig.savefig('figure.png') shows where.") from e
    data = buffer.getvalue()
    width, height = (int.from_bytes(data[_PNG_SIZE][n : n + 4], "big") for n in (0, 4))
    return Image(data, "image/png", width, height, name or str(figure.get_label()))
