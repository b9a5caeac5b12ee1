"""The margin floor (rule 6.1.8): how low a price may go, and who may let it go lower."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from schema.records.catalog import Item
from schema.records.problems import ApprovalRequired
from schema.records.values import Money

__all__ = ["FINANCE_DIRECTOR", "PRICING_DESK", "SALES_MANAGER", "check_floor", "margin_percent"]

SALES_MANAGER = "SALES_MANAGER"
PRICING_DESK = "PRICING_DESK"
FINANCE_DIRECTOR = "FINANCE_DIRECTOR"

SALES_MANAGER_GAP = Decimal(3)
"""Points below the floor that a sales manager may approve; the pricing desk decides beyond."""

_PERCENT = Decimal(100)


def check_floor(
    item: Item,
    unit_price_per_base: Money,
    fx: Callable[[str, str], Decimal | None] | None = None,
    path: tuple[str, ...] | None = None,
) -> ApprovalRequired | None:
    """Return who must approve this price of one base unit, None when it keeps the margin floor.

    Args:
        item: carries cost and floor.
        unit_price_per_base: net price, surcharges and tax left out.
        fx: exchange rate for a cost in another currency; without a rate the pricing desk must look.
        path: where the price stands in the caller's input.
    """
    cost = _in_currency(item.unit_cost, unit_price_per_base.currency, fx)
    if cost is None:
        currencies = f"{item.unit_cost.currency} and {unit_price_per_base.currency}"
        reason = f"cost and price of {item.sku} cannot be compared: no exchange rate between {currencies}"
        return _approval(PRICING_DESK, reason, path)
    net = unit_price_per_base.amount
    if net < cost or net <= 0:
        return _approval(FINANCE_DIRECTOR, f"price of {item.sku} is below its cost", path)
    gap = item.floor_margin_percent - _margin(net, cost)
    if gap <= 0:
        return None
    level = SALES_MANAGER if gap <= SALES_MANAGER_GAP else PRICING_DESK
    points = max(_round(gap, "0.1"), Decimal("0.1"))
    return _approval(level, f"price of {item.sku} is {points} points below its margin floor", path)


def margin_percent(
    item: Item, unit_price_per_base: Money, fx: Callable[[str, str], Decimal | None] | None = None
) -> Decimal | None:
    """Return the margin of a net price of one base unit in percent with two decimals, None when it cannot be told."""
    cost = _in_currency(item.unit_cost, unit_price_per_base.currency, fx)
    if cost is None or unit_price_per_base.amount <= 0:
        return None
    return _round(_margin(unit_price_per_base.amount, cost), "0.01")


def _margin(net: Decimal, cost: Decimal) -> Decimal:
    return (net - cost) / net * _PERCENT


def _in_currency(cost: Money, currency: str, fx: Callable[[str, str], Decimal | None] | None) -> Decimal | None:
    if cost.currency == currency:
        return cost.amount
    rate = fx(cost.currency, currency) if fx is not None else None
    return None if rate is None else cost.amount * rate


def _round(value: Decimal, step: str) -> Decimal:
    return value.quantize(Decimal(step), ROUND_HALF_UP)


def _approval(level: str, reason: str, path: tuple[str, ...] | None) -> ApprovalRequired:
    message = f"{reason}: approval of {level} is required"
    return ApprovalRequired(code="APPROVAL_REQUIRED", message=message, path=path, level=level, reason=reason)
