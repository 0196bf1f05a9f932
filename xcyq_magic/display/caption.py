"""The lines that say who answers, how far a reply is, and how it ended; plain text, for every view."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xcyq_magic.chat.completion import Usage
from xcyq_magic.chat.usage import amount
from xcyq_magic.errors import show_directions
from xcyq_magic.gateway import catalog
from xcyq_magic.media.text.shown import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.session.asking import Progress
    from xcyq_magic.session.live import LiveReply

WAY_OUT = "■ interrupts"  # where no click arrives
_CHARS_PER_TOKEN = 4  # until the gateway has counted
_MINUTE_S = 60
_HOUR_S = 3600
_WHOLE_FROM = 1_000  # of a score, which has no more than three digits below
_ENDINGS = {
    "length": "cut off by the token limit",
    "content_filter": "ended by a safety filter",
    "tool_calls": "asked for a tool",
}
_PARTIAL_HERE = {
    "stopped": "You stopped the reply here. %chat go on asks for the rest.",
    "incomplete": "The reply broke off here.",
}
_PARTIAL = {"stopped": "stopped", "incomplete": "incomplete: the reply broke off"}


def joined(*parts: str) -> str:
    """Return the parts that are not empty as one line, with dots between them."""
    return show_directions(" · ".join(p for p in parts if p))


def seconds(value: float) -> str:
    """Return a time with its unit, such as ``0.42 s`` or ``12.3 s``."""
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"  # noqa: PLR2004  # hundredths of what is short


def duration(value: float) -> str:
    """Return a time that may be long, such as ``42 s``, ``3 min 5 s`` or ``2 h 10 min``."""
    whole = math.ceil(value)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"


def pace(value: float) -> str:
    """Return a number of tokens a second, such as ``7.5`` or ``120``."""
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004  # as above


def tokens(usage: Usage) -> str:
    """Return what was counted, such as ``120 tokens in, 45 out``; ``""`` where nothing was."""
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        return f"{count_of(usage.prompt_tokens, 'token')} in, {usage.completion_tokens:,} out"
    return count_of(usage.total_tokens, "token") if usage.total_tokens is not None else ""


def score_text(value: float, *, is_share: bool) -> str:
    """Return a score, such as ``85 %`` of a share, or ``0.731``."""
    if is_share:
        return f"{100 * value:.0f} %"
    return f"{value:,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:.3g}"


def who(asked: str, answered_by: Sequence[str]) -> str:
    """Return the model that was asked, and who answered where that is not the same."""
    names = dict.fromkeys(asked if catalog.same_model(asked, name) else name for name in answered_by)
    return asked if names.keys() <= {asked} else f"{asked}, answered by {' and '.join(names)}"


def asked(name: str, instead_of: str) -> str:
    """Return the model that was asked, and why it was not one before it in its chain."""
    return f"{name}, for {instead_of}" if instead_of else name


def pools_that_differ(models: Sequence[str]) -> list[str]:
    """Return the pool of each model, as `pool` does; ``""`` for each where all are of one."""
    pools = list(map(pool, models))
    return pools if len(set(pools)) > 1 else [""] * len(pools)


def pool(model: str) -> str:
    """Return where a model's answers come from, in a word or two; ``""`` for a model that is not known."""
    known = catalog.MODELS.get(model)
    if known is None:
        return ""
    words = known.pool.split(" (")[0].split(",")[0]
    return f"{words.removesuffix(' pool')} pool"


# While a reply comes


def live_caption(reply: LiveReply, label: str = "", *, clickable: bool = True) -> str:
    """Return the line for a reply that is on its way.

    Parameters
    ----------
    reply
        The reply.
    label
        A word that stands in it, such as ``sandbox``.
    clickable
        Whether a Stop button stands beside it.
    """
    count, exact = _tokens_so_far(reply)
    about = f"about {count_of(count, 'token')}" if count and not exact else ""
    name = asked(reply.model, reply.instead_of)
    return joined(name, label, f"{reply.elapsed_s:.1f} s", about, _progress(reply), "" if clickable else WAY_OUT)


def opening_caption(reply: LiveReply, label: str = "") -> str:
    """Return the line for the first section of a long reply, whose end is not known yet."""
    return joined(asked(reply.model, reply.instead_of), label, "goes on below")


def overall_line(
    replies: Sequence[LiveReply], judging: Sequence[LiveReply], label: str = "", *, clickable: bool = True
) -> str:
    """Return the line for a whole comparison that is on its way.

    Parameters
    ----------
    replies
        The replies that are compared.
    judging
        The judge's reply, once it is asked for.
    label
        A word that stands in it, such as ``sandbox``.
    clickable
        Whether the columns have Stop buttons.
    """
    ended = sum(r.ended for r in replies)
    elapsed = max(r.elapsed_s for r in (*replies, *judging))
    judges = [f"{j.model} judges" for j in judging]
    way_out = "" if clickable else WAY_OUT
    return joined(f"{ended} of {len(replies)} ended", label, f"{elapsed:.1f} s", *judges, way_out)


def state_line(reply: LiveReply, pool: str, *, kept: bool = False) -> str:
    """Return the line for one reply of a comparison: one, as in the settled output, so that nothing moves then."""
    state = reply.state if reply.ended else _progress(reply)
    elapsed = f"{reply.elapsed_s:.1f} s" if reply.state != "failed" or reply.first_token_s is not None else ""
    count, exact = _tokens_so_far(reply)
    so_far = f"{'' if exact else '~'}{count_of(count, 'token')}" if count else ""
    instead = asked(reply.model, reply.instead_of) if reply.chain else ""
    return joined(instead, pool, state, elapsed, so_far, "to be kept" if kept else "")


def rows_line(progress: Progress, label: str = "", *, per_s: float | None = None, clickable: bool = True) -> str:
    """Return the line for rows that are on their way.

    Parameters
    ----------
    progress
        How far they are.
    label
        A word that stands in it, such as ``sandbox``.
    per_s
        Rows a second; None while that is not known.
    clickable
        Whether a Stop button stands beside it.
    """
    outlook, failed, waiting = progress.outlook, progress.failed, progress.waiting
    counts = progress.prompt_tokens, progress.completion_tokens
    whose, what = progress.replies[0].name, "row"
    if outlook.judge:
        whose, what = f"{outlook.judge} judges", "case"
    elif outlook.models > 1:
        whose, what = f"{outlook.models} models", "answer"
    return joined(
        whose,
        label,
        f"{progress.done:,} of {count_of(outlook.in_all, what)}",
        f"{failed:,} failed" if failed else "",
        f"{waiting:,} to be sent again" if waiting else "",
        "" if per_s is None else f"{pace(per_s)} {what}s/s",
        "" if progress.left_s is None else f"{duration(progress.left_s)} left",
        tokens(Usage(*counts)) if any(counts) else "",
        "" if progress.cost is None else f"cost {amount(progress.cost)}",
        "" if clickable else WAY_OUT,
    )


def _progress(reply: LiveReply) -> str:
    """Return what is waited for; ``""`` once words come."""
    if reply.retry is not None:
        return str(reply.retry)
    if reply.state == "waiting":
        return "waiting"
    return "thinking" if reply.builder.reasoning_pieces and not reply.builder.text_pieces else ""


def _tokens_so_far(reply: LiveReply) -> tuple[int, bool]:
    """Return the tokens of the text, and whether the gateway counted them; it does so at the end."""
    usage = reply.builder.usage
    if usage is not None and usage.completion_tokens is not None:
        return usage.completion_tokens, True
    return -(-sum(map(len, reply.builder.text_pieces)) // _CHARS_PER_TOKEN), False


# When it has ended


def completion_caption(completion: Completion, label: str = "") -> str:
    """Return the line for a completion, whole or partial."""
    if not completion.requested_model:
        return joined("from a file", label, ending(completion))
    name = asked(who(completion.requested_model, [completion.model]), completion.instead_of)
    time = "from the store" if completion.cached else f"{completion.duration_s:.1f} s"
    return joined(name, label, time, tokens(completion.usage) if completion.usage else "", ending(completion))


def failure_caption(reply: LiveReply, label: str = "") -> str:
    """Return the line for a reply that ended without a word of the model's."""
    how = "stopped before the reply began" if reply.state == "stopped" else "no reply"
    return joined(asked(reply.model, reply.instead_of), label, f"{reply.elapsed_s:.1f} s", how)


def ending(completion: Completion) -> str:
    """Return how a completion ended, where that is not what one expects; else ``""``."""
    if completion.partial:
        return _PARTIAL[completion.partial]
    reason = completion.finish_reason
    return "" if reason in {None, "stop"} else _ENDINGS.get(reason) or show_directions(f"ended: {reason}")


def advice(completion: Completion) -> str | None:
    """Return what to type next about a completion that is not what one hopes for; None if it is."""
    if completion.partial:
        return _PARTIAL_HERE[completion.partial]
    said = bool(completion.text.strip() or completion.images)
    if completion.finish_reason == "length":
        if not said:
            return "Thinking used up max_tokens before the answer began: raise --max-tokens."
        return "The reply was cut off at max_tokens: raise --max-tokens and run the cell again, or type %chat go on."
    if completion.finish_reason == "content_filter":
        return "A safety filter ended the reply: reword the prompt, or ask another model with -m."
    if not said and completion.finish_reason != "tool_calls":
        return "The model sent an empty reply. Run the cell again, or ask another model with -m."
    return None
