"""The demo's past as the platform would have recorded it: submissions, quotes, processes, tasks, and every event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.world.model import WorldCase, WorldInvoice, WorldModel, WorldOrder, WorldQuote, WorldReturn, WorldShipment
from schema.enums import (
    HoldKind,
    OrderChannel,
    OrderStatus,
    PricingConflictReason,
    ProcessState,
    QuoteStatus,
    SourceSystem,
)
from schema.events.envelope import Event
from schema.records.operations import ExceptionTask, ProcessRecord, ProcessStepRecord
from schema.records.orders import Allocation, LedgerLine, LedgerOrder, OrderHold, Quote, QuoteLine
from schema.records.problems import CreditHold, FulfillmentDelay, PricingConflict, Problem, Stockout
from schema.records.values import Money, Quantity
from systems.platform.history import History

__all__ = ["history_of"]

HOLD_DUE = timedelta(hours=8)
"""Time in which the owner of a hold decides."""

DECIDED_BY_A_PERSON = timedelta(minutes=15)
"""An order that took longer to be accepted had waited for a person."""

CONTROLLER = "user:usr_6"
"""Who released orders from credit holds."""

DESK = "user:usr_7"
"""Who answered customers."""

ORDER_PROCESS = "ORDER_SUBMISSION"
_OUTAGES = (
    (SourceSystem.WMS, 400, 22),
    (SourceSystem.CLOUD_ERP, 210, 9),
    (SourceSystem.LEGACY_ERP, 150, 35),
    (SourceSystem.TMS, 95, 47),
    (SourceSystem.WMS, 40, 3),
    (SourceSystem.CLOUD_ERP, 12, 14),
)
"""When circuits were open: the system, how many days ago, and for how many minutes."""

_STEPS: tuple[tuple[str, SourceSystem, str], ...] = (
    ("receive", SourceSystem.PLATFORM, "{id}"),
    ("enrich", SourceSystem.CRM, "or:{id}:ctx"),
    ("validate", SourceSystem.PLATFORM, "or:{id}:val"),
    ("price", SourceSystem.CLOUD_ERP, "or:{id}:price:1"),
    ("credit", SourceSystem.CLOUD_ERP, "or:{id}:credit:1"),
    ("reserve", SourceSystem.PLATFORM, "or:{id}:resv"),
    ("create", SourceSystem.CLOUD_ERP, "or:{id}:erp"),
    ("allocate", SourceSystem.CLOUD_ERP, "or:{id}:alloc:1"),
    ("release", SourceSystem.WMS, "or:{id}:rel"),
    ("acknowledge", SourceSystem.CRM, "or:{id}:ack"),
)
_QUEUES = {"CREDIT": ("CREDIT", "CreditHold"), "PRICE": ("PRICING", "PricingConflict")}
_RETURN_STORY = {
    "REQUESTED": ("requested",),
    "RECEIVED": ("requested", "approved", "received"),
    "CREDITED": ("requested", "approved", "received", "inspected", "credited"),
}


@dataclass(frozen=True, slots=True)
class _Around:
    """What belongs to one order."""

    shipments: Sequence[WorldShipment]
    invoices: Sequence[WorldInvoice]
    returns: Sequence[WorldReturn]
    quote: WorldQuote | None

    def story(self, order: WorldOrder) -> str:
        """Return the correlation id of everything about the order."""
        return self.quote.id if self.quote is not None else order.id


def history_of(world: WorldModel) -> History:
    """Return what the platform would hold if it had been there all the time; events in the order of their time."""
    names = {item.sku: item.name for item in world.items}
    quotes = {quote.id: quote for quote in world.quotes}
    shipments = _by_order(world.shipments)
    invoices = _by_order(world.invoices)
    returns = _by_order(world.returns)
    around = {
        order.id: _Around(
            shipments.get(order.id, []),
            invoices.get(order.id, []),
            returns.get(order.id, []),
            quotes.get(order.quote_id or ""),
        )
        for order in world.orders
    }
    events = [event for order in world.orders for event in _order_events(order, around[order.id])]
    events += [event for quote in world.quotes for event in _quote_events(quote)]
    events += [event for case in world.cases for event in _case_events(case)]
    events += _outage_events(world)
    held = [order for order in world.orders if order.hold_kind is not None]
    tasks = [_task(order) for order in held]
    return History(
        orders=[_ledger_order(order, around[order.id], names) for order in world.orders],
        quotes=[_quote(quote, names) for quote in world.quotes],
        processes=[_process(order, around[order.id].story(order)) for order in world.orders],
        tasks=tasks,
        events=sorted(events, key=lambda event: event.occurred_at),
    )


def _by_order(things: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for thing in things:
        found.setdefault(thing.order_id, []).append(thing)
    return found


# --- records


def _ledger_order(order: WorldOrder, around: _Around, names: dict[str, str]) -> LedgerOrder:
    return LedgerOrder(
        id=order.id,
        number=order.number,
        version=1,
        account_id=order.account_id,
        ship_to_id=order.ship_to_id,
        po_number=order.po_number,
        channel=OrderChannel(order.channel),
        status=OrderStatus(order.status),
        currency=order.currency,
        quote_id=order.quote_id,
        opportunity_id=order.opportunity_id,
        requested_date=order.requested_date,
        promised_date=order.promised_date,
        submitted_at=order.submitted_at,
        accepted_at=order.accepted_at,
        completed_at=order.completed_at,
        lines=tuple(
            LedgerLine(
                line_no=line.line_no,
                sku=line.sku,
                description=names[line.sku],
                quantity=Quantity(line.ordered, line.uom),
                unit_price=Money(line.unit_price, order.currency),
                price_source=None,
                requested_date=order.requested_date,
                promised_date=line.promised_date,
                allocations=(
                    (
                        Allocation(
                            line.warehouse_code,
                            Quantity(line.allocated, line.uom),
                            line.promised_date or order.requested_date,
                            firm=True,
                        ),
                    )
                    if line.allocated
                    else ()
                ),
                backordered=line.backordered,
            )
            for line in order.lines
        ),
        holds=_holds(order),
        exceptions=tuple(_problems(order, around)),
        process_id=_process_id(order),
        submitted_by=order.submitted_by,
        erp_number=order.number if order.in_erp else None,
        home_erp=SourceSystem(order.erp),
    )


def _holds(order: WorldOrder) -> tuple[OrderHold, ...]:
    if order.hold_kind is None:
        return ()
    queue, _ = _QUEUES[order.hold_kind]
    due = order.submitted_at + HOLD_DUE
    return (OrderHold(HoldKind(order.hold_kind), order.hold_reason or "", order.submitted_at, queue, due),)


def _problems(order: WorldOrder, around: _Around) -> Iterator[Problem]:
    """Return what is wrong with an order that is still open."""
    if order.hold_kind == "CREDIT":
        yield CreditHold(code="CREDIT_HOLD", message=order.hold_reason or "", task_id=_task_id(order))
    if order.hold_kind == "PRICE":
        line = order.lines[0]
        yield PricingConflict(
            code="PRICING_CONFLICT",
            message=order.hold_reason or "",
            sku=line.sku,
            reason=PricingConflictReason.BELOW_FLOOR,
            current=Money(line.unit_price, order.currency),
        )
    for line in order.lines:
        if line.backordered:
            yield Stockout(
                code="STOCKOUT",
                message=f"on backorder: {line.backordered} {line.uom} of {line.sku}",
                sku=line.sku,
                line_no=line.line_no,
                requested=Quantity(line.ordered, line.uom),
                available=Quantity(line.ordered - line.backordered, line.uom),
                next_available=line.promised_date,
            )
    for shipment in around.shipments:
        if shipment.status == "DELAYED" and shipment.planned_delivery is not None:
            yield FulfillmentDelay(
                code="FULFILLMENT_DELAY",
                message=f"shipment {shipment.number} will be late",
                shipment_id=f"sh_{shipment.number}",
                promised=shipment.planned_delivery,
                expected=shipment.estimated_delivery,
                reason_code="AI",
            )


def _quote(quote: WorldQuote, names: dict[str, str]) -> Quote:
    return Quote(
        id=quote.id,
        number=quote.number,
        version=1,
        status=QuoteStatus(quote.status),
        account_id=quote.account_id,
        ship_to_id=quote.ship_to_id,
        opportunity_id=quote.opportunity_id,
        lines=tuple(
            QuoteLine(
                line_no=line.line_no,
                sku=line.sku,
                description=names[line.sku],
                quantity=Quantity(line.quantity, line.uom),
                unit_price=Money(line.unit_price, quote.currency),
                list_price=Money(line.list_price, quote.currency),
                price_source=line.price_source,
                price_token=None,
                priced_at=quote.created_at,
                extended=Money(line.extended, quote.currency),
                promised_date=None,
            )
            for line in quote.lines
        ),
        total=Money(quote.total, quote.currency),
        valid_until=quote.valid_until,
        approvals=(),
        order_id=quote.order_id,
        created_at=quote.created_at,
        created_by=quote.created_by,
        process_id=None,
    )


def _process(order: WorldOrder, story: str) -> ProcessRecord:
    ended = order.accepted_at
    count = 5 if order.hold_kind is not None else len(_STEPS)
    at = order.submitted_at
    steps = tuple(
        ProcessStepRecord(
            name=name,
            state="DONE",
            attempts=1,
            system=SourceSystem(order.erp) if system is SourceSystem.CLOUD_ERP else system,
            idempotency_key=key.format(id=order.id),
            started_at=at + place * timedelta(milliseconds=150),
            ended_at=at + (place + 1) * timedelta(milliseconds=150),
            last_error=None,
            compensated=False,
        )
        for place, (name, system, key) in enumerate(_STEPS[:count])
    )
    state = ProcessState.WAITING_HUMAN if order.hold_kind is not None else ProcessState.COMPLETED
    return ProcessRecord(
        id=_process_id(order),
        kind=ORDER_PROCESS,
        business_key=order.id,
        state=state,
        steps=steps,
        started_at=at,
        due_at=at + HOLD_DUE,
        ended_at=ended,
        correlation_id=story,
        trace_id=None,
        started_by=order.submitted_by,
    )


def _task(order: WorldOrder) -> ExceptionTask:
    queue, kind = _QUEUES[order.hold_kind or "CREDIT"]
    return ExceptionTask(
        id=_task_id(order),
        queue=queue,
        kind=kind,
        state="OPEN",
        order_id=order.id,
        account_id=order.account_id,
        process_id=_process_id(order),
        summary=f"order {order.number}: {order.hold_reason}",
        opened_at=order.submitted_at,
        due_at=order.submitted_at + HOLD_DUE,
        assignee=None,
        resolutions=("RELEASE", "REJECT"),
    )


def _process_id(order: WorldOrder) -> str:
    return f"prc_{order.id}"


def _task_id(order: WorldOrder) -> str:
    return f"tsk_{order.id}_{(order.hold_kind or '').lower()}"


# --- events


@dataclass(frozen=True, slots=True)
class _Teller:
    """Makes the events of one story."""

    partition: str
    story: str
    account_id: str

    def tell(
        self,
        type_: str,
        key: str,
        at: datetime,
        data: dict[str, Any],
        *,
        subject: str | None = None,
        system: SourceSystem = SourceSystem.PLATFORM,
        actor: str = "system:crossdock",
    ) -> Event:
        return Event(
            id=key,
            source=f"/dist/{type_.partition('.')[0]}s",
            type=type_,
            subject=subject or self.partition,
            partition_key=self.partition,
            correlation_id=self.story,
            system=system,
            occurred_at=at,
            data=data,
            account_id=self.account_id,
            actor=actor,
            manual=actor.startswith("user:"),
        )


def _order_events(order: WorldOrder, around: _Around) -> Iterator[Event]:
    teller = _Teller(order.id, around.story(order), order.account_id)
    key, at = f"or:{order.id}", order.submitted_at
    facts = {"orderId": order.id, "number": order.number}
    total = {"amount": str(order.total), "currency": order.currency}
    received = {
        **facts,
        "status": "RECEIVED",
        "total": total,
        "channel": order.channel,
        "requestedDate": order.requested_date.isoformat(),
        "items": [
            {"lineNo": line.line_no, "sku": line.sku, "quantity": str(line.ordered), "uom": line.uom}
            for line in order.lines
        ],
    }
    yield teller.tell("order.received", f"{key}:received", at, received, actor=order.submitted_by)
    yield teller.tell("order.priced", f"{key}:priced", at + timedelta(milliseconds=600), facts)
    if order.hold_kind is not None:
        held = {**facts, "status": "ON_HOLD", "hold": order.hold_kind, "reason": order.hold_reason}
        yield teller.tell("order.held", f"{key}:held", at + timedelta(seconds=1), held)
        yield from _task_events(order, teller, _task_id(order), at + timedelta(seconds=1), None)
        return
    accepted = order.accepted_at or at
    if accepted - at > DECIDED_BY_A_PERSON:
        yield from _past_hold(order, teller, accepted)
    erp = SourceSystem(order.erp)
    yield teller.tell("order.accepted", f"{key}:accepted", accepted, {**facts, "status": "ACCEPTED"}, system=erp)
    if order.status == "CANCELLED":
        gone = {**facts, "status": "CANCELLED"}
        yield teller.tell("order.cancelled", f"{key}:cancelled", accepted + timedelta(hours=2), gone)
        return
    for line in order.lines:
        yield from _line_events(order, teller, line.line_no, line.backordered, accepted)
    acknowledged = {**facts, "promisedDate": None if order.promised_date is None else order.promised_date.isoformat()}
    yield teller.tell("order.acknowledged", f"{key}:acknowledged", accepted + timedelta(seconds=20), acknowledged)
    for shipment in around.shipments:
        released = {
            **facts,
            "warehouse": shipment.warehouse_code,
            "shipmentNumber": shipment.number,
            "lines": _shipment_lines(shipment),
        }
        name = f"{key}:released:{shipment.number}"
        yield teller.tell("order.released", name, accepted + timedelta(minutes=30), released)
        yield from _shipment_events(shipment, teller)
    for invoice in around.invoices:
        yield from _invoice_events(invoice, erp, teller)
    if order.completed_at is not None:
        completed = {**facts, "status": "COMPLETED"}
        told = {**facts, "channel": "EMAIL", "template": "delivered"}
        yield teller.tell("customer.notified", f"{key}:notified", order.completed_at, told)
        yield teller.tell("order.completed", f"{key}:completed", order.completed_at, completed)
    for back in around.returns:
        yield from _return_events(back, teller)


def _past_hold(order: WorldOrder, teller: _Teller, accepted: datetime) -> Iterator[Event]:
    """Tell of the hold that an order was released from before it was accepted."""
    key, held = f"or:{order.id}", order.submitted_at + timedelta(seconds=1)
    facts = {"orderId": order.id, "number": order.number, "hold": "CREDIT"}
    reason = {"reason": "the exposure is over the limit", "queue": "CREDIT"}
    yield teller.tell("order.held", f"{key}:held", held, {**facts, **reason, "status": "ON_HOLD"})
    released = accepted - timedelta(minutes=1)
    yield from _task_events(order, teller, f"tsk_{order.id}_credit", held, released)
    told = {**facts, "reason": "payment promised"}
    yield teller.tell("order.hold.released", f"{key}:hold-released", released, told, actor=CONTROLLER)


def _task_events(
    order: WorldOrder, teller: _Teller, task_id: str, opened: datetime, resolved: datetime | None
) -> Iterator[Event]:
    queue, kind = _QUEUES[order.hold_kind or "CREDIT"]
    facts = {"orderId": order.id, "taskId": task_id, "queue": queue, "kind": kind}
    summary = f"order {order.number}: {order.hold_reason or 'held'}"
    yield teller.tell("task.opened", f"{task_id}:opened", opened, {**facts, "summary": summary})
    if resolved is not None:
        claimed = opened + (resolved - opened) / 2
        yield teller.tell("task.claimed", f"{task_id}:claimed", claimed, facts, actor=CONTROLLER)


def _case_events(case: WorldCase) -> Iterator[Event]:
    teller = _Teller(case.id, case.id, case.account_id)
    facts = {"caseId": case.id, "number": case.number}
    crm = SourceSystem.CRM
    yield teller.tell("case.opened", f"case:{case.id}:opened", case.opened_at, facts, system=crm)
    if case.first_response_at is not None:
        told = f"case:{case.id}:answered"
        yield teller.tell("case.answered", told, case.first_response_at, facts, system=crm, actor=DESK)
    if case.resolved_at is not None:
        told = f"case:{case.id}:resolved"
        yield teller.tell("case.resolved", told, case.resolved_at, facts, system=crm, actor=DESK)


def _outage_events(world: WorldModel) -> Iterator[Event]:
    """Tell when circuits were open."""
    for system, days_ago, minutes in _OUTAGES:
        opened = world.now - timedelta(days=days_ago)
        facts = {"system": system.value, "openedAt": opened.isoformat()}
        for what, at in (("opened", opened), ("closed", opened + timedelta(minutes=minutes))):
            yield Event(
                id=f"circuit:{system.value}:{what}:{at.isoformat()}",
                source="/dist/systems",
                type=f"system.circuit.{what}",
                subject=system.value,
                partition_key=system.value,
                correlation_id=system.value,
                system=SourceSystem.PLATFORM,
                occurred_at=at,
                data=facts,
            )


def _shipment_lines(shipment: WorldShipment) -> list[dict[str, Any]]:
    return [{"lineNo": line.line_no, "quantity": str(line.quantity), "uom": line.uom} for line in shipment.lines]


def _line_events(
    order: WorldOrder, teller: _Teller, line_no: int, backordered: Decimal, at: datetime
) -> Iterator[Event]:
    line = next(line for line in order.lines if line.line_no == line_no)
    facts = {"orderId": order.id, "lineNo": line_no, "sku": line.sku, "uom": line.uom}
    allocated = line.ordered - backordered
    erp, key = SourceSystem(order.erp), f"or:{order.id}:line:{line_no}"
    if allocated:
        data = {**facts, "quantity": str(allocated), "warehouse": line.warehouse_code}
        yield teller.tell("order.line.allocated", f"{key}:allocated", at + timedelta(seconds=5), data, system=erp)
    if backordered:
        data = {**facts, "quantity": str(backordered)}
        yield teller.tell("order.line.backordered", f"{key}:backordered", at + timedelta(seconds=5), data, system=erp)


def _shipment_events(shipment: WorldShipment, teller: _Teller) -> Iterator[Event]:
    subject = f"sh_{shipment.number}"
    for milestone in shipment.milestones:
        system = SourceSystem(milestone.system)
        type_ = _shipment_event(milestone.code)
        if type_ is None:
            continue
        data = {
            "shipmentId": subject,
            "shipmentNumber": shipment.number,
            "orderId": shipment.order_id,
            "code": milestone.code,
            "status": milestone.status,
            "at": milestone.at.isoformat(),
            "place": milestone.place,
            "reasonCode": milestone.reason_code,
        }
        key = f"{milestone.system.lower()}:{shipment.number}:{milestone.code}"
        yield teller.tell(type_, key, milestone.at, data, subject=subject, system=system)


def _shipment_event(code: str) -> str | None:
    """Return the type of event that a milestone is; the release is told by the order."""
    known = {
        "RELEASED": None,
        "PICKING": "picked",
        "PACKED": "packed",
        "SHIPPED": "shipped",
        "SD": "delayed",
        "D1": "delivered",
    }
    kind = known.get(code, "milestone")
    return None if kind is None else f"shipment.{kind}"


def _invoice_events(invoice: WorldInvoice, erp: SourceSystem, teller: _Teller) -> Iterator[Event]:
    subject, key = f"inv_{invoice.number}", f"inv:{invoice.number}"
    facts = {
        "invoiceId": subject,
        "number": invoice.number,
        "total": {"amount": str(invoice.total), "currency": invoice.currency},
        "due": invoice.due_date.isoformat(),
    }
    yield teller.tell("invoice.posted", f"{key}:posted", invoice.posted_at, facts, subject=subject, system=erp)
    if invoice.status == "PAID":
        paid = datetime.combine(invoice.due_date, invoice.posted_at.timetz())
        paid = min(max(paid, invoice.posted_at), invoice.posted_at + timedelta(days=20))
        yield teller.tell("invoice.paid", f"{key}:paid", paid, facts, subject=subject, system=erp)


def _return_events(back: WorldReturn, teller: _Teller) -> Iterator[Event]:
    subject = f"rma_{back.rma_number}"
    facts: dict[str, Any] = {"returnId": subject, "rmaNumber": back.rma_number, "orderId": back.order_id}
    lines = [
        {"lineNo": line.line_no, "quantity": str(line.quantity), "uom": line.uom, "reason": line.reason}
        for line in back.lines
    ]
    facts["lines"] = lines
    for place, what in enumerate(_RETURN_STORY[back.status]):
        at = back.created_at + place * timedelta(hours=3)
        actor = DESK if what in ("approved", "inspected") else "system:crossdock"
        yield teller.tell(f"return.{what}", f"ret:{back.rma_number}:{what}", at, facts, subject=subject, actor=actor)


def _quote_events(quote: WorldQuote) -> Iterator[Event]:
    teller = _Teller(quote.id, quote.id, quote.account_id)
    facts = {
        "quoteId": quote.id,
        "number": quote.number,
        "total": {"amount": str(quote.total), "currency": quote.currency},
    }
    key, at = f"qt:{quote.id}", quote.created_at
    yield teller.tell("quote.created", f"{key}:created", at, facts, actor=quote.created_by)
    yield teller.tell("quote.priced", f"{key}:priced", at + timedelta(seconds=1), facts)
    if quote.status in ("SENT", "EXPIRED", "DECLINED", "CONVERTED"):
        yield teller.tell("quote.sent", f"{key}:sent", at + timedelta(minutes=12), facts, actor=quote.created_by)
    if quote.status == "EXPIRED":
        end = datetime.combine(quote.valid_until, at.timetz())
        yield teller.tell("quote.expired", f"{key}:expired", end, facts)
    if quote.status == "CONVERTED":
        yield teller.tell("quote.accepted", f"{key}:accepted", at + timedelta(hours=5), facts)
        converted = {**facts, "orderId": quote.order_id}
        yield teller.tell("quote.converted", f"{key}:converted", at + timedelta(hours=6), converted)
