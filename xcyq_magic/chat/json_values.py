"""The JSON values in what a model wrote: alone, in a fence, behind prose or reasoning, one after another. No I/O."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from xcyq_magic.chat.completion import code_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPENING = re.compile(r"[{\[]")
_WORK = 16  # times its length that a text is read in all: an opening may stand within another one
_LEAST_WORK = 100_000  # characters
_WINDOW = 1_024  # characters that are read at first: the decoder's error counts the lines before it
_WIDER = 8
_NESTED_WORK = 20_000  # characters that one opening is worth which is nested too deep to be read
_MOST_FENCES = 20  # that are looked into
_BEGUN = re.compile(r"t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?|-|\.|[eE][+-]?")  # a word, or a number
_ESCAPE = 6  # characters of an escape such as \u00e4
_MARKS = " \t\r\n*_`\"'\u201c\u201d."  # around a word that is an answer by itself


class JsonText(NamedTuple):
    """A value, and how it is written."""

    value: Any
    source: str


def _refuse(word: str) -> Any:  # noqa: ANN401  # as the decoder takes it
    msg = f"{word} is no JSON"
    raise ValueError(msg)


def _finite(digits: str) -> float:
    return number if math.isfinite(number := float(digits)) else _refuse(digits)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def whole_value(text: str) -> JsonText | None:
    """Return the value that `text` is as a whole; None if it is none, or holds NaN or an endless number."""
    text = text.strip()
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return JsonText(value, text) if end == len(text) else None


def plain_answers(text: str) -> Iterator[str]:
    """Yield what may be an answer that is one word or one number: the whole text, then what its fences hold.

    Each is given as it stands, and then without the marks around it.
    """
    fenced = [block.code for _, block in zip(range(_MOST_FENCES), code_blocks(text), strict=False)]
    for answer in (text.strip(), *map(str.strip, fenced)):
        yield answer
        if (bare := answer.strip(_MARKS)) != answer:
            yield bare


class JsonValues:
    """Finds the objects and lists of a text in their order, an outer one before those within.

    The work is bounded: a text is read `_WORK` times at most, whatever is nested in it.

    Parameters
    ----------
    text
        What a model wrote.

    Attributes
    ----------
    cut
        Whether the text ends within a value. Nothing within that is found: a part is not the answer.
    broken
        What is wrong with the first, in the words of `json`, where it is none but begins like one; else ``""``.
    """

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._work = _WORK * len(text) + _LEAST_WORK
        self.cut = False
        self.broken = ""
        self._first = True

    def __iter__(self) -> Iterator[JsonText]:
        at = 0
        while self._work > 0 and not self.cut and (opening := _OPENING.search(self._text, at)):
            at = opening.end()
            try:
                found = self._read(opening.start())
            except (ValueError, RecursionError):  # NaN; a number of 5,000 digits; nested too deep
                self._work -= _NESTED_WORK
            else:
                if found is not None:
                    yield found

    def _read(self, start: int) -> JsonText | None:
        """Return the value that begins at `start`; None if there is none, or it is cut."""
        window = _WINDOW
        while True:
            piece = self._text[start : start + window]
            try:
                value, end = _DECODER.raw_decode(piece)
            except json.JSONDecodeError as e:
                self._work -= e.pos + 1
                if not _goes_on(piece, e):
                    if self._first and len(piece[: e.pos].strip()) > 1:
                        self._first, self.broken = False, e.msg
                    return None
                if start + window >= len(self._text):
                    self.cut = True
                    return None
                window *= _WIDER
            else:
                self._work -= end
                self._first = False
                return JsonText(value, piece[:end])


def _goes_on(text: str, error: json.JSONDecodeError) -> bool:
    """Return whether a value is well-formed as far as it came, and `text` ends in it."""
    rest = text[error.pos :]
    if "Unterminated string" in error.msg or not rest.strip():
        return True
    if "\\" in error.msg:  # an escape
        return len(rest) < _ESCAPE
    return _BEGUN.fullmatch(rest) is not None
