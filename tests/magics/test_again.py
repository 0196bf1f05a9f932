"""Asked again: a retry, and what was asked before."""

from __future__ import annotations

import pytest

from xcyq_magic.errors import InputError, OptionError


def bodies(sandbox) -> list[dict]:
    return [r.body for r in sandbox.received]


def prompts(body) -> list[str]:
    return [m["content"] for m in body["messages"] if m["role"] == "user"]


# %chat_retry


def test_a_retry_asks_the_same_and_takes_the_place_of_the_turn(run, sandbox, shell, capsys):
    run("%chat one")
    run("%chat -t 0.5 -s 'Be brief.' two")
    run("%chat_retry -m gpt-5.4")
    again = bodies(sandbox)[2]
    assert again == {**bodies(sandbox)[1], "model": "gpt-5.4"}
    assert shell.user_ns["_reply"].requested_model == "gpt-5.4"
    run("%chat three")
    assert prompts(bodies(sandbox)[3]) == ["one", "two", "three"]
    capsys.readouterr()
    run("%chat_undo")
    run("%chat_retry")
    assert bodies(sandbox)[4]["model"] == "gpt-5.4"
    assert "%chat_undo --restore brings the reply before it back, beside this one." in capsys.readouterr().out


def replies(shell) -> list[str]:
    """The ids of the replies in the conversation."""
    session = shell.magics_manager.registry["xcyq_magic"].context.session
    return [t.completion.id for t in session.conversation().turns]


def test_a_retry_can_be_undone_and_nothing_is_removed_for_it(run, shell, capsys):
    run("%chat one")
    run("%chat two")
    one, two = replies(shell)
    run("%chat_retry -m gpt-5.4")
    run("%chat three")
    run("%chat four")
    _, again, three, four = replies(shell)
    capsys.readouterr()
    run("%chat_undo --restore")
    assert replies(shell) == [one, two, again, three, four]
    out = capsys.readouterr().out
    assert out == (
        "Brought back: two (claude-sonnet-4-6)\nTurn 3 asks the same, and stays: %chat_undo --turn 3 takes it back.\n"
    )
    run("%chat_undo --turn 3")
    assert replies(shell) == [one, two, three, four]


def test_a_retry_that_fails_leaves_the_turn_as_it_was(run, sandbox):
    run("%chat one")
    run("%chat two")
    with pytest.raises(Exception, match="does not exist"):
        run("%chat_retry -m claude-opus-47")
    run("%chat three")
    assert prompts(bodies(sandbox)[-1]) == ["one", "two", "three"]


def test_what_cannot_be_retried(run):
    with pytest.raises(InputError, match="no turn to ask again"):
        run("%chat_retry")
    with pytest.raises(OptionError, match="nothing but -m MODEL"):
        run("%chat_retry what")


# --cached


def test_what_was_asked_before_comes_from_the_store_and_nothing_is_sent(run, sandbox, shell, capsys):
    run("%chat --cached one")
    first = shell.user_ns["_reply"]
    run("%chat_reset")
    capsys.readouterr()
    run("%chat --cached one")
    again = shell.user_ns["_reply"]
    assert len(sandbox.received) == 1
    assert (again.text, again.cached, again.usage) == (first.text, True, None)
    out = capsys.readouterr().out
    assert "from the store" in out
    assert "nothing was sent" in out
    assert first.text in out
    run("%chat --cached two")  # what stands above is the same, and was not asked yet
    assert len(sandbox.received) == 2
    assert prompts(bodies(sandbox)[1]) == ["one", "two"]


@pytest.mark.parametrize(
    "other", ["-m gpt-5.4 one", "-t 0.5 one", "-s 'Briefly.' one", "one?", "-p seed=1 one", "--max-tokens 9 one"]
)
def test_another_request_is_sent(run, sandbox, other):
    run("%chat --once --cached one")
    run(f"%chat --once --cached {other}")
    assert len(sandbox.received) == 2
    run(f"%chat --once --cached {other}")
    assert len(sandbox.received) == 2


def test_only_whole_replies_are_taken_from_the_store(run, sandbox):
    for _ in range(2):
        with pytest.raises(Exception, match="broke off"):
            run("%chat --once --cached sandbox: drop 20")
    assert len(sandbox.received) == 2


def test_a_setting_makes_it_the_default_and_a_retry_asks_all_the_same(run, sandbox, shell):
    run("%config ChatSettings.cached = True")
    run("from xcyq_magic import Chat")
    run("first = Chat()('one'), Chat()('two')")
    run("again = Chat()('one'), Chat()('two')")
    assert len(sandbox.received) == 2
    assert [c.cached for c in shell.user_ns["again"]] == [True, True]
    run("Chat(cached=False)('one')")
    assert len(sandbox.received) == 3
    run("%chat three")
    run("%chat_retry")
    assert len(sandbox.received) == 5


def test_the_sandbox_does_not_answer_for_a_gateway(run, sandbox):
    run("%chat_sandbox")
    run("%chat --once --cached one")
    run("%chat_sandbox off")
    run("%chat --once --cached one")
    assert len(sandbox.received) == 1


def test_without_a_key_the_store_still_answers(run, sandbox, monkeypatch, shell):
    run("%chat --once --cached one")
    monkeypatch.delenv("XCYQ_API_KEY")
    run("%chat --once --cached one")
    assert shell.user_ns["_reply"].cached


# ChatSettings.history_turns


def test_a_long_conversation_is_sent_in_part_and_the_output_says_so(run, sandbox, capsys):
    run("%config ChatSettings.history_turns = 2")
    for n in "one", "two", "three":
        run(f"%chat {n}")
    assert "not sent" not in capsys.readouterr().out
    run("%chat four")
    assert prompts(bodies(sandbox)[-1]) == ["two", "three", "four"]
    assert "1 earlier turn is not sent (ChatSettings.history_turns = 2)." in capsys.readouterr().out
    run("%config ChatSettings.history_turns = None")
    run("%chat five")
    assert prompts(bodies(sandbox)[-1]) == ["one", "two", "three", "four", "five"]


def test_in_a_terminal_there_is_no_background(run, sandbox):
    with pytest.raises(OptionError, match="needs a notebook"):
        run("%chat --background one")
    assert sandbox.received == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("%chat_system off", "Asked again with the system prompt of then. To use what is set now, run"),
        ("%chat_model gpt-5.5", "Asked again with model claude-sonnet-4-6. To use what is set now, run"),
        ("%chat_model gpt-5.5\n%chat_system Other.", "Asked again with the system prompt of then and model claude-s"),
    ],
)
def test_what_was_set_since_is_said_not_to_count_for_a_retry(run, capsys, change, said):
    run("%chat_system Be brief.\n%chat hello")
    run(change)
    capsys.readouterr()
    run("%chat_retry")
    assert said in capsys.readouterr().out


def test_a_retry_as_things_are_set_says_nothing_of_them(run, capsys):
    run("%chat_system Be brief.\n%chat hello")
    run("%chat_retry")
    run("%chat_model gpt-5.5\n%chat_retry -m gpt-5.5")
    assert "Asked again" not in capsys.readouterr().out


def test_a_conversation_from_a_file_without_models_is_asked_again_with_what_is_set(run, capsys, sandbox, tmp_path):
    run("%chat Hello")
    run(f"%chat_save {tmp_path / 'talk.json'}")
    run("%chat_reset")
    run(f"%chat_load {tmp_path / 'talk.json'}")
    run("%chat_model gpt-5.5")
    capsys.readouterr()
    run("%chat_retry")
    assert "Asked again with" not in capsys.readouterr().out
    assert bodies(sandbox)[-1]["model"] == "gpt-5.5"
