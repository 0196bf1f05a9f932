"""A key in a text: in plain, in base64, or with its characters escaped as in URLs, JSON, Python or HTML.

The text comes from a gateway, so whatever it is, this takes time in proportion to its length.
"""

from __future__ import annotations

import base64
import re
from html import unescape
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # From a text, and whether nothing follows it, to what can be shown of it, and the rest: that may be the beginning
    # of the key.
    Hide: TypeAlias = Callable[[str, bool], tuple[str, str]]
    # Where it was found: from, to, and whether what follows the text may belong to it.
    _Found: TypeAlias = tuple[int, int, bool]

HIDDEN = "(the API key)"
_MARKS = ("%", "\\", "&")  # what an escape begins with
_MARKED = re.compile(r"[%\\&]")
_HEX = "([2-7][0-9a-f])"
_ESCAPE = re.compile(
    rf"\\{{1,16}}(?:(?:u00|x){_HEX})?|%{_HEX}|(&(?:#x0{{0,8}}[2-7][0-9a-f]|#0{{0,8}}\d{{2,3}}|amp|lt|gt|quot|apos);)",
    re.IGNORECASE | re.ASCII,
)
_BEGUN_ESCAPE = re.compile(
    r"(?:\\{1,16}(?:u0{0,2}|u00[2-7]|x[2-7]?)?|%[2-7]?|&(?:#x?0{0,8}[0-9a-f]{0,3}|[a-z]{0,4}))\Z",
    re.IGNORECASE | re.ASCII,
)
_LONGEST_BEGUN = 20
_LOOKED_AT = 12  # characters of the key that are compared at first
# What stands in the place of an escape, so that the text keeps its length: its character, then of `_REST` what it is
# longer. Backslashes that escape nothing are `_NOISE`: JSON within JSON has many.
_REST, _NOISE = "\1", "\0"
_FILL = f"[{_NOISE}{_REST}]"
_MOST_FILL = 40  # between two characters of the key
_BASE64_TAIL = r"[\w+/=-]{0,4}"  # the last group, which holds bits of the key and of what follows it
_LONGEST_TAIL = 4
_SHORTEST = 8  # characters that may stand for a key, or a piece of it where it was cut
_CUT = re.compile(r"""[\s"'\\]{0,3}(?:…|\.{3})[.…]*[\s"'\\]{0,3}""")
_URL_SAFE = str.maketrans("+/", "-_")


def hiding(key: str) -> Hide:
    """Return what hides `key`: a closure, so that no object holds it in the open."""
    plain, coded = _plain_forms(key), _in_base64(key)
    found, begun, cut = _finding(plain, coded), _beginning(plain, coded), _cutting(plain)
    shortest, may_begin = min(map(len, (*plain, *coded))), _ending_like(plain, coded)
    may_hold = _holding(plain, coded)

    def hide(text: str, ended: bool) -> tuple[str, str]:  # noqa: FBT001  # a closure, called by position
        # Almost every piece is like this: no escape in it, no key, and no end that is like the beginning of one.
        if not (ended or _MARKED.search(text) or (len(text) >= shortest and may_hold(text)) or may_begin(text)):
            return text, ""
        pieces, at = [], 0
        for start, end, goes_on in sorted([*found(text), *(cut(text) if ended else ())]):
            if start < at:  # the same one, or one within it
                at = max(at, end)
                continue
            pieces.append(text[at:start])
            if goes_on and not ended:
                return "".join(pieces), text[start:]
            pieces.append(HIDDEN)
            at = end
        rest = text[at:]
        shown = len(rest) - (0 if ended else begun(rest))
        return "".join([*pieces, rest[:shown]]), rest[shown:]

    return hide


def _holding(plain: list[str], coded: list[str]) -> Callable[[str], bool]:
    """Return what tells whether a text without escapes holds the key."""

    def may_hold(text: str) -> bool:
        lowered = text.lower()
        for form in plain:
            if form in lowered:
                return True
        for form in coded:  # noqa: SIM110  # `any` takes three times as long, for each piece of a reply
            if form in text:
                return True
        return False

    return may_hold


def _finding(plain: list[str], coded: list[str]) -> Callable[[str], list[_Found]]:
    """Return what finds the key in a text, in any of its forms."""
    compiled, holds = list[re.Pattern[str]](), _holding(plain, coded)

    def pattern() -> re.Pattern[str]:
        if not compiled:  # only where the key may be
            compiled.append(re.compile(_pattern(plain, coded), re.ASCII))
        return compiled[0]

    def found(text: str) -> list[_Found]:
        matches = list(pattern().finditer(text)) if holds(text) else []
        if any(mark in text for mark in _MARKS) and (flat := _flat(text)) != text:
            matches += pattern().finditer(flat)
        return [(*match.span(), _goes_on(match, text)) for match in matches]

    return found


def _beginning(plain: list[str], coded: list[str]) -> Callable[[str], int]:
    """Return what tells how many characters at the end of a text may be the beginning of the key."""
    window = max(map(len, plain)) * (_MOST_FILL + 1)

    def begun(text: str) -> int:
        text = text[-window:]
        lowered = text.lower()
        either = [*((text, form) for form in coded), *((lowered, form) for form in plain)]
        most = max(next(_overlaps(end, form), 0) for end, form in either)
        if not any(mark in text for mark in _MARKS):
            return most
        end = _begun_escape(text)
        flat = _flat(text[:end])
        letters = flat.replace(_NOISE, "").replace(_REST, "").lower()
        starts = (_start(flat, count, len(text) - end) for form in plain for count in _overlaps(letters, form))
        return max(most, len(text) - min((s for s in starts if s is not None), default=end))

    return begun


def _cutting(plain: list[str]) -> Callable[[str], Iterator[_Found]]:
    """Return what finds pieces of the key beside an ellipsis: whoever cut the text there cut the key."""
    both = [(form, form[::-1]) for form in plain]

    def cut(text: str) -> Iterator[_Found]:
        for gap in _CUT.finditer(text):
            start, end = gap.span()
            for form, backward in both:
                size = len(form)
                before = next(_overlaps(text[max(0, start - size) : start].lower(), form), 0)
                after = next(_overlaps(text[end : end + size][::-1].lower(), backward), 0)
                if before >= _SHORTEST:
                    yield start - before, start, False
                if after >= _SHORTEST:
                    yield end, end + after, False

    return cut


def _ending_like(plain: list[str], coded: list[str]) -> Callable[[str], object]:
    """Return what tells quickly whether a text ends like the beginning of the key."""

    def beginning(form: str) -> str:
        rest = ".*" if len(form) > _LOOKED_AT else ""
        for character in reversed(form[1:_LOOKED_AT]):
            rest = f"(?:{re.escape(character)}{rest})?"
        return re.escape(form[0]) + rest

    forms = "|".join([*map(beginning, coded), f"(?i:{'|'.join(map(beginning, plain))})"])
    compiled: list[re.Pattern[str]] = []

    def may_begin(text: str) -> object:
        if not compiled:
            compiled.append(re.compile(rf"(?:{forms})\Z", re.DOTALL))
        return compiled[0].search(text)

    return may_begin


def _plain_forms(key: str) -> list[str]:
    """Return the key in lower case; and as it is once its text was read as escaped, should it hold what looks so."""
    read = {form for text in (key, _flat(key).replace(_REST, "")) if len(form := _bare(text)) >= _SHORTEST}
    return [key.lower(), *sorted(read - {key.lower()})]


def _bare(text: str) -> str:
    """Return the text in lower case, without backslashes and what stands for them: they escape what follows."""
    return text.replace("\\", "").replace(_NOISE, "").lower()


def _in_base64(key: str) -> list[str]:
    """Return the characters that stand for all of `key` in the base64 of any text that holds it."""
    forms: set[str] = set()
    for before in range(3):  # bytes of a group of three that come before it
        code = base64.b64encode(bytes(before) + key.encode()).decode()
        form = code[-(-before * 8 // 6) : (before + len(key)) * 8 // 6]
        forms |= {form, form.translate(_URL_SAFE)}
    return sorted(forms)


def _pattern(plain: list[str], coded: list[str]) -> str:
    # Each begins with a letter as it is, in both cases: so `re` skips to the letters that begin one.
    between = f"{_FILL}{{0,{_MOST_FILL}}}"
    letters = [
        f"{re.escape(first)}(?i:{between}{between.join(map(re.escape, form[1:]))}){_REST}{{0,{_MOST_FILL}}}"
        for form in plain
        for first in {form[0], form[0].upper()}
    ]
    return "|".join([*letters, f"(?:{'|'.join(map(re.escape, coded))})(?P<tail>{_BASE64_TAIL})"])


def _flat(text: str) -> str:
    """Return `text` with what is escaped in the place of the escapes, and as long as before."""
    return _ESCAPE.sub(_character, text)


def _character(escape: re.Match[str]) -> str:
    code, entity = escape[1] or escape[2], escape[3]
    if not code and not entity:
        return _NOISE * len(escape[0])
    character = chr(int(code, 16)) if code else unescape(entity)
    character = _NOISE if character == "\\" else character  # it escapes what follows
    return character.ljust(len(escape[0]), _REST) if len(character) == 1 else escape[0]


def _begun_escape(text: str) -> int:
    """Return where an escape begins that is not whole at the end of `text`; its length if there is none."""
    escape = _BEGUN_ESCAPE.search(text, max(0, len(text) - _LONGEST_BEGUN))
    return escape.start() if escape else len(text)


def _goes_on(match: re.Match[str], text: str) -> bool:
    """Return whether what follows `text` may belong to the key that was found in it."""
    if match["tail"] is not None:
        return match.end() == len(text) and len(match["tail"]) < _LONGEST_TAIL
    return match.end() > _begun_escape(text)


def _overlaps(text: str, form: str) -> Iterator[int]:
    """Yield how many characters at the end of `text` are a beginning of `form`, but not all of it: the most first."""
    tail = text[1 - len(form) :]
    at = tail.find(form[0])
    while at >= 0:
        if form.startswith(tail[at:]):
            yield len(tail) - at
        at = tail.find(form[0], at + 1)


def _start(flat: str, count: int, after: int) -> int | None:
    """Return where the last `count` characters of a flat text begin; None if they are too far apart.

    Parameters
    ----------
    flat
        The text.
    count
        How many characters, besides what fills.
    after
        How many more fill after its end.
    """
    at, fill = len(flat), after
    for _ in range(count):
        at -= 1
        while flat[at] in {_NOISE, _REST}:
            at, fill = at - 1, fill + 1
        if fill > _MOST_FILL:
            return None
        fill = 0
    return at
