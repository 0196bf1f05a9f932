"""Many rows as they are seen: while they come, stopped, settled, reopened without a kernel, and not trusted."""

from __future__ import annotations

import re

from watch import trusted

LOAD = "%load_ext xcyq_magic"
CELL = """%%chat --each range(60)
sandbox: first 0
sandbox: echo
{{ 'sandbox: status 400' if row == 2 else '' }}
{{ 'sandbox: stall 8' if row > 11 else '' }}
Row {{ row }} says <img src=x onerror="window.pwned=1"> and <script>window.pwned=1</script>"""

BAR = """() => {
    const bar = document.querySelector('.xcyq-progress'), box = bar.getBoundingClientRect();
    const [done, failed] = [...bar.children].map(part => part.getBoundingClientRect().width / box.width);
    return {done, failed, now: bar.getAttribute('aria-valuenow'), height: box.height};
}"""


def test_rows_are_seen_while_they_come_stopped_and_readable_afterwards(jupyters, notebook, sandbox):
    path = notebook(LOAD, CELL, "'after'")
    page = jupyters.open(path, width=1200)
    raw = page.page
    page.start_all()
    raw.get_by_text("12 of 60 rows").wait_for(timeout=60_000)
    bar = raw.evaluate(BAR)
    assert bar["now"] == "12"
    assert bar["height"] > 0
    assert abs(bar["done"] - 11 / 60) < 0.01
    assert abs(bar["failed"] - 1 / 60) < 0.01
    latest = raw.locator(".xcyq-latest tr")
    assert latest.count() == 5
    assert len({round(latest.nth(n).bounding_box()["height"]) for n in range(5)}) == 1
    raw.screenshot(path=str(page.output / "rows-live.png"))
    raw.set_viewport_size({"width": 500, "height": 900})
    raw.wait_for_function("() => document.querySelector('.jp-Notebook').clientWidth < 500")  # laid out a moment later
    stop = raw.get_by_role("button", name="Stop")
    assert stop.evaluate("button => button.scrollWidth <= button.clientWidth")  # its word is not cut
    raw.set_viewport_size({"width": 1200, "height": 900})
    stop.click()
    page.wait(30)
    raw.wait_for_selector(".xcyq-rows thead", timeout=10_000)
    page.picture("rows-settled")
    text = page.outputs()[1]
    page.save()
    assert page.foreign == []
    assert page.errors == []
    assert "60 rows · 1 failed · " in text
    # Which of both, of those on their way, is chance.
    assert sum(map(int, re.findall(r" · (\d+) (?:stopped|not asked)", text))) == 48
    assert "⚠ failed The gateway refused with 400" in text
    assert "Row 11 says" in text
    assert raw.evaluate("() => window.pwned") is None
    assert len(sandbox.received) <= 20
    assert page.outputs()[2] == "'after'"
    jupyters.clear()
    # As it comes to somebody else: the kernel is gone, nothing of its widgets is left, and nobody trusts the file.
    page = jupyters.open(path, theme="dark", width=700)
    raw = page.page
    raw.wait_for_selector(".xcyq-rows", timeout=20_000)
    assert not trusted(raw)
    page.picture("rows-reopened")
    assert page.outputs()[1].split() == text.split()
    assert page.foreign == []
    assert raw.evaluate("() => document.querySelectorAll('.jp-OutputArea-output img').length") == 0
