"""What an invoice is compared with: its order as it was accepted, and what has left the warehouses."""

from __future__ import annotations

from decimal import Decimal

from processes.dependencies import Dependencies
from processes.invoice_case import InvoiceCase
from processes.rules.invoice_match import Agreed, AgreedLine
from processes.rules.uom import factor
from schema.enums import InvoiceStatus
from schema.orders.delivery import has_left
from schema.orders.views import Delivery
from schema.records.orders import ErpOrder
from schema.records.problems import ValidationFailed
from schema.records.values import Money
from systems.errors import NotFound

__all__ = ["agreed_of", "shipped_of"]

_NONE = Decimal(0)
_VOID = (InvoiceStatus.CREDITED, InvoiceStatus.VOID)


async def agreed_of(case: InvoiceCase, *, is_credited: bool = False) -> Agreed:
    """Return the order as it was accepted and shipped; the ERP counts a credited invoice no more.

    Raises:
        NotFound: the ERP has no such order.
    """
    document = (await case.use.erp.orders([case.order_id])).get(case.order_id)
    if document is None:
        said = f"invoice {case.number} bills order {case.order_id}, which is not there"
        raise NotFound(case.home_erp, "match invoice", said)
    shipped = await shipped_of(case.use, document)
    order = await case.order()
    prices = {} if order is None else {line.line_no: line.unit_price for line in order.lines}
    billed = {} if is_credited else {line.line_no: line.quantity for line in case.posted.lines}
    earlier = [
        entry
        for entry in (await case.use.erp.invoices_of_orders([case.order_id])).get(case.order_id, ())
        if entry.number != case.number and entry.posted_at is not None and case.posted.invoice.posted_at is not None
        and entry.posted_at <= case.posted.invoice.posted_at and entry.status not in _VOID
    ]  # fmt: skip
    none = Money(_NONE, document.currency)
    return Agreed(
        lines={
            line.line_no: AgreedLine(
                unit_price=prices.get(line.line_no) or line.unit_price,
                shipped=shipped.get(line.line_no, _NONE),
                billed=max(line.invoiced - billed.get(line.line_no, _NONE), _NONE) if earlier else _NONE,
            )
            for line in document.lines
        },
        subtotal=document.subtotal,
        tax=document.tax,
        freight=none if earlier else document.freight,
    )


async def shipped_of(use: Dependencies, document: ErpOrder) -> dict[int, Decimal]:
    """Return what has left the warehouses per line, in the line's unit."""
    shipments = (await use.wms.shipments_of([document.id])).get(document.id, ())
    loads = await use.tms.tracking([entry.number for entry in shipments])
    items = await use.erp.items(sorted({line.sku for line in document.lines}))
    lines = {line.line_no: line for line in document.lines}
    found: dict[int, Decimal] = {}
    for entry in shipments:
        if not has_left(Delivery(entry, loads.get(entry.number))):
            continue
        for carried in entry.lines:
            line = lines.get(carried.line_no)
            item = None if line is None else items.get(line.sku)
            if line is not None and item is not None:
                base, one = factor(carried.quantity.uom, item), factor(line.uom, item)
                if not isinstance(base, ValidationFailed) and not isinstance(one, ValidationFailed):
                    came = carried.quantity.value * base / one
                    found[carried.line_no] = found.get(carried.line_no, _NONE) + came
    return found
