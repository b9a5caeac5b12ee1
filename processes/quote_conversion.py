"""P2 step 6: a quote becomes one order, and can be ordered again when that order ends without having been accepted.

Whose the quote is stands at the quote, written by version: of several orders that name it one has it, and an order that
is checked again after a crash finds what it has already.
"""

from __future__ import annotations

from dataclasses import replace

from processes.dependencies import Dependencies
from processes.order_checks import check_quote
from processes.quote_writes import change_quote, quote_event
from schema.enums import QuoteStatus
from schema.events.envelope import Event
from schema.records.orders import LedgerOrder, Quote
from schema.records.problems import Problem

__all__ = ["convert_quote", "reopen_quote"]


async def convert_quote(use: Dependencies, quote_id: str, account_id: str, order_id: str) -> tuple[Problem, ...]:
    """Make the quote this order's and tell it in the same commit, or return why it cannot become this order.

    Cancel/retry: safe to repeat; what is the order's already is neither written nor told again.

    Raises:
        Conflict: others kept writing in between.
    """

    def problems_of(quote: Quote | None) -> tuple[Problem, ...]:
        return tuple(check_quote(quote_id, quote, account_id, use.clock.now().date(), order_id))

    def converted(quote: Quote) -> Quote:
        if quote.order_id == order_id or problems_of(quote):
            return quote
        return replace(quote, status=QuoteStatus.CONVERTED, order_id=order_id, converted_from=quote.status)

    def tell(quote: Quote) -> list[Event]:
        facts = {"orderId": order_id, "total": {"amount": str(quote.total.amount), "currency": quote.total.currency}}
        return [quote_event(quote, use.clock.now(), "converted", f"convert:{order_id}", facts)]

    return problems_of(await change_quote(use, quote_id, converted, tell))


async def reopen_quote(use: Dependencies, order: LedgerOrder) -> None:
    """Make the quote of an order that has ended what it was before; an order that was accepted keeps its quote.

    Cancel/retry: safe to repeat.

    Raises:
        Conflict: others kept writing in between.
    """
    if order.quote_id is None or order.accepted_at is not None:
        return

    def reopened(quote: Quote) -> Quote:
        if quote.status is not QuoteStatus.CONVERTED or quote.order_id != order.id:
            return quote
        return replace(
            quote,
            status=quote.converted_from or QuoteStatus.ACCEPTED,
            order_id=None,
            converted_from=None,
            account_id=order.account_id,  # a merge of accounts takes orders along, not quotes that have become one
        )

    def tell(quote: Quote) -> list[Event]:
        return [quote_event(quote, use.clock.now(), "reopened", f"reopen:{order.id}", {"orderId": order.id})]

    await change_quote(use, order.quote_id, reopened, tell)
