"""What changed prices mean for one quote: whether a line would cost something else now, or need another approval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from processes.api import QuotePreparation, QuoteRequestLine
from processes.dependencies import Dependencies
from processes.price_facts import PriceFacts
from processes.price_news import change_of
from processes.quote_case import QuoteCase, QuoteRequest
from processes.quote_pricing import REQUESTED, QuotedLine, price_line, quote_facts
from processes.rules.price_change import GroupMove, has_moved
from schema.events.envelope import Event
from schema.records.catalog import Item
from schema.records.orders import Quote, QuoteLine
from schema.records.problems import Problem

__all__ = ["Difference", "difference_of"]


@dataclass(frozen=True, slots=True)
class Difference:
    """What would be quoted for a line now, or approved of it, that the quote does not have."""

    line: QuoteLine
    said: str


async def difference_of(use: Dependencies, quote: Quote, changes: Mapping[int, Sequence[Event]]) -> Difference | None:
    """Return the first line of which something else would be quoted now because of changes, None when there is none.

    Args:
        use: systems and ledgers.
        quote: as it was priced.
        changes: of prices, by the number of the line that they may concern.

    Raises:
        NotFound: the account has gone.
        ConnectorError: a system does not answer.
    """
    case = _case_of(use, quote)
    items, ship_to, facts = await case.items(), await case.ship_to(), await quote_facts(case)
    for index, (line, asked) in enumerate(zip(quote.lines, case.preparation.lines, strict=True)):
        item, heard = items.get(line.sku), changes.get(line.line_no, ())
        if item is None or not any(_has_moved(event, item, facts) for event in heard):
            continue
        said = _differs(quote, line, price_line(case, index, asked, item, ship_to, facts))
        if said is not None:
            return Difference(line, said)
    return None


def _has_moved(event: Event, item: Item, facts: PriceFacts) -> bool:
    """Return whether a change moves what the account pays for an item today; another group is taken to do so."""
    change = change_of(event)
    return isinstance(change, GroupMove) or has_moved(
        change,
        facts.rules,
        item=item,
        account_id=facts.account_id,
        ancestors=facts.ancestors,
        terms=facts.terms,
        fx=facts.fx,
        on=facts.on,
    )


def _differs(quote: Quote, line: QuoteLine, now: QuotedLine | Problem) -> str | None:
    """Return what would be another price or approval of a line, None when it would be quoted as it is."""
    if isinstance(now, Problem):
        return f"{line.sku} is not quoted any more: {now.message}"
    if now.line.unit_price != line.unit_price:
        old, new = (f"{unit.amount} {unit.currency}" for unit in (line.unit_price, now.line.unit_price))
        return f"{line.sku} is quoted at {old}, and would be at {new} now"
    asked = {entry.level for entry in quote.approvals if line.line_no in entry.lines}
    needed = set() if now.below_floor is None else {now.below_floor.level}
    if asked == needed:
        return None
    who, before = (" and ".join(sorted(levels)) or "nobody" for levels in (needed, asked))
    return f"{line.sku} would need the approval of {who} now, not of {before}"


def _case_of(use: Dependencies, quote: Quote) -> QuoteCase:
    """Return the preparation of a quote as if it was asked for now, at the prices that people asked for then."""
    lines = tuple(
        QuoteRequestLine(
            line.line_no, line.sku, line.quantity, line.unit_price if line.price_source == REQUESTED else None
        )
        for line in quote.lines
    )
    asked = QuotePreparation(quote.account_id, lines, quote.ship_to_id, quote.opportunity_id, quote.valid_until)
    request = QuoteRequest(quote.process_id or quote.id, quote.id, asked, quote.created_by, use.clock.now())
    return QuoteCase(request, use, resumed=False)
