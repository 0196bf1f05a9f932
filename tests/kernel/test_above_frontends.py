"""``--above`` where no page tells which cell asks: the cells in the order in which they ran, which is said.

And in VS Code, which tells ids of cells that are not those of the file.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import sys

import nbformat
import pytest
from kernels import KEY, TRANSPORT, Kernel, run_with_kernel

BY_RUN = "The notebook above this cell, in the order in which its cells ran:"
BY_PAGE = "The notebook above this cell, in the order of the page:"
FAILS = {"tags": ["raises-exception"]}


@pytest.fixture
def environment(sandbox, tmp_path):
    inherited = {"JPY_SESSION_NAME": str(tmp_path / "outer.ipynb")}  # as in a kernel that runs another notebook
    return {**os.environ, "XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY, **inherited}


def sent(sandbox) -> str:
    """The text of the last prompt, its pictures as [picture]."""
    content = sandbox.received[-1].body["messages"][-1]["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return "\n".join(p["text"] if p["type"] == "text" else "[picture]" for p in parts)


def in_order(text: str, *pieces: str) -> bool:
    """Whether each of `pieces` stands in `text`, one after the other."""
    return re.search(".*".join(map(re.escape, pieces)), text, re.DOTALL) is not None


EXECUTED = {  # how, the file that holds the outputs, and a cell that fails where a failure ends nothing
    "jupyter execute": (["jupyter", "execute", "--inplace", "n.ipynb"], "n.ipynb", ("1 / 0", "ZeroDivisionError")),
    "papermill": (["papermill", "--no-progress-bar", "n.ipynb", "o.ipynb"], "o.ipynb", ("print(1 / 1)", "1.0")),
}


@pytest.mark.parametrize("how", EXECUTED)
def test_a_notebook_that_is_executed_sends_what_ran_in_that_order(environment, sandbox, tmp_path, how):
    command, saved, last = EXECUTED[how]
    code, words = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [
        code("before = 1\nprint('before it is loaded')"),
        code("%load_ext xcyq_magic"),
        words("# Words that no kernel hears of"),
        code("import sys\nprint('printed'); print('to stderr', file=sys.stderr)\n'a value'"),
        code("import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()"),
        code(last[0], metadata=FAILS),
        code("%%chat --above\nWhy?"),
        code("%%chat --above 2 --once\nAnd now?"),
        code("after = 1"),
    ]
    kernel = {"name": "python3", "display_name": "Python", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "n.ipynb")
    plots = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    ran = run_with_kernel(*command, env={**environment, **plots}, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    again = sent(sandbox)
    sandbox.received.pop()
    text = sent(sandbox)
    assert text.startswith(BY_RUN)
    value = ["'a value'", "Output:\n```\nprinted\nto stderr\n```", "Output:\n```\n'a value'\n```"]
    assert in_order(text, "In [1]:", "before = 1", "In [3]:", *value, "plt.plot", "[picture]", *last)
    assert "Words" not in text
    assert "after = 1" not in text
    assert again.startswith(f"{BY_RUN}\n\nIn [5]:")  # the question before is no turn of a conversation here
    assert in_order(again, *last, "%%chat --above\nWhy?")
    outputs = nbformat.read(tmp_path / saved, 4).cells[6].outputs
    assert "in the order in which its cells ran" in json.dumps(outputs)


def test_a_terminal_sends_what_its_history_has(environment, sandbox, tmp_path):
    pexpect = pytest.importorskip("pexpect", reason="pexpect drives a terminal; it needs a POSIX system")
    arguments = [
        "-m",
        "IPython",
        "--no-banner",
        "--simple-prompt",
        "--HistoryManager.enabled=False",
        "--colors=nocolor",
    ]
    child = pexpect.spawn(sys.executable, arguments, env={**environment, "TERM": "dumb"}, encoding="utf-8", timeout=60)
    try:
        for line in (
            "first = 41",
            "%load_ext xcyq_magic",
            "first + 1",
            "print('printed', first)",
            "1 / 0",
            "%chat --above Why?",
        ):
            child.expect(r"In \[\d+\]: ")
            child.sendline(line)
        child.expect("Above: 4 cells")
        child.expect("in the order in which its cells ran")
        child.expect("This is the sandbox")
        child.expect(r"In \[\d+\]: ")
    finally:
        child.close(force=True)
    text = sent(sandbox)
    assert text.startswith(BY_RUN)
    assert in_order(text, "In [1]:", "first = 41", "In [3]:", "first + 1", "Output:\n```\n42\n", "print(", "1 / 0")
    assert text.endswith("Why?")


def test_a_console_sends_what_its_kernel_heard(environment, sandbox, tmp_path):
    pexpect = pytest.importorskip("pexpect", reason="pexpect drives a terminal; it needs a POSIX system")
    arguments = ["-m", "jupyter", "console", "--simple-prompt", "--kernel=python3", f"--transport={TRANSPORT}"]
    console = pexpect.spawn(sys.executable, arguments, env=environment, cwd=tmp_path, encoding="utf-8", timeout=60)
    try:
        for line in (
            "first = 41",
            "%load_ext xcyq_magic",
            "first + 1",
            "print('printed', first)",
            "%chat --above Why?",
        ):
            console.expect(r"In \[\d+\]: ")
            console.sendline(line)
        console.expect("in the order in which its cells ran")
        console.expect("This is the sandbox")
        console.expect(r"In \[\d+\]: ")
    finally:
        console.close(force=True)
    text = sent(sandbox)
    assert text.startswith(BY_RUN)
    assert in_order(text, "In [1]:", "first = 41", "In [3]:", "first + 1", "Output:\n```\n42\n", "printed 41\n")


class Editor:
    """VS Code, in which a notebook is open: it tells ids of its own, and the path in the namespace."""

    def __init__(self, path, environment) -> None:
        self.path = path
        self.cells: list[dict] = []
        self._numbers = itertools.count()
        self.kernel = Kernel({**environment, "IPYTHONDIR": str(path.parent / ".ipython")})
        self.kernel.run(f"__vsc_ipynb_file__ = {str(path)!r}", None)
        self.run(self.add("%load_ext xcyq_magic"))

    def add(self, source: str, at: int | None = None, kind: str = "code", *outputs: dict) -> int:
        number = next(self._numbers)
        cell = {"cell_type": kind, "source": source.splitlines(keepends=True), "metadata": {"number": number}}
        cell |= {"outputs": list(outputs), "execution_count": None} if kind == "code" else {}
        self.cells.insert(len(self.cells) if at is None else at, cell)
        return number

    def run(self, number: int) -> None:
        cell = next(c for c in self.cells if c["metadata"]["number"] == number)
        ran = self.kernel.run("".join(cell["source"]), f"vscode-notebook-cell:{self.path}#W{number}sZmlsZQ%3D%3D")
        assert ran.status == "ok", "\n".join(ran.error)
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ran.text}] if ran.text else []
        cell["execution_count"] = ran.reply["execution_count"]

    def save(self, *, ids: bool) -> None:
        named = [{**c, "id": f"saved-{n}"} if ids else c for n, c in enumerate(self.cells)]
        self.path.write_text(json.dumps({"cells": named, "metadata": {}, "nbformat": 4, "nbformat_minor": 4 + ids}))


@pytest.mark.parametrize("ids", [True, False], ids=["ids", "no ids"])
def test_an_editor_that_tells_other_ids_than_it_saves_has_its_cells_in_the_order_of_the_page(
    environment, sandbox, tmp_path, ids
):
    page = Editor(tmp_path / "n.ipynb", environment)
    second = page.add("print('second')")
    first = page.add("print('first')", 1)
    page.add("# Words", 1, "markdown")
    page.add("print('earlier')", 1, "code", {"output_type": "stream", "name": "stdout", "text": "from before"})
    page.add("%%chat --above\nWhy?", 2)  # the same question, which did not run here
    asks = page.add("%%chat --above\nWhy?")
    below = page.add("print('below')")
    for number in (below, second, first, second):
        page.run(number)
    page.save(ids=ids)
    page.run(asks)
    text = sent(sandbox)
    assert text.startswith(BY_PAGE)
    outputs = [
        "from before\n",
        "# Words",
        "print('first')",
        "Output:\n```\nfirst\n",
        "print('second')",
        "```\nsecond\n",
    ]
    assert in_order(text, "Code, not run in this kernel:", "print('earlier')", *outputs)
    assert "below" not in text
    gone = next(n for n, cell in enumerate(page.cells) if cell["metadata"]["number"] == second)
    del page.cells[gone]
    page.save(ids=ids)
    page.run(asks)
    assert in_order(sent(sandbox), "print('first')", "(End of the cells above.)")
    assert "print('second')" not in sent(sandbox)
    new = page.add("%%chat --above 1 --once\nAnd this one, which is not saved?")
    page.run(new)
    assert in_order(sent(sandbox), BY_PAGE, "%%chat --above\nWhy?", "And this one")
    page.kernel.close(now=True)
