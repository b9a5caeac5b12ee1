"""What can be asked of orders that are there: changes, cancellations, returns, and following invoices and returns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.server.principal import Principal as Caller
from processes.api import (
    LineChange,
    OrderCancellation,
    OrderChange,
    ReturnAsked,
    ReturnLineAsked,
    ReturnVerdict,
    Started,
)
from schema.enums import OrderStatus, ProcessState, ReturnStatus, ShipmentStatus
from schema.records.problems import InvoiceMismatch, NotAllowedInState, ReturnNotAllowed, VersionConflict
from schema.records.values import Money, Quantity
from tests.support.order_records import document, entered, invoice, recorded, rma, shipment, told
from tests.support.orders_world import OrdersWorld, orders_world
from tests.support.subgraph_requests import customer, shop, staff

DESK = staff(role="SERVICE_DESK")


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[OrdersWorld]:
    async with orders_world(sqlite_url) as made:
        yield made


def answered(entity: str | None, *problems: Any) -> Started:
    return Started("prc_9", ProcessState.COMPLETED, entity, problems, replayed=False)


CHANGE = """mutation ($input: OrderChangeInput!) { orderChange(input: $input) {
    order { id status version } process { id state } replayed
    problems { __typename ... on VersionConflict { currentVersion }
      ... on NotAllowedInState { state allowed } ... on ValidationFailed { rule } } } }"""
CANCEL = """mutation ($input: OrderCancelInput!) { orderCancel(input: $input) {
    order { id status } replayed problems { __typename ... on ValidationFailed { rule } } } }"""
REQUEST = """mutation ($input: ReturnRequestInput!) { returnRequest(input: $input) {
    return { id rmaNumber status lines { quantity { value } reason } } process { id } replayed
    problems { __typename ... on ReturnNotAllowed { lineNo reason } ... on ValidationFailed { rule } } } }"""
DECIDE = """mutation ($key: String!, $id: ID!, $approve: Boolean!, $comment: String!) {
    returnDecide(idempotencyKey: $key, returnId: $id, approve: $approve, comment: $comment) {
    return { id } replayed problems { __typename ... on ValidationFailed { rule } } } }"""


def change(**changes: Any) -> dict[str, Any]:
    lines = [{"lineNo": 1, "quantity": {"value": "4", "uom": "EA"}}, {"lineNo": 2, "cancel": True}]
    return {"idempotencyKey": "c-1", "orderId": "ord_1", "version": 1, "lines": lines, "reason": "fewer", **changes}


def wanted(**changes: Any) -> dict[str, Any]:
    lines = [{"lineNo": 1, "quantity": {"value": "2", "uom": "EA"}, "reason": "DAMAGED"}]
    return {"idempotencyKey": "r-1", "orderId": "ord_1", "lines": lines, **changes}


async def test_a_change_is_started_as_it_was_asked_and_its_order_shown(world: OrdersWorld):
    await world.put(recorded(), document())
    world.starter.answer = answered("ord_1")
    payload = (await world.data(CHANGE, input=change()))["orderChange"]
    assert (payload["order"]["id"], payload["process"], payload["problems"]) == (
        "ord_1",
        {"id": "prc_9", "state": "COMPLETED"},
        [],
    )
    ((asked, key, _, _),) = world.starter.asked
    lines = (LineChange(1, Quantity(Decimal(4), "EA")), LineChange(2, cancel=True))
    assert (asked, key) == (OrderChange("ord_1", 1, lines, "fewer"), "c-1")


async def test_a_cancellation_is_started_as_it_was_asked(world: OrdersWorld):
    await world.put(recorded(), document())
    world.starter.answer = answered("ord_1")
    given = {"idempotencyKey": "x-1", "orderId": "ord_1", "version": 3, "reason": "not needed"}
    payload = (await world.data(CANCEL, input=given))["orderCancel"]
    assert payload["order"]["id"] == "ord_1"
    ((asked, key, _, _),) = world.starter.asked
    assert (asked, key) == (OrderCancellation("ord_1", 3, "not needed"), "x-1")


async def test_why_a_change_was_refused_is_a_value(world: OrdersWorld):
    await world.put(recorded(), document())
    world.starter.answer = answered(
        "ord_1",
        VersionConflict(code="VERSION_CONFLICT", message="m", current_version=7),
        NotAllowedInState(code="NOT_ALLOWED_IN_STATE", message="m", state="PICKING", allowed=("REQUEST_RETURN",)),
    )
    problems = (await world.data(CHANGE, input=change()))["orderChange"]["problems"]
    assert problems[0]["currentVersion"] == 7
    assert (problems[1]["state"], problems[1]["allowed"]) == ("PICKING", ["REQUEST_RETURN"])


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        pytest.param({"idempotencyKey": " "}, "IDEMPOTENCY_KEY", id="no key"),
        pytest.param({"orderId": "ord_none"}, "UNKNOWN_ORDER", id="an order that does not exist"),
        pytest.param({"reason": ""}, "TEXT_LENGTH", id="no reason"),
        pytest.param({"reason": "x" * 501}, "TEXT_LENGTH", id="too long a reason"),
    ],
)
async def test_a_bad_envelope_starts_nothing(world: OrdersWorld, changes: dict[str, Any], rule: str):
    await world.put(recorded(), document())
    payload = (await world.data(CHANGE, input=change(**changes)))["orderChange"]
    assert [problem["rule"] for problem in payload["problems"]] == [rule]
    assert world.starter.asked == []


async def test_a_return_is_started_for_the_account_of_its_order(world: OrdersWorld):
    await world.put(recorded(), document())
    world.starter.answer = answered(None, ReturnNotAllowed(code="C", message="m", line_no=1, reason="WINDOW_CLOSED"))
    payload = (await world.data(REQUEST, DESK, input=wanted()))["returnRequest"]
    assert payload["return"] is None
    assert payload["problems"] == [{"__typename": "ReturnNotAllowed", "lineNo": 1, "reason": "WINDOW_CLOSED"}]
    ((asked, key, _, _),) = world.starter.asked
    line = ReturnLineAsked(1, Quantity(Decimal(2), "EA"), "DAMAGED")
    assert (asked, key) == (ReturnAsked("ord_1", "acc_1", (line,)), "r-1")


async def test_a_return_is_decided_by_who_works_returns(world: OrdersWorld):
    world.erp.returns_by_id = {"rma_R-1": rma()}
    await world.put(recorded(), document())
    world.starter.answer = answered("rma_R-1")
    given = {"key": "d-1", "id": "rma_R-1", "approve": True, "comment": "seen"}
    payload = (await world.data(DECIDE, DESK, **given))["returnDecide"]
    assert (payload["return"], payload["problems"]) == ({"id": "rma_R-1"}, [])
    ((asked, key, _, _),) = world.starter.asked
    assert (asked, key) == (ReturnVerdict("rma_R-1", approve=True, comment="seen"), "d-1")


@pytest.mark.parametrize("who", [staff(role="SALES"), customer("acc_1")], ids=["a sales rep", "the customer"])
async def test_nobody_else_decides_about_returns(world: OrdersWorld, who: Caller):
    world.erp.returns_by_id = {"rma_R-1": rma()}
    await world.put(recorded(), document())
    error = await world.error(DECIDE, who, key="d-1", id="rma_R-1", approve=True, comment="seen")
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert world.starter.asked == []


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        pytest.param({"id": "rma_NONE", "comment": "seen"}, "UNKNOWN_RETURN", id="a return that does not exist"),
        pytest.param({"id": "rma_R-1", "comment": " "}, "TEXT_LENGTH", id="no comment"),
    ],
)
async def test_a_bad_decision_is_not_taken(world: OrdersWorld, given: dict[str, Any], rule: str):
    world.erp.returns_by_id = {"rma_R-1": rma()}
    await world.put(recorded(), document())
    payload = (await world.data(DECIDE, DESK, key="d-1", approve=True, **given))["returnDecide"]
    assert [problem["rule"] for problem in payload["problems"]] == [rule]
    assert world.starter.asked == []


@pytest.mark.parametrize(
    ("mutation", "given"), [(CHANGE, change()), (REQUEST, wanted())], ids=["orderChange", "returnRequest"]
)
async def test_an_order_of_somebody_else_does_not_exist(world: OrdersWorld, mutation: str, given: dict[str, Any]):
    await world.put(recorded(), document())
    (payload,) = (await world.data(mutation, shop("acc_2"), input=given)).values()
    assert [problem["rule"] for problem in payload["problems"]] == ["UNKNOWN_ORDER"]
    assert world.starter.asked == []


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        (OrderStatus.RECEIVED, ["CANCEL"]),
        (OrderStatus.ON_HOLD, ["CANCEL"]),
        (OrderStatus.ACCEPTED, ["CHANGE", "CANCEL"]),
        (OrderStatus.CHANGE_PENDING, []),
        (OrderStatus.CANCEL_PENDING, []),
    ],
)
async def test_allowed_actions_are_those_that_the_processes_take(
    world: OrdersWorld, status: OrderStatus, allowed: list[str]
):
    await world.put(recorded(status=status))
    assert (await world.order("allowedActions"))["allowedActions"] == allowed


async def test_goods_that_are_picked_and_orders_of_the_erp_itself_are_not_changed_here(world: OrdersWorld):
    await world.put(recorded(), document())
    world.ship(shipment(status=ShipmentStatus.PICKING))
    await world.put(None, entered(2))
    assert (await world.order("allowedActions"))["allowedActions"] == []
    assert (await world.order("allowedActions", "ord_2"))["allowedActions"] == []


class TestWithheldInvoices:
    @pytest.fixture
    async def billed(self, world: OrdersWorld) -> OrdersWorld:
        """An order with an invoice that fits and one that does not."""
        amount = Money(Decimal("5.00"), "USD")
        wrong = InvoiceMismatch(code="INVOICE_MISMATCH", message="m", invoice_number="INV-2", difference=amount)
        await world.put(recorded(exceptions=(wrong,)), document())
        world.erp.invoices_by_id = {f"inv_INV-{count}": invoice(count) for count in (1, 2)}
        return world

    async def test_finance_sees_both(self, billed: OrdersWorld):
        assert [entry["number"] for entry in (await billed.order("invoices { number }"))["invoices"]] == [
            "INV-1",
            "INV-2",
        ]

    async def test_a_customer_sees_the_one_that_fits_on_every_path(self, billed: OrdersWorld):
        who = customer("acc_1")
        assert (await billed.order("invoices { number }", who=who))["invoices"] == [{"number": "INV-1"}]
        query = '{ fits: invoiceByNumber(number: "INV-1") { number } not: invoiceByNumber(number: "INV-2") { number } }'
        assert await billed.data(query, who) == {"fits": {"number": "INV-1"}, "not": None}
        (account,) = await billed.entities(
            "... on Account { invoices { nodes { number } } }", {"__typename": "Account", "id": "acc_1"}, who=who
        )
        assert account["invoices"]["nodes"] == [{"number": "INV-1"}]


async def test_posted_invoices_of_an_account_are_followed(world: OrdersWorld):
    await world.put(recorded(), document())
    world.erp.invoices_by_id = {"inv_INV-1": invoice()}
    query = 'subscription { invoicePosted(accountId: "acc_1") { eventId invoice { number } } }'

    async def tell() -> None:
        about = {"subject": "inv_INV-1"}
        await world.log.append(
            [
                told("e-1", "invoice.mismatch", **about),
                told("e-2", "invoice.posted", **about, account_id="acc_2"),
                told("e-3", "invoice.posted", **about),
            ]
        )

    (event,) = await world.stream(query, 1, begun=tell)
    assert event["data"]["invoicePosted"] == {"eventId": "e-3", "invoice": {"number": "INV-1"}}


async def test_a_return_is_followed_from_where_the_client_left_off(world: OrdersWorld):
    await world.put(recorded(), document())
    world.erp.returns_by_id = {"rma_R-1": rma(status=ReturnStatus.RECEIVED)}
    about = {"subject": "rma_R-1", "partition_key": "rma_R-1"}
    await world.log.append([told(f"e-{count}", "return.received", **about) for count in (1, 2, 3)])
    await world.log.append([told("e-4", "return.received", subject="rma_R-2", partition_key="rma_R-2")])
    query = """subscription { returnStatusChanged(returnId: "rma_R-1", after: "e-1") {
        eventId return { rmaNumber status } } }"""
    events = [entry["data"]["returnStatusChanged"] for entry in await world.stream(query, 2)]
    assert [entry["eventId"] for entry in events] == ["e-2", "e-3"]
    assert events[0]["return"] == {"rmaNumber": "R-1", "status": "RECEIVED"}


async def test_somebody_else_follows_nothing_of_a_return(world: OrdersWorld):
    await world.put(recorded(), document())
    world.erp.returns_by_id = {"rma_R-1": rma()}
    about = {"subject": "rma_R-1", "partition_key": "rma_R-1"}
    others = {"subject": "rma_R-1", "partition_key": "rma_R-1", "account_id": "acc_2"}
    world.erp.returns_by_id["rma_R-1"] = replace(rma(), account_id="acc_2")
    query = 'subscription { returnStatusChanged(returnId: "rma_R-1", after: "e-0") { eventId } }'
    await world.log.append([told("e-0", "return.requested", **about)])
    await world.log.append([told("e-1", "return.received", **about), told("e-2", "return.received", **others)])
    (event,) = await world.stream(query, 1, who=customer("acc_2"))
    assert event["data"]["returnStatusChanged"]["eventId"] == "e-2"
