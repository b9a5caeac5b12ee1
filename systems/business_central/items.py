"""Items, their categories and their supply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schema.enums import ItemStatus, SourceSystem, SupplyKind
from schema.records.catalog import Category, Item, ItemFilter, item_id
from schema.records.inventory import InboundSupply
from schema.records.values import ExternalRef, ItemUom, Page, PageRequest, Quantity
from systems.business_central.odata import MAX_KEY_CHARS, Query, all_of, any_of, equals, literal, within
from systems.business_central.reader import Company, Reader
from systems.business_central.values import read_amount, read_date, read_money, word
from systems.cursors import make_text_cursor, read_text_cursor

__all__ = ["Items"]

KILOGRAM = "KGM"
"""Unit of the ERP's weights."""

_ITEM = (
    "number,displayName,description,brand,itemCategoryCode,status,baseUnitOfMeasureCode,gtin,hazmatClass,taxCategory,"
    "unitCost,floorMarginPercent,minimumQuantity,orderMultiple,netWeight,lotControlled,units,substitutes,"
    "restrictedRegions"
)
_CATEGORY = "crossdockId,code,displayName,parentCrossdockId"
_SUPPLY = "number,itemNumber,locationCode,kind,quantity,expectedDate,confirmed"
_STATUS = {
    "Active": ItemStatus.ACTIVE,
    "Blocked": ItemStatus.BLOCKED,
    "Phase-Out": ItemStatus.PHASE_OUT,
    "Discontinued": ItemStatus.DISCONTINUED,
}
_STATUS_WORDS = {status: text for text, status in _STATUS.items()}


class Items:
    """:class:`systems.ports.ItemMaster`."""

    _reader: Reader

    async def items(self, skus: Sequence[str]) -> Mapping[str, Item]:
        """Return items by sku."""
        found = await self._items(
            "items", [Query("distributionItems", _ITEM, where) for where in within("number", skus)]
        )
        return {item.sku: item for item in found}

    async def item_by_gtin(self, gtin: str) -> Item | None:
        """Return the item that carries the GTIN on itself or on one of its units."""
        if not gtin.isdigit() or len(gtin) > MAX_KEY_CHARS:
            return None
        where = f"contains(gtins,{literal(gtin)})"
        found = await self._items("item by GTIN", [Query("distributionItems", _ITEM, where)])
        return next((item for item in found if gtin == item.gtin or gtin in {unit.gtin for unit in item.uoms}), None)

    async def search_items(self, where: ItemFilter, page: PageRequest) -> Page[Item]:
        """Return items in the order of their skus."""
        conditions = [
            "" if where.text is None else _begins_with(where.text),
            "" if where.category_code is None else equals("itemCategoryCode", where.category_code),
            "" if where.brand is None else equals("brand", where.brand),
            "" if where.status is None else equals("status", _STATUS_WORDS[where.status]),
            "" if page.after is None else f"number gt {literal(read_text_cursor(SourceSystem.CLOUD_ERP, page.after))}",
        ]
        query = Query("distributionItems", _ITEM, all_of(conditions), order="number", top=page.first + 1)
        found = await self._items("search items", [query])
        shown = found[: page.first]
        return Page(tuple(shown), tuple(make_text_cursor(item.sku) for item in shown), len(found) > page.first)

    async def categories(self, ids: Sequence[str]) -> Mapping[str, Category]:
        """Return categories by platform id."""
        queries = [Query("itemCategoryTree", _CATEGORY, where) for where in within("crossdockId", ids)]
        return {category.id: category for category in await self._reader.rows("categories", queries, _category)}

    async def inbound(self, skus: Sequence[str]) -> Mapping[str, tuple[InboundSupply, ...]]:
        """Return open inbound supply per sku, earliest first."""
        queries = [
            Query("purchaseSupplies", _SUPPLY, where, order="expectedDate,number")
            for where in within("itemNumber", skus)
        ]
        found: dict[str, list[InboundSupply]] = {sku: [] for sku in skus}
        for supply in await self._reader.rows("inbound", queries, _supply):
            found[supply.sku].append(supply)
        return {sku: tuple(supplies) for sku, supplies in found.items()}

    async def _items(self, operation: str, queries: Sequence[Query]) -> list[Item]:
        """Return items with their categories, which are read once per call: the tree is small and items name codes."""
        if not queries:
            return []
        company = await self._reader.company()
        parts = await self._reader.each(operation, [*queries, Query("itemCategoryTree", _CATEGORY)], lambda row: row)
        categories = self._reader.read(operation, parts[-1], lambda rows: {row["code"]: _category(row) for row in rows})
        reader = _item_reader(company, categories)
        return [item for rows in parts[:-1] for item in self._reader.read(operation, rows, reader)]


def _begins_with(text: str) -> str:
    short = text[:MAX_KEY_CHARS]
    return any_of([f"startswith(searchName,{literal(short.lower())})", f"startswith(number,{literal(short.upper())})"])


def _item_reader(
    company: Company, categories: Mapping[str, Category]
) -> Callable[[Sequence[Mapping[str, Any]]], list[Item]]:
    return lambda rows: [_item(row, company, categories) for row in rows]


def _item(row: Mapping[str, Any], company: Company, categories: Mapping[str, Category]) -> Item:
    code, weight = row["itemCategoryCode"], row["netWeight"]
    return Item(
        id=item_id(row["number"]),
        sku=row["number"],
        name=row["displayName"],
        description=row["description"],
        brand=row["brand"],
        category=None if code is None else categories[code],
        status=word("item status", row["status"], _STATUS),
        base_uom=row["baseUnitOfMeasureCode"],
        uoms=tuple(
            ItemUom(unit["code"], read_amount(unit["perBase"]), unit["gtin"], bool(unit["sellable"]))
            for unit in row["units"]
        ),
        gtin=row["gtin"],
        net_weight=None if weight is None else Quantity(read_amount(weight), KILOGRAM),
        hazmat_class=row["hazmatClass"],
        lot_controlled=bool(row["lotControlled"]),
        tax_category=row["taxCategory"],
        substitute_skus=tuple(row["substitutes"]),
        restricted_regions=tuple(row["restrictedRegions"]),
        unit_cost=read_money(row["unitCost"], company.currency),
        floor_margin_percent=read_amount(row["floorMarginPercent"]),
        min_quantity=read_amount(row["minimumQuantity"]),
        multiple=read_amount(row["orderMultiple"]),
        refs=(ExternalRef(SourceSystem.CLOUD_ERP, row["number"]),),
    )


def _category(row: Mapping[str, Any]) -> Category:
    return Category(row["crossdockId"], row["code"], row["displayName"], row["parentCrossdockId"])


def _supply(row: Mapping[str, Any]) -> InboundSupply:
    eta = read_date(row["expectedDate"])
    if eta is None:
        raise ValueError(f"supply {row['number']} has no date")
    return InboundSupply(
        sku=row["itemNumber"],
        warehouse_code=row["locationCode"],
        kind=SupplyKind(row["kind"]),
        reference=row["number"],
        quantity=read_amount(row["quantity"]),
        eta=eta,
        confirmed=bool(row["confirmed"]),
    )
