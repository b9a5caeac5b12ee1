"""Invoices in the order in which the ERP posts them: entries of its journal, and the invoices that they name."""

from __future__ import annotations

from collections.abc import Mapping

from schema.records.invoices import InvoicedLine, PostedInvoice
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
from systems.legacy_erp.journal import read_after

__all__ = ["Postings"]


class Postings(Invoices):
    """:class:`systems.ports.InvoicePostings`."""

    async def posted_after(self, entry: int, limit: int) -> tuple[PostedInvoice, ...]:
        """Return at most ``limit`` invoices that were posted after this entry of the journal, the earliest first."""
        look_up = ("PSTINQ", "INVNO", _posted)
        found = await read_after(self._programs, "posted invoices", "IV", (entry, limit), look_up)
        return tuple(sorted(found, key=lambda posted: posted.entry))


def _posted(record: Record, numbers: Mapping[str, int]) -> PostedInvoice:
    currency, invoice = read_text(record, "CURCD"), read_invoice(record)
    return PostedInvoice(
        entry=numbers[invoice.number],
        invoice=invoice,
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
