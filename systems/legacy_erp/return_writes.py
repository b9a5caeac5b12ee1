"""Returns: creating, cancelling, receiving, crediting. What was done under a key is not done again."""

from __future__ import annotations

from typing import Any

from schema.enums import SourceSystem
from schema.records.orders import Return, ReturnLine
from schema.records.returns import NewReturn, return_id
from schema.records.values import Money
from systems.errors import Conflict, NotFound, Rejected, Unexpected
from systems.legacy_erp.fields import QUANTITY, implied
from systems.legacy_erp.returns import Returns, read_return

__all__ = ["ReturnWrites"]

_ERP = SourceSystem.LEGACY_ERP


class ReturnWrites(Returns):
    """:class:`systems.ports.ReturnDesk`."""

    async def create_return(self, new: NewReturn) -> Return:
        """Create a released return, or return the one that its key created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when it may exist; sending again finds it.
        """
        order = {
            "KEY": new.key,
            "RMANO": new.rma_number,
            "ORXREF": new.order_id,
            "LINS": [
                {
                    "LINNO": line.line_no,
                    "RTNQT": implied(line.quantity.value, QUANTITY),
                    "UOM": line.quantity.uom,
                    "RSNCD": line.reason,
                }
                for line in new.lines
            ],
        }
        try:
            body = await self._programs.run("create return", "RMAENT", order)
        except Conflict as conflict:
            found = (await self.returns([return_id(new.rma_number)])).get(return_id(new.rma_number))
            if found is not None and found.order_id == new.order_id:
                return found
            said = f"the ERP has another return with the number {new.rma_number}"
            raise Rejected(_ERP, "create return", said, reason="NUMBER_TAKEN", fields=("number",)) from conflict
        return self._programs.read("create return", body, _first, is_write=True)

    async def cancel_return(self, number: str) -> None:
        """Cancel a return of which nothing has come back; nothing happens when there is none.

        Raises:
            Rejected: goods have come back already.
        """
        try:
            await self._programs.run("cancel return", "RMACNL", {"RMANO": number})
        except NotFound:
            return

    async def receive_return(self, key: str, number: str, lines: tuple[ReturnLine, ...]) -> None:
        """Note what came back and where it goes."""
        came = [
            {
                "LINNO": line.line_no,
                "RTNQT": implied(line.quantity.value, QUANTITY),
                "DSPCD": line.disposition or "",
            }
            for line in lines
        ]
        await self._programs.run("receive return", "RMARCV", {"KEY": key, "RMANO": number, "LINS": came})

    async def credit_return(self, key: str, number: str) -> Money:
        """Credit what came back, and return how much that is.

        Raises:
            Rejected: nothing has come back yet, or it is replaced.
        """
        body = await self._programs.run("credit return", "RMACRD", {"KEY": key, "RMANO": number})
        credit = self._programs.read("credit return", body, _first, is_write=True).credit
        if credit is None:
            raise Unexpected(_ERP, "credit return", f"return {number} is credited with no amount")
        return credit

    async def replace_return(self, key: str, number: str) -> None:
        """Close a return without a credit, because an order replaces what came back."""
        await self._programs.run("replace return", "RMARPL", {"KEY": key, "RMANO": number})


def _first(body: Any) -> Return:
    return read_return(body["RECS"][0])
