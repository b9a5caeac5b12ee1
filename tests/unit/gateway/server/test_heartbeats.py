"""Who is looked at, how often, and that nothing goes on without anybody."""

from __future__ import annotations

import asyncio

import pytest

from gateway.server.heartbeats import LOOKS, Heartbeats


class Connection:
    def __init__(self) -> None:
        self.looks = 0
        self.looked = asyncio.Event()

    def look(self) -> None:
        self.looks += 1
        self.looked.set()


async def looked(connection: Connection, many: int) -> None:
    async with asyncio.timeout(30):
        while connection.looks < many:
            connection.looked.clear()
            await connection.looked.wait()


@pytest.mark.parametrize("pause_s", [0.002, 0.2], ids=["one slot", "several slots"])
async def test_every_connection_is_looked_at_again_and_again(pause_s):
    heartbeats = Heartbeats(pause_s)
    connections = [Connection() for _ in range(30)]
    for connection in connections:
        heartbeats.join(connection)
    await asyncio.gather(*(looked(connection, 3) for connection in connections))
    looks = [connection.looks for connection in connections]
    assert max(looks) - min(looks) <= 1, "each once in every round"


async def test_connections_that_come_together_are_not_looked_at_together():
    heartbeats = Heartbeats(12.0)
    slots = [heartbeats.join(Connection()) for _ in range(128)]
    assert len(set(slots)) == 64


async def test_a_round_takes_a_part_of_the_pause():
    loop, heartbeats, connection = asyncio.get_running_loop(), Heartbeats(0.2), Connection()
    heartbeats.join(connection)
    await looked(connection, 1)
    began = loop.time()
    await looked(connection, 1 + LOOKS)
    assert loop.time() - began >= 0.15


async def test_one_that_has_left_is_not_looked_at_and_the_timer_stops_with_the_last():
    heartbeats = Heartbeats(0.002)
    first, second = Connection(), Connection()
    slots = [heartbeats.join(first), heartbeats.join(second)]
    await looked(second, 1)
    heartbeats.leave(first, slots[0])
    seen = first.looks
    await looked(second, second.looks + 3)
    assert first.looks == seen
    heartbeats.leave(second, slots[1])
    assert heartbeats._timer is None
    again = Connection()
    heartbeats.join(again)
    await looked(again, 1)
