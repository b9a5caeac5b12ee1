"""Price rules and exchange rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from schema.records.catalog import (
    GroupChange,
    LoggedChange,
    PriceBreak,
    PriceChange,
    PriceLevel,
    PriceRule,
)
from systems.legacy_erp.fields import (
    PERCENT,
    QUANTITY,
    RATE,
    UNIT_PRICE,
    Record,
    date_number,
    is_flag,
    read_amount,
    read_count,
    read_date,
    read_last_date,
    read_moment,
    read_money,
    read_text,
    read_word,
    text_or_none,
)
from systems.legacy_erp.journal import LoggedRecords
from systems.legacy_erp.programs import Programs, in_calls

__all__ = ["Prices"]

_LEVELS = {
    "LS": PriceLevel.LIST,
    "PM": PriceLevel.PROMOTION,
    "GR": PriceLevel.PRICE_GROUP,
    "CT": PriceLevel.CONTRACT,
}


class Prices:
    """:class:`systems.ports.PriceBook` and :class:`systems.ports.PriceChanges`."""

    _programs: Programs

    async def rules(
        self, account_ids: Sequence[str], price_groups: Sequence[str], skus: Sequence[str]
    ) -> tuple[PriceRule, ...]:
        """Return every rule that may concern these skus for these accounts or groups, by number.

        A program takes fifty items, customers and groups at once: longer lists make a call for each part of the one
        with each part of the other. Rules without an item, and those for everybody, are asked for once.
        """
        what, customers, groups = (in_calls(values) for values in (skus, account_ids, price_groups))
        questions = [
            {
                "ITMS": items,
                "GENRL": "N" if at_items else "Y",
                "CUSS": customers[at_whom] if at_whom < len(customers) else [],
                "GRPS": groups[at_whom] if at_whom < len(groups) else [],
                "STNDD": "N" if at_whom else "Y",
            }
            for at_items, items in enumerate(what or [[]])
            for at_whom in range(max(len(customers), len(groups), 1))
        ]
        found = await self._programs.each("price rules", "PRCINQ", questions, _rule)
        return tuple(sorted(found, key=lambda rule: rule.number))

    async def agreements_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[PriceRule, ...]]:
        """Return the contract rules per account, by number."""
        found: dict[str, list[PriceRule]] = {account_id: [] for account_id in account_ids}
        for rule in await self._programs.by_keys("agreements", "AGRINQ", ("CUSX", found), _rule):
            if rule.account_id is not None:
                found[rule.account_id].append(rule)
        return {account_id: tuple(rules) for account_id, rules in found.items()}

    async def group_rules(self, price_groups: Sequence[str]) -> tuple[PriceRule, ...]:
        """Return the rules of price groups, whatever items they are for, by number."""
        found = await self._programs.by_keys("rules of price groups", "GPRINQ", ("PRGRP", price_groups), _rule)
        return tuple(sorted(found, key=lambda rule: rule.number))

    async def exchange_rate(self, base: str, quote: str, on: date) -> Decimal | None:
        """Return how many ``quote`` one ``base`` is worth on the date, None when there is no rate."""
        if base == quote:
            return Decimal(1)
        question = {"FRCUR": base, "TOCUR": quote, "ONDT": date_number(on)}
        found = await self._programs.records(
            "exchange rate", "FXRINQ", question, lambda record: read_amount(record, "RATE", RATE)
        )
        return found[0] if found else None

    async def price_changes_after(self, entry: int, limit: int) -> tuple[LoggedChange, ...]:
        """Return at most ``limit`` changes that were made after this entry of the journal, the earliest first."""
        return await _CHANGES.after(self._programs, "price changes", entry, limit)


def _change(entry: int, record: Record) -> PriceChange | GroupChange:
    at, account_id = read_moment(record, "CHG"), text_or_none(record, "CUXREF")
    if at is None:
        raise ValueError("it has no time")
    if account_id is not None:
        return GroupChange(entry, at, account_id, text_or_none(record, "GRPBF"), text_or_none(record, "GRPAF"))
    return PriceChange(
        entry=entry,
        at=at,
        before=_rule(record["BFR"]) if "BFR" in record else None,
        after=_rule(record["AFT"]) if "AFT" in record else None,
    )


_CHANGES: LoggedRecords[PriceChange | GroupChange] = LoggedRecords(
    what="price change",
    kind="PR",
    program="PCHINQ",
    field="ENTNO",
    key=lambda record: str(read_count(record, "ENTNO")),
    read=_change,
)


def _rule(record: Record) -> PriceRule:
    number, currency, since = read_text(record, "PRCNO"), read_text(record, "CURCD"), read_date(record, "VLFRM")
    if since is None:
        raise ValueError(f"price {number} has no starting date")
    return PriceRule(
        id=f"prr_{number}",
        number=number,
        level=read_word("price level", record, "LEVEL", _LEVELS),
        currency=currency,
        account_id=text_or_none(record, "CUXREF"),
        price_group=text_or_none(record, "PRGRP"),
        sku=text_or_none(record, "ITMNO"),
        category_code=text_or_none(record, "CATCD"),
        brand=text_or_none(record, "BRAND"),
        unit=read_money(record, "UNPRC", currency, UNIT_PRICE) if "UNPRC" in record else None,
        discount_percent=read_amount(record, "DSCPC", PERCENT) if "DSCPC" in record else None,
        breaks=tuple(
            PriceBreak(read_amount(step, "MINQT", QUANTITY), read_money(step, "UNPRC", currency, UNIT_PRICE))
            for step in record["BRKS"]
        ),
        valid_from=since,
        valid_to=read_last_date(record, "VLTO"),
        priority=read_count(record, "PRIOR"),
        inherit=is_flag(record, "INHER"),
        exclusive=is_flag(record, "EXCLU"),
        combinable=is_flag(record, "COMBI"),
        graduated=is_flag(record, "GRADU"),
    )
