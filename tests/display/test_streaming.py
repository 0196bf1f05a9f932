"""Markdown that grows: the end is the whole, and no word that was shown is lost on the way, whatever the chunks."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loops import FRAGMENTS, HONEST, looping
from readmes import load
from snippets import SNIPPETS

from xcyq_magic.display.markup import to_html
from xcyq_magic.display.sections import ENDLESS_CHARS
from xcyq_magic.display.streaming import CUT_CHARS, StreamingMarkdown
from xcyq_magic.gateway.sandbox.answers import sample

DOCUMENTS = {**SNIPPETS, **HONEST, **{f"{name}.md": text for name, text in load().items()}}

MARKS = [
    "word",
    " ",
    "\n",
    "\n\n",
    "- ",
    "1. ",
    "> ",
    "    ",
    "```\n",
    "~~~",
    "|",
    "|-|-|\n",
    "*",
    "**",
    "_",
    "~~",
    "[",
    "]",
    "](",
    ")",
]
MARKS += [
    "]: ",
    "![",
    "`",
    "$",
    "$$\n",
    "\\(",
    "\\)",
    "\\[",
    "<sub>",
    "</sub>",
    "<b>",
    "</b>",
    "<code>",
    "</code>",
    "```math\n",
    "$`",
    "`$",
    "![^1]",
    "，",
    "<details>\n",
    "</details>\n",
    "</details>",
    "<details><summary>",
    "<summary>\n",
    "</summary>\n",
    "# ",
    "---\n",
    "&amp;",
    "[^1]",
]
MARKS += ["[^1]: ", "http://a.b/", "\t", "\r\n", "\\", "==="]


MARKUP = r"<[^>]*>"
TAGS = rf"{MARKUP}|&lt;/?(?:b|c(?:od?e?)?|s(?:ub?)?)\b(?:&gt;)?"  # and those of `MARKS` that turned out to be text


def words(html: str, marks: str = MARKUP) -> str:
    """What is said: marks come and go while it is not known what they mean."""
    return "".join(c for c in unescape(re.sub(marks, "", html)) if c.isalnum())


def is_kept(before: str, after: str) -> bool:
    """Whether all that was there is there in the same order; more may have come between."""
    rest = iter(after)
    return after.startswith(before) or all(c in rest for c in before)


class Screen:
    """What a view shows of the frames, and whether a frame took something away."""

    def __init__(self, marks: str = MARKUP) -> None:
        self._marks = marks
        self.streaming = StreamingMarkdown()
        self.segments = [""]
        self.tail = ""
        self.chars = 0  # that all frames brought
        self.lost: list[str] = []
        self._closed = self._said = ""

    def feed(self, text: str) -> None:
        self.show(self.streaming.feed(text))

    def show(self, frame) -> None:
        if frame.segment is not None:
            self.segments[-1] = frame.segment
        if frame.closed:
            self._closed += words(self.segments[-1], self._marks)
            self.segments.append("")
        self.tail = self.tail if frame.tail is None else frame.tail
        self.chars += len(frame.segment or "") + len(frame.tail or "")
        said = self._closed + words(self.segments[-1] + self.tail, self._marks)
        if not is_kept(self._said, said):
            self.lost.append(said[-80:])
        self._said = said

    @property
    def html(self) -> str:
        return "".join(self.segments) + self.tail


def streamed(text: str, sizes: list[int], marks: str = MARKUP) -> Screen:
    screen, at, n = Screen(marks), 0, 0
    while at < len(text):
        size = sizes[n % len(sizes)]
        screen.feed(text[at : at + size])
        at, n = at + size, n + 1
    screen.show(screen.streaming.refresh())
    return screen


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_grows_to_what_it_is_and_loses_no_word(name):
    text = DOCUMENTS[name]
    screen = streamed(text, [max(1, len(text) // 60)])
    assert screen.lost == []


@given(st.sampled_from(sorted(SNIPPETS)), st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_so_it_does_in_any_chunks(name, sizes):
    screen = streamed(SNIPPETS[name], sizes)
    assert screen.lost == []


@given(st.lists(st.sampled_from(MARKS), max_size=40), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_so_does_what_no_one_would_write(marks, sizes):
    text = "".join(marks)
    screen = streamed(text, sizes, TAGS)
    # What looked like code, and turns out to be none, may hold marks.
    assert screen.lost == [] or ("`" in text and re.search(r"\|-|[<&]", text))


@given(st.text(max_size=200), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_so_does_any_text(text, sizes):
    assert is_kept(words(streamed(text, sizes).html), words(to_html(text)))


def test_finished_blocks_are_rendered_once():
    text = sample(40_000)
    screen = streamed(text, [100])
    assert len(screen.segments) >= 15
    assert screen.chars < 20 * len(text)


HUGE = {
    "code": "```python\n" + "".join(f"x{n} = {n}  # a line of code\n" for n in range(3_000)),
    "table": "| n | square |\n|--:|--|\n" + "".join(f"| {n} | {n * n} and so on |\n" for n in range(2_000)),
    "list": "".join(f"{n}. item number {n}\n      - with *one* below\n" for n in range(1, 1_500)),
    "loose list": "".join(f"- item number {n}\n\n  and its paragraph\n\n" for n in range(1_500)),
    "quote": "".join(f"> paragraph {n} of what someone said\n>\n" for n in range(1_500)),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_block_is_cut_into_pieces_and_loses_nothing(name):
    text = HUGE[name]
    screen = streamed(text, [100])
    assert screen.lost == []
    assert words(re.sub(r"<thead>.*?</thead>", "", screen.html, flags=re.DOTALL)) == words(
        re.sub(r"<thead>.*?</thead>", "", to_html(text), flags=re.DOTALL)
    )
    assert len(screen.segments) >= len(text) / CUT_CHARS / 3
    assert len(screen.tail) < 8 * CUT_CHARS
    assert screen.chars < 40 * len(text)


def test_the_pieces_of_a_list_go_on_counting():
    screen = streamed(HUGE["list"], [500])
    starts = [int(n) for html in screen.segments for n in re.findall(r'xcyq-from-above[^>]*><ol start="(\d+)"', html)]
    firsts = [
        int(n)
        for html in screen.segments
        for n in re.findall(r"xcyq-from-above[^>]*><ol[^>]*><li>item number (\d+)", html)
    ]
    assert starts == firsts
    assert len(starts) > 10


@pytest.mark.parametrize("name", FRAGMENTS)
def test_what_a_looping_model_says_is_shown_to_its_end(name):
    text = looping(name, 8_000)
    screen = streamed(text, [400])
    assert len(screen.segments) <= 10
    if text.strip(" \t`~"):  # a run of these is one step
        assert len(screen.streaming._tail) < ENDLESS_CHARS + 500  # what a frame reads is bounded


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a **bold", "a <strong>bold</strong>"),
        ("a **bold*", "a <strong>bold</strong>"),
        ("a ~~gone", "a <del>gone</del>"),
        ("a `x = 1", "a <code>x = 1</code>"),
        ("a [link](http://example.com/pa", "a link"),
        ("a ![picture](http://example.com/pa", "a picture"),
        ("a [link][re", "a link"),
        ("H<sub>2", "H<sub>2</sub>"),
        ("a <su", "<p>a</p>"),
        ("<details>\n<summary cl", "<details></details>"),
        ("a &am", "<p>a</p>"),
        ("[label]: http://exa", ""),
        ("- [x", ""),
        ("- a\n  -", "<li>a</li>"),
        ("a\n=", "<p>a</p>"),
        ("```python\nx = 1", "<code>x = 1"),
        ("| a | b |\n|---|---|\n| **c", "<td><strong>c</strong></td>"),
        ("a [link](http://a.example) **b", 'rel="noopener noreferrer">link</a> <strong>b</strong>'),
    ],
)
def test_half_a_construct_is_shown_as_what_it_will_be(text, shown):
    screen = streamed(text, [1])
    assert shown in screen.tail
    assert "(http" not in screen.tail


@pytest.mark.parametrize("lines", [150, 700])
def test_half_of_a_fence_of_math_is_code_until_all_of_it_is_math(lines):
    text = "```math\n" + "x + 1 = 2\n" * lines
    assert "xcyq-math" not in streamed(text, [100]).html
    whole = streamed(text + "```\n\nnext\n\n", [100]).html
    assert ("xcyq-math" in whole) == (len(text) < ENDLESS_CHARS)  # what was shown of it stays code
    assert to_html(text + "```").count("xcyq-math") == 1


def test_math_is_typeset_once_it_ended_and_not_cut_before():
    screen = streamed("$$\na\n\n= b\n", [1])
    assert len(screen.segments) == 1
    assert "xcyq-math" not in screen.html
    screen.feed("$$\n\nnext")
    assert '<span class="xcyq-math">\\[a\n\n= b\\]</span>' in screen.html
