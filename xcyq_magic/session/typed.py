"""Answers with a shape: the schema of a Python type, what a model is told of it, and its reply as a value of the type.

The only module that imports pydantic, which is an extra.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from xcyq_magic.chat.json_values import JsonText, JsonValues, plain_answers, whole_value
from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import InputError, OptionError, TypeMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import TypeAdapter, ValidationError

    from xcyq_magic.gateway.request import ChatRequest

T = TypeVar("T")

_VALUE = "value"  # the field that holds what is no object: the root of a schema has to be one
_TAKES = "A type is a pydantic model, a dataclass, a TypedDict, an Enum, int, bool, list[str], Literal['a', 'b'] …"
_TOLD = """\
Answer with one JSON value that fits the JSON schema below, and with nothing else: no prose, no code fence.
{schema}"""
_AGAIN = "{why} Answer once more, with nothing but JSON that fits the schema."
_NOTHING = "(nothing)"  # for a reply without text: gateways refuse a message without
_MOST_REPEATED = 20_000  # characters of a reply that is sent back
_MOST_NAMED = 60  # characters of a type's name
_MOST_SHOWN = 40  # characters of a value that does not fit
_MOST_WRONG = 3  # things that are said of one reply
_MOST_LISTED = 1_000  # errors that pydantic is asked to list: each of them takes about a kilobyte
_PATH = re.compile(r"\b(?:[^\W\d]\w*\.)+(?=[^\W\d])")  # before a name: typing., __main__.
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_MOST_IN_A_NAME = 64

# What a schema may hold where `strict` is set, and what of that are schemas by name, one schema, or several.
# https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
_STRICT = {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs"}
_STRICT |= {"description", "pattern", "format", "multipleOf", "minimum", "maximum", "exclusiveMinimum"}
_STRICT |= {"exclusiveMaximum", "minItems", "maxItems"}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_SAYS = {"type", "enum", "const", "anyOf"}  # one of them has to say which values there are
_LEFT_OUT = {"title", "default", "examples"}  # words about a value that bind nobody


class AnswerType(Generic[T]):
    """A Python type that a reply is to have, after ``--as`` or as ``as_=``.

    Parameters
    ----------
    python_type
        Whatever ``pydantic.TypeAdapter`` takes, but a function.

    Attributes
    ----------
    name
        What it is called in messages.
    schema
        Its JSON schema, an object: what is none stands in its one field, ``value``.

    Raises
    ------
    OptionError
        It is no type, or one that no JSON stands for.
    InputError
        pydantic is not installed.
    """

    def __init__(self, python_type: Any) -> None:  # noqa: ANN401  # a type, or what typing makes of several
        self.name = name_of_type(python_type)
        self._adapter, schema = _adapter_of(python_type, self.name)
        self._is_wrapped = not _is_object(schema)
        self.schema = _wrapped(schema) if self._is_wrapped else schema

    def __repr__(self) -> str:
        return f"<AnswerType {self.name}>"

    def response_format(self) -> dict[str, Any]:
        """Return the field ``response_format`` of a request; strict where the schema is one that can be."""
        name = _NOT_IN_A_NAME.sub("_", self.name).strip("_")[:_MOST_IN_A_NAME] or "answer"
        try:
            described: dict[str, Any] = {"name": name, "schema": _strict(self.schema), "strict": True}
        except _NotStrictError:
            described = {"name": name, "schema": self.schema}
        return {"type": "json_schema", "json_schema": described}

    def instructions(self) -> str:
        """Return what the system prompt says of it: many gateways drop the field ``response_format``."""
        return _TOLD.format(schema=json.dumps(self.schema, ensure_ascii=False, separators=(",", ":")))

    def parse(self, text: str, *, truncated: bool = False) -> T:
        """Return the first value in a reply that fits the type.

        What is no object may also be the whole reply, or a whole fence in it: ``good``, ``42``.

        Parameters
        ----------
        text
            The reply.
        truncated
            Whether it was cut off at its end, by the limit of tokens say.

        Raises
        ------
        TypeMismatchError
            There is none. The message says what does not fit, in the words of pydantic.
        """
        found, tries = JsonValues(text), _Tries()
        for candidate in found:
            if tries.fits(partial(self._fitted, candidate), len(candidate.source)):
                return cast("T", tries.value)
        cut = truncated or found.cut
        for said in plain_answers(text) if self._is_wrapped and not cut else ():
            if tries.fits(partial(self._plain, said), 0):
                return cast("T", tries.value)
        if cut:
            msg = f"The reply was cut off before its JSON was complete, so it does not fit {self.name}."
            raise TypeMismatchError(msg, "Raise --max-tokens; _reply.text has what came.")
        why = _words(tries.error) if tries.error is not None else "there is no JSON in it"
        if found.broken:
            why = f"its JSON is broken ({found.broken})"
        msg = f"The reply does not fit {self.name}: {why}."
        final = tries.error is not None and not isinstance(tries.error, ValueError | AssertionError)
        raise TypeMismatchError(
            msg, "Run the cell again, or ask another model; _reply.text has the reply.", final=final
        )

    def _fitted(self, found: JsonText) -> Any:  # noqa: ANN401  # of the type
        if self._is_wrapped and isinstance(found.value, dict) and found.value.keys() == {_VALUE}:
            return self._adapter.validate_json(json.dumps(found.value[_VALUE]))
        return self._adapter.validate_json(found.source)

    def _plain(self, text: str) -> Any:  # noqa: ANN401  # of the type
        """Return the value that a whole text is: as JSON, or as the text itself."""
        found, as_text = whole_value(text), JsonText(text, json.dumps(text))
        try:
            value = self._fitted(found or as_text)
        except ValueError:
            if found is None:
                raise
            value = self._fitted(as_text)  # 5, where the type is Literal["5"]
        if isinstance(value, float) and not math.isfinite(value):
            msg = f"{text} is no finite number"
            raise ValueError(msg)
        return value


def ask_again(request: ChatRequest, reply: str, error: TypeMismatchError) -> ChatRequest:
    """Return the request that repeats `request` with a reply that does not fit, and says why it does not.

    Parameters
    ----------
    request
        As it was sent.
    reply
        The text of the reply.
    error
        What `AnswerType.parse` raised.
    """
    half = _MOST_REPEATED // 2
    repeated = reply if len(reply) <= _MOST_REPEATED else f"{reply[:half]}\n…\n{reply[-half:]}"
    more = (
        Message.of("assistant", repeated if reply.strip() else _NOTHING),
        Message.of("user", _AGAIN.format(why=error.message)),
    )
    return replace(request, messages=(*request.messages, *more))


# The type and its schema


def _adapter_of(python_type: Any, name: str) -> tuple[TypeAdapter[Any], dict[str, Any]]:  # noqa: ANN401  # as above
    try:
        import pydantic  # noqa: PLC0415  # an extra, and slow to import
    except ModuleNotFoundError as e:
        msg = f"A typed answer needs {e.name}, which is not installed here; nothing was sent."
        raise InputError(msg, 'Type %pip install "xcyq_magic[typed]", then run this cell again.') from None
    # pydantic takes these for something else: a name, a call, and before 2.11 the class of a model.
    is_model = hasattr(type(python_type), "__pydantic_core_schema__")
    if isinstance(python_type, str) or inspect.isroutine(python_type) or is_model:
        raise _no_type(name)
    try:
        from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415  # as above

        class _WithoutTitles(GenerateJsonSchema):
            """A field's title repeats its name, and each request would pay for it."""

            def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002  # pydantic's
                return False

        adapter: TypeAdapter[Any] = pydantic.TypeAdapter(python_type)
        return adapter, adapter.json_schema(schema_generator=_WithoutTitles)
    except Exception as e:  # noqa: BLE001  # of pydantic, or of what the type itself does when it is looked at
        raise _no_type(name, e) from None


def _no_type(name: str, error: Exception | None = None) -> OptionError:
    words = _first_line(error) if error is not None else ""
    said = f" ({words})" if words and not words.startswith("Unable to generate pydantic-core schema") else ""
    return OptionError(f"{name} cannot be the type of an answer{said}; nothing was sent.", _TAKES)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")


def name_of_type(python_type: object) -> str:
    """Return a type's name as it is typed, without modules."""
    plain = isinstance(python_type, type) and not getattr(python_type, "__args__", None)
    try:
        name = python_type.__name__ if plain else _PATH.sub("", repr(python_type))  # type: ignore[attr-defined]  # a type has it
    except Exception:  # noqa: BLE001  # of the user's own __repr__
        name = type(python_type).__name__
    return name if len(name) <= _MOST_NAMED else name[: _MOST_NAMED - 1] + "…"


def _is_object(schema: dict[str, Any]) -> bool:
    """Return whether the root of a schema is an object; a type that refers to itself is one behind a reference."""
    if "$ref" in schema:
        target = schema.get("$defs", {}).get(schema["$ref"].removeprefix("#/$defs/"), {})
        if target.get("type") != "object":
            return False
        schema.pop("$ref")
        schema |= {name: value for name, value in target.items() if name not in schema}
    return schema.get("type") == "object"


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
    return {"type": "object", "properties": {_VALUE: schema}, "required": [_VALUE], **definitions}


class _NotStrictError(Exception):
    """A schema holds what `strict` does not take."""


def _strict(schema: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    """Return a schema as `strict` wants it: each object closed, with all of its fields required."""
    if not isinstance(schema, dict):
        raise _NotStrictError
    held: dict[str, Any] = {name: value for name, value in schema.items() if name not in _LEFT_OUT}
    if "$ref" in held:  # beside it, nothing may stand
        return {"$ref": held["$ref"]}
    if not held.keys() <= _STRICT or held.get("format", "date") not in _FORMATS or not held.keys() & _SAYS:
        raise _NotStrictError
    for kind, inner in (("object", "properties"), ("array", "items")):
        if held.get("type") == kind and inner not in held:
            raise _NotStrictError
    if "properties" in held:
        if held.get("additionalProperties", False) is not False:
            raise _NotStrictError
        held |= {"additionalProperties": False, "required": list(held["properties"])}
    return held | {name: _INNER[name](value) for name, value in held.items() if name in _INNER}


def _each_strict(schemas: dict[str, Any]) -> dict[str, Any]:
    return {name: _strict(inner) for name, inner in schemas.items()}


_INNER: dict[str, Callable[[Any], Any]] = {
    "properties": _each_strict,
    "$defs": _each_strict,
    "items": _strict,
    "anyOf": lambda schemas: list(map(_strict, schemas)),
}


# What does not fit


class _Tries:
    """Tries to read values, and remembers why the longest of those that do not fit does not.

    Attributes
    ----------
    value
        The one that fitted.
    error
        Of pydantic, or whatever a validator of the user's raised; None before the first.
    """

    def __init__(self) -> None:
        self.value: Any = None
        self.error: Exception | None = None
        self._length = -1

    def fits(self, read: Callable[[], Any], length: int) -> bool:
        """Return whether `read` gives a value; `length` is how many characters it is read from."""
        try:
            self.value = read()
        except Exception as e:  # noqa: BLE001  # whatever a validator raises
            if length > self._length:
                self._length, self.error = length, e
            return False
        return True


def _words(error: Exception) -> str:
    """Return what is wrong, in a line."""
    listed = getattr(error, "errors", None)
    if not callable(listed) or not hasattr(error, "error_count"):
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        return kind + _first_line(error)
    return "; ".join(_each(error))  # type: ignore[arg-type]  # pydantic's, which is not imported for its class


def _each(error: ValidationError) -> Iterator[str]:
    count = error.error_count()
    if count > _MOST_LISTED:
        yield f"{count:,} parts of it are wrong"
        return
    for each in error.errors(include_url=False)[:_MOST_WRONG]:
        where = ".".join(map(str, each["loc"]))
        value = each["input"]
        shown = "" if isinstance(value, dict | list) or each["type"] == "missing" else f", not {_shown(value)}"
        yield f"{where}: {each['msg']}{shown}" if where else f"{each['msg']}{shown}"
    if count > _MOST_WRONG:
        yield f"and {count - _MOST_WRONG} more"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
