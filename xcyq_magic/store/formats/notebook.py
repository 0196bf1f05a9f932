"""A conversation as a notebook: each turn a ``%%chat`` cell that runs, with its reply as settled output."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.conversation import EARLIER, CellRun, Conversation, Turn
from xcyq_magic.chat.settled import TURN_MIME, TURN_VERSION, in_their_places, place_of, records_of_outputs, turn_record
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
from xcyq_magic.store.summaries import MAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_METADATA = "xcyq_magic"  # of the notebook: what was chosen for the conversation
_PLAIN = re.compile(r"[^\s\"'\\]+")


def dumps(conversation: Conversation, bundle_of: Callable[[Turn], dict[str, Any]]) -> str:
    """The conversation as a notebook of format 4.5.

    Parameters
    ----------
    bundle_of
        Gives the MIME types that show a turn to people.
    """
    cells = [_cell("setup", "%load_ext xcyq_magic")]
    if conversation.model:
        cells.append(_cell("model", f"%chat_model {conversation.model}"))
    system = None
    for turn in conversation.turns:
        if turn.system != system:
            system = turn.system
            cells.append(_cell(f"system-{turn.id}"[:64], f"%%chat_system\n{system or 'off'}"))
        shown = bundle_of(turn)
        record = {**turn_record(turn, MAIN, shown["text/plain"]), "media": media_of(turn)}
        output = {"output_type": "display_data", "metadata": {}, "data": {**shown, TURN_MIME: record}}
        cells.append(_cell(_cell_id(turn), _source(turn, conversation.model), [output]))
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            _METADATA: chosen(conversation),
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _cell(identifier: str, source: str, outputs: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": identifier,
        "metadata": {},
        "outputs": list(outputs),
        "source": source,
    }


def _cell_id(turn: Turn) -> str:
    # Not the id of its own cell: a cell may have several turns, and ids are unique in a notebook.
    return f"turn-{turn.id}"[:64]


def _source(turn: Turn, model: str | None) -> str:
    """The cell that asks a turn again, as far as options can say it."""
    parameters = turn.parameters
    asked = turn.completion.requested_model
    options = [] if asked == model else ["-m", asked]
    for option, value in (
        ("-t", parameters.temperature),
        ("--top-p", parameters.top_p),
        ("--max-tokens", parameters.max_tokens),
    ):
        options += [] if value is None else [option, str(value)]
    for stop in parameters.stop:
        options += ["--stop", stop]
    for name, value in parameters.extra.items():
        options += ["-p", f"{name}={json.dumps(value)}"]
    for media in turn.prompt.media:
        options += ["-a", media.name] if media.name else []
    text = turn.prompt.text
    line = " ".join(["%%chat", *map(_quoted, options), *(["--raw"] if "{{" in text else [])])
    return f"{line}\n{text}"


def _quoted(word: str) -> str:
    """`word` as one word on a magic's line."""
    if _PLAIN.fullmatch(word):
        return word
    return '"' + " ".join(word.splitlines()).replace('"', '\\"') + '"'


def loads(text: str, find: Callable[[set[str]], dict[str, bytes]], name: str = MAIN) -> ReadConversation:
    """The conversation that the settled outputs of a notebook's chats make.

    Parameters
    ----------
    find
        Gives the bytes of media by their SHA-256: an output names them only.
    name
        Where there are turns of several conversations, the one to take.

    Raises
    ------
    ConversationFileError
        It is no notebook, or none with the output of a chat.
    """
    try:
        notebook = parsed_json(text)
        cells = list(_cells(notebook))
    except (ValueError, KeyError, TypeError, AttributeError):
        msg = "It is no notebook of format 4."
        raise ConversationFileError(msg, "Open and save it in JupyterLab to bring it to the newest format.") from None
    found = [(cell, record) for cell, record in cells if record.get("version") == TURN_VERSION]
    said = [(cell, r) for cell, r in found if r.get("conversation", MAIN) is not None]
    names = [r.get("conversation", MAIN) for _, r in said]
    if not names:
        msg = "No cell of it holds the reply to a %%chat."
        raise ConversationFileError(msg, "A chat's reply is in the file once the notebook was saved.")
    wanted = name if name in names else names[0]
    shown, lost = [], Counter[str]()
    for (cell, record), whose in zip(said, names, strict=True):
        if whose == wanted:
            own = cell if (place := place_of(record)) is None else place.get("cell")
            turn, missing = turn_of_record(record, find, CellRun(own, EARLIER) if isinstance(own, str) else None)
            shown.append((turn, record))
            lost += missing
    others = len(found) - len(shown)
    notices = [f"{others} of its turns are of other conversations, or of none, and were left out."] if others else []
    metadata = notebook.get("metadata")
    choice = metadata.get(_METADATA) if isinstance(metadata, dict) else None
    conversation = with_choice(Conversation(turns=in_their_places(shown)), choice if isinstance(choice, dict) else {})
    return ReadConversation(conversation, (*notices, *notices_of(lost)))


def _cells(notebook: dict[str, Any]) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """The id of each cell with a settled turn, and that turn's record."""
    for cell in notebook["cells"]:
        for record in records_of_outputs(output.get("data", {}) for output in cell.get("outputs", ())):
            yield cell.get("id"), record
