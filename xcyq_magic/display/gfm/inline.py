"""The text within a block: code, math, links, emphasis, line breaks.

One pass from left to right. Each search for an end is bounded, or remembers that there is none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcyq_magic.display.gfm.delimiters import Close, Open, Run, Stack, Token, Whole, run_at
from xcyq_magic.display.gfm.references import (
    ENTITY,
    HALF_TARGET,
    Reference,
    character,
    encoded,
    link_target,
)
from xcyq_magic.display.gfm.tex import Math, may_be_typeset
from xcyq_magic.errors import show_directions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcyq_magic.display.gfm.references import Footnotes

# Raw HTML of a reply is shown as text; these tags alone come through, without attributes, as these elements.
_HARMLESS = {name: name for name in ("br", "sub", "sup", "kbd", "u", "mark", "strong", "em", "del", "code")}
_HARMLESS |= {"b": "strong", "i": "em", "s": "del"}
_IMAGE_DATA = tuple(f"data:image/{kind};base64," for kind in ("png", "jpeg", "gif", "webp"))
_PLAIN = re.compile(r"[^\\`*_~\[\]!<&$\n]+")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_TAG = re.compile(rf"<(/?)({'|'.join(_HARMLESS)})[ ]*/?>", re.IGNORECASE)
_CODE_END = re.compile("</code[ ]*>", re.IGNORECASE)
_LONGEST_CODE = 2_000  # characters between tags
_URL = re.compile(r"<([A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*)>")
_MAIL = re.compile(r"<([\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*)>")
_TICKS = re.compile(r"`+")
_RUN = re.compile(r"\*+|_+|~+")
_FOOTNOTE = re.compile(r"\[\^([^\s\]]{1,200})\]")
# Of a text of which more will come: marks whose meaning is not known yet.
_MARKS_AT_END = re.compile(r"[*_~\\\[!$<]+$")
_HALF_CODE = re.compile(r"[^<&\[\]]{1,300}")  # without what would be marks, if it were no code in the end


@dataclass(eq=False)
class _Bracket:
    """An opening bracket that may begin a link or a picture.

    Attributes
    ----------
    place, behind
        Where it stands among the parts, and where its text begins.
    bottom
        The delimiter before it: emphasis within a link ends within it.
    is_image
        Whether it begins a picture.
    active
        Whether it may still begin a link; none stands within another.
    """

    place: int
    behind: int
    bottom: Run | None
    is_image: bool
    active: bool = True


def _link(reference: Reference) -> Open:
    attributes = {"href": encoded(reference.url)}
    if reference.title:
        attributes["title"] = reference.title
    return Open("a", attributes)


def _image(reference: Reference, alt: str) -> Whole:
    """Return the element of a picture that is here in full; of any other, a link that shows its whole URL."""
    url = reference.url
    if url.startswith(_IMAGE_DATA):
        return Whole("img", "", {"src": url, "alt": alt}, alt)
    return Whole("a", f"{alt}: {url}" if alt and alt != url else url, {"href": encoded(url)}, alt)


class Inline:
    """Reads the texts of a document's blocks.

    Parameters
    ----------
    references
        What ``[label]: url`` lines of the document define.
    footnotes
        The document's footnotes, which get their numbers here; None while they are not known.
    """

    def __init__(self, references: Mapping[str, Reference], footnotes: Footnotes | None) -> None:
        self.references = references
        self.footnotes = footnotes

    def tokens(self, text: str, *, unfinished: bool = False) -> list[Token]:
        """Return the tokens of `text`; with `unfinished`, more is to come, and what is open ends with it."""
        return _Reader(self, _MARKS_AT_END.sub("", text) if unfinished else text, unfinished=unfinished).tokens()


class _Reader:
    """Reads one text."""

    def __init__(self, document: Inline, text: str, *, unfinished: bool) -> None:
        self._document = document
        self._text = text
        self._unfinished = unfinished
        self._at = 0
        self._parts: list[Token | Run] = []
        self._stack = Stack()
        self._brackets: list[_Bracket] = []
        self._tags: dict[str, list[Open]] = defaultdict(list)
        self._ticks: dict[int, list[int]] | None = None
        self._code_end = _CODE_END.search(text)
        self._math_in = Math(text)

    def tokens(self) -> list[Token]:
        """Return all tokens of the text."""
        text = self._text
        while self._at < len(text):
            if plain := _PLAIN.match(text, self._at):
                self._take(plain[0])
            else:
                self._special(text[self._at])
        self._stack.match(None)
        ends = self._ended_emphasis() if self._unfinished else []
        return self._flat(self._parts) + ends

    def _ended_emphasis(self) -> list[Token]:
        """Return the ends of the emphasis that did not end yet, which is shown as if it ended here."""
        ends: list[Token] = []
        for part in self._parts:
            if isinstance(part, Run) and part.can_open and part.left >= 2:  # noqa: PLR2004  # one alone may mean itself
                begin = Open("del" if part.character == "~" else "strong", source=part.character * 2)
                part.left -= 2
                part.opens.append(begin)
                ends.append(Close(begin))
        return ends[::-1]

    @staticmethod
    def _flat(parts: list[Token | Run]) -> list[Token]:
        tokens: list[Token] = []
        for part in parts:
            if isinstance(part, Run):
                tokens += [*part.closes, part.character * part.left, *reversed(part.opens)]
            else:
                tokens.append(part)
        return tokens

    def _special(self, first: str) -> None:
        if first in "*_~":
            self._delimiters()
        elif first == "[" or (first == "!" and self._text.startswith("![", self._at)):
            self._open_bracket()
        elif first == "]":
            self._close_bracket()
        else:
            read = {
                "\n": self._line_break,
                "\\": self._backslash,
                "`": self._code,
                "<": self._angle,
                "&": self._entity,
                "$": self._math,
            }.get(first)
            if read is None or not read():
                self._take(first)

    def _take(self, token: Token | Run, length: int | None = None) -> bool:
        """Add a token for the next `length` characters; by default the token is that text itself."""
        self._parts.append(token)
        self._at += len(token) if length is None and isinstance(token, str) else length or 0
        return True

    def _line_break(self) -> bool:
        before = self._parts[-1] if self._parts else ""
        hard = False
        if isinstance(before, str):
            stripped = before.rstrip(" ")
            hard = len(before) - len(stripped) >= 2  # noqa: PLR2004  # the specification's number
            if stripped != before:
                self._parts[-1] = stripped
        if hard:
            self._parts.append(Whole("br"))
        self._take("\n")
        while self._text.startswith(" ", self._at):
            self._at += 1
        return True

    def _backslash(self) -> bool:
        following = self._text[self._at + 1 : self._at + 2]
        if following == "\n":
            self._at += 1
            self._parts.append(Whole("br"))
            return self._line_break()
        if following in {"(", "["} and self._math():
            return True
        if _PUNCTUATION.match(following):
            return self._take(following, 2)
        return False

    def _code(self) -> bool:
        ticks = _TICKS.match(self._text, self._at)
        length = len(ticks[0]) if ticks else 0
        if self._ticks is None:  # where runs of each length stand, for the whole text at once
            self._ticks = defaultdict(list)
            for run in _TICKS.finditer(self._text, self._at):
                self._ticks[len(run[0])].append(run.start())
        places = self._ticks[length]
        found = bisect_right(places, self._at)
        if found == len(places):
            return (self._unfinished and self._half_code(self._at + length)) or self._take("`" * length)
        code = self._text[self._at + length : places[found]].replace("\n", " ")
        if code.startswith(" ") and code.endswith(" ") and code.strip(" "):
            code = code[1:-1]
        return self._take(Whole("code", show_directions(code, within="code")), places[found] + length - self._at)

    def _angle(self) -> bool:
        if tag := _TAG.match(self._text, self._at):
            return self._tag(tag)
        if url := _URL.match(self._text, self._at):
            return self._take(Whole("a", url[1], {"href": encoded(url[1])}), url.end() - self._at)
        if mail := _MAIL.match(self._text, self._at):
            return self._take(Whole("a", mail[1], {"href": f"mailto:{mail[1]}"}), mail.end() - self._at)
        return False

    def _tag(self, tag: re.Match[str]) -> bool:
        name = _HARMLESS[tag[2].lower()]
        if name == "br":
            return self._take(Whole("br"), len(tag[0]))
        if name == "code" and not tag[1]:
            return self._code_tag(tag)
        if not tag[1]:
            begin = Open(name, source=tag[0])
            self._tags[name].append(begin)
            return self._take(begin, len(tag[0]))
        if not self._tags[name]:
            return self._take(tag[0])
        return self._take(Close(self._tags[name].pop(), source=tag[0]), len(tag[0]))

    def _code_tag(self, tag: re.Match[str]) -> bool:
        """Read code in tags, as it stands but for entities; a tag that ends amid other code ends none."""
        start = tag.end()
        if self._code_end is not None and self._code_end.start() < start:
            self._code_end = _CODE_END.search(self._text, start)
        if self._code_end is None:
            return self._unfinished and (self._half_code(start) or self._take("", len(tag[0])))
        code = self._text[start : min(self._code_end.start(), start + _LONGEST_CODE + 1)]
        if len(code) > _LONGEST_CODE or code.count("`") % 2:
            return False
        code = ENTITY.sub(lambda entity: character(entity[0]), code.replace("\n", " "))
        return self._take(Whole("code", show_directions(code, within="code")), self._code_end.end() - self._at)

    def _half_code(self, start: int) -> bool:
        """Read the rest of a text of which more will come as code that begins at `start`, if nothing speaks against."""
        half = _HALF_CODE.fullmatch(self._text, start)
        shown = half and Whole("code", show_directions(half[0], within="code"))
        return shown is not None and self._take(shown, len(self._text) - self._at)

    def _entity(self) -> bool:
        entity = ENTITY.match(self._text, self._at)
        return entity is not None and self._take(character(entity[0]), len(entity[0]))

    def _math(self) -> bool:
        found = self._math_in.at(self._at)
        if found is None:
            return self._text.startswith("$$", self._at) and self._take("$$")
        tex, display, end = found
        source = self._text[self._at : end]
        if not may_be_typeset(tex):
            return self._take(source)
        delimited = f"\\[{tex}\\]" if display else f"\\({tex}\\)"
        return self._take(Whole("span", delimited, {"class": "xcyq-math"}, source), len(source))

    def _delimiters(self) -> None:
        found = _RUN.match(self._text, self._at)
        end = found.end() if found else self._at + 1
        run = run_at(self._text, self._at, end)
        if run.can_open or run.can_close:
            self._stack.push(run)
        self._take(run, run.length)

    def _open_bracket(self) -> None:
        footnotes = self._document.footnotes
        is_image = self._text[self._at] == "!"
        if footnotes is not None and (footnote := _FOOTNOTE.match(self._text, self._at + is_image)):
            number = footnotes.number(footnote[1])
            if number is not None:
                self._take("!" * is_image)
                self._take(Whole("sup", str(number)), len(footnote[0]))
                return
        opening = "![" if is_image else "["
        self._brackets.append(_Bracket(len(self._parts), self._at + len(opening), self._stack.top, is_image))
        self._take(opening)

    def _close_bracket(self) -> None:
        close = self._at
        self._take("]")
        bracket = self._brackets.pop() if self._brackets else None
        if bracket is None or not bracket.active:
            return
        found = link_target(self._text, bracket.behind, close, self._document.references)
        if found is not None:
            reference, self._at = found
            self._parts.pop()
            self._stack.match(bracket.bottom)
            if bracket.is_image:
                inner = self._flat(self._parts[bracket.place + 1 :])
                alt = "".join(
                    t if isinstance(t, str) else t.plain or t.text if isinstance(t, Whole) else "" for t in inner
                )
                # While it comes, a picture in what may be another's text says what it would say there.
                within = self._unfinished and any(outer.is_image for outer in self._brackets)
                self._parts[bracket.place :] = [alt if within else _image(reference, alt)]
            else:
                self._begin_link(bracket, _link(reference))
        elif self._unfinished and HALF_TARGET.match(self._text, self._at):
            self._parts.pop()
            self._parts[bracket.place] = ""
            self._at = len(self._text)

    def _begin_link(self, bracket: _Bracket, begin: Open) -> None:
        self._parts[bracket.place] = begin
        self._parts.append(Close(begin))
        for outer in reversed(self._brackets):  # no link within a link
            if not outer.active:
                break
            if not outer.is_image:
                outer.active = False
