"""The inventory subgraph: what can be promised, and what lies where."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from schema.enums import SourceSystem
from tests.support.inventory_depot import BUYER, FRIDAY, Depot, inventory_depot, item_of, line, reserve
from tests.support.rule_records import inbound, item, ship_to, stock, warehouse
from tests.support.subgraph_requests import STAFF, STRANGER, ask, data, entities


@pytest.fixture
async def depot(sqlite_url: str) -> AsyncIterator[Depot]:
    async with inventory_depot(sqlite_url) as made:
        yield made


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
