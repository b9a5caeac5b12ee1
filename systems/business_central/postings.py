"""Invoices in the order in which the ERP posts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.records.invoices import InvoicedLine, PostedInvoice
from systems.business_central.invoices import INVOICE_FIELDS, Invoices, read_invoice
from systems.business_central.odata import Query
from systems.business_central.values import read_amount, read_money

__all__ = ["Postings"]

_FIELDS = f"entryNo,taxAmount,freight,lines,{INVOICE_FIELDS}"


class Postings(Invoices):
    """:class:`systems.ports.InvoicePostings`."""

    async def posted_after(self, entry: int, limit: int) -> tuple[PostedInvoice, ...]:
        """Return at most ``limit`` invoices that were posted after this entry, the earliest first."""
        query = Query("postedInvoices", _FIELDS, f"entryNo gt {entry}", order="entryNo", top=limit)
        return tuple(await self._reader.rows("posted invoices", [query], _posted))


def _posted(row: Mapping[str, Any]) -> PostedInvoice:
    currency = row["currencyCode"]
    return PostedInvoice(
        entry=int(row["entryNo"]),
        invoice=read_invoice(row),
        tax=read_money(row["taxAmount"], currency),
        freight=read_money(row["freight"], currency),
        lines=tuple(
            InvoicedLine(
                line_no=int(line["sequence"]),
                quantity=read_amount(line["quantity"]),
                unit_price=read_money(line["unitPrice"], currency),
                net=read_money(line["netAmount"], currency),
            )
            for line in row["lines"]
        ),
    )
