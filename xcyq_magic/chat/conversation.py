"""Turns, and the conversation that they make, in which a cell that runs again replaces its turn."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.given import count, is_json, moment, number, record_of, said, texts
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image, MediaLink, Video
from xcyq_magic.chat.rerun import EARLIER, REDRAWN, around, place_after

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Parameters:
    """Sampling parameters and other fields of a request. What is None was not set, and is not sent.

    Attributes
    ----------
    temperature
        0 to 2.
    top_p
        Nucleus mass, 0 to 1.
    max_tokens
        Most tokens to generate.
    stop
        Up to four strings that end the reply.
    extra
        Any other field of the request's body, as the user named it.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that were set, as they go into the request's body."""
        named = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "stop": list(self.stop) or None,
        }
        return {name: value for name, value in named.items() if value is not None} | dict(self.extra)

    @classmethod
    def from_dict(cls, record: Any) -> Parameters:  # noqa: ANN401  # any JSON value
        """Undo `to_dict`; what cannot be is read as not set.

        Raises
        ------
        ValueError
            It is no record.
        """
        record = record_of(record, "parameters")
        own = {"temperature", "top_p", "max_tokens", "stop"}
        stop = record.get("stop")
        return cls(
            temperature=number(record.get("temperature")),
            top_p=number(record.get("top_p")),
            max_tokens=count(record.get("max_tokens")),
            stop=texts(stop if isinstance(stop, list | tuple) else [stop]),  # the endpoint takes one string, too
            extra={n: v for n, v in record.items() if n not in own and isinstance(n, str) and is_json(v)},
        )


@dataclass(frozen=True)
class CellRun:
    """One run of one notebook cell: a cell's turns belong to it, and its next run replaces them.

    Attributes
    ----------
    cell_id
        The cell's.
    run
        The id of the request that ran it (``msg_id``).
    source
        What the cell holds; None where that is not known.
    """

    cell_id: str
    run: str
    source: str | None = field(default=None, compare=False, repr=False)

    @property
    def lasting_id(self) -> str | None:
        """The cell's id, if it is one that a notebook file keeps; None for what a frontend made up.

        See https://nbformat.readthedocs.io/en/latest/format_description.html#cell-ids.
        """
        return self.cell_id if _CELL_ID.fullmatch(self.cell_id) else None

    @property
    def earlier(self) -> bool:
        """Whether it was in another kernel's life."""
        return self.run in {EARLIER, REDRAWN}

    def __reduce__(self) -> tuple[type[CellRun], tuple[str, str]]:
        """Leave the source out of a pickle: it may hold what the user did not give away."""
        return CellRun, (self.cell_id, self.run)


def new_turn_id() -> str:
    """Return what tells a new turn from every other."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Turn:
    """A prompt and its reply.

    Attributes
    ----------
    prompt, completion
        What was asked, and what came back.
    system
        The system prompt that went along; None if there was none.
    parameters
        As the user set them.
    cell
        The run of the cell that asked; None where cells have no ids (a terminal, nbclient).
    asked_at
        When, in Unix seconds; 0 where that is not known.
    kept_at
        When it was taken into its conversation from a comparison, in Unix seconds; 0 for one that was asked there.
    id
        What tells it from every other turn, wherever it is kept.
    request
        The SHA-256 of the request that it answered; None where that is not known.
    """

    prompt: Message
    completion: Completion
    system: str | None = None
    parameters: Parameters = field(default_factory=Parameters)
    cell: CellRun | None = None
    asked_at: float = 0.0
    kept_at: float = field(default=0.0, compare=False)
    id: str = field(default_factory=new_turn_id, compare=False, repr=False)
    request: str | None = field(default=None, compare=False, repr=False)

    @property
    def files(self) -> tuple[Image | Video, ...]:
        """The pictures and videos of its prompt and of its reply that have bytes."""
        return *(p for p in self.prompt.media if not isinstance(p, MediaLink)), *self.completion.images

    @property
    def as_kept(self) -> Turn:
        """The turn as a conversation keeps it: without the value of a type that the user may define anew."""
        plain = self.completion.data is None
        return self if plain else replace(self, completion=replace(self.completion, data=None))

    @property
    def messages(self) -> tuple[Message, ...]:
        """The two messages that a later request repeats, without the cells above the prompt.

        None for a reply without text (stopped while it thought, say): a gateway refuses an empty message.
        """
        said = self.completion.retold
        return (self.prompt.retold, Message.of("assistant", said)) if said.strip() else ()

    def replaces(self, gone: Sequence[Turn]) -> bool:
        """Return whether `gone` are turns that an earlier run of its cell left."""
        return bool(gone) and self.cell is not None and all(t.cell != self.cell for t in gone)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form, with media named by their hash. The cell is not kept: ids are reused."""
        return {
            "prompt": self.prompt.to_dict(),
            "completion": self.completion.to_dict(),
            "system": self.system,
            "parameters": self.parameters.to_dict(),
            "asked_at": self.asked_at,
            **({"kept_at": self.kept_at} if self.kept_at else {}),
        }

    @classmethod
    def from_dict(cls, record: Any, media: Mapping[str, bytes]) -> Turn:  # noqa: ANN401  # any JSON value
        """Undo `to_dict`; `media` maps a hash to its bytes. What cannot be is read as not known.

        Raises
        ------
        ValueError
            It lacks what was said.
        KeyError
            `media` lacks the bytes of a picture or a video.
        """
        record = record_of(record, "a turn")
        return cls(
            prompt=Message.from_dict(record.get("prompt"), media),
            completion=Completion.from_dict(record.get("completion"), media),
            system=None if record.get("system") is None else said(record, "system"),
            parameters=Parameters.from_dict(record.get("parameters")),
            asked_at=moment(record.get("asked_at")),
            kept_at=moment(record.get("kept_at")),
        )


@dataclass(frozen=True)
class Conversation:
    """Turns in the order of the page, with the model and system prompt chosen for them.

    A value: each change gives a new conversation, so that whoever holds an old one can go back.

    Attributes
    ----------
    name
        What the user calls it.
    turns
        Its turns.
    model, system
        What was chosen for it; None for what the settings have.
    answered_at
        The address that answered last; None where that is not known.
    """

    name: str = "main"
    turns: tuple[Turn, ...] = ()
    model: str | None = None
    system: str | None = None
    answered_at: str | None = None

    def asked_elsewhere(self, cell: CellRun | None = None, prompt: Message | None = None) -> bool:
        """Return whether another kernel asked all that a new turn of `cell`, which asks `prompt`, follows."""
        runs = [t.cell for t in self.above(cell, prompt) if t.cell]
        return bool(runs) and all(run.earlier for run in runs)

    def above(self, cell: CellRun | None = None, prompt: Message | None = None) -> tuple[Turn, ...]:
        """Return the turns that a new turn of `cell`, which asks `prompt`, follows, and that its request repeats."""
        return around(self.turns, cell, prompt)[0]

    def with_turn(self, turn: Turn) -> Conversation:
        """Return the conversation with `turn` in its place; one that has it already stays as it is.

        A turn of a cell that has turns from an earlier run replaces them, where they stood;
        any other goes to the end.
        """
        if any(t.id == turn.id for t in self.turns):
            return self
        above, below = around(self.turns, turn.cell, turn.prompt)
        return replace(self, turns=(*above, turn, *below))

    def with_one_of(self, turn: Turn, alternatives: Collection[Turn]) -> Conversation:
        """Return the conversation with `turn`, in the place of whichever of its `alternatives` is in it."""
        at = next((i for i, t in enumerate(self.turns) if t in alternatives), None)
        if at is None:
            return self.with_turn(turn)
        return replace(self, turns=(*self.turns[:at], turn, *self.turns[at + 1 :]))

    @property
    def outdated(self) -> frozenset[int]:
        """The indices of turns that were asked before one that now stands above them was asked, or was kept."""
        found, newest = set(), 0.0
        for i, turn in enumerate(self.turns):
            if 0 < turn.asked_at < newest:
                found.add(i)
            newest = max(newest, turn.asked_at, turn.kept_at)
        return frozenset(found)

    def with_instead(self, turn: Turn, old: Turn) -> Conversation:
        """Return the conversation with `turn` in the place of `old`; at the end if that is not in it any more.

        One that has `turn` already stays as it is.
        """
        if any(t.id == turn.id for t in self.turns):
            return self
        at = next((i for i, t in enumerate(self.turns) if t.id == old.id), len(self.turns))
        return replace(self, turns=(*self.turns[:at], turn, *self.turns[at + 1 :]))

    def without(self, turns: Collection[Turn]) -> Conversation:
        """Return the conversation without those of its turns that are in `turns`, told by their ids."""
        gone = {t.id for t in turns}
        return replace(self, turns=tuple(t for t in self.turns if t.id not in gone))

    def without_last(self, count: int) -> Conversation:
        """Return the conversation without its last `count` turns."""
        return replace(self, turns=self.turns[: max(0, len(self.turns) - count)])

    def with_restored(self, gone: Collection[Turn], before: Sequence[Turn]) -> Conversation:
        """Return the conversation with turns back in it that were taken out; it loses none of those it has.

        Parameters
        ----------
        gone
            The turns to put back; one that is in the conversation already is left out.
        before
            All turns of the conversation when `gone` were taken out of it. Each of `gone` follows the last turn
            that stood above it there, or that belongs to the same cell as one that did and is there no more.
        """
        missing = {t.id for t in gone} - {t.id for t in self.turns}
        turns = list(self.turns)
        for i, turn in enumerate(before):
            if turn.id in missing:
                turns.insert(place_after(turns, before[:i]), turn)
        return replace(self, turns=tuple(turns))


@dataclass(frozen=True)
class Context:
    """Past messages as they are sent again.

    Attributes
    ----------
    messages
        In order; prompts and replies.
    notices
        Lines for the user on what was left out.
    """

    messages: tuple[Message, ...] = ()
    notices: tuple[str, ...] = ()


def context(turns: Sequence[Turn], keep_media: int | None = None, history_turns: int | None = None) -> Context:
    """Return the messages of the last `history_turns` of `turns`, with the media of the last `keep_media`; None is all.

    A picture that is not sent again leaves a line of text in its place, so that the conversation can still be
    followed.

    Parameters
    ----------
    turns
        The turns that a new one follows.
    keep_media
        How many of the last media go along; None is all.
    history_turns
        How many of the last turns go along; None is all.
    """
    notices = []
    if history_turns is not None and len(turns) > history_turns:
        out = len(turns) - history_turns
        turns = turns[out:]
        them = "1 earlier turn is" if out == 1 else f"{out} earlier turns are"
        notices.append(f"{them} not sent (ChatSettings.history_turns = {history_turns}).")
    first = 0 if keep_media is None else max(0, len(turns) - keep_media)
    noted = sum(len(t.prompt.retold.media) for t in turns[:first])
    messages = tuple(m.without_media() if n < first else m for n, t in enumerate(turns) for m in t.messages)
    if noted:
        them = "1 earlier picture or video is" if noted == 1 else f"{noted} earlier pictures or videos are"
        notices.append(f"{them} sent as a line of text (ChatSettings.keep_media = {keep_media}).")
    return Context(messages, tuple(notices))
