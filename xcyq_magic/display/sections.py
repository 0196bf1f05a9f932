"""A long reply in sections, each an output of its own: a page lays out and typesets an output in one go.

100 kB in one output block the page for half a second and more when the live view gives way to the settled one.
So a long reply settles section by section while the rest of it still comes.
"""

from __future__ import annotations

import itertools
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_CHARS = 6_000  # most replies have one output
FURTHER_CHARS = 5_000  # the more there is on the page, the longer it takes to put something into it
_OF_WHAT_CAME = 10  # JupyterLab shows 50 outputs of a cell at most: the sections of a very long reply are longer
_LINE_END = re.compile(r"\r\n?|\n")


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
    """Whether a section of that many characters is long enough, when there are so many before it."""
    return chars >= (max(FURTHER_CHARS, before // _OF_WHAT_CAME) if before else FIRST_CHARS)


def sources(text: str, lines: Sequence[int]) -> list[str]:
    """The text of each section: together, they are `text`."""
    ends = [0, *(found.end() for found in _LINE_END.finditer(text))] if lines else [0]
    at = [0, *(ends[min(line, len(ends) - 1)] for line in lines), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(at)]
