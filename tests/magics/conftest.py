from __future__ import annotations

import pytest
from kernels import KEY
from shells import shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension


@pytest.fixture
def bare_shell():
    """A plain IPython without the extension."""
    with shell_of() as shell:
        yield shell


@pytest.fixture
def shell(bare_shell, sandbox, monkeypatch):
    """A plain IPython with the extension, whose gateway is the test's sandbox."""
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    load_ipython_extension(bare_shell)
    yield bare_shell
    unload_ipython_extension(bare_shell)


@pytest.fixture
def run(shell):
    """Run a cell; raises what the cell raised."""

    def run_cell(code: str):
        result = shell.run_cell(code)
        result.raise_error()
        return result.result

    return run_cell
