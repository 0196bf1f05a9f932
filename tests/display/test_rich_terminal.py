"""Markdown in a terminal with colours; a terminal without a window says what stands on its screen."""

from __future__ import annotations

import io
import sys

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.display.rich_terminal import ColouredText

WIDTH = 60
BLOCKS = [
    "# A title\n",
    "Some *text* with `code`, **bold** and a word that is longer than the rest of its line, so that it wraps.\n",
    "```python\nx = 1\n\ndef f(a):\n    return a  # 'it'\n```\n",
    "~~~\n```\nplain\n~~~\n",
    "- one\n- two\n  ```sh\n  ls\n  ```\n\n",
    "1. first\n2. second\n\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n",
    "> quoted\n\n",
    "---\n",
    "\n",
    "你好，世界。 " * 8 + "\n\n",
    "    indented = 1\n\n",
    "```\nnever closed\n",
]


def written(chunks) -> str:
    """All that is written for `chunks`."""
    stream, before = io.StringIO(), sys.stdout
    sys.stdout = stream
    try:
        text = ColouredText()
        for chunk in chunks:
            text.write(chunk)
        text.finish()
    finally:
        sys.stdout = before
    return stream.getvalue()


def screen(output: str) -> list[str]:
    terminal = pyte.Screen(WIDTH, 200)
    terminal.set_mode(pyte.modes.LNM)  # a line feed begins a line, as a terminal's driver has it
    pyte.Stream(terminal).feed(output)
    lines = [line.rstrip() for line in terminal.display]
    while lines and not lines[-1]:
        lines.pop()
    return lines


@pytest.fixture(autouse=True)
def _width(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(WIDTH))


@st.composite
def chunked(draw):
    text = "".join(draw(st.lists(st.sampled_from(BLOCKS), max_size=6)))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(chunked())
def test_any_chunking_ends_in_the_same_screen(chunks):
    assert screen(written(chunks)) == screen(written(["".join(chunks)]))


def test_each_block_is_seen_once_it_is_finished():
    assert screen(written(["# Title\nSome **bold** text.\n\n```py\nx = 1\n```\n- one\n  - two\n"])) == [
        "Title",
        "",
        "Some bold text.",
        "",
        "  x = 1",
        "",
        " • one",
        "    • two",
    ]


def test_code_is_written_line_by_line_and_one_line_stays_one():
    text, stream, before = ColouredText(), io.StringIO(), sys.stdout
    sys.stdout = stream
    try:
        text.write("```python\nx = 1\n" + "y = 2  # " + "a" * 100 + "\nz")
    finally:
        sys.stdout = before
    assert "x = 1\n" in stream.getvalue()
    assert "a" * 100 in stream.getvalue()


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("a\x1b]0;title\x07b\x9b2Jc", "a]0;titleb2Jc"),
        ("a&#27;[2Jb &#x9b;2J", "[2Jb"),
        ("List<String> and <b>this</b>", "List<String> and <b>this</b>"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("[a bank](https://evil.example/?q=1)", "a bank (https://evil.example/?q=1)"),
        ("![a cat](https://evil.example/cat.png)", "a cat (https://evil.example/cat.png)"),
        ("[red]no markup[/red] :smile:", "[red]no markup[/red] :smile:"),
        ("```py\n\x1b[2J\n```", "[2J"),
    ],
)
def test_nothing_is_hidden_and_nothing_moves_the_cursor(markdown, shown):
    output = written([markdown])
    assert not set(output) & {"\x07", "\x9b"}
    assert "\x1b[2J" not in output
    assert "\x1b]" not in output
    assert shown in " ".join(screen(output))
