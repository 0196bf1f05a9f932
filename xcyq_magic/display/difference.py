"""The differences between replies: words of two, or sentences that only one of several says.

What is read is compared: a heading or bold words say the same as without their marks.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Literal, TypeAlias

from xcyq_magic.display.markup import as_text, escape, to_html
from xcyq_magic.display.style import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Change: TypeAlias = Literal["same", "removed", "added"]

# A word, or a sign that is none, with the space after it. Scripts without spaces go by characters.
_WORD = re.compile(r"(?:[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s])\s*|\s+")
_MOST_PAIRS = 4_000_000  # of words in lines that differ; beyond, they are not looked into
_SHOWN_WORDS = 12  # of a long stretch that is the same, at each of its ends
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]*_]*\s+|(?<=[\u3002\uff01\uff1f])")
_LEADING_MARKS = re.compile(r"^[\s>]*(?:(?:[-*+\u2022]|\d{1,9}[.)]|#{1,6})\s+)*")
_NO_WORD = re.compile(r"[\W_]+")
_ONLY_ONE = "What only one of them says:"
_NOTHING = "They say the same."
_BLOCKS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre", "details", "summary"}
_LINES = {"br", "li", "tr"}


@dataclass(frozen=True)
class Stretch:
    """Words that are in both texts, or only in the first, or only in the second."""

    change: Change
    text: str


def by_words(first: str, second: str) -> list[Stretch]:
    """Return both texts in one: without what was added it is the first, without what was removed the second.

    Lines are compared first, and then the words of those that differ: `difflib` takes quadratic time in the worst case.
    """
    a, b = first.splitlines(keepends=True), second.splitlines(keepends=True)
    stretches: list[Stretch] = []
    for kind, removed, added in _changes(a, b):
        if kind == "replace":
            stretches += _words_of("".join(removed), "".join(added))
        else:
            stretches += _stretches(kind, removed, added)
    return stretches


def _words_of(removed: str, added: str) -> list[Stretch]:
    a, b = _WORD.findall(removed), _WORD.findall(added)
    if len(a) * len(b) > _MOST_PAIRS:
        return [Stretch("removed", removed), Stretch("added", added)]
    return [stretch for change in _changes(a, b) for stretch in _stretches(*change)]


def _changes(a: Sequence[str], b: Sequence[str]) -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    """Yield what became of which parts. White space is no difference that one sees: it is as the second has it."""
    matcher = difflib.SequenceMatcher(None, [part.strip() for part in a], [part.strip() for part in b])
    for kind, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        yield kind, a[a_from:a_to], b[b_from:b_to]


def _stretches(kind: str, removed: Sequence[str], added: Sequence[str]) -> list[Stretch]:
    if kind == "equal":
        return [Stretch("same", "".join(added))]
    gone, new = "".join(removed), "".join(added)
    found = [Stretch("removed", gone)] if gone.strip() else []
    return [*found, Stretch("added" if new.strip() else "same", new)] if new else found


def said_by_one(texts: Sequence[str]) -> list[list[str]]:
    """Return for each text its sentences that no other one has; case, spacing and marks do not count."""
    sentences = [_sentences(text) for text in texts]
    having = Counter(key for found in sentences for key in found)
    return [[s for key, s in found.items() if having[key] == 1] for found in sentences]


def _sentences(text: str) -> dict[str, str]:
    """Return the sentences of a text, each by what is compared of it."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        for sentence in _SENTENCE_END.split(_LEADING_MARKS.sub("", line)):
            key = _NO_WORD.sub(" ", sentence).casefold().strip()
            if key:
                found.setdefault(key, sentence.strip())
    return found


def difference_html(replies: Mapping[str, str]) -> str:
    """Return what differs between the replies, by name, as HTML of its own elements and escaped text alone."""
    stretches, only = _compared(replies)
    if stretches:
        one, other = map(escape, replies)
        marks = {"same": "{}", "removed": "<del>{}</del>", "added": "<ins>{}</ins>"}
        merged = "".join(marks[s.change].format(as_text(_shortened(s))) for s in stretches)
        return (
            f'<div class="xcyq-quiet">What differs: <del>only {one}</del> <ins>only {other}</ins></div>'
            f'<div class="xcyq-difference" style="white-space: pre-wrap">{merged}</div>'
        )
    items = (
        f"<li><strong>{escape(name)}</strong><ul>{''.join(f'<li>{as_text(s)}</li>' for s in said)}</ul></li>"
        for name, said in only.items()
    )
    return f'{quiet(_ONLY_ONE)}<ul class="xcyq-difference">{"".join(items)}</ul>' if only else quiet(_NOTHING)


def difference_plain(replies: Mapping[str, str]) -> str:
    """Return the same as Markdown; changed words in the marks of ``git diff --word-diff``."""
    stretches, only = _compared(replies)
    if stretches:
        one, other = replies
        marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
        merged = "".join(marks[s.change].format(_shortened(s)) for s in stretches)
        return f"[-only {one}-] {{+only {other}+}}\n\n{merged}"
    items = ("\n".join([f"- {name}", *(f"  - {s}" for s in said)]) for name, said in only.items())
    return "\n".join([f"{_ONLY_ONE}\n", *items]) if only else _NOTHING


def _compared(replies: Mapping[str, str]) -> tuple[list[Stretch], dict[str, list[str]]]:
    """Return what two replies have and have not in common, or what only one of several says, by name.

    Both are empty where they say the same.
    """
    texts = list(map(as_read, replies.values()))
    if len(texts) == 2:  # noqa: PLR2004  # a text and another
        stretches = by_words(*texts)
        return [] if all(s.change == "same" for s in stretches) else stretches, {}
    said = said_by_one(texts)
    return [], {name: sentences for name, sentences in zip(replies, said, strict=True) if sentences}


def _shortened(stretch: Stretch) -> str:
    """Return the text of a stretch; of what is long and the same, the middle is left out."""
    words = _WORD.findall(stretch.text)
    if stretch.change != "same" or len(words) <= 3 * _SHOWN_WORDS:
        return stretch.text
    return f"{''.join(words[:_SHOWN_WORDS]).rstrip()} … {''.join(words[-_SHOWN_WORDS:])}"


def as_read(markdown: str) -> str:
    """Return a reply as its reader has it, without marks: words and code, list items, the addresses of links."""
    reading = _Reading()
    reading.feed(to_html(markdown))
    return "".join(reading.text).strip("\n")


class _Reading(HTMLParser):
    """Reads our own HTML, which is well formed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self._lists: list[int | None] = []  # those that are open, with the number of an ordered one's next item
        self._within: list[str] = []  # items and cells
        self._in_code = False
        self._link = ("", 0)  # its address, and where its text begins

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, a block, or what has a mark of its own."""
        given = dict(attrs)
        if tag in _BLOCKS:
            self._break(1 if self._within else 2)
        elif tag in _LINES:
            self._break(1)
        if tag in {"ul", "ol"}:
            self._lists.append(int(given.get("start") or 1) if tag == "ol" else None)
        elif tag == "li":
            self._item()
        elif tag in {"td", "th"} and self.text and not self.text[-1].endswith("\n"):
            self.text.append(" | ")
        elif tag == "input":
            self.text.append("[x]" if "checked" in given else "[ ]")
        elif tag == "img":
            self.text.append(given.get("alt") or "")
        elif tag == "a":
            self._link = given.get("href") or "", len(self.text)
        if tag in {"li", "td", "th"}:
            self._within.append(tag)
        self._in_code = self._in_code or tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        """End a block, or name the address of a link whose text does not."""
        if tag in {"li", "td", "th"}:
            self._within.pop()
        elif tag in {"ul", "ol"}:
            self._lists.pop()
        elif tag == "pre":
            self._in_code = False
        elif tag == "a":
            url, begin = self._link
            if url.partition("://")[2].rstrip("/") not in "".join(self.text[begin:]):
                self.text.append(f" ({url})")
        if tag in _BLOCKS:
            self._break(1 if self._within else 2)

    def handle_data(self, data: str) -> None:
        """Take in text, whose lines are those of the page but in code."""
        if not self._in_code:
            data = re.sub(r"\s+", " ", data)
            data = data.lstrip() if not self.text or self.text[-1].endswith("\n") else data
        if data:
            self.text.append(data)

    def _item(self) -> None:
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self.text.append(f"{'  ' * (len(self._lists) - 1)}{chr(0x2022) if number is None else f'{number}.'} ")

    def _break(self, lines: int) -> None:
        """End the line, and leave one blank where two are asked for."""
        if not self.text or (lines == 1 and self._at_item()):
            return
        end = "".join(self.text[-2:])
        if missing := lines - (len(end) - len(end.rstrip("\n"))):
            self.text += ["\n"] * missing

    def _at_item(self) -> bool:
        """Return whether nothing stands behind the mark of an item yet: its first block begins there."""
        return _LEADING_MARKS.fullmatch(self.text[-1]) is not None
