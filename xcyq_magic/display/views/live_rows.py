"""The live views of many cases: how far they are, and the last rows, or a mark for each answer of several models."""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from IPython.display import display, update_display

from xcyq_magic.display.caption import rows_line, score_text
from xcyq_magic.display.markup import attribute, escape
from xcyq_magic.display.settled_evaluation import evaluation_bundle, means
from xcyq_magic.display.settled_rows import label_of, latest_html, rows_bundle
from xcyq_magic.display.style import LIVE_STYLE, ROWS_STYLE, STYLE, body, quiet
from xcyq_magic.display.views.buttons import WidgetMaker, clicks_arrive, show_button

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ipywidgets as widgets

    from xcyq_magic.chat.evaluation import Evaluation
    from xcyq_magic.chat.rows import Row, Rows
    from xcyq_magic.display.bundle import Bundle
    from xcyq_magic.session.asking import Progress

_FRAME_S = 0.25  # many rows begin and end in a frame of the engine's, and nobody reads faster
_WINDOW = 40  # frames over which the rows of a second are counted: 10 s
_MOST_MARKS, _MOST_MARKS_IN_ALL = 100, 600  # of a model, and of all: what changes is sent anew four times a second
_HEIGHTS = "▁▂▃▄▅▆▇█"
_SIGNS = {"yes": "✓", "no": "✗", "scored": "▁ to █", "answered": "•", "failed": "!", "to come": "·"}
_CLASSES = {"yes": "xcyq-yes", "no": "xcyq-no", "scored": "xcyq-yes", "failed": "xcyq-bad"}
Found = TypeVar("Found")
_WHERE_THEY_ARE = "their answers were still coming when this was saved. Run the cell again: what came is kept."


class LiveTable(ABC, Generic[Found]):
    """A table that fills in a cell's output: live, then settled.

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
        self._output: widgets.VBox

    @abstractmethod
    def _bundle_of(self, found: Found) -> Bundle:
        """Return the settled output."""

    def settle(self, found: Found) -> None:
        """Replace the widgets on the screen by the static bundle; also for who interrupts again meanwhile."""
        try:
            self._replace(found)
        except KeyboardInterrupt:
            self._replace(found)
            raise

    def _replace(self, found: Found) -> None:
        settled = self._bundle_of(found)
        if self._display_id is None:
            display(settled, raw=True)
        else:
            update_display(settled, display_id=self._display_id, raw=True)
            self._made.leave([(self._output, settled["text/html"])])

    def close(self) -> None:
        """Close every widget, whatever became of the answers."""
        self._made.close()


class _GridView(LiveTable[Found]):
    """Answers to many cases in a cell's output: live, then settled."""

    def __init__(self, shell: Any, label: str = "", *, live: bool = True) -> None:  # noqa: ANN401  # ipykernel's
        super().__init__(shell, label, live=live)
        self._progress: Progress | None = None
        self._paces: deque[tuple[float, int]] = deque(maxlen=_WINDOW)

    @abstractmethod
    def _html_of(self, progress: Progress) -> str:
        """Return what stands below the bar, as HTML."""

    def paint(self, progress: Progress) -> None:
        """Show how far the answers are, unless that was done a moment ago; the first call opens the view."""
        now = time.monotonic()
        if not self._live or (now - self._painted < _FRAME_S and progress is self._progress):
            return
        if progress is not self._progress:  # what is asked now is something else, such as a judge
            self._progress = progress
            self._paces.clear()
        if self._display_id is None:
            self._open(progress)
        self._show(progress)
        self._painted = now

    def _open(self, progress: Progress) -> None:
        made = self._made
        self._status = made.lines()
        self._stop = made.stop(self._send_no_more, tooltip="Send nothing more and keep what came")
        self._rows = made.lines()
        top, style = made.line([self._status, self._stop]), made.lines(STYLE + LIVE_STYLE + ROWS_STYLE)
        self._output = made.output([top, style, self._rows])
        self._show(progress)
        self._display_id = uuid.uuid4().hex
        asked = f"{progress.outlook.rows:,} rows were asked at {time.strftime('%H:%M:%S')}"
        made.show(self._output, f"{asked}; {_WHERE_THEY_ARE}", self._display_id)

    def _send_no_more(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _show(self, progress: Progress) -> None:
        clickable = clicks_arrive(self._kernel)
        line = rows_line(progress, self._label, per_s=self._per_s(progress), clickable=clickable)
        self._status.value = quiet(line)
        show_button(self._stop, visible=clickable)
        self._rows.value = _bar_html(progress) + self._html_of(progress)

    def _per_s(self, progress: Progress) -> float | None:
        """Return how many answers end in a second now; None before that can be told."""
        self._paces.append((time.monotonic(), progress.done))
        (since, before), (until, now) = self._paces[0], self._paces[-1]
        return (now - before) / (until - since) if now > before else None


class RowsView(_GridView["Rows[Any]"]):
    """Many rows in a cell's output: the last of them while they come, then a table."""

    def _html_of(self, progress: Progress) -> str:
        return latest_html(progress.latest)

    def _bundle_of(self, found: Rows[Any]) -> Bundle:
        return rows_bundle(found, self._label)


class MatrixView(_GridView["Evaluation"]):
    """Models over cases in a cell's output: a mark for each answer while they come, then how each model did."""

    def _html_of(self, progress: Progress) -> str:
        return matrix_html(progress)

    def _bundle_of(self, found: Evaluation) -> Bundle:
        return evaluation_bundle(found, self._label)


def matrix_html(progress: Progress) -> str:
    """Return a line for each model: its score so far, and a mark for each case, or counts where they are many."""
    count = max(map(len, progress.rows.values()))
    marked = count <= _MOST_MARKS and count * len(progress.rows) <= _MOST_MARKS_IN_ALL
    said = _marks if marked else _counts
    scale = _scale_of(progress)
    lines = "".join(
        f"<tr><td>{escape(model)}</td><td>{escape(mean)}</td><td>{said(progress.rows[model], scale)}</td></tr>"
        for model, mean in means(progress)
    )
    each = {_kind(row) for rows in progress.rows.values() for row in rows}
    key = quiet(", ".join(f"{_SIGNS[kind]} {kind}" for kind in _SIGNS if kind in each)) if marked else ""
    return body(f'<table class="xcyq-rows xcyq-matrix"><tbody>{lines}</tbody></table>') + key


def _scale_of(progress: Progress) -> tuple[float, float]:
    """Return the least and the largest of the scores; 0 and 1 where all are between."""
    each = (r for rows in progress.rows.values() for r in rows)
    scores = [r.score for r in each if r is not None and r.score is not None]
    low, high = min(scores, default=0.0), max(scores, default=1.0)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _marks(rows: Sequence[Row[Any] | None], scale: tuple[float, float]) -> str:
    """Return a mark for each case, whose shape says as much as its colour."""
    return "".join(_mark(row, scale) for row in rows)


def _mark(row: Row[Any] | None, scale: tuple[float, float]) -> str:
    kind = _kind(row)
    sign, name = _SIGNS[kind], f' class="{_CLASSES[kind]}"' if kind in _CLASSES else ""
    if row is None or kind == "to come":
        return f"<i>{sign}</i>"
    said = kind
    if kind == "scored" and row.score is not None:
        (low, high), top = scale, len(_HEIGHTS) - 1
        sign = _HEIGHTS[round(top * (row.score - low) / (high - low)) if high > low else top // 2]
        said = score_text(row.score, is_share=False)
    return f'<i{name} title="{attribute(f"{label_of(row)}: {said}")}">{sign}</i>'


def _counts(rows: Sequence[Row[Any] | None], _: tuple[float, float]) -> str:
    """Return how many cases are how far."""
    counts = Counter(map(_kind, rows))
    return ", ".join(f"{counts[kind]:,} {kind}" for kind in _SIGNS if counts[kind])


def _kind(row: Row[Any] | None) -> str:
    if row is None or not row.asked:
        return "to come"
    if row.error is not None:
        return "failed"
    if row.score is None:
        return "answered"
    if isinstance(row.score, bool):
        return "yes" if row.score else "no"
    return "scored"


def _bar_html(progress: Progress) -> str:
    """Return a bar: what was answered, and what failed behind it."""
    of = progress.outlook.in_all
    parts = (progress.done - progress.failed, progress.failed)
    widths = "".join(f'<div style="width:{100 * part / of:.2f}%"></div>' for part in parts)
    values = f'aria-valuemin="0" aria-valuemax="{of}" aria-valuenow="{progress.done}"'
    return f'<div class="xcyq-progress" role="progressbar" aria-label="answers" {values}>{widths}</div>'
