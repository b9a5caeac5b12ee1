"""What follows a delivery: returns and invoices."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.kit.webhooks import signature
from tests.support.graph_suite.asking import BUYER, NUMBERS, WITHIN_S, following, new_key, story_of, submission, until
from tests.support.whole import FAST, Whole

RETURN = """mutation ($input: ReturnRequestInput!) { returnRequest(input: $input) { return { id rmaNumber status }
    problems { __typename ... on ReturnNotAllowed { message } ... on ApprovalRequired { message } } } }"""


class AfterwardsSuite:
    """What follows a delivery: returns and invoices."""

    async def test_delivered_goods_come_back_and_are_credited(self, whole: Whole):
        order, line = await _returnable(whole)
        wanted = {"lineNo": line["lineNo"], "quantity": {**line["delivered"], "value": "1"}, "reason": "DAMAGED"}
        asked = {"orderId": order["id"], "lines": [wanted]}
        payload = (await whole.data(RETURN, {"input": {**asked, **new_key()}}))["returnRequest"]
        assert payload["problems"] == []
        more = {**asked, "lines": [{**wanted, "quantity": {**wanted["quantity"], "value": "100000"}}]}
        refused = (await whole.data(RETURN, {"input": {**more, **new_key()}}))["returnRequest"]
        assert [problem["__typename"] for problem in refused["problems"]] == ["ReturnNotAllowed"]
        follow = """subscription ($id: ID!) { returnStatusChanged(returnId: $id) {
            return { status credit { amount } lines { disposition } } } }"""
        async with following(whole, follow, {"id": payload["return"]["id"]}) as stream:
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)  # the subscription is on its way before the goods are
            await _inspect(whole, order, payload["return"]["rmaNumber"])
            async with asyncio.timeout(WITHIN_S):
                seen = [await first]
            if not _is_closed(seen[0]):
                seen += await until(stream, _is_closed)
        last = seen[-1]["returnStatusChanged"]["return"]
        assert last["credit"] is not None
        assert last["lines"] == [{"disposition": "SCRAP"}]

    async def test_an_invoice_that_fits_is_published_when_the_erp_has_posted_it(self, whole: Whole):
        query = """subscription ($account: ID!) { invoicePosted(accountId: $account) {
            invoice { number status total { amount } order { id } } } }"""
        placed = (await whole.play("order", input=submission(("VLV-0042", "2"))))["orderSubmit"]["order"]
        await story_of(whole, placed["number"], "COMPLETED")
        async with following(whole, query, {"account": BUYER}) as stream:
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)  # the subscription is on its way before time runs
            await whole.speed(FAST, "wms", "tms", "erp")
            try:
                async with asyncio.timeout(WITHIN_S):
                    seen = [await first]
                if not _bills(seen[0], placed["id"]):
                    seen += await until(stream, lambda event: _bills(event, placed["id"]))
            finally:
                await whole.speed(1, "wms", "tms", "erp")
        invoice = seen[-1]["invoicePosted"]["invoice"]
        assert (invoice["status"], invoice["total"]["amount"] > "0") == ("POSTED", True)


async def _inspect(whole: Whole, order: dict[str, Any], number: str) -> None:
    """Have the warehouse tell that what it expects came back and is scrapped."""
    (expected,) = whole.sandboxes["wms"].host.store.query("SELECT * FROM receipts WHERE rma = ?", (number,))
    came = [{**entry, "quantity": str(entry["quantity"] / 1_000), "disposition": "SCRAP"}
            for entry in json.loads(expected["lines"])]  # fmt: skip
    about = {"rmaNumber": number, "orderRef": order["id"], "warehouse": expected["warehouse"], "lines": came}
    event_id = f"wms-return-{next(NUMBERS)}"
    told = {
        "id": event_id,
        "type": "return.inspected",
        "occurredAt": datetime.now(UTC).isoformat(),
        "return": about,
    }
    body, timestamp = json.dumps(told).encode(), str(int(time.time()))
    headers = {
        "x-wms-event-id": event_id,
        "x-wms-timestamp": timestamp,
        "x-wms-signature": signature(whole.settings.systems.wms.webhook_secret, timestamp, body),
    }
    assert (await whole.http.post("/webhooks/wms", content=body, headers=headers)).status_code == 202


async def _returnable(whole: Whole) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an order with a line that was delivered lately, is invoiced, is cheap, and of which nothing is back."""
    found = await whole.data(
        "{ orders(first: 100, filter: {fulfillmentStatus: [DELIVERED]}) { nodes { id shipments { deliveredAt }"
        " lines { nodes { lineNo delivered { value uom } invoiced { value } returned { value } unitPrice { amount } } }"
        " } } }"
    )
    since = (datetime.now(UTC) - timedelta(days=25)).isoformat()
    return next(
        (order, line)
        for order in found["orders"]["nodes"]
        if all((entry["deliveredAt"] or "") > since for entry in order["shipments"])
        for line in order["lines"]["nodes"]
        if min(float(line["delivered"]["value"]), float(line["invoiced"]["value"])) >= 1
        and float(line["returned"]["value"]) == 0
        and float(line["unitPrice"]["amount"]) < 400
    )


def _is_closed(event: Any) -> bool:
    return bool(event["returnStatusChanged"]["return"]["status"] == "CLOSED")


def _bills(event: Any, order_id: str) -> bool:
    return bool(event["invoicePosted"]["invoice"]["order"]["id"] == order_id)
