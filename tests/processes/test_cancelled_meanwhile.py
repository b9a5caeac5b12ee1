"""An order that is cancelled while another process of it goes on ends cancelled everywhere, whoever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from processes.amend_case import CANCELLATION, CHANGE
from processes.api import LineChange
from schema.enums import HoldKind, OrderStatus, ProcessState, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.operations import ExceptionTask
from schema.records.orders import HoldDecision
from schema.records.problems import NotAllowedInState
from schema.records.values import Money, Quantity
from systems.errors import Rejected
from tests.support.fake_systems import Stop
from tests.support.platform_records import process
from tests.support.process_world import (
    AmendRun,
    MemoryJournal,
    ProcessWorld,
    line,
    run_amend,
    run_order,
    submission,
)

WMS, ERP = SourceSystem.WMS, SourceSystem.CLOUD_ERP
S = OrderStatus
PATIENCE_S = 30.0


def to(quantity: int) -> LineChange:
    return LineChange(1, Quantity(Decimal(quantity), "EA"))


def refused(operation: str) -> Rejected:
    return Rejected(WMS, operation, "not now", reason="NOT_NOW")


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, Any]) -> AsyncIterator[asyncio.Task[Any]]:
    """Let something go on beside the test; it has ended when the block is left."""
    task = asyncio.create_task(work)
    try:
        yield task
        async with asyncio.timeout(PATIENCE_S):
            await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def stands(stop: Stop) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await stop.reached.wait()


def stop_at(world: ProcessWorld, operation: str, *, answered: bool = False) -> Stop:
    stop = Stop()
    (world.script.after if answered else world.script.before)[operation].append(stop)
    return stop


@pytest.fixture
async def parked(world: ProcessWorld) -> AmendRun:
    """The accepted change of an order, whose goods the warehouse does not take: it waits for a person."""
    await run_order(world, submission(line(6)))
    world.script.before["release"].append(refused("release"))
    run = await run_amend(world, CHANGE, to(8))
    assert (run.ending.state, (await world.order("ord_1")).status) == (ProcessState.WAITING_HUMAN, S.ACCEPTED)
    return run


async def retried(world: ProcessWorld, run: AmendRun) -> AmendRun:
    """Let a parked change go on from the step that it is parked at."""
    names = [name for name, _ in run.journal.entries]
    run.journal.entries = run.journal.entries[: names.index("release")]
    run.journal.again()
    world.clock.at = world.clock.now() + timedelta(seconds=1)
    request = run.request
    return await run_amend(
        world, CHANGE, *request.lines, journal=run.journal, resumed=True, version=request.version, name="c1"
    )


async def cancelled(world: ProcessWorld, **changes: object) -> AmendRun:
    return await run_amend(world, CANCELLATION, name="x1", **changes)


async def state(world: ProcessWorld, process_id: str) -> ProcessState:
    return (await world.use.process_log.processes([process_id]))[process_id].state


async def ended_cancelled(world: ProcessWorld) -> None:
    order = await world.order("ord_1")
    assert (order.status, order.amended_by) == (S.CANCELLED, None)
    assert [entry.allocations for entry in order.lines] == [()]
    assert (world.kept.keys("release"), world.kept.keys("held")) == ([], [])
    assert [entry.status for entry in world.erp.documents()] == [S.CANCELLED]
    assert await world.held() == {}
    assert (await world.event_types("ord_1")).count("order.cancelled") == 1


async def templates(world: ProcessWorld) -> list[object]:
    found = await world.use.events.read(EventFilter(types=("customer.notified",)), None, 20)
    return [stored.event.data.get("template") for stored in found]


@pytest.mark.parametrize(
    ("operation", "answered"),
    [
        pytest.param("hold_release", False, id="before the warehouse is asked to hold"),
        pytest.param("cancel_order", False, id="before the ERP cancels"),
        pytest.param("cancel_release", False, id="before the warehouse cancels"),
        pytest.param("cancel_release", True, id="when the warehouse has cancelled"),
    ],
)
async def test_what_a_parked_change_releases_while_the_order_is_being_cancelled_is_taken_back(
    world: ProcessWorld, parked: AmendRun, operation: str, answered: bool
) -> None:
    stop = stop_at(world, operation, answered=answered)
    async with meanwhile(cancelled(world)) as cancelling:
        await stands(stop)
        again = await retried(world, parked)
        stop.let_go()
    assert again.ending.state is ProcessState.COMPLETED
    assert cancelling.result().ending.state is ProcessState.COMPLETED
    await ended_cancelled(world)


async def test_what_the_warehouse_gets_when_the_order_is_cancelled_already_is_taken_back_by_the_change(
    world: ProcessWorld, parked: AmendRun
) -> None:
    before_erp, before_wms = stop_at(world, "cancel_order"), stop_at(world, "release")
    async with meanwhile(cancelled(world)) as cancelling:
        await stands(before_erp)
        async with meanwhile(retried(world, parked)) as changing:
            await stands(before_wms)
            before_erp.let_go()
            await cancelling
            before_wms.let_go()
    await ended_cancelled(world)
    assert changing.result().ending.state is ProcessState.COMPLETED
    assert "changed" not in await templates(world)
    steps = (await world.use.process_log.processes(["prc_c1"]))["prc_c1"].steps
    notes = {step.name: step.last_error for step in steps if step.state == "SKIPPED"}
    assert "is cancelled: nothing of it is released" in str(notes["release"])
    assert "is cancelled" in str(notes["tell"])


async def test_a_change_that_goes_on_before_the_order_is_being_cancelled_is_waited_for(
    world: ProcessWorld, parked: AmendRun
) -> None:
    stop, looks = stop_at(world, "release"), list[ProcessState]()

    class Watching(MemoryJournal):
        async def sleep(self, seconds: float) -> None:
            looks.append(await state(world, "prc_c1"))
            if len(looks) == 3:
                stop.let_go()
            await super().sleep(seconds)

    async with meanwhile(retried(world, parked)) as changing:
        await stands(stop)
        assert await state(world, "prc_c1") is ProcessState.RUNNING
        run = await cancelled(world, journal=Watching())
    assert (changing.result().ending.state, run.ending.state) == (ProcessState.COMPLETED,) * 2
    assert looks[:3] == [ProcessState.RUNNING] * 3
    await ended_cancelled(world)


async def test_a_parked_change_of_a_cancelled_order_is_obsolete_and_says_why(
    world: ProcessWorld, parked: AmendRun
) -> None:
    assert await world.held() != {}
    assert (await cancelled(world)).ending.state is ProcessState.COMPLETED
    await ended_cancelled(world)
    assert await state(world, "prc_c1") is ProcessState.CANCELLED
    tasks = (await world.use.tasks.tasks_of(["ord_1"]))["ord_1"]
    asked = [(task.kind, task.state, task.resolution, task.comment) for task in tasks]
    assert asked == [("ProcessStepFailed", "RESOLVED", "ORDER_ENDED", "order ord_1 is cancelled")]
    told = await world.use.events.read(EventFilter(types=("process.state.changed",), subject="prc_c1"), None, 20)
    assert (told[-1].event.data["state"], told[-1].event.data["reason"]) == ("CANCELLED", "order ord_1 is cancelled")


async def test_what_a_program_that_died_had_released_of_a_cancelled_order_is_found_and_taken_back(
    world: ProcessWorld, parked: AmendRun
) -> None:
    await cancelled(world)
    world.kept.put("release", f"or:ord_1:rel:W01:{parked.request.version}", "W01")
    await retried(world, parked)
    await ended_cancelled(world)


async def test_goods_that_are_picked_of_a_cancelled_order_are_left_to_a_person(
    world: ProcessWorld, parked: AmendRun
) -> None:
    await cancelled(world)
    world.kept.put("release", f"or:ord_1:rel:W01:{parked.request.version}", "W01")
    world.wms.picked = {"W01"}
    assert (await retried(world, parked)).ending.state is ProcessState.WAITING_HUMAN
    tasks = (await world.use.tasks.tasks_of(["ord_1"]))["ord_1"]
    assert [task.state for task in tasks] == ["RESOLVED", "OPEN"]


class TestACancellationThatIsRefused:
    """Goods that are released meanwhile can be picked, as if nobody had asked."""

    @pytest.mark.parametrize(
        ("operation", "answered"),
        [
            pytest.param("cancel_order", False, id="before the ERP refuses"),
            pytest.param("resume_release", False, id="while the cancellation is taken back"),
        ],
    )
    async def test_what_a_parked_change_releases_then_is_not_kept_from_being_picked(
        self, world: ProcessWorld, parked: AmendRun, operation: str, answered: bool
    ) -> None:
        shipped = Rejected(ERP, "cancel", "shipped lines", reason="ORDER_SHIPPED")
        stop = stop_at(world, operation, answered=answered)
        world.script.before["cancel_order"].append(shipped)
        async with meanwhile(cancelled(world)) as cancelling:
            await stands(stop)
            await retried(world, parked)
            stop.let_go()
        assert cancelling.result().ending.state is ProcessState.FAILED
        assert (await world.order("ord_1")).status is S.ACCEPTED
        assert world.kept.keys("release") == [f"or:ord_1:rel:W01:{parked.request.version}"]
        assert world.kept.keys("held") == []

    async def test_what_the_order_waited_to_be_cancelled_for_is_released_after_all(self, world: ProcessWorld) -> None:
        stop = stop_at(world, "allocate")
        async with meanwhile(run_order(world, submission(line(6)))) as submitting:
            await stands(stop)
            order = await world.order("ord_1")
            await world.use.orders.update(replace(order, status=S.CANCEL_PENDING, amended_by="prc_x1"))
            stop.let_go()
        assert submitting.result().ending.state is ProcessState.COMPLETED
        release = "or:ord_1:rel:W01:1"
        assert (world.kept.keys("release"), world.kept.keys("held")) == ([release], [release])
        world.script.before["cancel_order"].append(Rejected(ERP, "cancel", "no", reason="LOCKED"))
        order = await world.order("ord_1")
        run = await cancelled(world, version=order.version)
        assert (run.ending.state, (await world.order("ord_1")).status) == (ProcessState.FAILED, S.ACCEPTED)
        assert (world.kept.keys("release"), world.kept.keys("held")) == ([release], [])


async def _let_price_pass(world: ProcessWorld) -> None:
    """Release the order from its price hold, as a person of the pricing desk does."""
    order = await world.order("ord_1")
    (hold,) = order.holds
    passed = HoldDecision("d-1", HoldKind.PRICE, True, "user:usr_8", world.clock.now(), "it is right", hold.reason)
    await world.use.orders.update(replace(order, status=S.VALIDATING, holds=(), decisions=(passed,)))


async def test_an_order_that_goes_on_from_its_hold_before_it_is_cancelled_is_waited_for(world: ProcessWorld) -> None:
    world.erp.price_of = lambda sku, agreed: Money(agreed.amount + 1, agreed.currency)
    stop, journal, looks = Stop(), MemoryJournal(), list[ProcessState]()

    async def decided(_: float) -> bool:
        await _let_price_pass(world)
        world.script.before["find_order"].append(stop)
        return True

    class Watching(MemoryJournal):
        async def sleep(self, seconds: float) -> None:
            looks.append(await state(world, "prc_1"))
            if len(looks) == 3:
                stop.let_go()
            await super().sleep(seconds)

    journal.on_wait = decided
    async with meanwhile(run_order(world, submission(line(6)), journal=journal)) as submitting:
        await stands(stop)
        run = await cancelled(world, journal=Watching())
    assert looks[:3] == [ProcessState.RUNNING] * 3
    assert (submitting.result().ending.state, run.ending.state) == (ProcessState.COMPLETED,) * 2
    await ended_cancelled(world)


def _by_kind(tasks: tuple[ExceptionTask, ...], kind: str) -> list[ExceptionTask]:
    return [task for task in tasks if task.kind == kind]


async def test_an_order_whose_submission_waits_for_a_person_is_not_changed_before_it_has_ended(
    world: ProcessWorld,
) -> None:
    await run_order(world, submission(line(6)))
    await world.use.process_log.set_state("prc_1", ProcessState.WAITING_HUMAN, world.clock.now())
    before = await world.order("ord_1")
    run = await run_amend(world, CHANGE, to(4))
    (problem,) = run.ending.problems
    assert isinstance(problem, NotAllowedInState)
    assert (problem.state, problem.allowed) == ("WAITING_HUMAN", ("CANCEL",))
    assert "ORDER_SUBMISSION prc_1" in problem.message
    assert replace(await world.order("ord_1"), version=before.version) == before


async def test_a_person_who_gives_up_the_release_of_an_accepted_change_leaves_its_stock_to_the_order(
    world: ProcessWorld, parked: AmendRun
) -> None:
    (task,) = _by_kind((await world.use.tasks.tasks_of(["ord_1"]))["ord_1"], "ProcessStepFailed")
    done = replace(task, state="RESOLVED", resolution="CANCEL", resolved_by="user:usr_6", comment="not any more")
    assert await world.use.tasks.change_task(task, done, world.clock.now(), [])
    names = [name for name, _ in parked.journal.entries]
    parked.journal.entries = parked.journal.entries[: names.index("park:release")]
    parked.journal.again()
    run = await run_amend(
        world, CHANGE, to(8), journal=parked.journal, resumed=True, version=parked.request.version, name="c1"
    )
    assert run.ending.state is ProcessState.FAILED
    order = await world.order("ord_1")
    assert (order.status, order.lines[0].wanted) == (S.ACCEPTED, 8)
    assert f"chg:ord_1:{parked.request.version}:alloc" in world.kept.keys("allocation")
    assert [entry.ordered for entry in world.erp.documents()[0].lines] == [8]
    assert await world.held() == {}


async def test_the_cancellation_of_a_replacement_waits_for_the_return_that_has_placed_it(world: ProcessWorld) -> None:
    await run_order(world, submission(line(6)))
    await world.use.process_log.start(process(1, id="prc_r1", kind="RETURN", business_key="ord_9"))
    await world.use.orders.update(replace(await world.order("ord_1"), process_id="prc_r1"))
    looks: list[OrderStatus] = []

    class Watching(MemoryJournal):
        async def sleep(self, seconds: float) -> None:
            looks.append((await world.order("ord_1")).status)
            if len(looks) == 2:
                await world.use.process_log.set_state("prc_r1", ProcessState.COMPLETED, world.clock.now())
            await super().sleep(seconds)

    assert (await cancelled(world, journal=Watching())).ending.state is ProcessState.COMPLETED
    assert looks == [S.CANCEL_PENDING] * 2
    await ended_cancelled(world)
