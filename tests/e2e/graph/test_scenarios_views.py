"""Scenarios S1, S2, S3, S7, S11 and S12 of the domain, asked by who would ask them and held to their whole results."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from crossdock.scenarios import scenario
from tests.support.eventually import WITHIN_S, eventually
from tests.support.graph_suite.asking import following, submission, until
from tests.support.personas import (
    AGENT,
    BUYER,
    CONTROLLER,
    IDENTITY,
    MANAGER,
    OPERATOR,
    OPERATOR_OF_WEST,
    PARENT_ADMIN,
    REP,
    REP_OF_CENTRAL,
    SIBLING,
    acting,
)
from tests.support.whole import Whole, demo_world, in_process

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

CLOSED_WITHIN_S = 120.0
"""A system that gave no answers is left alone for half a minute."""

_numbers = itertools.count(1)

SUBMIT = scenario("order").query


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Whole]:
    async with in_process(tmp_path_factory.mktemp("views"), IDENTITY) as running:
        yield running


def _sent_from(order: dict[str, Any]) -> set[str]:
    return {shipment["warehouse"]["code"] for shipment in order["shipments"]}


def _codes(order: dict[str, Any]) -> set[str]:
    """Return the warehouses that an order shows."""
    lines = order["lines"]["nodes"]
    return _sent_from(order) | {entry["warehouse"]["code"] for line in lines for entry in line["allocations"]}


async def customer(whole: Whole, **changes: Any) -> dict[str, Any]:
    """Ask S1 and return the whole answer."""
    shown = scenario("customer")
    return await whole.ask(shown.query, {**shown.variables, **changes})


class TestS01CustomerView:
    async def test_the_service_desk_sees_the_customer_whole(self, whole: Whole):
        async with acting(whole, AGENT) as agent:
            answer = await customer(agent)
        assert "errors" not in answer
        account = answer["data"]["accountByNumber"]
        assert (account["status"], account["erpHome"]) == ("ACTIVE", "CLOUD_ERP")
        assert Decimal(account["creditAvailable"]["amount"]) > 0
        assert Decimal(account["credit"]["overdue"]["amount"]) >= 0
        assert account["credit"]["freshness"]["stale"] is False
        assert account["invoices"]["nodes"]
        assert account["cases"]["nodes"]

    async def test_the_portal_sees_the_same_without_credit(self, whole: Whole):
        async with acting(whole, AGENT) as agent, acting(whole, BUYER) as buyer:
            inside = (await customer(agent))["data"]["accountByNumber"]
            answer = await customer(buyer)
        outside = answer["data"]["accountByNumber"]
        hidden = {"creditAvailable": None, "credit": None}
        assert outside == {**{name: inside[name] for name in outside}, **hidden}
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHORIZED_FIELD_OR_TYPE"]

    async def test_the_portal_of_another_customer_sees_nobody(self, whole: Whole):
        async with acting(whole, SIBLING) as sibling:
            assert (await customer(sibling))["data"] == {"accountByNumber": None}

    @pytest.mark.parametrize(
        ("sandbox", "system", "lost", "kept"),
        [
            pytest.param("tms", "TMS", ("orders.shipments.estimatedDelivery", "orders.shipments.trackingNumber"),
                         ("orders.shipments.status", "credit", "invoices", "cases"), id="the carriers' system"),
            pytest.param("erp", "CLOUD_ERP", ("credit", "creditAvailable", "invoices"),
                         ("name", "orders.number", "orders.shipments.status", "cases"), id="finance"),
        ],
    )  # fmt: skip
    async def test_a_system_that_is_down_costs_its_fields_and_is_named(
        self, whole: Whole, sandbox: str, system: str, lost: tuple[str, ...], kept: tuple[str, ...]
    ):
        await whole.sandboxes[sandbox].faults(outages=[{"after_s": 0, "for_s": 600}])
        try:
            async with acting(whole, AGENT) as agent:
                answer = await customer(agent)
        finally:
            await whole.sandboxes[sandbox].faults()
        told = {(error["extensions"]["code"], error["extensions"]["system"]) for error in answer["errors"]}
        assert told == {("SYSTEM_UNAVAILABLE", system)}
        account = answer["data"]["accountByNumber"]
        for path in lost:
            assert None in values(account, path), path
        for path in kept:
            assert None not in values(account, path), path
            assert values(account, path), path


def values(found: Any, path: str) -> list[Any]:
    """Return what stands at the end of a path, through lists and pages."""
    here = [found]
    for name in path.split("."):
        here = [entry[name] for entry in here]
        here = [entry["nodes"] if isinstance(entry, dict) and "nodes" in entry else entry for entry in here]
        here = [row for entry in here for row in (entry if isinstance(entry, list) else [entry])]
    return here


async def test_s02_a_rep_sees_price_with_breaks_and_the_promise_by_warehouse(whole: Whole):
    async with acting(whole, REP) as rep:
        item = (await rep.play("price"))["itemBySku"]
    price, stock = item["price"], item["availability"]
    assert (price["__typename"], price["source"]) == ("Price", "CONTRACT")
    assert price["unit"] == {"amount": "36.10", "currency": "USD"}
    assert [(step["minQuantity"]["value"], step["unit"]["amount"]) for step in price["breaks"]] == [
        ("1", "38.40"),
        ("24", "36.10"),
        ("96", "34.20"),
    ]
    assert datetime.fromisoformat(price["tokenExpiresAt"]) > datetime.now(UTC)
    assert price["freshness"]["stale"] is False
    assert (stock["decision"], stock["availableNow"]) == ("PARTIAL", {"value": "18", "uom": "EA"})
    now, later = stock["promise"]
    assert (now["warehouse"]["code"], now["kind"], now["quantity"]["value"]) == ("W01", "ON_HAND", "18")
    assert (later["warehouse"]["code"], later["kind"], later["quantity"]["value"]) == ("W01", "INBOUND_PO", "6")
    assert later["shipDate"] > now["shipDate"]
    assert later["deliveryDate"] > later["shipDate"]


async def test_s03_a_quote_below_the_floor_waits_for_the_manager_who_is_not_the_rep(whole: Whole):
    shown = scenario("quote")
    prepare = shown.query.replace("quote {", "quote { id version", 1)
    given = {**shown.variables["input"], "idempotencyKey": f"s03-{next(_numbers)}"}
    decide = """mutation ($id: ID!, $version: Int!, $key: String!) {
        quoteDecide(idempotencyKey: $key, quoteId: $id, version: $version, approve: true, comment: "to keep them") {
            quote { status approvals { level decision by { id } } } problems { __typename } } }"""
    async with acting(whole, REP) as rep, acting(whole, MANAGER) as manager:
        payload = (await rep.data(prepare, {"input": given}))["quotePrepare"]
        quote, (problem,) = payload["quote"], payload["problems"]
        assert (quote["status"], quote["total"]) == ("PENDING_APPROVAL", {"amount": "7560.00", "currency": "USD"})
        assert [entry["level"] for entry in quote["approvals"]] == ["SALES_MANAGER"]
        assert quote["lines"][0]["unitPrice"] == {"amount": "31.50"}
        assert (problem["__typename"], problem["level"]) == ("ApprovalRequired", "SALES_MANAGER")
        assert problem["taskId"]
        assert payload["process"]["state"] == "WAITING_HUMAN"
        decision = {"id": quote["id"], "version": quote["version"], "key": f"s03-{next(_numbers)}"}
        refused = await rep.ask(decide, decision)
        assert refused["errors"][0]["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE"
        decided = (await manager.data(decide, decision))["quoteDecide"]
    assert (decided["problems"], decided["quote"]["status"]) == ([], "APPROVED")
    assert decided["quote"]["approvals"] == [
        {"level": "SALES_MANAGER", "decision": "APPROVED", "by": {"id": "usr_4"}},
    ]


class TestS07LastUnits:
    RESERVE = """mutation ($input: InventoryReserveInput!) { inventoryReserve(input: $input) { replayed
        reservations { id status quantity { value uom } expiresAt }
        problems { __typename ... on Stockout { sku available { value } nextAvailable substituteSkus } } } }"""

    async def reserve(self, whole: Whole, account: str, ttl_s: int) -> dict[str, Any]:
        lines = [{"sku": "VLV-0007", "quantity": {"value": "5", "uom": "EA"}, "warehouseCode": "W01"}]
        key = f"s07-{next(_numbers)}"
        given = {"idempotencyKey": key, "accountId": account, "lines": lines, "ttlSeconds": ttl_s}
        found: dict[str, Any] = (await whole.data(self.RESERVE, {"input": given}))["inventoryReserve"]
        return found

    async def test_of_two_who_race_for_the_last_five_one_holds_them_until_the_hold_expires(self, whole: Whole):
        async with acting(whole, REP) as rep:
            payloads = await asyncio.gather(*(self.reserve(rep, account, 2) for account in ("acc_1", "acc_2")))
            winner = next(payload for payload in payloads if payload["reservations"])
            loser = next(payload for payload in payloads if payload["problems"])
            assert winner["problems"] == loser["reservations"] == []
            (held,) = winner["reservations"]
            assert (held["status"], held["quantity"]) == ("HELD", {"value": "5", "uom": "EA"})
            (problem,) = loser["problems"]
            assert (problem["__typename"], problem["sku"], problem["available"]) == (
                "Stockout",
                "VLV-0007",
                {"value": "0"},
            )
            assert date.fromisoformat(problem["nextAvailable"]) > datetime.now(UTC).date()
            assert problem["substituteSkus"] == ["VLV-0008", "VLV-0042"]
            stock = '{ itemBySku(sku: "VLV-0007") { stock { onHand { value } available { value } } } }'
            positions = (await rep.data(stock))["itemBySku"]["stock"]
            assert positions
            assert all(Decimal(row["onHand"]["value"]) >= 0 for row in positions)
            after = await eventually(lambda: self.reserve(rep, "acc_2", 1), lambda payload: not payload["problems"])
            assert datetime.now(UTC) >= datetime.fromisoformat(held["expiresAt"])
            assert [entry["status"] for entry in after["reservations"]] == ["HELD"]


class TestRowsOfCustomers:
    OF_SIBLING = '{ account(id: "acc_3") { orders(first: 1) { nodes { id number } } } }'

    async def test_an_order_of_a_sibling_does_not_exist_for_a_buyer(self, whole: Whole):
        async with acting(whole, CONTROLLER) as controller, acting(whole, BUYER) as buyer:
            (order,) = (await controller.data(self.OF_SIBLING))["account"]["orders"]["nodes"]
            both = "query ($id: ID!, $n: String!) { order(id: $id) { status } orderByNumber(number: $n) { status } }"
            known = {"id": order["id"], "n": order["number"]}
            assert await buyer.data(both, known) == {"order": None, "orderByNumber": None}
            assert await buyer.data(self.OF_SIBLING) == {"account": None}

    async def test_a_rep_works_with_the_accounts_of_its_territory_and_those_it_owns(self, whole: Whole):
        listed = "{ accounts(first: 100) { nodes { id territory { id } owner { id } } } }"
        orders = "{ orders(first: 50) { nodes { account { id } } pageInfo { hasNextPage } } }"
        async with acting(whole, CONTROLLER) as controller, acting(whole, REP_OF_CENTRAL) as rep:
            everything = (await controller.data(listed))["accounts"]["nodes"]
            mine = (await rep.data(listed))["accounts"]["nodes"]
            shown = (await rep.data(orders))["orders"]["nodes"]
            assert await rep.data(self.OF_SIBLING) == {"account": None}
        ours = [
            entry["id"]
            for entry in everything
            if (entry["territory"] or {}).get("id") == "ter_US-C" or (entry["owner"] or {}).get("id") == "usr_2"
        ]
        assert [entry["id"] for entry in mine] == ours
        assert 0 < len(ours) < len(everything)
        assert {order["account"]["id"] for order in shown} <= set(ours)
        assert shown

    async def test_operations_work_with_the_orders_of_their_warehouse(self, whole: Whole):
        listed = """{
          orders(first: 30) {
            nodes {
              id
              shipments { warehouse { code } }
              lines { nodes { allocations { warehouse { code } } } }
              lineage(first: 1) { nodes { type } }
            }
          }
        }"""
        one = "query ($id: ID!) { order(id: $id) { id lineage { nodes { type } } processes { id } } }"
        async with acting(whole, OPERATOR) as everywhere, acting(whole, OPERATOR_OF_WEST) as west:
            everything = (await everywhere.data(listed))["orders"]["nodes"]
            theirs = (await west.data(listed))["orders"]["nodes"]
            foreign = [order for order in everything if _codes(order) and "W01" not in _codes(order)]
            assert [await west.data(one, {"id": order["id"]}) for order in foreign] == [{"order": None}] * len(foreign)
            assert all([(await everywhere.data(one, {"id": order["id"]}))["order"] for order in foreign[:3]])
        assert (len(theirs), len(everything)) == (30, 30)
        assert all(order["lineage"]["nodes"] for order in theirs)
        assert {code for order in theirs for code in _sent_from(order)} == {"W01"}
        assert [order["id"] for order in theirs if "W01" not in _codes(order)] == []
        assert foreign

    async def test_an_administrator_of_the_parent_sees_the_orders_of_every_level_below(self, whole: Whole):
        query = "query ($id: ID!) { account(id: $id) { orders(first: 1) { nodes { number } } } }"
        async with acting(whole, PARENT_ADMIN) as admin:
            for account in ("acc_parent", "acc_3", "acc_10"):
                assert (await admin.data(query, {"id": account}))["account"]["orders"]["nodes"], account
            assert await admin.data(query, {"id": "acc_1"}) == {"account": None}

    async def test_a_buyer_does_not_follow_the_orders_of_a_sibling(self, whole: Whole):
        follow = "subscription { orderStatusChanged { order { account { id } } } }"
        async with acting(whole, REP) as rep, acting(whole, BUYER) as buyer, following(buyer, follow, {}) as stream:
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)  # the subscription is on its way before the orders are
            for account, place in (("acc_19", "shp_19"), ("acc_1", "shp_1")):
                await rep.data(SUBMIT, {"input": submission(account=account, ship_to=place)})
            async with asyncio.timeout(WITHIN_S):
                seen = [await first]
            seen += await until(stream, lambda _: True)
        assert {event["orderStatusChanged"]["order"]["account"]["id"] for event in seen} == {"acc_1"}


class TestS11ManyErps:
    """``acc_parent`` is in the cloud, and of its children one, one is in the legacy ERP and one on its way."""

    LEGACY, MOVING, CLOUD = "C-10045", "C-10044", "C-10046"

    async def children(self, who: Whole) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
        """Ask S11 and return the children by number, with the errors of the answer."""
        shown = scenario("migration")
        answer = await who.ask(shown.query, shown.variables)
        nodes = answer["data"]["account"]["children"]["nodes"]
        return {child["number"]: child for child in nodes}, answer.get("errors", [])

    async def test_customers_of_both_erps_have_one_shape_and_each_is_asked_for_where_it_is_at_home(self, whole: Whole):
        async with acting(whole, CONTROLLER) as controller:
            await self.children(controller)
            await whole.reset_calls()
            children, errors = await self.children(controller)
            calls = {name: sum((await sandbox.calls()).values()) for name, sandbox in whole.sandboxes.items()}
        assert not errors
        homes = {number: child["erpHome"] for number, child in children.items()}
        assert homes == {self.LEGACY: "LEGACY_ERP", self.MOVING: "MIGRATING", self.CLOUD: "CLOUD_ERP"}
        for child in children.values():
            assert child["openOrderValue"]["currency"] == child["currency"]
            assert child["price"]["__typename"] == "Price"
            assert child["orders"]["nodes"]
            for order in child["orders"]["nodes"]:
                home, in_erp = order["homeErp"], order["freshness"]["source"] != "PLATFORM"
                assert order["freshness"] == {"source": home if in_erp else "PLATFORM", "stale": False}
                refs = [(ref["system"], ref["id"], ref["current"]) for ref in order["externalRefs"]]
                assert refs == ([(home, order["number"], True)] if in_erp else [])
        erps = {number: {order["homeErp"] for order in _orders(child)} for number, child in children.items()}
        both = {"CLOUD_ERP", "LEGACY_ERP"}
        assert erps == {self.LEGACY: {"LEGACY_ERP"}, self.MOVING: both, self.CLOUD: {"CLOUD_ERP"}}
        assert 0 < calls["legacy_erp"] <= 6  # what the background asks meanwhile is counted too
        assert 0 < calls["erp"] <= 8

    async def test_one_that_migrates_has_its_open_orders_of_both_newest_first(self, whole: Whole):
        query = """{ accountByNumber(number: "C-10044") { openOrderValue { amount }
            orders(filter: {status: [ACCEPTED]}, first: 1) {
                nodes { number } pageInfo { hasNextPage endCursor } } } }"""
        async with acting(whole, CONTROLLER) as controller:
            first = (await controller.data(query))["accountByNumber"]
            seen, page = [], first["orders"]
            while page["pageInfo"]["hasNextPage"]:
                seen += [(node["number"]) for node in page["nodes"]]
                more = query.replace("first: 1", f'first: 1, after: "{page["pageInfo"]["endCursor"]}"')
                page = (await controller.data(more))["accountByNumber"]["orders"]
            seen += [node["number"] for node in page["nodes"]]
        open_in_world = [
            order for order in demo_world().orders if order.account_id == "acc_3" and order.status == "ACCEPTED"
        ]
        assert seen == [order.number for order in reversed(open_in_world)]
        assert {order.erp for order in open_in_world} == {"CLOUD_ERP", "LEGACY_ERP"}
        value = sum(line.extended for order in open_in_world for line in order.lines if line.invoiced < line.ordered)
        assert Decimal(first["openOrderValue"]["amount"]) == value

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param({"hang_rate": 1}, id="is slow"),
            pytest.param({"error_rate": 1}, id="answers 500"),
        ],
    )
    async def test_a_legacy_erp_that_gives_no_answer_makes_its_own_orders_stale_and_nothing_else(
        self, whole: Whole, fault: dict[str, Any]
    ):
        legacy = whole.sandboxes["legacy_erp"]
        async with acting(whole, CONTROLLER) as controller:
            fresh, _ = await self.children(controller)
            await legacy.faults(**fault)
            try:
                slow, errors = await self.children(controller)
            finally:
                await legacy.faults()
            await eventually(lambda: self.children(controller), lambda found: not found[1], CLOSED_WITHIN_S)
        assert slow[self.CLOUD] == fresh[self.CLOUD]
        for number in (self.LEGACY, self.MOVING):
            assert {order["number"] for order in _orders(slow[number])} == {
                order["number"] for order in _orders(fresh[number])
            }
        for order in (order for child in slow.values() for order in _orders(child) if order["externalRefs"]):
            assert order["freshness"]["stale"] is (order["homeErp"] == "LEGACY_ERP")
        assert {error["extensions"]["system"] for error in errors} == {"LEGACY_ERP"}


def _orders(account: dict[str, Any]) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = account["orders"]["nodes"]
    return nodes


async def test_s12_the_service_desk_sees_the_whole_story_its_touches_and_what_came_back(whole: Whole):
    async with acting(whole, AGENT) as agent:
        order = (await agent.play("lineage"))["orderByNumber"]
    story = order["lineage"]["nodes"]
    assert order["lineage"]["pageInfo"]["hasNextPage"] is False
    times = [datetime.fromisoformat(event["at"]) for event in story]
    assert times == sorted(times)
    first_of = {kind: next(place for place, event in enumerate(story) if event["type"] == kind) for kind in MILESTONES}
    assert list(first_of.values()) == sorted(first_of.values())
    assert {"PLATFORM", "CLOUD_ERP", "WMS", "TMS"} <= {event["system"] for event in story}
    touches = [event for event in story if event["manual"] and event["type"] == "return.approved"]
    assert order["touches"] == len(touches) > 0
    assert all(event["actor"].startswith("user:") and event["summary"] for event in touches)
    assert order["quote"]["lineage"]["nodes"][0]["type"] == "quote.created"
    (process,) = [entry for entry in order["processes"] if entry["kind"] == "ORDER_SUBMISSION"]
    assert (process["state"], process["sloBreached"]) == ("COMPLETED", False)
    assert [(step["state"], step["compensated"]) for step in process["steps"]] == [("DONE", False)] * 10
    (back,) = order["returns"]
    assert (back["rmaNumber"] != "", back["status"], Decimal(back["credit"]["amount"]) > 0) == (True, "CREDITED", True)


MILESTONES = (
    *("quote.created", "order.received", "order.accepted", "order.line.allocated", "order.acknowledged"),
    *("order.released", "shipment.picked", "shipment.shipped", "shipment.delivered", "invoice.posted"),
    *("return.requested", "return.credited"),
)
"""The stations of a story, in their order."""
