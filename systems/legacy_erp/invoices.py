"""Invoices, and what was posted with their lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schema.enums import InvoiceStatus
from schema.records.orders import Invoice
from systems.legacy_erp.fields import (
    Record,
    read_date,
    read_moment,
    read_money,
    read_text,
    read_word,
    text_or_none,
)
from systems.legacy_erp.programs import Programs, in_calls

__all__ = ["Invoices", "own_numbers", "read_invoice"]

MAX_NEWEST = 200
"""Invoices that a program shows of a customer."""

_PREFIX = "inv_"
_STATUS = {
    "DR": InvoiceStatus.DRAFT,
    "OP": InvoiceStatus.POSTED,
    "PP": InvoiceStatus.PARTIALLY_PAID,
    "PD": InvoiceStatus.PAID,
    "CR": InvoiceStatus.CREDITED,
    "VD": InvoiceStatus.VOID,
}


class Invoices:
    """:class:`systems.ports.InvoiceBook`."""

    _programs: Programs

    async def invoices(self, ids: Sequence[str]) -> Mapping[str, Invoice]:
        """Return invoices by platform id."""
        numbers = own_numbers(ids, _PREFIX)
        found = await self._programs.by_keys("invoices", "INVINQ", ("INVNO", numbers), read_invoice)
        return {invoice.id: invoice for invoice in found}

    async def invoices_of(self, account_ids: Sequence[str], limit: int) -> Mapping[str, tuple[Invoice, ...]]:
        """Return each account's newest invoices, newest first; fifty accounts are one question."""
        found: dict[str, list[Invoice]] = {account_id: [] for account_id in account_ids}
        if limit > 0:
            questions = [{"KEYS": keys, "LIMIT": min(limit, MAX_NEWEST)} for keys in in_calls(found)]
            for invoice in await self._programs.each("invoices of accounts", "INVNEW", questions, read_invoice):
                found[invoice.account_id].append(invoice)
        return {account_id: tuple(invoices) for account_id, invoices in found.items()}

    async def invoices_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Invoice, ...]]:
        """Return invoices per order, oldest first."""
        found: dict[str, list[Invoice]] = {order_id: [] for order_id in order_ids}
        for invoice in await self._programs.by_keys("invoices of orders", "INVINQ", ("ORDX", found), read_invoice):
            if invoice.order_id is not None:
                found[invoice.order_id].append(invoice)
        return {order_id: tuple(invoices) for order_id, invoices in found.items()}


def own_numbers(ids: Sequence[str], prefix: str) -> list[str]:
    """Return the ERP's numbers within platform ids; other ids are nobody's."""
    return [platform_id.removeprefix(prefix) for platform_id in ids if platform_id.startswith(prefix)]


def read_invoice(record: Record) -> Invoice:
    """Return an invoice."""
    number, currency = read_text(record, "INVNO"), read_text(record, "CURCD")
    return Invoice(
        id=f"{_PREFIX}{number}",
        number=number,
        account_id=read_text(record, "CUXREF"),
        order_id=text_or_none(record, "ORXREF"),
        status=read_word("invoice status", record, "IVSTS", _STATUS),
        posted_at=read_moment(record, "PST"),
        due_date=read_date(record, "DUEDT"),
        total=read_money(record, "TOTAM", currency),
        balance=read_money(record, "BALAM", currency),
        pdf_url=None,
    )
