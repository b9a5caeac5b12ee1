"""P2 step 5: what the CRM tells of quotes, in whose screens they are sent and answered, becomes their status.

News counts in the order of the CRM's times: what comes late changes nothing, though a sending is told even then.
Only a quote that could become an order can be sent or answered; one that is over, waits for approval or has become an
order stays what it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from processes.dependencies import Dependencies
from processes.quote_conversion import quote_news
from schema.enums import QuoteStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.orders import Quote
from systems.errors import Conflict
from systems.news import QuoteNews

__all__ = ["take_quote_news"]

MAX_WRITES = 8
"""Times that a write is tried anew because somebody else wrote in between."""

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
    if news.status is None:
        return
    for _ in range(MAX_WRITES):
        quote = (await use.quotes.quotes([news.quote_id])).get(news.quote_id)
        if quote is None:
            return
        if quote.answered_at is not None and news.at <= quote.answered_at:
            if news.status is QuoteStatus.SENT:
                await use.events.append([_event(quote, news)])
            return
        if quote.status not in _ANSWERABLE or quote.status is news.status:
            return
        wanted = replace(quote, status=news.status, answered_at=news.at)
        try:
            await use.quotes.save(wanted, [_event(wanted, news)])
        except Conflict:
            continue
        return
    raise Conflict(SourceSystem.PLATFORM, "take quote news", f"quote {news.quote_id} changed {MAX_WRITES} times")


def _event(quote: Quote, news: QuoteNews) -> Event:
    name = _TOLD[news.status or quote.status]
    key = hashlib.sha256(news.event_id.encode()).hexdigest()[:24]  # fits every column, however long the sender's id
    told = quote_news(quote, news.at, name, f"{name}:{key}", {})
    return replace(told, system=SourceSystem.CRM)
