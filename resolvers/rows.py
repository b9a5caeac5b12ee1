"""Which accounts somebody works with: those of its territories and its own; a customer's administrator, those below.

The CRM says which these are. Its answer is kept: after a minute it is asked anew, and while it is out its last answer
holds for a day. Without any answer nobody who is bound sees anything, and a customer's administrator sees the accounts
of its claim.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from schema.records.accounts import AccountFilter, Patch
from schema.records.identity import ALL_ROWS_ROLES, EVERYWHERE, OPERATIONS, TERRITORY_ROLES, Principal
from schema.records.values import PageRequest
from systems.errors import ConnectorError
from systems.ports import AccountDirectory, Clock

__all__ = ["RowRules", "patch_of"]

ADMINISTRATOR = "PORTAL_ADMIN"
"""Role of a customer's people who see the accounts below those of their claim too."""

FRESH_FOR = timedelta(seconds=60)
"""How soon a changed owner or territory shows; as long as an account change may take to reach every system."""

KEPT_FOR = timedelta(hours=24)
"""How long the last answer holds while the CRM is out."""

MAX_PRINCIPALS = 1_000
"""Patches and trees that are kept; those that were asked for longest ago go first."""

MAX_ACCOUNTS = 20_000
"""Accounts of one principal; more than 100 pages of the CRM are no patch that somebody works."""

PAGE = 200
MAX_DEPTH = 5
"""Levels of a hierarchy of accounts."""

_log = structlog.get_logger("crossdock.rights")


class RowRules:
    """Binds principals to the accounts that they work with.

    Args:
        directory: knows territories, owners and hierarchies.
        clock: where time comes from.
    """

    def __init__(self, directory: AccountDirectory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._kept: OrderedDict[Patch | tuple[str, ...], _KnownAccounts] = OrderedDict()

    async def bind(self, principal: Principal) -> Principal:
        """Return the principal with the accounts that it works with.

        Raises:
            ConnectorError: the CRM does not say which, and has not for a day.
        """
        if principal.accounts:
            return await self._with_those_below(principal) if ADMINISTRATOR in principal.roles else principal
        patch = patch_of(principal)
        if patch is None:
            return principal
        known = self._known(patch, lambda: self._read_patch(patch))
        await known.refresh()
        return replace(principal, rows=known)

    async def _with_those_below(self, principal: Principal) -> Principal:
        own = principal.accounts or ()
        known = self._known(own, lambda: self._read_below(own))
        try:
            await known.refresh()
        except ConnectorError as error:
            _log.warning("an administrator sees no accounts below its own", subject=principal.subject, error=str(error))
            return principal
        return replace(principal, accounts=tuple(dict.fromkeys((*own, *sorted(known.ids)))))

    def _known(self, key: Patch | tuple[str, ...], read: Callable[[], Awaitable[frozenset[str]]]) -> _KnownAccounts:
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _KnownAccounts(read, self._clock)
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_PRINCIPALS:
            self._kept.popitem(last=False)
        return found

    async def _read_patch(self, patch: Patch) -> frozenset[str]:
        found: set[str] = set()
        after: str | None = None
        while len(found) < MAX_ACCOUNTS:
            page = await self._directory.search_accounts(AccountFilter(within=patch), PageRequest(PAGE, after))
            found.update(account.id for account in page.items)
            if not page.has_next:
                return frozenset(found)
            after = page.cursors[-1]
        _log.warning("a patch has more accounts than anybody works", patch=patch, seen=len(found))
        return frozenset(found)

    async def _read_below(self, account_ids: tuple[str, ...]) -> frozenset[str]:
        found: set[str] = set()
        level = list(account_ids)
        for _ in range(MAX_DEPTH):
            children = await self._directory.children(level)
            level = sorted({child.id for row in children.values() for child in row} - found)[
                : MAX_ACCOUNTS - len(found)
            ]
            if not level:
                break
            found.update(level)
        return frozenset(found)


def patch_of(principal: Principal) -> Patch | None:
    """Return which accounts one of the distributor's people is bound to, None for all of them.

    Who works in warehouses besides, and not in all of them, sees no more for that. Who has no role that says which rows
    it works with is bound to what it owns; a program without any role is one of the platform's own.
    """
    if principal.accounts is not None or principal.workplaces is not None or _sees_all(principal):
        return None
    territories = set(principal.territories) if principal.known_roles & TERRITORY_ROLES else ()
    return Patch(tuple(sorted(territories)), principal.subject.removeprefix("user:"))


def _sees_all(principal: Principal) -> bool:
    if not principal.roles:
        return principal.subject.startswith("system:")
    roles = principal.known_roles
    return (
        bool(roles & ALL_ROWS_ROLES)
        or (OPERATIONS in roles and EVERYWHERE in principal.warehouses)
        or (bool(roles & TERRITORY_ROLES) and EVERYWHERE in principal.territories)
    )


class _KnownAccounts:
    """Accounts as they were read last. Whoever looks after a while has them read anew, and goes on with these."""

    def __init__(self, read: Callable[[], Awaitable[frozenset[str]]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._reading = asyncio.Lock()
        self._again: asyncio.Task[None] | None = None
        self._read_at: datetime | None = None
        self.ids: frozenset[str] = frozenset()

    def has(self, account_id: str) -> bool:
        """Return whether an account is one of them; without an answer of the last day none is."""
        return account_id in self.all()

    def all(self) -> frozenset[str]:
        """Return the accounts; without an answer of the last day there are none."""
        if self._is_older_than(FRESH_FOR) and (self._again is None or self._again.done()):
            self._again = asyncio.ensure_future(self._refresh_quietly())
        return frozenset() if self._is_older_than(KEPT_FOR) else self.ids

    async def refresh(self) -> None:
        """Read them anew when they are not fresh.

        Raises:
            ConnectorError: they cannot be read, and were not within a day.
        """
        async with self._reading:
            if not self._is_older_than(FRESH_FOR):
                return
            try:
                ids = await self._read()
            except ConnectorError as error:
                if self._is_older_than(KEPT_FOR):
                    raise
                _log.warning("accounts of a principal as they were read last", error=str(error))
                return
            self.ids, self._read_at = ids, self._clock.now()

    async def _refresh_quietly(self) -> None:
        try:
            await self.refresh()
        except ConnectorError as error:
            _log.warning("nobody says which accounts a principal works with", error=str(error))

    def _is_older_than(self, age: timedelta) -> bool:
        return self._read_at is None or self._clock.now() - self._read_at > age
