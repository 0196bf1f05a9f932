"""Conversations in files, by the suffix of their names."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shlex
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.given import replace_surrogates
from xcyq_magic.errors import ConversationFileError
from xcyq_magic.media.files import hint_for_missing, read_file, reason
from xcyq_magic.store.formats import ipynb, markdown, openai_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from xcyq_magic.chat.conversation import Conversation, Turn
    from xcyq_magic.store.formats.turns import ReadConversation

_MOST_BYTES = 256 * 1024 * 1024  # parsed, JSON takes ten times the memory
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_UNCHANGED = {".md": markdown.is_unchanged, ".json": openai_json.is_unchanged, ".ipynb": ipynb.is_unchanged}
_KINDS = ".md to read, .json to exchange, .ipynb to run"


def save(
    path: Path,
    conversation: Conversation,
    system: str,
    bundle_of: Callable[[Turn], dict[str, Any]],
    *,
    force: bool = False,
) -> None:
    """Write a conversation to a file; one that this wrote before is replaced, whole or not at all.

    A link of that name becomes a file: what it points to was not named, and stays as it is.

    Parameters
    ----------
    system
        The system prompt that it goes on with.
    bundle_of
        Gives the MIME types that show a turn to people.
    force
        Whether a file that holds something else is replaced as well.

    Raises
    ------
    ConversationFileError
        The suffix is none of ours, there is a file that holds something else, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _UNCHANGED:
        msg = f"{path.name} does not say what kind of file it is: {_KINDS}."
        if suffix:
            msg = f"%chat_save does not write {suffix}, only {_KINDS}."
        export = f"File > Save and Export Notebook As, or jupyter nbconvert --to {suffix[1:]} NOTEBOOK.ipynb"
        way_on = f"For the whole notebook: {export}. " if suffix in {".html", ".pdf"} else ""
        raise ConversationFileError(msg, f"{way_on}Try %chat_save chat.md.")
    if not force and _holds_something_else(path, _UNCHANGED[suffix]):
        msg = f"{path} holds something other than what %chat_save wrote, so nothing was saved."
        raise ConversationFileError(msg, f"Choose another name, or replace it: %chat_save --force {path}")
    if suffix == ".md":
        text = markdown.dumps(conversation, system)
    elif suffix == ".json":
        text = openai_json.dumps(conversation, system)
    else:
        text = ipynb.dumps(conversation, bundle_of)
    try:
        _replace(path, replace_surrogates(text).encode())
    except (OSError, ValueError) as e:
        if isinstance(e, FileNotFoundError) and not path.parent.exists():
            msg = f"The folder {path.parent} does not exist, so nothing was saved."
            raise ConversationFileError(msg, f"Make it first: !mkdir -p {shlex.quote(str(path.parent))}") from None
        msg = f"{path} cannot be written: {reason(e)}."
        raise ConversationFileError(msg, f"Save it elsewhere, such as %chat_save ~/chat{suffix}.") from None


def _holds_something_else(path: Path, is_unchanged: Callable[[str], bool]) -> bool:
    """Return whether there is a file that holds something, and `is_unchanged` does not know it."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return False
    except (OSError, ValueError):  # there is none; if it cannot be reached, it cannot be written either
        return False
    try:
        return not is_unchanged(read_file(path, _MOST_BYTES).decode().replace("\r\n", "\n"))
    except (OSError, ValueError):
        return True


def _replace(path: Path, data: bytes) -> None:
    """Put a new file in the place of `path`, with the permissions of the one that was there."""
    mode = path.lstat().st_mode if os.path.lexists(path) else None
    if mode is not None and not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise OSError(errno.EEXIST, "what has that name is no regular file")
    kept = mode if mode is not None and stat.S_ISREG(mode) else None
    beside = path.with_name(f".{secrets.token_hex(8)}.part")  # nobody can have put a link there
    descriptor = os.open(beside, _WRITING, 0o666 if kept is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if kept is not None:
            beside.chmod(kept & 0o777)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def load(
    path: Path, find: Callable[[set[str]], dict[str, bytes]], name: str, notebook: str | None = None
) -> ReadConversation:
    """Read a conversation from a file. Its turns belong to no cell, unless the file is the open notebook's.

    Parameters
    ----------
    find
        Gives the bytes of media by their SHA-256.
    name
        The conversation to take from a notebook with several.
    notebook
        The path of the open notebook. Another one may have cells of the same ids.

    Raises
    ------
    ConversationFileError
        There is no such file, or no conversation in it.
    """
    suffix = path.suffix.lower()
    takes = "%chat_load takes .json, and .ipynb with chats in it."
    if suffix == ".md":
        msg = f"{path} is Markdown, which %chat_save writes to be read, not to be loaded."
        raise ConversationFileError(msg, takes)
    try:
        data = read_file(path, _MOST_BYTES)
    except (OSError, ValueError) as e:
        msg = f"{path} cannot be read: {reason(e)}."
        there = isinstance(e, OSError) and e.errno not in {errno.ENOENT, errno.ENOTDIR}
        raise ConversationFileError(msg, takes if there else hint_for_missing(path)) from None
    if suffix not in _UNCHANGED:
        msg = f"{path} is not a kind of file that %chat_load reads."
        raise ConversationFileError(msg, takes)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        msg = f"{path} is not text in UTF-8."
        raise ConversationFileError(msg, takes) from None
    try:
        if suffix == ".json":
            return openai_json.loads(text)
        read = ipynb.loads(text, find, name)
    except ConversationFileError as e:
        msg = f"{path} cannot be loaded: {e.message}"
        raise ConversationFileError(msg, e.hint) from None
    if notebook is not None and _is_same(path, notebook):
        return read
    turns = tuple(replace(turn, cell=None) for turn in read.conversation.turns)
    return replace(read, conversation=replace(read.conversation, turns=turns))


def _is_same(path: Path, other: str) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return False
