"""Others than clients say what has changed: by request, and by messages in a Redis stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import redis.asyncio

from gateway.config import settings_from
from tests.support.kept_world import KeptWorld
from tests.support.relay import relayed
from tests.support.serving import serve_asgi
from tests.support.testkit import TestGateway

KEY = "the key that invalidates"
SHOWN = {"authorization": f"Bearer {KEY}"}
PATH = "/cache/invalidate"
LAMP = '{ product(upc: "lamp") { upc stock } }'
ENTITY = {"kind": "entity", "type": "Product", "key": {"upc": "lamp"}}


@asynccontextmanager
async def served(kit: TestGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with kit.serve() as address, httpx.AsyncClient(base_url=address, timeout=30) as client:
        yield client


async def stock(client: httpx.AsyncClient) -> int:
    answer = (await client.post("/graphql", json={"query": LAMP})).json()
    assert "errors" not in answer
    found: int = answer["data"]["product"]["stock"]
    return found


def kit(world: KeptWorld, **more) -> TestGateway:
    return world.kit(invalidation={"key": KEY}, **more)


@pytest.mark.parametrize(
    ("invalidation", "asked_again"),
    [
        pytest.param({"kind": "subgraph", "subgraph": "catalog"}, {"catalog"}, id="a subgraph"),
        pytest.param({"kind": "type", "type": "Product"}, {"catalog", "stock"}, id="a type"),
        pytest.param({"kind": "type", "type": "User"}, set(), id="another type"),
        pytest.param(ENTITY, {"catalog", "stock"}, id="an entity"),
        pytest.param({**ENTITY, "key": {"upc": "table"}}, set(), id="another entity"),
        pytest.param({"kind": "all"}, {"catalog", "stock"}, id="everything"),
        pytest.param([{"kind": "type", "type": "User"}, ENTITY], {"catalog", "stock"}, id="a list"),
    ],
)
async def test_a_request_with_the_key_invalidates(invalidation, asked_again):
    world = KeptWorld()
    async with served(kit(world)) as client:
        await stock(client)
        answer = await client.post(PATH, json=invalidation, headers=SHOWN)
        assert answer.status_code == 202
        assert answer.json()["tags"] >= 1
        world.catalog.requests.clear()
        world.stock.requests.clear()
        await stock(client)
    found = {name for name, one in (("catalog", world.catalog), ("stock", world.stock)) if one.requests}
    assert found == asked_again


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer another key"}, {"authorization": KEY}, {"authorization": "Bearer \u00e9"}]
)
async def test_a_request_without_the_key_is_refused(headers):
    world = KeptWorld()
    async with served(kit(world)) as client:
        await stock(client)
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = await client.post(PATH, json={"kind": "all"}, headers=raw)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
        await stock(client)
    assert len(world.catalog.requests) == 1


async def test_without_a_key_in_the_settings_nobody_is_listened_to():
    async with served(KeptWorld().kit()) as client:
        assert (await client.post(PATH, json={"kind": "all"}, headers=SHOWN)).status_code == 404


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "1 to 1000"),
        (b"1", "must be an object whose kind is one of"),
        (b'{"kind": "planet"}', "must be an object whose kind is one of"),
        (b'{"kind": "all", "subgraph": "catalog"}', "must have nothing besides kind"),
        (b'{"kind": "subgraph"}', "must have subgraph besides kind"),
        (b'{"kind": "subgraph", "subgraph": "moon"}', "'moon' is not in the supergraph"),
        (b'{"kind": "type", "type": "Moon"}', "'Moon' is not in the supergraph"),
        (b'{"kind": "type", "type": {}}', "is not in the supergraph"),
        (b'{"kind": "entity", "type": "Query", "key": {}}', "'Query' is not in the supergraph"),
        (b'{"kind": "entity", "type": "Product", "key": {"id": "1"}}', "one key of Product and no others: upc"),
        (b'{"kind": "entity", "type": "Product", "key": {"upc": {}}}', "one key of Product and no others: upc"),
        (b'{"kind": "entity", "type": "Product", "key": "lamp"}', "one key of Product and no others: upc"),
        (b'{"kind": "tag", "tag": 1}', "tag must be a string"),
        (b"[" + b'{"kind": "all"},' * 1000 + b'{"kind": "all"}]', "1 to 1000"),
    ],
)
async def test_what_means_nothing_is_refused_with_the_reason(body, told):
    async with served(kit(KeptWorld())) as client:
        answer = await client.post(PATH, content=body, headers=SHOWN)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert told in error["message"]


async def test_a_body_without_end_is_refused():
    async with served(kit(KeptWorld())) as client:
        answer = await client.post(PATH, content=b" " * 300_000, headers=SHOWN)
    assert answer.status_code == 413


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await is_so():
            pass


async def told(client: redis.asyncio.Redis, invalidation: object) -> None:
    await client.xadd("changes", {"invalidate": json.dumps(invalidation)})


@pytest.mark.parametrize("store", ["memory", "redis"])
async def test_every_process_follows_the_stream(store, redis_url):
    world = KeptWorld()
    kit = world.kit(store=store, timeout="30s", invalidation={"stream": "changes"})
    kit = kit.with_settings(redis={"url": redis_url})
    async with served(kit) as one, served(kit) as other, redis.asyncio.Redis.from_url(redis_url) as writer:
        assert [await stock(one), await stock(other)] == [3, 3]
        world.stocks["lamp"] = 7

        async def both_know() -> bool:
            await told(writer, {"kind": "nonsense"})
            await told(writer, ENTITY)
            return [await stock(one), await stock(other)] == [7, 7]

        await until(both_know)


async def test_messages_that_were_missed_invalidate_everything(redis_url):
    world = KeptWorld()
    async with relayed(redis_url) as relay, redis.asyncio.Redis.from_url(redis_url) as writer:
        await told(writer, {"kind": "type", "type": "User"})
        kit = world.kit(invalidation={"stream": "changes"}).with_settings(redis={"url": relay.url})
        async with served(kit) as client:
            assert await stock(client) == 3

            async def is_followed() -> bool:
                world.stocks["lamp"] += 1
                await told(writer, ENTITY)
                return await stock(client) == world.stocks["lamp"]

            await until(is_followed)
            await relay.stop()
            world.stocks["lamp"] = 100
            await told(writer, ENTITY)
            await told(writer, {"kind": "type", "type": "User"})
            await writer.xtrim("changes", maxlen=1, approximate=False)
            await relay.start()

            async def is_told() -> bool:
                return await stock(client) == 100

            await until(is_told)


async def test_what_outlives_the_processes_is_invalidated_by_messages_that_came_meanwhile(redis_url):
    world = KeptWorld()
    kit = world.kit(store="redis", timeout="30s", invalidation={"stream": "changes"})
    kit = kit.with_settings(redis={"url": redis_url})
    async with redis.asyncio.Redis.from_url(redis_url) as writer:
        async with served(kit) as client:
            await stock(client)

            async def has_a_place() -> bool:
                await told(writer, {"kind": "type", "type": "User"})
                return await writer.get("crossdock:cache:position:changes") is not None

            await until(has_a_place)
        world.stocks["lamp"] = 7
        await told(writer, ENTITY)
        async with served(kit) as client:

            async def is_told() -> bool:
                return await stock(client) == 7

            await until(is_told)


async def test_a_change_of_settings_keeps_what_is_kept_unless_it_is_about_the_cache():
    world = KeptWorld()
    before = kit(world)
    settings = {**before.settings, "limits": {"max_tokens": 500}}
    async with before.build() as gateway:
        await gateway.execute(LAMP)
        await gateway.change_settings(settings_from(settings, {}))
        await gateway.execute(LAMP)
        assert len(world.catalog.requests) == 1
        other = {**settings, "cache": {"store": "memory", "max_entries": 10}}
        await gateway.change_settings(settings_from(other, {}))
        for _ in range(2):
            await gateway.execute(LAMP)
        assert len(world.catalog.requests) == 2
        await gateway.change_settings(settings_from({**other, "cache": {"store": "none"}}, {}))
        for _ in range(2):
            await gateway.execute(LAMP)
    assert len(world.catalog.requests) == 4


async def test_the_stream_is_followed_from_a_change_of_settings_on(redis_url):
    world = KeptWorld()
    off = world.kit(store="none").with_settings(redis={"url": redis_url})
    on = {**off.settings, "cache": {"store": "memory", "invalidation": {"stream": "changes"}}}
    async with off.build() as gateway, serve_asgi(gateway.asgi) as address:
        await gateway.change_settings(settings_from(on, {}))
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            assert await stock(client) == 3
            world.stocks["lamp"] = 7
            async with redis.asyncio.Redis.from_url(redis_url) as writer:

                async def is_told() -> bool:
                    await told(writer, ENTITY)
                    return await stock(client) == 7

                await until(is_told)
