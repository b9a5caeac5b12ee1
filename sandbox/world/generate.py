"""Make a world: the same seed and moment give the same world, to the byte."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from sandbox.world.fulfilment import make_fulfilment
from sandbox.world.homes import with_receivables
from sandbox.world.items import make_categories, make_items
from sandbox.world.model import WorldItem, WorldModel, WorldOrder
from sandbox.world.orders import make_orders
from sandbox.world.parties import make_parties
from sandbox.world.planted import planted_accounts, planted_items, planted_prices
from sandbox.world.prices import exchange_rates, make_prices
from sandbox.world.sales import make_cases, make_opportunities, make_quotes
from sandbox.world.warehouses import make_inbound, make_layout, make_stock, make_warehouses

__all__ = ["generate_world"]


def generate_world(seed: int, now: datetime) -> WorldModel:
    """Return the demo's world as it is at ``now``.

    Raises:
        ValueError: ``now`` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("now has no time zone: give a time in UTC")
    now = now.astimezone(UTC).replace(microsecond=0)
    parties = make_parties(seed, now)
    accounts = planted_accounts(parties.accounts)
    items = planted_items(make_items(seed))
    layout = make_layout(seed, items)
    drafts = make_orders(seed, now, accounts, parties.ship_tos, items, layout)
    done = make_fulfilment(
        seed,
        now,
        drafts,
        {account.id: account for account in accounts},
        {place.id: place for place in parties.ship_tos},
        {item.sku: item for item in items},
    )
    quotes, orders = make_quotes(seed, now, accounts, parties.ship_tos, items, done.orders)
    return WorldModel(
        seed=seed,
        now=now,
        users=parties.users,
        territories=parties.territories,
        accounts=tuple(with_receivables(account, done.invoices, now) for account in accounts),
        ship_tos=parties.ship_tos,
        contacts=parties.contacts,
        opportunities=make_opportunities(seed, now, accounts),
        cases=make_cases(seed, now, accounts, orders),
        categories=make_categories(),
        items=items,
        price_rules=make_prices(seed, now, items, accounts, planted_prices(now)),
        exchange_rates=exchange_rates(now.date()),
        warehouses=make_warehouses(),
        stock=make_stock(seed, items, layout, _allocated(orders, items)),
        inbound=make_inbound(seed, now, items, layout),
        orders=orders,
        shipments=done.shipments,
        invoices=done.invoices,
        returns=done.returns,
        quotes=quotes,
    )


def _allocated(orders: Sequence[WorldOrder], items: Sequence[WorldItem]) -> Mapping[tuple[str, str], Decimal]:
    """Return what open orders hold, in base units, by sku and warehouse."""
    per_base = {(item.sku, uom.uom): uom.per_base for item in items for uom in item.uoms}
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for order in orders:
        for line in order.lines:
            if line.allocated:
                held[line.sku, line.warehouse_code] += line.allocated * per_base[line.sku, line.uom]
    return held
