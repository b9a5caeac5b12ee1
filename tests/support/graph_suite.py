"""What the whole must do, whichever way its subgraphs are reached; each form runs this suite (tests/e2e/graph)."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from crossdock.scenarios import scenario
from sandbox.erp_book.seed import COMPANY
from sandbox.kit.webhooks import signature
from tests.support.eventually import eventually
from tests.support.sandboxes import CREDENTIALS
from tests.support.whole import FAST, Whole

BUYER = "acc_19"
"""Who orders in these tests; what the scenarios show of acc_1 stays as the world made it."""

WITHIN_S = 60.0
_numbers = itertools.count(1)


def submission(*lines: tuple[str, str], account: str = BUYER, ship_to: str = "shp_19", **changes: Any) -> Any:
    """Return an order's input with a key and PO number of its own."""
    number = next(_numbers)
    return {
        "idempotencyKey": f"key-{number}",
        "accountId": account,
        "shipToId": ship_to,
        "channel": "MOBILE",
        "poNumber": f"PO-T{number}",
        "lines": [
            {"lineNo": place, "sku": sku, "quantity": {"value": value, "uom": "EA"}}
            for place, (sku, value) in enumerate(lines or (("VLV-0042", "2"),), 1)
        ],
        "waitMs": 10_000,
        **changes,
    }


ONBOARD = """mutation ($input: OnboardingSubmitInput!) { onboardingSubmit(input: $input) {
    onboarding { id version status activations { system state }
        account { id status currency territory { code } credit { limit { amount } } shipTos { nodes { id } } } }
    problems { __typename ... on Problem { code message }
        ... on DuplicateAccount { candidates { score account { id } } } } } }"""


def application(name: str, *, number: str | None = None, **changes: Any) -> Any:
    """Return an onboarding's input with a key and a tax number of its own."""
    own = next(_numbers)
    home = {"line1": "1 Quay Road", "city": "Houston", "region": "TX", "postalCode": "77999", "country": "US"}
    certificate = {
        "kind": "RESALE_CERTIFICATE",
        "number": number or f"RS-TX-{900_000 + own}",
        "jurisdiction": "US",
        "exempt": True,
        "certificateExpires": "2099-01-01",
    }
    given = {
        "idempotencyKey": f"onboard-{own}",
        "legalName": name,
        "billing": home,
        "shipTo": [home],
        "contactEmail": f"bo@quayside{own}.example",
        "contactName": "Bo Example",
        "taxRegistrations": [certificate],
        "requestedCredit": {"amount": "8000.00", "currency": "USD"},
        "currency": "USD",
        "waitMs": 10_000,
    }
    return given | changes


@asynccontextmanager
async def following(whole: Whole, query: str, variables: dict[str, Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """Subscribe with gql over WebSocket, as whoever the client is."""
    shown = {name: value for name, value in whole.http.headers.items() if name == "authorization"}
    transport = WebsocketsTransport(url=whole.url.replace("http", "ws") + "/graphql", init_payload=shown)
    async with Client(transport=transport) as session:
        stream = session.subscribe(GraphQLRequest(query, variable_values=variables))
        try:
            yield stream
        finally:
            await stream.aclose()  # type: ignore[attr-defined]


async def until(stream: AsyncIterator[Any], wanted: Any) -> list[Any]:
    """Return what a stream brings up to the first event that is wanted."""
    found: list[Any] = []
    try:
        async with asyncio.timeout(WITHIN_S):
            async for event in stream:
                found.append(event)
                if wanted(event):
                    return found
    except TimeoutError:
        raise AssertionError(f"nothing wanted came within {WITHIN_S} s, only {found}") from None
    raise AssertionError(f"the stream ended after {found}")


@asynccontextmanager
async def events_of(
    whole: Whole, asked: dict[str, Any], after: str | None = None
) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """Subscribe over server-sent events as a browser does; each event comes with its id."""
    headers = {"accept": "text/event-stream"} | ({} if after is None else {"last-event-id": after})
    async with whole.http.stream("POST", "/graphql", json=asked, headers=headers, timeout=WITHIN_S) as answer:
        yield _events(answer)


async def _events(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    event_id = ""
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            event_id = value
        elif name == "data" and value.startswith("{"):
            payload = json.loads(value)
            assert "errors" not in payload, payload
            yield event_id, payload["data"]


class PriceLines:
    """Contracts of the buyer in the ERP, written as its people write them."""

    def __init__(self, http: httpx.AsyncClient, currency: str) -> None:
        self._http = http
        self._currency = currency
        self._lines: dict[str, str] = {}

    async def write(self, sku: str, unit: int) -> None:
        """Have an item cost so much; said again it is the next change, there and back."""
        if sku in self._lines:
            for price in (unit + 1, unit):
                await self._send("PATCH", f"({self._lines[sku]})", {"unitPrice": price})
            return
        body = {"number": f"CON-T-{sku}", "level": "CONTRACT", "currencyCode": self._currency, "accountId": BUYER}
        body |= {"itemNumber": sku, "startingDate": datetime.now(UTC).date().isoformat()}
        self._lines[sku] = (await self._send("POST", "", {**body, "unitPrice": unit})).json()["id"]

    async def remove(self) -> None:
        """Remove every line."""
        for line in self._lines.values():
            await self._send("DELETE", f"({line})", {})

    async def _send(self, method: str, address: str, body: Any) -> httpx.Response:
        prices = f"/api/crossdock/distribution/v1.0/companies({COMPANY})/prices{address}"
        answer = await self._http.request(method, prices, json=body, headers={"if-match": "*"})
        answer.raise_for_status()
        return answer


@asynccontextmanager
async def price_lines(whole: Whole) -> AsyncIterator[PriceLines]:
    """Sign in to the ERP to write prices, and remove them afterwards."""
    erp = whole.sandboxes["erp"]
    form = {"grant_type": "client_credentials", **CREDENTIALS["erp"]}
    token = (await erp.http.post("/oauth2/v2.0/token", data=form)).json()["access_token"]
    query = "query ($id: ID!) { account(id: $id) { currency } }"
    currency = (await whole.data(query, {"id": BUYER}))["account"]["currency"]
    signed_in = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=erp.url, trust_env=False, headers=signed_in) as http:
        lines = PriceLines(http, currency)
        try:
            yield lines
        finally:
            await lines.remove()


_ORDER = "order { version status allowedActions lines { nodes { ordered { value } allocated { value } } } }"
_PROBLEMS = "problems { __typename ... on NotAllowedInState { state } ... on VersionConflict { currentVersion } }"
CHANGE = f"mutation ($input: OrderChangeInput!) {{ orderChange(input: $input) {{ {_ORDER} {_PROBLEMS} }} }}"
CANCEL = f"mutation ($input: OrderCancelInput!) {{ orderCancel(input: $input) {{ {_ORDER} {_PROBLEMS} }} }}"
RETURN = """mutation ($input: ReturnRequestInput!) { returnRequest(input: $input) { return { id rmaNumber status }
    problems { __typename ... on ReturnNotAllowed { message } ... on ApprovalRequired { message } } } }"""


def _key() -> dict[str, str]:
    return {"idempotencyKey": f"key-{next(_numbers)}"}


class GraphSuite:
    """Scenarios of the domain, and what bad input gets."""

    async def test_a_customer_is_shown_over_five_subgraphs_with_at_most_eight_calls_to_systems(self, whole: Whole):
        counts = []
        for _ in range(4):  # what the background asks meanwhile is counted too, so the least is the view's own
            await whole.reset_calls()
            account = (await whole.play("customer"))["accountByNumber"]
            counts.append(await whole.calls())
        assert min(counts) <= 8
        assert account["status"] == "ACTIVE"
        assert account["creditAvailable"]["currency"] == "USD"
        assert account["credit"]["freshness"]["stale"] is False
        orders = account["orders"]["nodes"]
        assert orders
        assert all(order["exceptions"] for order in orders)
        kinds = {problem["__typename"] for order in orders for problem in order["exceptions"]}
        assert "Stockout" in kinds  # what was late may have arrived where another test let a day go by
        assert any(shipment["trackingNumber"] for order in orders for shipment in order["shipments"])
        assert account["cases"]["nodes"]

    async def test_a_price_comes_with_its_breaks_and_what_can_be_promised(self, whole: Whole):
        item = (await whole.play("price"))["itemBySku"]
        price, stock = item["price"], item["availability"]
        assert (price["__typename"], price["source"]) == ("Price", "CONTRACT")
        assert price["unit"] == {"amount": "36.10", "currency": "USD"}
        assert {entry["minQuantity"]["value"] for entry in price["breaks"]} >= {"24"}
        assert price["token"].startswith("ptk_")
        assert stock["decision"] == "PARTIAL"
        assert stock["availableNow"] == {"value": "18", "uom": "EA"}
        assert (stock["promise"][0]["warehouse"]["code"], stock["promise"][0]["kind"]) == ("W01", "ON_HAND")
        assert {line["kind"] for line in stock["promise"]} == {"ON_HAND", "INBOUND_PO"}

    async def test_a_quote_below_the_margin_floor_waits_for_approval(self, whole: Whole):
        shown = scenario("quote")
        given = {**shown.variables["input"], "idempotencyKey": f"quote-{next(_numbers)}"}
        payload = (await whole.data(shown.query, {"input": given}))["quotePrepare"]
        assert payload["quote"]["status"] == "PENDING_APPROVAL"
        assert payload["quote"]["approvals"][0]["level"] == "SALES_MANAGER"
        assert [problem["__typename"] for problem in payload["problems"]] == ["ApprovalRequired"]

    async def test_an_order_goes_through_every_step_into_erp_and_warehouse(self, whole: Whole):
        payload = (await whole.play("order", input=submission(("VLV-0042", "10"))))["orderSubmit"]
        order = payload["order"]
        assert payload["problems"] == []
        assert (order["status"], payload["replayed"]) == ("ACCEPTED", False)
        assert order["lines"]["nodes"][0]["allocated"] == {"value": "10"}
        story = await self._story(whole, order["number"], "COMPLETED")
        (process,) = story["processes"]
        assert [step["name"] for step in process["steps"]] == [
            *("receive", "enrich", "validate", "price", "credit", "reserve"),
            *("create", "allocate", "release", "acknowledge"),
        ]
        types = [event["type"] for event in story["lineage"]["nodes"]]
        assert {"order.received", "order.priced", "order.accepted", "order.released", "customer.notified"} <= set(types)

    async def _story(self, whole: Whole, number: str, state: str) -> dict[str, Any]:
        async with asyncio.timeout(WITHIN_S):
            while True:
                found: dict[str, Any] = (await whole.play("lineage", number=number))["orderByNumber"]
                if found["processes"] and found["processes"][0]["state"] == state:
                    return found
                await asyncio.sleep(0.05)

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
        await self._story(whole, placed["number"], "COMPLETED")
        known = await whole.data("query ($id: ID!) { order(id: $id) { version } }", {"id": placed["id"]})
        about = {"orderId": placed["id"], "version": known["order"]["version"], "reason": "fewer will do"}
        lines = [{"lineNo": 1, "quantity": {"value": "3", "uom": "EA"}}]
        changed = (await whole.data(CHANGE, {"input": {**about, **_key(), "lines": lines}}))["orderChange"]
        assert changed["problems"] == []
        order = await self._order_that_is(whole, placed["id"], "ACCEPTED")
        assert order["lines"]["nodes"] == [{"ordered": {"value": "3"}, "allocated": {"value": "3"}}]
        assert order["allowedActions"] == ["CHANGE", "CANCEL"]
        (problem,) = (await whole.data(CANCEL, {"input": {**about, **_key()}}))["orderCancel"]["problems"]
        version = order["version"]
        assert problem == {"__typename": "VersionConflict", "currentVersion": version}
        fresh = {**about, **_key(), "version": version}
        cancelled = (await whole.data(CANCEL, {"input": fresh}))["orderCancel"]
        assert cancelled["problems"] == []
        await self._order_that_is(whole, placed["id"], "CANCELLED")
        erp, wms = whole.sandboxes["erp"].host.store, whole.sandboxes["wms"].host.store
        (document,) = erp.query("SELECT status FROM orders WHERE orderId = ?", (placed["id"],))
        shipments = wms.query("SELECT status FROM shipments WHERE order_ref = ?", (placed["id"],))
        assert (document["status"], [row["status"] for row in shipments]) == ("Cancelled", ["CANCELLED", "CANCELLED"])

    async def _order_that_is(self, whole: Whole, order_id: str, status: str) -> dict[str, Any]:
        """Return an order once it has a status: a busy machine answers a change before it is decided."""

        async def ask() -> dict[str, Any]:
            found = await whole.data(
                f"query ($id: ID!) {{ {_ORDER.replace('order {', 'order(id: $id) {')} }}", {"id": order_id}
            )
            order: dict[str, Any] = found["order"]
            return order

        return await eventually(ask, lambda order: order["status"] == status)

    async def test_delivered_goods_come_back_and_are_credited(self, whole: Whole):
        order, line = await self._returnable(whole)
        wanted = {"lineNo": line["lineNo"], "quantity": {**line["delivered"], "value": "1"}, "reason": "DAMAGED"}
        asked = {"orderId": order["id"], "lines": [wanted]}
        payload = (await whole.data(RETURN, {"input": {**asked, **_key()}}))["returnRequest"]
        assert payload["problems"] == []
        more = {**asked, "lines": [{**wanted, "quantity": {**wanted["quantity"], "value": "100000"}}]}
        refused = (await whole.data(RETURN, {"input": {**more, **_key()}}))["returnRequest"]
        assert [problem["__typename"] for problem in refused["problems"]] == ["ReturnNotAllowed"]
        follow = """subscription ($id: ID!) { returnStatusChanged(returnId: $id) {
            return { status credit { amount } lines { disposition } } } }"""
        async with following(whole, follow, {"id": payload["return"]["id"]}) as stream:
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)  # the subscription is on its way before the goods are
            await self._inspect(whole, order, payload["return"]["rmaNumber"])
            async with asyncio.timeout(WITHIN_S):
                seen = [await first]
            if not _is_closed(seen[0]):
                seen += await until(stream, _is_closed)
        last = seen[-1]["returnStatusChanged"]["return"]
        assert last["credit"] is not None
        assert last["lines"] == [{"disposition": "SCRAP"}]

    async def _inspect(self, whole: Whole, order: dict[str, Any], number: str) -> None:
        """Have the warehouse tell that what it expects came back and is scrapped."""
        (expected,) = whole.sandboxes["wms"].host.store.query("SELECT * FROM receipts WHERE rma = ?", (number,))
        came = [{**entry, "quantity": str(entry["quantity"] / 1_000), "disposition": "SCRAP"}
                for entry in json.loads(expected["lines"])]  # fmt: skip
        about = {"rmaNumber": number, "orderRef": order["id"], "warehouse": expected["warehouse"], "lines": came}
        event_id = f"wms-return-{next(_numbers)}"
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

    async def _returnable(self, whole: Whole) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return an order with a line that was delivered lately, costs little, and of which nothing came back."""
        found = await whole.data(
            "{ orders(first: 100, filter: {fulfillmentStatus: [DELIVERED]}) { nodes { id shipments { deliveredAt }"
            " lines { nodes { lineNo delivered { value uom } returned { value } unitPrice { amount } } } } } }"
        )
        since = (datetime.now(UTC) - timedelta(days=25)).isoformat()
        return next(
            (order, line)
            for order in found["orders"]["nodes"]
            if all((entry["deliveredAt"] or "") > since for entry in order["shipments"])
            for line in order["lines"]["nodes"]
            if float(line["delivered"]["value"]) >= 1
            and float(line["returned"]["value"]) == 0
            and float(line["unitPrice"]["amount"]) < 400
        )

    async def test_an_invoice_that_fits_is_published_when_the_erp_has_posted_it(self, whole: Whole):
        query = """subscription ($account: ID!) { invoicePosted(accountId: $account) {
            invoice { number status total { amount } order { id } } } }"""
        placed = (await whole.play("order", input=submission(("VLV-0042", "2"))))["orderSubmit"]["order"]
        await self._story(whole, placed["number"], "COMPLETED")
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

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            pytest.param({"accountId": "acc_nobody"}, "UNKNOWN_ACCOUNT", id="an account that does not exist"),
            pytest.param({"shipToId": "shp_nowhere"}, "UNKNOWN_SHIP_TO", id="a place that does not exist"),
            pytest.param({"requestedDate": "2020-01-01"}, "DATE_IN_PAST", id="a past date"),
            pytest.param({"line": {"sku": "NO-SUCH"}}, "UNKNOWN_SKU", id="a sku that does not exist"),
            pytest.param(
                {"line": {"quantity": {"value": "0", "uom": "EA"}}}, "QUANTITY_POSITIVE", id="a quantity of zero"
            ),
            pytest.param({"line": {"quantity": {"value": "1", "uom": "ZZ"}}}, "UNKNOWN_UNIT", id="an unknown unit"),
        ],
    )
    async def test_a_bad_order_is_refused_with_what_is_wrong_and_leaves_nothing(
        self, whole: Whole, change: dict[str, Any], code: str
    ):
        given = submission(**{name: value for name, value in change.items() if name != "line"})
        given["lines"][0] |= change.get("line", {})
        query = (
            "mutation ($input: OrderSubmitInput!) { orderSubmit(input: $input) { order { id status }"
            " problems { __typename ... on ValidationFailed { code rule message path } } } }"
        )
        payload = (await whole.data(query, {"input": given}))["orderSubmit"]
        assert payload["order"] is None or payload["order"]["status"] == "REJECTED"
        assert code in [problem.get("rule") for problem in payload["problems"]]

    async def test_two_who_race_for_the_last_five_get_five_between_them(self, whole: Whole):
        query = """mutation ($input: InventoryReserveInput!) { inventoryReserve(input: $input) {
            reservations { id status quantity { value uom } }
            problems { __typename ... on Stockout { sku available { value } nextAvailable substituteSkus } } } }"""
        lines = [{"sku": "VLV-0007", "quantity": {"value": "5", "uom": "EA"}, "warehouseCode": "W01"}]
        wanted = [
            {"idempotencyKey": f"race-{next(_numbers)}", "accountId": account, "lines": lines}
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
        given_back = {"key": f"back-{next(_numbers)}", "ids": [held[0][0]["id"]]}
        await whole.data(release, given_back)

    async def test_an_applicant_becomes_a_customer_in_erp_finance_and_crm(self, whole: Whole):
        payload = (await whole.data(ONBOARD, {"input": application("Quayside Valves Inc.")}))["onboardingSubmit"]
        onboarding = payload["onboarding"]
        assert (payload["problems"], onboarding["status"]) == ([], "ACTIVE")
        assert [entry["system"] for entry in onboarding["activations"]] == ["CLOUD_ERP", "FINANCE", "CRM"]
        account = onboarding["account"]
        assert (account["status"], account["currency"], account["territory"]["code"]) == ("ACTIVE", "USD", "US-C")
        assert account["credit"]["limit"] == {"amount": "8000.00"}
        order = submission(account=account["id"], ship_to=account["shipTos"]["nodes"][0]["id"])
        assert (await whole.play("order", input=order))["orderSubmit"]["order"]["status"] == "ACCEPTED"

    async def test_an_applicant_that_is_a_customer_already_is_refused_with_the_account(self, whole: Whole):
        query = "query ($n: String!) { accountByNumber(number: $n) { id taxRegistrations { number } } }"
        account = (await whole.data(query, {"n": scenario("customer").variables["number"]}))["accountByNumber"]
        given = application("Somebody Else Inc.", number=account["taxRegistrations"][0]["number"])
        payload = (await whole.data(ONBOARD, {"input": given}))["onboardingSubmit"]
        (problem,) = [entry for entry in payload["problems"] if entry["__typename"] == "DuplicateAccount"]
        assert [entry["account"]["id"] for entry in problem["candidates"]] == [account["id"]]
        assert payload["onboarding"]["status"] == "REJECTED"

    async def test_a_customer_that_the_crm_refuses_is_blocked_in_the_erp(self, whole: Whole):
        given = application("Halfway Pumps Inc.", crmAccountId="001000000000999AAA")
        payload = (await whole.data(ONBOARD, {"input": given}))["onboardingSubmit"]
        onboarding = payload["onboarding"]
        assert onboarding["status"] == "FAILED_COMPENSATED"
        assert [(entry["system"], entry["state"]) for entry in onboarding["activations"]] == [
            ("FINANCE", "BLOCKED"),
            ("CLOUD_ERP", "BLOCKED"),
        ]
        account_id = onboarding["id"].replace("onb_", "acc_")
        rows = whole.sandboxes["erp"].host.store.query(
            "SELECT blocked FROM customers WHERE crossdockId = ?", (account_id,)
        )
        assert [row["blocked"] for row in rows] == ["All"]

    async def test_whoever_submitted_an_onboarding_does_not_decide_it(self, whole: Whole):
        credit = {"amount": "50000.00", "currency": "USD"}
        given = application("Large Valves Inc.", requestedCredit=credit)
        onboarding = (await whole.data(ONBOARD, {"input": given}))["onboardingSubmit"]["onboarding"]
        assert onboarding["status"] == "AWAITING_DECISION"
        decision = {
            "idempotencyKey": f"decide-{next(_numbers)}",
            "onboardingId": onboarding["id"],
            "version": onboarding["version"],
            "approve": True,
            "comment": "known to us",
        }
        query = """mutation ($input: OnboardingDecideInput!) { onboardingDecide(input: $input) {
            onboarding { status } problems { __typename ... on ValidationFailed { rule } } } }"""
        payload = (await whole.data(query, {"input": decision}))["onboardingDecide"]
        assert [problem["rule"] for problem in payload["problems"]] == ["DECIDER_IS_SUBMITTER"]
        assert payload["onboarding"]["status"] == "AWAITING_DECISION"

    async def test_an_account_moves_in_erp_and_crm_and_an_old_version_is_a_conflict(self, whole: Whole):
        read = '{ account(id: "acc_7") { version } }'
        version = (await whole.data(read))["account"]["version"]
        billing = {"line1": "9 New Road", "city": "Austin", "region": "TX", "postalCode": "73301", "country": "US"}
        query = """mutation ($input: AccountChangeInput!) { accountChange(input: $input) {
            account { version } problems { __typename ... on VersionConflict { currentVersion } } } }"""
        given = {
            "idempotencyKey": f"move-{next(_numbers)}",
            "accountId": "acc_7",
            "version": version,
            "billing": billing,
        }
        payload = (await whole.data(query, {"input": given}))["accountChange"]
        assert payload == {"account": {"version": version + 1}, "problems": []}
        sql = "SELECT city FROM customers WHERE crossdockId = 'acc_7'"
        assert [row["city"] for row in whole.sandboxes["erp"].host.store.query(sql)] == ["Austin"]
        sql = "SELECT BillingCity AS city FROM Account WHERE Crossdock_Id__c = 'acc_7'"
        assert [row["city"] for row in whole.sandboxes["crm"].host.store.query(sql)] == ["Austin"]
        late = (await whole.data(query, {"input": {**given, "idempotencyKey": f"move-{next(_numbers)}"}}))[
            "accountChange"
        ]
        assert [problem["currentVersion"] for problem in late["problems"]] == [version + 1]

    async def test_an_address_that_is_edited_in_the_crm_is_the_erps_too(self, whole: Whole):
        settings = whole.settings.systems.crm
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
        }
        crm, erp = whole.sandboxes["crm"], whole.sandboxes["erp"]
        token = (await crm.http.post("/services/oauth2/token", data=form)).json()["access_token"]
        path = "/services/data/v62.0/sobjects/Account/Crossdock_Id__c/acc_9"
        edit = {"BillingCity": f"Newtown {next(_numbers)}"}
        answer = await crm.http.patch(path, json=edit, headers={"authorization": f"Bearer {token}"})
        answer.raise_for_status()
        sql = "SELECT city FROM customers WHERE crossdockId = 'acc_9'"
        async with asyncio.timeout(WITHIN_S):
            while True:
                if [row["city"] for row in erp.host.store.query(sql)] == [edit["BillingCity"]]:
                    break
                await asyncio.sleep(0.02)

    async def test_of_two_accounts_one_is_left_with_what_both_had(self, whole: Whole):
        erp, crm = (whole.sandboxes[name].host.store for name in ("erp", "crm"))
        (pair,) = erp.query(
            "SELECT a.crossdockId AS survivor, b.crossdockId AS duplicate FROM customers a JOIN customers b "
            "ON a.currencyCode = b.currencyCode AND a.crossdockId < b.crossdockId AND a.blocked = '' AND b.blocked = ''"
            " WHERE a.crossdockId NOT IN ('acc_1', 'acc_2', 'acc_7') AND b.crossdockId NOT IN ('acc_1', 'acc_2', "
            "'acc_7') AND EXISTS (SELECT 1 FROM orders o WHERE o.accountId = b.crossdockId AND o.status = 'Open') "
            "LIMIT 1"
        )
        survivor, duplicate = pair["survivor"], pair["duplicate"]
        for account_id in (survivor, duplicate):
            sql = """UPDATE Account SET Account_Status__c = 'Active', ERP_Home__c = 'Cloud ERP', ParentId = NULL
                WHERE Crossdock_Id__c = ?"""
            crm.execute(sql, (account_id,))
        query = """mutation ($input: AccountMergeInput!) { accountMerge(input: $input) {
            account { id externalRefs { system id current } } process { state steps { name state } }
            problems { __typename ... on Problem { message } } } }"""
        given = {
            "idempotencyKey": f"merge-{next(_numbers)}",
            "survivorId": survivor,
            "duplicateId": duplicate,
            "comment": "the same shop twice",
        }
        payload = (await whole.data(query, {"input": given}))["accountMerge"]
        assert (payload["problems"], payload["process"]["state"]) == ([], "COMPLETED")
        assert {ref["system"] for ref in payload["account"]["externalRefs"] if not ref["current"]} == {
            "CRM",
            "CLOUD_ERP",
        }
        sql = "SELECT count(*) AS n FROM orders WHERE accountId = ? AND status = 'Open'"
        assert [row["n"] for row in erp.query(sql, (duplicate,))] == [0]
        sql = "SELECT Account_Status__c AS status FROM Account WHERE Crossdock_Id__c = ?"
        assert [row["status"] for row in crm.query(sql, (duplicate,))] == ["Merged"]

    async def test_a_case_is_opened_once_and_shown_with_its_customer(self, whole: Whole):
        query = """mutation ($input: CaseOpenInput!) { caseOpen(input: $input) { replayed problems { __typename }
            serviceCase { id number status account { id } } } }"""
        key = f"case-{next(_numbers)}"
        given = {"idempotencyKey": key, "accountId": "acc_2", "subject": "Pump leaks", "body": "Since Monday."}
        first = (await whole.data(query, {"input": given}))["caseOpen"]
        again = (await whole.data(query, {"input": given}))["caseOpen"]
        assert (first["problems"], first["replayed"], again["replayed"]) == ([], False, True)
        assert again["serviceCase"] == first["serviceCase"]
        listed = (await whole.data('{ account(id: "acc_2") { cases { nodes { id } } } }'))["account"]["cases"]["nodes"]
        assert first["serviceCase"]["id"] in [entry["id"] for entry in listed]

    async def test_key_figures_are_computed_from_the_log_of_the_past(self, whole: Whole):
        query = "query ($name: KpiName!, $by: String) { kpi(name: $name, from: %s, to: %s, groupBy: $by) { %s } }"
        begin, end = (f'"{(datetime.now(UTC) - timedelta(days=days)).date()}"' for days in (300, 20))
        asked = query % (begin, end, "bucket value unit numerator denominator")
        async with asyncio.timeout(WITHIN_S):
            while True:  # the past is folded page by page after the start
                found = (await whole.data(asked, {"name": "OTIF"}))["kpi"]
                if found and float(found[0]["value"]) > 80:
                    break
                await asyncio.sleep(0.05)
        assert (found[0]["bucket"], found[0]["unit"]) == ("ALL", "%")
        factors = (await whole.data(asked, {"name": "PERFECT_ORDER", "by": "factor"}))["kpi"]
        assert {point["bucket"] for point in factors} == {"on_time", "in_full", "undamaged", "invoice_matched"}
        burn = (await whole.data(asked, {"name": "SLO_COMPLIANCE", "by": "burn"}))["kpi"]
        assert {point["bucket"].split()[1] for point in burn} == {"1h", "6h"}

    async def test_a_change_of_stock_is_told_to_those_who_follow_it(self, whole: Whole):
        query = """subscription ($skus: [String!]!) { availabilityChanged(skus: $skus) {
          eventId sku position { warehouse { code } allocated { value } freshness { stale } } } }"""
        async with following(whole, query, {"skus": ["VLV-0042"]}) as stream:
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)  # the subscription is on its way before the order is
            payload = (await whole.play("order", input=submission(("VLV-0042", "3"))))["orderSubmit"]
            assert payload["order"]["status"] == "ACCEPTED"
            async with asyncio.timeout(WITHIN_S):
                told = (await first)["availabilityChanged"]
        assert told["sku"] == "VLV-0042"
        assert told["position"]["freshness"]["stale"] is False

    @pytest.mark.slow
    async def test_a_changed_price_is_told_over_server_sent_events_and_resumed_without_gap_or_double(
        self, whole: Whole
    ):
        query = """subscription ($account: ID!, $skus: [String!]!) { priceChanged(accountId: $account, skus: $skus) {
          eventId effectiveFrom item { sku name } price { __typename ... on Price { unit { amount } source } } } }"""
        asked = {"query": query, "variables": {"account": BUYER, "skus": ["FIT-0021", "FIT-0022"]}}
        async with price_lines(whole) as lines:
            async with events_of(whole, asked) as stream:
                first = asyncio.ensure_future(anext(stream))
                while not first.done():  # until the subscription is there
                    await lines.write("FIT-0021", 5)
                    await asyncio.wait([first], timeout=1)
                cursor, told = await first
                await lines.write("FIT-0022", 3)
                seen = await until(stream, lambda event: event[1]["priceChanged"]["item"]["sku"] == "FIT-0022")
            ids = [event[0] for event in seen]
            await lines.write("FIT-0022", 7)
            async with events_of(whole, asked, cursor) as stream, asyncio.timeout(WITHIN_S):
                again = [await anext(stream) for _ in range(len(ids) + 2)]
        assert told["priceChanged"]["item"]["name"]
        assert told["priceChanged"]["price"] == {
            "__typename": "Price",
            "unit": {"amount": "5.00"},
            "source": "CONTRACT",
        }
        assert [event[0] for event in again][: len(ids)] == ids
        assert len({event[0] for event in again}) == len(again)
        assert again[-1][1]["priceChanged"]["price"]["unit"] == {"amount": "7.00"}

    async def test_a_released_credit_hold_goes_on_through_the_erp_and_is_released_once(self, whole: Whole):
        query = """mutation ($input: OrderHoldReleaseInput!) { orderHoldRelease(input: $input) { replayed
            order { status holds { kind } fulfillmentStatus } process { id }
            problems { __typename ... on NotAllowedInState { state allowed } } } }"""
        given = {
            "idempotencyKey": f"hold-{next(_numbers)}",
            "orderId": "ord_1194",
            "kind": "CREDIT",
            "comment": "payment promised",
        }
        released = (await whole.data(query, {"input": given}))["orderHoldRelease"]
        assert (released["problems"], released["order"]["holds"]) == ([], [])
        again = (await whole.data(query, {"input": given}))["orderHoldRelease"]
        assert (again["replayed"], again["problems"]) == (True, [])
        other = {**given, "idempotencyKey": f"hold-{next(_numbers)}"}
        (problem,) = (await whole.data(query, {"input": other}))["orderHoldRelease"]["problems"]
        assert problem["__typename"] == "NotAllowedInState"

    async def test_operations_see_systems_tasks_and_dead_letters(self, whole: Whole):
        query = """{ systems { system circuit p95Ms errorRate queued oldestQueuedSeconds lastEventAt }
            exceptionTasks(queue: "CREDIT") { nodes { id kind summary dueAt order { number status } resolutions } }
            deadLetters(source: WMS) { nodes { id type reason attempts } } }"""
        found = await whole.data(query)
        assert {"CRM", "CLOUD_ERP", "LEGACY_ERP", "WMS", "TMS"} <= {entry["system"] for entry in found["systems"]}
        tasks = found["exceptionTasks"]["nodes"]
        assert tasks
        assert all(task["order"]["number"] for task in tasks if task["kind"] == "CreditHold")

    async def test_the_completed_order_tells_its_whole_story(self, whole: Whole):
        order = (await whole.play("lineage"))["orderByNumber"]
        types = {event["type"] for event in order["lineage"]["nodes"]}
        assert {"quote.created", "order.accepted", "shipment.delivered", "invoice.posted"} <= types
        assert order["quote"]["lineage"]["nodes"]
        assert order["returns"][0]["rmaNumber"]

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param({"error_rate": 1}, id="answers 500"),
            pytest.param({"throttle_rate": 1, "retry_after_s": 30}, id="answers 429"),
            pytest.param({"garbage_rate": 1}, id="answers garbage"),
            pytest.param({"html_rate": 1}, id="answers HTML"),
        ],
    )
    async def test_an_erp_that_fails_costs_the_fields_that_need_it_and_says_so(
        self, whole: Whole, fault: dict[str, Any]
    ):
        erp = whole.sandboxes["erp"]
        await erp.faults(**fault)
        try:
            answer = await whole.ask(
                '{ accountByNumber(number: "C-10042") { name credit { onHold } } warehouses { code } }'
            )
        finally:
            await erp.faults()
        assert answer["data"]["accountByNumber"]["name"]
        assert answer["data"]["accountByNumber"]["credit"] is None
        assert len(answer["data"]["warehouses"]) == 5
        (error,) = answer["errors"]
        assert error["extensions"]["system"] == "CLOUD_ERP"
        assert error["path"] == ["accountByNumber", "credit"]

    async def test_an_erp_that_never_answers_ends_at_the_deadline(self, whole: Whole):
        erp = whole.sandboxes["erp"]
        await erp.faults(hang_rate=1)
        try:
            async with asyncio.timeout(WITHIN_S):
                answer = await whole.ask('{ accountByNumber(number: "C-10042") { name credit { onHold } } }')
        finally:
            await erp.faults()
        assert answer["data"]["accountByNumber"]["credit"] is None
        assert answer["errors"][0]["extensions"]["retryable"] is True

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            pytest.param('{ accountByNumber(number: "C-10042") { nam } }', "name", id="an unknown field"),
            pytest.param("{ accounts(first: 201) { nodes { id } } }", "200", id="first above the page limit"),
            pytest.param("{ orders(first: 201) { nodes { id } } }", "200", id="first above the limit of orders"),
            pytest.param("{ items(first: -1) { nodes { id } } }", "first", id="first below zero"),
            pytest.param("{ accountByNumber(number: 5) { name } }", "String", id="an argument of the wrong type"),
        ],
    )
    async def test_a_bad_question_gets_an_error_that_says_what_to_change(self, whole: Whole, query: str, said: str):
        errors = (await whole.ask(query))["errors"]
        assert said in errors[0]["message"]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ('{ accountByNumber(number: "C-0") { name } }', "accountByNumber"),
            ('{ account(id: "acc_nobody") { name } }', "account"),
            ('{ itemBySku(sku: "NO-SUCH") { name } }', "itemBySku"),
            ('{ order(id: "ord_none") { number } }', "order"),
            ('{ warehouse(code: "W99") { name } }', "warehouse"),
            ('{ process(id: "prc_none") { kind } }', "process"),
        ],
    )
    async def test_what_does_not_exist_is_null_without_an_error(self, whole: Whole, query: str, field: str):
        assert (await whole.data(query))[field] is None

    async def test_a_webhook_with_a_bad_signature_is_refused(self, whole: Whole):
        body = b'{"id": "wms-1", "type": "stock.changed"}'
        headers = {"x-wms-event-id": "wms-1", "x-wms-timestamp": "1", "x-wms-signature": "sha256=00"}
        answer = await whole.http.post("/webhooks/wms", content=body, headers=headers)
        assert answer.status_code == 401
        assert "signature" in answer.json()["error"]
        assert (await whole.http.post("/webhooks/nobody", content=body)).status_code == 404

    async def test_a_webhook_of_an_unknown_type_is_kept_as_a_dead_letter(self, whole: Whole):
        event_id = f"wms-strange-{next(_numbers)}"
        body = f'{{"id": "{event_id}", "type": "robot.uprising"}}'.encode()
        timestamp = str(int(time.time()))
        secret = whole.settings.systems.wms.webhook_secret
        headers = {
            "x-wms-event-id": event_id,
            "x-wms-timestamp": timestamp,
            "x-wms-signature": signature(secret, timestamp, body),
        }
        for _ in range(2):
            assert (await whole.http.post("/webhooks/wms", content=body, headers=headers)).status_code == 202
        query = "{ deadLetters(source: WMS) { nodes { type reason payload } } }"
        async with asyncio.timeout(WITHIN_S):
            while True:
                letters = (await whole.data(query))["deadLetters"]["nodes"]
                mine = [letter for letter in letters if letter["payload"]["id"] == event_id]
                if mine:
                    break
                await asyncio.sleep(0.05)
        assert len(mine) == 1
        assert "robot.uprising" in mine[0]["reason"]

    async def test_gql_asks_over_http_and_gets_errors_as_exceptions(self, whole: Whole):
        async with Client(transport=HTTPXAsyncTransport(url=f"{whole.url}/graphql")) as session:
            found = await session.execute(GraphQLRequest("{ warehouses { code name } }"))
            assert [entry["code"] for entry in found["warehouses"]] == ["W01", "W02", "W03", "W04", "W05"]
            with pytest.raises(TransportQueryError, match="Did you mean"):
                await session.execute(GraphQLRequest('{ warehouse(code: "W01") { nme } }'))


def _is_delivered(event: Any) -> bool:
    return bool(event["shipmentMilestone"]["milestone"]["status"] == "DELIVERED")


def _is_closed(event: Any) -> bool:
    return bool(event["returnStatusChanged"]["return"]["status"] == "CLOSED")


def _bills(event: Any, order_id: str) -> bool:
    return bool(event["invoicePosted"]["invoice"]["order"]["id"] == order_id)
