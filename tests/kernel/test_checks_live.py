"""A check of pools in a real kernel: rows that fill, and one bundle at the end."""

from __future__ import annotations

from dataclasses import replace

import ipykernel
import pytest
from kernels import AT_ONCE, COUNT_WIDGETS, KEY, Buttons, click, open_subshell

from xcyq_magic.gateway.sandbox.server import Sandbox

MIMES = {"text/html", "text/plain"}


@pytest.fixture
def sandbox():
    """A gateway on loopback that is slow enough for a check of all pools to be stopped half-way."""
    server = Sandbox(key=KEY, plan=replace(AT_ONCE, first_s=0.1))
    yield server
    server.close()


def values(message) -> str:
    """The HTML that a widget's message brings."""
    return str(message["content"].get("data", {}).get("state", {}).get("value", ""))


def test_rows_fill_and_settle_to_one_bundle(kernel):
    ran = kernel.run("%config ChatSettings.concurrency = 1\n%chat_models --check gpt-5.5{,-low,-hc} gpt-5.4~dead")
    assert ran.status == "ok", ran.error
    assert ran.text.splitlines()[-1].startswith("4 pools · 8 requests · about ")
    live = [values(m) for _, m in ran.messages if m["msg_type"] in {"comm_msg", "comm_open"}]
    assert any("…" in html and "gpt-5.4~dead" in html for html in live)
    assert any(" of 8 requests" in html for html in live)
    assert [set(o) for o in ran.outputs] == [MIMES]
    assert "gpt-5.4~dead did not answer" in ran.outputs[0]["text/html"]
    assert int(kernel.value(COUNT_WIDGETS)) <= 5


def test_an_interrupt_keeps_what_came(kernel, sandbox):
    cell = kernel.start("%config ChatSettings.concurrency = 1\n%chat_models --check gpt-5.4~dead * -o pools")
    kernel.finish(cell, until=lambda m: " to look at" in values(m))
    kernel.interrupt()
    ran = kernel.finish(cell)
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert "what came is in pools" in "\n".join(ran.error)
    assert set(ran.outputs[-1]) == MIMES
    assert "not checked to the end" in ran.outputs[-1]["text/html"]
    assert kernel.value("len(pools.pools)") == "46"


def test_what_nobody_sees_updates_of_is_shown_once(kernel):
    ran = kernel.run("%chat_models --check gpt-5.5", cell_id=None)
    assert [m["msg_type"] for _, m in ran.messages if m["msg_type"].startswith(("comm", "display"))] == ["display_data"]


@pytest.mark.skipif(ipykernel.version_info[0] < 7, reason="ipykernel before 7 has no subshells")
def test_a_click_stops_all_and_the_cell_is_well(kernel, sandbox):
    subshell = open_subshell(kernel)
    buttons = Buttons()
    cell = kernel.start("%config ChatSettings.concurrency = 1\n%chat_models --check * -o pools")
    kernel.finish(cell, until=buttons.note)
    click(kernel, buttons.button, subshell)
    ran = kernel.finish(cell)
    assert ran.status == "ok", ran.error
    assert "not checked to the end" in ran.outputs[-1]["text/html"]
    assert len(sandbox.received) < 90
