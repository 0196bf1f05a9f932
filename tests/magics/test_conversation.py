"""The magics that see, change and take back a conversation."""

from __future__ import annotations

import copy
import pickle

import pytest

from xcyq_magic import Chat
from xcyq_magic.errors import InputError, OptionError


def said(sandbox) -> list[tuple[str, str]]:
    return [(m["role"], m["content"]) for m in sandbox.received[-1].body["messages"]]


def test_the_system_prompt_goes_along_until_it_is_taken_off(run, sandbox, capsys):
    run("%chat_system Answer in {one} word, ok?")
    run("%chat --once Hello")
    assert said(sandbox)[0] == ("system", "Answer in {one} word, ok?")
    run("%%chat_system\nTwo\nlines")
    run("%chat --once Hello")
    assert said(sandbox)[0] == ("system", "Two\nlines")
    run('%chat_system "Be brief."')
    run("%chat --once Hello")
    assert said(sandbox)[0] == ("system", "Be brief.")
    run('%chat_system "Yes" or "no" only')
    run("%chat --once Hello")
    assert said(sandbox)[0] == ("system", '"Yes" or "no" only')
    run("%chat_system off")
    run("%chat --once Hello")
    assert said(sandbox) == [("user", "Hello")]
    assert "No system prompt" in capsys.readouterr().out


def test_the_history_is_a_table_and_a_turn_can_be_seen_whole(run, capsys):
    run("%chat first question")
    run("%chat second question")
    capsys.readouterr()
    run("%chat_history")
    table = capsys.readouterr().out
    assert "first question" in table
    assert "second question" in table
    run("%chat_history 2")
    whole = capsys.readouterr().out
    assert "first question" not in whole.split("\n")[0]
    assert "This is the sandbox" in whole


def test_the_history_names_a_picture_in_its_place(run, capsys):
    run("from PIL import Image\nsky = Image.new('RGB', (8, 8))")
    run("%%chat\nWhat is odd in {{ sky }} today?")
    capsys.readouterr()
    for line in ("%chat_history", "%chat_history 1", "%chat_undo"):
        run(line)
    assert capsys.readouterr().out.count("What is odd in [sky] today?") == 3
    run("%chat -a sky -a sky And now?")
    capsys.readouterr()
    run("%chat_history 1")
    assert "[sky] [sky] And now?\n[sky · 8×8, " in capsys.readouterr().out


def test_undo_takes_turns_back(run, sandbox, capsys):
    for n in "one", "two", "three":
        run(f"%chat {n}")
    run("%chat_undo 2")
    assert "Took back: two" in capsys.readouterr().out
    run("%chat four")
    assert [c for r, c in said(sandbox) if r == "user"] == ["one", "four"]


def test_reset_starts_afresh(run, sandbox):
    run("%chat_model gpt-5.5")
    run("%chat_system Be brief.")
    run("%chat one")
    run("%chat_reset")
    run("%chat two")
    assert said(sandbox) == [("user", "two")]
    assert sandbox.received[-1].body["model"] == "claude-sonnet-4-6"


@pytest.mark.parametrize(
    ("line", "error", "words"),
    [
        ("%chat_undo", InputError, "main has no turn to take back.\n%chat_switch lists"),
        ("%chat_undo 3", InputError, "main has no turn to take back.\n%chat_switch lists"),
        ("%chat_undo --turn 1", InputError, "There is no turn 1: main has none.\nWrite %%chat"),
        ("%chat_history 1", InputError, "There is no turn 1: main has none.\nWrite %%chat"),
        ("%chat_switch --fork 1", InputError, "There is no turn 1: main has none.\nWrite %%chat"),
        ("%chat_undo all", OptionError, "a number of turns"),
        ("%chat_undo -1", OptionError, "a number of turns"),
        ("%chat_history 7", InputError, "There is no turn 7"),
        ("%chat_reset now", InputError, "takes nothing"),
        ("%chat_sandbox of", InputError, "off or nothing"),
        ("%chat_key sk-secret", InputError, "or nothing after it"),
        ("%chat_model gpt 5", InputError, "one word"),
        ("%chat_models zebra", InputError, "No model's name matches"),
    ],
)
def test_what_cannot_be_is_said_in_a_line_or_two(run, line, error, words):
    with pytest.raises(error) as raised:
        run(line)
    assert words in str(raised.value)
    assert "secret" not in str(raised.value)


def test_more_turns_than_there_are_is_said_with_their_number(run):
    run("%chat one")
    for line, words in [
        ("%chat_undo 2", "There is 1 turn to take back, not 2.\n%chat_history lists them."),
        ("%chat_undo --turn 2", "There is no turn 2: main has 1 turn.\n%chat_history lists them."),
        ("%chat_history 2", "There is no turn 2: main has 1 turn.\n%chat_history lists them."),
        ("%chat_switch --fork 2", "There is no turn 2: main has 1 turn.\n%chat_history lists them."),
    ]:
        with pytest.raises(InputError) as raised:
            run(line)
        assert str(raised.value) == words


def test_a_reset_says_which_model_is_asked_from_then_on(run, capsys):
    run("%chat_reset")
    assert capsys.readouterr().out == "There were no turns to set aside. The model is claude-sonnet-4-6.\n"
    run("%chat_model gpt-5.5")
    run("%chat one")
    capsys.readouterr()
    run("%chat_reset")
    said = capsys.readouterr().out
    assert said.startswith("Started afresh: 1 turn set aside; the model is claude-sonnet-4-6. %chat_switch ")
    assert said.endswith(" brings it back.\n")


def test_one_token_is_one(run, capsys):
    run("%chat --dry-run Hi")
    assert "· about 1 token ·" in capsys.readouterr().out
    run("%chat --max-tokens 1 Hi")
    assert "tokens in, 1 out" in capsys.readouterr().out


def test_a_reset_says_that_the_system_prompt_is_no_more(run, capsys):
    gone = "and the system prompt of the conversation is no more"
    run("%chat_system Answer in German.\n%chat One?\n%chat_reset")
    assert f"the model is claude-sonnet-4-6, {gone}." in capsys.readouterr().out
    run("%chat One?\n%chat_reset")
    assert gone not in capsys.readouterr().out
    run("%config ChatSettings.system = 'Be brief.'\n%chat One?\n%chat_reset")
    assert "the model is claude-sonnet-4-6, with a system prompt. %chat_switch" in capsys.readouterr().out


def test_the_model_of_a_conversation(run, sandbox, capsys):
    run("%chat_model")
    assert "claude-sonnet-4-6" in capsys.readouterr().out
    run("%chat_model gemini-2.5-pro-low")
    assert "Gemini, budget pool" in capsys.readouterr().out
    run("%chat Hello")
    run("%chat -m gpt-5.4 Hello")
    run("%chat Hello")
    assert [r.body["model"] for r in sandbox.received] == ["gemini-2.5-pro-low", "gpt-5.4", "gemini-2.5-pro-low"]


def test_an_unknown_model_is_taken_with_a_notice(run, capsys):
    run("%chat_model claude-opus-47")
    assert "Did you mean claude-opus-4-7?" in capsys.readouterr().out


def test_the_catalogue_can_be_searched(run, capsys):
    run("%chat_models")
    assert "45 of 45 models" in capsys.readouterr().out
    run("%chat_models claude-*-official")
    out = capsys.readouterr().out
    assert "6 of 45 models" in out
    assert "gpt" not in out
    run("%chat_models opus")
    assert "12 of 45 models" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["''", '""', "-x", "--model", "'a b'", "gpt 5", "'a\tb'", "\u202egpt", "'", '"gpt'])
def test_what_is_no_name_of_a_model_is_refused(run, sandbox, name):
    with pytest.raises(InputError):
        run(f"%chat_model {name}")
    run("%chat hi")
    assert sandbox.received[-1].body["model"] == "claude-sonnet-4-6"


@pytest.mark.parametrize("name", ["off", "default", "None"])
def test_the_way_back_to_the_model_of_the_settings_is_said(run, shell, name):
    run("%config ChatSettings.model = 'gpt-5.4'")
    with pytest.raises(OptionError, match="is no model; the conversation keeps its own") as raised:
        run(f"%chat_model {name}")
    assert raised.value.hint == "%chat_model gpt-5.4 goes back to the model of the settings."


def test_a_quoted_name_of_a_model_is_that_name(run, sandbox):
    run("%chat_model 'gpt-5.5'")
    run("%chat hi")
    assert sandbox.received[-1].body["model"] == "gpt-5.5"
    with pytest.raises(InputError, match="one word, not ''"):
        run("%chat_retry -m ''")
    assert len(sandbox.received) == 1


@pytest.mark.parametrize("name", ["''", "' '", "'\x1b[31m'", "'a\tb'"])
def test_what_is_no_name_of_a_conversation_is_refused(run, sandbox, name):
    for line in (f"%chat -c {name} hi", f"%%compare gpt-5.5 gpt-5.4 -c {name}\nhi"):
        with pytest.raises(OptionError, match="conversation's name is one word"):
            run(line)
    assert sandbox.received == []


def test_a_conversation_that_there_is_not_yet_is_said_to_begin(run, shell, capsys):
    run("%chat hi")
    run("%chat_switch --new review")
    run("%chat_switch main")
    for line, said in {
        "%chat -c reviw hi": "There is no conversation called reviw yet; it begins here. Did you mean review?\n",
        "%chat -c reviw hi again": "",
        "%chat -c other --once hi": "There is no conversation called other yet. %chat_switch lists",
        "%chat -c other --dry-run hi": "There is no conversation called other yet. %chat_switch lists",
        "%%compare gpt-5.5 gpt-5.4 -c other\nhi": "There is no conversation called other yet. %chat_switch lists",
        "%chat -c other hi": "There is no conversation called other yet; it begins here. %chat_switch lists",
        "%chat -c main hi": "",
        "%chat -c review hi": "",
    }.items():
        capsys.readouterr()
        run(line)
        out = capsys.readouterr().out
        assert said in out
        assert said or "There is no conversation" not in out


READS = {"turns": lambda c: c.conversation.turns, "repr": repr, "pickle": pickle.dumps, "copy": copy.deepcopy}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_chat_that_is_only_read_brings_nothing_back(run, shell, read):
    session = shell.magics_manager.registry["xcyq_magic"].context.session
    run("%chat secret")
    there = pickle.loads(pickle.dumps(Chat(conversation="main")))  # noqa: S301  # our own
    run("%chat_reset")
    read(there)
    assert session.conversation().turns == ()
    there("and on")  # in the conversation as it is now
    assert [t.prompt.text for t in session.conversation().turns] == ["and on"]


@pytest.mark.parametrize("word", ["none", "None", "clear", "reset"])
def test_a_word_that_means_no_system_prompt_is_none(run, shell, capsys, word):
    run("%chat_system Be brief.")
    with pytest.raises(OptionError, match="%chat_system off removes the system prompt"):
        run(f"%chat_system {word}")
    capsys.readouterr()
    run("%chat_system")
    assert capsys.readouterr().out.strip() == "System prompt: Be brief."
    run(f"%chat_system --raw {word}")
    assert capsys.readouterr().out.strip() == f"System prompt: {word}"
    run('%chat_system ""')
    assert capsys.readouterr().out.startswith("No system prompt.")
