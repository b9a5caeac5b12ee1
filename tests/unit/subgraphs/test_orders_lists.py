"""Lists of orders: two systems' halves in one order, however they are narrowed and paged, at the same cost."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.server.principal import Principal as Caller
from resolvers.orders import listing
from schema.enums import FulfillmentStatus, OrderStatus, ShipmentStatus, SourceSystem
from schema.graphql.paging import MAX_FIRST
from schema.orders.queries import Place
from schema.records.problems import CreditHold, Stockout
from schema.records.values import Quantity
from tests.support.order_records import DAY, document, entered, erp_line, recorded, shipment
from tests.support.orders_world import NOW, OrdersWorld, names, orders_world
from tests.support.subgraph_requests import STAFF, customer

HOUR = timedelta(hours=1)
HOLD = CreditHold(code="CREDIT_HOLD", message="over the limit")
SHORT = Stockout(
    code="STOCKOUT",
    message="not enough",
    sku="PMP-0042",
    requested=Quantity(Decimal(24), "EA"),
    available=Quantity(Decimal(2), "EA"),
    line_no=1,
)
FIELDS = (
    "nodes { id status fulfillmentStatus exceptions { ... on Problem { code } } } pageInfo { hasNextPage endCursor }"
)
ROOT = f"query ($f: OrderFilter, $n: Int, $a: String) {{ orders(filter: $f, first: $n, after: $a) {{ {FIELDS} }} }}"
OF_ACCOUNT = f"""
  query ($r: [_Any!]!, $f: OrderFilter, $n: Int, $a: String) {{
    _entities(representations: $r) {{ ... on Account {{ orders(filter: $f, first: $n, after: $a) {{ {FIELDS} }} }} }}
  }}
"""
EVERY_SIDE = [
    pytest.param(None, STAFF, id="all accounts"),
    pytest.param(None, customer("acc_1", "acc_2"), id="a customer's accounts"),
    pytest.param("acc_1", STAFF, id="one account"),
]
Rows = list[dict[str, Any]]


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[OrdersWorld]:
    async with orders_world(sqlite_url) as made:
        yield made


async def page(world: OrdersWorld, account: str | None, who: Caller, **asked: Any) -> dict[str, Any]:
    if account is None:
        return (await world.data(ROOT, who, **asked))["orders"]
    keys = [{"__typename": "Account", "id": account}]
    return (await world.data(OF_ACCOUNT, who, r=keys, **asked))["_entities"][0]["orders"]


async def walk(world: OrdersWorld, account: str | None, who: Caller, where: Any = None, first: int = 3) -> Rows:
    """Return the rows of all pages, which must come to an end."""
    rows: Rows = []
    after: str | None = None
    for _ in range(200):
        found = await page(world, account, who, f=where, n=first, a=after)
        rows += found["nodes"]
        if not found["pageInfo"]["hasNextPage"]:
            return rows
        assert found["pageInfo"]["endCursor"] not in (None, after)
        after = found["pageInfo"]["endCursor"]
    raise AssertionError("pages do not end")


async def fill(world: OrdersWorld, seed: int, orders: int = 60) -> list[str]:
    """Put in orders with halves of every kind that disagree in every way; return ids of what is shown, newest first."""
    chance = random.Random(seed)
    places = []
    for number in range(1, orders + 1):
        at = NOW - 50 * DAY + chance.randrange(25) * HOUR
        record = recorded(
            number,
            account_id=chance.choice(["acc_1", "acc_1", "acc_2"]),
            submitted_at=at,
            status=chance.choice(list(OrderStatus)),
            exceptions=chance.choice([(), (), (), (HOLD,), (SHORT,), (SHORT, HOLD)]),
        )
        later = chance.choice([timedelta(0), timedelta(0), timedelta(minutes=3), 2 * HOUR, 30 * HOUR])
        status = chance.choice([OrderStatus.COMPLETED, *_ERP_STATUSES])
        line = erp_line(backordered=chance.choice([0, 0, 6]), allocated=chance.choice([0, 24]))
        of = document(record, line, status=status, submitted_at=at + later)
        match chance.choice(["both", "both", "both", "ledger", "erp", "unlinked"]):
            case "both":
                await world.put(record, of)
            case "ledger":
                await world.put(replace(record, erp_number=None))
            case "unlinked":
                await world.put(replace(record, erp_number=None), of)
            case "erp":
                await world.put(None, replace(of, submitted_at=at))
        places.append(Place(at, record.id))
        if chance.random() < 0.3:
            late = chance.choice([NOW - DAY, NOW + DAY])
            world.ship(
                shipment(
                    f"{number}",
                    chance.choice([ShipmentStatus.PICKING, ShipmentStatus.LOADED, ShipmentStatus.DELIVERED]),
                    order_id=record.id,
                    account_id=record.account_id,
                    planned_delivery=late,
                )
            )
    return [place.id for place in sorted(places, reverse=True)]


_ERP_STATUSES = [OrderStatus.VALIDATING, OrderStatus.ON_HOLD, OrderStatus.ACCEPTED, OrderStatus.CANCELLED]
NARROW = [
    {"withExceptions": True},
    {"withExceptions": False},
    *({"status": [status.value]} for status in OrderStatus),
    {"status": ["ACCEPTED", "COMPLETED"], "withExceptions": True},
    {"status": ["ON_HOLD", "REJECTED"], "withExceptions": True},
    {"status": []},
    {"fulfillmentStatus": [FulfillmentStatus.BACKORDERED.value, FulfillmentStatus.PICKING.value]},
]


def fulfils(row: dict[str, Any], where: dict[str, Any]) -> bool:
    return (
        ("status" not in where or row["status"] in where["status"])
        and ("fulfillmentStatus" not in where or row["fulfillmentStatus"] in where["fulfillmentStatus"])
        and ("withExceptions" not in where or bool(row["exceptions"]) is where["withExceptions"])
    )


class TestNarrowLists:
    @pytest.mark.parametrize("erp_is_down", [False, True], ids=["ERP answers", "ERP is away"])
    @pytest.mark.parametrize(("account", "who"), EVERY_SIDE)
    @pytest.mark.parametrize("seed", [1, 2])
    async def test_they_show_exactly_what_reading_everything_and_choosing_would(
        self,
        world: OrdersWorld,
        monkeypatch: pytest.MonkeyPatch,
        account: str | None,
        who: Caller,
        seed: int,
        erp_is_down: bool,
    ):
        await fill(world, seed)
        if erp_is_down:
            world.script.down.add(SourceSystem.CLOUD_ERP)
        everything = (await page(world, account, who, n=MAX_FIRST))["nodes"]
        assert len({row["status"] for row in everything}) == len(OrderStatus)
        assert any(row["exceptions"] for row in everything)
        monkeypatch.setattr(listing, "WINDOW", 8)
        for where in NARROW:
            expected = [row for row in everything if fulfils(row, where)]
            assert await walk(world, account, who, where) == expected, where

    async def test_an_order_with_an_exception_is_found_behind_any_number_of_finished_ones(
        self, world: OrdersWorld, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(listing, "WINDOW", 8)
        for number in range(1, 31):
            done = {"status": OrderStatus.COMPLETED}
            record = recorded(number, **({"exceptions": (HOLD,)} if number == 1 else {}), **done)
            await world.put(record, document(record, **done))
        found = await page(world, "acc_1", STAFF, f={"withExceptions": True})
        assert names(found["nodes"]) == ["ord_1"]
        assert not found["pageInfo"]["hasNextPage"]

    async def test_finished_orders_are_not_read_for_a_list_of_exceptions(self, world: OrdersWorld):
        for number in range(1, 6):
            record = recorded(number, status=OrderStatus.COMPLETED)
            await world.put(record, document(record, status=OrderStatus.COMPLETED))
        assert await walk(world, "acc_1", STAFF, {"withExceptions": True}) == []
        assert world.calls == ["ledger.orders_of", "orders_of"]

    @pytest.mark.parametrize("where", NARROW, ids=str)
    async def test_their_calls_do_not_grow_with_the_orders(self, world: OrdersWorld, where: dict[str, Any]):
        costs = []
        for numbers in (range(1, 3), range(3, 23)):
            for number in numbers:
                record = recorded(number, exceptions=(HOLD,))
                await world.put(record, document(record) if number % 2 else None)
            await page(world, "acc_1", STAFF, f=where)
            costs.append(sorted(world.calls))
        assert costs[0] == costs[1]


class TestPages:
    @pytest.mark.parametrize(("account", "who"), EVERY_SIDE)
    @pytest.mark.parametrize("first", [1, 4, 25])
    async def test_every_order_comes_once_newest_first(
        self, world: OrdersWorld, account: str | None, who: Caller, first: int
    ):
        ids = await fill(world, 7)
        whole = names((await page(world, account, who, n=MAX_FIRST))["nodes"])
        assert whole == (ids if account is None else [one for one in ids if one in whole])
        assert names(await walk(world, account, who, first=first)) == whole

    async def test_any_number_of_orders_of_one_instant_is_paged_through(self, world: OrdersWorld):
        for number in range(10, 50):
            record = recorded(number, submitted_at=NOW)
            await world.put(record if number % 2 else None, document(record))
        assert names(await walk(world, None, STAFF, first=2)) == [f"ord_{number}" for number in range(49, 9, -1)]

    async def test_an_order_that_the_erp_entered_late_neither_hides_others_nor_comes_twice(self, world: OrdersWorld):
        for number in range(1, 31):
            record = recorded(number)
            await world.put(record, document(record, submitted_at=NOW + number * HOUR))
        await world.put(None, entered(40, submitted_at=NOW - 99 * DAY))
        found = names(await walk(world, "acc_1", STAFF, first=2))
        assert sorted(found) == sorted([*(f"ord_{number}" for number in range(1, 31)), "ord_40"])
        assert len(set(found)) == len(found)

    async def test_a_whole_list_says_how_many_rows_it_has_and_a_part_does_not(self, world: OrdersWorld):
        for number in range(1, 21):
            await world.put(recorded(number))
        query = (
            "query ($n: Int) { orders(first: $n) { totalCount edges { cursor } pageInfo { endCursor startCursor } } }"
        )
        whole, part = [(await world.data(query, n=first))["orders"] for first in (20, 2)]
        assert (whole["totalCount"], part["totalCount"]) == (20, None)
        assert part["pageInfo"]["startCursor"] == part["edges"][0]["cursor"]
        assert part["pageInfo"]["endCursor"] == part["edges"][1]["cursor"]

    @pytest.mark.parametrize("cursor", ["", "?", "eA", "W10", "WyIyMDI2LTAxLTAxIiwgIngiXQ"], ids=str)
    async def test_a_cursor_of_no_page_is_refused(self, world: OrdersWorld, cursor: str):
        query = "query ($a: String) { orders(after: $a) { nodes { id } } }"
        error = await world.error(query, a=cursor)
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "endCursor" in error["message"]
        assert world.calls == []

    @pytest.mark.parametrize("first", [0, -1, MAX_FIRST + 1])
    async def test_too_many_or_no_rows_are_refused(self, world: OrdersWorld, first: int):
        error = await world.error(f"{{ orders(first: {first}) {{ nodes {{ id }} }} }}")
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert str(MAX_FIRST) in error["message"]


class TestBounds:
    async def test_times_and_purchase_order_are_those_of_the_whole_order(self, world: OrdersWorld):
        """The ERP entered every order a day after it was submitted, and a clerk changed the purchase order there."""
        for number in range(1, 6):
            record = recorded(number, po_number=f"PO-{number}", submitted_at=NOW + number * DAY)
            changed = "PO-X" if number == 5 else record.po_number
            await world.put(record, document(record, submitted_at=NOW + (number + 1) * DAY, po_number=changed))

        async def found(**where: Any) -> list[str]:
            return names(await walk(world, "acc_1", STAFF, where))

        between = {"from": (NOW + 2 * DAY).isoformat(), "to": (NOW + 4 * DAY).isoformat()}
        assert await found(**between) == ["ord_3", "ord_2"]
        assert await found(poNumber="PO-4") == ["ord_4"]
        assert await found(poNumber="PO-5") == []
        assert await found(poNumber="PO-X") == ["ord_5"]

    async def test_an_order_that_the_erp_moved_belongs_to_its_new_account(self, world: OrdersWorld):
        await world.put(recorded(), document(account_id="acc_2"))
        assert await walk(world, "acc_1", STAFF) == await walk(world, None, customer("acc_1")) == []
        assert names(await walk(world, "acc_2", STAFF)) == ["ord_1"]
        assert names(await walk(world, None, customer("acc_1", "acc_2"))) == ["ord_1"]

    async def test_accounts_that_ask_alike_share_their_calls(self, world: OrdersWorld):
        for number in range(1, 21):
            await world.put(recorded(number, account_id=f"acc_{number}"))
        keys = [{"__typename": "Account", "id": f"acc_{number}"} for number in range(1, 21)]
        rows = await world.entities("... on Account { orders { nodes { id } } }", *keys)
        assert [names(row["orders"]["nodes"]) for row in rows] == [[f"ord_{number}"] for number in range(1, 21)]
        assert sorted(world.calls) == ["ledger.orders_of", "orders", "orders_of"]
