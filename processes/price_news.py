"""Changes of the ERPs' price books, and of who is in which price group, become events, one per item that they concern.

1. Changes are read in the order in which the ERP made them, each once; the place is kept in the ledger.
2. A change says from which day on it holds: the first one for which the row says something else than before.
3. Contracts and price groups of customers are those of the ERP that the customer is at home in; lists, groups and
   promotions of another ERP than the item master decide no price, and their changes are told nobody.
4. A row for a category, a brand or everything is told for each of its items, so that whoever follows an item hears of
   every change by the item's name, in order per item, and for contracts per customer and item. Another price group is
   told for each item of which one of the two groups has a row.
5. A change that cannot be read or told is put into the inbox, which makes a dead letter of what it cannot handle; those
   behind it are told. Handled again, it is read from the ERP anew, so that what is mended there is told after all.

What a change means for a customer is for whoever follows to work out: the event carries what was and what is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from events.inbox import InboxMessage, UnknownMessage
from processes.dependencies import Dependencies
from processes.feeds import Accepts, Feed
from processes.journal import read, write
from processes.rules.price_change import GroupMove, RowChange, effective_from, moved_from
from schema.enums import ErpHome, SourceSystem
from schema.events.envelope import Event
from schema.records.catalog import (
    GroupChange,
    Item,
    ItemFilter,
    LoggedChange,
    PriceChange,
    PriceLevel,
    PriceRule,
    item_id,
)
from schema.records.entries import UnreadableEntry
from schema.records.values import PageRequest
from systems.erp_homes import Capability, erps_of
from systems.errors import ConnectorError
from systems.outage import is_outage

__all__ = ["PRICE_CHANGED", "PRICE_ENTRY", "PriceNews", "change_of"]

PRICE_CHANGED = "price.changed"

PRICE_ENTRY = "price.entry"
"""Type of the messages about entries of an ERP's log that could not be told."""

_FEEDS = {SourceSystem.CLOUD_ERP: "erp.prices", SourceSystem.LEGACY_ERP: "erp.prices.legacy"}
"""Names of the places up to which the changes of each ERP's price book are read."""

ITEM_MASTER = SourceSystem.CLOUD_ERP
"""The ERP whose lists, groups and promotions hold for everybody."""

AT_ONCE = 100
"""Changes that are read at once."""

ITEMS_AT_ONCE = 200
"""Items of a wide row, or of a price group, that are told in one commit."""


class PriceNews:
    """Follows the price book of each ERP.

    Args:
        use: systems and ledgers.
        inbox: keeps what cannot be told.
    """

    def __init__(self, use: Dependencies, inbox: Accepts) -> None:
        self._use = use
        self._inbox = inbox

    async def read(self, erp: SourceSystem = SourceSystem.CLOUD_ERP) -> int:
        """Tell of the next changes in an ERP, and return how many there were.

        Cancel/retry: safe to repeat; a change that is read twice is told once.

        Raises:
            ConnectorError: the ERP or the platform's ledgers do not answer.
        """
        place = await self._use.cursors.place(_FEEDS[erp])
        found = await self._use.price_changes[erp].price_changes_after(place, AT_ONCE)
        homes = await self._homes(found)
        for change in found:
            try:
                await self._tell(erp, change, homes)
            except _Untellable as error:
                told = change.told if isinstance(change, UnreadableEntry) else write(change)
                await Feed(erp, _FEEDS[erp], PRICE_ENTRY).set_aside(self._inbox, change.entry, str(error), told)
            await self._use.cursors.move(_FEEDS[erp], change.entry)
        return len(found)

    async def read_again(self, message: InboxMessage) -> None:
        """Tell of a change that could not be told, as the ERP shows it now.

        Cancel/retry: safe to repeat; what was told is not told again.

        Raises:
            UnknownMessage: it still cannot be told; the message says why and what to do.
            ConnectorError: the ERP or the platform's ledgers do not answer.
        """
        erp, entry = message.source, int(message.payload["entry"])
        found = await self._use.price_changes[erp].price_changes_after(entry - 1, 1)
        if not found or found[0].entry != entry:
            raise UnknownMessage(
                f"{erp} does not show entry {entry} of its log of prices any more: nothing can be told"
            )
        try:
            await self._tell(erp, found[0], await self._homes(found))
        except _Untellable as error:
            said = f"entry {entry} of the log of prices of {erp} cannot be told: {error}: mend it there and replay"
            raise UnknownMessage(said) from error

    async def _tell(self, erp: SourceSystem, change: LoggedChange, homes: Mapping[str, ErpHome]) -> None:
        """Tell of a change, once for each item that it concerns.

        Raises:
            _Untellable: it cannot be told, however often it is tried.
            ConnectorError: a system does not answer.
        """
        try:
            match change:
                case PriceChange():
                    await self._tell_row(erp, change, homes)
                case GroupChange():
                    await self._tell_group(erp, change, homes)
                case UnreadableEntry():
                    raise _Untellable(change.reason)
        except ConnectorError as error:
            if is_outage(error):
                raise
            raise _Untellable(str(error)) from error

    async def _tell_row(self, erp: SourceSystem, change: PriceChange, homes: Mapping[str, ErpHome]) -> None:
        since = effective_from(RowChange(change.before, change.after), change.at.date())
        row = _rows(change)[0]
        account_id = row.account_id if row.level is PriceLevel.CONTRACT else None
        concerns = erp is ITEM_MASTER if account_id is None else _decides(erp, account_id, Capability.CONTRACTS, homes)
        if since is None or not concerns:
            return
        said = {
            "rule": row.number,
            "level": row.level.value,
            "before": None if change.before is None else write(change.before),
            "after": None if change.after is None else write(change.after),
        }
        told = _Told(erp, change.entry, change.at, account_id, said)
        for scope in _scopes(change):
            if scope.sku is not None:
                await self._use.events.append([told.of(scope.sku, since)])
                continue
            async for items in self._items(ItemFilter(category_code=scope.category_code, brand=scope.brand)):
                await self._use.events.append([told.of(item.sku, since) for item in items])

    async def _tell_group(self, erp: SourceSystem, change: GroupChange, homes: Mapping[str, ErpHome]) -> None:
        if not _decides(erp, change.account_id, Capability.TERMS, homes):
            return
        move = GroupMove(change.before, change.after)
        groups = [group for group in (change.before, change.after) if group is not None]
        told = _Told(erp, change.entry, change.at, change.account_id, {"group": write(move)})
        rows = await self._use.erp.group_rules(groups)
        of_item = {sku: list(some) for sku, some in groupby(sorted(rows, key=_sku), key=_sku)}
        wide = of_item.pop("", [])
        async for items in self._items_of(sorted(of_item), wide):
            days = (
                (item.sku, moved_from(move, [*of_item.get(item.sku, ()), *wide], item, change.at.date()))
                for item in items
            )
            # An item that falls under several rows comes several times, and is told once by the id of its event.
            await self._use.events.append([told.of(sku, since) for sku, since in days if since is not None])

    async def _items_of(self, skus: Sequence[str], wide: Sequence[PriceRule]) -> AsyncIterator[Sequence[Item]]:
        """Yield the items of rows, so many at once: those that rows name, and those of each row of several."""
        for start in range(0, len(skus), ITEMS_AT_ONCE):
            found = await self._use.erp.items(skus[start : start + ITEMS_AT_ONCE])
            yield [found[sku] for sku in sorted(found)]
        scopes = {ItemFilter(category_code=row.category_code, brand=row.brand) for row in wide}
        everything = ItemFilter()
        for scope in {everything} if everything in scopes else sorted(scopes, key=repr):
            async for items in self._items(scope):
                yield items

    async def _items(self, where: ItemFilter) -> AsyncIterator[Sequence[Item]]:
        after = None
        while True:
            page = await self._use.erp.search_items(where, PageRequest(ITEMS_AT_ONCE, after))
            yield page.items
            if not page.has_next or not page.cursors:
                return
            after = page.cursors[-1]

    async def _homes(self, changes: Sequence[LoggedChange]) -> Mapping[str, ErpHome]:
        """Return where the customers are at home whom changes are about, as far as the CRM knows them."""
        account_ids = sorted({account_id for change in changes for account_id in _accounts(change)})
        found = await self._use.crm.accounts(account_ids) if account_ids else {}
        return {account_id: account.erp_home for account_id, account in found.items()}


class _Untellable(Exception):
    """A change cannot be told, and trying again would not help."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What all events of one change say; ``account_id`` is None when it is for everybody."""

    erp: SourceSystem
    entry: int
    at: datetime
    account_id: str | None
    said: Mapping[str, Any]

    def of(self, sku: str, since: date) -> Event:
        """Return the event of an item."""
        key = sku if self.account_id is None else f"{self.account_id}:{sku}"
        return Event(
            id=f"{_FEEDS[self.erp]}:{self.entry}:{sku}",
            source="/dist/catalog",
            type=PRICE_CHANGED,
            subject=item_id(sku),
            partition_key=key,
            correlation_id=key,
            system=self.erp,
            occurred_at=self.at,
            data={"sku": sku, "effectiveFrom": since.isoformat(), **self.said},
            account_id=self.account_id,
        )


def change_of(event: Event) -> RowChange | GroupMove:
    """Return the change that an event tells."""
    if "group" in event.data:
        return read(GroupMove, event.data["group"])
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


def _sku(row: PriceRule) -> str:
    """Return the item of a row, blank for a row of several."""
    return row.sku or ""


def _accounts(change: LoggedChange) -> Iterator[str]:
    """Yield the customers whom a change is about, none when it is for everybody."""
    if isinstance(change, GroupChange):
        yield change.account_id
    elif isinstance(change, PriceChange):
        row = _rows(change)[0]
        if row.account_id is not None:
            yield row.account_id


def _decides(erp: SourceSystem, account_id: str, capability: Capability, homes: Mapping[str, ErpHome]) -> bool:
    """Return whether an ERP is the one that decides for a customer; of one that the CRM does not know, each may."""
    return account_id not in homes or erps_of(homes[account_id], capability)[0] is erp
