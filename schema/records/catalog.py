"""Records of items and prices; the item master ERP is their system of record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from schema.enums import ItemStatus, PriceSource
from schema.records.entries import UnreadableEntry
from schema.records.values import ExternalRef, Freshness, ItemUom, Money, Quantity

__all__ = [
    "Category",
    "GroupChange",
    "Item",
    "ItemFilter",
    "LoggedChange",
    "Price",
    "PriceBreak",
    "PriceChange",
    "PriceComponent",
    "PriceLevel",
    "PriceQuery",
    "PriceRule",
    "item_id",
    "sku_of",
]

_ITEM_PREFIX = "itm_"


def item_id(sku: str) -> str:
    """Return the platform id of an item; item ids are made of the sku so that no look-up is needed."""
    return f"{_ITEM_PREFIX}{sku}"


def sku_of(platform_id: str) -> str | None:
    """Return the sku within an item's platform id, None when the text is not an item id."""
    return platform_id[len(_ITEM_PREFIX) :] if platform_id.startswith(_ITEM_PREFIX) else None


@dataclass(frozen=True, slots=True)
class Category:
    """A node of the item hierarchy."""

    id: str
    code: str
    name: str
    parent_id: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """A stock item. ``min_quantity`` and ``multiple`` are in base units; ``floor_margin_percent`` guards prices."""

    id: str
    sku: str
    name: str
    description: str | None
    brand: str | None
    category: Category | None
    status: ItemStatus
    base_uom: str
    uoms: tuple[ItemUom, ...]
    gtin: str | None
    net_weight: Quantity | None
    hazmat_class: str | None
    lot_controlled: bool
    tax_category: str
    substitute_skus: tuple[str, ...]
    restricted_regions: tuple[str, ...]
    unit_cost: Money
    floor_margin_percent: Decimal
    min_quantity: Decimal
    multiple: Decimal
    refs: tuple[ExternalRef, ...]


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """All conditions that are not None must hold; ``text`` matches the start of name or sku, case-insensitive."""

    text: str | None = None
    category_code: str | None = None
    brand: str | None = None
    status: ItemStatus | None = None


class PriceLevel(StrEnum):
    """Whom a price rule is for; the order is the precedence of rule 6.1 from low to high."""

    LIST = "LIST"
    PROMOTION = "PROMOTION"
    PRICE_GROUP = "PRICE_GROUP"
    CONTRACT = "CONTRACT"


@dataclass(frozen=True, slots=True)
class PriceBreak:
    """From ``min_quantity`` base units on, one base unit costs ``unit``."""

    min_quantity: Decimal
    unit: Money


@dataclass(frozen=True, slots=True)
class PriceRule:
    """One row of the price book.

    Exactly one of ``unit`` (price per base unit) and ``discount_percent`` (off the list price) is set, or ``breaks``
    carries prices by quantity.

    Attributes:
        level: whom it is for; ``account_id`` is set for CONTRACT, ``price_group`` for PRICE_GROUP.
        sku, category_code, brand: what it is for, the first that is set decides; none means every item.
        inherit: a contract that holds for the account's children too.
        exclusive: a contract that no promotion improves.
        combinable: may be applied together with a combinable promotion.
        graduated: breaks apply to the part of the quantity within them instead of the whole quantity.
        priority: higher wins inside a level and scope.
    """

    id: str
    number: str
    level: PriceLevel
    currency: str
    account_id: str | None
    price_group: str | None
    sku: str | None
    category_code: str | None
    brand: str | None
    unit: Money | None
    discount_percent: Decimal | None
    breaks: tuple[PriceBreak, ...]
    valid_from: date
    valid_to: date | None
    priority: int
    inherit: bool = False
    exclusive: bool = False
    combinable: bool = False
    graduated: bool = False


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A change of one row of the price book.

    Attributes:
        entry: counts the changes, in their order.
        before: the row until then, None for a new one.
        after: the row from then on, None when it is gone.
    """

    entry: int
    at: datetime
    before: PriceRule | None
    after: PriceRule | None


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A customer that has changed its price group; ``before`` and ``after`` are None for no group."""

    entry: int
    at: datetime
    account_id: str
    before: str | None
    after: str | None


LoggedChange = PriceChange | GroupChange | UnreadableEntry
"""What the log of an ERP's prices holds; ``entry`` counts on through all of it."""


@dataclass(frozen=True, slots=True)
class PriceComponent:
    """One step from list to unit price; ``amount`` is per base unit, negative when it lowers the price."""

    source: PriceSource
    rule_id: str | None
    description: str
    amount: Money


@dataclass(frozen=True, slots=True)
class PriceQuery:
    """A price question: ``quantity`` in any unit of the item, ``on`` the local business date that decides validity."""

    account_id: str
    sku: str
    quantity: Quantity
    on: date
    ship_to_id: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """A customer's price. ``unit`` is for one ``per`` (the asked unit), four decimals; ``extended`` in minor units."""

    sku: str
    quantity: Quantity
    unit: Money
    per: Quantity
    extended: Money
    list: Money | None
    source: PriceSource
    rule_id: str | None
    components: tuple[PriceComponent, ...]
    breaks: tuple[PriceBreak, ...]
    valid_from: date | None
    valid_to: date | None
    token: str
    token_expires_at: datetime
    margin_percent: Decimal | None
    freshness: Freshness
