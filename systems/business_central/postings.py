"""Invoices in the order in which the ERP posts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.records.entries import UnreadableEntry
from schema.records.invoices import InvoicedLine, LoggedPosting, PostedInvoice
from systems.bulk import BAD_SHAPE
from systems.business_central.invoices import INVOICE_FIELDS, Invoices, read_invoice
from systems.business_central.odata import Query
from systems.business_central.values import read_amount, read_money

__all__ = ["Postings"]

_FIELDS = f"entryNo,taxAmount,freight,lines,{INVOICE_FIELDS}"


class Postings(Invoices):
    """:class:`systems.ports.InvoicePostings`."""

    async def posted_after(self, entry: int, limit: int) -> tuple[LoggedPosting, ...]:
        """Return at most ``limit`` invoices that were posted after this entry, the earliest first."""
        query = Query("postedInvoices", _FIELDS, f"entryNo gt {entry}", order="entryNo", top=limit)
        return tuple(await self._reader.rows("posted invoices", [query], _logged))


def _logged(row: Mapping[str, Any]) -> LoggedPosting:
    """Return a posting; only what has no number at all keeps those behind it from being read."""
    entry = int(row["entryNo"])
    try:
        return _posted(entry, row)
    except BAD_SHAPE as error:
        return UnreadableEntry(entry, f"{type(error).__name__} {error}", row)


def _posted(entry: int, row: Mapping[str, Any]) -> PostedInvoice:
    currency = row["currencyCode"]
    return PostedInvoice(
        entry=entry,
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
