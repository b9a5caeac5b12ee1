"""Prices of one request, all from one reading of the systems, however many are asked for.

1. Questions that come up together are collected: customers' prices and list prices alike.
2. Customers' terms, items, delivery places and parents are read at once; parents level by level, for all together.
3. One call brings every row of the price book that may concern them; a rate is read when a price turns out to need it.
4. Each question is decided by the rules of prices, which do no I/O.

Invariant: a price is told only when everything that decides it was read; else the system that is away is named.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

import structlog
from aiodataloader import DataLoader

from processes.price_facts import MAX_LEVELS
from processes.rules import price
from processes.rules.price import Buyer
from processes.rules.price_change import GroupMove, RowChange, has_moved
from processes.rules.tokens import TokenSigner
from resolvers.catalog.facts import PriceSources
from resolvers.envelopes import broken_rule, unavailable
from resolvers.loaders import bulk_loader
from schema.catalog.context import Priced, PriceQuestion
from schema.enums import SourceSystem
from schema.records.accounts import Account, CustomerTerms, ShipTo
from schema.records.catalog import Item, Price, PriceQuery, PriceRule
from schema.records.problems import Problem, ValidationFailed
from schema.records.values import Freshness, Money
from systems.erp_homes import NEW_CUSTOMERS, Capability, erps_of
from systems.errors import ConnectorError

__all__ = ["MoveQuestion", "PriceDesk", "unknown_account"]

V = TypeVar("V")

_log = structlog.get_logger("crossdock.catalog")


def unknown_account(account_id: str) -> ValidationFailed:
    """Return that there is no such customer, which is also what somebody learns who may not see it."""
    return broken_rule("UNKNOWN_ACCOUNT", f"account {account_id!r} is not known as a customer", "accountId")


@dataclass(frozen=True, slots=True)
class _ListQuestion:
    """What one base unit of an item costs by the list."""

    sku: str
    currency: str


@dataclass(frozen=True, slots=True)
class MoveQuestion:
    """Whether a changed row of the price book, or another group, changes what an account pays for an item on a day."""

    account_id: str
    sku: str
    on: date
    change: RowChange | GroupMove
    buyer: None = None
    ship_to_id: None = None


_Question = PriceQuestion | MoveQuestion | _ListQuestion
_Pair = tuple[str, str, date]


@dataclass(frozen=True, slots=True)
class _Facts:
    """Everything that was read for questions that came up together; what could not be read is its failure.

    ``unread`` says why rows of accounts could not be read, ``homes`` which ERP decides the prices of accounts.
    """

    items: Mapping[str, Item | None]
    terms: Mapping[str, CustomerTerms | ConnectorError | None]
    ancestors: Mapping[str, tuple[str, ...]]
    homes: Mapping[str, SourceSystem]
    ship_tos: Mapping[str, ShipTo | ConnectorError | None]
    rules: _Rules
    unread: Mapping[str, ConnectorError]
    rates: Mapping[_Pair, Decimal | ConnectorError | None]

    def buyer(self, question: PriceQuestion | MoveQuestion) -> Buyer | None:
        found = question.buyer or self.terms.get(question.account_id)
        return _answered(found)

    def groups(self, question: PriceQuestion | MoveQuestion) -> tuple[str | None, ...]:
        """Return the groups whose rows decide."""
        found = question.buyer or self.terms.get(question.account_id)
        own = None if found is None or isinstance(found, ConnectorError) else found.price_group
        if isinstance(question, MoveQuestion) and isinstance(question.change, GroupMove):
            return own, question.change.before, question.change.after
        return (own,)

    def accounts(self, question: PriceQuestion | MoveQuestion) -> tuple[str, ...]:
        """Return who buys, and the parents whose contracts count."""
        return (question.account_id, *self.ancestors[question.account_id])

    def check_read(self, question: PriceQuestion | MoveQuestion) -> None:
        """Check that the rows of who buys and of its parents were read.

        Raises:
            ConnectorError: some could not be read.
        """
        for account_id in self.accounts(question):
            if account_id in self.unread:
                raise self.unread[account_id]

    def rate(self, base: str, quote: str, on: date) -> Decimal | None:
        if base == quote:
            return Decimal(1)
        pair = (base, quote, on)
        if pair not in self.rates:
            raise _RateWanted(pair)
        found = self.rates[pair]
        if isinstance(found, ConnectorError):
            raise found
        return found


class _RateWanted(Exception):
    """A price needs an exchange rate that was not read yet; few do, so rates are read when they are asked for."""

    def __init__(self, pair: _Pair) -> None:
        super().__init__(f"the rate from {pair[0]} to {pair[1]} is wanted")
        self.pair = pair


class _Rules:
    """Rows of the price book by sku, so that a line looks only at rows that can concern it."""

    def __init__(self, rows: Sequence[PriceRule] = ()) -> None:
        self._wide = tuple(row for row in rows if row.sku is None)
        self._narrow: dict[str, list[PriceRule]] = defaultdict(list)
        for row in rows:
            if row.sku is not None:
                self._narrow[row.sku].append(row)

    def of(self, sku: str) -> tuple[PriceRule, ...]:
        return (*self._narrow.get(sku, ()), *self._wide)


class PriceDesk:
    """Answers the price questions of one request; who may ask what is decided before.

    Args:
        sources: where data comes from.
        signer: signs price tokens.
        items: the request's loader of items by sku.
        now: when the request is answered.
    """

    def __init__(
        self, sources: PriceSources, signer: TokenSigner, items: DataLoader[str, Item | None], now: datetime
    ) -> None:
        self._sources = sources
        self._signer = signer
        self._items = items
        self._now = now
        self._terms = bulk_loader(sources.terms)
        self._ship_tos = bulk_loader(sources.ship_tos)
        self._accounts: DataLoader[str, Account | None] = bulk_loader(sources.accounts)
        self._answers: DataLoader[_Question, Priced | Problem | Money | bool | None] = DataLoader(self._answer)

    async def price(self, question: PriceQuestion) -> Priced | Problem:
        """Return what a line costs, or why that cannot be told."""
        try:
            answer = await self._answers.load(question)
        except ConnectorError as error:
            return unavailable(error, "no price can be told, ask again")
        if not isinstance(answer, Priced | Problem):
            raise TypeError(f"{question} was answered with {type(answer).__name__}")
        return answer

    async def has_moved(self, question: MoveQuestion) -> bool:
        """Return whether a change changes what an account pays; while nobody can say, it is taken to do so."""
        try:
            return bool(await self._answers.load(question))
        except ConnectorError as error:
            _log.warning("a changed price is told unexamined", sku=question.sku, error=str(error))
            return True

    async def list_price(self, sku: str, currency: str) -> Money | None:
        """Return the list price of one base unit today, None when there is none.

        Raises:
            ConnectorError: the ERP does not answer.
        """
        answer = await self._answers.load(_ListQuestion(sku, currency))
        return answer if isinstance(answer, Money) else None

    async def _answer(self, asked: list[_Question]) -> list[Any]:
        try:
            facts = await self._read(asked)
        except ConnectorError as error:
            _log.warning("no prices", questions=len(asked), error=str(error))
            return [error] * len(asked)
        while True:
            answers = [self._decide(question, facts) for question in asked]
            wanted = {answer.pair for answer in answers if isinstance(answer, _RateWanted)}
            if not wanted:
                return answers
            # Ends: every turn reads rates that were not there, and rules name finitely many currencies.
            facts = replace(facts, rates={**facts.rates, **await self._rates(wanted)})

    async def _read(self, asked: Sequence[_Question]) -> _Facts:
        lines = [question for question in asked if not isinstance(question, _ListQuestion)]
        account_ids = _distinct(line.account_id for line in lines)
        items, terms, chains, ship_tos = await asyncio.gather(
            _load(self._items, _distinct(question.sku for question in asked)),
            _load_each(self._terms, _distinct(line.account_id for line in lines if line.buyer is None)),
            asyncio.gather(*(self._ancestors(account_id) for account_id in account_ids)),
            _load_each(self._ship_tos, _distinct(line.ship_to_id for line in lines if line.ship_to_id is not None)),
        )
        homes = {account_id: await self._home(account_id) for account_id in account_ids}
        facts = _Facts(items, terms, dict(zip(account_ids, chains, strict=True)), homes, ship_tos, _Rules(), {}, {})
        groups = {group for line in lines for group in facts.groups(line) if group is not None}
        skus = sorted(sku for sku, item in items.items() if item is not None)
        everybody = sorted({*account_ids, *(parent for chain in chains for parent in chain)})
        if not skus:
            return facts
        rows, unread = await self._sources.rules(everybody, sorted(groups), skus)
        return replace(facts, rules=_Rules(rows), unread=unread)

    async def _ancestors(self, account_id: str) -> tuple[str, ...]:
        """Return the ids of an account's parents, nearest first."""
        found: list[str] = []
        account = await self._accounts.load(account_id)
        while account is not None and account.parent_id is not None and len(found) < MAX_LEVELS:
            if account.parent_id in (account_id, *found):
                break
            found.append(account.parent_id)
            account = await self._accounts.load(account.parent_id)
        return tuple(found)

    async def _home(self, account_id: str) -> SourceSystem:
        """Return the ERP that decides about an account's prices; new customers' of one that the CRM does not know."""
        account = await self._accounts.load(account_id)
        return erps_of(NEW_CUSTOMERS if account is None else account.erp_home, Capability.CONTRACTS)[0]

    async def _rates(self, pairs: set[_Pair]) -> Mapping[_Pair, Decimal | ConnectorError | None]:
        found = await asyncio.gather(*(self._rate(pair) for pair in pairs))
        return dict(zip(pairs, found, strict=True))

    async def _rate(self, pair: _Pair) -> Decimal | ConnectorError | None:
        try:
            return await self._sources.exchange_rate(*pair)
        except ConnectorError as error:
            _log.warning("no exchange rate", pair=pair[:2], error=str(error))
            return error

    def _decide(
        self, question: _Question, facts: _Facts
    ) -> Priced | Problem | Money | bool | ConnectorError | _RateWanted | None:
        try:
            if isinstance(question, PriceQuestion):
                return self._price(question, facts)
            if isinstance(question, MoveQuestion):
                return self._has_moved(question, facts)
            return self._list_price(question, facts)
        except (ConnectorError, _RateWanted) as error:
            return error

    def _list_price(self, question: _ListQuestion, facts: _Facts) -> Money | None:
        item, day = facts.items[question.sku], self._day(question)
        if item is None:
            return None
        return price.list_price(
            item,
            facts.rules.of(item.sku),
            question.currency,
            fx=lambda base, quote: facts.rate(base, quote, day),
            on=day,
        )

    def _price(self, question: PriceQuestion, facts: _Facts) -> Priced | Problem:
        buyer, item, day = facts.buyer(question), facts.items[question.sku], self._day(question)
        accounts = facts.accounts(question)
        facts.check_read(question)
        if buyer is None:
            return unknown_account(question.account_id)
        if item is None:
            return broken_rule("UNKNOWN_SKU", f"item {question.sku!r} does not exist", "sku")
        ship_to = None if question.ship_to_id is None else _answered(facts.ship_tos[question.ship_to_id])
        if question.ship_to_id is not None and (ship_to is None or ship_to.account_id != question.account_id):
            said = f"account {question.account_id} has no ship-to {question.ship_to_id!r}"
            return broken_rule("UNKNOWN_SHIP_TO", said, "shipToId")
        answer = price.evaluate(
            PriceQuery(question.account_id, item.sku, question.quantity, day, question.ship_to_id),
            item=item,
            terms=buyer,
            ancestors=facts.ancestors[question.account_id],
            rules=facts.rules.of(item.sku),
            fx=lambda base, quote: facts.rate(base, quote, day),
            now=self._now,
            signer=self._signer,
            freshness=self._freshness(facts.homes[question.account_id], accounts, question.ship_to_id),
            ship_to=ship_to,
        )
        return Priced(answer, item.base_uom) if isinstance(answer, Price) else answer

    def _has_moved(self, question: MoveQuestion, facts: _Facts) -> bool:
        buyer, item = facts.buyer(question), facts.items[question.sku]
        facts.check_read(question)
        if buyer is None or item is None:
            return False
        return has_moved(
            question.change,
            facts.rules.of(item.sku),
            item=item,
            account_id=question.account_id,
            ancestors=facts.ancestors[question.account_id],
            terms=buyer,
            fx=lambda base, quote: facts.rate(base, quote, question.on),
            on=question.on,
        )

    def _freshness(self, erp: SourceSystem, accounts: Sequence[str], ship_to_id: str | None) -> Freshness:
        as_of = self._sources.as_of(accounts, ship_to_id)
        if as_of is None:
            return Freshness(erp, self._now)
        return Freshness(erp, as_of, stale=True, note="the price is as the ERP last told it")

    def _day(self, question: _Question) -> date:
        named = None if isinstance(question, _ListQuestion) else question.on
        return named or self._now.date()


def _answered(found: V | ConnectorError) -> V:
    """Return what was read.

    Raises:
        ConnectorError: it could not be read.
    """
    if isinstance(found, ConnectorError):
        raise found
    return found


def _distinct(keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(keys))


async def _load(loader: DataLoader[str, V | None], keys: Sequence[str]) -> dict[str, V | None]:
    return dict(zip(keys, await loader.load_many(keys), strict=True))


async def _load_each(loader: DataLoader[str, V | None], keys: Sequence[str]) -> dict[str, V | ConnectorError | None]:
    """Return what is read, or what kept each of it from being read."""
    read = await asyncio.gather(*(loader.load(key) for key in keys), return_exceptions=True)
    found: dict[str, V | ConnectorError | None] = {}
    for key, value in zip(keys, read, strict=True):
        if isinstance(value, BaseException) and not isinstance(value, ConnectorError):
            raise value
        found[key] = value
    return found
