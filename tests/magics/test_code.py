"""`%chat_code` and `--code`: which code of a reply goes into the next cell."""

from __future__ import annotations

import pytest

from xcyq_magic.errors import InputError, OptionError

MIXED = """Install it:
```bash
pip install numpy
```
Then:
```python
import numpy as np
```
1. In a list:
   ```py
   x = np.ones(3)

   y = x.sum()
   ```
It prints
```
3.0
```
"""


@pytest.fixture
def next_cell(shell, run):
    """Run a cell; returns what it offers as the next one."""

    def run_cell(code: str):
        shell.rl_next_input = None
        run(code)
        return shell.rl_next_input

    return run_cell


def echo(markdown: str, options: str = "") -> str:
    return f"%%chat {options}\nsandbox: echo\n{markdown}"


def test_all_python_blocks_are_joined_and_the_others_are_named(next_cell, capsys):
    assert next_cell(echo(MIXED, "--code")) == "import numpy as np\n\nx = np.ones(3)\n\ny = x.sum()"
    assert next_cell("%chat_code") == "import numpy as np\n\nx = np.ones(3)\n\ny = x.sum()"
    said = capsys.readouterr().out
    assert said.count("2 Python blocks of the reply, in the next cell.") == 2
    assert "Left out: block 1 is bash, block 4 is text." in said


def test_a_block_is_chosen_by_its_place_in_the_reply(next_cell):
    next_cell(echo(MIXED))
    assert next_cell("%chat_code 3") == "x = np.ones(3)\n\ny = x.sum()"


@pytest.mark.parametrize(
    ("reply", "line", "error", "words"),
    [
        (MIXED, "%chat_code 1", InputError, "no Python code: block 1 is bash"),
        (MIXED, "%chat_code 5", InputError, "has 4 code blocks, so there is no block 5"),
        (MIXED, "%chat_code all", OptionError, "takes the number of a block"),
        ("No code at all.", "%chat_code", InputError, "it has no block of code"),
        ("```rust\nfn main() {}\n```", "%chat_code", InputError, "block 1 is rust"),
    ],
)
def test_what_is_not_there_is_said(next_cell, reply, line, error, words):
    next_cell(echo(reply))
    with pytest.raises(error) as raised:
        next_cell(line)
    assert words in str(raised.value)


def test_before_any_reply_it_says_so(run):
    with pytest.raises(InputError, match="no reply yet"):
        run("%chat_code")


def test_a_reply_without_code_does_not_fail_the_turn(next_cell, shell, capsys):
    assert next_cell(echo("No code.", "--code")) is None
    assert "has no Python code" in capsys.readouterr().out
    assert shell.user_ns["_reply"].text == "No code."


@pytest.mark.parametrize(
    ("language", "code", "taken"),
    [
        ("Python", "x", True),
        ("py3", "x", True),
        ("ipython", "%timeit f()", True),
        ('python title="a.py"', "x", True),
        ("", "x = 1", True),
        ("", "print(x)", True),
        ("", "def f():\n    return 1", True),
        ("", "x: int = 2", True),
        ("", "3.0", False),
        ("", "data.csv", False),
        ("", "a, b", False),
        ("", "$ pip install numpy", False),
        ("", "x: int", False),
        ("", "\0", False),
        ("text", "x = 1", False),
        ("pycon", ">>> x = 1", False),
    ],
)
def test_what_counts_as_python(language, code, taken):
    from xcyq_magic.chat.completion import code_blocks

    (block,) = code_blocks(f"```{language}\n{code}\n```")
    assert block.is_python is taken
