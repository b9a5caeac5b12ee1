"""P2 step 4, compensation: a changed price supersedes a quote that was not sent yet, and what was approved of it.

1. Changes of prices come from the event log, in its order; the place up to which they were looked at is kept. They are
   looked at once quotes that were priced before them are surely saved.
2. A line is priced anew by the rules that priced it, when the change moves what the account pays for its item. Does it
   cost the same, and need the same approval, the quote stays what it is.
3. Else the quote is SUPERSEDED: nobody decides about it any more, and the rep prepares a new one. Prices that people
   asked for are kept, so that only what must be approved can differ.
4. A quote that is sent holds its prices until its last day: what changes while the customer has it supersedes it
   neither then nor when it is taken back.
5. A change that holds from a later day on supersedes nothing until then, and is looked at again on that day, in UTC.

Without the systems nothing is decided: the changes wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import takewhile

from events.ports import EventLog
from processes.dependencies import Dependencies
from processes.invoice_watch import pass_over
from processes.price_news import PRICE_CHANGED, change_of
from processes.quote_approval import close_lapsed, superseded
from processes.quote_repricing import Difference, difference_of
from processes.quote_writes import change_quote, quote_event
from processes.rules.price_change import GroupMove
from schema.enums import QuoteStatus, SourceSystem
from schema.events.envelope import Event, EventFilter
from schema.records.operations import DeadLetter
from schema.records.orders import Quote
from systems.errors import ConnectorError
from systems.outage import is_outage
from systems.ports import FeedCursors

__all__ = ["SETTLED_AFTER", "QuoteSuperseding", "pass_over_prices", "supersede_quote"]

FEED = "quotes.prices"
"""Name of the place up to which changes of prices were looked at."""

DAYS = "quotes.prices.days"
"""Name of the place that is the number of the last day on which what was told before was looked at."""

WAITING = "quotes.prices.waiting"
"""Name of the place behind which changes that hold from a later day on stand in the log."""

AT_ONCE = 100
"""Changes that are looked at together: each look goes through the quotes once."""

QUOTES_AT_ONCE = 100
"""Quotes that are read at once."""

SETTLED_AFTER = timedelta(seconds=30)
"""By then a quote that was priced before a change is saved: pricing has 2.5 s for that."""

_UNSENT = (QuoteStatus.PRICED, QuoteStatus.PENDING_APPROVAL, QuoteStatus.APPROVED)
"""Statuses of quotes that have prices and are not promised to anybody."""

_CHANGED = EventFilter(types=(PRICE_CHANGED,))


class QuoteSuperseding:
    """Looks which quotes changed prices supersede.

    Args:
        use: systems and ledgers.
    """

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def look(self) -> int:
        """Look at what the next changes of prices mean for quotes, and return how many changes there were.

        Cancel/retry: safe to repeat; a quote is superseded once.

        Raises:
            ConnectorError: a system or the platform's ledgers do not answer; the changes are looked at again.
        """
        settled = self._use.clock.now() - SETTLED_AFTER
        await self._look_at_begun(settled.date().toordinal())
        place = await self._use.cursors.place(FEED)
        found = await self._use.events.read_on(_CHANGED, place, AT_ONCE)
        # One that is of the future by its own word must not keep those behind it from being looked at.
        due = list(takewhile(lambda stored: min(stored.event.occurred_at, stored.recorded_at) <= settled, found))
        if due:
            await self._look_through_quotes(_by_sku(stored.event for stored in due))
            await self._use.cursors.move(FEED, due[-1].position)
        return len(due)

    async def _look_at_begun(self, today: int) -> None:
        """Look, once a day, at what was told before and holds from this day on, or from one since the last look."""
        looked = await self._use.cursors.place(DAYS) or today - 1
        if looked >= today:
            return
        place, end = await self._use.cursors.place(WAITING), await self._use.cursors.place(FEED)
        first_later = 0
        while place < end and (found := await self._use.events.read_on(_CHANGED, place, AT_ONCE)):
            begun = [stored.event for stored in found if looked < _since(stored.event) <= today]
            if begun:
                await self._look_through_quotes(_by_sku(begun))
            later = (stored.position for stored in found if _since(stored.event) > today)
            first_later = first_later or next(later, 0)
            place = found[-1].position
        await self._use.cursors.move(WAITING, first_later - 1 if first_later else min(place, end))
        await self._use.cursors.move(DAYS, today)

    async def _look_through_quotes(self, changes: Mapping[str, Sequence[Event]]) -> None:
        after, today = None, self._use.clock.now().date()
        while page := await self._use.quotes.standing(_UNSENT, after, QUOTES_AT_ONCE):
            for quote in page:
                if quote.valid_until >= today:
                    await self._look_at(quote, changes)
            after = page[-1].id

    async def _look_at(self, quote: Quote, changes: Mapping[str, Sequence[Event]]) -> None:
        """Supersede a quote for which changes come to something else than it has."""
        concerned = {
            line.line_no: heard
            for line in quote.lines
            if (heard := [event for event in changes.get(line.sku, ()) if _concerns(event, quote.account_id)])
        }
        if not concerned:
            return
        try:
            difference = await difference_of(self._use, quote, concerned)
        except ConnectorError as error:
            if is_outage(error):
                raise
            await self._use.dead_letters.put(self._letter(quote, error))
            return
        if difference is not None:
            await supersede_quote(self._use, quote.id, difference)

    def _letter(self, quote: Quote, error: ConnectorError) -> DeadLetter:
        """Return what cannot be priced anew, so that a person sees it and the others go on."""
        return DeadLetter(
            id=f"dl_quote_price:{quote.id}",
            source=SourceSystem.PLATFORM,
            type="quote.priced.anew",
            reason=error.detail,
            attempts=1,
            first_seen=self._use.clock.now(),
            payload={"quoteId": quote.id},
            order_id=None,
        )


async def supersede_quote(use: Dependencies, quote_id: str, difference: Difference) -> None:
    """Make an unsent quote SUPERSEDED and close what was asked about it; one that is sent or over stays what it is.

    Cancel/retry: safe to repeat; it is written and told once.

    Raises:
        Conflict: others kept writing in between.
    """
    now = use.clock.now()

    def changed(quote: Quote) -> Quote:
        return superseded(quote, now) if quote.status in _UNSENT else quote

    def tell(quote: Quote) -> list[Event]:
        line = difference.line
        facts = {"lineNo": line.line_no, "sku": line.sku, "reason": difference.said}
        return [quote_event(quote, now, "superseded", "superseded", facts)]

    quote = await change_quote(use, quote_id, changed, tell)
    if quote is not None and quote.status is QuoteStatus.SUPERSEDED:
        await close_lapsed(use, quote)


async def pass_over_prices(events: EventLog, cursors: FeedCursors) -> None:
    """Take every change of a price of the log as looked at: quotes of a past that was brought in are as they were."""
    await pass_over(events, cursors, FEED, _CHANGED)
    await cursors.move(WAITING, await cursors.place(FEED))


def _since(event: Event) -> int:
    """Return the number of the day from which a change holds."""
    return date.fromisoformat(event.data["effectiveFrom"]).toordinal()


def _by_sku(events: Iterable[Event]) -> Mapping[str, Sequence[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(str(event.data["sku"]), []).append(event)
    return found


def _concerns(event: Event, account_id: str) -> bool:
    """Return whether a change may be one of an account's prices: its own, everybody's, or what children inherit."""
    if event.account_id in (None, account_id):
        return True
    change = change_of(event)
    return not isinstance(change, GroupMove) and any(
        row is not None and row.inherit for row in (change.before, change.after)
    )
