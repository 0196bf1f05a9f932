"""The sandbox's answer to a request with a JSON schema: a value that fits it, made of the prompt's words.

It says nothing about the prompt. The same prompt has the same answer of the same model, and another one has another.
"""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcyq_magic.gateway.sandbox.directives import Plan

Schema: TypeAlias = dict[str, Any]

_TOLD = re.compile(r"JSON schema below.*?(?=\{)", re.DOTALL)  # how the client tells a schema in its system prompt
_AGAIN = re.compile(r"The reply (?:does not fit|was cut off)")  # how it asks again
_DEEP = 4  # levels, from which on no list has more items than it must, and no choice is wider than it must be
_DEEPEST = 20
_MOST_WORDS = 6
_FORMATS = {
    "date-time": "2026-11-27T09:30:00Z",
    "date": "2026-11-27",
    "time": "09:30:00Z",
    "duration": "PT90S",
    "email": "sandbox@example.org",
    "uri": "https://example.org/",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def is_asked_again(messages: list[dict[str, Any]], last: str) -> bool:
    """Return whether the last message, whose text is `last`, says that the reply before it does not fit its type."""
    return len(messages) > 2 and messages[-2]["role"] == "assistant" and _AGAIN.match(last) is not None  # noqa: PLR2004  # a prompt, its reply, and that


def wrong_format(form: object) -> str:
    """Return what is wrong with a request's ``response_format``, in OpenAI's words; ``""`` if nothing is."""
    if not isinstance(form, dict) or form.get("type") not in {"text", "json_object", "json_schema"}:
        return "Invalid value: 'response_format.type': supported values are 'text', 'json_object' and 'json_schema'."
    if form["type"] != "json_schema":
        return ""
    described = form.get("json_schema")
    if not isinstance(described, dict) or not re.fullmatch(r"[\w-]{1,64}", str(described.get("name")), re.ASCII):
        return "Missing required parameter: 'response_format.json_schema.name'."
    schema = described.get("schema")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return f"Invalid schema for response_format '{described['name']}': schema must be of type 'object'."
    if described.get("strict") and (loose := next(filter(_is_loose, _within(schema)), None)) is not None:
        of = f"In context={tuple(loose.get('properties', ()))}"
        rule = "every object needs 'additionalProperties': false, and all of its fields in 'required'"
        return f"Invalid schema for response_format '{described['name']}': {of}, {rule}."
    return ""


def _within(schema: Any) -> list[Schema]:  # noqa: ANN401  # any JSON
    found, level = [], [schema]
    while level:
        found += [s for s in level if isinstance(s, dict)]
        level = [v for s in level for v in (s.values() if isinstance(s, dict) else s if isinstance(s, list) else ())]
    return found


def _is_loose(schema: Schema) -> bool:
    if schema.get("type") != "object":
        return False
    closed = schema.get("additionalProperties") is False
    return not closed or schema.get("required") != list(schema.get("properties", {}))


def typed_answer(plan: Plan, body: dict[str, Any], prompt: str, system: str, *, again: bool) -> str | None:
    """Return JSON that fits the schema of a request, as the plan has it written; None where it holds no schema.

    Parameters
    ----------
    plan
        How to answer.
    body
        The request.
    prompt
        What was said besides directives.
    system
        The system prompt, which may hold the schema.
    again
        Whether it is asked again, since the reply before did not fit.
    """
    schema = _schema_of(body, system)
    if schema is None:
        return None
    seed = f"{body['model']} {json.dumps(body['messages'][-1])}"  # its pictures, too
    value = _Maker(schema, seed, prompt).value(schema)
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if plan.json == "always broken" or (plan.json == "broken" and not again):
        return text.replace(":", "", 1) if ":" in text else text[:-1]
    return _WRITTEN[plan.json if plan.json in _WRITTEN else ""](text)


_WRITTEN: dict[str, Callable[[str], str]] = {
    "": lambda text: text,
    "fenced": lambda text: f"```json\n{text}\n```",
    "prose": lambda text: (
        f"The sandbox was asked for a value [of a type], and this is one:\n\n{text}\n\nIt is no model."
    ),
}
JSON_WORDS = ("broken", "always broken", "fenced", "prose")


def _schema_of(body: dict[str, Any], system: str) -> Schema | None:
    form = body.get("response_format")
    if isinstance(form, dict) and form.get("type") == "json_schema":
        schema: Schema = form["json_schema"]["schema"]
        return schema
    if found := _TOLD.search(system):
        try:
            told = json.JSONDecoder().raw_decode(system, found.end())[0]
        except (ValueError, RecursionError):
            return None
        return told if isinstance(told, dict) else None
    return None


class _Maker:
    """Makes a value that fits a schema.

    Parameters
    ----------
    root
        The schema, with the definitions that it refers to.
    seed
        What chooses among the values that fit.
    prompt
        Where texts have their words from.
    """

    def __init__(self, root: Schema, seed: str, prompt: str) -> None:
        self._definitions = root.get("$defs", {})
        self._random = random.Random(seed)  # noqa: S311  # no secret
        self._words = re.findall(r"[\w'-]+", prompt) or ["sandbox"]

    def value(self, schema: Schema, depth: int = 0) -> Any:  # noqa: ANN401  # any JSON
        """Return a value that fits `schema`."""
        schema = self._resolved(schema, depth)
        if depth > _DEEPEST:  # a type that can only be endless
            return None
        if "const" in schema or "enum" in schema:
            return self._random.choice(schema.get("enum") or [schema["const"]])
        kind = schema.get("type", "object" if "properties" in schema else "string")
        make = self._makers[self._random.choice(kind) if isinstance(kind, list) else kind]
        return make(self, schema, depth)

    def _resolved(self, schema: Schema, depth: int) -> Schema:
        """Return what a schema refers to, or one of those that it gives a choice of."""
        for _ in range(_DEEPEST):
            options = schema.get("anyOf") or schema.get("oneOf")
            if "$ref" in schema:
                schema = self._definitions[schema["$ref"].rpartition("/")[2]]
            elif "allOf" in schema:
                schema = {name: value for part in schema["allOf"] for name, value in part.items()}
            elif options:
                schema = self._one_of(options, depth)
        return schema

    def _one_of(self, schemas: list[Schema], depth: int) -> Schema:
        plain = [s for s in schemas if s.get("type") not in {None, "object", "array"}]
        return self._random.choice(plain if depth > _DEEP and plain else schemas)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        fields = schema.get("properties", {})
        if not fields and isinstance(schema.get("additionalProperties"), dict):
            fields = dict.fromkeys(sorted({*self._words[:2]}), schema["additionalProperties"])
        return {name: self.value(inner, depth + 1) for name, inner in fields.items()}

    def _array(self, schema: Schema, depth: int) -> list[Any]:
        first = [self.value(inner, depth + 1) for inner in schema.get("prefixItems", ())]
        least = max(schema.get("minItems", 0), len(first))
        wanted = least if depth > _DEEP or "prefixItems" in schema else max(least, self._random.randint(1, 3))
        items = schema.get("items", {})
        more = [self.value(items, depth + 1) for _ in range(min(wanted, schema.get("maxItems", wanted)) - len(first))]
        found = first + more
        if schema.get("uniqueItems"):
            found = [v for n, v in enumerate(found) if v not in found[:n]]
        return found

    def _string(self, schema: Schema, _: int) -> str:
        if (form := schema.get("format")) in _FORMATS:
            return _FORMATS[form]
        start = self._random.randrange(len(self._words))
        text = " ".join(self._words[start : start + self._random.randint(1, _MOST_WORDS)])
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        return text.ljust(least, "x")[:most]

    def _number(self, schema: Schema, _: int) -> float:
        low, high = self._bounds(schema, 0.01)
        return round(self._random.uniform(low, high), 2) if high - low > 1 else low

    def _integer(self, schema: Schema, _: int) -> int:
        step = int(schema.get("multipleOf", 1))
        low, high = self._bounds(schema, 1)
        first, last = -(-int(low) // step), int(high) // step
        return self._random.randint(first, max(first, last)) * step

    @staticmethod
    def _bounds(schema: Schema, least_step: float) -> tuple[float, float]:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        low = low if low is not None else min(0, high - 10) if high is not None else 0
        high = high if high is not None else low + 10
        return low + least_step * ("exclusiveMinimum" in schema), high - least_step * ("exclusiveMaximum" in schema)

    def _boolean(self, _: Schema, __: int) -> bool:
        return self._random.random() < 1 / 2

    _makers: dict[str, Callable[[_Maker, Schema, int], Any]] = {  # noqa: RUF012  # nobody writes to it
        "object": _object,
        "array": _array,
        "string": _string,
        "number": _number,
        "integer": _integer,
        "boolean": _boolean,
        "null": lambda *_: None,
    }
