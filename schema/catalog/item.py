# No postponed annotations: strawberry reads them.
"""Items and their categories, and what an item costs whom."""

import asyncio
import datetime as dt
from typing import Annotated

import strawberry
from strawberry import Info

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.catalog.context import CatalogContext, Priced, PriceQuestion
from schema.catalog.price import Price
from schema.enums import ItemStatus
from schema.graphql.problems import (
    DependencyUnavailable,
    PricingConflict,
    Problem,
    ValidationFailed,
    said_of,
    shared_problem,
)
from schema.graphql.values import ExternalRef, ItemUom, Money, Node, Quantity, QuantityInput, external_refs, money
from schema.records import catalog as records
from schema.records import problems
from schema.records.catalog import sku_of

__all__ = ["Category", "Item", "ItemNotSellable", "PriceResult", "price_result", "shown_items"]

_Ctx = Info[CatalogContext, None]


@strawberry.federation.type(keys=["id"], description="A node of the item hierarchy.")
class Category:
    """A node of the item hierarchy."""

    parent_id: strawberry.Private[str | None]
    id: strawberry.ID
    code: str
    name: str

    @classmethod
    def of(cls, record: records.Category) -> "Category":
        """Return the record as a graph value."""
        return cls(parent_id=record.parent_id, id=strawberry.ID(record.id), code=record.code, name=record.name)

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "Category | None":  # noqa: A002 - the key
        """Return the category that a representation names."""
        found = await info.context.reader.category(id)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def parent(self, info: _Ctx) -> "Category | None":
        """The category that it belongs to."""
        found = None if self.parent_id is None else await info.context.reader.category(self.parent_id)
        return None if found is None else Category.of(found)


@strawberry.type(description="The item may not be sold, or not to this place; substitutes may be.")
class ItemNotSellable(Problem):
    """An item that may not be sold."""

    substitute_skus: strawberry.Private[tuple[str, ...]]
    sku: str
    reason: str

    @strawberry.field
    async def substitutes(self, info: _Ctx) -> "list[Item]":
        """Items that serve the same purpose."""
        return await shown_items(info, self.substitute_skus)


PriceResult = Annotated[
    Price | PricingConflict | ItemNotSellable | ValidationFailed | DependencyUnavailable,
    strawberry.union("PriceResult", description="What a line costs, or why that cannot be told."),
]


@strawberry.federation.type(keys=["id", "sku"], description="An item that is sold or was.")
class Item(Node):
    """An item."""

    record: strawberry.Private[records.Item]
    sku: str
    name: str
    description: str | None
    brand: str | None
    category: Category | None
    status: ItemStatus
    base_uom: str
    uoms: list[ItemUom]
    gtin: str | None
    net_weight: Quantity | None
    hazmat_class: str | None
    lot_controlled: bool
    tax_category: str
    restricted_regions: list[str]
    external_refs: list[ExternalRef]

    @classmethod
    def of(cls, record: records.Item) -> "Item":
        """Return the record as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            sku=record.sku,
            name=record.name,
            description=record.description,
            brand=record.brand,
            category=None if record.category is None else Category.of(record.category),
            status=record.status,
            base_uom=record.base_uom,
            uoms=[ItemUom.of(unit) for unit in record.uoms],
            gtin=record.gtin,
            net_weight=None if record.net_weight is None else Quantity.of(record.net_weight),
            hazmat_class=record.hazmat_class,
            lot_controlled=record.lot_controlled,
            tax_category=record.tax_category,
            restricted_regions=list(record.restricted_regions),
            external_refs=external_refs(record.refs),
        )

    @classmethod
    async def resolve_reference(
        cls,
        info: _Ctx,
        id: strawberry.ID | None = None,  # noqa: A002 - the key is called so
        sku: str | None = None,
    ) -> "Item | None":
        """Return the item that a representation names; its id carries its sku."""
        wanted = sku_of(id) if id is not None else sku
        found = None if wanted is None else await info.context.reader.item(wanted)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def substitutes(self, info: _Ctx) -> "list[Item]":
        """Items that serve the same purpose, best first."""
        return await shown_items(info, self.record.substitute_skus)

    @strawberry.field
    async def list_price(self, info: _Ctx, currency: str) -> Money | None:
        """List price of one base unit today, converted at today's rate when there is none in the currency."""
        found = await info.context.reader.list_price(self.sku, currency)
        return money(found)

    @strawberry.field
    async def price(
        self,
        info: _Ctx,
        account_id: strawberry.ID,
        quantity: QuantityInput,
        as_of: dt.date | None = None,
        ship_to_id: strawberry.ID | None = None,
    ) -> PriceResult | None:
        """What `quantity` costs an account on a day, by default today; the token of a later day holds nothing."""
        question = PriceQuestion(account_id, self.sku, quantity.record(), as_of, ship_to_id)
        return price_result(await info.context.reader.price(question))


def price_result(answer: Priced | problems.Problem) -> PriceResult:
    """Return a price, or why there is none, as a graph value.

    Raises:
        TypeError: the problem is none that prices have.
    """
    if isinstance(answer, Priced):
        return Price.of(answer)
    if isinstance(answer, problems.ItemNotSellable):
        return ItemNotSellable(
            **said_of(answer), substitute_skus=answer.substitute_skus, sku=answer.sku, reason=answer.reason
        )
    shown = shared_problem(answer)
    if not isinstance(shown, PricingConflict | ValidationFailed | DependencyUnavailable):
        raise TypeError(f"{type(answer).__name__} is no problem of prices")
    return shown


async def shown_items(info: _Ctx, skus: tuple[str, ...]) -> list[Item]:
    """Return the items with these skus that exist, in the same order."""
    found = await asyncio.gather(*(info.context.reader.item(sku) for sku in skus))
    return [Item.of(record) for record in found if record is not None]
