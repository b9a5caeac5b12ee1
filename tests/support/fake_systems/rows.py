"""How the fakes look their rows up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from schema.records.accounts import Contact, Opportunity, ServiceCase, ShipTo
from schema.records.orders import ErpOrder, Invoice, OrderFilter, Return, Shipment

OwnedT = TypeVar("OwnedT", Contact, Opportunity, ServiceCase, ShipTo, Invoice, Return)
OrderedT = TypeVar("OrderedT", Invoice, Return, Shipment)


def per_account(known: Mapping[str, OwnedT], account_ids: Sequence[str]) -> dict[str, tuple[OwnedT, ...]]:
    rows = known.values()
    return {account_id: tuple(row for row in rows if row.account_id == account_id) for account_id in account_ids}


def per_order(known: Mapping[str, OrderedT], order_ids: Sequence[str]) -> dict[str, tuple[OrderedT, ...]]:
    rows = known.values()
    return {order_id: tuple(row for row in rows if row.order_id == order_id) for order_id in order_ids}


def newest(orders: Sequence[ErpOrder]) -> list[ErpOrder]:
    return sorted(orders, key=lambda entry: (entry.submitted_at, entry.id), reverse=True)


def fulfils(order: ErpOrder, where: OrderFilter) -> bool:
    assert not where.may_have_exceptions, "the ERP records no exceptions"
    return (
        (where.statuses is None or order.status in where.statuses)
        and where.po_number in (None, order.po_number)
        and (where.start is None or order.submitted_at >= where.start)
        and (where.end is None or order.submitted_at < where.end)
        and (where.behind is None or (order.submitted_at, order.id) < where.behind)
    )
