"""IPython in a terminal: the text comes as it is streamed."""

from __future__ import annotations

import os
import sys
import time

import pytest
from kernels import KEY

pexpect = pytest.importorskip("pexpect", reason="pexpect drives a terminal; it needs a POSIX system")
PROMPT = r"In \[\d+\]: "


@pytest.fixture
def terminal(sandbox):
    """IPython in a pseudo-terminal, with the extension loaded."""
    env = {**os.environ, "XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY, "TERM": "dumb"}
    arguments = [
        "-m",
        "IPython",
        "--no-banner",
        "--simple-prompt",
        "--colors=nocolor",
        "--HistoryManager.enabled=False",
    ]
    child = pexpect.spawn(sys.executable, arguments, env=env, encoding="utf-8", timeout=30, dimensions=(40, 160))
    child.expect(PROMPT)
    child.sendline("%load_ext xcyq_magic")
    child.expect(PROMPT)
    yield child
    child.close(force=True)


def test_the_text_streams_to_the_screen(terminal, sandbox):
    terminal.sendline(r"get_ipython().run_cell_magic('chat', '', 'sandbox: markdown 400\nsandbox: pace 20')")
    terminal.expect("Part 1 of a sample")
    seen = time.monotonic()
    terminal.expect(PROMPT)
    assert seen < sandbox.received[-1].ended_at
    assert "claude-sonnet-4-6 · " in terminal.before
    assert "\x1b[2m" in terminal.before  # the caption is dimmed


def test_control_c_stops_the_reply_and_keeps_it(terminal, sandbox):
    terminal.sendline(r"get_ipython().run_cell_magic('chat', '', 'sandbox: markdown 900\nsandbox: stall 300')")
    terminal.expect("Part 1 of a sample")
    terminal.sendintr()
    terminal.expect("KeyboardInterrupt")
    terminal.expect(PROMPT)
    assert "Traceback" not in terminal.before
    terminal.sendline("print('partial', _reply.partial)")
    terminal.expect("partial stopped")
    terminal.expect(PROMPT)
    terminal.sendline("%chat and on")
    terminal.expect("This is the sandbox")
    terminal.expect(PROMPT)
    assert [m["role"] for m in sandbox.received[-1].body["messages"]] == ["user", "assistant", "user"]


def test_a_question_mark_at_the_end_is_part_of_the_prompt(terminal, sandbox):
    terminal.sendline("%chat why is this slow?")
    terminal.expect("This is the sandbox")
    terminal.expect(PROMPT)
    assert sandbox.received[-1].body["messages"][-1]["content"] == "why is this slow?"


def test_an_error_is_a_line_or_two(terminal):
    terminal.sendline("%chat -t 3 Hello")
    terminal.expect(PROMPT)
    lines = [line for line in terminal.before.split("\r\n")[1:] if line.strip()]
    assert len(lines) <= 3
    assert "from 0 to 2" in lines[0]
