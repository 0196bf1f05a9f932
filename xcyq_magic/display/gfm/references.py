"""Where links lead: written in place, defined elsewhere, or found in plain text; and the document's footnotes."""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xcyq_magic.display.gfm.block import Block

ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_LABEL = re.compile(r"\[((?:[^\[\]\\]|\\.){0,999})\]", re.DOTALL)
# Of a text of which more will come: what may be half of where a link leads.
HALF_TARGET = re.compile(
    r"(?:\(\s*(?:<[^<>\n]*>?|(?:[^\s()<]|\([^\s()]*\)?)*)(?:\s+(?:[\"'(][^\"')\n]*[\"')]?\s*)?)?|\[[^\[\]\n]*)$"
)
_LONGEST_LABEL = 999
_LONGEST = 2_000  # characters of a title, or of a URL between < and >: a search for their end ends there
_DEEPEST_PARENTHESES = 32  # as GitHub has it
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_ANGLED = re.compile(r"<((?:[^<>\n\\]|\\.)*)>")
# Of a URL without them: a run of plain characters, an escape, a parenthesis; or what ends it.
_PART = re.compile(r"[^\\()\x00-\x20\x7f]+|\\[^\x00-\x20\x7f]|[()]|(?P<end>[\x00-\x20\x7f]|\\|$)")
_TITLE = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|\(((?:[^()\\]|\\.)*)\)", re.DOTALL)
_SPACE = re.compile(r"[ \t]*(?:\n[ \t]*)?")
# On one line, unlike GitHub's: while it comes, it must be known for what it is.
_DEFINITION = re.compile(r" {0,3}\[((?:[^\[\]\\\n]|\\.){1,999})\]:")
_LINE_END = re.compile(r"[ \t]*(?:\n|$)")
# What a URL may hold as it is; `%` too, for what is already encoded.
_SAFE = "!#$%&'()*+,-./:;=?@_~[]"
# What ends a sentence, a clause or a quotation in Chinese, Japanese or Korean, and in typeset English.
_STOPS = (
    r"\u2014\u2015\u2018-\u201f\u2026\u3001-\u3003\u3008-\u3011\u3014-\u301f\ufe10-\ufe19\ufe30-\ufe6b"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff3d\uff5b-\uff5d\uff5f-\uff64"
)
_ENDS = rf"\s<>|\"'()\[\]{{}}.,;:!?{_STOPS}"
# Up to a blank, a quotation mark or an angle bracket; punctuation only where more follows, brackets only in pairs.
_PATH = (
    rf"(?:[^\-{_ENDS}]|\([^\s<>()]{{0,500}}\)|\[[^\s<>\[\]]{{0,500}}\]|\{{[^\s<>{{}}]{{0,500}}\}}"
    rf"|'(?=[\w-])|[.,;:!?]+(?=[^{_ENDS}])|-)*"
)
_DOMAIN = r"(?:[\w-]+(?:\.[\w-]+)*)(?::\d{1,5})?"
_BARE_LINK = re.compile(
    rf"(?P<web>(?<![A-Za-z0-9])https?://{_DOMAIN}(?:[/?#]{_PATH})?|(?<![A-Za-z0-9_./-])www\.{_DOMAIN}(?:[/?#]{_PATH})?)"
    r"|(?P<mail>(?<![A-Za-z0-9_.+-])[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"
    r"(?![A-Za-z0-9_-]))",
    re.IGNORECASE,
)


class Reference(NamedTuple):
    """Where a link leads, and its title."""

    url: str
    title: str = ""


def encoded(url: str) -> str:
    """Return `url` with only the characters that an attribute of HTML should hold."""
    return quote(url, safe=_SAFE, errors="replace")


def character(entity: str) -> str:
    """Return what an entity stands for; the entity itself if there is no such name."""
    # `html.unescape` alone also reads names without a semicolon: "?a=1&copy=2".
    return html.unescape(entity) if entity[1] == "#" else html5.get(entity[1:], entity)


def normalized(label: str) -> str:
    """Return a label as it is compared with others."""
    return " ".join(label.split()).casefold().upper()


def bare_links(text: str) -> list[tuple[int, int, str]]:
    """Return the URLs and e-mail addresses in plain text: where each begins and ends, and where it leads."""
    if "://" not in text and "@" not in text and "www." not in text.lower():
        return []
    found = []
    for link in _BARE_LINK.finditer(text):
        url = link[0]
        if link["mail"]:
            url = f"mailto:{url}"
        elif not url.lower().startswith("http"):
            url = f"http://{url}"
        found.append((link.start(), link.end(), url))
    return found


def link_target(text: str, start: int, close: int, references: Mapping[str, Reference]) -> tuple[Reference, int] | None:
    """Return where the link leads whose text is ``text[start:close]``, and where it ends; None if it is no link."""
    behind = close + 1
    if text.startswith("(", behind) and (found := _inline_target(text, behind + 1)):
        return found
    if not references:
        return None
    label = _LABEL.match(text, behind)
    if label and label[1].strip():
        name = label[1]
    elif close - start <= _LONGEST_LABEL:
        name = text[start:close]
    else:
        return None
    reference = references.get(normalized(name))
    return (reference, label.end() if label else behind) if reference else None


def _inline_target(text: str, at: int) -> tuple[Reference, int] | None:
    """Read the target in parentheses after a link's text.

    Parameters
    ----------
    text
        The text that the link stands in.
    at
        The index behind the opening parenthesis.

    Returns
    -------
    tuple or None
        Where the link leads, and the index behind the closing parenthesis; None if it is no target.
    """
    start = _after_space(text, at)
    if text[start : start + 1] == ")":
        return Reference(""), start + 1
    found = _destination(text, start)
    if found is None:
        return None
    url, end = found
    gap = _after_space(text, end)
    title = ""
    if gap > end and (titled := _title(text, gap)):
        title, gap = titled[0], _after_space(text, titled[1])
    return (Reference(url, title), gap + 1) if text[gap : gap + 1] == ")" else None


def take_definitions(lines: list[str], references: dict[str, Reference]) -> None:
    """Move the definitions at the start of a paragraph from its lines into `references`; the first one wins."""
    if not lines or not lines[0].startswith("["):
        return
    text, at = "\n".join(lines), 0
    while at < len(text) and (found := _definition(text, at)):
        label, reference, at = found
        references.setdefault(normalized(label), reference)
    lines[:] = text[at:].split("\n") if at < len(text) else []


def _definition(text: str, at: int) -> tuple[str, Reference, int] | None:
    label = _DEFINITION.match(text, at)
    if label is None or not label[1].strip() or label[1].startswith("^"):
        return None
    start = _after_space(text, label.end())
    found = _destination(text, start)
    if found is None or found[1] == start:
        return None
    url, end = found
    gap = _after_space(text, end)
    if gap > end and (titled := _title(text, gap)) and (over := _LINE_END.match(text, titled[1])):
        return label[1], Reference(url, titled[0]), over.end()
    over = _LINE_END.match(text, end)
    return (label[1], Reference(url), over.end()) if over else None


def _destination(text: str, at: int) -> tuple[str, int] | None:
    """Return the URL that begins at `at`, and where it ends."""
    if text[at : at + 1] == "<":
        found = _ANGLED.match(text, at, at + _LONGEST)
        return (_unescaped(found[1]), found.end()) if found else None
    depth = 0
    for part in _PART.finditer(text, at):
        if part[0] == "(":
            depth += 1
        elif part[0] == ")":
            depth -= 1
        if part.lastgroup == "end" or depth < 0:
            return (_unescaped(text[at : part.start()]), part.start()) if depth <= 0 else None
        if depth > _DEEPEST_PARENTHESES:
            return None
    return None


def _title(text: str, at: int) -> tuple[str, int] | None:
    """Return the title that begins at `at`, and where it ends."""
    found = _TITLE.match(text, at, at + _LONGEST)
    return (_unescaped(found[found.lastindex or 1]), found.end()) if found else None


def _unescaped(text: str) -> str:
    """Return `text` with the characters that its backslash escapes and entities stand for."""
    return ENTITY.sub(lambda entity: character(entity[0]), _ESCAPED.sub(r"\1", text))


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


class Footnotes:
    """A document's footnotes, numbered as the text refers to them.

    Parameters
    ----------
    blocks
        Their definitions; of two with one label the first counts.
    """

    def __init__(self, blocks: Sequence[Block] = ()) -> None:
        self._blocks = {normalized(b.info): b for b in reversed(blocks)}
        self._labels = list(dict.fromkeys(normalized(b.info) for b in blocks))
        self._numbers: dict[str, int] = {}
        self._order: list[str] = []

    def number(self, label: str) -> int | None:
        """Return the number of a footnote that the text refers to; None if there is none with that label."""
        label = normalized(label)
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
