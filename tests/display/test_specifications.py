r"""The specifications' own examples: CommonMark 0.31.2, and what GitHub's 0.29 adds to it.

`specifications.json` has them as they stand there: number, Markdown, HTML. They are not under this project's licence:
The CommonMark Spec (https://spec.commonmark.org/0.31.2/) is by John MacFarlane, the GitHub Flavored Markdown Spec
(https://github.github.com/gfm/), which is derived from it, by GitHub; both are licensed under CC-BY-SA 4.0
(https://creativecommons.org/licenses/by-sa/4.0/). From their `spec.txt`, the one in npm's package `commonmark-spec`
and the one in https://github.com/github/cmark-gfm/tree/master/test, the file is made anew by

    python tests/display/test_specifications.py commonmark/spec.txt gfm/spec.txt
"""

from __future__ import annotations

import json
import re
import sys
from html import unescape
from itertools import chain
from pathlib import Path

import pytest
from markdown import markdown
from oracle import difference, structure

from xcyq_magic.display.gfm import GfmExtension

FILE = Path(__file__).with_name("specifications.json")
EXAMPLES: dict[str, dict[int, tuple[str, str]]] = {
    name: {number: (source, html) for number, source, html in examples}
    for name, examples in (json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}).items()
}
# What ours means to do otherwise, and why. An example that no longer differs fails, too.
KNOWN = {
    "CommonMark": {
        "raw HTML is text, for a reply must not bring its own": [
            *(21, 31, *range(148, 168), *range(169, 192), 201, 308, 309, 344, *range(475, 478), 491, 494, 524, 536),
            *(*range(613, 618), 623, *range(625, 632), 642, 643),
        ],
        "a definition stands on one line, so that it is known for one while it comes": [208, 541],
        "an address is a link without angle brackets, too, as GitHub has it": [602, 606, 608, 611, 612],
    },
    "GFM": {
        "an address ends at a parenthesis that it did not open": [625],
        "`&hl;` is no entity, so all but its semicolon belongs to the address": [626],
        "links lead to http, https and mailto": [628],
        "a top-level domain has two letters and more, lest `a@b.c` in code-like text were an address": [631],
        "raw HTML is text": [653],
    },
}
_IMAGE = re.compile(r'<img src="([^"]*)" alt="([^"]*)"(?: title="[^"]*")? />')
_EXAMPLE = re.compile(r"^`{32} example([^\n]*)\n(.*?)^\.\n(.*?)^`{32}$", re.MULTILINE | re.DOTALL)


def shown(html: str) -> str:
    """The HTML's structure, with relative addresses and titles, a picture as the link that ours makes of it."""
    html = _IMAGE.sub(lambda found: _picture(found, html), html)
    html = re.sub(r' align="(\w+)"', r' style="text-align: \1"', html)
    html = re.sub(r'(<a [^>]*href=")(?!https?:|mailto:)', r"\1https://relative.example/", html)
    titles = [unescape(title) for title in re.findall(r'<a [^>]*title="([^"]*)"', html)]
    return "\n".join([structure(html), *titles])


def _picture(found: re.Match[str], html: str) -> str:
    text = f"{found[2]}: {found[1]}" if found[2] else found[1]
    within_link = html.rfind("<a ", 0, found.start()) > html.rfind("</a>", 0, found.start())
    return text if within_link else f'<a href="{found[1]}">{text}</a>'


@pytest.mark.parametrize(("name", "number"), [(name, number) for name in EXAMPLES for number in EXAMPLES[name]])
def test_an_example_is_what_its_specification_says(name, number):
    source, html = EXAMPLES[name][number]
    theirs, ours = shown(html), shown(markdown(source, extensions=[GfmExtension()]))
    if number in chain(*KNOWN[name].values()):
        assert ours != theirs, "equal by now: it need not be in KNOWN"
    elif ours != theirs:
        pytest.fail("\n".join([f"{source!r}: expected (-), ours (+)", *difference(theirs, ours)]), pytrace=False)


def test_all_of_them_are_there():
    assert {name: len(examples) for name, examples in EXAMPLES.items()} == {"CommonMark": 652, "GFM": 24}


def build(commonmark: Path, gfm: Path) -> None:
    """Write the file anew from the specifications; of GitHub's, what names an extension."""
    found = {"CommonMark": _examples(commonmark), "GFM": _examples(gfm)}
    found["GFM"] = {n: example for n, example in found["GFM"].items() if example[0]}
    lines = [
        f'"{name}": [\n'
        + ",\n".join(json.dumps([n, *example[1:]], ensure_ascii=False) for n, example in examples.items())
        + "\n]"
        for name, examples in found.items()
    ]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def _examples(path: Path) -> dict[int, tuple[str, ...]]:
    texts = _EXAMPLE.findall(path.read_text("utf-8"))
    tabbed = ((kind.strip(), *(part.replace("→", "\t") for part in parts)) for kind, *parts in texts)
    return dict(enumerate(tabbed, 1))


if __name__ == "__main__":
    build(*map(Path, sys.argv[1:]))
