"""`%chat_error`: the last exception goes to a model when the user asks, and not before."""

from __future__ import annotations

import sys

import pytest
from shells import shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.errors import InputError, RateLimitError

FAILING = """\
weights = [1, 2, 0]
secret = "the value of a variable"
def share(weight):
    return 1 / weight
[share(w) for w in weights]"""


@pytest.fixture(autouse=True)
def _nothing_failed_before(monkeypatch):
    for name in ("last_exc", "last_value", "last_type", "last_traceback"):
        monkeypatch.delattr(sys, name, raising=False)


@pytest.fixture
def fail(shell):
    """Run a cell that fails."""

    def run_failing(code: str):
        assert not shell.run_cell(code, store_history=True).success

    return run_failing


def sent(sandbox) -> str:
    return sandbox.received[-1].body["messages"][-1]["content"]


def test_the_exception_goes_with_its_cell_and_its_traceback(run, fail, sandbox):
    fail(FAILING)
    run("%chat_error")
    text = sent(sandbox)
    assert f"This cell of a notebook failed:\n\n```python\n{FAILING}\n```" in text
    assert "->    4     return 1 / weight" in text
    assert "ZeroDivisionError: division by zero" in text
    assert text.endswith("What went wrong, and how do I fix it?")
    assert "interactiveshell" not in text


@pytest.mark.parametrize(
    "cell",
    [
        "%compare gpt-5.5 gpt-5.4",
        "numbers = []\n%timeit -n1 -r1 numbers[0]",
        "!true\nnumbers = !echo 1\nnumbers[3]",
        "%%time\nnumbers = []\nnumbers[0]",
        "for n in range(2):\n    %no_such_magic {n}",
        "x = %no_such_magic 1",
        "numbers = []\n%chat_model gpt-5.5\nnumbers[0]",
        "%%no_such_magic\n1",
        "1 +",
    ],
)
def test_the_cell_is_sent_as_it_was_typed(run, fail, sandbox, cell):
    fail(f"\n\n{cell}\n")
    run("%chat_error")
    assert f"This cell of a notebook failed:\n\n```python\n{cell}\n```" in sent(sandbox)


def test_a_failure_alone_sends_nothing(run, fail, sandbox):
    fail(FAILING)
    run("%chat Hello")
    assert "ZeroDivisionError" not in str(sandbox.received[-1].body)


def test_what_is_sent_is_shown_before(run, fail, sandbox, capsys):
    fail(FAILING)
    capsys.readouterr()
    run("%chat_error --no-stream Why?")
    shown = capsys.readouterr().out
    assert shown.startswith(f"[The last error, as it is sent]\n\n{sent(sandbox).removesuffix(chr(10) * 2 + 'Why?')}")


def test_a_dry_run_shows_the_request_and_sends_nothing(run, fail, sandbox, capsys):
    fail(FAILING)
    capsys.readouterr()
    run("%chat_error --dry-run")
    assert "return 1 / weight" in capsys.readouterr().out
    assert sandbox.received == []


def test_the_options_and_the_question_are_those_of_a_turn(run, fail, sandbox, shell):
    fail(FAILING)
    run("%chat_error -m gpt-5.5 -o answer why is {{ weights[2] }} no weight?")
    assert sandbox.received[-1].body["model"] == "gpt-5.5"
    assert sent(sandbox).endswith("why is 0 no weight?")
    assert shell.user_ns["answer"] is shell.user_ns["_reply"]
    run("%chat and now?")
    assert len(sandbox.received[-1].body["messages"]) == 3


def test_braces_in_the_failure_are_no_expressions(run, fail, sandbox):
    fail("raise ValueError('{{ secret }} ``` {x}')")
    run("%chat_error")
    assert "{{ secret }} ``` {x}" in sent(sandbox)
    assert "````\n" in sent(sandbox)


def test_a_syntax_error_has_its_cell(run, fail, sandbox):
    fail("x = 1\ndef f(:\n    pass")
    run("%chat_error")
    assert "```python\nx = 1\ndef f(:\n    pass\n```" in sent(sandbox)
    assert "SyntaxError" in sent(sandbox)


def test_a_long_failure_is_shortened(run, fail, sandbox):
    fail("raise ValueError('a long message ' * 900)\n" + "# a long comment\n" * 900)
    run("%chat_error")
    assert "ValueError: a long message" in sent(sandbox)
    assert len(sent(sandbox)) < 9000
    assert "left out" in sent(sandbox)


def test_a_failure_of_ours_is_passed_over_and_that_is_said(run, fail, sandbox, capsys):
    later = "A later error, RateLimitError, is xcyq_magic's own, and is not sent."
    fail(FAILING)
    run("%chat_error")
    assert later not in capsys.readouterr().out
    fail("%%chat\nsandbox: status 429 9\nsandbox: retry-after 0")
    run("%chat_error")
    assert "ZeroDivisionError" in sent(sandbox)
    assert later in capsys.readouterr().out
    fail(FAILING)
    run("%chat_error")
    assert later not in capsys.readouterr().out


@pytest.mark.parametrize("typo", ["%chat_eror", "%%chat_error\nWhy?", "%chta_error", "%compar a b"])
def test_a_mistyped_magic_of_ours_is_no_failure_to_ask_about(run, fail, sandbox, typo):
    fail(FAILING)
    fail(typo)
    run("%chat_error")
    assert "ZeroDivisionError" in sent(sandbox)
    assert typo not in sent(sandbox)


def test_where_only_ours_failed_it_says_what_to_do_instead(run, fail, sandbox):
    fail("%%chat\nsandbox: status 401")
    count = len(sandbox.received)
    with pytest.raises(InputError, match="AuthenticationError, comes from xcyq_magic itself") as raised:
        run("%chat_error")
    assert raised.value.hint
    assert len(sandbox.received) == count


def test_where_nothing_failed_it_says_so(run, sandbox):
    with pytest.raises(InputError, match="No cell has failed yet"):
        run("%chat_error")
    assert sandbox.received == []


def test_a_failure_before_the_extension_was_loaded_is_found(sandbox, monkeypatch):
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", "sandbox-test-key")
    with shell_of() as bare:
        bare.run_cell(FAILING)
        load_ipython_extension(bare)
        bare.run_cell("%chat_error").raise_error()
        unload_ipython_extension(bare)
    assert "return 1 / weight" in sent(sandbox)


def test_a_model_that_cannot_answer_fails_as_in_any_turn(run, fail):
    fail(FAILING)
    with pytest.raises(RateLimitError):
        run("%chat_error sandbox: status 429 9")


OTHERS = {
    "a script": ("%run {script}", "ValueError: of the script"),
    "a traceback that is shown": (
        "try:\n    {{}}['lost']\nexcept KeyError:\n    get_ipython().showtraceback()",
        "KeyError: 'lost'",
    ),
    "a thread": (
        "import threading\nt = threading.Thread(target=lambda: open('/nowhere'))\nt.start()\nt.join()",
        "No such file or directory",
    ),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("same_cell", [False, True])
def test_the_last_error_is_the_one_that_was_shown_last(shell, sandbox, tmp_path, other, same_cell):
    script = tmp_path / "script.py"
    script.write_text("raise ValueError('of the script')\n")
    shell.run_cell("1 / 0", store_history=True)
    code, said = OTHERS[other]
    code = code.format(script=script)
    for cell in [f"{code}\n%chat_error"] if same_cell else [code, "%chat_error"]:
        shell.run_cell(cell, store_history=True)
    text = sent(sandbox)
    assert said in text
    assert "ZeroDivisionError" not in text
    shell.run_cell("undefined", store_history=True)
    shell.run_cell("%chat_error", store_history=True)
    assert "NameError" in sent(sandbox)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there are no groups before")
def test_a_group_has_its_exceptions(run, fail, sandbox):
    fail(
        "def f(n):\n    try:\n        [][n]\n    except IndexError as e:\n        return e\n"
        "raise ExceptionGroup('both', [f(1), ExceptionGroup('inner', [f(2), ValueError('deep')])])"
    )
    run("%chat_error")
    text = sent(sandbox)
    assert "ExceptionGroup: both (2 sub-exceptions)" in text
    assert text.count("IndexError: list index out of range") == 2
    assert "->    3         [][n]" in text
    assert "ValueError: deep" in text


@pytest.mark.parametrize("cell", ["%%bash\nexit 3\n", "%%time\nnumbers = []\nnumbers[3]\n"])
def test_a_cell_magic_stands_there_as_it_was_typed(run, fail, sandbox, shell, cell):
    unload_ipython_extension(shell)  # nobody notes what is typed
    fail(cell)
    load_ipython_extension(shell)
    run("%chat_error")
    text = sent(sandbox)
    assert "run_cell_magic" not in text
    assert f"```python\n{cell}```" in text
