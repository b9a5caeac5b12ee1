"""Mutations of orders that are there: they check who asks about what, then start a process, which decides the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from processes.api import OrderCancellation, OrderChange, ProcessStarter, Started
from resolvers.access import require_change_rights, require_order_rights
from resolvers.envelopes import broken_rule, check_key
from resolvers.orders.submit import MAX_LINES
from schema.orders.views import OrderView
from schema.records.identity import Principal
from schema.records.problems import Problem
from schema.records.waiting import DECISION_WAIT_MS

__all__ = ["MAX_REASON", "FindsOrders", "cancel_order", "change_order", "envelope_problems", "refused"]

MAX_REASON = 500
"""Characters of a reason or comment."""


class FindsOrders(Protocol):
    """Finds orders that the caller may see."""

    async def order(self, order_id: str) -> OrderView | None:
        """Return an order, None when there is none that the caller may see."""
        ...


async def change_order(
    starter: ProcessStarter, orders: FindsOrders, change: OrderChange, key: str, principal: Principal
) -> Started:
    """Start a change of an order, or say why nothing was started.

    Raises:
        Forbidden: the principal may not change orders.
        ConnectorError: the ERP must be asked for the order, and does not answer.
    """
    require_change_rights(principal, "orderChange")
    problems = await envelope_problems(orders, change.order_id, key, change.reason, "reason", len(change.lines))
    if problems:
        return refused(problems)
    return await starter.change_order(change, key=key, principal=principal, wait_ms=DECISION_WAIT_MS)


async def cancel_order(
    starter: ProcessStarter, orders: FindsOrders, cancellation: OrderCancellation, key: str, principal: Principal
) -> Started:
    """Start the cancellation of an order, or say why nothing was started.

    Raises:
        Forbidden: the principal may not cancel orders.
        ConnectorError: the ERP must be asked for the order, and does not answer.
    """
    require_order_rights(principal, "orderCancel")
    problems = await envelope_problems(orders, cancellation.order_id, key, cancellation.reason, "reason")
    if problems:
        return refused(problems)
    return await starter.cancel_order(cancellation, key=key, principal=principal, wait_ms=DECISION_WAIT_MS)


async def envelope_problems(
    orders: FindsOrders, order_id: str, key: str, text: str | None, field: str, lines: int = 0
) -> Sequence[Problem]:
    """Return what is wrong with how something is asked of an order; one that may not be seen does not exist.

    Args:
        orders: finds the order.
        order_id: which order.
        key: the client's idempotency key.
        text: reason or comment, None when none is wanted.
        field: the text's name.
        lines: how many lines the request has.
    """
    problems: list[Problem] = list(check_key(key))
    if text is not None and not 0 < len(text.strip()) <= MAX_REASON:
        problems.append(broken_rule("TEXT_LENGTH", f"{field} has 1 to {MAX_REASON} characters", field))
    if lines > MAX_LINES:
        said = f"there are {lines} lines, at most {MAX_LINES} are taken"
        problems.append(broken_rule("TOO_MANY_LINES", said, "lines"))
    if await orders.order(order_id) is None:
        problems.append(broken_rule("UNKNOWN_ORDER", f"order {order_id} does not exist", "orderId"))
    return problems


def refused(problems: Sequence[Problem]) -> Started:
    """Return that nothing was started, and why."""
    return Started(process_id=None, state=None, entity_id=None, problems=tuple(problems), replayed=False)
