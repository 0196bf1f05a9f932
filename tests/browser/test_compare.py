"""A comparison as it is seen: columns while they come, clicks, settled, reopened without its kernel."""

from __future__ import annotations

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
