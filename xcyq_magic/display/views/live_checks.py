"""The live view of a check: a row for each pool, which fills."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from xcyq_magic.display.settled_checks import checks_bundle, checks_html, checks_line
from xcyq_magic.display.style import COMPARISON_STYLE, LIVE_STYLE, STYLE, quiet
from xcyq_magic.display.views.buttons import clicks_arrive, show_button
from xcyq_magic.display.views.live_rows import LiveTable

if TYPE_CHECKING:
    from xcyq_magic.chat.checks import CheckReport
    from xcyq_magic.display.bundle import Bundle
    from xcyq_magic.session.checking import CheckProgress

_FRAME_S = 0.25  # as for many rows
_CHARS_PER_S = 100_000  # of a table that is sent anew: that of 45 pools is nearly as long


class ChecksView(LiveTable["CheckReport"]):
    """A check of pools in a cell's output: live, then settled."""

    def __init__(self, shell: Any, label: str = "", *, live: bool = True) -> None:  # noqa: ANN401  # ipykernel's
        super().__init__(shell, label, live=live)
        self._shown = ""

    def _bundle_of(self, found: CheckReport) -> Bundle:
        return checks_bundle(found, self._label)

    def paint(self, progress: CheckProgress) -> None:
        """Show how far the check is, unless that was done a moment ago; the first call opens the view."""
        now = time.monotonic()
        if not self._live or now - self._painted < max(_FRAME_S, len(self._shown) / _CHARS_PER_S):
            return
        if self._display_id is None:
            self._open(progress)
        self._show(progress)
        self._painted = now

    def _open(self, progress: CheckProgress) -> None:
        made = self._made
        self._status = made.lines()
        self._stop = made.stop(progress.stop, tooltip="Send nothing more and keep what came")
        self._table = made.lines()
        top, style = made.line([self._status, self._stop]), made.lines(STYLE + LIVE_STYLE + COMPARISON_STYLE)
        self._output = made.output([top, style, self._table])
        self._show(progress)
        self._display_id = uuid.uuid4().hex
        asked = f"{len(progress.pools):,} pools were checked at {time.strftime('%H:%M:%S')}"
        still = "their answers were still coming when this was saved. Run the cell again."
        made.show(self._output, f"{asked}; {still}", self._display_id)

    def _show(self, progress: CheckProgress) -> None:
        clickable = clicks_arrive(self._kernel)
        self._status.value = quiet(checks_line(progress, self._label, clickable=clickable))
        show_button(self._stop, visible=clickable)
        table = checks_html(progress.report, coming=True)
        if table != self._shown:  # of many pools it is long, and most frames bring nothing new
            self._table.value = self._shown = table
