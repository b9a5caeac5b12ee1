"""P2 step 5: what people say of quotes in the CRM, in whose screens they are sent, answered and taken back.

1. News counts in the order of the CRM's times, in whatever order it comes: what comes late changes nothing, though a
   sending is told even then.
2. Only a quote that could become an order can be sent or answered; one that is over, waits for approval or has become
   an order stays what it is. One whose last day was over in UTC when it was sent or answered is over, EXPIRED or not
   yet.
3. A quote that is with the customer, unanswered, is taken back by any status of one that is not: it is what it was
   before it was sent, and can be sent again. An answer that the customer gave before that holds.
4. Whatever else is said there the platform decides itself. An event tells that the quote stays what it is, and the CRM
   shows it so again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from processes.dependencies import Dependencies
from processes.quote_writes import change_quote, quote_event
from schema.enums import QuoteStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.orders import Quote
from systems.news import QuoteNews

__all__ = ["take_quote_news"]

_TOLD = {QuoteStatus.SENT: "sent", QuoteStatus.ACCEPTED: "accepted", QuoteStatus.DECLINED: "declined"}
"""What is told of a quote that the CRM says stands so."""

_NOT_SENT = (QuoteStatus.DRAFT, QuoteStatus.PRICED, QuoteStatus.PENDING_APPROVAL, QuoteStatus.APPROVED)
"""Statuses of a quote that is not with the customer: who says one in the CRM takes a sent quote back."""

_ANSWERABLE = (
    QuoteStatus.PRICED,
    QuoteStatus.APPROVED,
    QuoteStatus.SENT,
    QuoteStatus.ACCEPTED,
    QuoteStatus.DECLINED,
)
"""Statuses that a sending or an answer changes; a customer may think again."""


async def take_quote_news(use: Dependencies, news: QuoteNews) -> None:
    """Write at the quote that it was sent, accepted, declined or taken back, and tell it in the same commit.

    Cancel/retry: safe to repeat; the same news is written and told once.

    Raises:
        Conflict: others kept writing in between.
        ConnectorError: the platform's ledgers do not answer; nothing is lost when the news is handed in again.
    """
    status = news.status
    if status is None:
        return
    before: Quote | None = None

    def said(quote: Quote) -> Quote:
        nonlocal before
        before = quote
        return _after(quote, status, news)

    def tell(quote: Quote) -> list[Event]:
        told = [_event(quote, status, news)] if status in _TOLD else []
        if _is_unsent(quote, before):
            return [*told, _recalled(quote)]
        return told or _mended(quote, status, news)

    quote = await change_quote(use, news.quote_id, said, tell)
    if quote is None:
        return
    if status is QuoteStatus.SENT and quote.answered_at is not None and news.at <= quote.answered_at:
        await use.events.append([_event(quote, status, news)])
    if not _is_late(quote, news):
        await use.events.append(_mended(quote, status, news))


def _is_late(quote: Quote, news: QuoteNews) -> bool:
    """Return whether something as new has been said of the quote; answers and recalls are followed apart."""
    known = quote.recalled_at if news.status in _NOT_SENT else quote.answered_at
    return known is not None and news.at <= known


def _after(quote: Quote, status: QuoteStatus, news: QuoteNews) -> Quote:
    """Return the quote after news: of answers and of recalls the newest of each is kept, so that order is nothing."""
    is_over = news.at.astimezone(UTC).date() > quote.valid_until
    if is_over or _is_late(quote, news) or quote.status not in _ANSWERABLE:
        return quote
    if status in _TOLD:
        quote = replace(quote, status=status, answered_at=news.at)
    elif status in _NOT_SENT:
        quote = replace(quote, answered_at=quote.answered_at or _sent_at(quote), recalled_at=news.at)
    if quote.status is not QuoteStatus.SENT or quote.answered_at is None or quote.recalled_at is None:
        return quote
    unsent = QuoteStatus.APPROVED if quote.approvals else QuoteStatus.PRICED
    return replace(quote, status=unsent) if quote.recalled_at > quote.answered_at else quote


def _sent_at(quote: Quote) -> datetime | None:
    """Return since when a quote has been sent that was brought in so and does not say it."""
    return quote.created_at if quote.status is QuoteStatus.SENT else None


def _is_unsent(quote: Quote, before: Quote | None) -> bool:
    """Return whether a change has taken a quote back: one that was sent, or that is told so after its recall."""
    was_told = before is not None and quote.answered_at != before.answered_at
    was_sent = before is not None and before.status is QuoteStatus.SENT
    return (was_told or was_sent) and quote.status in _NOT_SENT


def _event(quote: Quote, status: QuoteStatus, news: QuoteNews) -> Event:
    return _said(quote, _TOLD[status], _TOLD[status], news, {})


def _recalled(quote: Quote) -> Event:
    """Return what is told of a quote that was taken back, once for each time that it was sent."""
    sent_at, recalled_at = quote.answered_at or quote.created_at, quote.recalled_at or quote.created_at
    facts = {"sentAt": sent_at.isoformat()}
    told = quote_event(quote, recalled_at, "recalled", f"recalled:{sent_at.isoformat()}", facts)
    return replace(told, system=SourceSystem.CRM)


def _mended(quote: Quote, status: QuoteStatus, news: QuoteNews) -> list[Event]:
    """Return what has the CRM show the quote as it stands, nothing when it says so or has said something newer."""
    is_old = quote.answered_at is not None and news.at <= quote.answered_at
    if is_old or quote.status is status:
        return []
    return [_said(quote, "answer.refused", "refused", news, {"said": status.value})]


def _said(quote: Quote, what: str, name: str, news: QuoteNews, facts: Mapping[str, str]) -> Event:
    key = hashlib.sha256(news.event_id.encode()).hexdigest()[:24]  # fits every column, however long the sender's id
    return replace(quote_event(quote, news.at, what, f"{name}:{key}", facts), system=SourceSystem.CRM)
