"""What a reader sees from one animation frame to the next: places, heights, and the text that is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter import NotebookPage


LOAD = "%load_ext xcyq_magic"
# A paragraph in Latin, Chinese and Japanese, and one each in Arabic and Hebrew: they are read from the right.
MIXED = """\
# How the two methods differ

A first paragraph with *emphasis*, **weight**, `code`, ~~a mistake~~ and [a link](https://example.org/page). It is long
enough to be broken into lines on a narrow screen, so that the distance between its lines can be seen, and the one to
what follows as well.[^1]

## Lists

- A first item, which is long enough that it goes on in a second line when the notebook is narrow, as it is at 600 px.
- A second one
  - with an item of its own
  - and another, with $\\alpha_i + \\beta$
    - and one below that
- A third

1. First, *load* the data.
2. Then fit:

   ```python
   import numpy as np

   def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:  # least squares
       return np.linalg.lstsq(x, y, rcond=None)[0] * 1.0
   ```

3. Then look at it.

- [x] done
- [ ] to do
  - [ ] and what belongs to it

## Code that does not fit

```javascript
// A line that is longer than any screen is wide, which has to be scrolled sideways in a box of its own, as it is code
const total = prices.filter((p) => p.currency === "EUR" && p.valid).map((p) => p.amount * p.count).reduce(add, 0);
```

### A wide table

| method | error | rank | what to say about it | where it is used | costs | who measured it | when it was measured |
|:-------|------:|:----:|-----------------------------|------------------|------:|-----------------|----------------------|
| lasso | 0.121 | 1 | few coefficients that are not zero | many features | $5 | the first group | in spring |
| ridge | 0.340 | 2 | all coefficients, but small ones | correlated features | $10 | the second group | in autumn |

A narrow one:

| left | right |
|------|------:|
| a | 1 |
| b | 22 |

## Mathematics

The estimate is $\\hat\\beta = (X^\\top X)^{-1} X^\\top y$ within a line, and on a line of its own:

$$
\\int_{-\\infty}^{\\infty} e^{-x^2}\\,dx = \\sqrt{\\pi}
$$

> A quotation that is **bold** in the middle and long enough to be broken into two lines where it is narrow.
>
> Its second paragraph.

## Other scripts

中文的段落:两种方法的区别在于惩罚项。日本語の段落もあります。한국어 문장도 있습니다.

هذه فقرة باللغة العربية، وهي طويلة بما يكفي لتظهر كيف تُحاذى الأسطر، وفيها كلمة `code` واحدة.

- عنصر أول في القائمة
- عنصر ثان

זוהי פסקה בעברית, והיא נקראת מימין לשמאל.

---

<details><summary>More about it</summary>

What is folded away.

</details>

The last paragraph ends here.

[^1]: The footnote, with `code` in it.
"""


def write_prompt(root: Path, name: str, *lines: str, options: str = "") -> str:
    """Write a prompt to a file of `root`; returns the cell that sends it, which is short whatever the prompt is."""
    (root / name).write_text("\n".join(lines))
    return f"get_ipython().run_cell_magic('chat', {options!r}, open({name!r}).read())"


# One sample in every animation frame. What the reader looks at is found anew each time: a frame may put another
# element of the same words in its place. `last` are the last words of the reply.
WATCH = """({selector, text, last}) => {
    const seen = window.seen = {frames: [], ended: false};
    const area = () => {
        const one = document.querySelector('.xcyq-quiet')?.closest('.jp-OutputArea');
        return one ?? (seen.frames.length ? document.querySelector('.jp-CodeCell.xcyq-seen .jp-OutputArea') : null);
    };
    const step = () => {
        if (seen.ended) return;
        const frame = {t: performance.timeOrigin + performance.now()}, on = area();
        if (on) {
            on.closest('.jp-CodeCell').classList.add('xcyq-seen');
            frame.height = on.getBoundingClientRect().height;
            frame.live = on.querySelectorAll('.xcyq-live').length;
            // Not both tails, and not the output that is open for the next section.
            const isSeen = (e) => e.checkVisibility({visibilityProperty: true});
            const shown = [...on.querySelectorAll('.xcyq-reply')].filter(isSeen);
            const words = shown.map((e) => e.textContent).join('');
            frame.chars = words.length;
            frame.complete = last ? words.trimEnd().endsWith(last) : false;
        }
        if (text) {
            const one = [...document.querySelectorAll(selector)].find((e) => e.textContent.startsWith(text));
            if (one) frame.top = one.getBoundingClientRect().top;
        }
        seen.frames.push(frame);
        requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
}"""

# Put what the reader looks at near the top of the window, as a wheel would.
SCROLL_TO = """({selector, text, at}) => {
    const one = [...document.querySelectorAll(selector)].find((e) => e.textContent.startsWith(text));
    let box = one.parentElement;
    const scrolls = (b) => b.scrollHeight > b.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(b).overflowY);
    while (!scrolls(box)) box = box.parentElement;
    box.scrollTop += one.getBoundingClientRect().top - box.getBoundingClientRect().top - at;
    return box.className;
}"""

# Everything of a reply that a reader could see move, relative to its first heading.
PLACES = """() => {
    const parts = 'h1,h2,h3,p,li,pre,table,blockquote,td,hr,summary';
    const seen = (r) => !r.closest('.xcyq-quiet') && r.checkVisibility({visibilityProperty: true});
    const all = [...document.querySelectorAll('.xcyq-reply')].filter(seen)
        .flatMap((r) => [...r.querySelectorAll(parts)]);
    const origin = document.querySelector('.xcyq-reply h1, .xcyq-reply h2').getBoundingClientRect();
    return all.map((e) => {
        const r = e.getBoundingClientRect(), s = getComputedStyle(e);
        return {tag: e.localName, text: e.textContent.trim().slice(0, 40), top: r.top - origin.top,
                left: r.left - origin.left, width: r.width, font: s.fontFamily, size: s.fontSize, colour: s.color,
                weight: s.fontWeight, background: s.backgroundColor};
    });
}"""


@dataclass(frozen=True)
class Seen:
    """What `WATCH` saw."""

    frames: list[dict[str, Any]]

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The frames with an output."""
        return [f for f in self.frames if "height" in f]

    @property
    def empty(self) -> int:
        """Frames without a word of the reply after one that had some."""
        first = next((n for n, f in enumerate(self.frames) if f.get("chars")), len(self.frames))
        return sum(not f.get("chars") for f in self.frames[first:])

    def shrinks(self, *, live: bool) -> float:
        """The most by which the output got lower from one frame to the next: while it was live, or at the swap."""
        pairs = zip(self.shown, self.shown[1:], strict=False)
        return max((a["height"] - b["height"] for a, b in pairs if bool(b["live"]) == live), default=0.0)

    def moved(self, *, live: bool | None = None) -> float:
        """How far what the reader looks at got from where it was first."""
        tops = [f["top"] for f in self.frames if "top" in f and (live is None or bool(f.get("live")) == live)]
        first = next(f["top"] for f in self.frames if "top" in f)
        return max((abs(t - first) for t in tops), default=0.0)


def watch(page: NotebookPage, selector: str = "", text: str = "", last: str = "") -> None:
    """Begin to sample."""
    page.page.evaluate(WATCH, {"selector": selector, "text": text, "last": last})


def seen(page: NotebookPage) -> Seen:
    """End to sample, a moment after the swap."""
    page.wait()
    page.page.wait_for_function("() => !document.querySelector('.xcyq-live')", timeout=30_000)
    page.page.wait_for_timeout(500)
    found = page.js("() => { window.seen.ended = true; return window.seen }")
    return Seen(found["frames"])


def scroll_to(page: NotebookPage, selector: str, text: str, at: int = 150) -> str:
    """Scroll until what begins with `text` is that far below the top; returns the class of what scrolls."""
    where = page.page.evaluate(SCROLL_TO, {"selector": selector, "text": text, "at": at})
    page.page.wait_for_timeout(150)
    return where
