"""What prices are made of, read from the systems in as few calls as can be, and one line priced from it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from processes.dependencies import Dependencies
from processes.rules import price
from schema.records.accounts import Account, CustomerTerms, ShipTo
from schema.records.catalog import Item, Price, PriceQuery, PriceRule
from schema.records.problems import ItemNotSellable, PricingConflict, ValidationFailed
from schema.records.values import Freshness, Money, Quantity

__all__ = ["PriceFacts", "ancestors_of", "load_rates", "per_base", "price_facts"]

MAX_LEVELS = 5
"""Depth of account hierarchies."""


@dataclass(frozen=True, slots=True)
class PriceFacts:
    """Everything that decides prices of one account on one day."""

    account_id: str
    terms: CustomerTerms
    ancestors: tuple[str, ...]
    rules: tuple[PriceRule, ...]
    rates: Mapping[tuple[str, str], Decimal]
    now: datetime

    @property
    def on(self) -> date:
        """Day whose prices hold."""
        return self.now.date()

    def fx(self, base: str, quote: str) -> Decimal | None:
        """Return how many ``quote`` one ``base`` is worth."""
        return Decimal(1) if base == quote else self.rates.get((base, quote))

    def price(
        self, item: Item, quantity: Quantity, ship_to: ShipTo | None, use: Dependencies
    ) -> Price | PricingConflict | ItemNotSellable | ValidationFailed:
        """Return the price of a line now, or why there is none."""
        place = None if ship_to is None else ship_to.id
        return price.evaluate(
            PriceQuery(self.account_id, item.sku, quantity, self.on, place),
            item=item,
            terms=self.terms,
            ancestors=self.ancestors,
            rules=self.rules,
            fx=self.fx,
            now=self.now,
            signer=use.price_signer,
            freshness=Freshness(self.terms.ref.system, self.now),
            ship_to=ship_to,
        )


async def price_facts(
    use: Dependencies, account: Account, terms: CustomerTerms, items: Mapping[str, Item], now: datetime
) -> PriceFacts:
    """Read rules and rates for these items: the parents' from CRM, the rest in one call per kind from the ERP."""
    ancestors = await ancestors_of(use, account)
    groups = [terms.price_group] if terms.price_group is not None else []
    rules = await use.erp.rules([account.id, *ancestors], groups, sorted(items))
    currencies = {rule.currency for rule in rules} | {item.unit_cost.currency for item in items.values()}
    rates = await load_rates(use, currencies, terms.currency, now.date())
    return PriceFacts(account.id, terms, ancestors, tuple(rules), rates, now)


async def ancestors_of(use: Dependencies, account: Account) -> tuple[str, ...]:
    """Return the ids of an account's parents, nearest first."""
    found: list[str] = []
    parent = account.parent_id
    while parent is not None and parent not in found and parent != account.id and len(found) < MAX_LEVELS:
        found.append(parent)
        above = (await use.crm.accounts([parent])).get(parent)
        parent = None if above is None else above.parent_id
    return tuple(found)


async def load_rates(
    use: Dependencies, currencies: Iterable[str], target: str, on: date
) -> Mapping[tuple[str, str], Decimal]:
    """Return exchange rates into a currency; one that the ERP does not have is absent."""
    wanted: Sequence[str] = sorted(set(currencies) - {target})
    found = await asyncio.gather(*(use.erp.exchange_rate(base, target, on) for base in wanted))
    return {(base, target): rate for base, rate in zip(wanted, found, strict=True) if rate is not None}


def per_base(unit: Money, factor: Decimal) -> Money:
    """Return a price of the asked unit as the price of one base unit."""
    return replace(unit, amount=unit.amount / factor)
