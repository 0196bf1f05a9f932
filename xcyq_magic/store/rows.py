"""Between rows of the database and our values, both ways."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from xcyq_magic.chat.completion import Completion, Usage
from xcyq_magic.chat.conversation import EARLIER, CellRun, Turn
from xcyq_magic.chat.given import seconds
from xcyq_magic.chat.usage import Spent
from xcyq_magic.store.summaries import column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcyq_magic.store.database import Row


def row_of(turn: Turn) -> Row:
    """The row of a turn. Only whole replies are found by their request."""
    completion = turn.completion
    return (
        turn.id,
        turn.asked_at,
        column(completion.requested_model),
        json.dumps(turn.prompt.to_dict()),
        json.dumps(completion.to_dict()),
        None if turn.system is None else json.dumps(turn.system),
        json.dumps(turn.parameters.to_dict()),
        None if completion.partial else turn.request,
    )


_UNREADABLE = (ValueError, KeyError, TypeError, RecursionError)


def hashes(prompt: str) -> set[str]:
    """The SHA-256 of the media of a prompt, as its row has it."""
    try:
        parts = json.loads(prompt)["parts"]
        return {part["sha256"] for part in parts if "sha256" in part}
    except _UNREADABLE:
        return set()


def completion_of(record: str) -> Completion | None:
    """The completion of a turn's row; None if it cannot be read."""
    try:
        return Completion.from_dict(json.loads(record))
    except _UNREADABLE:
        return None


def turn_of(row: Row, media: Mapping[str, bytes]) -> Turn | None:
    """The turn of a row; None if it cannot be read."""
    identifier, asked_at, prompt, completion, system, parameters, request, cell_id = row
    try:
        record = {
            "prompt": json.loads(prompt),
            "completion": json.loads(completion),
            "system": None if system is None else json.loads(system),
            "parameters": json.loads(parameters),
            "asked_at": asked_at,
        }
        turn = Turn.from_dict(record, media)
    except _UNREADABLE:
        return None
    return replace(turn, cell=None if cell_id is None else CellRun(cell_id, EARLIER), id=identifier, request=request)


# What `spent_of` reads: without the texts, which are the most of a store, and by one look into each record.
SPENT = "model, json_extract(completion, '$.usage', '$.first_token_s', '$.duration_s')"


def spent_of(row: Row) -> Spent:
    """What the reply of a turn took; what is no number in its row is not known."""
    model, figures = row
    try:
        usage, first_token_s, duration_s = json.loads(figures)
    except _UNREADABLE:
        return Spent(str(model), None, None, 0.0)
    counts = Usage.from_dict(usage) if isinstance(usage, dict) else None
    return Spent(str(model), counts, seconds(first_token_s), seconds(duration_s) or 0.0)
