"""A reply of a type in a real kernel: its table, its variable, what TAB offers, and an interrupt."""

from __future__ import annotations

import re

from kernels import COUNT_WIDGETS, TIMEOUT_S

from xcyq_magic.chat.records import TURN_MIME

TYPES = """
from typing import Literal
from pydantic import BaseModel
class Review(BaseModel):
    label: Literal["good", "bad"]
    why: str
class Rejected: ...
revised = 5
"""


def completed(kernel, code: str) -> list[str]:
    return kernel.client.complete(code, len(code), reply=True, timeout=TIMEOUT_S)["content"]["matches"]


def test_a_value_is_a_table_live_json_and_a_variable(kernel, sandbox):
    kernel.run(TYPES)
    ran = kernel.run("%%chat --as Review -o found\nJudge it.\nsandbox: json broken\nsandbox: pace 40 8")
    assert ran.status == "ok", "\n".join(ran.error)
    assert kernel.value("type(found.data).__name__, found is _reply") == "Review True"
    (output,) = ran.outputs
    assert output["text/plain"] == kernel.value("_reply.text")
    assert ">label</th>" in output["text/html"]
    assert re.search(r"<summary[^>]*>JSON</summary>", output["text/html"])
    assert "It was asked for again." in output["text/html"]
    assert "data" not in output[TURN_MIME]["completion"]
    live = [str(m["content"]) for _, m in ran.messages if m["msg_type"] == "comm_msg"]
    assert any("language-json" in m or "<pre" in m for m in live)
    assert len(sandbox.received) == 2
    widgets = kernel.value(COUNT_WIDGETS)
    kernel.run("%%chat --as Review\nJudge it.")
    assert kernel.value(COUNT_WIDGETS) == widgets


def test_a_long_value_stays_in_one_output(kernel):
    ran = kernel.run("%%chat --as str\nTell me more.\nsandbox: markdown 20000\nsandbox: pace 100 200")
    assert ran.status == "ok", "\n".join(ran.error)
    assert [set(o) for o in ran.outputs] == [{"text/html", "text/plain", TURN_MIME}]
    assert kernel.value("_reply.data == _reply.text.strip(), len(_reply.text)") == "True 20000"


def test_tab_offers_types(kernel):
    kernel.run(TYPES)
    assert completed(kernel, "%%chat --as Re") == ["Review", "Rejected"]
    assert completed(kernel, "%%chat --as list[Rev") == ["Review"]
    assert completed(kernel, "%%chat --once --as=Rev") == ["Review"]
    offered = completed(kernel, "%%compare gpt-5.5 gpt-5.4 --as ")
    assert "Literal" in offered
    assert "revised" not in offered


def test_it_goes_on_in_the_background(kernel):
    kernel.run(TYPES)
    ran = kernel.run("%%chat --as Review --background\nJudge it.\nsandbox: json broken")
    assert ran.status == "ok"
    waited = "import time\nwhile '_reply' not in globals(): time.sleep(0.01)\nprint(type(_reply.data).__name__)"
    assert kernel.run(waited).text.strip() == "Review"
