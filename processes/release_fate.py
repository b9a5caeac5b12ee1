"""What was released ends as its order does, whoever cancels the order meanwhile.

A cancellation waits for the other processes of its order that are under way, but not for one that waits for a person;
that one may go on at any moment. So each looks again after it has written: the cancellation into the warehouses once
the order is cancelled, the release at the order once the warehouse has the goods. Whoever comes second takes them back.
"""

from __future__ import annotations

from collections.abc import Sequence

from processes.order_case import OrderCase
from schema.enums import OrderStatus, ProcessState, SourceSystem
from schema.records.orders import LedgerOrder
from systems.errors import Conflict, Rejected

__all__ = ["follow_order", "release_key", "withdraw_releases", "withdraw_round"]

MAX_LOOKS = 8
"""Looks at an order whose cancellation begins and ends in between; each takes a request of a customer."""


def release_key(case: OrderCase, warehouse_code: str, round_: int) -> str:
    """Return the key of one of an order's releases at a warehouse."""
    return case.key(f"rel:{warehouse_code}:{round_}")


async def follow_order(case: OrderCase, keys: Sequence[str]) -> OrderStatus:
    """Keep releases from being picked while their order waits to be cancelled, and cancel them when it is.

    Returns:
        the status of the order that this was done for.

    Raises:
        Rejected: goods of a cancelled order are picked; a person must decide.
    """
    is_held = None if case.may_have_sent else False  # an earlier attempt may have held them
    for _ in range(MAX_LOOKS):
        order = await case.order()
        if order.status is OrderStatus.CANCELLED:
            await withdraw_releases(case, keys)
            return order.status
        is_to_hold = order.status is OrderStatus.CANCEL_PENDING and not await _is_taken_back(case, order)
        if is_to_hold is is_held:
            return order.status
        for key in keys:
            if is_to_hold:
                await case.use.wms.hold_release(key)
            else:
                await case.use.wms.resume_release(key)
        is_held = is_to_hold
    raise Conflict(SourceSystem.PLATFORM, "release", f"order {case.order_id} changed {MAX_LOOKS} times")


async def withdraw_releases(case: OrderCase, keys: Sequence[str]) -> None:
    """Cancel releases of an order that is cancelled; one that never came is cancelled too.

    Raises:
        Rejected: goods are picked; a person must decide.
    """
    for key in keys:
        if not await case.use.wms.cancel_release(key):
            said = f"goods of order {case.order_id} are picked under {key} although it is cancelled"
            raise Rejected(SourceSystem.WMS, "cancel release", said, reason="ALREADY_PICKED")


async def withdraw_round(case: OrderCase, round_: int) -> None:
    """Cancel what an earlier attempt may have released in a round of an order that is cancelled.

    A cancelled order does not say any more from where it was to ship.

    Raises:
        Rejected: goods are picked; a person must decide.
    """
    await withdraw_releases(case, [release_key(case, place.code, round_) for place in await case.warehouses()])


async def _is_taken_back(case: OrderCase, order: LedgerOrder) -> bool:
    """Return whether the cancellation of an order was refused, and lets the goods be picked again."""
    if order.amended_by is None:
        return False
    found = (await case.use.process_log.processes([order.amended_by])).get(order.amended_by)
    return found is not None and found.state is ProcessState.COMPENSATING
