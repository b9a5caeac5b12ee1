"""Orders: lists come from every ERP that an account has documents in, writes go to the one that took the order.

An order stays where it was created, wherever its account moves. A new one goes where :class:`NewErpOrder` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from schema.enums import SourceSystem
from schema.records.orders import ErpOrder, ErpOrderChange, NewErpOrder, OrderFilter
from schema.records.values import Money, Page, PageRequest
from systems.cursors import make_cursor, read_cursor
from systems.erp_homes import Capability
from systems.erp_routing.route import AnyErp, Route
from systems.errors import NotFound, PartlyAnswered
from systems.ports import AllocationResult

__all__ = ["Orders"]

_KIND = "order"
_NUMBER = "order number"


class Orders:
    """:class:`systems.ports.OrderBook`."""

    _route: Route

    # --- reads

    async def orders(self, ids: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders with their lines by platform id."""
        return await self._route.by_order("orders", ids, lambda erp, asked: erp.orders(asked), _KIND)

    async def orders_by_number(self, numbers: Sequence[str]) -> Mapping[str, ErpOrder]:
        """Return orders with their lines by number."""
        found = await self._route.by_key(
            "orders by number", _NUMBER, numbers, lambda erp, asked: erp.orders_by_number(asked)
        )
        self._remember(found.values())
        return found

    async def orders_of(
        self, account_ids: Sequence[str], where: OrderFilter, limit: int
    ) -> Mapping[str, tuple[ErpOrder, ...]]:
        """Return each account's newest orders with their lines, at most ``limit`` per account, newest first."""
        found = await self._route.by_account(
            "orders of accounts",
            Capability.DOCUMENTS,
            account_ids,
            lambda erp, ids: erp.orders_of(ids, where, limit),
            lambda parts: _newest_first([order for part in parts for order in part])[:limit],
        )
        for orders in found.values():
            self._remember(orders)
        return found

    async def search_orders(self, where: OrderFilter, page: PageRequest) -> Page[ErpOrder]:
        """Return orders with their lines, newest first.

        A page is the newest of what every ERP has behind the cursor, which is the place of an order among all.

        Raises:
            PartlyAnswered: an ERP does not answer; what was found of others is by order id, newest first.
            Rejected: with reason ``BAD_CURSOR`` when ``page.after`` is none of this list.
        """
        if page.after is not None:
            place = read_cursor(SourceSystem.PLATFORM, page.after)
            where = replace(where, behind=place if where.behind is None else min(place, where.behind))
        everywhere: dict[SourceSystem, list[str]] = {system: [] for system in self._route.erps}
        answers, silent = await self._route.ask(
            everywhere, lambda erp, _: erp.search_orders(where, PageRequest(page.first))
        )
        known = _newest_first([order for answer in answers.values() for order in answer.items])
        self._remember(known)
        if silent:
            if not answers:
                raise next(iter(silent.values()))
            raise PartlyAnswered("search orders", {order.id: order for order in known[: page.first]}, {}, silent)
        shown = known[: page.first]
        has_next = len(known) > len(shown) or any(answer.has_next for answer in answers.values())
        return Page(shown, tuple(make_cursor(order.submitted_at, order.id) for order in shown), has_next)

    async def open_values(self, account_ids: Sequence[str]) -> Mapping[str, Money]:
        """Return the value of ordered, not yet invoiced quantity per account in its credit currency."""
        return await self._route.by_account(
            "open values", Capability.DOCUMENTS, account_ids, lambda erp, ids: erp.open_values(ids), _sum
        )

    async def find_order(self, key: str) -> ErpOrder | None:
        """Return the order that ``key`` created, None when it created none.

        Raises:
            ConnectorError: an ERP does not answer that may have created it.
        """
        for erp in await self._erps_of_key(key):
            found = await erp.find_order(key)
            if found is not None:
                self._remember([found])
                return found
        return None

    # --- writes

    async def create_order(self, order: NewErpOrder) -> ErpOrder:
        """Create and accept an order in its home, or return the one that its key created before."""
        made = await self._route.erps[order.home_erp].create_order(order)
        self._remember([made])
        return made

    async def cancel_order(self, key: str) -> None:
        """Cancel the order that ``key`` created; nothing happens when there is none."""
        for erp in await self._erps_of_key(key):
            await erp.cancel_order(key)

    async def change_order(self, change: ErpOrderChange) -> ErpOrder:
        """Change lines of an order and add others, once per key, and return the order as it is then.

        Raises:
            NotFound: there is no such order.
        """
        return await (await self._erp_of(change.order_id, "change order")).change_order(change)

    async def allocate(self, key: str, order_id: str) -> tuple[AllocationResult, ...]:
        """Set stock aside for every line, once per ``key``, and return what each line got.

        Raises:
            NotFound: there is no such order.
        """
        return await (await self._erp_of(order_id, "allocate")).allocate(key, order_id)

    async def deallocate(self, key: str, order_id: str) -> None:
        """Give back what ``allocate`` with this key set aside."""
        erp = await self._holder(order_id)
        if erp is not None:
            await erp.deallocate(key, order_id)

    async def _erp_of(self, order_id: str, operation: str) -> AnyErp:
        erp = await self._holder(order_id)
        if erp is None:
            raise NotFound(SourceSystem.CLOUD_ERP, operation, f"no ERP has a document of the order {order_id}")
        return erp

    async def _holder(self, order_id: str) -> AnyErp | None:
        """Return the ERP that an order is recorded in, or else the one that knows it."""
        recorded = await self._route.erp_of_order(order_id)
        if recorded is not None:
            return recorded
        found = (await self.orders([order_id])).get(order_id)
        return None if found is None else self._route.erps[found.home_erp]

    async def _erps_of_key(self, key: str) -> tuple[AnyErp, ...]:
        """Return the ERPs in which ``key`` may have created an order."""
        order_id = _order_of_key(key)
        recorded = None if order_id is None else await self._route.erp_of_order(order_id)
        return tuple(self._route.erps.values()) if recorded is None else (recorded,)

    def _remember(self, orders: Iterable[ErpOrder]) -> None:
        for order in orders:
            self._route.remember(_KIND, order.id, order.home_erp)


def _order_of_key(key: str) -> str | None:
    """Return the order that a key of the form ``or:{id}:erp`` is about."""
    first, _, rest = key.partition(":")
    order_id, _, last = rest.rpartition(":")
    return order_id if (first, last) == ("or", "erp") and order_id else None


def _place(order: ErpOrder) -> tuple[datetime, str]:
    return order.submitted_at, order.id


def _newest_first(orders: Sequence[ErpOrder]) -> tuple[ErpOrder, ...]:
    return tuple(sorted(orders, key=_place, reverse=True))


def _sum(amounts: Sequence[Money]) -> Money:
    currency = amounts[0].currency
    if any(amount.currency != currency for amount in amounts):
        said = ", ".join(sorted({amount.currency for amount in amounts}))
        raise ValueError(f"an account has one credit currency, its ERPs tell {said}")
    return Money(sum((amount.amount for amount in amounts), Decimal(0)), currency)
