"""Markdown that grows: finished blocks are rendered once, only the unfinished end again and again.

Finished blocks are frozen into segments of about 4 kB; what follows is the tail. A frame costs what
its tail costs. The settled output is one authoritative render of the whole (`markup.to_html`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from xcyq_magic.display.markup import to_html

SEGMENT_CHARS = 4_000
_GROWTH = 0.03  # a tail is painted again once it grew by this part

_FENCE = re.compile(r"[ \t]*(?:[-*+>]|\d+[.)])?[ \t]*(?P<fence>`{3,}|~{3,})")
# A line that may belong to the block before it, even after a blank line.
_CONTINUES = re.compile(r"[ \t]|[-*+][ \t]|\d+[.)][ \t]|>|\[\^")


@dataclass(frozen=True)
class Frame:
    """What changed: segments to append, and the tail's HTML, None where it stays as it is."""

    frozen: tuple[str, ...] = ()
    tail: str | None = None


class StreamingMarkdown:
    """Renders Markdown while it comes. Without widgets, without a clock."""

    def __init__(self) -> None:
        self._tail = ""
        self._scanned = 0  # of the tail, up to the start of its last, incomplete line
        self._cut = 0  # where the last finished block of the tail ends
        self._fence = ""
        self._after_blank = False
        self._painted = 0  # characters of the tail that the last frame showed

    def feed(self, text: str) -> Frame:
        """Take in more text; returns what changed on the screen."""
        if not text:
            return Frame()
        self._tail += text
        self._scan()
        frozen: tuple[str, ...] = ()
        if self._cut >= SEGMENT_CHARS:
            frozen = (to_html(self._tail[: self._cut]),)
            self._tail = self._tail[self._cut :]
            self._scanned -= self._cut
            self._cut = self._painted = 0
        elif len(self._tail) < self._painted * (1 + _GROWTH):
            return Frame()
        self._painted = len(self._tail)
        return Frame(frozen, to_html(self._tail))

    def refresh(self) -> Frame:
        """Show what `feed` held back, for when nothing new comes."""
        if self._painted == len(self._tail):
            return Frame()
        self._painted = len(self._tail)
        return Frame(tail=to_html(self._tail))

    def _scan(self) -> None:
        """Look at the complete lines that came: where blocks end, and which fence is open."""
        while (end := self._tail.find("\n", self._scanned)) >= 0:
            line = self._tail[self._scanned : end]
            if self._fence:
                if line.strip().startswith(self._fence) and not line.strip().strip(self._fence[0]):
                    self._fence = ""
            elif not line.strip():
                self._after_blank = True
            else:
                if self._after_blank and not _CONTINUES.match(line):
                    self._cut = self._scanned
                self._after_blank = False
                if fence := _FENCE.match(line):
                    self._fence = fence["fence"]
            self._scanned = end + 1
