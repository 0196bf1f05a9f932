"""All that is measured beside the peers, in one table.

    python tests/benchmarks/suite.py [--only NAME …] [--out FOLDER] [--renew] [--quick]

Each measurement runs by itself, one after the other, and peers in environments of their own, which are made in the
cache folder when they are needed first. The table is printed at the end. Rows, machine and versions go as JSON into
the folder, where rows measured earlier are kept: `--only deltas` measures that anew and prints the whole table, and
`--only` alone prints what is kept. `--renew` puts the table into README.md beside this file, and draws its chart.
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
    "pools": (),
    "above": (),
}
PAGE, CHART = HERE / "README.md", HERE.parents[1] / "notebooks" / "pictures" / "benchmarks.svg"
MARKS = "<!-- benchmarks -->\n", "<!-- end of benchmarks -->"  # the table on the page is between them
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


def renew(table: str) -> None:
    """Put `table` in the place of the one on the page."""
    before, rest = PAGE.read_text("utf-8").split(MARKS[0])
    _, after = rest.split(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}{table}\n{MARKS[1]}{after}", "utf-8")


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=MEASUREMENTS, default=list(MEASUREMENTS), metavar="NAME")
    parser.add_argument("--out", type=Path, default=CACHE, help=f"a folder for suite.json and suite.svg ({CACHE})")
    parser.add_argument("--renew", action="store_true", help="put the table into README.md, and draw its chart")
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
    table = "\n".join([HEAD, *map(str, rows)])
    (CHART if options.renew else options.out / "suite.svg").write_text(chart(rows))
    if options.renew:
        renew(table)
    print("\n" + table)
    print("\n" + ", ".join(f"{what} {how}" for what, how in machine().items()) + f"; written to {kept}")
    return int(any(row.held is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
