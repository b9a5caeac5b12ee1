"""The inventory subgraph: what is there, what can be promised, and holding it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from starlette.types import ASGIApp

from resolvers.inventory.ports import InventoryPorts
from schema.enums import ItemStatus, ReservationStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.inventory import ReserveLine
from subgraphs.inventory.app import build_inventory
from systems.errors import Unavailable
from systems.stock_fallback import RememberingFloor
from tests.support.process_world import ProcessWorld, process_world
from tests.support.rule_records import NOW, inbound, item, ship_to, stock, warehouse
from tests.support.subgraph_requests import CLAIMS, STAFF, STRANGER, ask, customer, data, entities, staff

BUYER = customer("acc_1")
FRIDAY = date(2026, 3, 13)
"""Goods of this day are unpacked on Saturday and leave on Monday the 16th."""


@dataclass
class Depot:
    app: ASGIApp
    world: ProcessWorld

    def calls(self) -> Counter[str]:
        """Return the calls of systems since this was last asked."""
        made = Counter(self.world.script.calls)
        self.world.script.calls.clear()
        return made

    async def hold(self, quantity: int, sku: str = "PMP-0042", code: str = "W01") -> None:
        """Hold stock as another request of another account has done."""
        line = ReserveLine(1, sku, code, Decimal(quantity), "EA", limit=Decimal(1000))
        held, _ = await self.world.use.reservations.reserve("other", "acc_2", [line], NOW + timedelta(hours=1), NOW)
        assert held


@pytest.fixture
async def depot(sqlite_url: str) -> AsyncIterator[Depot]:
    async with process_world(sqlite_url) as world:
        world.erp.items_by_sku["OLD-0001"] = item("OLD-0001", status=ItemStatus.BLOCKED)
        ports = InventoryPorts(
            warehouse=RememberingFloor(world.wms, world.use.stock, world.clock),
            stock=world.use.stock,
            items=world.erp,
            customers=world.erp,
            reservations=world.use.reservations,
            keys=world.use.keys,
            events=world.use.events,
            clock=world.clock,
        )
        yield Depot(build_inventory(ports, CLAIMS), world)


def item_of(sku: str = "PMP-0042", **changes: Any) -> dict[str, Any]:
    """Return an item as the gateway names it, with the units that the catalog tells."""
    units = [{"uom": "EA", "perBase": "1"}, {"uom": "XBX", "perBase": "6"}]
    return {"__typename": "Item", "id": f"itm_{sku}", "baseUom": "EA", "uoms": units, **changes}


AVAILABILITY = (
    "decision requested { value uom } availableNow { value uom } fullDate"
    " promise { warehouse { code } kind quantity { value uom } shipDate deliveryDate } freshness { source stale note }"
)


def availability(value: str, uom: str = "EA", selection: str = AVAILABILITY, **arguments: str) -> str:
    more = "".join(f', {name}: "{argument}"' for name, argument in arguments.items())
    return f'... on Item {{ availability(quantity: {{value: "{value}", uom: "{uom}"}}{more}) {{ {selection} }} }}'


async def promised(depot: Depot, value: str, uom: str = "EA", *, who: Any = STAFF, **arguments: str) -> dict[str, Any]:
    (found,) = await entities(depot.app, availability(value, uom, **arguments), item_of(), who=who)
    return dict(found["availability"])


async def refused(depot: Depot, selection: str, *of: dict[str, Any], who: Any = STAFF) -> dict[str, Any]:
    query = f"query ($of: [_Any!]!) {{ _entities(representations: $of) {{ {selection} }} }}"
    answer = await ask(depot.app, query, who, of=list(of))
    assert answer["data"]["_entities"] == [{"availability": None}]
    (error,) = answer["errors"]
    return dict(error)


class TestAvailability:
    async def test_what_is_there_is_promised_now_and_the_rest_from_inbound(self, depot: Depot):
        depot.world.wms.positions = [stock("20", blocked="2"), stock("0", "W02")]
        depot.world.erp.supply = {"PMP-0042": (inbound("60", FRIDAY),)}
        assert await promised(depot, "24", shipToId="shp_1") == {
            "decision": "PARTIAL",
            "requested": {"value": "24", "uom": "EA"},
            "availableNow": {"value": "18", "uom": "EA"},
            "fullDate": "2026-03-17",
            "promise": [
                {
                    "warehouse": {"code": "W01"},
                    "kind": "ON_HAND",
                    "quantity": {"value": "18", "uom": "EA"},
                    "shipDate": "2026-03-04",
                    "deliveryDate": "2026-03-05",
                },
                {
                    "warehouse": {"code": "W01"},
                    "kind": "INBOUND_PO",
                    "quantity": {"value": "6", "uom": "EA"},
                    "shipDate": "2026-03-16",
                    "deliveryDate": "2026-03-17",
                },
            ],
            "freshness": {"source": "WMS", "stale": False, "note": None},
        }

    @pytest.mark.parametrize(
        ("value", "arguments", "decision"),
        [
            pytest.param("118", {}, "FULL", id="two warehouses together"),
            pytest.param("119", {}, "PARTIAL", id="one more than there is"),
            pytest.param("119", {"neededBy": "2026-03-16"}, "FULL", id="inbound comes in time"),
            pytest.param("119", {"neededBy": "2026-03-15"}, "PARTIAL", id="inbound comes too late"),
            pytest.param("500", {"neededBy": "2026-12-31"}, "PARTIAL", id="more than will ever come"),
        ],
    )
    async def test_the_decision_says_how_much_comes_in_time(
        self, depot: Depot, value: str, arguments: dict[str, str], decision: str
    ):
        depot.world.erp.supply = {"PMP-0042": (inbound("10", FRIDAY),)}
        assert (await promised(depot, value, **arguments))["decision"] == decision

    async def test_what_only_comes_is_later_and_what_never_comes_is_unavailable(self, depot: Depot):
        depot.world.wms.positions = []
        assert (await promised(depot, "1"))["decision"] == "UNAVAILABLE"
        depot.world.erp.supply = {"PMP-0042": (inbound("10", FRIDAY),)}
        assert (await promised(depot, "1"))["decision"] == "LATER"

    async def test_boxes_are_promised_whole(self, depot: Depot):
        depot.world.wms.positions = [stock("20"), stock("5", "W02")]
        found = await promised(depot, "4", "XBX")
        assert (found["decision"], found["availableNow"]) == ("PARTIAL", {"value": "3", "uom": "XBX"})
        assert [line["quantity"] for line in found["promise"]] == [{"value": "3", "uom": "XBX"}]

    async def test_what_is_spoken_for_is_not_promised_again(self, depot: Depot):
        depot.world.wms.positions = [stock("20", allocated="3", blocked="2", safety="5")]
        await depot.hold(4)
        assert (await promised(depot, "20"))["availableNow"] == {"value": "6", "uom": "EA"}

    @pytest.mark.parametrize(
        ("value", "uom", "arguments", "said"),
        [
            pytest.param("0", "EA", {}, "quantity.value: quantity 0 is not above zero", id="zero"),
            pytest.param("-1", "EA", {}, "quantity.value: quantity -1 is not above zero", id="negative"),
            pytest.param("1", "KGM", {}, "quantity.uom: unit 'KGM' is unknown", id="unknown unit"),
            pytest.param("1", "EA", {"neededBy": "2026-03-02"}, "neededBy: 2026-03-02 has passed", id="past day"),
            pytest.param("1", "EA", {"shipToId": "shp_9"}, "shipToId: ship-to shp_9 does not exist", id="ship-to"),
        ],
    )
    async def test_a_question_that_makes_no_sense_says_what_is_wrong(
        self, depot: Depot, value: str, uom: str, arguments: dict[str, str], said: str
    ):
        error = await refused(depot, availability(value, uom, "decision", **arguments), item_of())
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["message"].startswith(said)

    async def test_an_id_that_is_no_item_s_is_null(self, depot: Depot):
        assert await entities(depot.app, "... on Item { id }", item_of(id="PMP-0042")) == [None]

    async def test_without_the_erp_only_what_is_there_is_promised_and_the_answer_says_so(self, depot: Depot):
        depot.world.script.down.add(SourceSystem.CLOUD_ERP)
        found = await promised(depot, "500")
        assert (found["decision"], found["availableNow"]["value"], found["fullDate"]) == ("PARTIAL", "118", None)
        said = "inbound supply is unknown: the ERP did not answer"
        assert found["freshness"] == {"source": "WMS", "stale": True, "note": said}

    @pytest.mark.parametrize(
        ("system", "arguments"),
        [
            pytest.param(SourceSystem.WMS, {}, id="stock comes from the warehouse system"),
            pytest.param(SourceSystem.CLOUD_ERP, {"shipToId": "shp_1"}, id="delivery places come from the ERP"),
        ],
    )
    async def test_a_system_that_must_answer_is_named(
        self, depot: Depot, system: SourceSystem, arguments: dict[str, str]
    ):
        depot.world.script.down.add(system)
        error = await refused(depot, availability("1", "EA", "decision", **arguments), item_of())
        code = {"code": "SYSTEM_UNAVAILABLE", "system": system.value, "retryable": True}
        assert error["extensions"] == code


class TestStock:
    FIGURES = (
        "onHand { value } allocated { value } softReserved { value } blocked { value } safetyStock { value }"
        " available { value uom } warehouse { code } inbound { kind reference quantity { value uom } eta confirmed }"
        " freshness { source stale note }"
    )

    async def test_the_distributor_s_people_see_every_figure(self, depot: Depot):
        depot.world.wms.positions = [stock("20", allocated="3", blocked="2", safety="5")]
        depot.world.erp.supply = {"PMP-0042": (inbound("60", FRIDAY), inbound("1", FRIDAY, "W02"))}
        await depot.hold(4)
        (found,) = await entities(depot.app, f"... on Item {{ stock {{ {self.FIGURES} }} }}", item_of())
        assert found["stock"] == [
            {
                "onHand": {"value": "20"},
                "allocated": {"value": "3"},
                "softReserved": {"value": "4"},
                "blocked": {"value": "2"},
                "safetyStock": {"value": "5"},
                "available": {"value": "6", "uom": "EA"},
                "warehouse": {"code": "W01"},
                "inbound": [
                    {
                        "kind": "INBOUND_PO",
                        "reference": "PO-1",
                        "quantity": {"value": "60", "uom": "EA"},
                        "eta": "2026-03-13",
                        "confirmed": True,
                    }
                ],
                "freshness": {"source": "WMS", "stale": False, "note": None},
            }
        ]

    async def test_more_spoken_for_than_there_is_leaves_nothing(self, depot: Depot):
        depot.world.wms.positions = [stock("4", allocated="3", safety="5")]
        (found,) = await entities(depot.app, "... on Item { stock { available { value } } }", item_of())
        assert found["stock"] == [{"available": {"value": "0"}}]

    async def test_warehouses_can_be_chosen(self, depot: Depot):
        chosen = '... on Item { stock(warehouseCodes: ["W02", "W99"]) { warehouse { code } } }'
        (found,) = await entities(depot.app, chosen, item_of())
        assert found["stock"] == [{"warehouse": {"code": "W02"}}]

    async def test_a_position_is_found_by_its_id(self, depot: Depot):
        (found,) = await entities(depot.app, "... on Item { stock { id } }", item_of("VLV-0007"))
        (position,) = found["stock"]
        assert await entities(
            depot.app,
            "... on StockPosition { onHand { value } }",
            {"__typename": "StockPosition", "id": position["id"]},
            {"__typename": "StockPosition", "id": "stk_VLV-0007:W02"},
            {"__typename": "StockPosition", "id": "VLV-0007:W01"},
        ) == [{"onHand": {"value": "5"}}, None, None]

    async def test_inbound_that_is_unknown_is_said_to_be(self, depot: Depot):
        depot.world.script.down.add(SourceSystem.CLOUD_ERP)
        selection = "... on Item { stock { inbound { eta } freshness { stale note } } }"
        (found,) = await entities(depot.app, selection, item_of("VLV-0007"))
        said = "inbound supply is unknown: the ERP did not answer"
        assert found["stock"] == [{"inbound": [], "freshness": {"stale": True, "note": said}}]


class TestCustomers:
    @pytest.mark.parametrize("who", [BUYER, STRANGER], ids=["a customer", "a stranger"])
    async def test_they_see_no_stock_figures(self, depot: Depot, who: Any):
        found = await entities(
            depot.app,
            "... on Item { stock { onHand { value } } } ... on StockPosition { onHand { value } }",
            item_of(),
            {"__typename": "StockPosition", "id": "stk_PMP-0042:W01"},
            who=who,
        )
        assert found == [{"stock": None}, None]
        assert depot.calls() == {}

    @pytest.mark.parametrize(
        ("who", "value", "told"),
        [
            pytest.param(BUYER, "24", "24", id="a customer learns that there is enough"),
            pytest.param(BUYER, "119", "118", id="a customer learns what is missing"),
            pytest.param(STAFF, "24", "118", id="the distributor's people learn how much there is"),
        ],
    )
    async def test_they_learn_no_more_than_they_asked_for(self, depot: Depot, who: Any, value: str, told: str):
        assert (await promised(depot, value, who=who))["availableNow"]["value"] == told

    async def test_their_own_ship_to_dates_the_delivery(self, depot: Depot):
        found = await promised(depot, "1", who=BUYER, shipToId="shp_1")
        assert found["promise"][0]["deliveryDate"] == "2026-03-05"

    async def test_another_s_ship_to_does_not_exist(self, depot: Depot):
        error = await refused(depot, availability("1", "EA", "decision", shipToId="shp_2"), item_of(), who=BUYER)
        assert error["message"] == "shipToId: ship-to shp_2 does not exist"


class TestWarehouses:
    async def test_warehouses_are_listed_and_found_by_code(self, depot: Depot):
        found = await data(
            depot.app,
            '{ warehouses { code } warehouse(code: "W01") { id name timeZone cutoff status address { country region } }'
            ' none: warehouse(code: "W99") { id } }',
        )
        assert found == {
            "warehouses": [{"code": "W01"}, {"code": "W02"}],
            "warehouse": {
                "id": "wh_W01",
                "name": "W01",
                "timeZone": "America/New_York",
                "cutoff": "16:00",
                "status": "OPEN",
                "address": {"country": "US", "region": "TX"},
            },
            "none": None,
        }

    async def test_references_find_them_by_either_key(self, depot: Depot):
        keys: list[dict[str, Any]] = [{"id": "wh_W01"}, {"code": "W02"}, {"id": "W01"}, {"code": "W99"}]
        named = [{"__typename": "Warehouse", **key} for key in keys]
        found = await entities(depot.app, "... on Warehouse { code }", *named)
        assert found == [{"code": "W01"}, {"code": "W02"}, None, None]

    async def test_without_the_warehouse_system_they_fail_with_its_name(self, depot: Depot):
        depot.world.script.down.add(SourceSystem.WMS)
        (error,) = (await ask(depot.app, "{ warehouses { code } }"))["errors"]
        code = {"code": "SYSTEM_UNAVAILABLE", "system": "WMS", "retryable": True}
        assert error["extensions"] == code

    async def test_a_place_is_served_from_the_nearest_open_warehouse(self, depot: Depot):
        depot.world.wms.places.append(warehouse("W03", status="CLOSED"))
        address = {"country": "US", "region": "NY", "postalCode": "10002"}
        place = {"__typename": "ShipTo", "id": "shp_1", "address": address}
        options = "rank transitDays estimatedFreight { amount currency } warehouse { code }"
        (found,) = await entities(depot.app, f"... on ShipTo {{ sourcing {{ {options} }} }}", place)
        assert found["sourcing"] == [
            {
                "rank": 1,
                "transitDays": 1,
                "estimatedFreight": {"amount": "11.17", "currency": "USD"},
                "warehouse": {"code": "W02"},
            },
            {
                "rank": 2,
                "transitDays": 5,
                "estimatedFreight": {"amount": "20.17", "currency": "USD"},
                "warehouse": {"code": "W01"},
            },
        ]


PAYLOAD = (
    "replayed reservations { id status item { id } warehouse { code } quantity { value uom } expiresAt }"
    " problems { __typename ... on Problem { code message path retryable }"
    " ... on ValidationFailed { rule field } ... on IdempotencyConflict { originalProcessId }"
    " ... on Stockout { lineNo sku requested { value uom } available { value uom } nextAvailable substituteSkus }"
    " ... on DependencyUnavailable { system retryAfterSeconds } }"
)


def line(value: str = "5", sku: str = "VLV-0007", code: str | None = None, uom: str = "EA") -> dict[str, Any]:
    return {"sku": sku, "quantity": {"value": value, "uom": uom}, "warehouseCode": code}


async def reserve(depot: Depot, *lines: dict[str, Any], who: Any = BUYER, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "k-1", "accountId": "acc_1", "lines": list(lines) or [line()], **changes}
    query = f"mutation ($i: InventoryReserveInput!) {{ inventoryReserve(input: $i) {{ {PAYLOAD} }} }}"
    return dict((await data(depot.app, query, who, i=given))["inventoryReserve"])


async def release(depot: Depot, *ids: str, key: str = "r-1", who: Any = BUYER) -> dict[str, Any]:
    query = (
        "mutation ($key: String!, $ids: [ID!]!) {"
        f" inventoryReservationRelease(idempotencyKey: $key, reservationIds: $ids) {{ {PAYLOAD} }} }}"
    )
    return dict((await data(depot.app, query, who, key=key, ids=list(ids)))["inventoryReservationRelease"])


def problem_of(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the only problem of a request that held nothing."""
    assert payload["reservations"] == []
    (problem,) = payload["problems"]
    return dict(problem)


class TestReserving:
    async def test_stock_is_held_in_base_units_for_a_quarter_of_an_hour(self, depot: Depot):
        payload = await reserve(depot, line("2", "PMP-0042", uom="XBX"))
        (held,) = payload["reservations"]
        assert held == {
            "id": held["id"],
            "status": "HELD",
            "item": {"id": "itm_PMP-0042"},
            "warehouse": {"code": "W01"},
            "quantity": {"value": "12", "uom": "EA"},
            "expiresAt": "2026-03-04T15:15:00Z",
        }
        assert (payload["problems"], payload["replayed"]) == ([], False)
        assert await depot.world.held() == {("PMP-0042", "W01"): Decimal(12)}

    @pytest.mark.parametrize(
        ("asked", "held"),
        [
            pytest.param([line("18", "PMP-0042")], {"W01": "18"}, id="from where the least covers all of it"),
            pytest.param([line("19", "PMP-0042")], {"W02": "19"}, id="from where there is enough"),
            pytest.param([line("118", "PMP-0042")], {"W01": "18", "W02": "100"}, id="in parts"),
            pytest.param([line("5", "PMP-0042", "W02")], {"W02": "5"}, id="from where it is asked for"),
            pytest.param([line("19", "PMP-0042", uom="XBX")], {"W01": "18", "W02": "96"}, id="in whole boxes"),
            pytest.param(
                [line("10", "PMP-0042"), line("10", "PMP-0042")], {"W01": "10", "W02": "10"}, id="nothing twice"
            ),
        ],
    )
    async def test_lines_are_placed_where_they_fit(
        self, depot: Depot, asked: list[dict[str, Any]], held: dict[str, str]
    ):
        payload = await reserve(depot, *asked)
        placed = {entry["warehouse"]["code"]: entry["quantity"]["value"] for entry in payload["reservations"]}
        assert placed == held

    async def test_the_last_five_go_to_one_of_two_who_come_at_once(self, depot: Depot):
        depot.world.erp.supply = {"VLV-0007": (inbound("40", FRIDAY, sku="VLV-0007"),)}
        payloads = await asyncio.gather(
            *(reserve(depot, line("5", code="W01"), idempotencyKey=key) for key in ("k-1", "k-2"))
        )
        winner, loser = sorted(payloads, key=lambda payload: len(payload["problems"]))
        assert [entry["status"] for entry in winner["reservations"]] == ["HELD"]
        problem = problem_of(loser)
        assert problem == {
            "__typename": "Stockout",
            "code": "STOCKOUT",
            "message": "VLV-0007: 5 EA asked for, 0 available now, all of it from 2026-03-16",
            "path": ["lines", "0"],
            "retryable": True,
            "lineNo": 1,
            "sku": "VLV-0007",
            "requested": {"value": "5", "uom": "EA"},
            "available": {"value": "0", "uom": "EA"},
            "nextAvailable": "2026-03-16",
            "substituteSkus": ["VLV-0008"],
        }
        assert await depot.world.held() == {("VLV-0007", "W01"): Decimal(5)}

    async def test_what_has_run_out_can_be_held_by_the_next(self, depot: Depot):
        await reserve(depot, ttlSeconds=60)
        depot.world.clock.at = NOW + timedelta(seconds=59)
        assert problem_of(await reserve(depot, idempotencyKey="k-2"))["__typename"] == "Stockout"
        depot.world.clock.at = NOW + timedelta(seconds=61)
        payload = await reserve(depot, idempotencyKey="k-2")
        assert [entry["status"] for entry in payload["reservations"]] == ["HELD"]
        assert payload["replayed"] is False

    async def test_all_lines_are_held_or_none(self, depot: Depot):
        problem = problem_of(await reserve(depot, line("1", "PMP-0042"), line("6")))
        assert (problem["__typename"], problem["lineNo"], problem["available"]["value"]) == ("Stockout", 2, "5")
        assert await depot.world.held() == {}

    @pytest.mark.parametrize(
        ("asked", "available", "following"),
        [
            pytest.param(line("20", "PMP-0042", "W01"), "18", None, id="the place that was asked for counts alone"),
            pytest.param(line("4", "PMP-0042", "W01", "XBX"), "3", None, id="in whole boxes"),
            pytest.param(line("1", "PMP-0042", "W03"), "0", None, id="a closed warehouse gives nothing"),
            pytest.param(line("119", "PMP-0042"), "118", "2026-03-16", id="inbound anywhere covers the rest"),
        ],
    )
    async def test_a_stockout_says_what_the_line_could_have_and_when(
        self, depot: Depot, asked: dict[str, Any], available: str, following: str | None
    ):
        depot.world.wms.places.append(warehouse("W03", status="CLOSED"))
        depot.world.wms.positions.append(stock("50", "W03"))
        depot.world.erp.supply = {"PMP-0042": (inbound("10", FRIDAY, "W02"),)}
        problem = problem_of(await reserve(depot, asked))
        assert (problem["available"]["value"], problem["nextAvailable"]) == (available, following)

    async def test_what_another_line_takes_is_not_offered_again(self, depot: Depot):
        problem = problem_of(await reserve(depot, line("3"), line("3")))
        assert (problem["lineNo"], problem["available"]["value"]) == (2, "2")

    async def test_nothing_is_available_where_there_is_no_warehouse(self, depot: Depot):
        depot.world.wms.places.clear()
        assert problem_of(await reserve(depot))["available"]["value"] == "0"


class TestKeys:
    async def test_the_same_request_again_gives_the_same_answer(self, depot: Depot):
        first = await reserve(depot)
        depot.world.clock.at = NOW + timedelta(seconds=5)
        again = await reserve(depot)
        assert again == {**first, "replayed": True}
        assert await depot.world.held() == {("VLV-0007", "W01"): Decimal(5)}

    async def test_numbers_that_are_equal_are_the_same_request(self, depot: Depot):
        first = await reserve(depot, line("5"))
        depot.world.clock.at = NOW + timedelta(seconds=5)
        assert (await reserve(depot, line("5.00")))["reservations"] == first["reservations"]

    async def test_another_request_under_the_same_key_is_a_conflict(self, depot: Depot):
        first = await reserve(depot, line("4"))
        problem = problem_of(await reserve(depot, line("3")))
        assert (problem["__typename"], problem["path"]) == ("IdempotencyConflict", ["idempotencyKey"])
        assert problem["originalProcessId"] in first["reservations"][0]["id"]
        assert await depot.world.held() == {("VLV-0007", "W01"): Decimal(4)}

    async def test_keys_of_others_do_not_collide(self, depot: Depot):
        await reserve(depot, line("2"))
        payload = await reserve(depot, line("3"), who=staff())
        assert (len(payload["reservations"]), payload["replayed"]) == (1, False)

    async def test_a_key_that_held_nothing_asks_anew(self, depot: Depot):
        assert problem_of(await reserve(depot, line("6")))["__typename"] == "Stockout"
        depot.world.wms.positions = [stock("6", sku="VLV-0007")]
        payload = await reserve(depot, line("6"))
        assert (len(payload["reservations"]), payload["replayed"]) == (1, False)

    async def test_a_key_that_has_outlived_its_record_is_as_good_as_new(self, depot: Depot):
        await reserve(depot, line("4"))
        depot.world.clock.at = NOW + timedelta(days=31)
        payload = await reserve(depot, line("3"))
        assert [entry["quantity"]["value"] for entry in payload["reservations"]] == ["3"]
        assert payload["replayed"] is False


class TestBadRequests:
    @pytest.mark.parametrize(
        ("asked", "changes", "rule_name", "path"),
        [
            pytest.param(line("1", "NONE"), {}, "UNKNOWN_SKU", "lines.0.sku", id="unknown item"),
            pytest.param(line("1", "OLD-0001"), {}, "ITEM_NOT_SELLABLE", "lines.0.sku", id="blocked item"),
            pytest.param(line(uom="KGM"), {}, "UNKNOWN_UNIT", "lines.0.quantity.uom", id="unknown unit"),
            pytest.param(line("0"), {}, "QUANTITY_POSITIVE", "lines.0.quantity.value", id="zero"),
            pytest.param(line("-5"), {}, "QUANTITY_POSITIVE", "lines.0.quantity.value", id="negative"),
            pytest.param(line(code="W99"), {}, "UNKNOWN_WAREHOUSE", "lines.0.warehouseCode", id="unknown warehouse"),
            pytest.param(line(), {"accountId": "acc_2"}, "UNKNOWN_ACCOUNT", "accountId", id="another's account"),
            pytest.param(line(), {"ttlSeconds": 0}, "TTL", "ttlSeconds", id="no time"),
            pytest.param(line(), {"ttlSeconds": 86401}, "TTL", "ttlSeconds", id="more than a day"),
            pytest.param(line(), {"idempotencyKey": " "}, "IDEMPOTENCY_KEY", "idempotencyKey", id="no key"),
            pytest.param(line(), {"idempotencyKey": "k" * 201}, "IDEMPOTENCY_KEY", "idempotencyKey", id="long key"),
            pytest.param(line(), {"lines": []}, "LINE_COUNT", "lines", id="no lines"),
            pytest.param(line(), {"lines": [line()] * 201}, "LINE_COUNT", "lines", id="too many lines"),
        ],
    )
    async def test_what_is_wrong_is_said_with_its_place_and_holds_nothing(
        self, depot: Depot, asked: dict[str, Any], changes: dict[str, Any], rule_name: str, path: str
    ):
        problem = problem_of(await reserve(depot, asked, **changes))
        assert (problem["__typename"], problem["rule"], ".".join(problem["path"])) == (
            "ValidationFailed",
            rule_name,
            path,
        )
        assert problem["field"] == path.rpartition(".")[2]
        assert await depot.world.held() == {}

    async def test_everything_that_is_wrong_is_said_at_once(self, depot: Depot):
        payload = await reserve(
            depot, line("0", code="W99"), line("1", "NONE"), accountId="acc_2", idempotencyKey="", ttlSeconds=-1
        )
        assert {problem["rule"] for problem in payload["problems"]} == {
            *("IDEMPOTENCY_KEY", "UNKNOWN_ACCOUNT", "TTL"),
            *("QUANTITY_POSITIVE", "UNKNOWN_WAREHOUSE", "UNKNOWN_SKU"),
        }

    @pytest.mark.parametrize("who", [staff(role="WAREHOUSE"), STRANGER], ids=["another role", "a stranger"])
    async def test_who_may_not_order_may_not_hold(self, depot: Depot, who: Any):
        query = "mutation ($i: InventoryReserveInput!) { inventoryReserve(input: $i) { replayed } }"
        given = {"idempotencyKey": "k", "accountId": "acc_1", "lines": [line()]}
        (error,) = (await ask(depot.app, query, who, i=given))["errors"]
        assert error["extensions"] == {"code": "FORBIDDEN"}
        assert await depot.world.held() == {}

    @pytest.mark.parametrize("blocked", [None, "All"], ids=["nobody knows it", "it was merged into another"])
    async def test_nothing_is_held_for_an_account_that_does_not_buy(self, depot: Depot, blocked: str | None):
        known = depot.world.erp.terms_by_account
        if blocked is None:
            del known["acc_1"]
        else:
            known["acc_1"] = replace(known["acc_1"], blocked=blocked)
        problem = problem_of(await reserve(depot, line()))
        assert (problem["rule"], problem["path"]) == ("UNKNOWN_ACCOUNT", ["accountId"])
        assert await depot.world.held() == {}

    async def test_while_the_erp_cannot_tell_goods_are_held_all_the_same(self, depot: Depot):
        depot.world.script.before["terms"].append(
            Unavailable(SourceSystem.CLOUD_ERP, "terms", "closed", outcome_unknown=False)
        )
        assert (await reserve(depot, line()))["problems"] == []

    @pytest.mark.parametrize("system", [SourceSystem.WMS, SourceSystem.CLOUD_ERP])
    async def test_a_system_that_is_away_is_a_problem_and_the_same_key_tries_again(
        self, depot: Depot, system: SourceSystem
    ):
        depot.world.script.down.add(system)
        problem = problem_of(await reserve(depot))
        assert (problem["__typename"], problem["system"], problem["retryable"]) == (
            "DependencyUnavailable",
            system.value,
            True,
        )
        depot.world.script.down.clear()
        assert len((await reserve(depot))["reservations"]) == 1

    async def test_how_long_to_wait_is_handed_on(self, depot: Depot):
        error = Unavailable(SourceSystem.WMS, "warehouses", "closed", outcome_unknown=False, retry_after_s=0.4)
        depot.world.script.before["warehouses"].append(error)
        assert problem_of(await reserve(depot))["retryAfterSeconds"] == 1


class TestReleasing:
    async def held_id(self, depot: Depot, **changes: Any) -> str:
        (held,) = (await reserve(depot, **changes))["reservations"]
        return str(held["id"])

    async def test_what_is_given_back_can_be_held_again(self, depot: Depot):
        identifier = await self.held_id(depot)
        payload = await release(depot, identifier)
        assert [entry["status"] for entry in payload["reservations"]] == ["RELEASED"]
        assert (payload["problems"], payload["replayed"]) == ([], False)
        assert await depot.world.held() == {}
        assert len((await reserve(depot, idempotencyKey="k-2"))["reservations"]) == 1

    async def test_the_same_release_again_gives_the_same_answer(self, depot: Depot):
        identifier = await self.held_id(depot)
        first = await release(depot, identifier)
        assert await release(depot, identifier) == {**first, "replayed": True}

    async def test_what_an_order_has_taken_stays_taken(self, depot: Depot):
        identifier = await self.held_id(depot)
        ledger = depot.world.use.reservations
        (record,) = (await ledger.reservations([identifier])).values()
        await ledger.settle(record.key, ReservationStatus.CONSUMED)
        payload = await release(depot, identifier)
        assert [entry["status"] for entry in payload["reservations"]] == ["CONSUMED"]
        assert payload["replayed"] is False

    async def test_another_list_under_the_same_key_is_a_conflict(self, depot: Depot):
        first = await self.held_id(depot, lines=[line("1")])
        second = await self.held_id(depot, lines=[line("2")], idempotencyKey="k-2")
        await release(depot, first)
        assert problem_of(await release(depot, second))["__typename"] == "IdempotencyConflict"
        assert await depot.world.held() == {("VLV-0007", "W01"): Decimal(2)}

    @pytest.mark.parametrize("who", [customer("acc_2"), STAFF], ids=["another customer's", "unknown"])
    async def test_a_reservation_that_does_not_exist_for_the_caller_is_not_released(self, depot: Depot, who: Any):
        identifier = await self.held_id(depot) if who is not STAFF else "rsv_none"
        problem = problem_of(await release(depot, identifier, who=who))
        assert (problem["rule"], problem["path"]) == ("UNKNOWN_RESERVATION", ["reservationIds", "0"])
        assert problem["message"] == f"reservation {identifier} does not exist"

    @pytest.mark.parametrize("count", [0, 501])
    async def test_no_or_too_many_reservations_are_refused(self, depot: Depot, count: int):
        problem = problem_of(await release(depot, *(f"rsv_{n}" for n in range(count))))
        assert (problem["rule"], problem["field"]) == ("RESERVATION_COUNT", "reservationIds")

    async def test_a_reservation_is_found_by_its_id_by_those_who_may_see_it(self, depot: Depot):
        named = {"__typename": "Reservation", "id": await self.held_id(depot)}
        selection = "... on Reservation { status quantity { value } }"
        held = [{"status": "HELD", "quantity": {"value": "5"}}]
        assert await entities(depot.app, selection, named, who=BUYER) == held
        assert await entities(depot.app, selection, named) == held
        assert await entities(depot.app, selection, named, who=customer("acc_2")) == [None]

    async def test_holding_and_giving_back_are_in_the_log_once(self, depot: Depot):
        identifier = await self.held_id(depot)
        await release(depot, identifier)
        await release(depot, identifier)
        where = EventFilter(partition_key="VLV-0007:W01")
        events = [stored.event for stored in await depot.world.use.events.read(where, None, 10)]
        assert [event.type for event in events] == ["inventory.reserved", "inventory.released"]
        assert {(event.account_id, event.actor, event.data["quantity"]) for event in events} == {
            ("acc_1", "user:pia", "5")
        }


class TestCalls:
    """However many items are asked for, each system is called as often as for one."""

    @staticmethod
    def stocked(depot: Depot, count: int) -> list[str]:
        skus = [f"ITM-{number:04}" for number in range(count)]
        depot.world.wms.positions = [stock("9", sku=sku) for sku in skus]
        depot.world.erp.items_by_sku = {sku: item(sku) for sku in skus}
        return skus

    @pytest.mark.parametrize("count", [1, 30])
    async def test_availability_of_many_items(self, depot: Depot, count: int):
        items = [item_of(sku) for sku in self.stocked(depot, count)]
        found = await entities(depot.app, availability("1", shipToId="shp_1"), *items)
        assert [entry["availability"]["decision"] for entry in found] == ["FULL"] * count
        assert depot.calls() == {"warehouses": 1, "stock": 1, "inbound": 1, "ship_tos": 1}

    @pytest.mark.parametrize("count", [1, 30])
    async def test_stock_of_many_items(self, depot: Depot, count: int):
        items = [item_of(sku) for sku in self.stocked(depot, count)]
        found = await entities(depot.app, "... on Item { stock { onHand { value } warehouse { code } } }", *items)
        assert len(found) == count
        assert depot.calls() == {"warehouses": 1, "stock": 1, "inbound": 1}

    @pytest.mark.parametrize("count", [1, 30])
    async def test_sourcing_of_many_places(self, depot: Depot, count: int):
        address = {"country": "US", "region": "TX", "postalCode": "77001"}
        places = [{"__typename": "ShipTo", "id": f"shp_{n}", "address": address} for n in range(count)]
        found = await entities(depot.app, "... on ShipTo { sourcing { rank warehouse { code } } }", *places)
        assert len(found) == count
        assert depot.calls() == {"warehouses": 1}

    @pytest.mark.parametrize("count", [1, 30])
    async def test_reserving_many_lines(self, depot: Depot, count: int):
        payload = await reserve(depot, *(line("1", sku) for sku in self.stocked(depot, count)))
        assert len(payload["reservations"]) == count
        assert depot.calls() == {"terms": 1, "items": 1, "warehouses": 3, "stock": 1, "inbound": 1}

    @pytest.mark.parametrize("count", [1, 30])
    async def test_a_system_that_is_away_is_asked_once(self, depot: Depot, count: int):
        items = [item_of(sku) for sku in self.stocked(depot, count)]
        depot.world.script.down.add(SourceSystem.WMS)
        query = f"query ($of: [_Any!]!) {{ _entities(representations: $of) {{ {availability('1')} }} }}"
        answer = await ask(depot.app, query, of=items)
        assert len(answer["errors"]) == count
        assert depot.calls() == {"warehouses": 1, "stock": 1, "inbound": 1}


async def test_places_of_one_account_are_read_together(depot: Depot):
    depot.world.erp.places |= {f"shp_{n}": replace(ship_to(), id=f"shp_{n}") for n in range(10, 40)}
    fields = " ".join(
        f'a{n}: availability(quantity: {{value: "1", uom: "EA"}}, shipToId: "shp_{n}") {{ decision }}'
        for n in range(10, 40)
    )
    (found,) = await entities(depot.app, f"... on Item {{ {fields} }}", item_of(), who=BUYER)
    assert len(found) == 30
    assert depot.calls()["ship_tos"] == 1
