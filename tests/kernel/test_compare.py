"""A comparison in a real kernel: what a frontend receives, and clicks while the cell runs."""

from __future__ import annotations

import re
import time

import ipykernel
import pytest
from kernels import click, open_subshell, turn_of
from servers import eventually

COMPARISON = "application/vnd.xcyq.comparison+json"
MIMES = {"text/html", "text/plain", COMPARISON}


def states(messages) -> list[tuple[str, dict]]:
    """The comm of each widget's message, and the state that it brings."""
    contents = (m["content"] for m in messages if m["msg_type"] in {"comm_open", "comm_msg"})
    return [(c["comm_id"], state) for c in contents if (state := c.get("data", {}).get("state"))]


class Page:
    """What a page would show of the widgets: their values, and where each button is."""

    def __init__(self) -> None:
        self.widgets: dict[str, dict] = {}
        self.closed: set[str] = set()
        self.text = ""  # all that stood there, one after another

    def note(self, message) -> None:
        for comm, state in states([message]):
            self.widgets.setdefault(comm, {}).update(state)
            self.text += f"{state.get('value', '')}\n"
        if message["msg_type"] == "comm_close":
            self.closed.add(message["content"]["comm_id"])

    def buttons(self, description: str) -> list[str]:
        """The comms of the buttons so called that can be seen, column by column."""
        return [
            comm
            for comm, state in self.widgets.items()
            if state.get("description") == description and "xcyq-hidden" not in state["_dom_classes"]
        ]

    def showing(self, words: str) -> int:
        """How many widgets show `words` now."""
        return sum(words in str(state.get("value", "")) for state in self.widgets.values())


def follow(page: Page, *, until=None):
    """A condition for `Kernel.finish` that keeps `page` up to date."""

    def seen(message) -> bool:
        page.note(message)
        return until is not None and until(page)

    return seen


def test_it_is_live_in_widgets_and_settles_to_one_static_bundle(kernel, sandbox):
    page = Page()
    long = "sandbox: for claude-*: markdown 15000\nsandbox: for claude-*: pace 500 40"
    cell = f"%%compare gpt-5.5 claude-opus-4-7 -o found\nsandbox: markdown 900\nsandbox: for gpt-*: think 200\n{long}"
    ran = kernel.finish(kernel.start(cell), until=follow(page))
    assert ran.status == "ok", ran.error
    assert [set(o) for o in ran.outputs] == [MIMES]
    assert re.search(r" s · ~[\d,]+ tokens<", page.text)
    assert "standard pool" not in page.text  # both are of one
    assert "thinking" in page.text
    assert "Part 1 of a sample" in page.text
    assert len(set(page.widgets) - page.closed) in {0, 5}  # what a page that is loaded anew asks for, if it took long
    record = ran.outputs[0][COMPARISON]
    assert [c["name"] for c in record["columns"]] == ["gpt-5.5", "claude-opus-4-7"]
    assert kernel.value("found is _comparison, [len(r.text) for r in found.values()]") == "True [900, 15000]"
    shown = kernel.run("_comparison").outputs
    assert [set(o) for o in shown] == [MIMES]
    assert shown[0][COMPARISON] == record


def test_an_interrupt_stops_all_and_settles_what_came(kernel, sandbox):
    page = Page()
    cell = kernel.start("%%compare gpt-5.5 claude-opus-4-7 gpt-5.4\nsandbox: markdown 900\nsandbox: stall 300")
    kernel.finish(cell, until=follow(page, until=lambda p: p.showing("Part 1") == 3))
    kernel.interrupt()
    ran = kernel.finish(cell, until=follow(page))
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert len(ran.error) <= 2
    assert ran.outputs[-1]["text/plain"].count("[stopped]") == 3
    assert page.closed == set(page.widgets)
    assert eventually(lambda: {r.ending for r in sandbox.received} == {"closed by the client"})
    assert kernel.value("{r.partial for r in _comparison.values()}") == "{'stopped'}"
    assert kernel.run("%chat_keep 2\n%chat and on").status == "ok"
    assert len(sandbox.received[-1].body["messages"]) == 3


def test_a_button_keeps_the_answer_of_its_cell_also_in_a_new_kernel(kernel, sandbox):
    cells = {"3f2a9c4e-aaaa": "%%compare gpt-5.5 gpt-5.4\nThe first?", "77b01d2c-bbbb": "%%compare gpt-5.5 gpt-5.4\nB?"}
    for cell_id, code in cells.items():  # as when all cells of a notebook run, whose buttons were pressed before
        kernel.run(code, cell_id)
    for cell_id in ("3f2a9c4e", "77b01d2c"):
        ran = kernel.run(f"%chat_keep 2 --of {cell_id}")
        assert "Kept: the answer of gpt-5.4." in ran.outputs[-1]["text/plain"]
    html = kernel.run(cells["3f2a9c4e-aaaa"], "3f2a9c4e-aaaa").outputs[-1]["text/html"]
    assert "%chat_keep 2 --of 3f2a9c4e" in html
    kernel.run("%chat and on")
    assert [m["content"] for m in sandbox.received[-1].body["messages"][::2]] == ["The first?", "B?", "and on"]
    assert "has not run in this kernel" in "".join(kernel.run("%chat_keep 1 --of 00000000").error)


def test_buttons_of_cells_whose_ids_begin_alike_or_with_a_dash_keep_their_own_answers(kernel, sandbox):
    ids = ("compare-models-1", "compare-models-2", "-gE-Ez1qtyIA")  # by hand, and as Colab makes them
    typed = []
    for n, cell_id in enumerate(ids):
        ran = kernel.run(f"%%compare gpt-5.5 gpt-5.4\nQuestion {n}?", cell_id)
        typed += re.findall(r"%chat_keep 2 [^&\"]+", ran.outputs[-1]["text/html"])
    for line in typed:
        assert "Kept: the answer of gpt-5.4." in kernel.run(line).outputs[-1]["text/plain"]
    kernel.run("%chat and on")
    sent = [m["content"] for m in sandbox.received[-1].body["messages"][::2]]
    assert sent == ["Question 0?", "Question 1?", "Question 2?", "and on"]


@pytest.mark.skipif(ipykernel.version_info[0] < 7, reason="ipykernel before 7 has no subshells")
def test_clicks_stop_one_column_and_keep_another_while_the_cell_runs(kernel, sandbox):
    subshell = open_subshell(kernel)
    page = Page()
    prompt = "sandbox: vary\nsandbox: for gpt-5.5: markdown 900\nsandbox: for gpt-5.5: stall 100\nWhich one?"
    cell = kernel.start(f"%%compare gpt-5.5 claude-opus-4-7 gemini-2.5-pro\n{prompt}")
    # Both others have ended: one Stop is left, and each column has words to keep.
    kernel.finish(
        cell, until=follow(page, until=lambda p: len(p.buttons("Stop")) == 1 and len(p.buttons("Keep this")) == 3)
    )
    assert [r.ending for r in sandbox.received].count("finished") == 2
    keeps = page.buttons("Keep this")
    click(kernel, keeps[2], subshell)
    kernel.finish(cell, until=follow(page, until=lambda p: len(p.buttons("Keep this")) == 2))
    click(kernel, keeps[1], subshell)
    kernel.finish(cell, until=follow(page, until=lambda p: p.buttons("Keep this") == [keeps[0], keeps[2]]))
    assert "to be kept" in page.text
    click(kernel, page.buttons("Stop")[0], subshell)
    ran = kernel.finish(cell, until=follow(page))
    assert ran.status == "ok"
    assert "claude-opus-4-7 is kept" in ran.outputs[-1]["text/plain"]
    assert "Its next prompt goes to claude-sonnet-4-6. %chat_model claude-opus-4-7 goes on with" in ran.text
    assert turn_of(ran)["completion"]["model"] == "claude-opus-4-7"  # a page's outputs make its conversation again
    stopped = next(r for r in sandbox.received if r.body["model"] == "gpt-5.5")
    assert eventually(lambda: stopped.ending == "closed by the client")
    assert kernel.value("[r.partial for r in _comparison.values()]") == "['stopped', None, None]"

    # The magic gives the same history as the button, in the next request.
    kernel.run("%chat and now?")
    by_button = sandbox.received[-1].body["messages"]
    assert by_button[1]["content"] == kernel.value("_comparison['claude-opus-4-7'].text")
    kernel.run("%chat_undo")
    kernel.run("%chat_undo")
    kernel.run("%chat_keep claude-opus-4-7")
    kernel.run("%chat and now?")
    assert sandbox.received[-1].body["messages"] == by_button


def test_without_a_subshell_there_are_no_buttons(kernel):
    page = Page()
    kernel.finish(kernel.start("%%compare gpt-5.5 gpt-5.4\nsandbox: markdown 300"), until=follow(page))
    assert page.buttons("Stop") == page.buttons("Keep this") == []
    assert "■ interrupts" in page.text


def test_a_slow_column_does_not_slow_the_others(kernel, sandbox):
    """The view has 20 frames a second, however many columns there are."""
    names = "gpt-5.5{,-official,-hc,-fd,-low} gpt-5.4{,-official,-hc,-fd,-low} claude-opus-4-{6,7}"
    slow = "sandbox: for gpt-5.5: pace 1 12\nsandbox: for gpt-5.5: markdown 36"
    page = Page()
    began = time.monotonic()
    ran = kernel.finish(
        kernel.start(f"%%compare {names}\nsandbox: markdown 2400\n{slow}"),
        until=follow(page),
    )
    wall = time.monotonic() - began
    assert ran.status == "ok"
    comms = sum(m["msg_type"] == "comm_msg" for _, m in ran.messages)
    assert comms < 1000 * wall  # a Jupyter server drops more
    assert all(len(c["completion"]["text"]) in {36, 2400} for c in ran.outputs[-1][COMPARISON]["columns"])


def test_models_over_cases_are_a_matrix_that_settles_to_one_static_bundle(kernel, sandbox):
    kernel.run("%config ChatSettings.concurrency = 50")
    page = Page()
    line = '%%compare gpt-5.5 claude-opus-4-7 --each range(300) --go --check "lambda r, c: c % 2 == 1"'
    cell = f"{line}\nsandbox: vary\nIs {{{{ row }}}} odd?"
    began = time.monotonic()
    ran = kernel.finish(kernel.start(cell), until=follow(page))
    wall = time.monotonic() - began
    assert ran.status == "ok", ran.error
    assert [set(o) for o in ran.outputs] == [{"text/html", "text/plain"}]
    assert "2 models · " in page.text
    assert re.search(r"\d+ yes, \d+ no", page.text)
    assert len(sandbox.received) == 600
    assert len(ran.messages) <= 40 + 20 * wall  # 40 open the view and settle it
    assert "50 %" in ran.outputs[0]["text/plain"]
    assert kernel.value("len(_comparison.cases), len(_comparison)") == "300 2"
    assert [set(o) for o in kernel.run("_comparison").outputs] == [{"text/html", "text/plain"}]


def test_a_judge_is_seen_and_an_interrupt_keeps_the_answers(kernel, sandbox):
    kernel.run("%config ChatSettings.concurrency = 2")
    page = Page()
    stall = "sandbox: vary\nsandbox: for gpt-5.4: stall 1"
    cell = kernel.start(
        f"%%compare gpt-5.5 claude-opus-4-7 --each range(4) --judge gpt-5.4\n{stall}\nIs {{{{ row }}}} odd?"
    )
    kernel.finish(cell, until=follow(page, until=lambda p: p.showing("gpt-5.4 judges")))
    kernel.interrupt()
    ran = kernel.finish(cell, until=follow(page))
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert "Scored by the judge gpt-5.4" in ran.outputs[-1]["text/plain"]
    assert "no verdict about 4 cases" in ran.outputs[-1]["text/plain"]
    assert kernel.value("[len(rows.failed) for rows in _comparison.values()]") == "[0, 0]"


@pytest.mark.skipif(ipykernel.version_info[0] < 7, reason="ipykernel before 7 has no subshells")
def test_a_click_stops_the_cases_that_are_to_come(kernel, sandbox):
    kernel.run("%config ChatSettings.concurrency = 4")
    subshell = open_subshell(kernel)
    page = Page()
    slow = "sandbox: for claude-*: stall 0"
    cell = kernel.start(f"%%compare gpt-5.5 claude-opus-4-7 --each range(10)\n{slow}\nIs {{{{ row }}}} odd?")
    kernel.finish(cell, until=follow(page, until=lambda p: p.buttons("Stop") and p.showing("•")))
    click(kernel, page.buttons("Stop")[0], subshell)
    ran = kernel.finish(cell, until=follow(page))
    assert ran.status == "ok", ran.error
    assert len(sandbox.received) < 20
    assert "not asked" in ran.outputs[-1]["text/plain"]
