"""What a magic's line says of options that it does not have: suggestions and consequences that are its own."""

from __future__ import annotations

import pytest

from xcyq_magic.errors import ExpressionError, OptionError
from xcyq_magic.magics.base import help_page

NOT_SENT = "; nothing was sent"


def said(run, cell: str) -> tuple[str, str]:
    with pytest.raises(OptionError) as raised:
        run(cell)
    return raised.value.message, raised.value.hint


@pytest.mark.parametrize("option", ["--code", "--cached", "--background", "--mod", "--model-name", "--modell"])
def test_compare_names_only_options_that_it_has(run, sandbox, option):
    message, hint = said(run, f"%%compare gpt-5.5 gpt-5.4 {option}\nHello")
    assert message == f"%%compare has no option {option}; nothing was sent."
    assert hint == "%%compare? lists the options, with examples."
    assert sandbox.received == []


@pytest.mark.parametrize("option", ["-m gpt-5.2", "-mgpt-5.2", "--model gpt-5.2", "--model=gpt-5.2"])
def test_compare_says_where_its_models_stand(run, option):
    _, hint = said(run, f"%%compare gpt-5.5 gpt-5.4 {option}\nHello")
    assert hint.endswith("%%compare gpt-5.5 gpt-5.2.")


def test_what_the_readme_says_that_compare_does_not_take_is_not_in_its_help(shell):
    parsers = shell.magics_manager.registry["xcyq_magic"].context.parsers
    chat, compare = (help_page("", parsers[name]) for name in ("chat", "compare"))
    for option in ("--model", "--background", "--cached", "--code"):
        assert option in chat
        assert option not in compare
    listed = {word.strip(",") for word in chat.split() if word.startswith("--")}
    assert {o for o in listed if o not in compare} == {"--model", "--background", "--cached", "--code"}


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("%chat_usage --al", "%chat_usage has no option --al.", "Did you mean --all?"),
        ("%chat_usage --everything", "%chat_usage has no option --everything.", "lists the options, with examples."),
        ("%chat_usage -o 'a b'", "-o takes the name of a variable, not 'a b'.", "an underscore is IPython's."),
        (
            "%chat_usage -o",
            "%chat_usage: argument -o/--out: expected one argument.",
            "lists the options, with examples.",
        ),
        ("%chat_switch --knew", "%chat_switch has no option --knew.", "Did you mean --new?"),
        ("%chat_switch 'one", "The quote that begins with 'one is not closed.", "is one word."),
        ("%chat_undo --turn x", "%chat_undo: argument --turn: invalid whole number value: 'x'.", "with examples."),
        ("%chat_undo --help", "Help is not an option of %chat_undo.", "Type %chat_undo? for it."),
    ],
)
def test_a_magic_that_sends_nothing_does_not_say_that_it_did_not(run, line, message, hint):
    found = said(run, line)
    assert found[0] == message
    assert found[1].endswith(hint)


@pytest.mark.parametrize(
    "cell",
    [
        "%chat --modle x Hello",
        "%%chat -o 'a b'\nHello",
        "%%compare a b --jugde x\nHello",
        "%chat_error --modle x",
        "%chat_retry --modle x",
        "%chat -s 'one",
    ],
)
def test_a_magic_that_sends_says_that_it_did_not(run, cell):
    assert NOT_SENT in said(run, cell)[0]


@pytest.mark.parametrize("magic", ["chat", "chat_error", "chat_system"])
def test_a_text_that_begins_with_a_dash_is_said_how_to_type(run, magic):
    _, hint = said(run, f"%{magic} --verbose is what?")
    assert hint.endswith(f"A text that begins with a dash goes behind --: %{magic} -- --verbose")


def test_a_text_behind_dashes_is_the_text(run, sandbox):
    run("%chat_system -- --terse")
    run("%chat -- -x is what?")
    assert [m["content"] for m in sandbox.received[-1].body["messages"]] == ["--terse", "-x is what?"]


# A system prompt as it is typed

JINJA = "Be {{ 1/0 }}"


@pytest.mark.parametrize(
    "cell",
    [
        f"%chat_system --raw {JINJA}",
        f"%%chat_system --raw\n{JINJA}",
        f"%%chat_system --raw Be\n{JINJA}",
        f"%%chat_system --raw --\n- {JINJA}",
    ],
)
def test_a_system_prompt_is_taken_as_it_is_typed(run, sandbox, cell):
    run(cell)
    run("%chat Hello")
    system = sandbox.received[-1].body["messages"][0]["content"]
    assert system in {JINJA, f"Be\n{JINJA}", f"- {JINJA}"}
    assert "--" not in system


@pytest.mark.parametrize("cell", [f"%chat_system {JINJA}", f"%%chat_system\n{JINJA}", f"%%chat -s '{JINJA}'\nHello"])
def test_a_system_prompt_that_fails_says_what_works(run, cell, sandbox):
    with pytest.raises(ExpressionError, match="--raw"):
        run(cell)
    assert sandbox.received == []


def test_raw_takes_a_word_that_means_something_as_a_text(run, sandbox):
    run("%chat_system --raw off")
    run("%chat Hello")
    assert sandbox.received[-1].body["messages"][0] == {"role": "system", "content": "off"}


def test_an_option_that_the_system_prompt_does_not_have_is_no_text_of_it(run, capsys):
    assert said(run, "%%chat_system --rwa\nBe brief")[1] == "Did you mean --raw?"
    run("%chat_system")
    assert "No system prompt" in capsys.readouterr().out
