"""Whole answers that are kept, and what clients are told of their use."""

from __future__ import annotations

import httpx
import pytest

from gateway.server.principal import Principal
from gateway.server.request import RequestContext
from tests.e2e.gateway.test_cache import ALL, PRODUCTS, ask
from tests.e2e.gateway.test_cache_invalidation import ENTITY, PATH, SHOWN, served
from tests.e2e.gateway.test_cache_privacy import ANN, BO, PASSES
from tests.support.kept_world import KeptWorld
from tests.support.testkit import TestGateway

METRICS = {"telemetry": {"metrics": True}}


def kit(world: KeptWorld, **more) -> TestGateway:
    return world.kit(answers=True, tell_clients=True, invalidation={"key": "the key that invalidates"}, **more)


async def hits(client: httpx.AsyncClient) -> int:
    """How many whole answers were found."""
    page = (await client.get("/metrics")).text
    wanted = 'gateway_cache_lookups_total{cache="answer",outcome="hit",subgraph=""}'
    return next((int(float(line.split()[-1])) for line in page.splitlines() if line.startswith(wanted)), 0)


async def post(client: httpx.AsyncClient, query: str, variables: dict | None = None, **headers: str) -> httpx.Response:
    answer = await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    assert "errors" not in answer.json()
    return answer


async def test_a_whole_answer_is_found_again_with_what_it_said():
    world = KeptWorld()
    async with served(kit(world).with_settings(**METRICS)) as client:
        answers = [(await post(client, PRODUCTS)).json() for _ in range(3)]
        assert answers == [{"data": {"products": ALL}}] * 3
        assert await hits(client) == 2
    assert (len(world.catalog.requests), len(world.stock.requests)) == (1, 1)


async def test_an_answer_belongs_to_its_operation_and_variables_and_not_to_how_they_are_written():
    world = KeptWorld()
    query = "query Q($upc: ID!, $all: Boolean = false) { product(upc: $upc) { name stock @include(if: $all) } }"
    async with served(kit(world).with_settings(**METRICS)) as client:
        assert (await post(client, query, {"upc": "lamp"})).json() == {"data": {"product": {"name": "Lamp"}}}
        assert (await post(client, query, {"upc": "table"})).json() == {"data": {"product": {"name": "Table"}}}
        both = (await post(client, query, {"upc": "lamp", "all": True})).json()
        assert both == {"data": {"product": {"name": "Lamp", "stock": 3}}}
        assert await hits(client) == 0
        await post(client, query, {"all": False, "upc": "lamp"})
        await post(client, query.replace(" { ", "  {\n"), {"upc": "lamp"})
        assert await hits(client) == 2


async def test_whole_answers_are_private_by_principal():
    world = KeptWorld()
    async with kit(world).with_settings(headers=PASSES).build() as gateway:
        for context, name in ((ANN, "ann"), (BO, "bo"), (ANN, "ann"), (RequestContext(), "nobody"), (BO, "bo")):
            assert await ask(gateway, "{ me { name } }", context=context) == {"me": {"name": name}}
    assert len(world.catalog.requests) == 3


async def test_a_denied_field_is_not_answered_from_what_another_principal_may_see():
    world = KeptWorld()
    world.catalog.says = "public, max-age=60"
    async with kit(world).build() as gateway:
        context = RequestContext(Principal("ann"))
        assert await ask(gateway, "{ me { secret } }", context=context) == {"me": {"secret": "secret of nobody"}}
        for _ in range(2):
            denied = await gateway.execute("{ me { secret } }")
            assert (denied.data, len(denied.errors)) == ({"me": {"secret": None}}, 1)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param('mutation { rename(upc: "lamp", name: "Light") { upc } }', id="one of many entities in it"),
        pytest.param('mutation { rename(upc: "lamp", name: "Light") { name } }', id="some entity of its type"),
    ],
)
async def test_a_mutation_hides_the_answers_that_hold_what_it_touches(change):
    world = KeptWorld()
    async with kit(world).build() as gateway:
        await ask(gateway, PRODUCTS)
        await ask(gateway, change)
        assert (await ask(gateway, PRODUCTS))["products"][2]["name"] == "Light"


async def test_a_principal_reads_its_own_write_in_whole_answers():
    world = KeptWorld()
    async with kit(world).build() as gateway:
        ann, bo = RequestContext(Principal("ann")), RequestContext(Principal("bo"))
        await ask(gateway, PRODUCTS, context=ann)
        world.names["lamp"] = "Light"
        await ask(gateway, "mutation { lock }", context=ann)
        assert (await ask(gateway, PRODUCTS, context=bo))["products"][2]["name"] == "Lamp"
        assert (await ask(gateway, PRODUCTS, context=ann))["products"][2]["name"] == "Light"


async def test_answers_about_very_many_entities_go_with_any_of_their_type():
    world = KeptWorld()
    world.names = {f"p{number}": "x" for number in range(200)} | {"lamp": "Lamp"}
    world.stocks = dict.fromkeys(world.names, 1)
    async with served(kit(world)) as client:
        await post(client, PRODUCTS)
        world.stocks["lamp"] = 7
        await client.post(PATH, json=ENTITY, headers=SHOWN)
        answer = (await post(client, PRODUCTS)).json()
        assert answer["data"]["products"][-1]["stock"] == 7
    assert [len(keys) for keys in world.stock.asked] == [201, 1]


@pytest.mark.parametrize(
    ("catalog", "stock", "told"),
    [
        pytest.param("max-age=60, public", "max-age=30, public", "max-age=30, public", id="the shortest part counts"),
        pytest.param("max-age=60, public", "max-age=90", "max-age=60, private", id="public only when all of it is"),
        pytest.param("max-age=60", "no-store", "no-store", id="a part must not be kept"),
        pytest.param("max-age=60", None, "no-store", id="nothing is said of a part"),
    ],
)
async def test_clients_are_told_how_long_an_answer_may_be_used(catalog, stock, told):
    world = KeptWorld()
    world.catalog.says, world.stock.says = catalog, stock
    async with served(kit(world)) as client:
        assert (await post(client, PRODUCTS)).headers["cache-control"] == told


async def test_an_answer_with_errors_and_one_to_a_mutation_are_not_for_keeping():
    world = KeptWorld()
    async with served(kit(world)) as client:
        for _ in range(2):
            answer = await client.post("/graphql", json={"query": "{ products { upc } fault }"})
            assert "errors" in answer.json()
            assert answer.headers["cache-control"] == "no-store"
        assert "cache-control" not in (await post(client, "mutation { lock }")).headers
    assert len(world.catalog.requests) == 3


async def test_an_answer_with_an_entity_that_is_not_there_is_not_kept():
    world = KeptWorld()
    entity = world.stock._entity
    world.stock._entity = lambda key, headers: None
    async with kit(world).build() as gateway:
        query = '{ product(upc: "lamp") { stock } }'
        assert await ask(gateway, query) == {"product": {"stock": None}}
        world.stock._entity = entity
        assert await ask(gateway, query) == {"product": {"stock": 3}}


async def test_an_answer_tells_its_age_as_it_was_kept():
    world = KeptWorld()
    world.catalog.says, world.catalog.age = "max-age=60, public", "20"
    async with served(kit(world)) as client:
        first, second = [await post(client, "{ products { name } }") for _ in range(2)]
    assert [first.headers["cache-control"], second.headers["cache-control"]] == ["max-age=40, public"] * 2
    assert "age" not in first.headers
    assert int(second.headers.get("age", "0")) < 40


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        pytest.param(None, "authorization, x-who, accept-language, cookie", id="all that are passed on"),
        pytest.param(["x-who"], "x-who, authorization, cookie", id="those of the setting, and credentials"),
    ],
)
async def test_clients_are_told_on_which_of_their_headers_an_answer_depends(vary, told):
    more = {} if vary is None else {"vary": vary}
    async with served(kit(KeptWorld(), **more).with_settings(headers=PASSES)) as client:
        assert (await post(client, PRODUCTS)).headers["vary"] == f"Accept, Accept-Encoding, {told}"


async def test_clients_are_told_nothing_where_the_settings_do_not_want_it():
    async with served(KeptWorld().kit(answers=True)) as client:
        for _ in range(2):
            assert "cache-control" not in (await post(client, PRODUCTS)).headers
