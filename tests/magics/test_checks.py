"""``%chat_models --check`` in a cell: what it says before, what stands at its end, and what it refuses."""

from __future__ import annotations

import pytest

from xcyq_magic.chat.checks import CheckReport
from xcyq_magic.errors import MissingKeyError, OptionError


@pytest.fixture
def shown(run, capsys):
    def show(line: str) -> str:
        capsys.readouterr()
        run(line)
        return capsys.readouterr().out

    return show


def test_it_says_what_it_takes_and_shows_what_came(shown, run, shell, sandbox):
    lines = shown("%chat_models --check gpt-5.5{,-low} gpt-5.5~dead -o pools").splitlines()
    assert lines[0].startswith("3 pools · 6 requests · about ")
    assert lines[1].startswith("[3 pools checked")
    assert [line.split()[0] for line in lines if line.startswith("gpt")] == ["gpt-5.5", "gpt-5.5-low", "gpt-5.5~dead"]
    pools = shell.user_ns["pools"]
    assert isinstance(pools, CheckReport)
    assert pools.to_frame().index.to_list() == ["gpt-5.5", "gpt-5.5-low", "gpt-5.5~dead"]
    assert "did not answer" in shell.display_formatter.format(pools)[0]["text/html"]
    assert "(usually " in shown("%chat_models --check gpt-5.5")
    assert "| check " in shown("%chat_usage --by kind")  # it is paid for, and in no conversation


def test_deep_asks_for_a_format_too(run, shell, sandbox):
    run("%chat_models --check --deep gpt-5.5 -o pools")
    assert shell.user_ns["pools"].pools[0].findings["response_format"].kept
    assert sum("response_format" in r.body for r in sandbox.received) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--deep gpt-5.5", "--deep goes together with --check only"),
        ("-o pools gpt-5.5", "-o goes together with --check only"),
        ("--check", "needs the names of pools"),
        ("--check --deep", "needs the names of pools"),
        ("--check zebra-*", "No model's name matches zebra-"),
        ("--check gpt-5.5,gpt-5.4", "by a comma"),
        ("--check gpt-5.5 -o 1", "-o takes the name of a variable"),
        ("--chek gpt-5.5", "has no option --chek"),
    ],
)
def test_what_cannot_be_checked_is_refused_and_nothing_is_sent(run, sandbox, line, words):
    with pytest.raises(OptionError, match=words) as refused:
        run(f"%chat_models {line}")
    assert refused.value.hint
    assert sandbox.received == []


def test_without_a_key_nothing_is_said_or_sent(run, shown, monkeypatch, capsys):
    monkeypatch.delenv("XCYQ_API_KEY")
    run("%config GatewaySettings.base_url = 'https://gateway.invalid'")
    with pytest.raises(MissingKeyError):
        run("%chat_models --check gpt-5.5")
    assert "requests" not in capsys.readouterr().out


def test_a_store_that_fails_leaves_the_check(run, shown, tmp_path):
    run(f"%config ChatSettings.store = '{tmp_path}/store'")
    (tmp_path / "store").mkdir()  # a folder is no file
    said = shown("%chat_models --check gpt-5.5")
    assert "1 pool checked" in said
    assert str(tmp_path) in said
