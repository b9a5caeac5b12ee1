"""What clients find after a change: their own writes at once, and nobody what the change has made stale."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway.bootstrap import Gateway
from gateway.server.principal import Principal
from gateway.server.request import RequestContext
from tests.support.kept_world import KeptWorld
from tests.support.relay import relayed

ANN, BO = RequestContext(Principal("ann")), RequestContext(Principal("bo"))
NOBODY = RequestContext()
LAMP = '{ product(upc: "lamp") { upc name } }'
ALL = "{ products { upc name } }"
STOCK = '{ product(upc: "lamp") { stock } }'
RENAME = 'mutation { rename(upc: "lamp", name: "Light") { upc name } }'
KEYLESS = 'mutation { rename(upc: "lamp", name: "Light") { name } }'
LOCK = "mutation { lock }"


@dataclass
class Setup:
    """Two processes of one gateway; in memory they are the same one."""

    world: KeptWorld
    one: Gateway
    other: Gateway


@asynccontextmanager
async def served(store: str, request: pytest.FixtureRequest, **cache) -> AsyncIterator[Setup]:
    world = KeptWorld()
    kit = world.kit(store=store, timeout="30s", **cache)
    if store == "redis":
        kit = kit.with_settings(redis={"url": request.getfixturevalue("redis_url")})
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(kit.build())
        other = await stack.enter_async_context(kit.build()) if store == "redis" else one
        yield Setup(world, one, other)


@pytest.fixture(params=["memory", "redis"])
async def setup(request: pytest.FixtureRequest) -> AsyncIterator[Setup]:
    async with served(request.param, request) as setup:
        yield setup


async def ask(gateway: Gateway, query: str, context: RequestContext = NOBODY):
    result = await gateway.execute(query, context=context)
    assert result.errors == []
    return next(iter(result.data.values()))


async def lamp(gateway: Gateway, context: RequestContext = NOBODY) -> str:
    return (await ask(gateway, LAMP, context))["name"]


async def lamp_of_all(gateway: Gateway, context: RequestContext = NOBODY) -> str:
    return (await ask(gateway, ALL, context))[2]["name"]


async def test_an_entity_that_a_mutation_answers_is_found_by_nobody_any_more(setup):
    assert [await lamp(setup.one), await lamp_of_all(setup.other)] == ["Lamp", "Lamp"]
    await ask(setup.one, RENAME)
    assert [await lamp(setup.other), await lamp_of_all(setup.one)] == ["Light", "Light"]


async def test_an_entity_that_comes_without_its_key_takes_all_of_its_type_along(setup):
    assert await lamp(setup.one) == "Lamp"
    await ask(setup.one, KEYLESS)
    assert await lamp(setup.other) == "Light"


async def test_what_a_mutation_does_not_touch_stays(setup):
    await ask(setup.one, '{ product(upc: "table") { upc name } }')
    await ask(setup.one, RENAME)
    before = len(setup.world.catalog.requests)
    await ask(setup.other, '{ product(upc: "table") { upc name } }')
    assert len(setup.world.catalog.requests) == before


async def test_the_entities_of_other_subgraphs_go_with_their_key(setup):
    assert (await ask(setup.one, STOCK))["stock"] == 3
    setup.world.stocks["lamp"] = 7
    await ask(setup.one, RENAME)
    assert (await ask(setup.other, STOCK))["stock"] == 7


async def test_a_principal_reads_its_own_write_in_every_process_and_others_what_is_kept(setup):
    """What the mutation answers tells nothing of what it changes."""
    assert await lamp(setup.one, ANN) == "Lamp"
    setup.world.names["lamp"] = "Light"
    await ask(setup.one, LOCK, ANN)
    assert await lamp(setup.other, BO) == "Lamp"
    assert await lamp(setup.other, ANN) == "Light"
    assert await lamp(setup.other, BO) == "Light", "what the one reads anew is kept for all"


async def test_what_a_principal_reads_after_its_write_is_kept_again(setup):
    await ask(setup.one, LOCK, ANN)
    await lamp(setup.one, ANN)
    before = len(setup.world.catalog.requests)
    await lamp(setup.other, ANN)
    assert len(setup.world.catalog.requests) == before


async def test_a_mutation_that_fails_counts_too(setup):
    assert await lamp(setup.one, ANN) == "Lamp"
    answer = setup.world.catalog._answer
    setup.world.names["lamp"] = "Light"
    setup.world.catalog._answer = lambda *_: b"<html>"
    assert (await setup.one.execute(LOCK, context=ANN)).errors
    setup.world.catalog._answer = answer
    assert await lamp(setup.other, ANN) == "Light"


async def test_a_mutation_that_is_given_up_counts_too(setup):
    assert await lamp(setup.one, ANN) == "Lamp"
    catalog = setup.world.catalog
    catalog.gate.clear()
    catalog.seen.clear()
    mutation = asyncio.create_task(setup.one.execute(LOCK, context=ANN))
    await catalog.seen.wait()
    mutation.cancel()
    await asyncio.gather(mutation, return_exceptions=True)
    catalog.gate.set()
    setup.world.names["lamp"] = "Light"
    assert await lamp(setup.other, ANN) == "Light"


async def test_an_answer_that_was_on_its_way_during_a_change_is_neither_kept_nor_waited_for(setup):
    catalog = setup.world.catalog
    catalog.gate.clear()
    late = asyncio.create_task(lamp(setup.one))
    await catalog.seen.wait()
    gate, catalog.gate = catalog.gate, asyncio.Event()
    catalog.gate.set()
    await ask(setup.one, RENAME)
    assert await lamp(setup.one) == "Light", "it began anew"
    gate.set()
    assert await late == "Lamp"
    assert [await lamp(setup.one), await lamp(setup.other)] == ["Light", "Light"]


@pytest.mark.parametrize("store", ["memory", "redis"])
async def test_own_writes_are_not_looked_after_when_the_settings_do_not_want_it(store, request):
    async with served(store, request, read_own_writes=False) as setup:
        assert await lamp(setup.one, ANN) == "Lamp"
        await ask(setup.one, RENAME, ANN)
        assert await lamp(setup.other, ANN) == "Lamp"


async def test_a_change_that_redis_could_not_be_told_is_told_as_soon_as_it_answers(redis_url):
    world = KeptWorld()
    async with relayed(redis_url) as relay:
        kit = world.kit(store="redis", timeout="30s")
        cut, whole = kit.with_settings(redis={"url": relay.url}), kit.with_settings(redis={"url": redis_url})
        async with cut.build() as one, whole.build() as other:
            assert [await lamp(one), await lamp(other)] == ["Lamp", "Lamp"]
            await relay.stop()
            await ask(one, RENAME)
            assert await lamp(one) == "Light", "it finds nothing while the change is not told"
            await relay.start()
            async with asyncio.timeout(30):
                while await lamp(other) != "Light":
                    await lamp(one)
            assert await lamp(one) == "Light"
