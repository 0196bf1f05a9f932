"""Pages of a PDF as pictures, or their text, by PDFium."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.parts import Image, Text, file_size
from xcyq_magic.errors import MediaError
from xcyq_magic.media.images import encoded
from xcyq_magic.media.text.shown import clipped, count_of, fenced
from xcyq_magic.media.text_files import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from PIL.Image import Image as PillowImage

_MOST = 20  # pages, unless they are named
_MOST_NAMED = 100
_LONG_EDGE = 1568  # pixels that every model of the catalogue sees
_SIGNATURE = b"%PDF-"
_HEAD = 1024  # bytes within which it stands, as ISO 32000-1, annex H, has it
_PASSWORD = 4  # PDFium's FPDF_ERR_PASSWORD
_HEAVY = 1_000_000  # bytes from which a page is likely a scan, of which a JPEG is much smaller
_QUALITY, _SPARED = 90, 3
_RANGE = re.compile(r"(\d{1,9})?(?:(-)(\d{1,9})?)?")
_HYPHEN, _LINE_END = "\ufffe", "\r\n"  # as PDFium writes a word that is divided between lines
_LOCK = threading.Lock()  # PDFium serves one thread at a time: https://pypdfium2.readthedocs.io


@dataclass(frozen=True)
class Pages:
    """The pages that were asked for.

    Attributes
    ----------
    numbers
        From 1, in the order asked for.
    count
        How many the PDF has.
    left_out
        The first page that is left out since there are too many; 0 if none is.
    """

    numbers: tuple[int, ...]
    count: int
    left_out: int = 0

    def __str__(self) -> str:
        if len(self.numbers) == self.count:
            return count_of(self.count, "page")
        return f"page{'s' * (len(self.numbers) != 1)} {in_words(self.numbers)} of {self.count:,}"


def is_pdf(head: bytes, name: str) -> bool:
    """Return whether a file that begins with `head` is a PDF; before its signature, only one called so has more."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_SIGNATURE) or (
        name.lower().endswith(".pdf") and _SIGNATURE in head[:_HEAD]
    )


def read_pdf(path: Path, shown: str, selection: str | None, chars: int) -> Document:
    """Return pages of a PDF.

    Parameters
    ----------
    path
        The file.
    shown
        What the user called it, for errors.
    selection
        What stands in brackets behind its name: ``3-5``, ``2,7``, ``text``, ``1,text``; None for its first pages.
    chars
        The most characters of text.

    Raises
    ------
    MediaError
        It is damaged or encrypted, has no such page, or PDFium is not installed.
    """
    try:
        import pypdfium2 as pdfium  # noqa: PLC0415  # an extra; and loading the extension must not load it
    except ImportError:
        msg = f"{shown} is a PDF, and what reads it is not installed; nothing was sent."
        way_on = "Type %pip install pypdfium2, then run this cell again."
        raise MediaError(msg, way_on) from None
    as_text, asked = _asked(selection, shown)
    with _LOCK:
        try:
            pdf = pdfium.PdfDocument(path)
        except pdfium.PdfiumError as e:
            raise _refusal(e, shown) from None
        try:
            pdf.init_forms()  # what was filled in is drawn, too
            pages = _chosen(asked, len(pdf), path.name, shown, bounded=not as_text)
            return _text(pdf, pages, path, shown, chars) if as_text else _pictures(pdf, pages, path)
        except pdfium.PdfiumError as e:
            raise _refusal(e, shown) from None
        finally:
            pdf.close()


def _refusal(error: Any, shown: str) -> MediaError:  # noqa: ANN401  # PDFium's own
    if getattr(error, "err_code", None) == _PASSWORD or "assword" in str(error):
        msg = f"{shown} is encrypted with a password; nothing was sent."
        return MediaError(msg, "Save it without one (print it to a PDF, or qpdf --decrypt), and attach that.")
    msg = f"{shown} is a PDF that cannot be read ({' '.join(str(error).split())}); nothing was sent."
    return MediaError(msg, "It may be damaged or cut off: save or download it again.")


def _asked(selection: str | None, shown: str) -> tuple[bool, list[tuple[int, int | None]]]:
    """Return whether the text is asked for, and the first and the last page of each range; None is the PDF's last."""
    words = [w.strip().lower() for w in (selection or "").replace("\N{EN DASH}", "-").split(",")]
    as_text = "text" in words
    ranges: list[tuple[int, int | None]] = []
    for word in (w for w in words if w != "text") if selection is not None else ():
        found = _RANGE.fullmatch(re.sub(r"\s*-\s*", "-", word))
        if not found or not word or word == "-":
            msg = f"{shown}: in brackets stand pages, not {word!r}; nothing was sent."
            raise MediaError(msg, "Write [3-5], [2,7], or [text] for their text, as in [3-5,text].")
        first = int(found[1] or 1)
        ranges.append((first, int(found[3]) if found[3] else None if found[2] else first))
    return as_text, ranges


def _chosen(asked: Sequence[tuple[int, int | None]], count: int, name: str, shown: str, *, bounded: bool) -> Pages:
    """Return the pages to send.

    Parameters
    ----------
    asked
        Ranges of pages; none for the first ones.
    count
        How many the PDF has.
    name, shown
        Of the file, and what the user called it.
    bounded
        Whether pictures are made, of which there is a limit.
    """
    numbers: dict[int, None] = {}
    for first, last in asked or [(1, None)]:
        end = count if last is None else last
        if first < 1 or first > end or end > count:
            wrong = end if first <= end and 1 <= first <= count else first
            msg = f"{shown}: {name} has {count_of(count, 'page')}, and no page {wrong:,}; nothing was sent."
            if 1 <= end < first <= count:
                msg = f"{shown}: page {first:,} stands behind page {end:,}; nothing was sent."
            raise MediaError(msg, f"Write {name}[{_span(1, count)}], or a part of it.")
        numbers |= dict.fromkeys(range(first, end + 1))
    found = tuple(numbers)
    if not bounded or len(found) <= (_MOST_NAMED if asked else _MOST):
        return Pages(found, count)
    if asked:
        msg = f"{shown} names {len(found):,} pages, and {_MOST_NAMED} go in as pictures at once; nothing was sent."
        raise MediaError(msg, f"Name fewer, or send their text: {name}[{_span(found[0], found[-1])},text].")
    return Pages(found[:_MOST], count, found[_MOST])


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def in_words(numbers: Sequence[int]) -> str:
    """Return numbers with their runs as ranges: ``1, 3-5``."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return ", ".join(_span(run[0], run[-1]) for run in runs)


def _pictures(pdf: Any, pages: Pages, path: Path) -> Document:  # noqa: ANN401  # PDFium's
    with ThreadPoolExecutor(thread_name_prefix="xcyq_magic pages") as pool:  # a page is encoded while the next is drawn
        files = list(pool.map(_encoded, _drawn(pdf, pages.numbers)))
    images = [
        Image(data, mime, *size, name=f"{path.name} page {n}")
        for n, (data, mime, size) in zip(pages.numbers, files, strict=True)
    ]
    left_out = ""
    if pages.left_out:
        end = min(pages.count, pages.left_out + _MOST - 1)
        left_out = (
            f"Left out: pages {_span(pages.left_out, pages.count)}; -a {path.name}[{_span(pages.left_out, end)}] has "
            f"the next, -a {path.name}[text] the text of all."
        )
    size = file_size(sum(len(image.data) for image in images))
    head = Text(f"{path.name} ({pages}, as pictures in this order):\n")
    return Document(path.name, (head, *images), (f"{pages} as pictures", size), left_out)


def _drawn(pdf: Any, numbers: Sequence[int]) -> Iterator[PillowImage]:  # noqa: ANN401  # PDFium's
    for number in numbers:
        page = pdf[number - 1]
        yield page.render(scale=_LONG_EDGE / max(*page.get_size(), 1.0)).to_pil()
        page.close()


def _encoded(picture: PillowImage) -> tuple[bytes, str, tuple[int, int]]:
    """Return a page as PNG, or as JPEG where it is a scan; one without a colour as grey, which takes a third."""
    import PIL.ImageChops  # noqa: PLC0415  # loading the extension must not load Pillow

    difference: Callable[..., PillowImage] = PIL.ImageChops.difference
    picture = picture.convert("RGB")
    red, green, blue = picture.split()
    if difference(red, green).getbbox() is None and difference(green, blue).getbbox() is None:
        picture = green
    data = encoded(picture, "PNG", compress_level=1)
    if len(data) > _HEAVY:
        jpeg = encoded(picture, "JPEG", quality=_QUALITY)
        if len(jpeg) * _SPARED < len(data):
            return jpeg, "image/jpeg", picture.size
    return data, "image/png", picture.size


def _text(pdf: Any, pages: Pages, path: Path, shown: str, chars: int) -> Document:  # noqa: ANN401  # PDFium's
    """Return the text of pages, as many as the characters allow.

    Parameters
    ----------
    pdf
        It, open.
    pages
        Those that were asked for.
    path, shown
        The file, and what the user called it.
    chars
        The most characters.
    """
    said: list[str] = []
    empty: list[int] = []
    cut, room = 0, chars
    for number in pages.numbers:
        text = _page_text(pdf, number)
        if said and len(text) > room:
            break
        cut, room = max(0, len(text) - chars), room - len(text)
        said.append(f"Page {number}:\n{fenced(clipped(text, chars))}" if text else f"Page {number}: no text")
        empty += [number] if not text else []
    if len(empty) == len(said):
        msg = f"{shown}: there is no text on {'this page' if len(said) == 1 else 'these pages'}; nothing was sent."
        raise MediaError(msg, f"It may be a scan: -a {path.name}[{in_words(pages.numbers[:_MOST])}] sends pictures.")
    sent, rest = Pages(pages.numbers[: len(said)], pages.count), pages.numbers[len(said) :]
    left = [f"pages {in_words(empty)}, which have no text and may be scans"] if empty else []
    left += [f"{cut:,} characters in the middle of page {sent.numbers[0]}"] if cut else []
    left += [f"pages {in_words(rest)}; -a {path.name}[{_span(rest[0], rest[-1])},text] has more"] if rest else []
    left_out = f"Left out: {'; '.join(left)}." if left else ""
    body, size = "\n\n".join(said), file_size(path.stat().st_size)
    part = Text(f"{path.name} ({sent}, their text):\n{body}\n")
    return Document(path.name, (part,), (f"text of {sent}", size), left_out)


def _page_text(pdf: Any, number: int) -> str:  # noqa: ANN401  # PDFium's
    page = pdf[number - 1]
    text_page = page.get_textpage()
    text = str(text_page.get_text_bounded())
    text_page.close()
    page.close()
    return text.replace(_HYPHEN + _LINE_END, "").replace(_HYPHEN, "").replace(_LINE_END, "\n").replace("\0", "").strip()
