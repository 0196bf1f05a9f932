"""A conversation as Markdown: to be read, on GitHub say, and to be loaded again exactly as it was.

What is not for readers stands in comments. Each begins with a word that occurs nowhere else in the file, as the
boundary of a multipart message does (https://www.rfc-editor.org/rfc/rfc2046#section-5.1): so no text can look
like one of them, whatever a model wrote.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.conversation import Conversation, Turn
from xcyq_magic.errors import ConversationFileError
from xcyq_magic.store.formats.turns import (
    ReadConversation,
    chosen,
    media_of,
    notices_of,
    parsed_json,
    turn_of_record,
    with_choice,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FIRST = re.compile(
    r"<!-- xcyq_magic conversation (?P<version>\d{1,9}) (?P<boundary>[a-z0-9-]{1,40}) (?P<record>\{.*\}) -->\n"
)
_VERSION = 1
_HINT = "%chat_save FILE.md writes such a file."


def dumps(conversation: Conversation) -> str:
    """The conversation as Markdown."""
    boundary = _boundary(conversation)
    lines = [f"<!-- xcyq_magic conversation {_VERSION} {boundary} {_json(chosen(conversation))} -->\n"]
    for number, turn in enumerate(conversation.turns, 1):
        lines += _turn(turn, number, boundary)
    return "".join(lines)


def _turn(turn: Turn, number: int, boundary: str) -> Iterator[str]:
    record = turn.to_dict()
    record["media"] = media_of(turn)
    yield f"\n## {number}. Prompt\n\n"
    for part in record["prompt"]["parts"]:
        if part["type"] == "text":
            yield _kept(boundary, part.pop("text"))
        else:
            data = record["media"].get(part.get("sha256"))
            url = f"data:{part['mime']};base64,{data}" if data else part.get("url", "")
            yield (
                f"![{_alternative(part)}](<{url}>)\n\n"
                if url and part["type"] != "video"
                else f"*{_alternative(part)}*\n\n"
            )
    completion = record["completion"]
    yield f"## {number}. {' '.join(completion['model'].split())}\n\n"
    if completion["reasoning"]:
        yield "<details><summary>Reasoning</summary>\n\n"
        yield _kept(boundary, completion.pop("reasoning"))
        yield "</details>\n\n"
    yield _kept(boundary, completion.pop("text"))
    yield f"<!-- {boundary} turn {_json(record)} -->\n"


def _kept(boundary: str, text: str) -> str:
    return f"<!-- {boundary} text -->\n\n{text}\n\n<!-- {boundary} end -->\n\n"


def _alternative(part: dict[str, Any]) -> str:
    return re.sub(r"[^\w .-]", " ", part.get("name") or part["type"])


def loads(text: str, find: Callable[[set[str]], dict[str, bytes]]) -> ReadConversation:
    """The conversation that `dumps` wrote. Texts may have been edited, the comments not.

    Parameters
    ----------
    find
        Gives the bytes of media by their SHA-256.

    Raises
    ------
    ConversationFileError
        It is none.
    """
    first = _FIRST.match(text)
    if first is None or int(first["version"]) != _VERSION:
        msg = "It is no conversation that %chat_save wrote."
        raise ConversationFileError(msg, _HINT)
    texts: list[str] = []
    turns: list[Turn] = []
    lost: Counter[str] = Counter()
    for record, said in _pieces(text, first["boundary"], first.end()):
        if record is None:
            texts.append(said)
            continue
        turn, missing = turn_of_record(_with_texts(record, texts), find)
        turns.append(turn)
        lost += missing
        texts = []
    conversation = with_choice(Conversation(turns=tuple(turns)), _record(first["record"]))
    return ReadConversation(conversation, notices_of(lost))


def _pieces(text: str, boundary: str, start: int) -> Iterator[tuple[str | None, str]]:
    """The texts, and the records of turns, in the order of the file: None and a text, or a record and nothing.

    It is read line by line, once: a file of beginnings without an end takes no longer than another.
    """
    comment = re.compile(
        rf"^<!-- {boundary} (?:(?P<kind>text|end)|turn (?P<record>\{{.*\}})) -->(?:\n|\Z)", re.MULTILINE
    )
    begun = None
    for found in comment.finditer(text, start):
        if (found["kind"] == "end") != (begun is not None):
            raise _missing()
        if found["kind"] is None:
            yield found["record"], ""
        elif begun is None:
            begun = found.end()
        else:
            framed = text[begun : found.start()]
            if not framed.startswith("\n") or not framed[1:].endswith("\n\n"):
                raise _missing()
            yield None, framed[1:-2]
            begun = None


def _missing() -> ConversationFileError:
    return ConversationFileError("A comment or a text of a turn is missing.", _HINT)


def _with_texts(text: str, texts: list[str]) -> dict[str, Any]:
    """The record of a turn, with the texts that stand above it in the file."""
    record = _record(text)
    try:
        rest = iter(texts)
        for part in record["prompt"]["parts"]:
            if part["type"] == "text":
                part["text"] = next(rest)
        for name in ("reasoning", "text"):
            if name not in record["completion"]:
                record["completion"][name] = next(rest)
    except (KeyError, TypeError, StopIteration):
        raise _missing() from None
    return record


def _record(text: str) -> dict[str, Any]:
    try:
        record = parsed_json(text)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        msg = "One of its comments was changed, and is no JSON any more."
        raise ConversationFileError(msg, _HINT)
    return record


def _json(record: dict[str, Any]) -> str:
    """JSON that cannot end a comment."""
    return json.dumps(record, sort_keys=True).replace("--", "\\u002d\\u002d")


def _boundary(conversation: Conversation) -> str:
    taken = set(re.findall(r"xcyq-(\d+)", json.dumps([t.to_dict() for t in conversation.turns])))
    return next(f"xcyq-{n}" for n in count() if str(n) not in taken)
