"""A comparison as it is seen: columns while they come, clicks, settled, reopened without its kernel."""

from __future__ import annotations

import re

import pytest
from servers import eventually

LOAD = "%load_ext xcyq_magic"
CELL = """%%compare gpt-5.5 claude-opus-4-7 gemini-3-flash-preview
sandbox: vary
sandbox: for gpt-5.5: stall 120
sandbox: for gemini-*: markdown 700
When is the median a better summary than the mean?"""

PLACES = """(selector) => {
    const boxes = [...document.querySelectorAll(selector)].map(c => c.getBoundingClientRect());
    const row = document.querySelector('.xcyq-live-columns, .xcyq-scrolls'), page = document.scrollingElement;
    return {
        tops: boxes.map(b => Math.round(b.top)), widths: boxes.map(b => Math.round(b.width)),
        inside: boxes.every((b, n) => !n || b.left >= boxes[n - 1].right - 1),
        scrolls: row.scrollWidth > row.clientWidth && getComputedStyle(row).overflowX === 'auto',
        shadows: getComputedStyle(row).backgroundAttachment.startsWith('local, local, scroll'),
        pageScrolls: page.scrollWidth > page.clientWidth,
    };
}"""


# Where the text of each column begins, below the top of all columns.
TEXTS = """(columns) => {
    const top = document.querySelector(columns).getBoundingClientRect().top;
    const replies = [...document.querySelectorAll(`${columns} .xcyq-reply`)].filter(r => r.innerText.trim());
    return replies.map(r => Math.round(r.getBoundingClientRect().top - top));
}"""


def beside_each_other(places: dict) -> bool:
    return len(set(places["tops"])) == 1 and places["inside"] and not places["pageScrolls"]


def test_columns_are_clicked_while_they_come_and_readable_afterwards(jupyters, notebook, gateway):
    path = notebook(LOAD, CELL, "%chat and now?")
    page = jupyters.open(path, width=1200)
    raw = page.page
    page.start_all()
    columns = raw.locator(".xcyq-live-column")
    columns.nth(2).get_by_text("a server").wait_for(timeout=60_000)
    raw.screenshot(path=str(page.output / "compare-live.png"))
    live = raw.evaluate(PLACES, ".xcyq-live-column")
    assert beside_each_other(live)
    assert not live["scrolls"]
    raw.set_viewport_size({"width": 700, "height": 900})
    raw.wait_for_function("() => document.querySelector('.jp-Notebook').clientWidth < 700")  # laid out a moment later
    narrow = raw.evaluate(PLACES, ".xcyq-live-column")
    assert beside_each_other(narrow)
    assert narrow["scrolls"]
    assert narrow["shadows"]
    assert min(narrow["widths"]) >= 240
    raw.set_viewport_size({"width": 1200, "height": 900})

    columns.nth(1).get_by_role("button", name="Keep this").click()
    columns.nth(1).get_by_text("to be kept").wait_for()
    columns.nth(1).get_by_role("button", name="Stop").wait_for(state="hidden")
    columns.nth(0).get_by_role("button", name="Stop").click()
    page.wait(30)
    raw.wait_for_selector(".xcyq-columns", timeout=10_000)
    settled = raw.evaluate(PLACES, ".xcyq-columns > tbody > tr > td")
    assert beside_each_other(settled)
    assert settled["shadows"]
    page.picture("compare-settled")
    text = page.outputs()[1]
    page.save()
    assert page.foreign == []
    assert page.errors == []
    assert "claude-opus-4-7 is kept" in text
    assert "Part 1 of a sample" in text
    by_model = {r.body["model"]: r for r in gateway.received}
    assert eventually(lambda: by_model["gpt-5.5"].ending == "closed by the client")
    assert by_model["claude-opus-4-7"].ending == by_model["gemini-3-flash-preview"].ending == "finished"
    asked = gateway.received[-1].body["messages"]
    assert [m["role"] for m in asked] == ["user", "assistant", "user"]
    assert "A model would go on from here" in asked[1]["content"]
    jupyters.clear()
    # Another server, in the dark: the kernel is gone, and nothing of its widgets is left.
    page = jupyters.open(path, theme="dark", width=1200)
    raw = page.page
    raw.wait_for_selector(".xcyq-columns", timeout=20_000)
    page.picture("compare-reopened")
    assert page.outputs()[1].split() == text.split()
    assert beside_each_other(raw.evaluate(PLACES, ".xcyq-columns > tbody > tr > td"))
    bars = raw.evaluate("() => [...document.querySelectorAll('.xcyq-bar')].map(b => b.getBoundingClientRect().width)")
    assert len(set(bars)) > 2
    assert page.foreign == []


OVER_CASES = """%%compare gpt-5.5 claude-opus-4-7 --each range(24) --check is_small
sandbox: vary
sandbox: for claude-*: stall 10
Is {{ row }} small?"""


def test_a_matrix_is_seen_stopped_and_stands_after_a_reopen(jupyters, notebook, sandbox):
    path = notebook(
        f"{LOAD}\ndef is_small(reply, case): return case < 3\n%config ChatSettings.concurrency = 6", OVER_CASES
    )
    page = jupyters.open(path, width=700)
    raw = page.page
    page.start_all()
    raw.wait_for_selector(".xcyq-matrix .xcyq-no", timeout=60_000)
    marks = raw.locator(".xcyq-matrix tr").nth(0).locator("i")
    assert marks.count() == 24
    assert [marks.nth(n).inner_text() for n in range(4)] == ["✓", "✓", "✓", "✗"]
    assert marks.nth(0).get_attribute("title") == "0: yes"
    assert raw.get_by_role("progressbar").get_attribute("aria-valuemax") == "48"
    raw.screenshot(path=str(page.output / "matrix-live.png"))
    raw.get_by_role("button", name="Stop").click()
    page.wait(30)
    raw.wait_for_selector(".xcyq-metrics", timeout=10_000)
    page.picture("matrix-settled")
    text = page.outputs()[1]
    page.save()
    assert page.foreign == []
    assert page.errors == []
    assert "Scored by is_small" in text
    assert "not asked" in text
    assert eventually(lambda: {r.ending for r in sandbox.received} <= {"finished", "closed by the client"})
    jupyters.clear()
    page = jupyters.open(path, theme="dark", width=1200)
    raw = page.page
    raw.wait_for_selector(".xcyq-metrics", timeout=20_000)
    page.picture("matrix-reopened")
    assert page.outputs()[1].split() == text.split()
    drawn = "() => [...document.querySelectorAll('.xcyq-bar .xcyq-bar')].map(b => b.getBoundingClientRect().width)"
    assert raw.evaluate(drawn) == [3]
    assert page.foreign == []
    assert page.errors == []


@pytest.mark.parametrize(("app", "theme"), [("lab", "dark"), ("notebook", "light")])
def test_an_answer_is_kept_after_the_last_one_came_and_nothing_moves(jupyters, notebook, sandbox, app, theme):
    cell = "%%compare gpt-5.5 claude-opus-4-7 --judge gpt-5.4\nsandbox: vary\nsandbox: for gpt-5.4: first 2\nWhich one?"
    page = jupyters.open(notebook(LOAD, cell, "1"), app, theme, width=1200)
    raw = page.page
    page.start_all()
    raw.get_by_text("gpt-5.4 judges").wait_for(timeout=60_000)
    live = raw.evaluate(TEXTS, ".xcyq-live-columns")
    raw.screenshot(path=str(page.output / f"keep-{app}-live.png"))
    page.wait(30)
    raw.wait_for_selector(".xcyq-columns", timeout=10_000)
    settled = raw.evaluate(TEXTS, ".xcyq-scrolls:has(.xcyq-columns)")
    raw.screenshot(path=str(page.output / f"keep-{app}-settled.png"))
    assert len(live) == len(settled) == 2
    assert max(abs(a - b) for a, b in zip(live, settled, strict=True)) <= 4, (live, settled)
    raw.get_by_role("button", name="Keep this").nth(1).click()
    raw.get_by_text("Kept: the answer of claude-opus-4-7.").wait_for(timeout=20_000)
    cells = page.js("() => [...document.querySelectorAll('.jp-CodeCell .cm-content')].map(c => c.innerText)")
    *_, typed, last = [c.strip() for c in cells]
    assert re.fullmatch(r"%chat_keep 2 --of [\w-]{8}", typed)
    assert (len(cells), last) == (4, "1")
    assert page.errors == []
