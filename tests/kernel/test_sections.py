"""A long reply in a real kernel: it settles section by section, and what has settled is there whatever happens."""

from __future__ import annotations

import json

from kernels import COUNT_WIDGETS, Ran, turn_of

from xcyq_magic.gateway.sandbox.answers import sample

SECTION = "application/vnd.xcyq.section+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
PACE = "sandbox: pace 100 100"
LONG = f"%%chat\nsandbox: markdown 30000\n{PACE}"


def plain(outputs: list[dict]) -> str:
    return "".join(o["text/plain"] for o in outputs)


def settled(messages) -> int:
    """How many outputs were made static so far."""
    return len({m["content"]["transient"]["display_id"] for m in messages if m["msg_type"] == "update_display_data"})


def test_a_long_reply_settles_while_it_comes_and_is_whole_in_the_end(kernel):
    ran = kernel.run(LONG)
    assert ran.status == "ok"
    assert len(ran.outputs) >= 3
    assert plain(ran.outputs) == sample(30_000)
    assert not any(WIDGET in o for o in ran.outputs)
    assert [o.get(SECTION, {}).get("number") for o in ran.outputs] == [None, *range(1, len(ran.outputs))]
    assert "text" not in turn_of(ran)["completion"]
    messages = [m for _, m in ran.messages]
    grows = [n for n, m in enumerate(messages) if m["msg_type"] == "comm_msg" and "xcyq-reply" in str(m["content"])]
    # The last grows, and one more may be open for what follows.
    assert settled(messages[: grows[-1]]) >= len(ran.outputs) - 2


def test_of_a_long_reply_what_a_file_may_name_stays_open(kernel):
    kernel.run("%%chat\nHello")
    before = int(kernel.value(COUNT_WIDGETS))
    ran = kernel.run(LONG)
    assert ran.status == "ok"
    # A box with its HTML for each output, and what these look like: two layouts and a style.
    assert int(kernel.value(COUNT_WIDGETS)) in {before, before + 2 * len(ran.outputs) + 3}  # it may be a quick one


# The output for the next section is opened before it is needed: a reply that ends before it is, or one that is just
# a block longer, leaves none empty.
def test_wherever_a_reply_ends_no_output_stays_empty(kernel):
    for chars in (4_700, 5_500, 6_500, 15_500):
        ran = kernel.run(f"%%chat --once\nsandbox: markdown {chars}\n{PACE}")
        assert plain(ran.outputs) == sample(chars)
        assert all(o["text/plain"].strip() for o in ran.outputs), chars
        assert not any(WIDGET in o for o in ran.outputs), chars


LAST = sample(20_000).rpartition("\n## ")[2].partition("\n")[0]


def test_a_long_reply_that_is_stopped_is_whole_up_to_there(kernel):
    cell = kernel.start(f"%%chat\nsandbox: markdown 30000\n{PACE}\nsandbox: stall 20000")
    before = kernel.finish(cell, until=lambda m: LAST in str(m["content"]))
    kernel.interrupt()
    ran = kernel.finish(cell)
    outputs = Ran([*before.messages, *ran.messages]).outputs
    assert ran.status == "error"
    assert len(outputs) >= 3
    assert not any(WIDGET in o for o in outputs)
    text, caption = plain(outputs).rsplit("\n\n[", 1)
    assert text == kernel.value("_reply.text")
    assert len(text) > 19_000
    assert caption.endswith("stopped]")


def test_when_the_kernel_dies_what_has_settled_is_on_the_page(kernel):
    cell = kernel.start(LONG)
    seen = []

    def late(message) -> bool:
        seen.append(message)
        return settled(seen) >= 2

    ran = kernel.finish(cell, until=late)
    kernel.kill()
    there = [data for data in ran.outputs if WIDGET not in data]
    assert len(there) >= 2
    assert sample(30_000).startswith(plain(there))
    assert len(plain(there)) >= 11_000
    assert "goes on below" in there[0]["text/html"]


def test_a_definition_that_comes_late_is_taken_up_above(kernel):
    part = "A paragraph with [a link][late] and a note.[^1] " + "Words and words. " * 20 + "\n\n"
    text = part * 60 + "[late]: https://example.org/late\n\n[^1]: What it says.\n"
    prompt = "\n".join(["sandbox: echo", PACE, text])
    ran = kernel.run(f"%%chat\n{prompt}")
    assert ran.status == "ok"
    assert len(ran.outputs) >= 3
    html = "".join(o["text/html"] for o in ran.outputs)
    assert html.count('href="https://example.org/late"') == 60
    assert html.count("What it says.") == 1


def test_a_notebook_with_a_long_reply_is_a_conversation_again(kernel, tmp_path):
    ran = kernel.run(LONG)
    outputs = [{"output_type": "display_data", "metadata": {}, "data": o} for o in ran.outputs]
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": LONG, "execution_count": 1, "outputs": outputs}
    path = tmp_path / "page.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    assert kernel.run("%chat_reset").status == "ok"
    assert kernel.run(f"%chat_load {path}").status == "ok"
    assert plain(kernel.run("%chat_history 1").outputs).endswith(f"\n\n{sample(30_000)}")
