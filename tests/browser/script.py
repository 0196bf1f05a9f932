"""A conversation written by hand, for the README's pictures: a gateway that plays it, as a model would stream it."""

from __future__ import annotations

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from servers import DONE, event

if TYPE_CHECKING:
    from collections.abc import Iterator

_DELTA = 5  # characters
_TOKENS_PER_PICTURE = 610


class Line(NamedTuple):
    """What is said, how long until its first word, and how fast it then comes."""

    text: str
    first_s: float
    chars_per_s: float


# The numbers are those of the data below: `test_script.py` computes them.
DATA = """\
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

rng = np.random.default_rng(7)
weight = np.concatenate([rng.normal(20, 2, 60), rng.normal(30, 3, 60), [45]])
height = np.append(2.4 * weight[:-1] + rng.normal(0, 6, weight.size)[:-1], 30)
df = pd.DataFrame({"weight": weight, "height": height}).round(1)"""
QUESTION = "Which point of {{ fig }} would you measure again, and does {{ df.describe() }} agree?"
REPLY = r"""The lone point at **45 g and 30 mm**. It is far from the others twice over:

| | this point | the other 120 |
|:--|--:|--:|
| weight | 45 g | at most 37 g |
| height that its weight suggests | about 110 mm | |
| distance from the line | about 80 mm | mostly within 12 mm |
| leverage | 0.11 | 0.016 on average |

Your table agrees. Its leverage, with $\bar x = 24.83$ and $s = 5.83$, is

$$h = \frac{1}{n} + \frac{(x - \bar x)^2}{(n - 1)\,s^2}
= \frac{1}{121} + \frac{(45 - 24.83)^2}{120 \cdot 5.83^2} \approx 0.11,$$

more than six times the average of $2/n = 0.017$, so this one point can tilt the line. See by how much:

```python
rest = df[df.weight < 40]
for part in (df, rest):
    slope, start = np.polyfit(part.weight, part.height, 1)
    print(f"{len(part)} plants: {slope:.2f} mm per g")
```
"""

ASKED = "When is the median a better summary than the mean?"
ANSWERS = {
    "gpt-5.5": Line(
        """\
When the data are **skewed** or hold **outliers**, and you want a typical value. Half of the values lie below the \
median, however far away the rest are:

- incomes and house prices
- waiting times
- a sensor that fails now and then

Where totals matter, take the mean.
""",
        0.7,
        150,
    ),
    "claude-opus-4-7": Line(
        """\
It depends on what the summary should resist.

| | mean | median |
|:--|:--|:--|
| minimises | squared distances | absolute distances |
| is spoilt by | one wild value | half of the values |
| for normal data | needs the fewest | needs 57 % more |

So take the **median** for skewed data, outliers and ordinal scales, and the **mean** where the noise is close to \
normal or the total is what counts.
""",
        1.0,
        190,
    ),
    "gemini-3-flash-preview": Line(
        """\
When a few values would drag the mean away. For

$$x = (1, 2, 3, 4, 100)$$

the mean is 22, above four of the five values. The median is **3**.
""",
        0.4,
        130,
    ),
}
_BEST = "for normal data"  # in the reply that the judge prefers
VERDICT = """\
Reply {best} says what each choice costs, and when either is right. The others are correct, and shorter: one has the \
better examples, the other the better numbers.

BEST: {best}"""

REVIEWS = {
    "Grinds evenly and quietly, and the cup tastes cleaner than before.": ("good", "even, quiet, better taste"),
    "The handle broke off in the second week.": ("bad", "broke within two weeks"),
    "Great taste, but far too loud for the morning.": ("mixed", "taste is great, noise is not"),
    "Three months of daily use, and it still works like on the first day.": ("good", "lasts in daily use"),
    "It squeaks so loudly that the neighbours asked about it.": ("bad", "loud squeak"),
    "It grinds well; the lid, however, will not stay closed.": ("mixed", "grinds well, lid opens"),
}


def line_for(body: dict[str, Any]) -> Line:
    """Return the line of the script that answers a request."""
    prompt = _text(body["messages"][-1])
    for review, (label, why) in REVIEWS.items():
        if review in prompt and "--" not in prompt:
            return Line(json.dumps({"label": label, "why": why}), 0.35 + len(review) % 7 * 0.06, 200)
    if found := re.search(rf"Reply (\d+)$(?:(?!^==).)*{_BEST}", prompt, re.MULTILINE | re.DOTALL):
        return Line(VERDICT.format(best=found[1]), 0.5, 600)
    if ASKED in prompt:
        return ANSWERS[body["model"]]
    return Line(REPLY, 0.6, 420)


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(p.get("text", "") for p in content)


def _usage(messages: list[dict[str, Any]], said: str) -> dict[str, int]:
    pictures = sum(p["type"] != "text" for m in messages if isinstance(m["content"], list) for p in m["content"])
    asked = sum(len(_text(m)) for m in messages) // 4 + pictures * _TOKENS_PER_PICTURE
    return {"prompt_tokens": asked, "completion_tokens": len(said) // 4, "total_tokens": asked + len(said) // 4}


def _events(body: dict[str, Any], line: Line) -> Iterator[bytes]:
    def chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return event({"model": body["model"], "choices": [choice]})

    started = time.monotonic() + line.first_s
    for at in range(0, len(line.text), _DELTA):
        time.sleep(max(0.0, started + at / line.chars_per_s - time.monotonic()))
        yield chunk({"content": line.text[at : at + _DELTA]})
    yield chunk({}, "stop")
    yield event({"model": body["model"], "choices": [], "usage": _usage(body["messages"], line.text)})
    yield DONE


class Script:
    """A gateway on loopback that plays the script."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True

            def do_POST(self) -> None:  # the library's name
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for packet in _events(body, line_for(body)):
                    self.wfile.write(packet)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
