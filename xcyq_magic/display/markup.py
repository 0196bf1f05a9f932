"""Markdown as models write it, to HTML that is safe to show.

A model's reply is hostile input: JupyterLab runs what a `text/html` output or an HTML widget holds.
So Markdown becomes HTML without any raw HTML of the reply's but a few harmless tags, and the result
goes through an allow-list (`nh3`), always. Nothing in it makes a page fetch anything: a picture
becomes a link that shows its whole address, unless it is here in full.
"""

from __future__ import annotations

import html
import re
import threading
from typing import TYPE_CHECKING

import nh3
from markdown import Markdown

from xcyq_magic.display.gfm import GfmExtension
from xcyq_magic.display.gfm.document import NEXT_SECTION
from xcyq_magic.display.gfm.tex import may_be_typeset
from xcyq_magic.display.gfm.tree import CLASSES as TOKEN_CLASSES
from xcyq_magic.errors import show_directions

if TYPE_CHECKING:
    from collections.abc import Sequence


# Elements that text is made of. None of them runs, submits or frames anything; see `_allowed` for what `img` may show.
TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "div", "span"),
    *("ul", "ol", "li", "pre", "code", "em", "strong", "del", "a"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary", "kbd", "sub", "sup", "u", "mark"),
    "input",  # only a task list's box, which cannot be clicked: see ATTRIBUTES
    "img",  # only a picture that is here in full: see IMAGE_DATA
}

# No id (it could shadow a global of the page), no name, no event, no URL that a page fetches by itself.
ATTRIBUTES = {
    "a": {"href", "title"},  # see SCHEMES; followed only when clicked
    "ul": {"dir"},  # for scripts that are read from the right
    "ol": {"start", "dir"},
    "input": {"checked", "disabled"},
    "details": {"open"},
    "th": {"style"},  # see STYLE_PROPERTIES
    "td": {"style"},
    "img": {"src", "alt"},  # see IMAGE_DATA
}
# Raster formats, in the page itself: no server learns that they are shown. No SVG, which is a document.
IMAGE_DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
# No other class: with those of the page, a reply could lay a false notification over it.
CLASSES = {
    "div": {"highlight"},  # a block of code with colours
    "span": {"xcyq-math", *TOKEN_CLASSES},
    "li": {"task-list-item"},
}
ATTRIBUTE_VALUES = {
    "a": {"target": "_blank"},
    "input": {"type": "checkbox"},
}
# Of table cells only: the one style that is let through.
STYLE_PROPERTIES = {"text-align"}
SCHEMES = {"http", "https", "mailto"}  # of links: no javascript, no data, no file
_LINK = re.compile(rf"(?:{'|'.join(sorted(SCHEMES))}):", re.IGNORECASE)
_TAG_OR_TEXT = re.compile(r"<(?:[^\"'>]|\"[^\"]*\")*>|[^<]+")
_CODE = re.compile(r"<(/?)(?:pre|code)\b")
_MATH = '<span class="xcyq-math">'
# What MathJax would take for the start or the end of math, outside of math.
_MATH_DELIMITER = re.compile(r"\$|\\(?=[()\[\]]|begin\b|end\b|ref\b|eqref\b)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but newline and tab


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    """Return an attribute's value, or None to drop it, where the value decides: of pictures, and of links."""
    if (tag, attribute) == ("img", "src"):
        return value if IMAGE_DATA.fullmatch(value) else None
    if (tag, attribute) == ("a", "href"):
        return value if _LINK.match(value) else None
    return value


_CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes=ATTRIBUTES,
    attribute_filter=_allowed,
    allowed_classes=CLASSES,
    set_tag_attribute_values=ATTRIBUTE_VALUES,
    filter_style_properties=STYLE_PROPERTIES,
    url_schemes=SCHEMES | {"data"},  # for pictures alone: see `_allowed`
    url_relative="deny",  # relative to the notebook's page, where a link would lead into the server
    link_rel="noopener noreferrer",
    strip_comments=True,
)


class _Pipeline(threading.local):
    """Markdown to HTML that is not cleaned.

    Each thread has its own, for one takes 0.1 ms to make, as long as a short reply, and serves one thread at a time.
    """

    def __init__(self) -> None:
        self.extension = GfmExtension()
        self.markdown = Markdown(extensions=[self.extension])


_PIPELINE = _Pipeline()


def escape(text: str) -> str:
    """Return `text` for a line of ours in HTML, where no markup is meant, nor math, nor another direction."""
    return as_text(show_directions(text))


def attribute(text: str) -> str:
    """Return `text` for an attribute of ours in HTML, in double quotes."""
    return html.escape(show_directions(text))


def as_text(said: str) -> str:
    """Return what a reply says for a place in HTML where no markup is meant, nor math."""
    return _without_stray_math(html.escape(said))


def to_html(source: str) -> str:
    """Return the safe HTML of Markdown, whole."""
    return "".join(to_html_sections(source))


def to_html_sections(source: str, lines: Sequence[int] = ()) -> list[str]:
    """Return the safe HTML of Markdown in sections: `lines` are those, counted from 0, that begin the further ones."""
    _PIPELINE.extension.setConfig("sections", lines)
    html = _PIPELINE.markdown.convert(source) or NEXT_SECTION * len(lines)
    # `markdown` takes the last line end off.
    return [safe(f"{section.rstrip()}\n") if section else "" for section in html.split(NEXT_SECTION)]


def safe(dirty: str) -> str:
    """Return HTML that a page can show: what the allow-list leaves, and no math but what is marked as such."""
    return _without_stray_math(_CLEANER.clean(dirty))


def _without_stray_math(safe: str) -> str:
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
            math = piece == _MATH  # its content is one text
        elif math and may_be_typeset(piece):
            out.append(piece)
        else:
            out.append(piece if code else _MATH_DELIMITER.sub(r"<span>\g<0></span>", piece))
    return "".join(out)


def without_controls(text: str) -> str:
    """Return `text`, which may hold a reply, as a terminal may show it."""
    return _CONTROL.sub("", show_directions(text, within="a reply"))


def plain_line(text: str) -> str:
    """Return text of ours, with names in it that others gave, as a terminal may show it."""
    return without_controls(show_directions(text))
