"""Operations see the orders that have to do with their warehouses, and the shipments that leave from there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from gateway.server.principal import Principal as Caller
from resolvers.orders import listing
from schema.enums import SourceSystem
from schema.records.orders import Allocation
from schema.records.values import Quantity
from systems.errors import Unavailable
from tests.support.order_records import document, entered, erp_line, invoice, recorded, rma, set_aside, shipment, told
from tests.support.orders_world import OrdersWorld, orders_world
from tests.support.subgraph_requests import staff, warehouse_worker

WEST, EAST, NOWHERE = warehouse_worker("W01"), warehouse_worker("W02"), warehouse_worker()
EVERYWHERE = warehouse_worker("*")
LIST = """
  query ($n: Int, $a: String) {
    orders(first: $n, after: $a) { nodes { id } totalCount pageInfo { hasNextPage endCursor } }
  }
"""
OF_ACCOUNT = "{ nodes { id } totalCount }"


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[OrdersWorld]:
    async with orders_world(sqlite_url) as made:
        yield made


async def put(world: OrdersWorld, count: int, *codes: str, **changes: Any) -> None:
    record = set_aside(recorded(count, **changes), *codes)
    await world.put(record, document(record))


def allocated(code: str) -> Any:
    kept = Allocation(code, Quantity(Decimal(2), "EA"), date(2026, 3, 2), firm=True)
    return erp_line(allocated=2, allocations=(kept,))


async def pages(world: OrdersWorld, who: Caller, first: int) -> list[list[str]]:
    """Return the ids of a list, page by page."""
    found, after = [], None
    while True:
        page = (await world.data(LIST, who, n=first, a=after))["orders"]
        found.append([node["id"] for node in page["nodes"]])
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


class TestOneOrder:
    async def test_it_is_of_every_warehouse_where_goods_are_set_aside_for_it(self, world: OrdersWorld):
        await put(world, 1, "W01", "W02")
        seen = [await world.order("id", who=who) for who in (WEST, EAST, EVERYWHERE)]
        assert seen == [{"id": "ord_1"}] * 3
        assert [await world.order("id", who=who) for who in (warehouse_worker("W03"), NOWHERE)] == [None, None]

    async def test_one_that_no_warehouse_has_anything_of_is_for_those_who_work_in_all(self, world: OrdersWorld):
        await put(world, 1)
        seen = [await world.order("id", who=who) for who in (WEST, NOWHERE, EVERYWHERE, staff())]
        assert seen == [None, None, {"id": "ord_1"}, {"id": "ord_1"}]

    async def test_it_stays_in_sight_of_a_warehouse_when_its_goods_come_from_another(self, world: OrdersWorld):
        await put(world, 1, "W01")
        (stored,) = (await world.ledger.orders(["ord_1"])).values()
        await world.ledger.update(set_aside(stored, "W02"))
        seen = [await world.order("id", who=who) for who in (WEST, EAST)]
        assert seen == [{"id": "ord_1"}] * 2

    async def test_it_is_shown_whole_but_for_the_shipments_of_other_warehouses(self, world: OrdersWorld):
        await put(world, 1, "W01", "W02")
        world.ship(shipment(), shipment("2", warehouse_code="W02"))
        fields = "total { amount } lines { nodes { allocations { warehouse { code } } } } shipments { number }"
        west, everything = await world.order(fields, who=WEST), await world.order(fields, who=EVERYWHERE)
        assert (west.pop("shipments"), len(everything.pop("shipments"))) == ([{"number": "S-1"}], 2)
        assert west == everything

    async def test_a_shipment_shows_its_order_whatever_is_set_aside_for_that(self, world: OrdersWorld):
        await put(world, 1, "W02")
        world.ship(shipment())
        query = '{ shipment(id: "sh_S-1") { number order { id } } }'
        assert (await world.data(query, WEST))["shipment"] == {"number": "S-1", "order": {"id": "ord_1"}}
        assert (await world.data(query, EAST))["shipment"] is None

    @pytest.mark.parametrize(
        ("who", "is_seen"), [pytest.param(WEST, True, id="there"), pytest.param(EAST, False, id="elsewhere")]
    )
    async def test_one_that_was_entered_in_the_erp_is_of_where_that_has_set_aside(
        self, world: OrdersWorld, who: Caller, *, is_seen: bool
    ):
        await world.put(None, entered(1, lines=(allocated("W01"),)))
        assert (await world.order("id", who=who) is not None) is is_seen

    async def test_one_that_was_entered_in_the_erp_is_of_where_it_left_from(self, world: OrdersWorld):
        await world.put(None, entered())
        world.ship(shipment())
        assert [await world.order("id", who=who) for who in (WEST, EAST)] == [{"id": "ord_1"}, None]
        world.script.down.add(SourceSystem.WMS)
        assert await world.order("id", who=WEST) is None

    async def test_one_that_a_warehouse_has_told_of_is_seen_without_asking_it(self, world: OrdersWorld):
        await world.put(None, entered())
        await world.ledger.note_warehouse("ord_1", "W01")
        world.script.down.add(SourceSystem.WMS)
        assert await world.order("id", who=WEST) == {"id": "ord_1"}


class TestDocuments:
    async def test_they_are_seen_with_their_orders(self, world: OrdersWorld):
        await put(world, 1, "W01")
        await put(world, 2, "W02")
        for count in (1, 2):
            of = {"order_id": f"ord_{count}"}
            await world.save(count, **of)
            world.erp.invoices_by_id[f"inv_INV-{count}"] = invoice(count, **of)
            world.erp.returns_by_id[f"rma_R-{count}"] = rma(count, **of)
        await world.save(3)
        world.erp.invoices_by_id["inv_INV-3"] = invoice(3, order_id=None)
        kinds = ("orders", "quotes", "invoices", "returns")
        fields = " ".join(f"{kind} {OF_ACCOUNT}" for kind in kinds)
        key = {"__typename": "Account", "id": "acc_1"}
        (west,) = await world.entities(f"... on Account {{ {fields} }}", key, who=WEST)
        (everything,) = await world.entities(f"... on Account {{ {fields} }}", key, who=EVERYWHERE)
        assert [west[kind]["nodes"] for kind in kinds] == [
            [{"id": "ord_1"}],
            [{"id": "quo_1"}],
            [{"id": "inv_INV-1"}],
            [{"id": "rma_R-1"}],
        ]
        assert [west[kind]["totalCount"] for kind in kinds] == [1, 1, 1, 1]
        assert [everything[kind]["totalCount"] for kind in kinds] == [2, 3, 3, 2]


class TestLists:
    async def test_pages_are_full_in_order_and_counted(self, world: OrdersWorld):
        for count in range(1, 11):
            if count % 3:
                await put(world, count, "W01" if count % 2 else "W02")
            else:
                await world.put(None, entered(count, lines=(allocated("W01" if count % 2 else "W02"),)))
        assert await pages(world, WEST, 2) == [["ord_9", "ord_7"], ["ord_5", "ord_3"], ["ord_1"]]
        assert await pages(world, warehouse_worker("W01", "W02"), 20) == [
            [f"ord_{count}" for count in range(10, 0, -1)]
        ]
        assert await pages(world, NOWHERE, 20) == [[]]
        assert (await world.data(LIST, WEST, n=20))["orders"]["totalCount"] == 5

    async def test_a_page_is_filled_from_as_many_windows_as_it_takes(
        self, world: OrdersWorld, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(listing, "WINDOW", 4)
        for count in range(1, 22):
            await put(world, count, "W01" if count % 7 == 0 else "W02")
        assert await pages(world, WEST, 2) == [["ord_21", "ord_14"], ["ord_7"]]

    async def test_a_page_that_too_many_windows_do_not_fill_leads_on(
        self, world: OrdersWorld, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(listing, "WINDOW", 2)
        monkeypatch.setattr(listing, "MAX_WINDOWS", 2)
        for count in range(1, 41):
            await put(world, count, "W01" if count == 1 else "W02")
        found = await pages(world, WEST, 1)
        assert found[0] == []
        assert [order for page in found for order in page] == ["ord_1"]

    async def test_without_the_erp_those_of_the_ledger_are_listed(self, world: OrdersWorld):
        for count in range(1, 5):
            await put(world, count, "W01" if count % 2 else "W02")
        out = Unavailable(SourceSystem.CLOUD_ERP, "search orders", "no connection", outcome_unknown=False)
        world.script.before["search_orders"] += [out]
        assert await pages(world, WEST, 10) == [["ord_3", "ord_1"]]


class TestStreams:
    async def test_somebody_hears_of_the_orders_of_its_warehouses(self, world: OrdersWorld):
        await put(world, 1, "W01")
        await put(world, 2, "W02")
        world.ship(shipment(), shipment("2", order_id="ord_2", warehouse_code="W02"))
        of_2 = {"partition_key": "ord_2", "subject": "ord_2"}
        await world.log.append([told("start"), told("theirs"), told("others", **of_2), told("theirs too")])
        found = await world.stream_all('subscription { orderStatusChanged(after: "start") { eventId } }', who=WEST)
        assert [event["data"]["orderStatusChanged"]["eventId"] for event in found] == ["theirs", "theirs too"]

    async def test_what_it_hears_is_looked_at_with_each_event(self, world: OrdersWorld):
        await put(world, 1, "W02")

        async def begun() -> None:
            world.followed.clear()
            await world.log.append([told("before")])
            await world.followed.wait()
            (stored,) = (await world.ledger.orders(["ord_1"])).values()
            await world.ledger.update(set_aside(stored, "W01"), [told("after")])

        query = 'subscription { orderStatusChanged(orderId: "ord_1") { eventId } }'
        found = await world.stream(query, 1, who=WEST, begun=begun)
        assert [event["data"]["orderStatusChanged"]["eventId"] for event in found] == ["after"]
