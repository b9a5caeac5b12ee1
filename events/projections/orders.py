"""How orders went, folded from their events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from events.projections.facts import InvoiceFact, LineFact, OrderFact, ShipmentFact
from events.stories import SELF_SERVICE, is_touch
from schema.events.envelope import Event

__all__ = ["fold_order"]

DATA_CAUSE = "ValidationFailed"
"""Problem for which a rejected order counts as defective: what was submitted was wrong."""

SELLER_REASONS = frozenset({"WRONG_ITEM", "WRONG_QUANTITY", "WRONG_PRICE"})
"""Reasons of returns that count as a defect of the order."""


def fold_order(order: OrderFact, event: Event) -> OrderFact:
    """Return what is known of an order after an event; one that says nothing of it changes nothing."""
    if event.account_id is not None and order.account_id is None:
        order = replace(order, account_id=event.account_id)
    if order.received_at is not None and event.occurred_at >= order.received_at:
        customer = order.submitted_by if order.channel in SELF_SERVICE else None
        order = replace(order, touches=order.touches + is_touch(event, customer))
    fold = _FOLDS.get(event.type)
    return order if fold is None else fold(order, event)


def _received(order: OrderFact, event: Event) -> OrderFact:
    if order.received_at is not None:
        return order
    data = event.data
    requested = _date(data.get("requestedDate"))
    lines = {
        int(entry["lineNo"]): LineFact(_number(entry.get("quantity")), _date(entry.get("requestedDate")) or requested)
        for entry in _entries(data.get("items"))
        if "lineNo" in entry
    }
    return replace(
        order,
        received_at=event.occurred_at,
        channel=data.get("channel"),
        submitted_by=event.actor,
        requested=requested,
        lines=lines,
    )


def _accepted(order: OrderFact, event: Event) -> OrderFact:
    return _free(replace(_decided(order, event), accepted_at=order.accepted_at or event.occurred_at), event)


def _held(order: OrderFact, event: Event) -> OrderFact:
    return replace(_decided(order, event), held_since=order.held_since or event.occurred_at)


def _hold_released(order: OrderFact, event: Event) -> OrderFact:
    overrides = event.data.get("hold") == "PRICE" and event.manual and order.accepted_at is not None
    return _free(_defective(order, "PRICE_OVERRIDE") if overrides else order, event)


def _rejected(order: OrderFact, event: Event) -> OrderFact:
    causes = {str(entry.get("type")) for entry in _entries(event.data.get("problems"))}
    ended = replace(_free(_decided(order, event), event), ended_at=event.occurred_at)
    return _defective(ended, "REJECTED") if DATA_CAUSE in causes else ended


def _cancelled(order: OrderFact, event: Event) -> OrderFact:
    return replace(_free(order, event), ended_at=event.occurred_at)


def _completed(order: OrderFact, event: Event) -> OrderFact:
    return replace(order, completed_at=order.completed_at or event.occurred_at)


def _acknowledged(order: OrderFact, event: Event) -> OrderFact:
    promised = _date(event.data.get("promisedDate"))
    if promised is None:
        return order
    return replace(order, promised_first=order.promised_first or promised, promised_last=promised)


def _allocated(order: OrderFact, event: Event) -> OrderFact:
    number = event.data.get("lineNo")
    if not isinstance(number, int):
        return order
    known = order.lines.get(number, LineFact(Decimal(0), order.requested))
    line = replace(known, allocated=_number(event.data.get("quantity")))
    return replace(order, lines={**order.lines, number: line})


def _released(order: OrderFact, event: Event) -> OrderFact:
    lines = _quantities(event.data.get("lines"))
    released = dict(order.released)
    for number, quantity in lines.items():
        released[number] = released.get(number, Decimal(0)) + quantity
    order = replace(order, released=released)
    shipment = event.data.get("shipmentNumber")
    return order if shipment is None else _shipment(order, str(shipment), lines=lines)


def _moved(order: OrderFact, event: Event) -> OrderFact:
    """Take note of what a shipment carries; a short pick replaces what was to be picked."""
    lines = _quantities(event.data.get("lines"))
    number = event.data.get("shipmentNumber")
    return order if number is None or not lines else _shipment(order, str(number), lines=lines)


def _shipped(order: OrderFact, event: Event) -> OrderFact:
    number = event.data.get("shipmentNumber")
    return order if number is None else _shipment(_moved(order, event), str(number), shipped_at=event.occurred_at)


def _delivered(order: OrderFact, event: Event) -> OrderFact:
    number = event.data.get("shipmentNumber")
    if number is None:
        return order
    on = _date(event.data.get("at")) or event.occurred_at.date()
    return _shipment(_moved(order, event), str(number), delivered_at=event.occurred_at, delivered_on=on)


def _posted(order: OrderFact, event: Event) -> OrderFact:
    number = str(event.data.get("number") or event.subject)
    return replace(order, invoices={**order.invoices, number: InvoiceFact(event.occurred_at)})


def _notified(order: OrderFact, event: Event) -> OrderFact:
    number = str(event.data.get("invoiceNumber"))
    known = order.invoices.get(number)
    if known is None or known.told_at is not None:
        return order
    return replace(order, invoices={**order.invoices, number: replace(known, told_at=event.occurred_at)})


def _mismatched(order: OrderFact, event: Event) -> OrderFact:
    del event
    return replace(_defective(order, "INVOICE_MISMATCH"), is_mismatched=True)


def _returned(order: OrderFact, event: Event) -> OrderFact:
    reasons = {str(entry["reason"]) for entry in _entries(event.data.get("lines")) if entry.get("reason")}
    order = replace(order, returned=(*order.returned, *((event.occurred_at, reason) for reason in sorted(reasons))))
    return _defective(order, "RETURN") if reasons & SELLER_REASONS else order


_FOLDS: Mapping[str, Callable[[OrderFact, Event], OrderFact]] = {
    "order.received": _received,
    "order.accepted": _accepted,
    "order.held": _held,
    "order.hold.released": _hold_released,
    "order.rejected": _rejected,
    "order.cancelled": _cancelled,
    "order.completed": _completed,
    "order.acknowledged": _acknowledged,
    "order.line.allocated": _allocated,
    "order.released": _released,
    "shipment.picked": _moved,
    "shipment.packed": _moved,
    "shipment.shipped": _shipped,
    "shipment.delivered": _delivered,
    "invoice.posted": _posted,
    "invoice.mismatch": _mismatched,
    "return.requested": _returned,
    "customer.notified": _notified,
}


def _decided(order: OrderFact, event: Event) -> OrderFact:
    return replace(order, decided_at=order.decided_at or event.occurred_at)


def _free(order: OrderFact, event: Event) -> OrderFact:
    """Return an order that is not on hold any more."""
    if order.held_since is None:
        return order
    held = max(event.occurred_at - order.held_since, timedelta())
    return replace(order, held_since=None, held_s=order.held_s + held.total_seconds())


def _defective(order: OrderFact, cause: str) -> OrderFact:
    return order if cause in order.defects else replace(order, defects=(*order.defects, cause))


def _shipment(order: OrderFact, number: str, **changes: Any) -> OrderFact:
    shipment = replace(order.shipments.get(number, ShipmentFact()), **changes)
    return replace(order, shipments={**order.shipments, number: shipment})


def _quantities(lines: Any) -> dict[int, Decimal]:
    found: dict[int, Decimal] = {}
    for entry in _entries(lines):
        if "lineNo" in entry:
            number = int(entry["lineNo"])
            found[number] = found.get(number, Decimal(0)) + _number(entry.get("quantity"))
    return found


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list | tuple) else []


def _number(value: Any) -> Decimal:
    if isinstance(value, Mapping):
        value = value.get("value")
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)


def _date(value: Any) -> date | None:
    """Return the day of a date or a time as it was written, None for anything else."""
    try:
        return datetime.fromisoformat(value).date()
    except (TypeError, ValueError):
        return None
