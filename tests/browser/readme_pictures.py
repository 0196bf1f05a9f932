"""Draw the pictures that the README shows: a reply to a figure, a comparison, and a check of pools.

    python tests/browser/readme_pictures.py [reply] [compare] [pools]

Runs each on the sandbox in JupyterLab, live in the light theme and settled in the dark one, and puts both into
`notebooks/pictures/`.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from jupyter import NotebookPage, browser, server, write_notebook
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURES = Path(__file__).parents[2] / "notebooks" / "pictures"
GAP = 12


class Scene(NamedTuple):
    """What is drawn: the last of the cells.

    Attributes
    ----------
    wait
        Waits, on a playwright page, until enough has come to be drawn live.
    settled
        A selector of what stands on the page at its end.
    beside
        Whether the settled picture stands beside the live one, or below it.
    """

    cells: list[str]
    width: int
    wait: Callable
    settled: str
    beside: bool


START = "%load_ext xcyq_magic\n%chat_sandbox"
FIRST = "%chat --once sandbox: first 0"  # the first imports what the others find

SCENES = {
    "reply": Scene(
        [
            START,
            FIRST,
            """import matplotlib.pyplot as plt
import numpy as np

rng = np.random.default_rng(7)
weight = np.concatenate([rng.normal(20, 2, 60), rng.normal(30, 3, 60), [45]])
height = np.append(2.4 * weight[:-1] + rng.normal(0, 6, weight.size - 1), 30)
fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.scatter(weight, height, c=np.repeat([0, 1, 2], [60, 60, 1]), cmap="viridis", s=18)
ax.set(xlabel="weight [g]", ylabel="height [mm]");""",
            """%%chat -m claude-opus-4-7
sandbox: markdown 519
sandbox: pace 30
Which point of {{ fig }} would you measure again?""",
        ],
        1040,
        lambda raw: raw.get_by_text("lstsq").last.wait_for(),
        ".jp-CodeCell:last-child pre",
        beside=True,
    ),
    "compare": Scene(
        [
            START,
            '%config GatewaySettings.prices = {"gpt-*": (1.25, 10), "claude-*": (5, 25), "gemini-*": (0.5, 3)}',
            FIRST,
            """%%compare gpt-5.5 claude-opus-4-7 gemini-3-flash-preview --judge claude-sonnet-4-6
sandbox: vary
When is the median a better summary than the mean?""",
        ],
        1120,
        lambda raw: raw.locator(".xcyq-live-column").nth(2).get_by_text("measured it").wait_for(),
        ".xcyq-verdict",
        beside=False,
    ),
    "pools": Scene(
        [
            START,
            "%config ChatSettings.concurrency = 2",
            "%chat_models --check gpt-5.5{,-official}",
            "%chat_models --check gpt-5.5{,-official,-low} gpt-5.5~{another-model,buffered,history-cut,dead}",
        ],
        1180,
        lambda raw: raw.locator(".jp-CodeCell").last.get_by_text("✗ gpt-4o-mini").first.wait_for(),
        ".jp-CodeCell:last-child details",
        beside=False,
    ),
}


def cell(scene: Scene, theme: str, *, live: bool) -> Image.Image:
    """The last cell in JupyterLab, while its reply comes or settled."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        root, home = Path(name) / "work", Path(name) / "home"
        root.mkdir()
        write_notebook(root / "test.ipynb", *scene.cells)
        with server(root, home, theme=theme) as url, browser(Path(name) / "profile", scene.width, 1400) as raw:
            page = NotebookPage(raw, url, "test.ipynb")
            page.start_all()
            if live:
                scene.wait(raw)
            else:
                page.wait()
                raw.wait_for_selector(scene.settled)
                raw.wait_for_timeout(500)
            drawn = raw.locator(".jp-CodeCell").last.screenshot()
            page.wait()
    return Image.open(io.BytesIO(drawn)).convert("RGB")


def draw(name: str) -> None:
    """Draw a scene twice, and write its picture."""
    scene = SCENES[name]
    live, settled = cell(scene, "light", live=True), cell(scene, "dark", live=False)
    at = (live.width + GAP, 0) if scene.beside else (0, live.height + GAP)
    size = max(live.width, at[0] + settled.width), max(live.height, at[1] + settled.height)
    picture = Image.new("RGB", size, "white")
    picture.paste(live, (0, 0))
    picture.paste(settled, at)
    picture.quantize(256).save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    for each in sys.argv[1:] or SCENES:
        draw(each)
