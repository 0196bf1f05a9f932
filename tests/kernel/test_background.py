"""`--background`: the cell returns, its output goes on."""

from __future__ import annotations

import re
import time

import pytest
from kernels import COUNT_WIDGETS

from xcyq_magic.gateway.sandbox.answers import sample

SLOW = "sandbox: markdown 900\nsandbox: stall 300"


def wait_for(condition, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def later(kernel, ran, kind: str, seconds: float = 20) -> dict:
    """The bundle that replaces the output of a cell after it has ended."""
    (message,) = [m for _, m in ran.messages if m["msg_type"] == "display_data"]
    cell, display_id = message["parent_header"]["msg_id"], message["content"]["transient"]["display_id"]
    deadline = time.monotonic() + seconds
    while True:
        message = kernel.client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
        content = message["content"]
        if message["msg_type"] == "update_display_data" and content["transient"]["display_id"] == display_id:
            assert kind in content["data"]
            assert message["parent_header"]["msg_id"] == cell  # whichever cell runs by then
            return content["data"]


TURN = "application/vnd.xcyq.turn+json"


def test_the_cell_returns_and_its_output_settles_later(kernel, sandbox):
    ran = kernel.run("%%chat --background\nsandbox: markdown 600\nsandbox: pace 15", cell_id="A")
    assert ran.status == "ok"
    assert wait_for(lambda: sandbox.received)
    assert sandbox.received[-1].ended_at is None  # it is still coming
    assert "application/vnd.jupyter.widget-view+json" in ran.of_type("display_data")[0]["data"]
    kernel.run("'another cell'")
    settled = later(kernel, ran, TURN)
    assert settled[TURN]["completion"]["partial"] is None
    assert len(settled["text/plain"]) >= 600
    assert kernel.value("len(_reply.text)") == str(len(settled["text/plain"]))
    left = 5  # a box with its HTML, for a page that is loaded anew, and what these look like
    assert wait_for(lambda: int(kernel.value(COUNT_WIDGETS)) == left)
    # The next chat of the conversation knows it.
    kernel.run("%%chat\nand on", cell_id="B")
    assert [m["role"] for m in sandbox.received[-1].body["messages"]] == ["user", "assistant", "user"]


TURNS = "len(get_ipython().magics_manager.registry['xcyq_magic'].context.session.conversation().turns)"


def test_a_system_prompt_that_takes_its_time_takes_no_turn_away(kernel):
    """It is made while the reply comes: both are in the conversation in the end."""
    kernel.run("%%chat --background\nsandbox: pace 20\nHello")
    kernel.run(
        "import time\ndef slow():\n    while '_reply' not in globals():\n        time.sleep(0.01)\n    return 'terse'"
    )
    said = kernel.run("%chat_system Be {{ slow() }}.")
    assert "System prompt: Be terse." in said.text
    assert kernel.value(TURNS) == "1"


def test_a_reply_goes_into_the_conversation_that_asked_though_another_has_its_name_by_then(kernel):
    kernel.run("%chat one")
    said = kernel.run("%chat_reset").text
    kernel.run("%%chat --background\nsandbox: pace 5\ntwo")
    kernel.run(f"%chat_switch {re.findall(r'%chat_switch (.{8})', said)[0]}")
    kernel.run("import time\nbefore = _reply\nwhile _reply is before:\n    time.sleep(0.01)")
    assert kernel.value(TURNS) == "1"
    (other,) = re.findall(r"main +(\w+) .*set aside", kernel.run("%chat_switch").outputs[0]["text/plain"])
    assert "1 turn" in kernel.run(f"%chat_switch {other}").text
    assert "two" in kernel.run("%chat_history").outputs[0]["text/plain"]


def test_a_long_reply_has_one_output(kernel):
    ran = kernel.run("%%chat --background\nsandbox: markdown 20000\nsandbox: pace 100 100")
    assert later(kernel, ran, TURN)["text/plain"] == sample(20_000)


def test_the_next_chat_of_the_conversation_waits_and_others_do_not(kernel, sandbox):
    kernel.run("%%chat --background\nsandbox: markdown 900\nsandbox: pace 20", cell_id="A")
    kernel.run("%%chat --once\nmeanwhile", cell_id="B")
    refused = kernel.run("%chat_reset")
    ran = kernel.run("%%chat\nand on", cell_id="C")
    assert "in the middle of a reply in the background" in ran.text
    assert [len(r.body["messages"]) for r in sandbox.received] == [1, 1, 3]
    assert refused.reply["ename"] == "InputError"


def test_what_prevents_a_request_fails_the_cell(kernel, sandbox):
    failed = kernel.run("%%chat --background -t 3\nHello")
    assert failed.reply["ename"] == "RequestError"
    assert sandbox.received == []


def test_a_failure_is_said_in_the_output_and_leaves_no_turn(kernel, sandbox):
    ran = kernel.run("%%chat --background\nsandbox: first 0.3\nsandbox: status 429\nsandbox: retry-after 0")
    settled = later(kernel, ran, "text/plain")
    assert "RateLimitError" in settled["text/plain"]
    kernel.run("%%chat\nHello")
    assert len(sandbox.received[-1].body["messages"]) == 1


def test_unloading_stops_it_and_keeps_what_came(kernel):
    ran = kernel.run(f"%%chat --background\n{SLOW}", cell_id="A")
    came = [m for _, m in ran.messages]
    while not any("Part 1" in str(m["content"]) for m in came):  # sent is not yet come
        came = [kernel.client.get_iopub_msg(timeout=20)]
    unloading = kernel.start("%unload_ext xcyq_magic")
    assert later(kernel, ran, TURN)[TURN]["completion"]["partial"] == "stopped"
    assert kernel.finish(unloading).status == "ok"
    assert kernel.value("[t.name for t in __import__('threading').enumerate() if 'xcyq' in t.name]") == "[]"


NOISE = """
import numpy as np
from PIL import Image
Image.fromarray(np.random.default_rng(0).integers(0, 255, (3000, 3000, 3), dtype=np.uint8)).save({!r})
"""


@pytest.mark.parametrize("option", ["--background ", ""])
def test_an_interrupt_before_the_request_prevents_it(kernel, sandbox, tmp_path, option):
    path = str(tmp_path / "noise.png")
    kernel.run(NOISE.format(path))
    prevented = 0
    for delay_s in (0.1, 0.2, 0.3, 0.5, 0.8):
        cell = kernel.start(f"%chat {option}-a {path} what is it")
        kernel.finish(
            cell, until=lambda m: m["msg_type"] == "execute_input"
        )  # an earlier one would hit the kernel's own
        time.sleep(delay_s)
        kernel.interrupt()
        ran = kernel.finish(cell)
        assert wait_for(lambda: "xcyq background" not in kernel.value(THREADS))
        if ran.status == "error" and "stopped after" not in "".join(ran.error):  # else it was too late
            assert (sandbox.received, kernel.value(TURNS)) == ([], "0")
            prevented += len(ran.error) == 1 and "nothing was sent" in ran.error[0]
        sandbox.received.clear()
        kernel.run("%chat_reset")
    assert prevented


THREADS = "[t.name for t in __import__('threading').enumerate()]"
