"""What the formats share: a conversation that was read from a file, and records of turns with their media."""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.conversation import CellRun, Conversation, Turn
from xcyq_magic.chat.given import text
from xcyq_magic.errors import ConversationFileError, MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_NESTED = 100  # JSON within JSON: what is much deeper can be read, and not be written again


@dataclass(frozen=True)
class ReadConversation:
    """A conversation from a file.

    Attributes
    ----------
    conversation
        Its turns, model and system prompt.
    notices
        Lines for the user on what is not as it was in the file.
    """

    conversation: Conversation
    notices: tuple[str, ...] = ()


def parsed_json(text: str) -> Any:  # noqa: ANN401  # any JSON value
    """Parse JSON.

    Raises
    ------
    ValueError
        It is none, or nested too deeply.
    """
    msg = "it is nested too deeply"
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(msg) from None
    level = [value]
    for _ in range(_MOST_NESTED):
        level = [inner for v in level for inner in (v.values() if type(v) is dict else v if type(v) is list else ())]
        if not level:
            return value
    raise ValueError(msg)


def media_of(turn: Turn) -> dict[str, str]:
    """The media of a turn in base64, by their SHA-256."""
    return {p.sha256: base64.b64encode(p.data).decode("ascii") for p in turn.files}


def turn_of_record(
    record: Mapping[str, Any], find: Callable[[set[str]], dict[str, bytes]], cell: CellRun | None = None
) -> tuple[Turn, Counter[str]]:
    """The turn of a JSON record, and what of it is not as it was: the number of its ``media`` whose bytes are gone.

    What is gone leaves a line of text in its place. A turn with values that cannot be counts as ``odd``.

    Raises
    ------
    ConversationFileError
        It is no record of a turn.
    """
    try:
        media = {digest: base64.b64decode(data) for digest, data in record.get("media", {}).items()}
        parts = record["prompt"]["parts"]
        images = record["completion"].get("images", [])
        unknown = {str(p["sha256"]) for p in (*parts, *images) if "sha256" in p} - media.keys()
        media |= find(unknown) if unknown else {}
        there = [p if p.get("sha256", "") in media or "sha256" not in p else _gone(p) for p in parts]
        kept = [i for i in images if i["sha256"] in media]  # in the text, a line stands for each
        whole = {**record, "prompt": {**record["prompt"], "parts": there}}
        if images:
            whole["completion"] = {**record["completion"], "images": kept}
        turn = Turn.from_dict(whole, media)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error, MediaError):
        msg = "it holds a turn that cannot be read."
        raise ConversationFileError(msg, "Was it written by a newer xcyq_magic, or changed by hand?") from None
    gone = sum(a is not b for a, b in zip(there, parts, strict=True)) + len(images) - len(kept)
    return replace(turn, cell=cell), Counter(media=gone, odd=_differs(turn.to_dict(), whole))


def _differs(read: Any, given: Any) -> bool:  # noqa: ANN401  # JSON values
    """Whether a value was read as another one than was given: `from_dict` does so where it cannot be."""
    if isinstance(read, dict) and isinstance(given, dict):
        ours, theirs = read.get("parameters"), given.get("parameters")
        left_out = theirs.keys() - ours.keys() if isinstance(ours, dict) and isinstance(theirs, dict) else set()
        return bool(left_out) or any(_differs(value, given[name]) for name, value in read.items() if name in given)
    if isinstance(read, list) and isinstance(given, list) and len(read) == len(given):
        return any(map(_differs, read, given))
    return bool(read != given)


def _gone(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": f"[{part.get('name') or part['type']}, which is not kept any more]"}


def notices_of(lost: Counter[str]) -> tuple[str, ...]:
    """Lines on media whose bytes are neither in the file nor in the store, and on values that cannot be."""
    media, odd = lost["media"], lost["odd"]
    them = "1 picture or video is" if media == 1 else f"{media} pictures or videos are"
    turns = "1 turn has" if odd == 1 else f"{odd} turns have"
    return (
        *([f"{them} neither in the file nor in the store; a line of text stands for each."] if media else []),
        *(
            [f"{turns} values that make no sense, such as a time that is not a number; they count as unknown."]
            if odd
            else []
        ),
    )


def chosen(conversation: Conversation) -> dict[str, str | None]:
    """The model and the system prompt chosen for a conversation, as a record."""
    return {"model": conversation.model, "system": conversation.system}


def with_choice(conversation: Conversation, record: Mapping[str, Any]) -> Conversation:
    """Undo `chosen`."""
    model, system = (text(record.get(name)) for name in ("model", "system"))
    return replace(conversation, model=model, system=system)
