"""What is typed below the first line of a cell is the prompt, also where IPython takes it for code with prompts."""

from __future__ import annotations

import json

import pytest
from IPython.core.inputtransformer2 import classic_prompt, ipython_prompt, leading_indent
from shells import shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.errors import ExpressionError, InputError

BODIES = [
    ">>> x = [1]\n>>> x[0]\n1\nWhy?",
    "What does this print?\n```\n>>> 1/3\n```",
    "In [1]: df.head()\nWhy is it empty?",
    "In [2]: x\n   ...: y\nOut[2]: 3",
    "In [3]:",
    "... and then\n... what?",
    "As the docs have it:\n    >>> f(1)\n    ... g(2)\n    2",
    "    >>> only\n    ... this",
    "'''\n>>> x\n'''",
    "a\n   \n\t\nb",
    "    indented\n      more",
    "x = 1\n        \n    y",
]


def prompt(sandbox) -> str:
    return sandbox.received[-1].body["messages"][-1]["content"]


@pytest.mark.parametrize(
    "line", ["%%chat", "%%chat --raw", "%%chat -m gpt-5.5 --once", "\n  \n%%chat", "%%capture\n%%chat"]
)
@pytest.mark.parametrize("body", BODIES)
def test_a_prompt_is_sent_as_it_is_typed(run, sandbox, line, body):
    run(f"{line}\n{body}")
    assert prompt(sandbox) == body


@pytest.mark.parametrize("body", BODIES)
def test_so_is_that_of_a_comparison_and_a_system_prompt(run, sandbox, body):
    run(f"%%compare gpt-5.5 gpt-5.4\n{body}")
    assert [r.body["messages"][-1]["content"] for r in sandbox.received] == [body, body]
    run(f"%%chat_system\n{body}")
    run("%chat hi")
    assert sandbox.received[-1].body["messages"][0] == {"role": "system", "content": body.strip()}


@pytest.mark.parametrize("body", ["\n\nWhy?\n\n", " \n\t\n  Why?  \n \n", "\n  a\n\n\n  b\n", "\r\nWhy?"])
def test_blank_lines_around_a_prompt_are_not_meant_unless_it_is_sent_raw(run, sandbox, body):
    run(f"%%chat --once\n{body}\n")
    first, last = (next(line for line in lines if line.strip()) for lines in (body.split("\n"), body.split("\n")[::-1]))
    sent = prompt(sandbox)
    assert (sent.split("\n")[0], sent.split("\n")[-1]) == (first, last)
    assert sent in body
    run(f"%%chat --once --raw\n{body}\n")
    assert prompt(sandbox) == body


@pytest.mark.parametrize("body", ["\n\nWhy?", "Why?\n", "Why?\n\n", "\n{{ x }}\n", " \nWhy?", "Why?\n "])
@pytest.mark.filterwarnings("ignore:.* goes in as text")
def test_a_saved_notebook_asks_with_the_blank_lines_that_a_call_had(run, sandbox, tmp_path, body):
    run(f"from xcyq_magic import Chat; Chat(conversation='main')({body!r})")
    run(f"%chat_save {tmp_path / 'saved.ipynb'}")
    run("%chat_reset")
    for cell in json.loads((tmp_path / "saved.ipynb").read_text())["cells"]:
        run(cell["source"])
    assert [prompt(sandbox), len(sandbox.received)] == [body, 2]


@pytest.mark.parametrize("body", BODIES)
def test_a_notebook_that_was_saved_asks_it_again(run, sandbox, tmp_path, body):
    run(f"%%chat\n{body}")
    run(f"%chat_save {tmp_path / 'saved.ipynb'}")
    run("%chat_reset")
    for cell in json.loads((tmp_path / "saved.ipynb").read_text())["cells"]:
        run(cell["source"])
    assert [prompt(sandbox), len(sandbox.received)] == [body, 2]


PASTED = [
    "In [1]: %%chat\n   ...: Why?",
    ">>> %%chat\n... Why?",
    "    %%chat\n    Why?",
    "In [1]: %chat Why?",
    ">>> %chat Why?",
]


@pytest.mark.parametrize("cell", PASTED)
def test_a_cell_that_was_pasted_with_its_prompts_is_read_as_before(run, sandbox, cell):
    run(cell)
    assert prompt(sandbox) == "Why?"


OTHERS = [">>> x = 1\n>>> x", "In [1]: x = 1\nIn [2]: x", "%%capture\n>>> x = 1", "%%chatty\n>>> x = 1", "  x = 1\n  x"]


@pytest.mark.parametrize("cell", OTHERS)
def test_all_other_cells_are_read_as_they_were(bare_shell, cell):
    manager = bare_shell.input_transformer_manager
    before = manager.transform_cell(cell)
    load_ipython_extension(bare_shell)
    assert manager.transform_cell(cell) == before
    unload_ipython_extension(bare_shell)
    assert manager.transform_cell(cell) == before


def test_what_others_put_there_goes_on_working_and_stays_when_it_is_unloaded(bare_shell, sandbox, monkeypatch):
    def earlier(lines):
        return [line.replace("ONE", "two") for line in lines]

    def later(lines):
        return [line.replace("TWO", "three") for line in lines]

    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", "sandbox-test-key")
    cleanup = bare_shell.input_transformer_manager.cleanup_transforms
    own = list(cleanup)
    cleanup.insert(0, earlier)
    load_ipython_extension(bare_shell)
    cleanup.append(later)
    cleanup.remove(ipython_prompt)  # as some do, who never want it
    bare_shell.run_cell("%%chat\n>>> ONE TWO").raise_error()
    assert prompt(sandbox) == ">>> two three"
    unload_ipython_extension(bare_shell)
    kept = [t for t in own if t is not ipython_prompt]
    assert [id(t) for t in cleanup] == [id(t) for t in (earlier, *kept, later)]
    assert classic_prompt in cleanup
    assert leading_indent in cleanup


def test_a_shell_whose_strippers_were_taken_away_is_no_trouble(sandbox, monkeypatch):
    with shell_of() as bare:
        bare.input_transformer_manager.cleanup_transforms = []
        load_ipython_extension(bare)
        with pytest.raises(InputError):
            bare.run_cell("%%chat").raise_error()
        unload_ipython_extension(bare)
        assert bare.input_transformer_manager.cleanup_transforms == []


QUESTIONS = {
    "%chat why?": "why?",
    "x = %chat why?": "why?",
    "x = y = %chat is it 50% of [it?": "is it 50% of [it?",
    "d = {}\nd['a=b'] = %chat why??": "why??",
    "for _ in range(1):\n    x = %chat why?": "why?",
    "chat why is x == 1?": "why is x == 1?",
    "%ask why?": "why?",
    "x = %ask why?": "why?",
    "ask why?": "why?",
}


@pytest.mark.parametrize("cell", QUESTIONS)
def test_a_question_is_a_prompt_however_the_magic_is_called(run, sandbox, cell):
    run("%alias_magic -l ask chat")
    run(cell)
    assert [prompt(sandbox), len(sandbox.received)] == [QUESTIONS[cell], 1]


NO_QUESTIONS = [
    *("%chat?", "%chat??", "chat?", "x = 1\nx?", "x = 5 % chat_count?", "%ask?", "len why?"),
    *('"""\nx = %chat why?\n"""', "# x = %chat why?", "chat = 1\nchat?"),
]


@pytest.mark.parametrize("cell", NO_QUESTIONS)
def test_what_is_no_question_to_a_model_sends_nothing(shell, sandbox, cell):
    shell.run_cell("%alias_magic -l ask chat")
    shell.run_cell(cell)
    assert sandbox.received == []


def test_a_variable_of_the_magics_name_is_not_taken_for_it(shell, sandbox):
    shell.run_cell("chat = [1]")
    shell.run_cell("chat why?")
    shell.run_cell("chat [0]")
    assert sandbox.received == []


@pytest.mark.parametrize("above", ["# why", "# one\n# two\n", "\n# one\n\n"])
@pytest.mark.parametrize("line", ["%%chat", "%%chat -m gpt-5.5", "%%compare gpt-5.5 gpt-5.4", "%%chat_system"])
def test_a_magic_below_a_comment_says_so(run, sandbox, above, line):
    with pytest.raises(InputError, match=f"^{line.split()[0]} must be the first line") as raised:
        run(f"{above}\n{line}\nHello")
    assert "cell of its own" in raised.value.hint
    assert sandbox.received == []


def test_what_stands_in_a_string_is_below_no_comment(run, sandbox):
    run('# one\ntext = """\n%%chat\n"""')
    assert sandbox.received == []


# Expressions see the names of the function that calls the magic

SHADOWED = """
name, value = "the notebook's", 1
def ask(name):
    value = 2
    %chat {{ name }} {{ value }} {{ [n for n in [value]] }}
ask("mine")
"""
SYSTEM = """
def system(role):
    %chat_system Be {{ role }}.
role = "rude"
system("kind")
%chat {{ name }} {{ value }}
"""


def test_expressions_see_the_names_of_the_function_that_calls(run, sandbox):
    run(SHADOWED)
    assert prompt(sandbox) == "mine 2 [2]"
    run(SYSTEM)
    assert sandbox.received[-1].body["messages"][0]["content"] == "Be kind."
    assert prompt(sandbox) == "the notebook's 1"


def test_so_does_what_is_attached(run, sandbox):
    run("def ask(table):\n    %chat -a table what is it?\nask([1, 'a local one'])")
    assert "a local one" in prompt(sandbox)
    run("def ask(row):\n    get_ipython().run_line_magic('chat', '{{ row * factor }}')\nfactor = 3\nask(7)")
    assert prompt(sandbox) == "21"


def test_a_name_that_is_nearly_one_of_the_function_is_told(run, sandbox):
    with pytest.raises(ExpressionError, match="factr") as raised:
        run("def ask(factor):\n    %chat {{ factr }}\nask(1)")
    assert "Did you mean factor?" in raised.value.hint
    assert sandbox.received == []
