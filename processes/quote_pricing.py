"""What a line of a quote costs and who must approve that: for a new quote, and for one whose prices have changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from processes.api import QuoteRequestLine
from processes.order_checks import failed, not_sellable
from processes.order_pricing import AGREED
from processes.price_facts import PriceFacts, per_base, price_facts
from processes.quote_case import QuoteCase
from processes.rules import floor
from processes.rules.price import lock_until, settle
from processes.rules.settlement import Charge
from processes.rules.uom import factor, to_base
from schema.enums import SourceSystem
from schema.records.accounts import ShipTo
from schema.records.catalog import Item, Price
from schema.records.currencies import round_to_minor
from schema.records.orders import QuoteLine
from schema.records.problems import ApprovalRequired, ItemNotSellable, Problem, ValidationFailed
from systems.errors import NotFound

__all__ = ["REQUESTED", "QuotedLine", "last_day", "price_line", "quote_facts"]

VALIDITY = timedelta(days=30)
"""How long a quote holds when nobody says otherwise."""

REQUESTED = "REQUESTED"
"""Source of a price that the sales rep asked for."""


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line as it is quoted, and who must approve that, None for nobody."""

    line: QuoteLine
    below_floor: ApprovalRequired | None


async def quote_facts(case: QuoteCase) -> PriceFacts:
    """Return what the prices of a quote are made of now.

    Raises:
        NotFound: the account has gone, from the CRM or as a customer of the ERP.
        ConnectorError: a system does not answer.
    """
    account, terms = await case.account(), await case.terms()
    if account is None or terms is None:
        raise NotFound(SourceSystem.CLOUD_ERP, "price quote", f"account {case.account_id} has gone")
    return await price_facts(case.use, account, terms, await case.items(), case.use.clock.now())


def last_day(case: QuoteCase) -> date:
    """Return the last day on which the quote holds."""
    return case.preparation.valid_until or (case.request.asked_at + VALIDITY).date()


def price_line(
    case: QuoteCase, index: int, line: QuoteRequestLine, item: Item, ship_to: ShipTo | None, facts: PriceFacts
) -> QuotedLine | Problem:
    """Return a line at the price that was asked for, else at today's, with who must approve it; or why it has none."""
    place, current = ("lines", str(index)), facts.price(item, line.quantity, ship_to, case.use)
    if isinstance(current, ItemNotSellable):
        return not_sellable(current, *place, "sku")
    if not isinstance(current, Price):
        return replace(current, path=place)
    asked = line.requested_unit_price
    if asked is not None and asked.currency != current.unit.currency:
        said = f"the account buys in {current.unit.currency}, not in {asked.currency}"
        return failed("CURRENCY", said, *place, "requestedUnitPrice")
    offered = _offered(case, line, item, current, place)
    if not isinstance(offered, Charge):
        return offered
    unit = asked or offered.unit
    is_offered = unit.amount == offered.unit.amount
    token = current.token if unit.amount == current.unit.amount else line.price_token
    per_unit = factor(line.quantity.uom, item)
    checked = not is_offered or offered.source not in AGREED
    low = (
        floor.check_floor(item, per_base(unit, per_unit), facts.fx, place)
        if checked and not isinstance(per_unit, ValidationFailed)
        else None
    )
    quoted = QuoteLine(
        line_no=line.line_no,
        sku=line.sku,
        description=item.name,
        quantity=line.quantity,
        unit_price=unit,
        list_price=current.list,
        price_source=offered.source.value if is_offered else REQUESTED,
        price_token=lock_until(token, _ends(case), case.use.price_signer) if is_offered and token else None,
        priced_at=facts.now,
        extended=round_to_minor(unit.amount * line.quantity.value, unit.currency),
        promised_date=None,
    )
    return QuotedLine(quoted, low)


def _offered(
    case: QuoteCase, line: QuoteRequestLine, item: Item, current: Price, place: tuple[str, ...]
) -> Charge | Problem:
    """Return the price that the token of a line still holds, today's without one, or what stands between them."""
    if line.price_token is None:
        return Charge(current.unit, current.extended, current.source, current.rule_id)
    base = to_base(line.quantity, item)
    if isinstance(base, ValidationFailed):
        return replace(base, path=place)
    return settle(
        None,
        line.price_token,
        current,
        account_id=case.account_id,
        base_quantity=base,
        signer=case.use.price_signer,
        now=case.request.asked_at,
        path=place,
        advice="ask again without the token to be quoted the current price",
    )


def _ends(case: QuoteCase) -> datetime:
    """Return the moment at which the quote's prices end: the end of its last day."""
    return datetime.combine(last_day(case) + timedelta(days=1), time(), UTC)
