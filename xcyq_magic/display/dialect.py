"""From Markdown as models write it to Markdown as `markdown` reads it.

Models write GitHub's dialect: a list may follow a paragraph without a blank line, nested items are
indented to their parent's text, fences stand inside items, and a reply that was cut off leaves its
last fence open. `markdown` wants blank lines and steps of four spaces. Lines in fences keep their text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ITEM = re.compile(r"(?P<indent> *)(?P<marker>[-*+]|\d{1,9}[.)])(?P<gap> +|$)(?P<text>.*)")
_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}(?!.*`)|~{3,})(?P<info>.*)")
_QUOTE = re.compile(r" {0,3}> ?(?P<text>.*)")
_RULE = re.compile(r" {0,3}([-*_])(?: *\1){2,} *")
_TABLE_RULE = re.compile(r" *\|?(?: *:?-+:? *\|)+(?: *:?-+:? *)?")
_STEP = 4  # `markdown` wants nested blocks indented by this
_WIDEST_GAP = 4  # after a marker; more of it is an indented code block
_DEEPEST = 12  # levels of nesting; what is deeper stays at this depth


@dataclass
class _Item:
    """An open list item: the column of its text, and its marker, ``1`` for any number."""

    text: int
    kind: str


def to_python_markdown(source: str) -> str:
    """The same document, in the dialect of `markdown`."""
    return "\n".join(_rewritten(source.expandtabs(_STEP).split("\n")))


def _rewritten(lines: list[str]) -> list[str]:
    writer = _Writer()
    at = 0
    while at < len(lines):
        line = lines[at]
        if not writer.holds(line) and _QUOTE.fullmatch(line):
            end = at
            while end < len(lines) and _QUOTE.fullmatch(lines[end]):
                end += 1
            inner = [_QUOTE.fullmatch(quoted)["text"] for quoted in lines[at:end]]  # type: ignore[index]  # looked at above
            writer.quote(_rewritten(inner))
            at = end
            continue
        writer.line(line, lines[at + 1] if at + 1 < len(lines) else "")
        at += 1
    return writer.finish()


def _column(line: str) -> int:
    """Where the text of a line begins."""
    return len(line) - len(line.lstrip())


class _Writer:
    """Writes line by line, with the open items and the open fence in mind."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._items: list[_Item] = []
        self._closed = _Item(0, "")  # the last one that was closed
        self._paragraph = False  # whether the last line written belongs to one
        self._table = False  # the same for a table
        self._in_list = False  # whether it belongs to a list
        self._loose = False  # whether the open list has blank lines
        self.fence: re.Match[str] | None = None
        self._fence_depth = 0

    def holds(self, line: str) -> bool:
        """Whether `line` stands within the open fence or item."""
        return self.fence is not None or bool(self._items and _column(line) >= self._items[-1].text)

    def finish(self) -> list[str]:
        if self.fence is not None:
            self._out.append(" " * (_STEP * self._fence_depth) + self.fence["fence"])
        return self._out

    def quote(self, lines: list[str]) -> None:
        if self._paragraph:
            self._blank()
        self._items.clear()
        self._out += [f"> {line}".rstrip() for line in lines]
        self._blank()

    def line(self, line: str, following: str) -> None:
        if self.fence is not None:
            self._fenced(line, self.fence)
        elif not line.strip():
            self._blank()
            self._loose = self._loose or bool(self._items)
        elif opening := _FENCE.fullmatch(line):
            self._open(line, opening)
        elif (item := _ITEM.fullmatch(line)) and not _RULE.fullmatch(line) and self._may_begin(item):
            self._item(item)
        else:
            self._text(line, following)

    def _close_to(self, column: int) -> int:
        """Close the items whose text begins right of `column`; returns how many are left open."""
        while self._items and column < self._items[-1].text:
            self._closed = self._items.pop()
        if not self._items:
            self._loose = False
        return min(len(self._items), _DEEPEST)

    def _open(self, line: str, opening: re.Match[str]) -> None:
        depth = self._close_to(len(opening["indent"]))
        self._write(depth, line.strip())
        self.fence, self._fence_depth = opening, depth

    def _fenced(self, line: str, opening: re.Match[str]) -> None:
        indent = len(opening["indent"])
        lead = line[:indent]
        content = (lead.lstrip() if lead.strip() else "") + line[indent:]
        closing = _FENCE.fullmatch(line.rstrip())
        closes = closing and closing["fence"].startswith(opening["fence"]) and not closing["info"].strip()
        self._write(self._fence_depth, opening["fence"] if closes else content)
        if closes:
            self.fence = None
            self._blank()

    def _may_begin(self, item: re.Match[str]) -> bool:
        """Whether a list item may begin here: within a paragraph, a number other than 1 is text."""
        if self._items or not self._paragraph:
            return len(item["indent"]) < _STEP or bool(self._items)
        return bool(item["text"].strip()) and (item["marker"] in "-*+" or item["marker"][:-1] == "1")

    def _item(self, item: re.Match[str]) -> None:
        column, marker = len(item["indent"]), item["marker"].replace(")", ".")
        deepest, loose = len(self._items), self._loose
        depth = self._close_to(column)
        another_kind = depth < deepest and (self._closed.kind == "1") != (marker[-1] == ".")
        if self._table or (self._paragraph and not self._in_list) or (loose and depth + 1 < deepest) or another_kind:
            self._blank()
        gap = len(item["gap"]) if 0 < len(item["gap"]) <= _WIDEST_GAP else 1
        text_column = column + len(item["marker"]) + gap
        self._items.append(_Item(text_column, "1" if marker[-1] == "." else marker))
        self._in_list, self._table = True, False
        if opening := _FENCE.fullmatch(item["text"]):  # `markdown` wants it below the marker
            self._write(depth, f"{marker} ")
            self._out.append("")
            self._write(depth + 1, opening["fence"] + opening["info"])
            self.fence, self._fence_depth = _FENCE.fullmatch(" " * text_column + item["text"]), depth + 1
        else:
            self._write(depth, f"{marker} {item['text'].strip()}")

    def _text(self, line: str, following: str) -> None:
        column = _column(line)
        after_blank = not (self._out and self._out[-1].strip())
        begins_table = "|" in line and _TABLE_RULE.fullmatch(following) is not None
        own = after_blank or begins_table  # else it goes on with the line before, wherever it stands
        depth = self._close_to(column) if own else min(len(self._items), _DEEPEST)
        if begins_table and self._paragraph:
            self._blank()
        inner = self._items[-1].text if self._items else 0
        self._write(depth, line[min(inner, column) :] if own or not depth else line.strip())
        self._table = begins_table or (self._table and not after_blank)
        self._in_list = bool(depth)
        self._paragraph = not self._table

    def _blank(self) -> None:
        self._out.append("")
        self._paragraph = self._table = False

    def _write(self, depth: int, text: str) -> None:
        self._out.append(" " * (_STEP * depth) + text if text.strip() else "")
        self._paragraph = True
