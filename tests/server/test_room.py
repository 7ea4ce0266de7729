"""Room for what needs much memory: what does not fit waits, and nobody is passed over."""

from __future__ import annotations

import asyncio

from tracium.server.room import Room


async def test_what_fits_is_let_in():
    """Never more at once than there is room for, in the order of coming; what is larger than the room is alone."""
    room, inside, order = Room(10), [], []

    async def visit(amount):
        async with room.of(amount):
            inside.append(amount)
            order.append(amount)
            assert sum(inside) <= 10 or inside == [amount]
            await asyncio.sleep(0.001)
            inside.remove(amount)

    amounts = [4, 6, 5, 99, 1, 1, 10, 2, 8]
    await asyncio.wait_for(asyncio.gather(*map(visit, amounts)), 10)
    assert order == amounts


async def test_whoever_gives_up_leaves_no_trace():
    """One that is cancelled while it waits, or inside, takes no room."""
    room = Room(10)

    async def stay():
        async with room.of(10):
            await asyncio.sleep(60)

    visitors = [asyncio.create_task(stay()) for _ in range(2)]
    await asyncio.sleep(0)
    for visitor in reversed(visitors):
        visitor.cancel()
    await asyncio.gather(*visitors, return_exceptions=True)
    async with asyncio.timeout(10), room.of(10):
        pass
