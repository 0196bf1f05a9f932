"""Every payload of `hostile`, in every place of a reply: nothing but harmless HTML comes of it."""

from __future__ import annotations

import base64

import hostile
import pytest
from inspector import maths, problems

from xcyq_magic.chat.comparison import Column, Comparison, Verdict
from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image
from xcyq_magic.chat.usage import BY, LedgerEntry, UsageReport
from xcyq_magic.display.bundle import completion_bundle
from xcyq_magic.display.markup import to_html, without_controls
from xcyq_magic.display.metrics import table_bundle, usage_bundle
from xcyq_magic.display.settled_comparison import comparison_bundle
from xcyq_magic.display.terminal import dim
from xcyq_magic.errors import ServerError

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")


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


# What turns the direction of text

TURNED = "gpt\u202e5.5\u2066x\u200f\u061c"
AS_IT_IS = "gpt‹U+202E›5.5‹U+2066›x‹U+200F›‹U+061C›"


def test_a_name_that_turns_the_text_around_it_is_shown_as_what_it_is(capsys):
    completion = Completion("Hi", "gpt-5.5", TURNED, finish_reason=TURNED)
    column = Column("gpt-5.5", "gpt-5.5", completion, notices=(TURNED,), error=ServerError(TURNED))
    other = Column("b", "b", None, ServerError(TURNED), (TURNED,))
    verdict = Verdict(TURNED, winner=TURNED, completion=completion)
    comparison = Comparison(
        Message.of("user", Image(PIXEL, "image/png", 1, 1, TURNED)), (column, other), verdict=verdict
    )
    entry = LedgerEntry("1", 0.0, "", TURNED, TURNED, TURNED, f"a{TURNED}", 1, 2, ended="done")
    usages = [usage_bundle(UsageReport.of_entries(TURNED, [entry], lambda _: None, by=by)) for by in BY]
    table = table_bundle(["model"], [[TURNED]], TURNED)
    for shown in (completion_bundle(completion), comparison_bundle(comparison, TURNED), *usages, table):
        for mime in ("text/html", "text/plain"):
            assert not set(shown[mime]) & set(TURNED) - set(AS_IT_IS), mime
        assert AS_IT_IS in shown["text/html"]
    assert AS_IT_IS in ServerError(TURNED).message
    dim(TURNED)
    assert capsys.readouterr().out == AS_IT_IS + "\n"


@pytest.mark.parametrize(
    "source", ["`a\u202eb\u2066`", "```\na\u202eb\u2066\n```", "```python\na = 'x\u202eb\u2066'\n```"]
)
def test_code_cannot_be_reordered(source):
    html = to_html(source)
    assert "‹U+202E›b‹U+2066›" in html
    assert not {"\u202e", "\u2066"} & set(html)


def test_a_reply_in_another_script_keeps_its_marks():
    reply = "\u05e9\u200f, \u2067\u0627\u2069, \u202bx\u202c"
    assert reply in to_html(reply)
    assert without_controls(reply) == reply
    assert without_controls("a\u202eb\u202dc") == "a‹U+202E›b‹U+202D›c"
