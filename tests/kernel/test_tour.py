"""What the README has one type, typed into one kernel from top to bottom, offline as it says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from kernels import Kernel

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
CELLS = re.findall(r"^```(?:ipython|python)\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)
FAILS = re.compile(r"  # (\w+Error)$", re.MULTILINE)


@pytest.fixture
def kernel(tmp_path):
    """A kernel as a new user has it: no key, nothing kept, a folder of its own."""
    running = Kernel({**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"})
    running.run(f"%cd -q {tmp_path}")
    yield running
    running.close()


def test_every_cell_of_the_readme_runs_and_shows_something(kernel):
    shown = []
    for n, cell in enumerate(CELLS):
        ran = kernel.run(cell, f"cell-{n}")
        expected = FAILS.search(cell)
        assert ran.status == ("error" if expected else "ok"), "\n".join([cell, *ran.error])
        if expected:
            assert ran.reply["ename"] == expected[1]
        said = [o["text/plain"] for o in ran.outputs if "text/plain" in o]
        assert expected or said or ran.text, cell
        shown.append("\n".join([ran.text, *said]))
    assert len(CELLS) > 15
    assert sum("This is the sandbox, not a model." in text for text in shown) >= 7
    # What the tour promises: the figure went along, the table went along, the code came back.
    figure = next(text for cell, text in zip(CELLS, shown, strict=True) if "{{ fig }}" in cell)
    assert re.search(r"\| 1 \| PNG \|", figure)
    assert "mean" in figure
    assert "Python block" in next(text for cell, text in zip(CELLS, shown, strict=True) if cell == "%chat_code")
    assert Path(kernel.value("__import__('os').getcwd()"), "plants.md").read_text("utf-8").count("sandbox") > 0
