"""What a reply takes in the notebook's file: bytes saved for each byte of it, ours and the peers'.

    python tests/benchmarks/saved.py [--quick]

A real kernel runs the cell, nbclient collects its outputs as a frontend does, and the file is written with them and
without. The replies are prose, and Markdown as models mix it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import cells
import nbformat
from counting import OneSpec
from jupyter_client.manager import AsyncKernelManager
from kernels import sockets
from nbclient import NotebookClient
from streams import Streams
from table import Row, run
from texts import TEXTS

if TYPE_CHECKING:
    import argparse

CHARS, QUICK_CHARS = 10_000, 1_000
BOUND = 4.0


def saved_bytes(asked: cells.Asked, streams: Streams) -> int:
    """Bytes of the file that the outputs of the cell take."""
    codes = [code.replace("%s", streams.base_url) for code in (asked.first, asked.cell)]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])
    kernel = AsyncKernelManager(kernel_spec_manager=OneSpec(asked.python), kernel_name="measured", **sockets())
    # As JupyterLab saves it, unless it is told to keep the state of widgets.
    client = NotebookClient(notebook, km=kernel, store_widget_state=False, timeout=120)
    client.execute(env={**os.environ, **asked.settings(streams)})
    with_outputs = len(nbformat.writes(notebook).encode())
    notebook.cells[1].outputs = []
    return with_outputs - len(nbformat.writes(notebook).encode())


def measure(options: argparse.Namespace) -> list[Row]:
    """Both texts, with each package."""
    everyone = [cells.ours()] + ([] if options.quick else [cells.chatlas(), cells.jupyter_ai()])
    chars, rows = QUICK_CHARS if options.quick else CHARS, []
    streams = Streams()
    try:
        for text in ("prose",) if options.quick else ("prose", "mixed"):
            streams.text = TEXTS[text](chars)
            size = len(streams.text.encode())
            ours, *others = [saved_bytes(asked, streams) / size for asked in everyone]
            what = f"notebook file, {text}: saved for each byte of the reply"
            rows.append(Row(what, "bytes", ours, bound=BOUND))
            rows += [Row(what, "bytes", ours, a.label, b, ours / b) for a, b in zip(everyone[1:], others, strict=True)]
    finally:
        streams.close()
    return rows


if __name__ == "__main__":
    run(measure, __doc__)
