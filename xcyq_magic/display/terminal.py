"""The view of a terminal: text as it comes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from xcyq_magic.display.caption import advice, completion_caption, failure_caption
from xcyq_magic.display.plain import without_controls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.gateway.retries import Retry
    from xcyq_magic.live import LiveReply
    from xcyq_magic.turn import Outcome

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class TerminalView:
    """Writes one reply to the terminal; `label` is a word for its caption."""

    def __init__(self, label: str = "") -> None:
        self._label = label
        self._shown = 0
        self._said_thinking = False
        self._retry_said: Retry | None = None
        self._at_line_start = True

    def paint(self, replies: Sequence[LiveReply]) -> None:
        """Write what came since the last frame."""
        builder, retry = replies[0].builder, replies[0].retry
        if retry is not None and retry is not self._retry_said:
            self._retry_said = retry
            self._dim(f"{replies[0].model}: {retry}")
        if builder.reasoning_pieces and not builder.text_pieces and not self._said_thinking:
            self._said_thinking = True
            self._dim("thinking …")
        pieces = builder.text_pieces[self._shown :]
        self._shown += len(pieces)
        self._write("".join(pieces))

    def settle(self, outcome: Outcome) -> None:
        """End the text, and say how it ended."""
        self.paint([outcome.reply])
        if not self._at_line_start:
            self._write("\n")
        completion = outcome.completion
        caption = (
            completion_caption(completion, self._label) if completion else failure_caption(outcome.reply, self._label)
        )
        next_step = advice(completion) if completion else None
        for line in (*outcome.reply.notices, caption, *([next_step] if next_step else [])):
            self._dim(line)

    def close(self) -> None:
        """Nothing stays open in a terminal."""

    def _write(self, text: str) -> None:
        if text:
            sys.stdout.write(without_controls(text))
            sys.stdout.flush()
            self._at_line_start = text.endswith("\n")

    def _dim(self, line: str) -> None:
        before, after = (_DIM, _PLAIN) if sys.stdout.isatty() else ("", "")
        sys.stdout.write(f"{before}{without_controls(line)}{after}\n")
        sys.stdout.flush()
