"""Which customers are at home in which ERP, and the part of the world that each ERP knows.

The distributor moves from its old ERP to the cloud, customer by customer. Two are on their way: their orders of the
last days are in the cloud, those from before in the old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.world.model import WorldAccount, WorldInvoice, WorldModel, WorldPriceRule

__all__ = ["CLOUD", "LEGACY", "MIGRATING", "erp_of_order", "home_of", "part_of", "with_receivables"]

CLOUD = "CLOUD_ERP"
LEGACY = "LEGACY_ERP"
MIGRATING = "MIGRATING"

MOVED_BEFORE = timedelta(days=11)
"""How long ago orders of customers that migrate began to go to the cloud."""

_NUMBERS_IN_CLOUD = (1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 19, 20, 21, 58, 59)
_IN_CLOUD = frozenset({"acc_parent", *(f"acc_{number}" for number in _NUMBERS_IN_CLOUD)})
_ON_THEIR_WAY = frozenset({"acc_3", "acc_16"})


def home_of(account_id: str) -> str:
    """Return where an account is at home."""
    if account_id in _ON_THEIR_WAY:
        return MIGRATING
    return CLOUD if account_id in _IN_CLOUD else LEGACY


def erp_of_order(account_id: str, submitted: datetime, now: datetime) -> str:
    """Return the ERP that an order went to."""
    home = home_of(account_id)
    if home == MIGRATING:
        return CLOUD if submitted > now - MOVED_BEFORE else LEGACY
    return home


def part_of(world: WorldModel, erp: str) -> WorldModel:
    """Return what an ERP knows: its customers with their documents; items and lists are the cloud's."""
    accounts = {account.id: account for account in world.accounts if account.erp_home in (erp, MIGRATING)}
    orders = {order.id: order for order in world.orders if order.erp == erp}
    invoices = tuple(invoice for invoice in world.invoices if invoice.order_id in orders)
    return replace(
        world,
        accounts=tuple(with_receivables(account, invoices, world.now) for account in accounts.values()),
        ship_tos=tuple(place for place in world.ship_tos if place.account_id in accounts),
        contacts=tuple(contact for contact in world.contacts if contact.account_id in accounts),
        price_rules=tuple(rule for rule in world.price_rules if _is_known(rule, erp, accounts)),
        orders=tuple(orders.values()),
        shipments=tuple(shipment for shipment in world.shipments if shipment.order_id in orders),
        invoices=invoices,
        returns=tuple(back for back in world.returns if back.order_id in orders),
    )


def with_receivables(account: WorldAccount, invoices: Sequence[WorldInvoice], now: datetime) -> WorldAccount:
    """Return the account with what its open invoices add up to."""
    mine = [invoice for invoice in invoices if invoice.account_id == account.id and invoice.balance]
    late = [invoice for invoice in mine if invoice.due_date < now.date()]
    return replace(
        account,
        open_receivables=sum((invoice.balance for invoice in mine), Decimal("0.00")),
        overdue=sum((invoice.balance for invoice in late), Decimal("0.00")),
        max_days_past_due=max(((now.date() - invoice.due_date).days for invoice in late), default=0),
    )


def _is_known(rule: WorldPriceRule, erp: str, accounts: dict[str, WorldAccount]) -> bool:
    return erp == CLOUD if rule.account_id is None else rule.account_id in accounts
