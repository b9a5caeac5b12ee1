"""Resolving a Stockout task over the engine (P3): what it begins, and what a decision is told when it comes again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from processes.api import OrderCancellation
from processes.decider import EngineDecider
from processes.decision_api import TaskResolution
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.catalog import PriceLevel
from schema.records.identity import Principal
from schema.records.operations import ExceptionTask, ProcessRecord
from schema.records.problems import NotAllowedInState
from schema.records.values import PageRequest
from systems.errors import Rejected, Unavailable
from tests.support.eventually import eventually
from tests.support.process_world import QUICK, REP, ProcessWorld, line, problem_names, process_world, submission
from tests.support.rule_records import item, rule, stock

WAIT = 10_000
DESK_CLERK = Principal("user:usr_4", roles=("SERVICE_DESK",))


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(sqlite_url) as made:
        yield made


@pytest.fixture
async def desk(sqlite_url: str, world: ProcessWorld) -> AsyncIterator[EngineDecider]:
    async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine:
        yield EngineDecider(engine, world.inbox)


async def asked_about_shortage(desk: EngineDecider, world: ProcessWorld) -> tuple[str, ExceptionTask]:
    """Submit an order of which two pumps lack, and return its id and the task that is about them."""
    world.erp.items_by_sku |= {"PMP-0042": item(substitutes=("PMP-0043",)), "PMP-0043": item("PMP-0043")}
    world.erp.price_rules.append(rule("other", PriceLevel.LIST, "46.00", sku="PMP-0043"))
    world.wms.positions.append(stock("20", "W02", sku="PMP-0043"))
    world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
    asked = submission(line(6), allow_backorder=False, allow_substitutes=True, ship_complete=True)
    started = await desk.submit_order(asked, key="o-1", principal=REP, wait_ms=WAIT)
    await stopped(world, str(started.process_id), ProcessState.COMPLETED)
    (task,) = await open_tasks(world)
    return str(started.entity_id), task


async def open_tasks(world: ProcessWorld) -> tuple[ExceptionTask, ...]:
    return tuple((await world.use.tasks.search_tasks("ORDER_DESK", "OPEN", PageRequest(10))).items)


async def stopped(world: ProcessWorld, process_id: str, state: ProcessState) -> None:
    """Wait until a process has come to a state."""

    async def found() -> ProcessState | None:
        process = (await world.use.process_log.processes([process_id])).get(process_id)
        return None if process is None else process.state

    await eventually(found, lambda at: at is state)


async def state_of(world: ProcessWorld, task: ExceptionTask) -> tuple[str, str | None, str | None, str | None]:
    """Return state, resolution, by whom it is resolved, and whose it is."""
    found = (await world.use.tasks.tasks([task.id]))[task.id]
    return found.state, found.resolution, found.resolved_by, found.assignee


async def amendments(world: ProcessWorld, order_id: str) -> list[ProcessRecord]:
    processes = (await world.use.process_log.processes_of([order_id]))[order_id]
    return [process for process in processes if process.kind in ("ORDER_CHANGE", "ORDER_SPLIT")]


async def test_what_lacks_comes_as_another_item_by_whoever_decided_so(desk: EngineDecider, world: ProcessWorld) -> None:
    order_id, task = await asked_about_shortage(desk, world)
    assert task.resolutions == ("WAIT", "SPLIT", "SUBSTITUTE:PMP-0043", "CANCEL_LINE")
    asked = TaskResolution(task.id, "SUBSTITUTE:PMP-0043", "as good, says the customer")
    assert (await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)).problems == ()
    order = await eventually(lambda: world.order(order_id), lambda order: len(order.lines) == 2)
    assert [(entry.sku, entry.wanted, entry.backordered) for entry in order.lines] == [
        ("PMP-0042", Decimal(4), Decimal(0)),
        ("PMP-0043", Decimal(2), Decimal(0)),
    ]
    (told,) = await world.use.events.read(EventFilter(types=("order.line.substituted",)), None, 9)
    assert (told.event.actor, told.event.data["reason"]) == (DESK_CLERK.subject, asked.comment)


@pytest.mark.parametrize(
    ("resolution", "operation", "system"),
    [
        ("CANCEL_LINE", "change_order", SourceSystem.CLOUD_ERP),
        ("SPLIT", "release", SourceSystem.WMS),
        ("SUBSTITUTE:PMP-0043", "change_order", SourceSystem.CLOUD_ERP),
    ],
)
async def test_a_decision_that_comes_again_follows_what_it_began_and_another_with_its_key_is_refused(
    desk: EngineDecider, world: ProcessWorld, resolution: str, operation: str, system: SourceSystem
) -> None:
    order_id, task = await asked_about_shortage(desk, world)
    before = (await world.order(order_id)).version
    world.script.before[operation] += [Unavailable(system, operation, "away", outcome_unknown=False)] * 10_000
    asked = TaskResolution(task.id, resolution, "as agreed")
    assert (await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)).problems == ()
    assert (await world.order(order_id)).version > before
    if system is SourceSystem.CLOUD_ERP:
        assert await state_of(world, task) == ("CLAIMED", None, None, DESK_CLERK.subject)
    assert (await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)).problems == ()
    for other in (replace(asked, resolution="WAIT"), replace(asked, comment="not agreed")):
        refused = await desk.resolve_task(other, key="t-1", principal=DESK_CLERK)
        assert problem_names(refused.problems) == ["IdempotencyConflict"]
    world.script.before[operation].clear()
    (begun,) = await amendments(world, order_id)
    await stopped(world, begun.id, ProcessState.COMPLETED)
    assert (await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)).problems == ()
    assert [entry.id for entry in await amendments(world, order_id)] == [begun.id]
    state, *decided, _ = await state_of(world, task)
    assert (state, decided) == ("RESOLVED", [resolution, DESK_CLERK.subject])


async def test_a_decision_that_comes_again_is_told_why_what_it_began_was_refused_and_a_new_one_may_succeed(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    order_id, task = await asked_about_shortage(desk, world)
    world.script.before["change_order"].append(
        Rejected(SourceSystem.CLOUD_ERP, "change order", "not now", reason="LOCKED")
    )
    asked = TaskResolution(task.id, "CANCEL_LINE", "as agreed")
    first = await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)
    assert problem_names(first.problems) == ["ValidationFailed"]
    assert (await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)).problems == first.problems
    assert await open_tasks(world) == (task,)
    assert (await desk.resolve_task(asked, key="t-2", principal=DESK_CLERK)).problems == ()
    assert next(entry.state for entry in await amendments(world, order_id)) is ProcessState.FAILED
    assert (await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)).problems == first.problems


async def test_the_task_of_what_is_refused_later_on_is_not_resolved_but_decided_anew(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    order_id, task = await asked_about_shortage(desk, world)
    erp, operation = SourceSystem.CLOUD_ERP, "change_order"
    away = [Unavailable(erp, operation, "away", outcome_unknown=False)] * 10_000
    world.script.before[operation] += away
    asked = TaskResolution(task.id, "CANCEL_LINE", "as agreed")
    assert (await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)).problems == ()
    world.script.before[operation][:] = [Rejected(erp, operation, "not now", reason="LOCKED")]
    (begun,) = await amendments(world, order_id)
    await stopped(world, begun.id, ProcessState.FAILED)
    assert await state_of(world, task) == ("CLAIMED", None, None, DESK_CLERK.subject)
    assert (await world.order(order_id)).lines[0].backordered == 2
    again = await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)
    assert problem_names(again.problems) == ["ValidationFailed"]
    assert (await desk.resolve_task(asked, key="t-2", principal=DESK_CLERK)).problems == ()
    state, *decided, _ = await state_of(world, task)
    assert (state, decided) == ("RESOLVED", ["CANCEL_LINE", DESK_CLERK.subject])


async def test_a_decision_whose_amendment_was_cancelled_meanwhile_is_told_so_when_it_comes_again(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    order_id, task = await asked_about_shortage(desk, world)
    refusal = Rejected(SourceSystem.WMS, "release", "not now", reason="NOT_NOW")
    world.script.before["release"] += [refusal] * 10_000
    asked = TaskResolution(task.id, "SPLIT", "as agreed")
    assert (await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)).problems == ()
    (begun,) = await amendments(world, order_id)
    await stopped(world, begun.id, ProcessState.WAITING_HUMAN)
    version = (await world.order(order_id)).version
    cancelled = await desk.cancel_order(
        OrderCancellation(order_id, version, "no more"), key="x-1", principal=REP, wait_ms=WAIT
    )
    assert cancelled.problems == ()
    await stopped(world, begun.id, ProcessState.CANCELLED)
    (problem,) = (await desk.resolve_task(asked, key="t-1", principal=DESK_CLERK)).problems
    assert isinstance(problem, NotAllowedInState)
    assert problem.state == "CANCELLED"
