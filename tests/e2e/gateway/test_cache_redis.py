"""A cache in Redis: for all processes of a gateway, and of no importance to a request when it is slow or gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import redis

from gateway.bootstrap import Gateway
from tests.support.kept_world import KeptWorld
from tests.support.relay import Relay, relayed
from tests.support.testkit import TestGateway

PRODUCTS = "{ products { upc name stock } }"
NAMES = "{ products { name } }"
ANSWER = {
    "products": [
        {"upc": "table", "name": "Table", "stock": 1},
        {"upc": "chair", "name": "Chair", "stock": 2},
        {"upc": "lamp", "name": "Lamp", "stock": 3},
    ]
}


@pytest.fixture
async def relay(redis_url: str) -> AsyncIterator[Relay]:
    async with relayed(redis_url) as relay:
        yield relay


def kit(world: KeptWorld, relay: Relay, timeout: str = "30s", **more) -> TestGateway:
    return world.kit(store="redis", timeout=timeout).with_settings(redis={"url": relay.url}, **more)


async def ask(gateway: Gateway, query: str = PRODUCTS) -> None:
    result = await gateway.execute(query)
    assert (result.data, result.errors) == (ANSWER, [])


async def test_what_one_process_was_answered_every_other_one_has(relay):
    world = KeptWorld()
    async with kit(world, relay).build() as one, kit(world, relay).build() as other:
        await ask(one)
        await ask(other)
        await ask(one)
    assert (len(world.catalog.requests), len(world.stock.requests)) == (1, 1)


async def test_a_fetch_costs_one_round_trip_to_look_and_one_to_keep(relay):
    world = KeptWorld()
    async with kit(world, relay).build() as gateway:
        await gateway.execute('{ product(upc: "none") { stock } }')  # opens a connection, which says hello
        before = relay.passed
        await ask(gateway)
        assert relay.passed - before == 4, "two fetches"
        await ask(gateway)
        assert relay.passed - before == 6


async def until_kept(gateway: Gateway, world: KeptWorld) -> None:
    """Ask until an answer comes without the subgraphs."""
    async with asyncio.timeout(30):
        while True:
            before = len(world.catalog.requests) + len(world.stock.requests)
            await ask(gateway)
            if len(world.catalog.requests) + len(world.stock.requests) == before:
                return


async def test_redis_gone_while_running_costs_the_cache_only_and_it_is_used_again_when_it_is_back(relay):
    world = KeptWorld()
    async with kit(world, relay).build() as gateway:
        await ask(gateway)
        await relay.stop()
        for _ in range(10):
            await ask(gateway)
        assert len(world.catalog.requests) == 11
        await relay.start()
        await until_kept(gateway, world)


async def test_redis_gone_at_the_start_costs_the_cache_only(relay):
    world = KeptWorld()
    await relay.stop()
    async with kit(world, relay).build() as gateway:
        for _ in range(3):
            await ask(gateway)
        assert len(world.catalog.requests) == 3
        await relay.start()
        await until_kept(gateway, world)


async def test_a_stalled_redis_is_waited_for_once_and_then_left_alone_for_a_while(relay):
    world = KeptWorld()
    async with kit(world, relay, timeout="200ms").build() as gateway:
        await until_kept(gateway, world)
        relay.stall()
        started = time.monotonic()
        for _ in range(50):
            await ask(gateway)
        assert time.monotonic() - started < 9, "with a wait for each, 100 fetches would take 20 s and more"
        relay.resume()
        await until_kept(gateway, world)


async def test_equal_requests_in_flight_are_shared_without_redis_too(relay):
    world = KeptWorld()
    await relay.stop()
    async with kit(world, relay).build() as gateway:
        await gateway.execute(NAMES)  # from now on Redis is left alone for a moment
        world.catalog.gate.clear()
        asking = [asyncio.create_task(gateway.execute(NAMES)) for _ in range(5)]
        for _ in range(20):
            await asyncio.sleep(0)
        world.catalog.gate.set()
        await asyncio.gather(*asking)
    assert len(world.catalog.requests) == 2


async def test_what_cannot_be_read_in_redis_is_no_trouble(relay, redis_url):
    world = KeptWorld()
    async with kit(world, relay).build() as gateway:
        await ask(gateway)
        with redis.Redis.from_url(redis_url) as client:
            for key in client.keys("crossdock:cache:*"):
                client.delete(key)
                client.hset(key, "not", "ours")
        await ask(gateway)
    assert len(world.catalog.requests) == 2
