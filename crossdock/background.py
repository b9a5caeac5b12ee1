"""What goes on behind the requests: stored messages are handled, reservations end when their time is over.

One program of a deployment does this. Whatever fails is tried again after a pause, for ever: the messages are stored,
and what is handled twice changes nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from crossdock.circuits import CircuitWatch
from crossdock.insist import insist
from crossdock.wiring.parts import Parts
from events.inbox import InboxMessage, UnknownMessage
from processes.account_merge import carry_rest
from processes.account_news import AccountChanges
from processes.crm_mirror import CrmMirror
from processes.fulfilment import Fulfilment
from processes.inventory_sync import INVENTORY_SYNC, InventorySync
from processes.invoice_watch import InvoiceWatch
from processes.invoicing import INVOICE_ENTRY, Invoicing
from processes.pick_watch import PickWatch
from processes.price_news import PRICE_ENTRY, PriceNews
from processes.quote_mirror import QuoteMirrorFeed
from processes.quote_news import take_quote_news
from processes.quote_superseding import QuoteSuperseding
from processes.quote_watch import QuoteWatch
from processes.release_watch import ReleaseWatch
from processes.return_news import Returns
from processes.shipment_watch import ShipmentWatch
from processes.worker import ProcessEngine
from schema.enums import SourceSystem
from systems import salesforce, tms, wms
from systems.news import (
    AccountNews,
    CaseNews,
    OnboardingNews,
    QuoteNews,
    ReturnNews,
    ShipmentNews,
    StockNews,
    UnreadableNews,
)
from systems.webhooks import Webhook

__all__ = ["Background", "running_background"]

LOOK_S = 1.0
"""How often the inbox is looked into without being told, for messages that another program stored."""

EXPIRE_S = 30.0
"""How often overdue reservations are ended; they count for nothing from the moment they are overdue."""

EXPIRE_LIMIT = 500
"""Reservations that are ended at once."""

PROJECT_S = 1.0
"""How often figures take in what has come into the event log."""

CIRCUITS_S = 1.0
"""How often it is looked whether a system is left alone; it is so for half a minute at least."""

INVOICES_S = 5.0
"""How often each ERP is asked what it has posted."""

PRICES_S = 5.0
"""How often each ERP is asked which prices have changed."""

MERGED_S = 60.0
"""How often what was written for merged accounts follows them."""

MIRROR_S = 1.0
"""How often it is looked for completed orders and changed quotes that the CRM does not show yet; it has 5 s for nearly
all of the orders."""

MISSING_INVOICES_S = 60.0
"""How often it is looked whether what has left is invoiced; it has hours for that."""

RELEASES_S = 15.0
"""How often it is looked whether a release has missed its cut-off; persons look at that within hours."""

LATE_SHIPMENTS_S = 15.0
"""How often it is looked for shipments that are late without a word of their carrier; persons have hours for them."""

PICKS_S = 60.0
"""How often it is looked whether goods are picked in time; persons have hours for what is not."""

QUOTES_S = 60.0
"""How often it is looked which quotes are over; their last day is checked whenever one is ordered, too."""

QUOTE_PRICES_S = 5.0
"""How often it is looked which changed prices supersede quotes; they are left to settle for longer."""

KEPT = timedelta(days=7)
"""How long a handled message is kept; a sender that repeats one after that long is asked for nothing twice either,
because its event stands in the log."""

FORGET_LIMIT = 1_000
"""Handled messages that are forgotten at once."""

_News = ShipmentNews | StockNews | ReturnNews | AccountNews | CaseNews | OnboardingNews | QuoteNews

_READERS: Mapping[SourceSystem, Callable[[Webhook], _News]] = {
    SourceSystem.CRM: salesforce.read_news,
    SourceSystem.WMS: wms.read_news,
    SourceSystem.TMS: tms.read_news,
}


class Background:
    """The inbox's worker and the reservations' clock."""

    def __init__(self, parts: Parts, engine: ProcessEngine) -> None:
        self._parts = parts
        self._use = engine.dependencies
        self._accounts = AccountChanges(engine)
        self._fulfilment = Fulfilment(engine)
        self._returns = Returns(engine)
        self._invoicing = Invoicing(engine, parts.platform.inbox)
        self._invoice_watch = InvoiceWatch(engine.dependencies)
        self._crm_mirror = CrmMirror(engine.dependencies)
        self._prices = PriceNews(engine.dependencies, parts.platform.inbox)
        self._pick_watch = PickWatch(engine.dependencies)
        self._quote_mirror = QuoteMirrorFeed(engine.dependencies)
        self._quote_superseding = QuoteSuperseding(engine.dependencies)
        self._quote_watch = QuoteWatch(engine.dependencies)
        self._release_watch = ReleaseWatch(engine.dependencies)
        self._shipment_watch = ShipmentWatch(engine)
        self._stock = InventorySync(engine.dependencies)
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Have the inbox looked into at once."""
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(insist("inbox", self._handle_messages))
            tasks.create_task(insist("reservations", self._end_what_is_over))
            for name, take, pause_s in self._feeds():
                tasks.create_task(insist(name, partial(self._all_there_is, take, pause_s)))
            merged = partial(self._again, partial(carry_rest, self._use), MERGED_S)
            tasks.create_task(insist("merged accounts", merged))
            releases = partial(self._again, self._release_watch.look, RELEASES_S)
            tasks.create_task(insist("releases", releases))
            picks = partial(self._again, self._pick_watch.look, PICKS_S)
            tasks.create_task(insist("picks", picks))
            tasks.create_task(insist("figures", self._project))
            for routine in INVENTORY_SYNC:
                if routine.every_s is not None:
                    work = partial(self._again, partial(routine.do, self._stock), routine.every_s)
                    tasks.create_task(insist(f"stock {routine.name}", work))
            tasks.create_task(insist("circuits", self._tell_of_circuits))

    def _feeds(self) -> Iterator[tuple[str, Callable[[], Awaitable[int]], float]]:
        """Yield what is read in portions: how the log calls it, what takes one, and the pause after an empty one."""
        for erp in self._parts.systems.postings:
            yield f"invoices of {erp}", partial(self._invoicing.read, erp), INVOICES_S
        yield "missing invoices", self._invoice_watch.look, MISSING_INVOICES_S
        for erp in self._parts.systems.price_changes:
            yield f"prices of {erp}", partial(self._prices.read, erp), PRICES_S
        yield "mirror of orders in the CRM", self._crm_mirror.look, MIRROR_S
        yield "mirror of quotes in the CRM", self._quote_mirror.look, MIRROR_S
        yield "quotes", self._quote_watch.look, QUOTES_S
        yield "prices of quotes", self._quote_superseding.look, QUOTE_PRICES_S
        yield "shipments expected", self._shipment_watch.look_at_expected, LATE_SHIPMENTS_S
        yield "shipments silent", self._shipment_watch.look_for_silence, LATE_SHIPMENTS_S

    async def _handle_messages(self) -> None:
        while True:
            self._news.clear()
            if await self._parts.platform.inbox.handle_next(self._handle):
                continue
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _handle(self, message: InboxMessage) -> None:
        if message.type == PRICE_ENTRY and message.source in self._parts.systems.price_changes:
            await self._prices.read_again(message)
            return
        if message.type == INVOICE_ENTRY and message.source in self._parts.systems.postings:
            await self._invoicing.read_again(message)
            return
        reader = _READERS.get(message.source)
        if reader is None:
            raise UnknownMessage(f"nobody reads messages of {message.source}")
        webhook = Webhook(message.source, message.message_id, message.type, message.payload)
        try:
            news = reader(webhook)
        except UnreadableNews as error:
            raise UnknownMessage(str(error)) from error
        match news:
            case AccountNews() | CaseNews() | OnboardingNews():
                await self._accounts.handle(news)
            case QuoteNews():
                await take_quote_news(self._use, news)
            case ReturnNews():
                await self._returns.handle(news)
            case _:
                await self._fulfilment.handle(news, message.received_at, replayed=message.replayed)

    @staticmethod
    async def _all_there_is(take: Callable[[], Awaitable[int]], pause_s: float) -> None:
        """Take portions until one is empty, and again after a pause."""
        while True:
            while await take() > 0:
                pass
            await asyncio.sleep(pause_s)

    async def _end_what_is_over(self) -> None:
        platform, clock = self._parts.platform, self._parts.clock
        while True:
            while len(await platform.reservations.expire(clock.now(), EXPIRE_LIMIT)) == EXPIRE_LIMIT:
                pass
            await platform.inbox.forget(clock.now() - KEPT, FORGET_LIMIT)
            await asyncio.sleep(EXPIRE_S)

    @staticmethod
    async def _again(work: Callable[[], Awaitable[object]], pause_s: float) -> None:
        while True:
            await work()
            await asyncio.sleep(pause_s)

    async def _project(self) -> None:
        while True:
            await self._parts.platform.facts.catch_up()
            await asyncio.sleep(PROJECT_S)

    async def _tell_of_circuits(self) -> None:
        watch = CircuitWatch(uuid.uuid4().hex)
        while True:
            told = watch.look(self._parts.systems.health.health(), self._parts.clock.now())
            await self._parts.platform.events.append(told)
            await asyncio.sleep(CIRCUITS_S)


@asynccontextmanager
async def running_background(parts: Parts, engine: ProcessEngine) -> AsyncIterator[Background]:
    """Work in the background while the context is open."""
    background = Background(parts, engine)
    task = asyncio.create_task(background.run())
    try:
        yield background
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
