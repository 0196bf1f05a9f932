"""``--each`` in a cell: what is evaluated for each row, what is said before, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from xcyq_magic.chat.rows import Rows
from xcyq_magic.errors import ExpressionError, InputError, MediaError, OptionError

ECHO = "sandbox: first 0\nsandbox: pace 5000 40\nsandbox: echo\n"
FRAME = pd.DataFrame(
    {
        "text": ["fine", "bad", None],
        "n": [1, 2, 3],
        "a b": 0,
        "class": 0,
        "scan": [Image.new("RGB", (8 + n, 8), "white") for n in range(3)],
    },
    index=list("abc"),
)


def broken():
    yield "one"
    msg = "its own"
    raise ValueError(msg)


@pytest.fixture(autouse=True)
def _names(shell):
    shell.push({"df": FRAME, "texts": ["one", "two"], "np": np, "broken": broken})
    shell.run_cell("%config ChatSettings.store = ':memory:'")


def said(sandbox) -> list[str]:
    """The text of each prompt, without the directives, whichever came first."""
    contents = [r.body["messages"][-1]["content"] for r in sandbox.received]
    texts = [c if isinstance(c, str) else "".join(p.get("text", "") for p in c) for c in contents]
    return sorted(t.removeprefix(ECHO) for t in texts)


def test_expressions_are_evaluated_for_each_row(run, shell, sandbox):
    run(f"%%chat --each df -o found\n{ECHO}{{{{ row.text }}}} {{{{ row['n'] + 1 }}}}")
    assert said(sandbox) == ["bad 3", "fine 2", "nan 4"]
    found = shell.user_ns["found"]
    assert found is shell.user_ns["_rows"]
    assert isinstance(found, Rows)
    assert found.to_frame()["reply"].to_dict() == {"a": "fine 2", "b": "bad 3", "c": "nan 4"}


def test_pictures_go_along_in_each_row(run, sandbox):
    run(f"%%chat --each df -a row.scan\n{ECHO}one {{{{ row.scan }}}} {{{{ row.n }}}}")
    for request in sandbox.received:
        assert [p["type"] for p in request.body["messages"][-1]["content"]] == [
            "image_url",
            "text",
            "image_url",
            "text",
        ]
    assert len(sandbox.received) == 3


def test_on_one_line_too(run, sandbox):
    run("%chat --each texts sandbox: echo {{ row }}")
    assert len(sandbox.received) == 2


def test_it_is_asked_apart_from_the_conversation_or_with_its_turns(run, sandbox, shell):
    run(f"%chat {ECHO.splitlines()[0]}")
    run(f"%%chat --each texts\n{ECHO}{{{{ row }}}}")
    assert [len(r.body["messages"]) for r in sandbox.received] == [1, 1, 1]
    run(f"%%chat --each texts -c main --fresh\n{ECHO}{{{{ row }}}}")
    assert [len(r.body["messages"]) for r in sandbox.received[3:]] == [3, 3]


def test_run_again_it_asks_what_is_missing_and_says_so(run, sandbox, capsys):
    cell = f"%%chat --each texts\n{ECHO}{{{{ row }}}}"
    run(cell)
    run("texts.append('three')")
    run(cell)
    assert said(sandbox) == ["one", "three", "two"]
    assert "3 rows · 2 answered before · about " in capsys.readouterr().out
    run(cell.replace("--each texts", "--each texts --fresh"))
    assert len(sandbox.received) == 6


def test_what_is_missing_is_said_once(run, capsys):
    run(f"%%chat --each df\n{ECHO}{{{{ row.text }}}}{{{{ np.nan }}}}")
    out = capsys.readouterr().out
    assert out.count("{{ row.text }} is missing in at least one row, which says nan there.") == 1
    assert out.count("{{ np.nan }} is missing") == 1
    run(f"%%chat\n{ECHO}{{{{ np.nan }}}}")
    assert "missing" not in capsys.readouterr().out


def test_a_prompt_that_says_the_same_of_all_is_remarked(run, sandbox, capsys):
    run(f"%%chat --each texts\n{ECHO}hello")
    assert "All rows make the same request, so it is sent once" in capsys.readouterr().out
    assert len(sandbox.received) == 1


def test_a_dry_run_shows_the_first_and_sends_nothing(run, sandbox, capsys):
    run("%%chat --each df --dry-run\nabout {{ row.text }}")
    out = capsys.readouterr().out
    assert "3 rows · about" in out
    assert "about fine" in out
    assert "about bad" not in out
    assert sandbox.received == []


@pytest.mark.parametrize(
    ("cell", "error", "words"),
    [
        ("--each nope\n{{ row }}", ExpressionError, "--each nope failed: NameError"),
        ("--each 1/0\n{{ row }}", ExpressionError, "--each 1/0 failed: ZeroDivisionError"),
        ("--each 5\n{{ row }}", OptionError, "5 is of type int, which has no rows"),
        ("--each df[:0]\n{{ row }}", OptionError, "holds no rows"),
        (
            "--each df\n{{ row.txt }}",
            ExpressionError,
            r"Row 'a': \{\{ row.txt \}\} failed: .*(.|\n)*Did you mean text\?",
        ),
        ("--each df\n{{ [0][row.n - 1] }}", ExpressionError, r"Row 'b': .* IndexError"),
        ("--each df\n{{ rows }}", ExpressionError, "Did you mean row"),
        ("--each df\n{{ text }}", ExpressionError, r"(.|\n)*Did you mean row\.text\?"),
        ("--each df\n{{ row.a b }}", ExpressionError, r'Row .a.: (.|\n)*Did you mean row\["a b"\]\?'),
        ("--each df\n{{ row.class }}", ExpressionError, r'Row .a.: (.|\n)*Did you mean row\["class"\]\?'),
        ("--each broken()\nx", ExpressionError, r"--each broken\(\) failed: ValueError: its own; nothing was sent"),
        ("--each df\n", InputError, "Row 'a': The prompt is empty"),
        ("--each df -a {{ row.nope }}\nx", ExpressionError, "Row 'a': "),
        ("--each texts -a row\nx", MediaError, "Row 0: one cannot be attached"),
        ("--each df --code\n{{ row.n }}", OptionError, "--code does not go together with --each"),
        ("--each df --background\n{{ row.n }}", OptionError, "--background does not go together"),
        ("--each range(101)\n{{ row }}", OptionError, "101 requests are more than ChatSettings.each_limit, 100"),
        ("--each range(10**4)\n{{ row + '' }}", ExpressionError, "Row 0: "),
        ("--each range(10**6)\n{{ row + '' }}", OptionError, r"range\(10\*\*6\) has 1,000,000 rows"),
        ("--each df --as 3\n{{ row.n }}", OptionError, "3 cannot be the type"),
        ("--each df -t 3\n{{ row.n }}", InputError, "temperature is a number from 0 to 2"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_sent(run, sandbox, cell, error, words):
    with pytest.raises(error, match=words):
        run(f"%%chat {cell}")
    assert sandbox.received == []


def test_go_sends_more_than_the_limit_which_a_preview_says(run, sandbox, capsys):
    run("%config ChatSettings.each_limit = 2")
    run(f"%%chat --each range(4) --dry-run\n{ECHO}{{{{ row }}}}")
    assert "4 requests are more than ChatSettings.each_limit, 2; nothing was sent." in capsys.readouterr().out
    run(f"%%chat --each range(4) --go\n{ECHO}{{{{ row }}}}")
    assert len(sandbox.received) == 4


def test_a_row_that_fails_fails_no_other_and_all_fail_the_cell(run, shell, capsys):
    run(f"%%chat --each texts\n{{{{ 'sandbox: status 400' if row == 'two' else '' }}}}\n{ECHO}{{{{ row }}}}")
    assert [r.error is None for r in shell.user_ns["_rows"]] == [True, False]
    with pytest.raises(Exception, match="refused with 400"):
        run("%%chat --each texts\nsandbox: status 400\n{{ row }}")
    assert len(shell.user_ns["_rows"].failed) == 2


def test_a_row_shadows_a_variable_of_its_name_only_while_it_is_asked_about(run, shell, sandbox):
    run("row = 'mine'")
    run(f"%%chat --each texts\n{ECHO}{{{{ row }}}}")
    assert said(sandbox) == ["one", "two"]
    assert shell.user_ns["row"] == "mine"


def test_columns_called_as_methods_go_in_by_any_way(run, shell, sandbox):
    shell.push({"odd": pd.DataFrame([["i", "k", "v", "g"]], columns=["items", "keys", "values", "get"])})
    run(f"%%chat --each odd\n{ECHO}{{{{ row.items }}}} {{{{ row.keys }}}} {{{{ row }}}}")
    assert said(sandbox) == ["i k {'items': 'i', 'keys': 'k', 'values': 'v', 'get': 'g'}"]
    run("%%chat --each odd -a row\nx")
    assert "'values': 'v'" in str(sandbox.received[1].body)


PER_ROW = "With --each, a column of a data frame is {{ row.NAME }}, and an item of a list {{ row }}."


@pytest.mark.parametrize(
    ("each", "prompt", "hint"),
    [
        ("texts", "{{ text }}", PER_ROW),
        ("texts", "{{ row.text }}", PER_ROW),
        ("frame.text", "{{ text }}", PER_ROW),
        ("frame", "{{ item }}", PER_ROW),
        ("frame", "{{ weight }}", f"Did you mean row.weight? {PER_ROW}"),
        ("frame", "{{ row.index }}", "A row has no index: --each df.reset_index() makes it a column."),
        ("frame", "{{ row.weigth }}", f"Did you mean weight? {PER_ROW}"),
    ],
)
def test_an_expression_that_fails_in_a_row_is_told_what_the_row_is_called(run, shell, each, prompt, hint):
    shell.push({"frame": pd.DataFrame({"weight": [1, 2], "text": ["a", "b"]}), "texts": ["one", "two"]})
    with pytest.raises(ExpressionError) as raised:
        run(f"%%chat --each {each}\nHi {prompt}")
    assert raised.value.hint == hint


@pytest.mark.parametrize(
    ("typed", "meant"), [("row", "row"), ("row.weight", "row.weight"), ("row['weight']", "row['weight']")]
)
def test_the_row_in_single_braces_is_said_to_be_text(run, shell, capsys, typed, meant):
    shell.push({"frame": pd.DataFrame({"weight": [1, 2]})})
    run(f"%%chat --each frame\nHi {{{typed}}}, {{weight}} and {{other}}")
    said = capsys.readouterr().out
    assert said.count(f"{{{typed}}} goes in as it is typed. {{{{ {meant} }}}} is what the row has.") == 1
    assert said.count("{weight} goes in as it is typed. {{ row.weight }} is what the row has.") == 1
    assert "{other}" not in said.partition("2 rows")[0]


def test_rows_are_asked_with_what_is_set_for_the_conversation(run, shell, sandbox, capsys):
    shell.push({"frame": pd.DataFrame({"weight": [1, 2]})})
    run("%chat_model gpt-5.5\n%chat_system Be brief.\n%chat Hello")
    run("%%chat --each frame --dry-run\nIs {{ row.weight }} much?")
    shown = capsys.readouterr().out
    assert "gpt-5.5 · 2 messages" in shown
    assert "Be brief." in shown
    run("%%chat --each frame\nIs {{ row.weight }} much?")
    run("%%chat --each frame -m gpt-5.4\nIs {{ row.weight }} little?")
    asked = [(r.body["model"], [m["content"] for m in r.body["messages"]]) for r in sandbox.received[1:]]
    expected = [
        (m, ["Be brief.", f"Is {n} {w}?"]) for m, w in (("gpt-5.5", "much"), ("gpt-5.4", "little")) for n in (1, 2)
    ]
    assert sorted(asked) == sorted(expected)


def test_what_does_not_go_in_whole_is_said_once_for_all_rows(run, shell, capsys):
    shell.push({"big": pd.DataFrame({"n": range(5_000)}), "lists": [[*range(1_000 + n)] for n in range(4)]})
    run("parts = iter([[*range(2_000 + n)] for n in range(4)])")
    run(f"%%chat --each lists --dry-run\n{ECHO}{{{{ row }}}} of {{{{ big }}}} and {{{{ next(parts) }}}}")
    said = capsys.readouterr().out
    more = "; %config ChatSettings.value_chars = 40000 takes more."
    assert said.count(f"row does not go in whole. Left out: parts of it in at least one row{more}") == 1
    assert said.count("next(parts) does not go in whole. Left out: parts of it in at least one row") == 1
    assert said.count(f"big does not go in whole. Left out: 4,970 rows in the middle{more}") == 1
