"""A part of the demo's world that sandboxes load at once, for tests that start each time afresh."""

from __future__ import annotations

from dataclasses import replace

from sandbox.world.model import WorldModel

ACCOUNTS = ("acc_1", "acc_2", "acc_7")
SKUS = ("PMP-0042", "VLV-0007", "FIT-0013")


def small_world(world: WorldModel) -> WorldModel:
    """Return the world with the orders of three accounts and the prices of three items; all the rest is whole."""
    orders = tuple(order for order in world.orders if order.account_id in ACCOUNTS)
    return replace(
        world,
        orders=orders,
        price_rules=tuple(rule for rule in world.price_rules if rule.sku in SKUS),
        shipments=tuple(shipment for shipment in world.shipments if shipment.account_id in ACCOUNTS),
        invoices=tuple(invoice for invoice in world.invoices if invoice.account_id in ACCOUNTS),
        returns=tuple(back for back in world.returns if back.account_id in ACCOUNTS),
    )
