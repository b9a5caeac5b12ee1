"""The price of one line (rule 6.1), from the price book's rows to a signed token.

1. The item may be sold, and the quantity is one that is sold; else the problem says why.
2. The deciding rule among contract, ancestor's contract, price group and list in the customer's currency. Only a list
   price may be converted from another currency; a contract in another currency is NO_PRICE_IN_CURRENCY.
3. The promotion: on top when both rules are combinable, else instead where it is the better price; never on an
   exclusive contract.
4. Unit price of the asked unit rounded half up to four decimals; extended from it, rounded to the currency's minor
   unit.

Breaks are counted per line. The components from list price to unit price come in the fixed order base, contract or
group, break, promotion, and add up to the rounded price of a base unit exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from processes.rules.floor import check_floor, margin_percent
from processes.rules.price_decision import ExchangeRate, PriceDecision, decide
from processes.rules.rule_selection import applicable
from processes.rules.sellable import check_sellable
from processes.rules.settlement import Charge, check_erp_price, lock_until, settle
from processes.rules.tokens import TOKEN_LIFETIME, PriceClaims, TokenSigner
from processes.rules.uom import factor, to_base
from schema.records.accounts import ShipTo
from schema.records.catalog import Item, Price, PriceBreak, PriceComponent, PriceLevel, PriceQuery, PriceRule
from schema.records.currencies import round_to_minor
from schema.records.problems import ItemNotSellable, PricingConflict, ValidationFailed
from schema.records.values import Freshness, Money, Quantity

__all__ = [
    "Buyer",
    "Charge",
    "ExchangeRate",
    "check_erp_price",
    "check_floor",
    "evaluate",
    "list_price",
    "lock_until",
    "settle",
]

_UNIT_STEP = Decimal("0.0001")
"""Unit prices have four decimals, half up."""


class Buyer(Protocol):
    """What of a customer decides prices; :class:`schema.records.accounts.CustomerTerms` is one."""

    @property
    def currency(self) -> str:
        """Currency that the customer pays in."""

    @property
    def price_group(self) -> str | None:
        """Group whose prices the customer gets, None for no group."""


def evaluate(
    query: PriceQuery,
    *,
    item: Item,
    terms: Buyer,
    ancestors: Sequence[str],
    rules: Sequence[PriceRule],
    fx: ExchangeRate,
    now: datetime,
    signer: TokenSigner,
    freshness: Freshness,
    ship_to: ShipTo | None = None,
) -> Price | PricingConflict | ItemNotSellable | ValidationFailed:
    """Return the customer's price of a line, or why there is none.

    Args:
        query: account, sku, quantity and day; ``query.sku`` is the sku of ``item``.
        item: the item as its master has it.
        terms: currency and price group of the customer.
        ancestors: parent accounts, nearest first; their inheritable contracts count.
        rules: every rule that may concern the item for the customer, in any order.
        fx: dated exchange rate, asked for list prices in another currency and for cost.
        now: when the price is asked; the token holds from here, and not at all when ``query.on`` is a later day.
        signer: signs the token.
        freshness: how old the rules are.
        ship_to: where it goes, to check restricted regions; None checks none.
    """
    refused = check_sellable(item, ship_to)
    if refused is not None:
        return refused
    per_base = factor(query.quantity.uom, item, ("quantity",))
    if isinstance(per_base, ValidationFailed):
        return per_base
    quantity = to_base(query.quantity, item, ("quantity",))
    if isinstance(quantity, ValidationFailed):
        return quantity
    entries = applicable(
        rules,
        item=item,
        account_id=query.account_id,
        ancestors=ancestors,
        price_group=terms.price_group,
        on=query.on,
    )
    decision = decide(entries, quantity, terms.currency, fx, item.sku)
    if isinstance(decision, PricingConflict):
        return decision
    currency = terms.currency
    unit = Money(_round(decision.amount * per_base), currency)
    claims = _claims(query, decision, unit, now)
    return Price(
        sku=item.sku,
        quantity=query.quantity,
        unit=unit,
        per=Quantity(Decimal(1), query.quantity.uom),
        extended=round_to_minor(unit.amount * query.quantity.value, currency),
        list=None if decision.list_amount is None else Money(_round(decision.list_amount * per_base), currency),
        source=decision.source,
        rule_id=decision.rule.id,
        components=_components(decision, currency),
        breaks=tuple(
            PriceBreak(entry.min_quantity, Money(_round(entry.unit.amount), currency)) for entry in decision.breaks
        ),
        valid_from=decision.rule.valid_from,
        valid_to=decision.rule.valid_to,
        token=signer.sign(claims),
        token_expires_at=claims.expires_at,
        margin_percent=margin_percent(item, Money(decision.amount, currency), fx),
        freshness=freshness,
    )


def list_price(item: Item, rules: Sequence[PriceRule], currency: str, *, fx: ExchangeRate, on: date) -> Money | None:
    """Return the list price of one base unit at the smallest quantity, None when there is none beyond doubt.

    Args:
        item: the item as its master has it.
        rules: rules that may concern the item, of any level and in any order.
        currency: what the price is wanted in.
        fx: exchange rate, asked when no list row is in the currency.
        on: the day that decides validity.
    """
    listed = [rule for rule in rules if rule.level is PriceLevel.LIST]
    entries = applicable(listed, item=item, account_id="", ancestors=(), price_group=None, on=on)
    decision = decide(entries, max(item.min_quantity, Decimal(1)), currency, fx, item.sku)
    if isinstance(decision, PricingConflict) or decision.list_amount is None:
        return None
    return Money(_round(decision.list_amount), currency)


def _claims(query: PriceQuery, decision: PriceDecision, unit: Money, now: datetime) -> PriceClaims:
    return PriceClaims(
        account_id=query.account_id,
        sku=query.sku,
        uom=query.quantity.uom,
        unit=unit,
        min_quantity=decision.lower,
        below=decision.upper,
        source=decision.source,
        rule_id=decision.rule.id,
        # The price of a later day is told but not offered: its token must not buy at that price today.
        expires_at=now + TOKEN_LIFETIME if query.on <= now.date() else now,
    )


def _components(decision: PriceDecision, currency: str) -> tuple[PriceComponent, ...]:
    """Return the steps as differences of rounded prices, so that they add up to the rounded price."""
    found: list[PriceComponent] = []
    before = Decimal(0)
    for step in decision.steps:
        after = _round(step.after)
        if after != before or not found:
            amount = Money(after - before, currency)
            found.append(PriceComponent(step.source, step.rule_id, step.description, amount))
        before = after
    return tuple(found)


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(_UNIT_STEP, ROUND_HALF_UP)
