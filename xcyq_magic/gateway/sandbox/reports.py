"""The sandbox's report: what a model would have got, in a few lines."""

from __future__ import annotations

import json
import re
from collections import Counter
from textwrap import indent, shorten
from typing import TYPE_CHECKING, Any

from xcyq_magic.gateway.catalog import MODELS
from xcyq_magic.gateway.sandbox.directives import without_directives
from xcyq_magic.gateway.sandbox.formats import NO_MODEL
from xcyq_magic.gateway.sandbox.media import Address, Picture, Video, media_of, medium_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.gateway.sandbox.media import Medium

_MOST_QUOTED, _MOST_LINES = 300, 12  # characters and lines of a prompt
_TOO_CLOSE = re.compile(r"(?<=[^\s(])(?=\((?:picture|video|address) \d+\))|(?<=\d\))(?=\w)")  # to a medium's mark
_FOR_CODE = re.compile(r"\b(?:code|function|python|script)\b", re.IGNORECASE)
CODE = """\
A model might write code. This is the sandbox's own, whatever was asked:

```python
from statistics import mean, median

values = [1, 2, 3, 4, 100]
print("mean", mean(values), "median", median(values))
```"""


def parts_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the content parts of a message, also where its content is a string."""
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or [])


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message."""
    return "\n".join(p.get("text", "") for p in parts_of(message) if p.get("type") == "text")


def report(body: dict[str, Any], prompt: str, *, media: bool = True) -> str:
    """Return what a model would have got, as Markdown; without a word of its media, as a gateway that drops them.

    Parameters
    ----------
    body
        The request.
    prompt
        Its text, without directives.
    media
        Whether to say what pictures and videos came.
    """
    *before, last = body["messages"]
    parts = [(part.get("text", ""), medium_of(part) if media else None) for part in parts_of(last)]
    received = [medium for _, medium in parts if medium]
    asked = body["model"]
    pool = f" ({MODELS[asked].pool})" if asked in MODELS and MODELS[asked].suffix else ""
    shown = _shown(parts)
    sections = [
        f"{NO_MODEL} `{asked}`{pool} would get this:",
        _quote(shown) if shown.strip() else "Nothing: the prompt is empty.",
        _more(before, body, media=media),
        _picture_table([m for m in received if isinstance(m, Picture)]),
        _video_table([m for m in received if isinstance(m, Video)]),
        _address_list([m for m in received if isinstance(m, Address)]),
        CODE if _FOR_CODE.search(prompt) else "",
        "" if before else "`sandbox: help` on a line of its own lists what else it does.",
    ]
    return "\n\n".join(s for s in sections if s)


def _shown(parts: list[tuple[str, Medium | None]]) -> str:
    """Return the text of a prompt without directives, with a mark in the place of each picture and video."""
    said, count = "", Counter[str]()
    for text, medium in parts:
        if medium:
            kind = type(medium).__name__.lower()
            count[kind] += 1
            said += f"({kind} {count[kind]})"
        else:
            said += without_directives(text)
    return _TOO_CLOSE.sub(" ", said).strip("\n")


def _quote(text: str) -> str:
    short = "\n".join(text[:_MOST_QUOTED].splitlines()[:_MOST_LINES])
    more = " …" if len(short) < len(text.rstrip()) else ""
    # Of several lines, which may be a table: as it is, and not in a fence, which `%chat_code` would take for code.
    return indent(short + more, "    ") if "\n" in short else f"> {_escaped(short)}{more}"


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>|$#~" else c for c in text)


def _more(before: list[dict[str, Any]], body: dict[str, Any], *, media: bool) -> str:
    """Return what goes along with the prompt: the system prompt, earlier turns with their media, and parameters."""
    system = " ".join(" ".join(text_of(m) for m in before if m["role"] in {"system", "developer"}).split())
    turns, counted = sum(m["role"] == "user" for m in before), _counted(media_of(before) if media else [])
    known = {"model", "messages", "stream", "stream_options"}
    items = [
        *([f"the system prompt “{_escaped(shorten(system, 80, placeholder=' …'))}”"] if system else []),
        *([f"{turns} earlier turn{'s' * (turns != 1)}{counted and f', with {counted}'}"] if turns else []),
        *(f"`{name}` = `{json.dumps(value)}`" for name, value in body.items() if name not in known),
    ]
    return f"With it: {' · '.join(items)}" if items else ""


def _counted(media: Sequence[Medium]) -> str:
    """Such as ``2 pictures, 1 video``."""
    kinds = ((Picture, "picture", "pictures"), (Video, "video", "videos"), (Address, "address", "addresses"))
    counts = [(sum(isinstance(m, kind) for m in media), one, many) for kind, one, many in kinds]
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)


def _picture_table(pictures: list[Picture]) -> str:
    if not pictures:
        return ""
    rows = "\n".join(
        f"| {n} | {p.form} | {p.width} by {p.height} | {p.n_bytes / 1000:.1f} kB | `{_hex(p.mean)}` |"
        for n, p in enumerate(pictures, 1)
    )
    return f"| picture | format | pixels | size | mean colour |\n|--:|---|---|---|---|\n{rows}"


def _video_table(videos: list[Video]) -> str:
    if not videos:
        return ""
    rows = "\n".join(
        f"| {n} | {f.mime} | {'?' if f.seconds is None else f'{f.seconds:.1f} s'} | {f.n_bytes / 1000:.1f} kB "
        f"| `{f.part}` |"
        for n, f in enumerate(videos, 1)
    )
    return f"| video | type | length | size | part |\n|--:|---|---|---|---|\n{rows}"


def _address_list(addresses: list[Address]) -> str:
    if not addresses:
        return ""
    items = "\n".join(f"- `{a.url.replace('`', '%60')}` in a part of type `{a.part}`" for a in addresses)
    return f"By their addresses, which the sandbox does not fetch:\n\n{items}"


def _hex(colour: tuple[int, int, int]) -> str:
    return "#" + bytes(colour).hex()
