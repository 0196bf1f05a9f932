"""Emphasis: which runs of ``*``, ``_`` and ``~`` belong together.

The specification's algorithm (https://spec.commonmark.org/0.31.2/#phase-2-inline-structure), with one
addition: between Chinese, Japanese or Korean characters no blank parts words, so a character of theirs
counts there as a blank does (https://github.com/tats-u/markdown-cjk-friendly).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TypeAlias

_CJK = re.compile(
    "[\u1100-\u11ff\u2e80-\u2fff\u3000-\u303f\u3040-\u30ff\u3100-\u31bf\u31c0-\u31ff\u3200-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\uffe0-\uffee\U0001b000-\U0001b16f"
    "\U00020000-\U0003ffff]"
)
_DOUBLE = 2  # characters that make strong emphasis, or strike out
_TAGS = {("*", 1): "em", ("_", 1): "em", ("*", 2): "strong", ("_", 2): "strong", ("~", 2): "del"}


@dataclass(eq=False)
class Open:
    """The beginning of an element; `source` is what to show where it turns out to be none."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    source: str = ""


@dataclass(eq=False)
class Close:
    """The end of the element that `begin` began."""

    begin: Open
    source: str = ""


@dataclass(eq=False)
class Whole:
    """An element with nothing but text in it; `plain` is its text where no markup can be, if that is another."""

    tag: str
    text: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    plain: str = ""


# A text stands for itself.
Token: TypeAlias = str | Open | Close | Whole


@dataclass(eq=False)
class Run:
    """A run of one delimiter character.

    Attributes
    ----------
    closes, opens
        The elements that end and begin here, from the innermost to the outermost; what is left of the run stands
        between them.
    left
        Characters of the run that delimit nothing so far.
    number
        Its place among the runs of the text.
    """

    character: str
    length: int
    can_open: bool
    can_close: bool
    closes: list[Token] = field(default_factory=list)
    opens: list[Token] = field(default_factory=list)
    left: int = 0
    number: int = 0
    before: Run | None = None
    after: Run | None = None


def run_at(text: str, at: int, end: int) -> Run:
    """Return the run of delimiters ``text[at:end]``, with what it can open and close.

    Parameters
    ----------
    text
        The whole text of the block: what stands beside the run decides.
    at, end
        Where the run begins, and where it ends.
    """
    character = text[at]
    before, after = text[at - 1 : at] or " ", text[end : end + 1] or " "
    if character == "~" and end - at < _DOUBLE:  # a single one is an approximation: "~5"
        return Run(character, end - at, can_open=False, can_close=False, left=end - at)
    left_flanking = _flanks(after, before)
    right_flanking = _flanks(before, after)
    if character == "_":
        return Run(
            character,
            end - at,
            left_flanking and (not right_flanking or _is_punctuation(before)),
            right_flanking and (not left_flanking or _is_punctuation(after)),
            left=end - at,
        )
    return Run(character, end - at, left_flanking, right_flanking, left=end - at)


def _flanks(inner: str, outer: str) -> bool:
    """Return whether a run may belong to the text at its one side: `inner` is the character there, `outer` beyond."""
    if inner.isspace():
        return False
    if not _is_punctuation(inner) or _CJK.match(inner):
        return True
    return outer.isspace() or _is_punctuation(outer) or _CJK.match(outer) is not None


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


class Stack:
    """The delimiters that may still open or close something, in the order of the text."""

    def __init__(self) -> None:
        self.top: Run | None = None
        self._count = 0

    def push(self, run: Run) -> None:
        """Add the latest run."""
        self._count += 1
        run.number = self._count
        run.before = self.top
        if self.top is not None:
            self.top.after = run
        self.top = run

    def match(self, bottom: Run | None) -> None:
        """Pair all runs above `bottom`, and take them off the stack."""
        closer = self._lowest(bottom)
        # For each kind of closer, where the search for its opener need not look again.
        floors: dict[tuple[str, bool, int], int] = {}
        lowest = 0 if bottom is None else bottom.number
        while closer is not None:
            if not closer.can_close or not closer.left:
                closer = closer.after
                continue
            key = (closer.character, closer.can_open, closer.length % 3)
            opener = self._opener(closer, floors.get(key, lowest))
            if opener is None:
                floors[key] = closer.number - 1
                following = closer.after
                if not closer.can_open:
                    self._remove(closer)
                closer = following
            else:
                closer = self._pair(opener, closer)
        self.top = bottom
        if bottom is not None:
            bottom.after = None

    def _lowest(self, bottom: Run | None) -> Run | None:
        run = self.top
        if run is bottom:
            return None
        while run is not None and run.before is not bottom:
            run = run.before
        return run

    @staticmethod
    def _opener(closer: Run, floor: int) -> Run | None:
        run = closer.before
        while run is not None and run.number > floor:
            if run.character == closer.character and run.can_open and run.left and _fit(run, closer):
                return run
            run = run.before
        return None

    def _pair(self, opener: Run, closer: Run) -> Run | None:
        used = _DOUBLE if min(opener.left, closer.left) >= _DOUBLE else 1
        between = opener.after
        while between is not None and between is not closer:
            following = between.after
            self._remove(between)
            between = following
        begin = Open(_TAGS[closer.character, used])
        opener.opens.append(begin)
        closer.closes.append(Close(begin))
        opener.left -= used
        closer.left -= used
        if not opener.left:
            self._remove(opener)
        if closer.left:
            return closer
        following = closer.after
        self._remove(closer)
        return following

    def _remove(self, run: Run) -> None:
        if run.before is not None:
            run.before.after = run.after
        if run.after is not None:
            run.after.before = run.before
        if self.top is run:
            self.top = run.before


def _fit(opener: Run, closer: Run) -> bool:
    """Return whether the specification lets these two delimit one element."""
    if closer.character == "~":
        return min(opener.left, closer.left) >= _DOUBLE
    either_way = opener.can_close or closer.can_open
    thrice = (opener.length + closer.length) % 3 == 0
    return not (either_way and thrice) or (opener.length % 3 == 0 and closer.length % 3 == 0)
