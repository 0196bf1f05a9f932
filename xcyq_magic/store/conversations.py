"""Conversations in the database: values to rows, and back."""

from __future__ import annotations

import functools
import json
import operator
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.conversation import CellRun, Conversation, Turn
from xcyq_magic.chat.given import moment
from xcyq_magic.chat.rerun import EARLIER, REDRAWN
from xcyq_magic.errors import StoreError
from xcyq_magic.store.database import together
from xcyq_magic.store.summaries import column

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from xcyq_magic.store.database import Database, Execute, Row


_TURN = "turns.id, asked_at, prompt, completion, system, parameters, request, kept_at"
_UNREADABLE = (ValueError, KeyError, TypeError, RecursionError)
_IMAGES = '"images": ['  # in the JSON of a reply; within a text, its quotation marks are escaped


@dataclass(frozen=True)
class Loaded:
    """A conversation as it was kept.

    Attributes
    ----------
    conversation
        What could be read.
    unreadable
        The number of turns that could not.
    """

    conversation: Conversation
    unreadable: int = 0


@dataclass(frozen=True)
class Answered:
    """A reply that was given to a request before, and when that was asked, in Unix seconds; 0 if that is not known."""

    completion: Completion
    asked_at: float


class ConversationStore:
    """The conversations, turns and media of a database.

    Every method raises `StoreError` where the database cannot be used; nothing is half done then.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def load(self, identifier: str) -> Loaded:
        """The conversation whose `Summary.id` is `identifier`."""
        query = "SELECT name, model, system, answered_at FROM conversations WHERE id = ?"
        found = self.database.read(query, identifier)
        if not found:
            return Loaded(Conversation())
        rows = self.database.read(
            f"SELECT {_TURN}, cell_id FROM places JOIN turns ON turn = turns.id"
            " WHERE conversation = ? ORDER BY position",
            identifier,
        )
        media = self._media_of(rows)
        turns = [turn for row in rows if (turn := turn_of(row, media)) is not None]
        name, model, system, answered_at = found[0]
        return Loaded(Conversation(name, tuple(turns), model, system, answered_at), len(rows) - len(turns))

    def answered(self, request: str) -> Answered | None:
        """The latest whole reply to the request of that hash; None if there is none."""
        if not self.database.exists:
            return None
        rows = self.database.read(
            "SELECT completion, asked_at FROM turns WHERE request = ? ORDER BY asked_at DESC LIMIT 1", request
        )
        completion = completion_of(rows[0][0], self.media(hashes(rows[0][0], "images"))) if rows else None
        return None if completion is None else Answered(completion, moment(rows[0][1]))

    def media(self, hashes: Iterable[str]) -> dict[str, bytes]:
        """The bytes of media by their SHA-256; those that are not kept are left out."""
        if not self.database.exists:
            return {}
        named = [digest for digest in hashes if isinstance(digest, str) and digest.isascii()]
        rows = {digest: self.database.read("SELECT data FROM media WHERE sha256 = ?", digest) for digest in named}
        return {digest: found[0][0] for digest, found in rows.items() if found}

    def drafts(self, identifier: str) -> list[Turn]:
        """What came of replies in a conversation whose ends were not written; what cannot be read is left out."""
        rows = self.database.read("SELECT turn, cell_id, record FROM drafts WHERE conversation = ?", identifier)
        media = self.media(set().union(*(hashes(row[2], "prompt", "parts") for row in rows)))
        return [turn for row in rows if (turn := draft_of(row, media)) is not None]

    def _media_of(self, rows: Sequence[Row]) -> dict[str, bytes]:
        found = [hashes(row[2], "parts") | (hashes(row[3], "images") if _IMAGES in row[3] else set()) for row in rows]
        return self.media(set().union(*found))

    # Within a transaction of the database

    def row(self, execute: Execute, identifier: str) -> tuple[str | None, bool] | None:
        """The notebook of a conversation, and whether it is set aside; None if there is no such conversation."""
        rows = execute("SELECT notebook, set_aside FROM conversations WHERE id = ?", identifier)
        return (rows[0][0], bool(rows[0][1])) if rows else None

    def turns_of(self, execute: Execute, identifier: str) -> set[str]:
        """The ids of the turns of a conversation."""
        return {turn for (turn,) in execute("SELECT turn FROM places WHERE conversation = ?", identifier)}

    def cells_of(self, execute: Execute, identifier: str) -> set[str]:
        """The ids of the cells of a conversation."""
        return {cell for (cell,) in execute("SELECT cell_id FROM cells WHERE conversation = ?", identifier)}

    def create(
        self,
        execute: Execute,
        identifier: str,
        notebook: str | None,
        conversation: Conversation,
        *,
        aside: bool = False,
    ) -> str:
        """A row for a conversation that has none; returns the id of the row that has its name.

        That may be another one: a second kernel of the same notebook was faster.
        """
        now = time.time()
        execute(
            "INSERT INTO conversations (id, notebook, name, model, system, created_at, changed_at, set_aside)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            identifier,
            column(notebook),
            column(conversation.name),
            column(conversation.model),
            column(conversation.system),
            now,
            now,
            int(aside),
        )
        if notebook is None or aside:
            return identifier
        rows = execute(
            "SELECT id FROM conversations WHERE notebook = ? AND name = ? AND NOT set_aside",
            column(notebook),
            column(conversation.name),
        )
        return str(rows[0][0])

    def change(
        self, execute: Execute, identifier: str, before: Conversation, after: Conversation
    ) -> list[tuple[Turn, StoreError]]:
        """Write what differs between two states of a conversation.

        Parameters
        ----------
        execute
            The transaction's.
        identifier
            The id of the conversation's row.
        before, after
            What is kept of it, and what is to be.

        Returns
        -------
        list
            The turns that can never be written, and why. They are left out.
        """
        execute(
            "UPDATE conversations SET changed_at = ?, model = ?, system = ? WHERE id = ?",
            time.time(),
            column(after.model),
            column(after.system),
            identifier,
        )
        if after.answered_at is not None:
            execute("UPDATE conversations SET answered_at = ? WHERE id = ?", column(after.answered_at), identifier)
        old, new = before.turns, after.turns
        start = _common(old, new)
        end = _common(old[start:][::-1], new[start:][::-1])
        for turn in old[start : len(old) - end]:
            execute("DELETE FROM places WHERE conversation = ? AND turn = ?", identifier, turn.id)
        added = new[start : len(new) - end]
        position = self._room(execute, identifier, new[len(new) - end :], len(added))
        refused = []
        for n, turn in enumerate(added):
            try:
                self.record(execute, turn)
            except StoreError as e:
                refused.append((turn, e))
                continue
            lasting_id = turn.cell.lasting_id if turn.cell else None
            # What a frontend made up may be another cell's in another run.
            cell_id = column(f"{turn.cell.cell_id} {turn.cell.run}") if turn.cell and not lasting_id else lasting_id
            execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?)", identifier, position + n, turn.id, cell_id)
            self.note_cells(execute, identifier, [lasting_id] if lasting_id else [])
        return refused

    @staticmethod
    def _room(execute: Execute, identifier: str, below: Sequence[Turn], count: int) -> int:
        """The first of `count` free positions: before the first turn of `below` that has a place, or at the end."""
        for turn in below:
            rows = execute("SELECT position FROM places WHERE conversation = ? AND turn = ?", identifier, turn.id)
            if not rows:
                continue
            position = int(rows[0][0])
            execute(
                "UPDATE places SET position = position + ? WHERE conversation = ? AND position >= ?",
                count,
                identifier,
                position,
            )
            return position
        rows = execute("SELECT coalesce(max(position), -1) + 1 FROM places WHERE conversation = ?", identifier)
        return int(rows[0][0])

    def record(self, execute: Execute, turn: Turn) -> None:
        """Keep a turn and its media, without a place in a conversation.

        Raises
        ------
        StoreError
            It can never be written: the error is `refused`, and the transaction goes on without it.
        """
        with together(execute, "One turn"):
            self._record_files(execute, turn)
            execute("DELETE FROM drafts WHERE turn = ?", turn.id)
            execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", *row_of(turn))

    @staticmethod
    def _record_files(execute: Execute, turn: Turn) -> None:
        for file in turn.files:
            if not execute("SELECT 1 FROM media WHERE sha256 = ?", file.sha256):
                execute("INSERT INTO media VALUES (?, ?)", file.sha256, file.data)

    def keep_draft(self, execute: Execute, identifier: str, turn: Turn) -> None:
        """Keep what came so far of a turn of a conversation, in the place of what was kept of it before.

        Raises
        ------
        StoreError
            It can never be written: the error is `refused`, and the transaction goes on without it.
        """
        with together(execute, "What came of a reply"):
            self._record_files(execute, turn)
            cell_id = column(turn.cell.lasting_id) if turn.cell else None
            record = json.dumps(turn.to_dict())
            execute("INSERT OR REPLACE INTO drafts VALUES (?, ?, ?, ?)", turn.id, identifier, cell_id, record)

    def choose(self, execute: Execute, notebook: str, identifier: str) -> None:
        """Let `identifier` be the conversation that `notebook` is in."""
        execute("INSERT OR REPLACE INTO notebooks VALUES (?, ?)", column(notebook), identifier)

    def note_cells(
        self,
        execute: Execute,
        identifier: str,
        cells: Collection[str],
        here: Collection[str] = (),
        began: Collection[str] = (),
    ) -> None:
        """Note the ids of cells for a conversation.

        Parameters
        ----------
        execute
            The transaction's.
        identifier
            The id of the conversation's row.
        cells
            Those that it was changed in.
        here
            Those that ran last while the notebook was in it.
        began
            Those that began it.
        """
        for cell_id in {*cells, *here, *began}:
            execute("INSERT OR IGNORE INTO cells (cell_id, conversation) VALUES (?, ?)", cell_id, identifier)
        for cell_id in here:
            execute(
                "UPDATE cells SET here = conversation = ? WHERE cell_id = ? AND conversation IN (SELECT id FROM"
                " conversations WHERE notebook IS (SELECT notebook FROM conversations WHERE id = ?))",
                identifier,
                cell_id,
                identifier,
            )
        for cell_id in began:
            execute("UPDATE cells SET began = 1 WHERE cell_id = ? AND conversation = ?", cell_id, identifier)

    def set_aside(self, execute: Execute, identifier: str, *, aside: bool = True) -> None:
        """Free the name of a conversation for another one, or give it back."""
        execute("UPDATE conversations SET set_aside = ? WHERE id = ?", int(aside), identifier)


def _common(one: Sequence[Turn], other: Sequence[Turn]) -> int:
    """The number of turns with which both begin."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a.id != b.id:
            break
        count += 1
    return count


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
        turn.kept_at,
    )


def hashes(record: str, *where: str) -> set[str]:
    """The SHA-256 of the media of a prompt or a reply, as its row has it, `where` it names them."""
    try:
        parts = functools.reduce(operator.getitem, where, json.loads(record))
        return {part["sha256"] for part in parts if "sha256" in part}
    except _UNREADABLE:
        return set()


def completion_of(record: str, media: Mapping[str, bytes]) -> Completion | None:
    """The completion of a turn's row; None if it cannot be read."""
    try:
        return Completion.from_dict(json.loads(record), media)
    except _UNREADABLE:
        return None


def turn_of(row: Row, media: Mapping[str, bytes]) -> Turn | None:
    """The turn of a row; None if it cannot be read."""
    identifier, asked_at, prompt, completion, system, parameters, request, kept_at, cell_id = row
    try:
        record = {
            "prompt": json.loads(prompt),
            "completion": json.loads(completion),
            "system": None if system is None else json.loads(system),
            "parameters": json.loads(parameters),
            "asked_at": asked_at,
            "kept_at": kept_at,
        }
        turn = Turn.from_dict(record, media)
    except _UNREADABLE:
        return None
    cell = None if cell_id is None else CellRun(cell_id, EARLIER)
    if cell is not None and not cell.lasting_id:
        cell = replace(cell, run=REDRAWN)
    return replace(turn, cell=cell, id=identifier, request=request)


def draft_of(row: Row, media: Mapping[str, bytes]) -> Turn | None:
    """The turn of a draft's row, whose reply broke off; None if it cannot be read."""
    identifier, cell_id, record = row
    try:
        turn = Turn.from_dict(json.loads(record), media)
    except _UNREADABLE:
        return None
    completion = replace(turn.completion, partial="incomplete")
    return replace(turn, completion=completion, cell=cell_id and CellRun(cell_id, EARLIER), id=identifier)
