"""Sales orders: creating, cancelling, setting stock aside.

The key of a new order becomes its external document number, of which the ERP has one at most. Other writes first look
up the document that they mean; repeating one finds its effect done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schema.enums import SourceSystem
from schema.records.orders import ErpOrder, ErpOrderChange, NewErpOrder
from systems.business_central.odata import Query, equals
from systems.business_central.order_records import (
    EXPAND_LINES,
    ORDER_FIELDS,
    read_allocation,
    read_order,
    write_change,
    write_order,
)
from systems.business_central.orders import OrderReads
from systems.errors import Conflict, NotFound, Rejected
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
        path = await self._reader.path(Query("orders", ORDER_FIELDS, expand=EXPAND_LINES).address())
        try:
            answer = await self._reader.client.send("create order", "POST", path, write_order(order))
        except Conflict as conflict:
            found = await self.find_order(order.key)
            if found is not None:
                return found
            said = f"the ERP has another document with the number {order.number} or of the order {order.order_id}"
            raise Rejected(
                SourceSystem.CLOUD_ERP, "create order", said, reason="NUMBER_TAKEN", fields=("number",)
            ) from conflict
        return self._reader.read("create order", answer.body, read_order, is_write=True)

    async def cancel_order(self, key: str) -> None:
        """Cancel the order that ``key`` created; nothing happens when there is none.

        Raises:
            Rejected: goods are shipped already.
        """
        document = await self._document("cancel order", "externalDocumentNumber", key)
        if document is not None:
            await self._act("cancel order", document, "cancel")

    async def change_order(self, change: ErpOrderChange) -> ErpOrder:
        """Change lines of an order and add others, once per key, and return the order as it is then.

        Raises:
            NotFound: there is no such order.
            Conflict: somebody else changed it at the same moment; nothing was done.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        query = Query("orders", "id", equals("orderId", change.order_id))
        found = await self._reader.rows("change order", [query], lambda row: (str(row["id"]), str(row["@odata.etag"])))
        if not found:
            said = f"there is no document of the order {change.order_id}"
            raise NotFound(SourceSystem.CLOUD_ERP, "change order", said)
        document, etag = found[0]
        path = await self._reader.path(f"orders({document})/Microsoft.NAV.change")
        await self._reader.client.send("change order", "POST", path, write_change(change), headers={"If-Match": etag})
        changed = (await self.orders([change.order_id])).get(change.order_id)
        if changed is None:
            raise NotFound(SourceSystem.CLOUD_ERP, "change order", f"the order {change.order_id} has gone")
        return changed

    async def allocate(self, key: str, order_id: str) -> tuple[AllocationResult, ...]:
        """Set stock aside for every line, once per ``key``, and return what each line got.

        Raises:
            NotFound: the ERP has no such order.
            Rejected: the order is not open.
        """
        document = await self._document("allocate", "orderId", order_id)
        if document is None:
            raise NotFound(SourceSystem.CLOUD_ERP, "allocate", f"there is no document of the order {order_id}")
        body = await self._act("allocate", document, "allocate", {"key": key})
        return self._reader.read("allocate", body, _allocations, is_write=True)

    async def deallocate(self, key: str, order_id: str) -> None:
        """Give back what ``allocate`` with this key set aside; nothing happens when it did not."""
        document = await self._document("deallocate", "orderId", order_id)
        if document is not None:
            await self._act("deallocate", document, "deallocate", {"key": key})

    async def _document(self, operation: str, field: str, value: str) -> str | None:
        """Return the ERP's own id of a document."""
        query = Query("orders", "id", equals(field, value))
        found: Sequence[str] = await self._reader.rows(operation, [query], lambda row: str(row["id"]))
        return found[0] if found else None

    async def _act(self, operation: str, document: str, action: str, body: Any = None) -> Any:
        path = await self._reader.path(f"orders({document})/Microsoft.NAV.{action}")
        return (await self._reader.client.send(operation, "POST", path, body)).body


def _allocations(body: Any) -> tuple[AllocationResult, ...]:
    return tuple(read_allocation(row) for row in body["value"])
