# No postponed annotations: strawberry reads them.
"""Returns (RMA)."""

import datetime as dt

import strawberry
from strawberry import Info

from schema.enums import ReturnStatus
from schema.graphql.values import Money, Node, Quantity, money
from schema.orders.context import OrdersContext
from schema.orders.order import Order, OrderLine
from schema.records import orders as records

__all__ = ["Return", "ReturnLine"]

_Ctx = Info[OrdersContext, None]
_PREFIX = "rma_"


@strawberry.type(description="A returned line.")
class ReturnLine:
    """A returned line."""

    order_id: strawberry.Private[str]
    line_no: strawberry.Private[int]
    quantity: Quantity
    reason: str
    disposition: str | None

    @strawberry.field
    async def order_line(self, info: _Ctx) -> OrderLine:
        """The line that comes back."""
        found = await info.context.reader.line(self.order_id, self.line_no)
        if found is None:
            raise LookupError(f"order {self.order_id} has no line {self.line_no}, but a return names it")
        return OrderLine.of(*found)


@strawberry.federation.type(keys=["id", "rmaNumber"], description="Goods that a customer sends back.")
class Return(Node):
    """A return."""

    record: strawberry.Private[records.Return]
    rma_number: str
    status: ReturnStatus
    credit: Money | None
    created_at: dt.datetime

    @classmethod
    def of(cls, record: records.Return) -> "Return":
        """Return an RMA as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            rma_number=record.rma_number,
            status=record.status,
            credit=money(record.credit),
            created_at=record.created_at,
        )

    @classmethod
    async def resolve_reference(
        cls,
        info: _Ctx,
        id: strawberry.ID | None = None,  # noqa: A002 - the key is called so
        rmaNumber: str | None = None,  # noqa: N803 - representations carry GraphQL names
    ) -> "Return | None":
        """Return the RMA that a representation names; its id is made of its number."""
        found = await info.context.reader.return_(f"{_PREFIX}{rmaNumber}" if id is None else id)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def order(self, info: _Ctx) -> Order:
        """The order that is returned."""
        found = await info.context.reader.order(self.record.order_id)
        if found is None:
            raise LookupError(f"return {self.record.rma_number} is of order {self.record.order_id}, which is unknown")
        return Order.of(found)

    @strawberry.field
    def lines(self) -> list[ReturnLine]:
        """What comes back."""
        return [
            ReturnLine(
                order_id=self.record.order_id,
                line_no=line.line_no,
                quantity=Quantity.of(line.quantity),
                reason=line.reason,
                disposition=line.disposition,
            )
            for line in self.record.lines
        ]
