"""What the sandbox answers, in the JSON of the endpoint."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from xcyq_magic.gateway.sandbox import answers
from xcyq_magic.gateway.sandbox.formats import judgement, varied_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcyq_magic.gateway.sandbox.directives import Plan


def _text(plan: Plan, body: dict[str, Any], prompt: str) -> str:
    if plan.help:
        return answers.usage_help()
    if plan.judge:
        return judgement(prompt)
    if plan.echo:
        return prompt
    if plan.markdown_chars:
        return answers.sample(plan.markdown_chars)
    media = not plan.drops_media
    return varied_report(body, prompt) if plan.vary else answers.report(body, prompt, media=media)


def _cut(text: str, body: dict[str, Any]) -> tuple[str, str]:
    """The text as `stop` and `max_tokens` leave it, and the finish reason."""
    stop = body.get("stop") or []
    ends = [i for s in ([stop] if isinstance(stop, str) else stop) if (i := text.find(s)) >= 0]
    text = text[: min(ends)] if ends else text
    limit = body.get("max_tokens")
    if limit is not None and answers.tokens(text) > limit:
        return text[: limit * 4], "length"
    return text, "stop"


@dataclass
class Reply:
    """The answer to one request, in the endpoint's JSON: whole, or in the chunks of a stream."""

    plan: Plan
    body: dict[str, Any]
    text: str
    finish_reason: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(8)}")
    created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def of(cls, plan: Plan, body: dict[str, Any], prompt: str) -> Reply:
        """The answer that `plan` asks for; `prompt` is what was said besides directives."""
        text, finish_reason = _cut(_text(plan, body, prompt), body)
        return cls(plan, body, text, plan.finish_reason or finish_reason)

    def usage(self) -> dict[str, int]:
        """About how many tokens were asked and answered."""
        asked = answers.prompt_tokens(self.body["messages"], media=not self.plan.drops_media)
        said = answers.tokens(self.text) + answers.tokens(answers.thinking(self.plan.thinking_chars))
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}

    def _frame(self, kind: str) -> dict[str, Any]:
        model = self.plan.model or self.body["model"]
        return {"id": self.id, "object": kind, "created": self.created, "model": model}

    def answer(self) -> dict[str, Any]:
        """The whole of it."""
        message = {"role": "assistant", "content": self.text}
        if self.plan.thinking_chars:
            message["reasoning_content"] = answers.thinking(self.plan.thinking_chars)
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        return {**self._frame("chat.completion"), "choices": [choice], "usage": self.usage()}

    def chunks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The chunks of the stream, each with the text that it carries."""
        size = self.plan.delta_chars
        thoughts = answers.thinking(self.plan.thinking_chars)
        opening = [{"role": "assistant", "content": ""}]
        thinking = ({"reasoning_content": thoughts[i : i + size]} for i in range(0, len(thoughts), size))
        saying = ({"content": self.text[i : i + size]} for i in range(0, len(self.text), size))
        for delta in chain(opening, thinking, saying):
            yield delta.get("content", ""), self._chunk([{"index": 0, "delta": delta, "finish_reason": None}])
        yield "", self._chunk([{"index": 0, "delta": {}, "finish_reason": self.finish_reason}])
        if (self.body.get("stream_options") or {}).get("include_usage"):
            yield "", {**self._chunk([]), "usage": self.usage()}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self._frame("chat.completion.chunk"), "choices": choices}
