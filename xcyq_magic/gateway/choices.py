"""What the choices of an answer hold: text, reasoning, a refusal, calls of tools, pictures. No I/O.

OpenAI's shape is the rule, and what gateways make of other vendors' answers the exception: parts in place of a string,
a whole message in place of a delta, text that is sent again from its beginning, reasoning in five fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xcyq_magic.gateway.pictures import pictures_in

if TYPE_CHECKING:
    from collections.abc import Iterator

# In the words of OpenAI, what other vendors and gateways call the ends of a reply.
_ENDS = {
    "stop": "stop end_turn endturn stop_sequence eos eos_token complete completed done finish finished end normal",
    "length": "length max_tokens max_output_tokens max_completion_tokens model_length token_limit max_length"
    " model_context_window_exceeded context_length_exceeded incomplete",
    "content_filter": "content_filter content_filtered contentfilter safety recitation blocklist blocked"
    " prohibited_content spii refusal image_safety guardrail_intervened sensitive moderation flagged",
    "tool_calls": "tool_calls tool_use function_call tool_call toolcalls",
    "error": "error failed failure malformed_function_call network_error upstream_error internal_error unknown_error",
}
_END_OF = {word: end for end, words in _ENDS.items() for word in words.split()}
_NO_END = {"", "null", "none", "undefined", "unspecified", "in_progress", "incomplete_stream", "nil"}
_SPOKEN = {"role", "content"}  # the fields of almost every part of a reply
_THINKING = {"thinking", "reasoning", "thought", "reasoning_content", "reasoning.text", "reasoning.summary"}
_THINKING |= {"thinking_delta", "reasoning_text", "summary_text", "redacted_thinking"}
_OPENING = re.compile(r"\s*<(?P<name>think|thinking|thought|reasoning)>\s*", re.IGNORECASE)
_LONGEST_OPENING = len("<reasoning>")
_CLOSING = {name: f"</{name}>" for name in ("think", "thinking", "thought", "reasoning")}


def end_of(word: object) -> str | None:
    """Return a finish reason in the words of OpenAI; one that is not known as it came, and None for none."""
    if not isinstance(word, str):
        return None
    plain = word.strip().lower().removeprefix("finish_reason_").replace("-", "_").replace(" ", "_")
    if plain in _NO_END:
        return None
    return _END_OF.get(plain) or word  # whole: the key is hidden before it is cut


def text_of(value: object) -> str:
    """Return content as text: a string, or parts of it, as some gateways write it; thinking is no text."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        if str(value.get("type")).lower() in _THINKING or value.get("thought") is True:
            return ""
        return next((t for name in ("text", "content", "value", "refusal") if (t := text_of(value.get(name)))), "")
    return "".join(map(text_of, value)) if isinstance(value, list) else ""


def reasoning_of(said: dict[str, Any]) -> str:
    """Return the reasoning of a delta or a message, from the first of its fields that has some."""
    for name in ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "thinking", "thought"):
        if text := _thoughts(said.get(name)):
            return text
    content = said.get("content")
    parts = content if isinstance(content, list) else [content]
    return "".join(_thoughts(p) for p in parts if isinstance(p, dict) and text_of(p) == "" and "image_url" not in p)


def _thoughts(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_thoughts, value))
    if isinstance(value, dict):
        for name in ("thinking", "text", "summary", "reasoning", "content"):
            if text := _thoughts(value.get(name)):
                return text
    return ""


def calls_of(said: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the tools that a delta or a message asks for."""
    calls = said.get("tool_calls")
    each = [*(calls if isinstance(calls, list) else ()), {"function": said.get("function_call")}]
    content = said.get("content")
    each += (
        [p for p in content if isinstance(p, dict) and p.get("type") == "tool_use"] if isinstance(content, list) else []
    )
    for call in each:
        function = call.get("function") if isinstance(call, dict) else None
        name = (function if isinstance(function, dict) else call if isinstance(call, dict) else {}).get("name")
        if isinstance(name, str) and name.strip():
            yield name


def _refuses(content: object) -> bool:
    """Return whether a part of a content is a refusal."""
    return isinstance(content, list) and any(isinstance(p, dict) and p.get("type") == "refusal" for p in content)


@dataclass(slots=True)
class Told:
    """What one record adds to a reply."""

    text: str = ""
    reasoning: str = ""
    end: str | None = None
    refused: bool = False
    calls: list[str] = field(default_factory=list)
    pictures: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Told) -> None:
        """Take in what follows."""
        self.text += other.text
        self.reasoning += other.reasoning
        self.end = other.end or self.end
        self.refused = self.refused or other.refused
        self.calls += other.calls
        self.pictures += other.pictures


class Choices:
    """Reads the choices of one answer, record by record: the one of index 0 is the reply, else the one that came.

    Attributes
    ----------
    others
        The texts of further answers (``-p n=2``), by their index.
    """

    def __init__(self) -> None:
        self._mine: object = None  # the index of the reply, once it is known
        self._waiting: list[dict[str, Any]] = []  # of another index than 0, while 0 may yet come
        self._said: list[str] = []  # the reply's text so far, for what repeats it
        self.others: dict[object, list[str]] = {}

    def read(self, choices: list[dict[str, Any]], *, last: bool = False) -> Told:
        """Return what the choices of a record add to the reply; `last` says that nothing follows."""
        if self._mine is None:
            indexes = [c.get("index") or 0 for c in (*self._waiting, *choices)]
            if 0 in indexes:
                self._mine = 0
            elif indexes and (self._waiting or last or any(c.get("finish_reason") for c in choices)):
                self._mine = indexes[0]
            else:
                self._waiting += choices
                return Told()
            choices, self._waiting = [*self._waiting, *choices], []
        told = Told()
        for choice in choices:
            if (plain := _plain_text(choice)) is not None and (choice.get("index") or 0) == self._mine:
                told.text += plain
                continue
            one = self._of(choice)
            if (index := choice.get("index") or 0) != self._mine:
                self.others.setdefault(index, []).append(one.text)
                told.pictures += one.pictures
            else:
                told.add(one)
        if told.text:
            self._said.append(told.text)
        return told

    def _of(self, choice: dict[str, Any]) -> Told:
        delta, message = choice.get("delta"), choice.get("message")
        said = delta if isinstance(delta, dict) and delta else message if isinstance(message, dict) else {}
        text = text_of(said.get("content")) or text_of(said.get("text"))
        if not text and isinstance(delta, str):
            text = delta
        if not text and (content := choice.get("text") or choice.get("content")):
            text = text_of(content)
        refusal = text_of(said.get("refusal")) if not text else ""
        if said is message and (choice.get("index") or 0) == self._mine:
            text = self._new(text)
        reasoning = reasoning_of(said) if said is not message or not self._said else ""
        return Told(
            text or refusal,
            reasoning,
            end_of(choice.get("finish_reason") or choice.get("finishReason") or choice.get("stop_reason")),
            bool(refusal) or _refuses(said.get("content")),
            [*calls_of(said)],
            pictures_in(said),
        )

    def _new(self, text: str) -> str:
        """Return what of a whole message is not said yet: some send all of it again, at the end or each time."""
        if not self._said:
            return text
        before = "".join(self._said)
        if text.startswith(before):
            return text[len(before) :]
        return "" if before.startswith(text) or before.strip() == text.strip() else text


class Thoughts:
    """Tells reasoning from text where a model writes it as ``<think>…</think>`` before its answer."""

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"
        self._closing = ""

    def __call__(self, text: str) -> tuple[str, str]:
        """Return what of `text`, and of what was held back, is text, and what is reasoning."""
        if self._state == "text" or not text:
            return text, ""
        self._held += text
        if self._state == "start":
            if found := _OPENING.match(self._held):
                self._state, self._closing = "thinking", _CLOSING[found["name"].lower()]
                self._held = self._held[found.end() :]
            elif self._may_begin():
                return "", ""
            else:
                self._state = "text"
        reasoning = ""
        if self._state == "thinking":
            at = self._held.lower().find(self._closing)
            if at < 0:
                end = len(self._held) - _overlap(self._held.lower(), self._closing)
                reasoning, self._held = self._held[:end], self._held[end:]
                return "", reasoning
            reasoning, self._held = self._held[:at].rstrip(), self._held[at + len(self._closing) :]
            self._state = "after"
        text, self._held = self._held, ""
        if self._state == "after":
            text = text.lstrip()  # the blank lines between reasoning and answer
            self._state = "text" if text else "after"
        return text, reasoning

    def flush(self) -> tuple[str, str]:
        """Return what is held back: nothing follows."""
        held, self._held = self._held, ""
        return ("", held) if self._state == "thinking" else (held, "")

    def _may_begin(self) -> bool:
        bare = self._held.lstrip().lower()
        opened = any(f"<{name}>".startswith(bare) for name in _CLOSING)
        return opened and len(self._held) < _LONGEST_OPENING + 100


def _overlap(text: str, mark: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of `mark`."""
    return next((n for n in range(min(len(mark) - 1, len(text)), 0, -1) if mark.startswith(text[-n:])), 0)


def _plain_text(choice: dict[str, Any]) -> str | None:
    """Return the text of a choice that holds nothing else, as almost every one does; else None."""
    delta = choice.get("delta")
    if type(delta) is not dict or not delta.keys() <= _SPOKEN or choice.get("finish_reason"):
        return None
    text = delta.get("content")
    return text if type(text) is str and "message" not in choice and "text" not in choice else None
