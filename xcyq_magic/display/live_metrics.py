"""The figures of replies that are on their way, in a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.display.caption import tokens_so_far
from xcyq_magic.display.comparison_style import pool
from xcyq_magic.display.metrics import pace, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.session.live import LiveReply

_SEPARATOR = " · "
_WAY_OUT = "■ interrupts"  # where no click arrives


def overall_line(
    replies: Sequence[LiveReply], judging: Sequence[LiveReply], label: str = "", *, clickable: bool = False
) -> str:
    """How far the whole comparison is."""
    ended = sum(r.ended for r in replies)
    elapsed = max(r.elapsed_s for r in (*replies, *judging))
    parts = [f"{ended} of {len(replies)} ended", label, f"{elapsed:.1f} s"]
    parts += [f"{j.model} judges" for j in judging]
    return _SEPARATOR.join(p for p in (*parts, "" if clickable else _WAY_OUT) if p)


def state_lines(reply: LiveReply, *, kept: bool = False) -> list[str]:
    """How far one reply is: its pool and its state, and its figures so far."""
    state = [pool(reply.model), _state(reply), "to be kept" if kept else ""]
    figures = [f"{reply.elapsed_s:.1f} s"] if reply.state != "failed" or reply.first_token_s is not None else []
    if reply.first_token_s is not None:
        count, exact = tokens_so_far(reply)
        streaming_s = reply.elapsed_s - reply.first_token_s
        figures.append(f"first {seconds(reply.first_token_s)}")
        figures.append(f"{'' if exact else '~'}{count:,} tokens")
        figures.append(f"{pace(count / streaming_s)}/s" if streaming_s > 0 else "")
    return [_SEPARATOR.join(part for part in line if part) for line in (state, figures)]


def _state(reply: LiveReply) -> str:
    if reply.retry is not None and not reply.ended:
        return str(reply.retry)
    if reply.state == "streaming" and not reply.builder.text_pieces:
        return "thinking"
    return {"failed": "failed", "done": "done", "stopped": "stopped", "streaming": "streaming"}.get(
        reply.state, "waiting"
    )
