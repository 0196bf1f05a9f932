"""All that is measured beside the peers, in one table.

    python tests/benchmarks/suite.py [--only NAME …] [--out FOLDER] [--svg FILE] [--quick]

Each measurement runs by itself, one after the other, and peers in environments of their own, which are made in the
cache folder when they are needed first. The table is printed at the end. Rows, machine and versions go as JSON into
the folder, where rows measured earlier are kept: `--only deltas` measures that anew and prints the whole table, and
`--only` alone prints what is kept.
The exit code is 1 if a bound is broken. `--quick` sees that all of it runs: no peers, no bounds, nothing kept.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from chart import chart
from peers import CACHE
from table import HEAD, Row, read

HERE = Path(__file__).parent
# In the order of the table, each with what it is run with.
MEASUREMENTS: dict[str, tuple[str, ...]] = {
    "load": (),
    "deltas": (),
    "first_paint": (),
    "render": ("--parts", "replies", "--rounds", "5", "--sizes", "10000", "50000", "100000"),
    "columns": (),
    "turns": (),
    "memory": (),
    "figures": (),
    "pages": (),
    "saved": (),
    "rows": (),
}
VERSIONS = ("xcyq-magic", "ipython", "ipykernel", "ipywidgets", "httpx", "openai")


def machine() -> dict[str, str]:
    """What a reader has to know of it; not whose it is."""
    versions = {name: version(name) for name in VERSIONS}
    return {"cores": str(os.cpu_count()), "system": platform.system(), "python": platform.python_version(), **versions}


def measure(name: str, out: Path) -> dict[str, object]:
    """Run one measurement; its rows, how long it took, and how busy the machine was when it began and ended."""
    rows, began, started = out / f"{name}.json", os.getloadavg()[0], time.monotonic()
    rows.unlink(missing_ok=True)
    command = [sys.executable, str(HERE / f"{name}.py"), *MEASUREMENTS[name], "--rows", str(rows)]
    print(f"== {name}", flush=True)
    subprocess.run(command, check=False)  # its exit code says what the rows say
    if not rows.exists():
        sys.exit(f"{name} did not measure anything")
    found = [asdict(row) for row in read(rows)]
    load = [round(began, 1), round(os.getloadavg()[0], 1)]
    return {"rows": found, "seconds": round(time.monotonic() - started), "load": load, "machine": machine()}


def quick() -> None:
    """Run each for a moment, two at a time: most of them wait for kernels to start."""
    names = [name for name in MEASUREMENTS if name != "render"]  # it is run whole by a test of its own
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda n: subprocess.run([sys.executable, str(HERE / f"{n}.py"), "--quick"], check=True), names)
    print(f"{len(list(done))} measurements run", flush=True)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=MEASUREMENTS, default=list(MEASUREMENTS), metavar="NAME")
    parser.add_argument("--out", type=Path, default=CACHE, help=f"a folder for suite.json and suite.svg ({CACHE})")
    parser.add_argument("--svg", type=Path, help="another place for the chart")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        quick()
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "suite.json"
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    with tempfile.TemporaryDirectory() as place:
        for name in options.only:
            figures[name] = measure(name, Path(place))
            kept.write_text(json.dumps(figures, indent=1))
    rows = [Row(**record) for name in MEASUREMENTS if name in figures for record in figures[name]["rows"]]
    (options.svg or options.out / "suite.svg").write_text(chart(rows))
    print("\n" + HEAD, *rows, sep="\n")
    print("\n" + ", ".join(f"{what} {how}" for what, how in machine().items()) + f"; written to {kept}")
    return int(any(row.held is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
