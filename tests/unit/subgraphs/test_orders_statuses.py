"""How far orders and lines are told to be, and what is told of them while a system is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from schema.enums import (
    InvoiceStatus,
    OrderStatus,
    ReturnStatus,
    ShipmentStatus,
    SourceSystem,
)
from schema.records.orders import ErpLine, Shipment, ShipmentLine
from schema.records.values import Quantity
from systems.errors import Unavailable
from tests.support.fake_systems import tracking
from tests.support.order_records import document, entered, erp_line, invoice, milestone, recorded, rma, shipment
from tests.support.orders_world import NOW, OrdersWorld, orders_world

S = ShipmentStatus


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[OrdersWorld]:
    async with orders_world(sqlite_url) as made:
        yield made


@dataclass(frozen=True)
class State:
    """A state of an order's goods, and what is told of it."""

    fulfillment: str
    lines: Sequence[str]
    document: Sequence[ErpLine]
    shipments: Sequence[Shipment] = ()
    loads: Sequence[ShipmentStatus] = ()


STATES = {
    "nothing has happened": State("NOT_STARTED", ["PENDING"], [erp_line()]),
    "all is on backorder": State("BACKORDERED", ["BACKORDERED"], [erp_line(backordered=24)]),
    "a part is allocated": State(
        "PARTIALLY_ALLOCATED", ["ALLOCATED", "PENDING"], [erp_line(allocated=24), erp_line(2)]
    ),
    "a part of a line is allocated": State(
        "PARTIALLY_ALLOCATED", ["BACKORDERED"], [erp_line(allocated=18, backordered=6)]
    ),
    "all is allocated": State("ALLOCATED", ["ALLOCATED"], [erp_line(allocated=24)]),
    "the warehouse has it": State("RELEASED", ["RELEASED"], [erp_line(allocated=24)], [shipment()]),
    "it is planned": State("ALLOCATED", ["ALLOCATED"], [erp_line(allocated=24)], [shipment(status=S.PLANNED)]),
    "it is picked": State("PICKING", ["PICKED"], [erp_line(allocated=24)], [shipment(status=S.PICKING)]),
    "it is packed": State("PICKING", ["PACKED"], [erp_line(allocated=24)], [shipment(status=S.PACKED)]),
    "it is loaded": State("SHIPPED", ["SHIPPED"], [erp_line(allocated=24)], [shipment(status=S.LOADED)]),
    "the ERP has heard that it left": State("SHIPPED", ["SHIPPED"], [erp_line(shipped=24)]),
    "a part of a line left": State("PARTIALLY_SHIPPED", ["PENDING"], [erp_line(shipped=6)]),
    "one of two shipments left": State(
        "PARTIALLY_SHIPPED",
        ["PACKED"],
        [erp_line(allocated=24)],
        [shipment("1", S.LOADED, 18), shipment("2", S.PICKING, 6)],
    ),
    "what could be sent left, the rest is on backorder": State(
        "PARTIALLY_SHIPPED", ["PACKED"], [erp_line(backordered=6)], [shipment("1", S.LOADED, 18)]
    ),
    "the carrier reports it before the warehouse does": State(
        "SHIPPED", ["SHIPPED"], [erp_line(allocated=24)], [shipment(status=S.PACKED)], [S.IN_TRANSIT]
    ),
    "the carrier has heard of no loading yet": State(
        "SHIPPED", ["SHIPPED"], [erp_line(allocated=24)], [shipment(status=S.LOADED)], [S.PLANNED]
    ),
    "one of two shipments is delivered": State(
        "PARTIALLY_DELIVERED",
        ["SHIPPED"],
        [erp_line(shipped=24)],
        [shipment("1", S.LOADED, 18), shipment("2", S.LOADED, 6)],
        [S.DELIVERED, S.IN_TRANSIT],
    ),
    "one is delivered, one not yet sent": State(
        "PARTIALLY_DELIVERED",
        ["PACKED"],
        [erp_line(allocated=24)],
        [shipment("1", S.DELIVERED, 18), shipment("2", S.PICKING, 6)],
    ),
    "all is delivered": State(
        "DELIVERED", ["DELIVERED"], [erp_line(shipped=24)], [shipment(status=S.LOADED)], [S.DELIVERED]
    ),
    "it was delivered, and the carrier's late word is older": State(
        "DELIVERED", ["DELIVERED"], [erp_line(shipped=24)], [shipment(status=S.DELIVERED)], [S.OUT_FOR_DELIVERY]
    ),
    "it came back from the customer": State(
        "DELIVERED", ["DELIVERED"], [erp_line(shipped=24)], [shipment(status=S.LOADED)], [S.RETURNED]
    ),
    "delivery failed and is tried again": State(
        "SHIPPED", ["SHIPPED"], [erp_line(shipped=24)], [shipment(status=S.LOADED)], [S.DELIVERY_FAILED]
    ),
    "a shipment was cancelled": State(
        "ALLOCATED", ["ALLOCATED"], [erp_line(allocated=24)], [shipment(status=S.CANCELLED)], [S.IN_TRANSIT]
    ),
    "a line is cancelled, the other delivered": State(
        "DELIVERED",
        ["CANCELLED", "DELIVERED"],
        [erp_line(cancelled=24), erp_line(2, shipped=6, ordered=6)],
        [shipment(status=S.DELIVERED, lines=(ShipmentLine(2, "PMP-0042", Quantity(Decimal(6), "EA"), None),))],
    ),
    "every line is cancelled": State("NOT_STARTED", ["CANCELLED"], [erp_line(cancelled=24)]),
    "the rest of a line is cancelled": State("SHIPPED", ["SHIPPED"], [erp_line(shipped=18, cancelled=6)]),
    "it is invoiced": State("SHIPPED", ["INVOICED"], [erp_line(shipped=24, invoiced=24)]),
}


class TestFulfillment:
    @pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
    async def test_it_is_told_from_quantities_shipments_and_carriers(self, world: OrdersWorld, state: State):
        await world.put(recorded(), document(None, *state.document))
        world.ship(*state.shipments)
        for sent, status in zip(state.shipments, state.loads, strict=False):
            world.tms.loads[sent.number] = tracking(sent.number, status=status)
        assert await world.order("fulfillmentStatus lines { nodes { status } }") == {
            "fulfillmentStatus": state.fulfillment,
            "lines": {"nodes": [{"status": status} for status in state.lines]},
        }

    @pytest.mark.parametrize(("status", "line"), [("REJECTED", "REJECTED"), ("CANCELLED", "CANCELLED")])
    async def test_lines_of_a_refused_order_are_refused(self, world: OrdersWorld, status: str, line: str):
        await world.put(recorded(status=OrderStatus(status)), document(None, erp_line(allocated=24)))
        assert await world.order("lines { nodes { status } }") == {"lines": {"nodes": [{"status": line}]}}

    @pytest.mark.parametrize("in_erp", [True, False], ids=["as the ERP has it", "without the ERP"])
    async def test_a_line_in_whose_place_another_item_comes_is_substituted(self, world: OrdersWorld, in_erp: bool):
        (first,) = recorded().lines
        whole = replace(first, substituted_by=3, cancelled=first.quantity.value)
        lines = (whole, replace(first, line_no=2, substituted_by=3), replace(first, line_no=3, sku="PMP-0043"))
        await world.put(
            recorded(lines=lines), document(None, erp_line(cancelled=24), erp_line(2), erp_line(3, sku="PMP-0043"))
        )
        if not in_erp:
            world.script.down.add(SourceSystem.CLOUD_ERP)
        nodes = [(1, "SUBSTITUTED", "IS"), (2, "PENDING", "IS"), (3, "PENDING", "IA")]
        assert await world.order("lines { nodes { lineNo status ackCode } }") == {
            "lines": {"nodes": [dict(zip(("lineNo", "status", "ackCode"), node, strict=True)) for node in nodes]}
        }

    async def test_what_a_document_keeps_of_a_line_that_was_not_added_after_all_is_not_told(self, world: OrdersWorld):
        await world.put(recorded(), document(None, erp_line(allocated=24), erp_line(2, cancelled=24)))
        assert await world.order("lines { nodes { lineNo } }") == {"lines": {"nodes": [{"lineNo": 1}]}}

    async def test_quantities_are_in_the_unit_that_was_asked(self, world: OrdersWorld):
        """Six pumps make a box; warehouses and returns count pumps."""
        await world.put(recorded(), document(None, erp_line(uom="XBX", ordered=4, shipped=0)))
        world.ship(shipment("1", S.DELIVERED, 15), shipment("2", S.LOADED, 6), shipment("3", S.PICKING, 3))
        world.erp.returns_by_id = {
            "rma_R-1": rma(1, ReturnStatus.RECEIVED, 3),
            "rma_R-2": rma(2, ReturnStatus.DENIED, 9),
            "rma_R-3": rma(3, ReturnStatus.REQUESTED, 9),
        }
        fields = "ordered { value uom } shipped { value uom } delivered { value uom } returned { value uom }"
        found = await world.order(f"lines {{ nodes {{ {fields} }} }}")
        assert found["lines"]["nodes"][0] == {
            "ordered": {"value": "4", "uom": "XBX"},
            "shipped": {"value": "3.5", "uom": "XBX"},
            "delivered": {"value": "2.5", "uom": "XBX"},
            "returned": {"value": "0.5", "uom": "XBX"},
        }

    async def test_a_unit_that_the_item_does_not_have_is_told(self, world: OrdersWorld):
        await world.put(recorded(), document())
        line = ShipmentLine(1, "PMP-0042", Quantity(Decimal(2), "TNE"), None)
        world.ship(shipment(status=S.DELIVERED, lines=(line,)))
        error = await world.error('{ order(id: "ord_1") { lines { nodes { delivered { value } } } } }')
        assert "TNE" in error["message"]
        assert error["extensions"]["system"] == "CLOUD_ERP"


class TestBilling:
    @pytest.mark.parametrize(
        ("invoiced", "statuses", "told"),
        [
            pytest.param(0, [], "NOT_INVOICED", id="nothing"),
            pytest.param(0, ["DRAFT", "VOID"], "NOT_INVOICED", id="drafts count for nothing"),
            pytest.param(6, ["POSTED"], "PARTIALLY_INVOICED", id="a part"),
            pytest.param(6, [], "PARTIALLY_INVOICED", id="a part whose invoice is not found"),
            pytest.param(24, ["PAID"], "INVOICED", id="all"),
            pytest.param(24, ["CREDITED", "PAID"], "INVOICED", id="all, of which a part is credited"),
            pytest.param(24, ["CREDITED", "VOID"], "CREDITED", id="all is credited"),
        ],
    )
    async def test_it_is_told_from_quantities_and_invoices(
        self, world: OrdersWorld, invoiced: int, statuses: list[str], told: str
    ):
        await world.put(recorded(), document(None, erp_line(invoiced=invoiced)))
        for count, status in enumerate(statuses):
            world.erp.invoices_by_id[f"inv_INV-{count}"] = invoice(count, status=InvoiceStatus(status))
        assert await world.order("billingStatus") == {"billingStatus": told}

    async def test_what_is_cancelled_needs_no_invoice(self, world: OrdersWorld):
        await world.put(recorded(), document(None, erp_line(invoiced=18, cancelled=6), erp_line(2, cancelled=24)))
        assert await world.order("billingStatus") == {"billingStatus": "INVOICED"}


class TestAwaySystems:
    async def test_without_the_erp_an_order_is_what_the_platform_recorded_and_says_so(self, world: OrdersWorld):
        await world.put(recorded(), document(status=OrderStatus.COMPLETED))
        world.erp.invoices_by_id["inv_INV-1"] = invoice()
        world.script.down.add(SourceSystem.CLOUD_ERP)
        fields = """
          status billingStatus fulfillmentStatus tax { amount } total { amount } exceptions { __typename }
          freshness { source asOf stale note } lines { nodes { ordered { value } } }
        """
        assert await world.order(fields) == {
            "status": "ACCEPTED",
            "billingStatus": "NOT_INVOICED",
            "fulfillmentStatus": "NOT_STARTED",
            "tax": None,
            "total": {"amount": "866.40"},
            "exceptions": [],
            "freshness": {
                "source": "PLATFORM",
                "asOf": "2025-11-24T16:01:00Z",
                "stale": True,
                "note": "CLOUD_ERP did not answer: shown as the platform recorded it",
            },
            "lines": {"nodes": [{"ordered": {"value": "24"}}]},
        }
        assert (await world.data("{ orders { nodes { freshness { stale } } } }"))["orders"] == {
            "nodes": [{"freshness": {"stale": True}}]
        }

    async def test_without_the_erp_what_is_its_own_fails_and_the_rest_is_told(self, world: OrdersWorld):
        await world.put(recorded(), document())
        world.script.down.add(SourceSystem.CLOUD_ERP)
        answer = await world.ask('{ order(id: "ord_1") { id shipments { id } invoices { id } returns { id } } }')
        assert answer["data"]["order"] == {"id": "ord_1", "shipments": [], "invoices": None, "returns": None}
        told = {(*error["path"], error["extensions"]["system"]) for error in answer["errors"]}
        assert told == {("order", "invoices", "CLOUD_ERP"), ("order", "returns", "CLOUD_ERP")}

    @pytest.mark.parametrize("field", ['order(id: "ord_7")', 'orderByNumber(number: "SO-300007")'])
    async def test_an_order_that_only_the_erp_has_is_not_told_to_be_unknown(self, world: OrdersWorld, field: str):
        await world.put(None, entered(7))
        await world.put(recorded())
        world.script.down.add(SourceSystem.CLOUD_ERP)
        answer = await world.ask(f'{{ a: {field} {{ id }} b: orderByNumber(number: "SO-300001") {{ id }} }}')
        assert answer["data"] == {"a": None, "b": {"id": "ord_1"}}
        (error,) = answer["errors"]
        assert error["extensions"] == {"code": "SYSTEM_UNAVAILABLE", "system": "CLOUD_ERP", "retryable": True}

    async def test_without_invoices_billing_is_told_from_the_lines(self, world: OrdersWorld):
        await world.put(recorded(), document(None, erp_line(invoiced=24)))
        world.erp.invoices_by_id["inv_INV-1"] = invoice(status=InvoiceStatus.CREDITED)
        world.script.before["invoices_of_orders"] = [
            Unavailable(SourceSystem.FINANCE, "invoices", "no connection", outcome_unknown=False)
        ]
        assert await world.order("billingStatus") == {"billingStatus": "INVOICED"}

    async def test_without_the_warehouse_goods_are_told_from_the_erps_quantities(self, world: OrdersWorld):
        await world.put(recorded(), document(None, erp_line(shipped=24)))
        world.ship(shipment(status=S.DELIVERED))
        world.script.down.add(SourceSystem.WMS)
        fields = (
            "fulfillmentStatus allowedActions exceptions { __typename } shipments { id } lines { nodes { status } }"
        )
        answer = await world.ask(f'{{ order(id: "ord_1") {{ {fields} }} }}')
        assert answer["data"]["order"] == {
            "fulfillmentStatus": "SHIPPED",
            "allowedActions": [],
            "exceptions": [],
            "shipments": None,
            "lines": {"nodes": [{"status": "SHIPPED"}]},
        }
        assert [error["extensions"]["system"] for error in answer["errors"]] == ["WMS"]
        assert world.calls.count("shipments_of") == 1

    async def test_without_the_carriers_a_shipment_is_what_the_warehouse_knows(self, world: OrdersWorld):
        await world.put(recorded(), document())
        world.ship(shipment(status=S.LOADED, milestones=(milestone("LOADED", S.LOADED, NOW),)))
        world.tms.loads["S-1"] = tracking("S-1", status=S.DELIVERED)
        world.script.down.add(SourceSystem.TMS)
        fields = "status carrier estimatedDelivery milestones { code } order { fulfillmentStatus }"
        answer = await world.ask(f'{{ shipment(id: "sh_S-1") {{ {fields} }} }}')
        assert answer["data"]["shipment"] == {
            "status": "LOADED",
            "carrier": None,
            "estimatedDelivery": None,
            "milestones": [{"code": "LOADED"}],
            "order": {"fulfillmentStatus": "SHIPPED"},
        }
        told = {error["path"][-1] for error in answer["errors"]}
        assert told == {"carrier", "estimatedDelivery"}
        assert world.calls.count("tracking") == 1
