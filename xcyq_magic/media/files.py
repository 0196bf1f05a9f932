"""Files, read within a bound, and what they hold: pictures and videos; and what to say of a path to none."""

from __future__ import annotations

import base64
import binascii
import difflib
import errno
import os
import re
import shlex
import stat
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from xcyq_magic.errors import MediaError
from xcyq_magic.media.images import MOST_LONG_EDGE, image_of_bytes, opened
from xcyq_magic.media.rasterize import DPI, rasterize
from xcyq_magic.media.video import mime_of, video_of_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from xcyq_magic.chat.parts import Image, Video

_MOST_BYTES = 512 * 1024 * 1024  # more is no picture that anybody sends, and would fill the memory
# Without waiting, should a pipe have taken the file's place; as bytes on Windows, where that is not the default.
_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_RASTERS = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_MOST_NESTED = 200  # elements: the libraries overflow their stacks
_MOST_WITHIN = 3  # SVGs in data URLs of SVGs
_MOST_ENTITY = 200  # characters: Illustrator declares namespaces, a bomb declares more
_BASE64 = re.compile(r";\s*base64\s*$", re.IGNORECASE)
# What makes CSS look outside, as https://www.w3.org/TR/css-values-4/#urls has it. The target itself is not looked for:
# where it ends depends on quotes and comments.
_OUTWARD = re.compile(
    r"@import(?:\s*url\()?|(?:url|src|image|image-set)\("
    r"""(?!\s*(?:["']\s*)?(?:\#|data:(?:font|application|image/(?:png|jpe?g|gif|webp))))""",
    re.IGNORECASE,
)
_CSS_ESCAPE = re.compile(r"\\(?:([0-9a-f]{1,6})\s?|(.))", re.IGNORECASE | re.DOTALL)
_LENGTH = re.compile(r"\s*\+?(\d*\.?\d+(?:e[+-]?\d{1,3})?)\s*(in|cm|mm|pt|pc|em|ex|%)?", re.IGNORECASE)
_PIXELS = {"in": DPI, "cm": DPI / 2.54, "mm": DPI / 25.4, "pt": 4 / 3, "pc": 16.0, "em": 16.0, "ex": 16.0}


def read_file(path: Path, most_bytes: int) -> bytes:
    """Read a regular file.

    Nothing else is opened: a pipe waits for its writer, and a device may have no end. No more is read than the file
    says it has; those of ``/proc`` say that they are empty.

    Raises
    ------
    OSError
        It cannot be read, is no regular file, or has more than `most_bytes`.
    ValueError
        No system takes such a path.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise OSError(errno.EFBIG, f"it has {size / 1e6:,.0f} MB, which is too much")
        return file.read(size)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read it; raises as `read_file` does."""
    if path.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    return os.fdopen(os.open(path, _READING), "rb")


def reason(error: OSError | ValueError) -> str:
    """Return why a file could not be read or written, to go on a sentence."""
    why = getattr(error, "strerror", None) or str(error)
    return why[:1].lower() + why[1:]


def read_media(path: Path, shown: str = "") -> Image | Video:
    """Return the picture or the video in a file, as it is; what may be sent is made of it later.

    Parameters
    ----------
    path
        A picture that Pillow opens, an SVG, or a video of a kind that Gemini takes.
    shown
        What the user called it, for errors.

    Raises
    ------
    MediaError
        There is no such file, it is neither, or it is too large to read or to open safely.
    """
    shown = shown or path.name
    with reading(path, shown):
        return media_of_bytes(read_file(path, _MOST_BYTES), path.name, shown)


@contextmanager
def reading(path: Path, shown: str) -> Iterator[None]:
    """Raise a MediaError for what the system raises of a path that the user called `shown`."""
    try:
        yield
    except (OSError, ValueError) as e:
        msg = f"{shown} cannot be attached: {reason(e)}; nothing was sent."
        too_large = isinstance(e, OSError) and e.errno == errno.EFBIG
        raise MediaError(msg, "Cut or scale it down first." if too_large else hint_for_missing(path)) from None


def media_of_bytes(data: bytes, name: str, shown: str) -> Image | Video:
    """Return the picture or the video whose file `data` is.

    Parameters
    ----------
    data
        The bytes of the file.
    name
        What the user called it.
    shown
        What an error calls it.

    Raises
    ------
    MediaError
        It is neither, or damaged.
    """
    mime = mime_of(data) or ""
    if mime.startswith("video/"):
        return video_of_bytes(data, name, shown)
    if mime == "image/svg+xml":
        return image_of_svg(data, name, shown)
    return image_of_bytes(data, name, shown)


def image_of_svg(data: bytes, name: str, shown: str) -> Image:
    """Return the picture that an SVG draws, on white: as it is seen in a notebook.

    Files and addresses that it refers to are left out, and the picture's note says how many.

    Parameters
    ----------
    data
        The bytes of the SVG.
    name
        What the user called it.
    shown
        What an error calls it.

    Raises
    ------
    MediaError
        No library for it is installed, or the file is damaged.
    """
    try:
        drawing = _Rewriter()
        png = rasterize(drawing.rewrite(data), zoom=min(1.0, MOST_LONG_EDGE / _long_edge(drawing.root)))
    except ImportError:
        msg = f"{shown} is an SVG, and nothing that makes a PNG of it is installed; nothing was sent."
        raise MediaError(msg, "Type %pip install resvg-py, then run this cell again.") from None
    except (ValueError, LookupError, OSError, expat.ExpatError) as e:  # no such encoding, no process, no XML
        msg = f"{shown} is an SVG that cannot be drawn ({e}); nothing was sent."
        raise MediaError(msg, "Save it as PNG, and attach that.") from None
    return replace(image_of_bytes(png, name, shown), note=_note(drawing.left_out))


def _note(left_out: int) -> str:
    if not left_out:
        return ""
    them = "a file or an address" if left_out == 1 else f"{left_out} files or addresses"
    return f"without {them} that it refers to"


def data_of_url(url: str) -> bytes:
    """Return the bytes of a data URL, see https://www.rfc-editor.org/rfc/rfc2397; none if its base64 is broken."""
    head, _, body = url.partition(",")
    data = unquote_to_bytes(body)
    try:
        return base64.b64decode(data) if _BASE64.search(head) else data
    except binascii.Error:
        return b""


def _long_edge(root: Mapping[str, str]) -> float:
    """Return the pixels of an SVG's longer side, from the attributes of its root; at least 1."""
    box = [float(n) for n in re.findall(r"[+-]?\d*\.?\d+(?:e[+-]?\d{1,3})?", root.get("viewBox", ""), re.IGNORECASE)]
    sides = box[2:4] if len(box) == 4 else [100.0, 100.0]  # noqa: PLR2004  # a box has four numbers
    for at, name in enumerate(("width", "height")):
        if found := _LENGTH.match(root.get(name, "")):
            unit = (found[2] or "").lower()
            sides[at] = float(found[1]) * (sides[at] / 100 if unit == "%" else _PIXELS.get(unit, 1.0))
    return max(*sides, 1.0)


class _Rewriter:
    """Writes an SVG anew while it is parsed, without references to anything outside of it.

    Attributes
    ----------
    left_out
        How many references were left out, those of SVGs within it included.
    root
        The attributes of its outermost element.
    """

    def __init__(self, within: int = 0) -> None:
        self.left_out = 0
        self.root: dict[str, str] = {}
        self._within = within  # so many other SVGs
        self._written: list[str] = []
        self._open = 0
        self._css: list[str] = []  # what stands in a style element so far
        self._style = 0  # how deep that element lies; 0 outside of one

    def rewrite(self, data: bytes) -> str:
        """Return the SVG without a prolog, comments, processing instructions and references to anything outside.

        Raises
        ------
        expat.ExpatError
            It is not well-formed.
        ValueError
            It is nested too deeply, or declares entities that are no short texts.
        """
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = _check_entity
        parser.Parse(data, True)  # noqa: FBT003  # expat's own form: this is all there is
        return "".join(self._written)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open += 1
        if self._open > _MOST_NESTED:
            msg = "its elements are nested too deeply"
            raise ValueError(msg)
        if self._style:
            return
        if self._open == 1:
            self.root = attributes
        element = _local(name)
        kept = ((n, self._kept(element, n, value)) for n, value in attributes.items())
        self._written += [f"<{name}", *(f" {n}={quoteattr(value)}" for n, value in kept if value is not None), ">"]
        if element == "style":
            self._style = self._open

    def _text(self, text: str) -> None:
        if self._style:
            self._css.append(text)
        else:
            self._written.append(escape(text))

    def _end(self, name: str) -> None:
        if self._style in {0, self._open}:
            if self._style:
                self._written.append(escape(self._local_css("".join(self._css)) or ""))
                self._css, self._style = [], 0
            self._written.append(f"</{name}>")
        self._open -= 1

    def _kept(self, element: str, name: str, value: str) -> str | None:
        """Return what to write for the value of an attribute; None to leave the attribute out."""
        if name == "xml:base":  # it turns every #reference into one to another file
            return None
        if _local(name) in {"href", "src"}:
            return self._reference(element, value.strip())
        return self._local_css(value) if "(" in value or "\\" in value else value

    def _reference(self, element: str, url: str) -> str | None:
        if url.startswith("#") and element != "image":  # there it would be the name of a file
            return url
        kept = self._data_url(url) if url[:5].lower() == "data:" else None
        # What <a> refers to is not drawn: nobody misses it.
        self.left_out += kept is None and url != "" and element != "a"
        return kept

    def _data_url(self, url: str) -> str | None:
        """Return a data URL with a picture in it, told by its bytes as the libraries do; None for anything else."""
        try:
            data = data_of_url(url)
            mime = mime_of(data)
            if mime in _RASTERS:
                opened(data, "")  # or it has too many pixels
            elif self._within < _MOST_WITHIN:
                inner, mime = _Rewriter(self._within + 1), "image/svg+xml"
                data = inner.rewrite(data).encode()
                self.left_out += inner.left_out
            else:
                return None
        except (ValueError, expat.ExpatError, MediaError):
            return None
        return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"

    def _local_css(self, css: str) -> str | None:
        """CSS that looks at nothing outside; None where that cannot be made of it."""
        if "\\" in css and _OUTWARD.search(_CSS_ESCAPE.sub(_unescaped, css)):
            self.left_out += 1
            return None
        local, count = _OUTWARD.subn(lambda m: "@removed" if m[0][0] == "@" else "removed(", css)
        self.left_out += count
        return local


def _local(name: str) -> str:
    """Return the name of an element or an attribute without its prefix, which may be any."""
    return name.rpartition(":")[2].lower()


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1] or "0", 16)
    return found[2] or (chr(code) if 0 < code <= 0x10FFFF else "\ufffd")  # noqa: PLR2004  # Unicode's last character


def _check_entity(name: str, is_parameter: bool, value: str | None, *_: str | None) -> None:  # noqa: FBT001  # expat's
    """Refuse an entity that is no short text: by those of files XML reads others, by those of entities it explodes."""
    if is_parameter or value is None or "&" in value or len(value) > _MOST_ENTITY:
        msg = f"it declares the entity {name[:20]}, which is no short text"
        raise ValueError(msg)


_MOST_NAMES = 5000  # of a folder, looked at for one that is near
_NEAR = 0.8  # of 1; endings make names near that are not


def hint_for_missing(path: Path) -> str:
    """Return a line on the file that `path` may be meant for, else on where paths begin."""
    try:
        near = None if path.exists() else _near(path)
    except (OSError, ValueError):  # there is no such folder, or no such path on any system
        near = None
    return f"Did you mean {shlex.quote(str(near))}?" if near else f"Paths count from {path.cwd()}."


def _near(path: Path) -> Path | None:
    """Return the file of the same folder whose name is nearly that of `path`, or is but for its ending."""
    with os.scandir(path.parent) as entries:
        names = [e.name for e in islice(entries, _MOST_NAMES) if e.is_file()]
    named = {form.casefold(): name for name in names for form in (path.with_name(name).stem, name)}
    near = difflib.get_close_matches(path.name.casefold(), named, 1, _NEAR)
    return path.with_name(named[near[0]]) if near else None
