"""A block that is itself huge, in pieces: what is written of it is rendered once, too.

Code is cut between lines, a table between rows, a list between items, a quotation between its blocks.
The pieces stand below each other without a gap; the settled output is in one piece again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.display.gfm.blocks import Block
    from xcyq_magic.display.gfm.document import Document


@dataclass(frozen=True)
class Piece:
    """How a tail goes on with a block whose beginning is shown already; by default it does not.

    Attributes
    ----------
    goes_on
        Whether it does.
    number
        The number of its first item, if it is an ordered list.
    """

    goes_on: bool = False
    number: int | None = None

    def continue_numbers(self, blocks: Sequence[Block]) -> None:
        """Number the first of `blocks` as the list that it is the rest of."""
        if self.number is not None and blocks and blocks[0].kind == "list":
            blocks[0].number = self.number

    def framed(self, html: str, *, goes_on: bool) -> str:
        """`html` marked as what follows a piece, and is followed by another; for `display.style`."""
        classes = " ".join(["xcyq-from-above"] * self.goes_on + ["xcyq-goes-on"] * goes_on)
        return f'<div class="{classes}">{html}</div>' if classes else html


def cut(tail: str, document: Document, piece: Piece) -> tuple[Block, str, Piece] | None:
    """Cut the tail's block in two.

    Returns
    -------
    tuple or None
        The first part as a block, the Markdown of the rest, and how that goes on; None if there is no place to cut.
    """
    if len(document.blocks) != 1:
        return None
    block = document.blocks[0]
    if block.kind == "fence" and not block.closed:
        return _cut_lines(tail, block, head=1)
    if block.kind == "table":
        return _cut_lines(tail, block, head=2)
    if block.kind in {"list", "quote"}:
        return _cut_children(tail, document.lines, block, piece)
    return None


def _cut_lines(tail: str, block: Block, head: int) -> tuple[Block, str, Piece] | None:
    """Before the last line, which may be incomplete; the rest begins with the same head."""
    lines = tail.split("\n")
    written = lines[: block.start - 1 + head]
    if len(lines) <= len(written) + 1:
        return None
    kept = block.lines if lines[-1] == "" else block.lines[:-1]
    return replace(block, lines=kept), "\n".join([*written, lines[-1]]), Piece(goes_on=True)


def _cut_children(tail: str, incomplete: int, block: Block, piece: Piece) -> tuple[Block, str, Piece] | None:
    """Before the last item, or block, that began on a complete line."""
    count = len(block.children) - 1
    while count > 0 and block.children[count].start >= incomplete:
        count -= 1
    if count < 1:
        return None
    lines = tail.split("\n")
    rest = "\n".join(lines[block.children[count].start - 1 :])
    first = block.number if piece.number is None else piece.number
    number = None if first is None else first + count
    return replace(block, children=block.children[:count]), rest, Piece(goes_on=True, number=number)
