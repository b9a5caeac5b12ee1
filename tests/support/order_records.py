"""Halves of orders and the documents that belong to them, with plain defaults: of ``ord_1`` and ``acc_1``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from schema.enums import InvoiceStatus, OrderChannel, OrderStatus, ReturnStatus, ShipmentStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.orders import (
    Allocation,
    ErpLine,
    ErpOrder,
    Invoice,
    LedgerOrder,
    Milestone,
    Return,
    ReturnLine,
    Shipment,
    ShipmentLine,
)
from schema.records.values import ExternalRef, Money, Quantity
from tests.support.platform_records import NOW, ledger_order

DAY = timedelta(days=1)


def recorded(count: int = 1, /, **changes: Any) -> LedgerOrder:
    """Return the ledger's half of an accepted order; the higher its number, the newer it is."""
    known = {
        "status": OrderStatus.ACCEPTED,
        "submitted_at": NOW - 100 * DAY + count * timedelta(hours=1),
        "accepted_at": NOW - 100 * DAY + count * timedelta(hours=1, minutes=1),
        "erp_number": f"SO-{300_000 + count}",
    }
    return ledger_order(count, **{**known, **changes})


def set_aside(order: LedgerOrder, *codes: str) -> LedgerOrder:
    """Return an order with two pieces of each line set aside at each of these warehouses."""
    kept = tuple(Allocation(code, Quantity(Decimal(2), "EA"), NOW.date(), firm=True) for code in codes)
    return replace(order, lines=tuple(replace(line, allocations=kept) for line in order.lines))


def erp_line(number: int = 1, **changes: Any) -> ErpLine:
    """Return a line of 24 pumps of which nothing has happened yet; quantities may be given as numbers."""
    line = ErpLine(
        line_no=number,
        sku="PMP-0042",
        description="Pump",
        uom="EA",
        ordered=Decimal(24),
        allocated=Decimal(0),
        backordered=Decimal(0),
        shipped=Decimal(0),
        invoiced=Decimal(0),
        cancelled=Decimal(0),
        unit_price=Money(Decimal("36.10"), "USD"),
        extended=Money(Decimal("866.40"), "USD"),
        promised_date=None,
        allocations=(),
    )
    return replace(line, **{name: Decimal(to) if isinstance(to, int) else to for name, to in changes.items()})


def document(record: LedgerOrder | None = None, /, *lines: ErpLine, **changes: Any) -> ErpOrder:
    """Return the ERP's half of an order."""
    of = record or recorded()
    made = ErpOrder(
        id=of.id,
        number=of.number,
        account_id=of.account_id,
        ship_to_id=of.ship_to_id,
        po_number=of.po_number,
        channel=of.channel,
        status=OrderStatus.ACCEPTED,
        currency="USD",
        lines=lines or (erp_line(),),
        subtotal=Money(Decimal("866.40"), "USD"),
        tax=Money(Decimal("50.00"), "USD"),
        freight=Money(Decimal("12.00"), "USD"),
        total=Money(Decimal("928.40"), "USD"),
        requested_date=None,
        promised_date=None,
        submitted_at=of.submitted_at,
        accepted_at=of.accepted_at,
        completed_at=None,
        opportunity_id=None,
        quote_id=None,
        home_erp=SourceSystem.CLOUD_ERP,
        refs=(ExternalRef(SourceSystem.CLOUD_ERP, of.number),),
        etag="1",
    )
    return replace(made, **changes)


def entered(count: int = 1, /, **changes: Any) -> ErpOrder:
    """Return an order that was entered in the ERP itself."""
    return document(recorded(count), channel=OrderChannel.EDI, **changes)


def shipment(
    name: str = "1", status: ShipmentStatus = ShipmentStatus.RELEASED, quantity: int = 24, **changes: Any
) -> Shipment:
    """Return a shipment of the first line of ``ord_1``."""
    made = Shipment(
        id=f"sh_S-{name}",
        number=f"S-{name}",
        order_id="ord_1",
        account_id="acc_1",
        warehouse_code="W01",
        status=status,
        sscc=("003456789012345675",),
        lines=(ShipmentLine(1, "PMP-0042", Quantity(Decimal(quantity), "EA"), "LOT-7"),),
        milestones=(),
        planned_delivery=None,
        changed_at=NOW,
    )
    return replace(made, **changes)


def milestone(code: str, status: ShipmentStatus, at: datetime, **changes: Any) -> Milestone:
    """Return what a carrier reported."""
    return replace(Milestone(code, status, at, None, None, SourceSystem.TMS), **changes)


def invoice(count: int = 1, /, **changes: Any) -> Invoice:
    """Return a posted invoice of ``ord_1``."""
    made = Invoice(
        id=f"inv_INV-{count}",
        number=f"INV-{count}",
        account_id="acc_1",
        order_id="ord_1",
        status=InvoiceStatus.POSTED,
        posted_at=datetime(2026, 2, 1, tzinfo=UTC) + count * DAY,
        due_date=date(2026, 3, 1),
        total=Money(Decimal("928.40"), "USD"),
        balance=Money(Decimal("928.40"), "USD"),
        pdf_url=None,
    )
    return replace(made, **changes)


def rma(count: int = 1, /, status: ReturnStatus = ReturnStatus.APPROVED, quantity: int = 4, **changes: Any) -> Return:
    """Return an RMA of the first line of ``ord_1``."""
    made = Return(
        id=f"rma_R-{count}",
        rma_number=f"R-{count}",
        account_id="acc_1",
        order_id="ord_1",
        status=status,
        lines=(ReturnLine(1, "PMP-0042", Quantity(Decimal(quantity), "EA"), "damaged", None),),
        credit=None,
        created_at=datetime(2026, 2, 1, tzinfo=UTC) + count * DAY,
    )
    return replace(made, **changes)


def told(name: str, kind: str = "order.accepted", /, **changes: Any) -> Event:
    """Return an event about ``ord_1`` of ``acc_1``."""
    made = Event(
        id=name,
        source="/dist/orders",
        type=kind,
        subject="ord_1",
        partition_key="ord_1",
        correlation_id="ord_1",
        system=SourceSystem.PLATFORM,
        occurred_at=NOW,
        data={},
        account_id="acc_1",
    )
    return replace(made, **changes)
