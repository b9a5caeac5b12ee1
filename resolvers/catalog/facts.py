"""What prices are made of, as the systems say it now or, while one is out, as it said it last (at most a day ago).

Rows of the price book are remembered by whom they are for (an account, a group, everybody) and by item, so that what
one request has read answers for another one, whatever it asks for together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import structlog

from resolvers.catalog.ports import CatalogPorts
from schema.records.accounts import Account, CustomerTerms, ShipTo
from schema.records.catalog import Item, PriceRule
from systems.errors import ConnectorError, PartlyAnswered
from systems.memory import Recollection

__all__ = ["PriceSources"]

_EVERYBODY = "*"
_log = structlog.get_logger("crossdock.catalog")


class PriceSources:
    """Reads what prices are made of, for one request.

    Args:
        ports: where it comes from.
        now: when the request is answered.
    """

    def __init__(self, ports: CatalogPorts, now: datetime) -> None:
        self._ports = ports
        self._seen = Recollection(ports.memory, now)

    def as_of(self, accounts: Collection[str], ship_to_id: str | None) -> datetime | None:
        """Return when the oldest thing was read that had to be remembered for a price of the first of the accounts.

        Args:
            accounts: who buys, and the parents whose contracts count.
            ship_to_id: where to, if that is told.

        Returns:
            None when everything that the price is made of was read now.
        """
        taken = (at for (kind, key), at in self._seen.recalled.items() if _concerns(kind, key, accounts, ship_to_id))
        return min(taken, default=None)

    async def items(self, skus: Sequence[str]) -> Mapping[str, Item]:
        """Return items by sku."""
        return await self._seen.by_key("item", skus, self._ports.items.items)

    async def terms(self, account_ids: Sequence[str]) -> Mapping[str, CustomerTerms]:
        """Return customers' terms by account."""
        return await self._seen.by_key("terms", account_ids, self._ports.customers.terms)

    async def ship_tos(self, ids: Sequence[str]) -> Mapping[str, ShipTo]:
        """Return delivery places by id."""
        return await self._seen.by_key("ship-to", ids, self._ports.customers.ship_tos)

    async def accounts(self, ids: Sequence[str]) -> Mapping[str, Account]:
        """Return accounts by id, for who is whose parent."""
        return await self._seen.by_key("account", ids, self._ports.directory.accounts)

    async def rules(
        self, account_ids: Sequence[str], groups: Sequence[str], skus: Sequence[str]
    ) -> tuple[tuple[PriceRule, ...], Mapping[str, ConnectorError]]:
        """Return the rows that may concern these items for these accounts and groups.

        Returns:
            The rows, and what kept an ERP from telling those of which accounts.
        """
        try:
            rows = await self._ports.prices.rules(account_ids, groups, skus)
        except PartlyAnswered as partly:
            rows = tuple(partly.found.values())
            self._keep_rules(rows, [entry for entry in account_ids if entry not in partly.failures], groups, skus)
            failures = {}
            for account_id, error in partly.failures.items():
                try:
                    rows += self._recalled_rules(list(_of_owner(f"a:{account_id}", skus)), error)
                except ConnectorError:
                    failures[account_id] = error
            return rows, failures
        except ConnectorError as error:
            return self._recalled_rules(list(_places(account_ids, groups, skus)), error), {}
        self._keep_rules(rows, account_ids, groups, skus)
        return rows, {}

    def _recalled_rules(self, places: Sequence[str], error: ConnectorError) -> tuple[PriceRule, ...]:
        recalled = self._seen.recall_all("rules", places, error)
        _log.warning("prices as the ERP last told them", places=len(places), error=str(error))
        return tuple({row.id: row for place in places for row in recalled[place]}.values())

    def _keep_rules(
        self, rows: Sequence[PriceRule], account_ids: Sequence[str], groups: Sequence[str], skus: Sequence[str]
    ) -> None:
        places: dict[str, list[PriceRule]] = {key: [] for key in _places(account_ids, groups, skus)}
        for row in rows:
            for sku in skus if row.sku is None else (row.sku,):
                places.setdefault(_place(_owner(row), sku), []).append(row)
        self._seen.keep_all("rules", {key: tuple(entries) for key, entries in places.items()})

    async def exchange_rate(self, base: str, quote: str, on: date) -> Decimal | None:
        """Return how many ``quote`` one ``base`` is worth on the date, None when there is no rate."""
        key = f"{base}:{quote}"
        try:
            rate = await self._ports.prices.exchange_rate(base, quote, on)
        except ConnectorError as error:
            recalled: Decimal | None = self._seen.recall_all("rate", [key], error)[key]
            return recalled
        self._seen.keep_all("rate", {key: rate})
        return rate


def _places(account_ids: Sequence[str], groups: Sequence[str], skus: Sequence[str]) -> Iterator[str]:
    owners = [_EVERYBODY, *(f"a:{entry}" for entry in account_ids), *(f"g:{entry}" for entry in groups)]
    return (place for owner in owners for place in _of_owner(owner, skus))


def _of_owner(owner: str, skus: Sequence[str]) -> Iterator[str]:
    return (_place(owner, sku) for sku in skus)


def _concerns(kind: str, key: str, accounts: Collection[str], ship_to_id: str | None) -> bool:
    """Return whether a reading is about these accounts or this place, or about everybody."""
    if kind in ("terms", "account"):
        return key in accounts
    if kind == "ship-to":
        return key == ship_to_id
    owner = key.partition("/")[0] if kind == "rules" else _EVERYBODY
    return not owner.startswith("a:") or owner.removeprefix("a:") in accounts


def _owner(row: PriceRule) -> str:
    if row.account_id is not None:
        return f"a:{row.account_id}"
    return _EVERYBODY if row.price_group is None else f"g:{row.price_group}"


def _place(owner: str, sku: str) -> str:
    return f"{owner}/{sku}"
