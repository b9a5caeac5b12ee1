"""A caller that goes away at any moment leaves the database as it was, or changed as a whole, and usable."""

from __future__ import annotations

import asyncio
import random

from sqlalchemy import insert, select

from systems.platform.database import Database
from systems.platform.tables import number_sequences

TURNS = 60
MOST_STEPS = 40


async def _write_pair(database: Database, name: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(insert(number_sequences), [{"name": f"{name}-a", "last_value": 1}])
        await connection.execute(insert(number_sequences), [{"name": f"{name}-b", "last_value": 1}])


async def _steps(count: int) -> None:
    """Let the loop turn ``count`` times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_writers_cancelled_at_any_moment_write_both_rows_or_none(database: Database):
    dice = random.Random(5)
    for turn in range(TURNS):
        writing = asyncio.create_task(_write_pair(database, f"t{turn}"))
        await _steps(dice.randrange(MOST_STEPS))
        writing.cancel()
        await asyncio.wait([writing])
    async with asyncio.timeout(60):
        await _write_pair(database, "last")
    async with database.reading() as connection:
        found = set((await connection.execute(select(number_sequences.c.name))).scalars())
    assert {"last-a", "last-b"} <= found
    assert {name[:-2] for name in found if name.endswith("-a")} == {name[:-2] for name in found if name.endswith("-b")}


async def test_readers_cancelled_at_any_moment_give_their_connections_back(database: Database):
    dice = random.Random(6)

    async def read() -> None:
        async with database.reading() as connection:
            await connection.execute(select(number_sequences.c.name))

    for _ in range(TURNS):
        readers = [asyncio.create_task(read()) for _ in range(12)]
        await _steps(dice.randrange(MOST_STEPS))
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)
    async with asyncio.timeout(60):
        await asyncio.gather(*(read() for _ in range(12)))
