"""Returns (P6): who may send back what, what ERP and warehouse are told, and what becomes of goods that came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from events.inbox import Inbox
from processes.api import (
    LineChange,
    OrderCancellation,
    OrderChange,
    ReturnAsked,
    ReturnLineAsked,
    ReturnVerdict,
    Started,
)
from processes.decider import EngineDecider
from processes.decision_api import ProcessRetry
from processes.return_news import Returns
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import OrderStatus, ProcessState, ReturnStatus, ShipmentStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.identity import Principal
from schema.records.orders import ReturnLine, Shipment, ShipmentLine
from schema.records.problems import ApprovalRequired, NotAllowedInState, ReturnNotAllowed
from schema.records.returns import LedgerReturn
from schema.records.values import PageRequest, Quantity
from systems.errors import NotFound, Rejected, Unavailable
from systems.news import ReturnNews
from tests.support.process_world import QUICK, REP, ProcessWorld, line, problem_names, run_order, submission
from tests.support.rule_records import NOW, item

S = ReturnStatus
ERP, WMS = SourceSystem.CLOUD_ERP, SourceSystem.WMS
DESK = Principal(subject="user:usr_2", roles=("SERVICE_DESK",))
OPERATOR = Principal(subject="user:usr_6", roles=("OPERATIONS",), warehouses=("*",))
WAIT = 10_000
ARRIVED = NOW - timedelta(days=3)


def back(quantity: int | str = 2, number: int = 1, uom: str = "EA", reason: str = "DAMAGED") -> ReturnLineAsked:
    return ReturnLineAsked(number, Quantity(Decimal(quantity), uom), reason)


def asked(*lines: ReturnLineAsked, resolution: str = "CREDIT") -> ReturnAsked:
    return ReturnAsked("ord_1", "acc_1", lines or (back(),), resolution)


def shipment(quantity: int = 20, at=ARRIVED, number: str = "S-1", lot: str | None = None) -> Shipment:
    carried = (ShipmentLine(1, "PMP-0042", Quantity(Decimal(quantity), "EA"), lot),)
    status = ShipmentStatus.DELIVERED
    return Shipment(f"sh_{number}", number, "ord_1", "acc_1", "W01", status, (), carried, (), None, at)


def news(entry: LedgerReturn, status: ReturnStatus, quantity: int = 2, event: str = "1") -> ReturnNews:
    disposition = "SCRAP" if status is S.INSPECTED else None
    came = ReturnLine(1, "PMP-0042", Quantity(Decimal(quantity), "EA"), "DAMAGED", disposition)
    return ReturnNews(WMS, f"evt-{status}-{event}", entry.id, status, NOW, "W01", (came,))


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while True:
            if await check():
                return
            await asyncio.sleep(0.01)


class Desk:
    """The engine with what warehouses and people say to it."""

    def __init__(self, world: ProcessWorld, engine: ProcessEngine) -> None:
        self.world = world
        inbox = Inbox(world.database, world.use.dead_letters.put, world.use.dead_letters.remove)
        self.starter = EngineDecider(engine, inbox)
        self.floor = Returns(engine)

    async def ask(self, *lines: ReturnLineAsked, key: str = "r-1", resolution: str = "CREDIT") -> Started:
        return await self.starter.request_return(
            asked(*lines, resolution=resolution), key=key, principal=REP, wait_ms=WAIT
        )

    async def decide(
        self, return_id: str, *, approve: bool, key: str = "d-1", who: Principal = DESK, comment: str = "seen"
    ) -> Started:
        verdict = ReturnVerdict(return_id, approve, comment)
        return await self.starter.decide_return(verdict, key=key, principal=who, wait_ms=WAIT)

    async def entry(self, started: Started) -> LedgerReturn:
        assert started.entity_id is not None
        return (await self.world.use.returns.returns([started.entity_id]))[started.entity_id]

    async def until(self, started: Started, status: ReturnStatus) -> LedgerReturn:
        async def reached() -> bool:
            return (await self.entry(started)).status is status

        await eventually(reached)
        return await self.entry(started)

    async def state(self, started: Started, state: ProcessState) -> None:
        name = started.process_id or ""

        async def reached() -> bool:
            return (await self.world.use.process_log.processes([name]))[name].state is state

        await eventually(reached)

    async def asks(self) -> bool:
        return bool(await self.tasks())

    async def tasks(self) -> list[tuple[str, str]]:
        page = await self.world.use.tasks.search_tasks("RETURNS", "OPEN", PageRequest(10))
        return [(task.kind, task.summary) for task in page.items]


@pytest.fixture
async def desk(sqlite_url: str, world: ProcessWorld) -> AsyncIterator[Desk]:
    await run_order(world, submission(line(20)))
    world.wms.shipments_by_id = {"sh_S-1": shipment()}
    world.erp.invoiced = True
    async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine:
        yield Desk(world, engine)


async def test_goods_of_little_value_are_authorised_at_once_and_expected(desk: Desk):
    started = await desk.ask()
    entry = await desk.entry(started)
    assert (started.problems, started.replayed, entry.status) == ((), False, S.IN_TRANSIT)
    assert entry.number.startswith("RMA-5")
    assert desk.world.kept.keys("rma") == [entry.number]
    assert desk.world.kept.keys("expected") == [f"rma:{entry.id}:wms"]
    assert await desk.world.event_types(entry.id) == [
        "return.requested",
        "return.approved",
        "return.authorized",
        "customer.notified",
    ]
    assert await desk.tasks() == []


async def test_what_came_is_credited_and_the_return_closed(desk: Desk):
    started = await desk.ask()
    entry = await desk.entry(started)
    await desk.floor.handle(news(entry, S.RECEIVED))
    await desk.until(started, S.RECEIVED)
    await desk.floor.handle(news(entry, S.INSPECTED))
    entry = await desk.until(started, S.CLOSED)
    await desk.state(started, ProcessState.COMPLETED)
    assert entry.credit is not None
    assert entry.credit.amount == Decimal("72.20")
    assert [(came.quantity.value, came.disposition) for came in entry.shown.lines] == [(2, "SCRAP")]
    assert (await desk.world.event_types(entry.id))[4:] == [
        "return.received",
        "return.inspected",
        "return.credited",
        "return.closed",
        "customer.notified",
    ]
    assert desk.world.kept.keys("rma_key") == [f"rma:{entry.id}:receipt", f"rma:{entry.id}:credit"]


async def test_goods_are_replaced_by_an_order_that_costs_nothing(desk: Desk):
    started = await desk.ask(resolution="REPLACE")
    entry = await desk.entry(started)
    await desk.floor.handle(news(entry, S.INSPECTED))
    entry = await desk.until(started, S.CLOSED)
    order = await desk.world.order(f"ord_{entry.id}")
    assert (order.status, order.lines[0].quantity.value) == (OrderStatus.ACCEPTED, 2)
    assert order.lines[0].unit_price is not None
    assert order.lines[0].unit_price.amount == 0
    assert f"or:{order.id}:rel:W01:1" in desk.world.kept.keys("release")
    assert "return.replaced" in await desk.world.event_types(entry.id)
    assert entry.credit is None


class TestReplacementCancelled:
    """The order that replaces what came is cancelled before the return has ended."""

    async def parked(self, desk: Desk, operation: str) -> tuple[Started, LedgerReturn]:
        """Return a return of which the replacement is parked at an operation."""
        desk.world.script.before[operation].append(Rejected(WMS, operation, "not now", reason="NOT_NOW"))
        started = await desk.ask(resolution="REPLACE")
        entry = await desk.entry(started)
        await desk.floor.handle(news(entry, S.INSPECTED))
        await eventually(lambda: self.is_placed(desk, entry))
        await desk.state(started, ProcessState.WAITING_HUMAN)
        return started, entry

    async def is_placed(self, desk: Desk, entry: LedgerReturn) -> bool:
        return bool(await desk.world.use.orders.orders([f"ord_{entry.id}"]))

    async def cancel(self, desk: Desk, entry: LedgerReturn, version: int | None = None) -> None:
        order = await desk.world.order(f"ord_{entry.id}")
        wanted = OrderCancellation(order.id, version or order.version, "a credit is better")
        cancelled = await desk.starter.cancel_order(wanted, key="x-1", principal=REP, wait_ms=WAIT)
        assert cancelled.problems == ()

    async def retry(self, desk: Desk, started: Started, key: str = "t-1") -> None:
        answer = await desk.starter.retry_process(
            ProcessRetry(started.process_id or "", None), key=key, principal=OPERATOR
        )
        assert (answer.problems, answer.accepted) == ((), 1)

    async def is_told_to_wait(self, desk: Desk, started: Started) -> bool:
        name = started.process_id or ""
        process = (await desk.world.use.process_log.processes([name]))[name]
        errors = [step.last_error or "" for step in process.steps if step.name == "replace"]
        return process.state is ProcessState.WAITING_HUMAN and any("being cancelled" in error for error in errors)

    @pytest.mark.slow
    @pytest.mark.parametrize("operation", ["create_order", "allocate", "release", "replace_return"])
    async def test_a_return_that_waited_for_a_person_meanwhile_is_credited(self, desk: Desk, operation: str):
        started, entry = await self.parked(desk, operation)
        await self.cancel(desk, entry)
        await self.retry(desk, started)
        entry = await desk.until(started, S.CLOSED)
        await desk.state(started, ProcessState.COMPLETED)
        types = await desk.world.event_types(entry.id)
        assert ("return.replaced" in types, types.count("return.credited")) == (False, 1)
        assert entry.credit is not None
        assert entry.credit.amount == Decimal("72.20")
        assert f"rma:{entry.id}:repl" not in desk.world.kept.keys("rma_key")
        assert [key for key in desk.world.kept.keys("release") if entry.id in key] == []

    async def replaced(self, desk: Desk) -> LedgerReturn:
        """Return a return of two that has ended as replaced."""
        started = await desk.ask(resolution="REPLACE")
        await desk.floor.handle(news(await desk.entry(started), S.INSPECTED))
        await desk.state(started, ProcessState.COMPLETED)
        return await desk.entry(started)

    async def test_a_credit_is_asked_for_when_the_return_has_ended_as_replaced(self, desk: Desk):
        entry = await self.replaced(desk)
        version = (await desk.world.order(f"ord_{entry.id}")).version
        for _ in range(2):  # the second is the first one, replayed
            await self.cancel(desk, entry, version)
        number = (await desk.world.order(f"ord_{entry.id}")).number
        said = f"return {entry.number} ended as replaced, but order {number} is cancelled: credit it in the ERP"
        assert await desk.tasks() == [("ReturnUnsettled", said)]

    async def test_a_credit_is_asked_for_what_a_change_takes_from_the_replacement(self, desk: Desk):
        entry = await self.replaced(desk)
        order = await desk.world.order(f"ord_{entry.id}")
        less = LineChange(1, quantity=Quantity(Decimal(1), "EA"))
        change = OrderChange(order.id, order.version, (less,), "one is enough")
        changed = await desk.starter.change_order(change, key="c-1", principal=REP, wait_ms=WAIT)
        assert changed.problems == ()
        said = f"return {entry.number} ended as replaced, but order {order.number} lost 1 of PMP-0042"
        assert await desk.tasks() == [("ReturnUnsettled", f"{said}: credit it in the ERP")]

    async def test_no_credit_is_asked_for_when_another_order_is_cancelled(self, desk: Desk):
        await self.replaced(desk)
        order = await desk.world.order("ord_1")
        wanted = OrderCancellation(order.id, order.version, "not wanted")
        cancelled = await desk.starter.cancel_order(wanted, key="x-1", principal=REP, wait_ms=WAIT)
        assert cancelled.problems == ()
        assert await desk.tasks() == []

    @pytest.mark.slow
    async def test_a_return_is_not_closed_while_its_replacement_waits_to_be_cancelled(self, desk: Desk):
        started, entry = await self.parked(desk, "release")
        order = await desk.world.order(f"ord_{entry.id}")
        ledger = desk.world.use.orders
        pending = await ledger.update(replace(order, status=OrderStatus.CANCEL_PENDING, amended_by="prc_x"))
        await self.retry(desk, started)
        await eventually(lambda: self.is_told_to_wait(desk, started))
        assert (await desk.entry(started)).status is S.INSPECTED
        await ledger.update(replace(pending, status=OrderStatus.ACCEPTED, amended_by=None))
        await self.retry(desk, started, key="t-2")
        entry = await desk.until(started, S.CLOSED)
        assert "return.replaced" in await desk.world.event_types(entry.id)


async def test_news_that_comes_twice_late_or_shuffled_is_told_once(desk: Desk):
    started = await desk.ask()
    entry = await desk.entry(started)
    for told in (S.INSPECTED, S.RECEIVED, S.INSPECTED, S.RECEIVED):
        await desk.floor.handle(news(entry, told, event="again"))
    await desk.until(started, S.CLOSED)
    await desk.floor.handle(news(entry, S.RECEIVED, event="later"))
    types = await desk.world.event_types(entry.id)
    assert (types.count("return.received"), types.count("return.inspected"), types.count("return.credited")) == (
        1,
        1,
        1,
    )
    assert (await desk.entry(started)).status is S.CLOSED


async def test_news_of_a_return_that_nobody_requested_is_not_lost_silently(desk: Desk):
    entry = await desk.entry(await desk.ask())
    with pytest.raises(NotFound, match="rma_NONE"):
        await desk.floor.handle(replace(news(entry, S.RECEIVED), return_id="rma_NONE"))


class TestDeciding:
    async def test_goods_of_value_wait_for_a_person_who_approves(self, desk: Desk):
        started = await desk.ask(back(15))
        (problem,) = started.problems
        assert isinstance(problem, ApprovalRequired)
        entry = await desk.entry(started)
        assert (started.state, entry.status) == (ProcessState.WAITING_HUMAN, S.REQUESTED)
        assert [kind for kind, _ in await desk.tasks()] == ["ReturnApproval"]
        assert desk.world.kept.keys("rma") == []
        decided = await desk.decide(entry.id, approve=True)
        assert decided.problems == ()
        entry = await desk.until(started, S.IN_TRANSIT)
        assert await desk.tasks() == []
        (told,) = await desk.world.use.events.read(EventFilter(types=("return.approved",)), None, 10)
        assert told.event.actor == "user:usr_2"

    async def test_a_return_is_denied_and_nothing_is_expected(self, desk: Desk):
        started = await desk.ask(back(15))
        entry = await desk.entry(started)
        decided = await desk.decide(entry.id, approve=False, comment="opened and used")
        entry = await desk.until(started, S.DENIED)
        await desk.state(started, ProcessState.FAILED)
        assert entry.refusal is not None
        assert "opened and used" in entry.refusal
        assert decided.entity_id == entry.id
        assert (desk.world.kept.keys("rma"), desk.world.kept.keys("expected")) == ([], [])
        assert (await desk.world.event_types(entry.id))[-1] in (
            "return.denied",
            "process.step.compensated",
            "task.resolved",
        )

    async def test_the_same_decision_again_is_the_first_one_and_another_is_too_late(self, desk: Desk):
        started = await desk.ask(back(15))
        entry = await desk.entry(started)
        await desk.decide(entry.id, approve=True)
        again = await desk.decide(entry.id, approve=True)
        assert (again.replayed, again.problems) == (True, ())
        other = await desk.decide(entry.id, approve=False, key="d-2")
        (problem,) = other.problems
        assert isinstance(problem, NotAllowedInState)
        conflict = await desk.decide(entry.id, approve=False)
        assert problem_names(conflict.problems) == ["IdempotencyConflict"]

    async def test_who_asked_does_not_decide(self, desk: Desk):
        started = await desk.ask(back(15))
        entry = await desk.entry(started)
        refused = await desk.decide(entry.id, approve=True, who=REP)
        assert [problem.rule for problem in refused.problems] == ["DECIDER"]
        assert (await desk.entry(started)).decisions == ()

    async def test_what_one_has_claimed_no_other_decides(self, desk: Desk):
        started = await desk.ask(back(15))
        entry = await desk.entry(started)
        (task,) = (await desk.world.use.tasks.search_tasks("RETURNS", "OPEN", PageRequest(10))).items
        mine = replace(task, state="CLAIMED", assignee="user:usr_8")
        assert await desk.world.use.tasks.change_task(task, mine, NOW, [])
        (problem,) = (await desk.decide(entry.id, approve=True)).problems
        assert isinstance(problem, NotAllowedInState)
        assert (await desk.entry(started)).decisions == ()
        done = await desk.decide(entry.id, approve=True, who=replace(DESK, subject="user:usr_8"))
        assert done.problems == ()

    async def test_a_return_that_does_not_exist_cannot_be_decided(self, desk: Desk):
        refused = await desk.decide("rma_NONE", approve=True)
        assert [problem.rule for problem in refused.problems] == ["UNKNOWN_RETURN"]

    async def test_something_else_than_announced_waits_for_a_person_and_is_credited_as_it_came(self, desk: Desk):
        started = await desk.ask(back(3))
        entry = await desk.entry(started)
        await desk.floor.handle(news(entry, S.INSPECTED, quantity=2))
        await eventually(desk.asks)
        assert [kind for kind, _ in await desk.tasks()] == ["ReturnDiffers"]
        await desk.decide(entry.id, approve=True)
        entry = await desk.until(started, S.CLOSED)
        assert entry.credit is not None
        assert entry.credit.amount == Decimal("72.20")
        assert await desk.tasks() == []

    async def test_something_else_than_announced_may_be_worth_nothing(self, desk: Desk):
        started = await desk.ask(back(3))
        entry = await desk.entry(started)
        await desk.floor.handle(news(entry, S.INSPECTED, quantity=2))
        await eventually(desk.asks)
        await desk.decide(entry.id, approve=False)
        entry = await desk.until(started, S.CLOSED)
        assert entry.credit is None
        assert "return.credited" not in await desk.world.event_types(entry.id)


REFUSED = [
    pytest.param(back(21), "MORE_THAN_DELIVERED", id="more than was delivered"),
    pytest.param(back(1, 9), "UNKNOWN_LINE", id="an unknown line"),
    pytest.param(back("3.5", uom="XBX"), "MORE_THAN_DELIVERED", id="more than was delivered in another unit"),
]


@pytest.mark.parametrize(("wanted", "reason"), REFUSED)
async def test_what_cannot_come_back_is_refused_and_nothing_recorded(
    desk: Desk, wanted: ReturnLineAsked, reason: str
) -> None:
    started = await desk.ask(wanted)
    (problem,) = started.problems
    assert isinstance(problem, ReturnNotAllowed)
    assert (problem.reason, problem.line_no, problem.path) == (reason, wanted.line_no, ("lines", "0"))
    assert (started.entity_id, started.state) == (None, ProcessState.FAILED)
    assert (await desk.world.use.returns.returns_of_orders(["ord_1"]))["ord_1"] == ()


@pytest.mark.parametrize(
    ("lines", "resolution", "rules"),
    [
        pytest.param((), "CREDIT", ["NO_LINES"], id="no line"),
        pytest.param((back(0),), "CREDIT", ["QUANTITY_POSITIVE"], id="zero"),
        pytest.param((back(1, uom="ZZ"),), "CREDIT", ["UNKNOWN_UNIT"], id="an unknown unit"),
        pytest.param((back(1, reason=" "),), "MONEY", ["RESOLUTION", "REASON"], id="several at once"),
        pytest.param((back(1), back(2)), "CREDIT", ["LINE_NUMBER"], id="a line twice"),
    ],
)
async def test_what_is_wrong_with_a_request_is_said_at_once(
    desk: Desk, lines: tuple[ReturnLineAsked, ...], resolution: str, rules: list[str]
) -> None:
    wanted = ReturnAsked("ord_1", "acc_1", lines, resolution)
    started = await desk.starter.request_return(wanted, key="r-1", principal=REP, wait_ms=WAIT)
    assert [getattr(problem, "rule", None) for problem in started.problems] == rules


async def test_goods_that_are_not_delivered_cannot_come_back(desk: Desk) -> None:
    desk.world.wms.shipments_by_id = {"sh_S-1": replace(shipment(), status=ShipmentStatus.DEPARTED)}
    started = await desk.ask()
    assert [problem.reason for problem in started.problems] == ["NOT_DELIVERED"]


async def test_a_window_closes(desk: Desk) -> None:
    desk.world.wms.shipments_by_id = {"sh_S-1": shipment(at=NOW - timedelta(days=31))}
    started = await desk.ask()
    assert [problem.reason for problem in started.problems] == ["WINDOW_CLOSED"]


async def test_dangerous_goods_are_not_taken_back(desk: Desk) -> None:
    desk.world.erp.items_by_sku["PMP-0042"] = replace(item(), hazmat_class="3")
    started = await desk.ask()
    assert [problem.reason for problem in started.problems] == ["NOT_RETURNABLE"]


async def test_goods_of_an_unknown_lot_are_looked_at_by_a_person(desk: Desk) -> None:
    desk.world.erp.items_by_sku["PMP-0042"] = replace(item(), lot_controlled=True)
    started = await desk.ask()
    assert problem_names(started.problems) == ["ApprovalRequired"]


async def test_what_comes_back_already_cannot_come_back_again(desk: Desk) -> None:
    await desk.ask(back(12))
    second = await desk.ask(back(12), key="r-2")
    assert [problem.reason for problem in second.problems] == ["MORE_THAN_DELIVERED"]


async def test_of_two_returns_of_the_same_goods_at_once_one_is_denied(desk: Desk) -> None:
    first, second = await asyncio.gather(desk.ask(back(12)), desk.ask(back(12), key="r-2"))
    refused = [entry for entry in (first, second) if entry.problems]
    assert [problem.reason for problem in refused[0].problems] == ["MORE_THAN_DELIVERED"]
    assert len(refused) == 1
    assert len(desk.world.kept.keys("rma")) == 1


async def test_the_same_request_again_is_the_first_one(desk: Desk) -> None:
    first = await desk.ask()
    again = await desk.ask()
    assert (again.replayed, again.process_id, again.entity_id) == (True, first.process_id, first.entity_id)
    assert len(desk.world.kept.keys("rma")) == 1


@pytest.mark.parametrize("operation", ["create_return", "expect_return"])
async def test_a_system_that_is_away_is_told_when_it_is_back(desk: Desk, operation: str) -> None:
    system = ERP if operation == "create_return" else WMS
    desk.world.script.before[operation] += [Unavailable(system, operation, "away", outcome_unknown=False)] * 3
    started = await desk.ask()
    await desk.until(started, S.IN_TRANSIT)
    assert len(desk.world.kept.keys("rma")) == len(desk.world.kept.keys("expected")) == 1


@pytest.mark.parametrize("operation", ["create_return", "expect_return", "receive_return", "credit_return"])
async def test_an_answer_that_is_lost_does_nothing_twice(desk: Desk, operation: str) -> None:
    system = WMS if operation == "expect_return" else ERP
    desk.world.script.after[operation].append(Unavailable(system, operation, "reset", outcome_unknown=True))
    started = await desk.ask()
    await desk.until(started, S.IN_TRANSIT)
    await desk.floor.handle(news(await desk.entry(started), S.INSPECTED))
    entry = await desk.until(started, S.CLOSED)
    assert len(desk.world.kept.keys("rma")) == 1
    assert desk.world.kept.keys("rma_key") == [f"rma:{entry.id}:receipt", f"rma:{entry.id}:credit"]


async def test_a_warehouse_that_refuses_takes_the_return_back_everywhere(desk: Desk) -> None:
    desk.world.script.before["expect_return"].append(Rejected(WMS, "expect", "closed", reason="CLOSED"))
    started = await desk.ask()
    assert [problem.rule for problem in started.problems] == ["CLOSED"]
    entry = await desk.until(started, S.DENIED)
    assert (await desk.world.erp.returns([entry.id]))[entry.id].status is S.CANCELLED


async def test_a_compensation_waits_for_its_system(desk: Desk) -> None:
    desk.world.script.before["expect_return"].append(Rejected(WMS, "expect", "closed", reason="CLOSED"))
    desk.world.script.before["cancel_return"] += [Unavailable(ERP, "cancel", "away", outcome_unknown=False)] * 3
    started = await desk.ask()
    await desk.until(started, S.DENIED)
