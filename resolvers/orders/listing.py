"""Lists of orders: the ledger's and the ERP's halves of the same window of time, merged, filtered and paged.

A page without conditions reads just what it shows. Conditions about what only the merged order tells (status,
exceptions) look at a window of the newest orders behind the cursor that may match; a page that the window does not fill
says that more may follow and where to go on. Both cost the same calls however many orders there are.

A system that gave as many rows as it was asked for has more. All orders are known down to the last row of the first
system to break off, the horizon, and only those are shown: an order that is read below it comes with a later page. The
ledger's half of an order decides where it stands; the ERP may have entered it later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import structlog
from aiodataloader import DataLoader

from resolvers.orders.fulfilment import OPEN, exceptions_of, fulfillment_status
from resolvers.orders.merge import home_of, merge_orders
from resolvers.orders.narrowing import erp_scope, ledger_scope
from resolvers.orders.ports import OrderPorts
from resolvers.orders.workplaces import Workplaces
from schema.enums import SourceSystem
from schema.orders.queries import OrderQuery, Place, Slice, page_of
from schema.orders.views import Delivery, OrderView
from schema.records.identity import Principal
from schema.records.orders import ErpOrder, LedgerOrder
from schema.records.values import PageRequest
from systems.errors import ConnectorError, PartlyAnswered

__all__ = ["WINDOW", "OrderLists"]

WINDOW = 200
"""Orders per account that a condition on the merged order looks at for one page."""

MAX_WINDOWS = 10
"""Windows that are looked through for one page of the orders of some warehouses: one order in eighty fills it."""

MAX_BOUND_ACCOUNTS = 500
"""Accounts of a bound principal whose orders one list brings together."""

_EVERY_SYSTEM = frozenset(SourceSystem)
_log = structlog.get_logger("crossdock.orders")


class Reading(Protocol):
    """What lists want of the request's reader."""

    @property
    def now(self) -> datetime:
        """When the request is answered."""
        ...

    def keep(self, order: OrderView) -> None:
        """Keep an order that was read."""
        ...

    async def known_deliveries(self, order: OrderView) -> tuple[Delivery, ...]:
        """Return shipments as far as systems answer."""
        ...

    async def read_erp(self, ids: Sequence[str]) -> tuple[Mapping[str, ErpOrder], Mapping[str, ConnectorError]]:
        """Return ERP documents, and what kept an ERP from answering about which."""
        ...


@dataclass(frozen=True, slots=True)
class _Window:
    """Orders that were read, and the place down to which they are all there are; None when there are no others."""

    orders: Sequence[OrderView]
    horizon: Place | None


class OrderLists:
    """Order lists of one request; accounts that ask alike share their calls."""

    def __init__(self, ports: OrderPorts, reading: Reading, workplaces: Workplaces) -> None:
        self._ports = ports
        self._reading = reading
        self._workplaces = workplaces
        self._of_account: DataLoader[tuple[str, OrderQuery], Slice[OrderView]] = DataLoader(self._load)

    async def of_account(self, account_id: str, query: OrderQuery) -> Slice[OrderView]:
        """Return a page of an account's orders, newest first."""
        return await self._of_account.load((account_id, query))

    async def search(self, query: OrderQuery, principal: Principal) -> Slice[OrderView]:
        """Return a page of the orders that a principal may see.

        Those of a customer are asked for by account. One of the distributor's people who is bound to some accounts may
        have thousands: it is shown what it may see of a window of all orders. Those of warehouses fill their page from
        as many windows as it takes, within reason.
        """
        found = await self._search(query, principal)
        for _ in range(0 if query.warehouses is None else MAX_WINDOWS - 1):
            if len(found.items) >= query.first or not found.has_next or found.end is None:
                break
            rest = replace(query, first=query.first - len(found.items), after=Place.parse(found.end))
            found = _joined(found, await self._search(rest, principal), is_whole=query.after is None)
        return found

    async def _search(self, query: OrderQuery, principal: Principal) -> Slice[OrderView]:
        limit = _limit(query)
        if principal.accounts is not None:
            chosen = list(principal.accounts[:MAX_BOUND_ACCOUNTS])
            found = await self._read_accounts(chosen, query, limit)
            rows = [order for window in found.values() for order in window.orders]
            horizons = [window.horizon for window in found.values() if window.horizon is not None]
            return await self._page(_Window(rows, max(horizons, default=None)), query)
        if principal.rows is not None:
            limit = max(limit, WINDOW)
        recorded = self._ports.ledger.search_orders(ledger_scope(query), limit)
        ledger, (documents, silent) = await asyncio.gather(recorded, self._search_erp(query, limit))
        views = await self._merge(ledger, documents, silent=silent, query=query)
        return await self._page(_Window(views, _horizon(limit, ledger, documents)), query, principal)

    async def _load(self, keys: list[tuple[str, OrderQuery]]) -> list[Slice[OrderView]]:
        queries = list(dict.fromkeys(query for _, query in keys))
        asked = [[account for account, wanted in keys if wanted == query] for query in queries]
        read = await asyncio.gather(
            *(
                self._read_accounts(accounts, query, _limit(query))
                for accounts, query in zip(asked, queries, strict=True)
            )
        )
        found = dict(zip(queries, read, strict=True))
        return list(await asyncio.gather(*(self._page(found[query][account], query) for account, query in keys)))

    async def _read_accounts(self, account_ids: Sequence[str], query: OrderQuery, limit: int) -> dict[str, _Window]:
        """Return each account's newest orders, at most ``limit``."""
        ledger, (erp, silent) = await asyncio.gather(
            self._ports.ledger.orders_of(account_ids, ledger_scope(query), limit),
            self._erp_of(account_ids, query, limit),
        )
        recorded = [order for account_id in account_ids for order in ledger.get(account_id, ())]
        documents = [order for account_id in account_ids for order in erp.get(account_id, ())]
        rows: dict[str, list[OrderView]] = {account_id: [] for account_id in account_ids}
        for order in await self._merge(recorded, documents, silent=silent, query=query):
            if order.account_id in rows:  # the ERP may have moved it to another account
                rows[order.account_id].append(order)
        return {
            account_id: _Window(orders, _horizon(limit, ledger.get(account_id, ()), erp.get(account_id, ())))
            for account_id, orders in rows.items()
        }

    async def _merge(
        self,
        recorded: Sequence[LedgerOrder],
        documents: Sequence[ErpOrder],
        *,
        silent: Container[SourceSystem],
        query: OrderQuery,
    ) -> list[OrderView]:
        """Return whole orders within the query's bounds; halves that the other system did not give are read by id."""
        by_id = {order.id: order for order in recorded}
        erp = {order.id: order for order in documents}
        no_document = [order for order in recorded if order.erp_number is not None and order.id not in erp]
        missing = {order.id for order in no_document if home_of(order) in silent}
        unread = [order.id for order in no_document if order.id not in missing]
        no_record = [order_id for order_id in erp if order_id not in by_id]
        if unread:
            more, failures = await self._reading.read_erp(unread)
            erp.update(more)
            missing.update(failures)
        if no_record:
            by_id.update(await self._ports.ledger.orders(no_record))
        views = merge_orders(by_id, erp, now=self._reading.now, missing=missing)
        for view in views.values():
            self._reading.keep(view)
        return [view for view in views.values() if _is_within(view, query)]

    async def _erp_of(
        self, account_ids: Sequence[str], query: OrderQuery, limit: int
    ) -> tuple[Mapping[str, tuple[ErpOrder, ...]], Container[SourceSystem]]:
        """Return the ERPs' orders per account, and the ERPs that did not answer."""
        try:
            return await self._ports.erp.orders_of(account_ids, erp_scope(query), limit), ()
        except ConnectorError as error:
            _log.warning("orders listed without ERP", accounts=len(account_ids), error=str(error))
            return (error.found, error.systems) if isinstance(error, PartlyAnswered) else ({}, _EVERY_SYSTEM)

    async def _search_erp(self, query: OrderQuery, limit: int) -> tuple[tuple[ErpOrder, ...], Container[SourceSystem]]:
        """Return the ERPs' orders, and the ERPs that did not answer."""
        try:
            return (await self._ports.erp.search_orders(erp_scope(query), PageRequest(limit))).items, ()
        except ConnectorError as error:
            _log.warning("orders searched without ERP", error=str(error))
            if isinstance(error, PartlyAnswered):
                return tuple(error.found.values()), error.systems
            return (), _EVERY_SYSTEM

    async def _page(self, window: _Window, query: OrderQuery, principal: Principal | None = None) -> Slice[OrderView]:
        rows = [order for order in window.orders if window.horizon is None or _place(order) >= window.horizon]
        seen = [order for order in rows if principal is None or principal.sees(order.account_id)]
        wanted = [True] * len(seen)
        if query.is_narrow:
            wanted = list(await asyncio.gather(*(self._matches(order, query) for order in seen)))
        chosen = {order.id for order, is_wanted in zip(seen, wanted, strict=True) if is_wanted}
        return page_of(
            rows,
            _place,
            lambda order: order.id in chosen,
            first=query.first,
            after=query.after,
            horizon=window.horizon,
        )

    async def _matches(self, order: OrderView, query: OrderQuery) -> bool:
        if query.warehouses is not None and not await self._workplaces.have(order):
            return False
        if query.statuses is not None and order.status not in query.statuses:
            return False
        if query.fulfillment is None and query.with_exceptions is None:
            return True
        is_asked = query.fulfillment is not None or order.status in OPEN or bool(order.problems)
        deliveries = await self._reading.known_deliveries(order) if is_asked else ()
        if query.fulfillment is not None and fulfillment_status(order, deliveries) not in query.fulfillment:
            return False
        if query.with_exceptions is None:
            return True
        return bool(exceptions_of(order, deliveries, self._reading.now)) is query.with_exceptions


def _joined(found: Slice[OrderView], more: Slice[OrderView], *, is_whole: bool) -> Slice[OrderView]:
    """Return a page with what follows it; ``is_whole`` when it is the list from its beginning."""
    items, cursors = (*found.items, *more.items), (*found.cursors, *more.cursors)
    end = more.end if more.end is not None else cursors[-1] if cursors else None
    return Slice(items, cursors, more.has_next, end, len(items) if is_whole and not more.has_next else None)


def _place(order: OrderView) -> Place:
    return Place(order.submitted_at, order.id)


def _is_within(order: OrderView, query: OrderQuery) -> bool:
    """Return whether a whole order lies within the bounds that its halves were asked for."""
    return (
        (query.after is None or _place(order) < query.after)
        and (query.start is None or order.submitted_at >= query.start)
        and (query.end is None or order.submitted_at < query.end)
        and (query.po_number is None or order.po_number == query.po_number)
    )


def _horizon(limit: int, *halves: Sequence[LedgerOrder | ErpOrder]) -> Place | None:
    """Return the highest of the last places of systems that gave all they were asked for, None when none did."""
    ends = [Place(half[-1].submitted_at, half[-1].id) for half in halves if len(half) >= limit]
    return max(ends, default=None)


def _limit(query: OrderQuery) -> int:
    """Return how many orders per account are read for a page: one more tells whether another page follows."""
    return max(WINDOW, query.first + 1) if query.is_narrow else query.first + 1 + _ENTERED_LATER


_ENTERED_LATER = 10
"""Orders that may stand further down than the ERP gave them because it entered them later, without a shorter page."""
