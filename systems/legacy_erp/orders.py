"""Sales orders: reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schema.enums import SourceSystem
from schema.records.orders import ErpOrder, OrderFilter
from schema.records.values import Money, Page, PageRequest
from systems.cursors import make_cursor, read_cursor
from systems.legacy_erp.fields import Record, moment_numbers, read_money, read_text
from systems.legacy_erp.order_records import STATUS_CODES, read_order
from systems.legacy_erp.programs import Programs, askable, in_calls

__all__ = ["OrderReads"]

MAX_NEWEST = 200
"""Orders that a program shows of a customer, and of a list."""


class OrderReads:
    """The reading half of :class:`systems.ports.OrderBook`."""

    _programs: Programs

    async def orders(self, ids: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders with their lines by platform id."""
        found = await self._programs.by_keys("orders", "ORDINQ", ("XREF", ids), read_order)
        return {order.id: order for order in found}

    async def orders_by_number(self, numbers: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders with their lines by number."""
        found = await self._programs.by_keys("orders by number", "ORDINQ", ("ORDNO", numbers), read_order)
        return {order.number: order for order in found}

    async def find_order(self, key: str) -> ErpOrder | None:
        """Return the order that ``key`` created, None when it created none."""
        found = await self._programs.by_keys("find order", "ORDINQ", ("EXTDC", [key]), read_order)
        return found[0] if found else None

    async def orders_of(
        self, account_ids: Sequence[str], where: OrderFilter, limit: int
    ) -> Mapping[str, tuple[ErpOrder, ...]]:
        """Return each account's newest orders with their lines, newest first; fifty accounts are one question."""
        found: dict[str, list[ErpOrder]] = {account_id: [] for account_id in account_ids}
        wanted = _filter(where)
        if wanted is not None and limit > 0:
            most = min(limit, MAX_NEWEST)
            questions = [{"KEYS": keys, "LIMIT": most, **wanted} for keys in in_calls(found)]
            for order in await self._programs.each("orders of accounts", "ORDNEW", questions, read_order):
                found[order.account_id].append(order)
        return {account_id: tuple(orders) for account_id, orders in found.items()}

    async def search_orders(self, where: OrderFilter, page: PageRequest) -> Page[ErpOrder]:
        """Return orders with their lines, newest first."""
        wanted = _filter(where)
        if wanted is None:
            return Page((), (), has_next=False)
        found: list[ErpOrder] = []
        behind = None if page.after is None else read_cursor(SourceSystem.LEGACY_ERP, page.after)
        while len(found) <= page.first:
            if behind is not None:
                wanted |= moment_numbers("BHD", behind[0]) | {"BHXREF": behind[1]}
            most = min(page.first + 1 - len(found), MAX_NEWEST)
            some = await self._programs.records("search orders", "ORDLST", wanted | {"LIMIT": most}, read_order)
            found += some
            if len(some) < most:
                break
            behind = some[-1].submitted_at, some[-1].id
        shown = found[: page.first]
        cursors = (make_cursor(order.submitted_at, order.id) for order in shown)
        return Page(tuple(shown), tuple(cursors), len(found) > page.first)

    async def open_values(self, account_ids: Sequence[str]) -> Mapping[str, Money]:
        """Return the value of ordered, not yet invoiced quantity per account in its credit currency."""
        return dict(await self._programs.by_keys("open values", "OPVINQ", ("CUSX", account_ids), _open_value))


def _open_value(record: Record) -> tuple[str, Money]:
    return read_text(record, "CUXREF"), read_money(record, "OPNVL", read_text(record, "CURCD"))


def _filter(where: OrderFilter) -> dict[str, Any] | None:
    """Return the filter as the programs take it, None when no order of the ERP can fulfil it."""
    wanted: dict[str, Any] = {}
    if where.statuses is not None:
        codes = [STATUS_CODES[status] for status in where.statuses if status in STATUS_CODES]
        if not codes:
            return None
        wanted["STSS"] = codes
    if where.po_number is not None:
        if not askable(where.po_number):
            return None
        wanted["PONO"] = where.po_number
    if where.start is not None:
        wanted |= moment_numbers("FRM", where.start)
    if where.end is not None:
        wanted |= moment_numbers("UNT", where.end)
    if where.behind is not None:
        at, last = where.behind
        wanted |= moment_numbers("BHD", at)
        # No order stands between two milliseconds: of the next one none is behind the place.
        wanted["BHXREF"] = "" if at.microsecond % 1_000 else last
    return wanted
