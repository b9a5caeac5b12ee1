"""What is wanted of the ERP about items and prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

from schema.records.catalog import Category, Item, ItemFilter, LoggedChange, PriceRule
from schema.records.inventory import InboundSupply
from schema.records.values import Page, PageRequest


class ItemMaster(Protocol):
    """Items. System of record: the item master ERP."""

    async def items(self, skus: Sequence[str]) -> Mapping[str, Item]:
        """Return items by sku."""
        ...

    async def item_by_gtin(self, gtin: str) -> Item | None:
        """Return the item that carries the GTIN on itself or on one of its units."""
        ...

    async def search_items(self, where: ItemFilter, page: PageRequest) -> Page[Item]:
        """Return items in the order of their skus."""
        ...

    async def categories(self, ids: Sequence[str]) -> Mapping[str, Category]:
        """Return categories by platform id."""
        ...

    async def inbound(self, skus: Sequence[str]) -> Mapping[str, tuple[InboundSupply, ...]]:
        """Return open inbound supply per sku, earliest first."""
        ...


class PriceBook(Protocol):
    """Price rules. System of record: ERP."""

    async def rules(
        self, account_ids: Sequence[str], price_groups: Sequence[str], skus: Sequence[str]
    ) -> tuple[PriceRule, ...]:
        """Return every rule that may concern these skus for these accounts or groups: list, promotion, group, contract.

        Rules for a category, a brand or all items are included whenever one of the skus may fall under them.
        """
        ...

    async def agreements_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[PriceRule, ...]]:
        """Return the contract rules per account, by number."""
        ...

    async def group_rules(self, price_groups: Sequence[str]) -> tuple[PriceRule, ...]:
        """Return the rules of price groups, whatever items they are for, by number."""
        ...

    async def exchange_rate(self, base: str, quote: str, on: date) -> Decimal | None:
        """Return how many ``quote`` one ``base`` is worth on the date, None when there is no rate."""
        ...


class PriceChanges(Protocol):
    """Changes of price rules, and of who is in which price group, as they were made. System of record: ERP."""

    async def price_changes_after(self, entry: int, limit: int) -> tuple[LoggedChange, ...]:
        """Return at most ``limit`` changes that were made after this entry, the earliest first.

        A change that is not of the agreed shape stands in its place, so that it is neither lost nor in the way.
        """
        ...
