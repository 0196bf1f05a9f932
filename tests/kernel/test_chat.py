"""`%%chat` in a real kernel: streamed, settled, interrupted, failed."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from kernels import COUNT_WIDGETS, KEY, turn_of

MIMES = {"text/html", "text/plain", "application/vnd.xcyq.turn+json"}


def roles(received) -> list[str]:
    return [m["role"] for m in received.body["messages"]]


def wait_for(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def test_the_reply_reaches_the_screen_while_it_is_still_streaming(kernel, sandbox):
    ran = kernel.run("%%chat\nsandbox: markdown 600\nsandbox: pace 50")
    assert ran.status == "ok"
    shown = [
        at
        for at, m in ran.messages
        if m["msg_type"] == "comm_msg" and "Part 1" in str(m["content"]["data"].get("state", {}).get("value", ""))
    ]
    # The clock is the machine's: the sandbox runs in this process, the kernel beside it.
    assert shown[0] < sandbox.received[-1].ended_at


def test_the_settled_output_has_the_three_types_and_no_widget(kernel):
    ran = kernel.run("%%chat\nHello")
    assert [set(o) for o in ran.outputs] == [MIMES]
    turn = turn_of(ran)
    assert turn["version"] == 1
    assert turn["prompt"]["parts"] == [{"type": "text", "text": "Hello"}]
    assert turn["completion"]["finish_reason"] == "stop"
    assert "text" not in turn["completion"]  # the plain text is it, and stands in the file once
    assert ran.outputs[0]["text/plain"] == kernel.value("_reply.text")


def test_no_widget_stays_open_after_many_chats(kernel):
    def chat():
        assert kernel.run("%%chat\nsandbox: markdown 9000\nsandbox: pace 1000 500").status == "ok"
        return kernel.value(COUNT_WIDGETS)

    after_one = chat()
    for _ in range(18):
        chat()
    assert chat() == after_one


def test_the_second_request_holds_the_first_turn(kernel, sandbox):
    kernel.run("%%chat -s 'You are terse.'\nMy name is Ada.")
    first = kernel.value("_reply.text")
    kernel.run("%%chat\nWhat is my name?")
    messages = sandbox.received[-1].body["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user"]
    assert [m["content"].strip() for m in messages] == ["My name is Ada.", first, "What is my name?"]
    assert roles(sandbox.received[0]) == ["system", "user"]


def test_an_interrupt_of_a_stalled_stream_gives_the_prompt_back(kernel, sandbox):
    cell = kernel.start("%%chat\nsandbox: markdown 2000\nsandbox: stall 300")
    assert wait_for(lambda: sandbox.received and sandbox.received[-1].chars_sent >= 300, 20)
    kernel.finish(cell, until=lambda m: "Part 1" in str(m["content"]))
    asked = time.monotonic()
    kernel.interrupt()
    ran = kernel.finish(cell)
    took = time.monotonic() - asked
    assert ran.status == "error"
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert took < 20  # it stalls for minutes; benchmarks/interrupt.py measures
    assert wait_for(lambda: sandbox.received[-1].ending == "closed by the client", 20)
    assert kernel.value("_reply.partial") == "stopped"
    assert 0 < int(kernel.value("len(_reply.text)")) <= 300  # what had come to the kernel by then
    settled = ran.outputs[-1]
    assert "stopped" in settled["text/html"]
    assert "stopped" in settled["text/plain"]
    assert turn_of(ran)["completion"]["partial"] == "stopped"
    assert len(ran.error) <= 3
    assert kernel.run("%%chat\nand on").status == "ok"
    assert roles(sandbox.received[-1]) == ["user", "assistant", "user"]


def test_an_impatient_user_leaves_no_widget_behind(kernel, sandbox):
    cell = kernel.start("%%chat\nsandbox: markdown 9000\nsandbox: pace 2000 50\nsandbox: stall 8500")
    assert wait_for(lambda: sandbox.received and sandbox.received[-1].chars_sent >= 8500, 20)
    kernel.finish(cell, until=lambda m: "Part 1" in str(m["content"]))  # sent is not yet come
    kernel.interrupt()
    time.sleep(0.03)  # while the output settles
    kernel.interrupt()
    ran = kernel.finish(cell)
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert set(ran.outputs[-1]) == MIMES
    assert kernel.run("%%chat\nand on").status == "ok"


def test_an_interrupt_before_any_text_leaves_no_turn(kernel, sandbox):
    cell = kernel.start("%%chat\nsandbox: first 60")
    assert wait_for(lambda: len(sandbox.received) == 1, 20)
    kernel.interrupt()
    ran = kernel.finish(cell)
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert ran.outputs == [ran.outputs[0]]
    assert "stopped before the reply began" in ran.outputs[0]["text/plain"]
    assert kernel.run("%%chat\nand on").status == "ok"
    assert roles(sandbox.received[-1]) == ["user"]


FAILURES = {
    "sandbox: status 400": "BadRequestError",
    "sandbox: status 401": "AuthenticationError",
    "sandbox: status 404": "NotFoundError",
    "sandbox: status 429\nsandbox: retry-after 0": "RateLimitError",
    "sandbox: status 503\nsandbox: retry-after 0": "ServerError",
    "sandbox: page": "AnswerError",
    "sandbox: drop 0": "NotReachedError",
}
CONVERSATION = "get_ipython().magics_manager.registry['xcyq_magic'].context.session.conversation()"


def test_a_failed_request_leaves_the_history_as_it_was(kernel, sandbox):
    kernel.run("%%chat\nfirst")
    before = kernel.value(CONVERSATION)
    for prompt, name in FAILURES.items():
        failed = kernel.run(f"%%chat\n{prompt}\nsandbox: retry-after 0")
        assert (failed.status, failed.reply["ename"]) == ("error", name), prompt
        assert len(failed.error) <= 2, prompt  # and the caption makes three lines
        assert kernel.value(CONVERSATION) == before, prompt
    assert kernel.run("%%chat\nsecond").status == "ok"
    assert roles(sandbox.received[-1]) == ["user", "assistant", "user"]


def test_a_retry_is_seen_while_it_waits_and_the_reply_comes(kernel, sandbox):
    ran = kernel.run("%%chat\nsandbox: status 429 1\nsandbox: retry-after 0.6")
    assert ran.status == "ok"
    captions = [str(m["content"].get("data", {}).get("state", {}).get("value", "")) for _, m in ran.messages]
    assert any("429, again in 0.6 s, 1 of 2" in c for c in captions)
    assert [r.ending for r in sandbox.received] == ["refused", "finished"]


def test_a_parameter_that_is_left_out_is_told_and_remembered(kernel, sandbox):
    cell = "%%chat -m gpt-5.5 -t 0.3\nsandbox: unsupported temperature"
    for requests in (2, 3):  # the second cell does not pay the detour again
        ran = kernel.run(cell)
        assert ran.status == "ok"
        assert "gpt-5.5 does not take temperature like this: it was left out." in ran.outputs[0]["text/html"]
        assert len(sandbox.received) == requests
    assert ["temperature" in r.body for r in sandbox.received] == [True, False, False]
    kernel.run(cell.replace("gpt-5.5", "gpt-5.4"))
    assert "temperature" in sandbox.received[3].body


def test_an_interrupt_ends_the_wait_for_a_retry(kernel, sandbox):
    cell = kernel.start("%%chat\nsandbox: status 503\nsandbox: retry-after 60")
    kernel.finish(cell, until=lambda m: "again in 60 s" in str(m["content"]))
    asked = time.monotonic()
    kernel.interrupt()
    ran = kernel.finish(cell)
    assert time.monotonic() - asked < 20  # of 60
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert len(sandbox.received) == 1


def test_a_reply_cut_off_at_the_limit_says_what_to_type(kernel):
    ran = kernel.run("%%chat --max-tokens 5\nsandbox: markdown 900")
    assert "raise --max-tokens" in ran.outputs[0]["text/html"]
    assert "cut off" in ran.outputs[0]["text/plain"]
    ran = kernel.run("%%chat\nsandbox: echo\nsandbox: think 100\nsandbox: finish length")
    assert "Thinking used up max_tokens" in ran.outputs[0]["text/html"]


def test_another_model_than_the_one_asked_is_shown(kernel):
    ran = kernel.run("%%chat -m gpt-5.5\nsandbox: model gpt-5.4-low")
    assert "gpt-5.5, answered by gpt-5.4-low" in ran.outputs[0]["text/html"]


def test_a_reply_that_breaks_off_is_kept_and_marked(kernel, sandbox):
    failed = kernel.run("%%chat\nsandbox: markdown 2000\nsandbox: drop 200")
    assert failed.reply["ename"] == "IncompleteReplyError"
    assert kernel.value("_reply.partial") == "incomplete"
    assert "incomplete" in failed.outputs[0]["text/html"]
    assert failed.outputs[0]["text/plain"].endswith("]")
    kernel.run("%%chat\ngo on")
    assert roles(sandbox.received[-1]) == ["user", "assistant", "user"]


def test_a_cell_that_runs_again_replaces_its_turn_and_sees_only_what_stands_above(kernel, sandbox):
    for n in (1, 2, 3):
        kernel.run(f"%%chat\nquestion {n}", cell_id=f"cell-{n}")
    kernel.run("%%chat\nquestion 2, edited", cell_id="cell-2")
    said = [m["content"] for m in sandbox.received[-1].body["messages"] if m["role"] == "user"]
    assert said == ["question 1", "question 2, edited"]
    kernel.run("%%chat\nquestion 4", cell_id="cell-4")
    said = [m["content"] for m in sandbox.received[-1].body["messages"] if m["role"] == "user"]
    assert said == ["question 1", "question 2, edited", "question 3", "question 4"]


def test_two_lines_of_one_cell_are_two_turns(kernel, sandbox):
    for _ in range(2):  # running it again gives the same
        kernel.run("%chat one\n%chat two", cell_id="cell-1")
        assert roles(sandbox.received[-2]) == ["user"]
        assert roles(sandbox.received[-1]) == ["user", "assistant", "user"]


def test_a_near_miss_of_a_model_is_told_where_it_failed(kernel):
    failed = kernel.run("%%chat -m claude-opus-47\nHello")
    assert failed.reply["ename"] == "NotFoundError"
    assert "Did you mean claude-opus-4-7?" in failed.outputs[0]["text/html"]
    assert len(failed.error) <= 2


def test_without_a_key_the_error_names_the_three_ways_on(kernel, sandbox):
    kernel.run("import os; del os.environ['XCYQ_API_KEY']")
    kernel.run("%config GatewaySettings.base_url = 'https://gateway.invalid'")  # a server on this machine needs none
    failed = kernel.run("%%chat\nHello")
    assert failed.reply["ename"] == "MissingKeyError"
    words = " ".join(failed.error)
    assert all(way in words for way in ("XCYQ_API_KEY", "%chat_key", "%chat_sandbox"))
    assert failed.outputs == []
    assert sandbox.received == []


def test_the_own_sandbox_takes_over_and_gives_back(kernel, sandbox):
    assert "sandbox on this machine" in kernel.run("%chat_sandbox").text
    assert "sandbox" in kernel.run("%%chat\nHello").outputs[0]["text/html"]
    assert sandbox.received == []
    kernel.run("%chat_sandbox off")
    kernel.run("%%chat\nHello")
    assert len(sandbox.received) == 1


def test_a_key_cannot_be_asked_for_where_nobody_answers(kernel):
    ran = kernel.run("%chat_key")
    assert ran.status == "error"
    assert "XCYQ_API_KEY" in " ".join(ran.error)


def type_key(kernel, code: str, key: str):
    """Run a cell that asks for the key, and answer as a user would."""
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True}
    message = kernel.client.session.msg("execute_request", content)
    kernel.client.shell_channel.send(message)
    asked = kernel.client.get_stdin_msg(timeout=20)
    assert asked["content"]["password"] is True
    kernel.client.input(f"  {key}\n")
    return kernel.finish(message["header"]["msg_id"])


@pytest.fixture
def system_keyring(monkeypatch, tmp_path):
    """A keyring for the kernel that starts next."""
    monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.FileKeyring")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    return tmp_path / "keyring.json"


def test_the_key_is_asked_for_hidden_used_saved_and_forgotten(system_keyring, kernel, sandbox):
    kernel.run("import os; del os.environ['XCYQ_API_KEY']")
    ran = [type_key(kernel, "%chat_key", KEY)]
    assert ran[0].status == "ok", ran[0].error
    assert kernel.run("%%chat\nHello").status == "ok"
    assert not system_keyring.exists()
    ran += [type_key(kernel, "%chat_key --save", KEY), kernel.run("%chat")]
    assert json.loads(system_keyring.read_text()) == {f"xcyq_magic {sandbox.base_url}": KEY}
    ran += [kernel.run("%reload_ext xcyq_magic"), kernel.run("%chat")]
    assert "from %chat_key" in ran[-1].text  # the one that was entered stays
    settings = "get_ipython().magics_manager.registry['xcyq_magic'].context.gateway"
    saved = f"__import__('xcyq_magic.session.session').session.session.ChatSession({settings})"
    assert kernel.value(f"{saved}.access.key().source") == "the system keyring"
    assert kernel.run("%%chat\nHello").status == "ok"
    ran += [kernel.run("%chat_key --forget"), kernel.run("%%chat\nHello"), kernel.run("%history -g")]
    assert json.loads(system_keyring.read_text()) == {}
    assert "AuthenticationError" in " ".join(ran[-2].error)  # the server on this machine is asked without a key
    assert KEY not in str([r.messages for r in ran])


def test_code_goes_into_the_next_cell_and_is_not_run(kernel):
    ran = kernel.run("%%chat --code\nsandbox: echo\n```python\nx = 41\n```\nand\n```\nx += 1\n```")
    assert ran.reply["payload"] == [{"source": "set_next_input", "text": "x = 41\n\nx += 1", "replace": False}]
    assert "2 Python blocks of the reply, in the next cell" in ran.text
    assert kernel.value("'x' in globals()") == "False"
    assert kernel.run("%chat_code 2").reply["payload"][0]["text"] == "x += 1"


HOOK = """
def fail(message):
    if message["msg_type"] == {!r}:
        raise ValueError("no room")
    return message
get_ipython().display_pub.register_hook(fail)
"""


def test_a_reply_is_kept_whatever_its_output_does(kernel, sandbox):
    kernel.run(HOOK.format("update_display_data"))
    ran = kernel.run("%chat hi", cell_id="A")
    (line,) = ran.error
    assert "no room; the output is incomplete, what came is in _reply" in line
    assert kernel.value("_reply.partial") == "None"
    kernel.run("%%compare gpt-5.5 gemini-2.5-pro\nhi")
    assert kernel.value("len(_comparison)") == "2"
    rows = kernel.run("%chat --each range(3) hi {{ row }}")
    assert "no room; the output is incomplete, what came is in _rows" in rows.error[0]
    assert kernel.value("len(_rows)") == "3"
    kernel.run("%chat and on", cell_id="B")
    assert [m["role"] for m in sandbox.received[-1].body["messages"]] == ["user", "assistant", "user"]
    assert kernel.value(COUNT_WIDGETS) == "0"


def test_an_output_that_cannot_be_opened_prevents_the_request(kernel, sandbox):
    kernel.run(HOOK.format("display_data"))
    ran = kernel.run("%chat hi")
    (line,) = ran.error
    assert "nothing was sent" in line
    assert sandbox.received == []
    assert kernel.value(COUNT_WIDGETS) == "0"


def widget_values(ran) -> list[str]:
    """The HTML that widgets had while a cell ran."""
    sent = [m["content"]["data"] for _, m in ran.messages if m["msg_type"] in {"comm_msg", "comm_open"}]
    return [str(data.get("state", {}).get("value", "")) for data in sent]


@pytest.mark.parametrize("text", ["", " text"])
@pytest.mark.parametrize("more", ["sandbox: echo", "sandbox: markdown 40000"])
def test_a_picture_of_a_reply_is_shown_live_and_settled(kernel, text, more):
    ran = kernel.run(f"%%chat\nsandbox: picture 2000 1000{text}\nsandbox: pace 5000 500\n{more}\nDraw it.")
    assert ran.status == "ok"
    assert any('alt="picture 1" width="512" height="256"' in value for value in widget_values(ran))
    *_, last = ran.outputs
    assert '<img src="data:image/webp;base64,' in last["text/html"]
    assert "2000×1000" in last["text/html"]
    assert "[picture 1 · 2000×1000, " in last["text/plain"]
    assert len(last["text/html"].partition('src="')[2].partition('"')[0]) < 20_000
    record = turn_of(ran)
    assert [i["sha256"] for i in record["completion"]["images"]] == [kernel.value("_reply.images[0].sha256")]
    assert "base64" not in json.dumps(record)
    # Of a reply that took over 2 s, two for each section and three for all stay for a page that is loaded anew.
    assert kernel.value(COUNT_WIDGETS) in {"0", str(3 + 2 * len(ran.outputs))}


def test_a_picture_that_nobody_can_read_is_named(kernel):
    ran = kernel.run(f"%%chat\nsandbox: echo\n![x](data:image/svg+xml;base64,{'A' * 4000})")
    assert "it cannot be shown" in ran.outputs[-1]["text/html"]
    assert "<img" not in ran.outputs[-1]["text/html"]
    assert "AAAA" not in ran.outputs[-1]["text/plain"]


def test_a_turn_of_the_history_shows_what_went_along_as_it_is(kernel):
    kernel.run("from PIL import Image\nsky = Image.new('RGB', (8, 6))\nnotes = [1, 2]")
    kernel.run("%%chat -a sky -a notes\nWhat **is** this?\n```python\nx = 1\n```\n  And that?")
    (shown,) = kernel.run("%chat_history 1").outputs
    html = shown["text/html"]
    above = html[: html.index("This is the sandbox")]
    assert "Turn 1 of 1" in above
    assert above.count('<img src="data:image/') == 1
    assert re.search(r"<figcaption>(<[^>]+>)?sky · 8×6, ", above)
    assert re.search(r"<summary[^>]*>notes</summary>", above)
    assert ">[1, 2]</code></pre>" in above
    assert '<div class="xcyq-as-typed" style="white-space:pre-wrap">What **is** this?</div>' in above
    assert '<div class="xcyq-as-typed" style="white-space:pre-wrap">  And that?</div>' in above
    assert "```" not in above
    assert 'class="highlight"' in above
    assert "What **is** this?\n```python\nx = 1" in shown["text/plain"]


def test_the_last_error_is_shown_as_code_before_it_is_sent(kernel, sandbox):
    kernel.run("def share(x):\n    return 1 / x\n\nshare(0)")
    shown, _ = kernel.run("%chat_error").outputs
    assert "```" not in shown["text/html"]
    assert shown["text/html"].count("<pre") == 2
    assert "This cell of a notebook failed:" in shown["text/html"]
    plain = shown["text/plain"].removeprefix("[The last error, as it is sent]\n\n")
    assert sandbox.received[-1].body["messages"][-1]["content"].startswith(plain)
