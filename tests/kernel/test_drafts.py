"""A kernel that is killed while a reply comes: what had come is in the conversation of the next one, marked."""

from __future__ import annotations

import os
import time

import pytest
from kernels import KEY, Kernel, write_notebook
from servers import eventually

SLOW = "sandbox: first 0\nsandbox: pace 20 10\nsandbox: markdown 20000"
FAST = "sandbox: first 0\nsandbox: pace 5000 40\nsandbox: echo\n"
DRAFT_S = 3.0
TURNS = "get_ipython().magics_manager.registry['xcyq_magic'].context.session.conversation().turns"


@pytest.fixture
def kernel(sandbox, tmp_path):
    """Begin a kernel of one notebook, with cells of these ids."""
    running = []

    def begin(*cells: str) -> Kernel:
        path = tmp_path / "notebook.ipynb"
        write_notebook(path, {cell: f"%%chat\n{cell}" for cell in cells})
        place = {"JPY_SESSION_NAME": str(path), "XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY}
        running.append(Kernel({**os.environ, **place}))
        running[-1].run("%load_ext xcyq_magic", cell_id="load")
        return running[-1]

    yield begin
    for one in running:
        one.close(now=True)


def killed_amid(kernel, sandbox, cell_id: str) -> int:
    """Kill the kernel while a reply comes that something was kept of; returns how many characters were sent."""
    before = len(sandbox.received)
    kernel.start(f"%%chat\n{SLOW}", cell_id=cell_id)
    assert eventually(lambda: len(sandbox.received) > before and sandbox.received[-1].chars_sent > 0)
    time.sleep(DRAFT_S + 2)  # what is kept every few seconds takes them
    kernel.kill()
    kernel.close(now=True)
    return sandbox.received[-1].chars_sent


@pytest.mark.parametrize("first", [True, False])
def test_what_had_come_is_in_the_conversation_marked(kernel, sandbox, first):
    one = kernel("a", "b")
    if not first:
        one.run(f"%%chat\n{FAST}before", cell_id="a")
    sent = killed_amid(one, sandbox, "b")
    two = kernel("a", "b")
    shown = two.run("%chat_history 1" if first else "%chat_history 2", cell_id="look")
    assert "broke off" in shown.outputs[0]["text/plain"] or "incomplete" in shown.outputs[0]["text/plain"]
    text = two.value(
        "get_ipython().magics_manager.registry['xcyq_magic'].context.session.conversation().turns[-1].completion.text"
    )
    assert 100 < len(text) <= sent + 10
    two.run(f"%%chat\n{FAST}next", cell_id="c")
    assert [m["role"] for m in sandbox.received[-1].body["messages"]][-3:] == ["user", "assistant", "user"]
    three = kernel("a", "b", "c")
    assert three.value(f"len({TURNS})") == ("2" if first else "3")


def test_a_reply_that_ended_leaves_no_draft(kernel, sandbox):
    one = kernel("a")
    one.run("%%chat\nsandbox: first 0\nsandbox: pace 20 10\nsandbox: markdown 900", cell_id="a")
    one.close(now=True)
    two = kernel("a")
    ran = two.run("%chat_history", cell_id="look")
    assert "when the kernel ended" not in ran.text
    assert (
        two.value("len(get_ipython().magics_manager.registry['xcyq_magic'].context.session.conversation().turns)")
        == "1"
    )


def test_a_cell_that_was_run_again_keeps_its_whole_reply(kernel, sandbox):
    one = kernel("a")
    one.run(f"%%chat\n{FAST}before", cell_id="a")
    killed_amid(one, sandbox, "a")
    two = kernel("a")
    assert "when the kernel ended is kept in main" in two.run("%chat_history", cell_id="look").text
    assert two.value(f"[t.completion.partial for t in {TURNS}]") == "[None, 'incomplete']"
