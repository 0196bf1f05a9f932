"""Options that stand where they would be words of the prompt: refused where that is sure, and text where it is not."""

from __future__ import annotations

import pandas as pd
import pytest
from PIL import Image

from xcyq_magic.errors import MediaError, OptionError


@pytest.fixture(autouse=True)
def names(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8), "red").save("plot.png")
    Image.new("RGB", (8, 8), "red").save("my plot.png")
    shell.push({"df": [1, 2], "model": "gpt-5.5", "idea": "an idea", "why": 1, "the": len})


def refused(run, sandbox, cell: str) -> tuple[str, str]:
    with pytest.raises(OptionError) as raised:
        run(cell)
    assert sandbox.received == []
    return raised.value.message, raised.value.hint


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("What is in this picture?", "-a plot.png"),
        ("What is in this picture?", '-a "my plot.png"'),
        ("What is in this picture?", "-aplot.png"),
        ("What is in this picture?", "--attach=plot.png"),
        ("What is in this picture?", "-a plto.png"),
        ("What is in this picture?", "-a https://example.com/plot.png"),
        ("What is in it?", "-a df"),
        ("What is in it?", "-a {{ df }}"),
        ("What is in it?", "-a df -a plot.png --once"),
        ("What is it?", "-m gpt-5.5"),
        ("What is it?", "-mgpt-5.5"),
        ("What is it?", "--model=gpt-5.5"),
        ("What is it?", "-m gpt55"),
        ("What is it?", "-m gpt-5.5,claude-opus-4-7"),
        ("What is it?", "-m claude-opus-4-7{-official,,-fd}"),
        ("What is it?", "-m {{ model }}"),
        ("What is it?", "-t 0.5 -m gpt-5.5"),
        ("What is it?", "-s 'Be brief.' -o answer --once"),
        ("What is it?", "--temperature 0.5"),
        ("What is it?", "--max-tokens=50"),
        ("What is it?", "--system 'Be brief.'"),
        ("What is it?", "--out answer"),
        ("What is it?", "--as int"),
        ("What is it?", '--as Literal["a", "b"]'),
        ("What is {{ row }}?", "--each df"),
        *(("What is it?", f"--{flag}") for flag in ("once", "no-stream", "cached", "dry-run", "background", "raw")),
        *(("What is it?", f"--{flag}") for flag in ("code", "above", "above 3", "above all", "figure", "figure 2")),
        ("explain git commit -a", "--once"),
    ],
)
@pytest.mark.parametrize("magic", ["%chat", "%chat -c idea", "%chat_error"])
def test_options_behind_the_text_are_refused(run, sandbox, magic, text, options):
    message, hint = refused(run, sandbox, f"{magic} {text} {options}")
    assert message == f"{options} stands behind the text, where it would be sent as text; nothing was sent."
    assert hint == (
        f"Options come before the text: {magic} {options} {text} With -- before the text it is taken as it is typed."
    )


def test_a_long_line_is_not_repeated(run, sandbox):
    _, hint = refused(run, sandbox, f"%chat {'What is it? ' * 20}--once")
    assert hint == "Options come before the text. With -- before the text it is taken as it is typed."


@pytest.mark.parametrize(
    "text",
    [
        "is -m an option?",
        "what does rm -f do",
        "what is -m gpt-5.5?",
        "what does rm -f",
        "what does ls -a .",
        "what does ls -a nothing",
        "what does less -a open",
        "explain git commit -a",
        "explain git commit -m fix",
        "explain python -m http.server",
        "explain head -t 5",
        "explain curl -s 'an address'",
        "why -5 degrees",
        "why is it -5",
        "what does --once do?",
        "is it --once?",
        "-m is what?",
        "what is --temperature hot",
        "what does --system mean",
        "what is --each of",
        "what does pip install --save",
        "why = --",
    ],
)
def test_what_may_belong_to_a_question_is_sent(run, sandbox, text):
    typed = f"-- {text}" if text.startswith("-") else text
    run(f"%chat {typed}")
    assert sandbox.received[-1].body["messages"][-1]["content"] == text


@pytest.mark.parametrize("text", ["Hello --once", "Hello -m gpt-5.5", "What is it? -a plot.png"])
def test_behind_two_dashes_all_is_text(run, sandbox, text):
    run(f"%chat -- {text}")
    run(f"%%chat\n{text}")
    run(f"%chat -m gpt-5.5 -- {text}")
    assert [r.body["messages"][-1]["content"] for r in sandbox.received] == [text] * 3


def test_a_system_prompt_says_so_too_but_sends_nothing_anyway(run, sandbox):
    message, hint = refused(run, sandbox, "%chat_system Be {{ brief }} --raw")
    assert message == "--raw stands behind the text, where it would be taken as text."
    assert "%chat_system --raw Be {{ brief }} " in hint


# Values of several words without quotes


@pytest.mark.parametrize("option", ["-s Be", "-sBe", "--system Be", "--system=Be", "--once -s Be"])
@pytest.mark.parametrize("magic", ["%chat", "%chat_error"])
def test_a_system_prompt_of_half_its_words_is_refused(run, sandbox, magic, option):
    message, hint = refused(run, sandbox, f"{magic} {option} brief. What is a median?")
    assert message == "The system prompt would be 'Be', and the prompt 'brief. What is a median?'; nothing was sent."
    assert hint == 'Put the system prompt into quotes: -s "Be brief. …", or -s "Be" for the one word.'


@pytest.mark.parametrize(
    "line", ["gpt-5.5 gpt-5.4 -s Be brief.", "-s Be brief gpt-5.5", "gpt-5.5 -sBe brief --repeat 2"]
)
def test_a_comparison_with_half_a_system_prompt_is_refused(run, sandbox, line):
    message, hint = refused(run, sandbox, f"%%compare {line}\nHello")
    assert message.startswith("The system prompt would be 'Be', and 'brief")
    assert hint.startswith('Put the system prompt into quotes: -s "Be brief')


@pytest.mark.parametrize(
    "line", ["-s Terse gpt-5.5 gpt-5.4", "gpt-5.5 gpt-5.4 -s 'Be brief.'", "gpt-5.5 gpt-5.4 -s Be -t 0"]
)
def test_a_comparison_with_a_whole_system_prompt_is_sent(run, sandbox, line):
    run(f"%%compare {line}\nHello")
    assert [r.body["messages"][0]["role"] for r in sandbox.received] == ["system", "system"]


@pytest.mark.parametrize("option", ['-s "Be"', "-s'Be'", "-s Be --once", "--system=Be -t 0", "-s {{ idea }}"])
def test_a_system_prompt_that_ends_for_sure_is_sent(run, sandbox, option):
    run(f"%chat {option} Hello")
    system, prompt = sandbox.received[-1].body["messages"]
    assert (system["content"], prompt["content"]) == ("an idea" if "idea" in option else "Be", "Hello")


def test_a_system_prompt_of_a_word_stays_one_above_a_cell_and_behind_dashes(run, sandbox):
    run("%%chat -s Terse\nHello")
    run("%chat --once -s Terse -- Hello")
    assert [r.body["messages"][0]["content"] for r in sandbox.received] == ["Terse", "Terse"]


@pytest.mark.parametrize("option", ["-o my", "-omy", "--out my", "--out=my"])
def test_a_variable_of_two_words_is_said_to_be_one_name(run, sandbox, option):
    message, hint = refused(run, sandbox, f"%%chat {option} var\nHello")
    assert message == "-o takes one name of a variable, and behind my stands 'var'; nothing was sent."
    assert hint == "Write a name without spaces, such as -o my_var. A prompt goes below the line."


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("-f plot.png", "To send plot.png along, write -a plot.png instead."),
        ("-a plot.png frame", "To send frame along, write -a frame instead."),
        ("-a 'my plot.png' frame", "To send frame along, write -a frame instead."),
        ("-f plot.png --once", "To send plot.png along, write -a plot.png instead."),
        ("frame, plot.png", "To send frame and plot.png along, write -a frame -a plot.png instead."),
        ("-a frame, plot.png", "To send plot.png along, write -a plot.png instead."),
        ("frame frame", "To send frame along, write -a frame instead."),
        ("frame plot.png", "To send frame and plot.png along, write -a frame -a plot.png instead."),
        ("https://example.com/plot.png", "To send https://example.com/plot.png along, write"),
        (
            "-m gpt-5.5 claude-opus-4-7",
            "%%chat asks one model; %%compare gpt-5.5 claude-opus-4-7 asks several.",
        ),
        ("gpt-5.5 gemini-2.5-pro", "%%chat asks one model; %%compare gpt-5.5 gemini-2.5-pro asks several."),
        ("-m gpt-5.5 gpt-5.5", "Move it to the next line."),
        ("why the frame", "Move it to the next line."),
        ("frame, please", "Move it to the next line."),
        ("gpt55", "To choose a model, type %%chat -m gpt-5.5."),
        ("gpt-5.5 what is it?", "To choose a model, type %%chat -m gpt-5.5."),
        ("what is it?", "Move it to the next line."),
        ("-m gpt-5.5 what is df?", "Move it to the next line."),
        ("frame or not?", "Move it to the next line."),
    ],
)
def test_what_stands_on_the_line_of_a_cell_is_said_to_be_what_it_looks_like(run, shell, sandbox, line, hint):
    shell.push({"frame": pd.DataFrame({"a": [1]})})
    message, way_on = refused(run, sandbox, f"%%chat {line}\nHello")
    assert message.startswith("The prompt goes below the %%chat line, not on it (")
    assert way_on.startswith(hint)


@pytest.mark.parametrize(
    ("value", "way_on"),
    [
        ("frame,df,plot.png", "Write -a frame -a df -a plot.png."),
        ("plot.png,plot.png", "Write -a plot.png -a plot.png."),
        ("'plot.png, frame'", "Write -a plot.png -a frame."),
        ("plot.png,./plot.png", "Write -a plot.png -a ./plot.png."),
    ],
)
def test_several_things_behind_one_option_are_taken_apart(run, shell, sandbox, value, way_on):
    shell.push({"frame": pd.DataFrame({"a": [1]})})
    with pytest.raises(MediaError, match=r"-a takes one thing, not 'p?") as raised:
        run(f"%%chat -a {value}\nHello")
    assert raised.value.hint == way_on
    assert sandbox.received == []


def test_a_file_with_a_comma_in_its_name_is_one_thing(run, sandbox, tmp_path):
    (tmp_path / "a,b.md").write_text("words", "utf-8")
    run("%%chat -a a,b.md\nHello")
    assert len(sandbox.received) == 1
    with pytest.raises(MediaError, match="gone,plot"):
        run("%%chat -a gone,plot.png\nHello")
