"""How soon a long reply is whole on the screen after its last delta, and how long the page is blocked.

    python tests/benchmarks/screen.py [--rounds 3] [--chars 100000] [--quick]

Each round streams a reply of mixed Markdown at 100 deltas a second into JupyterLab, then into Notebook 7, in a
headless Chromium. The clock starts when the sandbox has sent the last characters and stops at the first animation
frame in which the page holds all of them. A task of the page is what it does in one go, while its reader can neither
scroll nor type: whoever's it is, for JupyterLab's own table of contents is among them. Beside them stand those for the
same text as IPython's own `Markdown`, shown at once. The table gives the figures in milliseconds beside their bounds;
the exit code is 1 if a median is above its bound. Another program on the same machine spoils them, so the table also
says how long the processor worked in the longest task: what a task takes on a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).parents[1]
sys.path[:0] = [str(HERE), str(HERE / "browser")]  # the tests' browser

from jupyter import NotebookPage, browser, server, write_notebook  # noqa: E402
from kernels import KEY  # noqa: E402
from scrolling import LOAD, seen, watch  # noqa: E402

from xcyq_magic.gateway.sandbox import answers  # noqa: E402
from xcyq_magic.gateway.sandbox.server import Sandbox  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

SCREEN_BOUND_MS, BLOCKED_BOUND_MS = 500.0, 150.0
DELTA_CHARS = 30


def _ends_with_a_heading(chars: int) -> tuple[int, str]:
    """The length of a reply of about `chars` characters whose last words are not elsewhere in it; and these."""
    at = answers.sample(chars).rindex("\n## Part ") + 4
    heading = answers.sample(at + 100)[at:].partition("\n")[0]
    return at + len(heading), heading


def _last_delta(sandbox: Sandbox, chars: int, sent: list[float]) -> None:
    """Note the wall clock when that many characters have been sent."""
    while not sandbox.received or sandbox.received[-1].chars_sent < chars:
        time.sleep(0.002)
    sent.append(time.time() * 1000)


@contextlib.contextmanager
def notebook_page(app: str, cell: str, files: dict[str, str], env: dict[str, str]) -> Iterator[NotebookPage]:
    """A page with a notebook that loads the extension and then runs `cell`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        root = Path(name) / "work"
        root.mkdir()
        for file, text in files.items():
            (root / file).write_text(text)
        write_notebook(root / "test.ipynb", LOAD, cell)
        home, profile = Path(name) / "home", Path(name) / "profile"
        with server(root, home, app=app, env={**os.environ, **env}) as url, browser(profile) as raw:
            page = NotebookPage(raw, url, "test.ipynb", app)
            raw.wait_for_timeout(1500)  # what the page does when it opens is none of ours
            yield page


@dataclasses.dataclass(frozen=True)
class Task:
    """What the page did in one go, without a chance for the reader to scroll: milliseconds."""

    ended: float  # of the wall clock
    took: float
    worked: float  # of the processor


def longest(tasks: list[Task], key: str) -> float:
    """The most of that, of all tasks."""
    return max((getattr(t, key) for t in tasks), default=0.0)


class Trace:
    """Chromium's own record of a page's tasks; unlike the page's, it knows the processor's time."""

    def __init__(self, page: NotebookPage) -> None:
        self._page = page
        self._events: list[dict[str, Any]] = []
        self._session = page.page.context.new_cdp_session(page.page)
        self._session.on("Tracing.dataCollected", lambda chunk: self._events.extend(chunk["value"]))
        categories = ["toplevel", "disabled-by-default-devtools.timeline", "blink.user_timing"]
        config = {"includedCategories": categories, "recordMode": "recordAsMuchAsPossible"}
        self._session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": config})
        self._clock = page.js("() => performance.timeOrigin + performance.mark('trace-clock').startTime")

    def tasks(self) -> list[Task]:
        """End the record; all tasks of the page since the mark."""
        ended: list[object] = []
        self._session.on("Tracing.tracingComplete", lambda told: ended.append(told))  # noqa: PLW0108  # playwright marks it
        self._session.send("Tracing.end")
        while not ended:
            self._page.page.wait_for_timeout(50)
        mark = next(e for e in self._events if e["name"] == "trace-clock")
        thread, zero = (mark["pid"], mark["tid"]), self._clock - mark["ts"] / 1000
        mine = [e for e in self._events if (e["pid"], e["tid"]) == thread and e["name"] == "RunTask" and "dur" in e]
        return [
            Task(zero + (e["ts"] + e["dur"]) / 1000, e["dur"] / 1000, e["tdur"] / 1000)
            for e in mine
            if e["ts"] > mark["ts"]
        ]


@dataclasses.dataclass(frozen=True)
class Round:
    """One reply: when it was whole after its last delta, in milliseconds, and the page's tasks."""

    late: float
    live: list[Task]
    swap: list[Task]


def measure(app: str, chars: int) -> Round:
    """Stream one reply."""
    chars, last = _ends_with_a_heading(chars)
    sandbox = Sandbox(key=KEY)
    sent: list[float] = []
    clock = threading.Thread(target=_last_delta, args=(sandbox, chars, sent), daemon=True)
    prompt = f"%%chat\nsandbox: markdown {chars}\nsandbox: pace 100 {DELTA_CHARS}"
    try:
        with notebook_page(app, prompt, {}, {"XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY}) as page:
            clock.start()
            trace = Trace(page)
            watch(page, last=last)
            page.start_all()
            saw = seen(page)
            tasks = trace.tasks()
    finally:
        sandbox.close()
    late = next(f["t"] for f in saw.frames if f.get("complete")) - sent[0]
    lives = [f["t"] for f in saw.shown if f["live"]]
    live = [t for t in tasks if lives[0] < t.ended <= lives[-1]]
    return Round(late, live, [t for t in tasks if t.ended > lives[-1]])


def measure_plain(app: str, chars: int) -> list[Task]:
    """The tasks of the page when the same reply is shown at once as IPython's `Markdown`, without us."""
    cell = "import IPython.display\nIPython.display.Markdown(open('reply.md').read())"
    with notebook_page(app, cell, {"reply.md": answers.sample(chars)}, {}) as page:
        trace = Trace(page)
        page.start_all()
        page.wait()
        page.page.wait_for_selector("mjx-container", state="attached", timeout=60_000)  # it is loaded first
        page.page.wait_for_timeout(1500)
        return trace.tasks()


def _row(name: str, times: list[float], bound: float | None, worked: list[float] | None = None) -> tuple[str, bool]:
    """A line of the table, and whether its bound holds, if it has one."""
    held = bound is None or statistics.median(times) <= bound
    figures = " | ".join(f"{ms:.0f} ms" for ms in (min(times), statistics.median(times), max(times)))
    limit, verdict = ("", "") if bound is None else (f"{bound:.0f} ms", "PASS" if held else "FAIL")
    processor = f"{statistics.median(worked):.0f} ms" if worked else ""
    return f"| {name} | {figures} | {limit} | {processor} | {verdict} |", held


def _tasks_row(name: str, rounds: list[list[Task]], bound: float | None) -> tuple[str, bool]:
    return _row(name, [longest(r, "took") for r in rounds], bound, [longest(r, "worked") for r in rounds])


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chars", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="one round of 3,000 characters; bounds are not judged")
    options = parser.parse_args()
    chars, rounds = (3_000, 1) if options.quick else (options.chars, options.rounds)
    apps = ("lab", "notebook")
    found: dict[str, list[Round]] = {app: [] for app in apps}
    plain: dict[str, list[list[Task]]] = {app: [] for app in apps}
    for _ in range(rounds):
        for app in apps:  # in turn, so that a busy moment of the machine hits all
            found[app].append(measure(app, chars))
            plain[app].append(measure_plain(app, chars))
    print(f"| {chars:,} characters | min | median | max | bound | processor | |\n|---|--:|--:|--:|--:|--:|---|")
    held = True
    for app in apps:
        rows = (
            _row(f"{app}: whole after the last delta", [r.late for r in found[app]], SCREEN_BOUND_MS),
            _tasks_row(f"{app}: longest task while live", [r.live for r in found[app]], BLOCKED_BOUND_MS),
            _tasks_row(f"{app}: longest task once it has settled", [r.swap for r in found[app]], BLOCKED_BOUND_MS),
            _tasks_row(f"{app}: longest task of IPython's Markdown, for comparison", plain[app], None),
        )
        for line, within in rows:
            print(line)
            held &= within
    return int(not held and not options.quick)


if __name__ == "__main__":
    sys.exit(main())
