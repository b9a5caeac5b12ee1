"""The CRM shows every quote as it stands, at its opportunity: the platform's quote is the truth, the CRM keeps a copy.

What happens to quotes comes from the event log, in its order; the place up to which it was mirrored is kept. While the
CRM is away it waits, and no quote waits for the CRM. Shown is the quote as it is now, not as the event found it: what
is mirrored twice, or late, never takes the CRM back to something older.
"""

from __future__ import annotations

from events.ports import EventLog
from processes.dependencies import Dependencies
from processes.invoice_watch import pass_over
from schema.enums import SourceSystem
from schema.events.envelope import EventFilter, StoredEvent
from schema.records.operations import DeadLetter
from schema.records.orders import Quote
from systems.errors import NotFound, Rejected
from systems.ports import FeedCursors, QuoteMirror

__all__ = ["QuoteMirrorFeed", "pass_over_quotes"]

FEED = "crm.quotes"
"""Name of the place up to which quotes were mirrored."""

AT_ONCE = 100
"""Events that are mirrored in a row."""

_CHANGED = EventFilter(
    types=(
        "quote.created",
        "quote.priced",
        "quote.approval.decided",
        "quote.sent",
        "quote.accepted",
        "quote.declined",
        "quote.recalled",
        "quote.answer.refused",
        "quote.expired",
        "quote.superseded",
        "quote.converted",
        "quote.reopened",
    )
)
"""What changes of a quote that the CRM shows, and what people have said there that it must not show."""


class QuoteMirrorFeed:
    """Tells the CRM how quotes stand.

    Args:
        use: systems and ledgers.
    """

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def look(self) -> int:
        """Mirror what has happened to quotes next, and return how many events there were.

        Cancel/retry: safe to repeat; the CRM finds the copy by the quote.

        Raises:
            ConnectorError: CRM or the platform's ledgers do not answer; what was mirrored until then is noted.
        """
        place = await self._use.cursors.place(FEED)
        found = await self._use.events.read_on(_CHANGED, place, AT_ONCE)
        last = {stored.event.partition_key: stored.position for stored in found}
        for stored in found:
            if last[stored.event.partition_key] == stored.position:  # once for all that has happened to a quote
                await self._mirror(stored)
            await self._use.cursors.move(FEED, stored.position)
        return len(found)

    async def _mirror(self, stored: StoredEvent) -> None:
        quote_id = stored.event.partition_key
        quote = (await self._use.quotes.quotes([quote_id])).get(quote_id)
        if quote is None:
            return
        try:
            await self._use.crm.mirror_quote(_mirror_of(quote))
        except (Rejected, NotFound) as error:
            await self._use.dead_letters.put(self._letter(stored, error))

    def _letter(self, stored: StoredEvent, error: Rejected | NotFound) -> DeadLetter:
        """Return what the CRM does not take, so that a person sees it and the others go on."""
        quote_id = stored.event.partition_key
        return DeadLetter(
            id=f"dl_crm_quote:{quote_id}",
            source=SourceSystem.PLATFORM,
            type="crm.quote.mirrored",
            reason=error.detail,
            attempts=1,
            first_seen=self._use.clock.now(),
            payload={"quoteId": quote_id, "eventId": stored.event.id},
            order_id=None,
        )


async def pass_over_quotes(events: EventLog, cursors: FeedCursors) -> None:
    """Take every quote of the log as mirrored: the CRM has the past that was brought in."""
    await pass_over(events, cursors, FEED, _CHANGED)


def _mirror_of(quote: Quote) -> QuoteMirror:
    return QuoteMirror(
        quote_id=quote.id,
        number=quote.number,
        account_id=quote.account_id,
        opportunity_id=quote.opportunity_id,
        status=quote.status,
        total=quote.total,
        valid_until=quote.valid_until,
    )
