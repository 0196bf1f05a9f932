"""How long `%load_ext` takes: ours, and a peer's, in one run.

    python tests/benchmarks/load.py [--rounds 7] [--quick]

The peer, `jupyter_ai_magic_commands`, is installed into a virtual environment of its own, which the
benchmark makes (about a minute). Rounds alternate between the two; the table gives medians and their
ratio. `--quick` measures ours alone, to see that the benchmark runs.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PEER_PACKAGE = "jupyter-ai-magic-commands"
PEER = "jupyter_ai_magic_commands"
BOUND = 1 / 20

# In a shell as a kernel has it, after IPython's own imports.
MEASURE = """
import time
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets.config import Config
import ipykernel.ipkernel
shell = ZMQInteractiveShell.instance(config=Config({{"HistoryManager": {{"enabled": False}}}}))
start = time.perf_counter()
shell.run_line_magic("load_ext", "{name}")
print("SECONDS", time.perf_counter() - start)
"""


def load_s(python: Path, name: str) -> float:
    """Seconds that `%load_ext name` takes in a fresh process."""
    command = [str(python), "-W", "ignore", "-c", MEASURE.format(name=name)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(next(line for line in done.stdout.splitlines() if line.startswith("SECONDS")).split()[1])


def peer_python(folder: Path) -> Path:
    """The Python of a new environment that has the peer."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-q", PEER_PACKAGE, "ipykernel"], check=True)
    return python


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peer-python", type=Path, help="a Python that has the peer already")
    options = parser.parse_args()
    ours_python = Path(sys.executable)
    if options.quick:
        print(f"xcyq_magic: {load_s(ours_python, 'xcyq_magic') * 1000:.1f} ms")
        return
    with tempfile.TemporaryDirectory() as folder:
        theirs_python = options.peer_python or peer_python(Path(folder) / "peer")
        load_s(ours_python, "xcyq_magic"), load_s(theirs_python, PEER)  # the first reads from the disk
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(load_s(ours_python, "xcyq_magic"))
            theirs.append(load_s(theirs_python, PEER))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    print("| %load_ext | median | ratio | bound |\n|---|--:|--:|--:|")
    print(f"| xcyq_magic | {statistics.median(ours) * 1000:.1f} ms | {ratio:.4f} | {BOUND:.4f} |")
    print(f"| {PEER} | {statistics.median(theirs) * 1000:.0f} ms | 1 | |")


if __name__ == "__main__":
    main()
