# No postponed annotations: strawberry reads them.
"""Invoices."""

import datetime as dt

import strawberry
from strawberry import Info

from schema.enums import InvoiceStatus
from schema.graphql.values import Money, Node
from schema.orders.context import OrdersContext
from schema.orders.order import Order
from schema.records import orders as records

__all__ = ["Invoice", "invoice_id"]

_Ctx = Info[OrdersContext, None]
_PREFIX = "inv_"


def invoice_id(number: str) -> str:
    """Return the platform id of an invoice."""
    return f"{_PREFIX}{number}"


@strawberry.federation.type(keys=["id", "number"], description="A posted invoice.")
class Invoice(Node):
    """A posted invoice."""

    order_id: strawberry.Private[str | None]
    number: str
    status: InvoiceStatus
    posted_at: dt.datetime | None
    due_date: dt.date | None
    total: Money
    balance: Money
    pdf_url: str | None

    @classmethod
    def of(cls, record: records.Invoice) -> "Invoice":
        """Return an invoice as a graph value."""
        return cls(
            order_id=record.order_id,
            id=strawberry.ID(record.id),
            number=record.number,
            status=record.status,
            posted_at=record.posted_at,
            due_date=record.due_date,
            total=Money.of(record.total),
            balance=Money.of(record.balance),
            pdf_url=record.pdf_url,
        )

    @classmethod
    async def resolve_reference(
        cls,
        info: _Ctx,
        id: strawberry.ID | None = None,  # noqa: A002 - the key is called so
        number: str | None = None,
    ) -> "Invoice | None":
        """Return the invoice that a representation names; its id is made of its number."""
        found = await info.context.reader.invoice(invoice_id(number or "") if id is None else id)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def order(self, info: _Ctx) -> Order | None:
        """The order that was invoiced."""
        found = None if self.order_id is None else await info.context.reader.order(self.order_id)
        return None if found is None else Order.of(found)
