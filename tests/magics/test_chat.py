"""What `%%chat` and `%chat` take, in a plain IPython."""

from __future__ import annotations

import pytest
from PIL import Image

from xcyq_magic.errors import (
    InputError,
    KeyFormatError,
    MediaError,
    OptionError,
    RequestError,
)


def last_body(sandbox) -> dict:
    return sandbox.received[-1].body


def test_each_option_goes_into_the_request(run, sandbox):
    run(
        "%%chat -m gpt-5.5-low -s 'Be brief.' -t 0.3 --top-p 0.9 --max-tokens 50 --stop END --stop '###' "
        "-p top_k=5 -p 'metadata={\"a\": [1, null]}' -p effort=high\nHello"
    )
    body = last_body(sandbox)
    assert body == {
        "model": "gpt-5.5-low",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "temperature": 0.3,
        "top_p": 0.9,
        "max_tokens": 50,
        "stop": ["END", "###"],
        "top_k": 5,
        "metadata": {"a": [1, None]},
        "effort": "high",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_nothing_is_sent_that_the_user_did_not_set(run, sandbox):
    run("%%chat --no-stream\nHello")
    assert last_body(sandbox) == {"model": "claude-sonnet-4-6", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    "line",
    [
        "%chat why is this slow?",
        "%chat why is this slow??",
        "%chat   what's {here} and $there?",
        "%chat say \"two  spaces\" and 'quotes'",
        "%chat an odd ' quote",
        "%chat -5 + 3 = what?",
        "%chat ends with a backslash \\ or not",
        "%chat 为什么这么慢?",
    ],
)
def test_the_text_of_a_line_is_sent_character_for_character(run, sandbox, line):
    run(line)
    assert last_body(sandbox)["messages"][-1]["content"] == line.removeprefix("%chat").strip()


@pytest.mark.parametrize(
    ("param", "meant"),
    [
        ("temprature=1", "--temperature"),
        ("maxTokens=50", "--max-tokens"),
        ("modle=gpt-5.5", "--model"),
        ("sytem=brief", "--system"),
        ("stops=END", "--stop"),
        ('\'{"top_k": 5, "topp": 0.5}\'', "--top-p"),
        ("conversaton=review", "--conversation"),
        ("drry_run=true", "--dry-run"),
    ],
)
@pytest.mark.parametrize("begin", ["%%chat", "%%chat --dry-run", "%%compare gpt-5.5 gpt-5.4"])
def test_a_field_whose_name_is_near_an_options_is_sent_with_a_notice(run, capsys, begin, param, meant):
    run(f"{begin} -p {param}\nHello")
    name = "topp" if "topp" in param else param.split("=")[0]
    times = 0 if "compare" in begin and meant == "--model" else 1  # which it does not have
    assert capsys.readouterr().out.count(f"-p {name} sets a field of that name. Did you mean {meant}?") == times


def test_a_field_whose_name_is_near_an_options_is_sent(run, sandbox):
    run("%%chat -p temprature=1\nHello")
    assert last_body(sandbox)["temprature"] == 1


@pytest.mark.parametrize(
    "param", ["top_k=5", "min_tokens=5", "seed=7", "user=me", "store=true", "text=short", "tools=[]"]
)
def test_of_any_other_field_nothing_is_said(run, capsys, param):
    run(f"%%chat -p {param}\nHello")
    assert "sets a field" not in capsys.readouterr().out


def test_options_come_before_the_text_and_dashes_after_it_are_text(run, sandbox):
    run("%chat -m gpt-5.4 is -m an option?")
    assert last_body(sandbox)["model"] == "gpt-5.4"
    assert last_body(sandbox)["messages"][-1]["content"] == "is -m an option?"


def test_two_dashes_end_the_options(run, sandbox):
    run("%chat -m gpt-5.4 -- -m is what?")
    assert last_body(sandbox)["messages"][-1]["content"] == "-m is what?"


def test_an_open_bracket_does_not_swallow_the_next_line(run, sandbox):
    run("%chat first f(\n%chat second?")
    assert [r.body["messages"][-1]["content"] for r in sandbox.received] == ["first f(", "second?"]


def test_a_question_inside_code_that_is_indented_works(run, sandbox):
    run("for n in range(2):\n    %chat is it slow?\n")
    assert [r.body["messages"][-1]["content"] for r in sandbox.received] == ["is it slow?"] * 2


def test_a_question_within_a_string_stays_a_string(run, shell, sandbox):
    run("text = '''\n%chat is it slow?\n'''")
    assert shell.user_ns["text"] == "\n%chat is it slow?\n"
    assert sandbox.received == []


def test_a_question_mark_after_the_name_is_still_the_call_for_help(run, sandbox, capsys):
    run("%chat?")
    assert "--temperature" in capsys.readouterr().out
    assert sandbox.received == []


def test_the_prompt_of_a_cell_keeps_braces_dollars_and_percents(run, sandbox):
    prompt = 'What does {x} mean in {"a": 1}, $y$ and %z?\n\n    indented { }\n%chat no magic?'
    run(f"%%chat\n{prompt}")
    assert last_body(sandbox)["messages"][-1]["content"] == prompt


def test_the_reply_is_in_reply_and_in_the_variable_named(run, shell, capsys):
    run("%%chat -o answer\nsandbox: echo\nHello **you**")
    assert shell.user_ns["_reply"].text == "Hello **you**"
    assert shell.user_ns["answer"] is shell.user_ns["_reply"]
    assert "Hello **you**" in capsys.readouterr().out


def test_once_neither_reads_nor_writes_the_history(run, sandbox):
    run("%chat one")
    run("%chat --once two")
    assert len(last_body(sandbox)["messages"]) == 1
    run("%chat three")
    assert len(last_body(sandbox)["messages"]) == 3


def test_conversations_do_not_mix(run, sandbox):
    run("%chat one")
    run("%chat -c other two")
    assert len(last_body(sandbox)["messages"]) == 1
    run("%chat -c other three")
    assert len(last_body(sandbox)["messages"]) == 3


def test_a_picture_goes_before_the_text(run, sandbox, tmp_path, monkeypatch, shell):
    Image.new("RGB", (8, 6), (200, 100, 50)).save(tmp_path / "my plot.png")
    monkeypatch.chdir(tmp_path)
    run("%%chat -a 'my plot.png'\nWhat is odd here?")
    parts = last_body(sandbox)["messages"][-1]["content"]
    assert [p["type"] for p in parts] == ["image_url", "text"]
    assert "200 by 150" in shell.user_ns["_reply"].text
    assert "#c86432" in shell.user_ns["_reply"].text


def test_an_unknown_model_is_sent_with_a_notice(run, sandbox, capsys):
    with pytest.raises(Exception, match="does not exist"):
        run("%%chat -m claude-opus-47\nHello")
    assert last_body(sandbox)["model"] == "claude-opus-47"
    assert "Did you mean claude-opus-4-7?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cell", "error", "words"),
    [
        ("%%chat --temprature 1\nHello", OptionError, "Did you mean --temperature?"),
        ("%%chat -m\nHello", OptionError, "-m needs a value after it"),
        ("%%chat -t warm\nHello", OptionError, "takes a number"),
        ("%%chat gpt-5.5\nHello", OptionError, "%%chat -m gpt-5.5"),
        ("%%chat -o 'my answer'\nHello", OptionError, "name of a variable"),
        ("%%chat -p top_k\nHello", OptionError, "NAME=JSON"),
        ("%%chat -p top_k=[1,\nHello", OptionError, "no JSON"),
        ("%%chat -p temperature=3\nHello", RequestError, "Use -t"),
        ("%%chat", InputError, "prompt is empty"),
        ("%%chat\n", InputError, "prompt is empty"),
        ("%%chat -m gpt-5.5", InputError, "prompt is empty"),
        ("%%chat --temp 1\nHello", OptionError, "Did you mean --temperature?"),
        ("%%chat --help\nHello", OptionError, "Type %chat?"),
        ('%%chat -s "unclosed\nHello', OptionError, "is not closed"),
        ("%%chat -s it's fine\nHello", OptionError, "needs quotes"),
        ("%%chat -o for\nHello", OptionError, "name of a variable"),
        ("%%chat\n   \n\n", InputError, "prompt is empty"),
        ("%chat -m gpt-5.5", InputError, "prompt is empty"),
        ("%%chat -t 3\nHello", RequestError, "from 0 to 2, not 3"),
        ("%%chat -t nan\nHello", OptionError, "takes a number"),
        ("%%chat --top-p -1\nHello", RequestError, "from 0 to 1"),
        ("%%chat --max-tokens 0\nHello", RequestError, "at least 1, not 0"),
        ("%%chat --stop a --stop b --stop c --stop d --stop e\nHello", RequestError, "up to 4 strings, not 5"),
        ("%%chat -a nowhere.png\nHello", MediaError, "nowhere.png cannot be attached"),
        ("%%chat -m ''\nHello", RequestError, "one word"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(run, sandbox, cell, error, words):
    with pytest.raises(error) as raised:
        run(cell)
    assert words in str(raised.value)
    assert len(raised.value._render_traceback_()) <= 2
    assert sandbox.received == []


@pytest.mark.parametrize("key", ["sk-\nsecret", "sk－secret", "sk secret"])
def test_a_key_that_cannot_be_one_is_refused_and_never_shown(run, sandbox, monkeypatch, capsys, key):
    monkeypatch.setenv("XCYQ_API_KEY", key)
    with pytest.raises(KeyFormatError) as raised:
        run("%chat Hello")
    assert "secret" not in str(raised.value)
    assert "secret" not in "".join(capsys.readouterr())
    assert sandbox.received == []


def test_the_state_at_a_glance_names_no_key(run, capsys):
    run("%chat one")
    capsys.readouterr()
    run("%chat")
    out = capsys.readouterr().out
    assert "1 turn, model claude-sonnet-4-6" in out
    assert "from XCYQ_API_KEY" in out
    assert "sandbox-test-key" not in out


def test_control_characters_of_a_reply_do_not_reach_the_terminal(run, capsys):
    run("%%chat\nsandbox: echo\na\x1b]0;title\x07b\x9b2Jc")
    out = capsys.readouterr().out
    assert "a]0;titleb2Jc" in out
    run("%chat_history")
    run("%chat_history 1")
    run("_reply")
    assert "\x1b]" not in capsys.readouterr().out


def test_a_completion_shows_itself_as_text(run, shell):
    run("%%chat\nsandbox: echo\nHello **you**")
    bundle, _ = shell.display_formatter.format(shell.user_ns["_reply"])
    assert bundle["text/plain"] == "Hello **you**"
    assert "<strong>you</strong>" in bundle["text/html"]


@pytest.mark.parametrize("name", ["get_ipython", "print", "display", "In", "Out", "exit", "open", "type", "copyright"])
def test_a_variable_hides_nothing_that_python_or_ipython_needs(run, sandbox, name):
    for line in (f"%chat -o {name} hi", f"%chat_usage -o {name}", f"%%compare a b -o {name}\nhi"):
        with pytest.raises(OptionError, match=f"would hide .* {name}"):
            run(line)
    assert sandbox.received == []
    run("%chat -o answer hi")
    run("%chat again")


@pytest.mark.parametrize("name", ["_", "__", "_i1", "_reply", "class", "1x", "a.b", "", "\uff50rint", "x y", "\ufb01"])
def test_a_variable_is_a_plain_name(run, sandbox, name):
    with pytest.raises(OptionError, match="takes the name of a variable"):
        run(f"%chat -o '{name}' hi")
    assert sandbox.received == []
