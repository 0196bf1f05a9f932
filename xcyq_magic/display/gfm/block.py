"""What a document is made of: lines that are read column by column, and blocks, with children or with lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TAB = 4
_SPACES = re.compile(" *")
# Where tabs stand for structure: indentation and the gaps after marks. Later ones are text.
_LEAD = re.compile(r"[ \t>*+\-\d.)]*")


class Line:
    """A cursor over a line, whose leading tabs count as the columns that they stand for.

    Attributes
    ----------
    taken
        Whether a new block began on this line.
    done
        Whether all of it has been read.
    """

    def __init__(self, raw: str) -> None:
        self._raw = raw
        lead = _LEAD.match(raw)
        end = lead.end() if lead else 0
        self._text = raw[:end].expandtabs(TAB) + raw[end:] if "\t" in raw[:end] else raw
        self._at = 0
        self.taken = False
        self.done = False

    @property
    def rest(self) -> str:
        """What has not been read."""
        return self._text[self._at :]

    @property
    def blank(self) -> bool:
        """Whether nothing but white space is left."""
        return self._next_character() == len(self._text)

    @property
    def indent(self) -> int:
        """Spaces before the next character."""
        return self._next_character() - self._at

    def _next_character(self) -> int:
        found = _SPACES.match(self._text, self._at)
        return found.end() if found else self._at

    def advance(self, columns: int) -> None:
        """Take that many columns as read."""
        self._at = min(len(self._text), self._at + columns)

    def take_indent(self, columns: int) -> bool:
        """Read that many spaces; return False, and read nothing, if they are not there."""
        if self.indent < columns:
            return False
        self.advance(columns)
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return the match of `pattern` with what has not been read, which stays unread."""
        return pattern.match(self._text, self._at)

    def take_from_end(self, pattern: re.Pattern[str]) -> str:
        """Take what `pattern` finds off the end of the line, and return it."""
        found = pattern.search(self._text, self._at)
        if found is None:
            return ""
        self._text = self._text[: found.start()]
        return found[0]

    def take_quote_mark(self) -> bool:
        """Read ``>`` and one space after it; return False, and read nothing, if it is not there."""
        indent = self.indent
        if indent >= TAB or self._text[self._at + indent : self._at + indent + 1] != ">":
            return False
        self.advance(indent + 1)
        if self._text[self._at : self._at + 1] == " ":
            self.advance(1)
        return True

    def without_indent(self, columns: int) -> str:
        """Return the rest as code, less up to `columns` spaces; its tabs stay tabs."""
        at = self._at + min(columns, self.indent)
        column = 0
        for n, character in enumerate(self._raw[: at + 1]):
            if column == at:
                return self._raw[n:]
            if column > at:
                break  # amid a tab
            column += TAB - column % TAB if character == "\t" else 1
        return self._text[at:]


@dataclass(eq=False)
class Block:
    """A container with children, or a leaf with lines.

    Attributes
    ----------
    kind
        ``document``, ``quote``, ``list``, ``item``, ``footnote``, ``details``, ``summary``; ``paragraph``, ``heading``,
        ``rule``, ``fence``, ``indented``, ``math``, ``table``.
    start, end
        Numbers of its first line and of its last that is not blank; a container's last is one with a mark or tag of it.
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
    def is_math(self) -> bool:
        """Whether it is math, also as GitHub's fence for it."""
        return self.kind == "math" or (self.kind == "fence" and self.info == "math")

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
        return any(start > end + 1 for g in groups for (_, end), (start, _) in pairwise(_spans(g)))


def _spans(blocks: Sequence[Block]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last line of each block; of details, of each tag and of each block within."""
    for block in blocks:
        if block.kind in {"details", "summary"}:
            yield block.start, block.start
            yield from _spans(block.children)
            yield block.last_line, block.last_line
        else:
            yield block.start, block.last_line
