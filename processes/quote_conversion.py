"""P2 step 6: a quote becomes one order, and can be ordered again when that order ends without having been accepted.

Whose the quote is stands at the quote, written by version: of several orders that name it one has it, and an order that
is checked again after a crash finds what it has already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from processes.dependencies import Dependencies
from processes.order_checks import check_quote
from schema.enums import QuoteStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.orders import LedgerOrder, Quote
from schema.records.problems import Problem
from systems.errors import Conflict

__all__ = ["convert_quote", "quote_news", "reopen_quote"]

MAX_WRITES = 8
"""Times that a write is tried anew because somebody else wrote in between."""


async def convert_quote(use: Dependencies, quote_id: str, account_id: str, order_id: str) -> tuple[Problem, ...]:
    """Make the quote this order's and tell it in the same commit, or return why it cannot become this order.

    Cancel/retry: safe to repeat; what is the order's already is neither written nor told again.

    Raises:
        Conflict: others kept writing in between.
    """
    for _ in range(MAX_WRITES):
        now = use.clock.now()
        quote = (await use.quotes.quotes([quote_id])).get(quote_id)
        problems = tuple(check_quote(quote_id, quote, account_id, now.date(), order_id))
        if quote is None or problems or quote.order_id == order_id:
            return problems
        converted = replace(quote, status=QuoteStatus.CONVERTED, order_id=order_id, converted_from=quote.status)
        facts = {"orderId": order_id, "total": {"amount": str(quote.total.amount), "currency": quote.total.currency}}
        try:
            await use.quotes.save(converted, [quote_news(converted, now, "converted", f"convert:{order_id}", facts)])
        except Conflict:
            continue
        return ()
    raise Conflict(SourceSystem.PLATFORM, "convert quote", f"quote {quote_id} changed {MAX_WRITES} times")


async def reopen_quote(use: Dependencies, order: LedgerOrder) -> None:
    """Make the quote of an order that has ended what it was before; an order that was accepted keeps its quote.

    Cancel/retry: safe to repeat.

    Raises:
        Conflict: others kept writing in between.
    """
    if order.quote_id is None or order.accepted_at is not None:
        return
    for _ in range(MAX_WRITES):
        quote = (await use.quotes.quotes([order.quote_id])).get(order.quote_id)
        if quote is None or quote.status is not QuoteStatus.CONVERTED or quote.order_id != order.id:
            return
        reopened = replace(
            quote,
            status=quote.converted_from or QuoteStatus.ACCEPTED,
            order_id=None,
            converted_from=None,
            account_id=order.account_id,  # a merge of accounts takes orders along, not quotes that have become one
        )
        told = quote_news(reopened, use.clock.now(), "reopened", f"reopen:{order.id}", {"orderId": order.id})
        try:
            await use.quotes.save(reopened, [told])
        except Conflict:
            continue
        return
    raise Conflict(SourceSystem.PLATFORM, "reopen quote", f"quote {order.quote_id} changed {MAX_WRITES} times")


def quote_news(quote: Quote, now: datetime, what: str, key: str, data: Mapping[str, Any]) -> Event:
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
