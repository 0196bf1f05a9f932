"""What the sandbox says: what it received, or a sample of Markdown. Never anything that looks like a model's."""

from __future__ import annotations

import base64
import io
import itertools
import secrets
import time
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from xcyq_magic.gateway.sandbox.cheats import CHEATS, probe_answer
from xcyq_magic.gateway.sandbox.directives import DIRECTIVES, has_pace, paced
from xcyq_magic.gateway.sandbox.formats import judgement, varied_report
from xcyq_magic.gateway.sandbox.media import media_of
from xcyq_magic.gateway.sandbox.reports import report, text_of
from xcyq_magic.gateway.sandbox.schemas import is_asked_again, typed_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcyq_magic.gateway.sandbox.directives import Plan

_CHARS_PER_TOKEN = 4  # a rule of thumb of the model makers' documentation
SECTION = """\
## Part {n} of a sample

The estimate is $\\hat\\beta = (X^\\top X)^{{-1}} X^\\top y$, and it costs $5 to $10.

| method | error | **rank** |
|:-------|------:|:--------:|
| lasso  | 0.12{n} | {n} |
| ridge  | 0.34  | 2 |

1. First, *load* the data.
   - From `data.csv`, or
   - from [a server](https://example.org/data).
2. Then fit:

   ```python
   import numpy as np

   def fit(x, y):  # part {n}
       return np.linalg.lstsq(x, y, rcond=None)[0]
   ```

> A quotation that is **bold** in the middle.

- [x] done
- [ ] to do

"""


def prompt_of(messages: list[dict[str, Any]]) -> str:
    """Return the text of the prompt: of the one before, where its reply is asked for again."""
    last = text_of(messages[-1])
    return text_of(messages[-3]) if is_asked_again(messages, last) else last


def tokens(text: str) -> int:
    """Return about how many tokens `text` is."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def prompt_tokens(messages: list[dict[str, Any]], *, media: bool = True) -> int:
    """Return about how many tokens the messages are, with their media or without."""
    words = sum(tokens(text_of(m)) + 4 for m in messages)
    return words + (sum(m.tokens for m in media_of(messages)) if media else 0)


def sample(chars: int) -> str:
    """Exactly `chars` characters of mixed Markdown."""
    text = ""
    for n in itertools.count(1):
        if len(text) >= chars:
            break
        text += SECTION.format(n=n)
    return text[:chars]


def gradient(width: int, height: int) -> str:
    """Return a picture of that size as a data URL."""
    import PIL.Image  # noqa: PLC0415  # only for who asks for it

    buffer = io.BytesIO()
    PIL.Image.linear_gradient("L").resize((width, height)).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def thinking(chars: int) -> str:
    """Exactly `chars` characters of what stands for reasoning."""
    words = "The sandbox does not think; these words stand for a model's reasoning. "
    return (words * (chars // len(words) + 1))[:chars]


def usage_help() -> str:
    """Return the directives, as Markdown."""
    rows = "\n".join(f"| `sandbox: {d.example}` | {d.help} |" for d in DIRECTIVES.values())
    intro = "A line of the prompt that begins with `sandbox:` is a directive."
    cheats = "\n".join(f"| `gpt-5.5~{name}` | {cheat.help} |" for name, cheat in CHEATS.items())
    pools = "A model's name may end with what a bad pool does; `%chat_models --check` finds it."
    return (
        f"{intro}\n\n| directive | what it does |\n|---|---|\n{rows}\n\n"
        f"{pools}\n\n| model | what its pool does |\n|---|---|\n{cheats}\n"
    )


def _text(plan: Plan, body: dict[str, Any], prompt: str) -> str:
    # First: the prompt that it quotes has its directives for the models that answered it.
    if judged := judgement(prompt):
        return judged
    if plan.help:
        return usage_help()
    if plan.echo:
        return prompt
    if plan.markdown_chars:
        return sample(plan.markdown_chars)
    messages = body["messages"]
    system, again = text_of(messages[0]), is_asked_again(messages, text_of(messages[-1]))
    typed = typed_answer(plan, body, prompt, system if messages[0]["role"] == "system" else "", again=again)
    if typed is not None:
        return typed
    media = not plan.drops_media
    return varied_report(body, prompt) if plan.vary else report(body, prompt, media=media)


def _cut(text: str, body: dict[str, Any]) -> tuple[str, str]:
    """Return the text as `stop` and `max_tokens` leave it, and the finish reason."""
    stop = body.get("stop") or []
    ends = [i for s in ([stop] if isinstance(stop, str) else stop) if (i := text.find(s)) >= 0]
    text = text[: min(ends)] if ends else text
    limits = [n for name in ("max_tokens", "max_completion_tokens") if (n := body.get(name)) is not None]
    limit = min(limits, default=None)
    if limit is not None and tokens(text) > limit:
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
        """Return the answer that `plan` asks for; `prompt` is what was said besides directives.

        Parameters
        ----------
        plan
            How to answer.
        body
            The request.
        prompt
            What was said besides directives.
        """
        probed = probe_answer([(m["role"], text_of(m)) for m in body["messages"]], body)
        if probed is not None:  # a token at a time: how it comes is what is looked at
            plan = replace(plan, delta_chars=_CHARS_PER_TOKEN)
        text = _text(plan, body, prompt) if probed is None else probed
        is_short = probed is None and not (plan.help or plan.echo or plan.markdown_chars)
        if is_short and not has_pace(plan):  # it is to be seen while it comes
            plan = paced(plan)
        if plan.picture and plan.in_text:
            text += f"\n\n![a gradient]({gradient(*plan.picture)})"
        if plan.tags:
            text = f"<think>{thinking(plan.thinking_chars)}</think>\n\n{text}"
        text, finish_reason = _cut(text, body)
        finish_reason = "tool_calls" if plan.tool else finish_reason
        return cls(plan, body, text, plan.finish_reason or finish_reason)

    def usage(self) -> dict[str, int]:
        """Return about how many tokens were asked and answered."""
        asked = prompt_tokens(self.body["messages"], media=not self.plan.drops_media)
        said = self._count * (tokens(self.text) + tokens(self._thoughts))
        asked, said = (round(self.plan.counts * count) for count in (asked, said))
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}

    @property
    def _count(self) -> int:
        """How many answers are asked for."""
        return self.body.get("n") or 1

    @property
    def _thoughts(self) -> str:
        """The reasoning that comes beside the text."""
        return "" if self.plan.tags else thinking(self.plan.thinking_chars)

    @property
    def _field(self) -> str:
        """Where the text stands."""
        return "refusal" if self.plan.refuses else "content"

    def _more(self) -> dict[str, Any]:
        """Return what comes besides text: a picture, as OpenRouter and LiteLLM send it, and a call of a tool."""
        more: dict[str, Any] = {}
        if self.plan.picture is not None and not self.plan.in_text:
            more["images"] = [{"type": "image_url", "image_url": {"url": gradient(*self.plan.picture)}}]
        if self.plan.tool:
            function = {"name": self.plan.tool, "arguments": "{}"}
            more["tool_calls"] = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
        return more

    def _frame(self, kind: str) -> dict[str, Any]:
        model = self.plan.model or self.body["model"]
        return {"id": self.id, "object": kind, "created": self.created, "model": model}

    def answer(self) -> dict[str, Any]:
        """Return the whole of it."""
        message: dict[str, Any] = {"role": "assistant", "content": None, self._field: self.text}
        if self._thoughts:
            message["reasoning_content"] = self._thoughts
        message |= self._more()
        choices = [{"index": n, "message": message, "finish_reason": self.finish_reason} for n in range(self._count)]
        return {**self._frame("chat.completion"), "choices": choices, "usage": self.usage()}

    def chunks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the chunks of the stream, each with the text that it carries."""
        size, thoughts, field = self.plan.delta_chars, self._thoughts, self._field
        opening = [{"role": "assistant", "content": ""}]
        reasoning = ({"reasoning_content": thoughts[i : i + size]} for i in range(0, len(thoughts), size))
        saying = ({field: self.text[i : i + size]} for i in range(0, len(self.text), size))
        for delta in chain(opening, reasoning, saying):
            yield delta.get(field, ""), self._delta(delta)
        yield "", self._delta(self._more(), self.finish_reason)
        options = self.body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            yield "", {**self._chunk([]), "usage": self.usage()}

    def _delta(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        """Return the chunk in which each answer goes on alike."""
        return self._chunk([{"index": n, "delta": delta, "finish_reason": finish_reason} for n in range(self._count)])

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self._frame("chat.completion.chunk"), "choices": choices}
