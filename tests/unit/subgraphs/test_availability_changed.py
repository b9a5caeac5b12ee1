"""The subscription of availability: what it tells, to whom, and from where it goes on; and stock without the WMS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from processes.inventory_sync import InventorySync
from resolvers.inventory.follow import MAX_SKUS, follow_stock
from resolvers.inventory.ports import InventoryPorts
from resolvers.inventory.reader import InventoryReader
from schema.enums import SourceSystem
from schema.events.envelope import EventFilter
from schema.graphql.errors import GraphError
from schema.inventory.stock import stock_id
from schema.records.identity import Principal
from subgraphs.context import RequestContext
from subgraphs.inventory.app import build_inventory, inventory_schema
from systems.news import StockNews
from systems.stock_fallback import RememberingFloor
from tests.support.process_world import ProcessWorld, process_world
from tests.support.rule_records import NOW, inbound, stock
from tests.support.subgraph_requests import CLAIMS, entities

REP = Principal("user:ann", roles=("SALES",))
BUYER = Principal("user:pia", roles=("PORTAL_BUYER",), accounts=("acc_1",))
FOLLOW = """
subscription ($skus: [String!]!, $codes: [String!], $after: ID) {
  availabilityChanged(skus: $skus, warehouseCodes: $codes, after: $after) {
    eventId sku position { id onHand { value } available { value } softReserved { value } freshness { asOf stale } }
  }
}
"""


@dataclass
class Depot:
    world: ProcessWorld
    ports: InventoryPorts

    async def change(self, quantity: str, sequence: int, code: str = "W01", sku: str = "PMP-0042") -> None:
        position = replace(stock(quantity, code, sku=sku), sequence=sequence)
        sync = InventorySync(self.world.use)
        await sync.handle(StockNews(SourceSystem.WMS, f"evt-{sku}-{code}-{sequence}", position))
        await sync.tell()

    @asynccontextmanager
    async def following(self, who: Principal = REP, **variables: Any) -> AsyncIterator[AsyncIterator[Any]]:
        context = RequestContext(who, lambda principal: InventoryReader(self.ports, principal))
        given = {"skus": ["PMP-0042"], **variables}
        stream: Any = await inventory_schema.subscribe(FOLLOW, variable_values=given, context_value=context)
        try:
            yield stream
        finally:
            await stream.aclose()


@pytest.fixture
async def depot(sqlite_url: str) -> AsyncIterator[Depot]:
    async with process_world(sqlite_url) as world:
        use = world.use
        ports = InventoryPorts(
            warehouse=RememberingFloor(world.wms, use.stock, world.clock),
            stock=use.stock,
            items=world.erp,
            customers=world.erp,
            reservations=use.reservations,
            keys=use.keys,
            events=use.events,
            clock=world.clock,
        )
        yield Depot(world, ports)


async def take(stream: AsyncIterator[Any]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        result = await anext(stream)
    assert not result.errors, result.errors
    found: dict[str, Any] = result.data["availabilityChanged"]
    return found


async def test_a_change_is_told_with_the_figures_of_the_moment_and_no_call_to_the_warehouse(depot: Depot):
    await depot.change("20", 1)
    first = await start(depot)
    depot.world.script.calls.clear()
    async with depot.following(after=first) as stream:
        await depot.change("18", 2)
        told = await take(stream)
    assert (told["sku"], told["position"]["onHand"]) == ("PMP-0042", {"value": "18"})
    assert told["position"]["id"] == stock_id("PMP-0042", "W01")
    assert told["position"]["freshness"] == {"asOf": NOW.isoformat().replace("+00:00", "Z"), "stale": False}
    assert "stock" not in depot.world.script.calls


async def start(depot: Depot) -> str:
    """Return the id of the latest event."""
    return (await depot.world.use.events.read(EventFilter(), None, 1_000))[-1].event.id


async def test_other_items_and_warehouses_are_left_out(depot: Depot):
    await depot.change("20", 1)
    first = await start(depot)
    await depot.change("5", 1, sku="VLV-0007")
    await depot.change("70", 1, "W02")
    await depot.change("19", 2)
    async with depot.following(after=first, codes=["W01"]) as stream:
        assert (await take(stream))["position"]["onHand"] == {"value": "19"}


async def test_a_client_that_comes_back_gets_what_it_missed_once(depot: Depot):
    await depot.change("20", 1)
    first = await start(depot)
    for sequence in (2, 3):
        await depot.change(str(20 - sequence), sequence)
    async with depot.following(after=first) as stream:
        ids = [(await take(stream))["eventId"] for _ in range(2)]
    assert ids == ["wms:PMP-0042:W01:2", "wms:PMP-0042:W01:3"]
    async with depot.following(after=ids[0]) as stream:
        assert (await take(stream))["eventId"] == ids[1]


REFUSED = [
    pytest.param(BUYER, ["A"], None, "FORBIDDEN", id="customers"),
    pytest.param(REP, [], None, "BAD_USER_INPUT", id="no sku"),
    pytest.param(REP, ["A"] * (MAX_SKUS + 1), None, "BAD_USER_INPUT", id="too many skus"),
    pytest.param(REP, ["A"], "evt-gone", "GAP", id="a cursor that the log does not hold"),
]


@pytest.mark.parametrize(("who", "skus", "after", "code"), REFUSED)
async def test_what_cannot_be_followed_says_why_at_once(
    depot: Depot, who: Principal, skus: list[str], after: str | None, code: str
):
    with pytest.raises(GraphError) as raised:
        await anext(follow_stock(depot.world.use.events, skus, None, after, who))
    assert raised.value.extensions["code"] == code


STOCK = "... on Item { stock { warehouse { code } onHand { value } freshness { asOf stale note } } }"
PROMISE = """... on Item { availability(quantity: {value: "4", uom: "EA"}) {
  decision availableNow { value } promise { kind } freshness { stale note } } }"""


async def test_without_the_warehouse_system_stock_is_as_it_was_told_and_marked_as_stale(depot: Depot):
    app = build_inventory(depot.ports, CLAIMS)
    item = {"__typename": "Item", "id": "itm_PMP-0042", "baseUom": "EA", "uoms": [{"uom": "EA", "perBase": "1"}]}
    depot.world.wms.positions = [stock("18")]
    depot.world.erp.supply = {"PMP-0042": (inbound("60", (NOW + timedelta(days=4)).date()),)}
    before = (await entities(app, STOCK, item))[0]["stock"]
    depot.world.script.down.add(SourceSystem.WMS)
    (after,) = (await entities(app, STOCK, item))[0]["stock"]
    assert [after["onHand"], after["warehouse"]] == [before[0]["onHand"], before[0]["warehouse"]]
    assert (before[0]["freshness"]["stale"], after["freshness"]["stale"]) == (False, True)
    assert after["freshness"]["note"] == "stock is as the warehouse system last told it"
    depot.world.clock.at = NOW + timedelta(minutes=61)
    promise = (await entities(app, PROMISE, item))[0]["availability"]
    assert (promise["decision"], promise["availableNow"]) == ("LATER", {"value": "0"})
    assert [line["kind"] for line in promise["promise"]] == ["INBOUND_PO"]
    assert "only inbound supply is promised" in promise["freshness"]["note"]
