"""Which row of the price book decides (rules 6.1.1 to 6.1.4).

1. A rule applies when it is active on the day, for this customer (own contract, inheritable contract of an ancestor,
   price group, promotion, list) and for this item (item, category, brand, all).
2. The highest level with a rule whose quantity is reached decides; a contract of a nearer ancestor beats a farther
   one's.
3. Inside the level: item before category before brand before all, then the highest reached break, then priority, then
   the latest start. Rules that are still level and differ in price are ambiguous: nobody picks between them.

The result does not depend on the order of the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from schema.enums import PriceSource
from schema.records.catalog import Item, PriceBreak, PriceLevel, PriceRule

__all__ = ["Ambiguous", "Applicable", "Chosen", "applicable", "breaks_of", "choose", "price_at"]

_OWN_CONTRACT = 1_000
_PRICE_GROUP = 2
_PROMOTION = 1
_LIST = 0


@dataclass(frozen=True, slots=True)
class Applicable:
    """A rule that concerns the question. ``rank`` orders levels, ``scope`` how narrowly the item is named."""

    rule: PriceRule
    source: PriceSource
    rank: int
    scope: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """The deciding rule and its price of one base unit; ``threshold`` is the break that the quantity reached."""

    entry: Applicable
    amount: Decimal
    threshold: Decimal


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Rules that are level in everything but their price."""

    choices: tuple[Chosen, ...]


def applicable(
    rules: Iterable[PriceRule],
    *,
    item: Item,
    account_id: str,
    ancestors: Sequence[str],
    price_group: str | None,
    on: date,
) -> list[Applicable]:
    """Return the rules that concern this customer and item on this day, in any currency.

    Args:
        rules: rows of the price book, in any order.
        item: what is priced.
        account_id: who buys.
        ancestors: parents of the account, nearest first.
        price_group: group of the customer, None when it has none.
        on: the day that decides validity.
    """
    found = []
    for rule in rules:
        scope = _scope(rule, item)
        whom = _whom(rule, account_id, ancestors, price_group)
        active = rule.valid_from <= on and (rule.valid_to is None or on <= rule.valid_to)
        if scope is not None and whom is not None and active:
            found.append(Applicable(rule, whom[0], whom[1], scope))
    return found


def choose(
    entries: Iterable[Applicable], quantity: Decimal, amount: Callable[[PriceRule], Decimal | None]
) -> Chosen | Ambiguous | None:
    """Return the deciding rule among the entries at this base quantity, None when none reaches it.

    Args:
        entries: rules that apply.
        quantity: base units asked for.
        amount: price of one base unit under a rule, None when the rule gives none (a discount without a list price).
    """
    reached = []
    for entry in entries:
        threshold = _reached(entry.rule, quantity)
        price = None if threshold is None else amount(entry.rule)
        if threshold is not None and price is not None:
            reached.append(Chosen(entry, price, threshold))
    if not reached:
        return None
    best = max(_order(choice) for choice in reached)
    level = [choice for choice in reached if _order(choice) == best]
    if len({choice.amount for choice in level}) > 1:
        return Ambiguous(tuple(sorted(level, key=_identity)))
    return min(level, key=_identity)


def breaks_of(rule: PriceRule) -> tuple[PriceBreak, ...]:
    """Return the absolute prices of a rule from the smallest quantity on; empty for a discount."""
    whole = () if rule.unit is None else (PriceBreak(Decimal(0), rule.unit),)
    if whole and any(entry.min_quantity <= 0 for entry in rule.breaks):
        whole = ()
    return (*whole, *sorted(rule.breaks, key=lambda entry: entry.min_quantity))


def price_at(rule: PriceRule, quantity: Decimal) -> Decimal | None:
    """Return the absolute price of one base unit at this quantity, None when the rule is a discount or out of reach.

    A graduated rule charges each part of the quantity by the break it lies above, the first part by the lowest break;
    its unit price is the average.
    """
    steps = breaks_of(rule)
    reached = [entry for entry in steps if entry.min_quantity <= quantity]
    if not reached:
        return None
    if not rule.graduated or quantity <= 0:
        return reached[-1].unit.amount
    starts = [Decimal(0), *(entry.min_quantity for entry in reached[1:]), quantity]
    parts = [end - start for start, end in pairwise(starts)]
    total = sum((part * entry.unit.amount for part, entry in zip(parts, reached, strict=True)), Decimal(0))
    return total / quantity


def _whom(
    rule: PriceRule, account_id: str, ancestors: Sequence[str], price_group: str | None
) -> tuple[PriceSource, int] | None:
    match rule.level:
        case PriceLevel.CONTRACT if rule.account_id == account_id:
            return PriceSource.CONTRACT, _OWN_CONTRACT
        case PriceLevel.CONTRACT if rule.inherit and rule.account_id in ancestors:
            return PriceSource.PARENT_CONTRACT, _OWN_CONTRACT - 1 - list(ancestors).index(str(rule.account_id))
        case PriceLevel.PRICE_GROUP if price_group is not None and rule.price_group == price_group:
            return PriceSource.PRICE_GROUP, _PRICE_GROUP
        case PriceLevel.PROMOTION:
            return PriceSource.PROMOTION, _PROMOTION
        case PriceLevel.LIST:
            return PriceSource.LIST, _LIST
    return None


def _scope(rule: PriceRule, item: Item) -> int | None:
    """Return how narrowly the rule names the item (3 item, 2 category, 1 brand, 0 all), None when it does not."""
    if rule.sku is not None:
        return 3 if rule.sku == item.sku else None
    if rule.category_code is not None:
        return 2 if item.category is not None and rule.category_code == item.category.code else None
    if rule.brand is not None:
        return 1 if rule.brand == item.brand else None
    return 0


def _reached(rule: PriceRule, quantity: Decimal) -> Decimal | None:
    """Return the highest break that the quantity reaches, zero for a rule without breaks, None below the lowest."""
    if rule.unit is None and not rule.breaks:
        return Decimal(0)
    return max((entry.min_quantity for entry in breaks_of(rule) if entry.min_quantity <= quantity), default=None)


def _order(choice: Chosen) -> tuple[int, int, Decimal, int, date]:
    rule = choice.entry.rule
    return choice.entry.rank, choice.entry.scope, choice.threshold, rule.priority, rule.valid_from


def _identity(choice: Chosen) -> tuple[str, str]:
    return choice.entry.rule.number, choice.entry.rule.id
