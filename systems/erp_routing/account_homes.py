"""Where accounts are at home, as the CRM says: it is told here with every account that is read, and asked for the rest.

An account moves seldom, and what is under way when it does finishes where it started. So a home is believed for a
while, and for as long as the CRM gives no answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from schema.enums import ErpHome
from schema.records.accounts import Account
from systems.deadline import waiting_until
from systems.erp_homes import NEW_CUSTOMERS
from systems.erp_routing.bounded import Bounded
from systems.errors import ConnectorError
from systems.outage import is_outage
from systems.ports import AccountDirectory

__all__ = ["BELIEVED_S", "MAX_ACCOUNTS", "AccountHomes"]

BELIEVED_S = 60.0
"""How long a home is believed without asking anew; an account that moves is routed anew within this time."""

MAX_ACCOUNTS = 50_000
"""Accounts whose homes one program keeps, some 200 bytes each: all that a distributor has."""


@dataclass(frozen=True, slots=True)
class _Told:
    home: ErpHome
    at: float


class AccountHomes:
    """The homes of accounts.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: Bounded[_Told] = Bounded(MAX_ACCOUNTS)
        self._asking: dict[str, asyncio.Task[Mapping[str, Account]]] = {}

    def note(self, account: Account) -> None:
        """Take note of an account that the CRM has told of."""
        self.put(account.id, account.erp_home)

    def put(self, account_id: str, home: ErpHome) -> None:
        """Take note of where an account is at home."""
        self._told.put(account_id, _Told(home, self._clock()))

    async def of(
        self, account_ids: Sequence[str], directory: AccountDirectory
    ) -> tuple[dict[str, ErpHome], dict[str, ConnectorError]]:
        """Return homes by account, and what kept the CRM from telling those of the others; at most one call to it."""
        known = {account_id: self._told.get(account_id) for account_id in account_ids}
        since = self._clock() - BELIEVED_S
        wanted = [account_id for account_id, told in known.items() if told is None or told.at < since]
        homes = {account_id: told.home for account_id, told in known.items() if told is not None}
        failures: dict[str, ConnectorError] = {}
        if not wanted:
            return homes, failures
        try:
            found = await self._ask(wanted, directory)
        except ConnectorError as error:
            if not is_outage(error):
                raise
            return homes, {account_id: error for account_id in wanted if account_id not in homes}
        for account_id in wanted:
            account = found.get(account_id)
            homes[account_id] = NEW_CUSTOMERS if account is None else account.erp_home
            if account is not None:
                self.note(account)
        return homes, failures

    async def _ask(self, account_ids: Sequence[str], directory: AccountDirectory) -> dict[str, Account]:
        """Return accounts by id; one that somebody else is asking for is not asked for twice."""
        mine = [account_id for account_id in account_ids if account_id not in self._asking]
        if mine:
            with waiting_until(None):  # others may wait for it who have more time
                task = asyncio.create_task(_read(directory, mine))
            self._asking.update(dict.fromkeys(mine, task))
            task.add_done_callback(lambda _: self._asked(mine))
        tasks = list(dict.fromkeys(self._asking[account_id] for account_id in account_ids))
        answers = await asyncio.gather(*(asyncio.shield(task) for task in tasks))
        return {account_id: account for answer in answers for account_id, account in answer.items()}

    def _asked(self, account_ids: Sequence[str]) -> None:
        for account_id in account_ids:
            del self._asking[account_id]


async def _read(directory: AccountDirectory, account_ids: Sequence[str]) -> Mapping[str, Account]:
    return await directory.accounts(account_ids)
