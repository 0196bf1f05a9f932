from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import jupyter
import pytest
from kernels import AT_ONCE, KEY

from xcyq_magic.gateway.sandbox.server import Sandbox


def pytest_collection_modifyitems(items):
    """Without a Chromium the browser tests are skipped; in CI that is a failure."""
    if jupyter.chromium() or os.environ.get("CI"):
        return
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason="no Chromium: install one, or set CHROMIUM to its path"))


@pytest.fixture(scope="module")
def gateway():
    server = Sandbox(key=KEY, plan=AT_ONCE)
    yield server
    server.close()


@pytest.fixture
def sandbox(gateway):
    """The gateway of the module's kernels, with a log that is the test's own."""
    gateway.received.clear()
    return gateway


@pytest.fixture(scope="module")
def jupyters(tmp_path_factory, gateway):
    """Servers whose kernels ask the sandbox, and a browser, once for all tests of a module."""
    env = {"XCYQ_BASE_URL": gateway.base_url, "XCYQ_API_KEY": KEY}
    running = jupyter.Jupyters(tmp_path_factory.mktemp("jupyters"), env)
    yield running
    running.close()


@pytest.fixture
def folder(jupyters, request):
    """A folder of its own for the test's files; what is open and runs there ends with the test."""
    folder = Path(tempfile.mkdtemp(prefix=f"{request.node.originalname}-", dir=jupyters.root))
    yield folder
    jupyters.clear()


@pytest.fixture
def notebook(folder):
    """Write a notebook of code cells; returns its path."""

    return partial(jupyter.write_notebook, folder / "test.ipynb")
