"""What the types of the catalog ask of the request that they are resolved in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from schema.records.catalog import Category, Item, ItemFilter, Price, PriceRule
from schema.records.identity import Principal
from schema.records.problems import Problem
from schema.records.values import Money, Page, PageRequest, Quantity

__all__ = ["BuyerTerms", "CatalogContext", "CatalogReading", "PriceQuestion", "Priced"]


@dataclass(frozen=True, slots=True)
class BuyerTerms:
    """What of a customer's terms decides prices, as the accounts subgraph tells it."""

    currency: str
    price_group: str | None


@dataclass(frozen=True, slots=True)
class PriceQuestion:
    """What one line costs an account; ``on`` None means today, ``buyer`` None that the terms have to be looked up."""

    account_id: str
    sku: str
    quantity: Quantity
    on: date | None = None
    ship_to_id: str | None = None
    buyer: BuyerTerms | None = None


@dataclass(frozen=True, slots=True)
class Priced:
    """A price, with the base unit of its item that its breaks count in."""

    price: Price
    base_uom: str


class CatalogReading(Protocol):
    """Reads of one request, batched; None means that there is nothing which the principal may see."""

    async def item(self, sku: str) -> Item | None:
        """Return an item."""
        ...

    async def category(self, category_id: str) -> Category | None:
        """Return a category."""
        ...

    async def list_price(self, sku: str, currency: str) -> Money | None:
        """Return the list price of one base unit."""
        ...

    async def price(self, question: PriceQuestion) -> Priced | Problem:
        """Return what a line costs, or why that cannot be told."""
        ...

    async def agreement(self, agreement_id: str) -> PriceRule | None:
        """Return a contract row."""
        ...

    async def agreements_of(self, account_id: str, page: PageRequest, active_on: date | None) -> Page[PriceRule] | None:
        """Return a page of an account's contract rows."""
        ...

    async def items(self, where: ItemFilter, page: PageRequest) -> Page[Item]:
        """Return a page of items."""
        ...

    def margin(self, price: Price) -> Decimal | None:
        """Return a price's margin in percent to those who may know it."""
        ...


class CatalogContext(Protocol):
    """The context of an operation on the catalog subgraph."""

    @property
    def principal(self) -> Principal:
        """Who asks."""
        ...

    @property
    def reader(self) -> CatalogReading:
        """Reads of the request."""
        ...
