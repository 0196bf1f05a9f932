"""What the sandbox says: what it received, or a sample of Markdown. Never anything that looks like a model's."""

from __future__ import annotations

import base64
import binascii
import io
import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcyq_magic.gateway.sandbox.directives import DIRECTIVES

if TYPE_CHECKING:
    from collections.abc import Iterable

_CHARS_PER_TOKEN = 4  # a rule of thumb of the model makers' documentation
_TOKENS_PER_IMAGE = 200
_MOST_QUOTED = 400

SECTION = """\
## Part {n} of a sample

The estimate is $\\hat\\beta = (X^\\top X)^{{-1}} X^\\top y$, and it costs $5 to $10.

| method | error | **rank** |
|:-------|------:|:--------:|
| lasso  | 0.12{n} | {n} |
| ridge  | 0.34  | 2 |

1. First, *load* the data.
   - From `data.csv`, or
   - from [a server](https://example.org/data).
2. Then fit:

   ```python
   import numpy as np

   def fit(x, y):  # part {n}
       return np.linalg.lstsq(x, y, rcond=None)[0]
   ```

> A quotation that is **bold** in the middle.

- [x] done
- [ ] to do

"""


@dataclass(frozen=True)
class Picture:
    """A picture that came with a request, decoded."""

    form: str
    width: int
    height: int
    n_bytes: int
    mean: tuple[int, int, int]


def parts_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The content parts of a message, also where its content is a string."""
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or [])


def text_of(message: dict[str, Any]) -> str:
    """The text of a message."""
    return "\n".join(p.get("text", "") for p in parts_of(message) if p.get("type") == "text")


def picture_of(part: dict[str, Any]) -> Picture | None:
    """The picture of a content part; None for a part of another kind, or a picture by URL.

    Raises
    ------
    ValueError
        It says that it is a picture, and is none.
    """
    url = part.get("image_url", {}).get("url", "") if part.get("type") == "image_url" else ""
    if not url.startswith("data:image/"):
        return None
    import PIL.Image  # noqa: PLC0415  # only for a request with a picture

    try:
        data = base64.b64decode(url.partition(",")[2], validate=True)
        picture = PIL.Image.open(io.BytesIO(data))
        small = picture.convert("RGB").resize((1, 1), PIL.Image.Resampling.BOX)
    except (binascii.Error, OSError, SyntaxError) as e:
        msg = "Could not process image"
        raise ValueError(msg) from e
    red, green, blue = small.tobytes()
    return Picture(picture.format or "?", *picture.size, len(data), (red, green, blue))


def pictures_of(messages: Iterable[dict[str, Any]]) -> list[Picture]:
    """All pictures of a request, in order."""
    return [p for m in messages for part in parts_of(m) if (p := picture_of(part))]


def tokens(text: str) -> int:
    """About how many tokens `text` is."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def prompt_tokens(messages: list[dict[str, Any]]) -> int:
    """About how many tokens the messages are."""
    return sum(tokens(text_of(m)) + 4 for m in messages) + _TOKENS_PER_IMAGE * len(pictures_of(messages))


def sample(chars: int) -> str:
    """Exactly `chars` characters of mixed Markdown."""
    text = ""
    for n in itertools.count(1):
        if len(text) >= chars:
            break
        text += SECTION.format(n=n)
    return text[:chars]


def thinking(chars: int) -> str:
    """Exactly `chars` characters of what stands for reasoning."""
    words = "The sandbox does not think; these words stand for a model's reasoning. "
    return (words * (chars // len(words) + 1))[:chars]


def usage_help() -> str:
    """The directives, as Markdown."""
    rows = "\n".join(f"| `sandbox: {d.example}` | {d.help} |" for d in DIRECTIVES.values())
    intro = "A line of the prompt that begins with `sandbox:` is a directive."
    return f"{intro}\n\n| directive | what it does |\n|---|---|\n{rows}\n"


def report(body: dict[str, Any], prompt: str) -> str:
    """What was received, as Markdown."""
    messages = body["messages"]
    sections = [
        f"**This is the sandbox, not a model.** It can only say what arrived for `{body['model']}`.",
        f"Your prompt, {_words(prompt)}:\n\n{_quote(prompt)}" if prompt.strip() else "Your prompt has no text.",
        _message_table(messages),
        _picture_table(pictures_of(messages)),
        _parameter_list(body),
        "`sandbox: help` on a line of its own lists what else the sandbox can do.",
    ]
    return "\n\n".join(s for s in sections if s)


def _words(text: str) -> str:
    count = len(text.split())
    return f"{count} word{'s' * (count != 1)}"


def _quote(text: str) -> str:
    shown = text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + " …"
    # In a fence longer than any in it, so that what the prompt holds of Markdown stays as it was written.
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}text\n{shown}\n{fence}"


def _message_table(messages: list[dict[str, Any]]) -> str:
    rows = "\n".join(f"| {n} | {m['role']} | {_cell(m)} |" for n, m in enumerate(messages, 1))
    noun = "message" if len(messages) == 1 else "messages"
    return f"The request holds {len(messages)} {noun}:\n\n| # | role | content |\n|--:|---|---|\n{rows}"


def _cell(message: dict[str, Any]) -> str:
    words = " ".join(text_of(message).split())
    short = words if len(words) <= 60 else words[:60] + "…"  # noqa: PLR2004  # fits a line
    count = len(pictures_of([message]))
    note = f" (and {count} picture{'s' * (count > 1)})" if count else ""
    safe = "".join(f"\\{c}" if c in "\\`*_[]<>|$#~" else c for c in short)
    return safe + note


def _picture_table(pictures: list[Picture]) -> str:
    if not pictures:
        return ""
    rows = "\n".join(
        f"| {n} | {p.form} | {p.width} by {p.height} | {p.n_bytes / 1000:.1f} kB | `{_hex(p.mean)}` |"
        for n, p in enumerate(pictures, 1)
    )
    return f"Pictures:\n\n| # | format | pixels | size | mean colour |\n|--:|---|---|---|---|\n{rows}"


def _hex(colour: tuple[int, int, int]) -> str:
    return "#" + bytes(colour).hex()


def _parameter_list(body: dict[str, Any]) -> str:
    known = {"model", "messages", "stream", "stream_options"}
    items = [f"- `{name}` = `{json.dumps(value)}`" for name, value in body.items() if name not in known]
    return "Parameters:\n\n" + "\n".join(items) if items else ""
