"""What a magic's line says of options that it does not have: suggestions and consequences that are its own."""

from __future__ import annotations

import argparse
import re
from types import SimpleNamespace

import pandas as pd
import pytest
from files import at_once
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.errors import ExpressionError, InputError, OptionError
from xcyq_magic.magics.arguments import parse_line
from xcyq_magic.magics.base import help_page

TEXT_ALONE = argparse.ArgumentParser()
TEXT_ALONE.add_argument("text", nargs=argparse.REMAINDER)
NOT_SENT = "; nothing was sent"


def said(run, cell: str) -> tuple[str, str]:
    with pytest.raises(OptionError) as raised:
        run(cell)
    return raised.value.message, raised.value.hint


@pytest.mark.parametrize("option", ["--code", "--background", "--mod", "--model-name", "--modell"])
def test_compare_names_only_options_that_it_has(run, sandbox, option):
    message, hint = said(run, f"%%compare gpt-5.5 gpt-5.4 {option}\nHello")
    assert message == f"%%compare has no option {option}; nothing was sent."
    assert hint == "%%compare? lists the options, with examples."
    assert sandbox.received == []


@pytest.mark.parametrize("option", ["-m gpt-5.2", "-mgpt-5.2", "--model gpt-5.2", "--model=gpt-5.2"])
def test_compare_says_where_its_models_stand(run, option):
    _, hint = said(run, f"%%compare gpt-5.5 gpt-5.4 {option}\nHello")
    assert hint.endswith("%%compare gpt-5.2 gpt-5.5 gpt-5.4.")


def test_what_the_readme_says_that_compare_does_not_take_is_not_in_its_help(shell):
    parsers = shell.magics_manager.registry["xcyq_magic"].context.parsers
    chat, compare = (help_page("", parsers[name]) for name in ("chat", "compare"))
    for option in ("--model", "--background", "--code"):
        assert option in chat
        assert option not in compare
    listed = {word.strip(",") for word in chat.split() if word.startswith("--")}
    assert {o for o in listed if o not in compare} == {"--model", "--background", "--code"}


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("%chat_usage --al", "%chat_usage has no option --al.", "Did you mean --all?"),
        ("%chat_usage --everything", "%chat_usage has no option --everything.", "lists the options, with examples."),
        ("%chat_usage -o 'a b'", "-o takes the name of a variable, not 'a b'.", "an underscore is IPython's."),
        (
            "%chat_usage -o",
            "-o needs a value after it.",
            "Write for example -o answer. %chat_usage? lists the options, with examples.",
        ),
        ("%chat_switch --knew", "%chat_switch has no option --knew.", "Did you mean --new?"),
        ("%chat_switch 'one", "The quote that begins with 'one is not closed.", "is one word."),
        ("%chat_undo --turn x", "--turn takes a whole number, not 'x'.", "with examples."),
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


@pytest.mark.parametrize(
    "line",
    [
        r"--as Literal['it\'s','no']",
        """--as Literal["it's"]""",
        r"--each cases[cases.a=='it\'s']",
        '--each cases[cases.a=="x(y"]',
        r'-p stop=["\""]',
        r'-p metadata={"a":"5\" disk"}',
    ],
)
def test_values_with_quotes_in_quotes_are_no_open_ones(run, shell, line):
    shell.push({"cases": pd.DataFrame({"a": ["it's", "x(y"]})})
    run(f"%%chat --once --dry-run {line}\nHi {'{{ row.a }}' if 'each' in line else ''}")


WRONG = {
    "%chat -m": ("-m needs a value after it", "Write for example -m gpt-5.5. %chat? "),
    "%chat -s -brief Hi": ("-s needs a value after it", "it begins with a dash, write --system=-brief. %chat? "),
    "%chat -t hot Hi": ("-t takes a number, not 'hot'", "Write for example -t 0.7. %chat? "),
    "%chat --temperature=1,5 Hi": ("--temperature takes a number, not '1,5'", "example --temperature 0.7."),
    "%chat --max-tokens 3.5 Hi": ("--max-tokens takes a whole number, not '3.5'", "example --max-tokens 500."),
    "%chat -t 'a value: 1' Hi": ("-t takes a number, not 'a value: 1'", "example -t 0.7."),
    "%chat -m gpt-5.5 -m gpt-5.4 Hi": (
        "-m is given twice",
        "To ask several models, write their names right after %%compare, without -m.",
    ),
    "%chat -m gpt-5.5 --model=gpt-5.4 Hi": (
        "--model is given twice",
        "To ask several models, write their names right after %%compare, without -m.",
    ),
    "%chat -mgpt-5.5 -mgpt-5.5": (
        "-m is given twice",
        "To ask several models, write their names right after %%compare, without -m.",
    ),
    "%chat -t 0.1 --once -t 0.9 Hi": ("-t is given twice", "Write it once. %chat? "),
    "%chat -c one -c two Hi": ("-c is given twice", "Write it once. %chat? "),
    "%chat -f -f2 Hi": ("-f is given twice", "Write it once. %chat? "),
    "%chat --above 2 --above Hi": ("--above is given twice", "Write it once. %chat? "),
    "%%compare -m gpt-5.5 gpt-5.4\nHi": ("%%compare has no option -m; nothing was sent.", "%%compare gpt-5.5 gpt-5.4."),
    "%%compare -m gpt-5.5,gpt-5.4 gpt-5.4\nHi": ("%%compare has no option -m", "%%compare gpt-5.5,gpt-5.4 gpt-5.4."),
    "%%compare -m claude-opus-4-7\nHi": ("%%compare has no option -m", "%%compare claude-opus-4-7 gpt-5.5."),
    "%%compare a b --judge c --judge d\nHi": ("--judge is given twice", "Write it once. %%compare? "),
    "%chat --as list[int Name three": ("The [ in list[int Name three is not closed; nothing was sent.", "Close it"),
    "%chat --as=Literal['a Hi": ("The quote in Literal['a Hi is not closed; nothing was sent.", "Close it"),
    "%chat --each df[(1, 2] Hi": ("The [ in df[(1, 2] Hi is not closed; nothing was sent.", "Close it"),
    "%chat_usage --by month": ("--by takes model, day, notebook or kind, not 'month'.", "Write for example --by day."),
    "%chat_retry gpt-5.5": ("%chat_retry takes nothing but -m MODEL", "type %chat_retry -m gpt-5.5. To ask"),
    "%chat_retry gpt-5.5,gpt-5.4": ("%chat_retry takes nothing but", "type %chat_retry -m gpt-5.5,gpt-5.4. To ask"),
    "%chat_retry gpt55,claude-opus-47": (
        "%chat_retry takes nothing but -m MODEL",
        "type %chat_retry -m gpt-5.5,claude-opus-4-7. To ask",
    ),
    "%chat_retry gpt-5.5,nothing-like-it": ("%chat_retry takes nothing but -m MODEL", "To ask something else"),
    "%chat_retry why not": ("%chat_retry takes nothing but -m MODEL", "To ask something else"),
    "%chat --once=yes Hi": ("--once takes no value, and 'yes'", "Write --once alone."),
    "%chat -temperature 0.5 Hi": ("%chat has no option -temperature", "Did you mean --temperature?"),
    "%chat -model gpt-5.5 Hi": ("%chat has no option -model", "Did you mean --model?"),
    "%chat -model=gpt-5.5 Hi": ("%chat has no option -model", "Did you mean --model?"),
    "%chat \u2013once Hi": ("%chat has no option \u2013once: its dash is not a hyphen", "Did you mean --once?"),
    "%chat \u2014m gpt-5.5 Hi": ("%chat has no option \u2014m: its dash is not a hyphen", "Did you mean -m?"),
    "%chat -\u2014once Hi": (
        "%chat has no option -\u2014once: its dash is not a hyphen",
        "begins with a dash: %chat -- -",
    ),
    "%%compare a b --repeat x\nHi": ("--repeat takes a whole number, not 'x'", "example --repeat 3. %%compare? "),
    "%%compare a b -judge x\nHi": ("%%compare has no option -judge", "Did you mean --judge?"),
    "%chat_switch --new=idea": ("--new takes no value, and 'idea'", "Write --new alone. %chat_switch? "),
    "%chat_model --model gpt-5.5": ("%chat_model has no option --model", "It takes none; %chat_model? has examples."),
    "%chat_history one": ("%chat_history takes the number of a turn", "Try %chat_history 2"),
}
WRONG |= {
    "%chat_keep --of": ("--of needs a value after it", "Write for example --of 3f2a9c4e. %chat_keep? "),
}
OTHERS = r"argument|expected|invalid|explicit"  # argparse's words


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_on_a_line_is_said_in_words_of_ours(run, sandbox, line):
    message, hint = said(run, line)
    assert message.startswith(WRONG[line][0])
    assert WRONG[line][1] in hint
    assert not re.search(OTHERS, message + hint)
    assert sandbox.received == []


@pytest.mark.parametrize("text", ["\u2014 and then?", "\u2014once, then?", "-- \u2014once", "-5 degrees"])
def test_a_dash_that_begins_a_text_stays(run, sandbox, text):
    run(f"%chat {text}")
    assert sandbox.received[-1].body["messages"][-1]["content"] == text.removeprefix("-- ")


@pytest.mark.parametrize("magic", ["chat", "chat_error", "chat_system"])
def test_a_text_that_begins_with_a_dash_is_said_how_to_type(run, magic):
    _, hint = said(run, f"%{magic} --verbose is what?")
    assert hint.endswith(f"Put -- before a text that begins with a dash: %{magic} -- --verbose")


def test_a_text_behind_dashes_is_the_text(run, sandbox):
    run("%chat_system -- --terse")
    run("%chat -- -x is what?")
    assert [m["content"] for m in sandbox.received[-1].body["messages"]] == ["--terse", "-x is what?"]


# Names and numbers that are variables


@pytest.fixture
def variables(shell):
    shell.push({"model": "gpt-5.5", "cold": 0.25, "idea": "idea", "d": {"m": "gpt-5.4", "n": {"m": 2}}})
    shell.push({"models": ["gpt-5.4", "claude-haiku-4-5"], "few": 3, "nothing": None, "by": [0.5]})


def asked(sandbox) -> list[str]:
    return [r.body["model"] for r in sandbox.received]


@pytest.mark.parametrize(
    ("line", "model"),
    [
        ("-m {{ model }}", "gpt-5.5"),
        ("-m {{model}}", "gpt-5.5"),
        ("-m{{ model }}", "gpt-5.5"),
        ("--model={{ model }}", "gpt-5.5"),
        ("-m {{ model }}-low", "gpt-5.5-low"),
        ("-m gpt-{{ 5.5 }}", "gpt-5.5"),
        ("-m {{ d['m'] }}", "gpt-5.4"),
        ('-m {{ d["m"] }}', "gpt-5.4"),
        ('-m "{{ model }}"', "gpt-5.5"),
        ("-m '{{ d[\"m\"] }}'", "gpt-5.4"),
        ("-m {{ {'a': 'gpt-5.4'}['a'] }}", "gpt-5.4"),
        ("-m {{ models[0] }} --once", "gpt-5.4"),
    ],
)
@pytest.mark.usefixtures("variables")
def test_a_model_may_be_a_variable(run, sandbox, line, model):
    run(f"%%chat {line}\nHello {{{{ few }}}}")
    run(f"%chat {line} Hello {{{{ few }}}}")
    assert asked(sandbox) == [model, model]
    assert [r.body["messages"][-1]["content"] for r in sandbox.received] == ["Hello 3", "Hello 3"]


@pytest.mark.usefixtures("variables")
def test_a_conversation_and_numbers_may_be_variables(run, shell, sandbox):
    run("%%chat -c {{ idea }} -t {{ cold }} --max-tokens {{ few * 10 }} --top-p {{ cold + 0.5 }}\nHello")
    body = sandbox.received[-1].body
    assert (body["temperature"], body["max_tokens"], body["top_p"]) == (0.25, 30, 0.75)
    run("%chat_switch {{ idea }}")
    run("%chat_model {{ models[1] }}")
    run("%chat Hello")
    assert asked(sandbox)[-1] == "claude-haiku-4-5"
    assert len(sandbox.received[-1].body["messages"]) == 3
    run("%chat_retry -m {{ model }}")
    assert asked(sandbox)[-1] == "gpt-5.5"


@pytest.mark.usefixtures("variables")
def test_the_models_of_a_comparison_and_its_judge_may_be_variables(run, shell, sandbox):
    run("%%compare {{ models }} {{ model }}{,-low} --judge {{ d['m'] }}-low --repeat {{ few - 2 }}\nHello {{ few }}")
    assert sorted(asked(sandbox)[:4]) == ["claude-haiku-4-5", "gpt-5.4", "gpt-5.5", "gpt-5.5-low"]
    assert asked(sandbox)[4:] == ["gpt-5.4-low"]
    run("%chat_keep {{ models[1] }}")
    run("%chat Go on")
    assert len(sandbox.received[-1].body["messages"]) == 3


@pytest.mark.usefixtures("variables")
def test_what_is_attached_may_stand_in_braces_as_in_a_prompt(run, sandbox):
    run("%chat -a {{ few }} Look")
    assert sandbox.received[-1].body["messages"][-1]["content"] == "few:\n3\n\nLook"


@pytest.mark.parametrize(
    ("cell", "words", "way_on"),
    [
        ("%chat -m {model} Hello", "A model's name cannot hold {model}; nothing was sent.", "{{ name }}"),
        ("%chat -m $model Hello", "A model's name cannot hold $model; nothing was sent.", "{{ name }}"),
        ("%chat -m gpt-{v} Hello", "A model's name cannot hold {v}; nothing", "{{ name }}"),
        ("%chat_model {model}", "A model's name cannot hold {model}", "{{ name }}"),
        ("%chat_retry -m {model}", "A model's name cannot hold {model}", "{{ name }}"),
        ("%%compare gpt-5.5 {model}\nHello", "There is no comma in {model}, so nothing was sent", "{{ name }}"),
        ("%%compare gpt-5.5 $model\nHello", "A model's name has no dollar sign ('$model'); nothing", "{{ name }}"),
        (
            "%%compare gpt-5.5 gpt-5.4 --judge {model}\nHello",
            "A model's name cannot hold {model}; nothing",
            "{{ name }}",
        ),
        ("%chat -c {idea} Hello", "A conversation's name cannot hold {idea}; nothing was sent.", "{{ name }}"),
        ("%chat -c $idea Hello", "A conversation's name cannot hold $idea; nothing was sent.", "{{ name }}"),
        ("%chat_switch --new {idea}", "A conversation's name cannot hold {idea}; nothing was changed.", "{{ name }}"),
        (
            "%chat -m {{ models }} Hello",
            "-m takes one value, and {{ models }} has 2; nothing was sent.",
            "{{ names[0] }}",
        ),
        (
            "%chat -m {{ nothing }} Hello",
            "{{ nothing }} is a NoneType, and a name or a number is needed there",
            "prompt",
        ),
        ("%chat -m {{ d }} Hello", "{{ d }} is a dict, and a name or a number is needed there; nothing", "prompt"),
        ("%chat -m {{ gone }} Hello", "{{ gone }} failed: NameError", "Or write the name itself."),
        ("%chat -m {{ modell }} Hello", "{{ modell }} failed: NameError", "Did you mean model?"),
        ("%chat -t {{ model }} Hello", "-t takes a number, not {{ model }}, which is 'gpt-5.5'; nothing", "%chat?"),
        ("%chat -t {{ by }} Hello", "-t takes one value, and {{ by }} has 1; nothing was sent.", ""),
        (
            "%chat --max-tokens {{ cold }} Hello",
            "--max-tokens takes a whole number, not {{ cold }}, which is '0.25'",
            "%chat?",
        ),
        ("%%compare {{ [model, None] }}\nHello", "is a NoneType, and a name", "prompt"),
    ],
)
@pytest.mark.usefixtures("variables")
def test_a_name_that_is_no_variable_is_refused_before_it_is_sent(run, sandbox, cell, words, way_on):
    if "retry" in cell:
        run("%chat Hello")
        sandbox.received.clear()
    with pytest.raises(InputError) as raised:
        run(cell)
    assert words in raised.value.message
    assert way_on in raised.value.hint
    assert sandbox.received == []


@given(st.text(alphabet="{}'\" \\am", max_size=200))
def test_the_text_behind_the_options_is_kept_whatever_braces_and_quotes_it_has(text):
    magic = SimpleNamespace(parser=TEXT_ALONE)
    _, found = parse_line(magic, f"so {text}")
    assert found == f"so {text}".rstrip()


def test_many_open_braces_take_no_time():
    line = "so " + "{{ '" * 3000 + '"' * 3001
    with at_once():
        assert parse_line(SimpleNamespace(parser=TEXT_ALONE), line)[1] == line


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


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("%%chat --row df", "Did you mean --each?"),
        ("%%chat --type int", "Did you mean --as?"),
        ("%%chat --context 3", "Did you mean --above?"),
        ("%%compare gpt-5.5 gpt-5.4 --file a.csv", "Did you mean --attach?"),
        ("%%compare gpt-5.5 gpt-5.4 --row df", "Did you mean --each?"),
        ("%chat_usage --schema", "%chat_usage? lists the options, with examples."),
    ],
)
def test_what_other_tools_call_an_option_is_known(run, line, meant):
    assert said(run, f"{line}\nHi" if line.startswith("%%") else line)[1] == meant
