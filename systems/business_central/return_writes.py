"""Returns: creating, cancelling, receiving, crediting. What was done under a key is not done again."""

from __future__ import annotations

from typing import Any

from schema.enums import SourceSystem
from schema.records.orders import Return, ReturnLine
from schema.records.returns import NewReturn, return_id
from schema.records.values import Money
from systems.business_central.invoices import Returns
from systems.business_central.odata import Query, equals
from systems.business_central.values import json_number
from systems.errors import Conflict, NotFound, Rejected, Unexpected

__all__ = ["ReturnWrites"]

_ERP = SourceSystem.CLOUD_ERP


class ReturnWrites(Returns):
    """:class:`systems.ports.ReturnDesk`."""

    async def create_return(self, new: NewReturn) -> Return:
        """Create a released return, or return the one that its key created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when it may exist; sending again finds it.
        """
        body = {
            "key": new.key,
            "number": new.rma_number,
            "orderId": new.order_id,
            "lines": [
                {
                    "sequence": line.line_no,
                    "quantity": json_number(line.quantity.value),
                    "unitOfMeasureCode": line.quantity.uom,
                    "reason": line.reason,
                }
                for line in new.lines
            ],
        }
        path = await self._reader.path("returnOrders")
        try:
            await self._reader.client.send("create return", "POST", path, body)
        except Conflict as conflict:
            found = (await self.returns([return_id(new.rma_number)])).get(return_id(new.rma_number))
            if found is not None and found.order_id == new.order_id:
                return found
            said = f"the ERP has another return with the number {new.rma_number}"
            raise Rejected(_ERP, "create return", said, reason="NUMBER_TAKEN", fields=("number",)) from conflict
        return await self._return("create return", new.rma_number)

    async def cancel_return(self, number: str) -> None:
        """Cancel a return of which nothing has come back; nothing happens when there is none.

        Raises:
            Rejected: goods have come back already.
        """
        document = await self._return_document("cancel return", number)
        if document is not None:
            await self._act_on_return("cancel return", document, "cancel", None)

    async def receive_return(self, key: str, number: str, lines: tuple[ReturnLine, ...]) -> None:
        """Note what came back and where it goes."""
        came = [
            {
                "sequence": line.line_no,
                "quantity": json_number(line.quantity.value),
                "disposition": line.disposition,
            }
            for line in lines
        ]
        await self._on_return("receive return", number, "receive", {"key": key, "lines": came})

    async def credit_return(self, key: str, number: str) -> Money:
        """Credit what came back, and return how much that is.

        Raises:
            Rejected: nothing has come back yet, or it is replaced.
        """
        await self._on_return("credit return", number, "credit", {"key": key})
        credit = (await self._return("credit return", number)).credit
        if credit is None:
            raise Unexpected(_ERP, "credit return", f"return {number} is credited with no amount")
        return credit

    async def replace_return(self, key: str, number: str) -> None:
        """Close a return without a credit, because an order replaces what came back."""
        await self._on_return("replace return", number, "replace", {"key": key})

    async def _on_return(self, operation: str, number: str, action: str, body: Any) -> None:
        document = await self._return_document(operation, number)
        if document is None:
            raise NotFound(_ERP, operation, f"there is no return {number}")
        await self._act_on_return(operation, document, action, body)

    async def _act_on_return(self, operation: str, document: str, action: str, body: Any) -> None:
        path = await self._reader.path(f"returnOrders({document})/Microsoft.NAV.{action}")
        await self._reader.client.send(operation, "POST", path, body)

    async def _return(self, operation: str, number: str) -> Return:
        found = (await self.returns([return_id(number)])).get(return_id(number))
        if found is None:
            raise NotFound(_ERP, operation, f"there is no return {number}")
        return found

    async def _return_document(self, operation: str, number: str) -> str | None:
        query = Query("returnOrders", "id", equals("number", number))
        found = await self._reader.rows(operation, [query], lambda row: str(row["id"]))
        return found[0] if found else None
