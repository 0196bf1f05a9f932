"""Parameters that a model does not take: renamed or left out after the 400 that says so.

Families differ (GPT-5 wants ``max_completion_tokens`` and no ``stop``, Claude takes temperature or
``top_p``, not both), pools differ, and both change. So what the gateway says is the rule: a parameter
is left out only where the words say that the model never takes it, or that two exclude each other.
The repaired request is paid for, so nothing is guessed: a value out of range, an invalid schema, or
words about another field are the user's to change. What a model never takes is remembered once the
repaired request has been answered, so that the next one does not pay the detour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcyq_magic.errors import GatewayError

_REFUSALS = {400, 422}
_NOT_PARAMETERS = {"model", "messages", "stream"}
_SILENT = "stream_options"  # ours, unless the user set another value: it is left out whatever is wrong with it
_OURS = {"include_usage": True}
FORMAT = "response_format"  # ours, where it is made from a type; the prompt says the same
# Words of a 400 that are about it. What it becomes behind a gateway has other names.
_ABOUT_THE_FORMAT = (
    r"response[ _]?(?:format|schema|json_?schema|mime_?type)|json[ _]?schema|structured[ _]outputs?"
    r"|output[ _]?(?:format|schema|config)|additional_?properties|\bschemas?\b|\$(?:defs|ref)\b|\bguided[ _]"
)
_BOUNDS = {"max_tokens", "max_completion_tokens", "max_output_tokens"}  # of what a reply costs: never left out
_NO_NEW_NAMES = _NOT_PARAMETERS | {"temperature", "top_p", "stop"}  # the value of another field means another thing
# Words of any sentence, too: without quotation marks they name no field.
_PLAIN_WORDS = {"user", "n", "store", "metadata", "audio", "prediction", "tools", "functions", "service", "provider"}
_PLAIN_WORDS |= {"input", "prompt", "format", "plugins", "models", "route", "reasoning", "text", "include"}
_NEVER_CODES = {"unsupported_parameter", "unknown_parameter"}

_SENTENCE = re.compile(r"(?<=[.;!?])\s+")
_CONDITION = re.compile(r"\b(?:when|whenever|if|while|unless|until|because|except)\b", re.IGNORECASE)
_ABOUT_A_VALUE = re.compile(
    r"\b(?:must be (?!omitted|removed|unset|left)|should be|invalid values?|values? (?:over|above|below|under)"
    r"|between|range|at most|at least|maximum|minimum|greater|less"
    r"|exceeds?|(?:supported|valid|allowed) values)\b|[<>\u2264\u2265]",
    re.IGNORECASE,
)
_EXCLUSION = re.compile(
    r"(?:\bnot|n't|cannot)\b.{0,60}\b(?:both|together|simultaneously|at the same time|in combination)\b"
    r"|\bboth\b.{0,80}\b(?:cannot|can't|not (?:supported|allowed|permitted))\b"
    r"|\bmutually exclusive\b|\b(?:only|exactly) one of (?:these|them|those|the two)\b"
    r"|\bonly one of [`'\"]?\w+[`'\"]? (?:and|or)\b",
    re.IGNORECASE,
)
_INSTEAD = re.compile(
    r"(?:\buse (?:the )?(?P<quote>['`\"]?)(?P<name>[a-z]\w*)(?P=quote)(?: parameter| field)? instead\b)"
    r"|\b(?:in favou?r of|(?:replaced|renamed) (?:by|with|to)|instead,? use) (?P<q>['`\"]?)(?P<other>[a-z]\w*)(?P=q)",
    re.IGNORECASE,
)
_ONLY_DEFAULT = re.compile(r"\bonly (?:the default\b|\w+ ?= ?\S+ is supported)", re.IGNORECASE)
_QUOTED = re.compile(r"['`\"][A-Za-z_]\w*['`\"]")

# Words by which a gateway says that the model never takes a parameter. What may follow is bounded, because further
# words turn it into one about a value: "'response_format' of type 'json_schema' is not supported with this model".
_FIELD = r"(?:parameter|argument|field|option|input|property|key|name)"
_WHERE = (
    r"(?:\s+here|\s+(?:with|for|by|in|on)\s+(?:(?:this|the|that|your|requested|selected)\s+)*"
    r"(?:[\w'`\"./:-]+\s+)?(?:model|models|endpoint|api|provider)\b)?"
)
_END = r"\s*(?:[.,;:!?)\]]|$)"
_NOT_TAKEN = (
    r"(?:(?:not|no longer)\s+(?:supported|allowed|permitted|accepted|available|recogni[sz]ed)"
    r"|unsupported|deprecated|unknown|unrecogni[sz]ed)"
)
_NEVER = (
    # Unsupported parameter: 'x'. · Unrecognized request argument supplied: x · Unknown name "x": cannot find field.
    (
        r"(?:unsupported|unknown|unrecogni[sz]ed|unexpected|deprecated)\s+(?:\w+\s+)?FIELDs?(?:\s+supplied)?[\s:]*NAME"
        r"(?:\s+is not supportedWHERE)?END"
    ),
    # 'x' is not supported with this model. · `x` is deprecated for this model.
    r"SUBJECT:?(?:\s+FIELD)?\s+(?:is|are|has been)\s+(?:now\s+|currently\s+)?NOT_TAKENWHEREEND",
    r"SUBJECT\s*:\s*extra (?:inputs|fields) (?:are )?not (?:permitted|allowed)END",
    # Bedrock: extraneous key [x] is not permitted. · xAI: Argument not supported on this model: x
    r"extraneous FIELDs?\s*\[?NAME\]?\s+(?:is|are)\s+NOT_TAKEN",
    r"FIELDs?\s+(?:is\s+|are\s+)?NOT_TAKENWHERE\s*:\s*\[?NAME\]?END",
    r"SUBJECT\s+(?:is|was|has been)\s+(?:renamed to|replaced (?:by|with)|deprecated in favou?r of)\b",
    # This model does not support the parameter 'x'.
    (
        r"(?:does not|doesn't|do not|don't|no longer)\s+(?:support|accept|allow|take)s?\s+(?:the\s+)?(?:FIELDs?:?\s+)?"
        r"\[?NAME\]?(?:\s+FIELD)?WHEREEND"
    ),
)
# What is refused is the parameter, and not a value of it: "values over 1 for 'x' are not supported".
_SUBJECT = r"(?P<value>\b(?:values?|of|for|in|to|than|with)\s+(?:the\s+)?(?:FIELD\s+)?)?NAME"
_PARTS = {"SUBJECT": _SUBJECT, "FIELD": _FIELD, "WHERE": _WHERE, "END": _END, "NOT_TAKEN": _NOT_TAKEN}
# A value that is refused, or any value now: 'x' does not support 0.5 with this model. · These models don't support
# x=0.5. · invalid x: only 1 is allowed for this model.
_VALUE = (
    r"NAME\s+(?:does not|doesn't) support\b",
    r"(?:does not|doesn't|do not|don't) support\s+NAME\s?=",
    r"invalid\s+NAME\s*:\s*only\s+\S+\s+is\s+(?:allowed|supported|accepted)",
    r"only supports\s+(?:\w+,\s+)*NAME(?:,\s+\w+)*\s+(?:when|while|if)\b",  # LiteLLM, of a model that thinks
)


@dataclass(frozen=True)
class Repair:
    """One parameter renamed, or left out where `new_name` is None.

    Attributes
    ----------
    always
        Whether it holds for the model whatever the value is.
    silent
        Whether it is about what the user did not set.
    """

    name: str
    new_name: str | None
    always: bool
    silent: bool = False

    def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body with the parameter renamed or left out."""
        changed = {k: v for k, v in body.items() if k != self.name}
        return changed if self.new_name is None else {**changed, self.new_name: body[self.name]}

    def notice(self, model: str) -> str | None:
        """Return what to tell the user; None for what the user did not set."""
        if self.silent:
            return None
        done = f"sent as {self.new_name}" if self.new_name else "left out"
        return f"{model} does not take {self.name} like this: it was {done}."


def repair_for(error: GatewayError, body: dict[str, Any], *, typed: bool = False) -> Repair | None:
    """Return the repair that the words of a 400 ask for; None where they ask for none of a parameter in `body`.

    Parameters
    ----------
    error
        The refusal.
    body
        What was sent.
    typed
        Whether its ``response_format`` is made from a type: it is left out whatever is wrong with it.
    """
    if not isinstance(error, BadRequestError) or error.status not in _REFUSALS:
        return None
    said, param = error.said, error.param
    if param and param.split(".")[0] == _SILENT:
        param = _SILENT
    for own, words, is_ours in (
        (_SILENT, rf"\b{_SILENT}\b", body.get(_SILENT) == _OURS),
        (FORMAT, _ABOUT_THE_FORMAT, typed and FORMAT in body),
    ):
        if is_ours and re.search(words, f"{param} {said}", re.IGNORECASE):
            return Repair(own, None, always=True, silent=True)
    places = {
        name: m.start() for name in body.keys() - _NOT_PARAMETERS if (m := re.search(_named(name), said, re.IGNORECASE))
    }
    named = sorted(places, key=places.__getitem__)
    if param and (param not in body or param in _NOT_PARAMETERS or (named and param not in named)):
        return None
    if len(named) > 1 and (name := _excluded(named, said)):
        return Repair(name, None, always=False) if name not in _BOUNDS else None
    for name in [param] if param else named:
        never = _never_takes(name, error, alone=not named)
        # Of what has parts, such as a schema, a value that is refused is the user's to change.
        plain = not isinstance(body[name], dict | list)
        if never or (plain and any(_says(said, pattern, _named(name)) for pattern in _VALUE)):
            return _repair(name, said, body, always=never or _takes_its_default_only(name, said))
    return None


def _named(name: str) -> str:
    """Return the pattern of a field's name: a path that leads into its value (``stop[0]``) is no mention of it."""
    if name in _PLAIN_WORDS:
        return rf"(?<![\w.\]-])['`\"]{re.escape(name)}['`\"](?!\[|[.-]\w)"
    return rf"(?<![\w.\]-])['`\"]?{re.escape(name)}['`\"]?(?!\w|\[|[.-]\w)"


def _says(text: str, pattern: str, name: str) -> bool:
    for word, part in _PARTS.items():
        pattern = pattern.replace(word, part)
    found = re.search(pattern.replace("NAME", name), text, re.IGNORECASE)
    return found is not None and not found.groupdict().get("value")


def _never_takes(name: str, error: BadRequestError, *, alone: bool) -> bool:
    """Return whether the words say that the model never takes it; `alone` where they name nothing that was sent."""
    if _ABOUT_A_VALUE.search(error.said):
        return False
    sentences = [s for s in _SENTENCE.split(error.said) if not _CONDITION.search(s)]
    if not alone:
        return any(_says(sentence, pattern, _named(name)) for sentence in sentences for pattern in _NEVER)
    if _QUOTED.search(error.said):  # another one
        return False
    this = rf"^(?:this|it|(?:this |that |the )?{_FIELD})"
    by_code = error.code in _NEVER_CODES and bool(sentences)
    return by_code or any(_says(sentence, _NEVER[1], this) for sentence in sentences)


def _takes_its_default_only(name: str, said: str) -> bool:
    """Return whether the words say so on no condition, such as that the model thinks."""
    about = [s for s in _SENTENCE.split(said) if re.search(_named(name), s, re.IGNORECASE)]
    return _ONLY_DEFAULT.search(said) is not None and not any(_CONDITION.search(s) for s in about)


def _excluded(named: Iterable[str], said: str) -> str | None:
    """Return which of two that exclude each other is to go: what is named first stays."""
    for sentence in _SENTENCE.split(said):
        those = [name for name in named if re.search(_named(name), sentence)]
        about_more = _CONDITION.search(sentence) or _ABOUT_A_VALUE.search(sentence)
        if len(those) > 1 and not about_more and _EXCLUSION.search(sentence):
            return those[-1]
    return None


def _repair(name: str, said: str, body: dict[str, Any], *, always: bool) -> Repair | None:
    """Return how to send what `name` holds; None where that is the user's to say."""
    found = next((f for s in _SENTENCE.split(said) if re.search(_named(name), s) and (f := _INSTEAD.search(s))), None)
    # OpenAI's stands in a sentence of its own: "… is not supported. Use 'max_completion_tokens' instead."
    found = found or _INSTEAD.search(said)
    new_name = (found["name"] or found["other"]) if found else None
    if new_name and not {*name.split("_")} & {*new_name.split("_")}:  # what has no word in common is another thing
        new_name = None
    if new_name in {*body, *_NO_NEW_NAMES} or (found and not (found["quote"] or found["q"] or "_" in str(new_name))):
        new_name = None
    if new_name is None and name in _BOUNDS:
        return None
    return Repair(name, new_name, always=always)


@dataclass
class Repairs:
    """What is known of the models of a gateway, for as long as a client lives."""

    _known: dict[tuple[str, str], list[Repair]] = field(default_factory=dict)

    def remember(self, url: str, model: str, repair: Repair) -> None:
        """Keep a repair that holds for the model there, whatever the value is."""
        if repair.always:
            self._known.setdefault((url, model), []).append(repair)

    def apply(
        self, url: str, model: str, body: dict[str, Any], *, typed: bool = False
    ) -> tuple[dict[str, Any], list[Repair]]:
        """Return the body as the model takes it there, as far as that is known, and what was changed for it.

        Parameters
        ----------
        url, model
            Which model, and where.
        body
            The body.
        typed
            As that of `repair_for`. What is known of such a format says nothing of one that the user set.
        """
        applied = []
        for repair in self._known.get((url, model), []):
            if repair.name == FORMAT and repair.silent and not typed:
                continue
            if repair.name in body and repair.new_name not in body:
                body = repair.apply(body)
                applied.append(repair)
        return body, applied
