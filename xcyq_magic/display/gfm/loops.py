"""What a looping model emits: one short fragment, again and again.

Its first repetitions are read as Markdown, the rest is text: 25,000 list items of one letter say no more
than fifty, and would keep a page busy for seconds.
"""

from __future__ import annotations

from typing import NamedTuple

READ = 50  # repetitions that are read as Markdown
LONGEST = 64  # characters of a fragment
_SHORTEST_LOOP = 500  # characters
_STEP = 200  # where to look; a loop is longer
_CHEAP = frozenset("-=*_~`#. \t")  # alone, however often: a rule, a line of a table, a run


class Loop(NamedTuple):
    """A part of a text that says nothing new.

    Attributes
    ----------
    start, end
        What is to be taken as text, behind the repetitions that are read.
    fragment
        What is repeated.
    """

    start: int
    end: int
    fragment: str


def find_loops(text: str) -> list[Loop]:
    """The loops in `text`, from left to right."""
    loops: list[Loop] = []
    at = 0
    while at + _SHORTEST_LOOP <= len(text):
        period = _period(text, at)
        if not period:
            at += _STEP
            continue
        start, end = _extent(text, at, period)
        fragment = text[start : start + period]
        if end - start >= max(_SHORTEST_LOOP, (READ + 1) * period) and fragment not in _CHEAP:
            loops.append(Loop(start + READ * period, end, fragment))
        at = max(end, at + _STEP)
    return loops


def loop_at_end(text: str) -> str:
    """The fragment that `text` ends with, again and again, and would go on with; ``""`` if there is none."""
    start = len(text) - _SHORTEST_LOOP
    period = _period(text, start) if start >= 0 else 0
    return text[-period:] if period and _extent(text, start, period)[1] == len(text) else ""


def is_loop_of(fragment: str, text: str) -> bool:
    """Whether `text` is nothing but `fragment`, again and again; the last one may be cut off."""
    return bool(fragment) and (fragment * (len(text) // len(fragment) + 1)).startswith(text)


def _period(text: str, at: int) -> int:
    """After how many characters the text at `at` comes again; 0 if it does not."""
    probe = text[at : at + LONGEST]
    again = text.find(probe, at + 1, at + 2 * LONGEST)
    return max(0, again - at)


def _extent(text: str, at: int, period: int) -> tuple[int, int]:
    """Where what repeats itself after `period` characters begins and ends, around `at`."""
    end, step = at, 1_024
    while step:
        piece = text[end : end + step]
        if piece and len(text) >= end + period + len(piece) and text.startswith(piece, end + period):
            end += len(piece)
        else:
            step //= 2
    start, step = at, 1_024
    while step:
        if start >= step and text[start - step : start] == text[start - step + period : start + period]:
            start -= step
        else:
            step //= 2
    return start, end + period
