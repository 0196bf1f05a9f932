"""The API key is in no prompt that a value, a file's text or a failure brought it into."""

from __future__ import annotations

import json
import os
import sys

import pandas as pd
import pytest
from kernels import KEY
from servers import DONE, Answer, RawServer, delta, http
from shells import shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.errors import ExpressionError

LONG = "sk-proj-" + "Vq7xW2mN9pLk4RtZ8bYc3HdF" * 6
SHOWN = 8  # so many characters of it beside a cut are no harm


@pytest.fixture(autouse=True)
def _nothing_failed_before(monkeypatch):
    for name in ("last_exc", "last_value", "last_type", "last_traceback"):
        monkeypatch.delattr(sys, name, raising=False)


def texts(sandbox) -> str:
    return json.dumps(sandbox.received[-1].body["messages"])


VALUES = [
    "{{ dict(os.environ) }}",
    "{{ os.environ['XCYQ_API_KEY'] }}",
    "{{ [{'a': {'b': os.environ['XCYQ_API_KEY']}}] }}",
    "{{ ValueError(os.environ['XCYQ_API_KEY']) }}",
    "{{ os.environ['XCYQ_API_KEY'].encode() }}",
    "{{ base64.b64encode(b'user:' + os.environ['XCYQ_API_KEY'].encode()).decode() }}",
    "{{ pd.Series(os.environ) }}",
    "{{ pd.DataFrame([os.environ]) }}",
    "{{ np.array([os.environ['XCYQ_API_KEY']] * 3) }}",
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "magic", ["%chat ", "%%chat\n", "%%chat_system\n", "%chat -s '", "%%compare gpt-5.5 gpt-5.4\n"]
)
def test_a_value_goes_in_without_the_key(run, sandbox, capsys, value, magic):
    run("import base64, os, numpy as np, pandas as pd")
    value = value.replace("'", '"') + "' hi" if magic.endswith("'") else value
    run(f"{magic}{value}")
    run("%chat hi")
    for request in sandbox.received:
        assert KEY not in json.dumps(request.body)
    assert "(the API key)" in "".join(json.dumps(r.body) for r in sandbox.received)
    assert KEY not in capsys.readouterr().out


@pytest.mark.parametrize("attached", ["dict(os.environ)", "os.environ"])
def test_so_does_what_is_attached(run, sandbox, capsys, attached):
    run("import os\nfrom xcyq_magic import Chat, compare")
    run(f"%chat -a {attached} hi")
    run(f"Chat()('hi', {attached})")
    run(f"compare('gpt-5.5 gpt-5.4', 'hi', {attached})")
    run(f"%chat --dry-run -a {attached} hi")
    assert len(sandbox.received) == 4
    for request in sandbox.received:
        assert KEY not in json.dumps(request.body)
        assert "(the API key)" in json.dumps(request.body)
    assert KEY not in capsys.readouterr().out


def test_what_is_typed_stays_as_it_is(run, sandbox):
    run(f"%chat -s 'About {KEY}' Is {KEY} a good name?")
    assert texts(sandbox).count(KEY) == 2
    run(f"%%chat --raw\n{KEY} {{{{ x }}}}")
    assert f"{KEY} {{{{ x }}}}" in texts(sandbox)


FAILURES = {
    "an assignment": f"import os\nos.environ['XCYQ_API_KEY'] = '{LONG}'\n1 / 0",
    "a message": "import os\nraise ValueError(dict(os.environ))",
    "a long message": "import os\nraise ValueError(' ' * {} + os.environ['XCYQ_API_KEY'] + ' ' * 9000)",
    "a function": "import os\ndef f(key='{}'):\n    return 1 / 0\nf()",
    "a string that is not closed": f"os.environ['XCYQ_API_KEY'] = '{LONG}",
    "another one": f'os.environ["XCYQ_API_KEY"]="{LONG}"; f(',
    "a magic that is none": f"%env XCYQ_API_KEY={LONG}\n1 / 0",
    "a dict": f"env = {{'XCYQ_API_KEY': '{LONG}'}}\n1 / 0",
    "an argument": f"os.environ.setdefault('XCYQ_API_KEY', '{LONG}')",
}


@pytest.mark.parametrize("cell", FAILURES.values(), ids=FAILURES)
def test_a_failure_goes_without_the_key(run, shell, sandbox, capsys, cell):
    assert not shell.run_cell(cell.replace("{}", KEY if "key=" in cell else "2600"), store_history=True).success
    os.environ["XCYQ_API_KEY"] = KEY  # for the sandbox; the fixture puts it back
    capsys.readouterr()
    run("%chat_error --dry-run")
    run("%chat_error")
    sent = texts(sandbox) + capsys.readouterr().out
    assert KEY not in sent
    assert LONG[: SHOWN + 1] not in sent
    assert LONG[-SHOWN - 1 :] not in sent


def test_code_that_asks_for_the_key_is_told_as_it_is(run, shell, sandbox):
    cell = "os.environ['XCYQ_API_KEY'] = getpass.getpass('key')  # XCYQ_API_KEY = None\nx == XCYQ_API_KEY"
    assert not shell.run_cell(cell, store_history=True).success
    run("%chat_error")
    assert cell in sandbox.received[-1].body["messages"][-1]["content"]


# A value is cut to length as text; the key must not show because it was cut, too.


@pytest.fixture
def gateway(monkeypatch):
    """A shell whose key is a long one, and what its gateway received."""
    server = RawServer([Answer(http(delta("ok", "stop") + DONE, kind="text/event-stream"))])
    monkeypatch.setenv("XCYQ_BASE_URL", server.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", LONG)
    with shell_of() as shell:
        load_ipython_extension(shell)
        shell.run_cell("import os, numpy as np, pandas as pd\nkey = os.environ['XCYQ_API_KEY']").raise_error()
        yield shell, server
        unload_ipython_extension(shell)
    server.close()


CUT = [
    "pd.DataFrame({'name': ['a'] * 9, 'value': [key] * 9})",
    "pd.Series([key] * 9)",
    "[[key] * 9] * 3000",
    "['x' * n + key for n in range(900, 1100, 8)]",
    "{'a': 'x' * 950 + key + 'y' * 9000}",
    "ValueError('x' * 2600 + key + 'y' * 9000)",
    "ValueError('x' * 9000 + key + 'y' * 1250)",
    "[pd.DataFrame({key: [1]})]",
]


@pytest.mark.parametrize("value", CUT)
def test_a_piece_of_the_key_that_a_cut_left_is_hidden(gateway, value):
    shell, server = gateway
    shell.run_cell(f"%chat what is {{{{ {value} }}}}?").raise_error()
    sent = server.requests[-1].body.decode()
    pieces = [LONG[n : n + SHOWN + 1] for n in range(len(LONG) - SHOWN)]
    assert [p for p in pieces if p in sent] == []


# Whichever key it is


def test_the_entered_key_and_that_of_a_file_are_hidden_and_in_the_sandbox_as_well(
    run, sandbox, monkeypatch, tmp_path, capsys
):
    entered, in_file = f"entered-{KEY}", f"filed-{KEY}"
    (tmp_path / ".env").write_text(f"XCYQ_API_KEY={in_file}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("getpass.getpass", lambda _: entered)
    run("%chat_key")
    run("%chat_sandbox")
    run(f"keys = ['{entered}', '{in_file}', '{KEY}']")
    run("%chat what are {{ keys }}?")
    shown = capsys.readouterr().out
    assert "(the API key)" in shown
    assert KEY not in shown


def held(run, shell, capsys) -> str:
    """All that is shown of rows and of a comparison over cases that hold the key, and what is refused of them."""
    frame = pd.DataFrame({"text": [f"it is {KEY}", "b"], KEY: [1, 2], "list": [[{"k": (KEY,)}], []]}, index=[KEY, "x"])
    shell.push({"df": frame, "pairs": {"one": KEY}, "says": lambda *_: KEY, "fails": lambda *_: {}[KEY]})
    for line in ("chat --each df", "chat --each pairs", "compare gpt-5.5 gpt-5.5-low --each df --check says",
                 "compare gpt-5.5 gpt-5.5-low --each df --check fails"):  # fmt: skip
        run(f"%%{line}\nabout {{{{ row }}}}")
    shown = [capsys.readouterr().out, str(shell.user_ns["_rows"][0]), str(shell.user_ns["_comparison"].to_frame())]
    for prompt in ("{{ row.txt }}", "{{ 1 / 0 }}"):
        with pytest.raises(ExpressionError) as refused:
            run(f"%%chat --each df\n{prompt}")
        shown.append(str(refused.value))
    return "\n".join(shown)


def test_the_key_is_not_shown_of_a_row_that_holds_it(run, shell, capsys):
    shown = held(run, shell, capsys)
    assert "it is (the API key)" in shown
    assert KEY[:SHOWN] not in shown
    assert [*shell.user_ns["_comparison"]["gpt-5.5"].to_frame().index] == [KEY, "x"]  # it still joins
