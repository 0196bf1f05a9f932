"""matplotlib's animations become films, by ffmpeg."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import MediaError
from xcyq_magic.media.kinds import is_a
from xcyq_magic.media.video import video_of_bytes

if TYPE_CHECKING:
    from matplotlib.animation import Animation

    from xcyq_magic.chat.messages import Video


def is_animation(value: object) -> bool:
    """Whether `value` is an animation of matplotlib's."""
    return is_a(value, "matplotlib.animation.Animation")


def video_of_animation(animation: Animation, name: str = "") -> Video:
    """The animation as MP4, in its own size and pace. As when it is saved, its figure shows the last frame then.

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
            msg = f"The animation cannot be made a film ({type(e).__name__}: {e}); nothing was sent."
            raise MediaError(msg, "animation.save('film.mp4') shows where.") from e
    return video_of_bytes(data, name or "animation.mp4")


def _frames_per_s(animation: Any) -> float:  # noqa: ANN401  # where the interval is kept, no type says
    """The pace of the animation, from the milliseconds between its frames."""
    interval = getattr(animation, "_interval", None)
    return 1000.0 / interval if interval else 10.0


def _ffmpeg(setting: str) -> str:
    """The path of ffmpeg: the one that matplotlib would use, else that of the package imageio-ffmpeg."""
    if found := shutil.which(setting):
        return found
    try:
        imageio: Any = importlib.import_module("imageio_ffmpeg")  # installed by its user, or not
        return str(imageio.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        msg = "An animation becomes a film by ffmpeg, which is not installed; nothing was sent."
        raise MediaError(msg, "Type %pip install imageio-ffmpeg, or attach one picture of it: {{ fig }}.") from None
