"""Every payload of `hostile`, in every place of a reply: nothing but harmless HTML comes of it."""

from __future__ import annotations

import hostile
import pytest
from inspector import maths, problems

from xcyq_magic.display.markup import to_html


def _line(payload: str) -> str:
    return " ".join(payload.split("\n"))


PLACES = {
    "alone": lambda p: p,
    "after a paragraph": lambda p: f"Well:\n{p}\nand so on",
    "in a list item": lambda p: "- " + p.replace("\n", "\n  "),
    "in a nested item": lambda p: "1. x\n   - " + p.replace("\n", "\n     "),
    "in a quote": lambda p: "> " + p.replace("\n", "\n> "),
    "in a table cell": lambda p: f"| {_line(p)} | b |\n|:--|--:|\n| a | {_line(p)} |",
    "in a heading": lambda p: f"## {_line(p)}",
    "in emphasis": lambda p: f"**{_line(p)}** *{_line(p)}* ~~{_line(p)}~~",
    "in a link's text": lambda p: f"[{_line(p)}](http://b.example)",
    "in a link's title": lambda p: f'[x](http://b.example "{_line(p)}")',
    "in a link's address": lambda p: f"[x](<http://b.example/{_line(p)}>)",
    "in a footnote": lambda p: f"x[^1]\n\n[^1]: {_line(p)}",
    "in code": lambda p: f"`{_line(p)}`",
    "in math": lambda p: f"${_line(p)}$",
    "in an open fence": lambda p: f"```html\n{p}",
    "in a fence's first line": lambda p: f"```{_line(p)}\nx\n```",
    "in a harmless tag": lambda p: f"<details><summary>{p}</summary>{p}</details>",
    "twice": lambda p: p + p,
    "as two paragraphs": lambda p: f"{p}\n\n{p}",
    "without its start": lambda p: p[len(p) // 4 :],
    "a quarter of it": lambda p: p[: len(p) // 4],
    "half of it": lambda p: p[: len(p) // 2],
    "most of it": lambda p: p[: len(p) * 3 // 4],
    "all but its end": lambda p: p[:-1],
}


def test_there_are_enough_of_them():
    assert len({p for _, p in hostile.EVERY}) == len(hostile.EVERY) >= 230


@pytest.mark.parametrize("payload", [pytest.param(p, id=f"{n}-{kind}") for n, (kind, p) in enumerate(hostile.EVERY)])
def test_nothing_but_harmless_html_comes_of_it(payload):
    found = {place: problems(to_html(put(payload))) for place, put in PLACES.items()}
    assert {place: what for place, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "html",
    [
        "<script>x</script>",
        "<p onclick='x'>x</p>",
        "<p style='position:fixed'>x</p>",
        "<a href='javascript:x' target=_blank rel='noopener noreferrer'>x</a>",
        "<a href='/lab' target=_blank rel='noopener noreferrer'>x</a>",
        "<a href='#jp-main-dock-panel'>x</a>",
        "<a href='http://b.example'>x</a>",
        "<a href='http://b.example' target=_self rel='noopener noreferrer'>x</a>",
        "<td style='text-align:left;color:red'>x</td>",
        "<img src=http://b.example/x.png>",
        "<img src='data:image/svg+xml;base64,AAAA'>",
        "<input type=checkbox>",
        "<input type=image disabled>",
        "<span class='k jp-Dialog'>x</span>",
        "<h1 id=body>x</h1>",
        "<p>x<!-- x --></p>",
        r"<span>\(\href{x}{y}\)</span>",
        r"a $<br>\href{x}{y}<br>$ b",
        r"&#36;\mmlToken{mi}{x}&#36;",
        r"\begin{align}\require{html}\end{align}",
    ],
)
def test_the_inspector_finds_what_is_not(html):
    assert problems(html) != []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a $x$ b $$y$$ c", ["x", "y"]),
        (r"\(x\) \[y\] \begin{a}z\end{a}", ["x", "y", "z"]),
        (r"\\(x\\) \$y\$", []),
        (r"$\text{$}$ x", [r"\text{$}"]),
        ("$5 and more", []),
        (r"see \eqref{x}", [r"\eqref{x}"]),
    ],
)
def test_the_inspector_reads_math_as_mathjax_does(text, found):
    assert list(maths(text)) == found
