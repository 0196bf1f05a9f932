"""A model's reply: its deltas while it comes, the completion that they fold into, and the blocks of code in it."""

from __future__ import annotations

import ast
import contextlib
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeAlias

from xcyq_magic.chat.given import count, has_surrogates, record_of, replace_surrogates, said, seconds, text
from xcyq_magic.chat.parts import Image, part_from_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import TypeVar  # a type checker has it; where this runs, it need not be installed

    DataT_co = TypeVar("DataT_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    DataT_co = TypeVar("DataT_co", covariant=True)


_HIGH_SURROGATE = re.compile("[\ud800-\udbff]$")


class Pieces:
    """Text that comes in pieces, kept as pieces of whole characters."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._half = ""

    def add(self, text: str) -> None:
        """Take in more; half a character at its end waits for its other half."""
        if self._half or has_surrogates(text):
            text = self._half + text
            self._half = half[0] if (half := _HIGH_SURROGATE.search(text)) else ""
            text = replace_surrogates(text.removesuffix(self._half))
        if text:
            self.pieces.append(text)

    def join(self) -> str:
        """Return all that came."""
        return "".join(self.pieces) + replace_surrogates(self._half)


Partial: TypeAlias = Literal["stopped", "incomplete"]


@dataclass(frozen=True)
class Usage:
    """Tokens, as the gateway counted them; None where it did not say.

    Attributes
    ----------
    cached_tokens
        Those of the prompt that were in the model's cache.
    reasoning_tokens
        Those of the completion that were reasoning.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None

    def to_dict(self) -> dict[str, int | None]:
        """Return the JSON-ready form, without the details that are not known."""
        details = ("cached_tokens", "reasoning_tokens")
        return {name: value for name, value in asdict(self).items() if value is not None or name not in details}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Usage:
        """Undo `to_dict`; fields that are no counts are left out."""
        return cls(*(count(record.get(f.name)) for f in fields(cls)))

    def plus(self, other: Usage | None) -> Usage:
        """Return the sum of both; a count that only one of them knows is that one's."""
        pairs = zip(astuple(self), astuple(other or Usage()), strict=True)
        return Usage(*(b if a is None else a if b is None else a + b for a, b in pairs))

    def merged(self, later: Usage) -> Usage:
        """Return what is known after a later record, which may hold a part of the counts, or zeros."""
        return Usage(*(new or old for old, new in zip(astuple(self), astuple(later), strict=True)))


class Delta(NamedTuple):
    """What one event of a reply adds.

    Attributes
    ----------
    notes
        Lines for the user on what came besides: a refusal, a call of a tool.
    images
        Pictures.
    """

    text: str = ""
    reasoning: str = ""
    id: str | None = None
    created: int | None = None
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    notes: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()


@dataclass(frozen=True)
class Completion(Generic[DataT_co]):
    """A model's reply, whole or partial.

    Attributes
    ----------
    text
        The answer, in the Markdown that the model wrote; a line such as ``[picture 1]`` stands for a picture in it.
    requested_model, model
        The model that was asked, and the one that says it answered; both empty in a file that names none.
    reasoning
        What the model thought aloud, kept apart from the answer.
    finish_reason
        ``stop``, ``length``, ``content_filter``, ``tool_calls``, or a word of the gateway's; None if it gave none.
    usage
        Tokens; None if the gateway did not count.
    first_token_s, duration_s
        Seconds from the request to the first content, and to the end. The first is None for
        a reply that came in one piece or without content.
    partial
        ``stopped`` (by the user) or ``incomplete`` (the stream broke); None when it is whole.
    id, created
        The gateway's name for it, and when it was made, in Unix seconds.
    cached
        Whether it is from the store: nothing was sent for it, and nothing is paid.
    images
        The pictures that came with it. They are not sent again.
    chain
        The models that were to be asked one after the other, ``A,B``; empty where it was one.
    instead_of
        Why none before `requested_model` in that chain answered: ``A had no channel``; empty where it was the first.
    data
        The reply as a value of the type that was asked for (``--as``, ``as_=``); None without a type, and where the
        reply does not fit it. What a conversation keeps, and a file, is the text alone.
    """

    text: str
    requested_model: str
    model: str
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    first_token_s: float | None = None
    duration_s: float = 0.0
    partial: Partial | None = None
    id: str | None = None
    created: int | None = None
    cached: bool = False
    images: tuple[Image, ...] = ()
    chain: str = ""
    instead_of: str = ""
    data: DataT_co = field(default=None, compare=False)  # type: ignore[assignment]  # without a type, it is None

    @property
    def retold(self) -> str:
        """The text as later requests repeat it: with a line for each picture that the text does not name."""
        lines = [i.placeholder for i in self.images if not any(f"[{i.name}{end}" in self.text for end in "]:")]
        return "\n\n".join([*([self.text] if self.text.strip() or not lines else []), *lines])

    @property
    def code(self) -> str:
        """The contents of the reply's fenced code blocks, in order, with a blank line between."""
        return "\n\n".join(block.code for block in code_blocks(self.text))

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        """Return what a typed answer is taken for, so that ``if reply:`` asks it; True without a type."""
        return self.data is None or bool(self.data)

    if not TYPE_CHECKING:  # checkers are to see what is no attribute

        def __getattr__(self, name: str) -> None:
            """Say where the value of a typed answer is."""
            where = "" if name.startswith("_") or self.data is None else f". The value is in .data: .data.{name}"
            where = where if name != "value" else ". The value is in .data"
            msg = f"a reply has no attribute {name}{where}"
            raise AttributeError(msg, name=name, obj=self)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form, with pictures named by their hash."""
        record = asdict(replace(self, images=(), data=None))  # type: ignore[arg-type]  # as above
        del record["images"], record["data"]
        for name in ("chain", "instead_of"):
            if not record[name]:
                del record[name]
        return record | ({"images": [i.to_dict() for i in self.images]} if self.images else {})

    @classmethod
    def from_dict(cls, record: Any, media: Mapping[str, bytes] | None = None) -> Completion:  # noqa: ANN401  # any JSON value
        """Undo `to_dict`; what cannot be is read as not known. `media` maps the hash of a picture to its bytes.

        Raises
        ------
        ValueError
            It lacks the reply's text, or the model that was asked.
        """
        record = record_of(record, "a reply")
        asked, usage, partial = said(record, "requested_model"), record.get("usage"), record.get("partial")
        model = text(record.get("model"))
        return cls(
            text=said(record, "text"),
            requested_model=asked,
            model=asked if model is None else model,
            reasoning=text(record.get("reasoning")) or "",
            finish_reason=text(record.get("finish_reason")),
            usage=Usage.from_dict(usage) if isinstance(usage, Mapping) else None,
            first_token_s=seconds(record.get("first_token_s")),
            duration_s=seconds(record.get("duration_s")) or 0.0,
            # Half a reply must not look whole, whatever word a newer version has for it.
            partial="stopped" if partial == "stopped" else "incomplete" if partial else None,
            id=text(record.get("id")),
            created=count(record.get("created")),
            cached=record.get("cached") is True,
            images=tuple(_images(record.get("images"), media or {})),
            chain=text(record.get("chain")) or "",
            instead_of=text(record.get("instead_of")) or "",
        )


def _images(records: object, media: Mapping[str, bytes]) -> Iterator[Image]:
    """Yield the pictures of these records whose bytes there are."""
    for record in records if isinstance(records, list | tuple) else ():
        with contextlib.suppress(ValueError, KeyError):
            if isinstance(image := part_from_dict(record, media), Image):
                yield image


class CompletionBuilder:
    """Folds deltas into a completion. How they were cut does not matter."""

    def __init__(self) -> None:
        self._text = Pieces()
        self._reasoning = Pieces()
        self.images: list[Image] = []
        self.id: str | None = None
        self.created: int | None = None
        self.model: str | None = None
        self.finish_reason: str | None = None
        self.usage: Usage | None = None

    def add(self, delta: Delta) -> None:
        """Take in one delta: text grows, of anything else the last word counts."""
        if delta.text:
            self._text.add(delta.text)
        if delta.reasoning:
            self._reasoning.add(delta.reasoning)
        self.images += delta.images
        self.id = delta.id or self.id
        self.created = delta.created or self.created
        self.model = delta.model or self.model
        self.finish_reason = delta.finish_reason or self.finish_reason
        if delta.usage is not None:
            self.usage = self.usage.merged(delta.usage) if self.usage else delta.usage

    @property
    def text_pieces(self) -> list[str]:
        """The text so far, as it came."""
        return self._text.pieces

    @property
    def reasoning_pieces(self) -> list[str]:
        """The reasoning so far, as it came."""
        return self._reasoning.pieces

    @property
    def empty(self) -> bool:
        """Whether neither text nor reasoning nor a picture has come."""
        return not self.text_pieces and not self.reasoning_pieces and not self.images

    @property
    def counted(self) -> Usage | None:
        """The tokens so far; of a text that took none, the gateway did not count them."""
        if self.usage is not None and self.usage.completion_tokens == 0 and self.text_pieces:
            return replace(self.usage, completion_tokens=None)
        return self.usage

    def build(
        self,
        requested_model: str,
        *,
        first_token_s: float | None = None,
        duration_s: float = 0.0,
        partial: Partial | None = None,
    ) -> Completion:
        """Return the completion of what came so far; times in seconds.

        Parameters
        ----------
        requested_model
            The model that was asked.
        first_token_s
            Seconds from the request to the first content; None where nothing was streamed.
        duration_s
            Seconds from the request to the end.
        partial
            Why the reply is not whole; None if it is.
        """
        return Completion(
            text=self._text.join(),
            requested_model=requested_model,
            model=self.model or requested_model,
            reasoning=self._reasoning.join(),
            finish_reason=self.finish_reason,
            usage=self.counted,
            first_token_s=first_token_s,
            duration_s=duration_s,
            partial=partial,
            id=self.id,
            created=self.created,
            images=tuple(self.images),
        )


# https://spec.commonmark.org/0.31.2/#fenced-code-blocks, also on the line of a list item or quotation.
_OPENING = re.compile(r"(?P<before>[ \t]*(?:(?:[-*+>]|\d{1,9}[.)])[ \t]+)*)(?P<fence>`{3,}(?!.*`)|~{3,})(?P<info>.*)")
_CLOSING = re.compile(r"(?P<before>[ \t>]*)(?P<fence>`{3,}|~{3,})[ \t]*")
_PYTHON = {"python", "python3", "py", "py3", "ipython", "ipython3", "{python}"}
_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)]) {1,4}(?=\S)")  # of a list item
_MOST_INDENT = 3  # of a fence in its list item, and of a closing one beyond its opening one


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block: its language (``""`` if it names none) and what it holds."""

    language: str
    code: str

    @property
    def is_python(self) -> bool:
        """Whether it is Python: by its language, or by its looks if it names none."""
        return self.language.lower() in _PYTHON or (not self.language and _looks_like_python(self.code))


def code_blocks(markdown: str) -> Iterator[CodeBlock]:
    """Yield the fenced blocks of a text, in order; one that is never closed is not among them."""
    opening: re.Match[str] | None = None
    lines: list[str] = []
    items: list[int] = []  # the columns at which the content of the list items around begins
    for ended in markdown.split("\n"):  # not splitlines, which splits at U+2028 and form feeds inside code
        line = ended.removesuffix("\r")
        if opening is None:
            items = _items(line, items)
            opening, lines = _OPENING.fullmatch(line), []
            if opening and ">" not in opening["before"]:  # further to the right, it is text of an indented block
                column = len(opening["before"].expandtabs(4))
                opening = opening if column <= max(items, default=0) + _MOST_INDENT else None
        elif _closes(line, opening):
            language = opening["info"].split()[:1]
            yield CodeBlock("".join(language), "\n".join(lines))
            opening = None
        else:
            lines.append(_without_indent(line, len(opening["before"])))


def _items(line: str, items: list[int]) -> list[int]:
    """Return the columns of `items` that still hold at a line, and those of the list items that begin on it."""
    text = line.expandtabs(4)
    at = len(text) - len(text.lstrip())
    if at == len(text):
        return items
    items = [column for column in items if column <= at]
    while at <= max(items, default=0) + _MOST_INDENT and (marker := _MARKER.match(text, at)):
        at = marker.end()
        items.append(at)
    return items


def _closes(line: str, opening: re.Match[str]) -> bool:
    closing = _CLOSING.fullmatch(line)
    return (
        closing is not None
        and closing["fence"].startswith(opening["fence"])
        and len(closing["before"]) <= len(opening["before"]) + _MOST_INDENT
    )


def _without_indent(line: str, indent: int) -> str:
    """Return the line without the indentation of its fence, as far as it has it."""
    lead = line[:indent]
    return lead.lstrip(" \t>") + line[indent:]


def _looks_like_python(code: str) -> bool:
    """Return whether it is Python that does something: a lone word, a number or a path is Python as well."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model's code may hold an invalid escape, or what is deprecated
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # none; a null byte; nested too deep
        return False
    return any(_does_something(statement) for statement in tree.body)


def _does_something(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call | ast.Await | ast.Yield)
    return not isinstance(statement, ast.AnnAssign) or statement.value is not None  # `name: text` alone is no code
