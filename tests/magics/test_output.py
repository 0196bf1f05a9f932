"""Where a reply cannot be shown, it is kept: a terminal that lacks its characters, an output that fails."""

from __future__ import annotations

import contextlib
import io

import pytest
from servers import DONE, Answer, RawServer, delta, http

from xcyq_magic.errors import RateLimitError


@pytest.fixture
def gateway(monkeypatch):
    """Make a server that answers as it is told, and have the gateway be there."""
    with contextlib.ExitStack() as stack:

        def serve(*texts: str) -> RawServer:
            body = b"".join(delta(t) for t in texts) + delta("", "stop") + DONE
            server = RawServer([Answer(http(body, kind="text/event-stream"))])
            stack.callback(server.close)
            monkeypatch.setenv("XCYQ_BASE_URL", server.base_url)
            return server

        yield serve


@pytest.fixture
def chat(gateway, bare_shell, monkeypatch):
    """Run a cell with standard output elsewhere; returns its error, the turns' replies, and how many were asked."""
    from xcyq_magic import load_ipython_extension, unload_ipython_extension

    server = gateway("hello \U0001f600 there, ", "na\xefve \ud83d friend")
    monkeypatch.setenv("XCYQ_API_KEY", "sandbox-test-key")
    load_ipython_extension(bare_shell)

    def run(code: str, out) -> tuple:
        with contextlib.redirect_stdout(out):
            result = bare_shell.run_cell(code)
        session = bare_shell.magics_manager.registry["xcyq_magic"].context.session
        replies = [t.completion.text for t in session.conversation().turns]
        return result.error_in_exec, replies, len(server.requests)

    yield run
    unload_ipython_extension(bare_shell)


class Screen(io.TextIOWrapper):
    """A terminal of an encoding."""

    def __init__(self, encoding: str, errors: str = "strict", *, colours: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding, errors, write_through=True)
        self._colours = colours

    def isatty(self) -> bool:
        return self._colours

    @property
    def text(self) -> str:
        return self.buffer.getvalue().decode(self.encoding)


CELLS = {
    "chat": "%chat hi",
    "whole": "%chat --no-stream hi",
    "shown": "%chat --dry-run caf\xe9 \U0001f600",
    "system": "%chat_system caf\xe9 \U0001f600",
    "history": "%chat hi \U0001f600\n%chat_history\n%chat_history 1\n%chat_undo",
    "compare": "%%compare gpt-5.5 gemini-2.5-pro --diff\ncaf\xe9 \U0001f600",
    "file": "%chat -a caf\xe9\U0001f600.png hi",
}


@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_what_a_terminal_cannot_write_is_replaced_and_the_turn_is_kept(chat, bare_shell, encoding, colours):
    bare_shell.colors = "linux"
    screen = Screen(encoding, colours=colours)
    error, replies, asked = chat("%chat hi", screen)
    assert (error, replies, asked) == (None, [bare_shell.user_ns["_reply"].text], 1)
    assert replies[0].startswith("hello \U0001f600 there, na\xefve ")
    shown = "hello \U0001f600 there, na\xefve" if encoding == "utf-8" else "hello ? there, na\xefve"
    assert (shown.replace("\xef", "?") if encoding == "ascii" else shown) in screen.text


@pytest.mark.parametrize("code", CELLS.values(), ids=CELLS)
def test_no_output_of_ours_fails_for_want_of_a_character(chat, code):
    screen = Screen("ascii")
    error, _, _ = chat(code, screen)
    assert "UnicodeEncodeError" not in screen.text
    assert error is None or "caf" in str(error)


def test_a_terminal_that_has_its_own_way_with_characters_keeps_it(chat):
    screen = Screen("ascii", "backslashreplace")
    assert chat("%chat hi", screen)[0] is None
    assert "hello \\U0001f600 there" in screen.text


class Full(io.StringIO):
    """An output that fails once it is to show certain words."""

    def __init__(self, *words: str, error: BaseException) -> None:
        super().__init__()
        self._words, self._error = words, error

    def write(self, text: str) -> int:
        if any(w in text for w in self._words):
            raise self._error
        return super().write(text)


@pytest.mark.parametrize("options", ["", "--no-stream", "-m gpt-5.5 -o kept"])
@pytest.mark.parametrize("words", [["hello"], ["friend"], ["claude-sonnet-4-6 · ", "gpt-5.5 · "]])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("I/O operation on closed file")])
def test_a_reply_is_kept_whatever_its_output_does(chat, bare_shell, options, words, error):
    out = Full(*words, error=error)
    raised, replies, asked = chat(f"%chat {options} hi", out)
    assert raised is error
    assert (replies, asked) == ([bare_shell.user_ns["_reply"].text], 1)
    assert replies[0].endswith("friend")
    lines = out.getvalue().splitlines()[-1:]
    assert str(error) in lines[0]
    assert "what came is in _reply" in lines[0]
    assert "Traceback" not in out.getvalue()


@pytest.mark.parametrize("words", [["hello"], ["friend"], ["| "]])
def test_a_comparison_is_kept_whatever_its_output_does(chat, bare_shell, words):
    error = OSError(28, "No space left on device")
    out = Full(*words, error=error)
    raised, replies, asked = chat("%%compare gpt-5.5 gemini-2.5-pro\nhi", out)
    assert (raised, replies, asked) == (error, [], 2)
    assert [c.text.endswith("friend") for c in bare_shell.user_ns["_comparison"].values()] == [True, True]
    assert "what came of 2 of 2 is in _comparison" in out.getvalue().splitlines()[-1]
    chat("%chat_keep 1", io.StringIO())
    assert "Traceback" not in out.getvalue()


def test_a_judge_whose_output_fails_spoils_no_comparison(chat, bare_shell):
    out = Full("judges", error=OSError(28, "No space left on device"))
    raised, _, asked = chat("%%compare gpt-5.5 gemini-2.5-pro --judge claude-opus-4-7\nhi", out)
    assert (type(raised), asked) == (OSError, 3)
    assert bare_shell.user_ns["_comparison"].verdict.completion is not None


def test_an_output_that_fails_before_anything_is_sent_prevents_the_request(chat):
    out = Full("## gpt-5.5", error=OSError(28, "No space left on device"))
    raised, _, asked = chat("%%compare gpt-5.5 gemini-2.5-pro\nhi", out)
    assert (type(raised), asked) == (OSError, 0)
    assert "nothing was sent" in out.getvalue().splitlines()[-1]


def test_a_failure_of_the_gateway_is_what_the_cell_raises(shell):
    out = Full("no reply", error=OSError(28, "No space left on device"))
    with contextlib.redirect_stdout(out):
        result = shell.run_cell("%%chat\nsandbox: status 429\nsandbox: retry-after 0")
    assert isinstance(result.error_in_exec, RateLimitError)
