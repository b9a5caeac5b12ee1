"""Sales orders: reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from schema.enums import SourceSystem
from schema.records.orders import ErpOrder, OrderFilter
from schema.records.values import Money, Page, PageRequest
from systems.business_central.odata import MAX_KEY_CHARS, Query, all_of, equals, instant, literal, within
from systems.business_central.order_records import EXPAND_LINES, ORDER_FIELDS, STATUS_WORDS, read_order
from systems.business_central.reader import Reader
from systems.business_central.values import read_money
from systems.cursors import make_cursor, read_cursor

__all__ = ["OrderReads"]

_NEWEST_FIRST = "submittedAt desc,orderId desc"
_OURS = "orderId ne null"
"""Orders that were entered in the ERP by hand and have no platform id are not ours to show."""


class OrderReads:
    """The reading half of :class:`systems.ports.OrderBook`."""

    _reader: Reader

    async def orders(self, ids: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders with their lines by platform id."""
        queries = [_query(where) for where in within("orderId", ids)]
        return {order.id: order for order in await self._reader.rows("orders", queries, read_order)}

    async def orders_by_number(self, numbers: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders with their lines by number."""
        queries = [_query(all_of([where, _OURS])) for where in within("number", numbers)]
        return {order.number: order for order in await self._reader.rows("orders by number", queries, read_order)}

    async def find_order(self, key: str) -> ErpOrder | None:
        """Return the order that ``key`` created, None when it created none."""
        if len(key) > MAX_KEY_CHARS:
            return None
        query = _query(all_of([equals("externalDocumentNumber", key), _OURS]))
        found = await self._reader.rows("find order", [query], read_order)
        return found[0] if found else None

    async def orders_of(
        self, account_ids: Sequence[str], where: OrderFilter, limit: int
    ) -> Mapping[str, tuple[ErpOrder, ...]]:
        """Return each account's newest orders with their lines, newest first.

        OData limits the rows of a question, not of each account in it: each account is a question of one batch.
        """
        accounts = list(dict.fromkeys(account_ids))
        condition = _condition(where)
        if condition is None or limit < 1:
            return dict.fromkeys(accounts, ())
        queries = [
            _query(all_of([equals("accountId", account_id), condition]), _NEWEST_FIRST, limit)
            for account_id in accounts
        ]
        found = await self._reader.each("orders of accounts", queries, read_order)
        return {account_id: tuple(orders) for account_id, orders in zip(accounts, found, strict=True)}

    async def search_orders(self, where: OrderFilter, page: PageRequest) -> Page[ErpOrder]:
        """Return orders with their lines, newest first."""
        condition = _condition(where)
        if condition is None:
            return Page((), (), has_next=False)
        behind = "" if page.after is None else _behind(*read_cursor(SourceSystem.CLOUD_ERP, page.after))
        query = _query(all_of([condition, behind]), _NEWEST_FIRST, page.first + 1)
        found = await self._reader.rows("search orders", [query], read_order)
        shown = found[: page.first]
        cursors = (make_cursor(order.submitted_at, order.id) for order in shown)
        return Page(tuple(shown), tuple(cursors), len(found) > page.first)

    async def open_values(self, account_ids: Sequence[str]) -> Mapping[str, Money]:
        """Return the value of ordered, not yet invoiced quantity per account in its credit currency."""
        queries = [
            Query("openOrderValues", "accountId,currencyCode,amount", where)
            for where in within("accountId", account_ids)
        ]
        found = await self._reader.rows(
            "open values", queries, lambda row: (str(row["accountId"]), read_money(row["amount"], row["currencyCode"]))
        )
        return dict(found)


def _query(where: str, order: str = "", top: int | None = None) -> Query:
    return Query("orders", ORDER_FIELDS, where, EXPAND_LINES, order, top)


def _condition(where: OrderFilter) -> str | None:
    """Return the filter as OData, None when no order of the ERP can fulfil it."""
    conditions = [_OURS]
    if where.statuses is not None:
        words = [STATUS_WORDS[status] for status in where.statuses if status in STATUS_WORDS]
        if not words:
            return None
        conditions += within("status", words)
    if where.po_number is not None:
        if len(where.po_number) > MAX_KEY_CHARS:
            return None
        conditions.append(equals("poNumber", where.po_number))
    if where.start is not None:
        conditions.append(f"submittedAt ge {instant(where.start)}")
    if where.end is not None:
        conditions.append(f"submittedAt lt {instant(where.end)}")
    if where.behind is not None:
        conditions.append(_behind(*where.behind))
    return all_of(conditions)


def _behind(at: datetime, last: str) -> str:
    """Return the condition of orders behind a place, newest first; no order stands between two milliseconds."""
    moment = instant(at)
    earlier = f"submittedAt lt {moment}"
    if at.microsecond % 1_000:
        return earlier
    return f"({earlier} or (submittedAt eq {moment} and orderId lt {literal(last)}))"
