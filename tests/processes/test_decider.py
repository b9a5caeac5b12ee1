"""Decisions over the engine: they are written, wake what waits, and are the same when they are sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from events.inbox import Inbox
from processes.api import OrderCancellation, QuotePreparation, QuoteRequestLine, Started
from processes.authority import NotEntitled
from processes.decider import EngineDecider
from processes.decision_api import HoldRelease, ProcessRetry, QuoteDecision, Replay, TaskResolution
from processes.replay import replay_letters
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import HoldKind, OrderStatus, ProcessState, QuoteStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.identity import Principal
from schema.records.operations import DeadLetter, ExceptionTask
from schema.records.problems import NotAllowedInState, VersionConflict
from schema.records.values import Money, PageRequest, Quantity
from systems.errors import NotFound, Unavailable
from tests.support.eventually import eventually
from tests.support.platform_records import letter
from tests.support.process_world import QUICK, REP, ProcessWorld, line, problem_names, process_world, submission
from tests.support.rule_records import credit, item, terms

CONTROLLER = Principal("user:usr_7", roles=("CREDIT_CONTROLLER",))
MANAGER = Principal("user:usr_9", roles=("SALES_MANAGER",))
OPERATOR = Principal("user:usr_6", roles=("OPERATIONS",), warehouses=("*",))
WAIT = 10_000


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(database_url) as made:
        yield made


@pytest.fixture
async def desk(database_url: str, world: ProcessWorld) -> AsyncIterator[EngineDecider]:
    async with ProcessEngine(EngineSettings(database_url, retries=QUICK), world.use) as engine:
        inbox = Inbox(world.database, world.use.dead_letters.put, world.use.dead_letters.remove)
        yield EngineDecider(engine, inbox)


async def stopped(world: ProcessWorld, process_id: str | None, *states: ProcessState) -> ProcessState:
    """Return the state of a process when it is one of these."""
    assert process_id is not None
    async with asyncio.timeout(60):
        while True:
            found = (await world.use.process_log.processes([process_id])).get(process_id)
            if found is not None and found.state in states:
                return found.state
            await asyncio.sleep(0.01)


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while True:
            if await is_so():
                return
            await asyncio.sleep(0.01)


async def held_order(desk: EngineDecider, world: ProcessWorld) -> str:
    """Submit an order that credit holds, and return its id."""
    world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="100.00"))
    started = await desk.submit_order(submission(line(6)), key="o-1", principal=REP, wait_ms=WAIT)
    assert started.entity_id is not None
    await stopped(world, started.process_id, ProcessState.WAITING_HUMAN)
    assert problem_names((await world.order(started.entity_id)).exceptions) == ["CreditHold"]
    return started.entity_id


async def only_task(world: ProcessWorld, queue: str, state: str | None = "OPEN") -> ExceptionTask:
    (task,) = (await world.use.tasks.search_tasks(queue, state, PageRequest(10))).items
    return task


def release(order_id: str, **changes: Any) -> HoldRelease:
    return replace(HoldRelease(order_id, HoldKind.CREDIT, "payment promised"), **changes)


# --- holds


async def test_a_waiting_order_is_woken_by_its_release_and_goes_on(desk: EngineDecider, world: ProcessWorld) -> None:
    order_id = await held_order(desk, world)
    done = await desk.release_hold(release(order_id), key="h-1", principal=CONTROLLER, wait_ms=WAIT)
    order = await world.order(order_id)
    assert (done.problems, done.replayed, order.status) == ((), False, OrderStatus.ACCEPTED)
    assert await stopped(world, done.process_id, ProcessState.COMPLETED)
    again = await desk.release_hold(release(order_id), key="h-1", principal=CONTROLLER, wait_ms=WAIT)
    assert (again.replayed, again.problems, again.entity_id) == (True, (), order_id)
    assert world.kept.keys("document") == [f"or:{order_id}:erp"]


async def test_a_held_order_waits_through_a_restart(database_url: str, world: ProcessWorld) -> None:
    async def with_desk(work: Any) -> Any:
        async with ProcessEngine(EngineSettings(database_url, retries=QUICK), world.use) as engine:
            inbox = Inbox(world.database, world.use.dead_letters.put, world.use.dead_letters.remove)
            return await work(EngineDecider(engine, inbox))

    async def decide(desk: EngineDecider) -> Started:
        return await desk.release_hold(release(order_id), key="h-1", principal=CONTROLLER, wait_ms=WAIT)

    order_id = await with_desk(lambda desk: held_order(desk, world))
    done = await with_desk(decide)
    assert done.problems == ()
    assert (await world.order(order_id)).status is OrderStatus.ACCEPTED


async def test_without_the_erp_nothing_is_released_and_the_key_may_be_used_again(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    order_id = await held_order(desk, world)
    world.script.before["terms"] += [Unavailable(SourceSystem.CLOUD_ERP, "terms", "away", outcome_unknown=False)]
    refused = await desk.release_hold(release(order_id), key="h-1", principal=CONTROLLER, wait_ms=0)
    assert problem_names(refused.problems) == ["DependencyUnavailable"]
    assert (await world.order(order_id)).decisions == ()
    done = await desk.release_hold(release(order_id), key="h-1", principal=CONTROLLER, wait_ms=WAIT)
    assert done.problems == ()


async def test_a_held_order_that_is_cancelled_waits_no_more(desk: EngineDecider, world: ProcessWorld) -> None:
    order_id = await held_order(desk, world)
    order = await world.order(order_id)
    asked = OrderCancellation(order_id, order.version, "ordered by mistake")
    cancelled = await desk.cancel_order(asked, key="c-1", principal=REP, wait_ms=WAIT)
    await stopped(world, cancelled.process_id, ProcessState.COMPLETED)
    await desk.cancel_order(asked, key="c-1", principal=REP, wait_ms=WAIT)
    assert await stopped(world, order.process_id, ProcessState.CANCELLED)

    async def is_over() -> bool:
        return await desk._engine.ending(order.process_id) is not None

    await until(is_over)
    assert (await world.order(order_id)).status is OrderStatus.CANCELLED


# --- quotes


async def low_quote(desk: EngineDecider) -> Started:
    line_ = QuoteRequestLine(1, "VLV-0007", Quantity(Decimal(2), "EA"), Money(Decimal("9.90"), "USD"))
    asked = QuotePreparation("acc_1", (line_,), ship_to_id="shp_1")
    return await desk.prepare_quote(asked, key="q-1", principal=REP, wait_ms=WAIT)


@pytest.mark.parametrize(
    ("approve", "status"), [(True, QuoteStatus.APPROVED), (False, QuoteStatus.REJECTED)], ids=["approved", "rejected"]
)
async def test_a_quote_below_its_floor_is_decided_with_a_trace(
    desk: EngineDecider, world: ProcessWorld, approve: bool, status: QuoteStatus
) -> None:
    world.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")
    started = await low_quote(desk)
    assert problem_names(started.problems) == ["ApprovalRequired"]
    quote_id = str(started.entity_id)
    version = (await world.use.quotes.quotes([quote_id]))[quote_id].version
    asked = QuoteDecision(quote_id, version, approve, "strategic")
    done = await desk.decide_quote(asked, key="d-1", principal=MANAGER, wait_ms=WAIT)
    quote = (await world.use.quotes.quotes([quote_id]))[quote_id]
    assert (done.problems, quote.status) == ((), status)
    (approval,) = quote.approvals
    assert (approval.by, approval.rule, approval.lines) == ("user:usr_9", "MARGIN_FLOOR", (1,))
    (told,) = await world.use.events.read(EventFilter(types=("quote.approval.decided",)), None, 9)
    assert told.event.data["lines"][0]["unitPrice"] == "9.90"
    assert await stopped(world, done.process_id, ProcessState.COMPLETED)
    assert (await only_task(world, "SALES", "RESOLVED")).resolved_by == "user:usr_9"
    again = await desk.decide_quote(asked, key="d-1", principal=MANAGER, wait_ms=WAIT)
    assert (again.replayed, again.problems) == (True, ())
    (late,) = (await desk.decide_quote(asked, key="d-2", principal=MANAGER, wait_ms=0)).problems[-1:]
    assert isinstance(late, NotAllowedInState | VersionConflict)


async def test_a_quote_that_changed_since_it_was_read_is_not_decided(desk: EngineDecider, world: ProcessWorld) -> None:
    world.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")
    quote_id = str((await low_quote(desk)).entity_id)
    asked = QuoteDecision(quote_id, 99, True, "fine")
    (problem,) = (await desk.decide_quote(asked, key="d-1", principal=MANAGER, wait_ms=0)).problems
    assert isinstance(problem, VersionConflict)
    mine = replace(REP, roles=("SALES_MANAGER",))
    version = problem.current_version
    own = QuoteDecision(quote_id, version, True, "fine")
    problems = (await desk.decide_quote(own, key="d-2", principal=mine, wait_ms=0)).problems
    assert [problem.rule for problem in problems] == ["SEPARATION_OF_DUTIES"]  # type: ignore[attr-defined]
    with pytest.raises(NotEntitled, match="SALES_MANAGER"):
        await desk.decide_quote(own, key="d-3", principal=OPERATOR, wait_ms=0)


# --- tasks


async def test_a_task_is_claimed_by_one_and_resolved_by_the_same(desk: EngineDecider, world: ProcessWorld) -> None:
    order_id = await held_order(desk, world)
    task = await only_task(world, "CREDIT")
    assert (await desk.claim_task(task.id, principal=CONTROLLER)).problems == ()
    assert (await desk.claim_task(task.id, principal=CONTROLLER)).problems == ()
    colleague = replace(CONTROLLER, subject="user:usr_8")
    (problem,) = (await desk.claim_task(task.id, principal=colleague)).problems
    assert isinstance(problem, NotAllowedInState)
    asked = TaskResolution(task.id, "RELEASE", "payment promised")
    assert problem_names((await desk.resolve_task(asked, key="t-1", principal=colleague)).problems) == [
        "NotAllowedInState"
    ]
    for _ in range(2):
        assert (await desk.resolve_task(asked, key="t-2", principal=CONTROLLER)).problems == ()
    process_id = (await world.order(order_id)).process_id
    assert await stopped(world, process_id, ProcessState.COMPLETED)
    told = await world.use.events.read(EventFilter(types=("task.*",)), None, 10)
    assert [stored.event.type for stored in told] == ["task.opened", "task.claimed", "task.resolved"]


async def test_what_one_has_claimed_no_other_releases(desk: EngineDecider, world: ProcessWorld) -> None:
    order_id = await held_order(desk, world)
    task = await only_task(world, "CREDIT")
    colleague = replace(CONTROLLER, subject="user:usr_8")
    await desk.claim_task(task.id, principal=colleague)
    (problem,) = (await desk.release_hold(release(order_id), key="h-1", principal=CONTROLLER, wait_ms=0)).problems
    assert isinstance(problem, NotAllowedInState)
    assert problem.message.endswith("is claimed by user:usr_8")
    assert (await world.order(order_id)).decisions == ()
    overdue = replace(task, id=f"tsk_{order_id}_CREDIT_OVERDUE_0", queue="FINANCE", kind="HoldOverdue")
    await world.use.tasks.open_task(overdue, [])
    done = await desk.release_hold(release(order_id), key="h-2", principal=CONTROLLER, wait_ms=WAIT)
    assert done.problems == ()  # nobody has answered in time, so whoever is entitled does


async def test_what_one_has_claimed_no_other_approves(desk: EngineDecider, world: ProcessWorld) -> None:
    world.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")
    quote_id = str((await low_quote(desk)).entity_id)
    task = await only_task(world, "SALES")
    await desk.claim_task(task.id, principal=replace(MANAGER, subject="user:usr_8"))
    version = (await world.use.quotes.quotes([quote_id]))[quote_id].version
    asked = QuoteDecision(quote_id, version, True, "fine")
    (problem,) = (await desk.decide_quote(asked, key="d-1", principal=MANAGER, wait_ms=0)).problems
    assert isinstance(problem, NotAllowedInState)
    mine = replace(MANAGER, subject="user:usr_8")
    assert (await desk.decide_quote(asked, key="d-1", principal=mine, wait_ms=WAIT)).problems == ()


async def test_a_rejected_credit_task_rejects_the_order(desk: EngineDecider, world: ProcessWorld) -> None:
    order_id = await held_order(desk, world)
    task = await only_task(world, "CREDIT")
    asked = TaskResolution(task.id, "REJECT", "does not pay")
    assert (await desk.resolve_task(asked, key="t-1", principal=CONTROLLER)).problems == ()
    assert await stopped(world, task.process_id, ProcessState.FAILED)
    assert (await world.order(order_id)).status is OrderStatus.REJECTED


async def test_a_resolution_that_the_task_does_not_offer_is_refused(desk: EngineDecider, world: ProcessWorld) -> None:
    await held_order(desk, world)
    task = await only_task(world, "CREDIT")
    answer = await desk.resolve_task(TaskResolution(task.id, "IGNORE", ""), key="t-1", principal=CONTROLLER)
    assert [problem.rule for problem in answer.problems] == ["COMMENT", "RESOLUTION"]  # type: ignore[attr-defined]
    with pytest.raises(NotEntitled):
        await desk.resolve_task(TaskResolution(task.id, "RELEASE", "x"), key="t-2", principal=OPERATOR)
    unknown = await desk.resolve_task(TaskResolution("tsk_404", "RELEASE", "x"), key="t-3", principal=OPERATOR)
    assert [problem.rule for problem in unknown.problems] == ["UNKNOWN_TASK"]  # type: ignore[attr-defined]


async def test_what_is_short_of_an_order_is_cancelled_by_its_task(desk: EngineDecider, world: ProcessWorld) -> None:
    world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
    started = await desk.submit_order(
        submission(line(6), allow_backorder=False), key="o-1", principal=REP, wait_ms=WAIT
    )
    await stopped(world, started.process_id, ProcessState.COMPLETED)
    task = await only_task(world, "ORDER_DESK")
    assert (task.kind, task.resolutions) == ("Stockout", ("WAIT", "CANCEL_LINE"))
    desk_clerk = Principal("user:usr_4", roles=("SERVICE_DESK",))
    asked = TaskResolution(task.id, "CANCEL_LINE", "customer takes four")
    assert (await desk.resolve_task(asked, key="t-1", principal=desk_clerk)).problems == ()
    # the decision is taken; the change that it starts is answered before it ends where the machine is busy
    await eventually(lambda: world.order(str(started.entity_id)), lambda order: order.lines[0].wanted == 4)
    (stored,) = (await world.order(str(started.entity_id))).lines
    assert (stored.wanted, stored.backordered) == (4, 0)


async def test_what_is_there_of_an_order_that_ships_complete_is_released_by_its_task(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
    asked_for = submission(line(6), allow_backorder=False, ship_complete=True)
    started = await desk.submit_order(asked_for, key="o-1", principal=REP, wait_ms=WAIT)
    await stopped(world, started.process_id, ProcessState.COMPLETED)
    task = await only_task(world, "ORDER_DESK")
    assert (task.resolutions, world.kept.keys("release")) == (("WAIT", "SPLIT", "CANCEL_LINE"), [])
    asked = TaskResolution(task.id, "SPLIT", "customer takes four now")
    for _ in range(2):
        answer = await desk.resolve_task(asked, key="t-1", principal=Principal("user:usr_4", roles=("SERVICE_DESK",)))
        assert answer.problems == ()
    await eventually(lambda: world.order(str(started.entity_id)), lambda order: not order.ship_complete)
    (told,) = await world.use.events.read(EventFilter(types=("order.split",)), None, 9)
    assert (told.event.actor, told.event.data["reason"]) == ("user:usr_4", "customer takes four now")


async def test_of_a_delay_the_customer_is_told_by_whoever_resolves_its_task(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    now = world.clock.now()
    task = ExceptionTask(
        id="tsk_delay",
        queue="FULFILMENT",
        kind="FulfillmentDelay",
        state="OPEN",
        order_id="ord_9",
        account_id="acc_1",
        process_id=None,
        summary="late",
        opened_at=now,
        due_at=now,
        assignee=None,
        resolutions=("INFORM_CUSTOMER", "WAIT"),
    )
    await world.use.tasks.open_task(task)
    asked = TaskResolution(task.id, "INFORM_CUSTOMER", "called them")
    for _ in range(2):
        assert (await desk.resolve_task(asked, key="t-1", principal=OPERATOR)).problems == ()
    told = await world.use.events.read(EventFilter(types=("customer.notified",)), None, 9)
    assert [(stored.event.actor, stored.event.data["orderId"]) for stored in told] == [("user:usr_6", "ord_9")]


# --- parked processes


async def parked(desk: EngineDecider, world: ProcessWorld, step: str = "allocate") -> str:
    """Submit an order whose process parks at a call, and return the process."""
    world.script.before[step] += [NotFound(SourceSystem.CLOUD_ERP, step, "nobody foresaw this")]
    started = await desk.submit_order(submission(line(6)), key="o-1", principal=REP, wait_ms=WAIT)
    assert await stopped(world, started.process_id, ProcessState.WAITING_HUMAN)
    return str(started.process_id)


@pytest.mark.parametrize("step", [None, "create"])
async def test_a_parked_process_is_retried_from_where_it_is_or_from_before(
    desk: EngineDecider, world: ProcessWorld, step: str | None
) -> None:
    process_id = await parked(desk, world)
    for _ in range(2):
        answer = await desk.retry_process(ProcessRetry(process_id, step), key="r-1", principal=OPERATOR)
        assert (answer.problems, answer.accepted, answer.process_id) == ((), 1, process_id)
        assert await stopped(world, process_id, ProcessState.COMPLETED)
    assert len(world.erp.documents()) == 1
    assert (await only_task(world, "INTEGRATION", "RESOLVED")).resolution == "RETRY"
    assert (await only_task(world, "INTEGRATION", None)).state == "RESOLVED"
    order_id = process_id.replace("prc_", "ord_", 1)
    types = await world.event_types(order_id)
    assert types.count("order.accepted") == 1


async def test_a_process_that_fails_again_parks_again_with_a_task_of_its_own(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    process_id = await parked(desk, world)
    world.script.before["allocate"] += [NotFound(SourceSystem.CLOUD_ERP, "allocate", "still not")]
    await desk.retry_process(ProcessRetry(process_id), key="r-1", principal=OPERATOR)

    async def is_asked_again() -> bool:
        return bool((await world.use.tasks.search_tasks("INTEGRATION", "OPEN", PageRequest(10))).items)

    await until(is_asked_again)
    task = await only_task(world, "INTEGRATION")
    assert (task.id.endswith("_2"), "still not" in task.summary) == (True, True)
    await stopped(world, process_id, ProcessState.WAITING_HUMAN)
    asked = TaskResolution(task.id, "RETRY", "fixed in the ERP")
    assert (await desk.resolve_task(asked, key="t-1", principal=OPERATOR)).problems == ()
    assert await stopped(world, process_id, ProcessState.COMPLETED)


async def test_a_parked_process_that_is_cancelled_takes_everything_back(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    process_id = await parked(desk, world)
    task = await only_task(world, "INTEGRATION")
    asked = TaskResolution(task.id, "CANCEL", "customer has ordered elsewhere")
    assert (await desk.resolve_task(asked, key="t-1", principal=OPERATOR)).problems == ()
    assert await stopped(world, process_id, ProcessState.FAILED)
    order = await world.order(process_id.replace("prc_", "ord_", 1))
    assert order.status is OrderStatus.CANCELLED
    assert [document.status for document in world.erp.documents()] == [OrderStatus.CANCELLED]
    assert await world.held() == {}


@pytest.mark.parametrize(
    ("asked", "rule"),
    [(ProcessRetry("prc_404"), "UNKNOWN_PROCESS"), (ProcessRetry("", "no-such-step"), "UNKNOWN_STEP")],
    ids=["process", "step"],
)
async def test_what_is_not_there_is_not_retried(
    desk: EngineDecider, world: ProcessWorld, asked: ProcessRetry, rule: str
) -> None:
    process_id = await parked(desk, world)
    wanted = replace(asked, process_id=asked.process_id or process_id)
    answer = await desk.retry_process(wanted, key="r-1", principal=OPERATOR)
    assert [problem.rule for problem in answer.problems] == [rule]  # type: ignore[attr-defined]


async def test_a_process_that_waits_for_a_decision_or_has_ended_is_not_retried(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    order_id = await held_order(desk, world)
    process_id = (await world.order(order_id)).process_id
    waits = await desk.retry_process(ProcessRetry(process_id), key="r-1", principal=OPERATOR)
    await desk.release_hold(release(order_id), key="h-1", principal=CONTROLLER, wait_ms=WAIT)
    await stopped(world, process_id, ProcessState.COMPLETED)
    ended = await desk.retry_process(ProcessRetry(process_id), key="r-2", principal=OPERATOR)
    assert problem_names([*waits.problems, *ended.problems]) == ["NotAllowedInState", "NotAllowedInState"]
    with pytest.raises(NotEntitled, match="OPERATIONS"):
        await desk.retry_process(ProcessRetry(process_id), key="r-3", principal=CONTROLLER)


# --- dead letters


async def test_a_dead_letter_of_a_step_is_delivered_again_and_the_customer_hears_once(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    away = Unavailable(SourceSystem.CRM, "mirror order", "away", outcome_unknown=False)
    world.script.before["mirror_order"] += [away] * QUICK.quick
    started = await desk.submit_order(submission(line(6)), key="o-1", principal=REP, wait_ms=WAIT)
    await stopped(world, started.process_id, ProcessState.COMPLETED)
    (kept,) = (await world.use.dead_letters.search(None, PageRequest(10))).items

    async def is_gone() -> bool:
        return not (await world.use.dead_letters.search(None, PageRequest(10))).items

    counted = await desk.replay_messages(Replay((kept.id,), dry_run=True), key="m-0", principal=OPERATOR)
    assert (counted.accepted, world.kept.all("mirror")) == (1, [])
    for _ in range(2):
        answer = await desk.replay_messages(Replay((kept.id,)), key="m-1", principal=OPERATOR)
        assert (answer.problems, answer.accepted) == ((), 1)
        await until(is_gone)
    assert world.kept.all("mirror") == ["ACCEPTED"]
    told = await world.use.events.read(EventFilter(types=("customer.notified", "message.replayed")), None, 9)
    assert sorted(stored.event.type for stored in told) == ["customer.notified", "message.replayed"]


async def test_a_replay_says_which_messages(desk: EngineDecider) -> None:
    nothing = await desk.replay_messages(Replay(), key="m-1", principal=OPERATOR)
    unknown = await desk.replay_messages(Replay(("dl_404",)), key="m-2", principal=OPERATOR)
    assert [problem.rule for problem in (*nothing.problems, *unknown.problems)] == [  # type: ignore[attr-defined]
        "NOTHING_CHOSEN",
        "UNKNOWN_DEAD_LETTER",
    ]
    with pytest.raises(NotEntitled):
        await desk.replay_messages(Replay(("dl_404",)), key="m-3", principal=CONTROLLER)


async def test_dead_letters_are_handled_again_oldest_first_however_they_are_asked_for(world: ProcessWorld) -> None:
    for number in (3, 1, 2):
        await world.use.dead_letters.put(letter(number))
    inbox = _Reopened()
    engine: Any = SimpleNamespace(dependencies=world.use)
    answer = await replay_letters(engine, inbox, Replay(("dl_2", "dl_3", "dl_1")), "m-1", OPERATOR)
    assert (answer.accepted, inbox.ids) == (3, ["dl_1", "dl_2", "dl_3"])


async def test_of_dead_letters_those_of_the_own_warehouse_are_handled_again(world: ProcessWorld) -> None:
    await world.use.orders.note_warehouse("ord_1", "W01")
    await world.use.orders.note_warehouse("ord_2", "W02")
    for number, order_id in ((1, "ord_1"), (2, "ord_2"), (3, None)):
        await world.use.dead_letters.put(letter(number, order_id=order_id))
    inbox = _Reopened()
    engine: Any = SimpleNamespace(dependencies=world.use)
    worker = Principal("user:usr_5", roles=("OPERATIONS",), warehouses=("W01",))
    named = await replay_letters(engine, inbox, Replay(("dl_1", "dl_2", "dl_3")), "m-1", worker)
    assert [problem.path for problem in named.problems] == [("deadLetterIds", "1"), ("deadLetterIds", "2")]
    found = await replay_letters(engine, inbox, Replay(types=(letter().type,)), "m-2", worker)
    assert (found.accepted, inbox.ids) == (1, ["dl_1"])


class _Reopened:
    """Stands for the inbox: takes note of what is to be handled again."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def reopen(self, letter: DeadLetter) -> None:
        self.ids.append(letter.id)


# --- states


async def test_every_state_of_a_process_is_told_once_and_in_order(desk: EngineDecider, world: ProcessWorld) -> None:
    order_id = await held_order(desk, world)
    process_id = (await world.order(order_id)).process_id
    await desk.release_hold(release(order_id), key="h-1", principal=CONTROLLER, wait_ms=WAIT)
    await stopped(world, process_id, ProcessState.COMPLETED)
    where = EventFilter(types=("process.state.changed",), subject=process_id)
    told = await world.use.events.read(where, None, 20)
    assert [stored.event.data["state"] for stored in told] == ["RUNNING", "WAITING_HUMAN", "RUNNING", "COMPLETED"]
