"""What is wrong with an order, and what its state allows to be done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from schema.enums import (
    HoldKind,
    OrderStatus,
    PricingConflictReason,
    ShipmentStatus,
    SourceSystem,
)
from schema.records import problems
from schema.records.orders import ErpLine, OrderHold
from schema.records.values import Money, Quantity
from tests.support.fake_systems import tracking
from tests.support.order_records import DAY, document, erp_line, milestone, recorded, shipment
from tests.support.orders_world import NOW, OrdersWorld, orders_world

S = ShipmentStatus
FINISHED = (OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.REJECTED)
USD = Money(Decimal("1.10"), "USD")


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[OrdersWorld]:
    async with orders_world(sqlite_url) as made:
        yield made


def stockout(line_no: int | None = 1) -> problems.Stockout:
    wanted, left = Quantity(Decimal(24), "EA"), Quantity(Decimal(18), "EA")
    return problems.Stockout(
        code="STOCKOUT",
        message="18 of 24",
        sku="PMP-0042",
        requested=wanted,
        available=left,
        line_no=line_no,
        next_available=date(2026, 3, 9),
        substitute_skus=("PMP-0043",),
    )


def delay(shipment_id: str | None = "sh_S-1") -> problems.FulfillmentDelay:
    return problems.FulfillmentDelay(
        code="FULFILLMENT_DELAY", message="late", shipment_id=shipment_id, promised=NOW, expected=NOW + DAY
    )


class TestExceptions:
    async def codes(self, world: OrdersWorld) -> list[str]:
        found = await world.order("exceptions { ... on Problem { code } }")
        return [problem["code"] for problem in found["exceptions"]]

    async def test_every_kind_says_what_it_knows(self, world: OrdersWorld):
        said = {"code": "C", "message": "m"}
        known = (
            problems.CreditHold(**said, exposure=USD, limit=USD, days_past_due=3, task_id="tsk_1", retryable=True),
            stockout(),
            problems.PricingConflict(
                **said, path=("lines", "0"), sku="s", reason=PricingConflictReason.NO_PRICE, current=USD
            ),
            delay(None),
            problems.InvoiceMismatch(**said, invoice_number="INV-1", difference=USD),
            problems.ApprovalRequired(**said, level="MANAGER", reason="r", task_id="tsk_2"),
            problems.DependencyUnavailable(**said, system=SourceSystem.WMS, retry_after_seconds=5),
            problems.ValidationFailed(**said, rule="R"),
        )
        await world.put(recorded(exceptions=known), document(None, erp_line(backordered=6)))
        money = "{ amount currency }"
        query = f"""
          exceptions {{
            __typename ... on Problem {{ code message path retryable }}
            ... on CreditHold {{ exposure {money} limit {money} daysPastDue holdTask: taskId }}
            ... on Stockout {{ lineNo sku requested {{ value }} available {{ value }} nextAvailable substituteSkus }}
            ... on PricingConflict {{ priced: sku cause: reason current {money} agreed: expected {money} }}
            ... on FulfillmentDelay {{ shipmentId promised expected reasonCode }}
            ... on InvoiceMismatch {{ invoiceNumber difference {money} }}
            ... on ApprovalRequired {{ level reason taskId }}
            ... on DependencyUnavailable {{ system retryAfterSeconds }}
          }}
        """
        usd = {"amount": "1.10", "currency": "USD"}
        plain = {"code": "C", "message": "m", "path": None, "retryable": False}
        assert (await world.order(query))["exceptions"] == [
            {"__typename": "CreditHold", **plain, "retryable": True, "exposure": usd, "limit": usd, "daysPastDue": 3}
            | {"holdTask": "tsk_1"},
            {"__typename": "Stockout", **plain, "code": "STOCKOUT", "message": "18 of 24", "lineNo": 1}
            | {"sku": "PMP-0042", "requested": {"value": "24"}, "available": {"value": "18"}}
            | {"nextAvailable": "2026-03-09", "substituteSkus": ["PMP-0043"]},
            {"__typename": "PricingConflict", **plain, "path": ["lines", "0"], "priced": "s", "cause": "NO_PRICE"}
            | {"current": usd, "agreed": None},
            {"__typename": "FulfillmentDelay", **plain, "code": "FULFILLMENT_DELAY", "message": "late"}
            | {"shipmentId": None, "promised": "2026-03-04T15:00:00Z", "expected": "2026-03-05T15:00:00Z"}
            | {"reasonCode": None},
            {"__typename": "InvoiceMismatch", **plain, "invoiceNumber": "INV-1", "difference": usd},
            {"__typename": "ApprovalRequired", **plain, "level": "MANAGER", "reason": "r", "taskId": "tsk_2"},
            {"__typename": "DependencyUnavailable", **plain, "system": "WMS", "retryAfterSeconds": 5},
        ]

    @pytest.mark.parametrize(
        ("line", "problem", "holds"),
        [
            pytest.param(erp_line(backordered=6), stockout(), True, id="the line is still short"),
            pytest.param(erp_line(allocated=24), stockout(), False, id="the line is no longer short"),
            pytest.param(erp_line(allocated=24), stockout(None), True, id="it is about no line"),
        ],
    )
    async def test_a_recorded_stockout_is_told_while_it_holds(
        self, world: OrdersWorld, line: ErpLine, problem: problems.Stockout, holds: bool
    ):
        await world.put(recorded(exceptions=(problem,)), document(None, line))
        assert await self.codes(world) == (["STOCKOUT"] if holds else [])

    @pytest.mark.parametrize(
        ("changes", "load", "is_late"),
        [
            pytest.param({"planned_delivery": NOW + DAY}, {}, False, id="in time"),
            pytest.param({"planned_delivery": None}, {"status": S.DELAYED}, False, id="nothing was promised"),
            pytest.param({"planned_delivery": NOW - DAY}, {}, True, id="the promised time has passed"),
            pytest.param({"planned_delivery": NOW + DAY}, {"status": S.DELAYED}, True, id="the carrier is late"),
            pytest.param(
                {"planned_delivery": NOW + DAY}, {"estimated_delivery": NOW + 2 * DAY}, True, id="it will come later"
            ),
            pytest.param({"planned_delivery": NOW - DAY}, {"status": S.DELIVERED}, False, id="it has arrived"),
            pytest.param({"planned_delivery": NOW - DAY, "status": S.CANCELLED}, {}, False, id="it is cancelled"),
        ],
    )
    async def test_a_shipment_that_is_late_is_told(
        self, world: OrdersWorld, changes: dict[str, Any], load: dict[str, Any], is_late: bool
    ):
        await world.put(recorded(), document())
        world.ship(replace(shipment(status=S.LOADED), **changes))
        world.tms.loads["S-1"] = tracking("S-1", **{"status": S.IN_TRANSIT, **load})
        assert await self.codes(world) == (["FULFILLMENT_DELAY"] if is_late else [])

    @pytest.mark.parametrize(
        ("later", "message"),
        [
            pytest.param(2 * DAY, f"{NOW + DAY:%Y-%m-%d}, now expected {NOW + 3 * DAY:%Y-%m-%d}", id="days later"),
            pytest.param(
                timedelta(hours=2),
                f"{NOW + DAY:%Y-%m-%d %H:%M} UTC, now expected {NOW + DAY + timedelta(hours=2):%Y-%m-%d %H:%M} UTC",
                id="hours later, on the same day",
            ),
        ],
    )
    async def test_a_delay_is_told_to_the_hour_where_days_do_not_tell_it(
        self, world: OrdersWorld, later: timedelta, message: str
    ):
        await world.put(recorded(), document())
        world.ship(shipment(status=S.LOADED, planned_delivery=NOW + DAY))
        world.tms.loads["S-1"] = tracking("S-1", status=S.IN_TRANSIT, estimated_delivery=NOW + DAY + later)
        (found,) = (await world.order("exceptions { ... on Problem { message } }"))["exceptions"]
        assert found["message"].endswith(f"was promised for {message}")

    async def test_a_delay_says_what_was_promised_what_is_expected_and_why(self, world: OrdersWorld):
        await world.put(recorded(), document())
        world.ship(shipment(status=S.LOADED, planned_delivery=NOW + DAY))
        why = milestone("SD", S.DELAYED, NOW, reason_code="WEATHER")
        world.tms.loads["S-1"] = tracking("S-1", why, estimated_delivery=NOW + 3 * DAY)
        found = await world.order("exceptions { ... on FulfillmentDelay { shipmentId promised expected reasonCode } }")
        assert found["exceptions"] == [
            {
                "shipmentId": "sh_S-1",
                "promised": "2026-03-05T15:00:00Z",
                "expected": "2026-03-07T15:00:00Z",
                "reasonCode": "WEATHER",
            }
        ]

    @pytest.mark.parametrize(
        ("status", "told"),
        [
            pytest.param(S.DELAYED, 1, id="it is late: told once"),
            pytest.param(S.DELIVERED, 0, id="it has arrived"),
            pytest.param(S.IN_TRANSIT, 1, id="what was recorded may still hold"),
        ],
    )
    async def test_a_recorded_delay_is_told_until_the_shipment_arrives(
        self, world: OrdersWorld, status: ShipmentStatus, told: int
    ):
        await world.put(recorded(exceptions=(delay(),)), document())
        world.ship(shipment(status=S.LOADED, planned_delivery=NOW + DAY))
        world.tms.loads["S-1"] = tracking("S-1", status=status)
        assert await self.codes(world) == ["FULFILLMENT_DELAY"] * told

    @pytest.mark.parametrize("status", OrderStatus)
    async def test_shipments_are_late_only_for_orders_that_are_open(self, world: OrdersWorld, status: OrderStatus):
        await world.put(recorded(status=status, erp_number=None))
        world.ship(shipment(status=S.LOADED, planned_delivery=NOW - DAY))
        assert await self.codes(world) == ([] if status in FINISHED else ["FULFILLMENT_DELAY"])


class TestAllowedActions:
    @pytest.mark.parametrize(
        ("status", "shipped", "actions"),
        [
            pytest.param("RECEIVED", None, ["CANCEL"], id="received"),
            pytest.param("VALIDATING", None, [], id="being decided"),
            pytest.param("ON_HOLD", None, ["CANCEL", "RELEASE_HOLD"], id="held"),
            pytest.param("ACCEPTED", None, ["CHANGE", "CANCEL"], id="accepted"),
            pytest.param("ACCEPTED", S.RELEASED, ["CHANGE", "CANCEL"], id="released"),
            pytest.param("ACCEPTED", S.PICKING, [], id="being picked"),
            pytest.param("ACCEPTED", S.LOADED, [], id="on its way"),
            pytest.param("ACCEPTED", S.DELIVERED, ["REQUEST_RETURN"], id="delivered"),
            pytest.param("COMPLETED", S.DELIVERED, ["REQUEST_RETURN"], id="completed"),
            pytest.param("CHANGE_PENDING", None, [], id="being changed"),
            pytest.param("CANCEL_PENDING", None, [], id="being cancelled"),
            pytest.param("CANCELLED", None, [], id="cancelled"),
            pytest.param("REJECTED", None, [], id="rejected"),
        ],
    )
    async def test_they_follow_from_the_state(
        self, world: OrdersWorld, status: str, shipped: ShipmentStatus | None, actions: list[str]
    ):
        hold = OrderHold(HoldKind.CREDIT, "r", NOW, "CREDIT", None)
        of = OrderStatus(status)
        await world.put(recorded(status=of, holds=(hold,) if of is OrderStatus.ON_HOLD else (), erp_number=None))
        world.ship(*([] if shipped is None else [shipment(status=shipped)]))
        assert await world.order("allowedActions") == {"allowedActions": actions}
