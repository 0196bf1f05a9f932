"""Several conversations in one notebook, and the way back from each change."""

from __future__ import annotations

import re

import pytest
from kernels import KEY
from shells import shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.errors import InputError, OptionError
from xcyq_magic.magics.context import Context


def said(sandbox) -> list[tuple[str, str]]:
    return [(m["role"], m["content"]) for m in sandbox.received[-1].body["messages"]]


def asked(sandbox) -> list[str]:
    return [content for role, content in said(sandbox) if role == "user"]


def test_a_new_conversation_begins_empty_and_the_old_one_is_there_to_go_back_to(run, sandbox, capsys):
    run("%chat one")
    run("%chat_switch idea --new")
    out = capsys.readouterr().out
    assert "The conversation is idea now: 0 turns" in out
    assert "%chat_switch main goes back." in out
    run("%chat two")
    assert asked(sandbox) == ["two"]
    run("%chat_switch main")
    run("%chat three")
    assert asked(sandbox) == ["one", "three"]
    run("%chat_switch idea")
    run("%chat four")
    assert asked(sandbox) == ["two", "four"]


def test_each_column_of_the_list_has_a_heading(run, capsys):
    run("%chat one")
    capsys.readouterr()
    run("%chat_switch")
    head, rule, row, *_ = capsys.readouterr().out.splitlines()
    places = [word.start() for word in re.finditer(r"-+", rule)]
    ends = [*places[1:], len(rule)]
    cells = {head[a:b].strip(): row[a:b].strip() for a, b in zip(places, ends, strict=True)}
    assert cells["state"] == "here"
    assert "" not in cells


def test_the_magics_act_on_the_conversation_that_one_is_in(run, sandbox, capsys):
    run("%chat_switch --new idea")
    run("%chat_system Be brief.")
    run("%chat_model gpt-5.5")
    run("%chat one")
    run("%chat -c main two")
    assert said(sandbox) == [("user", "two")]
    run("%chat_undo")
    run("%chat three")
    assert said(sandbox) == [("system", "Be brief."), ("user", "three")]
    assert sandbox.received[-1].body["model"] == "gpt-5.5"
    capsys.readouterr()
    run("%chat")
    assert "Conversation: idea, 1 turn, model gpt-5.5" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["--fork 2 idea", "idea --fork 2", "--fork=2 idea"])
def test_a_fork_has_the_first_turns(run, sandbox, line):
    for n in "one", "two", "three":
        run(f"%chat {n}")
    run(f"%chat_switch {line}")
    run("%chat four")
    assert asked(sandbox) == ["one", "two", "four"]
    run("%chat_switch main")
    run("%chat five")
    assert asked(sandbox) == ["one", "two", "three", "five"]


def test_a_fork_without_a_number_has_all_turns_and_a_name_that_is_free(run, sandbox, capsys):
    run("%chat one")
    run("%chat_switch --fork")
    assert "main-2 now: 1 turn" in capsys.readouterr().out
    run("%chat_switch --fork idea")
    assert "idea now: 1 turn" in capsys.readouterr().out


def test_a_conversation_that_was_reset_comes_back_by_its_id(run, sandbox, capsys):
    run("%chat one")
    capsys.readouterr()
    run("%chat_reset")
    out = capsys.readouterr().out
    assert "1 turn set aside" in out
    (back,) = re.findall(r"%chat_switch (\w+) brings it back", out)
    run("%chat two")
    run("%chat_switch")
    table = capsys.readouterr().out
    assert re.search(rf"{back} .*set aside", table)
    run(f"%chat_switch {back[:5]}")
    run("%chat three")
    assert asked(sandbox) == ["one", "three"]
    capsys.readouterr()
    run("%chat_switch")
    rows = [line for line in capsys.readouterr().out.splitlines() if " main " in line]
    assert [("here" in r, "set aside" in r) for r in rows].count((True, False)) == 1
    assert len(rows) == 2


def test_a_name_that_only_the_list_has_is_answered_with_its_id(sandbox, monkeypatch, tmp_path):
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "one.ipynb"))
    with shell_of() as shell:
        load_ipython_extension(shell)
        shell.run_cell("%chat_switch --new second").raise_error()
        shell.run_cell("%chat Hello").raise_error()
        unload_ipython_extension(shell)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "other.ipynb"))
    with shell_of() as shell:
        load_ipython_extension(shell)
        with pytest.raises(InputError, match=r"No open conversation of this notebook is called second\.") as raised:
            shell.run_line_magic("chat_switch", "second")
        shell.run_cell(raised.value.hint.removeprefix("The list has it under its id: ")).raise_error()
        turns = Context.of(shell).session.conversation().turns
        unload_ipython_extension(shell)
    assert [t.prompt.text for t in turns] == ["Hello"]


def test_what_was_taken_back_comes_back(run, sandbox, capsys):
    for n in "one", "two", "three":
        run(f"%chat {n}")
    run("%chat_undo 2")
    run("%chat_undo --restore")
    out = capsys.readouterr().out
    assert "%chat_undo --restore brings them back." in out
    assert "Brought back: two" in out
    run("%chat_undo --turn 2")
    run("%chat four")
    assert asked(sandbox) == ["one", "three", "four"]
    run("%chat_undo --restore")
    run("%chat five")
    assert asked(sandbox) == ["one", "two", "three", "four", "five"]


def test_what_is_brought_back_comes_to_the_conversation_that_it_was_taken_from(run, sandbox, capsys):
    run("%chat one")
    run("%chat two")
    run("%chat_reset")
    (back,) = re.findall(r"%chat_switch (\w+) brings them back", capsys.readouterr().out)
    run("%chat other")
    run("%chat_undo")
    run(f"%chat_switch {back}")
    with pytest.raises(InputError, match="Nothing was taken back"):
        run("%chat_undo --restore")
    run("%chat three")
    assert asked(sandbox) == ["one", "two", "three"]
    capsys.readouterr()
    run("%chat_switch")
    (fresh,) = re.findall(r" main +(\w+) .*set aside", capsys.readouterr().out, re.MULTILINE) or [None]
    assert fresh is None  # nothing is in it, so nothing is listed


@pytest.mark.parametrize("ways", [["%chat_undo 2"], ["%chat_undo", "%chat_undo"], ["%chat_undo --turn 2"] * 2])
def test_turns_come_back_to_their_places_and_those_asked_meanwhile_stay(run, sandbox, ways):
    for n in "one", "two", "three":
        run(f"%chat {n}")
    for way in ways:
        run(way)
    run("%chat four")
    for _ in ways:
        run("%chat_undo --restore")
    run("%chat five")
    assert asked(sandbox) == ["one", "two", "three", "four", "five"]
    with pytest.raises(InputError, match="Nothing was taken back"):
        run("%chat_undo --restore")


# What a prompt does while it is made is not undone by what the magic was about to set.
CHANGES = {
    "the model": ("%chat_model gpt-5.5", lambda c: c.model == "gpt-5.5"),
    "a turn": ("%chat two", lambda c: [t.prompt.text for t in c.turns] == ["one", "two"]),
    "a turn taken back": ("%chat_undo", lambda c: not c.turns),
    "a turn asked again": ("%chat_retry -m gpt-5.4", lambda c: c.turns[0].completion.model == "gpt-5.4"),
    "the system prompt, which the later wins": ("%chat_system Loud.", lambda c: c.system == "Be terse."),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_happens_while_a_system_prompt_is_made_stays(run, shell, what):
    line, holds = CHANGES[what]
    run("%chat one")
    name, _, rest = line.removeprefix("%").partition(" ")
    run(f"%chat_system Be {{{{ get_ipython().run_line_magic({name!r}, {rest!r}) or 'terse' }}}}.")
    conversation = shell.magics_manager.registry["xcyq_magic"].context.session.conversation()
    assert conversation.system == "Be terse."
    assert holds(conversation)


REFUSED = [
    ("%chat_switch nowhere", InputError, "--new nowhere begins one"),
    ("%chat_switch mian", InputError, "Did you mean main?"),
    ("%chat_switch --new main", InputError, "called main already"),
    ("%chat_switch --fork 7 idea", InputError, "There is no turn 7"),
    ("%chat_switch --fork 0", InputError, "There is no turn 0"),
    ("%chat_switch two words", OptionError, "one word"),
    ("%chat_switch --knew idea", OptionError, "Did you mean --new?"),
    ("%chat_undo --turn 9", InputError, "There is no turn 9"),
    ("%chat_undo --turn two", OptionError, "takes a whole number, not 'two'"),
    ("%chat_undo --restore", InputError, "Nothing was taken back"),
]


def test_what_cannot_be_is_said_in_a_line_or_two(run):
    run("%chat one")
    for line, error, words in REFUSED:
        with pytest.raises(error) as raised:
            run(line)
        assert words in str(raised.value), line
        assert len(raised.value._render_traceback_()) <= 2


ODD = ["²", "١٢", "1_000", "9" * 5000, "nan"]
COUNTED = ["chat_history", "chat_undo", "chat_undo --turn", "chat_code", "chat --max-tokens", "chat --top-p", "chat -t"]


@pytest.mark.parametrize("line", COUNTED)
def test_an_odd_number_is_refused_and_changes_nothing(run, sandbox, shell, line):
    run("%chat one")
    turns = len(sandbox.received)
    for odd in ODD:
        with pytest.raises(OptionError) as raised:
            run(f"%{line} {odd}" + " hello" * line.startswith("chat -"))
        assert len(raised.value._render_traceback_()) <= 2
    assert len(sandbox.received) == turns
    run("%chat two")
    assert asked(sandbox) == ["one", "two"]


@pytest.mark.parametrize("name", ["²", "١٢", "1_000", "9" * 5000, "nan"])
def test_what_is_no_number_of_turns_is_the_name_of_the_fork(run, capsys, name):
    run("%chat one")
    run(f"%chat_switch --fork {name}")
    assert f"The conversation is {name} now: 1 turn" in capsys.readouterr().out
