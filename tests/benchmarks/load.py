"""How long `%load_ext` takes: ours, and beside it a peer's and the imports of two clients.

    python tests/benchmarks/load.py [--rounds 5] [--quick]

Each in a fresh process, within a shell as a kernel has it; CPU time, for a busy machine says little about clocks.
Rounds alternate. `--quick` measures ours alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from peers import CHATLAS, JUPYTER_AI, SETTINGS
from table import Row, run

if TYPE_CHECKING:
    import argparse

# After IPython's own imports.
MEASURE = """
import time
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets.config import Config
import ipykernel.ipkernel
shell = ZMQInteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
start = time.process_time()
shell.run_cell("%s").raise_error()
print("SECONDS", time.process_time() - start)
"""
OURS = "%load_ext xcyq_magic"


def load_ms(python: str, code: str) -> float:
    """Milliseconds of CPU that `code` takes in a fresh process."""
    command = [python, "-W", "ignore", "-c", MEASURE.replace("%s", code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **SETTINGS})
    return 1000 * float(next(line for line in done.stdout.splitlines() if line.startswith("SECONDS")).split()[1])


def measure(options: argparse.Namespace) -> list[Row]:
    """Ours, and in the same rounds each of the others."""
    what = "`%load_ext`, CPU"
    if options.quick:
        return [Row(what, "ms", load_ms(sys.executable, OURS))]
    others = {
        f"{JUPYTER_AI.label}, `%load_ext`": (JUPYTER_AI.python(), f"%load_ext {JUPYTER_AI.name}", 1 / 20),
        f"openai {version('openai')}, `import`": (sys.executable, "import openai", 1 / 4),
        f"{CHATLAS.label}, `import`": (CHATLAS.python(), "import chatlas", 1 / 8),
    }
    for python, code, _ in others.values():  # the first reads from the disk
        load_ms(python, code)
    ours, theirs = [], {name: [] for name in others}
    for _ in range(options.rounds):
        ours.append(load_ms(sys.executable, OURS))
        for name, (python, code, _) in others.items():
            theirs[name].append(load_ms(python, code))
    return [Row.of_rounds(what, "ms", ours, n, theirs[n], bound=bound) for n, (*_, bound) in others.items()]


if __name__ == "__main__":
    run(measure, __doc__)
