"""Markdown that grows: nothing is lost on the way, whatever the chunks."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from xcyq_magic.display.streaming import SEGMENT_CHARS, StreamingMarkdown
from xcyq_magic.gateway.sandbox.answers import sample


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>|\s", "", html)


def shown_at_the_end(chunks: list[str]) -> str:
    streaming = StreamingMarkdown()
    segments: list[str] = []
    tail = ""
    for chunk in chunks:
        frame = streaming.feed(chunk)
        segments += frame.frozen
        tail = tail if frame.tail is None else frame.tail
    last = streaming.refresh()
    return "".join(segments) + (tail if last.tail is None else last.tail)


@settings(max_examples=12)  # each renders some thirty tails
@given(st.lists(st.integers(50, 900), min_size=10, max_size=40))
def test_all_text_is_on_the_screen_at_the_end(sizes):
    text = sample(9_000)
    chunks, at = [], 0
    for size in [*sizes, len(text)]:
        chunks.append(text[at : at + size])
        at += size
    whole = shown_at_the_end([text])
    assert text_of(shown_at_the_end(chunks)) == text_of(whole)


def test_finished_blocks_are_rendered_once():
    streaming = StreamingMarkdown()
    frames = [streaming.feed(sample(20_000)[i : i + 100]) for i in range(0, 20_000, 100)]
    frozen = [html for f in frames for html in f.frozen]
    assert len(frozen) >= 3
    tails = [len(f.tail) for f in frames if f.tail is not None]
    assert max(tails) < 12 * SEGMENT_CHARS  # however long the reply


def test_a_fence_with_blank_lines_is_not_cut():
    streaming = StreamingMarkdown()
    frame = streaming.feed("```\n" + "a\n\nb\n" * 2_000)
    assert frame.frozen == ()
