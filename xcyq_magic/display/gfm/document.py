"""A document: its blocks, and the HTML of any of them."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from markdown.serializers import to_html_string

from xcyq_magic.display.gfm.blocks import BlockParser
from xcyq_magic.display.gfm.references import Footnotes
from xcyq_magic.display.gfm.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xcyq_magic.display.gfm.block import Block
    from xcyq_magic.display.gfm.references import Reference

_LINE_END = re.compile(r"\r\n?")
_NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")  # HTML has none of these


class Document:
    """Markdown, read.

    Attributes
    ----------
    blocks
        What it consists of, from top to bottom.
    references
        What its ``[label]: address`` lines define.
    lines
        How many lines it has; the last one may not be complete yet.
    open_math
        The number of the line where display math began that did not end; None if there is none.
    """

    def __init__(self, source: str) -> None:
        parser = BlockParser()
        text = _LINE_END.sub("\n", _NO_CHARACTER.sub("\ufffd", source))
        for line in text.removesuffix("\n").split("\n"):
            parser.feed(line)
        self.blocks = parser.finish().children
        self.references = parser.references
        self.lines = text.count("\n") + 1
        self.open_math = parser.open_math

    def html(self, lines: Sequence[int] = ()) -> list[str]:
        """All of it as HTML that is not safe yet, in one or more sections; the last has the footnotes at its end.

        Parameters
        ----------
        lines
            The numbers of lines, from 0, with whose blocks the second section and those after it begin.
        """
        footnotes = Footnotes(_taken_footnotes(self.blocks))
        tree = Tree(self.references, footnotes, unfinished=None)
        sections = [Element("div") for _ in range(len(lines) + 1)]
        for block in self.blocks:
            tree.fill(sections[bisect_right(lines, block.start - 1)], [block])
        tree.append_footnotes(sections[-1])
        return [_inner_html(section) for section in sections]


def html_of(blocks: Sequence[Block], references: Mapping[str, Reference], *, unfinished: bool = False) -> str:
    """Blocks as HTML that is not safe yet; with `unfinished`, as what is still being written."""
    root = Element("div")
    Tree(references, None, unfinished=last_leaf(blocks) if unfinished else None).fill(root, blocks)
    return _inner_html(root)


def _inner_html(root: Element) -> str:
    for element in root:
        element.tail = "\n"  # a notebook's file has a line for each block, for who compares versions of it
    return to_html_string(root).removeprefix("<div>").removesuffix("</div>")


def last_leaf(blocks: Sequence[Block]) -> Block | None:
    """The block that the end of the text stands in."""
    return path[-1] if (path := last_path(blocks)) else None


def last_path(blocks: Sequence[Block]) -> list[Block]:
    """The blocks that the end of the text stands in, from the outermost."""
    path = []
    while blocks:
        path.append(blocks[-1])
        blocks = blocks[-1].children
    return path


def _taken_footnotes(blocks: list[Block]) -> list[Block]:
    """Take the footnotes out of `blocks` and what these contain."""
    found = []
    for block in blocks:
        if block.kind == "footnote":
            found.append(block)
        found += _taken_footnotes(block.children)
    blocks[:] = [b for b in blocks if b.kind != "footnote"]
    return found
