"""A conversation as a notebook: each turn a ``%%chat`` cell that runs, with its reply as settled output."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.conversation import CellRun, Conversation, Turn
from xcyq_magic.chat.parts import MediaLink
from xcyq_magic.chat.records import TURN_MIME, TURN_VERSION, in_their_places, place_of, records_of_outputs, turn_record
from xcyq_magic.chat.rerun import EARLIER
from xcyq_magic.errors import ConversationFileError, printable
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
_NAME = re.compile(r"[\w.:/@+][\w.:/@+,-]*", re.ASCII)  # of a model, or a chain, on the line of %chat_model
_FIELD = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)  # as -p takes it before a `=`
_ENDING = "--"  # of the options: argparse of Python before 3.13 drops it also as the value of one
_OWN_CELL = re.compile(r"setup|model|(?:system|turn)-.+")
_PLAIN = re.compile(r"[^\s\"'\\]+")


def dumps(conversation: Conversation, bundle_of: Callable[[Turn], dict[str, Any]]) -> str:
    """The conversation as a notebook of format 4.5.

    What its cells hold may come from a file or a gateway. So it stands in them as text that no way of reading a cell
    takes for code: IPython's, a magic's, or that of ``{{ }}``.

    Parameters
    ----------
    bundle_of
        Gives the MIME types that show a turn to people.
    """
    cells = [_cell("setup", "%load_ext xcyq_magic")]
    model = conversation.model if _NAME.fullmatch(conversation.model or "") else None
    if model:
        cells.append(_cell("model", f"%chat_model {model}"))
    system = None
    for turn in conversation.turns:
        if turn.system != system:
            system = turn.system
            cells.append(_cell(f"system-{turn.id}"[:64], f"%%chat_system\n{_system(system)}"))
        shown = bundle_of(turn)
        record = {**turn_record(turn, MAIN, shown["text/plain"]), "media": media_of(turn)}
        output = {"output_type": "display_data", "metadata": {}, "data": {**shown, TURN_MIME: record}}
        cells.append(_cell(_cell_id(turn), _source(turn, model), [output]))
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


def _system(system: str | None) -> str:
    """The body of the cell that sets a system prompt."""
    said = (system or "").strip()
    if said in {"", "off"}:  # `off` alone would end it
        return '{{ "off" }}' if said else "off"
    return said.replace("{{", r"\{{")


def _source(turn: Turn, model: str | None) -> str:
    """The cell that asks a turn again, as far as options can say it."""
    completion, parameters, text = turn.completion, turn.parameters, turn.prompt.text
    asked = completion.chain or completion.requested_model
    options = [] if asked in {model, ""} else [_option("-m", asked.replace("{{", r"\{{"))]
    for option, value in (
        ("-t", parameters.temperature),
        ("--top-p", parameters.top_p),
        ("--max-tokens", parameters.max_tokens),
    ):
        options += [] if value is None else [_option(option, str(value))]
    if all(s.isprintable() and s != _ENDING for s in parameters.stop):
        options += [_option("--stop", s) for s in parameters.stop]
    else:  # a magic's line cannot hold a line end
        options.append(_field("stop", list(parameters.stop)))
    options += [_field(name, value) for name, value in parameters.extra.items()]
    # By their hash: a name may be an expression, and the file of a path another one by now.
    options += [_option("-a", m.url if isinstance(m, MediaLink) else f"sha256:{m.sha256}") for m in turn.prompt.media]
    lines = text.split("\n")
    raw = "{{" in text or not (lines[0].strip() and lines[-1].strip())  # a blank line at an end is meant, too
    line = " ".join(["%%chat", *options, *(["--raw"] if raw else [])])
    return f"{line}\n{text}" + "\n" * text.endswith("\n")  # of which IPython takes one for the cell's own


def _field(name: str, value: object) -> str:
    """The option that sets a field of the request, in JSON of printable ASCII without single quotes."""
    plain = _FIELD.fullmatch(name)
    text = json.dumps(value if plain else {name: value}).replace("'", "\\u0027").replace("\x7f", "\\u007f")
    return _option("-p", f"{name}={text}" if plain else text)


def _option(option: str, value: str) -> str:
    """An option and its value on a magic's line. A `=` keeps one that begins with a dash from being an option."""
    value = f"{value} " if value == _ENDING else value
    return f"{option}{'=' if value.startswith('-') else ' '}{_quoted(printable(value))}"


def _quoted(word: str) -> str:
    """A printable text as one word on a magic's line. Within single quotes, nothing but their end means anything."""
    if _PLAIN.fullmatch(word):
        return word
    if '"' not in word and "\\" not in word:
        return f'"{word}"'
    return "'" + word.replace("'", "'\"'\"'") + "'"


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
        msg = "It is not a notebook of format 4."
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
    them = (
        "1 turn of another conversation, or of none, was"
        if others == 1
        else (f"{others} turns of other conversations, or of none, were")
    )
    notices = [f"{them} left out."] if others else []
    metadata = notebook.get("metadata")
    choice = metadata.get(_METADATA) if isinstance(metadata, dict) else None
    conversation = with_choice(Conversation(turns=in_their_places(shown)), choice if isinstance(choice, dict) else {})
    return ReadConversation(conversation, (*notices, *notices_of(lost)))


def is_unchanged(text: str) -> bool:
    """Return whether `dumps` wrote a notebook and nothing of the user's is in it; a frontend may have saved it again.

    It has our mark in its metadata, and the cells that `dumps` would write again for what its outputs hold.
    """
    try:
        notebook = parsed_json(text)
        read = loads(text, lambda _: {}).conversation
        again = json.loads(dumps(read, lambda _: {"text/plain": ""}))
        metadata = notebook["metadata"]
        ours = notebook.keys() == again.keys() and _METADATA in metadata and metadata.keys() <= again["metadata"].keys()
        return ours and [*map(_what_is_in, notebook["cells"])] == [*map(_what_is_in, again["cells"])]
    except (ConversationFileError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _what_is_in(cell: dict[str, Any]) -> object:
    """Return what of a cell tells whether `dumps` wrote it: all but its own id, and what is shown of its turn."""
    outputs = [{**output, "data": isinstance(output["data"][TURN_MIME]["media"], dict)} for output in cell["outputs"]]
    return {**cell, "id": is_own_cell(cell["id"]), "source": "".join(cell["source"]), "outputs": outputs}


def is_own_cell(identifier: str) -> bool:
    """Return whether an id is of those that `dumps` gives: a notebook that others wrote has none of them."""
    return _OWN_CELL.fullmatch(identifier) is not None


def _cells(notebook: dict[str, Any]) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """The id of each cell with a settled turn, and that turn's record."""
    for cell in notebook["cells"]:
        for record in records_of_outputs(output.get("data", {}) for output in cell.get("outputs", ())):
            yield cell.get("id"), record
