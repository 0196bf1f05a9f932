"""Our reader as an extension of `markdown`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from markdown import Markdown, markdown
from oracle import documents

from xcyq_magic.display.gfm import GfmExtension
from xcyq_magic.display.markup import safe, to_html, to_html_sections

MODULE = "xcyq_magic.display.gfm"
DOCUMENTS = documents()
ROOT = Path(__file__).parents[2]
# What `markdown` itself uses to mark what it puts aside, and what it would change before it reads.
PLACEHOLDERS = "a \x02amp\x03 \x02wzxhzdk:0\x03 \x02klzzwxh:0001\x03 \x0242\x03 b"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_its_html_once_cleaned_is_what_a_reply_shows(name):
    html = markdown(DOCUMENTS[name], extensions=[GfmExtension()])
    assert markdown(DOCUMENTS[name], extensions=[MODULE]) == html
    assert safe(html and f"{html}\n") == to_html(DOCUMENTS[name])


def test_the_html_is_not_cleaned():
    assert markdown("[a](javascript:b)", extensions=[MODULE]) == '<p><a href="javascript:b">a</a></p>'


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("", ""),
        (" \n\n", ""),
        ("\xa0\u3000", ""),  # blanks alone, which `markdown` does not give to any parser
        ("[a]: https://a.example", ""),
        ("a\r\nb\rc", "<p>a\nb\nc</p>"),
        ("    a\tb", "<pre><code>a\tb\n</code></pre>"),
        ("&amp; &copy; & <b>", "<p>&amp; © &amp; &lt;b&gt;</p>"),
        ("<div>\n*a*\n</div>", "<p>&lt;div&gt;\n<em>a</em>\n&lt;/div&gt;</p>"),
        (PLACEHOLDERS, f"<p>{PLACEHOLDERS}</p>"),
        ("a\0b", "<p>a\ufffdb</p>"),
        ("</div>", "<p>&lt;/div&gt;</p>"),
    ],
)
def test_nothing_is_left_of_the_steps_of_its_own_parser(source, html):
    assert markdown(source, extensions=[MODULE]) == html


def test_an_instance_reads_one_document_after_another():
    instance = Markdown(extensions=[MODULE])
    assert instance.convert("[a]: https://a.example\n\n[^1]: b\n\n[a][^1]") != ""
    assert instance.convert("[a][^1]") == "<p>[a][^1]</p>"


def test_the_steps_of_other_extensions_run():
    assert markdown("# A b", extensions=[MODULE, "toc"]) == '<h1 id="a-b">A b</h1>'
    assert markdown("k: v\n\n# A", extensions=[MODULE, "meta"]) == "<h1>A</h1>"


def test_the_entry_point_leads_to_it(tmp_path):
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    points = project["entry-points"]["markdown.extensions"]
    installed = tmp_path / "installed-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1\n")
    lines = ["[markdown.extensions]", *(f"{name} = {value}" for name, value in points.items())]
    (installed / "entry_points.txt").write_text("\n".join(lines))
    code = "import markdown; print(markdown.markdown('~~a~~', extensions=['xcyq_magic']))"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "<p><del>a</del></p>\n"


MARK = "<!--section-->"
WITH_MARKS = [
    f"a {MARK} b",
    MARK,
    f"`{MARK}`",
    f"```\n{MARK}\n```",
    f'[a](https://a.example/{MARK} "{MARK}")',
    f"![{MARK}]({MARK})",
    f"| {MARK} |\n|---|\n| {MARK} |",
    f"<kbd>{MARK}</kbd>",
    f"$x {MARK}$",
    "&lt;!--section--&gt;",
]


@pytest.mark.parametrize("source", WITH_MARKS)
def test_no_reply_can_end_a_section(source):
    first, second = to_html_sections(f"{source}\n\n# b", [source.count("\n") + 2])
    assert (first, second) == (to_html(source), "<h1>b</h1>\n")
    assert "section--&gt;" in first


@pytest.mark.parametrize("source", ["", "\n", "a", "[a]: b", "a\n\nb", "a\n\n[^1]: b"])
@pytest.mark.parametrize("lines", [[], [0], [1], [2], [9], [1, 2], [9, 9]])
def test_there_are_as_many_sections_as_asked_for(source, lines):
    sections = to_html_sections(source, lines)
    assert len(sections) == len(lines) + 1
    assert "".join(sections) == to_html(source)
