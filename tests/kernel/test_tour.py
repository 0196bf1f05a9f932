"""What the READMEs have one type, typed into one kernel each from top to bottom, offline as they say."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from kernels import Kernel, turn_of

ROOT = Path(__file__).parents[2]
READMES = {"English": ROOT / "README.md", "Chinese": ROOT / "notebooks" / "README.zh-CN.md"}
CELL = re.compile(r"^```(?:ipython|python)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def kernel(tmp_path):
    """A kernel as a new user has it: no key, nothing kept, a folder of its own."""
    running = Kernel({**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"})
    running.run(f"%cd -q {tmp_path}")
    yield running
    running.close()


@pytest.mark.parametrize("readme", READMES)
def test_every_cell_of_a_readme_runs_and_shows_something(kernel, readme):
    text = READMES[readme].read_text("utf-8")
    cells, ran = CELL.findall(text), {}
    for n, cell in enumerate(cells):
        ran[cell] = kernel.run(cell, f"cell-{n}")
        assert ran[cell].status == "ok", "\n".join([cell, *ran[cell].error])
        assert ran[cell].outputs or ran[cell].text, cell
    assert len(cells) == len(re.findall(r"^\*\*(\d)\. ", text, re.MULTILINE)) == 8
    # What the tour promises: the figure and the table went along, and `-f` sent what the figure's cell had shown.
    [said, picture, more], [seen, _] = (
        turn_of(r)["prompt"]["parts"] for cell, r in ran.items() if cell.startswith(("%%chat -m", "%chat -f"))
    )
    assert ["image" in part["type"] for part in (said, picture, more, seen)] == [False, True, False, True]
    assert "height" in str(more)
    assert kernel.value("[r.data in ('light', 'heavy') for r in answers]") == "[True, True, True, True]"
    assert kernel.value("[*_comparison]") == "['gpt-5.5', 'claude-opus-4-7', 'gemini-3-flash-preview']"
    assert kernel.value("len(reply.text) > 0 and len(chat.conversation.turns)") == "1"
