"""From what the user named to a content part."""

from __future__ import annotations

import io
import os
import re
from collections import deque
from collections.abc import Callable, ItemsView, Iterable, ValuesView
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.parts import Image, MediaLink, Text, Video
from xcyq_magic.errors import MediaError
from xcyq_magic.media.arrays import image_of_array, picture_hint
from xcyq_magic.media.displayed import of_display_object, of_representation
from xcyq_magic.media.documents import is_media_name, read_path, split_pages
from xcyq_magic.media.figures import figure_of, image_of_figure, is_animation, video_of_animation
from xcyq_magic.media.files import data_of_url, media_of_bytes, read_media
from xcyq_magic.media.images import image_of_picture
from xcyq_magic.media.kinds import is_a, is_buffer
from xcyq_magic.media.text.array_text import fits_as_text
from xcyq_magic.media.text.nested import is_address
from xcyq_magic.media.text.shown import VALUE_CHARS, Shown, all_of, clipped_line
from xcyq_magic.media.text_files import VALUES, Bounds, Document
from xcyq_magic.media.values import shown
from xcyq_magic.media.video import mime_of

if TYPE_CHECKING:
    from xcyq_magic.chat.parts import Media, Part

_VIDEO_SUFFIXES = (".mp4", ".mpeg", ".mpg", ".mov", ".avi", ".wmv", ".flv", ".webm", ".3gp")
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".svg")
_MOST_ITEMS = 50  # of a list that holds media
_DEEPEST = 3  # lists within lists
_LEAST_CHARS = 200  # of each item that is text
_MOST_SHOWN = 60
_PLAIN = {list, tuple, dict, set, frozenset, deque}
_LONGEST_NAME = 8000  # characters of a path or an address


@dataclass(frozen=True)
class Reading:
    """How long a text may be, and who hears of the documents.

    Attributes
    ----------
    bounds
        Characters of values and documents.
    note
        Called with each document that is read.
    shortened
        Called with the name of each value that does not go in whole, what is left out of it, and the setting that takes
        more of it, if one does.
    """

    bounds: Bounds = field(default_factory=Bounds)
    note: Callable[[Document], None] = lambda _: None
    shortened: Callable[[str, str, str], None] = lambda *_: None


def attach(value: object, name: str = "", reading: Reading | None = None) -> list[Part]:
    """Return the content parts of what was attached: by ``-a``, or given to a `Chat` beside the prompt.

    As `resolve`, but a string is the path of a file or a folder, or the address of a picture or a video, which is
    passed on and not fetched. Within a list it is one only if it ends as a picture's or a video's.

    Parameters
    ----------
    value
        What was attached.
    name
        What the user called it.
    reading
        How long a text may be, and who hears of the documents.

    Raises
    ------
    MediaError
        There is no such file, or it or the value cannot be sent.
    """
    if value is None:  # what plt.show() returns, for one
        msg = "None is nothing to attach; nothing was sent."
        raise MediaError(msg, "Attach a figure by its name, or the path of a picture.")
    reading = reading or Reading()
    if isinstance(value, str):
        medium = _addressed(value, name)
        return [medium] if medium else _read(value, reading)
    return _parts(value, name, reading, _medium_named)


def resolve(value: object, name: str = "", reading: Reading | None = None) -> list[Part]:
    """Return the content parts of a value, as ``{{ }}`` puts it into a prompt: media, else its text.

    A list, a tuple or a dict that holds media is all of its items in order; anything else is one part. A string is
    text: the path or the address in it is not followed. `pathlib.Path` is.

    Parameters
    ----------
    value
        Anything.
    name
        What the user called it, for the output.
    reading
        How long a text may be, and who hears of the documents.

    Raises
    ------
    MediaError
        It is media that cannot be sent, or a value that cannot be shown.
    """
    return _parts(value, name, reading or Reading(), lambda _: None)


def _parts(value: object, name: str, reading: Reading, named: Callable[[str], Media | None]) -> list[Part]:
    """Return the content parts of a value.

    Parameters
    ----------
    value
        Anything.
    name
        What the user called it.
    reading
        How long a text may be, and who hears of the documents.
    named
        Returns what a string within a container is the path or the address of, if it is one.
    """
    if isinstance(value, Text):
        return [value]
    if isinstance(value, os.PathLike):
        return _read(os.fsdecode(os.fspath(value)), reading)
    value, chars = _held(value), reading.bounds.value
    if media := media_of(value, name, value_chars=chars):
        return [media]
    items = _Items(value, name, named, chars)
    parts = items.parts()
    if not parts:
        items.texts = [shown(value, chars)]
        parts = [Text(items.texts[0].text)]
    if cut := all_of(*(text.cut for text in items.texts)):
        more = any(text.cut and text.more for text in items.texts)
        reading.shortened(name or f"This {type(value).__name__}", cut, VALUES if more else "")
    return parts


def _held(value: object) -> object:
    """Return what a value holds that says nothing of it itself; `value` for any other."""
    if isinstance(value, Completion):
        return value.text
    if isinstance(value, io.BytesIO | io.StringIO):
        return value.getvalue()  # all of it, wherever it was read to
    if is_a(value, "pandas.io.formats.style.Styler"):
        return value.data  # type: ignore[attr-defined]  # told by its name
    return value


def _addressed(text: str, name: str) -> Media | None:
    """Return the picture or the video of an address or a data URL; None for what may be a path."""
    if text[:5].lower() == "data:":
        return media_of_bytes(data_of_url(text), name, "This data URL")
    if "\n" in text or len(text) > _LONGEST_NAME:
        msg = f"{clipped_line(text, _MOST_SHOWN)} is no path of a file; nothing was sent."
        raise MediaError(msg, "It is text: write {{ name }} in the prompt, with the name that it has.")
    if "://" not in text:
        return None
    path = re.split("[?#]", text)[0].lower()
    link = MediaLink(text, "video" if path.endswith(_VIDEO_SUFFIXES) else "image", name)
    if not path.endswith((*_IMAGE_SUFFIXES, *_VIDEO_SUFFIXES)):
        msg = f"{clipped_line(text, _MOST_SHOWN)} does not end as a picture or a video does; nothing was sent."
        way_on = 'For a picture, write {{ Image(url="…") }}, with Image from IPython.display; save other files first.'
        raise MediaError(msg, way_on)
    return link


def _medium_named(text: str) -> Media | None:
    """Return the picture or the video that a string within a container leads to; None for other text."""
    if not is_media_name(text):
        return None
    return _addressed(text, "") or read_media(_expanded(text), text)


def _read(text: str, reading: Reading) -> list[Part]:
    """Return the content parts of what is at a path, of which pages may be chosen."""
    if not text.strip():  # to pathlib, nothing is the folder that one is in
        msg = "An empty path is nothing to attach; nothing was sent."
        raise MediaError(msg, "Write the path of a file, or ./ for the text files of this folder.")
    path, pages = split_pages(text)
    found = read_path(_expanded(path), text, pages, reading.bounds)
    if not isinstance(found, Document):
        return [found]
    reading.note(found)
    return [*found.parts]


class _Items:
    """What a list, a tuple or a dict holds, where media are among it."""

    def __init__(self, value: object, name: str, named: Callable[[str], Media | None], chars: int) -> None:
        self._name, self._named, self._chars = name or "This", named, chars
        self._found: list[tuple[str, object]] = []  # each with its label: media, or what is text
        self.texts: list[Shown] = []  # of what is no media
        self._look(value, name, "", _DEEPEST)

    def parts(self) -> list[Part]:
        """Return the content parts, text and media by turns, with the keys of a dict; none if there are no media."""
        texts = len(self._found) - self._media_from(0)
        if texts == len(self._found):
            return []
        share = max(_LEAST_CHARS, self._chars // max(1, texts))
        parts: list[Part] = []
        for label, item in self._found:
            medium = item if isinstance(item, Image | Video | MediaLink) else None
            text = label
            if medium is None:
                found = shown(item, share)
                text = f"{label} {found.text}".lstrip(" ")
                self.texts.append(found)
            if text and parts and isinstance(before := parts[-1], Text):
                parts[-1] = Text(f"{before.text}\n{text}")
            elif text:
                parts.append(Text(text))
            if medium:
                parts.append(medium)
        return parts

    def _look(self, value: object, name: str, label: str, depth: int) -> None:
        """Find the media of `value`, and what is text between them.

        Parameters
        ----------
        value
            A container, or what is in one.
        name
            What the user would call it.
        label
            The keys that lead to it.
        depth
            How many more containers are looked into.
        """
        items = _items_of(value) if depth else None
        if items is None:
            self._found.append((label, value))
            return
        start = len(self._found)
        for key, item in islice(items, _MOST_ITEMS):
            inner = f"{label}{key}:" if isinstance(value, dict) else label
            within = f"{name}[{key!r}]" if name else ""
            medium = self._medium(item, within)
            if medium is not None:
                self._found.append((inner, medium))
            else:
                self._look(item, within, inner, depth - 1)
            self._check(self._media_from(0))
        if media := self._media_from(start):
            self._check(media, len(value))  # type: ignore[arg-type]  # what has items has a length
        else:
            self._found[start:] = [(label, value)]  # as Python writes it

    def _media_from(self, start: int) -> int:
        return sum(isinstance(item, Image | Video | MediaLink) for _, item in self._found[start:])

    def _check(self, *counts: int) -> None:
        if max(counts) > _MOST_ITEMS:
            msg = f"{self._name} holds more than {_MOST_ITEMS} items, media among them; nothing was sent."
            raise MediaError(msg, f"Send fewer of them: of a list, {self._name}[:{_MOST_ITEMS}].")

    def _medium(self, item: object, name: str) -> Media | None:
        if isinstance(item, str):
            return self._named(item)
        if isinstance(item, os.PathLike) and not is_media_name(os.fsdecode(os.fspath(item))):
            return None  # of many paths, not each leads to a picture
        return media_of(_held(item), name, value_chars=self._chars)


def _items_of(value: object) -> Iterable[tuple[object, object]] | None:
    """Return what a container holds, each with its key or its place; None for what is no container."""
    if isinstance(value, dict):
        return ItemsView(value)  # a row may have a column of the method's name
    if isinstance(value, list | tuple | deque | ValuesView):
        return enumerate(value)
    return None


def hint_for(value: object, name: str, text: str) -> str | None:
    """Return a line on a value that goes in as text, where that says less than could be meant; else None.

    Parameters
    ----------
    value
        Any value.
    name
        What the user called it.
    text
        What goes in for it.
    """
    if isinstance(value, str | Text | Completion | os.PathLike):
        return None
    if isinstance(value, MethodType | BuiltinMethodType) and not isinstance(value.__self__, ModuleType | type):
        what = "code" if isinstance(value, MethodType) else "description"
        return f"{name} is a method: its {what} goes in. {name}() is what it returns."
    if hint := picture_hint(value, name, whole="..." not in text):
        return hint
    if isinstance(value, ModuleType):
        return f"{name} is a module: its description and its names go in."
    if isinstance(value, BaseException | FunctionType | MethodType | type) or not is_address(text):
        return None
    inner = f"{{{{ vars({name}) }}}}" if hasattr(value, "__dict__") else "an attribute of it"
    shown = clipped_line(text, _MOST_SHOWN)
    return f"{name} goes in as {shown}, which does not say what it holds. Send {inner}, or a text."


def media_of(value: object, name: str = "", *, value_chars: int = VALUE_CHARS) -> Media | None:
    """Return the picture, video or address that a value is; None if it is text.

    In this order: content parts; matplotlib's figures, axes, artists and animations; Pillow's pictures; arrays
    that are pictures; `IPython.display.Image` and `Video`, and the widgets of that name; bytes with a known signature;
    paths; and what IPython's display formatters show as PNG, JPEG or SVG.

    Parameters
    ----------
    value
        Anything.
    name
        What the user called it.
    value_chars
        The characters in which a matrix may be written instead.

    Raises
    ------
    MediaError
        It is media that cannot be sent: an empty figure, a missing file, a damaged picture.
    """
    if isinstance(value, Image | Video | MediaLink):
        return value
    if value is None or isinstance(value, str | int | float | complex | type):
        return None
    if (figure := figure_of(value)) is not None:
        return image_of_figure(figure, name)
    if type(value) in _PLAIN:  # which hold no other medium; of many, a look at each way takes long
        return None
    return _of_object(value, name, value_chars) or _of_file(value, name) or of_representation(value)


def _of_object(value: object, name: str, chars: int) -> Media | None:
    if is_animation(value):
        return video_of_animation(value, name)  # type: ignore[arg-type]  # told by its name
    if is_a(value, "PIL.Image.Image"):
        own = getattr(value, "filename", "")
        return image_of_picture(value, name or (Path(own).name if isinstance(own, str) else ""))  # type: ignore[arg-type]  # told by its name
    return image_of_array(value, name, lambda array: fits_as_text(array, chars))


def _of_file(value: object, name: str) -> Media | None:
    shown = of_display_object(value)
    if shown is not None:
        return shown
    if is_buffer(value):
        head = bytes(value[:1024])
        return media_of_bytes(bytes(value), name, name or "These bytes") if mime_of(head) else None
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        return read_media(_expanded(os.fsdecode(path)), str(value))
    return None


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as e:  # ~somebody, who has no home here
        msg = f"{path} cannot be attached: {e}; nothing was sent."
        raise MediaError(msg, "Write the path without ~.") from None
