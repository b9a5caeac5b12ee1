"""Quotes expire when their last day is over (P2), whatever they wait for: approval, the customer's answer, an order."""

from __future__ import annotations

from processes.dependencies import Dependencies
from processes.quote_approval import EXPIRY_KEY, close_lapsed, expired
from processes.quote_writes import quote_event
from schema.enums import QuoteStatus
from schema.records.orders import Quote
from systems.errors import Conflict

__all__ = ["AT_ONCE", "QuoteWatch"]

AT_ONCE = 100
"""Quotes that expire in one look."""

_OPEN = (
    QuoteStatus.DRAFT,
    QuoteStatus.PRICED,
    QuoteStatus.PENDING_APPROVAL,
    QuoteStatus.APPROVED,
    QuoteStatus.SENT,
    QuoteStatus.ACCEPTED,
)
"""Statuses of quotes that could still become an order."""


class QuoteWatch:
    """Looks which quotes are over.

    Args:
        use: systems and ledgers.
    """

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def look(self) -> int:
        """Let the next quotes expire whose last day, in UTC, is over, and return how many did.

        Cancel/retry: safe to repeat; a quote expires once.

        Raises:
            ConnectorError: the platform's ledgers do not answer.
        """
        over = await self._use.quotes.ended(_OPEN, self._use.clock.now().date(), AT_ONCE)
        return sum([await self._expire(quote) for quote in over])

    async def _expire(self, quote: Quote) -> bool:
        """Return whether the quote has expired; one that somebody writes at the same time is looked at later."""
        now = self._use.clock.now()
        wanted = expired(quote, now)
        told = quote_event(wanted, now, "expired", EXPIRY_KEY, {"validUntil": quote.valid_until.isoformat()})
        try:
            saved = await self._use.quotes.save(wanted, [told])
        except Conflict:
            return False
        await close_lapsed(self._use, saved)
        return True
