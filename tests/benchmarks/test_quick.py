"""The benchmarks run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


# The soak counts its sockets in /proc; what renders loops is limited in memory.
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and resource limits")
@pytest.mark.parametrize(
    "name",
    [
        "fuzz",
        "soak",
        "interrupt",
        "render",
        "comparison",
        "store",
        "killed",
        "outages",
        "ledger",
        "suite",  # with those of its table
    ],
)
def test_a_benchmark_runs(name):
    command = [sys.executable, str(HERE / f"{name}.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
