"""Invoices that customers do not see yet, because they do not fit their orders and finance has not decided."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiodataloader import DataLoader

from schema.records.orders import Invoice, LedgerOrder
from schema.records.problems import InvoiceMismatch

__all__ = ["without_withheld"]


async def without_withheld(
    invoices: Sequence[Invoice], orders: DataLoader[str, LedgerOrder | None]
) -> Sequence[Invoice]:
    """Return the invoices that are published; ``orders`` loads orders as the ledger has them."""
    billed = list(dict.fromkeys(invoice.order_id for invoice in invoices if invoice.order_id is not None))
    found = await asyncio.gather(*(orders.load(order_id) for order_id in billed))
    withheld = {
        problem.invoice_number
        for order in found
        if order is not None
        for problem in order.exceptions
        if isinstance(problem, InvoiceMismatch)
    }
    return [invoice for invoice in invoices if invoice.number not in withheld]
