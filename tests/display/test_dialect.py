"""Markdown as models write it: the structure that GitHub shows."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.display.dialect import to_python_markdown
from xcyq_magic.display.markup import to_html


def structure(source: str) -> str:
    """The HTML without attributes, wrappers of ours, and white space between elements."""
    html = re.sub(r"<(\w+)[^>]*>", r"<\1>", to_html(source))
    html = re.sub(r"</?(span|div)>|<p></p>|<p>\s*</p>", "", html)
    return re.sub(r"\s+", " ", re.sub(r"\s*(</?(?:p|ul|ol|li|pre|blockquote)>)\s*", r"\1", html)).strip()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("para\n- a\n- b", "<p>para</p><ul><li>a</li><li>b</li></ul>"),
        ("para\n1. one\n2. two", "<p>para</p><ol><li>one</li><li>two</li></ol>"),
        ("The year\n1984. was fine", "<p>The year 1984. was fine</p>"),
        ("1. one\n   - sub\n2. two", "<ol><li>one<ul><li>sub</li></ul></li><li>two</li></ol>"),
        ("- a\n  - b\n    - c\n- d", "<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li><li>d</li></ul>"),
        ("* a\n    * b\n    * c\n* d", "<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul>"),
        ("1) one\n2) two", "<ol><li>one</li><li>two</li></ol>"),
        ("- a\n- b\n1. c", "<ul><li>a</li><li>b</li></ul><ol><li>c</li></ol>"),
        ("- a\n  goes on\n- b", "<ul><li>a goes on</li><li>b</li></ul>"),
        ("- a\n\n  more\n\n- b", "<ul><li><p>a</p><p>more</p></li><li><p>b</p></li></ul>"),
        ("```python\nimport x\n\ndef f():", "<pre><code>import x def f(): </code></pre>"),
        ("- ```\n  x\n  ```", "<ul><li><pre><code>x </code></pre></li></ul>"),
        ("> - a\n>   - b", "<blockquote><ul><li>a<ul><li>b</li></ul></li></ul></blockquote>"),
        ("- a\n\n  > quote\n\n- b", "<ul><li><p>a</p><blockquote><p>quote</p></blockquote></li><li><p>b</p></li></ul>"),
        ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
        ("para\n\n    code", "<p>para</p><pre><code>code </code></pre>"),
    ],
)
def test_a_list_a_fence_and_a_quotation_are_what_they_look_like(source, expected):
    assert structure(source) == expected


def test_a_table_may_follow_a_paragraph():
    assert "<table>" in to_html("text\n| a | b |\n|---|---|\n| 1 | 2 |")


@pytest.mark.parametrize("code", ["- a\n- b", "   x", "> q", "1) x\n\n\ny", "| a |\n|---|"])
def test_the_inside_of_a_fence_is_left_alone(code):
    assert to_python_markdown(f"text\n\n```\n{code}\n```\n") == f"text\n\n```\n{code}\n```\n\n"


WORDS = ["- ", "1. ", "  ", "    ", "> ", "```\n", "~~~\n", "| a |", "|---|", "\n", "\n\n", "word", "*", "#", "\t"]


@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_no_word_is_lost(pieces):
    source = "".join(pieces)
    assert to_python_markdown(source).count("word") == source.count("word")
    assert to_html(source).count("word") == source.count("word")
