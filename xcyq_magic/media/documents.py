"""What a path leads to, as content parts: a picture, a video, a text, a table, a PDF, a folder, told by its content."""

from __future__ import annotations

import mimetypes
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from xcyq_magic.chat.parts import Text, file_size
from xcyq_magic.errors import MediaError, printable
from xcyq_magic.media.files import open_regular, read_media, reading
from xcyq_magic.media.folder import read_folder
from xcyq_magic.media.pdf import is_pdf, read_pdf
from xcyq_magic.media.table_files import TableText, read_parquet, read_workbook
from xcyq_magic.media.text.decoding import decoded
from xcyq_magic.media.text.shown import fenced
from xcyq_magic.media.text_files import VALUES, Document, left_out_of, read_text
from xcyq_magic.media.video import mime_of

if TYPE_CHECKING:
    from xcyq_magic.chat.parts import Image, Video
    from xcyq_magic.media.text_files import Bounds

_HEAD = 4096  # bytes that tell what a file is
_PAGES = re.compile(r"(?P<path>.+)\[(?P<pages>[^\[\]]*)\]", re.DOTALL)
_TAR = slice(257, 262)
_AS_PDF = "Save it as PDF, and attach that."
_UNPACK = "Unpack it, and attach what is in it."
_LOAD = "Load it in Python, and attach the value by its name."
_OPEN = "Attach what it is about as text, or a picture of it."
_OFFICE = "an old or an encrypted Office document"
# By the first bytes: what it is, and what to do.
_KINDS = (
    ((b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",), _OFFICE, "Save it without a password as PDF or .xlsx, and attach that."),
    ((b"{\\rtf",), "an RTF document", _AS_PDF),
    ((b"%!PS", b"\xc5\xd0\xd3\xc6"), "a PostScript file", "Save it as PDF or PNG, and attach that."),
    ((b"AT&TFORM",), "a DjVu document", _AS_PDF),
    ((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"), "a compressed file", _UNPACK),
    ((b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07"), "an archive", _UNPACK),
    ((b"MZ",), "a program for Windows", _OPEN),
    ((b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\0asm"), "a program", _OPEN),
    ((b"SQLite format 3\0",), "an SQLite database", "Read a table of it (pandas.read_sql), and attach that."),
    (
        (b"\x89HDF\r\n", b"\x93NUMPY", b"ARROW1", b"FEA1", b"MATLAB 5.0", b"CDF\x01"),
        "a file of arrays or tables",
        _LOAD,
    ),
    ((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a pickle", _LOAD),
    ((b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"RIFF"), "a sound", "Attach a transcript of it as text."),
    ((b"\0\1\0\0\0", b"OTTO", b"wOFF", b"wOF2"), "a font", _OPEN),
)
_TEXTS = ((b"{\\rtf",), (b"%!PS", b"\xc5\xd0\xd3\xc6"))  # that no model reads as such
# By the names within a ZIP.
_ZIPPED = (
    ("word/", "a Word document", _AS_PDF),
    ("ppt/", "a PowerPoint presentation", _AS_PDF),
    ("Index/Document.iwa", "a document of Apple's", _AS_PDF),
    ("META-INF/container.xml", "an e-book", _AS_PDF),
    ("content.xml", "an OpenDocument file", "Save it as PDF or .xlsx, and attach that."),
    ("META-INF/MANIFEST.MF", "a Java archive", _UNPACK),
)


def split_pages(text: str) -> tuple[str, str | None]:
    """Return a path, and what stands in brackets behind it; None where nothing does, or a file is really called so."""
    found = _PAGES.fullmatch(text)
    if not found or _exists(text):
        return text, None
    path, pages = found["path"], found["pages"]
    return (path, pages) if _exists(path) or path.lower().endswith(".pdf") else (text, None)


def _exists(text: str) -> bool:
    try:
        return Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, ~nobody
        return False


def is_media_name(path: str) -> bool:
    """Return whether a path ends as one of a picture or a video does."""
    return (mimetypes.guess_type(path)[0] or "").startswith(("image/", "video/"))


def read_path(path: Path, shown: str, pages: str | None, bounds: Bounds) -> Document | Image | Video:
    """Return what a path leads to.

    Parameters
    ----------
    path
        Of a file or a folder.
    shown
        What the user called it.
    pages
        What stands in brackets behind it; None if nothing does.
    bounds
        How long a text may be.

    Raises
    ------
    MediaError
        There is nothing, it cannot be read, or it is of a kind that cannot be sent.
    """
    with reading(path, shown):
        head = b"" if path.is_dir() else _head(path)
    if path.is_dir():
        _check_no_pages(pages, shown, "a folder")
        return read_folder(path, name_of(path, shown), bounds)
    if is_pdf(head, path.name):
        return read_pdf(path, shown, pages, bounds.document)
    if mime_of(head):
        _check_no_pages(pages, shown, "a picture or a video")
        return read_media(path, shown)
    _check_no_pages(pages, shown, "no PDF")
    return _table(path, shown, head, bounds) or _text(path, shown, head, bounds)


def _head(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(_HEAD)


def _check_no_pages(pages: str | None, shown: str, what: str) -> None:
    if pages is not None:
        name = shown.rpartition("[")[0]
        msg = f"{shown}: {name} is {what}, and pages are those of a PDF; nothing was sent."
        raise MediaError(msg, f"Attach {name} alone.")


def _table(path: Path, shown: str, head: bytes, bounds: Bounds) -> Document | None:
    """Return a table that is no text; None for any other file."""
    table: TableText | None = None
    if head.startswith(b"PAR1"):
        table = read_parquet(path, shown, bounds.value)
    elif head.startswith(b"PK") and any(name.startswith("xl/") for name in _zipped(path)):
        table = read_workbook(path, shown, bounds.value)
    if table is None:
        return None
    name = name_of(path, shown)
    left_out = left_out_of(table.cut, VALUES if table.more else "", bounds)
    part = Text(f"{name} ({table.how}):\n{fenced(table.text)}\n")
    return Document(name, (part,), (table.size, file_size(path.stat().st_size)), left_out)


def _text(path: Path, shown: str, head: bytes, bounds: Bounds) -> Document | Image | Video:
    kind = _kind(path, head)
    document = None
    if kind is None:
        with reading(path, shown):
            document = read_text(path, name_of(path, shown), bounds)
    if document is None and kind is None:
        return read_media(path, shown)  # Pillow opens more than has a signature, or says what can be attached
    if document is None and kind is not None:
        msg = f"{shown} is {kind[0]}, which no model reads; nothing was sent."
        raise MediaError(msg, kind[1])
    if document is not None and (mimetypes.guess_type(path.name)[0] or "").startswith("image/"):
        msg = f"{shown} is not a picture but text; nothing was sent."
        raise MediaError(msg, "Was something else saved under this name? Rename it to .txt to send its text.")
    return document  # type: ignore[return-value]  # what is none was raised


def name_of(path: Path, shown: str) -> str:
    """Return what a file is called in the prompt: as it was typed, but without the folders above the user's."""
    return printable((path.name if path.is_absolute() else "") or shown)


def _kind(path: Path, head: bytes) -> tuple[str, str] | None:
    """Return what a file is that is neither media, text, table nor PDF, and what to do; None where that is not told."""
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        names = _zipped(path)
        if not names:
            return "a damaged ZIP file or Office document", "Save or download it again."
        found = ((what, way_on) for begin, what, way_on in _ZIPPED if any(n.startswith(begin) for n in names))
        return next(found, ("a ZIP archive", _UNPACK))
    if head[_TAR] == b"ustar":
        return "an archive", _UNPACK
    text = decoded(head, whole=False)
    plain = text is not None and not text.guessed  # "MZ" is how a text may begin, too
    known = [
        (what, way_on) for signs, what, way_on in _KINDS if head.startswith(signs) and (not plain or signs in _TEXTS)
    ]
    return known[0] if known else None


def _zipped(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return []
