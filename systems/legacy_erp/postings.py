"""Invoices in the order in which the ERP posts them: entries of its journal, and the invoices that they name."""

from __future__ import annotations

from schema.records.invoices import InvoicedLine, LoggedPosting, PostedInvoice, UnreadablePosting
from systems.bulk import BAD_SHAPE
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
from systems.legacy_erp.journal import entries_after

__all__ = ["Postings"]


class Postings(Invoices):
    """:class:`systems.ports.InvoicePostings`."""

    async def posted_after(self, entry: int, limit: int) -> tuple[LoggedPosting, ...]:
        """Return at most ``limit`` invoices that were posted after this entry of the journal, the earliest first."""
        operation = "posted invoices"
        numbers = await entries_after(self._programs, operation, "IV", entry, limit)
        found = dict(await self._programs.by_keys(operation, "PSTINQ", ("INVNO", numbers), _keyed))
        return tuple(_logged(number, key, found.get(key)) for key, number in numbers.items())


def _keyed(record: Record) -> tuple[str, Record]:
    try:
        return read_text(record, "INVNO"), record
    except BAD_SHAPE:
        return "", record  # it is missed under the number that the journal has


def _logged(entry: int, key: str, record: Record | None) -> LoggedPosting:
    if record is None:
        return UnreadablePosting(entry, f"the journal names invoice {key}, which is not there", {"KEY": key})
    try:
        return _posted(entry, record)
    except BAD_SHAPE as error:
        return UnreadablePosting(entry, f"{type(error).__name__} {error}", record)


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
