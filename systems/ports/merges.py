"""The platform's ledger of accounts that were found to be the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from schema.events.envelope import Event
from schema.records.merges import AccountMerge
from schema.records.operations import ExceptionTask


class AccountMerges(Protocol):
    """Accounts that were found to be the same; the platform is their system of record."""

    async def begin(self, merge: AccountMerge) -> AccountMerge | None:
        """Record a merge and take both of its accounts, or return the one with the same id as it is by now.

        Returns:
            None when another merge has one of the accounts.
        """
        ...

    async def note(self, merge: AccountMerge) -> None:
        """Write what is known of a merge that is under way."""
        ...

    async def take_back(self, merge_id: str) -> None:
        """End a merge without effect, and leave its accounts to others."""
        ...

    async def carry_over(self, merge: AccountMerge, events: Sequence[Event], task: ExceptionTask | None = None) -> None:
        """Give open orders, quotes, returns and tasks of one account to the other, and end the merge, in one commit.

        Args:
            merge: the merge as it was begun.
            events: what is told of it.
            task: what a person is asked about it.
        """
        ...

    async def carry_rest(self, limit: int) -> int:
        """Give what was written for merged accounts since to those that they are now; return how much it was.

        Args:
            limit: most documents of each ledger at once.
        """
        ...

    async def merges(self, ids: Sequence[str]) -> Mapping[str, AccountMerge]:
        """Return merges by id."""
        ...

    async def merged_into(self, survivor_ids: Sequence[str]) -> Mapping[str, tuple[AccountMerge, ...]]:
        """Return the merges that ended in each account, oldest first; every id has an entry."""
        ...

    async def survivors(self, account_ids: Sequence[str]) -> Mapping[str, str]:
        """Return for accounts that were merged the one that each is now."""
        ...

    async def under_decision(self, account_id: str) -> tuple[str, ...]:
        """Return the numbers of orders of an account that something is being decided about; at most 20."""
        ...
