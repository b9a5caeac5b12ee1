"""How a quote of the ledger is written, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from processes.dependencies import Dependencies
from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.orders import Quote
from systems.errors import Conflict

__all__ = ["change_quote", "quote_event"]

MAX_WRITES = 8
"""Times that a ledger write is tried anew because somebody else wrote in between."""


async def change_quote(
    use: Dependencies,
    quote_id: str,
    changed: Callable[[Quote], Quote],
    tell: Callable[[Quote], Sequence[Event]] = lambda _: (),
) -> Quote | None:
    """Write a change of a quote and its events in one commit; a change that is there already writes nothing.

    Returns:
        The quote as it is then, None when there is no such quote.

    Raises:
        Conflict: others kept writing in between.
    """
    for _ in range(MAX_WRITES):
        stored = (await use.quotes.quotes([quote_id])).get(quote_id)
        if stored is None:
            return None
        wanted = changed(stored)
        if wanted == stored:
            return stored
        try:
            return await use.quotes.save(wanted, tell(wanted))
        except Conflict:
            continue
    raise Conflict(SourceSystem.PLATFORM, "change quote", f"quote {quote_id} changed {MAX_WRITES} times")


def quote_event(quote: Quote, now: datetime, what: str, key: str, data: Mapping[str, Any]) -> Event:
    """Return an event of a quote's story that tells what became of it."""
    return Event(
        id=f"qt:{quote.id}:{key}",
        source="/dist/quotes",
        type=f"quote.{what}",
        subject=quote.id,
        partition_key=quote.id,
        correlation_id=quote.id,
        system=SourceSystem.PLATFORM,
        occurred_at=now,
        data={"quoteId": quote.id, "number": quote.number, "status": quote.status.value, **data},
        account_id=quote.account_id,
    )
