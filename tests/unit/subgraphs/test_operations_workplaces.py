"""Operations see the tasks, dead letters, processes and stories of orders that have to do with their warehouses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.server.principal import Principal
from resolvers.operations.ports import OperationsPorts
from resolvers.rows import RowRules
from schema.enums import SourceSystem
from schema.records.accounts import Territory
from subgraphs.operations.app import build_operations
from systems.health import HealthBoard
from tests.support import subgraph_requests as requests
from tests.support.no_desk import NoDesk
from tests.support.order_records import recorded, set_aside, told
from tests.support.platform_records import HOUR, letter, process, quote, task
from tests.support.process_world import ProcessWorld, process_world
from tests.support.subgraph_requests import CLAIMS, warehouse_worker

WEST, EAST, EVERYWHERE = warehouse_worker("W01"), warehouse_worker("W02"), warehouse_worker("*")
REP = Principal("user:rob", frozenset(), claims=(("roles", ("SALES",)), ("territories", ("ter_1",))))
TASKS = "query ($a: String) { exceptionTasks(first: 2, after: $a) { nodes { id } totalCount pageInfo { endCursor } } }"
LETTERS = "query ($a: String) { deadLetters(first: 2, after: $a) { nodes { id } totalCount pageInfo { endCursor } } }"


@dataclass
class Desk:
    """The subgraph over a world with an order of each of two warehouses, and one of none."""

    world: ProcessWorld
    app: Any

    async def pages(self, query: str, who: Any) -> tuple[list[list[str]], int]:
        """Return the ids of the first two pages, and the total that both tell."""
        first = next(iter((await requests.data(self.app, query, who)).values()))
        second = next(iter((await requests.data(self.app, query, who, a=first["pageInfo"]["endCursor"])).values()))
        assert first["totalCount"] == second["totalCount"]
        return [[node["id"] for node in page["nodes"]] for page in (first, second)], first["totalCount"]

    async def told(self, kind: str, identifier: str, who: Any) -> list[str] | None:
        """Return the ids of the events in a story, None when there is none to be seen."""
        fields = f"... on {kind} {{ lineage {{ nodes {{ eventId }} }} }}"
        named = {"__typename": kind, "id": identifier}
        found = (await requests.entities(self.app, fields, named, who=who))[0]["lineage"]
        return None if found is None else [node["eventId"] for node in found["nodes"]]


@pytest.fixture
async def desk(sqlite_url: str) -> AsyncIterator[Desk]:
    async with process_world(sqlite_url) as world:
        use = world.use
        ports = OperationsPorts(
            processes=use.process_log,
            tasks=use.tasks,
            dead_letters=use.dead_letters,
            events=use.events,
            orders=use.orders,
            quotes=use.quotes,
            health=HealthBoard([SourceSystem.WMS]),
            clock=use.clock,
            facts=world.facts,
            desk=NoDesk(),
        )
        for count, codes in ((1, ("W01",)), (2, ("W02",)), (3, ())):
            await use.orders.create(set_aside(recorded(count, quote_id=f"quo_{count}"), *codes))
            await use.quotes.save(quote(count, order_id=f"ord_{count}"))
        yield Desk(world, build_operations(ports, CLAIMS, rows=RowRules(world.crm, use.clock)))


async def test_pages_of_tasks_are_full_and_counted_for_each_warehouse(desk: Desk):
    for count in range(1, 7):
        await desk.world.use.tasks.open_task(
            task(count, order_id=f"ord_{count % 3 + 1}", due_at=task().due_at + count * HOUR)
        )
    await desk.world.use.tasks.open_task(task(7, order_id=None, warehouse_code="W02", due_at=task().due_at))
    await desk.world.use.tasks.open_task(task(8, order_id="ord_1", warehouse_code="W02", due_at=task(9).due_at))
    await desk.world.use.tasks.open_task(task(9, order_id=None, due_at=task(12).due_at))
    assert await desk.pages(TASKS, WEST) == ([["tsk_3", "tsk_6"], []], 2)
    assert await desk.pages(TASKS, EAST) == ([["tsk_7", "tsk_1"], ["tsk_4", "tsk_8"]], 4)
    assert (await desk.pages(TASKS, EVERYWHERE))[1] == 9


async def test_pages_of_tasks_are_full_and_counted_for_each_territory(desk: Desk):
    crm, west = desk.world.crm, Territory("ter_1", "W", "West")
    crm.known["acc_2"] = replace(crm.known["acc_2"], territory=west)
    for count, account_id in enumerate(("acc_1", "acc_2", "acc_1", "acc_2", None, "acc_1"), start=1):
        await desk.world.use.tasks.open_task(task(count, account_id=account_id))
    assert await desk.pages(TASKS, REP) == ([["tsk_2", "tsk_4"], ["tsk_5"]], 3)


async def test_pages_of_dead_letters_are_full_and_counted_for_each_warehouse(desk: Desk):
    for count in range(1, 7):
        await desk.world.use.dead_letters.put(letter(count, order_id=f"ord_{count % 3 + 1}"))
    await desk.world.use.dead_letters.put(letter(7))
    assert await desk.pages(LETTERS, WEST) == ([["dl_3", "dl_6"], []], 2)
    assert (await desk.pages(LETTERS, EVERYWHERE))[1] == 7


@pytest.mark.parametrize(
    ("key", "is_seen"),
    [
        pytest.param("ord_1", True, id="of an order of its warehouse"),
        pytest.param("ord_2", False, id="of an order of another"),
        pytest.param("ord_3", False, id="of an order of none yet"),
        pytest.param("quo_1", False, id="of a quote"),
        pytest.param("acc_1", False, id="of an account"),
    ],
)
async def test_a_process_is_seen_with_its_order(desk: Desk, key: str, *, is_seen: bool):
    await desk.world.use.process_log.start(process(business_key=key))
    query = '{ process(id: "prc_1") { id } }'
    assert (await requests.data(desk.app, query, WEST))["process"] == ({"id": "prc_1"} if is_seen else None)
    assert (await requests.data(desk.app, query, EVERYWHERE))["process"] == {"id": "prc_1"}


async def test_stories_are_told_of_orders_of_its_warehouse_and_of_quotes_that_became_one(desk: Desk):
    of = {count: {"partition_key": f"ord_{count}", "correlation_id": f"quo_{count}"} for count in (1, 2)}
    at_quote = {"partition_key": "quo_1", "correlation_id": "quo_1"}
    await desk.world.use.events.append(
        [
            told("quoted", "quote.created", **at_quote),
            told("one", **of[1]),
            told("two", **of[2]),
            told("renamed", "account.changed", partition_key="acc_1", correlation_id="acc_1"),
            told("drift", "inventory.drift.detected", partition_key="P:W01", correlation_id="WMS:1", account_id=None),
        ]
    )
    assert await desk.told("Order", "ord_1", WEST) == ["quoted", "one"]
    assert await desk.told("Quote", "quo_1", WEST) == ["quoted", "one"]
    assert [await desk.told(kind, name, WEST) for kind, name in (("Order", "ord_2"), ("Quote", "quo_2"))] == [
        None,
        None,
    ]
    assert await desk.told("Account", "acc_1", WEST) == ["one", "renamed"]
    assert await desk.told("Account", "acc_1", EVERYWHERE) == ["quoted", "one", "two", "renamed"]
    query = "query ($id: ID!) { lineage(correlationId: $id) { eventId } }"
    assert (await requests.data(desk.app, query, WEST, id="WMS:1"))["lineage"] == []
    assert (await requests.data(desk.app, query, EVERYWHERE, id="WMS:1"))["lineage"] == [{"eventId": "drift"}]


async def test_the_orders_of_another_warehouse_under_one_quote_are_left_out_of_its_story(desk: Desk):
    await desk.world.use.orders.create(set_aside(recorded(4, quote_id="quo_1"), "W02"))
    at_quote = {"correlation_id": "quo_1"}
    await desk.world.use.events.append(
        [
            told("one", "order.received", **at_quote),
            told("four", "order.received", subject="ord_4", partition_key="ord_4", **at_quote),
        ]
    )
    assert await desk.told("Quote", "quo_1", WEST) == ["one"]
    assert await desk.told("Quote", "quo_1", EVERYWHERE) == ["one", "four"]


async def test_touches_are_counted_for_orders_of_its_warehouse(desk: Desk):
    named = [{"__typename": "Order", "id": f"ord_{count}"} for count in (1, 2)]
    found = await requests.entities(desk.app, "... on Order { touches }", *named, who=WEST)
    assert found == [{"touches": 0}, {"touches": None}]


async def test_figures_and_systems_are_those_of_the_whole_house(desk: Desk):
    query = '{ kpi(name: OTIF, from: "2026-03-01", to: "2026-03-02") { value } systems { system } }'
    assert await requests.data(desk.app, query, WEST) == await requests.data(desk.app, query, EVERYWHERE)
