"""Subscriptions of orders: the event log followed from where the client left off.

1. The log is filtered by order or account; what the principal may not see is left out, event by event.
2. Every event is shown with the state of its order or shipment when it is delivered, read anew for each event.
3. The cursor is the event's id. A client that comes back with it gets what it missed, once, then live events.

A cursor that the log does not hold (any more) cannot be resumed without a gap: the stream ends with :class:`Gap` before
the first event, and the client reads the present state and follows on from now.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from events.ports import CursorUnknown, EventLog
from resolvers.access import can_see
from resolvers.gap import Gap
from schema.enums import ShipmentStatus
from schema.events.envelope import Event, EventFilter, StoredEvent
from schema.records.identity import Principal
from schema.records.orders import Milestone
from schema.records.problems import Problem

__all__ = [
    "INVOICE_EVENTS",
    "ORDER_EVENTS",
    "RETURN_EVENTS",
    "SHIPMENT_EVENTS",
    "Gap",
    "Scope",
    "follow",
    "milestone_of",
    "problem_of",
]

ORDER_EVENTS = ("order.*",)
"""Events that change what an order shows."""

SHIPMENT_EVENTS = ("shipment.*",)
"""Events that are milestones of a shipment."""


RETURN_EVENTS = ("return.*",)
"""Events that change what a return shows."""

INVOICE_EVENTS = ("invoice.posted",)
"""Events by which customers learn of an invoice; one that does not fit its order is not among them."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose events: of one order, of one account, of both at once, or with neither of all that the principal sees."""

    order_id: str | None
    account_id: str | None


async def follow(
    log: EventLog, types: tuple[str, ...], scope: Scope, after: str | None, principal: Principal
) -> AsyncGenerator[StoredEvent, None]:
    """Yield events of these types that the principal may see, each once, in the order of the log.

    Args:
        log: the event log.
        types: which events.
        scope: whose.
        after: id of the last event that the client has seen; None follows from now on.
        principal: who follows.

    Raises:
        Gap: on the first step, when the log does not hold ``after``.
    """
    where = EventFilter(types=types, partition_key=scope.order_id, account_id=_account(scope, principal))
    try:
        async with aclosing(log.follow(where, after)) as events:
            async for stored in events:
                account_id = stored.event.account_id
                if account_id is not None and can_see(principal, account_id):
                    yield stored
    except CursorUnknown as error:
        raise Gap(error.cursor) from error


def _account(scope: Scope, principal: Principal) -> str | None:
    """Return the one account that the log can filter by, None when the filter is left to each event."""
    if scope.account_id is not None:
        return scope.account_id
    bound = principal.accounts
    return bound[0] if bound is not None and len(bound) == 1 else None


def milestone_of(event: Event, current: ShipmentStatus) -> Milestone:
    """Return the milestone that an event of a shipment tells; ``current`` stands in for a status that it lacks."""
    data = event.data
    status = str(data.get("status"))
    at = data.get("at")
    known = status in ShipmentStatus.__members__
    return Milestone(
        code=str(data.get("code") or event.type.rpartition(".")[2].upper()),
        status=ShipmentStatus(status) if known else current,
        at=event.occurred_at if at is None else datetime.fromisoformat(str(at)),
        place=data.get("place"),
        reason_code=data.get("reasonCode") or data.get("reason"),
        source=event.system,
    )


def problem_of(event: Event, exceptions: Iterable[Problem]) -> Problem | None:
    """Return the problem that an event is about, as the order has it now; None when it is solved or there was none."""
    told = [event.data.get("problem"), *(event.data.get("problems") or ())]
    codes = {problem["code"] for problem in told if isinstance(problem, dict) and "code" in problem}
    return next((problem for problem in exceptions if problem.code in codes), None)
