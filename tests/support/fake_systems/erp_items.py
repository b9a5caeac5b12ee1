"""Items and prices of the ERP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from schema.records.catalog import Category, GroupChange, Item, ItemFilter, LoggedChange, PriceChange, PriceRule
from schema.records.inventory import InboundSupply
from schema.records.values import Page, PageRequest
from systems.errors import Rejected
from systems.ports import BAD_CURSOR
from tests.support.fake_systems.erp_part import ErpPart
from tests.support.fake_systems.script import Kept, Script


class FakeItems(ErpPart):
    """Items and prices of the ERP."""

    def __init__(self, script: Script, kept: Kept) -> None:
        super().__init__(script, kept)
        self.items_by_sku: dict[str, Item] = {}
        self.categories_by_id: dict[str, Category] = {}
        self.price_rules: list[PriceRule] = []
        self.price_changes: list[LoggedChange] = []
        self.supply: dict[str, tuple[InboundSupply, ...]] = {}
        self.rates: dict[tuple[str, str], Decimal] = {}

    async def items(self, skus: Sequence[str]) -> Mapping[str, Item]:
        await self.script.enter(self.system, "items")
        return {entry: self.items_by_sku[entry] for entry in skus if entry in self.items_by_sku}

    async def item_by_gtin(self, gtin: str) -> Item | None:
        await self.script.enter(self.system, "item_by_gtin")
        return next(
            (
                entry
                for entry in self.items_by_sku.values()
                if gtin in (entry.gtin, *(unit.gtin for unit in entry.uoms))
            ),
            None,
        )

    async def search_items(self, where: ItemFilter, page: PageRequest) -> Page[Item]:
        await self.script.enter(self.system, "search_items")
        if page.after is not None and page.after not in self.items_by_sku:
            raise Rejected(self.system, "search items", "no such cursor", reason=BAD_CURSOR)
        found = [
            entry
            for sku, entry in sorted(self.items_by_sku.items())
            if (where.brand is None or entry.brand == where.brand)
            and (where.status is None or entry.status is where.status)
            and (where.category_code is None or (entry.category and entry.category.code == where.category_code))
            and (where.text is None or f"{sku} {entry.name}".lower().startswith(where.text.lower()))
        ]
        behind = [entry for entry in found if page.after is None or entry.sku > page.after]
        shown = tuple(behind[: page.first])
        return Page(shown, tuple(entry.sku for entry in shown), len(behind) > page.first, len(found))

    async def categories(self, ids: Sequence[str]) -> Mapping[str, Category]:
        await self.script.enter(self.system, "categories")
        return {entry: self.categories_by_id[entry] for entry in ids if entry in self.categories_by_id}

    async def inbound(self, skus: Sequence[str]) -> Mapping[str, tuple[InboundSupply, ...]]:
        await self.script.enter(self.system, "inbound")
        return {entry: self.supply.get(entry, ()) for entry in skus}

    async def rules(
        self, account_ids: Sequence[str], price_groups: Sequence[str], skus: Sequence[str]
    ) -> tuple[PriceRule, ...]:
        await self.script.enter(self.system, "rules")
        return tuple(
            entry
            for entry in self.price_rules
            if (entry.account_id is None or entry.account_id in account_ids)
            and (entry.price_group is None or entry.price_group in price_groups)
            and (entry.sku is None or entry.sku in skus)
        )

    async def agreements_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[PriceRule, ...]]:
        await self.script.enter(self.system, "agreements_of")
        rules = sorted(self.price_rules, key=lambda entry: entry.number)
        return {name: tuple(entry for entry in rules if entry.account_id == name) for name in account_ids}

    async def group_rules(self, price_groups: Sequence[str]) -> tuple[PriceRule, ...]:
        await self.script.enter(self.system, "group_rules")
        rules = sorted(self.price_rules, key=lambda entry: entry.number)
        return tuple(entry for entry in rules if entry.price_group in price_groups)

    async def exchange_rate(self, base: str, quote: str, on: date) -> Decimal | None:
        await self.script.enter(self.system, "exchange_rate")
        return self.rates.get((base, quote))

    async def price_changes_after(self, entry: int, limit: int) -> tuple[LoggedChange, ...]:
        await self.script.enter(self.system, "price_changes_after")
        return tuple(change for change in self.price_changes if change.entry > entry)[:limit]

    def change_price(self, before: PriceRule | None, after: PriceRule | None, at: datetime) -> None:
        """Change a row of the price book, as the ERP logs it."""
        kept = [row for row in self.price_rules if before is None or row.id != before.id]
        self.price_rules = kept if after is None else [*kept, after]
        self.price_changes.append(PriceChange(1 + len(self.price_changes), at, before, after))

    def change_group(self, account_id: str, after: str | None, at: datetime) -> None:
        """Give a customer another price group, as the ERP logs it."""
        terms = self.terms_by_account[account_id]
        self.terms_by_account[account_id] = replace(terms, price_group=after)
        entry = 1 + len(self.price_changes)
        self.price_changes.append(GroupChange(entry, at, account_id, terms.price_group, after))
