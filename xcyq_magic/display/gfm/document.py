"""A document: its blocks, and the HTML of any of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Comment, Element

from markdown.serializers import to_html_string

from xcyq_magic.display.gfm.blocks import BlockParser
from xcyq_magic.display.gfm.references import Footnotes
from xcyq_magic.display.gfm.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xcyq_magic.display.gfm.block import Block
    from xcyq_magic.display.gfm.references import Reference

_NEXT = "section"
NEXT_SECTION = f"<!--{_NEXT}-->"  # in HTML; no reply can write it, for its "<" is escaped
_LINE_END = re.compile(r"\r\n?")
_NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")  # HTML has none of these


class Document:
    """A Markdown text, and the blocks that it consists of.

    Attributes
    ----------
    blocks
        From top to bottom.
    references
        What its ``[label]: url`` lines define.
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

    def element(self, sections: Sequence[int] = ()) -> Element:
        """Return all of it as a ``div``, the footnotes last.

        Parameters
        ----------
        sections
            Numbers of lines, from 0. Before the block that begins there stands the comment `NEXT_SECTION`.
        """
        root = Element("div")
        tree = Tree(self.references, Footnotes(_taken_footnotes(self.blocks)), unfinished=None)
        section = 0
        for block in self.blocks:
            while section < len(sections) and sections[section] < block.start:
                root.append(Comment(_NEXT))
                section += 1
            tree.fill(root, [block])
        root.extend(Comment(_NEXT) for _ in sections[section:])
        tree.append_footnotes(root)
        _end_lines(root)
        return root


def html_of(blocks: Sequence[Block], references: Mapping[str, Reference], *, unfinished: bool = False) -> str:
    """Return the HTML of blocks, which is not safe yet.

    Parameters
    ----------
    blocks
        Some blocks of a document.
    references
        What the document defines.
    unfinished
        Whether the last block is still being written.
    """
    root = Element("div")
    Tree(references, None, unfinished=last_leaf(blocks) if unfinished else None).fill(root, blocks)
    _end_lines(root)
    return to_html_string(root).removeprefix("<div>").removesuffix("</div>")


def _end_lines(root: Element) -> None:
    """Have a line end after each element: a notebook's file has a line for each block, for who compares versions."""
    for element in root:
        if isinstance(element.tag, str):  # no comment, whose tag is a function
            element.tail = "\n"


def last_leaf(blocks: Sequence[Block]) -> Block | None:
    """Return the innermost block that the end of the text stands in."""
    return path[-1] if (path := last_path(blocks)) else None


def last_path(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks that the end of the text stands in, from the outermost."""
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
