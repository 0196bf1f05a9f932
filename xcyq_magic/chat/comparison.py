"""One prompt and what several models answered to it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from xcyq_magic import errors
from xcyq_magic.chat.completion import Completion, DataT_co
from xcyq_magic.chat.conversation import CellRun, Parameters, Turn
from xcyq_magic.chat.given import moment, number, record_of, said, seconds, text, texts
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.usage import pandas, tokens_per_s
from xcyq_magic.errors import OptionError, XcyqError

VERSION = 1  # of `Comparison.to_dict`
_RANDOM = re.compile(r"[0-9a-f]{8}")  # the beginning of an id that JupyterLab makes, which tells it from others


@dataclass(frozen=True)
class Column:
    """One model's answer in a comparison. It has a completion, an error, or both: a reply that broke off.

    Attributes
    ----------
    name
        The model's, or ``MODEL#2`` where each is asked several times.
    model
        The model that was asked.
    completion
        The reply, whole or partial; None if no word of it came.
    error
        Why it failed, or was not asked.
    notices
        Lines for the user about this reply.
    duration_s
        Seconds from the request to its end, also of a failure.
    cost
        In the currency of ``GatewaySettings.prices``; None where no price is set.
    """

    name: str
    model: str
    completion: Completion | None = None
    error: XcyqError | None = None
    notices: tuple[str, ...] = ()
    duration_s: float = 0.0
    cost: float | None = None

    @property
    def text(self) -> str:
        """The reply's Markdown, as far as it came."""
        return self.completion.text if self.completion is not None else ""

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens of the reply a second, from its first content on; None where that is not known."""
        return None if self.completion is None else tokens_per_s(self.completion)

    @property
    def metrics(self) -> dict[str, Any]:
        """What a table of the comparison says about it; times in seconds, None for what is not known."""
        completion = self.completion
        usage = completion.usage if completion is not None else None
        return {
            "model": self.model,
            "answered_by": completion.model if completion is not None else None,
            "first_token_s": completion.first_token_s if completion is not None else None,
            "duration_s": self.duration_s,
            "prompt_tokens": usage.prompt_tokens if usage else None,
            "completion_tokens": usage.completion_tokens if usage else None,
            "tokens_per_s": self.tokens_per_s,
            "cost": self.cost,
            "finish_reason": completion.finish_reason if completion is not None else None,
            "partial": completion.partial if completion is not None else None,
            "error": self.error.message if self.error else None,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        return {
            "name": self.name,
            "model": self.model,
            "completion": self.completion.to_dict() if self.completion is not None else None,
            "error": _error_to_dict(self.error),
            "notices": list(self.notices),
            "duration_s": self.duration_s,
            "cost": self.cost,
        }

    @classmethod
    def from_dict(cls, record: Any) -> Column:  # noqa: ANN401  # any JSON value
        """Undo `to_dict`; what cannot be is read as not known.

        Raises
        ------
        ValueError
            It is no record of a column.
        """
        record = record_of(record, "a column")
        completion = record.get("completion")
        return cls(
            said(record, "name"),
            said(record, "model"),
            Completion.from_dict(completion) if completion else None,
            _error_from_dict(record.get("error")),
            texts(record.get("notices")),
            seconds(record.get("duration_s")) or 0.0,
            number(record.get("cost")),
        )


@dataclass(frozen=True)
class Verdict:
    """What a judge said about replies whose authors it did not know.

    Attributes
    ----------
    model
        The judge.
    order
        The columns' names in the order in which the judge saw their replies.
    winner
        The name of the best one's column; None for a tie, or if the judge did not say.
    reason
        The judge's words, in Markdown, with the names in place of the numbers; ``""`` if it failed.
    completion, error
        The judge's reply as it came, or why there is none.
    cost
        In the currency of ``GatewaySettings.prices``; None where no price is set.
    """

    model: str
    order: tuple[str, ...] = ()
    winner: str | None = None
    reason: str = ""
    completion: Completion | None = None
    error: XcyqError | None = None
    cost: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        return {
            "model": self.model,
            "order": list(self.order),
            "winner": self.winner,
            "reason": self.reason,
            "completion": self.completion.to_dict() if self.completion is not None else None,
            "error": _error_to_dict(self.error),
            "cost": self.cost,
        }

    @classmethod
    def from_dict(cls, record: Any) -> Verdict:  # noqa: ANN401  # any JSON value
        """Undo `to_dict`; what cannot be is read as not known.

        Raises
        ------
        ValueError
            It is no record of a verdict.
        """
        record = record_of(record, "a verdict")
        completion = record.get("completion")
        return cls(
            said(record, "model"),
            texts(record.get("order")),
            text(record.get("winner")),
            text(record.get("reason")) or "",
            Completion.from_dict(completion) if completion else None,
            _error_from_dict(record.get("error")),
            number(record.get("cost")),
        )


@dataclass(frozen=True, eq=False)
class Comparison(Mapping[str, "Completion[DataT_co] | XcyqError"], Generic[DataT_co]):
    """An ordered mapping of the columns' names to what came: a `Completion`, or an error.

    Attributes
    ----------
    prompt
        What all were asked.
    columns
        Their answers, in order.
    system, parameters
        As they were sent.
    conversation
        The name of the conversation that it followed, and that `%chat_keep` keeps an answer in.
    cell
        The run of the cell that asked; None where cells have no ids.
    asked_at
        When, in Unix seconds.
    verdict
        The judge's, if there was one.

    Examples
    --------
    >>> comparison["gpt-5.5"].text                          # doctest: +SKIP
    >>> comparison.to_frame().sort_values("duration_s")     # doctest: +SKIP
    """

    prompt: Message
    columns: tuple[Column, ...]
    system: str | None = None
    parameters: Parameters = field(default_factory=Parameters)
    conversation: str = "main"
    cell: CellRun | None = None
    asked_at: float = 0.0
    verdict: Verdict | None = None

    def __getitem__(self, name: str) -> Completion[DataT_co] | XcyqError:
        column = next((c for c in self.columns if c.name == name), None)
        found = None if column is None else column.error if column.completion is None else column.completion
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (c.name for c in self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self)}>"

    @property
    def mark(self) -> str:
        """What a button names it by: the id of its cell, which lasts; else when it was asked: ``14:03:22.481``.

        Of a random id, its beginning is enough. A dash before it would be that of an option.
        """
        if self.cell is not None:
            name = self.cell.cell_id.lstrip("-")
            return random[0] if (random := _RANDOM.match(name)) else name
        return time.strftime("%H:%M:%S", time.localtime(self.asked_at)) + f"{self.asked_at % 1:.3f}"[1:]

    def column(self, named: str) -> Column:
        """Return the column called `named`, or with that number, from 1.

        Raises
        ------
        OptionError
            There is none, or more than one; the message says which there are.
        """
        if found := next((c for c in self.columns if c.name == named), None):
            return found
        if found := next((c for n, c in enumerate(self.columns, 1) if named.lstrip("0") == str(n)), None):
            return found
        several = [c.name for c in self.columns if c.model == named]
        if several:
            msg = f"{named} was asked several times; nothing was kept."
            raise OptionError(msg, f"There are {', '.join(several)}.")
        msg = f"{named} is no column of this comparison; nothing was kept."
        near = [c for c in self.columns if not named.isdecimal() and named.lower() in c.name.lower()]
        if len(near) == 1:
            raise OptionError(msg, f"Type %chat_keep {self.columns.index(near[0]) + 1} for {near[0].name}.")
        raise OptionError(msg, f"Type its number: {', '.join(f'{n} for {name}' for n, name in enumerate(self, 1))}.")

    def turn(self, column: Column) -> Turn | None:
        """Return the turn that `column` would be in a conversation; None if no word of its reply came."""
        if column.completion is None:
            return None
        turn = Turn(self.prompt, column.completion, self.system, self.parameters, self.cell, self.asked_at)
        return turn.as_kept

    def to_frame(self) -> Any:  # noqa: ANN401  # pandas is imported for whoever has it, and not for its types
        """Return a ``pandas.DataFrame``, a row for each column by name: times in seconds, tokens, cost, the text."""
        pd = pandas()
        rows = [{**c.metrics, "text": None if c.completion is None else c.text} for c in self.columns]
        return pd.DataFrame(rows, index=pd.Index(list(self), name="name"))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form, with media named by their hash. The cell is not kept: ids are reused."""
        return {
            "version": VERSION,
            "prompt": self.prompt.to_dict(),
            "columns": [c.to_dict() for c in self.columns],
            "system": self.system,
            "parameters": self.parameters.to_dict(),
            "conversation": self.conversation,
            "asked_at": self.asked_at,
            "verdict": self.verdict.to_dict() if self.verdict else None,
        }

    @classmethod
    def from_dict(cls, record: Any, media: Mapping[str, bytes]) -> Comparison:  # noqa: ANN401  # any JSON value
        """Undo `to_dict`; `media` maps a hash to its bytes. What cannot be is read as not known.

        Raises
        ------
        ValueError
            It is no record of a comparison.
        KeyError
            `media` lacks the bytes of a picture or a video.
        """
        record = record_of(record, "a comparison")
        columns, verdict = record.get("columns"), record.get("verdict")
        return cls(
            prompt=Message.from_dict(record.get("prompt"), media),
            columns=tuple(map(Column.from_dict, columns if isinstance(columns, list) else ())),
            system=text(record.get("system")),
            parameters=Parameters.from_dict(record.get("parameters")),
            conversation=said(record, "conversation"),
            asked_at=moment(record.get("asked_at")),
            verdict=Verdict.from_dict(verdict) if verdict else None,
        )


def _error_to_dict(error: XcyqError | None) -> dict[str, str] | None:
    return {"type": type(error).__name__, "message": error.message, "hint": error.hint} if error else None


def _error_from_dict(record: object) -> XcyqError | None:
    if not isinstance(record, Mapping):
        return None
    name = record.get("type")
    kind = getattr(errors, name) if name in errors.__all__ else XcyqError
    error: XcyqError = kind(text(record.get("message")) or "", text(record.get("hint")) or "")
    return error
