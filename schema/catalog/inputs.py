# No postponed annotations: strawberry reads them.
"""What is asked for."""

import strawberry

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import ItemStatus
from schema.graphql.values import QuantityInput
from schema.records import catalog as records

__all__ = ["ItemFilter", "PriceLineInput", "item_filter"]


@strawberry.input(description="A line to price.")
class PriceLineInput:
    """A line to price."""

    sku: str
    quantity: QuantityInput


@strawberry.input(description="Which items: every condition that is given must hold; `text` begins a name or a sku.")
class ItemFilter:
    """Which items."""

    text: str | None = None
    category_code: str | None = None
    brand: str | None = None
    status: ItemStatus | None = None


def item_filter(asked: ItemFilter | None) -> records.ItemFilter:
    """Return the conditions as a record."""
    if asked is None:
        return records.ItemFilter()
    return records.ItemFilter(asked.text, asked.category_code, asked.brand, asked.status)
