"""P2 step 5: what the CRM tells of quotes, in whose screens they are sent and answered, becomes their status.

News counts in the order of the CRM's times: what comes late changes nothing, though a sending is told even then.
Only a quote that could become an order can be sent or answered; one that is over, waits for approval or has become an
order stays what it is. One whose last day was over in UTC when it was sent or answered is over, EXPIRED or not yet.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC

from processes.dependencies import Dependencies
from processes.quote_writes import change_quote, quote_event
from schema.enums import QuoteStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.orders import Quote
from systems.news import QuoteNews

__all__ = ["take_quote_news"]

_TOLD = {QuoteStatus.SENT: "sent", QuoteStatus.ACCEPTED: "accepted", QuoteStatus.DECLINED: "declined"}
"""What is told of a quote that the CRM says stands so."""

_ANSWERABLE = (
    QuoteStatus.PRICED,
    QuoteStatus.APPROVED,
    QuoteStatus.SENT,
    QuoteStatus.ACCEPTED,
    QuoteStatus.DECLINED,
)
"""Statuses that a sending or an answer changes; a customer may think again."""


async def take_quote_news(use: Dependencies, news: QuoteNews) -> None:
    """Write at the quote that it was sent, accepted or declined, and tell it in the same commit.

    Cancel/retry: safe to repeat; the same news is written and told once.

    Raises:
        Conflict: others kept writing in between.
        ConnectorError: the platform's ledgers do not answer; nothing is lost when the news is handed in again.
    """
    status = news.status
    if status is None:
        return

    def answered(quote: Quote) -> Quote:
        is_late = quote.answered_at is not None and news.at <= quote.answered_at
        is_over = news.at.astimezone(UTC).date() > quote.valid_until
        if is_late or is_over or quote.status not in _ANSWERABLE or quote.status is status:
            return quote
        return replace(quote, status=status, answered_at=news.at)

    quote = await change_quote(use, news.quote_id, answered, lambda quote: [_event(quote, status, news)])
    if quote is None or quote.answered_at is None or status is not QuoteStatus.SENT:
        return
    if news.at <= quote.answered_at:
        await use.events.append([_event(quote, status, news)])


def _event(quote: Quote, status: QuoteStatus, news: QuoteNews) -> Event:
    name = _TOLD[status]
    key = hashlib.sha256(news.event_id.encode()).hexdigest()[:24]  # fits every column, however long the sender's id
    told = quote_event(quote, news.at, name, f"{name}:{key}", {})
    return replace(told, system=SourceSystem.CRM)
