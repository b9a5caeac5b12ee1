"""The platform's ledgers of what customers ask for: quotes and submitted orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from schema.enums import QuoteStatus
from schema.events.envelope import Event
from schema.records.orders import LedgerOrder, OrderFilter, Quote
from schema.records.values import Money


class OrderLedger(Protocol):
    """Submitted orders. System of record: platform."""

    async def next_number(self) -> str:
        """Return a new order number (``SO-`` and six digits), never given twice."""
        ...

    async def create(self, order: LedgerOrder, events: Sequence[Event] = ()) -> LedgerOrder:
        """Record a submitted order, or return the one with the same id recorded before."""
        ...

    async def find_duplicate_po(self, account_id: str, po_number: str, since: datetime, not_id: str) -> str | None:
        """Return the id of another order of the account with this PO number since then that was not rejected."""
        ...

    async def update(self, order: LedgerOrder, events: Sequence[Event] = ()) -> LedgerOrder:
        """Write the order when the stored version is ``order.version``; return it with the next version.

        Raises:
            Conflict: the stored version differs.
        """
        ...

    async def orders(self, ids: Sequence[str]) -> Mapping[str, LedgerOrder]:
        """Return orders by platform id."""
        ...

    async def warehouses_of(self, order_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Return the warehouses that have to do with each order, recorded here or not; none maps to none."""
        ...

    async def note_warehouse(self, order_id: str, warehouse_code: str) -> None:
        """Note that a warehouse has to do with an order; what is noted already stays so."""
        ...

    async def orders_by_number(self, numbers: Sequence[str]) -> Mapping[str, LedgerOrder]:
        """Return orders by number."""
        ...

    async def orders_of(
        self, account_ids: Sequence[str], where: OrderFilter, limit: int
    ) -> Mapping[str, tuple[LedgerOrder, ...]]:
        """Return each account's newest submitted orders, at most ``limit`` per account, newest first."""
        ...

    async def search_orders(self, where: OrderFilter, limit: int) -> tuple[LedgerOrder, ...]:
        """Return submitted orders, newest first."""
        ...

    async def open_exposure(self, account_id: str, not_order_id: str) -> tuple[Money, ...]:
        """Return totals of the account's other submissions that no ERP document stands for yet."""
        ...


class QuoteStore(Protocol):
    """Quotes. System of record: platform."""

    async def next_number(self) -> str:
        """Return a new quote number (``Q-`` and six digits), never given twice."""
        ...

    async def save(self, quote: Quote, events: Sequence[Event] = ()) -> Quote:
        """Insert a quote with version 0, or update the one stored with its version; return it with the next version.

        Raises:
            Conflict: the stored version differs.
        """
        ...

    async def quotes(self, ids: Sequence[str]) -> Mapping[str, Quote]:
        """Return quotes by platform id."""
        ...

    async def quotes_by_number(self, numbers: Sequence[str]) -> Mapping[str, Quote]:
        """Return quotes by number."""
        ...

    async def quotes_of(
        self, account_ids: Sequence[str], status: QuoteStatus | None, limit: int
    ) -> Mapping[str, tuple[Quote, ...]]:
        """Return each account's newest quotes, at most ``limit`` per account."""
        ...

    async def quotes_of_opportunities(self, opportunity_ids: Sequence[str]) -> Mapping[str, tuple[Quote, ...]]:
        """Return quotes per opportunity, newest first."""
        ...

    async def ended(self, statuses: Sequence[QuoteStatus], before: date, limit: int) -> tuple[Quote, ...]:
        """Return quotes of these statuses whose last day is before ``before``, at most ``limit``, oldest first."""
        ...

    async def standing(self, statuses: Sequence[QuoteStatus], after: str | None, limit: int) -> tuple[Quote, ...]:
        """Return quotes of these statuses behind the id ``after``, at most ``limit``, in the order of their ids."""
        ...
