"""`{{ expr }}` in a prompt: what is an expression, what it becomes, and what is left alone."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from xcyq_magic.errors import ExpressionError, InputError, MediaError, OptionError
from xcyq_magic.magics.expand import Expression, parse


def prompt(sandbox):
    return sandbox.received[-1].body["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("text", "expressions"),
    [
        ("{{x}}", ["x"]),
        ("a {{ x }} b {{ y[0] }}", [" x ", " y[0] "]),
        ("{{ {'a': {'b': 1}} }}", [" {'a': {'b': 1}} "]),
        ("{{ {'a': {'b': 1}}['a'] }}", [" {'a': {'b': 1}}['a'] "]),
        ("{{{1: {2: 3}}}}", ["{1: {2: 3}}"]),
        ("{{ '}}' }}", [" '}}' "]),
        ('{{ f"{x:.2f}" }} and {{ f"{{}}" }}', [' f"{x:.2f}" ', ' f"{{}}" ']),
        ("{{ [\n  1,\n  2,\n] }}", [" [\n  1,\n  2,\n] "]),
        ("{{ (lambda d: d)({}) }}", [" (lambda d: d)({}) "]),
    ],
)
def test_an_expression_ends_where_it_is_whole(text, expressions):
    assert [p.source for p in parse(text) if isinstance(p, Expression)] == expressions


# What never holds two braces of a kind in a row, with a backslash or without.
plain = st.text(alphabet=st.characters(blacklist_characters="{}\\", blacklist_categories=("Cs",)), max_size=20)
sources = st.sampled_from(["x", " df.head() ", "{1: {2: 3}} ", "'}}'", "a['}}']", "[{}, {}]", "\nx\n".strip()])


@given(st.lists(plain | sources.map(Expression) | st.just(r"\{{"), max_size=8))
def test_what_is_taken_apart_is_what_was_put_together(pieces):
    text = "".join("{{" + p.source + "}}" if isinstance(p, Expression) else p for p in pieces)
    found = list(parse(text))
    assert [p for p in found if isinstance(p, Expression)] == [p for p in pieces if isinstance(p, Expression)]
    apart = "".join(p for p in found if isinstance(p, str))
    assert apart == "".join("{{" if p == r"\{{" else p for p in pieces if isinstance(p, str))


@pytest.mark.parametrize(
    "text",
    [
        'def f(d): return {k: {"v": v} for k, v in d.items()}',
        '{"json": {"nested": [1, {"deep": {}}]}}',
        r"\frac{a}{b} \sum_{i=1}^{n} x_{i} and $x$ $HOME ${HOME}",
        "{% for user in users %}{# a comment #}{% endfor %}",
        "f'{x}' and '{0}'.format(1), a } b }} c",
        "{",
        "",
    ],
)
def test_single_braces_and_dollars_pass_untouched(run, sandbox, text):
    run(f"%%chat\n|{text}|")
    assert prompt(sandbox) == f"|{text}|"


def test_an_escaped_opening_is_literal(run, sandbox):
    run(r"%chat Jinja: \{{ user.name }}")
    assert prompt(sandbox) == "Jinja: {{ user.name }}"


def test_raw_sends_the_prompt_as_it_is_typed(run, sandbox):
    run("%%chat --raw -s '{{ role }}'\n" + r"{{ user.name }} and \{{")
    assert prompt(sandbox) == r"{{ user.name }} and \{{"
    assert sandbox.received[-1].body["messages"][0]["content"] == "{{ role }}"


def test_text_and_numbers_go_in_as_text(run, shell, sandbox):
    shell.push({"name": "lasso", "count": 3, "code": "def f():\n    pass"})
    run("%chat {{ name }} has {{ count + 1 }} and {{ name.upper()[:2] }}.")
    assert prompt(sandbox) == "lasso has 4 and LA."
    run("%%chat\nWhat is wrong with {{ code }}?")
    assert prompt(sandbox) == "What is wrong with\ndef f():\n    pass\n?"


def test_numbers_of_numpy_and_pandas_go_in_as_a_reader_writes_them(run, shell, sandbox):
    shell.run_cell(
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 3], 'day': pd.to_datetime(['2026-01-01', '2026-01-02'])})"
    )
    run(
        "%chat {{ df.a.mean() }} {{ df.a.sum() }} {{ df.a.any() }} {{ {'max': df.a.max()} }} {{ df.day.max() }}"
        " {{ df.day.max() - df.day.min() }} {{ [df.day.min().date()] }}"
    )
    assert prompt(sandbox) == ("2.0 4 True {'max': 3} 2026-01-02T00:00:00 1 days 00:00:00 ['2026-01-01']")
    run("%chat -a df.a.mean() what is it?")
    assert prompt(sandbox) == "df.a.mean():\n2.0\n\nwhat is it?"


def test_a_reply_is_its_text(run, sandbox):
    run("%%chat --once\nsandbox: echo\nThe first words")
    run("first = _reply")
    run("%chat --once Again: {{ first }}")
    assert prompt(sandbox) == "Again: The first words"
    run("%chat --once -a first Say it again")
    assert prompt(sandbox) == "first:\nThe first words\n\nSay it again"
    run("from xcyq_magic import Chat\nChat()('Say it again', first)")
    assert prompt(sandbox) == "The first words\nSay it again"


def test_an_expression_sees_what_python_sees(run, shell, sandbox):
    shell.run_cell("import math\nd = {'a': {'b': 2}}\ndef twice(x): return [y * 2 for y in x if d]")
    run("%chat {{ math.floor(2.7) }} {{ d['a']['b'] }} {{ twice([1, 2]) }} {{ [math.pi > k for k in (3, 4)] }}")
    assert prompt(sandbox) == "2 2 [2, 4] [True, False]"


@pytest.mark.parametrize(
    ("text", "says", "way_on"),
    [
        ("{{ nothing }}", "{{ nothing }} failed: NameError", "--raw"),
        ("{{ numbers }}", "{{ numbers }} failed: NameError", "Did you mean number?"),
        ("{{ 1/0 }}", "{{ 1/0 }} failed: ZeroDivisionError: division by zero", "--raw"),
        ("{{ number.foo }}", "AttributeError: 'int' object has no attribute 'foo'", "--raw"),
        ("{{ not closed", "{{ not closed is not closed by }}", r"\{{"),
        ("{{ two words }} and {{ 1 }}", "{{ two words }} is not a Python expression", "--raw"),
        ("{{ }}", "it is empty", "--raw"),
        ("{{ x = 1 }}", "is not a Python expression", "--raw"),
        ("{{ import os }}", "is not a Python expression", "--raw"),
        ("{{ " + "a" * 500 + " }}", "…", "--raw"),
    ],
)
def test_an_expression_that_fails_stops_the_cell_and_names_itself(shell, sandbox, text, says, way_on):
    shell.push({"number": 1})
    with pytest.raises(ExpressionError) as caught:
        shell.run_cell(f"%%chat\nLook: {text}").raise_error()
    assert says in caught.value.message
    assert caught.value.message.endswith("nothing was sent.")
    assert way_on in caught.value.hint
    assert len(caught.value.message) < 300
    assert sandbox.received == []
    assert shell.run_cell("%chat_history").success


def test_nothing_is_evaluated_in_a_prompt_that_is_wrong(run, shell):
    shell.run_cell("calls = []")
    with pytest.raises(ExpressionError):
        run("%chat {{ calls.append(1) }} {{ not closed")
    assert shell.user_ns["calls"] == []


def test_an_expression_in_a_system_prompt_is_text(run, shell, sandbox):
    shell.push({"role": "a botanist"})
    run("%%chat -s 'You are {{ role }}.'\nHello")
    assert sandbox.received[-1].body["messages"][0] == {"role": "system", "content": "You are a botanist."}
    run("%chat_system You are {{ role }} now.")
    run("%chat Hello")
    assert sandbox.received[-1].body["messages"][0]["content"] == "You are a botanist now."


def test_a_picture_does_not_go_into_a_system_prompt(run, shell, sandbox):
    shell.run_cell("import PIL.Image\npicture = PIL.Image.new('RGB', (8, 8))")
    with pytest.raises(MediaError, match="cannot stand in a system prompt"):
        run("%chat_system Look at {{ picture }}")
    assert sandbox.received == []


def test_media_stand_where_they_were_placed(run, shell, sandbox):
    shell.run_cell("import PIL.Image\npicture = PIL.Image.new('RGB', (8, 8), 'red')\nother = picture.rotate(90)")
    run("%%chat -a other\nCompare {{ picture }} with\n{{ picture }}\n\nand say why.")
    kinds = [p["type"] if p["type"] != "text" else p["text"] for p in prompt(sandbox)]
    assert kinds == ["image_url", "Compare ", "image_url", " with", "image_url", "and say why."]


def test_a_table_begins_on_a_line_of_its_own(run, shell, sandbox):
    shell.run_cell("import pandas as pd\ndf = pd.DataFrame({'dose': [1, 2, 3], 'response': [0.5, 0.7, 0.9]})")
    run("%chat What is odd in {{ df }} now?")
    said = prompt(sandbox)
    assert said.startswith("What is odd in\n")
    assert said.endswith("\nnow?")
    assert "0.7" in said
    run("%chat --once Do you agree with {{ df.describe() }}?")
    assert prompt(sandbox).count("mean") == 1


def test_an_array_that_is_no_picture_says_how_to_have_one(run, shell, capsys):
    shell.run_cell("import numpy as np\nbatch, one = np.zeros((4, 20, 20, 3)), np.zeros((20, 20))")
    run("%chat Look at {{ batch }} and {{ one }}")
    said = capsys.readouterr().out
    assert "batch is a batch of shape (4, 20, 20, 3): it is sent as text. Its first picture is {{ batch[0] }}." in said
    assert "one is" not in said


def test_a_list_of_figures_goes_in_as_figures(run, shell, sandbox):
    run("from matplotlib.figure import Figure\nfrom xcyq_magic import Chat\nfigures = {'a': Figure(), 'b': Figure()}")
    run("for f in figures.values(): f.subplots().plot([1, 2])")
    for cell, kinds in {
        "%chat Compare {{ figures }} please.": ["Compare\na:", "image_url", "b:", "image_url", " please."],
        "%chat Compare {{ list(figures.values()) }}.": ["Compare ", "image_url", "image_url", "."],
        "%chat -a figures Compare.": ["a:", "image_url", "b:", "image_url", "Compare."],
        "Chat()('Compare.', list(figures.values()))": ["image_url", "image_url", "Compare."],
    }.items():
        run(cell)
        assert [p["text"] if p["type"] == "text" else p["type"] for p in prompt(sandbox)] == kinds, cell
    with pytest.raises(MediaError, match="cannot stand in a system prompt"):
        run("%chat_system Look at {{ figures }}")


@pytest.mark.parametrize("name", ["Path", "np"])
def test_a_name_that_is_imported_as_a_rule_says_how(run, name):
    with pytest.raises(ExpressionError) as raised:
        run(f"%chat {{{{ {name}('a') }}}}")
    assert raised.value.hint.startswith(
        "Type from pathlib import Path" if name == "Path" else "Type import numpy as np"
    )


@pytest.mark.parametrize("line", ["{{ thing }}", "-a thing Look"])
def test_where_only_an_address_is_left_a_line_says_so(run, capsys, line):
    run("class Thing: pass\nthing = Thing()")
    run(f"%chat {line}")
    said = capsys.readouterr().out
    assert "thing goes in as <__main__.Thing object at 0x" in said
    assert "which does not say what it holds. Send {{ vars(thing) }}, or a text." in said


def test_a_matrix_goes_in_as_numbers_and_says_how_to_have_it_seen(run, sandbox, capsys):
    run("import numpy as np\nimport matplotlib.pyplot as plt\ncounts = np.eye(10, dtype=int)")
    run("features = np.tile(counts * 0.123, (15, 2))")
    run("%chat {{ counts }}")
    assert "[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]]" in prompt(sandbox)
    assert "matshow" not in capsys.readouterr().out
    run("%chat -a features Look")
    said = capsys.readouterr().out
    assert "features does not go in whole. Left out: 2,856 elements in the middle" in said
    assert "sent as text" not in said
    assert "To send features as a picture, write {{ plt.matshow(features) }}." in said
    run("%chat {{ plt.matshow(features) }}")
    assert [p["type"] for p in prompt(sandbox)] == ["image_url"]
    run("plt.close('all')")


def test_what_is_attached_is_a_name_or_a_path(run, shell, sandbox, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shell.run_cell(
        "import PIL.Image\nplot = PIL.Image.new('RGB', (800, 800))\nplot.resize((400, 400)).save('plot.png')\n"
        "plot.resize((200, 200)).save('other plot.png')\nwhere = 'plot.png'\ncount = 3"
    )

    def width(attach):
        run(f"%%chat --once -a {attach}\nLook")
        reply = shell.user_ns["_reply"].text
        return next(w for w in (800, 400, 200) if f"{w} by {w}" in reply)

    assert width("plot") == 800
    assert width("plot.png") == 400  # there is no such attribute, but there is the file
    assert width("'other plot.png'") == 200
    assert width("where") == 400
    assert width('"plot.resize((200, 200))"') == 200
    run("%%chat --once -a count\nLook")
    assert prompt(sandbox) == "count:\n3\n\nLook"


def test_a_name_longer_than_a_file_may_have_is_no_file(run):
    with pytest.raises(MediaError, match="neither a variable nor a file"):
        run(f"%chat -a {'n' * 300} what is this?")


def test_what_is_attached_and_is_not_there(run, shell, sandbox):
    shell.run_cell("plot = 1")
    with pytest.raises(MediaError, match=r"plt\.png cannot be attached: no such file"):
        run("%chat -a plt.png look")
    with pytest.raises(MediaError, match=r"-a plott: there is neither a variable nor a file") as caught:
        run("%chat -a plott look")
    assert caught.value.hint == "Did you mean plot?"
    with pytest.raises(ExpressionError, match=r"-a plot\.png failed: AttributeError"):
        run("%chat -a plot.png look")
    assert sandbox.received == []


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with pictures and a text in it, which the shell is in."""
    monkeypatch.chdir(tmp_path)
    for name in ("big.png", "my plot.png", "figures/Scatter.PNG"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, "PNG")
    (tmp_path / "notes.txt").write_text("Grüße", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "words", "way_on"),
    [
        ("big.pn", "-a big.pn: there is neither a variable big nor a file of that name", "Did you mean big.png?"),
        ("bgi.png", "bgi.png cannot be attached: no such file", "Did you mean big.png?"),
        ("BIG.PNG", "BIG.PNG cannot be attached: no such file", "Did you mean big.png?"),
        ("big", "-a big: there is neither a variable nor a file of that name", "Did you mean big.png?"),
        ("./bigg.png", "./bigg.png cannot be attached: no such file", "Did you mean big.png?"),
        ("figures/scatter.png", "no such file", "Did you mean figures/Scatter.PNG?"),
        ("my_plot.png", "no such file", "Did you mean 'my plot.png'?"),
        (
            "note.txt",
            "-a note.txt: there is neither a variable note nor a file of that name",
            "Did you mean notes.txt?",
        ),
        ("elsewhere/big.png", "elsewhere/big.png cannot be attached: no such file", "Paths count from "),
        ("something.png", "no such file", "Paths count from "),
        ("figures", "figures holds no text file (but 1 picture)", "Attach a file of it by its path."),
        ("notes.txt/big.png", "not a directory", "Paths count from "),
        ("n" * 300 + ".png", "cannot be attached", "Paths count from "),
        ("figure.png", "no such file", "Paths count from "),  # near the name of a folder alone
        ("df.x", "-a df.x: there is neither a variable df nor a file of that name", "Paths count from "),
        ("df.describe()", "neither a variable df nor a file", "Paths count from "),
        ("df['x']", "neither a variable df nor a file", "Paths count from "),
        ("len(df)", "neither a variable df nor a file", "Paths count from "),
        ("[plott,fig]", "neither a variable fig nor a file", "Paths count from "),
        ("countt+1", "neither a variable countt nor a file", "Did you mean count?"),
        ("countt", "-a countt: there is neither a variable nor a file", "Did you mean count?"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_attached_and_misspelt_names_the_near_one(run, shell, typed, words, way_on):
    shell.push({"count": 1, "plott": 2})
    with pytest.raises(MediaError) as raised:
        run(f'%%chat -a "{typed}"\nlook')
    assert words in raised.value.message
    assert "nothing was sent" in raised.value.message
    assert raised.value.hint.startswith(way_on)


@pytest.mark.parametrize(
    "cell",
    ["%chat -a notes.txt look", "%%chat\n{{ pathlib.Path('notes.txt') }}", "Chat()('look', 'notes.txt')"],
)
@pytest.mark.usefixtures("folder")
def test_a_text_file_goes_in_under_its_name(run, sandbox, cell):
    run("import pathlib\nfrom xcyq_magic import Chat")
    run(cell)
    assert "notes.txt:\n```\nGrüße\n```" in prompt(sandbox)


def test_what_is_neither_media_nor_text_says_what_can_be_attached(run, sandbox, folder):
    (folder / "a.bin").write_bytes(b"\0\1\2\xff" * 9)
    (folder / "empty.txt").touch()
    for name, words in {"a.bin": "is not a picture that can be read", "empty.txt": "is empty"}.items():
        with pytest.raises(MediaError, match=f"{words}; nothing was sent") as raised:
            run(f"%chat -a {name} look")
        assert raised.value.hint
    assert sandbox.received == []


ADDRESSES = [
    "https://",
    "http://",
    "HTTPS://",
    "https:///a.png",
    "https://?a=b",
    "https://:80/a.png",
    "https://[/a.png",
]


@pytest.mark.parametrize(
    "url", [*ADDRESSES, "ftp://example.org/a.png", "file:///tmp/a.png", "htps://example.org/a.png"]
)
def test_what_is_no_address_is_not_passed_on(run, sandbox, url):
    with pytest.raises(MediaError, match="is not an address that can be passed on; nothing was sent") as raised:
        run(f"%chat -a {url} look")
    assert "https://" in raised.value.hint
    assert sandbox.received == []


LONG = {
    "text": "word " * 600_000,
    "lines": "a line\n" * 20,
    "one word": "x" * 3_000_000,
    "a data URL of nothing": "data:image/png;base64," + "A" * 3_000_000,
    "a data URL of text": "data:text/plain," + "A" * 3_000_000,
    "a broken data URL": "data:image/png;base64," + "A" * 3_000_001,
    "an address with spaces": "https://example.org/" + "a b" * 1000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_that_is_attached_is_not_repeated_in_the_error(run, shell, sandbox, text):
    shell.push({"text": text})
    run("from xcyq_magic import Chat")
    in_list = [] if text.startswith("data:text") else ["%chat -a [text+'.png'] Look"]  # where it is text
    for cell in ("%chat -a text Look", "Chat()('Look', text)", *in_list):
        with pytest.raises(MediaError, match="nothing was sent") as raised:
            run(cell)
        assert len(str(raised.value)) < 2500, cell
        assert raised.value.hint
    assert sandbox.received == []


def test_whatever_an_error_repeats_is_bounded(run):
    long = "x" * 300_000
    for cell in (f"%%chat {long}\nHello", f"%chat -p {long} Hello", f"%chat -m ${long} Hello"):
        with pytest.raises(InputError) as raised:
            run(cell)
        assert len(raised.value.message) < 2100
        assert raised.value.message.endswith("nothing was sent.")


def test_a_picture_in_a_data_url_is_that_picture(run, shell, sandbox, folder):
    data = base64.b64encode((folder / "big.png").read_bytes()).decode()
    shell.push({"urls": [f"data:image/png;base64,{data}"]})
    for cell in (f"%chat -a data:image/png;base64,{data} Look", "%chat -a urls Look"):
        run(cell)
        assert [p["type"] for p in prompt(sandbox)] == ["image_url", "text"]


@pytest.mark.parametrize("line", ["-f", "-f 2", "--figure", "-f why is 3 so noisy?"])
def test_no_image_was_shown(run, sandbox, line):
    with pytest.raises(MediaError, match="cells have shown no image yet"):
        run(f"%chat {line} look" if "why" not in line else f"%chat {line}")
    assert sandbox.received == []


def test_a_number_of_images_that_is_none(run):
    with pytest.raises(OptionError, match="at least 1, not 0"):
        run("%chat -f 0 look")
