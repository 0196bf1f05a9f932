"""Addresses: where links point, written in place or defined elsewhere."""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xcyq_magic.display.gfm.block import Block


# Up to a blank, a quotation mark or an angle bracket; punctuation only where more follows, brackets only in pairs.
_PATH = (
    r"(?:[^\s<>|\"'()\[\]{}.,;:!?\-\uff5c]|\([^\s<>()]{0,500}\)|\[[^\s<>\[\]]{0,500}\]|\{[^\s<>{}]{0,500}\}"
    r"|'(?=[\w-])|[.,;:!?]+(?=[^\s<>|\"'()\[\]{}.,;:!?\uff5c])|-)*"
)
_DOMAIN = r"(?:[\w-]+(?:\.[\w-]+)*)(?::\d{1,5})?"
_LINK = re.compile(
    rf"(?P<web>(?<![A-Za-z0-9])https?://{_DOMAIN}(?:[/?#]{_PATH})?|(?<![\w./-])www\.{_DOMAIN}(?:[/?#]{_PATH})?)"
    r"|(?P<mail>(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-]))",
    re.IGNORECASE,
)
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
LONGEST_LABEL = 999
_ANGLED = re.compile(r"<((?:[^<>\n\\]|\\.)*)>")
# Of an address without them: a run of plain characters, an escape, a parenthesis; or what ends it.
_PART = re.compile(r"[^\\()\x00-\x20\x7f]+|\\[^\x00-\x20\x7f]|[()]|(?P<end>[\x00-\x20\x7f]|\\|$)")
_TITLE = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|\(((?:[^()\\]|\\.)*)\)", re.DOTALL)
_SPACE = re.compile(r"[ \t]*(?:\n[ \t]*)?")
# On one line, unlike GitHub's: while it comes, it must be known for what it is.
_DEFINITION = re.compile(r" {0,3}\[((?:[^\[\]\\\n]|\\.){1,999})\]:")
_LINE_END = re.compile(r"[ \t]*(?:\n|$)")
_DEEPEST_PARENTHESES = 32  # as GitHub has it
_LONGEST = 2_000  # characters of a title, or of an address between < and >: a search for their end ends there
# What an address may hold as it is; `%` too, for what is already encoded.
_SAFE = "!#$%&'()*+,-./:;=?@_~[]"


def links(text: str) -> list[tuple[int, int, str]]:
    """Where each address begins and ends in `text`, and where it leads."""
    if "://" not in text and "@" not in text and "www." not in text.lower():
        return []
    found = []
    for link in _LINK.finditer(text):
        address = link[0]
        if link["mail"]:
            address = f"mailto:{address}"
        elif not address.lower().startswith("http"):
            address = f"http://{address}"
        found.append((link.start(), link.end(), address))
    return found


def character(entity: str) -> str:
    """What an entity stands for; itself if there is no such name."""
    # `html.unescape` alone also reads names without a semicolon: "?a=1&copy=2".
    return html.unescape(entity) if entity[1] == "#" else html5.get(entity[1:], entity)


def unescaped(text: str) -> str:
    """`text` with its entities replaced."""
    return ENTITY.sub(lambda m: character(m[0]), text) if "&" in text else text


class Reference(NamedTuple):
    """Where a link points, and its title."""

    address: str
    title: str = ""


def plain(text: str) -> str:
    """Backslash escapes and entities as the characters that they stand for."""
    return unescaped(_ESCAPED.sub(r"\1", text))


def encoded(address: str) -> str:
    """`address` with only the characters that an attribute of HTML should hold."""
    return quote(address, safe=_SAFE, errors="replace")


def normal(label: str) -> str:
    """A label to compare with others."""
    return " ".join(label.split()).casefold().upper()


def destination(text: str, at: int) -> tuple[str, int] | None:
    """The address that begins at `at`, and where it ends."""
    if text[at : at + 1] == "<":
        found = _ANGLED.match(text, at, at + _LONGEST)
        return (plain(found[1]), found.end()) if found else None
    depth = 0
    for part in _PART.finditer(text, at):
        if part[0] == "(":
            depth += 1
        elif part[0] == ")":
            depth -= 1
        if part.lastgroup == "end" or depth < 0:
            return (plain(text[at : part.start()]), part.start()) if depth <= 0 else None
        if depth > _DEEPEST_PARENTHESES:
            return None
    return None


def title(text: str, at: int) -> tuple[str, int] | None:
    """The title that begins at `at`, and where it ends."""
    found = _TITLE.match(text, at, at + _LONGEST)
    return (plain(found[found.lastindex or 1]), found.end()) if found else None


def inline_target(text: str, at: int) -> tuple[Reference, int] | None:
    """What stands in the parentheses after a link's text; `at` is behind the first."""
    start = _after_space(text, at)
    if text[start : start + 1] == ")":
        return Reference(""), start + 1
    found = destination(text, start)
    if found is None:
        return None
    address, end = found
    gap = _after_space(text, end)
    name = ""
    if gap > end and (named := title(text, gap)):
        name, gap = named[0], _after_space(text, named[1])
    return (Reference(address, name), gap + 1) if text[gap : gap + 1] == ")" else None


def take_definitions(lines: list[str], references: dict[str, Reference]) -> None:
    """Move the definitions at the start of a paragraph from its lines into `references`; the first one wins."""
    if not lines or not lines[0].startswith("["):
        return
    text, at = "\n".join(lines), 0
    while at < len(text) and (found := _definition(text, at)):
        label, reference, at = found
        references.setdefault(normal(label), reference)
    lines[:] = text[at:].split("\n") if at < len(text) else []


def _definition(text: str, at: int) -> tuple[str, Reference, int] | None:
    label = _DEFINITION.match(text, at)
    if label is None or not label[1].strip() or label[1].startswith("^"):
        return None
    start = _after_space(text, label.end())
    found = destination(text, start)
    if found is None or found[1] == start:
        return None
    address, end = found
    gap = _after_space(text, end)
    if gap > end and (named := title(text, gap)) and (over := _LINE_END.match(text, named[1])):
        return label[1], Reference(address, named[0]), over.end()
    over = _LINE_END.match(text, end)
    return (label[1], Reference(address), over.end()) if over else None


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


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
        """Yield all of them by their numbers, those that nothing refers to last; what is read may refer to more."""
        at = 0
        for label in (None, *self._labels):
            if label is not None:
                self.number(label)
            while at < len(self._order):
                yield self._blocks[self._order[at]]
                at += 1
