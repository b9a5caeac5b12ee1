"""A small world for tests of processes: one customer, two items, two warehouses, over real ledgers.

``acc_1`` buys PMP-0042 at its contract price 36.10 (list 45.00) and VLV-0007 at list price 10.00; 18 pumps are free in
W01 and 100 in W02, 5 valves in W01.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from crossdock.demo.territories import DEMO_TERRITORIES
from crossdock.wiring.territories import territory_rules
from events.audit import SqlAuditLog
from events.bus import MemoryBus
from events.inbox import Inbox
from events.log import SqlEventLog
from events.projections.projector import FactProjection
from processes.amend_case import CANCELLATION, CHANGE, SPLIT, AmendCase, AmendRequest, submission_of
from processes.api import LineChange, OrderSubmission, SubmissionLine
from processes.chronicle import Desk
from processes.dependencies import Dependencies
from processes.order_cancel import ORDER_CANCEL
from processes.order_case import OrderCase, OrderRequest
from processes.order_change import ORDER_CHANGE
from processes.order_split import ORDER_SPLIT
from processes.order_submit import ORDER_SUBMIT
from processes.rules.tokens import TokenSigner
from processes.runner import Ending, Runner
from processes.steps import RetryPolicy
from schema.enums import HoldKind, OrderChannel, ProcessState
from schema.events.envelope import EventFilter
from schema.records.catalog import PriceLevel
from schema.records.identity import Principal
from schema.records.orders import HoldDecision, LedgerOrder
from schema.records.values import Money, Quantity
from systems.platform import (
    Database,
    PlatformAccountMerges,
    PlatformDeadLetterStore,
    PlatformFeedCursors,
    PlatformKeyRegistry,
    PlatformOnboardingStore,
    PlatformOrderLedger,
    PlatformProcessLog,
    PlatformQuoteStore,
    PlatformReservationLedger,
    PlatformReturnLedger,
    PlatformStockBook,
    PlatformTaskQueue,
    PlatformWaitingLines,
)
from tests.support.fake_systems import (
    FakeClock,
    FakeCrm,
    FakeErp,
    FakeTms,
    FakeWms,
    Kept,
    Script,
    account,
    opportunity,
)
from tests.support.rule_records import NOW, SIGNING_KEY, item, rule, ship_to, stock, terms, warehouse

REP = Principal(subject="user:usr_1", roles=("sales_rep",))
QUICK = RetryPolicy(quick=2, base_s=0.01, wait_s=0.02, wait_max_s=0.05, slow_after_s=30)
"""Retries in milliseconds, so that tests wait for nothing; a slow machine does not count as a silent system."""


@dataclass
class ProcessWorld:
    """The systems with their script, and the ports over them."""

    use: Dependencies
    script: Script
    kept: Kept
    crm: FakeCrm
    erp: FakeErp
    wms: FakeWms
    tms: FakeTms
    clock: FakeClock
    facts: FactProjection
    audit: SqlAuditLog
    database: Database

    @property
    def inbox(self) -> Inbox:
        """Messages of this world, whose dead letters are in its ledger."""
        return Inbox(self.database, self.use.dead_letters.put, self.use.dead_letters.remove)

    async def order(self, order_id: str) -> LedgerOrder:
        return (await self.use.orders.orders([order_id]))[order_id]

    async def event_types(self, partition: str) -> list[str]:
        found = await self.use.events.read(EventFilter(partition_key=partition), None, 1_000)
        return [stored.event.type for stored in found]

    async def steps(self, process_id: str) -> dict[str, str]:
        process = (await self.use.process_log.processes([process_id]))[process_id]
        return {step.name: step.state for step in process.steps}

    async def held(self, *skus: str) -> dict[tuple[str, str], Decimal]:
        return dict(await self.use.reservations.reserved(skus or ("PMP-0042", "VLV-0007"), self.clock.now()))


@asynccontextmanager
async def process_world(
    database_url: str, *, now: datetime | None = NOW, kept: Path | None = None
) -> AsyncIterator[ProcessWorld]:
    """Open the ledgers and make the systems."""
    async with Database(database_url) as database:
        made = make_world(database, now=now, kept=kept)
        try:
            yield made
        finally:
            made.kept.close()


def make_world(database: Database, *, now: datetime | None = NOW, kept: Path | None = None) -> ProcessWorld:
    audit = SqlAuditLog(database)
    log = SqlEventLog(database, MemoryBus(), audit.note)
    script, store, clock = Script(), Kept(kept), FakeClock(now)
    crm, erp = FakeCrm(script, store), FakeErp(script, store)
    wms, tms = FakeWms(script, store), FakeTms(script, store)
    crm.known = {"acc_1": account(), "acc_2": account("acc_2", "C-10043")}
    crm.opportunities_by_id = {"opp_9": opportunity()}
    erp.terms_by_account = {"acc_1": terms(), "acc_2": terms(account="acc_2")}
    erp.places = {"shp_1": ship_to(), "shp_2": replace(ship_to(), id="shp_2", account_id="acc_2")}
    erp.items_by_sku = {
        entry.sku: entry for entry in (item(), item("VLV-0007", cost="5.00", substitutes=("VLV-0008",)))
    }
    erp.price_rules = [
        rule("list", PriceLevel.LIST, "45.00"),
        rule("valve", PriceLevel.LIST, "10.00", sku="VLV-0007"),
        rule("deal", PriceLevel.CONTRACT, "36.10", account="acc_1"),
    ]
    wms.places = [warehouse("W01"), warehouse("W02", postal_code="10001", region="NY")]
    wms.positions = [stock("18"), stock("100", "W02"), stock("5", sku="VLV-0007")]
    use = Dependencies(
        crm=crm,
        erp=erp,
        postings={erp.system: erp},
        price_changes={erp.system: erp},
        wms=wms,
        tms=tms,
        orders=PlatformOrderLedger(database, log.append_in),
        returns=PlatformReturnLedger(database, log.append_in),
        cursors=PlatformFeedCursors(database),
        quotes=PlatformQuoteStore(database, log.append_in),
        onboardings=PlatformOnboardingStore(database, log.append_in),
        merges=PlatformAccountMerges(database, log.append_in),
        reservations=PlatformReservationLedger(database, log.append_in),
        stock=PlatformStockBook(database, log.append_in),
        tasks=PlatformTaskQueue(database, log.append_in),
        keys=PlatformKeyRegistry(database, audit.append_in),
        process_log=PlatformProcessLog(database, log.append_in),
        lines=PlatformWaitingLines(database),
        dead_letters=PlatformDeadLetterStore(database, log.append_in),
        events=log,
        clock=clock,
        price_signer=TokenSigner(SIGNING_KEY),
        territories=territory_rules(DEMO_TERRITORIES),
    )
    return ProcessWorld(use, script, store, crm, erp, wms, tms, clock, FactProjection(database), audit, database)


def line(quantity: int | str = 6, sku: str = "PMP-0042", number: int = 1, **changes: Any) -> SubmissionLine:
    uom = changes.pop("uom", "EA")
    return SubmissionLine(number, sku, Quantity(Decimal(quantity), uom), **changes)


def submission(*lines: SubmissionLine, **changes: Any) -> OrderSubmission:
    made = OrderSubmission(
        account_id="acc_1", ship_to_id="shp_1", channel=OrderChannel.MOBILE, lines=lines or (line(),)
    )
    return replace(made, **changes)


def released(order: LedgerOrder, total: str, cap: str, hours: int) -> LedgerOrder:
    """Return an order whose credit hold a person has released, until this many hours from now."""
    decision = HoldDecision(
        id="h-1",
        kind=HoldKind.CREDIT,
        approved=True,
        by="user:usr_7",
        at=NOW - timedelta(days=2),
        comment="payment promised",
        reason="over its limit",
        order_total=Money(Decimal(total), "USD"),
        max_amount=Money(Decimal(cap), "USD"),
        expires_at=NOW + timedelta(hours=hours),
    )
    return replace(order, decisions=(decision,))


def problem_names(problems: Sequence[object]) -> list[str]:
    return [type(problem).__name__ for problem in problems]


class StillWaiting(Exception):
    """A run waits for a person, and the test leaves it there."""


class MemoryJournal:
    """A journal in memory. It never sleeps; ``asleep`` is told instead, so that a test can let time do something."""

    def __init__(self, asleep: Callable[[int], None] = lambda count: None) -> None:
        self.entries: list[tuple[str, str]] = []
        self.sleeps: list[float] = []
        self.waits: list[float] = []
        self.on_wait: Callable[[float], Awaitable[bool]] | None = None
        self._asleep = asleep
        self._place = 0

    async def step(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        place, self._place = self._place, self._place + 1
        if place == len(self.entries):
            self.entries.append((name, json.dumps(await work())))
        known, text = self.entries[place]
        assert known == name, f"the journal has {known} where the process does {name}"
        return json.loads(text)

    async def sleep(self, seconds: float) -> None:
        async def asleep() -> None:
            self.sleeps.append(seconds)
            self._asleep(len(self.sleeps))

        await self.step("sleep", asleep)
        await asyncio.sleep(0)

    async def woken(self, seconds: float) -> bool:
        """Let the test decide what happens while a run waits; without a test that does, the run stays there."""
        if self.on_wait is None:
            raise StillWaiting
        waits = self.on_wait

        async def wait() -> bool:
            self.waits.append(seconds)
            return await waits(seconds)

        return bool(await self.step("wait", wait))

    def again(self) -> None:
        """Begin a run that goes on from what the journal has."""
        self._place = 0


@dataclass
class OrderRun:
    """How a run of order submission went."""

    request: OrderRequest
    ending: Ending
    journal: MemoryJournal
    decisions: int


async def run_order(
    world: ProcessWorld,
    asked: OrderSubmission,
    *,
    name: str = "1",
    journal: MemoryJournal | None = None,
    policy: RetryPolicy = QUICK,
    resumed: bool = False,
    **changes: Any,
) -> OrderRun:
    """Carry an order through submission with a journal in memory."""
    request = replace(OrderRequest(f"prc_{name}", f"ord_{name}", asked, REP.subject, world.clock.now()), **changes)
    kept = journal or MemoryJournal()
    decisions: list[None] = []
    use = world.use
    desk = Desk(use.process_log, use.tasks, use.dead_letters, use.events, use.clock)
    case = OrderCase(request, use, resumed=resumed)
    runner = Runner(case, ORDER_SUBMIT, kept, desk, policy, lambda: decisions.append(None))
    try:
        ending = await runner.run()
    except StillWaiting:
        ending = Ending(ProcessState.WAITING_HUMAN, (await world.order(request.order_id)).exceptions)
    return OrderRun(request, ending, kept, len(decisions))


@dataclass
class AmendRun:
    """How a run of a change or cancellation went."""

    request: AmendRequest
    ending: Ending
    journal: MemoryJournal
    decisions: int


async def run_amend(
    world: ProcessWorld,
    kind: str,
    *lines: LineChange,
    order_id: str = "ord_1",
    name: str = "c1",
    journal: MemoryJournal | None = None,
    resumed: bool = False,
    **changes: Any,
) -> AmendRun:
    """Carry a change, split or cancellation of an order with a journal in memory; its version is the order's own."""
    order = await world.order(order_id)
    made = AmendRequest(
        process_id=f"prc_{name}",
        kind=kind,
        order_id=order_id,
        version=order.version,
        reason="the customer asked",
        submission=submission_of(order),
        asked_by=REP.subject,
        asked_at=world.clock.now(),
        lines=lines,
    )
    request, kept, decisions = replace(made, **changes), journal or MemoryJournal(), list[None]()
    use = world.use
    desk = Desk(use.process_log, use.tasks, use.dead_letters, use.events, use.clock)
    steps = {CHANGE: ORDER_CHANGE, SPLIT: ORDER_SPLIT, CANCELLATION: ORDER_CANCEL}[kind]
    case = AmendCase(request, use, resumed=resumed)
    runner = Runner(case, steps, kept, desk, QUICK, lambda: decisions.append(None))
    return AmendRun(request, await runner.run(), kept, len(decisions))
