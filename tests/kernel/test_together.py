"""Four kernels chat at once, and keep their turns in one store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kernels import KEY, Kernel

from xcyq_magic.store.database import Database

KERNELS, CELLS, TURNS_OF_A_CELL = 4, 20, 10
SETUP = """%load_ext xcyq_magic
%config ChatSettings.history_turns = 1
from xcyq_magic import Chat
chat = Chat(conversation="main")
"""  # one turn: or what is sent grows with each
CELL = f"""
for n in range({TURNS_OF_A_CELL}):
    chat("sandbox: first 0\\nsandbox: pace 50000 50\\nsandbox: markdown 200");
"""


@pytest.fixture
def kernels(sandbox, tmp_path):
    """Each with a notebook of its own, and all with the same profile."""
    env = {**os.environ, "XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY, "IPYTHONDIR": str(tmp_path)}
    running = [Kernel({**env, "JPY_SESSION_NAME": f"/notebooks/{n}.ipynb"}) for n in range(KERNELS)]
    yield running
    for kernel in running:
        kernel.close()


def run_at_once(kernels: list[Kernel], code: str, cell_id: str) -> str:
    """Run a cell in all of them; returns what they said besides the replies."""
    begun = [kernel.start(code, cell_id) for kernel in kernels]
    ended = [kernel.finish(msg_id) for kernel, msg_id in zip(kernels, begun, strict=True)]
    assert [ran.status for ran in ended] == ["ok"] * len(kernels), "\n".join(line for r in ended for line in r.error)
    return "".join(ran.text for ran in ended)


def test_four_kernels_keep_200_turns_each(kernels, tmp_path):
    assert run_at_once(kernels, SETUP, "setup") == ""
    for n in range(CELLS):
        assert run_at_once(kernels, CELL, f"cell-{n}") == ""
    (path,) = Path(tmp_path).rglob("xcyq_magic.sqlite")
    database = Database(path)
    kept = database.read(
        "SELECT c.notebook, count(*), count(DISTINCT p.position) FROM places p"
        " JOIN conversations c ON c.id = p.conversation GROUP BY c.id ORDER BY c.notebook"
    )
    turns = CELLS * TURNS_OF_A_CELL
    assert turns == 200
    assert kept == [(f"/notebooks/{n}.ipynb", turns, turns) for n in range(KERNELS)]
    assert database.read("PRAGMA integrity_check") == [("ok",)]
    database.close()
