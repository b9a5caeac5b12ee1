"""What is a matter of the warehouses that somebody works in: orders, and what waits for people about them.

The rule itself is :meth:`schema.records.identity.Principal.works_at`; here is what it is asked about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from schema.records.identity import Principal
from schema.records.operations import DeadLetter, ExceptionTask
from systems.ports import OrderLedger

__all__ = ["WarehousesOf", "may_handle", "may_take", "noted_in", "works_on"]

WarehousesOf = Callable[[str], Awaitable[Collection[str]]]
"""Reads the warehouses that have to do with an order."""


def noted_in(ledger: OrderLedger) -> WarehousesOf:
    """Return what reads them from the ledger, one order at a time."""

    async def read(order_id: str) -> Collection[str]:
        return (await ledger.warehouses_of([order_id]))[order_id]

    return read


async def works_on(principal: Principal, order_id: str | None, warehouses_of: WarehousesOf) -> bool:
    """Return whether a warehouse of the principal has to do with an order; none has with what is no order."""
    if principal.workplaces is None:
        return True
    return order_id is not None and principal.works_at(await warehouses_of(order_id))


async def may_take(principal: Principal, task: ExceptionTask, warehouses_of: WarehousesOf) -> bool:
    """Return whether a task is a matter of the principal's warehouses: the task's own one, else those of its order."""
    if task.warehouse_code is not None:
        return principal.works_at((task.warehouse_code,))
    return await works_on(principal, task.order_id, warehouses_of)


async def may_handle(principal: Principal, letter: DeadLetter, warehouses_of: WarehousesOf) -> bool:
    """Return whether a dead letter is about an order of the principal's warehouses."""
    return await works_on(principal, letter.order_id, warehouses_of)
