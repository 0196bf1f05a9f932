"""The differences between replies: words of two, or sentences that only one of several says."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from xcyq_magic.display.markup import as_text, escape
from xcyq_magic.display.style import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Change: TypeAlias = Literal["same", "removed", "added"]

# A word, or a sign that is none, with the space after it. Scripts without spaces go by characters.
_WORD = re.compile(r"(?:[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s])\s*|\s+")
_MOST_PAIRS = 4_000_000  # of words in lines that differ; beyond, they are not looked into
_SHOWN_WORDS = 12  # of a long stretch that is the same, at each of its ends
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]*_]*\s+|(?<=[\u3002\uff01\uff1f])")
_LEADING_MARKS = re.compile(r"^[\s>]*(?:(?:[-*+]|\d{1,9}[.)]|#{1,6})\s+)*")
_NO_WORD = re.compile(r"[\W_]+")
_ONLY_ONE = "What only one of them says:"
_NOTHING = "They say the same."


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
    both: tuple[tuple[Change, Sequence[str]], ...] = (("removed", removed), ("added", added))
    return [Stretch(change, "".join(parts)) for change, parts in both if parts]


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
    if len(replies) == 2:  # noqa: PLR2004  # a text and another
        stretches = by_words(*replies.values())
        return [] if all(s.change == "same" for s in stretches) else stretches, {}
    said = said_by_one(list(replies.values()))
    return [], {name: sentences for name, sentences in zip(replies, said, strict=True) if sentences}


def _shortened(stretch: Stretch) -> str:
    """Return the text of a stretch; of what is long and the same, the middle is left out."""
    words = _WORD.findall(stretch.text)
    if stretch.change != "same" or len(words) <= 3 * _SHOWN_WORDS:
        return stretch.text
    return f"{''.join(words[:_SHOWN_WORDS]).rstrip()} … {''.join(words[-_SHOWN_WORDS:])}"
