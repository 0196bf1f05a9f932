"""Many rows in a real kernel: what a frontend receives while they come, and what stands at the end."""

from __future__ import annotations

import re
import time

import ipykernel
import pytest
from kernels import COUNT_WIDGETS, Buttons, click, open_subshell

MIMES = {"text/html", "text/plain"}
QUICK = "sandbox: first 0\nsandbox: pace 5000 20\nsandbox: echo\n"


def values(message) -> str:
    """The HTML that a widget's message brings."""
    return str(message["content"].get("data", {}).get("state", {}).get("value", ""))


def without_answer(bundle: dict) -> int:
    """How many rows were stopped or not asked, as the caption says; which of both, of those on their way, is chance."""
    return sum(map(int, re.findall(r" · (\d+) (?:stopped|not asked)", bundle["text/plain"])))


def test_two_thousand_rows_send_few_messages_and_settle_to_one_bundle(kernel):
    began = time.monotonic()
    ran = kernel.run(f"%%chat --each range(2000) --go\n{QUICK}Row {{{{ row }}}}: **yes**")
    wall = time.monotonic() - began
    assert ran.status == "ok", ran.error
    live = [m for _, m in ran.messages if m["msg_type"] == "comm_msg"]
    assert sum("of 2,000 rows" in values(m) for m in live) <= 4 * wall + 2
    assert len(ran.messages) < 12 * wall + 50  # those that open and close the view, however many rows there are
    assert [set(o) for o in ran.outputs] == [MIMES]
    seen = "".join(map(values, live))
    assert 'role="progressbar" aria-label=' in seen
    assert " of 2,000 rows · " in seen
    assert " rows/s · " in seen
    assert " left · " in seen
    assert "tokens in, " in seen
    assert ": yes</td>" in seen
    assert sum(map(len, ran.outputs[0].values())) < 200_000
    assert "1,700 more rows in _rows" in ran.outputs[0]["text/html"]
    assert kernel.value("len(_rows), _rows.failed") == "2000 ()"
    lines = kernel.run("_rows[:3]").outputs[0]["text/plain"].splitlines()
    assert lines[-3:] == [f"{n}    {n}     Row {n}: yes" for n in range(3)]


def test_an_interrupt_settles_what_came_and_closes_the_view(kernel):
    cell = kernel.start(
        f"%%chat --each range(40)\n{QUICK}{{{{ 'sandbox: stall 4' if row > 3 else '' }}}}\nRow {{{{ row }}}}"
    )
    kernel.finish(cell, until=lambda m: "4 of 40 rows" in values(m))
    kernel.interrupt()
    ran = kernel.finish(cell)
    assert ran.reply["ename"] == "KeyboardInterrupt"
    settled = ran.outputs[-1]
    assert set(settled) == MIMES
    assert without_answer(settled) == 36
    assert "Row 3" in settled["text/html"]
    assert "36 rows without a complete answer" in settled["text/html"]
    assert int(kernel.value(COUNT_WIDGETS)) <= 5


def test_what_nobody_sees_updates_of_is_shown_once(kernel):
    ran = kernel.run(f"%%chat --each range(3)\n{QUICK}Row {{{{ row }}}}", cell_id=None)
    assert [m["msg_type"] for _, m in ran.messages if m["msg_type"].startswith(("comm", "display"))] == ["display_data"]
    assert [set(o) for o in ran.outputs] == [MIMES]


@pytest.mark.skipif(ipykernel.version_info[0] < 7, reason="ipykernel before 7 has no subshells")
def test_a_click_stops_all_rows(kernel, sandbox):
    subshell = open_subshell(kernel)
    buttons = Buttons()
    cell = kernel.start(
        f"%%chat --each range(40)\n{QUICK}{{{{ 'sandbox: stall 4' if row > 3 else '' }}}}\nRow {{{{ row }}}}"
    )
    kernel.finish(cell, until=buttons.note)
    kernel.finish(cell, until=lambda m: "4 of 40 rows" in values(m))
    click(kernel, buttons.button, subshell)
    ran = kernel.finish(cell)
    assert ran.status == "ok", ran.error
    assert without_answer(ran.outputs[-1]) == 36
    assert len(sandbox.received) <= 12


def test_without_a_subshell_there_is_no_button(kernel):
    buttons = Buttons()
    ran = kernel.run(f"%%chat --each range(3)\n{QUICK}Row {{{{ row }}}}")
    assert not any(buttons.note(message) for _, message in ran.messages)
    assert "■ interrupts" in "".join(values(m) for _, m in ran.messages)
