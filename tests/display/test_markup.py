"""A reply's Markdown as HTML: what comes through, and what must not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspector import problems

from xcyq_magic.display.markup import escape, to_html
from xcyq_magic.display.style import STYLE, inlined, quiet, section_body, styled


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("**bold** and *thin*", "<strong>bold</strong> and <em>thin</em>"),
        ("a $5 and $10 b", "a <span>$</span>5 and <span>$</span>10 b"),
        ("so $x_1$ is", r'<span class="xcyq-math">\(x_1\)</span>'),
        (r"so \(x_1\) is", r'<span class="xcyq-math">\(x_1\)</span>'),
        (r"$\text{costs \$5}$", r"\(\text{costs \$5}\)"),
        ("`$x$`", "<code>$x$</code>"),
        ("```python\nx = '$'\n```", '<div class="highlight">'),
        ("List<String> and <b>x</b>", "List&lt;String&gt; and <strong>x</strong>"),
        ("<code>" + "a" * 3_000 + "</code>", "&lt;code&gt;aaa"),
        ("a<br>b H<sub>2</sub>O <kbd>Q</kbd>", "a<br>b H<sub>2</sub>O <kbd>Q</kbd>"),
        ("| a | b |\n|:--|--:|\n| 1 | 2 |", '<td style="text-align:right">2</td>'),
        ("- [x] done", '<input checked="" disabled="" type="checkbox">'),
        ("3. three\n4. four", '<ol start="3">'),
        ("[a](https://b.example)", '<a href="https://b.example" target="_blank" rel="noopener noreferrer">a</a>'),
        ("![alt](https://b.example/x.png?d=1)", ">alt: https://b.example/x.png?d=1</a>"),
        ("[![alt](http://a.example)](http://b.example)", "<span>alt: http://a.example</span></a>"),
    ],
)
def test_what_is_meant_comes_through(source, part):
    assert part in to_html(source)


def test_cells_that_rows_lack_are_made_up_within_a_bound():
    narrow, wide = to_html("|a|b|\n|-|-|\n" + "|1|\n" * 80), to_html(f"{'|a' * 900}\n{'|-' * 900}\n" + "1\n" * 900)
    assert narrow.count("<td></td>") == 80
    assert (wide.count("<td>1"), wide.count("<tr>")) == (900, 901)
    assert wide.count("<td></td>") <= 2_000


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<svg><script>alert(1)</script></svg>",
    "<kbd onclick=alert(1)>x</kbd>",
    "<sub style='background:url(http://a.example)'>x</sub>",
    "[x](javascript:alert(1))",
    "[x]( java\tscript:alert(1))",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "[x](data:text/html,<script>alert(1)</script>)",
    "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    "[x](/api/kernels)",
    '[x](http://a.example "a\\" onmouseover=\\"alert(1)")',
    "```{.python .jp-Dialog #id onclick=alert(1)}\nx\n```",
    "```html\n</pre><script>alert(1)</script>\n```",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!-- --><script>alert(1)</script>",
    r'$\mmlToken{mglyph}[src="http://a.example"]{}$',
    r"$$\href{javascript:alert(1)}{x}$$",
    r"\begin{align}\require{html}\style{background:url(http://a.example)}{x}\end{align}",
    r"$\bbox[background:url(http://a.example)]{x}$",
    r"$\def\x{\mmlToken}\x{mglyph}[src=http://a.example]{}$",
    "[^1]\n\n[^1]: <script>alert(1)</script>",
]


@pytest.mark.parametrize("source", HOSTILE)
def test_what_is_hostile_does_not(source):
    assert problems(to_html(source)) == []
    assert problems(to_html(f"- {source}\n\n> {source}\n\n| {source} |\n|---|\n| {source} |")) == []


@given(st.lists(st.sampled_from([*HOSTILE, "\n\n", "```\n", "$", "`", "<", "**", "| a |\n|--|\n"]), max_size=8))
def test_nor_in_any_company(pieces):
    assert problems(to_html("".join(pieces))) == []


@given(st.text(max_size=60))
def test_plain_text_stays_plain_text(text):
    escaped = escape(text)
    assert problems(escaped) == []
    assert "$" not in escaped.replace("<span>$</span>", "")


@pytest.mark.parametrize("deep", ["1. " * 1500, "> " * 1500, "- " * 1500, "**a *b " * 300 + "* ** " * 300, "[" * 900])
def test_what_is_nested_too_deep_is_text(deep):
    assert re.sub(r"<[^>]*>|\s", "", to_html(deep)).count("a") == deep.count("a")
    assert to_html(deep).count("<") < 700


def test_threads_do_not_disturb_each_other():
    from concurrent.futures import ThreadPoolExecutor

    sources = [f"# {n}\n\n- *a{n}*\n- `b`\n\n```python\nx = {n}\n```" for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(to_html, sources)) == [to_html(s) for s in sources]


@pytest.mark.parametrize(
    "source",
    [
        "a\n\n[^1]: one[^2]\n\n[^2]: two",
        "[^1]: one[^2]\n\n[^2]: two[^1]",
        "a[^2]\n\n[^1]: one[^3]\n\n[^3]: three[^4]\n\n[^2]: two\n\n[^4]: four",
        "a[^1]\n\n[^1]: one[^2]\n\n[^2]: two[^3]\n\n[^3]: three[^1]",
        "[^3]: three[^2]\n\n[^2]: two[^1]\n\n[^1]: one",
        "- a\n\n  [^1]: one[^2]\n\n> [^2]: two",
    ],
)
def test_each_footnote_is_shown_once_under_the_number_that_refers_to_it(source):
    notes = re.findall(r"<li><p>(.*?)</p></li>", to_html(source))
    names = [re.sub(r"<.*", "", note) for note in notes]
    assert sorted(names) == sorted(re.findall(r"\]: ([a-z]+)", source))
    said = dict(re.findall(r"\[\^(\d)\]: ([a-z]+)", source))
    for note, name in zip(notes, names, strict=True):
        for label, number in zip(
            re.findall(rf": {name}\[\^(\d)\]", source), re.findall(r"<sup>(\d)</sup>", note), strict=True
        ):
            assert names[int(number) - 1] == said[label]


# What an output carries of the style

DOCUMENTS = {
    "a word": "Yes.",
    "headings": "# One\n\ntwo\n\n## Three",
    "a table": "| a | b |\n|---|--:|\n| 1 | 2 |",
    "code": "```python\nx = 1\n```",
    "plain code": "    x = 1",
    "tasks": "- [x] done\n- [ ] to do",
    "math": "$$x^2$$",
    "details": "<details><summary>More</summary>\n\nwords\n\n</details>",
    "all": "# One\n\n| a |\n|---|\n| `1` |\n\n```r\nx\n```\n\n- [x] $x^2$",
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_an_output_has_the_rules_that_it_uses(document):
    html = styled(quiet("gpt-5.5 · 1 s") + section_body(to_html(document), 0, last=True))
    element, body = re.fullmatch(r"<div [^>]*>(<style>.*</style>)(.*)</div>", html, re.DOTALL).groups()
    rules = [rule.replace("\n", "") for rule in re.split(r"(?<=\})\n", STYLE)]
    assert "".join(rule for rule in rules if rule in element) == element
    classes = " ".join(re.findall(r'class=("[^"]*"|[\w-]+)', body))
    held = set(re.findall(r"<([a-z]+\d?)", body)) | set(re.findall(r"[\w-]+", classes))
    for rule in rules:
        if rule not in element:
            selectors = re.sub(r":(?:not|hover|first-child|last-child|nth-child\(even\))", "", rule.partition("{")[0])
            alternatives = re.split(r",(?![^(]*\))", selectors)
            for selector in alternatives:
                named = re.findall(r"[\w-]+", selector.replace(":is", "").replace(":has", ""))
                assert not set(named) <= held, rule


def test_an_output_of_a_word_is_below_a_kilobyte():
    html = styled(
        quiet("claude-sonnet-4-6 · 1.2 s · 15 tokens in, 300 out") + section_body(to_html("Yes."), 0, last=True)
    )
    assert len(html) <= 1_000


def test_what_a_page_that_trusts_nothing_needs_is_in_the_elements():
    html = section_body(to_html(DOCUMENTS["all"] + "\n\n| a | b |\n|---|--:|\n| 1 | 2 |"), 0, last=True)
    assert "<td>" not in html
    assert "<th>" not in html
    assert "<pre>" not in html
    assert "<code>" in html  # within a line, it has its ground from the page
    assert html.count("text-align:right") == 2
    assert inlined(text := to_html("`<td>` and `<pre>`")) == text


def test_what_stands_in_a_title_is_no_element():
    # As nh3 0.3.6 writes it: styles within it would end the value, and what follows would be elements.
    link = '<p><a href="https://a.b" title="<td><h1><pre><code><img src=x onerror=alert(1)>">a</a></p>'
    assert inlined(link) == link
    assert inlined(f"{link}<td>").endswith('<td style="text-align:left">')


@pytest.mark.parametrize("level", range(1, 7))
def test_a_heading_is_small_and_in_no_table_of_contents(level):
    html = section_body(to_html(f"{'#' * level} Words"), 0)
    [(classes, size)] = re.findall(rf'<h{level} class="(.*?)" style="font-size:(.*?)em', html)
    assert classes == "jp-toc-ignore"
    assert float(size) * 14 < 18  # pixels of the name above a column
