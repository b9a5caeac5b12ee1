"""What a changed row of the price book or another price group changes: from which day on, and for whose item at all.

A row decides nothing by itself: a contract may hide a changed list price, a promotion may stay below it. So a price has
moved when the rules, asked with what was and with what is, come to different amounts for some
quantity that is sold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from processes.rules.price_decision import ExchangeRate, decide
from processes.rules.rule_selection import Applicable, applicable, breaks_of
from processes.rules.uom import smallest_sold
from schema.enums import PricingConflictReason
from schema.records.catalog import Item, PriceRule
from schema.records.problems import PricingConflict

__all__ = ["GroupMove", "RowChange", "effective_from", "has_moved", "moved_from"]

_UNIT_STEP = Decimal("0.0001")
"""Unit prices have four decimals; what differs by less is the same price."""

_DAY = timedelta(days=1)


class Customer(Protocol):
    """What of a customer decides prices."""

    @property
    def currency(self) -> str:
        """Currency that the customer pays in."""

    @property
    def price_group(self) -> str | None:
        """Group whose prices the customer gets, None for no group."""


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row as it was and as it is; None where there was or is none."""

    before: PriceRule | None
    after: PriceRule | None


@dataclass(frozen=True, slots=True)
class GroupMove:
    """The price group that a customer had, and the one that it has; None for no group."""

    before: str | None
    after: str | None


def effective_from(change: RowChange, since: date) -> date | None:
    """Return the first day from ``since`` on for which the row says something else, None when there is none."""
    for day in _days((change.before, change.after), since):
        if _said(change.before, day) != _said(change.after, day):
            return day
    return None


def moved_from(move: GroupMove, rows: Sequence[PriceRule], item: Item, since: date) -> date | None:
    """Return the first day from ``since`` on for which the groups have different rows for an item, None for none.

    Args:
        move: the groups.
        rows: the price book, as far as it may concern the groups and the item.
        item: the item as its master has it.
        since: the day on which the customer changed its group.
    """

    def held(group: str | None, day: date) -> list[PriceRule]:
        found = applicable(of_groups, item=item, account_id="", ancestors=(), price_group=group, on=day)
        return [entry.rule for entry in found]

    of_groups = [row for row in rows if row.price_group is not None]
    days = _days([row for row in of_groups if row.price_group in (move.before, move.after)], since)
    return next((day for day in days if held(move.before, day) != held(move.after, day)), None)


def has_moved(
    change: RowChange | GroupMove,
    rows: Sequence[PriceRule],
    *,
    item: Item,
    account_id: str,
    ancestors: Sequence[str],
    terms: Customer,
    fx: ExchangeRate,
    on: date,
) -> bool:
    """Return whether the customer pays another price for some quantity of the item on a day because of a change.

    Args:
        change: the row or the group that was changed.
        rows: the price book as it is, as far as it may concern the item and the customer, in any order.
        item: the item as its master has it.
        account_id: who buys.
        ancestors: parent accounts, nearest first.
        terms: currency and price group of the customer.
        fx: exchange rate for list prices.
        on: the day that decides validity.
    """

    def holding(book: Sequence[PriceRule], group: str | None) -> list[Applicable]:
        return applicable(book, item=item, account_id=account_id, ancestors=ancestors, price_group=group, on=on)

    match change:
        case GroupMove():
            before, after = holding(rows, change.before), holding(rows, change.after)
        case RowChange():
            changed = {row.id for row in (change.before, change.after) if row is not None}
            others = [row for row in rows if row.id not in changed]
            before, after = (
                holding(others if row is None else [*others, row], terms.price_group)
                for row in (change.before, change.after)
            )
    if before == after:
        return False
    return any(
        _amount(before, quantity, terms.currency, fx, item.sku)
        != _amount(after, quantity, terms.currency, fx, item.sku)
        for quantity in sorted(set(_quantities([*before, *after], smallest_sold(item))))
    )


def _days(rows: Iterable[PriceRule | None], since: date) -> list[date]:
    """Return the days from ``since`` on at which what rows say can change, the earliest first."""
    days = {since}
    for row in rows:
        if row is not None:
            days.add(row.valid_from)
            if row.valid_to is not None and row.valid_to < date.max:
                days.add(row.valid_to + _DAY)
    return sorted(day for day in days if day >= since)


def _said(row: PriceRule | None, day: date) -> PriceRule | None:
    """Return a row that holds on a day, without its end, which says nothing about the day."""
    holds = row is not None and row.valid_from <= day and (row.valid_to is None or day <= row.valid_to)
    return replace(row, valid_to=None) if row is not None and holds else None


def _quantities(entries: Sequence[Applicable], least: Decimal) -> Iterator[Decimal]:
    """Yield the quantities at which another amount can come out: the smallest one, and where a break begins.

    Of graduated breaks only what lies beyond the start costs another amount, so one more is looked at too.
    """
    yield least
    for entry in entries:
        for step in breaks_of(entry.rule):
            yield max(step.min_quantity, least)
            if entry.rule.graduated:
                yield max(step.min_quantity, least) + 1


def _amount(
    entries: Sequence[Applicable], quantity: Decimal, currency: str, fx: ExchangeRate, sku: str
) -> Decimal | PricingConflictReason:
    decision = decide(entries, quantity, currency, fx, sku)
    if isinstance(decision, PricingConflict):
        return decision.reason
    return decision.amount.quantize(_UNIT_STEP, ROUND_HALF_UP)
