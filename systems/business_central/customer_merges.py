"""Merges of customers that are the same, which the ERP carries out itself: all of one, or nothing."""

from __future__ import annotations

from typing import Any

from schema.enums import SourceSystem
from systems.business_central.odata import Query, equals
from systems.business_central.reader import Reader
from systems.errors import NotFound

__all__ = ["CustomerMerges"]


class CustomerMerges:
    """The part of :class:`systems.ports.CustomerRegistry` about customers that are the same."""

    _reader: Reader

    async def merge_customers(self, key: str, duplicate_id: str, survivor_id: str) -> None:
        """Give what is open of one customer to the other once per key, and block the one for everything.

        Raises:
            NotFound: the ERP has no customer of the duplicate.
            Rejected: the two cannot be one; ``reason`` and ``fields`` say why.
            Unavailable: with ``outcome_unknown`` when it may be done; repeating with the same key is safe.
        """
        if not await self._tell("merge customers", duplicate_id, "mergeInto", {"key": key, "accountId": survivor_id}):
            message = f"there is no customer of account {duplicate_id}"
            raise NotFound(SourceSystem.CLOUD_ERP, "merge customers", message)

    async def take_merge_back(self, key: str, duplicate_id: str) -> None:
        """Take back what ``merge_customers`` did with this key; nothing happens when it did nothing."""
        await self._tell("take merge back", duplicate_id, "takeMergeBack", {"key": key})

    async def _tell(self, operation: str, account_id: str, action: str, body: Any) -> bool:
        """Return whether there is a customer, who was told."""
        query = Query("customerCards", "id", equals("crossdockId", account_id))
        cards = await self._reader.rows(operation, [query], lambda row: str(row["id"]))
        for card in cards:
            path = await self._reader.path(f"customerCards({card})/Microsoft.NAV.{action}")
            await self._reader.client.send(operation, "POST", path, body)
        return bool(cards)
