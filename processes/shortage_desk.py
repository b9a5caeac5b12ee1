"""What the order desk makes of an order that lacks goods (P3): it gives them up, goes ahead, or gets others for them.

Each is an amendment of the order, by a process that has the decision's id. So a decision that comes again is answered
by the process that it began, however the order looks by then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from processes.api import OrderChange, OrderSplit
from processes.decision_api import TaskResolution
from processes.dependencies import Dependencies
from processes.order_checks import failed
from processes.substitutes import RESOLUTION as SUBSTITUTE
from processes.substitutes import gives_up, substitutions
from schema.enums import SourceSystem
from schema.records.identity import Principal
from schema.records.operations import ExceptionTask
from schema.records.orders import LedgerOrder
from schema.records.problems import Problem
from systems.errors import NotFound

__all__ = ["Amends", "ShortageDesk"]


class Amends(Protocol):
    """Amends orders by decisions."""

    def amended_by(self, decision_id: str) -> Awaitable[Sequence[Problem] | None]:
        """Return what keeps an amendment that the decision began from its end, None when it began none."""
        ...

    def amend_by(
        self, decision_id: str, resolution: TaskResolution, asked: OrderChange | OrderSplit, principal: Principal
    ) -> Awaitable[Sequence[Problem]]:
        """Begin the amendment once, and return what keeps it from its end; accepted, it resolves the task."""
        ...


class ShortageDesk:
    """Resolves tasks about orders that lack goods.

    Args:
        use: the ports that processes use.
        amends: amends orders.
    """

    def __init__(self, use: Dependencies, amends: Amends) -> None:
        self._use = use
        self._amends = amends

    async def begun(self, decision_id: str) -> Sequence[Problem] | None:
        """Return what has come of the amendment that a decision began, None when it began none."""
        return await self._amends.amended_by(decision_id)

    async def resolve(
        self, task: ExceptionTask, asked: TaskResolution, decision_id: str, principal: Principal
    ) -> Sequence[Problem] | None:
        """Begin what the resolution says, and return what keeps it from its end, None when the order stays as it is.

        Raises:
            ConnectorError: a system that must be asked does not answer; nothing was begun.
        """
        order = await self._order_of(task)
        amendment: OrderChange | OrderSplit | None = None
        if asked.resolution == "CANCEL_LINE":
            amendment = _without_what_lacks(order, asked.comment)
        elif asked.resolution == "SPLIT" and order.ship_complete:
            amendment = OrderSplit(order.id, order.version, asked.comment)
        elif asked.resolution.startswith(SUBSTITUTE):
            sku = asked.resolution.removeprefix(SUBSTITUTE)
            amendment = await self._with_others(order, sku, asked.comment)
            if amendment is None:
                said = f"{sku} cannot stand for anything that order {order.number} lacks any more"
                return [failed("SUBSTITUTE", said, "resolution")]
        return None if amendment is None else await self._amends.amend_by(decision_id, asked, amendment, principal)

    async def _with_others(self, order: LedgerOrder, sku: str, reason: str) -> OrderChange | None:
        items = await self._use.erp.items(sorted({sku, *(line.sku for line in order.lines)}))
        ship_to = (await self._use.erp.ship_tos([order.ship_to_id])).get(order.ship_to_id)
        added = substitutions(order, sku, items, ship_to)
        replaced = {entry.replaces for entry in added}
        lines = tuple(gives_up(line) for line in order.lines if line.line_no in replaced)
        return OrderChange(order.id, order.version, lines, reason, added) if added else None

    async def _order_of(self, task: ExceptionTask) -> LedgerOrder:
        order = (await self._use.orders.orders([str(task.order_id)])).get(str(task.order_id))
        if order is None:
            raise NotFound(SourceSystem.PLATFORM, "resolve task", f"order {task.order_id} is not in the ledger")
        return order


def _without_what_lacks(order: LedgerOrder, reason: str) -> OrderChange | None:
    lines = tuple(gives_up(line) for line in order.lines if line.backordered > 0)
    return OrderChange(order.id, order.version, lines, reason) if lines else None
