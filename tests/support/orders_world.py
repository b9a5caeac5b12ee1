"""The orders subgraph over real ledgers in SQLite and systems in memory.

``acc_1`` and ``acc_2`` are customers. An order that is put in has a half in the ledger, in the ERP, or in both; every
call to a system or ledger is counted in ``calls``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.types import ASGIApp

from events.bus import Listener, MemoryBus
from events.log import SqlEventLog
from gateway.server.principal import Principal as Caller
from gateway.transport.base import SubgraphRequest
from gateway.transport.inprocess import InProcessTransport
from processes.api import (
    OrderCancellation,
    OrderChange,
    OrderSubmission,
    QuotePreparation,
    ReturnAsked,
    ReturnVerdict,
    Started,
)
from resolvers.orders.ports import OrderPorts
from schema.records.identity import Principal
from schema.records.orders import (
    ErpOrder,
    LedgerOrder,
    Quote,
    Shipment,
)
from subgraphs.orders.app import build_orders
from systems.platform import Database, PlatformOrderLedger, PlatformProcessLog, PlatformQuoteStore
from tests.support.fake_systems import FakeClock, FakeErp, FakeTms, FakeWms, Kept, Script, tracking
from tests.support.no_desk import NoDesk
from tests.support.order_records import DAY, document, invoice, recorded, rma, shipment
from tests.support.platform_records import NOW, quote
from tests.support.rule_records import item
from tests.support.subgraph_requests import CLAIMS, STAFF, ask, claims_header, data, entities

NOTHING_STARTED = Started(None, None, None, (), replayed=False)
_WITHIN_S = 10
_TURNS = 100
"""Turns of the loop within which a reader has taken what was sent to it; it takes a few."""


class Counted:
    """A port whose calls are counted by the name of the operation, behind ``name``."""

    def __init__(self, port: Any, name: str, calls: list[str]) -> None:
        self._port = port
        self._name = name
        self._calls = calls

    def __getattr__(self, operation: str) -> Any:
        found = getattr(self._port, operation)

        async def counted(*values: Any, **named: Any) -> Any:
            self._calls.append(f"{self._name}.{operation}")
            return await found(*values, **named)

        return counted


@dataclass
class ScriptedStarter:
    """Answers starts with ``answer`` and keeps what it was asked for."""

    answer: Started = NOTHING_STARTED
    asked: list[tuple[Any, str, Principal, int]] = field(default_factory=list)

    async def submit_order(
        self, submission: OrderSubmission, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        self.asked.append((submission, key, principal, wait_ms))
        return self.answer

    async def prepare_quote(
        self, preparation: QuotePreparation, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        self.asked.append((preparation, key, principal, wait_ms))
        return self.answer

    async def change_order(self, change: OrderChange, *, key: str, principal: Principal, wait_ms: int) -> Started:
        self.asked.append((change, key, principal, wait_ms))
        return self.answer

    async def cancel_order(
        self, cancellation: OrderCancellation, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        self.asked.append((cancellation, key, principal, wait_ms))
        return self.answer

    async def request_return(self, asked: ReturnAsked, *, key: str, principal: Principal, wait_ms: int) -> Started:
        self.asked.append((asked, key, principal, wait_ms))
        return self.answer

    async def decide_return(self, verdict: ReturnVerdict, *, key: str, principal: Principal, wait_ms: int) -> Started:
        self.asked.append((verdict, key, principal, wait_ms))
        return self.answer


@dataclass
class OrdersWorld:
    """The subgraph's application and what it is made over."""

    app: ASGIApp
    script: Script
    erp: FakeErp
    wms: FakeWms
    tms: FakeTms
    ledger: PlatformOrderLedger
    quotes: PlatformQuoteStore
    log: SqlEventLog
    starter: ScriptedStarter
    calls: list[str]
    followed: asyncio.Event

    async def put(self, record: LedgerOrder | None, document: ErpOrder | None = None) -> None:
        """Put an order in by its halves."""
        if record is not None:
            await self.ledger.create(record)
        if document is not None:
            self.erp.entered[document.id] = document

    async def save(self, count: int = 1, /, **changes: Any) -> Quote:
        """Put a quote in; the higher its number, the newer it is."""
        return await self.quotes.save(quote(count, **{"created_at": NOW + count * DAY, **changes}))

    async def fill(self) -> None:
        """Put in one of everything, of ``acc_1``."""
        await self.put(recorded(quote_id="quo_1", opportunity_id="opp_9"), document())
        await self.save(order_id="ord_1")
        self.ship(shipment())
        self.tms.loads["S-1"] = tracking("S-1")
        self.erp.invoices_by_id["inv_INV-1"] = invoice()
        self.erp.returns_by_id["rma_R-1"] = rma()

    def ship(self, *shipments: Shipment) -> None:
        """Let the warehouse know shipments."""
        self.wms.shipments_by_id.update({shipment.id: shipment for shipment in shipments})

    async def ask(self, query: str, who: Caller = STAFF, **variables: Any) -> dict[str, Any]:
        """Return the whole answer; ``calls`` are those that it cost."""
        self.calls.clear()
        return await ask(self.app, query, who, **variables)

    async def data(self, query: str, who: Caller = STAFF, **variables: Any) -> Any:
        """Return what an answer without errors tells; ``calls`` are those that it cost."""
        self.calls.clear()
        return await data(self.app, query, who, **variables)

    async def entities(self, fields: str, *representations: dict[str, Any], who: Caller = STAFF) -> list[Any]:
        """Return what representations resolve to; ``calls`` are those that it cost."""
        self.calls.clear()
        return await entities(self.app, fields, *representations, who=who)

    async def error(self, query: str, who: Caller = STAFF, **variables: Any) -> dict[str, Any]:
        """Return the first error of an answer."""
        first: dict[str, Any] = (await self.ask(query, who, **variables))["errors"][0]
        return first

    async def order(self, fields: str, order_id: str = "ord_1", who: Caller = STAFF) -> Any:
        """Return fields of an order."""
        return (await self.data(f'{{ order(id: "{order_id}") {{ {fields} }} }}', who))["order"]

    async def stream(
        self, query: str, count: int, *, who: Caller = STAFF, begun: Callable[[], Awaitable[None]] | None = None
    ) -> list[dict[str, Any]]:
        """Return the first events of a subscription; ``begun`` runs when it has told all that is in the log."""
        found: list[dict[str, Any]] = []
        self.followed.clear()
        async with asyncio.timeout(_WITHIN_S), asyncio.TaskGroup() as group:
            if begun is not None:
                group.create_task(self._when_followed(begun))
            async with aclosing(self._events(query, who)) as events:
                async for event in events:
                    found.append(event)
                    if len(found) == count:
                        break
        return found

    async def stream_all(self, query: str, *, who: Caller = STAFF) -> list[dict[str, Any]]:
        """Return the events of a subscription up to the end of the log."""
        found: list[dict[str, Any]] = []

        async def read() -> None:
            async with aclosing(self._events(query, who)) as events:
                async for event in events:
                    found.append(event)  # noqa: PERF401 - what was read stays when the reading is cancelled

        self.followed.clear()
        async with asyncio.timeout(_WITHIN_S):
            reading = asyncio.create_task(read())
            await self.followed.wait()
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return found

    async def _events(self, query: str, who: Caller) -> AsyncGenerator[dict[str, Any], None]:
        body = json.dumps({"query": query}).encode()
        request = SubgraphRequest(body, (claims_header(who),))
        async with aclosing(InProcessTransport("orders", self.app).subscribe(request)) as events:
            async for event in events:
                yield json.loads(event)

    async def _when_followed(self, begun: Callable[[], Awaitable[None]]) -> None:
        await self.followed.wait()
        await begun()


class WatchedBus(MemoryBus):
    """A bus that tells when a follower has read the log to its end and waits for what comes."""

    def __init__(self, followed: asyncio.Event) -> None:
        super().__init__()
        self._followed = followed

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[WatchedListener]:
        async with super().listen() as listener:
            yield WatchedListener(listener, self._followed)


@dataclass
class WatchedListener:
    """A listener of a :class:`WatchedBus`."""

    listener: Listener
    followed: asyncio.Event

    async def wait(self, timeout_s: float) -> int | None:
        self.followed.set()
        return await self.listener.wait(timeout_s)


@asynccontextmanager
async def orders_world(database_url: str, *, now: datetime = NOW) -> AsyncIterator[OrdersWorld]:
    """Open the ledgers, make the systems and the application over them."""
    async with Database(database_url) as database:
        script, kept, followed = Script(), Kept(), asyncio.Event()
        erp, wms, tms = FakeErp(script, kept), FakeWms(script, kept), FakeTms(script, kept)
        erp.items_by_sku = {"PMP-0042": item()}
        log = SqlEventLog(database, WatchedBus(followed))
        ledger, quotes = PlatformOrderLedger(database, log.append_in), PlatformQuoteStore(database, log.append_in)
        starter = ScriptedStarter()
        ports = OrderPorts(
            ledger=Counted(ledger, "ledger", script.calls),
            erp=erp,
            items=erp,
            invoices=erp,
            returns=erp,
            warehouse=wms,
            transport=tms,
            quotes=Counted(quotes, "quotes", script.calls),
            processes=PlatformProcessLog(database, log.append_in),
            events=log,
            starter=starter,
            desk=NoDesk(),
            clock=FakeClock(now),
        )
        try:
            yield OrdersWorld(
                build_orders(ports, CLAIMS), script, erp, wms, tms, ledger, quotes, log, starter, script.calls, followed
            )
        finally:
            kept.close()


def names(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the ids of rows."""
    return [row["id"] for row in rows]
