"""What `--above` costs: to gather 200 cells in a real kernel, and to hear what each cell shows.

    python tests/benchmarks/above.py [--rounds 20] [--quick]

A notebook of 200 cells, each with an output, 20 of them with a picture, is run and saved. Then its last cell gathers
those above it, as the evaluation of a prompt with `--above` does, without the request. What is printed 100,000 times
is timed to the end of its cell, as a frontend sees it, with the extension and without it, by turns.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' kernel

from kernels import KEY, Kernel
from table import Row, run

if TYPE_CHECKING:
    import argparse

CELLS, PICTURES, LINES = 200, 20, 100_000
QUICK_CELLS, QUICK_LINES = 20, 1_000
BOUND_MS, BOUND_RATIO = 10.0, 1.1
KINDS = [
    "x{0} = [n * {0} for n in range(50)]\nprint(x{0})\nprint('done with {0}')",
    "import pandas as pd\npd.DataFrame({{'a': range(8), 'b': range(8)}}) * {0}",
    "'the value of {0}'",
    "for n in range(20): print(f'line {{n}} of {0}')",
]
PLOT = "import matplotlib.pyplot as plt\nplt.figure(figsize=(6, 4)); plt.plot(range({0})); plt.show()"
GATHER = """import json, time
from xcyq_magic.magics.above import cells_above
from xcyq_magic.magics.context import Context
times = []
for _ in range({rounds}):
    began = time.perf_counter()
    parts, above = cells_above(Context.current(), 0, ())
    times.append(time.perf_counter() - began)
print(json.dumps([times, above.cells, len(parts), above.notes]))"""
PRINTS = "for n in range({0}): print('epoch', n, 'loss', 0.25)"


def cell(number: int, source: str, ran: object) -> dict:
    """Return a cell as a frontend saves it, with what it showed."""
    outputs = [{"output_type": "display_data", "data": data, "metadata": {}} for data in ran.outputs]
    outputs += (
        [{"output_type": "stream", "name": "stdout", "text": ran.text.splitlines(keepends=True)}] if ran.text else []
    )
    made = {"cell_type": "code", "id": f"c{number}", "source": source.splitlines(keepends=True), "metadata": {}}
    return {**made, "outputs": outputs, "execution_count": number}


def gather_ms(kernel: Kernel, path: Path, count: int, rounds: int) -> tuple[list[float], int]:
    """Milliseconds of each round, and the bytes of the file."""
    cells = []
    for n in range(count):
        source = (PLOT if n % (count // PICTURES or 1) == 0 else KINDS[n % len(KINDS)]).format(n + 2)
        cells.append(cell(n, source, kernel.run(source, f"c{n}")))
    asks = GATHER.format(rounds=rounds)
    cells.append({**cell(count, asks, kernel.run("", "none")), "id": "asks"})
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1))
    ran = kernel.run(asks, "asks")
    if ran.status != "ok":
        sys.exit("\n".join(ran.error))
    times, shown, parts, notes = json.loads(ran.text)
    print(f"{shown} cells, {parts} parts, {notes}; the first time took {times[0] * 1000:.1f} ms")
    return [took * 1000 for took in times[1:]], path.stat().st_size


def print_s(kernel: Kernel, lines: int) -> float:
    """Seconds until a cell that prints has ended."""
    began = time.perf_counter()
    kernel.run(PRINTS.format(lines))
    return time.perf_counter() - began


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure both."""
    cells, lines = (QUICK_CELLS, QUICK_LINES) if options.quick else (CELLS, LINES)
    rounds = 3 if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notebook.ipynb"
        env = {"JPY_SESSION_NAME": str(path), "IPYTHONDIR": folder, "XCYQ_API_KEY": KEY}
        kernel = Kernel({**os.environ, **env, "MPLBACKEND": "module://matplotlib_inline.backend_inline"})
        try:
            kernel.run("%load_ext xcyq_magic")
            took, size = gather_ms(kernel, path, cells, rounds)
            heard, unheard = [], []
            for _ in range(max(2, rounds // 4)):
                heard.append(print_s(kernel, lines))
                kernel.run("%unload_ext xcyq_magic")
                unheard.append(print_s(kernel, lines))
                kernel.run("%load_ext xcyq_magic")
        finally:
            kernel.close(now=True)
    return [
        Row(f"gather {cells} cells of a file of {size / 1e6:.1f} MB", "ms", statistics.median(took), bound=BOUND_MS),
        Row.of_rounds(f"print {lines:,} lines", "s", heard, "not loaded", unheard, bound=BOUND_RATIO),
    ]


if __name__ == "__main__":
    run(measure, __doc__, rounds=20)
