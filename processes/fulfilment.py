"""P4, fulfilment: what warehouses and carriers tell becomes the shipment's story, and what has to follow from it does.

1. Every news is one event of the log, told once however often it comes; late ones are appended and move nothing back.
2. A packed shipment is tendered to a carrier (SHIPMENT_TENDER).
3. A late one, by its carrier's word, its silence or when it is expected, is noted on its order, asked about and made
   a service case (SHIPMENT_DELAY).
4. A delivered one is told to the customer; the last of an order completes it (SHIPMENT_DELIVERY).

The processes run under names made of the shipment, so that the same news never starts two.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from processes.dependencies import Dependencies
from processes.inventory_sync import InventorySync
from processes.order_completion import complete_order
from processes.order_hold import ORDER_ENDED
from processes.rules.delays import end_of, said_of
from processes.shipment_case import ShipmentCase, ShipmentRequest, shipment_event
from processes.steps import DONE, Outcome, Step, Verdict
from processes.task_news import resolve_tasks
from schema.enums import OrderStatus, ShipmentStatus, SourceSystem
from schema.events.envelope import Event, EventFilter
from schema.records.operations import ExceptionTask
from schema.records.orders import LedgerOrder
from schema.records.problems import FulfillmentDelay, Problem
from systems.news import ShipmentNews, StockNews
from systems.ports import TenderRequest

__all__ = ["DELAY", "DELIVERY", "SHIPMENT_DELAY", "SHIPMENT_DELIVERY", "SHIPMENT_TENDER", "TENDER", "Fulfilment"]

TENDER = "SHIPMENT_TENDER"
DELAY = "SHIPMENT_DELAY"
DELIVERY = "SHIPMENT_DELIVERY"

TASK_DUE = timedelta(hours=8)
"""A delay is looked at within this time."""

ARRIVED = "the shipment has arrived"
CANCELLED = "the order is cancelled"
"""Why a delay is over."""

_TYPES: Mapping[str, str] = {
    "PICKING": "shipment.picked",
    "PACKED": "shipment.packed",
    "SHIPPED": "shipment.shipped",
    "SD": "shipment.delayed",
    "D1": "shipment.delivered",
    "A7": "shipment.failed",
    "AP": "shipment.failed",
}
"""Milestones with an event type of their own; the others are ``shipment.milestone``."""

_S = ShipmentStatus
_TO_TENDER = (_S.PACKED, _S.LOADED, _S.DEPARTED)
_TOLD_AT_ORDER = (_S.PICKING, _S.DEPARTED, _S.DELAYED, _S.DELIVERED, _S.DELIVERY_FAILED, _S.CANCELLED)
"""Stations of a shipment that change what its order shows."""


class StartsShipmentProcess(Protocol):
    """What fulfilment wants of the engine."""

    @property
    def dependencies(self) -> Dependencies:
        """The ports that processes use."""
        ...

    def start_shipment(self, request: ShipmentRequest) -> Awaitable[None]:
        """Start the process that the request names, or nothing when it was started before."""
        ...


class Fulfilment:
    """Handles what warehouses and carriers tell.

    Args:
        engine: runs the processes that follow.
    """

    def __init__(self, engine: StartsShipmentProcess) -> None:
        self._engine = engine
        self._use = engine.dependencies
        self._stock = InventorySync(engine.dependencies)

    async def handle(
        self, news: ShipmentNews | StockNews, received_at: datetime | None = None, *, replayed: bool = False
    ) -> None:
        """Take note of news and start what follows from it; ``received_at`` is when it came in, as far as known.

        News that is ``replayed`` is told as such, and no customer is told of it.

        Cancel/retry: safe to repeat; the same news is told once and starts nothing twice.

        Raises:
            ConnectorError: the platform's own ledgers do not answer; nothing is lost when the news is handed in again.
        """
        if isinstance(news, StockNews):
            await self._stock.handle(news)
            return
        if news.warehouse_code is not None:
            await self._use.orders.note_warehouse(news.order_id, news.warehouse_code)
        about = _request(news, "")
        events = self._events(news, about, received_at)
        if replayed:
            events = [replace(event, data={**event.data, "replayed": True}) for event in events]
        await self._use.events.append(events)
        for kind in _what_follows(news):
            await self._engine.start_shipment(replace(_request(news, kind), replayed=replayed))

    def _events(self, news: ShipmentNews, about: ShipmentRequest, received_at: datetime | None) -> list[Event]:
        milestone = news.milestone
        facts: dict[str, Any] = {
            "shipmentId": f"sh_{news.shipment_number}",
            "shipmentNumber": news.shipment_number,
            "code": milestone.code,
            "status": news.status.value,
            "at": milestone.at.isoformat(),
            "place": milestone.place,
            "reasonCode": milestone.reason_code,
            "warehouse": news.warehouse_code,
            "carrier": news.carrier,
            "trackingNumber": news.tracking_number,
            "estimatedDelivery": None if news.estimated_delivery is None else news.estimated_delivery.isoformat(),
            "sscc": list(news.sscc),
            "lines": [{"lineNo": number, "quantity": quantity} for number, quantity in news.lines],
            "receivedAt": None if received_at is None else received_at.isoformat(),
        }
        type_ = _TYPES.get(milestone.code, "shipment.milestone")
        told = shipment_event(about, type_, _milestone_key(news), facts, self._use)
        events = [replace(told, system=news.source, occurred_at=milestone.at, causation_id=news.event_id)]
        if news.status in _TOLD_AT_ORDER and milestone.status is news.status:
            told_of = ("shipmentId", "receivedAt")
            at_order = {"shipmentStatus": news.status.value, **{name: facts[name] for name in told_of}}
            key = f"or:{news.order_id}:fulfillment:{news.shipment_number}:{_station_key(news)}"
            events.append(shipment_event(about, "order.fulfillment.changed", key, at_order, self._use))
        return events


async def tender(case: ShipmentCase) -> Outcome:
    """Give the shipment to a carrier, once."""
    shipment, order = await case.shipment(), await case.order()
    if shipment is None or shipment.status is ShipmentStatus.CANCELLED:
        return Outcome(Verdict.SKIPPED, note="the warehouse has no such shipment to give away")
    promised = None if order is None else order.promised_date
    request = TenderRequest(
        key=f"sh:{case.request.shipment_number}:tender",
        shipment_number=case.request.shipment_number,
        order_id=case.order_id,
        account_id=case.account_id,
        warehouse_code=shipment.warehouse_code,
        ship_to_id="" if order is None else order.ship_to_id,
        ready_at=case.request.at,
        deliver_by=shipment.planned_delivery if promised is None else end_of(promised),
    )
    load = await case.use.tms.tender(request)
    facts = {"carrier": load.carrier, "trackingNumber": load.tracking_number, "status": load.status.value}
    told = case.news("shipment.tendered", "tendered", facts)
    await case.use.events.append([replace(told, system=SourceSystem.TMS)])
    return DONE


async def note_delay(case: ShipmentCase) -> Outcome:
    """Put the delay on the order, and ask those who can do something about it; news that came late changes nothing."""
    over = await _why_over(case)
    if over is not None:
        return Outcome(Verdict.SKIPPED, note=over)
    request, now = case.request, case.use.clock.now()
    problem = FulfillmentDelay(
        code="FULFILLMENT_DELAY",
        message=f"shipment {request.shipment_number} will be late"
        + (f" ({request.reason_code})" if request.reason_code else ""),
        shipment_id=case.shipment_id,
        promised=await _promised(case),
        expected=request.estimated_delivery,
        reason_code=request.reason_code,
    )
    task = ExceptionTask(
        id=f"tsk_{request.process_id}",
        queue="FULFILMENT",
        kind="FulfillmentDelay",
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=request.process_id,
        summary=problem.message,
        opened_at=now,
        due_at=now + TASK_DUE,
        assignee=None,
        resolutions=("INFORM_CUSTOMER", "RE_TENDER", "WAIT"),
    )
    facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
    await case.use.tasks.open_task(task, [case.news("task.opened", task.id, facts)])

    def changed(order: LedgerOrder) -> LedgerOrder:
        return replace(order, exceptions=(*_without_delay(case, order), problem))

    def tell(order: LedgerOrder) -> Sequence[Event]:
        delayed = {
            "status": order.status.value,
            "problem": {"type": "FulfillmentDelay", "code": problem.code, "message": problem.message},
        }
        return [case.news("order.delayed", f"order-delayed:{request.at.isoformat()}", delayed)]

    await case.change(changed, tell)
    over = await _why_over(case)
    if over is not None:
        # That came about while this was written, and whoever lifted the delay then found none yet.
        await _lift(case, over)
    return DONE


async def open_case(case: ShipmentCase) -> Outcome:
    """Open a service case, so that the customer hears of the delay from us."""
    over = await _why_over(case)
    if over is not None:
        return Outcome(Verdict.SKIPPED, note=over)
    request = case.request
    eta = request.estimated_delivery
    expected = "nobody knows when it comes" if eta is None else f"expected {eta.isoformat()}"
    opened = await case.use.crm.open_case(
        f"sh:{request.shipment_number}:delay",
        account_id=case.account_id,
        order_id=case.order_id,
        subject=f"Shipment {request.shipment_number} is late",
        priority="High",
        body=f"{said_of(request.reason_code)}, {expected}.",
    )
    told = case.news("case.opened", "case-opened", {"caseId": opened.id, "number": opened.number})
    await case.use.events.append([replace(told, system=SourceSystem.CRM)])
    return DONE


async def tell_delivered(case: ShipmentCase) -> Outcome:
    """Record that the customer is told, unless it is past, and take back the delay that is over."""
    if not case.request.replayed:
        order = await case.order()
        channel = None if order is None else order.channel.value
        facts = {"channel": channel, "template": "delivered"}
        await case.use.events.append([case.news("customer.notified", "notified:delivered", facts)])
    await _lift(case, ARRIVED)
    return DONE


async def complete(case: ShipmentCase) -> Outcome:
    """Complete the order when everything is delivered and invoiced."""
    return await complete_order(case)


# fmt: off
SHIPMENT_TENDER: tuple[Step[ShipmentCase], ...] = (
    Step("tender",   SourceSystem.TMS,      "{process}",      tender),
)
SHIPMENT_DELAY: tuple[Step[ShipmentCase], ...] = (
    Step("note",     SourceSystem.PLATFORM, "{process}:note", note_delay),
    Step("case",     SourceSystem.CRM,      "{process}:case", open_case),
)
SHIPMENT_DELIVERY: tuple[Step[ShipmentCase], ...] = (
    Step("notify",   SourceSystem.PLATFORM, "{process}:told", tell_delivered),
    Step("complete", SourceSystem.PLATFORM, "{process}:done", complete),
)
# fmt: on


def _what_follows(news: ShipmentNews) -> Sequence[str]:
    """Return the processes that a news starts."""
    if news.source is SourceSystem.WMS:
        return (TENDER,) if news.milestone.status in _TO_TENDER else ()
    if news.milestone.status is ShipmentStatus.DELAYED:
        return (DELAY,)
    return (DELIVERY,) if news.milestone.status is ShipmentStatus.DELIVERED else ()


def _request(news: ShipmentNews, kind: str) -> ShipmentRequest:
    return ShipmentRequest(
        process_id=f"prc_{kind.lower()}_{news.shipment_number}",
        kind=kind,
        shipment_number=news.shipment_number,
        order_id=news.order_id,
        account_id=news.account_id,
        status=news.status,
        at=news.milestone.at,
        reason_code=news.milestone.reason_code,
        estimated_delivery=news.estimated_delivery,
    )


def _station_key(news: ShipmentNews) -> str:
    """Return what a station is known by at the order: warehouse and carrier both tell of some, and once is enough.

    A shipment may be late, go on and be late again; it never comes twice to any other station that the order shows.
    """
    if news.status is not _S.DELAYED:
        return news.status.value
    return f"{news.milestone.code}:{news.milestone.at.isoformat()}"


def _milestone_key(news: ShipmentNews) -> str:
    """Return what a milestone is known by: the carrier's may come again under another message id."""
    milestone = news.milestone
    if news.source is SourceSystem.TMS:
        return f"tms:{news.carrier}:{news.tracking_number}:{milestone.code}:{milestone.at.isoformat()}"
    return f"{news.source.value.lower()}:{news.event_id}"


async def _promised(case: ShipmentCase) -> datetime:
    """Return by when the shipment was promised: the warehouse's plan, else the order's, else when it was reported."""
    shipment, order = await case.shipment(), await case.order()
    if shipment is not None and shipment.planned_delivery is not None:
        return shipment.planned_delivery
    return case.request.at if order is None or order.promised_date is None else end_of(order.promised_date)


async def _lift(case: ShipmentCase, why: str) -> None:
    """Take the delay off the order, and close what was asked about it."""
    await case.change(lambda order: replace(order, exceptions=tuple(_without_delay(case, order))), lambda _: ())
    tasks = (await case.use.tasks.tasks_of([case.order_id]))[case.order_id]
    over = [task for task in tasks if task.kind == "FulfillmentDelay"]
    resolution = "ARRIVED" if why == ARRIVED else ORDER_ENDED
    await resolve_tasks(case.use, over, resolution, "system:crossdock", why)


def _without_delay(case: ShipmentCase, order: LedgerOrder) -> list[Problem]:
    return [
        entry
        for entry in order.exceptions
        if not (isinstance(entry, FulfillmentDelay) and entry.shipment_id == case.shipment_id)
    ]


async def _why_over(case: ShipmentCase) -> str | None:
    """Return why nobody has to care about the delay any more, None when somebody has."""
    if await _has_arrived(case):
        return ARRIVED
    order = await case.order()
    return CANCELLED if order is not None and order.status is OrderStatus.CANCELLED else None


async def _has_arrived(case: ShipmentCase) -> bool:
    told = EventFilter(types=("shipment.delivered",), subject=case.shipment_id)
    return bool(await case.use.events.read(told, None, 1))
