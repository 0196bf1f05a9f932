"""The live view of many rows: how far they are, and the last of them."""

from __future__ import annotations

import time
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any

from IPython.display import display, update_display

from xcyq_magic.display.caption import rows_line
from xcyq_magic.display.settled_rows import latest_html, rows_bundle
from xcyq_magic.display.style import LIVE_STYLE, ROWS_STYLE, STYLE, quiet
from xcyq_magic.display.views.buttons import WidgetMaker, clicks_arrive, show_button

if TYPE_CHECKING:
    from xcyq_magic.chat.rows import Rows
    from xcyq_magic.session.asking import Progress

_FRAME_S = 0.25  # many rows begin and end in a frame of the engine's, and nobody reads faster
_WINDOW = 40  # frames over which the rows of a second are counted: 10 s
_WHERE_THEY_ARE = "their answers were still coming when this was saved. Run the cell again: what came is kept."


class RowsView:
    """Many rows in a cell's output: live, then settled.

    Parameters
    ----------
    shell
        The IPython shell, to know whether a click can reach the kernel while the cell runs.
    label
        A word for the caption, such as ``sandbox``.
    live
        Whether updates are seen; otherwise only the settled output is shown, once.
    """

    def __init__(self, shell: Any, label: str = "", *, live: bool = True) -> None:  # noqa: ANN401  # ipykernel's
        self._kernel = getattr(shell, "kernel", None)
        self._label = label
        self._live = live
        self._made = WidgetMaker()
        self._display_id: str | None = None
        self._painted = 0.0
        self._paces: deque[tuple[float, int]] = deque(maxlen=_WINDOW)

    def paint(self, progress: Progress) -> None:
        """Show how far the rows are, unless that was done a moment ago; the first call opens the view."""
        now = time.monotonic()
        if not self._live or now - self._painted < _FRAME_S:
            return
        if self._display_id is None:
            self._open(progress)
        self._show(progress)
        self._painted = now

    def _open(self, progress: Progress) -> None:
        made = self._made
        self._status = made.lines()
        self._stop = made.stop(progress.stop, tooltip="Send nothing more and keep what came")
        self._rows = made.lines()
        top, style = made.line([self._status, self._stop]), made.lines(STYLE + LIVE_STYLE + ROWS_STYLE)
        self._output = made.output([top, style, self._rows])
        self._show(progress)
        self._display_id = uuid.uuid4().hex
        asked = f"{progress.outlook.rows:,} rows were asked at {time.strftime('%H:%M:%S')}"
        made.show(self._output, f"{asked}; {_WHERE_THEY_ARE}", self._display_id)

    def _show(self, progress: Progress) -> None:
        clickable = clicks_arrive(self._kernel)
        line = rows_line(progress, self._label, per_s=self._per_s(progress), clickable=clickable)
        self._status.value = quiet(line)
        show_button(self._stop, visible=clickable)
        self._rows.value = _bar_html(progress) + latest_html(progress.latest)

    def _per_s(self, progress: Progress) -> float | None:
        """Return how many rows end in a second now; None before that can be told."""
        self._paces.append((time.monotonic(), progress.done))
        (since, before), (until, now) = self._paces[0], self._paces[-1]
        return (now - before) / (until - since) if now > before else None

    def settle(self, rows: Rows[Any]) -> None:
        """Replace the widgets on the screen by the static bundle; also for who interrupts again meanwhile."""
        try:
            self._replace(rows)
        except KeyboardInterrupt:
            self._replace(rows)
            raise

    def _replace(self, rows: Rows[Any]) -> None:
        settled = rows_bundle(rows, self._label)
        if self._display_id is None:
            display(settled, raw=True)
        else:
            update_display(settled, display_id=self._display_id, raw=True)
            self._made.leave([(self._output, settled["text/html"])])

    def close(self) -> None:
        """Close every widget, whatever became of the rows."""
        self._made.close()


def _bar_html(progress: Progress) -> str:
    """Return a bar: what was answered, and what failed behind it."""
    of = progress.outlook.rows
    parts = (progress.done - progress.failed, progress.failed)
    widths = "".join(f'<div style="width:{100 * part / of:.2f}%"></div>' for part in parts)
    said = (
        f'role="progressbar" aria-label="rows" aria-valuemin="0" aria-valuemax="{of}" aria-valuenow="{progress.done}"'
    )
    return f'<div class="xcyq-progress" {said}>{widths}</div>'
