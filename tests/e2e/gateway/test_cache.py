"""Answers of subgraphs that are kept: by fetch, by entity, as long as somebody says. Real servers on loopback."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.bootstrap import Gateway
from tests.support.kept_world import KeptWorld
from tests.support.testkit import TestGateway, TestSubgraphs

PRODUCTS = "{ products { upc name stock } }"
ALL = [
    {"upc": "table", "name": "Table", "stock": 1},
    {"upc": "chair", "name": "Chair", "stock": 2},
    {"upc": "lamp", "name": "Lamp", "stock": 3},
]


async def ask(gateway: Gateway, query: str, variables: dict | None = None, **more) -> dict:
    result = await gateway.execute(query, variables, **more)
    assert result.errors == []
    return result.data


async def test_what_is_kept_is_not_asked_for_again():
    world = KeptWorld()
    async with world.kit().build() as gateway:
        for _ in range(3):
            assert await ask(gateway, PRODUCTS) == {"products": ALL}
    assert (len(world.catalog.requests), len(world.stock.requests)) == (1, 1)


async def test_nothing_is_kept_while_the_cache_is_off():
    world = KeptWorld()
    async with world.kit(store="none").build() as gateway:
        for _ in range(2):
            await ask(gateway, PRODUCTS)
    assert (len(world.catalog.requests), len(world.stock.requests)) == (2, 2)


async def test_an_entity_is_kept_for_every_fetch_that_selects_the_same_of_it():
    world = KeptWorld()
    async with world.kit().build() as gateway:
        await ask(gateway, '{ product(upc: "chair") { upc stock } }')
        assert await ask(gateway, PRODUCTS) == {"products": ALL}
        assert world.stock.asked == [["chair"], ["table", "lamp"]]
        other = "query Other($upc: ID!) { product(upc: $upc) { stock } }"
        assert await ask(gateway, other, {"upc": "lamp"}) == {"product": {"stock": 3}}
    assert len(world.stock.requests) == 2


async def test_what_is_selected_otherwise_or_with_other_arguments_is_asked_for():
    world = KeptWorld()
    async with world.kit().build() as gateway:
        query = 'query Q($place: String) { product(upc: "lamp") { stock(place: $place) } }'
        await ask(gateway, query, {"place": "a"})
        await ask(gateway, query, {"place": "b"})
        await ask(gateway, '{ product(upc: "lamp") { stock watched } }')
        await ask(gateway, query, {"place": "a"})
    assert len(world.stock.requests) == 3


async def test_an_entity_that_is_not_there_is_asked_for_again():
    world = KeptWorld()
    del world.stocks["lamp"]
    world.stock._entity = lambda key, headers: None
    async with world.kit().build() as gateway:
        for _ in range(2):
            assert await ask(gateway, '{ product(upc: "lamp") { stock } }') == {"product": {"stock": None}}
    assert len(world.stock.requests) == 2


@pytest.mark.parametrize(
    ("says", "age", "ttl", "is_kept"),
    [
        pytest.param("max-age=60", None, None, True, id="its header says how long"),
        pytest.param("s-maxage=60, max-age=0", None, None, True, id="s-maxage is for caches such as this"),
        pytest.param(None, None, None, False, id="nobody says how long"),
        pytest.param("public", None, None, False, id="a scope is no lifetime"),
        pytest.param(None, None, "1m", True, id="the settings say how long"),
        pytest.param("public", None, "1m", True, id="the settings say what the header leaves out"),
        pytest.param("max-age=0", None, "1m", False, id="its header goes before the settings"),
        pytest.param("no-store", None, "1m", False, id="no-store"),
        pytest.param("no-cache", None, "1m", False, id="no-cache"),
        pytest.param("max-age=60", "60", None, False, id="it is too old on arrival"),
        pytest.param("private, max-age=60", None, None, False, id="it is private, and nobody is known"),
    ],
)
async def test_an_answer_is_kept_as_long_as_somebody_says(says, age, ttl, is_kept):
    world = KeptWorld()
    world.catalog.says, world.catalog.age = says, age
    settings = {} if ttl is None else {"subgraphs": {"catalog": {"ttl": ttl}}}
    async with world.kit(**settings).build() as gateway:
        for _ in range(2):
            await ask(gateway, "{ products { name } }")
    assert len(world.catalog.requests) == (1 if is_kept else 2)


async def test_a_subgraph_that_the_settings_leave_out_is_always_asked():
    world = KeptWorld()
    async with world.kit(subgraphs={"catalog": {"enabled": False}}).build() as gateway:
        for _ in range(2):
            await ask(gateway, PRODUCTS)
    assert (len(world.catalog.requests), len(world.stock.requests)) == (2, 1)


async def test_answers_with_errors_are_not_kept():
    world = KeptWorld()
    async with world.kit().build() as gateway:
        for _ in range(2):
            result = await gateway.execute("{ fault products { upc } }")
            assert [error["path"] for error in result.errors] == [["fault"]]
    assert len(world.catalog.requests) == 2


async def test_an_error_of_a_missing_entity_is_told_at_its_own_place():
    world = KeptWorld()
    world.names["cursed"] = "Cursed"
    async with world.kit().build() as gateway:
        await ask(gateway, '{ product(upc: "table") { stock } }')
        for _ in range(2):
            result = await gateway.execute(PRODUCTS)
            assert result.data == {"products": [*ALL, {"upc": "cursed", "name": "Cursed", "stock": None}]}
            assert [error["path"] for error in result.errors] == [["products", 3]]
    assert world.stock.asked == [["table"], ["chair", "lamp", "cursed"], ["chair", "lamp", "cursed"]]


async def test_more_entities_than_were_missing_are_an_error_and_nothing_of_them_is_kept():
    world = KeptWorld()
    answer = world.stock._answer

    def cut(body, headers):
        return (
            answer(body, headers).replace(b'},{"', b'},null,{"')
            if len(world.stock.requests) > 1
            else answer(body, headers)
        )

    world.stock._answer = cut
    async with world.kit().build() as gateway:
        await ask(gateway, '{ product(upc: "table") { stock } }')
        for _ in range(2):
            result = await gateway.execute(PRODUCTS)
            assert [error["extensions"]["code"] for error in result.errors] == ["SUBGRAPH_MALFORMED"]
            assert [item["stock"] for item in result.data["products"]] == [None, None, None]
    assert world.stock.asked == [["table"], ["chair", "lamp"], ["chair", "lamp"]]


async def test_those_who_miss_the_same_at_once_wait_for_one_fetch():
    world = KeptWorld()
    world.catalog.gate.clear()
    async with world.kit().build() as gateway:
        asking = [asyncio.create_task(ask(gateway, "{ products { upc name } }")) for _ in range(5)]
        await world.catalog.seen.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        world.catalog.gate.set()
        answers = await asyncio.gather(*asking)
    assert answers == [{"products": [{"upc": one["upc"], "name": one["name"]} for one in ALL]}] * 5
    assert len(world.catalog.requests) == 1


async def test_mutations_are_never_answered_from_what_is_kept():
    world = KeptWorld()
    async with world.kit().build() as gateway:
        for name in ("one", "two"):
            change = 'mutation M($name: String!) { rename(upc: "lamp", name: $name) { name stock } }'
            assert await ask(gateway, change, {"name": name}) == {"rename": {"name": name, "stock": 3}}
    assert (len(world.catalog.requests), len(world.stock.requests)) == (2, 2)


async def test_what_was_kept_is_never_changed_by_what_an_operation_makes_of_it():
    world = KeptWorld()
    async with world.kit().build() as gateway:
        for _ in range(2):
            assert await ask(gateway, PRODUCTS) == {"products": ALL}
            assert await ask(gateway, "{ products { upc name } }") == {
                "products": [{"upc": one["upc"], "name": one["name"]} for one in ALL]
            }


async def test_an_answer_in_parts_is_made_of_what_is_kept_too_and_its_mutations_count():
    world = KeptWorld()
    query = "{ products { name ... @defer { stock } } }"
    change = 'mutation { rename(upc: "lamp", name: "Light") { upc ... @defer { stock } } }'
    async with world.kit().build() as gateway:

        async def stocks() -> list[int]:
            parts = [part async for part in gateway.deliver(query)]
            return [patch.data["stock"] for part in parts[1:] for patch in part.patches]

        assert [await stocks(), await stocks()] == [[1, 2, 3], [1, 2, 3]]
        assert len(world.stock.requests) == 1
        world.stocks["lamp"] = 7
        assert [part async for part in gateway.deliver(change)]
        assert await stocks() == [1, 2, 7]


async def test_what_completes_the_events_of_a_subscription_is_always_asked_for():
    reviews = Counted(TestSubgraphs.shop().apps["reviews"])
    shop = TestSubgraphs.shop()
    kit = TestGateway(replace(shop, apps={**shop.apps, "reviews": reviews}))
    cache = {"store": "memory", "subgraphs": {"reviews": {"ttl": "1h"}}}
    async with kit.with_settings(cache=cache).build() as gateway:
        text = 'subscription { priceChanged(upcs: ["table", "table"]) { reviews { body } } }'
        events = [event async for event in gateway.subscribe(text)]
        assert [event.errors for event in events] == [[], []]
        assert reviews.requests == 2
        for _ in range(2):
            await ask(gateway, "{ products { reviews { body } } }")
        assert reviews.requests == 3


class Counted:
    """An application that counts the requests that it gets."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.requests = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests += scope["type"] == "http"
        await self._app(scope, receive, send)
