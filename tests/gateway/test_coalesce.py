"""What comes together is one chunk; what is there waits for nothing."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from xcyq_magic.gateway.receive import Coalesced

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

KIB = 1024


async def in_packets(*packets: list[bytes], error: Exception | None = None) -> AsyncGenerator[bytes, None]:
    """The chunks of each packet at once, and a return to the event loop between packets."""
    for chunks in packets:
        await asyncio.sleep(0)
        for chunk in chunks:
            yield chunk
    if error:
        raise error


async def taken(chunks: AsyncGenerator[bytes, None], into: list[bytes]) -> None:
    async with aclosing(Coalesced(chunks)) as coalesced:
        async for chunk in coalesced:
            into += [chunk]


def coalesced(chunks: AsyncGenerator[bytes, None]) -> list[bytes]:
    got: list[bytes] = []
    asyncio.run(taken(chunks, got))
    return got


def test_a_packet_of_many_chunks_is_one():
    assert coalesced(in_packets([b"a"] * 500, [b"b", b"c"])) == [b"a" * 500, b"bc"]


@pytest.mark.parametrize("packets", [(), ([],), ([], [])], ids=repr)
def test_nothing_is_nothing(packets):
    assert coalesced(in_packets(*packets)) == []


def test_empty_chunks_and_packets_do_no_harm():
    assert b"".join(coalesced(in_packets([b""], [], [b"a", b""], [b""]))) == b"a"


def test_an_error_is_raised_after_what_came_with_it():
    got: list[bytes] = []
    with pytest.raises(OSError, match="broken"):
        asyncio.run(taken(in_packets([b"a", b"b"], error=OSError("broken")), got))
    assert got == [b"ab"]


def test_no_more_than_a_bound_is_held_while_it_could_be_taken():
    got = coalesced(in_packets([b"a" * (16 * KIB)] * 40))
    assert sum(map(len, got)) == 640 * KIB
    assert max(map(len, got)) <= 80 * KIB


def test_what_is_there_does_not_wait_for_the_rest():
    async def first_of_a_stall() -> bytes:
        async def chunks() -> AsyncGenerator[bytes, None]:
            yield b"a"
            yield b"b"
            await asyncio.Event().wait()

        async with aclosing(Coalesced(chunks())) as coalesced:
            return await asyncio.wait_for(anext(coalesced), 5)

    assert asyncio.run(first_of_a_stall()) == b"ab"


def test_whoever_leaves_ends_the_reading():
    ended = []

    async def leave() -> None:
        async def chunks() -> AsyncGenerator[bytes, None]:
            try:
                yield b"a"
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        async with aclosing(Coalesced(chunks())) as coalesced:
            await anext(coalesced)
        assert ended == [True]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(leave())
