from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import jupyter
import pytest


def pytest_collection_modifyitems(items):
    """Put those with a browser of their own first. Without a Chromium all are skipped; in CI that is a failure."""
    places = [n for n, item in enumerate(items) if "browser" in item.path.parts]
    ours = sorted((items[n] for n in places), key=lambda item: "jupyters" in item.fixturenames)
    for n, item in zip(places, ours, strict=True):
        items[n] = item
    if jupyter.chromium() or os.environ.get("CI"):
        return
    for item in ours:
        item.add_marker(pytest.mark.skip(reason="no Chromium: install one, or set CHROMIUM to its path"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """End what they share where others follow: playwright has an event loop in this thread, and some count threads."""
    shared = item.funcargs.get("jupyters")
    try:
        return (yield)
    finally:
        if shared and (nextitem is None or "jupyters" not in nextitem.fixturenames):
            shared.close()


@pytest.fixture(scope="session")
def jupyters(tmp_path_factory):
    """Servers whose kernels ask a sandbox, and a browser, once for all tests."""
    running = jupyter.Jupyters(tmp_path_factory.mktemp("jupyters"))
    yield running
    running.close()


@pytest.fixture
def gateway(jupyters):
    """The sandbox of the kernels, with a log that is the test's own."""
    jupyters.gateway.received.clear()
    return jupyters.gateway


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
