"""Draw the pictures that the README shows: a reply to a figure, a comparison, and both with rows while they come.

    python tests/browser/readme_pictures.py [reply] [compare] [tour] [pools]

`script.py` plays what the models say, in JupyterLab, into `notebooks/pictures/`. The check of pools is the sandbox's.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from jupyter import NotebookPage, browser, server, write_notebook
from PIL import Image
from script import ASKED, DATA, QUESTION, REVIEWS, Script

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURES = Path(__file__).parents[2] / "notebooks" / "pictures"
GAP = 12
TALL = 3000  # of the window: JupyterLab draws only what is in sight
PRICES = '%config GatewaySettings.prices = {"gpt-*": (1.25, 10), "claude-*": (5, 25), "gemini-*": (0.5, 3)}'
START = f'%load_ext xcyq_magic\n{PRICES}\n%config InlineBackend.figure_formats = ["retina"]'
FIGURE = """\
fig, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
ax.scatter(df.weight, df.height, c=np.repeat(["C0", "C2", "C3"], [60, 60, 1]), s=14)
ax.set(xlabel="weight [g]", ylabel="height [mm]");"""
REPLY = f"%%chat -m claude-opus-4-7\n{QUESTION}"
COMPARE = f"%%compare gpt-5.5 claude-opus-4-7 gemini-3-flash-preview --once --judge claude-sonnet-4-6\n{ASKED}"
KINDS = f"""\
from typing import Literal
from pydantic import BaseModel

class Review(BaseModel):
    label: Literal["good", "bad", "mixed"]
    why: str

reviews = pd.DataFrame({{"text": {list(REVIEWS)}}})
%config ChatSettings.concurrency = 3"""
ROWS = "%%chat --each reviews --as Review -m gemini-2.5-flash-lite\nJudge this review: {{ row.text }}"
POOLS = "%chat_models --check gpt-5.5{,-official,-low} gpt-5.5~{another-model,buffered,history-cut,dead}"


class Scene(NamedTuple):
    """What is drawn: the last `shown` of the cells, when `settled` is on the page, in a window of that width."""

    cells: list[str]
    shown: int
    settled: str
    width: int


SCENES = {
    "reply": Scene([START, DATA, FIGURE, REPLY], 2, ".jp-CodeCell:last-child pre", 1000),
    "compare": Scene([START, COMPARE], 1, ".xcyq-verdict", 1200),
}


@contextlib.contextmanager
def page_of(
    cells: list[str], theme: str, size: tuple[int, int], *, scale: float = 1, script: bool = True
) -> Iterator[NotebookPage]:
    """A notebook of these cells in JupyterLab, with the script as its gateway."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        (home / "work").mkdir()
        write_notebook(home / "work/test.ipynb", *cells)
        env = {}
        if script:
            played = stack.enter_context(contextlib.closing(Script()))
            env = {"XCYQ_BASE_URL": played.base_url, "XCYQ_API_KEY": "none"}
        url = stack.enter_context(server(home / "work", home / "home", theme=theme, env=env))
        raw = stack.enter_context(browser(home / "profile", *size, scale=scale))
        yield NotebookPage(raw, url, "test.ipynb")


def drawn(page: NotebookPage, shown: int) -> Image.Image:
    """The last cells of the notebook, from the first one's top to the last one's end."""
    boxes = [cell.bounding_box() for cell in page.page.locator(".jp-CodeCell").all()[-shown:]]
    end = boxes[-1]["y"] + boxes[-1]["height"]
    clip = {**boxes[0], "height": end - boxes[0]["y"]}
    return Image.open(io.BytesIO(page.page.screenshot(clip=clip))).convert("RGB")


def write(picture: Image.Image, name: str) -> None:
    """Write a picture in as few colours as it takes to look the same."""
    picture.quantize(256, dither=Image.Dither.NONE).save(PICTURES / f"{name}.png", optimize=True)


def draw(name: str, theme: str) -> None:
    """Draw a scene as it has settled."""
    scene = SCENES[name]
    with page_of(scene.cells, theme, (scene.width, TALL), scale=2) as page:
        page.start_all()
        page.wait()
        page.page.wait_for_selector(scene.settled)
        page.js(f"() => {{ {page.PANEL}.content.activeCellIndex = 0 }}")
        page.page.wait_for_timeout(1000)
        write(drawn(page, scene.shown), f"{name}-{theme}")


WINDOW, WIDE = (1080, 760), 900  # of the browser, and what it is scaled to
FRAME_S, HELD_S = 0.1, 1.2
# Brings a cell to the top of the window, or as far down as its end is in sight.
SCROLL = f"""([n, top]) => {{
  const cell = {NotebookPage.PANEL}.content.widgets[n].node;
  const place = cell.closest('.jp-WindowedPanel-outer');
  const [own, its] = [cell.getBoundingClientRect(), place.getBoundingClientRect()];
  place.scrollTop += top ? own.top - its.top : Math.max(0, own.bottom - its.bottom + 12);
}}"""


def frames_of(page: NotebookPage, cell: int) -> list[tuple[Image.Image, float]]:
    """Run a cell from the top of the window on; returns what was to be seen, and for how many seconds."""
    raw = page.page
    raw.evaluate(SCROLL, [cell, True])
    raw.wait_for_timeout(300)
    place = raw.locator(".jp-WindowedPanel-outer").first.bounding_box()
    page.start(cell)
    frames: list[tuple[Image.Image, float]] = []
    at, ends_at = time.monotonic(), None
    while ends_at is None or at < ends_at:
        raw.evaluate(SCROLL, [cell, False])
        seen = Image.open(io.BytesIO(raw.screenshot(clip=place))).convert("RGB")
        raw.wait_for_timeout(max(0.0, at + FRAME_S - time.monotonic()) * 1000)
        frames.append((seen, time.monotonic() - at))
        at = time.monotonic()
        if ends_at is None and page.has_run(cell):
            ends_at = at + HELD_S
    return frames


def tour() -> None:
    """Draw, animated, a reply, a comparison and rows while they come."""
    cells = [START, DATA, KINDS, f"{FIGURE}\nplt.close(fig)", REPLY, COMPARE, ROWS]
    frames = []
    with page_of(cells, "light", WINDOW) as page:
        for n in range(4):
            page.run(n)
        for n in range(4, len(cells)):
            frames += frames_of(page, n)
    write_animation(frames)


def write_animation(frames: list[tuple[Image.Image, float]]) -> None:
    """Write frames as a WEBP."""
    size = WIDE, round(frames[0][0].height * WIDE / frames[0][0].width)
    first, *rest = (image.resize(size, Image.Resampling.LANCZOS) for image, _ in frames)
    durations = [round(seconds * 1000) for _, seconds in frames]
    durations[-1] += 1_000
    first.save(
        PICTURES / "tour.webp",
        save_all=True,
        append_images=rest,
        duration=durations,
        loop=0,
        quality=80,
        method=6,
        minimize_size=True,
    )


def pools() -> None:
    """Draw a check of pools, while it runs in the light theme and settled in the dark one."""
    cells = ["%load_ext xcyq_magic\n%chat_sandbox", "%config ChatSettings.concurrency = 2"]
    cells += ["%chat_models --check gpt-5.5{,-official}", POOLS]
    found = []
    for theme, settled in (("light", "text=✗ gpt-4o-mini"), ("dark", "details")):
        with page_of(cells, theme, (1180, 1400), script=False) as page:
            page.start_all()
            if theme == "dark":
                page.wait()
            page.page.locator(".jp-CodeCell").last.locator(settled).first.wait_for()
            page.page.wait_for_timeout(500)
            found.append(drawn(page, 1))
            page.wait()
    live, end = found
    picture = Image.new("RGB", (max(live.width, end.width), live.height + GAP + end.height), "white")
    picture.paste(live, (0, 0))
    picture.paste(end, (0, live.height + GAP))
    write(picture, "pools")


if __name__ == "__main__":
    for each in sys.argv[1:] or [*SCENES, "tour", "pools"]:
        if each in SCENES:
            for theme in ("light", "dark"):
                draw(each, theme)
        else:
            {"tour": tour, "pools": pools}[each]()
