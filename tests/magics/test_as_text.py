"""What goes in as it is typed, and is the name of a file or of a variable: said before it is sent."""

from __future__ import annotations

import pytest
from PIL import Image

from xcyq_magic.errors import ExpressionError, MediaError, OptionError


@pytest.fixture(autouse=True)
def names(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("plot.png", "my plot.png", "data/plot.png", "my-plot.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    for name in ("notes.md", "table.csv", "report.pdf", "film.mp4", "program.py", "words"):
        (tmp_path / name).write_text("words", "utf-8")
    shell.run_cell(
        "import pandas as pd, numpy as np, matplotlib.pyplot as plt, PIL.Image\n"
        "df = pd.DataFrame({'weight': [1, 2]}); array = np.eye(2); fig = plt.figure()\n"
        "image = PIL.Image.new('L', (9, 9))\n"
        "plt.close('all'); number = 1; where = 'plot.png'; d = {'weight': 3, 'inner': {'length': 4}}; ax = fig.gca()"
    )


def content(sandbox):
    return sandbox.received[-1].body["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ('"plot.png"', "-a plot.png"),
        ("'data/plot.png'", "-a data/plot.png"),
        ('"my plot.png"', '-a "my plot.png"'),
        ("'notes.md'", "-a notes.md"),
        ("'table.csv'", "-a table.csv"),
        ("'report.pdf'", "-a report.pdf"),
        ("'film.mp4'", "-a film.mp4"),
        ("where", "-a where"),
        ("where.strip()", "-a {{ where.strip() }}"),
    ],
)
def test_a_text_that_is_the_name_of_a_file_is_said_to_be_text(run, sandbox, capsys, source, written):
    run(f"%chat Look at {{{{ {source} }}}} now")
    said = capsys.readouterr().out
    line = f"{{{{ {source} }}}} goes in as text, and is the name of a file: {written} sends the file."
    assert said.count(line) == 1
    assert isinstance(content(sandbox), str)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("What does plot.png show?", "plot.png"),
        ("![](data/plot.png) what is this?", "data/plot.png"),
        ("Compare ./plot.png and my-plot.png.", "my-plot.png"),
        ("Is film.mp4 long?", "film.mp4"),
    ],
)
def test_a_file_that_is_only_named_is_said_to_be_text(run, sandbox, capsys, text, named):
    run(f"%%chat\n{text}")
    assert f"{named} goes in as its name only: -a {named} sends the file." in capsys.readouterr().out
    assert content(sandbox) == text


@pytest.mark.parametrize(
    "text",
    [
        "Is there a missing.png here?",
        "How do I read notes.md and table.csv?",
        "Why does `Image.open('plot.png')` fail?",
        "```\nplt.savefig('plot.png')\n```\nWhy?",
        "See https://example.org/plot.png",
        "Look at {{ df }} and plot.pngs",
    ],
)
def test_other_names_in_a_prompt_are_not_remarked_on(run, capsys, text):
    run(f"%%chat\n{text}")
    assert "name only" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["df", "array", "fig", "image"])
@pytest.mark.parametrize("cell", ["%chat -o {} Hi", "%%chat --each [1] -o {}\n{{{{ row }}}}", "%chat_usage -o {}"])
def test_a_variable_with_data_is_not_replaced(run, shell, sandbox, name, cell):
    held = shell.user_ns[name]
    with pytest.raises(OptionError, match=f"{name} holds a .*, which -o {name} would replace") as raised:
        run(cell.format(name))
    assert raised.value.hint == f"Choose another name, such as -o {name}_answers, or delete it first: del {name}"
    assert shell.user_ns[name] is held
    assert sandbox.received == []


def test_an_answer_and_other_values_are_replaced(run, shell):
    for name in ("number", "where", "rows", "rows", "reply", "reply"):
        run(f"%chat -o {name} Hi" if name != "rows" else f"%%chat --each [1, 2] -o {name}\nIs {{{{ row }}}} odd?")
    assert shell.user_ns["number"].text
    assert len(shell.user_ns["rows"]) == 2


def test_what_the_line_names_sends_the_file(run, sandbox):
    run("from pathlib import Path")
    for typed in ("-a where Look", "-a {{ where.strip() }} Look", '-a "my plot.png" Look', "Look {{ Path(where) }}"):
        run(f"%chat --once {typed}")
        assert "image_url" in {part["type"] for part in content(sandbox)}


@pytest.mark.parametrize(
    "text",
    ["{{ 'gone.png' }}", "{{ 'program.py' }}", "{{ 'words' }}", "{{ Path(where) }}", "plot.png", "{{ 'a\\nb' }}"],
)
def test_other_text_is_not_remarked_on(run, capsys, text):
    run("from pathlib import Path")
    run(f"%chat Look at {text}")
    assert "goes in as text" not in capsys.readouterr().out


def test_rows_that_name_files_are_said_once(run, shell, capsys):
    run("files = [{'path': 'plot.png'}, {'path': 'my plot.png'}]")
    run("%%chat --each files\nLook at {{ row.path }}")
    assert capsys.readouterr().out.count("is the name of a file: -a {{ row.path }} sends the file.") == 1


@pytest.mark.parametrize("name", ["df", "df ", "array", "fig", "image", "ax"])
@pytest.mark.parametrize("text", ["Describe {%s}.", "{%s}", "Is it\n{%s}, or ({%s})?", "{{ number }} of {%s}"])
def test_a_variable_in_single_braces_is_said_to_be_text(run, sandbox, capsys, name, text):
    text = text.replace("%s", name)
    run(f"%%chat\n{text}")
    line = f"{{{name.strip()}}} goes in as it is typed. {{{{ {name.strip()} }}}} sends the variable."
    assert capsys.readouterr().out.count(line) == 1
    assert content(sandbox) == text.replace("{{ number }}", "1")


@pytest.mark.parametrize(
    "text",
    [
        "{number} and {where} and {d} and {plt} and {nothing}",
        "```python\nprint({df})\n```",
        "~~~\n {df}",
        "Is `{df}` right?",
        'print(f"{df}")',
        r"$\frac{df}{array}$ and x_{df} and ${df}",
        "{df.x} {{ number }}",
        "x{df} {df}}",
    ],
)
def test_braces_of_code_and_of_other_values_are_not_remarked_on(run, capsys, text):
    run(f"%%chat\n{text}")
    run(f"%%chat --raw\n{{df}} {text}")
    assert "goes in as it is typed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "way_on"),
    [
        ("plot.png", "To send the file plot.png, attach it: -a plot.png"),
        ("data/plot.png", "To send the file data/plot.png, attach it: -a data/plot.png"),
        ("my-plot.png", "To send the file my-plot.png, attach it: -a my-plot.png"),
        ("my plot.png", 'To send the file my plot.png, attach it: -a "my plot.png"'),
        ("report.pdf[3-5]", "To send the file report.pdf[3-5], attach it: -a report.pdf[3-5]"),
        ("./notes.md", "To send the file ./notes.md, attach it: -a ./notes.md"),
    ],
)
@pytest.mark.parametrize("cell", ["%chat Look at {{{{ {} }}}}", "%%chat\n{{{{{}}}}}", "%chat_system See {{{{ {} }}}}"])
def test_an_expression_that_is_a_path_is_told_how_to_attach_it(run, sandbox, cell, source, way_on):
    with pytest.raises(ExpressionError) as raised:
        run(cell.format(source))
    assert raised.value.hint == way_on
    assert sandbox.received == []


@pytest.mark.parametrize("source", ["gone.png", "plot.jpg", "1/0"])
def test_an_expression_that_is_no_path_is_not(run, source):
    with pytest.raises(ExpressionError) as raised:
        run(f"%chat Look at {{{{ {source} }}}}")
    assert "-a" not in raised.value.hint


@pytest.mark.parametrize(
    "line",
    [
        "%chat -a my plot.png What is it?",
        "%chat -amy plot.png",
        "%chat --attach=my plot.png What is it?",
        "%chat -a plot.png -a my plot.png What is it?",
        "%chat_error -a my plot.png",
        "%%chat -a my plot.png\nWhat is it?",
        "%%compare gpt-5.5 gpt-5.4 -a my plot.png\nWhat is it?",
    ],
)
def test_a_path_with_spaces_is_said_to_need_quotes(run, sandbox, line):
    with pytest.raises(MediaError) as raised:
        run(line)
    assert raised.value.message == "-a my: there is neither a variable nor a file of that name; nothing was sent."
    assert raised.value.hint == 'Quote the path, which has spaces: -a "my plot.png"'
    assert sandbox.received == []


@pytest.mark.parametrize(
    "line", ["-a plot.png plot.png is what?", "-a df plot.png", "-a where plot.png", "-- -a my plot.png"]
)
def test_what_is_attached_without_its_following_words_is_attached(run, sandbox, line):
    run(f"%chat {line}")
    assert sandbox.received


@pytest.mark.parametrize(
    ("source", "near"),
    [
        ("df.weigt.mean()", "weight"),
        ("df['weigt']", "weight"),
        ("df.groupby('weigt').size()", "weight"),
        ("df.weight.maen()", "mean"),
        ("d['weigt']", "weight"),
        ("np.maen(array)", "mean"),
        ("array.shapee", "shape"),
        ("dff.weight", "df"),
    ],
)
def test_a_name_that_is_nearly_one_is_suggested(run, sandbox, source, near):
    with pytest.raises(ExpressionError) as raised:
        run(f"%chat What of {{{{ {source} }}}}?")
    assert raised.value.hint.startswith(f"Did you mean {near}? ")
    assert sandbox.received == []


@pytest.mark.parametrize("source", ["d['inner']['weigt']", "d['nothing']", "{'weigth': 1}['weigt']", "d[0]"])
def test_a_name_of_something_else_is_not_suggested(run, source):
    with pytest.raises(ExpressionError, match="KeyError") as raised:
        run(f"%chat What of {{{{ {source} }}}}?")
    assert "Did you mean" not in raised.value.hint


def test_what_raises_when_it_is_asked_for_its_names_is_only_said_to_fail(run):
    run("class Odd:\n    def __dir__(self):\n        raise RuntimeError('no')\nodd = Odd()")
    with pytest.raises(ExpressionError, match="'Odd' object has no attribute 'x'; nothing was sent"):
        run("%chat What of {{ odd.x }}?")


@pytest.mark.parametrize(("text", "name"), [("What is in $fig?", "fig"), ("$df, then", "df"), ("($array)", "array")])
def test_a_variable_behind_a_dollar_is_said_to_be_text(run, sandbox, capsys, text, name):
    run(f"%chat {text}")
    assert f"${name} goes in as it is typed. {{{{ {name} }}}} sends the variable." in capsys.readouterr().out
    assert content(sandbox) == text


@pytest.mark.parametrize("text", ["$d$", "$fig$", r"\$fig", "US$df", "$$fig", "`$fig`", "$number", "$5", "$figure"])
def test_other_dollars_are_not_remarked_on(run, capsys, text):
    run(f"%chat Look at {text} now")
    assert "as it is typed" not in capsys.readouterr().out


@pytest.mark.parametrize("source", ["df.describe", "df.head", "array.mean", "d.items"])
def test_a_method_without_brackets_is_said_to_go_in_as_its_code(run, capsys, source):
    run(f"%chat What does {{{{ {source} }}}} say?")
    run(f"%chat -a {source} What does it say?")
    what = "code" if source.startswith("df") else "description"
    line = f"{source} is a method: its {what} goes in. {source}() is what it returns."
    assert capsys.readouterr().out.count(line) == 2


@pytest.mark.parametrize("source", ["pd.DataFrame", "np.mean", "pd.DataFrame.from_dict", "len"])
def test_functions_and_classes_go_in_without_a_remark(run, capsys, source):
    run(f"%chat What does {{{{ {source} }}}} do?")
    assert "is a method" not in capsys.readouterr().out


@pytest.mark.parametrize("line", ["-m gpt-5.5", "--model gpt-5.5", "-a notes.md", "--no-stream", "-s=Short"])
def test_an_option_below_the_line_of_the_magic_is_said_to_be_text(run, sandbox, capsys, line):
    run(f"%%chat\n{line}\nHello")
    assert f"{line} goes in as text. Options go on the line of the magic: %%chat {line}" in capsys.readouterr().out
    assert content(sandbox) == f"{line}\nHello"


@pytest.mark.parametrize("text", ["- m is what?", "-mfoo", "--- \nabc", "-x 5", "-5 + 3?", "Is -m an option?"])
def test_other_words_that_begin_with_a_dash_are_not_remarked_on(run, capsys, text):
    run(f"%%chat\n{text}")
    assert "goes in as text" not in capsys.readouterr().out
