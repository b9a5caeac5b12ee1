"""Subscriptions: the event log followed from where the client left off.

1. The log is filtered by partition or account; what the principal may not see is left out, event by event.
2. Every event is shown with the state of what it is about when it is delivered, read anew for each event.
3. The cursor is the event's id. A client that comes back with it gets what it missed, once, then live events.

A cursor that the log does not hold (any more) cannot be resumed without a gap: the stream ends with :class:`Gap` before
the first event, and the client reads the present state and follows on from now.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from events.ports import CursorUnknown, EventLog
from resolvers.access import can_see
from resolvers.gap import Gap
from schema.events.envelope import EventFilter, StoredEvent
from schema.records.identity import Principal

__all__ = ["Gap", "Scope", "follow"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose events: of one partition (an order, an onboarding), of one account, of both, or of all that one sees."""

    partition_key: str | None
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
    where = EventFilter(types=types, partition_key=scope.partition_key, account_id=_account(scope, principal))
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
