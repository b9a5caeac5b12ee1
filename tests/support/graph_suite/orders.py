"""Quotes and orders on their way through every system."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crossdock.scenarios import scenario
from tests.support.eventually import eventually
from tests.support.graph_suite.asking import (
    BUYER,
    NUMBERS,
    ORDER,
    WITHIN_S,
    edit_in_crm,
    following,
    new_key,
    order_that_is,
    story_of,
    submission,
    until,
)
from tests.support.whole import FAST, Whole

PROBLEMS = "problems { __typename ... on NotAllowedInState { state } ... on VersionConflict { currentVersion } }"
CHANGE = f"mutation ($input: OrderChangeInput!) {{ orderChange(input: $input) {{ {ORDER} {PROBLEMS} }} }}"
CANCEL = f"mutation ($input: OrderCancelInput!) {{ orderCancel(input: $input) {{ {ORDER} {PROBLEMS} }} }}"


class OrderSuite:
    """Quotes and orders on their way through every system."""

    async def test_a_quote_below_the_margin_floor_waits_for_approval(self, whole: Whole):
        shown = scenario("quote")
        given = {**shown.variables["input"], "idempotencyKey": f"quote-{next(NUMBERS)}"}
        payload = (await whole.data(shown.query, {"input": given}))["quotePrepare"]
        assert payload["quote"]["status"] == "PENDING_APPROVAL"
        assert payload["quote"]["approvals"][0]["level"] == "SALES_MANAGER"
        assert [problem["__typename"] for problem in payload["problems"]] == ["ApprovalRequired"]

    @pytest.mark.slow
    async def test_a_quote_is_in_the_crm_and_what_is_said_of_it_there_becomes_its_status(self, whole: Whole):
        line = {"lineNo": 1, "sku": "VLV-0042", "quantity": {"value": "2", "uom": "EA"}}
        given = {"idempotencyKey": f"quote-{next(NUMBERS)}", "accountId": BUYER, "lines": [line]}
        query = "mutation ($input: QuotePrepareInput!) { quotePrepare(input: $input) { quote { id number status } } }"
        quote = (await whole.data(query, {"input": given}))["quotePrepare"]["quote"]
        crm = whole.sandboxes["crm"].host.store
        sql = "SELECT Name, Status FROM Quote WHERE Crossdock_Id__c = ?"

        async def shown() -> list[tuple[str, str]]:
            return [(row["Name"], row["Status"]) for row in crm.query(sql, (quote["id"],))]

        async def status() -> Any:
            read = "query ($id: ID!) { quote(id: $id) { status } }"
            return (await whole.data(read, {"id": quote["id"]}))["quote"]["status"]

        assert quote["status"] == "PRICED"
        await eventually(shown, lambda found: found == [(quote["number"], "Priced")])
        await edit_in_crm(whole, f"Quote/{quote['id']}", {"Status": "Presented"})
        await eventually(status, lambda found: found == "SENT")
        await edit_in_crm(whole, f"Quote/{quote['id']}", {"Status": "Needs Review"})
        await eventually(status, lambda found: found == "PRICED")
        await eventually(shown, lambda found: found == [(quote["number"], "Priced")])
        for said, becomes in (("Presented", "SENT"), ("Accepted", "ACCEPTED")):
            await edit_in_crm(whole, f"Quote/{quote['id']}", {"Status": said})
            await eventually(status, lambda found, becomes=becomes: found == becomes)
        await eventually(shown, lambda found: found == [(quote["number"], "Accepted")])

    async def test_an_order_goes_through_every_step_into_erp_and_warehouse(self, whole: Whole):
        payload = (await whole.play("order", input=submission(("VLV-0042", "10"))))["orderSubmit"]
        order = payload["order"]
        assert payload["problems"] == []
        assert (order["status"], payload["replayed"]) == ("ACCEPTED", False)
        assert order["lines"]["nodes"][0]["allocated"] == {"value": "10"}
        story = await story_of(whole, order["number"], "COMPLETED")
        (process,) = story["processes"]
        assert [step["name"] for step in process["steps"]] == [
            *("receive", "enrich", "validate", "price", "credit", "reserve"),
            *("create", "allocate", "release", "acknowledge"),
        ]
        types = [event["type"] for event in story["lineage"]["nodes"]]
        assert {"order.received", "order.priced", "order.accepted", "order.released", "customer.notified"} <= set(types)

    async def test_the_same_key_gives_the_same_answer_and_another_payload_a_conflict(self, whole: Whole):
        given = submission()
        first = (await whole.play("order", input=given))["orderSubmit"]
        again = (await whole.play("order", input=given))["orderSubmit"]
        assert (again["order"]["id"], again["replayed"]) == (first["order"]["id"], True)
        other = {**given, "lines": [{"lineNo": 1, "sku": "VLV-0042", "quantity": {"value": "3", "uom": "EA"}}]}
        refused = (await whole.play("order", input=other))["orderSubmit"]
        assert refused["order"] is None
        (problem,) = refused["problems"]
        assert problem["__typename"] == "IdempotencyConflict"
        assert problem["originalProcessId"] == first["process"]["id"]

    async def test_a_key_in_the_header_is_the_key_of_the_order(self, whole: Whole):
        given = submission()
        body = {"query": scenario("order").query, "variables": {"input": given}}
        headers = {"idempotency-key": f'"{given.pop("idempotencyKey")}"'}
        first, again = [
            (await whole.http.post("/graphql", json=body, headers=headers)).json()["data"]["orderSubmit"]
            for _ in range(2)
        ]
        assert (again["order"]["id"], first["replayed"], again["replayed"]) == (first["order"]["id"], False, True)

    async def test_a_shipment_is_followed_to_its_delivery_and_resumed_without_gap_or_double(self, whole: Whole):
        shown = scenario("shipments")
        async with following(whole, shown.query, {"account": BUYER}) as stream:
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)  # the subscription is on its way before the order is
            payload = (await whole.play("order", input=submission(("VLV-0042", "4"))))["orderSubmit"]
            assert payload["order"]["status"] == "ACCEPTED"
            await whole.speed(FAST)
            try:
                async with asyncio.timeout(WITHIN_S):
                    seen = [await first]
                cursor = seen[0]["shipmentMilestone"]["eventId"]
                seen += await until(stream, _is_delivered)
            finally:
                await whole.speed(1)
        async with following(whole, shown.query, {"account": BUYER, "after": cursor}) as stream:
            again = await until(stream, _is_delivered)
        ids = [event["shipmentMilestone"]["eventId"] for event in seen]
        assert len(ids) == len(set(ids))
        assert [event["shipmentMilestone"]["eventId"] for event in again] == ids[1:]
        last = seen[-1]["shipmentMilestone"]["shipment"]
        assert last["status"] == "DELIVERED"
        assert last["trackingNumber"]
        assert last["lines"][0]["orderLine"]["lineNo"] == 1

    async def test_an_order_is_accepted_after_the_erp_was_away_and_there_is_one_document(self, whole: Whole):
        erp = whole.sandboxes["erp"]
        await erp.faults(outages=[{"after_s": 0, "for_s": 3}])
        try:
            payload = (await whole.play("order", input=submission(waitMs=200)))["orderSubmit"]
            order = payload["order"]
            assert order["status"] in ("RECEIVED", "VALIDATING")
            follow = scenario("follow")
            async with following(whole, follow.query, {"order": order["id"]}) as stream:
                await until(stream, lambda event: event["orderStatusChanged"]["order"]["status"] == "ACCEPTED")
        finally:
            await erp.faults()
        rows = erp.host.store.query("SELECT number FROM orders WHERE orderId = ?", (order["id"],))
        assert len(rows) == 1

    async def test_an_accepted_order_is_changed_and_cancelled_everywhere(self, whole: Whole):
        placed = (await whole.play("order", input=submission(("VLV-0042", "5"))))["orderSubmit"]["order"]
        await story_of(whole, placed["number"], "COMPLETED")
        known = await whole.data("query ($id: ID!) { order(id: $id) { version } }", {"id": placed["id"]})
        about = {"orderId": placed["id"], "version": known["order"]["version"], "reason": "fewer will do"}
        lines = [{"lineNo": 1, "quantity": {"value": "3", "uom": "EA"}}]
        changed = (await whole.data(CHANGE, {"input": {**about, **new_key(), "lines": lines}}))["orderChange"]
        assert changed["problems"] == []
        order = await order_that_is(whole, placed["id"], "ACCEPTED")
        assert order["lines"]["nodes"] == [{"ordered": {"value": "3"}, "allocated": {"value": "3"}}]
        assert order["allowedActions"] == ["CHANGE", "CANCEL"]
        (problem,) = (await whole.data(CANCEL, {"input": {**about, **new_key()}}))["orderCancel"]["problems"]
        version = order["version"]
        assert problem == {"__typename": "VersionConflict", "currentVersion": version}
        fresh = {**about, **new_key(), "version": version}
        cancelled = (await whole.data(CANCEL, {"input": fresh}))["orderCancel"]
        assert cancelled["problems"] == []
        await order_that_is(whole, placed["id"], "CANCELLED")
        erp, wms = whole.sandboxes["erp"].host.store, whole.sandboxes["wms"].host.store
        (document,) = erp.query("SELECT status FROM orders WHERE orderId = ?", (placed["id"],))
        shipments = wms.query("SELECT status FROM shipments WHERE order_ref = ?", (placed["id"],))
        assert (document["status"], [row["status"] for row in shipments]) == ("Cancelled", ["CANCELLED", "CANCELLED"])

    async def test_two_who_race_for_the_last_five_get_five_between_them(self, whole: Whole):
        query = """mutation ($input: InventoryReserveInput!) { inventoryReserve(input: $input) {
            reservations { id status quantity { value uom } }
            problems { __typename ... on Stockout { sku available { value } nextAvailable substituteSkus } } } }"""
        lines = [{"sku": "VLV-0007", "quantity": {"value": "5", "uom": "EA"}, "warehouseCode": "W01"}]
        wanted = [
            {"idempotencyKey": f"race-{next(NUMBERS)}", "accountId": account, "lines": lines}
            for account in ("acc_1", "acc_2")
        ]
        answers = await asyncio.gather(*(whole.data(query, {"input": given}) for given in wanted))
        payloads = [answer["inventoryReserve"] for answer in answers]
        held = [payload["reservations"] for payload in payloads if payload["reservations"]]
        (problem,) = [problem for payload in payloads for problem in payload["problems"]]
        assert [entry["quantity"]["value"] for (entry,) in held] == ["5"]
        assert (problem["__typename"], problem["available"]["value"]) == ("Stockout", "0")
        assert problem["substituteSkus"]
        release = """mutation ($key: String!, $ids: [ID!]!) {
            inventoryReservationRelease(idempotencyKey: $key, reservationIds: $ids) { reservations { status } } }"""
        given_back = {"key": f"back-{next(NUMBERS)}", "ids": [held[0][0]["id"]]}
        await whole.data(release, given_back)

    async def test_a_released_credit_hold_goes_on_through_the_erp_and_is_released_once(self, whole: Whole):
        query = """mutation ($input: OrderHoldReleaseInput!) { orderHoldRelease(input: $input) { replayed
            order { status holds { kind } fulfillmentStatus } process { id }
            problems { __typename ... on NotAllowedInState { state allowed } } } }"""
        given = {
            "idempotencyKey": f"hold-{next(NUMBERS)}",
            "orderId": "ord_1194",
            "kind": "CREDIT",
            "comment": "payment promised",
        }
        released = (await whole.data(query, {"input": given}))["orderHoldRelease"]
        assert (released["problems"], released["order"]["holds"]) == ([], [])
        again = (await whole.data(query, {"input": given}))["orderHoldRelease"]
        assert (again["replayed"], again["problems"]) == (True, [])
        other = {**given, "idempotencyKey": f"hold-{next(NUMBERS)}"}
        (problem,) = (await whole.data(query, {"input": other}))["orderHoldRelease"]["problems"]
        assert problem["__typename"] == "NotAllowedInState"


def _is_delivered(event: Any) -> bool:
    return bool(event["shipmentMilestone"]["milestone"]["status"] == "DELIVERED")
