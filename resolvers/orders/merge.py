"""One order out of its two halves.

The ERP's document decides about lines, prices, dates and acceptance. The platform's ledger decides about holds,
problems and version, and stands alone while no ERP document exists or the ERP does not answer.

Invariant: an order is never ACCEPTED before its ERP said so; the ledger takes that status from the ERP's answer only.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from datetime import datetime
from decimal import Decimal

from schema.enums import OrderStatus, SourceSystem
from schema.orders.views import LineView, OrderView
from schema.records.currencies import round_to_minor
from schema.records.orders import ErpLine, ErpOrder, LedgerLine, LedgerOrder
from schema.records.values import ExternalRef, Freshness, Money

__all__ = ["home_of", "merge_order", "merge_orders", "recorded_statuses"]

_PLATFORM_DECIDES = frozenset(
    {
        OrderStatus.ON_HOLD,
        OrderStatus.CHANGE_PENDING,
        OrderStatus.CANCEL_PENDING,
        OrderStatus.REJECTED,
        OrderStatus.CANCELLED,
        OrderStatus.COMPLETED,
    }
)
"""Ledger statuses that stay while the ERP document lives on: a person or a compensation is at work, or all is done."""

_ERP_FINAL = frozenset({OrderStatus.COMPLETED, OrderStatus.CANCELLED})
_ERP_STATUSES = _ERP_FINAL | {OrderStatus.VALIDATING, OrderStatus.ON_HOLD, OrderStatus.ACCEPTED}
NEW_HOME = SourceSystem.CLOUD_ERP
"""Where orders of customers go that no ERP has yet; an order is shown there until it is known whose it is."""

_NONE = Decimal(0)


def merge_order(ledger: LedgerOrder | None, erp: ErpOrder | None, *, now: datetime, erp_missing: bool) -> OrderView:
    """Return the order that the two halves make.

    Args:
        ledger: the platform's half; None for an order that was entered in the ERP itself.
        erp: the ERP's half; None when there is none or it could not be read.
        now: when they were read.
        erp_missing: True when the ERP did not answer although it should hold the order.

    Raises:
        ValueError: both halves are None.
    """
    if erp is not None:
        return _with_erp(ledger, erp, now)
    if ledger is None:
        raise ValueError("an order has at least one half")
    return _ledger_alone(ledger, now, erp_missing=erp_missing)


def merge_orders(
    recorded: Mapping[str, LedgerOrder], documents: Mapping[str, ErpOrder], *, now: datetime, missing: Container[str]
) -> dict[str, OrderView]:
    """Return orders by id out of the halves that were read; ``missing`` are those whose ERP did not answer.

    A document that the ledger does not know of yet is left out, so that an order is the same whatever read it.
    """
    views = {}
    for order_id in (*recorded, *(other for other in documents if other not in recorded)):
        ledger = recorded.get(order_id)
        is_known = ledger is None or ledger.erp_number is not None
        document = documents.get(order_id) if is_known else None
        expected = order_id in missing and ledger is not None and is_known
        views[order_id] = merge_order(ledger, document, now=now, erp_missing=expected)
    return views


def recorded_statuses(merged: Collection[OrderStatus]) -> tuple[OrderStatus, ...]:
    """Return the statuses that the ledger can have for orders which are shown with one of these."""
    return tuple(
        status
        for status in OrderStatus
        if status in merged or any(_decided(status, document) in merged for document in _ERP_STATUSES)
    )


def home_of(ledger: LedgerOrder) -> SourceSystem:
    """Return the ERP that holds an order, or is going to."""
    return ledger.home_erp or NEW_HOME


def _with_erp(ledger: LedgerOrder | None, erp: ErpOrder, now: datetime) -> OrderView:
    recorded = {line.line_no: line for line in ledger.lines} if ledger is not None else {}
    return OrderView(
        id=erp.id,
        number=ledger.number if ledger is not None else erp.number,
        version=ledger.version if ledger is not None else 1,
        account_id=erp.account_id,
        ship_to_id=erp.ship_to_id or (ledger.ship_to_id if ledger is not None else None),
        po_number=erp.po_number or (ledger.po_number if ledger is not None else None),
        channel=ledger.channel if ledger is not None else erp.channel,
        status=erp.status if ledger is None else _decided(ledger.status, erp.status),
        currency=erp.currency,
        lines=tuple(
            _erp_line(erp.id, line, recorded.get(line.line_no))
            for line in erp.lines
            if ledger is None or line.line_no in recorded or not _is_taken_back(line)
        ),
        subtotal=erp.subtotal,
        tax=erp.tax,
        freight=erp.freight,
        total=erp.total,
        requested_date=erp.requested_date or (ledger.requested_date if ledger is not None else None),
        promised_date=erp.promised_date or (ledger.promised_date if ledger is not None else None),
        submitted_at=ledger.submitted_at if ledger is not None else erp.submitted_at,
        accepted_at=erp.accepted_at or (ledger.accepted_at if ledger is not None else None),
        completed_at=erp.completed_at or (ledger.completed_at if ledger is not None else None),
        opportunity_id=(ledger.opportunity_id if ledger is not None else None) or erp.opportunity_id,
        quote_id=(ledger.quote_id if ledger is not None else None) or erp.quote_id,
        home_erp=erp.home_erp,
        refs=erp.refs,
        holds=ledger.holds if ledger is not None else (),
        problems=ledger.exceptions if ledger is not None else (),
        in_erp=True,
        freshness=Freshness(erp.home_erp, now),
        recorded=ledger is not None,
    )


def _ledger_alone(ledger: LedgerOrder, now: datetime, *, erp_missing: bool) -> OrderView:
    lines = tuple(_ledger_line(ledger.id, line) for line in ledger.lines)
    amounts = [line.extended.amount for line in lines if line.extended is not None]
    subtotal = Money(sum(amounts, _NONE), ledger.currency)
    home = home_of(ledger)
    told_at = max(
        moment for moment in (ledger.submitted_at, ledger.accepted_at, ledger.completed_at) if moment is not None
    )
    stale = f"{home.value} did not answer: shown as the platform recorded it"
    return OrderView(
        id=ledger.id,
        number=ledger.number,
        version=ledger.version,
        account_id=ledger.account_id,
        ship_to_id=ledger.ship_to_id,
        po_number=ledger.po_number,
        channel=ledger.channel,
        status=ledger.status,
        currency=ledger.currency,
        lines=lines,
        subtotal=subtotal,
        tax=None,
        freight=None,
        total=subtotal,
        requested_date=ledger.requested_date,
        promised_date=ledger.promised_date,
        submitted_at=ledger.submitted_at,
        accepted_at=ledger.accepted_at,
        completed_at=ledger.completed_at,
        opportunity_id=ledger.opportunity_id,
        quote_id=ledger.quote_id,
        home_erp=home,
        refs=(ExternalRef(home, ledger.erp_number),) if ledger.erp_number is not None else (),
        holds=ledger.holds,
        problems=ledger.exceptions,
        in_erp=False,
        freshness=(
            Freshness(SourceSystem.PLATFORM, told_at, stale=True, note=stale)
            if erp_missing
            else Freshness(SourceSystem.PLATFORM, now)
        ),
    )


def _decided(recorded: OrderStatus, document: OrderStatus) -> OrderStatus:
    return document if document in _ERP_FINAL or recorded not in _PLATFORM_DECIDES else recorded


def _is_taken_back(line: ErpLine) -> bool:
    """Return whether a line is what the document keeps of one that was added by a change which was refused."""
    return line.cancelled >= line.ordered > _NONE


def _erp_line(order_id: str, line: ErpLine, recorded: LedgerLine | None) -> LineView:
    return LineView(
        order_id=order_id,
        line_no=line.line_no,
        sku=line.sku,
        description=line.description,
        uom=line.uom,
        ordered=line.ordered,
        allocated=line.allocated,
        backordered=line.backordered,
        shipped=line.shipped,
        invoiced=line.invoiced,
        cancelled=line.cancelled,
        unit_price=line.unit_price,
        extended=line.extended,
        promised_date=line.promised_date or (recorded.promised_date if recorded is not None else None),
        allocations=line.allocations or (recorded.allocations if recorded is not None else ()),
        requested_date=recorded.requested_date if recorded is not None else None,
        substituted=recorded is not None and recorded.substituted_by is not None,
    )


def _ledger_line(order_id: str, line: LedgerLine) -> LineView:
    price = line.unit_price
    return LineView(
        order_id=order_id,
        line_no=line.line_no,
        sku=line.sku,
        description=line.description,
        uom=line.quantity.uom,
        ordered=line.quantity.value,
        allocated=sum((entry.quantity.value for entry in line.allocations), _NONE),
        backordered=line.backordered,
        shipped=_NONE,
        invoiced=_NONE,
        cancelled=line.cancelled,
        unit_price=price,
        extended=None if price is None else round_to_minor(price.amount * line.wanted, price.currency),
        promised_date=line.promised_date,
        allocations=line.allocations,
        requested_date=line.requested_date,
        substituted=line.substituted_by is not None,
    )
