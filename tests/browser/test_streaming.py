"""A reply while it grows: nothing jumps, nothing flickers, and at its end the settled output takes its place."""

from __future__ import annotations

import itertools
import statistics
from typing import TYPE_CHECKING

import pytest
from scrolling import LOAD, MIXED, PLACES, scroll_to, seen, watch, write_prompt

from xcyq_magic.gateway.sandbox import answers

if TYPE_CHECKING:
    from jupyter import NotebookPage

APPS = ["lab", "notebook"]
LINE_PX = 24  # a line of text, with its leading
TALL = "# a cell of many lines\n" * 60
NEVER_ENDS = "sandbox: stall 1000000"  # silent after its last word, so that there is time to look at it

CODE = "```python\n" + "".join(f"value_{n} = compute({n}, 'a word')\n" for n in range(1700)) + "```\n\nthe end"
ROWS = "".join(f"| row {n} | {'long ' * (n % 7)}words | {n * n} |\n" for n in range(500))
TABLE = f"| name | words | number |\n|:--|---|--:|\n{ROWS}\nthe end"
HUGE = {"code": CODE, "table": TABLE}
# The distances between what stands below each other, within a piece and across the edge of two.
STEPS = """(selector) => {
    const lines = (pre) => {
        const texts = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT), tops = [], range = document.createRange();
        for (let text; (text = texts.nextNode());) for (const found of text.data.matchAll(/value_\\d+/g)) {
            range.setStart(text, found.index);
            range.setEnd(text, found.index + 5);
            tops.push(range.getBoundingClientRect().top);
        }
        return tops;
    };
    const within = [], across = [];
    let last = null;
    for (const box of document.querySelectorAll(`.xcyq-live .xcyq-reply :is(${selector})`)) {
        if (!box.getClientRects().length) continue;
        const parts = [...box.querySelectorAll('tbody tr, li')];
        const tops = box.localName === 'pre' ? lines(box) : parts.map((e) => e.getBoundingClientRect().top);
        tops.forEach((top, n) => { if (n) within.push(top - tops[n - 1]); });
        if (last !== null && tops.length) across.push(tops[0] - last);
        last = tops.at(-1) ?? last;
    }
    return {within, across};
}"""


def wait_for_live(page: NotebookPage, words: str) -> None:
    there = "(w) => [...document.querySelectorAll('.xcyq-live')].some((e) => e.textContent.includes(w))"
    page.page.wait_for_function(there, arg=words, timeout=60_000)


@pytest.mark.parametrize("app", APPS)
def test_what_a_reader_looks_at_stays_where_it_is_and_all_words_arrive(jupyters, notebook, app):
    # Long enough that it settles in three sections: two while it comes, and one for what is left in the end.
    last = answers.sample(15_500).split()[-1]
    path = notebook(LOAD, TALL, "%%chat\nsandbox: markdown 15500\nsandbox: pace 100 20", TALL)
    page = jupyters.open(path, app)
    page.start_all()
    wait_for_live(page, "Part 9 of")
    scroll_to(page, ".xcyq-reply h2", "Part 4 of")
    watch(page, ".xcyq-reply h2", "Part 4 of", last)
    saw = seen(page)
    assert saw.frames[-1]["complete"]
    assert saw.empty == 0
    assert saw.moved() <= 3
    assert saw.shrinks(live=True) <= LINE_PX
    assert page.js("() => document.querySelectorAll('.xcyq-more').length") == 2
    sizes = "() => [...document.querySelectorAll('mjx-container')].map((e) => getComputedStyle(e).fontSize)"
    assert len(set(page.js(sizes))) == 1  # typeset where it is seen: MathJax takes the size of the font around it


@pytest.mark.parametrize("kind", list(HUGE))
def test_a_huge_block_grows_without_gaps_or_flicker(jupyters, notebook, folder, kind):
    cell = write_prompt(folder, "prompt.md", "sandbox: echo", "sandbox: pace 50 300", NEVER_ENDS, HUGE[kind])
    path = notebook(LOAD, cell)
    page = jupyters.open(path)
    watch(page, last="the end")
    page.start_all()
    wait_for_live(page, "the end")
    steps = page.page.evaluate(STEPS, {"code": "pre", "table": "table", "list": "ol"}[kind])
    page.page.locator(".xcyq-goes-on").nth(1).evaluate("(e) => e.scrollIntoView({block: 'center'})")
    page.page.wait_for_timeout(300)
    page.page.screenshot(path=str(page.output / f"pieces-{kind}.png"))
    page.page.get_by_role("button", name="Stop").dispatch_event("click")
    saw = seen(page)
    assert len(steps["across"]) >= 5
    assert max(abs(s - statistics.median(steps["within"])) for s in steps["across"]) <= 1
    assert saw.empty == 0
    assert saw.shrinks(live=True) <= LINE_PX


# Blocks where the distance to the next one is another than between paragraphs.
BLOCKS = (
    "## A heading",
    "$$\nx = 1\n$$",
    "- an item",
    "> a quotation",
    "```\ncode\n```",
    "#### A small heading",  # where the next box of segments begins
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "---",
)
CHUNK = 400


def _chunk(block: str, *, first: bool) -> str:
    """A block and a paragraph in one delta: where a segment ends, it is the last, before a list, or the first."""
    begin = "" if first else "1. an item\n\n"
    size = CHUNK - len(begin) - len(block) - 4
    paragraph = ("Words of a paragraph. " * size)[: size - 1] + "."
    return begin + "".join(f"{part}\n\n" for part in ((block, paragraph) if first else (paragraph, block)))


# In the background a reply has one output, and so more than one box of segments.
@pytest.mark.parametrize("options", ["", "--background"])
@pytest.mark.parametrize("first", [False, True])
def test_wherever_a_reply_is_cut_the_settled_one_has_the_same_distances(jupyters, notebook, folder, first, options):
    # Four times each: a segment is complete after 1,600 characters, a box after six of them, a section after 6,000.
    text = "".join(_chunk(block, first=first) for block in BLOCKS for _ in range(4)) + "The very last.\n"
    directives = ("sandbox: echo", f"sandbox: pace 10 {CHUNK}", NEVER_ENDS)
    title = "# A" + " " * (CHUNK - 5) + "\n"
    cell = write_prompt(folder, "prompt.md", *directives, title, text, options=options)
    path = notebook(LOAD, cell, *([] if options else ["_reply"]))  # which has one output
    page = jupyters.open(path)
    page.start_all()
    wait_for_live(page, "The very last.")
    page.page.wait_for_timeout(1000)
    live = page.js(PLACES)
    boxes = page.js("() => [...document.querySelectorAll('.xcyq-segments')].map((e) => e.childElementCount)")
    sections = page.js("() => document.querySelectorAll('.xcyq-followed').length")
    page.page.get_by_role("button", name="Stop").dispatch_event("click")
    page.wait()
    page.page.wait_for_timeout(800)
    settled = page.js(PLACES)
    if not options:
        settled, whole = settled[: len(live)], settled[len(live) :]
        assert [p["text"] for p in whole] == [p["text"] for p in settled]
        assert _off(settled, whole) == []
    assert len(boxes) >= 2 if options else sections >= 1
    assert max(boxes) <= 7  # six segments and the next box: all that is in a box is styled anew for a new child
    assert [(p["tag"], p["text"]) for p in live] == [(p["tag"], p["text"]) for p in settled]
    assert _off(live, settled) == []


def _off(*two: list[dict]) -> list[tuple]:
    """Where the distance between what stands below each other is not the same."""
    # Not rounded: a pixel at each edge would add up. The margin of a formula is of its own font: 0.56 px more.
    gaps = [[b["top"] - a["top"] for a, b in itertools.pairwise(places)] for places in two]
    names = [f"{p['tag']} {p['text']}" for p in two[0]]
    return [found for found in zip(names, names[1:], *gaps, strict=False) if abs(found[2] - found[3]) > 0.6]


@pytest.mark.parametrize(("app", "theme"), [("lab", "light"), ("lab", "dark")])
def test_all_that_markdown_has_looks_the_same_live_and_settled(jupyters, notebook, folder, app, theme):
    # No footnote: while it is live, nobody knows its number.
    text = MIXED.replace("[^1]", "").replace(": The footnote, with `code` in it.", "The very last.")
    directives = ("sandbox: echo", "sandbox: think 300", "sandbox: pace 100 60", NEVER_ENDS)
    path = notebook(LOAD, write_prompt(folder, "prompt.md", *directives, text))
    page = jupyters.open(path, app, theme)
    page.start_all()
    wait_for_live(page, "The very last.")
    page.page.wait_for_timeout(1000)
    live = page.js(PLACES)
    pictures(page, f"mixed-{app}-{theme}-live")
    page.page.get_by_role("button", name="Stop").dispatch_event("click")
    page.wait()
    page.page.wait_for_timeout(800)
    settled = page.js(PLACES)
    pictures(page, f"mixed-{app}-{theme}-settled")
    looks = ("tag", "text", "font", "size", "colour", "weight", "background")
    assert [[p[k] for k in looks] for p in live] == [[p[k] for k in looks] for p in settled]
    for a, b in zip(live, settled, strict=True):
        assert max(abs(a[k] - b[k]) for k in ("top", "left", "width")) <= 2, (a, b)
    assert page.errors == []
    assert page.foreign == []


def pictures(page: NotebookPage, name: str) -> None:
    size = page.page.viewport_size
    for width in (1100, 600):
        page.page.set_viewport_size({"width": width, "height": 2400})
        page.page.wait_for_timeout(400)
        page.page.screenshot(path=str(page.output / f"{name}-{width}.png"))
    page.page.set_viewport_size(size)
    page.page.wait_for_timeout(300)
