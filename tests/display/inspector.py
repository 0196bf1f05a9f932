"""What a page made of a reply could run, fetch, or reach beyond its cell.

Written apart from `markup`'s allow-list, so that each is a test of the other.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from pygments.token import STANDARD_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "div", "span", "ul", "ol", "li", "pre"),
    *("code", "em", "strong", "del", "a", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "kbd"),
    *("sub", "sup", "u", "mark"),
}
ELEMENTS = TEXT | {"input", "img"}
CLASSES = {"highlight", "task-list-item", *STANDARD_TYPES.values()}
OURS = "xcyq-"  # ids and classes of ours; no page has others that begin so

# An attribute's value must match, on these elements only; on no other, and nothing else.
_ALIGNMENT = r"(text-align: ?(left|right|center);?)?"
_VALUES: dict[str, dict[str, str]] = {
    "*": {"id": rf"{OURS}[\w:-]+", "dir": "auto|ltr|rtl", "title": r"[^\x00]*"},
    "a": {"href": rf"(?i:https?:|mailto:).*|#{OURS}.*", "target": "_blank", "rel": "noopener noreferrer"},
    "ol": {"start": r"\d+"},
    "details": {"open": ""},
    "input": {"type": "checkbox", "checked": "", "disabled": ""},
    "th": {"style": _ALIGNMENT},
    "td": {"style": _ALIGNMENT},
    "img": {"src": r"data:image/(png|jpeg|gif|webp);base64,[\w+/=]+", "alt": r"[^\x00]*"},
}

# Macros by which MathJax writes HTML, CSS or links into the page, loads code, or names such a macro anew.
UNSAFE_MACRO = re.compile(
    r"\\(?:mmlToken|require|href|url|class|style|cssId|data|bbox|unicode|toggle|mathtip|texttip|includegraphics"
    r"|[egx]?def|let|(?:re)?newcommand|providecommand|(?:re)?newenvironment|DeclareMathOperator"
    r"|DeclarePairedDelimiters?\w*|(?:re)?newtagform|usetagform|setOptions|(?:eq)?ref)(?![A-Za-z])"
)
# As MathJax reads them, in its order; see `maths`.
_MATH_START = re.compile(
    r"(?P<open>\$\$|\$|\\\(|\\\[)|\\begin\s*\{(?P<env>[^}]*)\}|\\[\\$]|(?P<ref>\\(?:eq)?ref\s*\{[^}]*\})"
)
_CLOSES = {"$$": "$$", "$": "$", "\\(": "\\)", "\\[": "\\]"}
# MathJax looks into no text of these, and takes text on both sides of the others for one.
_NOT_TYPESET = {"pre", "code", "script", "noscript", "style", "textarea"}
_TEXT_GOES_ON = {"br": "\n", "wbr": ""}


def maths(text: str) -> Iterator[str]:
    """What MathJax would typeset of one text of a page, with the options of JupyterLab."""
    at = 0
    while start := _MATH_START.search(text, at):
        at = start.end()
        if start["ref"]:
            yield start["ref"]
        elif start["open"] or start["env"] is not None:
            close = _CLOSES[start["open"]] if start["open"] else f"\\end{{{start['env']}}}"
            end = _end_of_math(text, at, close)
            if end is not None:
                yield text[at:end]
                at = end + len(close)


def _end_of_math(text: str, at: int, close: str) -> int | None:
    braces = 0
    for token in re.compile(re.escape(close) + r"|\\(?:[a-zA-Z]|.)|[{}]", re.DOTALL).finditer(text, at):
        if token[0] == close and not braces:
            return token.start()
        if token[0] == "{":
            braces += 1
        elif token[0] == "}" and braces:
            braces -= 1
    return None


class Inspector(HTMLParser):
    """Collects in `found` what must not be there."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._texts = [""]
        self._not_typeset = 0

    def handle_starttag(self, tag, attrs) -> None:
        self.found += [f"<{tag}>"] * (tag not in ELEMENTS)
        given = {name: value or "" for name, value in attrs}
        self.found += [f"<{tag} {name}={value!r}>" for name, value in given.items() if not _fine(tag, name, value)]
        self.found += [f"<{tag}> lacks {lacking}" for lacking in _lacking(tag, given)]
        if tag in _TEXT_GOES_ON:
            self._texts[-1] += _TEXT_GOES_ON[tag]
        else:
            self._texts.append("")
        self._not_typeset += tag in _NOT_TYPESET

    def handle_endtag(self, tag) -> None:
        self._not_typeset -= tag in _NOT_TYPESET
        self._texts.append("")

    def handle_data(self, data) -> None:
        if not self._not_typeset:
            self._texts[-1] += data

    def handle_comment(self, data) -> None:
        self.found.append(f"<!--{data}-->")

    def handle_decl(self, decl) -> None:
        self.found.append(f"<!{decl}>")

    def unknown_decl(self, data) -> None:
        self.found.append(f"<![{data}]>")

    def handle_pi(self, data) -> None:
        self.found.append(f"<?{data}>")

    def close(self) -> None:
        super().close()
        found = [math for text in self._texts for math in maths(text)]
        self.found += [f"math: {math}" for math in found if UNSAFE_MACRO.search(math)]


def _fine(tag: str, name: str, value: str) -> bool:
    if name == "class":
        return all(c in CLASSES or c.startswith(OURS) for c in value.split())
    pattern = {**_VALUES["*"], **_VALUES.get(tag, {})}.get(name)
    return pattern is not None and re.fullmatch(pattern, value, re.DOTALL) is not None


def _lacking(tag: str, given: dict[str, str]) -> list[str]:
    """What a link or a box must have, so that it is harmless."""
    needed: tuple[str, ...] = ()
    if tag == "a" and "href" in given and not given["href"].startswith(f"#{OURS}"):
        needed = ("target", "rel")
    elif tag == "input":
        needed = ("type", "disabled")
    return [name for name in needed if name not in given]


def problems(html: str) -> list[str]:
    """What in a page could run, fetch, or reach beyond its cell; none, if it is harmless."""
    inspector = Inspector()
    inspector.feed(html)
    inspector.close()
    return inspector.found
