"""A platform on which no account was ever found to be another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schema.events.envelope import Event
from schema.records.merges import AccountMerge
from schema.records.operations import ExceptionTask

__all__ = ["NoMerges"]


class NoMerges:
    """:class:`systems.ports.AccountMerges` that answers questions, and takes no merge."""

    async def begin(self, merge: AccountMerge) -> AccountMerge | None:
        raise NotImplementedError

    async def note(self, merge: AccountMerge) -> None:
        raise NotImplementedError

    async def take_back(self, merge_id: str) -> None:
        raise NotImplementedError

    async def carry_over(self, merge: AccountMerge, events: Sequence[Event], task: ExceptionTask | None = None) -> None:
        raise NotImplementedError

    async def carry_rest(self, limit: int) -> int:
        return 0

    async def merges(self, ids: Sequence[str]) -> Mapping[str, AccountMerge]:
        return {}

    async def merged_into(self, survivor_ids: Sequence[str]) -> Mapping[str, tuple[AccountMerge, ...]]:
        return dict.fromkeys(survivor_ids, ())

    async def survivors(self, account_ids: Sequence[str]) -> Mapping[str, str]:
        return {}

    async def under_decision(self, account_id: str) -> tuple[str, ...]:
        return ()
