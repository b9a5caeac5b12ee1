"""Scenarios S4, S5, S6, S8, S9 and S10 of the domain: orders on their way, and what goes wrong on it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from crossdock.scenarios import scenario
from processes.rules.tokens import PriceClaims, TokenSigner
from sandbox.kit.webhooks import signature
from schema.enums import PriceSource
from schema.records.values import Money
from tests.support.eventually import WITHIN_S, eventually
from tests.support.graph_suite.asking import following, submission, until
from tests.support.personas import AGENT, BUYER, CONTROLLER, IDENTITY, OPERATOR, REP, acting
from tests.support.sandboxes import ServedSandbox
from tests.support.whole import Whole, in_process

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SUBMIT = scenario("order").query
STATUS = "query ($id: ID!) { order(id: $id) { status } }"
OUT = {"outages": [{"after_s": 0, "for_s": 600}]}
RECOVERED_WITHIN_S = 120.0
"""A circuit stays open for half a minute, and pauses between attempts have grown meanwhile."""

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Whole]:
    async with in_process(tmp_path_factory.mktemp("orders"), IDENTITY) as running:
        yield running


async def known_order(whole: Whole, given: Mapping[str, Any]) -> dict[str, Any]:
    """Submit an order and return it as soon as it is recorded; a process that has just begun may not have done so."""

    async def ask() -> Any:
        return (await whole.data(SUBMIT, {"input": given}))["orderSubmit"]["order"]

    found: dict[str, Any] = await eventually(ask, bool)
    return found


async def order_when(
    whole: Whole, order_id: str, fields: str, *, within_s: float = WITHIN_S, **wanted: Any
) -> dict[str, Any]:
    """Return an order as soon as its fields are as wanted."""

    async def ask() -> dict[str, Any]:
        return (await whole.data(f"query ($id: ID!) {{ order(id: $id) {{ {fields} }} }}", {"id": order_id}))["order"]

    return await eventually(ask, lambda found: all(found[name] == value for name, value in wanted.items()), within_s)


async def test_s04_a_price_that_moved_since_the_offer_is_a_conflict_until_the_customer_takes_it(whole: Whole):
    erp = whole.sandboxes["erp"].host.store
    moved = "UPDATE prices SET breaks = replace(breaks, ?, ?) WHERE accountId = 'acc_1' AND itemNumber = 'PMP-0042'"
    offered = PriceClaims(
        account_id="acc_1",
        sku="PMP-0042",
        uom="EA",
        unit=Money(Decimal("36.10"), "USD"),
        min_quantity=Decimal(24),
        below=Decimal(96),
        source=PriceSource.CONTRACT,
        rule_id=None,
        expires_at=datetime.now(UTC) - timedelta(minutes=1),
    )
    token = TokenSigner(whole.settings.price_token_key.encode()).sign(offered)
    given = submission(("PMP-0042", "24"), account="acc_1", ship_to="shp_1")
    given["lines"][0]["priceToken"] = token
    erp.execute(moved, ("36.10", "37.40"))
    try:
        async with acting(whole, REP) as rep:
            refused = (await rep.data(SUBMIT, {"input": given}))["orderSubmit"]
            assert refused["order"] is None
            (problem,) = refused["problems"]
            assert (problem["__typename"], problem["sku"], problem["reason"]) == (
                "PricingConflict",
                "PMP-0042",
                "TOKEN_EXPIRED",
            )
            assert (problem["expected"], problem["current"]) == ({"amount": "36.10"}, {"amount": "37.40"})
            taken = {**given, "acceptCurrentPrices": True, "idempotencyKey": f"{given['idempotencyKey']}-again"}
            accepted = (await rep.data(SUBMIT, {"input": taken}))["orderSubmit"]
            prices = "query ($id: ID!) { order(id: $id) { lines { nodes { unitPrice { amount } } } } }"
            assert (accepted["problems"], accepted["order"]["status"]) == ([], "ACCEPTED")
            sold = (await rep.data(prices, {"id": accepted["order"]["id"]}))["order"]["lines"]["nodes"]
    finally:
        erp.execute(moved, ("37.40", "36.10"))
    assert sold == [{"unitPrice": {"amount": "37.40"}}]


class TestS05SlowErp:
    async def test_a_phone_that_sends_again_while_the_erp_is_slow_gets_the_same_order(self, whole: Whole):
        erp = whole.sandboxes["erp"]
        resubmit = """mutation ($i: OrderSubmitInput!) { orderSubmit(input: $i) { replayed
            order { id status externalRefs { system id } } process { id state }
            problems { __typename ... on IdempotencyConflict { originalProcessId } } } }"""
        given = submission(waitMs=10_000)
        async with acting(whole, REP) as rep:
            await erp.faults(latency_ms={"median": 6_000, "p95": 6_000})
            try:
                first = (await rep.data(resubmit, {"i": given}))["orderSubmit"]
                again = (await rep.data(resubmit, {"i": given}))["orderSubmit"]
            finally:
                await erp.faults()
            assert (first["problems"], first["replayed"]) == ([], False)
            assert first["order"]["status"] in ("RECEIVED", "VALIDATING")
            assert (first["order"]["externalRefs"], first["process"]["state"]) == ([], "WAITING_SYSTEM")
            assert again["replayed"] is True
            assert (again["order"]["id"], again["process"]["id"]) == (first["order"]["id"], first["process"]["id"])
            lines = [{**given["lines"][0], "quantity": {"value": "25", "uom": "EA"}}]
            conflict = (await rep.data(resubmit, {"i": {**given, "lines": lines}}))["orderSubmit"]
            assert (conflict["order"], [entry["__typename"] for entry in conflict["problems"]]) == (
                None,
                ["IdempotencyConflict"],
            )
            assert conflict["problems"][0]["originalProcessId"] == first["process"]["id"]
            await accepted(rep, first["order"]["id"])
            assert await documents(whole, first["order"]["id"]) == 1

    async def test_an_erp_whose_answer_is_lost_holds_one_document(self, whole: Whole):
        erp = whole.sandboxes["erp"]
        await erp.faults(lost_answer_rate=1, hang_s=0.2, only={"methods": ["POST"], "path": "/orders"})
        try:
            async with acting(whole, REP) as rep:
                order = await known_order(rep, submission(waitMs=500))
                await eventually(lambda: documents(whole, order["id"]), lambda count: count > 0)
                await erp.faults()
                await accepted(rep, order["id"])
        finally:
            await erp.faults()
        assert await documents(whole, order["id"]) == 1


async def accepted(whole: Whole, order_id: str) -> None:
    await order_when(whole, order_id, "status", status="ACCEPTED")


async def documents(whole: Whole, order_id: str) -> int:
    """Return how many documents the ERP holds for an order."""
    store = whole.sandboxes["erp"].host.store
    return len(store.query("SELECT number FROM orders WHERE orderId = ?", (order_id,)))


class TestS06Following:
    async def test_an_order_is_followed_again_after_the_socket_dropped_without_gap_or_double(self, whole: Whole):
        follow = scenario("follow").query
        erp = whole.sandboxes["erp"]
        async with acting(whole, BUYER) as buyer, acting(whole, REP) as rep:
            await erp.faults(**OUT)
            try:
                order = await known_order(rep, submission(account="acc_1", ship_to="shp_1", waitMs=500))
                history = "query ($id: ID!) { order(id: $id) { lineage(first: 1) { nodes { eventId } } } }"
                last = (await rep.data(history, {"id": order["id"]}))["order"]["lineage"]["nodes"][0]["eventId"]
                known = {"order": order["id"], "after": last}
                async with following(buyer, follow, known) as stream:
                    first = asyncio.ensure_future(anext(stream))
                    await asyncio.sleep(0)  # the subscription is on its way before the ERP is back
                    await erp.faults()
                    async with asyncio.timeout(WITHIN_S):
                        seen = [await first]
            finally:
                await erp.faults()
            await order_when(rep, order["id"], "status fulfillmentStatus", fulfillmentStatus="RELEASED")
            async with following(buyer, follow, {**known, "after": _event(seen[0])["eventId"]}) as stream:
                rest = await until(stream, lambda event: _event(event)["type"] == "order.acknowledged")
            async with following(buyer, follow, known) as stream:
                whole_story = await until(stream, lambda event: _event(event)["type"] == "order.acknowledged")
        ids = [_event(event)["eventId"] for event in (*seen, *rest)]
        assert ids == [_event(event)["eventId"] for event in whole_story]
        assert len(ids) == len(set(ids))
        types = [_event(event)["type"] for event in whole_story]
        assert [kind for kind in types if kind in ("order.priced", "order.accepted", "order.released")] == [
            "order.priced",
            "order.accepted",
            "order.released",
        ]
        now = _event(whole_story[-1])["order"]
        assert (now["status"], now["billingStatus"]) == ("ACCEPTED", "NOT_INVOICED")


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = event["orderStatusChanged"]
    return found


class TestS08LateShipment:
    SKU = "VLV-0009"

    def limit_stock(self, whole: Whole, free: int) -> None:
        """Leave so many free in W01, and none elsewhere."""
        wms, erp = (whole.sandboxes[name].host.store for name in ("wms", "erp"))
        wms.execute("UPDATE stock SET on_hand = allocated + blocked, safety_stock = 0 WHERE sku = ?", (self.SKU,))
        wms.execute(
            "UPDATE stock SET on_hand = on_hand + ? WHERE sku = ? AND warehouse = 'W01'", (free * 1000, self.SKU)
        )
        erp.execute("UPDATE stock SET free = 0 WHERE sku = ?", (self.SKU,))
        erp.execute("UPDATE stock SET free = ? WHERE sku = ? AND location = 'W01'", (free * 1000, self.SKU))

    async def test_a_part_ships_the_carrier_is_late_the_order_says_so_and_a_case_is_opened(self, whole: Whole):
        self.limit_stock(whole, 6)
        tms = whole.sandboxes["tms"]
        shipments = scenario("shipments").query
        async with acting(whole, REP) as rep, acting(whole, BUYER) as buyer:
            given = submission((self.SKU, "10"), account="acc_1", ship_to="shp_1")
            order = await known_order(rep, given)
            wanted = "fulfillmentStatus lines { nodes { allocated { value } backordered { value } } }"
            (line,) = (await order_when(rep, order["id"], wanted, fulfillmentStatus="RELEASED"))["lines"]["nodes"]
            assert (line["allocated"], line["backordered"]) == ({"value": "6"}, {"value": "4"})
            async with following(buyer, shipments, {"account": "acc_1"}) as stream:
                first = asyncio.ensure_future(anext(stream))
                await asyncio.sleep(0)  # the subscription is on its way before the warehouse works
                await whole.sandboxes["wms"].http.put("/_sandbox/clock", json={"advance_s": 3 * 3600})
                load = await eventually(lambda: self.load(whole, order["id"]), lambda found: found is not None)
                late = {"code": "SD", "reason": "AI", "at": datetime.now(UTC).isoformat()}
                headers = {"authorization": "Bearer sandbox-tms-key"}
                (await tms.http.post(f"/v2/loads/{load}/milestones", json=late, headers=headers)).raise_for_status()
                async with asyncio.timeout(WITHIN_S):
                    seen = [(await first)["shipmentMilestone"]]
                seen += [entry["shipmentMilestone"] for entry in await until(stream, _is_late)]
            told = seen[-1]
            assert (told["milestone"]["code"], told["milestone"]["reasonCode"]) == ("SD", "AI")
            assert told["shipment"]["status"] == "DELAYED"
            (shipped,) = told["shipment"]["lines"]
            assert (shipped["quantity"]["value"], shipped["orderLine"]["backordered"]) == ("6", {"value": "4"})
            problems = await order_when(rep, order["id"], "number exceptions { __typename }")
            await eventually(lambda: self.problems(rep, order["id"]), lambda found: "FulfillmentDelay" in found)
            cases = '{ account(id: "acc_1") { cases(first: 100) { nodes { subject order { id } } } } }'

            async def about() -> list[str]:
                nodes = (await rep.data(cases))["account"]["cases"]["nodes"]
                return [entry["subject"] for entry in nodes if (entry["order"] or {}).get("id") == order["id"]]

            (subject,) = await eventually(about, bool)
            assert told["shipment"]["number"] in subject
            assert problems["number"] == order["number"]
            await self.tell_again(whole, load)
            ids = [entry["eventId"] for entry in seen]
            async with following(buyer, shipments, {"account": "acc_1", "after": ids[0]}) as stream:
                again = [entry["shipmentMilestone"]["eventId"] for entry in await until(stream, _is_late)]
            assert again == ids[1:]
            assert len(ids) == len(set(ids))
            count = "query ($id: ID!) { order(id: $id) { lineage(first: 200) { nodes { type } } } }"
            nodes = (await rep.data(count, {"id": order["id"]}))["order"]["lineage"]["nodes"]
            assert [entry["type"] for entry in nodes].count("shipment.delayed") == 1

    async def load(self, whole: Whole, order_id: str) -> str | None:
        row = whole.sandboxes["tms"].host.store.one("SELECT id FROM loads WHERE order_ref = ?", (order_id,))
        return None if row is None else str(row["id"])

    async def problems(self, whole: Whole, order_id: str) -> list[str]:
        found = await whole.data("query ($id: ID!) { order(id: $id) { exceptions { __typename } } }", {"id": order_id})
        return [entry["__typename"] for entry in found["order"]["exceptions"]]

    async def tell_again(self, whole: Whole, load_id: str) -> None:
        """Send what the carrier has told of a load once more, as it was and under new message ids."""
        rows = whole.sandboxes["tms"].host.store.query("SELECT event_id, body FROM kit_webhooks")
        mine = [row for row in rows if f'"{load_id}"' in row["body"]]
        assert mine
        for row in mine:
            for event_id in (row["event_id"], f"{row['event_id']}-again"):
                body = row["body"].replace(row["event_id"], event_id).encode()
                timestamp = str(int(time.time()))
                secret = whole.settings.systems.tms.webhook_secret
                headers = {
                    "x-tms-event-id": event_id,
                    "x-tms-timestamp": timestamp,
                    "x-tms-signature": signature(secret, timestamp, body),
                }
                assert (await whole.http.post("/webhooks/tms", content=body, headers=headers)).status_code == 202


def _is_late(event: Any) -> bool:
    return bool(event["shipmentMilestone"]["milestone"]["status"] == "DELAYED")


@pytest.mark.slow
async def test_s09_releases_wait_for_a_warehouse_that_is_down_and_are_done_in_order_once_each_when_it_is_back(
    whole: Whole,
):
    wall = """{ systems { system circuit queued oldestQueuedSeconds }
        exceptionTasks(queue: "FULFILMENT", first: 100) { nodes {
            kind summary dueAt order { id number fulfillmentStatus } resolutions } }
        deadLetters(source: WMS) { nodes { id } } }"""
    buyers = [("acc_19", "shp_19"), ("acc_1", "shp_1")] * 4
    wms = whole.sandboxes["wms"]

    async def seen(operator: Whole) -> dict[str, Any]:
        await operator.data('{ itemBySku(sku: "VLV-0042") { stock { available { value } } } }')  # as others do
        return next(entry for entry in (await operator.data(wall))["systems"] if entry["system"] == "WMS")

    async def late(operator: Whole) -> dict[str, dict[str, Any]]:
        nodes = (await operator.data(wall))["exceptionTasks"]["nodes"]
        return {entry["order"]["id"]: entry for entry in nodes if "cut-off" in entry["summary"]}

    async with acting(whole, REP) as rep, acting(whole, OPERATOR) as operator:
        places = wms.host.store.query("SELECT code, time_zone, cutoff FROM warehouses")
        for row in places:  # where it is always later than what goes today has to be released
            _move(wms, row["code"], "Pacific/Kiritimati", "00:00")
        await operator.data("{ warehouses { code } }")
        await wms.faults(**OUT)
        try:
            orders = []
            for account, place in buyers:
                given = submission(account=account, ship_to=place, waitMs=500)
                orders.append((await known_order(rep, given))["id"])
                await order_when(rep, orders[-1], "status", status="ACCEPTED")
            down = await eventually(
                lambda: seen(operator),
                lambda entry: entry["circuit"] == "OPEN" and entry["queued"] >= len(orders),  # others may wait, too
                RECOVERED_WITHIN_S,
            )
            assert down["oldestQueuedSeconds"] >= 0
            asked = await eventually(
                lambda: late(operator), lambda found: set(orders) <= set(found), RECOVERED_WITHIN_S
            )
            for order_id in orders:
                task = asked[order_id]
                assert (task["kind"], task["resolutions"]) == ("FulfillmentDelay", ["INFORM_CUSTOMER", "WAIT"])
                assert datetime.fromisoformat(task["dueAt"]) > datetime.now(UTC)
                assert task["order"]["fulfillmentStatus"] == "ALLOCATED"
        finally:
            await wms.faults()
            for row in places:
                _move(wms, row["code"], row["time_zone"], row["cutoff"])
        for order_id in orders:
            await order_when(
                rep, order_id, "fulfillmentStatus", within_s=RECOVERED_WITHIN_S, fulfillmentStatus="RELEASED"
            )
        up = await eventually(lambda: seen(operator), lambda entry: entry["queued"] == 0)
        await eventually(lambda: late(operator), lambda found: not set(orders) & set(found), RECOVERED_WITHIN_S)
    assert (up["circuit"], up["oldestQueuedSeconds"]) == ("CLOSED", None)
    rows = wms.host.store.query("SELECT order_ref FROM shipments ORDER BY length(number), number")
    released = [row["order_ref"] for row in rows if row["order_ref"] in orders]
    for first in (0, 1):
        assert [entry for entry in released if entry in orders[first::2]] == orders[first::2]


def _move(wms: ServedSandbox, code: str, time_zone: str, cutoff: str) -> None:
    wms.host.store.execute("UPDATE warehouses SET time_zone = ?, cutoff = ? WHERE code = ?", (time_zone, cutoff, code))


class TestS10CreditHold:
    RELEASE = """mutation Release($i: OrderHoldReleaseInput!) { orderHoldRelease(input: $i) {
        order { status holds { kind } allowedActions } process { id state }
        problems { __typename ... on NotAllowedInState { state allowed } ... on ValidationFailed { rule } } } }"""

    async def hold(self, rep: Whole) -> dict[str, Any]:
        """Return an order of the customer who pays late."""
        given = submission(account="acc_7", ship_to="shp_7")
        payload = (await rep.data(SUBMIT, {"input": given}))["orderSubmit"]
        (problem,) = payload["problems"]
        assert (problem["__typename"], payload["process"]["state"]) == ("CreditHold", "WAITING_HUMAN")
        assert problem["taskId"]
        order: dict[str, Any] = payload["order"]
        assert (order["status"], [hold["kind"] for hold in order["holds"]]) == ("ON_HOLD", ["CREDIT"])
        return order

    def decision(self, order: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        cap = {"amount": "12000.00", "currency": "USD"}
        about = {"orderId": order["id"], "kind": "CREDIT", "maxAmount": cap, "comment": "payment promised 25th"}
        return {"i": {"idempotencyKey": f"s10-{next(_numbers)}", **about, **changes}}

    async def test_a_controller_releases_up_to_a_cap_and_erp_and_allocation_follow(self, whole: Whole):
        async with acting(whole, REP) as rep, acting(whole, AGENT) as agent, acting(whole, CONTROLLER) as controller:
            order = await self.hold(rep)
            forbidden = await agent.ask(self.RELEASE, self.decision(order))
            assert forbidden.get("data") is None
            assert [error["extensions"]["code"] for error in forbidden["errors"]] == ["UNAUTHORIZED_FIELD_OR_TYPE"]
            low = {"amount": "1.00", "currency": "USD"}
            refused = (await controller.data(self.RELEASE, self.decision(order, maxAmount=low)))["orderHoldRelease"]
            assert [problem["rule"] for problem in refused["problems"]] == ["CAP_BELOW_TOTAL"]
            released = (await controller.data(self.RELEASE, self.decision(order)))["orderHoldRelease"]
            assert (released["problems"], released["order"]["holds"]) == ([], [])
            wanted = "status fulfillmentStatus lines { nodes { allocated { value } } }"
            done = await order_when(rep, order["id"], wanted, status="ACCEPTED", fulfillmentStatus="RELEASED")
            assert done["lines"]["nodes"] == [{"allocated": {"value": "2"}}]
            late = (await controller.data(self.RELEASE, self.decision(order)))["orderHoldRelease"]
            assert [problem["__typename"] for problem in late["problems"]] == ["NotAllowedInState"]
        assert await documents(whole, order["id"]) == 1

    async def test_a_release_that_ends_before_the_warehouse_takes_the_order_holds_it_again(self, whole: Whole):
        wms = whole.sandboxes["wms"]
        async with acting(whole, REP) as rep, acting(whole, CONTROLLER) as controller:
            order = await self.hold(rep)
            await wms.faults(error_rate=1, only={"path": "/releases"})
            try:
                ends = datetime.now(UTC) + timedelta(seconds=2)
                brief = self.decision(order, expiresAt=ends.isoformat())
                assert (await controller.data(self.RELEASE, brief))["orderHoldRelease"]["problems"] == []
                again = await order_when(rep, order["id"], "status holds { kind }", status="ON_HOLD")
            finally:
                await wms.faults()
            assert datetime.now(UTC) >= ends
            assert again["holds"] == [{"kind": "CREDIT"}]
            assert (await controller.data(self.RELEASE, self.decision(order)))["orderHoldRelease"]["problems"] == []
            await order_when(rep, order["id"], "fulfillmentStatus", fulfillmentStatus="RELEASED")
