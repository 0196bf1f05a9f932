"""The Stop button, on each ipykernel: it ends the reply while its cell runs, or it is not there.

What the browser sends when it is clicked is sent here by hand, so that the test needs nothing but an
ipykernel: `pip install "ipykernel==7.2.*"` and run this file to see another version.
"""

from __future__ import annotations

import ipykernel
import pytest
from kernels import Buttons, click, open_subshell

HAS_SUBSHELLS = ipykernel.version_info[0] >= 7


@pytest.mark.skipif(not HAS_SUBSHELLS, reason="ipykernel before 7 has no subshells")
def test_a_click_ends_the_reply_while_its_cell_runs(kernel, sandbox):
    subshell = open_subshell(kernel)
    buttons = Buttons()
    cell = kernel.start("%%chat\nsandbox: markdown 3000\nsandbox: stall 200")
    kernel.finish(cell, until=buttons.note)
    kernel.finish(cell, until=lambda message: "Part 1" in str(message["content"]))
    click(kernel, buttons.button, subshell)
    ran = kernel.finish(cell)
    assert ran.status == "ok"
    assert "stopped" in ran.outputs[-1]["text/html"]
    assert kernel.value("_reply.partial") == "stopped"


def test_without_a_subshell_there_is_no_button(kernel):
    buttons = Buttons()
    ran = kernel.run("%%chat\nsandbox: markdown 600\nsandbox: pace 50")
    for _, message in ran.messages:
        assert not buttons.note(message)
    captions = [str(m["content"].get("data", {}).get("state", {}).get("value", "")) for _, m in ran.messages]
    assert any("■ interrupts" in c for c in captions)
