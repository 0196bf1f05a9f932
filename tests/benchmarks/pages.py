"""What the pages of a PDF cost: ten of them from a path to a request's body, beside PDFium's own drawing of them.

    python tests/benchmarks/pages.py [--rounds 5] [--quick]

Ours is what `-a report.pdf` does: it draws the pages, encodes them, and fits them for the model. Theirs draws the same
pages at the same size with `pypdfium2`, and throws them away. Rounds alternate between the two.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import pypdfium2
from table import Row, run

from xcyq_magic.chat.conversation import Conversation
from xcyq_magic.chat.messages import Message
from xcyq_magic.gateway import encoding
from xcyq_magic.media.resolve import attach
from xcyq_magic.session.session import ChatSession, TurnOptions

if TYPE_CHECKING:
    import argparse

mpl.use("agg")
import matplotlib.pyplot as plt  # after its backend
from matplotlib.backends.backend_pdf import PdfPages

PAGES, LINES, BOUND = 10, 60, 3.0
LONG_EDGE = 1568  # pixels
MODEL = "claude-sonnet-4-6"


def report(path: Path, pages: int) -> None:
    """A PDF of full pages, every second one with a curve."""
    with PdfPages(path) as out:
        for number in range(pages):
            figure = plt.figure(figsize=(8.27, 11.69))
            for line in range(LINES):
                figure.text(0.08, 0.95 - line * 0.015, f"Page {number}, line {line}: {'some words ' * 7}", fontsize=9)
            if number % 2:
                figure.add_axes((0.2, 0.05, 0.6, 0.2)).plot([n**2 for n in range(50)])
            out.savefig(figure)
            plt.close(figure)


def ours(path: Path) -> float:
    """Seconds from the path to the body of a request, with nothing remembered of the round before."""
    session = ChatSession()
    began = time.perf_counter()
    message = Message.of("user", *attach(str(path)), "What is in it?")
    ready = session.request(Conversation("main"), message, TurnOptions(model=MODEL))
    bodies = [encoding.encode_message(m, "image_url") for m in ready.request.messages]
    took = time.perf_counter() - began
    assert bodies
    session.close()
    return took


def theirs(path: Path) -> float:
    """Seconds of drawing alone."""
    began = time.perf_counter()
    pdf = pypdfium2.PdfDocument(path)
    for page in pdf:
        page.render(scale=LONG_EDGE / max(page.get_size())).to_pil()
        page.close()
    pdf.close()
    return time.perf_counter() - began


def measure(options: argparse.Namespace) -> list[Row]:
    """Both by turns."""
    pages, rounds = (2, 1) if options.quick else (PAGES, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.pdf"
        report(path, pages)
        ours(path), theirs(path)  # imports
        mine, its = zip(*((ours(path) * 1000, theirs(path) * 1000) for _ in range(rounds)), strict=True)
    what = f"{pages} pages of a PDF as pictures of a request"
    return [Row.of_rounds(what, "ms", mine, "PDFium's drawing", its, bound=BOUND)]


if __name__ == "__main__":
    run(measure, __doc__)
