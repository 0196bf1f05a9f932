"""The text of a file, told by its bytes: by its mark of order, as UTF-8, as UTF-16, else as a detector guesses."""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

# The longer ones first: UTF-32's begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MOST_GUESSED = 64_000  # bytes that a detector looks at
_LINES = "\t\n\r\f\v\b\x1b"  # control characters of texts: logs hold colours and backspaces
_MOST_CONTROLS = 0.02  # of all characters
_MOST_BROKEN = 0.1  # of what is not ASCII
_HIGH = re.compile(rb"[\x80-\xff]+")
# Of the bytes that only Windows uses, those that stand in texts of western Europe: € … Š Œ Ž,
# quotes, dashes, • ™ š œ ž Ÿ.
_WESTERN = re.compile(rb"[\x80\x85\x8a\x8c\x8e\x91-\x97\x99\x9a\x9c\x9e-\xff]*")
_LONGEST_WESTERN = 1.6  # bytes of a run, in the mean: in these languages most letters are ASCII
_COHERENT = 0.1  # more of it makes another alphabet likelier


@dataclass(frozen=True)
class Decoded:
    """A text, and how its bytes were read.

    Attributes
    ----------
    text
        With plain line ends, and without the mark of order.
    encoding
        The codec's name.
    guessed
        Whether the bytes do not tell the encoding.
    broken
        How many characters could not be read; U+FFFD stands for each.
    """

    text: str
    encoding: str
    guessed: bool = False
    broken: int = 0


def decoded(data: bytes, *, whole: bool = True) -> Decoded | None:
    """Return the text whose bytes `data` is; None if it is no text.

    Parameters
    ----------
    data
        A file, or its beginning.
    whole
        Whether it is the file; a beginning may end amid a character.
    """
    found = _marked(data) or _unmarked(data, whole=whole)
    if found is None or not _is_text(found.text):
        return None
    text = found.text.replace("\r\n", "\n").replace("\r", "\n")
    return Decoded(text, found.encoding, found.guessed, found.broken)


def _marked(data: bytes) -> Decoded | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            return Decoded(text, encoding, broken=text.count("\ufffd"))
    return None


def _unmarked(data: bytes, *, whole: bool) -> Decoded | None:
    if b"\0" in data:
        return _wide(data, whole=whole)
    decoder = codecs.getincrementaldecoder("utf-8")
    try:
        return Decoded(decoder().decode(data, final=whole), "utf-8")
    except UnicodeDecodeError:
        text = decoder("replace").decode(data, final=whole)
    broken = text.count("\ufffd")
    if broken <= _MOST_BROKEN * sum(not c.isascii() for c in text):  # UTF-8 with a few bytes of something else
        return Decoded(text, "utf-8", broken=broken)
    encoding = _guessed(data)
    text = data.decode(encoding, "replace")
    return Decoded(text, encoding, guessed=True, broken=text.count("\ufffd"))


def _wide(data: bytes, *, whole: bool) -> Decoded | None:
    """Return what is UTF-16 or UTF-32 without a mark: it can be shown, and most of its NULs belong to Latin letters."""
    for encoding, width in (("utf-16-le", 2), ("utf-16-be", 2), ("utf-32-le", 4), ("utf-32-be", 4)):
        try:
            text = (data if whole else data[: len(data) // width * width]).decode(encoding)
        except UnicodeDecodeError:
            continue
        head = text[:_MOST_GUESSED]
        latin, others = sum(c < "\u0100" for c in head), sum(c >= "\u0100" and not ord(c) % 256 for c in head)
        shown = all(c in _LINES or unicodedata.category(c) not in {"Cc", "Cn", "Co", "Cs"} for c in head)
        if shown and latin > others:
            return Decoded(text, encoding, guessed=True)
    return None


def _is_text(text: str) -> bool:
    controls = sum(unicodedata.category(c) == "Cc" and c not in _LINES for c in text[:_MOST_GUESSED])
    return "\0" not in text and controls <= _MOST_CONTROLS * len(text[:_MOST_GUESSED])


def _guessed(data: bytes) -> str:
    """Return the encoding that a text of 8-bit characters is most likely in.

    A detector needs some sentences. Of fewer, it names alphabets that nobody writes in: there, what looks as the
    languages of western Europe do is read as such, unless the words of another are seen in it.
    """
    head = data[:_MOST_GUESSED]
    if len(data) > _MOST_GUESSED:
        head = head.rpartition(b"\n")[0] or head
    runs = _HIGH.findall(head)
    western = all(map(_WESTERN.fullmatch, runs)) and sum(map(len, runs)) <= _LONGEST_WESTERN * len(runs)
    fallback = "latin-1" if re.search(rb"[\x81\x8d\x8f\x90\x9d]", data) else "cp1252"
    try:
        from charset_normalizer import from_bytes  # noqa: PLC0415  # an extra
    except ImportError:
        return fallback
    found = from_bytes(head)
    best = found.best()
    if best is None:
        return fallback
    of_windows = max((m.coherence for m in found if m.encoding in {"cp1252", "latin_1"}), default=0.0)
    return fallback if western and best.coherence <= of_windows + _COHERENT else best.encoding
