# No postponed annotations: strawberry reads them.
"""Prices: what a line costs a customer, and how that came about."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

import strawberry
from strawberry import Info

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.catalog.context import CatalogContext, Priced
from schema.enums import PriceSource
from schema.graphql.decorators import federated_field
from schema.graphql.values import Freshness, Money, Quantity, money
from schema.records import catalog as records

__all__ = ["MARGIN_SCOPE", "Price", "PriceBreak", "PriceComponent", "price_breaks"]

_Ctx = Info[CatalogContext, None]

Listed = list
"""The built-in type, where a field of that name hides it."""

MARGIN_SCOPE = "margin:read"
"""Right to know what the distributor earns on a price."""


@strawberry.type(description="A step from nothing to the unit price, per base unit; negative when it lowers the price.")
class PriceComponent:
    """A step on the way to a price."""

    source: PriceSource
    rule_id: strawberry.ID | None
    description: str
    amount: Money

    @classmethod
    def of(cls, record: records.PriceComponent) -> "PriceComponent":
        """Return the record as a graph value."""
        return cls(
            source=record.source,
            rule_id=_rule_id(record.rule_id),
            description=record.description,
            amount=Money.of(record.amount),
        )


@strawberry.type(description="From this many base units on, one base unit costs this.")
class PriceBreak:
    """A price from a quantity on."""

    min_quantity: Quantity
    unit: Money


@strawberry.type(
    description="A customer's price: unit is for one per, the asked unit; the token holds it until it expires."
)
class Price:
    """A customer's price."""

    record: strawberry.Private[records.Price]
    sku: str
    unit: Money
    per: Quantity
    extended: Money
    list: Money | None
    source: PriceSource
    rule_id: strawberry.ID | None
    components: Listed[PriceComponent]
    breaks: Listed[PriceBreak]
    valid_from: dt.date | None
    valid_to: dt.date | None
    token: str
    token_expires_at: dt.datetime
    freshness: Freshness

    @classmethod
    def of(cls, priced: Priced) -> "Price":
        """Return a price as a graph value."""
        record = priced.price
        return cls(
            record=record,
            sku=record.sku,
            unit=Money.of(record.unit),
            per=Quantity.of(record.per),
            extended=Money.of(record.extended),
            list=money(record.list),
            source=record.source,
            rule_id=_rule_id(record.rule_id),
            components=[PriceComponent.of(component) for component in record.components],
            breaks=price_breaks(record.breaks, priced.base_uom),
            valid_from=record.valid_from,
            valid_to=record.valid_to,
            token=record.token,
            token_expires_at=record.token_expires_at,
            freshness=Freshness.of(record.freshness),
        )

    @federated_field(requires_scopes=[[MARGIN_SCOPE]])
    def margin_percent(self, info: _Ctx) -> Decimal | None:
        """What the distributor earns of the net price; null when the cost cannot be compared."""
        return info.context.reader.margin(self.record)


def price_breaks(found: Iterable[records.PriceBreak], base_uom: str) -> list[PriceBreak]:
    """Return prices by quantity as graph values."""
    return [
        PriceBreak(min_quantity=Quantity(value=entry.min_quantity.normalize(), uom=base_uom), unit=Money.of(entry.unit))
        for entry in found
    ]


def _rule_id(rule_id: str | None) -> strawberry.ID | None:
    return None if rule_id is None else strawberry.ID(rule_id)
