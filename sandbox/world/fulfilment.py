"""What became of orders: shipments with milestones, invoices with balances, returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import count

from sandbox.world.chance import Chance
from sandbox.world.identifiers import sscc
from sandbox.world.model import (
    WorldAccount,
    WorldInvoice,
    WorldItem,
    WorldMilestone,
    WorldOrder,
    WorldOrderLine,
    WorldReturn,
    WorldReturnLine,
    WorldShipment,
    WorldShipmentLine,
    WorldShipTo,
)
from sandbox.world.orders import Draft
from sandbox.world.planted import LATE_PAYER

__all__ = ["Fulfilment", "make_fulfilment"]

RETURNS = 60
SPLIT_PERCENT = 30
DELAY_PERCENT = 6
LATE_PAYER_DAYS = 150
FIRST_SHIPMENT = 880_001
FIRST_INVOICE = 700_001

_CENT = Decimal("0.01")
_CARRIERS = ("XMPL", "DEMO", "TEST", "FAUX")
"""Codes in the form of a SCAC that no carrier has."""

_TERMS_DAYS = {"NET30": 30, "NET45": 45}
_COMPLETED_STORY = "SO-204511"


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """Orders as they ended up, and what was shipped, invoiced and returned."""

    orders: tuple[WorldOrder, ...]
    shipments: tuple[WorldShipment, ...]
    invoices: tuple[WorldInvoice, ...]
    returns: tuple[WorldReturn, ...]


def make_fulfilment(
    seed: int,
    now: datetime,
    drafts: Sequence[Draft],
    accounts: Mapping[str, WorldAccount],
    ship_tos: Mapping[str, WorldShipTo],
    items: Mapping[str, WorldItem],
) -> Fulfilment:
    """Return what became of the orders."""
    maker = _Maker(seed, now, accounts, ship_tos, items)
    orders = tuple(maker.follow(draft) for draft in drafts)
    return Fulfilment(orders, tuple(maker.shipments), tuple(maker.invoices), maker.returns(orders))


class _Maker:
    """Follows one order after the other and numbers what comes of them."""

    def __init__(
        self,
        seed: int,
        now: datetime,
        accounts: Mapping[str, WorldAccount],
        ship_tos: Mapping[str, WorldShipTo],
        items: Mapping[str, WorldItem],
    ) -> None:
        self._chance = Chance.of(seed, "fulfilment")
        self._now = now
        self._accounts = accounts
        self._ship_tos = ship_tos
        self._items = items
        self._shipment_numbers = count(FIRST_SHIPMENT)
        self._invoice_numbers = count(FIRST_INVOICE)
        self._sscc = count(1)
        self.shipments: list[WorldShipment] = []
        self.invoices: list[WorldInvoice] = []

    def follow(self, draft: Draft) -> WorldOrder:
        """Make shipments and invoices of an order and return it with its end."""
        order, stage = draft.order, draft.stage
        if stage in ("held", "cancelled"):
            return order
        gone = [line for line in order.lines if line.shipped]
        waiting = [line for line in order.lines if line.allocated]
        made: list[WorldShipment] = []
        for lines in self._split(order, gone):
            made.append(self._shipment(order, stage, lines, len(made)))
        made += [self._open_shipment(order, lines) for lines in _by_warehouse(waiting)]
        self.shipments += made
        if stage != "completed":
            return order
        last = max(shipment.delivered_at or order.submitted_at for shipment in made)
        self._invoice(order, made)
        return replace(order, completed_at=min(last + timedelta(hours=self._chance.whole(2, 30)), self._now))

    def _split(self, order: WorldOrder, gone: Sequence[WorldOrderLine]) -> list[list[WorldOrderLine]]:
        parts = _by_warehouse(gone)
        splits = order.number == _COMPLETED_STORY or self._chance.happens(SPLIT_PERCENT)
        if len(parts) == 1 and len(gone) > 1 and splits:
            return [list(gone[: len(gone) // 2]), list(gone[len(gone) // 2 :])]
        return parts

    def _shipment(self, order: WorldOrder, stage: str, lines: Sequence[WorldOrderLine], place: int) -> WorldShipment:
        """Return a shipment that has left; how far it is follows from the stage."""
        chance, accepted = self._chance, order.accepted_at or order.submitted_at
        shipped = accepted + timedelta(hours=chance.whole(4, 30) + 20 * place)
        is_late = stage == "delayed" or (stage == "completed" and chance.happens(DELAY_PERCENT))
        travel = timedelta(hours=chance.whole(20, 80))
        if stage in ("shipped", "delayed", "partial"):
            shipped = max(shipped, self._now - timedelta(hours=chance.whole(20, 40)))
        shipped = min(shipped, self._now - timedelta(hours=2))
        planned = shipped + travel
        arrives = planned + timedelta(hours=chance.whole(20, 60)) if is_late else planned
        is_there = stage in ("completed", "delivered")
        if is_there:
            arrives = min(arrives, self._now - timedelta(hours=1))
        milestones = [*self._warehouse_story(shipped, order), *self._way(shipped, arrives, is_late, is_there, order)]
        milestones = [entry for entry in milestones if entry.at <= self._now]
        return replace(
            self._plain(order, lines),
            status=milestones[-1].status,
            sscc=tuple(sscc(next(self._sscc)) for _ in range(chance.whole(1, 2))),
            milestones=tuple(milestones),
            carrier=chance.one(_CARRIERS),
            tracking_number=f"{chance.whole(10**9, 10**10 - 1)}",
            planned_delivery=planned,
            estimated_delivery=arrives,
            delivered_at=arrives if is_there else None,
        )

    def _open_shipment(self, order: WorldOrder, lines: Sequence[WorldOrderLine]) -> WorldShipment:
        """Return a shipment that is still in the warehouse."""
        accepted = order.accepted_at or order.submitted_at
        released = min(accepted + timedelta(hours=1), self._now - timedelta(minutes=30))
        milestones = [WorldMilestone("RELEASED", "RELEASED", released, lines[0].warehouse_code, None, "WMS")]
        if self._chance.happens(40):
            at = min(released + timedelta(hours=3), self._now - timedelta(minutes=5))
            milestones.append(WorldMilestone("PICKING", "PICKING", at, lines[0].warehouse_code, None, "WMS"))
        planned = datetime.combine(order.promised_date or order.requested_date, released.timetz())
        return replace(
            self._plain(order, lines),
            status=milestones[-1].status,
            milestones=tuple(milestones),
            planned_delivery=planned,
        )

    def _plain(self, order: WorldOrder, lines: Sequence[WorldOrderLine]) -> WorldShipment:
        return WorldShipment(
            number=f"SH-{next(self._shipment_numbers)}",
            order_id=order.id,
            account_id=order.account_id,
            warehouse_code=lines[0].warehouse_code,
            status="PLANNED",
            sscc=(),
            lines=tuple(self._shipment_line(line) for line in lines),
            milestones=(),
            carrier=None,
            tracking_number=None,
            planned_delivery=None,
            estimated_delivery=None,
            delivered_at=None,
        )

    def _shipment_line(self, line: WorldOrderLine) -> WorldShipmentLine:
        item = self._items[line.sku]
        lot = f"L{self._chance.whole(10_000, 99_999)}" if item.lot_controlled else None
        quantity = (line.shipped or line.allocated) * self._per_base(line)
        return WorldShipmentLine(line.line_no, line.sku, quantity, item.base_uom, lot)

    def _per_base(self, line: WorldOrderLine) -> Decimal:
        return next(uom.per_base for uom in self._items[line.sku].uoms if uom.uom == line.uom)

    def _warehouse_story(self, shipped: datetime, order: WorldOrder) -> list[WorldMilestone]:
        accepted = order.accepted_at or order.submitted_at
        steps = (
            ("RELEASED", "RELEASED", 0.1),
            ("PICKING", "PICKING", 0.4),
            ("PACKED", "PACKED", 0.7),
            ("SHIPPED", "DEPARTED", 1.0),
        )
        return [
            WorldMilestone(code, status, accepted + (shipped - accepted) * share, None, None, "WMS")
            for code, status, share in steps
        ]

    def _way(
        self, shipped: datetime, arrives: datetime, is_late: bool, is_there: bool, order: WorldOrder
    ) -> list[WorldMilestone]:
        """Return the carrier's milestones; those of one that has not arrived end before the end."""
        address = self._ship_tos[order.ship_to_id].address
        travel = arrives - shipped if is_there else self._now - shipped
        taken_up, under_way, late = (0.05, 0.3, 0.45) if is_there else (0.2, 0.5, 0.8)
        way = [
            WorldMilestone("AF", "DEPARTED", shipped + travel * taken_up, None, None, "TMS"),
            WorldMilestone("X6", "IN_TRANSIT", shipped + travel * under_way, None, None, "TMS"),
        ]
        if is_late:
            way.append(WorldMilestone("SD", "DELAYED", shipped + travel * late, address.city, "AI", "TMS"))
        if is_there:
            way.append(WorldMilestone("OF", "OUT_FOR_DELIVERY", shipped + travel * 0.9, address.city, None, "TMS"))
            way.append(WorldMilestone("D1", "DELIVERED", arrives, address.city, None, "TMS"))
        return way

    def _invoice(self, order: WorldOrder, shipments: Sequence[WorldShipment]) -> None:
        """Invoice a completed order, now and then per shipment; totals add up to the order's."""
        parts = 2 if len(shipments) > 1 and self._chance.happens(40) else 1
        first = (order.total / parts).quantize(_CENT, ROUND_HALF_UP)
        for place in range(parts):
            delivered = shipments[min(place, len(shipments) - 1)].delivered_at or order.submitted_at
            total = first if place < parts - 1 else order.total - first * (parts - 1)
            self.invoices.append(self._one_invoice(order, delivered, total))

    def _one_invoice(self, order: WorldOrder, delivered: datetime, total: Decimal) -> WorldInvoice:
        account = self._accounts[order.account_id]
        posted = min(delivered + timedelta(hours=self._chance.whole(1, 20)), self._now)
        due = posted.date() + timedelta(days=_TERMS_DAYS[account.payment_terms])
        days_late = (self._now.date() - due).days
        pays_early = self._chance.happens(35)  # drawn for all: what follows must not hang on the hour
        status, balance = "POSTED", total
        if account.id == LATE_PAYER:
            is_paid = days_late > LATE_PAYER_DAYS
        else:
            is_paid = days_late > 0 or (days_late > -10 and pays_early)
        if is_paid:
            status, balance = "PAID", Decimal(0)
        if account.id != LATE_PAYER and 0 < days_late <= 14 and total > 900:
            status, balance = "PARTIALLY_PAID", Decimal("450.00")
        number = f"INV-{next(self._invoice_numbers)}"
        return WorldInvoice(number, account.id, order.id, status, order.currency, posted, due, total, balance)

    def returns(self, orders: Sequence[WorldOrder]) -> tuple[WorldReturn, ...]:
        """Return what came back: damaged lines of SO-204511 first, then others of the last year."""
        since = max(order.submitted_at for order in orders).date() - timedelta(days=350)
        done = [order for order in orders if order.completed_at and order.submitted_at.date() > since]
        story = next(order for order in orders if order.number == _COMPLETED_STORY)
        chosen = [story, *self._chance.sample([order for order in done if order is not story], RETURNS - 1)]
        return tuple(self._return(number, order, order is story) for number, order in enumerate(chosen, 1))

    def _return(self, number: int, order: WorldOrder, is_story: bool) -> WorldReturn:
        chance, line = self._chance, order.lines[0]
        reason = "DAMAGED" if is_story else chance.one(("DAMAGED", "WRONG_ITEM", "NOT_NEEDED", "DEFECTIVE"))
        back = Decimal(1) if is_story else chance.amount(1, int(line.shipped))
        status = (
            "CREDITED" if is_story else chance.weighted((("CREDITED", 70.0), ("RECEIVED", 15.0), ("REQUESTED", 15.0)))
        )
        base_uom = self._items[line.sku].base_uom
        returned = WorldReturnLine(
            line.line_no,
            line.sku,
            back * self._per_base(line),
            base_uom,
            reason,
            "SCRAP" if reason == "DAMAGED" else None,
        )
        credit = (line.unit_price * back).quantize(_CENT, ROUND_HALF_UP) if status == "CREDITED" else None
        at = min((order.completed_at or self._now) + timedelta(days=chance.whole(1, 12)), self._now)
        rma = f"RMA-{40_000 + number}"
        return WorldReturn(rma, order.account_id, order.id, status, (returned,), credit, order.currency, at)


def _by_warehouse(lines: Sequence[WorldOrderLine]) -> list[list[WorldOrderLine]]:
    parts: dict[str, list[WorldOrderLine]] = {}
    for line in lines:
        parts.setdefault(line.warehouse_code, []).append(line)
    return list(parts.values())
