"""Markdown that grows: finished blocks are rendered once, only the unfinished end again and again.

A reply on its way is shown in three parts. Segments are finished and stay; `recent` holds the blocks
that were finished since the last segment; the tail is the block that is still being written. A frame
costs what its tail costs, and a block that is itself huge is cut into pieces (`display.pieces`). The
settled output is one authoritative render of the whole (`markup.to_html`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcyq_magic.display.gfm.document import Document, html_of, last_leaf
from xcyq_magic.display.markup import safe, to_html
from xcyq_magic.display.pieces import Piece, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.display.gfm.blocks import Block
    from xcyq_magic.display.gfm.references import Reference

SEGMENT_CHARS = 1_500  # of finished Markdown
CUT_CHARS = 2_000  # a tail longer than this is cut, where it can be
_GROWTH = 0.03  # a tail is painted again once it grew by this part
_OPEN_MATH_LINES = 100  # math that did not end by then is none

_ENDED_BY_A_BLANK_LINE = {"paragraph", "table", "loop"}
# The end of a line that may yet turn into marks, which are not shown: an entity, a tag, a footnote's label,
# a list's number, a task's box, the definition of a link. It waits until it is known what it is.
_UNDECIDED = re.compile(
    r"&#?\w{0,31}$|</?[A-Za-z]{0,10}[ ]*/?$|<details[^<>]*$|\[\^[^\]\s]{0,80}\]?$"
    r"|^[ \t>*+-]*\d{1,9}[.)]?[ \t]*$"
    r"|^[ \t>*+\-\d.)]*[-*+.)][ \t]+\[[ xX]?\]?[ \t]*$"
    r"|^[ \t>*+\-\d.)]*\[[^\[\]]{0,200}(?:\](?::\s*\S*\s*(?:[\"'(].*)?)?)?$"
)


@dataclass(frozen=True)
class Frame:
    """What changed on the screen.

    Attributes
    ----------
    frozen
        HTML of segments to append.
    recent, tail
        HTML to show after the segments, one below the other; None where it stays as it is.
    """

    frozen: tuple[str, ...] = ()
    recent: str | None = None
    tail: str | None = None


class StreamingMarkdown:
    """Renders Markdown while it comes. Without widgets, without a clock."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._tail = ""  # from the first block that is not finished
        self._half_line_end = ""
        self._piece = Piece()  # what of that block has been shown already
        self._references: dict[str, Reference] = {}  # defined in finished blocks
        self._recent: list[str] = []
        self._recent_chars = 0
        self._painted = 0  # characters of the tail that the last frame showed

    def feed(self, text: str) -> Frame:
        """Take in more text; returns what changed."""
        if not text:
            return Frame()
        self._pieces.append(text)
        text = self._half_line_end + text
        self._half_line_end = "\r" if text.endswith("\r") else ""
        self._tail += text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
        if len(self._tail) < self._painted * (1 + _GROWTH):
            return Frame()
        return self._paint()

    def refresh(self) -> Frame:
        """Show what `feed` held back, for when nothing new comes."""
        return Frame() if self._painted == len(self._tail) else self._paint()

    def finish(self) -> str:
        """The whole, rendered once more: definitions and footnotes may have come after what refers to them."""
        return to_html("".join(self._pieces))

    def _paint(self) -> Frame:
        document = _read(self._tail)
        finished = _finished(document)
        if finished:
            self._finish(document, finished)
        pieces = 0
        while len(self._tail) > CUT_CHARS and self._cut():
            pieces += 1
        if pieces:
            document = _read(self._tail)
        changed = bool(finished or pieces)
        self._painted = len(self._tail)
        frozen = self._segment() if changed else ()
        tail = self._piece.framed(self._html(document.blocks, unfinished=True), goes_on=False)
        return Frame(frozen, "".join(self._recent) if changed else None, tail)

    def _html(self, blocks: Sequence[Block], *, unfinished: bool = False) -> str:
        self._piece.continue_numbers(blocks)
        return safe(html_of(blocks, self._references, unfinished=unfinished))

    def _finish(self, document: Document, count: int) -> None:
        """Move the first blocks of the tail to the recent ones."""
        html = self._html(document.blocks[:count])
        self._recent.append(self._piece.framed(html, goes_on=False))
        self._piece = Piece()
        document.blocks = document.blocks[count:]
        left = document.blocks[0].start if document.blocks else document.lines
        rest = _from_line(self._tail, left)
        self._recent_chars += len(self._tail) - len(rest)
        self._tail = rest
        for label, reference in document.references.items():
            self._references.setdefault(label, reference)

    def _cut(self) -> bool:
        """Move the first part of a huge block to the recent ones, if there is a place to cut it."""
        found = cut(self._tail, Document(self._tail), self._piece)
        if found is None:
            return False
        block, rest, piece = found
        self._recent.append(self._piece.framed(self._html([block]), goes_on=True))
        self._recent_chars += len(self._tail) - len(rest)
        self._tail, self._piece = rest, piece
        return True

    def _segment(self) -> tuple[str, ...]:
        if self._recent_chars < SEGMENT_CHARS:
            return ()
        segment = "".join(self._recent)
        self._recent.clear()
        self._recent_chars = 0
        return (segment,)


def _read(tail: str) -> Document:
    """What the tail is so far, less what may yet turn into marks."""
    line = tail.rfind("\n") + 1
    if tail.endswith("]:", 0, max(0, line - 1)):  # a definition may go on in the next line
        line = tail.rfind("\n", 0, line - 1) + 1
    undecided = _UNDECIDED.search(tail[line:])
    whole = Document(tail)
    if undecided is None:
        return whole
    leaf = last_leaf(whole.blocks)
    if leaf is not None and leaf.kind == "fence" and not leaf.closed:
        return whole
    if leaf is not None and leaf.kind == "indented" and not undecided[0].startswith("<"):  # a summary may be indented
        return whole
    document = Document(tail[: line + undecided.start()])
    document.lines = whole.lines
    return document


def _finished(document: Document) -> int:
    """How many blocks, from the first on, stay what they are whatever comes."""
    incomplete = document.lines  # the number of the line that is still being written
    math = document.open_math
    if math is not None and incomplete - math > _OPEN_MATH_LINES:
        math = None
    for n, block in enumerate(document.blocks):
        if math is not None and block.last_line >= math:
            return n
        following = document.blocks[n + 1] if n + 1 < len(document.blocks) else None
        # A table's second line may yet turn out to be none of a table.
        follows = following is not None and following.start + (following.kind == "table") < incomplete
        ended = block.kind in _ENDED_BY_A_BLANK_LINE and block.last_line + 1 < incomplete
        closed = (block.closed or block.kind in {"heading", "rule"}) and block.last_line < incomplete
        if not (follows or ended or closed):
            return n
    return len(document.blocks)


def _from_line(text: str, number: int) -> str:
    """`text` from its line with that number on."""
    at = 0
    for _ in range(number - 1):
        at = text.index("\n", at) + 1
    return text[at:]
