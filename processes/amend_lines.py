"""Which lines a change concerns, what they become, and what they cost then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from processes.api import LineAdded, LineChange, SubmissionLine
from processes.dependencies import Dependencies
from processes.order_checks import MAX_AHEAD, WEST_OF_ALL, check_date, check_line, failed, not_sellable
from processes.price_facts import PriceFacts, per_base
from processes.rules import floor
from processes.rules.uom import factor, to_base
from schema.enums import PriceSource, PricingConflictReason
from schema.records.accounts import ShipTo
from schema.records.catalog import Item, Price
from schema.records.orders import LedgerLine, LedgerOrder
from schema.records.problems import ApprovalRequired, ItemNotSellable, PricingConflict, Problem, ValidationFailed

__all__ = ["amended", "check_changes", "is_grown", "lacks_less", "lines_before", "price_added", "reprice"]

_NONE = Decimal(0)


def check_changes(
    order: LedgerOrder,
    changes: Sequence[LineChange],
    items: Mapping[str, Item],
    ship_to: ShipTo | None,
    now: datetime,
    added: Sequence[LineAdded] = (),
) -> Iterable[Problem]:
    """Return everything that is wrong with a change."""
    if not changes:
        yield failed("NO_LINES", "the change names no line", "lines")
    counts = Counter(change.line_no for change in changes)
    known = {line.line_no: line for line in order.lines}
    for index, change in enumerate(changes):
        place = ("lines", str(index))
        line = known.get(change.line_no)
        if counts[change.line_no] > 1:
            yield failed("LINE_NUMBER", f"line number {change.line_no} is there twice", *place, "lineNo")
        if line is None or line.wanted <= 0:
            said = "does not exist" if line is None else "is cancelled"
            yield failed("UNKNOWN_LINE", f"line {change.line_no} of order {order.number} {said}", *place, "lineNo")
        else:
            yield from _check_change(index, change, line, items.get(line.sku), ship_to, now)
    for index, entry in enumerate(added, len(changes)):
        wanted = SubmissionLine(entry.line_no, entry.sku, entry.quantity)
        yield from check_line(index, wanted, items.get(entry.sku), ship_to)
    if all(line.cancelled > 0 for line in amended(order.lines, changes, added)):
        yield failed("NOTHING_LEFT", "nothing of the order would be left: cancel the order", "lines")


def _check_change(
    index: int, change: LineChange, line: LedgerLine, item: Item | None, ship_to: ShipTo | None, now: datetime
) -> Iterable[Problem]:
    place = ("lines", str(index))
    if change.cancel and (change.quantity is not None or change.requested_date is not None):
        yield failed("CONTRADICTION", "a line that is cancelled has neither quantity nor date", *place, "cancel")
    if not change.cancel and change.quantity is None and change.requested_date is None:
        yield failed("NOTHING_TO_CHANGE", f"line {line.line_no}: name what is to change", *place)
    if change.quantity is not None and change.quantity.uom != line.quantity.uom:
        said = f"line {line.line_no} was ordered in {line.quantity.uom}: change it in the same unit"
        yield failed("UNIT_CHANGED", said, *place, "quantity", "uom")
    elif change.quantity is not None and change.quantity.value > line.wanted:
        wanted = SubmissionLine(line.line_no, line.sku, change.quantity)
        yield from check_line(index, wanted, item, ship_to)
    elif change.quantity is not None and item is not None:
        base = to_base(change.quantity, item, (*place, "quantity"))
        if isinstance(base, ValidationFailed):
            yield base
    earliest, latest = (now - WEST_OF_ALL).date(), (now + MAX_AHEAD).date()
    yield from check_date(change.requested_date, earliest, latest, (*place, "requestedDate"))


def amended(
    lines: Sequence[LedgerLine], changes: Iterable[LineChange], added: Sequence[LineAdded] = ()
) -> tuple[LedgerLine, ...]:
    """Return lines as they are wanted after the change, prices and allocations left as they were, added ones last."""
    by_number = {change.line_no: change for change in changes}
    after = [_amended(line, by_number.get(line.line_no)) for line in lines]
    successors = {entry.replaces: entry.line_no for entry in added}
    told = [replace(line, substituted_by=successors.get(line.line_no, line.substituted_by)) for line in after]
    replaced = {line.line_no: line for line in lines}
    return (*told, *(_new(entry, replaced[entry.replaces]) for entry in added))


def lines_before(lines: Sequence[LedgerLine], after: Sequence[LedgerLine]) -> tuple[LedgerLine, ...]:
    """Return the lines that those after a change were: of an added one nothing was wanted."""
    added = after[len(lines) :]
    return (*lines, *(replace(line, cancelled=line.quantity.value, allocations=()) for line in added))


def _new(added: LineAdded, replaced: LedgerLine) -> LedgerLine:
    return LedgerLine(
        line_no=added.line_no,
        sku=added.sku,
        description=added.sku,
        quantity=added.quantity,
        unit_price=None,
        price_source=None,
        requested_date=replaced.requested_date,
    )


def _amended(line: LedgerLine, change: LineChange | None) -> LedgerLine:
    if change is None:
        return line
    if change.cancel:
        return replace(line, cancelled=line.quantity.value)
    quantity = change.quantity or replace(line.quantity, value=line.wanted)
    return replace(
        line, quantity=quantity, cancelled=_NONE, requested_date=change.requested_date or line.requested_date
    )


def is_grown(before: LedgerLine, after: LedgerLine) -> bool:
    """Return whether more is wanted of a line than before."""
    return after.wanted > before.wanted


def lacks_less(before: LedgerLine, after: LedgerLine) -> bool:
    """Return whether a line gives up nothing but what it lacks, so that whatever was released of it stays as it is."""
    has = sum((entry.quantity.value for entry in before.allocations), _NONE)
    is_told_alike = (after.unit_price, after.requested_date) == (before.unit_price, before.requested_date)
    return has <= after.wanted < before.wanted and is_told_alike


def reprice(
    index: int,
    before: LedgerLine,
    after: LedgerLine,
    item: Item,
    facts: PriceFacts,
    ship_to: ShipTo | None,
    use: Dependencies,
) -> LedgerLine | Problem:
    """Return a line at the price of its new quantity, or why it has none.

    The agreed price stays while the quantity stays within its price band. In another band today's price of that band
    holds; one more unit never costs more than was agreed.
    """
    agreed = before.unit_price
    if agreed is None or after.wanted == before.wanted or after.wanted <= 0:
        return after
    was = facts.price(item, replace(before.quantity, value=before.wanted), ship_to, use)
    now = facts.price(item, after.quantity, ship_to, use)
    grows = is_grown(before, after)
    if not isinstance(now, Price):
        return after if not grows else _no_price(index, item, now)
    if now.unit.currency != agreed.currency:
        return _no_price(index, item, now)
    is_same_band = isinstance(was, Price) and was.unit == now.unit
    if is_same_band or (grows and now.unit.amount >= agreed.amount):
        return after
    charged = replace(after, unit_price=now.unit, price_source=now.source.value)
    return _below_floor(index, charged, item, now, facts) or charged


def price_added(
    index: int,
    line: LedgerLine,
    currency: str,
    item: Item,
    facts: PriceFacts,
    ship_to: ShipTo | None,
    use: Dependencies,
) -> LedgerLine | Problem:
    """Return a new line at today's price, or why it has none."""
    now = facts.price(item, line.quantity, ship_to, use)
    if not isinstance(now, Price) or now.unit.currency != currency:
        return _no_price(index, item, now)
    charged = replace(line, description=item.name, unit_price=now.unit, price_source=now.source.value)
    return _below_floor(index, charged, item, now, facts) or charged


def _below_floor(index: int, line: LedgerLine, item: Item, price: Price, facts: PriceFacts) -> ApprovalRequired | None:
    base = factor(line.quantity.uom, item)
    if price.source in (PriceSource.CONTRACT, PriceSource.PARENT_CONTRACT) or isinstance(base, ValidationFailed):
        return None
    return floor.check_floor(item, per_base(price.unit, base), facts.fx, ("lines", str(index)))


def _no_price(index: int, item: Item, found: object) -> Problem:
    place = ("lines", str(index))
    if isinstance(found, ItemNotSellable):
        return not_sellable(found, *place)
    if isinstance(found, Problem):
        return replace(found, path=place)
    return PricingConflict(
        code="PRICING_CONFLICT",
        message=f"{item.sku} is priced in another currency than the order now",
        path=place,
        sku=item.sku,
        reason=PricingConflictReason.NO_PRICE_IN_CURRENCY,
    )
