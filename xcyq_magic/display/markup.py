"""Markdown as models write it, to HTML that is safe to show.

A model's reply is hostile input: JupyterLab runs what a `text/html` output or an HTML widget holds.
So Markdown becomes HTML without any raw HTML of the reply's but a few harmless tags, and the result
goes through an allow-list (`nh3`), always. Nothing in it makes a page fetch anything: a picture
becomes a link that shows its whole address.
"""

from __future__ import annotations

import html
import re
import threading
import xml.etree.ElementTree as ET
from typing import Any

import markdown
import nh3
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from markdown.treeprocessors import Treeprocessor
from pygments.token import STANDARD_TYPES

from xcyq_magic.display.dialect import to_python_markdown

# Elements that text is made of. None of them runs, fetches, submits or frames anything.
TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "div", "span"),
    *("ul", "ol", "li", "pre", "code", "em", "strong", "del", "a"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary", "kbd", "sub", "sup", "u", "mark"),
    "input",  # only a task list's box, which `markdown` writes disabled; see ATTRIBUTES
}

# No id (it could shadow a global of the page), no name, no event, no source of any kind.
ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start"},
    "input": {"checked", "disabled"},
    "th": {"style"},  # see STYLE_PROPERTIES
    "td": {"style"},
}
# No other class: with those of the page, a reply could lay a false notification over it.
CLASSES = {
    "div": {"highlight", "arithmatex"},  # a highlighted block; math
    "span": {"arithmatex", *filter(None, STANDARD_TYPES.values())},  # math; Pygments' tokens
    "li": {"task-list-item"},
}
ATTRIBUTE_VALUES = {
    "a": {"target": "_blank"},
    "input": {"type": "checkbox"},
}
# Of table cells only: the one style that is let through.
STYLE_PROPERTIES = {"text-align"}
SCHEMES = {"http", "https", "mailto"}  # no javascript, no data, no file
HARMLESS_TAGS = ("br", "sub", "sup", "kbd", "u", "mark", "details", "summary")

_CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes=ATTRIBUTES,
    allowed_classes=CLASSES,
    set_tag_attribute_values=ATTRIBUTE_VALUES,
    filter_style_properties=STYLE_PROPERTIES,
    url_schemes=SCHEMES,
    url_relative="deny",  # relative to the notebook's page, where a link would lead into the server
    link_rel="noopener noreferrer",
    strip_comments=True,
)

_TAG_OR_TEXT = re.compile(r"<(?:[^\"'>]|\"[^\"]*\")*>|[^<]+")
_CODE = re.compile(r"<(/?)(?:pre|code)\b")
_MATH = re.compile(r"<(?:span|div) class=\"arithmatex\">")
# What MathJax would take for the start or the end of math, outside of math.
_MATH_DELIMITER = re.compile(r"\$|\\(?=[()\[\]]|begin\b|end\b|ref\b|eqref\b)")
# Macros that write HTML, CSS or addresses into the page, load extensions, or give such macros another name.
# MathJax, not the allow-list, makes the page of them: \mmlToken{mglyph}[src=…] fetches a picture.
_UNSAFE_MACRO = re.compile(
    r"\\(?:mmlToken|require|href|url|class|style|cssId|data|bbox|unicode|toggle|mathtip|texttip|includegraphics"
    r"|[egx]?def|let|(?:re)?newcommand|providecommand|(?:re)?newenvironment|DeclareMathOperator|DeclarePairedDelimiters?\w*"
    r"|newtagform|renewtagform|usetagform|setOptions|csname|begingroup|global)(?![A-Za-z])"
)

EXTENSIONS = [
    "markdown.extensions.tables",
    "markdown.extensions.footnotes",
    "markdown.extensions.sane_lists",
    "pymdownx.superfences",
    "pymdownx.highlight",
    "pymdownx.tilde",
    "pymdownx.tasklist",
    "pymdownx.betterem",
    "pymdownx.magiclink",
    "pymdownx.arithmatex",
]
CONFIGS: dict[str, dict[str, Any]] = {
    "pymdownx.arithmatex": {"generic": True, "smart_dollar": True},
    "pymdownx.highlight": {"guess_lang": False, "css_class": "highlight", "use_pygments": True},
    "pymdownx.tilde": {"subscript": False},
    "pymdownx.superfences": {"disable_indented_code_blocks": False},
    "markdown.extensions.footnotes": {"BACKLINK_TEXT": ""},
}


def escape(text: str) -> str:
    """`text` for a place in HTML where no markup is meant; nor is math."""
    return without_stray_math(html.escape(text))


def to_html(source: str) -> str:
    """Markdown to safe HTML. What cannot be converted is shown as it is: a reply is never lost to its markup."""
    try:
        dirty = _converters.markdown.reset().convert(to_python_markdown(source))
    except Exception:  # noqa: BLE001  # the library's own, such as RecursionError for lists 1,500 deep
        _converters.renew()  # what it was in the middle of would come out with the next text
        return f"<pre>{html.escape(source)}</pre>"
    return without_stray_math(clean(dirty))


def clean(dirty: str) -> str:
    """The HTML that the allow-list leaves."""
    return _CLEANER.clean(dirty)


def without_stray_math(safe: str) -> str:
    r"""Let only what is marked as math be typeset.

    JupyterLab typesets what stands between two dollars, or ``\(`` and ``\)``, of one text in any HTML output,
    code aside. A delimiter in an element of its own is none.
    """
    code = 0
    math = False
    out = []
    for piece in _TAG_OR_TEXT.findall(safe):
        if piece.startswith("<"):
            if tag := _CODE.match(piece):
                code += -1 if tag[1] else 1
            out.append(piece)
            math = _MATH.fullmatch(piece) is not None  # its content is one text
        elif math and not _UNSAFE_MACRO.search(piece):
            out.append(piece)
        else:
            out.append(piece if code else _MATH_DELIMITER.sub(r"<span>\g<0></span>", piece))
    return "".join(out)


class _ModelText(Extension):
    """Raw HTML is shown, not run; pictures are links."""

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802  # the library's name
        md.preprocessors.deregister("html_block")
        md.inlinePatterns.deregister("html")
        md.inlinePatterns.register(_HarmlessTag(rf"<(/?)({'|'.join(HARMLESS_TAGS)})\s*/?>", md), "harmless_tag", 90)
        md.treeprocessors.register(_PicturesToLinks(md), "pictures_to_links", 5)


class _HarmlessTag(InlineProcessor):
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[str, int, int]:  # type: ignore[override]  # noqa: ARG002, N802  # the library's signature
        # Kept out of further Markdown; whether tags are balanced, the allow-list sees to.
        return self.md.htmlStash.store(f"<{m[1]}{m[2]}>"), m.start(0), m.end(0)


class _PicturesToLinks(Treeprocessor):
    def run(self, root: ET.Element) -> None:
        for parent in list(root.iter()):
            for i, child in enumerate(parent):
                if child.tag == "img":
                    parent[i] = _link_of(child, within_link=parent.tag == "a")


def _link_of(picture: ET.Element, *, within_link: bool) -> ET.Element:
    address, alt = picture.get("src", ""), picture.get("alt", "")
    link = ET.Element("span") if within_link else ET.Element("a", {"href": address})
    link.text = f"{alt}: {address}" if alt and alt != address else address
    link.tail = picture.tail
    return link


class _Converters(threading.local):
    """A converter for each thread that converts: it takes 25 ms to build, and is used by one at a time."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.markdown = markdown.Markdown(
            extensions=[*EXTENSIONS, _ModelText()], extension_configs=CONFIGS, output_format="html"
        )


_converters = _Converters()
