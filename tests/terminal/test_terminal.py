"""IPython in a terminal: the text comes as it is streamed."""

from __future__ import annotations

import os
import sys

import pytest
from kernels import KEY

pexpect = pytest.importorskip("pexpect", reason="pexpect drives a terminal; it needs a POSIX system")
pyte = pytest.importorskip("pyte", reason="pyte is a terminal without a window")
WIDTH, HEIGHT = 160, 40
PROMPT = r"In \[\d+\]: "


def start(sandbox, kind: str, *options: str):
    """IPython in a pseudo-terminal, with the extension loaded."""
    env = {n: v for n, v in os.environ.items() if n != "NO_COLOR"}
    env |= {"XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY, "TERM": kind}
    arguments = ["-m", "IPython", "--no-banner", "--simple-prompt", "--HistoryManager.enabled=False", *options]
    child = pexpect.spawn(sys.executable, arguments, env=env, encoding="utf-8", timeout=60, dimensions=(HEIGHT, WIDTH))
    child.expect(PROMPT)
    child.sendline("%load_ext xcyq_magic")
    child.expect(PROMPT)
    return child


@pytest.fixture
def terminal(sandbox):
    """One without colours."""
    child = start(sandbox, "dumb", "--colors=nocolor")
    yield child
    child.close(force=True)


@pytest.fixture
def coloured(sandbox):
    """One with colours."""
    child = start(sandbox, "xterm-256color")
    yield child
    child.close(force=True)


def screen_of(output: str) -> str:
    """What stands on the screen after `output`."""
    screen = pyte.Screen(WIDTH, 400)
    pyte.Stream(screen).feed(output)
    return "\n".join(line.rstrip() for line in screen.display).strip()


def test_the_text_streams_to_the_screen(terminal, sandbox):
    terminal.sendline(r"get_ipython().run_cell_magic('chat', '', 'sandbox: markdown 400\nsandbox: stall 300')")
    terminal.expect("Part 1 of a sample")  # while the rest is still to come
    terminal.sendintr()
    terminal.expect(PROMPT)
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


def test_colours_show_blocks_as_they_end_and_code_line_by_line(coloured, sandbox):
    reply = "# Title\nSome **bold** text.\n```python\nx = 1\ny = 2\n```\n- one\n- two"
    prompt = f"sandbox: echo\nsandbox: stall {reply.index('- two')}\n{reply}".replace("\n", r"\n")
    coloured.sendline(f"get_ipython().run_cell_magic('chat', '', '{prompt}')")
    coloured.expect("\r\n")
    coloured.expect("y = 2|y.{1,30}=.{1,30}2")  # which is seen while the rest is still to come
    output = coloured.before + coloured.after
    coloured.sendintr()
    coloured.expect("claude-sonnet-4-6 · ")
    output += coloured.before + coloured.after
    coloured.expect(PROMPT)
    screen = screen_of(output).replace("^C", "")
    assert screen.startswith("Title\n\nSome bold text.\n\n  x = 1\n  y = 2\n")
    assert screen.removesuffix(" ·").rpartition("claude")[0].endswith(("y = 2\n", "\n\n • one\n"))  # if it had come
    assert screen.split("\n")[-1].startswith("claude-sonnet-4-6 ·")
    assert "\x1b[1mbold\x1b[0m" in output


def test_colours_are_hidden_where_they_are_not_wanted(terminal):
    terminal.sendline(r"get_ipython().run_cell_magic('chat', '', 'sandbox: echo\n**bold**')")
    terminal.expect(PROMPT)
    assert "**bold**" in terminal.before


def test_a_stop_leaves_what_came_and_no_preview(coloured, sandbox):
    coloured.sendline(r"get_ipython().run_cell_magic('chat', '', 'sandbox: markdown 900\nsandbox: stall 60')")
    coloured.expect("\r\n")
    coloured.expect("The estimate")
    coloured.sendintr()
    coloured.expect("KeyboardInterrupt")
    lines = screen_of(coloured.before).split("\n")
    assert sum("The estimate" in line for line in lines) <= 1
    assert any("stopped" in line for line in lines)


def test_models_over_cases_are_a_line_and_then_tables(coloured):
    call = r"get_ipython().run_cell_magic('compare', '{} --each range(3)', 'sandbox: vary\n{{{{ row }}}}')"
    coloured.sendline("is_even = lambda reply, case: case % 2 == 0")
    coloured.expect(PROMPT)
    coloured.sendline(call.format("gpt-5.5 gpt-5.4 --check is_even"))
    coloured.expect(PROMPT)
    screen = screen_of(coloured.before)
    assert "67 %" in screen
    assert "21 to 94 %" in screen
    assert "gpt-5.5 and gpt-5.4 may be equally good: 3 cases are too few to tell." in screen
    assert "answers" not in screen.split("score")[0].split("rows")[-1]  # the line that was written anew is gone


def test_rows_have_one_line_that_is_written_anew_and_a_table_at_the_end(coloured):
    prompt = r"sandbox: echo\nsandbox: first 0\n{{ chr(10) + 'sandbox: first 1.5' if row > 1 else '' }}\nSay {{ row }}"
    coloured.sendline(f'get_ipython().run_cell_magic("chat", "--each range(4)", "{prompt}")')
    coloured.expect(" of 4 rows ")
    coloured.expect("2 of 4 rows ")
    output = coloured.before
    assert "\r\x1b[2K" in output
    coloured.expect(PROMPT)
    screen = screen_of(coloured.before)
    assert "left" not in screen
    assert "[claude-sonnet-4-6 · 4 rows · " in screen
    assert screen.split("\n")[-1].split() == ["3", "3", "Say", "3"]
