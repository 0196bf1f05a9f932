"""The structure of a document: containers and leaves, line by line.

The way of the CommonMark specification's appendix: each line first continues the blocks that are
open, then may open new ones, then adds its text to the innermost. Nothing is read twice, but for
math that never ends.
"""

from __future__ import annotations

from xcyq_magic.display.gfm import starts
from xcyq_magic.display.gfm.block import Block, Line
from xcyq_magic.display.gfm.references import Reference, take_definitions

# Containers within containers. What is nested deeper is text: no person indents that far, a looping model does.
_DEEPEST = 12

_LEAVES_WITH_LINES = ("paragraph", "table", "indented")
_VERBATIM = ("fence", "math")


class BlockParser:
    """Reads lines into blocks.

    Parameters
    ----------
    references
        Where to put what definitions define; a new mapping unless given.
    depth
        How many containers the document stands in, if it is a part of another.
    math
        Whether display math is read as such.

    Attributes
    ----------
    root
        The document, whole after `finish`.
    references
        What ``[label]: url`` lines define.
    open_math
        The number of the line where display math began that did not end; None if there is none.
    """

    def __init__(self, references: dict[str, Reference] | None = None, *, depth: int = 0, math: bool = True) -> None:
        self.root = Block("document")
        self.references = {} if references is None else references
        self._open = [self.root]
        self._depth = depth
        self._math = math
        self._number = 0
        self.open_math: int | None = None

    def feed(self, raw: str) -> None:
        """Take in the next line, without its end."""
        self._number += 1
        line = Line(raw)
        matched = 1
        while matched < len(self._open) and self._continues(self._open[matched], line):
            matched += 1
        last = self._open[matched - 1]
        if last.kind in _VERBATIM:
            self._verbatim(last, line)
            return
        ends = ""
        if "</" in raw:
            matched = self._end_tags(line, matched)
            ends = self._tags_at_end(line)
        if not (line.taken and line.blank):
            self._text(line, self._start_blocks(line, matched))
        for tag in starts.END_TAG.finditer(ends):
            if not self._ends(tag[1], len(self._open)) and self._open[-1].kind == "paragraph":
                self._open[-1].lines[-1] += tag[0]

    def is_between_blocks(self, line: int) -> bool:
        """Return whether no block of the document goes on across the start of a line, counted from 0."""
        for block in reversed(self.root.children):
            if block.start <= line:
                return block not in self._open and block.last_line <= line
        return True

    def finish(self) -> Block:
        """Close what is open, and return the document."""
        self._close_to(1)
        return self.root

    def _continues(self, block: Block, line: Line) -> bool:
        """Return whether an open block goes on with this line, and take its marks off the line."""
        kind = block.kind
        if kind == "quote":
            marked = line.take_quote_mark()
            block.end = self._number if marked else block.end
            return marked
        if kind in {"item", "footnote"}:
            if line.blank:
                return bool(block.children) or kind == "footnote"
            return line.take_indent(block.indent)
        if kind in {"paragraph", "table"}:
            return not line.blank
        if kind == "indented":
            return line.blank or line.indent >= starts.CODE_INDENT
        title_goes_on = kind == "summary" and not (line.blank and block.children)
        return title_goes_on or kind in {"list", "details", *_VERBATIM}

    def _end_tags(self, line: Line, matched: int) -> int:
        """Read the end tags that a line begins with, and return how many open blocks the rest belongs to."""
        while (tag := line.match(starts.END_TAG)) and self._ends(tag[1], matched):
            line.advance(len(tag[0]))
            line.taken = True
            matched = min(matched, len(self._open))  # of a title that has ended, nothing was open
        return matched

    def _tags_at_end(self, line: Line) -> str:
        """Take off a line, and return, the tags at its end that may end what is open, or what begins on it."""
        if not line.match(starts.BEGINS_DETAILS) and not any(b.kind == "details" for b in self._open):
            return ""
        return line.take_from_end(starts.TAGS_AT_END)

    def _ends(self, tag: str, matched: int) -> bool:
        """Close what an end tag ends, within the first `matched` blocks; return whether there is such a thing.

        A title may have ended before, with a blank line.
        """
        kind = tag.lower()
        for n in range(matched - 1, 0, -1):
            if self._open[n].kind == kind:
                self._open[n].end = self._number
                self._close_to(n)
                return True
            if kind == "summary" and self._open[n].kind == "details":
                return any(child.kind == kind for child in self._open[n].children[:1])
        return False

    def _verbatim(self, block: Block, line: Line) -> None:
        content = starts.end_of_fence(block.marker, line) if block.kind == "fence" else None
        ends = bool(content)
        if block.kind == "math":
            before = starts.end_of_math(block.marker, line.rest)
            ends = before is not None
            if before:
                block.lines.append(before)
        if ends:
            block.closed = True
            block.end = self._number
            self._close_to(len(self._open) - 1)
        else:
            block.lines.append(line.without_indent(block.indent))
            block.end = self._number

    def _start_blocks(self, line: Line, matched: int) -> int:
        """Open what begins on this line, and return how many open blocks the line belongs to."""
        while (container := self._open[matched - 1]).kind != "indented":
            deep = self._depth + sum(b.kind in starts.CONTAINERS for b in self._open[:matched]) >= _DEEPEST
            lazy = (matched < len(self._open) and self._open[-1].kind == "paragraph") or self._after_tag(container)
            begun = starts.begin(line, container, lazy=lazy, math=self._math, containers=not deep)
            if begun is None:
                break
            self._begin(begun, matched)
            matched = len(self._open)
            if begun.kind not in starts.CONTAINERS:
                break
        return matched

    def _after_tag(self, block: Block) -> bool:
        """Return whether the line before this one is a tag of details: without a blank line, no code begins there."""
        tags_alone = all(child.kind == "summary" for child in block.children)
        return block.kind == "details" and tags_alone and block.last_line == self._number - 1

    def _begin(self, begun: starts.Start, matched: int) -> None:
        self._close_to(matched)
        tip = self._open[-1]
        if begun.kind in {"heading", "table"} and begun.from_paragraph:
            self._from_paragraph(begun)
            return
        if tip.kind in _LEAVES_WITH_LINES:
            self._close_to(len(self._open) - 1)
        while self._open[-1].kind == "list" and (begun.kind != "item" or self._open[-1].marker != begun.marker):
            self._close_to(len(self._open) - 1)
        if begun.kind == "item" and self._open[-1].kind != "list":
            self._add(Block("list", self._number, marker=begun.marker, number=begun.number))
        titled = begun.kind == "summary" and begun.lines
        self._add(
            Block(
                begun.kind,
                self._number,
                self._number,
                children=[Block("paragraph", self._number, self._number, lines=[*begun.lines])] if titled else [],
                lines=list(begun.lines),
                marker=begun.marker,
                number=begun.number,
                indent=begun.indent,
                info=begun.info,
                closed=begun.closed,
            )
        )
        if begun.kind in {"heading", "rule"} or begun.closed:
            self._close_to(len(self._open) - 1)

    def _from_paragraph(self, begun: starts.Start) -> None:
        """Make a table's head of the last line of a paragraph, or a heading of all of it."""
        paragraph = self._open[-1]
        if begun.kind == "heading":
            take_definitions(paragraph.lines, self.references)
            if not paragraph.lines:
                self._append(*begun.lines)
                return
            paragraph.kind, paragraph.number, paragraph.end = "heading", begun.number, self._number
            self._close_to(len(self._open) - 1)
            return
        head = paragraph.lines.pop()
        table = Block("table", self._number - 1, self._number, lines=[head, *begun.lines])
        if paragraph.lines:
            paragraph.end = self._number - 2
            self._close_to(len(self._open) - 1)
        else:
            self._open.pop()
            self._open[-1].children.pop()
        self._add(table)

    def _text(self, line: Line, matched: int) -> None:
        """Add the rest of the line to the innermost block, or begin a paragraph with it."""
        if line.done:
            return
        if matched < len(self._open) and self._open[-1].kind == "paragraph" and not line.blank and not line.taken:
            self._append(line.rest.lstrip(" "))  # it goes on, lazily
            return
        self._close_to(matched)
        tip = self._open[-1]
        if tip.kind == "indented":
            tip.lines.append(line.without_indent(starts.CODE_INDENT))
            tip.end = tip.end if line.blank else self._number
        elif tip.kind in {"paragraph", "table"}:
            self._append(line.rest.lstrip(" "))
        elif tip.kind not in _VERBATIM and not line.blank:
            while self._open[-1].kind == "list":
                self._close_to(len(self._open) - 1)
            self._add(Block("paragraph", self._number, self._number, lines=[line.rest.lstrip(" ")]))

    def _append(self, text: str) -> None:
        self._open[-1].lines.append(text)
        self._open[-1].end = self._number

    def _add(self, block: Block) -> None:
        self._open[-1].children.append(block)
        self._open.append(block)

    def _close_to(self, count: int) -> None:
        """Leave `count` blocks open."""
        while len(self._open) > count:
            block = self._open.pop()
            if block.kind == "paragraph":
                take_definitions(block.lines, self.references)
                if not block.lines:
                    self._open[-1].children.pop()
            elif block.kind == "math" and not block.closed:
                self._without_math(block)

    def _without_math(self, block: Block) -> None:
        """Read the lines of math that never ended, and so was none, for what else they are."""
        self.open_math = block.start
        again = BlockParser(self.references, depth=self._depth + len(self._open), math=False)
        again._number = block.start - 1
        first = block.info if block.marker.startswith("\\end") else block.info[2:]
        for text in [block.info, *block.lines[bool(first.strip()) :]]:
            again.feed(text)
        children = self._open[-1].children
        children.pop()
        children += again.finish().children
