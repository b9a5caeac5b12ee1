"""What the customer is charged at submission (rule 6.1.9).

1. A quote's lock wins, then a valid token for this account, item, unit, currency and quantity.
2. Else the line is priced anew and compared with what the customer was shown: within 0.5 % and 5.00 per line the
   customer pays the lower price, beyond it the difference is a conflict that names both amounts.
3. ``accept_current`` takes today's price, whatever was shown.

A price that nobody can tell (a token of another hand, nothing shown beside it) is a conflict and never a silent charge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from processes.rules.tokens import PriceClaims, TokenFault, TokenSigner
from schema.enums import PriceSource, PricingConflictReason
from schema.records.catalog import Price
from schema.records.currencies import round_to_minor
from schema.records.problems import PricingConflict
from schema.records.values import Money, Quantity

__all__ = ["Charge", "check_erp_price", "lock_until", "settle"]

TOLERANCE_PERCENT = Decimal("0.5")
"""Largest difference of unit prices, in percent of what was shown, that is settled for the customer."""

TOLERANCE_PER_LINE = Decimal("5.00")
"""Largest difference of a line, in its currency, that is settled for the customer."""

ERP_TOLERANCE = Decimal("0.01")
"""Largest difference between the agreed unit price and the ERP's that counts as rounding."""

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Charge:
    """The price that the customer pays for a line; ``unit`` is for one of the asked unit."""

    unit: Money
    extended: Money
    source: PriceSource
    rule_id: str | None


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the customer was shown, as far as it can be told."""

    unit: Money | None
    claims: PriceClaims | None
    expired: bool
    unreadable: bool


def settle(
    expected: Money | None,
    token: str | None,
    current: Price,
    *,
    account_id: str,
    base_quantity: Decimal,
    signer: TokenSigner,
    now: datetime,
    locked: Money | None = None,
    accept_current: bool = False,
    path: tuple[str, ...] | None = None,
    advice: str = "submit again with acceptCurrentPrices to buy at the current price",
) -> Charge | PricingConflict:
    """Return what the line is charged at, or the conflict between what was shown and what holds now.

    Args:
        expected: unit price that the customer was shown, in the asked unit; None when the channel did not say.
        token: price token that the customer was given; None when none.
        current: the line priced now.
        account_id: who buys.
        base_quantity: the line's quantity in base units.
        signer: verifies the token.
        now: when the order was submitted.
        locked: unit price of an accepted quote's line, in the asked unit.
        accept_current: the customer has agreed to today's prices.
        path: where the line stands in the caller's input.
        advice: what to do about a conflict, the end of its message.
    """
    if locked is not None:
        return _charge(locked, current.quantity, PriceSource.QUOTE_LOCK, None)
    shown = _shown(expected, token, current, account_id, signer, now)
    claims = shown.claims
    if claims is not None and not shown.expired and claims.covers(base_quantity):
        return _charge(claims.unit, current.quantity, claims.source, claims.rule_id)
    now_charged = Charge(current.unit, current.extended, current.source, current.rule_id)
    if accept_current or (shown.unit is None and not shown.unreadable):
        return now_charged
    reason = PricingConflictReason.TOKEN_EXPIRED if shown.expired else PricingConflictReason.CHANGED_SINCE_QUOTE
    if shown.unit is None:
        said = f"the price token of {current.sku} is not one of ours for this line"
        return _conflict(current, None, reason, f"{said}: {advice}", path)
    if shown.unit.currency != current.unit.currency:
        said = f"{current.sku} was shown in {shown.unit.currency} and is charged in {current.unit.currency}"
        return _conflict(current, shown.unit, PricingConflictReason.NO_PRICE_IN_CURRENCY, f"{said}: {advice}", path)
    if _within_tolerance(shown.unit, current):
        if shown.unit.amount < current.unit.amount:
            return _charge(shown.unit, current.quantity, current.source, current.rule_id)
        return now_charged
    said = f"{current.sku} was shown at {shown.unit.amount} and costs {current.unit.amount} {current.unit.currency} now"
    return _conflict(current, shown.unit, reason, f"{said}: {advice}", path)


def lock_until(token: str, valid_until: datetime, signer: TokenSigner) -> str | None:
    """Return a token of the same price that holds until ``valid_until``, as a quote's; None for a token not of ours."""
    claims = signer.verify(token)
    return None if isinstance(claims, TokenFault) else signer.sign(replace(claims, expires_at=valid_until))


def check_erp_price(sku: str, agreed: Money, erp: Money, path: tuple[str, ...] | None = None) -> PricingConflict | None:
    """Return the conflict when the ERP's unit price differs from the agreed one by more than ``ERP_TOLERANCE``."""
    if agreed.currency == erp.currency and abs(agreed.amount - erp.amount) <= ERP_TOLERANCE:
        return None
    return PricingConflict(
        code="PRICING_CONFLICT",
        message=(
            f"{sku}: {agreed.amount} {agreed.currency} was agreed and the ERP has {erp.amount} {erp.currency}: "
            "the pricing desk decides"
        ),
        path=path,
        sku=sku,
        reason=PricingConflictReason.ERP_DISAGREES,
        expected=agreed,
        current=erp,
    )


def _shown(
    expected: Money | None, token: str | None, current: Price, account_id: str, signer: TokenSigner, now: datetime
) -> _Shown:
    if token is None:
        return _Shown(expected, None, expired=False, unreadable=False)
    found = signer.verify(token)
    asked = (account_id, current.sku, current.quantity.uom)
    if isinstance(found, TokenFault) or (found.account_id, found.sku, found.uom) != asked:
        return _Shown(expected, None, expired=False, unreadable=True)
    usable = found if found.unit.currency == current.unit.currency else None
    return _Shown(expected or found.unit, usable, expired=found.expires_at <= now, unreadable=False)


def _within_tolerance(shown: Money, current: Price) -> bool:
    difference = abs(current.unit.amount - shown.amount)
    relative = difference * _HUNDRED <= shown.amount * TOLERANCE_PERCENT
    return relative and difference * current.quantity.value <= TOLERANCE_PER_LINE


def _charge(unit: Money, quantity: Quantity, source: PriceSource, rule_id: str | None) -> Charge:
    return Charge(unit, round_to_minor(unit.amount * quantity.value, unit.currency), source, rule_id)


def _conflict(
    current: Price, expected: Money | None, reason: PricingConflictReason, said: str, path: tuple[str, ...] | None
) -> PricingConflict:
    return PricingConflict(
        code="PRICING_CONFLICT",
        message=said,
        path=path,
        sku=current.sku,
        reason=reason,
        expected=expected,
        current=current.unit,
    )
