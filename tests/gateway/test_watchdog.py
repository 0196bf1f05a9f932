"""A time-out within a task that goes on afterwards."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from xcyq_magic.gateway.watchdog import SilenceError, Watchdog

counted = pytest.mark.skipif(sys.version_info < (3, 11), reason="cancellations are counted from Python 3.11 on")


async def silence(allowed: float, then: float | None = None) -> None:
    async with Watchdog(allowed) as watchdog:
        if then is not None:
            watchdog.allow(then)
        await asyncio.Event().wait()


async def its_own_cancellations() -> int:
    """How many a task counts after a silence that it survived."""
    with pytest.raises(SilenceError):
        await silence(0)
    return asyncio.current_task().cancelling()


@counted
def test_a_silence_leaves_no_cancellation_behind():
    assert asyncio.run(its_own_cancellations()) == 0


@counted
@pytest.mark.parametrize("cancel_first", [False, True])
def test_a_cancel_that_comes_with_the_silence_wins(cancel_first):
    async def run() -> None:
        task = asyncio.create_task(silence(0.01))
        await asyncio.sleep(0)  # it has begun
        asyncio.get_running_loop().call_later(0.005 if cancel_first else 0.02, task.cancel)
        time.sleep(0.03)  # noqa: ASYNC251  # both are due when the loop goes on
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


@pytest.mark.parametrize(("first", "then"), [(0.01, 0.1), (10, 0.1)], ids=["put off", "brought forward"])
def test_a_silence_may_be_put_off_or_brought_forward(first, then):
    started = time.monotonic()
    with pytest.raises(SilenceError):
        asyncio.run(silence(first, then))
    assert 0.1 <= time.monotonic() - started < 1
