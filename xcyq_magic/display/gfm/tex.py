r"""Math: where it begins and ends, and whether it may be typeset.

``$…$`` and ``$$…$$`` as GitHub reads them, ``\(…\)`` and ``\[…\]`` as models write them. Prices are no
math: "$5 and $10" has no dollar that could end any.
"""

from __future__ import annotations

import re

from xcyq_magic.display.gfm.macros import MACROS

# Math even where no dollar or bracket says so.
ENVIRONMENTS = "equation|align|alignat|gather|multline|eqnarray|aligned|cases|matrix|bmatrix|pmatrix"

_MACRO = re.compile(r"\\([A-Za-z]+)")
# What prose between brackets does not hold.
_TEX = re.compile(r"\\[A-Za-z]|[=^]|\b[A-Za-z]_[\w{]")
_ENDS = {
    "$": re.compile(r"(?<!\\)\$"),
    "$$": re.compile(r"(?<!\\)\$\$"),
    "\\(": re.compile(r"\\\)"),
    "\\[": re.compile(r"\\\]"),
}
# Around one dollar: no space within, no letter or digit beside it. "$5-$10" and "$HOME/$USER" are none.
_BEGINS = re.compile(r"(?<![A-Za-z0-9$])\$(?![\s$])")
_ENDED = re.compile(r"(?<!\s)\$(?![A-Za-z0-9$])")
DEEPEST = 30  # levels of braces, brackets and environments; a person writes five
_NESTS = re.compile(r"(?<!\\)[{}]|\\left(?![A-Za-z])|\\right(?![A-Za-z])|\\begin(?![A-Za-z])|\\end(?![A-Za-z])")
_UNNESTS = {"}", "\\right", "\\end"}
# Macros and marks that take what follows as their argument need no braces to nest: \\sqrt\\sqrt\\sqrt…
_CHAIN = re.compile(r"(?:(?:\\[A-Za-z]+|[\^_'])\s*(?:[A-Za-z0-9]\s*)?){100}")


def looks_like_tex(text: str) -> bool:
    r"""Whether text between ``\[`` and ``\]`` is math, not words in escaped brackets."""
    return _TEX.search(text) is not None


def may_be_typeset(source: str) -> bool:
    """Whether `source` holds only macros that are known to put nothing but math on the page, and not too deep.

    MathJax calls itself for each level; what is nested some hundred deep ends the browser's page.
    """
    return all(name in MACROS for name in _MACRO.findall(source)) and not _is_deep(source)


def _is_deep(source: str) -> bool:
    depth = 0
    for mark in _NESTS.findall(source):
        depth += -1 if mark in _UNNESTS else 1
        if depth > DEEPEST:
            return True
    return _CHAIN.search(source) is not None


class Math:
    """Finds the math in a text; where none ends, it looks once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, tuple[int, re.Match[str] | None]] = {}

    def at(self, at: int) -> tuple[str, bool, int] | None:
        """The math that begins at `at`.

        Returns
        -------
        tuple or None
            The TeX, whether it is to be displayed on its own, and where it ends; None if none begins.
        """
        text = self._text
        opening = "$$" if text.startswith("$$", at) else "$" if text[at] == "$" else text[at : at + 2]
        start = at + len(opening)
        if opening == "$" and not _BEGINS.match(text, at):
            return None
        found = self._end(opening, start)
        if found is None or found.start() == start or (opening == "$" and not _ENDED.match(text, found.start())):
            return None
        tex = text[start : found.start()]
        if not tex.strip() or (opening == "\\[" and not looks_like_tex(tex)):
            return None
        return tex, opening in {"$$", "\\["}, found.end()

    def _end(self, opening: str, start: int) -> re.Match[str] | None:
        searched, found = self._next.get(opening, (len(self._text) + 1, None))
        if searched <= start and (found is None or found.start() >= start):
            return found
        found = _ENDS[opening].search(self._text, start)
        self._next[opening] = (start, found)
        return found
