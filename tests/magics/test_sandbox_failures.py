"""What a user can meet, played by the sandbox's directives: each is read as what it is."""

from __future__ import annotations

import time

import pytest

from xcyq_magic.gateway.sandbox.formats import FAILURES

SAID = {
    "quota": "You exceeded your current quota",
    "balance": "Insufficient account balance",
    "moderation": "Your input was flagged.",
    "channel": "No available channel",
    "context": "%chat_undo takes turns back",
    "detail": "Input should be a valid string",
    "envelope": "upstream error",
    "choice": "Provider disconnected",
    "empty": "answered 200 with nothing",
}
PASSING = ["bad-gateway", "limit", "overloaded"]


@pytest.fixture
def shown(shell, capsys):
    """Run a cell; returns whether it succeeded, and what it showed."""

    def run(cell: str) -> tuple[bool, str]:
        ok = shell.run_cell(cell).success
        return ok, capsys.readouterr().out

    return run


def test_each_failure_is_met_here():
    assert {*SAID, *PASSING, "temperature"} == FAILURES.keys()


@pytest.mark.parametrize("how", ["", " --no-stream"])
@pytest.mark.parametrize("name", SAID)
def test_a_failure_is_said_and_not_sent_again(shown, sandbox, name, how):
    ok, said = shown(f"%%chat -m gpt-5.5{how}\nsandbox: fail {name}\nHello")
    assert not ok
    assert SAID[name] in said
    assert "Traceback" not in said
    assert len(sandbox.received) == 1


@pytest.mark.parametrize("name", PASSING)
def test_a_failure_that_passes_is_waited_for(shown, sandbox, name):
    ok, said = shown(f"%%chat -m gpt-5.5\nsandbox: fail {name} 1\nsandbox: echo\nHello")
    assert ok
    assert "Hello" in said
    assert f"{FAILURES[name].status}, again in " in said
    assert len(sandbox.received) == 2


def test_a_value_that_is_refused_is_left_out(shown, sandbox):
    ok, said = shown("%%chat -m gpt-5.5 -t 0.5\nsandbox: fail temperature\nsandbox: echo\nHello")
    assert ok
    assert "temperature" in said
    assert ["temperature" in r.body for r in sandbox.received] == [True, False]


@pytest.mark.parametrize("how", ["", " --no-stream"])
def test_an_answer_that_ends_without_a_word_is_incomplete(shown, shell, how):
    ok, _ = shown(f"%%chat -m gpt-5.5{how}\nsandbox: cut 40\nsandbox: markdown 400")
    assert not ok
    assert how or shell.user_ns["_reply"].partial == "incomplete"


def test_keep_alives_after_the_end_keep_nobody(shown):
    before = time.monotonic()
    ok, _ = shown("%%chat -m gpt-5.5\nsandbox: ping 60\nsandbox: echo\nHello")
    assert ok
    assert time.monotonic() - before < 30


@pytest.mark.parametrize(
    ("directive", "seen", "reasoning"),
    [
        ("tool look_up", "The model asked for the tool look_up", ""),
        ("refuse", "The model refused", ""),
        ("think 20 tags", "Hello", "The sandbox does not"),
        ("think 20", "Hello", "The sandbox does not"),
        ("finish safety", "A safety filter ended the reply", ""),
    ],
)
@pytest.mark.parametrize("how", ["", " --no-stream"])
def test_what_else_a_reply_holds_is_said(shown, shell, *, directive, seen, reasoning, how):
    ok, said = shown(f"%%chat -m gpt-5.5{how}\nsandbox: {directive}\nsandbox: echo\nHello")
    assert ok
    assert seen in said
    assert shell.user_ns["_reply"].text == "Hello"
    assert shell.user_ns["_reply"].reasoning.startswith(reasoning)


def test_two_answers_are_both_there(shown, shell, sandbox):
    shown("%%chat -m gpt-5.5 -p n=2\nsandbox: echo\nHello")
    assert shell.user_ns["_reply"].text == "Hello\n\n---\n\n**Answer 2**\n\nHello"
