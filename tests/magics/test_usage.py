"""``%chat_usage``, against what the sandbox counted."""

from __future__ import annotations

import pandas as pd
import pytest
from kernels import KEY
from shells import shell_of

from xcyq_magic import errors, load_ipython_extension, unload_ipython_extension

FAST = "sandbox: first 0\nsandbox: echo\n"


@pytest.fixture
def shown(run, capsys):
    def show(line: str) -> str:
        capsys.readouterr()
        run(line)
        return capsys.readouterr().out

    return show


def session_of(shell):
    return shell.magics_manager.registry["xcyq_magic"].context.session


def cells(text: str) -> list[list[str]]:
    """The rows of the table in what was printed."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|-")]
    return [[c.strip() for c in line.strip("|").split("|")] for line in lines]


def test_by_model_and_in_all_and_as_a_table_for_pandas(run, shell, shown):
    run("%config GatewaySettings.prices = {'gpt-*': (1_000_000, 2_000_000)}")
    for model in ("gpt-5.5", "gpt-5.5", "claude-opus-4-7"):
        run(f"%%chat -m {model}\n{FAST}Hello")
    head, *rows = cells(shown("%chat_usage -o spent"))
    assert head == ["this notebook", "requests", "tokens in", "tokens out", "time", "first token", "cost"]
    usages = [t.completion.usage for t in session_of(shell).conversation().turns]
    gpt = usages[:2]
    by_name = {row[0]: row for row in rows}
    assert list(by_name)[-1] == "in all"
    tokens_in, tokens_out = sum(u.prompt_tokens for u in gpt), sum(u.completion_tokens for u in gpt)
    assert by_name["gpt-5.5"][1:4] == ["2", f"{tokens_in:,}", f"{tokens_out:,}"]
    assert float(by_name["gpt-5.5"][-1]) == tokens_in + 2 * tokens_out
    assert by_name["claude-opus-4-7"][-1] == ""
    assert by_name["in all"][1] == "3"
    frame = shell.user_ns["spent"].to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame.requests.to_dict() == {"gpt-5.5": 2, "claude-opus-4-7": 1}
    html = shell.display_formatter.format(shell.user_ns["spent"])[0]["text/html"]
    assert html.count('class="xcyq-bar"') == 2 * 5 + 1  # requests, tokens, seconds of each; one cost
    assert "leaves out claude-opus-4-7" in html


def test_all_that_was_asked_counts_also_where_it_was_taken_back(run, shell, sandbox, shown):
    run(f"%%chat\n{FAST}one")
    run(f"%%chat\n{FAST}two")
    run("%chat_undo")
    run(f"%%chat --once\n{FAST}three")
    run("%chat_retry")
    run(f"%%compare gpt-5.5 gpt-5.4 --judge gpt-5.5-low\n{FAST}four")
    run(f"%%chat --each ['a','b','a']\n{FAST}{{{{ row }}}}")
    run(f"%%chat --each ['a','b','a']\n{FAST}{{{{ row }}}}")  # from the store
    run("%chat_switch again --fork")  # with the same turns
    run("%chat_usage --by kind -o spent")
    kinds = {row.name: row.requests for row in shell.user_ns["spent"].rows}
    assert kinds == {"turn": 3, "once": 1, "column": 2, "judge": 1, "row": 2}
    run("%chat_reset")
    kept = cells(shown("%chat_usage --all"))[-1]
    assert kept[1] == "9"
    unload_ipython_extension(shell)
    with shell_of() as later:  # another kernel, another day
        load_ipython_extension(later)
        later.run_cell("%chat_usage --all -o spent").raise_error()
        total = later.user_ns["spent"].total
        assert [str(total.requests), f"{total.prompt_tokens:,}", f"{total.completion_tokens:,}"] == kept[1:4]
        later.run_cell("%chat_usage -o spent").raise_error()
        assert later.user_ns["spent"].rows == ()
        unload_ipython_extension(later)


def test_who_answered_is_said_where_it_is_not_the_model_that_was_asked(run, shell, shown):
    run(f"%%chat -m gpt-5.4\n{FAST}one")
    run(f"%%chat -m gpt-5.5\n{FAST}sandbox: model gpt-5.5-low\ntwo")
    listed = shown("%chat_history").split("\n")
    assert "gpt-5.5, answered by gpt-5.5-low" in listed[3]
    assert "answered by" not in listed[2]
    for line in ("%chat_usage -o spent", "%chat_usage --all"):
        assert [row[0] for row in cells(shown(line))][1:] == [
            "gpt-5.5, answered by gpt-5.5-low",
            "gpt-5.4",
            "in all",
        ]
    run(f"%%chat -m gpt-5.5\n{FAST}three")
    for line in ("%chat_usage -o spent", "%chat_usage --all"):
        names = [row[0] for row in cells(shown(line))]
        assert "gpt-5.5, answered by gpt-5.5 and gpt-5.5-low" in names
    frame = shell.user_ns["spent"].to_frame()
    assert frame.answered_by.to_dict() == {"gpt-5.5": "gpt-5.5, gpt-5.5-low", "gpt-5.4": "gpt-5.4"}


def test_what_the_gateway_did_not_count_is_said(run, shown):
    run(f"%%chat\n{FAST}one")
    with pytest.raises(errors.IncompleteReplyError):
        run("%%chat\nsandbox: drop 100\nsandbox: markdown 2000")
    said = shown("%chat_usage")
    assert "1 of 2 requests" in said
    assert "GatewaySettings.prices" in said


def test_nothing_is_spent_before_the_first_turn(shown):
    assert "Nothing was answered" in shown("%chat_usage")
    assert "%chat_usage --all counts" in shown("%chat_usage")
    assert shown("%chat_usage --all").strip() == "Nothing was answered yet, so nothing was spent."


@pytest.mark.parametrize("prices", ["{}", "{'gpt-*': (1, 2)}"])
@pytest.mark.parametrize("line", ["%chat_usage -o spent", "%chat_usage --all -o spent"])
def test_a_report_on_nothing_shows_itself(run, shell, shown, line, prices):
    run(f"%config GatewaySettings.prices = {prices}")
    run(line)
    shown_as, _ = shell.display_formatter.format(shell.user_ns["spent"])
    assert "Nothing was answered yet" in shown_as["text/html"]
    assert "Nothing was answered yet" in shown("spent")


@pytest.mark.parametrize("line", ["%chat_usage main", "%chat_usage -o 1", "%chat_usage --al", "%chat_usage --by week"])
def test_what_cannot_be_is_said_in_a_line_or_two(run, line):
    with pytest.raises(errors.OptionError) as e:
        run(line)
    assert e.value.hint


def test_a_store_that_fails_leaves_what_is_in_memory(run, shell, shown, tmp_path):
    run(f"%%chat\n{FAST}one")
    run(f"%config ChatSettings.store = '{tmp_path}/store'")
    (tmp_path / "store").mkdir()  # a folder is no file
    said = shown("%chat_usage --all")
    assert cells(said)[1][1] == "1"
    assert str(tmp_path) in said
    assert KEY not in said


def test_nobody_takes_the_prices_of_a_hint_for_real_ones(run, capsys):
    run("%chat -m gpt-5.5 Hi")
    run("%chat_usage")
    hint = 'your prices for a million tokens in and out: %config GatewaySettings.prices = {"gpt-5.5": (IN, OUT)}'
    assert hint in capsys.readouterr().out
    run("%config GatewaySettings")
    help_ = " ".join(capsys.readouterr().out.split())
    assert "Your prices for a million tokens, in your currency, by model or pattern" in help_
    assert "{'gpt-5.5*': (IN, OUT, CACHED)}" in help_


def test_what_the_sandbox_would_cost_counts_in_the_sandbox_alone(run, sandbox, shown):
    run("%config GatewaySettings.prices = {'*': (1_000_000, 0)}")
    run("%config ChatSettings.budget = 150")
    run("%chat_sandbox")
    run(f"%%chat\n{FAST}{'word ' * 80}")
    offline = shown("%chat_usage")
    head, *_, total = cells(offline)
    assert head[0] == "this notebook, in the sandbox"
    assert float(total[-1]) > 75
    with pytest.raises(errors.BudgetError):
        run(f"%%chat\n{FAST}{'word ' * 80}")
    run("%chat_sandbox off")
    assert cells(shown("%chat_usage")) == []
    run(f"%%chat --once\n{FAST}Hello")  # is not refused: nothing was spent
    assert len(sandbox.received) == 1
    head, *_, total = cells(shown("%chat_usage"))
    assert (head[0], total[1]) == ("this notebook", "1")
    run("%chat_sandbox")
    assert cells(shown("%chat_usage")) == cells(offline)


def test_a_budget_that_nothing_counts_towards_is_said_when_it_is_set(run, shown):
    words = "No request counts towards the budget before there are %config GatewaySettings.prices."
    assert words in shown("%config ChatSettings.budget = 5")
    assert words not in shown("%config ChatSettings.budget = None")
    run("%config GatewaySettings.prices = {'*': (1, 2)}")
    assert words not in shown("%config ChatSettings.budget = 6")
