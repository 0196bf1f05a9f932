"""What the README has one type, typed into one kernel from top to bottom, offline as it says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from kernels import Kernel, turn_of

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
CELLS = re.findall(r"^```(?:ipython|python)\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def kernel(tmp_path):
    """A kernel as a new user has it: no key, nothing kept, a folder of its own."""
    running = Kernel({**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"})
    running.run(f"%cd -q {tmp_path}")
    yield running
    running.close()


def test_every_cell_of_the_readme_runs_and_shows_something(kernel):
    ran = {}
    for n, cell in enumerate(CELLS):
        ran[cell] = kernel.run(cell, f"cell-{n}")
        assert ran[cell].status == "ok", "\n".join([cell, *ran[cell].error])
        assert ran[cell].outputs or ran[cell].text, cell
    marked = re.findall(r"^<!-- above -->\n```text$", README, re.MULTILINE)
    assert len(CELLS) + len(marked) == len(re.findall(r"^\*\*(\d)\. ", README, re.MULTILINE)) == 8
    # What the tour promises: the figure and the table went along, and `-f` sent what the figure's cell had shown.
    [text, picture, more], [seen, _] = (
        turn_of(r)["prompt"]["parts"] for cell, r in ran.items() if cell.startswith(("%%chat -m", "%chat -f"))
    )
    assert ["image" in part["type"] for part in (text, picture, more, seen)] == [False, True, False, True]
    assert "height" in str(more)
    assert kernel.value("[r.data in ('light', 'heavy') for r in answers]") == "[True, True, True, True]"
    assert kernel.value("[*_comparison]") == "['gpt-5.5', 'claude-opus-4-7', 'gemini-3-flash-preview']"
    assert kernel.value("len(reply.text) > 0 and len(chat.conversation.turns)") == "1"
