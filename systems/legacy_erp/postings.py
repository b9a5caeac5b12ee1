"""Invoices in the order in which the ERP posts them: entries of its journal, and the invoices that they name."""

from __future__ import annotations

from schema.records.invoices import InvoicedLine, LoggedPosting, PostedInvoice
from systems.legacy_erp.fields import (
    QUANTITY,
    UNIT_PRICE,
    Record,
    read_amount,
    read_count,
    read_money,
    read_text,
)
from systems.legacy_erp.invoices import Invoices, read_invoice
from systems.legacy_erp.journal import LoggedRecords

__all__ = ["Postings"]


class Postings(Invoices):
    """:class:`systems.ports.InvoicePostings`."""

    async def posted_after(self, entry: int, limit: int) -> tuple[LoggedPosting, ...]:
        """Return at most ``limit`` invoices that were posted after this entry of the journal, the earliest first."""
        return await _POSTINGS.after(self._programs, "posted invoices", entry, limit)


def _posted(entry: int, record: Record) -> PostedInvoice:
    currency = read_text(record, "CURCD")
    return PostedInvoice(
        entry=entry,
        invoice=read_invoice(record),
        tax=read_money(record, "TAXAM", currency),
        freight=read_money(record, "FRTAM", currency),
        lines=tuple(
            InvoicedLine(
                line_no=read_count(line, "LINNO"),
                quantity=read_amount(line, "BILQT", QUANTITY),
                unit_price=read_money(line, "UNPRC", currency, UNIT_PRICE),
                net=read_money(line, "NETAM", currency),
            )
            for line in record["LINS"]
        ),
    )


_POSTINGS: LoggedRecords[PostedInvoice] = LoggedRecords(
    what="invoice",
    kind="IV",
    program="PSTINQ",
    field="INVNO",
    key=lambda record: read_text(record, "INVNO"),
    read=_posted,
)
