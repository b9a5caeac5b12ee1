"""Fetches that several wait for."""

from __future__ import annotations

import asyncio

import pytest

from gateway.cache.flights import Flights
from gateway.cache.keeping import jittered


class Far:
    """Something slow that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()
        self.was_cancelled = False

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return number


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def board(flights: Flights[int], far: Far, *, now: int = 10, changed_at: int = 0) -> asyncio.Task[int]:
    return asyncio.create_task(flights.run(b"k", now, changed_at, far))


async def test_equal_fetches_are_made_once():
    flights: Flights[int] = Flights()
    far = Far()
    waiting = [board(flights, far) for _ in range(3)]
    await settle()
    far.gate.set()
    assert await asyncio.gather(*waiting) == [1, 1, 1]
    assert await board(flights, far) == 2, "nothing is kept once it has landed"


async def test_one_who_asks_after_a_change_does_not_wait_for_what_began_before():
    flights: Flights[int] = Flights()
    far = Far()
    early = board(flights, far, now=10)
    await settle()
    late = [board(flights, far, now=20, changed_at=10), board(flights, far, now=21, changed_at=10)]
    await settle()
    far.gate.set()
    assert (await early, await asyncio.gather(*late)) == (1, [2, 2])


async def test_one_who_gives_up_leaves_the_others_waiting():
    flights: Flights[int] = Flights()
    far = Far()
    first, second = board(flights, far), board(flights, far)
    await settle()
    first.cancel()
    await settle()
    assert not far.was_cancelled
    far.gate.set()
    assert await second == 1


async def test_a_fetch_that_nobody_waits_for_any_more_is_given_up():
    flights: Flights[int] = Flights()
    far = Far()
    only = board(flights, far)
    await settle()
    only.cancel()
    await asyncio.gather(only, return_exceptions=True)
    await settle()
    assert far.was_cancelled
    far.gate.set()
    assert await board(flights, far) == 2


async def test_a_failure_is_told_to_all_who_wait():
    flights: Flights[int] = Flights()

    async def fail() -> int:
        await asyncio.sleep(0)
        raise ValueError("no")

    waiting = [asyncio.create_task(flights.run(b"k", 10, 0, fail)) for _ in range(2)]
    assert [str(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == ["no", "no"]


@pytest.mark.parametrize(("jitter", "least"), [(0.0, 10.0), (0.5, 5.0)])
def test_a_lifetime_ends_up_to_its_jitter_earlier(jitter, least):
    found = [jittered(10.0, jitter) for _ in range(200)]
    assert all(least <= one <= 10.0 for one in found)
    assert (len(set(found)) > 1) is (jitter > 0)
