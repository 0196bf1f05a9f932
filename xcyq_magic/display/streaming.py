"""Markdown that grows: finished blocks are rendered once, only the unfinished end again and again.

A reply on its way is shown in parts. Segments are finished and stay; the last of them grows, block by
block; the tail is the block that is still being written, after a few that are not worth a message of
their own yet. A frame costs what its tail costs, and a long list, table, quotation or piece of code is
cut into pieces (`display.sections`). The settled output is one authoritative render of the whole
(`markup.to_html`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcyq_magic.display.gfm.blocks import BlockParser
from xcyq_magic.display.gfm.document import Document, html_of, last_leaf, last_path
from xcyq_magic.display.markup import safe
from xcyq_magic.display.sections import Piece, cut, sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.display.gfm.block import Block
    from xcyq_magic.display.gfm.references import Reference

# Of finished Markdown. A message costs a kilobyte besides what it brings: these make the sum smallest.
_SEGMENT_CHARS = 1_600
_MOVED_CHARS = 300
CUT_CHARS = 800  # a block longer than this is cut, where it can be
_GROWTH = 0.03  # a tail is painted again once it grew by this part, for each level that its end is nested
_OPEN_MATH_LINES = 100  # math that did not end by then is none

_ENDED_BY_A_BLANK_LINE = {"paragraph", "table"}
# The end of a line that may yet turn into marks, which are not shown: an entity, a tag, a footnote's label,
# a list's mark, a heading's line, a task's box, the definition of a link. It waits until it is known what it is.
_MARKS = r"^(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*"  # of the containers that a line stands in
_UNDECIDED = re.compile(
    r"&#?\w{0,31}$|</?[A-Za-z]{0,10}[ ]*/?$|<(?:details|summary)\b[^<>]*$|\[\^[^\]\s]{0,80}$"
    rf"|{_MARKS}\[[ xX]?\]?[ \t]*$"
    rf"|{_MARKS}\[[^\[\]]{{0,200}}(?:\](?::\s*\S*\s*(?:[\"'(].*)?)?)?$"
)
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")
_MARK_OR_LINE = re.compile(rf"{_MARKS}(?:\d{{1,9}}[.)]?|-+|=+)[ \t]*$")


@dataclass(frozen=True)
class Frame:
    """What changed on the screen.

    Attributes
    ----------
    segment, tail
        HTML of the last segment, and of what is below it; None where it stays as it is.
    closed
        Whether the segment is complete; the next one begins below it.
    """

    segment: str | None = None
    closed: bool = False
    tail: str | None = None


class StreamingMarkdown:
    """Renders Markdown while it comes, without widgets and without a clock."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._line_ends = 0
        self._structure = BlockParser()  # of all complete lines, because where a block begins depends on those above
        self._line = ""  # the last line, not complete yet
        self._tail = ""  # from the first block that is not finished
        self._half_line_end = ""
        self._piece = Piece()  # what of that block has been shown already
        self._references: dict[str, Reference] = {}  # defined in finished blocks
        self._finished: list[str] = []  # shown with the tail
        self._finished_chars = 0
        self._segment: list[str] = []
        self._segment_chars = 0
        self._painted = 0  # characters of the tail that the last frame showed
        self._depth = 1  # of what it showed last

    def feed(self, text: str) -> Frame:
        """Take in more text, and return what changed."""
        if not text:
            return Frame()
        self._pieces.append(text)
        text = self._half_line_end + text
        self._half_line_end = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
        self._tail += text
        *lines, self._line = (self._line + text).split("\n")
        self._line_ends += len(lines)
        for line in lines:
            self._structure.feed(line)
        if len(self._tail) < self._painted * (1 + _GROWTH * self._depth):
            return Frame()
        return self._paint()

    def refresh(self) -> Frame:
        """Return what `feed` held back, for when nothing new comes."""
        return Frame() if self._painted == len(self._tail) else self._paint()

    @property
    def finished_lines(self) -> int | None:
        """How many lines are finished; None if the end of these is within a block."""
        lines = self._line_ends - self._tail.count("\n")
        return None if self._piece.goes_on or not self._structure.is_between_blocks(lines) else lines

    def between(self, first: int, end: int) -> tuple[str, str]:
        """Return the HTML and the Markdown of finished lines, from number `first`, counted from 0, up to `end`.

        Either is where a block begins. Definitions and footnotes may yet come.
        """
        markdown = sources("".join(self._pieces), [first, end])[1]
        return safe(html_of(Document(markdown).blocks, self._references)), markdown

    def _paint(self) -> Frame:
        tail = self._read_tail()
        self._painted = len(self._tail)
        segment, closed = self._moved()
        return Frame(segment, closed, "".join([*self._finished, tail]))

    def _read_tail(self) -> str:
        """Take what is finished off the tail, and return the HTML of the rest."""
        self._tail = _BLANK_LINES.sub("", self._tail)
        document = _read(self._tail)
        finished = _finished(document)
        if finished:
            self._finish(document, finished)
        while len(self._tail) > CUT_CHARS and self._cut():
            document = _read(self._tail)
        self._depth = max(1, len(last_path(document.blocks)))
        return self._piece.framed(self._html(document.blocks, unfinished=True), goes_on=False)

    def _html(self, blocks: Sequence[Block], *, unfinished: bool = False) -> str:
        self._piece.continue_list(blocks)
        return safe(html_of(blocks, self._references, unfinished=unfinished))

    def _finish(self, document: Document, count: int) -> None:
        """Take the first blocks off the tail."""
        html = self._html(document.blocks[:count])
        document.blocks = document.blocks[count:]
        left = document.blocks[0].start if document.blocks else document.lines
        self._take(html, _from_line(self._tail, left), Piece())
        for label, reference in document.references.items():
            self._references.setdefault(label, reference)

    def _cut(self) -> bool:
        """Take the first part of a long block off the tail, if there is a place to cut it."""
        found = cut(self._tail, Document(self._tail), self._piece)
        if found is None:
            return False
        blocks, rest, piece = found
        self._take(self._html(blocks), rest, piece, goes_on=True)
        return True

    def _take(self, html: str, rest: str, piece: Piece, *, goes_on: bool = False) -> None:
        """Add `html` to what is finished, and leave `rest` of the tail, which goes on as `piece` says."""
        self._finished.append(self._piece.framed(html, goes_on=goes_on))
        self._finished_chars += len(self._tail) - len(rest)
        self._tail, self._piece = rest, piece

    def _moved(self) -> tuple[str | None, bool]:
        """Move what is finished to the segment, once it is worth it; return that, and whether it is complete."""
        if self._finished_chars < _MOVED_CHARS:
            return None, False
        self._segment += self._finished
        self._segment_chars += self._finished_chars
        self._finished, self._finished_chars = [], 0
        html = "".join(self._segment)
        closed = self._segment_chars >= _SEGMENT_CHARS
        if closed:
            self._segment, self._segment_chars = [], 0
        return html, closed


def finished_markdown(text: str) -> tuple[str, str]:
    """Return the blocks at the start of `text` that stay what they are whatever comes, and the rest."""
    document = _read(text)
    count = _finished(document)
    if not count:
        return "", text
    following = document.blocks[count].start if count < len(document.blocks) else document.lines
    rest = _from_line(text, following)
    return text[: len(text) - len(rest)], rest


def blocks_of(text: str) -> list[str]:
    """Return the text of each block."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)  # not splitlines, which splits at form feeds and U+2028 as well
    starts = [block.start - 1 for block in Document(text).blocks]
    return ["".join(lines[a:b]) for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _read(tail: str) -> Document:
    """Return what the tail is so far, less what may yet turn into marks."""
    line = tail.rfind("\n") + 1
    if tail.endswith("]:", 0, max(0, line - 1)):  # a definition may go on in the next line
        line = tail.rfind("\n", 0, line - 1) + 1
    decided = _MARK_OR_LINE.sub("", _UNDECIDED.sub("", tail[line:]))
    waiting = tail[line + len(decided) :]
    whole = Document(tail)
    leaf = last_leaf(whole.blocks)
    in_fence = leaf is not None and leaf.kind == "fence" and not leaf.closed
    in_indented = leaf is not None and leaf.kind == "indented" and not waiting.startswith("<")  # a summary may be
    if in_fence or in_indented or not waiting:
        return whole
    document = Document(tail[:line] + decided)
    document.lines = whole.lines
    return document


def _finished(document: Document) -> int:
    """Return how many blocks, from the first on, stay what they are whatever comes."""
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
    """Return `text` from a line on, whose number is counted from 1."""
    at = 0
    for _ in range(number - 1):
        at = text.index("\n", at) + 1
    return text[at:]
