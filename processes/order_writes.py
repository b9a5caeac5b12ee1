"""How an order of the ledger is written by those who are not its own process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from processes.dependencies import Dependencies
from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.orders import LedgerOrder
from systems.errors import Conflict

__all__ = ["change_order"]

MAX_WRITES = 8
"""Times that a ledger write is tried anew because somebody else wrote in between."""


async def change_order(
    use: Dependencies,
    order_id: str,
    changed: Callable[[LedgerOrder], LedgerOrder],
    tell: Callable[[LedgerOrder], Sequence[Event]],
) -> None:
    """Write a change of an order and its events in one commit; orders of elsewhere are let be.

    Raises:
        Conflict: others kept writing in between.
    """
    for _ in range(MAX_WRITES):
        stored = (await use.orders.orders([order_id])).get(order_id)
        if stored is None:
            return
        wanted = changed(stored)
        if wanted == stored:
            return
        try:
            await use.orders.update(wanted, tell(wanted))
            return
        except Conflict:
            continue
    raise Conflict(SourceSystem.PLATFORM, "change order", f"order {order_id} changed {MAX_WRITES} times")
