"""Draw the picture of a comparison that the README shows.

    python tests/browser/compare_picture.py

Runs a comparison on the sandbox in JupyterLab, light and dark, and puts the live columns above the settled ones in
`notebooks/pictures/compare.png`.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import nbformat
from jupyter import NotebookPage, browser, server
from PIL import Image

PICTURE = Path(__file__).parents[2] / "notebooks" / "pictures" / "compare.png"
WIDTH, HEIGHT, GAP = 1120, 1400, 12
CELLS = [
    "%load_ext xcyq_magic\n%chat_sandbox",
    '%config GatewaySettings.prices = {"gpt-*": (1.25, 10), "claude-*": (5, 25), "gemini-*": (0.5, 3)}',
    "%chat --once sandbox: first 0",  # the first imports what the others find
    """%%compare gpt-5.5 claude-opus-4-7 gemini-3-flash-preview --judge claude-sonnet-4-6
sandbox: vary
sandbox: for claude-sonnet-4-6: judge
When is the median a better summary than the mean? Give one example with numbers.""",
]


def cell(theme: str, *, live: bool) -> Image.Image:
    """The last cell in JupyterLab, while its columns come or settled."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        root, home = Path(name) / "work", Path(name) / "home"
        root.mkdir()
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        cells = [nbformat.v4.new_code_cell(c) for c in CELLS]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), root / "test.ipynb")
        with server(root, home, theme=theme) as url, browser(Path(name) / "profile", WIDTH, HEIGHT) as raw:
            page = NotebookPage(raw, url, "test.ipynb")
            page.start_all()
            if live:
                raw.locator(".xcyq-live-column").nth(2).get_by_text("measured it").wait_for()
            else:
                page.wait()
                raw.wait_for_selector(".xcyq-verdict")
                raw.wait_for_timeout(500)
            drawn = raw.locator(".jp-CodeCell").last.screenshot()
            page.wait()
    return Image.open(io.BytesIO(drawn)).convert("RGB")


def main() -> None:
    """Draw both, and write the picture."""
    parts = [cell("light", live=True), cell("dark", live=False)]
    width = max(part.width for part in parts)
    picture = Image.new("RGB", (width, sum(part.height for part in parts) + GAP), "white")
    top = 0
    for part in parts:
        picture.paste(part, (0, top))
        top += part.height + GAP
    picture.quantize(256).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
