"""Everything that one request reads of operations, batched: rows that ask alike share one query per store.

1. Each question has a loader; loaders keep what they found, so a field asked twice costs nothing.
2. Whose a process, order or quote is, the platform's own ledgers tell; what the principal may not see is dropped there.
3. Customers see the part of a story that they are told anyway: neither its inner events nor which person acted, and no
   facts beyond the sentence. Tasks, dead letters and the health of systems are for the distributor's own people.

Invariant: the number of queries depends on the shape of the request, never on its rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeVar

from aiodataloader import DataLoader

from events.projections.gauges import Point
from events.stories import order_of
from processes.workplaces import may_handle, may_take, works_on
from resolvers.access import can_see, is_customer
from resolvers.loaders import bulk_loader
from resolvers.operations.figures import read_figure
from resolvers.operations.ports import OperationsPorts
from resolvers.operations.story import Chain, Window, count_touches, merge, page_of
from resolvers.operations.summaries import CUSTOMER_TYPES, summary_for_customer, summary_of
from schema.enums import KpiName, SourceSystem
from schema.events.envelope import Event, EventFilter, EventPlace, StoredEvent
from schema.graphql.errors import BadUserInput, Forbidden
from schema.operations.lineage import OPS_READ
from schema.operations.views import HistoryPage, LineageEntry, SystemStatus
from schema.records.identity import Principal
from schema.records.operations import DeadLetter, ExceptionTask, ProcessRecord
from schema.records.orders import LedgerOrder, Quote
from schema.records.values import Page, PageRequest
from systems.errors import Rejected
from systems.ports import SystemHealth

__all__ = ["MAX_STORY", "OperationsReader"]

MAX_STORY = 1_000
"""Events of one correlation id that are read at once; an order of a hundred lines has about half as many."""

MAX_ORDERS_OF_QUOTES = 1_000
"""Orders that the quotes of one request became; a quote becomes one, rarely another after a rejection."""

ABOUT_ACCOUNTS = frozenset({"account", "case", "price"})
"""Families of events that are no matter of a warehouse, and told to those of all."""

ACCOUNT_KEY = "acc_"
"""How the business keys of processes about accounts begin."""

SOMEBODY = "user:-"
"""Actor that customers are told instead of a person's id."""

V = TypeVar("V")
_EMPTY: Page[Any] = Page((), (), has_next=False, total=0)


class OperationsReader:
    """Reads processes, stories, tasks, dead letters and systems, for one request of one principal.

    Args:
        ports: where data comes from.
        principal: who asks.
    """

    def __init__(self, ports: OperationsPorts, principal: Principal) -> None:
        self.ports = ports
        self.principal = principal
        self.now: datetime = ports.clock.now()
        self._is_customer = is_customer(principal)
        self._processes = bulk_loader(ports.processes.processes)
        self._processes_of = bulk_loader(ports.processes.processes_of)
        self._orders = bulk_loader(ports.orders.orders)
        self._quotes = bulk_loader(ports.quotes.quotes)
        self._warehouses_of = bulk_loader(ports.orders.warehouses_of)
        self._tasks = bulk_loader(ports.tasks.tasks)
        self._letters = bulk_loader(ports.dead_letters.letters)
        self._orders_of_quotes = bulk_loader(self._load_orders_of_quotes)
        self._stories: DataLoader[tuple[Chain, EventPlace | None], Window] = DataLoader(self._load_stories)
        self._accounts: DataLoader[tuple[str, int, EventPlace | None], Window] = DataLoader(self._load_accounts)

    # --- processes

    async def process(self, process_id: str) -> ProcessRecord | None:
        """Return a process, None when there is none that the principal may see."""
        found = await self._processes.load(process_id)
        return found if found is None else await self._visible(found)

    async def processes_of_order(self, order_id: str) -> tuple[ProcessRecord, ...] | None:
        """Return the processes about an order, oldest first, None when the principal may not see the order."""
        if not await self._may_see(order_id):
            return None
        found, order = await asyncio.gather(self._processes_of.load(order_id), self._orders.load(order_id))
        if not found:
            return None if order is None else ()
        return tuple(self._without_inner_facts(record) for record in found)

    async def _visible(self, record: ProcessRecord) -> ProcessRecord | None:
        return self._without_inner_facts(record) if await self._may_see(record.business_key) else None

    def _without_inner_facts(self, record: ProcessRecord) -> ProcessRecord:
        if not self._is_customer:
            return record
        steps = tuple(replace(step, last_error=None) for step in record.steps)
        return replace(record, steps=steps, trace_id=None)

    async def _may_see(self, business_key: str) -> bool:
        """Return whether the principal may see what has this key; customers see nothing but orders and quotes."""
        if self.principal.workplaces is not None:
            return await self._works_on(business_key)
        if self.principal.accounts is None and self.principal.rows is None:
            return True
        order, quote = await asyncio.gather(self._orders.load(business_key), self._quotes.load(business_key))
        found = order or quote
        if found is not None:
            return can_see(self.principal, found.account_id)
        is_account = business_key.startswith(ACCOUNT_KEY)
        return not self._is_customer and (not is_account or can_see(self.principal, business_key))

    async def _works_on(self, order_id: str) -> bool:
        """Return whether a warehouse of the principal has to do with an order; none has with what is no order."""
        return await works_on(self.principal, order_id, self._noted)

    async def _noted(self, order_id: str) -> Collection[str]:
        return await self._warehouses_of.load(order_id) or ()

    # --- stories

    async def order_lineage(self, order_id: str, first: int, after: EventPlace | None) -> HistoryPage | None:
        """Return a page of an order's story, None when there is none that the principal may see."""
        chain = _order_chain(order_id, await self._orders.load(order_id))
        return await self._lineage(chain, first, after)

    async def quote_lineage(self, quote_id: str, first: int, after: EventPlace | None) -> HistoryPage | None:
        """Return a page of a quote's story with the orders that it became, None when there is none to be seen."""
        quote = await self._quotes.load(quote_id)
        chain = Chain((quote_id,)) if quote is None else await self._quote_chain(quote)
        return await self._lineage(chain, first, after)

    async def account_lineage(self, account_id: str, first: int, after: EventPlace | None) -> HistoryPage | None:
        """Return a page of what happened to an account, None when there is nothing that the principal may see."""
        if not can_see(self.principal, account_id):
            return None
        window = await self._accounts.load((account_id, first, after))
        if not window.events and after is None:
            return None
        foreign, is_bound = await self._foreign(window), self.principal.workplaces is not None

        def show(stored: StoredEvent) -> LineageEntry | None:
            order_id = order_of(stored.event)
            if order_id in foreign or (is_bound and order_id is None and not _is_about_account(stored.event)):
                return None
            return self._show(stored)

        return replace(page_of(window, show, first, after), total=None)

    async def story(self, correlation_id: str) -> tuple[LineageEntry, ...]:
        """Return the story that a correlation id belongs to, as far as the principal may see it."""
        order, quote = await asyncio.gather(self._orders.load(correlation_id), self._quotes.load(correlation_id))
        chain = Chain((correlation_id,))
        if order is not None:
            chain = _order_chain(correlation_id, order)
        elif quote is not None:
            chain = await self._quote_chain(quote)
        page = await self._lineage(chain, MAX_STORY, None)
        return () if page is None else page.entries

    async def touches(self, order_id: str) -> int | None:
        """Return how often people had to touch an order; None to customers, or when its story is not known in full."""
        order = await self._orders.load(order_id)
        if self._is_customer or order is None or not can_see(self.principal, order.account_id):
            return None
        if not await self._works_on(order_id):
            return None
        chain = _order_chain(order_id, order)
        window = await self._stories.load((chain, None))
        if not window.is_complete:
            return None
        return count_touches(order, (stored.event for stored in window.events if chain.has(stored.event)))

    async def _lineage(self, chain: Chain, first: int, after: EventPlace | None) -> HistoryPage | None:
        if chain.account_id is None:
            if self._is_customer:
                return None
        elif not can_see(self.principal, chain.account_id):
            return None
        about = chain.correlation_ids if chain.order_id is None else (chain.order_id,)
        if not any(await asyncio.gather(*(self._works_on(entry) for entry in about))):
            return None
        window = await self._stories.load((chain, after))
        if chain.account_id is None and not window.events and after is None:
            return None
        foreign = await self._foreign(window)

        def show(stored: StoredEvent) -> LineageEntry | None:
            is_part = chain.has(stored.event) and order_of(stored.event) not in foreign
            return self._show(stored) if is_part else None

        return page_of(window, show, first, after)

    async def _foreign(self, window: Window) -> Collection[str | None]:
        """Return the orders that a story tells of and that no warehouse of the principal has to do with."""
        ids = list(dict.fromkeys(order_of(stored.event) for stored in window.events))
        named = [entry for entry in ids if entry is not None and self.principal.workplaces is not None]
        theirs = await asyncio.gather(*map(self._works_on, named))
        return {entry for entry, is_theirs in zip(named, theirs, strict=True) if not is_theirs}

    async def _quote_chain(self, quote: Quote) -> Chain:
        ids = [quote.id, quote.order_id, *(await self._orders_of_quotes.load(quote.id) or ())]
        return Chain(tuple(dict.fromkeys(entry for entry in ids if entry is not None)), quote.account_id)

    def _show(self, stored: StoredEvent) -> LineageEntry | None:
        """Return an event as the principal may see it, None when it may not."""
        event = stored.event
        if not self._is_customer:
            data = dict(event.data) if self._may_run_the_platform else None
            return LineageEntry(event, stored.place, summary_of(event), event.actor, data)
        summary = summary_for_customer(event)
        if summary is None or event.account_id is None or not can_see(self.principal, event.account_id):
            return None
        is_stranger = event.actor.startswith("user:") and event.actor != self.principal.subject
        return LineageEntry(event, stored.place, summary, SOMEBODY if is_stranger else event.actor, None)

    @property
    def _where(self) -> EventFilter:
        return EventFilter(types=CUSTOMER_TYPES) if self._is_customer else EventFilter()

    async def _load_stories(self, keys: list[tuple[Chain, EventPlace | None]]) -> list[Window]:
        """Load stories: one query per place that they begin at, whatever the number of stories."""
        places = list(dict.fromkeys(after for _, after in keys))
        wanted = [
            dict.fromkeys(entry for chain, after in keys if after == place for entry in chain.correlation_ids)
            for place in places
        ]
        read = self.ports.events.histories
        found = await asyncio.gather(
            *(
                read("correlation_id", list(ids), self._where, place, MAX_STORY)
                for ids, place in zip(wanted, places, strict=True)
            )
        )
        by_place = dict(zip(places, found, strict=True))
        return [merge([by_place[after][entry] for entry in chain.correlation_ids], MAX_STORY) for chain, after in keys]

    async def _load_accounts(self, keys: list[tuple[str, int, EventPlace | None]]) -> list[Window]:
        """Load histories of accounts: one query per page asked for, whatever the number of accounts."""
        pages = list(dict.fromkeys((first, after) for _, first, after in keys))
        read = self.ports.events.histories
        found = await asyncio.gather(
            *(
                read(
                    "account_id", [key for key, *page in keys if page == [first, after]], self._where, after, first + 1
                )
                for first, after in pages
            )
        )
        by_page = dict(zip(pages, found, strict=True))
        return [merge([by_page[first, after][account_id]], first + 1) for account_id, first, after in keys]

    async def _load_orders_of_quotes(self, quote_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the ids of the orders that were submitted under each quote, by whomever."""
        where = EventFilter(types=("order.received",), correlation_ids=tuple(quote_ids))
        found: dict[str, tuple[str, ...]] = {}
        for stored in await self.ports.events.read(where, None, MAX_ORDERS_OF_QUOTES):
            event = stored.event
            found[event.correlation_id] = (*found.get(event.correlation_id, ()), event.subject)
        return found

    # --- queues and systems

    async def task(self, task_id: str) -> ExceptionTask | None:
        """Return a task, None to customers and to those whose matter it is not, by its account or its warehouse."""
        found = None if self._is_customer else await self._tasks.load(task_id)
        if found is None or not self._may_see_task(found):
            return None
        return found if await may_take(self.principal, found, self._noted) else None

    async def search_tasks(self, queue: str | None, state: str | None, page: PageRequest) -> Page[ExceptionTask]:
        """Return tasks, earliest due first; none to customers.

        Whoever is bound to some accounts gets pages of those that are about them, or about none; whoever is bound to
        warehouses, pages of what is theirs.

        Raises:
            BadUserInput: the cursor is not one of this list.
        """
        if self._is_customer:
            return _EMPTY
        accounts = None if self.principal.rows is None else self.principal.rows.all()
        return await _paged(self.ports.tasks.search_tasks(queue, state, page, self.principal.workplaces, accounts))

    def _may_see_task(self, task: ExceptionTask) -> bool:
        return task.account_id is None or can_see(self.principal, task.account_id)

    async def letter(self, letter_id: str) -> DeadLetter | None:
        """Return a dead letter, None to those who do not run the platform, or not for its warehouse."""
        found = await self._letters.load(letter_id) if self._may_run_the_platform else None
        return found if found is not None and await may_handle(self.principal, found, self._noted) else None

    async def search_letters(self, source: SourceSystem | None, page: PageRequest) -> Page[DeadLetter]:
        """Return dead letters, oldest first; of whoever is bound to warehouses, those about orders of theirs.

        Raises:
            Forbidden: the principal does not run the platform.
            BadUserInput: the cursor is not one of this list.
        """
        self._require_platform("deadLetters")
        return await _paged(self.ports.dead_letters.search(source, page, self.principal.workplaces))

    async def systems(self) -> tuple[SystemStatus, ...]:
        """Return how every connected system does, by name.

        Raises:
            Forbidden: the principal does not run the platform.
        """
        self._require_platform("systems")
        waiting, recorded = await asyncio.gather(self.ports.processes.waiting(), self.ports.events.last_recorded())
        seen = {entry.system: entry for entry in self.ports.health.health()}
        statuses = []
        for system in sorted({*seen, *waiting}):
            entry, queue = seen.get(system) or SystemHealth(system, "CLOSED", None, None), waiting.get(system)
            statuses.append(
                SystemStatus(
                    system=system,
                    circuit=entry.circuit,
                    p95_ms=entry.p95_ms,
                    error_rate=entry.error_rate,
                    queued=0 if queue is None else queue.processes,
                    oldest_queued_s=None if queue is None else self._age_s(queue.oldest_started_at),
                    last_event_at=recorded.get(system),
                )
            )
        return tuple(statuses)

    async def figure(self, name: KpiName, begin: date, end: date, group_by: str | None) -> tuple[Point, ...]:
        """Return a key figure over days, both included; none to customers.

        Raises:
            BadUserInput: the days or the grouping cannot be answered.
        """
        if self._is_customer:
            return ()
        return await read_figure(self.ports.facts, name, begin, end, group_by, self.now)

    def _age_s(self, since: datetime) -> int:
        return max(0, int((self.now - since).total_seconds()))

    @property
    def _may_run_the_platform(self) -> bool:
        return not self._is_customer and OPS_READ in self.principal.scopes

    def _require_platform(self, operation: str) -> None:
        if not self._may_run_the_platform:
            said = f"{operation}: {self.principal.subject} may not read this, it takes the scope {OPS_READ}"
            raise Forbidden(said)


def _is_about_account(event: Event) -> bool:
    return event.type.partition(".")[0] in ABOUT_ACCOUNTS


def _order_chain(order_id: str, order: LedgerOrder | None) -> Chain:
    if order is None:
        return Chain((order_id,), order_id=order_id)
    ids = (order_id,) if order.quote_id is None else (order.quote_id, order_id)
    return Chain(ids, order.account_id, order_id)


async def _paged(search: Awaitable[Page[V]]) -> Page[V]:
    """Return a page; a cursor that the store refuses is the caller's mistake."""
    try:
        return await search
    except Rejected as refusal:
        if refusal.fields == ("after",):
            raise BadUserInput(refusal.detail) from refusal
        raise
