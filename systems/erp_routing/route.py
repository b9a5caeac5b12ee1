"""How a question to the ERPs is split, asked and put together again.

1. Questions about accounts go to the ERPs that their homes name, all accounts of one ERP in one call.
2. Questions about documents go to the ERP that holds them: the ledger knows it of orders, and what an ERP has told of
   is remembered. A document that nobody remembers is asked for in every ERP, once.
3. An ERP that does not answer costs what only it can tell; :class:`systems.errors.PartlyAnswered` carries the rest.

Invariant: a call reaches an ERP at most once, however many accounts or documents it is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from schema.enums import SourceSystem
from systems.erp_homes import Capability, erps_of
from systems.erp_routing.account_homes import AccountHomes
from systems.erp_routing.bounded import Bounded
from systems.errors import ConnectorError, PartlyAnswered
from systems.outage import is_outage
from systems.ports import (
    AccountDirectory,
    CustomerMaster,
    CustomerRegistry,
    InvoiceBook,
    InvoiceCorrections,
    ItemMaster,
    OrderBook,
    OrderLedger,
    PriceBook,
    ReturnBook,
    ReturnDesk,
)

__all__ = ["MAX_REMEMBERED", "AnyErp", "ItemErp", "Route", "by_erp", "first_of", "whole"]

MAX_REMEMBERED = 100_000
"""Documents of which one program remembers the ERP, some 150 bytes each."""

V = TypeVar("V")
T = TypeVar("T")


class AnyErp(
    CustomerMaster,
    CustomerRegistry,
    PriceBook,
    OrderBook,
    InvoiceBook,
    InvoiceCorrections,
    ReturnBook,
    ReturnDesk,
    Protocol,
):
    """An ERP in which customers are at home."""


class ItemErp(AnyErp, ItemMaster, Protocol):
    """The ERP that also is the item master."""


def first_of(parts: Sequence[V]) -> V:
    """Return what the ERP says that decides."""
    return parts[0]


class Route:
    """Asks the ERPs.

    Args:
        erps: every connected ERP that customers can be at home in.
        items: the item master, which lists, promotions and exchange rates are of too.
        homes: where accounts are at home.
        directory: says so of those that are not known.
        ledger: knows where orders were created.
    """

    def __init__(
        self,
        erps: Mapping[SourceSystem, AnyErp],
        items: ItemErp,
        homes: AccountHomes,
        directory: AccountDirectory,
        ledger: OrderLedger,
    ) -> None:
        self.erps = erps
        self.items = items
        self.homes = homes
        self._directory = directory
        self._ledger = ledger
        self._places: Bounded[SourceSystem] = Bounded(MAX_REMEMBERED)

    # --- accounts

    async def erps_of(
        self, account_ids: Iterable[str], capability: Capability
    ) -> tuple[dict[str, tuple[SourceSystem, ...]], dict[str, ConnectorError]]:
        """Return the ERPs that do something for each account, and what kept those of others from being known."""
        homes, failures = await self.homes.of(list(dict.fromkeys(account_ids)), self._directory)
        return {account_id: erps_of(home, capability) for account_id, home in homes.items()}, failures

    async def erps_of_one(self, account_id: str, capability: Capability) -> tuple[AnyErp, ...]:
        """Return the ERPs that do something for an account, the one that decides first.

        Raises:
            ConnectorError: the CRM does not say where the account is at home.
        """
        found, failures = await self.erps_of([account_id], capability)
        if failures:
            raise failures[account_id]
        return tuple(self.erps[system] for system in found[account_id])

    async def by_account(
        self,
        operation: str,
        capability: Capability,
        account_ids: Sequence[str],
        ask: Callable[[AnyErp, list[str]], Awaitable[Mapping[str, V]]],
        combine: Callable[[Sequence[V]], V],
    ) -> Mapping[str, V]:
        """Return what the ERPs say of accounts; of one in several ERPs their answers are put together.

        Raises:
            PartlyAnswered: an ERP does not answer that only some of the accounts need.
            ConnectorError: nothing is answered.
        """
        wanted, failures = await self.erps_of(account_ids, capability)
        answers, silent = await self.ask(by_erp(wanted), ask)
        silent |= {error.system: error for error in failures.values()}
        found: dict[str, V] = {}
        for account_id, systems in wanted.items():
            missing = [silent[system] for system in systems if system in silent]
            if missing:
                failures[account_id] = missing[0]
            parts = [answers[s][account_id] for s in systems if s in answers and account_id in answers[s]]
            if parts:
                found[account_id] = combine(parts) if len(parts) > 1 else parts[0]
        return whole(operation, found, failures, silent)

    # --- documents

    def remember(self, kind: str, key: str, system: SourceSystem) -> None:
        """Remember which ERP holds a document."""
        self._places.put(f"{kind} {key}", system)

    def place(self, kind: str, key: str) -> SourceSystem | None:
        """Return which ERP holds a document, None when nobody remembers."""
        return self._places.get(f"{kind} {key}")

    async def by_key(
        self,
        operation: str,
        kind: str,
        keys: Sequence[str],
        ask: Callable[[AnyErp, list[str]], Awaitable[Mapping[str, V]]],
    ) -> Mapping[str, V]:
        """Return documents by key.

        Raises:
            PartlyAnswered: an ERP does not answer that may hold some of them.
            ConnectorError: nothing is answered.
        """
        wanted = {key: self._may_hold(self.place(kind, key)) for key in keys}
        return await self._found_in(operation, kind, wanted, ask)

    async def by_order(
        self,
        operation: str,
        order_ids: Sequence[str],
        ask: Callable[[AnyErp, list[str]], Awaitable[Mapping[str, V]]],
        kind: str | None = None,
    ) -> Mapping[str, V]:
        """Return what the ERPs of orders say of them; with ``kind`` what they say is the document of that kind.

        Raises:
            PartlyAnswered: an ERP does not answer that may hold some of the orders.
            ConnectorError: nothing is answered.
        """
        places = await self.order_places(order_ids)
        wanted = {order_id: self._may_hold(places.get(order_id)) for order_id in order_ids}
        return await self._found_in(operation, kind, wanted, ask)

    async def order_places(self, order_ids: Sequence[str]) -> dict[str, SourceSystem]:
        """Return which ERP holds each order, as far as it is remembered or recorded."""
        places = {order_id: self.place("order", order_id) for order_id in order_ids}
        unknown = [order_id for order_id, system in places.items() if system is None]
        recorded = await self._ledger.orders(unknown) if unknown else {}
        for order_id, order in recorded.items():
            # Orders that were taken before there were two ERPs are in the cloud and do not say so.
            system = order.home_erp or (SourceSystem.CLOUD_ERP if order.erp_number is not None else None)
            if system is not None:
                self.remember("order", order_id, system)
                places[order_id] = system
        return {order_id: system for order_id, system in places.items() if system is not None}

    async def erp_of_order(self, order_id: str) -> AnyErp | None:
        """Return the ERP that an order is in or meant for, None when that is not recorded."""
        system = (await self.order_places([order_id])).get(order_id)
        return None if system is None else self.erps[system]

    def _may_hold(self, system: SourceSystem | None) -> tuple[SourceSystem, ...]:
        return tuple(self.erps) if system is None else (system,)

    async def _found_in(
        self,
        operation: str,
        kind: str | None,
        wanted: Mapping[str, tuple[SourceSystem, ...]],
        ask: Callable[[AnyErp, list[str]], Awaitable[Mapping[str, V]]],
    ) -> Mapping[str, V]:
        answers, silent = await self.ask(by_erp(wanted), ask)
        found: dict[str, V] = {}
        failures: dict[str, ConnectorError] = {}
        for key, systems in wanted.items():
            system = next((s for s in systems if s in answers and key in answers[s] and answers[s][key]), None)
            if system is not None:
                found[key] = answers[system][key]
                if kind is not None:
                    self.remember(kind, key, system)
                continue
            missing = [silent[s] for s in systems if s in silent]
            if missing:
                failures[key] = missing[0]
                continue
            empty = [answers[s][key] for s in systems if key in answers[s]]
            if empty:
                found[key] = empty[0]
        return whole(operation, found, failures, silent)

    # --- calls

    async def ask(
        self, keys: Mapping[SourceSystem, list[str]], ask: Callable[[AnyErp, list[str]], Awaitable[T]]
    ) -> tuple[dict[SourceSystem, T], dict[SourceSystem, ConnectorError]]:
        """Ask ERPs at the same time; return what each says, and why which of them say nothing.

        Raises:
            ConnectorError: one of them refuses.
        """
        systems = list(keys)
        if len(systems) == 1:  # most questions are about one ERP: they cost no task
            said = [await _said(ask(self.erps[systems[0]], keys[systems[0]]))]
        else:
            said = await asyncio.gather(*(_said(ask(self.erps[system], keys[system])) for system in systems))
        answers: dict[SourceSystem, T] = {}
        silent: dict[SourceSystem, ConnectorError] = {}
        for system, answer in zip(systems, said, strict=True):
            if isinstance(answer, ConnectorError):
                silent[system] = answer
            else:
                answers[system] = answer
        return answers, silent


def whole(
    operation: str,
    found: Mapping[str, V],
    failures: Mapping[str, ConnectorError],
    silent: Mapping[SourceSystem, ConnectorError],
) -> Mapping[str, V]:
    """Return what was found when nothing is missing.

    Raises:
        PartlyAnswered: something is missing.
        ConnectorError: all of it is, for one reason.
    """
    if not failures:
        return found
    if not found and len(silent) == 1:
        raise next(iter(silent.values()))
    raise PartlyAnswered(operation, found, failures, silent)


def by_erp(wanted: Mapping[str, tuple[SourceSystem, ...]]) -> dict[SourceSystem, list[str]]:
    """Return what each ERP is asked for."""
    by_erp: dict[SourceSystem, list[str]] = {}
    for key, systems in wanted.items():
        for system in systems:
            by_erp.setdefault(system, []).append(key)
    return by_erp


async def _said(answer: Awaitable[T]) -> T | ConnectorError:
    try:
        return await answer
    except ConnectorError as error:
        if not is_outage(error):
            raise
        return error
