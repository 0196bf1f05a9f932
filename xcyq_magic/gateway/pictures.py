"""Pictures in a reply: in fields and parts of a message, and as data URLs within its text. No I/O.

In the text, a line stands for each: the base64 of a picture is no text, and would be sent again with every later turn.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from xcyq_magic.chat.parts import Image, MediaLink
from xcyq_magic.errors import AnswerError, MediaError
from xcyq_magic.gateway.events import LARGEST_EVENT
from xcyq_magic.media.images import MIMES, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MOST = 100  # pictures of a reply
_DEEPEST = 6  # records around a picture
_SMALL = 1_000  # bytes from which on data are a picture, also where nobody can read it: less may be an example
_HOLDERS = ("image_url", "b64_json", "inline_data", "inlineData", "source", "data", "url", "image", "result", "base64")
_MIMES_AT = ("mime_type", "mimeType", "media_type")
_MIME = re.compile(r"image/[\w.+-]{1,40}")
_HEAD = r"data:(?P<mime>image/[\w.+-]{1,40})(?:;[\w.+=-]{1,40}){0,2};base64,"
_DATA_URL = re.compile(_HEAD, re.IGNORECASE)
# How a picture begins in a text: as Markdown, as HTML, or as its address alone; and how it ends.
_OPENING = re.compile(
    r"(?:!\[(?P<alt>[^\[\]\n]{0,300})\]\([ \t]?<?"
    rf"|(?P<html><img\b(?:(?!data:)[^<>]){{0,300}}?\bsrc ?= ?[\"']?)|(?<![^\W_])){_HEAD}",
    re.IGNORECASE,
)
_CLOSING = {
    "markdown": (
        re.compile(r">?[ \t]*(?:\"[^\"\n]{0,300}\"|'[^'\n]{0,300}')?[ \t]*\)"),
        re.compile(r">?[ \t]*(?:(?:\"[^\"\n]{0,300}\"?|'[^'\n]{0,300}'?)[ \t]*)?"),
    ),
    "html": (re.compile(r"[\"']?[^<>]{0,300}>"), re.compile(r"[\"']?[^<>]{0,300}")),
    "bare": (re.compile(""), re.compile("")),
}
# What may be the beginning of an opening, at the end of a text; the longest one is shorter than _LONGEST.
_BEGUN = re.compile(
    r"(?:!(?:\[[^\[\]\n]{0,300}(?:\](?:\([ \t]?<?(?P<url>[^\s()<>]{0,200}))?)?)?"
    r"|<(?:i(?:m(?:g[^<>]{0,500})?)?)?|(?<![^\W_])(?P<bare>d(?:a(?:t(?:a(?::[^\s()<>\"']{0,200})?)?)?)?))\Z",
    re.IGNORECASE,
)
_BARE_END = re.compile(r"(?<![^\W_])d(?:a(?:t(?:a)?)?)?\Z", re.IGNORECASE)
_BEGUN_HEAD = re.compile(r"data:image/[\w.+=;-]{0,150}", re.IGNORECASE)
_LONGEST = 900
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=_%-]")


def pictures_in(said: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the pictures in the fields and parts of a message: each as base64 or an address, and its type."""
    content = said.get("content")
    parts = content if isinstance(content, list) else [content]
    held = [p for p in parts if isinstance(p, dict) and _holds_picture(p)]
    return [*_found([said.get("images"), said.get("image"), held])]


def _holds_picture(part: dict[str, Any]) -> bool:
    inline = part.get("inline_data") or part.get("inlineData") or part.get("b64_json")
    return bool(inline) or "image" in str(part.get("type"))


def _found(value: object, mime: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value:
        yield value, mime
    elif depth < _DEEPEST and isinstance(value, list):
        for each in value:
            yield from _found(each, mime, depth + 1)
    elif depth < _DEEPEST and isinstance(value, dict):
        mime = next((m for name in _MIMES_AT if isinstance(m := value.get(name), str)), mime)
        for name in _HOLDERS:
            if value.get(name):
                yield from _found(value[name], mime, depth + 1)
                return


class Pictures:
    """Takes the pictures out of a reply: each is known by its hash, so one that comes again is the same.

    Parameters
    ----------
    hide
        Takes the key out of a text.

    Attributes
    ----------
    unreadable
        Whether something came in the place of a picture that is none, or more of them than are kept.
    """

    def __init__(self, hide: Callable[[str], str] = str) -> None:
        self._hide = hide
        self._known: dict[str, Image] = {}
        self._before = ""  # the last character that is text: an address does not begin within a word
        self._held = ""  # text that may be the beginning of a picture
        self._opening: re.Match[str] | None = None  # of the picture that is coming
        self._base64: list[str] = []
        self._size = 0
        self.unreadable = False

    def __call__(self, text: str, found: list[tuple[str, str]], *, last: bool = False) -> tuple[str, list[Image]]:
        """Return what of a text, and of what was held back, is text, and the pictures that are new.

        Parameters
        ----------
        text
            What the reply goes on with.
        found
            The pictures beside it, from `pictures_in`.
        last
            Whether nothing follows.
        """
        if not found and not self._held and self._opening is None and not _may_hold(self._before + text):
            self._before = text[-1:] or self._before
            return text, []
        known = len(self._known)
        self._held += text
        said = "".join(self._text(last=last))
        for value, mime in found:
            if value.lower().startswith(("http://", "https://")):
                said += _linked(value)
            elif head := _DATA_URL.match(value):
                self._add(value[head.end() :], head["mime"])
            else:
                self._add(value, mime)
        self._before = said[-1:] or self._before
        return said, [*self._known.values()][known:]

    def _text(self, *, last: bool) -> Iterator[str]:
        while self._held or (last and self._opening):
            opening = self._opening
            if opening is None:
                text, at = self._before + self._held, len(self._before)
                opening = _OPENING.search(text, at) if "base64," in text.lower() else None
                end = opening.start() if opening else len(text) if last else _begun_at(text, at)
                yield text[at:end]
                self._before = text[:end][-1:]
                self._held = text[opening.end() if opening else end :]
                if opening is None:
                    return
                self._opening = opening
            found = _NO_BASE64.search(self._held)
            self._take(found.start() if found else len(self._held))
            whole, begun = _CLOSING[_kind(opening)]
            closing = whole.match(self._held)
            if not last and (not self._held or (closing is None and begun.fullmatch(self._held))):
                return
            end = closing.end() if closing else 0
            said = self._picture(opening, self._held[:end])
            self._before = said[-1:]
            yield said
            self._held, self._opening = self._held[end:], None

    def _take(self, end: int) -> None:
        self._base64.append(self._held[:end])
        self._size += end
        self._held = self._held[end:]
        if self._size > LARGEST_EVENT:
            msg = f"The reply holds a picture of more than {LARGEST_EVENT >> 20} MiB; it was not read to its end."
            raise AnswerError(msg, "Ask for a smaller one.")

    def _picture(self, opening: re.Match[str], closing: str) -> str:
        """Return what stands for a picture that has ended: a line, or its own text where that is no picture."""
        data, self._base64, self._size = "".join(self._base64), [], 0
        alt = " ".join(self._hide(opening["alt"] or "").split())
        image = self._add(data, opening["mime"], alt, in_text=True)
        return image.placeholder if image else f"{opening[0]}{data}{closing}"

    def _add(self, text: str, mime: str, alt: str = "", *, in_text: bool = False) -> Image | None:
        """Return the picture that base64 holds, and know it; None where it is none.

        Parameters
        ----------
        text
            The base64.
        mime
            The type that it is said to be.
        alt
            What the reply calls it.
        in_text
            Whether it stands in the text, where what is no picture may be an example of how to write one.
        """
        data = _decoded(text)
        try:
            picture = opened(data, "")
            size, mime = picture.size, MIMES.get(picture.format or "", mime)
        except MediaError:
            size = (0, 0)
        full = len(self._known) >= _MOST
        if full or (size == (0, 0) and len(data) < _SMALL):
            self.unreadable = self.unreadable or full or not in_text
            return None
        mime = mime.lower() if _MIME.fullmatch(mime) else "image/png"
        image = Image(data, mime, *size, name=f"picture {len(self._known) + 1}", note=alt)
        return self._known.setdefault(image.sha256, image)


def _may_hold(text: str) -> bool:
    """Return whether a text has to be looked at more closely: almost none has."""
    if "!" in text or "<" in text or (":" in text and "data:" in text.lower()):
        return True
    return text[-1:] in "dDaAtT" and _BARE_END.search(text) is not None


def _kind(opening: re.Match[str]) -> str:
    return "markdown" if opening["alt"] is not None else "html" if opening["html"] else "bare"


def _begun_at(text: str, at: int) -> int:
    """Return where, from `at` on, the end of a text may be the beginning of a picture; its length if nowhere."""
    at = max(at, len(text) - _LONGEST)
    while begun := _BEGUN.search(text, at):
        url = begun["url"] or begun["bare"] or ""
        if "data:image/".startswith(url.lower()) or _BEGUN_HEAD.fullmatch(url):
            return begun.start()
        at = begun.start() + 1
    return len(text)


def _decoded(text: str) -> bytes:
    """Return the bytes of base64, as far as it is some: of a reply that broke off, the end is missing."""
    plain = unquote("".join(text.split())).replace("-", "+").replace("_", "/").rstrip("=")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _linked(url: str) -> str:
    """Return a picture that is named by its address as a link; nothing is fetched."""
    try:
        MediaLink(url)
    except MediaError:
        return ""
    return f"\n\n[picture](<{url.replace('<', '%3C').replace('>', '%3E')}>)\n\n"
