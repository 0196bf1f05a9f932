"""Where growing Markdown is cut: a long reply into sections, a long block into pieces.

A section is an output of its own. A page lays out and typesets an output in one go: 100 kB in one output block the page
for half a second and more when the live view gives way to the settled one. So a long reply settles section by section
while the rest of it still comes.

A piece is what a live view shows of a block that has not ended: each frame renders what is not cut off yet.
"""

from __future__ import annotations

import itertools
import re
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xcyq_magic.display.gfm.document import Document, last_leaf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.display.gfm.block import Block

FIRST_CHARS = 6_000  # of a section; most replies have one
_FURTHER_CHARS = 5_000  # the more there is on the page, the longer it takes to put something into it
_OF_WHAT_CAME = 10  # JupyterLab shows 50 outputs of a cell at most: the sections of a very long reply are longer
ENDLESS_CHARS = 5_000  # of a block that has no place where it can be cut: then it is cut anywhere
_KEPT_CHARS = 500  # of an endless line, for what is still open in it
_LINE_END = re.compile(r"\r\n?|\n")


# Sections


@dataclass(frozen=True)
class Sections:
    """Where the sections of a reply begin, and what their outputs have in common.

    Attributes
    ----------
    lines
        The numbers of lines, from 0, with which the second section and those after it begin.
    id
        Of the reply whose outputs these are.
    html
        Of the first sections, those that have been rendered.
    """

    lines: tuple[int, ...] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    html: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.lines) + 1


def is_long_enough(chars: int, before: int) -> bool:
    """Return whether a section of `chars` characters is long enough, if there are `before` in those above it."""
    return chars >= (max(_FURTHER_CHARS, before // _OF_WHAT_CAME) if before else FIRST_CHARS)


def sources(text: str, lines: Sequence[int]) -> list[str]:
    """Return the text of each section, which begin with these lines, counted from 0: together, they are `text`."""
    ends = [0, *(found.end() for found in _LINE_END.finditer(text))] if lines else [0]
    at = [0, *(ends[min(line, len(ends) - 1)] for line in lines), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(at)]


# Pieces


@dataclass(frozen=True)
class Piece:
    """How a tail goes on with a block whose beginning is shown already; by default it does not.

    Attributes
    ----------
    goes_on
        Whether it does.
    number, loose
        The number of its first item, and whether its items stand apart, if it is a list.
    """

    goes_on: bool = False
    number: int | None = None
    loose: bool = False

    def continue_list(self, blocks: Sequence[Block]) -> None:
        """Make the first of `blocks` look like the rest of the list that it is."""
        if self.goes_on and blocks and blocks[0].kind == "list":
            blocks[0].number = blocks[0].number if self.number is None else self.number
            blocks[0].spread = self.loose

    def framed(self, html: str, *, goes_on: bool) -> str:
        """Return `html` marked as what follows a piece, and is followed by another; for `display.style`."""
        classes = " ".join(["xcyq-from-above"] * self.goes_on + ["xcyq-goes-on"] * goes_on)
        return f'<div class="{classes}">{html}</div>' if classes else html


def cut(tail: str, document: Document, piece: Piece) -> tuple[list[Block], str, Piece] | None:
    """Cut the tail's block in two.

    Parameters
    ----------
    tail
        The Markdown that is still being written.
    document
        What it is so far.
    piece
        How its first block goes on with what is shown already.

    Returns
    -------
    tuple or None
        The first part, the Markdown of the rest, and how that goes on; None if there is no place to cut.
    """
    if len(document.blocks) != 1:
        return None
    block = document.blocks[0]
    found = None
    if block.kind == "fence" and not block.closed and not block.is_math:
        found = _cut_lines(tail, block, head=1)
    elif block.kind == "table":
        found = _cut_lines(tail, block, head=2)
    elif block.kind in {"list", "quote"}:
        found = _cut_children(tail, document.lines, block, piece)
    if found is None and len(tail) > ENDLESS_CHARS:
        found = _cut_anywhere(tail, document)
    return found if found and len(found[1]) < len(tail) else None


def _cut_lines(tail: str, block: Block, head: int) -> tuple[list[Block], str, Piece] | None:
    """Cut before the last line, which may be incomplete; the rest begins with the same head."""
    lines = tail.split("\n")
    written = lines[: block.start - 1 + head]
    if len(lines) <= len(written) + 1:
        return None
    kept = block.lines if lines[-1] == "" else block.lines[:-1]
    return [replace(block, lines=kept)], "\n".join([*written, lines[-1]]), Piece(goes_on=True)


def _cut_anywhere(tail: str, document: Document) -> tuple[list[Block], str, Piece]:
    """Cut before the last line, or the last words of an endless one: what that stands in is not seen until the end."""
    at = tail.rfind("\n") + 1
    if len(tail) - at > _KEPT_CHARS:
        at = tail.rfind(" ", 0, -_KEPT_CHARS) + 1 or len(tail) - _KEPT_CHARS
    leaf = last_leaf(document.blocks)
    fence = leaf is not None and leaf.kind == "fence" and not leaf.closed
    info = leaf.info if leaf is not None and not leaf.is_math else ""  # half of it is no math
    head = f"{leaf.marker}{info}\n" if leaf is not None and fence else ""
    rest = tail[at:].lstrip(" ") if leaf is not None and leaf.kind == "paragraph" else tail[at:]  # no code begins here
    return Document(tail[:at]).blocks, head + rest, Piece(goes_on=True)


def _cut_children(tail: str, incomplete: int, block: Block, piece: Piece) -> tuple[list[Block], str, Piece] | None:
    """Cut before the last item, or block, that began on a complete line."""
    count = len(block.children) - 1
    while count > 0 and block.children[count].start >= incomplete:
        count -= 1
    if count < 1:
        return None
    lines = tail.split("\n")
    rest = "\n".join(lines[block.children[count].start - 1 :])
    piece.continue_list([block])
    number = None if block.number is None else block.number + count
    kept = replace(block, children=block.children[:count], spread=block.loose)
    return [kept], rest, Piece(goes_on=True, number=number, loose=block.loose)
