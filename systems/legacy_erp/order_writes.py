"""Sales orders: entering, cancelling, changing, setting stock aside.

Each is one call of one program, which looks up what it means by the ids that we gave; repeating it finds its effect
done.
"""

from __future__ import annotations

from typing import Any

from schema.enums import SourceSystem
from schema.records.orders import ErpOrder, ErpOrderChange, NewErpOrder
from systems.errors import Conflict, NotFound, Rejected
from systems.legacy_erp.order_records import read_allocation, read_order, write_change, write_order
from systems.legacy_erp.orders import OrderReads
from systems.ports import AllocationResult

__all__ = ["OrderWrites"]


class OrderWrites(OrderReads):
    """:class:`systems.ports.OrderBook`."""

    async def create_order(self, order: NewErpOrder) -> ErpOrder:
        """Create and accept an order, or return the one that its key created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when the document may exist: ``find_order`` tells.
        """
        try:
            body = await self._programs.run("create order", "ORDENT", write_order(order))
        except Conflict as conflict:
            found = await self.find_order(order.key)
            if found is not None:
                return found
            said = f"the ERP has another document with the number {order.number} or of the order {order.order_id}"
            raise Rejected(
                SourceSystem.LEGACY_ERP, "create order", said, reason="NUMBER_TAKEN", fields=("number",)
            ) from conflict
        return self._programs.read("create order", body, _first, is_write=True)

    async def cancel_order(self, key: str) -> None:
        """Cancel the order that ``key`` created; nothing happens when there is none.

        Raises:
            Rejected: goods are shipped already.
        """
        try:
            await self._programs.run("cancel order", "ORDCNL", {"EXTDC": key})
        except NotFound:
            return

    async def change_order(self, change: ErpOrderChange) -> ErpOrder:
        """Change lines of an order and add others, once per key, and return the order as it is then.

        The program has the order for itself while it changes it: nobody comes between.

        Raises:
            NotFound: there is no such order.
            Conflict: the key has changed another order; nothing was done.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        body = await self._programs.run("change order", "ORDCHG", write_change(change))
        return self._programs.read("change order", body, _first, is_write=True)

    async def allocate(self, key: str, order_id: str) -> tuple[AllocationResult, ...]:
        """Set stock aside for every line, once per ``key``, and return what each line got.

        Raises:
            NotFound: the ERP has no such order.
            Rejected: the order is not open.
        """
        body = await self._programs.run("allocate", "ORDALC", {"KEY": key, "ORXREF": order_id})
        return self._programs.read("allocate", body, _allocations, is_write=True)

    async def deallocate(self, key: str, order_id: str) -> None:
        """Give back what ``allocate`` with this key set aside; nothing happens when it did not."""
        try:
            await self._programs.run("deallocate", "ORDDLC", {"KEY": key, "ORXREF": order_id})
        except NotFound:
            return


def _first(body: Any) -> ErpOrder:
    return read_order(body["RECS"][0])


def _allocations(body: Any) -> tuple[AllocationResult, ...]:
    return tuple(read_allocation(record) for record in body["RECS"])
