"""Submitting orders, preparing quotes, and following what happens to orders and shipments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from gateway.server.principal import Principal as Caller
from processes.api import (
    MAX_WAIT_MS,
    OrderSubmission,
    QuotePreparation,
    QuoteRequestLine,
    Started,
    SubmissionLine,
)
from resolvers.envelopes import MAX_KEY_LENGTH, MAX_NAME_LENGTH
from resolvers.orders.submit import MAX_LINES, MAX_RESERVATIONS
from schema.enums import (
    OrderChannel,
    OrderStatus,
    PricingConflictReason,
    ProcessState,
    QuoteStatus,
    ShipmentStatus,
    SourceSystem,
)
from schema.records import problems
from schema.records.values import Money, Quantity
from tests.support.order_records import document, recorded, shipment, told
from tests.support.orders_world import NOW, OrdersWorld, orders_world
from tests.support.subgraph_requests import STAFF, STRANGER, customer, staff

LINE = {"lineNo": 1, "sku": "PMP-0042", "quantity": {"value": "24", "uom": "EA"}}
ORDER = {"idempotencyKey": "key-1", "accountId": "acc_1", "shipToId": "shp_1", "channel": "PORTAL", "lines": [LINE]}
QUOTE = {"idempotencyKey": "key-1", "accountId": "acc_1", "lines": [LINE]}
PAYLOAD = "process { id state } replayed problems { __typename ... on Problem { code message path retryable } }"
SUBMIT = f"mutation ($i: OrderSubmitInput!) {{ done: orderSubmit(input: $i) {{ order {{ id status }} {PAYLOAD} }} }}"
PREPARE = f"mutation ($i: QuotePrepareInput!) {{ done: quotePrepare(input: $i) {{ quote {{ id status }} {PAYLOAD} }} }}"
BOTH = [pytest.param(SUBMIT, ORDER, id="order"), pytest.param(PREPARE, QUOTE, id="quote")]
HOLD = problems.CreditHold(code="CREDIT_HOLD", message="over the limit")
REP = staff(role="SALES")
BUYER = customer("acc_1")


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[OrdersWorld]:
    async with orders_world(sqlite_url) as made:
        yield made


async def send(world: OrdersWorld, mutation: str, asked: dict[str, Any], who: Caller = REP, **changes: Any) -> Any:
    return (await world.data(mutation, who, i={**asked, **changes}))["done"]


class TestSubmitting:
    async def test_all_that_is_asked_reaches_the_process(self, world: OrdersWorld):
        line = {
            **LINE,
            "unitPrice": {"amount": "36.1000", "currency": "USD"},
            "priceToken": "ptk_x",
            "requestedDate": "2026-03-09",
        }
        asked = {
            "poNumber": "PO-1",
            "quoteId": "quo_1",
            "opportunityId": "opp_9",
            "requestedDate": "2026-03-10",
            "shipComplete": True,
            "allowBackorder": False,
            "allowSubstitutes": True,
            "acceptCurrentPrices": True,
            "reservationIds": ["rsv_1", "rsv_2"],
            "waitMs": 0,
        }
        await send(world, SUBMIT, ORDER, lines=[line], **asked)
        ((submission, key, principal, wait_ms),) = world.starter.asked
        assert (key, principal.subject, wait_ms) == ("key-1", "user:ann", 0)
        assert submission == OrderSubmission(
            account_id="acc_1",
            ship_to_id="shp_1",
            channel=OrderChannel.PORTAL,
            lines=(
                SubmissionLine(
                    line_no=1,
                    sku="PMP-0042",
                    quantity=Quantity(Decimal(24), "EA"),
                    unit_price=Money(Decimal("36.1000"), "USD"),
                    price_token="ptk_x",
                    requested_date=date(2026, 3, 9),
                ),
            ),
            po_number="PO-1",
            quote_id="quo_1",
            opportunity_id="opp_9",
            requested_date=date(2026, 3, 10),
            ship_complete=True,
            allow_backorder=False,
            allow_substitutes=True,
            accept_current_prices=True,
            reservation_ids=("rsv_1", "rsv_2"),
        )

    @pytest.mark.parametrize("given", [{}, {"allowBackorder": None, "shipComplete": None, "waitMs": None}], ids=str)
    async def test_what_is_left_out_or_null_takes_its_default(self, world: OrdersWorld, given: dict[str, Any]):
        await send(world, SUBMIT, ORDER, **given)
        ((submission, _, _, wait_ms),) = world.starter.asked
        line = SubmissionLine(1, "PMP-0042", Quantity(Decimal(24), "EA"))
        assert submission == OrderSubmission("acc_1", "shp_1", OrderChannel.PORTAL, (line,))
        assert wait_ms == 2500

    async def test_a_quote_is_asked_for_whole(self, world: OrdersWorld):
        line = {**LINE, "requestedUnitPrice": {"amount": "30", "currency": "USD"}, "priceToken": "ptk_x"}
        asked = {"shipToId": "shp_1", "opportunityId": "opp_9", "validUntil": "2026-04-01", "waitMs": MAX_WAIT_MS}
        await send(world, PREPARE, QUOTE, lines=[line], **asked)
        ((preparation, key, _, wait_ms),) = world.starter.asked
        assert (key, wait_ms) == ("key-1", MAX_WAIT_MS)
        wanted = QuoteRequestLine(1, "PMP-0042", Quantity(Decimal(24), "EA"), Money(Decimal(30), "USD"), "ptk_x")
        assert preparation == QuotePreparation("acc_1", (wanted,), "shp_1", "opp_9", date(2026, 4, 1))

    async def test_the_order_is_shown_as_it_is_when_the_process_answers(self, world: OrdersWorld):
        await world.put(recorded(), document())
        world.starter.answer = Started("prc_1", ProcessState.RUNNING, "ord_1", (), replayed=True)
        assert await send(world, SUBMIT, ORDER, BUYER) == {
            "order": {"id": "ord_1", "status": "ACCEPTED"},
            "process": {"id": "prc_1", "state": "RUNNING"},
            "replayed": True,
            "problems": [],
        }

    async def test_the_quote_is_shown_as_it_is_when_the_process_answers(self, world: OrdersWorld):
        await world.save(status=QuoteStatus.PENDING_APPROVAL)
        needed = problems.ApprovalRequired(code="APPROVAL_REQUIRED", message="m", level="MANAGER", reason="margin")
        world.starter.answer = Started("prc_1", ProcessState.WAITING_HUMAN, "quo_1", (needed,), replayed=False)
        found = await send(world, PREPARE, QUOTE)
        assert found["quote"] == {"id": "quo_1", "status": "PENDING_APPROVAL"}
        assert found["process"]["state"] == "WAITING_HUMAN"
        assert [problem["__typename"] for problem in found["problems"]] == ["ApprovalRequired"]

    @pytest.mark.parametrize(("mutation", "asked"), BOTH)
    async def test_every_problem_of_the_process_is_told(self, world: OrdersWorld, mutation: str, asked: dict[str, Any]):
        said = {"code": "C", "message": "m"}
        quantity = Quantity(Decimal(1), "EA")
        found = (
            problems.CreditHold(**said),
            problems.Stockout(**said, sku="s", requested=quantity, available=quantity),
            problems.PricingConflict(**said, sku="s", reason=PricingConflictReason.NO_PRICE),
            problems.FulfillmentDelay(**said, shipment_id=None, promised=NOW, expected=None),
            problems.ApprovalRequired(**said, level="L", reason="r"),
            problems.QuoteNotConvertible(**said, status=QuoteStatus.EXPIRED, valid_until=date(2026, 3, 1)),
            problems.ValidationFailed(**said, rule="R"),
            problems.NotAllowedInState(**said, state="S", allowed=()),
            problems.IdempotencyConflict(**said, original_process_id="prc_0"),
            problems.VersionConflict(**said, current_version=2),
            problems.DependencyUnavailable(**said, system=SourceSystem.CLOUD_ERP, retryable=True),
            problems.ItemNotSellable(**said, sku="s", reason="blocked", path=("lines", "0", "sku")),
        )
        world.starter.answer = Started(None, None, None, found, replayed=False)
        told = (await send(world, mutation, asked))["problems"]
        names = [type(problem).__name__ for problem in found[:-1]]
        assert [problem["__typename"] for problem in told] == [*names, "ValidationFailed"]
        assert told[-1]["path"] == ["lines", "0", "sku"]
        assert [problem["retryable"] for problem in told].index(True) == 10

    @pytest.mark.parametrize(("mutation", "asked"), BOTH)
    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            pytest.param({"idempotencyKey": ""}, ["idempotencyKey"], id="no key"),
            pytest.param({"idempotencyKey": "k" * (MAX_KEY_LENGTH + 1)}, ["idempotencyKey"], id="a long key"),
            pytest.param({"waitMs": -1}, ["waitMs"], id="a wait into the past"),
            pytest.param({"waitMs": MAX_WAIT_MS + 1}, ["waitMs"], id="a long wait"),
            pytest.param({"lines": [LINE] * (MAX_LINES + 1)}, ["lines"], id="too many lines"),
            *(
                pytest.param({name: "x" * (MAX_NAME_LENGTH + 1)}, [name], id=f"more of {name} than can be kept")
                for name in ("accountId", "shipToId", "opportunityId")
            ),
        ],
    )
    async def test_a_refused_envelope_starts_nothing(
        self, world: OrdersWorld, mutation: str, asked: dict[str, Any], changes: dict[str, Any], path: list[str]
    ):
        found = await send(world, mutation, asked, **changes)
        assert [problem["path"] for problem in found["problems"]] == [path]
        assert (found["process"], found["replayed"], world.starter.asked) == (None, False, [])

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            pytest.param({"poNumber": "x" * (MAX_NAME_LENGTH + 1)}, ["poNumber"], id="poNumber"),
            pytest.param({"quoteId": "x" * (MAX_NAME_LENGTH + 1)}, ["quoteId"], id="quoteId"),
            pytest.param(
                {"reservationIds": ["rsv_1"] * (MAX_RESERVATIONS + 1)}, ["reservationIds"], id="reservationIds"
            ),
        ],
    )
    async def test_an_order_with_more_than_can_be_kept_starts_nothing(
        self, world: OrdersWorld, changes: dict[str, Any], path: list[str]
    ):
        found = await send(world, SUBMIT, ORDER, **changes)
        assert [problem["path"] for problem in found["problems"]] == [path]
        assert world.starter.asked == []

    async def test_everything_that_is_wrong_is_told_at_once(self, world: OrdersWorld):
        wrong = {"idempotencyKey": "", "waitMs": -1, "accountId": "acc_2", "lines": [LINE] * (MAX_LINES + 1)}
        found = await send(world, SUBMIT, ORDER, BUYER, **wrong)
        assert [problem["path"] for problem in found["problems"]] == [
            ["idempotencyKey"],
            ["waitMs"],
            ["accountId"],
            ["lines"],
        ]

    @pytest.mark.parametrize("quantity", ["a lot", "", None])
    async def test_what_is_no_quantity_is_refused_before_anything_is_asked(self, world: OrdersWorld, quantity: Any):
        line = {**LINE, "quantity": {"value": quantity, "uom": "EA"}}
        error = await world.error(SUBMIT, REP, i={**ORDER, "lines": [line]})
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert world.starter.asked == []


class TestRights:
    @pytest.mark.parametrize(
        ("who", "orders", "quotes"),
        [
            pytest.param(staff(role="SALES"), True, True, id="sales"),
            pytest.param(staff(role="SALES_MANAGER"), True, True, id="sales managers"),
            pytest.param(staff(role="INTEGRATION"), True, True, id="integrations"),
            pytest.param(staff(role="SERVICE_DESK"), True, False, id="the service desk"),
            pytest.param(customer("acc_1"), True, False, id="portal buyers"),
            pytest.param(staff(role="PRICING"), False, False, id="pricing"),
            pytest.param(staff(role="WAREHOUSE"), False, False, id="warehouse"),
            pytest.param(staff(role="FINANCE"), False, False, id="finance"),
            pytest.param(staff(role="CREDIT_CONTROLLER"), False, False, id="credit"),
            pytest.param(STRANGER, False, False, id="somebody unknown"),
        ],
    )
    @pytest.mark.parametrize(("mutation", "asked"), BOTH)
    async def test_each_role_starts_what_is_its_own(
        self, world: OrdersWorld, mutation: str, asked: dict[str, Any], who: Caller, orders: bool, quotes: bool
    ):
        answer = await world.ask(mutation, who, i=asked)
        may = orders if mutation == SUBMIT else quotes
        assert len(world.starter.asked) == may
        assert ("errors" not in answer) is may
        if not may:
            assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"

    async def test_an_account_that_is_not_the_callers_does_not_exist(self, world: OrdersWorld):
        found = await send(world, SUBMIT, ORDER, BUYER, accountId="acc_2")
        assert [problem["path"] for problem in found["problems"]] == [["accountId"]]
        assert "does not exist" in found["problems"][0]["message"]
        assert world.starter.asked == []


FOLLOWED = "subscription { told: orderStatusChanged%s { eventId type at order { id status } problem { __typename } } }"
MOVED = """subscription {
  told: shipmentMilestone%s {
    eventId at shipment { id status } milestone { code status at place reasonCode source }
  }
}"""


def ids(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["told"]["eventId"] for event in events]


class TestFollowing:
    async def test_orders_are_told_after_the_last_event_that_was_seen(self, world: OrdersWorld):
        await world.put(recorded(), document())
        await world.log.append([told(f"e{number}") for number in range(1, 5)])
        events = await world.stream(FOLLOWED % '(after: "e2")', 2)
        assert events[0]["data"]["told"] == {
            "eventId": "e3",
            "type": "order.accepted",
            "at": "2026-03-04T15:00:00Z",
            "order": {"id": "ord_1", "status": "ACCEPTED"},
            "problem": None,
        }
        assert ids(events) == ["e3", "e4"]

    async def test_live_events_follow_what_was_missed_each_once(self, world: OrdersWorld):
        await world.put(recorded(), document())
        await world.log.append([told("e1"), told("e2")])

        async def go_on() -> None:
            await world.log.append([told("e2"), told("e3")])

        assert ids(await world.stream(FOLLOWED % '(after: "e1")', 2, begun=go_on)) == ["e2", "e3"]

    async def test_without_a_cursor_only_what_happens_from_now_on_is_told(self, world: OrdersWorld):
        await world.put(recorded(), document())
        await world.log.append([told("e1")])

        async def go_on() -> None:
            await world.log.append([told("e2")])

        assert ids(await world.stream(FOLLOWED % "", 1, begun=go_on)) == ["e2"]

    @pytest.mark.parametrize("subscription", [FOLLOWED, MOVED], ids=["orders", "shipments"])
    @pytest.mark.parametrize("cursor", ["e9", ""])
    async def test_a_cursor_that_the_log_does_not_hold_ends_the_stream_with_a_gap(
        self, world: OrdersWorld, subscription: str, cursor: str
    ):
        await world.log.append([told("e1")])
        (event,) = await world.stream(subscription % f'(after: "{cursor}")', 5)
        (error,) = event["errors"]
        assert error["extensions"]["code"] == "GAP"
        assert "subscribe without after" in error["message"]

    async def test_an_order_is_shown_as_it_is_when_the_event_is_told(self, world: OrdersWorld):
        order = recorded(status=OrderStatus.VALIDATING, erp_number=None)
        await world.put(order)
        await world.log.append([told("e0"), told("e1", "order.received")])

        async def go_on() -> None:
            held = recorded(status=OrderStatus.ON_HOLD, erp_number=None, exceptions=(HOLD,))
            data = {"problem": {"type": "CreditHold", "code": "CREDIT_HOLD"}}
            await world.ledger.update(held, [told("e2", "order.held", data=data)])

        events = await world.stream(FOLLOWED % '(after: "e0")', 2, begun=go_on)
        assert [event["data"]["told"]["order"]["status"] for event in events] == ["VALIDATING", "ON_HOLD"]
        assert [event["data"]["told"]["problem"] for event in events] == [None, {"__typename": "CreditHold"}]

    @pytest.mark.parametrize(
        ("scope", "who", "seen"),
        [
            pytest.param("", STAFF, ["e1", "e2", "e3"], id="all that there are"),
            pytest.param('orderId: "ord_1",', STAFF, ["e1", "e3"], id="of one order"),
            pytest.param('accountId: "acc_2",', STAFF, ["e2"], id="of one account"),
            pytest.param('orderId: "ord_1", accountId: "acc_1",', STAFF, ["e1", "e3"], id="of an account's order"),
            pytest.param("", BUYER, ["e1", "e3"], id="of the caller's account"),
            pytest.param("", customer("acc_2", "acc_3"), ["e2"], id="of the caller's accounts"),
            pytest.param('orderId: "ord_1",', customer("acc_2"), [], id="of a sibling account's order"),
            pytest.param('accountId: "acc_1",', customer("acc_2"), [], id="of a sibling account"),
            pytest.param("", STRANGER, [], id="of nobody"),
        ],
    )
    async def test_each_sees_the_events_of_their_own_accounts(
        self, world: OrdersWorld, scope: str, who: Caller, seen: list[str]
    ):
        for number, account in ((1, "acc_1"), (2, "acc_2")):
            of = recorded(number, account_id=account)
            await world.put(of, document(of))
        other = {"subject": "ord_2", "partition_key": "ord_2", "correlation_id": "ord_2", "account_id": "acc_2"}
        nobodys = told("e4", account_id=None)
        await world.log.append([told("e0"), told("e1"), told("e2", **other), told("e3"), nobodys])
        events = await world.stream_all(FOLLOWED % f'({scope} after: "e0")', who=who)
        assert ids(events) == seen

    async def test_milestones_are_told_with_their_shipment(self, world: OrdersWorld):
        await world.put(recorded(), document())
        world.ship(shipment(status=ShipmentStatus.LOADED))
        data = {"code": "X4", "status": "IN_TRANSIT", "at": "2026-03-04T12:00:00Z", "place": "Memphis", "reason": "NS"}
        told_by = {"subject": "sh_S-1", "system": SourceSystem.TMS}
        await world.log.append(
            [
                told("e0"),
                told("e1", "shipment.milestone", data=data, **told_by),
                told("e2", "shipment.departed", data={"status": "ON_THE_MOON"}, **told_by),
                told("e3", "shipment.lost", **{**told_by, "subject": "sh_S-9"}),
                told("e4", "shipment.delivered", **told_by),
            ]
        )
        events = await world.stream(MOVED % '(after: "e0")', 3)
        assert events[0]["data"]["told"] == {
            "eventId": "e1",
            "at": "2026-03-04T15:00:00Z",
            "shipment": {"id": "sh_S-1", "status": "LOADED"},
            "milestone": {
                "code": "X4",
                "status": "IN_TRANSIT",
                "at": "2026-03-04T12:00:00Z",
                "place": "Memphis",
                "reasonCode": "NS",
                "source": "TMS",
            },
        }
        assert ids(events) == ["e1", "e2", "e4"]
        assert events[1]["data"]["told"]["milestone"]["code"] == "DEPARTED"
        assert events[1]["data"]["told"]["milestone"]["status"] == "LOADED"

    async def test_a_sibling_accounts_milestones_are_not_told(self, world: OrdersWorld):
        await world.put(recorded(), document())
        world.ship(shipment(), shipment("2", account_id="acc_2", order_id="ord_2"))
        hers = {"subject": "sh_S-2", "partition_key": "ord_2", "account_id": "acc_2"}
        await world.log.append(
            [told("e0"), told("e1", "shipment.loaded", subject="sh_S-1"), told("e2", "shipment.loaded", **hers)]
        )
        assert ids(await world.stream_all(MOVED % '(after: "e0")', who=customer("acc_2"))) == ["e2"]
