"""Conversations in files, by the suffix of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.characters import whole_characters
from xcyq_magic.errors import ConversationFileError
from xcyq_magic.store.formats import markdown, messages, notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from xcyq_magic.chat.conversation import Conversation, Turn
    from xcyq_magic.store.formats.turns import ReadConversation

_KINDS = ".md to read, .json to exchange, .ipynb to run"


def save(path: Path, conversation: Conversation, system: str, bundle_of: Callable[[Turn], dict[str, Any]]) -> None:
    """Write a conversation to a file; one that is there is replaced, whole or not at all.

    Parameters
    ----------
    system
        The system prompt that it goes on with.
    bundle_of
        Gives the MIME types that show a turn to people.

    Raises
    ------
    ConversationFileError
        The suffix is none of ours, or the file cannot be written.
    """
    suffix = _suffix(path)
    if suffix == ".md":
        text = markdown.dumps(conversation)
    elif suffix == ".json":
        text = messages.dumps(conversation, system)
    else:
        text = notebook.dumps(conversation, bundle_of)
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(whole_characters(text).encode())
        beside.replace(path)
    except OSError as e:
        beside.unlink(missing_ok=True)
        msg = f"{path} cannot be written ({e.strerror})."
        raise ConversationFileError(msg, "Save it elsewhere, such as %chat_save ~/chat.md.") from None


def load(path: Path, model: str, find: Callable[[set[str]], dict[str, bytes]], name: str) -> ReadConversation:
    """Read a conversation from a file.

    Parameters
    ----------
    model
        Whose replies they are, where the file does not say it.
    find
        Gives the bytes of media by their SHA-256.
    name
        The conversation to take from a notebook with several.

    Raises
    ------
    ConversationFileError
        There is no such file, or no conversation in it.
    """
    suffix = _suffix(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as e:
        msg = f"{path} cannot be read ({e.strerror})."
        raise ConversationFileError(msg, "Check the path: it begins at the notebook's folder.") from None
    except UnicodeDecodeError:
        msg = f"{path} is no text in UTF-8."
        raise ConversationFileError(msg, f"%chat_load takes {_KINDS}.") from None
    try:
        if suffix == ".md":
            return markdown.loads(text, find)
        if suffix == ".json":
            return messages.loads(text, model)
        return notebook.loads(text, find, name)
    except ConversationFileError as e:
        msg = f"{path} cannot be loaded: {e.message}"
        raise ConversationFileError(msg, e.hint) from None


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in {".md", ".json", ".ipynb"}:
        msg = f"{path.name} does not say what kind of file it is: {_KINDS}."
        raise ConversationFileError(msg, "Try %chat_save chat.md.")
    return suffix
