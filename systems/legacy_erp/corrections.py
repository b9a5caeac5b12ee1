"""Posted invoices that were wrong: credited, and billed anew; the ERP keeps the key of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.records.invoices import Rebilling
from systems.legacy_erp.fields import MONEY, QUANTITY, UNIT_PRICE, implied, read_text
from systems.legacy_erp.programs import Programs

__all__ = ["Corrections"]


class Corrections:
    """:class:`systems.ports.InvoiceCorrections`."""

    _programs: Programs

    async def credit_invoice(self, key: str, number: str) -> str:
        """Credit a posted invoice as a whole, once per ``key``, and return the number of the credit memo.

        Raises:
            NotFound: the ERP has posted no such invoice.
            Rejected: the ERP refuses; ``reason`` says why.
            Unavailable: with ``outcome_unknown`` when it may be credited; repeating with the same key is safe.
        """
        return await self._document("credit invoice", "INVCRD", {"KEY": key, "INVNO": number})

    async def take_credit_back(self, key: str, number: str) -> None:
        """Have an invoice stand again that ``credit_invoice`` credited with this key; else nothing happens."""
        await self._programs.run("take credit back", "INVUCR", {"KEY": key, "INVNO": number})

    async def find_rebilling(self, key: str) -> str | None:
        """Return the number of the invoice that ``bill_anew`` made with this key, None when it made none."""
        found = await self._programs.by_keys(
            "find rebilling", "RBLINQ", ("KEY", [key]), lambda record: read_text(record, "INVNO")
        )
        return found[0] if found else None

    async def bill_anew(self, rebilling: Rebilling) -> str:
        """Bill what a credited invoice should have, once per key, and return the number of the new invoice.

        Raises:
            NotFound: the ERP has posted no such invoice.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when it may be billed; repeating with the same key is safe.
        """
        order = {
            "KEY": rebilling.key,
            "INVNO": rebilling.number,
            "TAXAM": implied(rebilling.tax.amount, MONEY),
            "FRTAM": implied(rebilling.freight.amount, MONEY),
            "LINS": [
                {
                    "LINNO": line.line_no,
                    "BILQT": implied(line.quantity, QUANTITY),
                    "UNPRC": implied(line.unit_price.amount, UNIT_PRICE),
                }
                for line in rebilling.lines
            ],
        }
        return await self._document("bill anew", "INVRBL", order)

    async def _document(self, operation: str, program: str, order: Mapping[str, Any]) -> str:
        """Return the number of the document that a program made."""
        body = await self._programs.run(operation, program, order)
        return self._programs.read(operation, body, lambda body: read_text(body["RECS"][0], "DOCNO"), is_write=True)
