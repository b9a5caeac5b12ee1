"""P3 steps 7 and 8: the home ERP takes the order, which makes it accepted, and sets firm stock aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from processes.order_case import AMENDING, OrderCase
from processes.order_checks import failed
from processes.order_hold import HOLD_DUE, is_price_released, task_suffix
from processes.order_pricing import PRICING_QUEUE
from processes.order_sourcing import promised_on
from processes.rules.price import check_erp_price
from processes.steps import DONE, Outcome, Undecided, Verdict
from processes.substitutes import RESOLUTION as SUBSTITUTE
from processes.substitutes import offered
from schema.enums import HoldKind, OrderStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import ShipTo
from schema.records.catalog import Item
from schema.records.inventory import Warehouse
from schema.records.operations import ExceptionTask
from schema.records.orders import (
    Allocation,
    ErpOrder,
    LedgerLine,
    LedgerOrder,
    NewErpLine,
    NewErpOrder,
    OrderHold,
)
from schema.records.problems import PricingConflict, Stockout
from schema.records.values import Quantity
from systems.errors import ConnectorError, Rejected
from systems.ports import AllocationResult

__all__ = [
    "ERP_KEY",
    "allocate",
    "allocated_line",
    "cancel_in_erp",
    "create_in_erp",
    "deallocate",
    "is_splittable",
    "places_of",
    "shortages",
]

ERP_KEY = "erp"
ALLOCATE_KEY = "alloc:1"
ORDER_DESK = "ORDER_DESK"
_STAYS = (OrderStatus.COMPLETED, *AMENDING)
"""Statuses that an answer of the ERP that comes late does not change."""

_NONE = Decimal(0)


async def create_in_erp(case: OrderCase) -> Outcome:
    """Create the ERP document, once per key; the order is accepted when the ERP has accepted it at our prices."""
    order = await case.order()
    if order.status in (OrderStatus.CANCEL_PENDING, OrderStatus.CANCELLED):
        said = f"order {order.number} was cancelled before the ERP had taken it"
        return Outcome(Verdict.REFUSED, (failed("CANCELLED", said),))
    document = await case.use.erp.find_order(case.key(ERP_KEY)) if case.may_have_sent else None
    if document is None:
        try:
            document = await case.use.erp.create_order(_new_document(case, order))
        except Rejected as refusal:
            return Outcome(Verdict.REFUSED, (failed(refusal.reason, f"the ERP refuses: {refusal.detail}"),))
    if document.status is OrderStatus.CANCELLED:
        said = f"the ERP has cancelled document {document.number}"
        return Outcome(Verdict.REFUSED, (failed("ERP_CANCELLED", said),))
    conflicts = _price_conflicts(order, document)
    if conflicts and not is_price_released(order, _reason(conflicts)):
        return await _hold(case, order, document, conflicts)
    if document.status is OrderStatus.VALIDATING:
        said = f"document {document.number} is created and not accepted yet"
        raise Undecided(document.home_erp, said)
    if (await _accept(case, document)).status is OrderStatus.CANCELLED:
        said = f"order {order.number} was cancelled while the ERP took it"
        return Outcome(Verdict.REFUSED, (failed("CANCELLED", said),))
    return DONE


async def cancel_in_erp(case: OrderCase) -> None:
    """Cancel the ERP document."""
    await case.use.erp.cancel_order(case.key(ERP_KEY))


async def allocate(case: OrderCase) -> Outcome:
    """Have the ERP set firm stock aside; what it is short of is backordered.

    The reservation stays until the warehouse knows of the order: until then only it keeps others from the goods.
    """
    try:
        results = await case.use.erp.allocate(case.key(ALLOCATE_KEY), case.order_id)
    except Rejected as refusal:
        return Outcome(Verdict.REFUSED, (failed(refusal.reason, f"the ERP refuses to allocate: {refusal.detail}"),))
    by_line: dict[int, list[AllocationResult]] = defaultdict(list)
    for entry in results:
        by_line[entry.line_no].append(entry)
    places, ship_to, today = await places_of(case), await case.ship_to(), case.use.clock.now().date()

    def changed(order: LedgerOrder) -> LedgerOrder:
        lines = tuple(
            allocated_line(line, by_line.get(line.line_no, ()), places, ship_to, today) for line in order.lines
        )
        dates = [line.promised_date for line in lines]
        promised = max((day for day in dates if day is not None), default=None) if all(dates) else None
        others = tuple(entry for entry in order.exceptions if not isinstance(entry, Stockout))
        return replace(order, lines=lines, promised_date=promised, exceptions=(*others, *shortages(case, lines)))

    await _ask_about_shortage(case, changed(await case.known_order()))
    await case.change(changed, lambda order: _allocation_news(case, order))
    return DONE


async def deallocate(case: OrderCase) -> None:
    """Give firm stock back."""
    await case.use.erp.deallocate(case.key(ALLOCATE_KEY), case.order_id)


def _new_document(case: OrderCase, order: LedgerOrder) -> NewErpOrder:
    lines = []
    for line in order.lines:
        if line.unit_price is None:
            raise ValueError(f"line {line.line_no} of order {order.number} has no price")
        code = line.allocations[0].warehouse_code if line.allocations else None
        lines.append(
            NewErpLine(
                line_no=line.line_no,
                sku=line.sku,
                description=line.description,
                quantity=line.quantity,
                unit_price=line.unit_price,
                requested_date=line.requested_date,
                warehouse_code=code,
            )
        )
    return NewErpOrder(
        key=case.key(ERP_KEY),
        order_id=order.id,
        number=order.number,
        account_id=order.account_id,
        ship_to_id=order.ship_to_id,
        po_number=order.po_number,
        channel=order.channel,
        currency=order.currency,
        requested_date=order.requested_date,
        opportunity_id=order.opportunity_id,
        quote_id=order.quote_id,
        lines=tuple(lines),
        home_erp=order.home_erp or SourceSystem.CLOUD_ERP,
    )


def _price_conflicts(order: LedgerOrder, document: ErpOrder) -> list[PricingConflict]:
    agreed = {line.line_no: line.unit_price for line in order.lines}
    found = []
    for index, line in enumerate(document.lines):
        ours = agreed.get(line.line_no)
        if ours is not None:
            found.append(check_erp_price(line.sku, ours, line.unit_price, ("lines", str(index))))
    return [entry for entry in found if entry is not None]


async def _hold(
    case: OrderCase, order: LedgerOrder, document: ErpOrder, conflicts: Sequence[PricingConflict]
) -> Outcome:
    """Hold an order whose prices the ERP disagrees with; its document stays, not allocated and not accepted by us."""
    now = case.use.clock.now()
    reason = _reason(conflicts)
    task = ExceptionTask(
        id=f"tsk_{case.order_id}_ERP_PRICE{task_suffix(order, HoldKind.PRICE)}",
        queue=PRICING_QUEUE,
        kind="PricingConflict",
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=case.request.process_id,
        summary=f"order {order.number}, ERP document {document.number}: {reason}",
        opened_at=now,
        due_at=now + HOLD_DUE,
        assignee=None,
        resolutions=("RELEASE", "REJECT"),
    )
    await case.hold(OrderHold(HoldKind.PRICE, reason, now, PRICING_QUEUE, now + HOLD_DUE), conflicts, [task])
    return Outcome(Verdict.HELD, tuple(conflicts))


def _reason(conflicts: Sequence[PricingConflict]) -> str:
    return "; ".join(entry.message for entry in conflicts)


async def _accept(case: OrderCase, document: ErpOrder) -> LedgerOrder:
    """Return the order as it stands then; one that is cancelled is accepted no more."""
    now = case.use.clock.now()

    def changed(order: LedgerOrder) -> LedgerOrder:
        if order.status is OrderStatus.CANCELLED:
            return order
        accepted = order.accepted_at or document.accepted_at or now
        return replace(
            order,
            status=OrderStatus.ACCEPTED if order.status not in _STAYS else order.status,
            accepted_at=accepted,
            erp_number=document.number,
            home_erp=document.home_erp,
            holds=(),
        )

    def tell(order: LedgerOrder) -> Sequence[Event]:
        if order.status is OrderStatus.CANCELLED:
            return []
        facts = {
            "number": order.number,
            "status": OrderStatus.ACCEPTED.value,
            "erpNumber": document.number,
            "homeErp": document.home_erp.value,
            "promisedDate": _iso(order.promised_date),
            "total": {"amount": str(document.total.amount), "currency": document.total.currency},
        }
        return [replace(case.news("order.accepted", "accepted", facts), system=document.home_erp)]

    return await case.change(changed, tell)


async def places_of(case: OrderCase) -> Mapping[str, Warehouse]:
    """Return warehouses by code; allocation goes on without them, only promised days are rougher then."""
    try:
        return {entry.code: entry for entry in await case.warehouses()}
    except ConnectorError:
        return {}


def allocated_line(
    line: LedgerLine,
    results: Sequence[AllocationResult],
    places: Mapping[str, Warehouse],
    ship_to: ShipTo | None,
    today: date,
) -> LedgerLine:
    """Return the line with what the ERP has set aside for it."""
    uom = line.quantity.uom
    firm = tuple(
        Allocation(entry.warehouse_code, Quantity(entry.allocated, uom), _ship_date(line, entry, today), firm=True)
        for entry in results
        if entry.allocated > 0 and entry.warehouse_code is not None
    )
    backordered = max(line.wanted - sum((entry.quantity.value for entry in firm), _NONE), _NONE)
    days = [promised_on(entry.ship_date, places.get(entry.warehouse_code), ship_to) for entry in firm]
    if backordered > 0:
        dates = [entry.backorder_date for entry in results if entry.backordered > 0]
        code = next((entry.warehouse_code for entry in results if entry.warehouse_code is not None), "")
        late = max((day for day in dates if day is not None), default=None) if all(dates) else None
        days.append(promised_on(late, places.get(code), ship_to) if late is not None else line.promised_date)
    known = [day for day in days if day is not None]
    promised = max(known) if known and len(known) == len(days) else None
    return replace(line, allocations=firm, backordered=backordered, promised_date=promised)


def _ship_date(line: LedgerLine, result: AllocationResult, today: date) -> date:
    """Return the ERP's day, else that of our own routing for the same warehouse, else today."""
    if result.ship_date is not None:
        return result.ship_date
    routed = [entry.ship_date for entry in line.allocations if entry.warehouse_code == result.warehouse_code]
    return routed[0] if routed else today


def shortages(case: OrderCase, lines: Sequence[LedgerLine]) -> list[Stockout]:
    """Return lines that wait for goods that nobody can date, or that the customer does not want to wait for."""
    found = []
    for index, line in enumerate(lines):
        if line.backordered <= 0 or (line.promised_date is not None and case.submission.allow_backorder):
            continue
        available = line.quantity.value - line.backordered
        found.append(
            Stockout(
                code="STOCKOUT",
                message=f"{line.sku}: {available:f} of {line.quantity.value:f} {line.quantity.uom} could be allocated",
                path=("lines", str(index)),
                sku=line.sku,
                requested=line.quantity,
                available=Quantity(available, line.quantity.uom),
                line_no=line.line_no,
                next_available=line.promised_date,
            )
        )
    return found


def is_splittable(order: LedgerOrder) -> bool:
    """Return whether goods that are set aside wait for others of the order, so that a split sends them on their way."""
    has = any(entry.firm for line in order.lines for entry in line.allocations)
    return order.ship_complete and has and any(line.backordered > 0 for line in order.lines)


async def _ask_about_shortage(case: OrderCase, order: LedgerOrder) -> None:
    """Ask the order desk what becomes of lines without goods."""
    short = [entry for entry in order.exceptions if isinstance(entry, Stockout)]
    if not short:
        return
    now, items = case.use.clock.now(), await case.items()
    substitutes = [f"{SUBSTITUTE}{sku}" for sku in await _substitutes(case, order)]
    task = ExceptionTask(
        id=f"tsk_{case.order_id}_STOCKOUT",
        queue=ORDER_DESK,
        kind="Stockout",
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=case.request.process_id,
        summary=f"order {order.number}: " + "; ".join(_asked(case, entry, items[entry.sku]) for entry in short),
        opened_at=now,
        due_at=now + HOLD_DUE,
        assignee=None,
        resolutions=("WAIT", *(("SPLIT",) if is_splittable(order) else ()), *substitutes, "CANCEL_LINE"),
    )
    facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
    await case.use.tasks.open_task(task, [case.news("task.opened", task.id, facts)])


async def _substitutes(case: OrderCase, order: LedgerOrder) -> tuple[str, ...]:
    """Return the items that may come in place of what is short, as far as the customer takes any."""
    if not case.submission.allow_substitutes:
        return ()
    items, ship_to = await case.items(), await case.ship_to()
    named = {sku for line in order.lines if line.backordered > 0 for sku in items[line.sku].substitute_skus}
    others = await case.use.erp.items(sorted(named - set(items))) if named - set(items) else {}
    return offered(order, {**items, **others}, ship_to)


def _asked(case: OrderCase, short: Stockout, item: Item) -> str:
    """Return what is short, and what the customer takes in its place as far as it takes anything else."""
    if not case.submission.allow_substitutes or not item.substitute_skus:
        return short.message
    return f"{short.message}, the customer takes {' or '.join(item.substitute_skus)} instead"


def _allocation_news(case: OrderCase, order: LedgerOrder) -> list[Event]:
    told = []
    for line in order.lines:
        facts = {"lineNo": line.line_no, "sku": line.sku, "uom": line.quantity.uom, "status": order.status.value}
        for entry in line.allocations:
            more = {
                **facts,
                "quantity": str(entry.quantity.value),
                "warehouse": entry.warehouse_code,
                "shipDate": _iso(entry.ship_date),
                "promisedDate": _iso(line.promised_date),
            }
            key = f"allocated:{line.line_no}:{entry.warehouse_code}"
            told.append(case.news("order.line.allocated", key, more))
        if line.backordered > 0:
            more = {**facts, "quantity": str(line.backordered), "promisedDate": _iso(line.promised_date)}
            told.append(case.news("order.line.backordered", f"backordered:{line.line_no}", more))
    return told


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
