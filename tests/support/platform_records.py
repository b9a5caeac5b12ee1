"""Ledger records with plain defaults, and an event log that is a table of the same database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from events.tables import audit_log
from schema.enums import OrderChannel, OrderStatus, ProcessState, QuoteStatus, ReturnStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.audit import Change
from schema.records.inventory import ReserveLine
from schema.records.operations import DeadLetter, ExceptionTask, ProcessRecord, ProcessStepRecord
from schema.records.orders import LedgerLine, LedgerOrder, Quote, QuoteLine, ReturnLine
from schema.records.returns import LedgerReturn
from schema.records.values import Money, Quantity
from systems.platform.connections import is_in_transaction
from systems.platform.database import Database

NOW = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class RecordedEvents:
    """Stands in for the event log: keeps what was appended, and can be told to fail like a broken commit."""

    ids: list[str] = field(default_factory=list)
    failure: Exception | None = None

    async def append(self, connection: AsyncConnection, events: Sequence[Event], change: Change | None = None) -> None:
        assert is_in_transaction(connection)
        if self.failure is not None:
            raise self.failure
        self.ids += [event.id for event in events]


def event(name: str) -> Event:
    return Event(
        id=name,
        source="/dist/orders",
        type="order.received",
        subject="ord_1",
        partition_key="ord_1",
        correlation_id="ord_1",
        system=SourceSystem.PLATFORM,
        occurred_at=NOW,
        data={},
    )


def ledger_order(count: int = 1, /, **changes: Any) -> LedgerOrder:
    line = LedgerLine(
        line_no=1,
        sku="PMP-0042",
        description="Pump",
        quantity=Quantity(Decimal(24), "EA"),
        unit_price=Money(Decimal("36.1000"), "USD"),
        price_source="CONTRACT",
        requested_date=None,
    )
    order = LedgerOrder(
        id=f"ord_{count}",
        number=f"SO-{300_000 + count}",
        version=1,
        account_id="acc_1",
        ship_to_id="shp_1",
        po_number=None,
        channel=OrderChannel.PORTAL,
        status=OrderStatus.RECEIVED,
        currency="USD",
        quote_id=None,
        opportunity_id=None,
        requested_date=None,
        promised_date=None,
        submitted_at=NOW,
        accepted_at=None,
        completed_at=None,
        lines=(line,),
        holds=(),
        exceptions=(),
        process_id=f"prc_{count}",
        submitted_by="user:usr_1",
        erp_number=None,
    )
    return replace(order, **changes)


def quote(count: int = 1, /, **changes: Any) -> Quote:
    line = QuoteLine(
        line_no=1,
        sku="PMP-0042",
        description="Pump",
        quantity=Quantity(Decimal(24), "EA"),
        unit_price=Money(Decimal("36.1000"), "USD"),
        list_price=None,
        price_source="CONTRACT",
        price_token="ptk_x",
        priced_at=NOW,
        extended=Money(Decimal("866.40"), "USD"),
        promised_date=None,
    )
    made = Quote(
        id=f"quo_{count}",
        number=f"Q-{900_000 + count}",
        version=0,
        status=QuoteStatus.PRICED,
        account_id="acc_1",
        ship_to_id=None,
        opportunity_id="opp_9",
        lines=(line,),
        total=line.extended,
        valid_until=date(2026, 4, 4),
        approvals=(),
        order_id=None,
        created_at=NOW,
        created_by="user:usr_1",
        process_id=None,
    )
    return replace(made, **changes)


def ledger_return(count: int = 1, /, **changes: Any) -> LedgerReturn:
    made = LedgerReturn(
        id=f"rma_R-{count}",
        number=f"R-{count}",
        version=1,
        order_id="ord_1",
        account_id="acc_1",
        status=ReturnStatus.REQUESTED,
        resolution="CREDIT",
        lines=(ReturnLine(1, "PMP-0042", Quantity(Decimal("1.500"), "EA"), "DAMAGED", None),),
        value=Money(Decimal("54.15"), "USD"),
        warehouse_code="W01",
        requested_by="user:usr_1",
        requested_at=NOW + timedelta(minutes=count),
        process_id=f"prc_{count}",
    )
    return replace(made, **changes)


def reserve_line(
    quantity: str | int = 5, limit: str | int = 5, *, number: int = 1, sku: str = "VLV-0007", code: str = "W01"
) -> ReserveLine:
    return ReserveLine(number, sku, code, Decimal(quantity), "EA", Decimal(limit))


def task(count: int = 1, /, **changes: Any) -> ExceptionTask:
    made = ExceptionTask(
        id=f"tsk_{count}",
        queue="CREDIT",
        kind="CreditHold",
        state="OPEN",
        order_id="ord_1",
        account_id="acc_1",
        process_id="prc_1",
        summary="over the limit",
        opened_at=NOW,
        due_at=NOW + count * HOUR,
        assignee=None,
        resolutions=("RELEASE", "REJECT"),
    )
    return replace(made, **changes)


def process(count: int = 1, /, **changes: Any) -> ProcessRecord:
    made = ProcessRecord(
        id=f"prc_{count}",
        kind="order.submit",
        business_key="ord_1",
        state=ProcessState.RUNNING,
        steps=(),
        started_at=NOW,
        due_at=NOW + HOUR,
        ended_at=None,
        correlation_id="ord_1",
        trace_id=None,
        started_by="user:usr_1",
    )
    return replace(made, **changes)


def step(name: str, /, **changes: Any) -> ProcessStepRecord:
    made = ProcessStepRecord(
        name=name,
        state="RUNNING",
        attempts=1,
        system=SourceSystem.CLOUD_ERP,
        idempotency_key=f"or:1:{name}",
        started_at=NOW,
        ended_at=None,
        last_error=None,
        compensated=False,
    )
    return replace(made, **changes)


def letter(count: int = 1, /, **changes: Any) -> DeadLetter:
    made = DeadLetter(
        id=f"dl_{count}",
        source=SourceSystem.WMS,
        type="shipment.teleported",
        reason="unknown event type",
        attempts=1,
        first_seen=NOW + count * HOUR,
        payload={"weight": "1.50", "lines": [1, None, {"lot": "ü"}]},
    )
    return replace(made, **changes)


async def requested(database: Database, operation: str) -> list[Any]:
    """Return what the audit keeps of requests of an operation, oldest first."""
    wanted = select(audit_log.c.after).where(audit_log.c.operation == operation, audit_log.c.outcome == "REQUESTED")
    async with database.reading() as connection:
        return [json.loads(row[0]) for row in await connection.execute(wanted.order_by(audit_log.c.number))]
