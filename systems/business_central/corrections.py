"""Posted invoices that were wrong: credited, and billed anew; the ERP keeps the key of each."""

from __future__ import annotations

from typing import Any

from schema.enums import SourceSystem
from schema.records.invoices import InvoicedLine, Rebilling
from systems.business_central.odata import Query, equals
from systems.business_central.reader import Reader
from systems.errors import NotFound

__all__ = ["Corrections"]


class Corrections:
    """:class:`systems.ports.InvoiceCorrections`."""

    _reader: Reader

    async def credit_invoice(self, key: str, number: str) -> str:
        """Credit a posted invoice as a whole, once per ``key``, and return the number of the credit memo.

        Raises:
            NotFound: the ERP has posted no such invoice.
            Rejected: the ERP refuses; ``reason`` says why.
            Unavailable: with ``outcome_unknown`` when it may be credited; repeating with the same key is safe.
        """
        operation = "credit invoice"
        answer = await self._correct(operation, number, "credit", {"key": key})
        return self._reader.read(operation, answer, _number, is_write=True)

    async def take_credit_back(self, key: str, number: str) -> None:
        """Have an invoice stand again that ``credit_invoice`` credited with this key; else nothing happens."""
        await self._correct("take credit back", number, "takeCreditBack", {"key": key})

    async def find_rebilling(self, key: str) -> str | None:
        """Return the number of the invoice that ``bill_anew`` made with this key, None when it made none."""
        query = Query("rebillings", "invoiceNumber", equals("key", key))
        found = await self._reader.rows("find rebilling", [query], lambda row: str(row["invoiceNumber"]))
        return found[0] if found else None

    async def bill_anew(self, rebilling: Rebilling) -> str:
        """Bill what a credited invoice should have, once per key, and return the number of the new invoice.

        Raises:
            NotFound: the ERP has posted no such invoice.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when it may be billed; repeating with the same key is safe.
        """
        operation = "bill anew"
        body = {
            "key": rebilling.key,
            "lines": [_line(line) for line in rebilling.lines],
            "taxAmount": str(rebilling.tax.amount),
            "freight": str(rebilling.freight.amount),
        }
        answer = await self._correct(operation, rebilling.number, "billAnew", body)
        return self._reader.read(operation, answer, _number, is_write=True)

    async def _correct(self, operation: str, number: str, action: str, body: Any) -> Any:
        query = Query("postedInvoices", "id", equals("number", number))
        found = await self._reader.rows(operation, [query], lambda row: str(row["id"]))
        if not found:
            raise NotFound(SourceSystem.CLOUD_ERP, operation, f"there is no posted invoice {number}")
        path = await self._reader.path(f"postedInvoices({found[0]})/Microsoft.NAV.{action}")
        return (await self._reader.client.send(operation, "POST", path, body)).body


def _line(line: InvoicedLine) -> dict[str, Any]:
    return {
        "sequence": line.line_no,
        "quantity": str(line.quantity),
        "unitPrice": str(line.unit_price.amount),
    }


def _number(body: Any) -> str:
    return str(body["number"])
