"""The line that says who answers, how far it is, and how it ended; plain text, for every view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.errors import show_directions

if TYPE_CHECKING:
    from xcyq_magic.chat.completion import Completion, Usage
    from xcyq_magic.session.live import LiveReply

WAY_OUT = "■ interrupts"  # where no click arrives
_SEPARATOR = " · "
_CHARS_PER_TOKEN = 4  # until the gateway has counted
_PARTIAL = {"stopped": "stopped", "incomplete": "incomplete: the reply broke off"}


def live_caption(reply: LiveReply, label: str = "", *, clickable: bool = True) -> str:
    """Return the line for a reply that is on its way; `clickable` says whether a Stop button stands beside it."""
    chars = sum(map(len, reply.builder.text_pieces))
    parts = [reply.model, label, f"{reply.elapsed_s:.1f} s"]
    count, counted = tokens_so_far(reply)
    if not counted and chars:
        parts.append(f"about {count:,} tokens")
    if reply.retry is not None:
        parts.append(str(reply.retry))
    elif reply.state == "waiting":
        parts.append("waiting")
    elif reply.builder.reasoning_pieces and not chars:
        parts.append("thinking")
    return _joined(*parts, "" if clickable else WAY_OUT)


def opening_caption(reply: LiveReply, label: str = "") -> str:
    """For the first section of a long reply, whose end is not known yet."""
    return _joined(reply.model, label, "goes on below")


def tokens_so_far(reply: LiveReply) -> tuple[int, bool]:
    """Tokens of the text, and whether the gateway counted them; it does so at the end."""
    usage = reply.builder.usage
    if usage is not None and usage.completion_tokens is not None:
        return usage.completion_tokens, True
    return -(-sum(map(len, reply.builder.text_pieces)) // _CHARS_PER_TOKEN), False


def completion_caption(completion: Completion, label: str = "") -> str:
    """For a completion, whole or partial."""
    parts = [_who(completion), label, "from the store" if completion.cached else f"{completion.duration_s:.1f} s"]
    if completion.usage:
        parts.append(tokens(completion.usage))
    parts.append(ending(completion))
    return _joined(*parts)


def ending(completion: Completion) -> str:
    """How it ended, where that is not what one expects; else ``""``."""
    if completion.partial:
        return _PARTIAL[completion.partial]
    if completion.finish_reason == "length":
        return "cut off by the token limit"
    return "" if completion.finish_reason in {None, "stop"} else show_directions(f"ended: {completion.finish_reason}")


def advice(completion: Completion) -> str | None:
    """What to type next about a completion that is not what one hopes for; None if it is."""
    if completion.partial:
        return None
    if completion.finish_reason == "length":
        if not completion.text.strip():
            return "Thinking used up max_tokens before the answer began: raise --max-tokens."
        return "The reply was cut off at max_tokens: raise --max-tokens and run the cell again, or type %chat go on."
    if not completion.text.strip():
        return "The model answered with nothing. Run the cell again, or ask another model with -m."
    return None


def failure_caption(reply: LiveReply, label: str = "") -> str:
    """For a reply that ended without a word of the model's."""
    ending = "stopped before the reply began" if reply.state == "stopped" else "no reply"
    return _joined(reply.model, label, f"{reply.elapsed_s:.1f} s", ending)


def tokens(usage: Usage) -> str:
    """Such as ``120 tokens in, 45 out``; ``""`` where nothing was counted."""
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        return f"{usage.prompt_tokens:,} tokens in, {usage.completion_tokens:,} out"
    return f"{usage.total_tokens:,} tokens" if usage.total_tokens is not None else ""


def _joined(*parts: str) -> str:
    return show_directions(_SEPARATOR.join(p for p in parts if p))


def _who(completion: Completion) -> str:
    if completion.model == completion.requested_model:
        return completion.model
    return f"{completion.requested_model}, answered by {completion.model}"
