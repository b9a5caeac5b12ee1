"""P3 steps 9 and 10: warehouses get to pick, and the customer is told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date
from decimal import Decimal

from processes.order_case import OrderCase
from processes.order_checks import failed
from processes.order_hold import ended_release
from processes.order_pricing import hold_credit, order_total
from processes.order_sourcing import RESERVE_KEY, give_back
from processes.release_fate import follow_order, release_key, withdraw_round
from processes.rules.uom import factor
from processes.steps import DONE, Outcome, Verdict
from schema.enums import OrderStatus, ReservationStatus, SourceSystem
from schema.records.orders import HoldDecision, LedgerOrder, ReleaseLine
from schema.records.problems import CreditHold, ValidationFailed
from schema.records.values import Money
from systems.errors import NotFound, Rejected
from systems.ports import OrderMirror, ReleaseRequest

__all__ = ["FIRST_ROUND", "acknowledge", "cancel_releases", "mirror_of", "release", "release_round", "release_rounds"]

FIRST_ROUND = 1
"""The release that follows from submission; each change of the order releases for a round of its own."""

_RELEASABLE = (OrderStatus.ACCEPTED, OrderStatus.CHANGE_PENDING, OrderStatus.CANCEL_PENDING)
"""A change or a cancellation waits until the release that came before it is done; it may be refused after all."""


async def release(case: OrderCase) -> Outcome:
    """Release what is allocated, one request per warehouse; an order that ships complete waits for all of it.

    An order whose release from a credit hold has ended, or does not cover it any more, is held again.

    From then on the warehouse counts the goods as allocated, and the reservation has done its work.
    """
    order = await case.order()
    total, now = (await order_total(case, order)).total, case.use.clock.now()
    ended = ended_release(order, total, now)
    if ended is not None:
        return await hold_credit(case, _held_again(order, total, ended))
    if case.submission.ship_complete and any(line.backordered > 0 for line in order.lines):
        return Outcome(Verdict.SKIPPED, note="ships complete: released when the backordered lines are there")
    try:
        released = await release_round(case, order, FIRST_ROUND)
    except Rejected as refusal:
        return Outcome(Verdict.REFUSED, (failed(refusal.reason, f"the warehouse refuses: {refusal.detail}"),))
    if released.verdict is Verdict.SKIPPED:
        await give_back(case)
        return released
    await case.use.reservations.settle(case.key(RESERVE_KEY), ReservationStatus.CONSUMED)
    return DONE


def _held_again(order: LedgerOrder, total: Money, ended: HoldDecision) -> CreditHold:
    cap = "any amount" if ended.max_amount is None else f"{ended.max_amount.amount} {ended.max_amount.currency}"
    until = "" if ended.expires_at is None else f" until {ended.expires_at.isoformat()}"
    said = f"order {order.number} comes to {total.amount} {total.currency}; it was released for {cap}{until}"
    return CreditHold(code="CREDIT_HOLD", message=f"{said}: a credit controller decides again")


async def release_round(case: OrderCase, order: LedgerOrder, round_: int) -> Outcome:
    """Release what is allocated for one round, one request per warehouse; SKIPPED when there is nothing to release.

    Raises:
        Rejected: the warehouse refuses.
    """
    if order.status is OrderStatus.CANCELLED:
        if case.may_have_sent:
            await withdraw_round(case, round_)
        return _obsolete(order)
    requests = await _requests(case, order, round_)
    for request in requests:
        result = await case.use.wms.release(request)
        facts = {
            "status": order.status.value,
            "warehouse": request.warehouse_code,
            "releaseId": result.release_id,
            "shipmentNumber": result.shipment_number,
            "lines": [
                {"lineNo": line.line_no, "quantity": str(line.quantity), "uom": line.uom} for line in request.lines
            ],
        }
        told = case.news("order.released", f"released:{request.warehouse_code}:{round_}", facts)
        await case.use.events.append([replace(told, system=SourceSystem.WMS)])
    if not requests:
        return Outcome(Verdict.SKIPPED, note="nothing that is allocated has to be released")
    # A run that never waited for a person is waited for by whoever cancels the order from now on.
    if case.may_have_sent or order.status is OrderStatus.CANCEL_PENDING:
        status = await follow_order(case, [request.key for request in requests])
        if status is OrderStatus.CANCELLED:
            return _obsolete(order)
    return DONE


async def release_rounds(case: OrderCase, order: LedgerOrder) -> Outcome:
    """Release all that is set aside; what was released before keeps its key, by which the warehouse knows it.

    Raises:
        Rejected: the warehouse refuses.
    """
    rounds = sorted({entry.round for line in order.lines for entry in line.allocations})
    released = [await release_round(case, order, round_) for round_ in rounds]
    await case.use.reservations.settle(case.key(RESERVE_KEY), ReservationStatus.CONSUMED)
    return next((outcome for outcome in released if outcome.verdict is not Verdict.DONE), DONE)


def _obsolete(order: LedgerOrder) -> Outcome:
    return Outcome(Verdict.SKIPPED, note=f"order {order.number} is cancelled: nothing of it is released")


async def cancel_releases(case: OrderCase) -> None:
    """Cancel what was released and not picked.

    Raises:
        Rejected: goods are picked already, a person must decide.
    """
    order = await case.order()
    for code in sorted({entry.warehouse_code for line in order.lines for entry in line.allocations}):
        try:
            cancelled = await case.use.wms.cancel_release(release_key(case, code, FIRST_ROUND))
        except NotFound:
            cancelled = True
        if not cancelled:
            said = f"goods of order {order.number} are picked in {code}"
            raise Rejected(SourceSystem.WMS, "cancel release", said, reason="ALREADY_PICKED")


async def acknowledge(case: OrderCase) -> Outcome:
    """Tell the CRM and the customer; the first promise that is told is the one that is measured against."""
    order = await case.known_order()
    if order.status is OrderStatus.CANCELLED:
        return Outcome(Verdict.SKIPPED, note=f"order {order.number} is cancelled, and the customer knows")
    mirror = await mirror_of(case, order)
    promised = None if order.promised_date is None else order.promised_date.isoformat()
    facts = {"number": order.number, "status": order.status.value, "promisedDate": promised}
    await case.use.events.append(
        [
            case.news("order.acknowledged", "acknowledged", facts),
            case.news(
                "customer.notified",
                "notified:accepted",
                {**facts, "channel": order.channel.value, "template": "accepted"},
            ),
        ]
    )
    await case.use.crm.mirror_order(case.key("ack:CRM:1"), mirror)
    return DONE


async def mirror_of(case: OrderCase, order: LedgerOrder) -> OrderMirror:
    """Return what the CRM shows of an order."""
    return OrderMirror(
        order_id=order.id,
        number=order.number,
        account_id=order.account_id,
        opportunity_id=order.opportunity_id,
        status=order.status,
        total=(await order_total(case, order)).total,
        promised_date=order.promised_date,
        po_number=order.po_number,
        ordered_on=order.submitted_at.astimezone(UTC).date(),
    )


async def _requests(case: OrderCase, order: LedgerOrder, round_: int) -> list[ReleaseRequest]:
    """Return one request per warehouse with what is allocated there for a round, in base units."""
    if order.status not in _RELEASABLE:
        return []
    items = await case.items()
    lines: dict[str, list[ReleaseLine]] = defaultdict(list)
    dates: dict[str, date] = {}
    for line in order.lines:
        item = items[line.sku]
        found = factor(line.quantity.uom, item)
        per_base = Decimal(1) if isinstance(found, ValidationFailed) else found
        for entry in line.allocations:
            if entry.firm and entry.round == round_:
                quantity = entry.quantity.value * per_base
                lines[entry.warehouse_code].append(ReleaseLine(line.line_no, line.sku, quantity, item.base_uom))
                dates[entry.warehouse_code] = max(dates.get(entry.warehouse_code, entry.ship_date), entry.ship_date)
    return [
        ReleaseRequest(
            key=release_key(case, code, round_),
            order_id=order.id,
            order_number=order.number,
            account_id=order.account_id,
            warehouse_code=code,
            ship_to_id=order.ship_to_id,
            ship_date=dates[code],
            requested_delivery=order.requested_date,
            lines=tuple(lines[code]),
        )
        for code in sorted(lines)
    ]
