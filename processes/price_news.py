"""Changes of the ERPs' price books become events, one per item that they concern.

1. Changes are read in the order in which the ERP made them, each once; the place is kept in the ledger.
2. A change says from which day on it holds: the first one for which the row says something else than before.
3. Contracts are those of the ERP that the customer is at home in; lists, groups and promotions of another ERP than the
   item master decide no price, and their changes are told nobody.
4. A row for a category, a brand or everything is told for each of its items, so that whoever follows an item hears of
   every change by the item's name, in order per item, and for contracts per customer and item.

What a change means for a customer is for whoever follows to work out: the event carries the row before and after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from processes.dependencies import Dependencies
from processes.journal import read, write
from processes.rules.price_change import RowChange, effective_from
from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.catalog import ItemFilter, PriceChange, PriceLevel, PriceRule, item_id
from schema.records.values import PageRequest

__all__ = ["PRICE_CHANGED", "PriceNews", "row_change_of"]

PRICE_CHANGED = "price.changed"

_FEEDS = {SourceSystem.CLOUD_ERP: "erp.prices", SourceSystem.LEGACY_ERP: "erp.prices.legacy"}
"""Names of the places up to which the changes of each ERP's price book are read."""

ITEM_MASTER = SourceSystem.CLOUD_ERP
"""The ERP whose lists, groups and promotions hold for everybody."""

AT_ONCE = 100
"""Changes that are read at once."""

ITEMS_AT_ONCE = 200
"""Items of a wide row that are told in one commit."""


class PriceNews:
    """Follows the price book of each ERP.

    Args:
        use: systems and ledgers.
    """

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def read(self, erp: SourceSystem = SourceSystem.CLOUD_ERP) -> int:
        """Tell of the next changes in an ERP, and return how many there were.

        Cancel/retry: safe to repeat; a change that is read twice is told once.

        Raises:
            ConnectorError: the ERP or the platform's ledgers do not answer.
        """
        place = await self._use.cursors.place(_FEEDS[erp])
        found = await self._use.price_changes[erp].price_changes_after(place, AT_ONCE)
        for change in found:
            since = effective_from(RowChange(change.before, change.after), change.at.date())
            if since is not None and (erp is ITEM_MASTER or _rows(change)[0].level is PriceLevel.CONTRACT):
                await self._tell(erp, change, since)
            await self._use.cursors.move(_FEEDS[erp], change.entry)
        return len(found)

    async def _tell(self, erp: SourceSystem, change: PriceChange, since: date) -> None:
        for row in _scopes(change):
            if row.sku is not None:
                await self._use.events.append([_event(erp, change, row.sku, since)])
                continue
            where, after = ItemFilter(category_code=row.category_code, brand=row.brand), None
            while True:
                page = await self._use.erp.search_items(where, PageRequest(ITEMS_AT_ONCE, after))
                await self._use.events.append([_event(erp, change, item.sku, since) for item in page.items])
                if not page.has_next or not page.cursors:
                    break
                after = page.cursors[-1]


def row_change_of(event: Event) -> RowChange:
    """Return the change that an event tells."""
    before, after = (event.data.get(name) for name in ("before", "after"))
    return RowChange(
        None if before is None else read(PriceRule, before), None if after is None else read(PriceRule, after)
    )


def _rows(change: PriceChange) -> Sequence[PriceRule]:
    """Return the row as it is and as it was, as far as there are."""
    return [row for row in (change.after, change.before) if row is not None]


def _scopes(change: PriceChange) -> Iterator[PriceRule]:
    """Yield the rows whose items are concerned: one, unless the change has made the row one for other items."""
    seen = set()
    for row in _rows(change):
        scope = (row.sku, row.category_code, row.brand)
        if scope not in seen:
            seen.add(scope)
            yield row


def _event(erp: SourceSystem, change: PriceChange, sku: str, since: date) -> Event:
    row = _rows(change)[0]
    account_id = row.account_id if row.level is PriceLevel.CONTRACT else None
    key = sku if account_id is None else f"{account_id}:{sku}"
    return Event(
        id=f"{_FEEDS[erp]}:{change.entry}:{sku}",
        source="/dist/catalog",
        type=PRICE_CHANGED,
        subject=item_id(sku),
        partition_key=key,
        correlation_id=key,
        system=erp,
        occurred_at=change.at,
        data={
            "sku": sku,
            "rule": row.number,
            "level": row.level.value,
            "effectiveFrom": since.isoformat(),
            "before": None if change.before is None else write(change.before),
            "after": None if change.after is None else write(change.after),
        },
        account_id=account_id,
    )
