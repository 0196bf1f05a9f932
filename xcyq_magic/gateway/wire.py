"""From the JSON of an OpenAI-compatible endpoint, and what is none, to our values. No I/O."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.completion import Delta, Usage
from xcyq_magic.chat.given import count
from xcyq_magic.errors import (
    AnswerError,
    GatewayError,
)
from xcyq_magic.gateway.catalog import is_name
from xcyq_magic.gateway.choices import Choices, Thoughts, text_of
from xcyq_magic.gateway.events import is_done, records_of
from xcyq_magic.gateway.failures import failure_of, is_failed, is_failure, is_harmless, shown
from xcyq_magic.gateway.pictures import Pictures
from xcyq_magic.gateway.refusals import hint_for, no_completion, stream_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcyq_magic.gateway.choices import Told
    from xcyq_magic.gateway.events import Event

_MOST_NAMES = 4
_MOST_MODELS = 5_000
_TOOLS = "The model asked for {}, and no tool is run here: leave the tools out of the request, or answer in its place."
_OTHERS = "\n\n---\n\n**Answer {}**\n\n"
NO_REASON = "The gateway did not say why the reply ended."


class AnswerDecoder:
    """Reads one answer, streamed or whole.

    Parameters
    ----------
    hide
        Takes the key out of a text. It is asked before words are cut to length: half a key would show otherwise.

    Attributes
    ----------
    said
        Whether any text, reasoning or picture came.
    done
        Whether the stream said that it has ended.
    finished
        Whether a finish reason came: the reply is whole, whatever becomes of the rest.
    unknown
        A record that nobody understood, in words; ``""`` while there is none.
    """

    def __init__(self, hide: Callable[[str], str] = str) -> None:
        self._hide = hide
        self._choices = Choices()
        self._thoughts = Thoughts()
        self._pictures = Pictures(hide)
        self._noted: set[str] = set()
        self._names: dict[str, str] = {}  # as they came, and as they are shown: they are repeated in each chunk
        self.said = False
        self.done = False
        self.finished = False
        self.unknown = ""

    def event(self, event: Event) -> Iterator[Delta]:
        """Yield what an event of a stream adds to the reply.

        Raises
        ------
        GatewayError
            The event is an error, or no JSON, and no finish reason came before it.
        """
        records, rest = records_of(event.data)
        try:
            for record in records:
                if isinstance(record, str) and is_done(record):
                    self.done = True
                    return
                yield from self._record(record, error=event.type == "error")
            if rest and event.type == "error":
                raise stream_error(self._hide(rest))
            if rest:
                msg = f"The gateway's stream is not valid JSON: {shown(self._hide(rest))}"
                raise AnswerError(msg, "Run the cell again. If it happens again, check GatewaySettings.base_url.")
        except GatewayError:
            if not self.finished:
                raise

    def _record(self, record: object, *, error: bool = False) -> Iterator[Delta]:
        record = unwrapped(record)
        if error or is_failed(record):
            # An error may come with the last words of the reply.
            if isinstance(record, dict) and record.get("choices") and (last := self._delta(record)).text:
                yield last._replace(finish_reason=None)
            raise stream_error(self._clean(record))
        # A part of an answer: choices, what an envelope held, or usage alone.
        if isinstance(record, dict) and (_is_answer(record) or usage_of(record) is not None):
            delta = self._delta(record)
            yield delta
            self.finished = self.finished or delta.finish_reason is not None
        elif not is_harmless(record):
            self.unknown = self.unknown or failure_of(self._clean(record)).words

    def whole(self, body: bytes) -> Delta:
        """Return what a whole answer says.

        Raises
        ------
        AnswerError
            The body is an error, or something else that is no chat completion.
        """
        text = body.decode("utf-8-sig", "replace")
        records, rest = records_of(text)
        record = unwrapped(records[0]) if len(records) == 1 and not rest else None
        if record is not None and is_failure(record):
            words = failure_of(self._clean(record)).words
            msg = f"The gateway answered with an error: {words or 'it did not say why'}"
            raise AnswerError(msg, hint_for(words, "Run the cell again, or try another model with -m."))
        if not isinstance(record, dict) or not _is_answer(record):
            raise no_completion(self._hide(text).encode())
        return self._delta(record)

    def flush(self) -> Delta:
        """Return what was held back, and what is to be said of the answer at its end."""
        last = self._delta({"choices": []}, last=True)
        text, reasoning = self._thoughts.flush()
        for index, pieces in self._choices.others.items():
            if other := "".join(pieces).strip():
                number = index + 1 if isinstance(index, int) else index
                text += f"{_OTHERS.format(number)}{other}"
        text, images = self._pictures(text, [], last=True)
        images = [*last.images, *images]
        return last._replace(text=last.text + text, reasoning=last.reasoning + reasoning, images=tuple(images))

    def _delta(self, record: dict[str, Any], *, last: bool = False) -> Delta:
        """Return one chunk of a stream, or a whole answer: they differ only in ``delta`` and ``message``."""
        choices = record.get("choices")
        each = [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
        told = self._choices.read(each, last=last)
        if not told.text and isinstance(choices, list | None) and not choices:
            told.text = text_of(record.get("content"))  # what an envelope held
        text, thought = self._thoughts(told.text)
        text, images = self._pictures(text, told.pictures)
        self.said = self.said or bool(text or told.reasoning or thought or images)
        notes = tuple(self._notes(told)) if told.calls or told.pictures or told.refused else ()
        return Delta(  # by position, which is quicker: there is one for each word of a reply
            text,
            told.reasoning + thought,
            self._name(record.get("id")),
            count(record.get("created")),
            self._name(record.get("model")),
            told.end and self._name(told.end),
            usage_of(record),
            notes,
            tuple(images),
        )

    def _name(self, value: object) -> str | None:
        """Return a name or a word, in whole characters, without the key and no longer than a line."""
        if not isinstance(value, str) or not value:
            return None
        if value not in self._names:
            self._names = {value: shown(self._hide(value)), **dict(list(self._names.items())[:_MOST_NAMES])}
        return self._names[value]

    def _clean(self, record: object) -> object:
        """Return a record without the key."""
        try:
            return json.loads(self._hide(json.dumps(record, ensure_ascii=False)))
        except (ValueError, RecursionError):
            return self._hide(str(record))

    def _notes(self, told: Told) -> Iterator[str]:
        """Yield what is to be said of a part of a reply, each line once."""
        tools = ", ".join(filter(None, map(self._name, told.calls)))
        notes = [_TOOLS.format(f"the tool {tools}")] if tools else []
        if self._pictures.unreadable:
            notes.append("A picture came with the reply that cannot be read, or more of them than are kept.")
        if told.refused:
            notes.append("The model refused: the reply is its refusal.")
        for note in notes:
            if note not in self._noted:
                self._noted.add(note)
                yield note


def _is_answer(record: dict[str, Any]) -> bool:
    """Return whether a record is a whole answer."""
    return isinstance(record.get("choices"), list) or isinstance(record.get("content"), str | list)


def is_chunk(line: bytes) -> bool:
    """Return whether a line is a chunk of a stream by itself, as in a body of one record a line."""
    records, rest = records_of(line.decode("utf-8", "replace"))
    record = records[0] if len(records) == 1 and not rest else None
    if not isinstance(record, dict) or not isinstance(choices := record.get("choices"), list):
        return False
    return str(record.get("object")).endswith("chunk") or any("delta" in c for c in choices if isinstance(c, dict))


def usage_of(record: dict[str, Any]) -> Usage | None:
    """Return what a record counts, under the names of any vendor; None where it counts nothing.

    A prompt of no tokens cannot be: such a count is not known.
    """
    found = record.get("usage") or record.get("usageMetadata") or record.get("x_groq")
    if not found:
        return None
    if isinstance(found, dict) and isinstance(found.get("usage"), dict):
        found = found["usage"]
    if not isinstance(found, dict):
        return None

    def first(*names: str, of: object = found) -> int | None:
        known = (count(of.get(name)) for name in names) if isinstance(of, dict) else ()
        return next((n for n in known if n is not None), None)

    cached = first("cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")
    reasoning = first("reasoning_tokens", "thoughtsTokenCount")
    for kind in ("prompt_tokens_details", "input_tokens_details"):
        cached = cached or first("cached_tokens", of=found.get(kind))
    for kind in ("completion_tokens_details", "output_tokens_details"):
        reasoning = reasoning or first("reasoning_tokens", of=found.get(kind))
    usage = Usage(
        first("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_token_count") or None,
        first("completion_tokens", "output_tokens", "candidatesTokenCount", "generated_tokens"),
        first("total_tokens", "totalTokenCount") or None,
        cached or None,
        reasoning or None,
    )
    return usage if usage != Usage() else None


def unwrapped(record: object) -> object:
    """Return the answer in an envelope of the kind ``{"code": "200", "msg": "ok", "data": {…}}``; else the record."""
    if not isinstance(record, dict) or "choices" in record or not {"code", "success", "msg", "status"} & record.keys():
        return record
    inner = record.get("data")
    if isinstance(inner, str) and inner.lstrip().startswith("{"):
        inner = next(iter(records_of(inner)[0]), None)
    if not isinstance(inner, dict) or is_failure({k: v for k, v in record.items() if k != "data"} | {"msg": "?"}):
        return record
    return inner


def models_of(body: bytes, hide: Callable[[str], str]) -> tuple[str, ...]:
    """Return the names in a server's list of its models, in its order: OpenAI's ``data``, or a list in another place.

    Parameters
    ----------
    body
        The JSON, as it came.
    hide
        Takes the key out of a text.

    Raises
    ------
    AnswerError
        It is no list.
    """
    text = body.decode("utf-8-sig", "replace")
    record = next(iter(records_of(text)[0]), None)
    if isinstance(record, dict):
        record = next((v for n in ("data", "models", "result") if isinstance(v := record.get(n), list)), record)
    if not isinstance(record, list):
        raise no_completion(hide(text).encode(), what="no list of models")
    each = (
        m if isinstance(m, str) else next((m[n] for n in ("id", "model", "name") if isinstance(m.get(n), str)), "")
        for m in record
        if isinstance(m, str | dict)
    )
    names = dict.fromkeys(hide(name.strip()) for name in each)
    return tuple(islice((n for n in names if is_name(n)), _MOST_MODELS))
