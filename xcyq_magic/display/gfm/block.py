"""A block of a document: a container with children, or a leaf with lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(eq=False)
class Block:
    """A container with children, or a leaf with lines.

    Attributes
    ----------
    kind
        ``document``, ``quote``, ``list``, ``item``, ``footnote``, ``details``; ``paragraph``, ``heading``,
        ``rule``, ``fence``, ``indented``, ``math``, ``table``, ``summary``.
    start, end
        Numbers of its first line and of its last that is not blank.
    marker
        What a list's items begin with (a bullet or a delimiter), or what ends a fence or math.
    number
        A list's first number (None for bullets), a heading's level.
    indent
        Columns that an item's content, or a fence, is indented by.
    info
        A fence's info string, a footnote's label, the first line of math; ``open`` of details.
    closed
        Whether a fence or math met its end.
    spread
        Whether a list is loose whatever is in it: it is the rest of one that is.
    """

    kind: str
    start: int = 0
    end: int = 0
    children: list[Block] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    marker: str = ""
    number: int | None = None
    indent: int = 0
    info: str = ""
    closed: bool = False
    spread: bool = False

    @property
    def last_line(self) -> int:
        """The last line with text, of it or of what it contains."""
        return max(self.end, self.children[-1].last_line if self.children else self.start)

    @property
    def loose(self) -> bool:
        """Whether a list's items are paragraphs: something in it stands apart by a blank line."""
        if self.spread:
            return True
        groups = [self.children, *(item.children for item in self.children)]
        return any(after.start > before.last_line + 1 for g in groups for before, after in pairwise(g))
