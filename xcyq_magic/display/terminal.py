"""The view of a terminal: text as it comes."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

from xcyq_magic.display.bundle import picture_lines
from xcyq_magic.display.caption import advice, asked, completion_caption, failure_caption, joined, rows_line
from xcyq_magic.display.markup import plain_line, without_controls
from xcyq_magic.display.settled_checks import checks_bundle, checks_line
from xcyq_magic.display.settled_comparison import summary_markdown
from xcyq_magic.display.settled_evaluation import evaluation_bundle, means
from xcyq_magic.display.settled_rows import rows_bundle
from xcyq_magic.errors import XcyqError, encodable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcyq_magic.chat.checks import CheckReport
    from xcyq_magic.chat.comparison import Comparison
    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.conversation import Turn
    from xcyq_magic.chat.evaluation import Evaluation
    from xcyq_magic.chat.rows import Rows
    from xcyq_magic.display.rich_terminal import ColouredText
    from xcyq_magic.gateway.retries import Retry
    from xcyq_magic.session.asking import Progress
    from xcyq_magic.session.checking import CheckProgress
    from xcyq_magic.session.live import LiveReply
    from xcyq_magic.session.turn import Outcome

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_LINE_ANEW = "\r\x1b[2K"
_CLOCK_S = 1.0


class TerminalView:
    """Writes one reply to the terminal as it comes.

    Parameters
    ----------
    label
        A word for its caption.
    colours
        The shell's theme, such as ``linux`` or ``lightbg``.
    """

    def __init__(self, label: str = "", colours: str = "nocolor") -> None:
        self._label = label
        self._text = _text_of(colours)
        self._shown = 0
        self._said_thinking = False
        self._retry_said: Retry | None = None
        self._instead_said = ""

    def paint(self, replies: Sequence[LiveReply]) -> None:
        """Write what came since the last frame."""
        builder, retry = replies[0].builder, replies[0].retry
        if retry is not None and retry is not self._retry_said:
            self._retry_said = retry
            dim(f"{replies[0].model}: {retry}")
        if (instead := replies[0].instead_of) != self._instead_said:
            self._instead_said = instead
            dim(asked(replies[0].model, instead))
        if builder.reasoning_pieces and not builder.text_pieces and not self._said_thinking:
            self._said_thinking = True
            dim("thinking …")
        pieces = replies[0].shown[self._shown :]
        self._shown += len(pieces)
        if pieces:
            self._text.write("".join(pieces))

    def settle(self, outcome: Outcome) -> None:
        """End the text, and write how it ended."""
        self.end(outcome.reply, outcome.completion)

    def end(self, reply: LiveReply, completion: Completion | None) -> None:
        """End the text of `reply`, and write how it ended; `completion` is what came of it."""
        self.paint([reply])
        self._text.finish()
        caption = (
            completion_caption(completion, self._label)
            if completion is not None
            else failure_caption(reply, self._label)
        )
        next_step = advice(completion) if completion is not None else None
        shown = picture_lines(completion.images) if completion is not None else []
        for line in (*shown, *reply.notices, caption, *([next_step] if next_step else [])):
            dim(line)

    def close(self) -> None:
        """Do nothing: in a terminal, nothing stays open."""


class TerminalColumns:
    """Writes the replies of a comparison one after another, although they come at once, and a table at the end.

    Parameters
    ----------
    label
        A word for the captions.
    colours
        The shell's theme, such as ``linux`` or ``lightbg``.
    diff
        Whether to write what differs.

    Attributes
    ----------
    kept
        The column that was chosen; None, for nothing can be clicked here.
    """

    def __init__(self, label: str = "", colours: str = "nocolor", *, diff: bool = False) -> None:
        self.kept: int | None = None
        self._label = label
        self._colours = colours
        self._diff = diff
        self._replies: list[LiveReply] = []
        self._column: TerminalView | None = None
        self._ended = 0
        self._said_judging = False

    def paint(self, replies: Sequence[LiveReply]) -> None:
        """Write what came of the reply whose turn it is, and of the next ones once it has ended."""
        self._replies = self._replies or list(replies)
        while self._ended < len(self._replies):
            reply = self._replies[self._ended]
            if self._column is None:
                self._column = TerminalView(self._label, self._colours)
                self._write(f"## {reply.name}\n")
                write("\n")
            self._column.paint([reply])
            if not reply.ended:
                return
            self._end(self._column, reply)
        if len(replies) > len(self._replies) and not self._said_judging:
            self._said_judging = True
            dim(f"{replies[-1].model} judges …")

    def _end(self, column: TerminalView, reply: LiveReply) -> None:
        column.end(reply, reply.completion)
        if isinstance(reply.error, XcyqError):
            for line in filter(None, (reply.error.message, reply.error.hint)):
                dim(line)
        self._column = None
        self._ended += 1

    def settle(self, comparison: Comparison, kept: Turn | None = None) -> None:  # noqa: ARG002  # as `ColumnsView`
        """Write what is left, and the table."""
        self.paint(self._replies)
        self._write(summary_markdown(comparison, diff=self._diff) + "\n")

    def _write(self, markdown: str) -> None:
        """Write Markdown of ours, set apart from what stands above it."""
        write("\n")
        text = _text_of(self._colours)
        text.write(markdown)
        text.finish()

    def close(self) -> None:
        """Do nothing: in a terminal, nothing stays open."""


class _LineAnew:
    """A line on how far something is, written anew as it goes on.

    Parameters
    ----------
    label
        A word for the line.
    """

    def __init__(self, label: str = "") -> None:
        self._label = label
        self._painted = 0.0

    def _write_anew(self, line_of: Callable[[], str]) -> None:
        """Write the line, at most once a second; nothing where each would be a line of its own, as in a file."""
        now = time.monotonic()
        if not sys.stdout.isatty() or now - self._painted < _CLOCK_S:
            return
        self._painted = now
        line = encodable(plain_line(line_of()))
        width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be written anew
        self._begin_line(f"{_DIM}{line[:width]}{_PLAIN}")

    def close(self) -> None:
        """Take the line away, if it is there."""
        if self._painted:
            self._painted = 0.0
            self._begin_line("")

    def _begin_line(self, text: str) -> None:
        sys.stdout.write(f"{_LINE_ANEW}{text}")
        sys.stdout.flush()


class TerminalRows(_LineAnew):
    """Writes how far many rows are, and a table at the end."""

    def paint(self, progress: Progress) -> None:
        """Write the line anew."""
        self._write_anew(lambda: rows_line(progress, self._label, clickable=False))

    def settle(self, rows: Rows[Any]) -> None:
        """Write the table in the place of the line."""
        self.close()
        write(rows_bundle(rows, self._label)["text/plain"] + "\n")


class TerminalMatrix(_LineAnew):
    """Writes how far several models are with many cases, and their scores; at the end, tables.

    Parameters
    ----------
    label
        A word for the line.
    colours
        The shell's theme, such as ``linux`` or ``lightbg``.
    """

    def __init__(self, label: str = "", colours: str = "nocolor") -> None:
        super().__init__(label)
        self._colours = colours

    def paint(self, progress: Progress) -> None:
        """Write the line anew."""
        self._write_anew(lambda: self._line(progress))

    def _line(self, progress: Progress) -> str:
        scores = (f"{model} {mean}" for model, mean in means(progress) if mean)
        return joined(", ".join(scores), rows_line(progress, self._label, clickable=False))

    def settle(self, evaluation: Evaluation) -> None:
        """Write the tables in the place of the line."""
        self.close()
        text = _text_of(self._colours)
        text.write(evaluation_bundle(evaluation, self._label)["text/plain"] + "\n")
        text.finish()


class TerminalChecks(_LineAnew):
    """Writes how far a check of pools is, and a table at the end."""

    def paint(self, progress: CheckProgress) -> None:
        """Write the line anew."""
        self._write_anew(lambda: checks_line(progress, self._label, clickable=False))

    def settle(self, report: CheckReport) -> None:
        """Write the table in the place of the line."""
        self.close()
        write(checks_bundle(report, self._label)["text/plain"] + "\n")


def write(text: str) -> None:
    """Write text whose control characters are not trusted."""
    sys.stdout.write(encodable(without_controls(text)))
    sys.stdout.flush()


def dim(line: str) -> None:
    """Write a line of ours beside a reply, dimmed."""
    before, after = (_DIM, _PLAIN) if sys.stdout.isatty() else ("", "")
    sys.stdout.write(f"{before}{encodable(plain_line(line))}{after}\n")
    sys.stdout.flush()


class PlainText:
    """Writes Markdown as it was written, as it comes."""

    def __init__(self) -> None:
        self._at_line_start = True

    def write(self, text: str) -> None:
        """Write more of it."""
        write(text)
        self._at_line_start = text.endswith("\n")

    def finish(self) -> None:
        """End its last line."""
        if not self._at_line_start:
            self.write("\n")


def _text_of(colours: str) -> PlainText | ColouredText:
    """Return what writes text: coloured where the terminal can, rich is installed, and the user did not say no."""
    theme = colours.lower()
    no_colours = theme == "nocolor" or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if no_colours or not sys.stdout.isatty():
        return PlainText()
    try:
        from xcyq_magic.display.rich_terminal import ColouredText  # noqa: PLC0415  # an extra
    except ModuleNotFoundError:
        return PlainText()
    return ColouredText(light=theme == "lightbg")
