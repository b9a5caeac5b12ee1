"""Whether an item may be sold, and to this place."""

from __future__ import annotations

from schema.enums import ItemStatus
from schema.records.accounts import ShipTo
from schema.records.catalog import Item
from schema.records.problems import ItemNotSellable
from schema.records.values import Address

__all__ = ["check_sellable"]

_SOLD = (ItemStatus.ACTIVE, ItemStatus.PHASE_OUT)


def check_sellable(item: Item, ship_to: ShipTo | None, path: tuple[str, ...] | None = None) -> ItemNotSellable | None:
    """Return why the item may not be sold (to this place), None when it may; without a place no region is checked."""
    if item.status not in _SOLD:
        return _refused(item, item.status.value, f"item {item.sku} is {item.status.value.lower()}", path)
    place = _restricted_place(item, ship_to.address) if ship_to is not None else None
    if place is not None:
        return _refused(item, "RESTRICTED_REGION", f"item {item.sku} may not be sold to {place}", path)
    return None


def _restricted_place(item: Item, address: Address) -> str | None:
    region = f"{address.country}-{address.region}" if address.region else None
    return next((place for place in (region, address.country) if place in item.restricted_regions), None)


def _refused(item: Item, reason: str, message: str, path: tuple[str, ...] | None) -> ItemNotSellable:
    suggestion = f": try {', '.join(item.substitute_skus)}" if item.substitute_skus else ""
    return ItemNotSellable(
        code="ITEM_NOT_SELLABLE",
        message=message + suggestion,
        path=path,
        sku=item.sku,
        reason=reason,
        substitute_skus=item.substitute_skus,
    )
