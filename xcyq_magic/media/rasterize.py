"""From SVG to PNG, in a process of its own: a few hundred bytes of SVG can ask a library for hours, or crash it."""

from __future__ import annotations

import contextlib
import importlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DPI = 96.0  # CSS pixels, which are an SVG's
_SECONDS = 10  # of CPU time; resvg draws a scatter plot of 50,000 points in about 5
_PATIENCE = 2  # as many times that by the clock: the machine may be busy, and Windows counts no CPU time
_MOST_MEMORY = 2 * 1024**3
_MOST_SAID = 300  # characters of a library's words
_FAILED, _NO_LIBRARY = 3, 4  # exit codes, other than Python's own and that of a killed process on Windows
# The current folder is not searched: nobody means to run what may stand beside a notebook.
_CHILD = """\
import sys
sys.path[:] = [p for p in sys.path if p] + sys.argv[3:]
from xcyq_magic.media.rasterize import main
main(*sys.argv[1:3])
"""


def rasterize(svg: str, zoom: float, seconds: int = _SECONDS) -> bytes:
    """Return the PNG that an SVG draws, on white.

    Parameters
    ----------
    svg
        The SVG, without references to files: the libraries read them.
    zoom
        Pixels of the PNG for each of the SVG's.
    seconds
        The most CPU time that it may take.

    Raises
    ------
    ImportError
        Neither resvg-py nor CairoSVG is installed.
    ValueError
        It cannot be drawn, or not within the bounds.
    """
    # Without `site`: what that adds to the path is in this process's path.
    command = [sys.executable, "-S", "-X", "utf8", "-c", _CHILD, repr(zoom), str(seconds), *filter(None, sys.path)]
    code, png, said = _run(command, svg.encode(), seconds * _PATIENCE)
    if code == 0:
        return png
    if code == _NO_LIBRARY:
        msg = "neither resvg-py nor CairoSVG is installed"
        raise ImportError(msg)
    if code == _FAILED:
        raise ValueError(said.decode("utf-8", "replace").rpartition("\n")[2])
    msg = f"it takes more than {seconds} s or 2 GB of memory, or crashes what draws it"
    raise ValueError(msg)


def _run(command: list[str], given: bytes, patience_s: float) -> tuple[int, bytes, bytes]:
    """Return a process's exit code, output and errors. It does not outlive this call, also if that is interrupted."""
    pipe, hidden = subprocess.PIPE, getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would open a console
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, creationflags=hidden) as process:  # noqa: S603  # it is this Python
        output = said = b""
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                output, said = process.communicate(given, patience_s)
        finally:
            process.kill()  # nothing, if it has ended
            code = process.wait()
    return code, output, said


def main(zoom: str, seconds: str) -> None:
    """Draw the SVG on standard input, to standard output: what the process of its own runs."""
    _bound(int(seconds))
    try:
        draw = _library()
    except ImportError:
        sys.exit(_NO_LIBRARY)
    try:
        png = draw(sys.stdin.buffer.read(), float(zoom))
    except BaseException as e:  # noqa: BLE001  # a panic of resvg's is no Exception
        sys.stderr.write("\n" + " ".join(f"{type(e).__name__}: {e}".split())[:_MOST_SAID])
        sys.exit(_FAILED)
    sys.stdout.buffer.write(png)


def _library() -> Callable[[bytes, float], bytes]:
    # They are imported by name because neither is installed for the type checker.
    try:
        resvg: Any = importlib.import_module("resvg_py")
    except ImportError:
        cairosvg: Any = importlib.import_module("cairosvg")
        return lambda svg, zoom: bytes(cairosvg.svg2png(bytestring=svg, background_color="white", scale=zoom, dpi=DPI))
    return lambda svg, zoom: bytes(resvg.svg_to_bytes(svg_string=svg.decode(), background="white", zoom=zoom, dpi=DPI))


def _bound(seconds: int) -> None:
    """Bound what this process takes; should its parent die, it still ends."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  # not on Windows

    bounds = {resource.RLIMIT_CPU: seconds, resource.RLIMIT_AS: _MOST_MEMORY, resource.RLIMIT_CORE: 0}
    for what, most in bounds.items():
        soft, hard = resource.getrlimit(what)
        lowest = min(n for n in (soft, hard, most) if n != resource.RLIM_INFINITY)
        with contextlib.suppress(ValueError, OSError):  # macOS does not bound memory
            resource.setrlimit(what, (lowest, hard))
