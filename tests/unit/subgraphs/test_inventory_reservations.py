"""Reservations in the inventory subgraph: held once per key, all lines or none, and given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schema.enums import ReservationStatus, SourceSystem
from schema.events.envelope import EventFilter
from systems.errors import Unavailable
from tests.support.inventory_depot import FRIDAY, PAYLOAD, SHOP, Depot, inventory_depot, line, reserve
from tests.support.platform_records import requested
from tests.support.rule_records import NOW, inbound, stock, warehouse
from tests.support.subgraph_requests import STAFF, STRANGER, ask, customer, data, entities, shop, staff


@pytest.fixture
async def depot(sqlite_url: str) -> AsyncIterator[Depot]:
    async with inventory_depot(sqlite_url) as made:
        yield made


async def release(depot: Depot, *ids: str, key: str = "r-1", who: Any = SHOP) -> dict[str, Any]:
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

    async def test_what_was_asked_for_is_in_the_audit_by_its_names(self, depot: Depot):
        await reserve(depot, line("4", code="W01"), ttlSeconds=60)
        wanted = {"sku": "VLV-0007", "quantity": {"value": "4", "uom": "EA"}, "warehouse_code": "W01"}
        asked = {"account_id": "acc_1", "ttl_s": 60, "lines": [wanted]}
        assert await requested(depot.world.database, "inventoryReserve") == [asked]

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

    @pytest.mark.parametrize(
        "who",
        [
            pytest.param(staff(role="WAREHOUSE"), id="another role"),
            pytest.param(staff(role="SERVICE_DESK"), id="the service desk"),
            pytest.param(customer("acc_1"), id="the customer"),
            pytest.param(STRANGER, id="a stranger"),
        ],
    )
    async def test_nobody_holds_stock_but_sales_and_programs_of_customers(self, depot: Depot, who: Any):
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

    @pytest.mark.parametrize("who", [shop("acc_2"), STAFF], ids=["another customer's", "unknown"])
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
        assert await entities(depot.app, selection, named, who=SHOP) == held
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
            ("acc_1", "system:shop", "5")
        }
