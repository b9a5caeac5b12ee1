"""Everything that one request reads of orders, batched: rows that ask alike share one call per system.

1. Each question has a loader; loaders keep what they found, so a field asked twice costs nothing.
2. Orders are read by halves: the ledger first, then the ERP for those that it can hold, in one call for all.
3. What the principal may not see is dropped right after it was read, whatever path led to it.
4. A system that does not answer costs the fields that are its own. Orders are then shown as the ledger has them.

Invariant: the number of calls to a port depends on the shape of the request, never on its rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import structlog
from aiodataloader import DataLoader

from resolvers.access import can_see, is_customer
from resolvers.loaders import bulk_loader, read_what_answers
from resolvers.orders.listing import OrderLists
from resolvers.orders.merge import merge_orders
from resolvers.orders.ports import OrderPorts
from resolvers.orders.told import told_of, told_of_shipment, told_shipments, told_tracking
from resolvers.orders.withheld import without_withheld
from resolvers.orders.workplaces import Workplaces
from schema.enums import QuoteStatus
from schema.events.envelope import Event
from schema.orders.queries import DocumentQuery, OrderQuery, Place, Slice, page_of
from schema.orders.views import Delivery, OrderView
from schema.records.identity import Principal
from schema.records.orders import ErpOrder, Invoice, Quote, Return, Shipment, Tracking
from schema.records.values import Money
from systems.errors import ConnectorError
from systems.outage import is_outage

__all__ = ["OrderReader"]

D = TypeVar("D")
OfOrder = TypeVar("OfOrder", Invoice, Return, Quote)

MAX_DOCUMENTS = 500
"""Newest quotes or invoices of an account that its lists reach back to."""

_QuotesOf = tuple[str, QuoteStatus | None]
"""Whose quotes, and of which status; None means any."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_log = structlog.get_logger("crossdock.orders")


class OrderReader:
    """Reads orders and what belongs to them, for one request of one principal.

    Args:
        ports: where data comes from.
        principal: who asks.
    """

    def __init__(self, ports: OrderPorts, principal: Principal) -> None:
        self.ports = ports
        self.principal = principal
        self.now: datetime = ports.clock.now()
        self._orders: DataLoader[str, OrderView | None] = DataLoader(self._load_orders)
        self._numbers: DataLoader[str, OrderView | None] = DataLoader(self._load_numbers)
        self._shipments_of = bulk_loader(ports.warehouse.shipments_of)
        self._shipments = bulk_loader(ports.warehouse.shipments)
        self._tracking = bulk_loader(ports.transport.tracking)
        self._told: DataLoader[str, list[Event]] = DataLoader(self._load_told)
        self._invoices = bulk_loader(ports.invoices.invoices)
        self._invoices_of = bulk_loader(self._newest_invoices)
        self._invoices_of_orders = bulk_loader(ports.invoices.invoices_of_orders)
        self._returns = bulk_loader(ports.returns.returns)
        self._returns_of = bulk_loader(ports.returns.returns_of)
        self._returns_of_orders = bulk_loader(ports.returns.returns_of_orders)
        self._quotes = bulk_loader(ports.quotes.quotes)
        self._quotes_by_number = bulk_loader(ports.quotes.quotes_by_number)
        self._quotes_of: DataLoader[_QuotesOf, tuple[Quote, ...]] = DataLoader(self._load_quotes_of)
        self._quotes_of_opportunities = bulk_loader(ports.quotes.quotes_of_opportunities)
        self._open_values = bulk_loader(ports.erp.open_values)
        self._items = bulk_loader(ports.items.items)
        self._recorded = bulk_loader(ports.ledger.orders)
        self._workplaces = Workplaces(principal, ports.ledger, self._sent)
        self._lists = OrderLists(ports, self, self._workplaces)

    # --- orders

    async def order(self, order_id: str) -> OrderView | None:
        """Return an order, None when there is none that the principal may see.

        Raises:
            ConnectorError: only the ERP may know the order, and it does not answer.
        """
        return await self._seen_order(await self._orders.load(order_id))

    async def order_by_number(self, number: str) -> OrderView | None:
        """Return the order with this number, None when there is none that the principal may see.

        Raises:
            ConnectorError: only the ERP may know the order, and it does not answer.
        """
        return await self._seen_order(await self._numbers.load(number))

    async def orders(self, query: OrderQuery) -> Slice[OrderView]:
        """Return a page of all orders that the principal may see."""
        return await self._lists.search(replace(query, warehouses=self._workplaces.codes), self.principal)

    async def orders_of(self, account_id: str, query: OrderQuery) -> Slice[OrderView] | None:
        """Return a page of an account's orders, None when the principal may not see them."""
        if not self._sees(account_id):
            return None
        return await self._lists.of_account(account_id, replace(query, warehouses=self._workplaces.codes))

    async def orders_of_opportunity(self, opportunity_id: str) -> tuple[OrderView, ...]:
        """Return the orders that an opportunity's quotes became, newest first."""
        quotes = await self.quotes_of_opportunity(opportunity_id)
        ids = [quote.order_id for quote in quotes if quote.order_id is not None]
        found = await asyncio.gather(*(self.order(order_id) for order_id in dict.fromkeys(ids)))
        return tuple(order for order in found if order is not None)

    async def open_value(self, account_id: str) -> Money | None:
        """Return the value of an account's open orders, None when the principal may not see it."""
        if not self._sees(account_id):
            return None
        return await self._open_values.load(account_id)

    async def _seen_order(self, order: OrderView | None) -> OrderView | None:
        is_seen = order is not None and self._sees(order.account_id) and await self._workplaces.have(order)
        return order if is_seen else None

    async def _is_of_seen(self, order_id: str | None) -> bool:
        """Return whether a document may be seen because of its order; only bound to warehouses does that decide."""
        if self._workplaces.codes is None:
            return True
        return order_id is not None and await self.order(order_id) is not None

    def keep(self, order: OrderView) -> None:
        """Keep an order that a list has read, so that asking for it again costs nothing."""
        self._orders.prime(order.id, order)

    async def _load_orders(self, ids: list[str]) -> list[Any]:
        """Return an order per id, the ERP's failure for one that only the ERP may know."""
        recorded = await self.ports.ledger.orders(ids)
        in_erp = [order_id for order_id in ids if order_id not in recorded or recorded[order_id].erp_number is not None]
        documents, failures = await self.read_erp(in_erp)
        views = merge_orders(recorded, documents, now=self.now, missing=failures)
        return [views.get(order_id) or failures.get(order_id) for order_id in ids]

    async def _load_numbers(self, numbers: list[str]) -> list[Any]:
        """Return an order per number, the ERP's failure for one that only the ERP may know."""
        recorded = await self.ports.ledger.orders_by_number(numbers)
        unknown = [number for number in numbers if number not in recorded]
        documents, failures = await self._read_erp(self.ports.erp.orders_by_number, unknown)
        ids = {number: order.id for number, order in documents.items()}
        ids |= {number: order.id for number, order in recorded.items()}
        read = (self._orders.load(order_id) for order_id in ids.values())
        views = dict(zip(ids, await asyncio.gather(*read, return_exceptions=True), strict=True))
        return [views.get(number) or failures.get(number) for number in numbers]

    async def read_erp(self, ids: Sequence[str]) -> tuple[Mapping[str, ErpOrder], Mapping[str, ConnectorError]]:
        """Return ERP documents by id, and what kept an ERP from answering about which."""
        return await self._read_erp(self.ports.erp.orders, ids)

    async def _read_erp(
        self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, ErpOrder]]], keys: Sequence[str]
    ) -> tuple[Mapping[str, ErpOrder], Mapping[str, ConnectorError]]:
        if not keys:
            return {}, {}
        found, failures = await read_what_answers(read, keys)
        if failures:
            error = next(iter(failures.values()))
            _log.warning("orders shown without ERP", orders=len(failures), error=str(error))
        return found, failures

    # --- shipments

    async def deliveries(self, order: OrderView) -> tuple[Delivery, ...]:
        """Return an order's shipments with what carriers report; without the TMS as the warehouse knows them.

        Raises:
            ConnectorError: the warehouse does not answer.
        """
        shipments = await self._sent(order)
        return tuple(await asyncio.gather(*(self.delivery(shipment) for shipment in shipments)))

    async def known_deliveries(self, order: OrderView) -> tuple[Delivery, ...]:
        """Return an order's shipments as far as systems answer, for what must be told in any case."""
        try:
            return await self.deliveries(order)
        except ConnectorError:
            return ()

    async def shipments_of(self, order: OrderView) -> tuple[Shipment, ...]:
        """Return an order's shipments that the principal may see, oldest first."""
        return tuple(shipment for shipment in await self._sent(order) if self._workplaces.send(shipment))

    async def _sent(self, order: OrderView) -> tuple[Shipment, ...]:
        if not order.may_have_shipments:
            return ()
        try:
            return await self._shipments_of.load(order.id) or ()
        except ConnectorError as error:
            if not is_outage(error):
                raise
            skus = {line.line_no: line.sku for line in order.lines}
            told = told_shipments(await self._told.load(order.id), skus)
            if not told:
                raise
            return told

    async def shipment(self, shipment_id: str) -> Shipment | None:
        """Return a shipment, None when there is none that the principal may see."""
        try:
            found = await self._shipments.load(shipment_id)
        except ConnectorError as error:
            if not is_outage(error):
                raise
            told = told_shipments(await told_of_shipment(self.ports.events, shipment_id), {})
            found = next((entry for entry in told if entry.id == shipment_id), None)
            if found is None:
                raise
        is_seen = found is not None and self._sees(found.account_id) and self._workplaces.send(found)
        return found if is_seen else None

    async def shipment_by_tracking(self, tracking_number: str) -> Shipment | None:
        """Return the shipment that a carrier tracks under this number."""
        load = await self.ports.transport.by_tracking_number(tracking_number)
        return None if load is None else await self.shipment(f"sh_{load.shipment_number}")

    async def tracking(self, shipment: Shipment) -> Tracking | None:
        """Return what the carrier says, or last said while the TMS is out; None before the shipment is tendered.

        Raises:
            ConnectorError: the TMS does not answer, and nothing that its carriers told is in the event log.
        """
        try:
            return await self._tracking.load(shipment.number)
        except ConnectorError as error:
            if not is_outage(error):
                raise
            told = told_tracking(await self._told.load(shipment.order_id), shipment.number)
            if told is None:
                raise
            return told

    async def delivery(self, shipment: Shipment) -> Delivery:
        """Return a shipment with its tracking, or without it while the TMS is away."""
        try:
            return Delivery(shipment, await self.tracking(shipment))
        except ConnectorError:
            return Delivery(shipment, None)

    async def per_base(self, sku: str, uom: str) -> Decimal | None:
        """Return how many base units make one ``uom`` of an item, None when the item does not know the unit."""
        item = await self._items.load(sku)
        return None if item is None else next((unit.per_base for unit in item.uoms if unit.uom == uom), None)

    # --- documents

    async def invoice(self, invoice_id: str) -> Invoice | None:
        """Return an invoice, None when there is none that the principal may see."""
        found = await self._invoices.load(invoice_id)
        if found is None or not self._sees(found.account_id) or not await self._is_of_seen(found.order_id):
            return None
        return found if await self._published([found]) else None

    async def invoices_of_order(self, order_id: str) -> tuple[Invoice, ...]:
        """Return an order's invoices, oldest first."""
        return tuple(await self._published(await self._invoices_of_orders.load(order_id) or ()))

    async def invoices_of(self, account_id: str, query: DocumentQuery) -> Slice[Invoice] | None:
        """Return a page of an account's invoices, newest first."""
        if not self._sees(account_id):
            return None
        rows = await self._of_seen(await self._published(await self._invoices_of.load(account_id) or ()))
        return _documents(rows, query, lambda row: Place(row.posted_at or _EPOCH, row.id), lambda row: row.status)

    async def return_(self, return_id: str) -> Return | None:
        """Return an RMA, None when there is none that the principal may see."""
        found = await self._returns.load(return_id)
        if found is None or not self._sees(found.account_id):
            return None
        return found if await self._is_of_seen(found.order_id) else None

    async def returns_of_order(self, order_id: str) -> tuple[Return, ...]:
        """Return an order's RMAs, oldest first."""
        return await self._returns_of_orders.load(order_id) or ()

    async def returns_of(self, account_id: str, query: DocumentQuery) -> Slice[Return] | None:
        """Return a page of an account's RMAs, newest first."""
        if not self._sees(account_id):
            return None
        rows = await self._of_seen(await self._returns_of.load(account_id) or ())
        return _documents(rows, query, lambda row: Place(row.created_at, row.id), lambda row: row.status)

    async def quote(self, quote_id: str) -> Quote | None:
        """Return a quote, None when there is none that the principal may see."""
        return await self._seen_quote(await self._quotes.load(quote_id))

    async def quote_by_number(self, number: str) -> Quote | None:
        """Return the quote with this number, None when there is none that the principal may see."""
        return await self._seen_quote(await self._quotes_by_number.load(number))

    async def quotes_of(self, account_id: str, query: DocumentQuery, status: QuoteStatus | None) -> Slice[Quote] | None:
        """Return a page of an account's quotes, newest first; ``status`` None means any."""
        if not self._sees(account_id):
            return None
        rows = await self._of_seen(await self._quotes_of.load((account_id, status)) or ())
        return _documents(rows, query, lambda row: Place(row.created_at, row.id), lambda row: row.status)

    async def quotes_of_opportunity(self, opportunity_id: str) -> tuple[Quote, ...]:
        """Return an opportunity's quotes that the principal may see, newest first."""
        found = await self._of_seen(await self._quotes_of_opportunities.load(opportunity_id) or ())
        return tuple(quote for quote in found if self._sees(quote.account_id))

    async def _seen_quote(self, quote: Quote | None) -> Quote | None:
        if quote is None or not self._sees(quote.account_id):
            return None
        return quote if await self._is_of_seen(quote.order_id) else None

    async def _of_seen(self, documents: Sequence[OfOrder]) -> Sequence[OfOrder]:
        """Return the documents that may be seen because of their orders."""
        seen = await asyncio.gather(*(self._is_of_seen(entry.order_id) for entry in documents))
        return [entry for entry, is_seen in zip(documents, seen, strict=True) if is_seen]

    async def _newest_invoices(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Invoice, ...]]:
        return await self.ports.invoices.invoices_of(account_ids, MAX_DOCUMENTS)

    async def _load_told(self, order_ids: list[str]) -> list[list[Event]]:
        return list(await asyncio.gather(*(told_of(self.ports.events, order_id) for order_id in order_ids)))

    async def _load_quotes_of(self, keys: list[_QuotesOf]) -> list[tuple[Quote, ...]]:
        """Load quotes per (account, status): one call per status, whatever the number of accounts."""
        statuses = list(dict.fromkeys(status for _, status in keys))
        asked = [[account for account, wanted in keys if wanted is status] for status in statuses]
        calls = (
            self.ports.quotes.quotes_of(accounts, status, MAX_DOCUMENTS)
            for accounts, status in zip(asked, statuses, strict=True)
        )
        found = dict(zip(statuses, await asyncio.gather(*calls), strict=True))
        return [found[status].get(account, ()) for account, status in keys]

    async def _published(self, invoices: Sequence[Invoice]) -> Sequence[Invoice]:
        """Return the invoices that the principal may see: customers see none that does not fit its order."""
        if not invoices or not is_customer(self.principal):
            return invoices
        return await without_withheld(invoices, self._recorded)

    def _sees(self, account_id: str) -> bool:
        return can_see(self.principal, account_id)


def _documents(
    rows: Sequence[D], query: DocumentQuery, place: Callable[[D], Place], status: Callable[[D], object]
) -> Slice[D]:
    """Return one page of an account's documents."""
    return page_of(
        rows,
        place,
        lambda row: query.status is None or status(row) is query.status,
        first=query.first,
        after=query.after,
    )
