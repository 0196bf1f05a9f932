"""``%%compare … --each cases``: what is sent, shown and refused, as it is typed."""

from __future__ import annotations

import hostile
import pandas as pd
import pytest
from servers import ScriptedServer

from xcyq_magic.errors import ExpressionError, GatewayError, InputError, OptionError


def answer(_: int, body: dict):
    """GPT knows all; Claude knows the odd ones; a judge likes what is shorter, and one model is down."""
    prompt, model = body["messages"][-1]["content"], body["model"]
    if "BEST" in prompt:
        first, second = (part.split("\n==")[0] for part in prompt.split("Reply ")[1:3])
        return f"It is shorter.\nBEST: {1 if len(first) < len(second) else 2}"
    if model.startswith("gemini"):
        return 400, {}
    n = int(prompt.split()[-1])
    return f"It is {n}." if model.startswith("gpt") or n % 2 else "I would have to guess."


@pytest.fixture
def server(run, monkeypatch):
    """A gateway that the shell asks, with 20 cases and a check in its namespace."""
    scripted = ScriptedServer(answer)
    run(f"%config GatewaySettings.base_url = {scripted.base_url!r}")
    yield scripted
    scripted.close()


@pytest.fixture
def shell_with(shell, server):
    cases = pd.DataFrame({"n": range(20), "answer": [str(n) for n in range(20)]})
    shell.push({"cases": cases, "is_right": lambda reply, case: case.answer in reply.text, "not_one": 3})

    def fails(reply, case):
        return case.nothing

    shell.push({"fails": fails})
    return shell


ASK = "\nWhat is {{ row.n }}"
TWO = "gpt-5.5 claude-opus-4-7"


@pytest.mark.usefixtures("shell_with")
def test_models_are_scored_over_cases_and_resumed(run, shell, server, capsys):
    run(f"%%compare {TWO} --each cases --check is_right -o found{ASK}")
    out = capsys.readouterr().out
    assert "20 rows · 2 models · about" in out
    assert "| gpt-5.5         | **100 %** | 84 to 100 %   |" in out
    assert "| claude-opus-4-7 | 50 %" in out
    assert "gpt-5.5 is better than claude-opus-4-7: such a difference would come by chance in 0.2 %" in out
    assert "The models got different scores in 10 of 20 cases." in out
    assert "✗ I would have to guess." in out
    assert shell.user_ns["found"] is shell.user_ns["_comparison"]
    assert len(shell.user_ns["found"].to_frame()) == len(server.received) == 40
    run(f"%%compare {TWO} --each cases --check is_right{ASK}")
    again = capsys.readouterr().out
    assert "40 answered before" in again
    assert "**100 %**" in again
    assert len(server.received) == 40


@pytest.mark.usefixtures("shell_with")
def test_a_judge_scores_each_case(run, server, capsys):
    run(f"%%compare {TWO} --each cases --judge gpt-5.4{ASK}")
    out = capsys.readouterr().out
    assert "Scored by the judge gpt-5.4" in out
    assert len(server.received) == 60
    run(f"%%compare {TWO} --each cases --judge gpt-5.4{ASK}")
    assert len(server.received) == 60


@pytest.mark.usefixtures("shell_with")
def test_without_a_check_the_answers_stand_side_by_side(run, capsys):
    run(f"%%compare {TWO} --each cases.head(4){ASK}")
    out = capsys.readouterr().out
    assert "Nothing was scored" in out
    assert "different answers in 2 of 4 cases" in out
    assert "| It is 0." in out


@pytest.mark.usefixtures("shell_with")
def test_a_model_that_fails_is_shown_beside_the_others(run, capsys):
    run(f"%%compare gpt-5.5 gemini-2.5-pro --each cases --check is_right{ASK}")
    out = capsys.readouterr().out
    assert "| gemini-2.5-pro |" in out
    assert "⚠ failed The gateway refused with 400: no" in out
    assert "20 questions without a complete answer" in out
    with pytest.raises(GatewayError):
        run(f"%%compare gemini-2.5-{{pro,flash}} --each cases --check is_right{ASK}")


@pytest.mark.usefixtures("shell_with")
def test_a_check_that_raises_keeps_the_replies(run, server, capsys):
    run(f"%%compare {TWO} --each cases --check fails{ASK}")
    out = capsys.readouterr().out
    assert "40 answers without a score: fails failed: AttributeError" in out
    assert len(server.received) == 40


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--each cases --check not_one", "not a int; nothing was sent"),
        ("--each cases --check gone", "--check gone failed: NameError"),
        ("--each gone --check is_right", "--each gone failed: NameError"),
        ("--each cases --check is_right --judge gpt-5.4", "not by both; nothing was sent"),
        ("--check is_right", "--check needs many cases, given with --each; nothing was sent."),
        ("--each cases --repeat 2", "--repeat does not go together with --each; nothing was sent."),
        ("gpt-5.5 --each cases", "gpt-5.5 is named 2 times; nothing was sent. Name it once."),
        ("--each cases --diff", "--diff does not go together with --each; nothing was sent."),
        ("--each cases --judge {x}", "A model's name cannot hold {x}"),
        ("--each []", "nothing"),
        ("--each range(60)", "120 requests are more than ChatSettings.each_limit, 100; nothing was sent."),
    ],
)
@pytest.mark.usefixtures("shell_with")
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(run, server, options, words):
    with pytest.raises((OptionError, ExpressionError, InputError)) as raised:
        run(f"%%compare {TWO} {options}\nWhat is {{{{ row }}}}")
    assert words in f"{raised.value.message} {raised.value.hint}"
    assert server.received == []


@pytest.mark.usefixtures("shell_with")
def test_a_dry_run_sends_nothing_and_go_sends_many(run, server, capsys):
    run(f"%%compare {TWO} --each cases --check is_right --dry-run{ASK}")
    assert "Dry run: nothing was sent · gpt-5.5" in capsys.readouterr().out
    assert server.received == []
    run(f"%%compare {TWO} --each range(60) --go\nWhat is {{{{ row }}}}")
    assert len(server.received) == 120
    run(f"%%compare {TWO} --each cases.head(1) --check is_right{ASK}")
    assert "2 models · 1 case" in capsys.readouterr().out


@pytest.mark.usefixtures("shell_with")
def test_hostile_and_huge_cases_stay_text(run, shell, capsys):
    texts = [*(payload for _, payload in hostile.EVERY[:40]), "long " * 100_000]
    shell.push({"texts": texts})
    run(f"%%compare {TWO} --each texts --raw\nWhat is 2")
    assert "All rows make the same request" in capsys.readouterr().out
    html = shell.display_formatter.format(shell.user_ns["_comparison"])[0]["text/html"]
    assert "<script" not in html
    assert len(html) < 100_000
