"""Blocks and tokens as the elements that are written out, code with the classes of its colours."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement

from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, Comment, Keyword, Literal, Name, Operator
from pygments.util import ClassNotFound

from xcyq_magic.display.gfm.delimiters import Close, Open, Whole
from xcyq_magic.display.gfm.inline import Inline
from xcyq_magic.display.gfm.references import bare_links, encoded
from xcyq_magic.display.gfm.starts import alignments, cells
from xcyq_magic.display.gfm.tex import may_be_typeset
from xcyq_magic.errors import show_directions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pygments.lexer import Lexer
    from pygments.token import _TokenType

    from xcyq_magic.display.gfm.block import Block
    from xcyq_magic.display.gfm.delimiters import Token
    from xcyq_magic.display.gfm.references import Footnotes, Reference


# What a theme colours, as `display.style` does; the most special first.
_COLOURED = (
    *(Comment, Keyword, Literal.String, Literal.Number, Operator.Word, Name.Decorator, Name.Function),
    *(Name.Class, Name.Builtin, Name.Tag, Name.Attribute, Name.Exception),
)
CLASSES = frozenset(STANDARD_TYPES[t] for t in _COLOURED)
LONGEST = 200_000  # characters of one block that are coloured; a lexer may be slow on what is no code


def highlighted(code: str, language: str) -> list[tuple[str, str]] | None:
    """Return `code` in pieces, each with its class, ``""`` for none; None where the language is not known."""
    lexer = _lexer(language.strip("{}.").lower()) if language and len(code) <= LONGEST else None
    if lexer is None:
        return None
    pieces: list[tuple[str, str]] = []
    for kind, text in lexer.get_tokens(code):
        name = _class_of(kind)
        if pieces and (pieces[-1][0] == name or (not text.strip() and "\n" not in text)):
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + text)
        else:
            pieces.append((name, text))
    return pieces


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    try:
        # As it stands: no line of the code may vanish.
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=512)
def _class_of(kind: _TokenType) -> str:
    return next((STANDARD_TYPES[t] for t in _COLOURED if kind[: len(t)] == t), "")


_CONTAINERS = {"quote": "blockquote", "details": "details", "summary": "summary"}
_TASK_BOX = re.compile(r"\[([ xX])\][ \t]+(?=\S)")
# Cells of one table that its rows lack and that are made up; cmark-gfm and markdown-it bound them as well. Further rows
# are shorter, which looks the same.
_MADE_UP = 1_000
_DEEPEST = 40  # elements within elements of one block's text; what is deeper is shown as it was written


class Tree:
    """Makes the elements of a document's blocks.

    Parameters
    ----------
    references
        What the document's definitions define.
    footnotes
        The document's footnotes; None while there may be more, and each stands where it was written.
    unfinished
        The block that is still being written, if one is: what is open in it ends with it, and code has no colours yet.
    """

    def __init__(
        self, references: Mapping[str, Reference], footnotes: Footnotes | None, *, unfinished: Block | None
    ) -> None:
        self._inline = Inline(references, footnotes)
        self._footnotes = footnotes
        self._unfinished = unfinished
        self._elements = {
            "fence": self._fence,
            "footnote": self._footnote,
            "heading": self._heading,
            "indented": self._indented,
            "list": self._list,
            "math": self._math,
            "rule": self._rule,
            "table": self._table,
        }

    def fill(self, parent: Element, blocks: Sequence[Block]) -> None:
        """Append the elements of `blocks` to `parent`."""
        for block in blocks:
            self._block(parent, block, tight=False)

    def append_footnotes(self, parent: Element) -> None:
        """Append the footnotes, numbered; after all text that could refer to them."""
        if self._footnotes is None:
            return
        items = Element("ol")
        for footnote in self._footnotes.in_order():
            self.fill(SubElement(items, "li"), footnote.children)
        if len(items):
            parent.extend([Element("hr"), items])

    def _block(self, parent: Element, block: Block, *, tight: bool) -> None:
        if block.kind == "paragraph":
            self._paragraph(parent, block, tight=tight)
        elif block.kind in _CONTAINERS:
            attributes = {"open": ""} if block.info == "open" else {}
            element = SubElement(parent, _CONTAINERS[block.kind], attributes)
            for child in block.children:
                self._block(element, child, tight=block.kind == "summary")
        else:
            self._elements[block.kind](parent, block)

    def _paragraph(self, parent: Element, block: Block, *, tight: bool) -> None:
        text = "\n".join(block.lines).rstrip(" \t")
        if not tight:
            self._text(SubElement(parent, "p"), text, block)
            return
        if len(parent):  # after a nested list, say: the text must not stick to what follows
            _append(parent, "\n")
        self._text(parent, text, block)

    def _heading(self, parent: Element, block: Block) -> None:
        self._text(SubElement(parent, f"h{block.number}"), "\n".join(block.lines).strip(), block)

    def _footnote(self, parent: Element, block: Block) -> None:
        """Append a footnote where it was written."""
        element = SubElement(parent, "div")
        SubElement(element, "sup").text = _escaped(block.info)
        self.fill(element, block.children)

    @staticmethod
    def _rule(parent: Element, _: Block) -> None:
        SubElement(parent, "hr")

    def _fence(self, parent: Element, block: Block) -> None:
        tex = "\n".join(block.lines) if block.is_math and block.closed else ""
        if tex.strip() and may_be_typeset(tex):
            self._math(parent, block)
            return
        language = block.info.split(None, 1)[0] if block.info and self._unfinished is None else ""
        parent.append(_code(block.lines, language))

    @staticmethod
    def _indented(parent: Element, block: Block) -> None:
        parent.append(_code(block.lines[: block.last_line - block.start + 1]))

    def _math(self, parent: Element, block: Block) -> None:
        tex = "\n".join(block.lines)
        paragraph = SubElement(parent, "p")
        if may_be_typeset(tex):
            SubElement(paragraph, "span", {"class": "xcyq-math"}).text = _escaped(f"\\[{tex}\\]")
        else:
            ends = {"$$": "$$", "\\]": "\\["}
            opening = ends.get(block.marker, "")
            paragraph.text = _escaped(f"{opening}{tex}{block.marker if opening else ''}")

    def _table(self, parent: Element, block: Block) -> None:
        head, delimiters, *rows = block.lines
        columns = alignments(delimiters)
        styles = [{"style": f"text-align: {c}"} if c else {} for c in columns]
        table = SubElement(parent, "table")
        row = SubElement(SubElement(table, "thead"), "tr")
        for text, style in zip(cells(head), styles, strict=True):
            self._text(SubElement(row, "th", style), text, block if not rows else None)
        body = SubElement(table, "tbody") if rows else None
        left = _MADE_UP
        for line in rows:
            row = SubElement(body, "tr")  # type: ignore[arg-type]  # there is one where there are rows
            texts = cells(line)
            for n, (text, style) in enumerate(zip(texts, styles, strict=False)):
                written = block if line is rows[-1] and n == len(texts) - 1 else None
                self._text(SubElement(row, "td", style), text, written)
            lacking = styles[len(texts) : len(texts) + left]
            left -= len(lacking)
            for style in lacking:
                SubElement(row, "td", style)

    def _list(self, parent: Element, block: Block) -> None:
        attributes = {} if block.number in {None, 1} else {"start": str(block.number)}
        if _from_the_right(block):
            attributes["dir"] = "rtl"  # its marks stand on the right; paragraphs know by themselves
        items = SubElement(parent, "ul" if block.number is None else "ol", attributes)
        tight = not block.loose
        for item in block.children:
            element = SubElement(items, "li")
            children = item.children
            if children and children[0].kind == "paragraph" and (box := _TASK_BOX.match(children[0].lines[0])):
                children[0].lines[0] = children[0].lines[0][box.end() :]
                element.set("class", "task-list-item")
                target = element if tight else SubElement(element, "p")
                checked = {"checked": ""} if box[1] in "xX" else {}
                SubElement(target, "input", {"type": "checkbox", "disabled": "", **checked}).tail = " "
                self._text(target, "\n".join(children[0].lines), children[0])
                children = children[1:]
            for child in children:
                self._block(element, child, tight=tight)

    def _text(self, element: Element, text: str, block: Block | None) -> None:
        """Write a text of `block` into its element."""
        unfinished = block is not None and block is self._unfinished
        _Writer(element).write(self._inline.tokens(text, unfinished=unfinished), unfinished=unfinished)


class _Writer:
    """Writes tokens into an element; what crosses another element, or is too deep, is written as text."""

    def __init__(self, element: Element) -> None:
        self._path = [element]
        self._begun: list[Open | None] = [None]  # which token began each element of the path
        self._text: list[str] = []

    def write(self, tokens: list[Token], *, unfinished: bool = False) -> None:
        """Append all tokens; with `unfinished`, what is open ends with them."""
        refused = _refused(tokens, unfinished=unfinished)
        for token in tokens:
            if isinstance(token, str):
                self._text.append(token)
            elif isinstance(token, Whole):
                self._flush()
                if token.tag == "a" and self._in_link():  # a badge: the outer link is the one that leads anywhere
                    SubElement(self._path[-1], "span").text = _escaped(token.text)
                else:
                    SubElement(self._path[-1], token.tag, token.attributes).text = _escaped(token.text)
            elif isinstance(token, Open):
                if id(token) in refused:
                    self._text.append(token.source)
                else:
                    self._flush()
                    self._path.append(SubElement(self._path[-1], token.tag, token.attributes))
                    self._begun.append(token)
            elif id(token.begin) in refused:
                self._text.append(token.source)
            else:
                self._flush()
                at = self._begun.index(token.begin)
                del self._path[at:], self._begun[at:]
        self._flush()

    def _in_link(self) -> bool:
        return any(e.tag == "a" for e in self._path)

    def _flush(self) -> None:
        text = "".join(self._text)
        self._text.clear()
        if not text:
            return
        at = 0
        if not self._in_link():
            for start, end, url in bare_links(text):
                _append(self._path[-1], text[at:start])
                SubElement(self._path[-1], "a", {"href": encoded(url)}).text = _escaped(text[start:end])
                at = end
        _append(self._path[-1], text[at:])


def _from_the_right(block: Block) -> bool:
    """Return whether the first letter of a block is one of a script that is read from the right."""
    while block.children:
        block = block.children[0]
    letters = (c for line in block.lines[:1] for c in line if c.isalpha())
    return unicodedata.bidirectional(next(letters, "a")) in {"R", "AL"}


def _refused(tokens: list[Token], *, unfinished: bool) -> set[int]:
    """Return the ids of tokens that become no elements: tags that do not end or cross another's, what is too deep."""
    refused: set[int] = set()
    path: list[Open] = []
    ended = {id(token.begin) for token in tokens if isinstance(token, Close)}
    for token in tokens:
        if isinstance(token, Open) and not unfinished and id(token) not in ended:
            refused.add(id(token))
            continue
        if isinstance(token, Open):
            path.append(token)
            if len(path) > _DEEPEST:
                refused.add(id(token))
        elif isinstance(token, Close):
            if id(token.begin) in refused and token.begin not in path[-1:]:
                continue
            while path and (last := path.pop()) is not token.begin:  # a tag, for nothing else crosses
                if id(last) in ended:
                    refused.add(id(last))  # one that does not end, ends with what it stands in
    return refused


def _code(lines: Sequence[str], language: str = "") -> Element:
    """Return a ``pre`` for lines of code; with colours where the language is known, in a ``div``."""
    code = "".join(f"{line}\n" for line in lines)
    pre = Element("pre")
    element = SubElement(pre, "code")
    pieces = highlighted(code, language)
    for name, text in [("", code)] if pieces is None else pieces:
        shown = show_directions(text, within="code")
        if name:
            SubElement(element, "span", {"class": name}).text = _escaped(shown)
        else:
            _append(element, shown)
    if pieces is None:
        return pre
    wrapper = Element("div", {"class": "highlight"})
    wrapper.append(pre)
    return wrapper


def _append(element: Element, text: str) -> None:
    text = _escaped(text)
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def _escaped(text: str) -> str:
    # `markdown` writes "&amp;" and the like as they are, taking them for escaped already.
    return text.replace("&", "&amp;")
