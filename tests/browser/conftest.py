from __future__ import annotations

import os

import jupyter
import nbformat
import pytest


def pytest_collection_modifyitems(items):
    """Without a Chromium the browser tests are skipped; in CI that is a failure."""
    if jupyter.chromium() or os.environ.get("CI"):
        return
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason="no Chromium: install one, or set CHROMIUM to its path"))


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook of code cells into a folder of its own; returns the folder."""
    folder = tmp_path / "work"
    folder.mkdir()

    def write(*cells: str, name: str = "test.ipynb"):
        node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(node, folder / name)
        return folder

    return write
