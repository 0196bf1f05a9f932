"""A notebook's cells with their outputs, as text and pictures for a model."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.given import replace_surrogates
from xcyq_magic.chat.parts import Image, Text
from xcyq_magic.errors import MediaError
from xcyq_magic.media.files import media_of_bytes
from xcyq_magic.media.images import decoding, opened
from xcyq_magic.media.kinds import PICTURES
from xcyq_magic.media.text.nested import is_address
from xcyq_magic.media.text.shown import clipped, fenced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xcyq_magic.chat.parts import Part

_TEXTS = ("text/markdown", "text/latex", "text/plain")
_UNSEEN = {"script", "style", "template", "svg", "head"}  # elements whose text is for no reader
_LINES = {"tr", "p", "div", "li", "br", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol"}
_MOST_HTML = 200_000  # characters
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_FIGURE = re.compile(r"<Figure size [^>]*>|(?:array\(\[)?<Axes.*", re.DOTALL)
_SHARE = 2  # of the characters for all cells, one may take so large a part: one long log leaves room for others
_LEAST = 200  # characters for which it is worth to show a part of a cell
_ERROR_CHARS = 2_000
_PNG = b"\x89PNG\r\n\x1a\n"
_NAMES = {"markdown": "Markdown", "raw": "Raw text"}


@dataclass(frozen=True)
class Cell:
    """A cell as it stands on the page.

    Attributes
    ----------
    source
        What was typed.
    kind
        ``code``, ``markdown`` or ``raw``.
    number
        The one in ``In [4]``; None where it has none.
    outputs
        The texts that it showed, in order.
    picture
        The last image that it showed: its type, and its file, in base64 unless it is SVG or bytes. None without one.
    note
        What to know of it: ``changed since it ran``.
    """

    source: str
    kind: str = "code"
    number: int | None = None
    outputs: tuple[str, ...] = ()
    picture: tuple[str, str | bytes] | None = None
    note: str = ""

    @property
    def title(self) -> str:
        """How it is called: ``In [4], changed since it ran``."""
        name = f"In [{self.number}]" if self.number is not None else _NAMES.get(self.kind, "Code")
        return f"{name}, {self.note}" if self.note else name


@dataclass(frozen=True)
class ShownCells:
    """Cells as content parts.

    Attributes
    ----------
    parts
        Text and pictures by turns, in the order of the cells.
    cells
        How many cells are in them.
    shortened
        How many of these are not whole.
    """

    parts: tuple[Part, ...]
    cells: int
    shortened: int


def cell_of(record: Mapping[str, Any], note: str = "") -> Cell:
    """Return a cell of a notebook's file.

    See https://nbformat.readthedocs.io/en/latest/format_description.html.

    Parameters
    ----------
    record
        The cell in JSON.
    note
        What to know of it.
    """
    given = record.get("outputs")
    outputs = [o for o in given if isinstance(o, dict)] if isinstance(given, list) else []
    number = record.get("execution_count")
    return Cell(
        _joined(record.get("source")),
        str(record.get("cell_type", "code")),
        number if isinstance(number, int) else None,
        tuple(filter(None, map(_text_of, _streams_joined(outputs)))),
        next((p for p in map(_picture_of, reversed(outputs)) if p), None),
        note,
    )


def parts_of_cells(cells: Sequence[Cell], chars: int, images: int) -> ShownCells:
    """Return cells as content parts, the last of them whole before those further up.

    Parameters
    ----------
    cells
        In the order of the page.
    chars
        The most characters of text. Where they do not suffice, a cell is shortened, and those above it are left out.
    images
        The most pictures.
    """
    room, written = chars, list[tuple[Cell, str]]()
    shortened = 0
    for cell in reversed(cells):
        most = min(room, max(chars // _SHARE, _LEAST)) if len(cells) > 1 else room
        text = _written(cell)
        if len(text) > most:
            if most < _LEAST:
                break
            text = _written(_shortened(cell, most))
            shortened += 1
        room -= len(text)
        written.append((cell, text))
    pictured = [cell for cell, _ in written if cell.picture][:images]
    parts: list[Part] = []
    text = ""
    for cell, said in reversed(written):
        text += said
        if any(cell is other for other in pictured):
            picture = _media(cell)
            parts += [Text(text), picture] if not isinstance(picture, str) else []
            text = f"{text}{picture}\n\n" if isinstance(picture, str) else ""
        elif cell.picture:
            text += "[a picture, left out]\n\n"
            shortened += 1
    return ShownCells((*parts, *([Text(text)] if text else ())), len(written), shortened)


def _joined(text: object) -> str:
    """Return a text of a notebook's file, which may be a list of its lines."""
    if isinstance(text, list):
        return "".join(line for line in text if isinstance(line, str))
    return text if isinstance(text, str) else ""


def _streams_joined(outputs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return outputs with what was printed in one; a piece overwrites only what went to the same stream before it."""
    found: list[Mapping[str, Any]] = []
    for output in outputs:
        before = found[-1] if found else {}
        if output.get("output_type") == "stream" and before.get("output_type") == "stream":
            text = _joined(before.get("text"))
            text = text if before.get("name") == output.get("name") else f"{printed(text)}\n"
            found[-1] = {**output, "text": text + _joined(output.get("text"))}
        else:
            found.append(output)
    return found


def _text_of(output: Mapping[str, Any]) -> str:
    """Return the text of an output; ``""`` for one that has none."""
    kind = output.get("output_type")
    if kind == "stream":
        return printed(_joined(output.get("text")))
    if kind == "error":
        given = output.get("traceback")
        trace = "\n".join(map(_joined, given)) if isinstance(given, list) else ""
        return clipped(printed(trace) or f"{output.get('ename')}: {output.get('evalue')}", _ERROR_CHARS)
    data = output.get("data")
    return _bundle_text(data) if isinstance(data, dict) else ""


def printed(text: str) -> str:
    """Return what stays on the page of a text that was printed: no colours, and of a progress bar its last state."""
    text = _ANSI.sub("", text)
    if "\r" in text or "\b" in text:
        text = "\n".join(map(_overwritten, text.split("\n")))
    return text.strip("\n")


def _overwritten(line: str) -> str:
    """Return what stays of a line: a carriage return writes over it from its beginning, a backspace takes one back."""
    shown: list[str] = []
    for written in line.split("\r"):
        kept: list[str] = []
        for n, piece in enumerate(written.split("\b")):
            del kept[len(kept) - (n > 0) :]
            kept.extend(piece)
        shown[: len(kept)] = kept
    return "".join(shown)


def _bundle_text(data: Mapping[str, Any]) -> str:
    plain = _joined(data.get("text/plain"))
    pictured = any(mime in data for mime in PICTURES)
    if plain and not is_address(plain) and not (pictured and _FIGURE.match(plain)) and not _is_object(plain):
        return printed(plain)
    if pictured:
        return ""
    said = next((t for mime in _TEXTS[:2] if (t := _joined(data.get(mime)))), "")
    if not said and (page := _joined(data.get("text/html"))):
        said = _text_of_html(page)
    return printed(said or plain)


def _is_object(plain: str) -> bool:
    """Return whether a text says only what shows a value: ``<IPython.core.display.HTML object>``."""
    return plain.startswith("<") and plain.endswith(">") and "\n" not in plain


class _Words(HTMLParser):
    """Reads the words of HTML: a line for each block, and the cells of a table apart."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002  # the parser's own form
        self._unseen += tag in _UNSEEN
        self.pieces.append("\n" * (tag in _LINES))

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))
        self.pieces.append(" | " if tag in {"td", "th"} else "\n" * (tag in _LINES))

    def handle_data(self, data: str) -> None:
        self.pieces.append(data if not self._unseen else "")

    def parse_marked_section(self, i: int, report: int = 1) -> int:  # noqa: ARG002  # the parser's own form
        """Return where `<![…>` ends, which a browser takes for a comment; the parser's own raises AssertionError."""
        return self.rawdata.find(">", i) + 1 or -1


def _text_of_html(page: str) -> str:
    words = _Words()
    words.feed(page[:_MOST_HTML])
    # What is no whole tag is text. `close` would look for the end of each such tag, up to the end of all.
    words.handle_data(unescape(words.rawdata))
    lines = (" ".join(line.split()) for line in "".join(words.pieces).split("\n"))
    return "\n".join(line.removesuffix(" |") for line in lines if line)


def _picture_of(output: Mapping[str, Any]) -> tuple[str, str | bytes] | None:
    data = output.get("data")
    mime = next((m for m in PICTURES if data.get(m)), None) if isinstance(data, dict) else None
    if mime is None or data is None:
        return None
    return mime, data[mime] if isinstance(data[mime], bytes) else _joined(data[mime])


def _media(cell: Cell) -> Part | str:
    """Return the picture of a cell; a line in its place where it cannot be sent."""
    mime, content = cell.picture or ("", b"")
    name = f"the picture of {cell.title.split(',')[0]}"
    try:
        if isinstance(content, str):
            content = content.encode() if mime == "image/svg+xml" else base64.b64decode(content)
        return _checked_png(content, name) or media_of_bytes(content, name, name)
    except (MediaError, ValueError):  # as binascii's errors are
        return f"[a picture ({mime}) that cannot be read]"


def _checked_png(data: bytes, name: str) -> Image | None:
    """Return a PNG whose checksums are right, for to decode it takes ten times as long; None for any other picture."""
    picture = opened(data, name) if data.startswith(_PNG) else None
    if picture is None:
        return None
    with decoding(name):
        picture.verify()
    return Image(data, "image/png", *picture.size, name=name)


def _written(cell: Cell) -> str:
    """Return a cell as text; its picture follows it."""
    body = cell.source.strip("\n")
    source = fenced(body, "python") if cell.kind == "code" else body
    outputs = "".join(f"Output:\n{fenced(text)}\n" for text in cell.outputs)
    return replace_surrogates(f"{cell.title}:\n{source}\n{outputs}\n")


def _shortened(cell: Cell, most: int) -> Cell:
    """Return a cell in `most` characters at most: its outputs are shortened first, the longest most of all."""
    if len(cell.outputs) * _LEAST > most:  # the lines around so many would take more than that
        cell = replace(cell, outputs=("\n".join(cell.outputs),))
    around = len(_written(replace(cell, source="", outputs=("",) * len(cell.outputs))))
    room = max(0, most - around)
    source = clipped(cell.source, max(room - sum(map(len, cell.outputs)), room // 2))
    left, texts = room - len(source), list(cell.outputs)
    kept = [""] * len(texts)
    for share, n in enumerate(sorted(range(len(texts)), key=lambda n: len(texts[n])), 0):
        kept[n] = clipped(texts[n], max(0, left // (len(texts) - share)))
        left -= len(kept[n])
    return replace(cell, source=source, outputs=tuple(filter(None, kept)))
