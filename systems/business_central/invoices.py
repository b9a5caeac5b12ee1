"""Posted invoices and returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from schema.enums import InvoiceStatus, ReturnStatus
from schema.records.orders import Invoice, Return, ReturnLine
from schema.records.values import Quantity
from systems.business_central.odata import Query, equals, within
from systems.business_central.reader import Reader
from systems.business_central.values import read_amount, read_date, read_money, read_time, word

__all__ = ["INVOICE_FIELDS", "Invoices", "Returns", "read_invoice"]

INVOICE_FIELDS = "number,accountId,orderId,status,postedAt,dueDate,currencyCode,totalAmountIncludingTax,remainingAmount"
_RETURN = "number,accountId,orderId,status,currencyCode,creditAmount,lines,createdAt"
_INVOICE_PREFIX, _RETURN_PREFIX = "inv_", "rma_"

_INVOICE_STATUS = {
    "Draft": InvoiceStatus.DRAFT,
    "Open": InvoiceStatus.POSTED,
    "Paid": InvoiceStatus.PAID,
    "Canceled": InvoiceStatus.VOID,
    "Corrective": InvoiceStatus.CREDITED,
}
_RETURN_STATUS = {
    "Open": ReturnStatus.REQUESTED,
    "Released": ReturnStatus.APPROVED,
    "Denied": ReturnStatus.DENIED,
    "In Transit": ReturnStatus.IN_TRANSIT,
    "Received": ReturnStatus.RECEIVED,
    "Inspected": ReturnStatus.INSPECTED,
    "Credited": ReturnStatus.CREDITED,
    "Replaced": ReturnStatus.REPLACED,
    "Closed": ReturnStatus.CLOSED,
    "Canceled": ReturnStatus.CANCELLED,
}


class Invoices:
    """:class:`systems.ports.InvoiceBook`."""

    _reader: Reader

    async def invoices(self, ids: Sequence[str]) -> Mapping[str, Invoice]:
        """Return invoices by platform id."""
        queries = [
            Query("invoices", INVOICE_FIELDS, where) for where in within("number", _numbers(ids, _INVOICE_PREFIX))
        ]
        return {invoice.id: invoice for invoice in await self._reader.rows("invoices", queries, read_invoice)}

    async def invoices_of(self, account_ids: Sequence[str], limit: int) -> Mapping[str, tuple[Invoice, ...]]:
        """Return each account's newest invoices, newest first; each account is a question of one batch."""
        accounts = list(dict.fromkeys(account_ids))
        if limit < 1:
            return dict.fromkeys(accounts, ())
        queries = [
            Query(
                "invoices",
                INVOICE_FIELDS,
                equals("accountId", account_id),
                order="postedAt desc,number desc",
                top=limit,
            )
            for account_id in accounts
        ]
        found = await self._reader.each("invoices of accounts", queries, read_invoice)
        return {account_id: tuple(invoices) for account_id, invoices in zip(accounts, found, strict=True)}

    async def invoices_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Invoice, ...]]:
        """Return invoices per order, oldest first."""
        queries = [
            Query("invoices", INVOICE_FIELDS, where, order="postedAt,number") for where in within("orderId", order_ids)
        ]
        found: dict[str, list[Invoice]] = {order_id: [] for order_id in order_ids}
        for invoice in await self._reader.rows("invoices of orders", queries, read_invoice):
            if invoice.order_id is not None:
                found[invoice.order_id].append(invoice)
        return {order_id: tuple(invoices) for order_id, invoices in found.items()}


class Returns:
    """:class:`systems.ports.ReturnBook`."""

    _reader: Reader

    async def returns(self, ids: Sequence[str]) -> Mapping[str, Return]:
        """Return RMAs by platform id."""
        conditions = within("number", _numbers(ids, _RETURN_PREFIX))
        return {entry.id: entry for entry in await self._returns("returns", conditions, "number")}

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per order, oldest first."""
        found: dict[str, list[Return]] = {order_id: [] for order_id in order_ids}
        for entry in await self._returns("returns of orders", within("orderId", order_ids), "createdAt,number"):
            found[entry.order_id].append(entry)
        return {order_id: tuple(entries) for order_id, entries in found.items()}

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per account, newest first."""
        found: dict[str, list[Return]] = {account_id: [] for account_id in account_ids}
        conditions = within("accountId", account_ids)
        for entry in await self._returns("returns of accounts", conditions, "createdAt desc,number desc"):
            found[entry.account_id].append(entry)
        return {account_id: tuple(entries) for account_id, entries in found.items()}

    async def _returns(self, operation: str, conditions: Sequence[str], order: str) -> list[Return]:
        queries = [Query("returnOrders", _RETURN, where, order=order) for where in conditions]
        return await self._reader.rows(operation, queries, _return)


def _numbers(ids: Sequence[str], prefix: str) -> list[str]:
    """Return the ERP's numbers within platform ids; other ids are nobody's."""
    return [platform_id.removeprefix(prefix) for platform_id in ids if platform_id.startswith(prefix)]


def read_invoice(row: Mapping[str, Any]) -> Invoice:
    """Return an invoice."""
    currency = row["currencyCode"]
    total, balance = read_money(row["totalAmountIncludingTax"], currency), read_money(row["remainingAmount"], currency)
    return Invoice(
        id=f"{_INVOICE_PREFIX}{row['number']}",
        number=row["number"],
        account_id=row["accountId"],
        order_id=row["orderId"],
        status=_invoice_status(row["status"], total.amount, balance.amount),
        posted_at=read_time(row["postedAt"]),
        due_date=read_date(row["dueDate"]),
        total=total,
        balance=balance,
        pdf_url=None,
    )


def _invoice_status(text: Any, total: Decimal, balance: Decimal) -> InvoiceStatus:
    """Return the status; the ERP has no word for an invoice of which a part is paid."""
    status = word("invoice status", text, _INVOICE_STATUS)
    return InvoiceStatus.PARTIALLY_PAID if status is InvoiceStatus.POSTED and balance < total else status


def _return(row: Mapping[str, Any]) -> Return:
    credit, created = row["creditAmount"], read_time(row["createdAt"])
    if created is None:
        raise ValueError(f"return {row['number']} has no time of creation")
    return Return(
        id=f"{_RETURN_PREFIX}{row['number']}",
        rma_number=row["number"],
        account_id=row["accountId"],
        order_id=row["orderId"],
        status=word("return status", row["status"], _RETURN_STATUS),
        lines=tuple(_return_line(line) for line in row["lines"]),
        credit=None if credit is None else read_money(credit, row["currencyCode"]),
        created_at=created,
    )


def _return_line(line: Mapping[str, Any]) -> ReturnLine:
    return ReturnLine(
        line_no=int(line["sequence"]),
        sku=line["itemNumber"],
        quantity=Quantity(read_amount(line["quantity"]), line["unitOfMeasureCode"]),
        reason=line["reason"],
        disposition=line["disposition"],
    )
