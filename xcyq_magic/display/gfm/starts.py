"""The beginnings and the ends of blocks, which the first characters of a line tell; and the cells of tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcyq_magic.display.gfm.tex import ENVIRONMENTS, looks_like_tex

if TYPE_CHECKING:
    from xcyq_magic.display.gfm.block import Block, Line

CODE_INDENT = 4
CONTAINERS = ("quote", "item", "footnote", "details", "summary")
_HEADING = re.compile(r"(#{1,6})(?=[ \t]|$)")
_SPECIAL = frozenset("#`~=-*_+|:><$\\[0123456789")
_UNDERLINE = re.compile(r"(=+|-+)[ \t]*")
_RULE = re.compile(r"([-*_])[ \t]*(?:\1[ \t]*){2,}")
_FENCE = re.compile(r"(`{3,})([^`]*)|(~{3,})(.*)")
_ITEM = re.compile(r"([-*+]|(\d{1,9})([.)]))(?= |$)")
_FOOTNOTE = re.compile(r"\[\^([^\s\]]{1,200})\]: ?")
_DETAILS = re.compile(r"<details(?:\s([^<>]*))?>", re.IGNORECASE)
_OPEN = re.compile(r"\bopen\b", re.IGNORECASE)
_SUMMARY = re.compile(r"<summary(?:\s[^<>]*)?>(?:(.*?)</summary>)?", re.IGNORECASE)
END_TAG = re.compile(r" {0,3}</(details|summary)>[ \t]*", re.IGNORECASE)
TAGS_AT_END = re.compile(r"(?:</(?:details|summary)>[ \t]*){1,8}$", re.IGNORECASE)
BEGINS_DETAILS = re.compile(r"[ \t>*+\-\d.)]*<details\b", re.IGNORECASE)
_MATH = re.compile(r"(\$\$)(?!\$)(.*)|(\\\[)(.*)|\\begin\{(" + ENVIRONMENTS + r")(\*?)\}(.*)", re.DOTALL)
_DELIMITER_ROW = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?")
_PIPE = re.compile(r"(?<!\\)\|")
_WIDEST_GAP = 4  # after an item's mark; what is wider is one space and an indented code block


@dataclass(frozen=True)
class Start:
    """The beginning of a block; the fields are those of `Block`."""

    kind: str
    lines: tuple[str, ...] = ()
    marker: str = ""
    number: int | None = None
    indent: int = 0
    info: str = ""
    closed: bool = False
    from_paragraph: bool = False  # it takes the open paragraph's last line, or all of them


def begin(line: Line, container: Block, *, lazy: bool, math: bool, containers: bool) -> Start | None:
    """Return the block that begins where `line` stands, its marks taken off the line; None if none does.

    Parameters
    ----------
    line
        The line, as far as it has been read.
    container
        The innermost open block that the line belongs to.
    lazy
        Whether a paragraph is open that the line could go on with, without its containers' marks.
    math
        Whether display math may begin.
    containers
        Whether one more container is allowed.
    """
    if line.blank:
        return None
    indent = line.indent
    if container.kind == "details" and (summary := _SUMMARY.match(line.rest, indent)):
        line.advance(summary.end())
        line.taken = True
        return Start("summary", lines=(summary[1],) if summary[1] else (), closed=summary[1] is not None)
    if indent >= CODE_INDENT:
        if lazy or container.kind in {"paragraph", "table", "summary"}:
            return None
        line.taken = True
        return Start("indented")
    rest = line.rest[indent:]
    if rest[0] not in _SPECIAL or (container.kind == "summary" and rest[0] != "#"):
        return None  # most lines
    begun = _leaf(line, container, rest, indent, math=math)
    if begun is None and containers:
        begun = _container(line, container, rest, indent)
    line.taken = line.taken or begun is not None
    return begun


def _leaf(line: Line, container: Block, rest: str, indent: int, *, math: bool) -> Start | None:
    in_paragraph = container.kind == "paragraph"
    begun = None
    if heading := _HEADING.match(rest):
        begun = Start("heading", lines=(_heading_text(rest[heading.end() :]),), number=len(heading[1]))
    elif fence := _FENCE.fullmatch(rest):
        info = (fence[2] if fence[1] else fence[4]).strip()
        begun = Start("fence", marker=fence[1] or fence[3], indent=indent, info=info)
    elif in_paragraph and (underline := _UNDERLINE.fullmatch(rest)):
        begun = Start("heading", (rest,), number=1 if underline[1][0] == "=" else 2, from_paragraph=True)
    elif in_paragraph and _is_delimiter_row(rest) and _is_head_of(container.lines[-1], rest):
        begun = Start("table", (rest,), from_paragraph=True)
    elif _RULE.fullmatch(rest):
        begun = Start("rule")
    elif math:
        begun = _math(rest, indent)
    if begun is not None:
        line.advance(len(line.rest))
        line.done = True
    return begun


def _heading_text(text: str) -> str:
    """Return a heading's text without the number signs that may close it."""
    text = text.strip(" \t")
    opened = text.rstrip("#")
    return opened.rstrip(" \t") if not opened or opened[-1] in " \t" else text


def _math(rest: str, indent: int) -> Start | None:
    found = _MATH.fullmatch(rest)
    if found is None:
        return None
    if found[5]:
        marker, first = f"\\end{{{found[5]}{found[6]}}}", rest
    else:
        marker, first = ("$$", found[2]) if found[1] else ("\\]", found[4])
        # Brackets may be escaped to be no link: "\[see below\]".
        if marker == "\\]" and first.strip() and not looks_like_tex(first):
            return None
    before = end_of_math(marker, first)
    if before is not None:
        return Start("math", (before,), marker, indent=indent, info=rest, closed=True) if before.strip() else None
    if marker in first:
        return None  # it ends amid the line: it stands within a paragraph
    return Start("math", (first,) if first.strip() else (), marker, indent=indent, info=rest)


def _container(line: Line, container: Block, rest: str, indent: int) -> Start | None:
    if line.take_quote_mark():
        return Start("quote")
    if footnote := _FOOTNOTE.match(rest):
        line.advance(indent + footnote.end())
        return Start("footnote", indent=CODE_INDENT, info=footnote[1])
    if details := _DETAILS.match(rest):
        line.advance(indent + details.end())
        return Start("details", info="open" if _OPEN.search(details[1] or "") else "")
    return _item(line, container, rest, indent)


def _item(line: Line, container: Block, rest: str, indent: int) -> Start | None:
    item = _ITEM.match(rest)
    if item is None:
        return None
    text = rest[item.end() :]
    number = int(item[2]) if item[2] else None
    if container.kind == "paragraph" and (not text.strip() or number not in {None, 1}):
        return None  # "in\n1984. That was" goes on
    gap = len(text) - len(text.lstrip(" "))
    gap = gap if 0 < gap <= _WIDEST_GAP and text.strip() else 1
    line.advance(indent + item.end() + gap)
    return Start("item", marker=item[3] or item[1], number=number, indent=indent + item.end() + gap)


def end_of_fence(marker: str, line: Line) -> bool:
    """Return whether the line closes the fence that `marker` opened."""
    rest = line.rest.strip(" \t")
    return line.indent < CODE_INDENT and len(rest) >= len(marker) and not rest.strip(marker[0])


def end_of_math(marker: str, text: str) -> str | None:
    """Return what stands before the mark that ends display math, if it ends this line; None if the math goes on."""
    text = text.rstrip()
    if not text.endswith(marker) or text.find(marker) != len(text) - len(marker):
        return None
    return text if marker.startswith("\\end") else text[: -len(marker)]


# Tables


def _is_delimiter_row(line: str) -> bool:
    """Return whether a line could stand below a table's head."""
    found = ("|" in line or ":" in line) and line[0] in "|:-" and _DELIMITER_ROW.fullmatch(line.rstrip(" \t"))
    return bool(found)


def _is_head_of(head: str, delimiters: str) -> bool:
    """Return whether `head` has as many cells as the delimiter row below it."""
    return "|" in head and len(cells(head)) == len(alignments(delimiters))


def cells(row: str) -> list[str]:
    r"""Return the texts of a row's cells; ``\|`` is a pipe within one, in code as well."""
    row = row.strip()
    parts = _PIPE.split(row)
    if parts[0] == "" and row.startswith("|"):
        parts = parts[1:]
    if parts and parts[-1] == "" and row.endswith("|"):
        parts = parts[:-1]
    return [p.strip().replace("\\|", "|") for p in parts]


def alignments(delimiters: str) -> list[str]:
    """Return for each column of a table ``left``, ``right``, ``center``, or ``""``."""
    names = {(True, True): "center", (True, False): "left", (False, True): "right", (False, False): ""}
    return [names[c.startswith(":"), c.endswith(":")] for c in cells(delimiters)]
