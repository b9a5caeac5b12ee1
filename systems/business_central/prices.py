"""Price rules and exchange rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from schema.records.catalog import (
    GroupChange,
    LoggedChange,
    PriceBreak,
    PriceChange,
    PriceLevel,
    PriceRule,
)
from schema.records.entries import UnreadableEntry
from schema.records.values import Money
from systems.bulk import BAD_SHAPE
from systems.business_central.odata import Query, all_of, any_of, equals, within
from systems.business_central.reader import Reader
from systems.business_central.values import read_amount, read_date, read_money

__all__ = ["Prices"]

_RULE = (
    "number,level,currencyCode,accountId,priceGroup,itemNumber,categoryCode,brand,unitPrice,discountPercent,breaks,"
    "startingDate,endingDate,priority,inheritToChildren,exclusive,combinable,graduated"
)
_CHANGE = "entryNo,changedAt,before,after,accountId,groupBefore,groupAfter"
_FOR_ALL = "level in ('LIST','PROMOTION')"
_NO_ITEM = "itemNumber eq null"
"""Rules for a category, a brand or everything; there are few of them, so all are read whatever the items."""


class Prices:
    """:class:`systems.ports.PriceBook` and :class:`systems.ports.PriceChanges`."""

    _reader: Reader

    async def rules(
        self, account_ids: Sequence[str], price_groups: Sequence[str], skus: Sequence[str]
    ) -> tuple[PriceRule, ...]:
        """Return every rule that may concern these skus for these accounts or groups, by number.

        Lists of items and customers that are too long for one question make several, which travel together.
        """
        whom = [_FOR_ALL]
        whom += [all_of(["level eq 'CONTRACT'", where]) for where in within("accountId", account_ids)]
        whom += [all_of(["level eq 'PRICE_GROUP'", where]) for where in within("priceGroup", price_groups)]
        what = [*within("itemNumber", skus), _NO_ITEM]
        if len(whom) <= 3 and len(what) <= 2:
            conditions = [all_of([any_of(what), any_of([f"({entry})" for entry in whom])])]
        else:
            conditions = [all_of([some, f"({entry})"]) for some in what for entry in whom]
        queries = [Query("prices", _RULE, where, order="number") for where in conditions]
        found = await self._reader.rows("price rules", queries, _rule)
        return tuple(sorted(found, key=lambda rule: rule.number))

    async def agreements_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[PriceRule, ...]]:
        """Return the contract rules per account, by number."""
        queries = [
            Query("prices", _RULE, all_of([where, "level eq 'CONTRACT'"]), order="number")
            for where in within("accountId", account_ids)
        ]
        found: dict[str, list[PriceRule]] = {account_id: [] for account_id in account_ids}
        for rule in await self._reader.rows("agreements", queries, _rule):
            if rule.account_id is not None:
                found[rule.account_id].append(rule)
        return {account_id: tuple(rules) for account_id, rules in found.items()}

    async def group_rules(self, price_groups: Sequence[str]) -> tuple[PriceRule, ...]:
        """Return the rules of price groups, whatever items they are for, by number."""
        queries = [
            Query("prices", _RULE, all_of([where, "level eq 'PRICE_GROUP'"]), order="number")
            for where in within("priceGroup", price_groups)
        ]
        found = await self._reader.rows("rules of price groups", queries, _rule)
        return tuple(sorted(found, key=lambda rule: rule.number))

    async def exchange_rate(self, base: str, quote: str, on: date) -> Decimal | None:
        """Return how many ``quote`` one ``base`` is worth on the date, None when there is no rate."""
        if base == quote:
            return Decimal(1)
        where = all_of([equals("fromCurrency", base), equals("toCurrency", quote), f"startingDate le {on.isoformat()}"])
        query = Query("exchangeRates", "rate", where, order="startingDate desc", top=1)
        found = await self._reader.rows("exchange rate", [query], lambda row: read_amount(row["rate"]))
        return found[0] if found else None

    async def price_changes_after(self, entry: int, limit: int) -> tuple[LoggedChange, ...]:
        """Return at most ``limit`` changes that were made after this entry, the earliest first."""
        query = Query("priceChanges", _CHANGE, f"entryNo gt {entry}", order="entryNo", top=limit)
        return tuple(await self._reader.rows("price changes", [query], _logged))


def _rule(row: Mapping[str, Any]) -> PriceRule:
    currency, since = row["currencyCode"], read_date(row["startingDate"])
    if since is None:
        raise ValueError(f"price {row['number']} has no starting date")
    unit, discount = row["unitPrice"], row["discountPercent"]
    return PriceRule(
        id=f"prr_{row['number']}",
        number=row["number"],
        level=PriceLevel(row["level"]),
        currency=currency,
        account_id=row["accountId"],
        price_group=row["priceGroup"],
        sku=row["itemNumber"],
        category_code=row["categoryCode"],
        brand=row["brand"],
        unit=None if unit is None else read_money(unit, currency),
        discount_percent=None if discount is None else read_amount(discount),
        breaks=tuple(_break(step, currency) for step in row["breaks"]),
        valid_from=since,
        valid_to=read_date(row["endingDate"]),
        priority=int(row["priority"]),
        inherit=bool(row["inheritToChildren"]),
        exclusive=bool(row["exclusive"]),
        combinable=bool(row["combinable"]),
        graduated=bool(row["graduated"]),
    )


def _logged(row: Mapping[str, Any]) -> LoggedChange:
    """Return a change; only what has no number at all keeps the log from being read."""
    entry = int(row["entryNo"])
    try:
        return _change(entry, row)
    except BAD_SHAPE as error:
        return UnreadableEntry(entry, f"{type(error).__name__} {error}", row)


def _change(entry: int, row: Mapping[str, Any]) -> PriceChange | GroupChange:
    at = datetime.fromisoformat(row["changedAt"])
    if row["accountId"] is not None:
        return GroupChange(entry, at, row["accountId"], row["groupBefore"], row["groupAfter"])
    before, after = row["before"], row["after"]
    return PriceChange(
        entry=entry,
        at=at,
        before=None if before is None else _rule(before),
        after=None if after is None else _rule(after),
    )


def _break(step: Mapping[str, Any], currency: str) -> PriceBreak:
    unit: Money = read_money(step["unitPrice"], currency)
    return PriceBreak(read_amount(step["minimumQuantity"]), unit)
