"""What a growing reply costs: bytes to the frontend and CPU, ours and two others', in one run.

    python tests/benchmarks/render.py [--rounds 3] [--json FILE] [--parts replies giants loops] [--quick]

Replies of mixed Markdown come in deltas of 20 characters, five to a frame, and are painted in a real kernel:
by our view; by one ipywidgets HTML widget that gets the whole reply's HTML for each frame; and by the notebook
display of chatlas, which is installed into an environment of its own. A raw socket counts the bytes of every
message that shows something; CPU is the kernel's, for rendering and sending (chatlas sends Markdown, and has the
frontend render all of it for each frame). The clock of our view makes 20 frames a second. Then come single
blocks without an end, and models that repeat themselves, in times of the CPU that prose of the same length
takes. The exit code is 1 if a bound is broken.

Above 100 kB, a painter that would take over a minute paints only every n-th frame, and its figures are
scaled; the table says so. `--quick` takes small sizes and no peer, and knows no bounds.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import looping
from counting import CountingKernel
from peers import CHATLAS
from reports import (
    COMPARED,
    Bound,
    Run,
    print_bounds,
    print_exponents,
    print_giants,
    print_loops,
    print_run,
    print_runs_head,
    reply_bounds,
    reply_rows,
)
from table import write
from texts import GIANTS

PARTS = ("replies", "giants", "loops")
SIZES, GIANT_SIZES, LOOP_SIZES = (10_000, 50_000, 100_000, 200_000), (25_000, 50_000, 100_000), (4_000, 100_000)
QUICK_SIZES = (2_000, 4_000)
LOOP_LIMIT_S, QUICK_LIMIT_S = 30.0, 1.0
QUICK_STEP = 10  # of the fragments
MOST_S = 60.0  # a run that would take longer is sampled, above the size at which CPU is compared


@contextmanager
def kernel_of(painter: str, python: str):
    """A kernel that has painted a first reply."""
    kernel = CountingKernel(python)
    try:
        kernel.run(f"import json, painting\npainting.warm_up({painter!r})")
        yield kernel
    finally:
        kernel.close()


def run(kernel: CountingKernel, painter: str, text: str, chars: int, *, every: int = 1, rounds: int = 1) -> Run:
    """Paint one reply; the median CPU time of several rounds, and the bytes of the last."""
    cpu = []
    for _ in range(rounds):
        live = kernel.run(f"print(json.dumps(painting.paint({painter!r}, {text!r}, {chars}, {every})))")
        settled = kernel.run("print(json.dumps(painting.settle()))")
        cpu.append(live.value * every + settled.value)
    live_bytes, settled_bytes = live.n_bytes.total() * every, settled.n_bytes.total()
    messages = live.messages.total() * every + settled.messages.total()
    return Run(painter, text, chars, every, live_bytes, settled_bytes, messages, statistics.median(cpu))


def replies(painter: str, python: str, sizes: tuple[int, ...], rounds: int) -> list[Run]:
    """Replies of all sizes, smallest first; the largest sampled where they would take too long."""
    done: list[Run] = []
    with kernel_of(painter, python) as kernel:
        for chars in sizes:
            guess = done[-1].cpu_s * (chars / done[-1].chars) ** 2 if done and chars > COMPARED else 0.0
            every = 1 if painter == "ours" else max(1, math.ceil(guess / MOST_S))
            done.append(run(kernel, painter, "mixed", chars, every=every, rounds=rounds))
            print_run(done[-1])
    return done


def giants(sizes: tuple[int, ...]) -> dict[str, list[Run]]:
    """Blocks without an end, by our view."""
    with kernel_of("ours", sys.executable) as kernel:
        return {name: [run(kernel, "ours", name, chars) for chars in sizes] for name in GIANTS}


def compare(options: argparse.Namespace, figures: dict[str, Any]) -> list[Bound]:
    """All painters' replies."""
    pythons = {"ours": sys.executable, "whole": sys.executable}
    if not options.quick:
        pythons["chatlas"] = options.peer_python or CHATLAS.python()
    sizes = QUICK_SIZES if options.quick else tuple(options.sizes)
    print_runs_head()
    found = {p: replies(p, python, sizes, options.rounds if p == "ours" else 1) for p, python in pythons.items()}
    print_exponents(found)
    figures["replies"] = [asdict(r) for runs in found.values() for r in runs]
    if options.quick:
        return []
    bounds = reply_bounds(found["ours"], found["whole"])
    write(reply_rows(found, bounds), options.rows)
    return bounds


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of our replies; all else is painted once")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--rows", type=Path, help="a file for the rows of the suite's table, of replies")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="of the replies; 100000 must be one")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--limit", type=float, default=LOOP_LIMIT_S, help="seconds after which a loop is cut")
    parser.add_argument("--peer-python", help="a Python that has chatlas already")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    bounds: list[Bound] = []
    if "replies" in options.parts:
        bounds += compare(options, figures)
    if "giants" in options.parts:
        blocks = giants(QUICK_SIZES if options.quick else GIANT_SIZES)
        bounds += print_giants(blocks)
        figures["giants"] = [asdict(r) for runs in blocks.values() for r in runs]
    if "loops" in options.parts:
        limit_s = QUICK_LIMIT_S if options.quick else options.limit
        step, sizes = (QUICK_STEP, QUICK_SIZES) if options.quick else (1, LOOP_SIZES)
        figures["loops"] = looping.measure(sizes, limit_s, step=step)
        bounds += print_loops(figures["loops"], limit_s)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0 if options.quick or print_bounds(bounds) else 1


if __name__ == "__main__":
    sys.exit(main())
