"""Footnotes: numbered in the order in which the text refers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.display.gfm.references import normal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xcyq_magic.display.gfm.blocks import Block


class Footnotes:
    """A document's footnotes.

    Parameters
    ----------
    blocks
        Their definitions; of two with one label the first counts.
    """

    def __init__(self, blocks: Sequence[Block] = ()) -> None:
        self._blocks = {normal(b.info): b for b in reversed(blocks)}
        self._labels = list(dict.fromkeys(normal(b.info) for b in blocks))
        self._numbers: dict[str, int] = {}
        self._order: list[str] = []

    def number(self, label: str) -> int | None:
        """The number of the footnote that the text refers to; None if there is none with that label."""
        label = normal(label)
        if label not in self._blocks:
            return None
        if label not in self._numbers:
            self._order.append(label)
            self._numbers[label] = len(self._order)
        return self._numbers[label]

    def in_order(self) -> Iterator[Block]:
        """All of them by their numbers; those that nothing refers to come last. The list grows while it is read."""
        at = 0
        while at < len(self._order):
            yield self._blocks[self._order[at]]
            at += 1
        for label in self._labels:
            if label not in self._numbers:
                self.number(label)
                yield self._blocks[label]
