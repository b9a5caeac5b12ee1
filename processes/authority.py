"""Who may decide what: roles by queue of tasks and by level of approval (DOMAIN, table of roles)."""

from __future__ import annotations

from collections.abc import Mapping

from processes.rules import floor
from schema.records.identity import Principal

__all__ = [
    "LEVEL_ROLES",
    "QUEUE_ROLES",
    "NotEntitled",
    "may_approve",
    "may_work",
    "require_operator",
    "require_queue",
]

_DESKS = frozenset({"SERVICE_DESK", "OPERATIONS"})

QUEUE_ROLES: Mapping[str, frozenset[str]] = {
    "CREDIT": frozenset({"CREDIT_CONTROLLER", "FINANCE"}),
    "FINANCE": frozenset({"FINANCE"}),
    "PRICING": frozenset({"PRICING_DESK", "FINANCE"}),
    "SALES": frozenset({"SALES_MANAGER", "PRICING_DESK", "FINANCE"}),
    "ORDER_DESK": _DESKS,
    "FULFILMENT": _DESKS,
    "SERVICE": _DESKS,
    "RETURNS": _DESKS,
}
"""Roles that work a queue of tasks, and decide about what its tasks are about."""

LEVEL_ROLES: Mapping[str, frozenset[str]] = {
    floor.SALES_MANAGER: frozenset({"SALES_MANAGER", "PRICING_DESK", "FINANCE"}),
    floor.PRICING_DESK: frozenset({"PRICING_DESK", "FINANCE"}),
    floor.FINANCE_DIRECTOR: frozenset({"FINANCE"}),
}
"""Roles that let a price go below its floor, by how far below."""

OPERATORS = frozenset({"OPERATIONS"})
"""Roles that run the platform, and work every queue that nobody else owns."""


class NotEntitled(Exception):
    """The principal has none of the roles that may do this."""

    def __init__(self, operation: str, roles: frozenset[str]) -> None:
        super().__init__(f"{operation} takes one of the roles {', '.join(sorted(roles))}")


def may_work(principal: Principal, queue: str) -> bool:
    """Return whether the principal works a queue; customers work none."""
    return principal.accounts is None and not roles_of(queue).isdisjoint(principal.roles)


def may_approve(principal: Principal, level: str) -> bool:
    """Return whether the principal approves prices at a level."""
    return principal.accounts is None and not LEVEL_ROLES.get(level, frozenset()).isdisjoint(principal.roles)


def roles_of(queue: str) -> frozenset[str]:
    """Return the roles that work a queue."""
    return QUEUE_ROLES.get(queue, OPERATORS)


def require_queue(principal: Principal, queue: str, operation: str) -> None:
    """Check that the principal works a queue.

    Raises:
        NotEntitled: it does not.
    """
    if not may_work(principal, queue):
        raise NotEntitled(operation, roles_of(queue))


def require_operator(principal: Principal, operation: str) -> None:
    """Check that the principal runs the platform.

    Raises:
        NotEntitled: it does not.
    """
    if principal.accounts is not None or OPERATORS.isdisjoint(principal.roles):
        raise NotEntitled(operation, OPERATORS)
