"""A chain of models as it is typed: `-m A,B`, braces, `%chat_model`, `%%compare`, `--each`; and what `%chat` says."""

from __future__ import annotations

import pytest
from servers import ScriptedServer

from xcyq_magic.errors import OptionError

A, B, C = "claude-opus-4-7-official", "claude-opus-4-7", "claude-opus-4-7-fd"


@pytest.fixture
def server(monkeypatch, shell):
    """A gateway whose official pool has failed; the shell asks it."""
    server = ScriptedServer(lambda _, body: (503, {}) if body["model"] == A else f"from {body['model']}")
    shell.run_line_magic("config", f"GatewaySettings.base_url = {server.base_url!r}")
    yield server
    server.close()


def models_of(server) -> list[str]:
    return [body["model"] for body in server.received]


@pytest.mark.parametrize("typed", ["claude-opus-4-7{-official,,-fd}", f"{A},{B},{C}", f'"{A}, {B}"'])
def test_a_chain_behind_m(run, shell, server, capsys, typed):
    run(f"%chat -m {typed} Hello")
    said = capsys.readouterr().out
    line = f"{B}, for {A} failed with 503"
    assert said.index(line) < said.index(f"from {B}") < said.rindex(line)  # at once, and when it has ended
    assert models_of(server) == [A, B]
    assert (shell.user_ns["_reply"].requested_model, shell.user_ns["_reply"].model) == (B, B)


def test_the_state_says_who_is_passed_over(run, server, capsys):
    run("%chat")
    assert "Passed over" not in capsys.readouterr().out
    run(f"%chat -m {A},{B} Hello")
    capsys.readouterr()
    run("%chat")
    assert f"Passed over: {A} (failed with 503, 60 s more)" in capsys.readouterr().out


def test_a_conversation_has_a_chain(run, server, capsys):
    run(f"%chat_model {B}{{-official,}}")
    assert f"Model: {A},{B}\n" in capsys.readouterr().out
    run("%chat Hello")
    run("%chat_retry")
    assert models_of(server) == [A, B, B]
    run("%chat")
    assert f"model {A},{B}" in capsys.readouterr().out


def test_an_unknown_name_in_a_chain_is_remarked_on(run, shell, capsys):
    run(f"%chat_model claude-opus-47,{B}")  # in the sandbox, whose names are those of the catalogue
    said = capsys.readouterr().out
    assert "claude-opus-47 is not in the catalogue; requests use it as typed. Did you mean claude-opus-4-7?" in said
    assert f"{B} is not" not in said


def test_a_chain_that_is_none_is_refused(run, server):
    for line in (f"%chat -m {A}, {B} Hello", f"%chat -m {A},claude-* Hello", f"%chat_model {A},"):
        with pytest.raises(OptionError, match="takes the names of models"):
            run(line)
    assert server.received == []


def test_columns_and_their_judge(run, shell, server):
    run(f"%%compare {A},{B} {C} --judge {A},{C}\nHello")
    comparison = shell.user_ns["_comparison"]
    assert [(c.name, c.model) for c in comparison.columns] == [(f"{A},{B}", B), (C, C)]
    assert comparison.verdict.model == C
    run(f"%%compare {B}{{-official,,-fd}}\nHello")
    assert [*shell.user_ns["_comparison"]] == [A, B, C]


def test_rows(run, shell, server, capsys):
    shell.push({"texts": ["a", "b", "c"]})
    run(f"%%chat --each texts -m {A},{B}\nHello {{{{ row }}}}")
    assert f"{A},{B} (3 by {B})" in capsys.readouterr().out
    assert {r.completion.requested_model for r in shell.user_ns["_rows"]} == {B}
    before = len(server.received)
    run(f"%%chat --each texts -m {A},{B}\nHello {{{{ row }}}}")
    assert len(server.received) == before  # what a chain fell back to is found again


def test_a_dry_run_shows_the_first_and_names_the_others(run, server, capsys):
    run(f"%chat -m {A},{B} --dry-run Hello")
    assert f"If it cannot answer, {B} is asked." in capsys.readouterr().out
    assert server.received == []
