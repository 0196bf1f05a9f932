"""``--as``: a type in a cell, from its option to the variable and the output."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from xcyq_magic.errors import ExpressionError, InputError, OptionError, TypeMismatchError
from xcyq_magic.magics.arguments import split
from xcyq_magic.session.typed import AnswerType


class Review(BaseModel):
    label: Literal["good", "bad"]
    stars: int


@pytest.fixture
def typed(run, shell):
    """Run a cell, and return the value of its reply."""
    shell.push({"Review": Review})

    def run_cell(cell: str):
        run(cell)
        return shell.user_ns["_reply"].data

    return run_cell


@pytest.mark.parametrize(
    ("option", "sent"),
    [
        ("--as Review", Review),
        ("--as=Review", Review),
        ("--as {{ Review }}", Review),
        ("--as list[Review] --once", list[Review]),
        ("--as dict[str, int]", dict[str, int]),
        ("--as Review | None -t 0.5", Review | None),
        ("--as Review|int", Review | int),
        ('--as Literal["a b", "c]"] --once', Literal["a b", "c]"]),
        ("--as \"Literal['a b', 'c']\"", Literal["a b", "c"]),
        ("--as tuple[int, Literal['x']]", tuple[int, Literal["x"]]),
        ("-o found --as int -m gpt-5.5", int),
    ],
)
def test_a_type_is_an_expression_as_python_writes_it(typed, sandbox, option, sent):
    value = typed(f"%%chat {option}\nJudge it.")
    body = sandbox.received[0].body
    assert body["response_format"] == AnswerType(sent).response_format()
    assert body["messages"][-1]["content"] == "Judge it."
    assert AnswerType(sent).parse(json.dumps(value, default=Review.model_dump)) == value


@given(st.text(st.sampled_from("ab[](){}\"'|, "), max_size=12))
def test_whatever_a_type_looks_like_no_character_of_the_line_is_lost(source):
    line = f"--as {source} -t 1 text"
    tokens = split(line)
    gaps = "".join(line[a.start + len(a.text) : b.start] for a, b in pairwise(tokens))
    assert gaps.strip() == ""
    assert all(line.startswith(t.text, t.start) for t in tokens)


def test_a_line_magic_takes_the_rest_as_its_prompt(typed, sandbox):
    assert isinstance(typed("%chat --as int how many are there?"), int)
    assert sandbox.received[0].body["messages"][-1]["content"] == "how many are there?"


@pytest.mark.parametrize(
    ("cell", "error", "message"),
    [
        ("%%chat --as 5\nx", OptionError, "5 cannot be the type of an answer"),
        ("%%chat --as 'Revew'\nx", ExpressionError, "Revew"),
        ("%%chat --as Int\nx", ExpressionError, "Did you mean int"),
        ("%%chat --as list(str)\nx", ExpressionError, r"Did you mean list\[str\]\?"),
        ("%%chat --as flaot\nx", ExpressionError, "Did you mean float"),
        ("%%chat --as Reviwe\nx", ExpressionError, "Did you mean Review"),
        ("%%chat --as integer\nx", ExpressionError, "Did you mean int"),
        ("%%chat --as text\nx", ExpressionError, "Did you mean str"),
        ("%%chat --as list[\nx", OptionError, r"The \[ in list\[ is not closed"),
        ("%%chat --as\nx", OptionError, "--as needs a value after it"),
        ("%%chat --as Review --code\nx", OptionError, "--code and --as do not go together"),
        ('%%chat --as Review -p response_format={"type": "text"}\nx', OptionError, "-p cannot set it too"),
        ("%%compare gpt-5.5 gpt-5.4 --as 5\nx", OptionError, "5 cannot be the type"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(typed, sandbox, cell, error, message):
    with pytest.raises(error, match=message) as raised:
        typed(cell)
    assert isinstance(raised.value, InputError)
    assert "nothing was sent" in str(raised.value)
    assert sandbox.received == []


def test_a_name_that_is_misspelt_names_the_near_one(typed):
    with pytest.raises(ExpressionError) as raised:
        typed("%%chat --as Revew\nx")
    assert raised.value.hint.startswith("Did you mean Review?")


def test_a_name_of_the_users_own_wins_over_one_of_typing(typed, shell):
    shell.push({"Optional": Review})
    assert isinstance(typed("%%chat --as Optional\nJudge it."), Review)


def test_options_go_with_a_type(typed, sandbox, shell):
    first = typed("%%chat --as Review --once --no-stream -o found\nJudge it.")
    assert shell.user_ns["found"].data == first
    assert "stream" not in sandbox.received[0].body
    assert typed("%%chat --as Review -c other\nJudge it.") == first
    assert typed("%%chat --as Review --once --cached\nJudge it.") == first
    count = len(sandbox.received)
    assert typed("%%chat --as Review --once --cached\nJudge it.") == first
    assert len(sandbox.received) == count
    typed("%%chat --as int --once --cached\nJudge it.")  # another type is another request
    assert len(sandbox.received) == count + 1


def test_a_dry_run_shows_the_schema(run, shell, sandbox, capsys):
    run("%%chat --as int --dry-run\nCount.")
    shown = capsys.readouterr().out
    assert "fits the JSON schema below" in shown
    assert "response_format" in shown
    assert sandbox.received == []


def test_a_reply_that_does_not_fit_twice_fails_its_cell_and_is_kept(typed, shell, sandbox, capsys):
    with pytest.raises(TypeMismatchError):
        typed("%%chat --as Review\nJudge it.\nsandbox: json always broken")
    reply = shell.user_ns["_reply"]
    assert reply.data is None
    assert reply.text.startswith("{")
    assert capsys.readouterr().out.count("```json") == 2  # both stand in a terminal
    assert len(sandbox.received) == 2
    conversation = shell.magics_manager.registry["xcyq_magic"].context.session.conversation()
    assert [t.completion.text for t in conversation.turns] == [reply.text]


def test_a_comparison_has_values(run, shell, capsys):
    shell.push({"Review": Review})
    run("%%compare gpt-5.5 claude-opus-4-7 --as Review\nJudge it.\nsandbox: vary")
    values = [c.data for c in shell.user_ns["_comparison"].values()]
    assert all(isinstance(v, Review) for v in values)
    shown = capsys.readouterr().out
    assert "## Values" in shown
    assert f"| {values[0].stars} | {values[1].stars} |" in shown


def test_the_help_names_it_with_an_example(shell):
    for name in ("chat", "compare"):
        page = shell.magics_manager.magics["cell"][name].__doc__
        assert "--as TYPE" in page
        assert "--as " in page.partition("Options")[0].partition("Examples")[2]
