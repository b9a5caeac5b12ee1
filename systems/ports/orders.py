"""What is wanted of the ERP about orders and invoices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from schema.records.invoices import LoggedPosting, Rebilling
from schema.records.orders import ErpOrder, ErpOrderChange, Invoice, NewErpOrder, OrderFilter
from schema.records.values import Money, Page, PageRequest


@dataclass(frozen=True, slots=True)
class AllocationResult:
    """What the ERP could set aside for one line, in the line's unit. ``backorder_date`` is None when unknown."""

    line_no: int
    warehouse_code: str | None
    allocated: Decimal
    backordered: Decimal
    ship_date: date | None
    backorder_date: date | None


class OrderBook(Protocol):
    """Sales orders. System of record: home ERP."""

    async def orders(self, ids: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders with their lines by platform id."""
        ...

    async def orders_by_number(self, numbers: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders with their lines by number."""
        ...

    async def orders_of(
        self, account_ids: Sequence[str], where: OrderFilter, limit: int
    ) -> Mapping[str, tuple[ErpOrder, ...]]:
        """Return each account's newest orders with their lines, at most ``limit`` per account, newest first."""
        ...

    async def search_orders(self, where: OrderFilter, page: PageRequest) -> Page[ErpOrder]:
        """Return orders with their lines, newest first."""
        ...

    async def open_values(self, account_ids: Sequence[str]) -> Mapping[str, Money]:
        """Return the value of ordered, not yet invoiced quantity per account in its credit currency."""
        ...

    async def find_order(self, key: str) -> ErpOrder | None:
        """Return the order that ``key`` created, None when it created none. The look-up after an unknown outcome."""
        ...

    async def create_order(self, order: NewErpOrder) -> ErpOrder:
        """Create and accept an order, or return the one that its key created before.

        Raises:
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when the document may exist.
        """
        ...

    async def cancel_order(self, key: str) -> None:
        """Cancel the order that ``key`` created; nothing happens when there is none."""
        ...

    async def change_order(self, change: ErpOrderChange) -> ErpOrder:
        """Change lines of an order and add others, once per key, and return the order as it is then.

        What was set aside for a changed line is given back: ``allocate`` sets it aside anew.

        Raises:
            NotFound: there is no such order.
            Conflict: somebody else changed it at the same moment; nothing was done.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        ...

    async def allocate(self, key: str, order_id: str) -> tuple[AllocationResult, ...]:
        """Set stock aside for every line, once per ``key``, and return what each line got."""
        ...

    async def deallocate(self, key: str, order_id: str) -> None:
        """Give back what ``allocate`` with this key set aside."""
        ...


class InvoiceBook(Protocol):
    """Posted invoices. System of record: ERP and finance."""

    async def invoices(self, ids: Sequence[str]) -> Mapping[str, Invoice]:
        """Return invoices by platform id."""
        ...

    async def invoices_of(self, account_ids: Sequence[str], limit: int) -> Mapping[str, tuple[Invoice, ...]]:
        """Return each account's newest invoices, at most ``limit`` per account."""
        ...

    async def invoices_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Invoice, ...]]:
        """Return invoices per order, oldest first."""
        ...


class InvoicePostings(Protocol):
    """Invoices in the order of their posting. System of record: ERP and finance."""

    async def posted_after(self, entry: int, limit: int) -> tuple[LoggedPosting, ...]:
        """Return at most ``limit`` invoices that were posted after this entry, the earliest first."""
        ...


class InvoiceCorrections(Protocol):
    """Invoices that were wrong: a posted one is never edited. System of record: ERP and finance."""

    async def credit_invoice(self, key: str, number: str) -> str:
        """Credit a posted invoice as a whole, once per ``key``, and return the number of the credit memo.

        Raises:
            NotFound: the ERP has posted no such invoice.
            Rejected: the ERP refuses; ``reason`` says why.
        """
        ...

    async def take_credit_back(self, key: str, number: str) -> None:
        """Have an invoice stand again that ``credit_invoice`` credited with this key; else nothing happens."""
        ...

    async def find_rebilling(self, key: str) -> str | None:
        """Return the number of the invoice that ``bill_anew`` made with this key, None when it made none."""
        ...

    async def bill_anew(self, rebilling: Rebilling) -> str:
        """Bill what a credited invoice should have, once per key, and return the number of the new invoice.

        Raises:
            NotFound: the ERP has posted no such invoice.
            Rejected: the ERP refuses; ``reason`` and ``fields`` say why.
        """
        ...
