"""What ``-a`` names: a value of the notebook, a file or a folder, an address, or a picture that is kept."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from xcyq_magic.errors import ExpressionError, MediaError
from xcyq_magic.magics.expand import evaluate, known_names, missing_name, names_of, names_within, nearest_name
from xcyq_magic.magics.line import open_sign

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcyq_magic.chat.parts import Part
    from xcyq_magic.magics.context import Context
    from xcyq_magic.media.resolve import Reading

_CHANGES = re.compile(r"\brow\b|\(")  # a call may return something else each time
_BEGUN = re.compile(r"([^\W\d]\w*|)[\w.]*[\[({]")
_KEPT = re.compile(r"sha256:([0-9a-f]{64})")


def reading_of(context: Context, tell: Callable[[str], None], model: str = "") -> Reading:
    """How long what is read may be; a line is told of each document, with the tokens of `model`, and of what is cut."""
    from xcyq_magic.gateway.tokens import line_of
    from xcyq_magic.media.resolve import Reading
    from xcyq_magic.media.text_files import Bounds, left_out_of

    bounds = Bounds(context.chat.document_chars, context.chat.value_chars)
    said: set[str] = set()

    def shortened(name: str, cut: str, more: str) -> None:
        if "row" in names_within() and _CHANGES.search(name):  # it may be something else for each row: said once
            cut = "parts of it in at least one row"
        line = f"{name} does not go in whole. {left_out_of(cut, more, bounds)}"
        if line not in said:
            tell(line)
        said.add(line)

    return Reading(bounds, lambda document: tell(line_of(document, model or context.chat.model)), shortened)


def attached(context: Context, text: str, tell: Callable[[str], None], reading: Reading) -> list[Part]:
    """What ``-a`` names: media that are kept, an expression whose names exist, else a path or an address.

    Parameters
    ----------
    context
        Whose shell was typed into.
    text
        What stands behind ``-a``.
    tell
        Shows a line for the user.
    reading
        How long what is read may be.
    """
    from xcyq_magic.chat.parts import Text
    from xcyq_magic.media.resolve import attach, hint_for

    if text.startswith("{{") and text.endswith("}}"):  # as in a prompt
        text = text[2:-2].strip()
    if found := _KEPT.fullmatch(text):
        return [_kept(context, found[1])]
    shell, names = context.shell, names_of(context.shell)
    value: object = text
    if known_names(text, names):
        try:
            value = evaluate(shell, text, f"-a {text}", "Is it a path? Then write its folder, too: ./plot.png.")
        except ExpressionError:
            if not exists(text):  # `plot.png` where there is a variable `plot`
                raise
    else:
        _check_closed(text, names)
        _check_commas(text, names)
        if (missing := missing_name(text, names)) and not _is_path(text):
            raise _nothing_there(text, missing, names)
    is_path = isinstance(value, str | os.PathLike)
    parts = attach(value, "" if isinstance(value, str) else text, reading)
    if len(parts) == 1 and isinstance(part := parts[0], Text) and not is_path:  # a document has its name in it
        if hint := hint_for(value, text, part.text):
            tell(hint)
        parts = [Text(f"{text}:\n{part.text}\n")]
    elif isinstance(last := parts[-1], Text) and not last.text.endswith("\n"):  # the prompt is not its last line
        parts[-1] = Text(f"{last.text}\n")
    hide = context.session.access.hide
    return [Text(hide(p.text)) if isinstance(p, Text) else p for p in parts]


def _check_closed(text: str, names: dict[str, object]) -> None:
    """Refuse what begins as an expression of a variable and does not end as one.

    Raises
    ------
    MediaError
        A bracket or a quote in it is open.
    """
    begun = _BEGUN.match(text)
    if begun and (not begun[1] or begun[1] in names) and (sign := open_sign(text)) and not exists(text):
        msg = f"-a {text} leaves a {sign} open; nothing was sent."
        raise MediaError(msg, "Close it. An expression with spaces outside of brackets needs quotes around all of it.")


def _check_commas(text: str, names: dict[str, object]) -> None:
    """Refuse a path that is none, but names several things with commas between them.

    Raises
    ------
    MediaError
        It does.
    """
    several = [] if exists(text) else [part.strip() for part in text.split(",")]
    if len(several) > 1 and all(part and (exists(part) or known_names(part, names)) for part in several):
        msg = f"-a takes one thing, not {text!r}; nothing was sent."
        raise MediaError(msg, f"Write {' '.join(f'-a {part}' for part in several)}.")


def _is_path(text: str) -> bool:
    """Whether `text` is a path: it leads to something, names a folder, or ends as a picture or a video does."""
    from xcyq_magic.media.documents import is_media_name

    return "/" in text or "\\" in text or is_media_name(text) or exists(text)


def _nothing_there(text: str, missing: str, names: dict[str, object]) -> MediaError:
    """Return the error for what is neither an expression whose names exist nor a path.

    Parameters
    ----------
    text
        What was typed after ``-a``.
    missing
        The name in it that does not exist.
    names
        Those that do.
    """
    from xcyq_magic.media.documents import split_pages
    from xcyq_magic.media.files import hint_for_missing

    variable = "" if text == missing else f" {missing}"
    msg = f"-a {text}: there is neither a variable{variable} nor a file of that name; nothing was sent."
    near, file = nearest_name(missing, names), hint_for_missing(Path(split_pages(text)[0]))
    return MediaError(msg, f"Did you mean {near}?" if near else file)


def exists(path: str) -> bool:
    """Return whether a path leads to something; it may have the pages of a PDF behind it."""
    from xcyq_magic.media.documents import split_pages

    try:
        return Path(split_pages(path)[0]).exists()
    except OSError:  # before Python 3.14 for a name that is too long
        return False


def _kept(context: Context, digest: str) -> Part:
    """The picture or video of that SHA-256, as a notebook that ``%chat_save`` wrote names it."""
    from xcyq_magic.media.files import media_of_bytes

    data = context.conversations.media({digest}).get(digest)
    shown = f"sha256:{digest[:12]}…"
    if data is None:
        msg = f"{shown} is not kept here; nothing was sent."
        raise MediaError(msg, "Type %chat_load and the name of this notebook: what it shows is in its file.")
    return media_of_bytes(data, "", shown)
