"""What a terminal shows of many rows."""

from __future__ import annotations

from xcyq_magic.chat.rows import Rows

ECHO = "sandbox: first 0\nsandbox: pace 5000 20\nsandbox: echo\n"


def test_the_table_stands_below_the_line_before(run, shell, capsys):
    refusal = "{{ 'sandbox: status 400' if row == 'a' else '' }}"
    shell.user_ns["words"] = ["a", "b|c"]
    run(f"%%chat --each words\n{ECHO}{refusal}\n**Say** \x1b[31m{{{{ row }}}}")
    first, caption, _, head, ruler, failed, answered, *below = capsys.readouterr().out.splitlines()
    assert first.startswith("2 rows · about ")
    assert caption.startswith("[claude-sonnet-4-6 · 2 rows · 1 failed · ")
    assert head.split() == ["row", "case", "reply"]
    assert set(ruler) == {"-", " "}
    assert failed.split()[:4] == ["0", "a", "⚠", "failed"]
    assert answered.split() == ["1", "b|c", "Say", "[31mb|c"]
    assert below[-1] == "[1 row without a complete answer: run the cell again, and only these are asked.]"
    assert isinstance(shell.user_ns["_rows"], Rows)


def test_run_again_says_what_was_answered_before(run, shell, sandbox, capsys):
    shell.user_ns["words"] = ["a", "b", "a"]
    cell = f"%%chat --each words\n{ECHO}Say {{{{ row }}}}"
    run(cell)
    assert " · 3 rows · " in capsys.readouterr().out
    run(cell)
    said = capsys.readouterr().out
    assert "[claude-sonnet-4-6 · 3 rows · 3 answered before · " in said
    assert "tokens" not in said.partition("[")[2]
    assert len(sandbox.received) == 2


def test_ipython_shows_rows_as_their_cell_showed_them(run, shell):
    run(f"%%chat --each [1,2]\n{ECHO}Say {{{{ row }}}}")
    data, _ = shell.display_formatter.format(shell.user_ns["_rows"])
    assert set(data) == {"text/html", "text/plain"}
    assert "Say 2</td>" in data["text/html"]
    assert "1    2     Say 2" in data["text/plain"]
