"""Items: the item master's, whoever buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schema.records.catalog import Category, Item, ItemFilter
from schema.records.inventory import InboundSupply
from schema.records.values import Page, PageRequest
from systems.erp_routing.route import Route

__all__ = ["Items"]


class Items:
    """:class:`systems.ports.ItemMaster`."""

    _route: Route

    async def items(self, skus: Sequence[str]) -> Mapping[str, Item]:
        """Return items by sku."""
        return await self._route.items.items(skus)

    async def item_by_gtin(self, gtin: str) -> Item | None:
        """Return the item that carries the GTIN on itself or on one of its units."""
        return await self._route.items.item_by_gtin(gtin)

    async def search_items(self, where: ItemFilter, page: PageRequest) -> Page[Item]:
        """Return items in the order of their skus."""
        return await self._route.items.search_items(where, page)

    async def categories(self, ids: Sequence[str]) -> Mapping[str, Category]:
        """Return categories by platform id."""
        return await self._route.items.categories(ids)

    async def inbound(self, skus: Sequence[str]) -> Mapping[str, tuple[InboundSupply, ...]]:
        """Return open inbound supply per sku, earliest first."""
        return await self._route.items.inbound(skus)
