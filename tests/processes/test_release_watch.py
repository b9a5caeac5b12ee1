"""A release that still waits for the warehouse system when its cut-off has passed is asked about, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from processes.release_watch import DUE, Missed, ReleaseWatch, missed
from processes.rules.calendar import cutoff_at
from schema.enums import OrderStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.inventory import Warehouse
from schema.records.operations import ExceptionTask
from schema.records.problems import FulfillmentDelay
from schema.records.values import PageRequest, Quantity
from systems.errors import Unavailable
from systems.ports import Line, Place
from tests.support.order_records import told
from tests.support.platform_records import ledger_return
from tests.support.process_world import MemoryJournal, ProcessWorld, StillWaiting, run_order, submission
from tests.support.rule_records import NOW, warehouse

WMS = SourceSystem.WMS
CUTOFF = datetime(2026, 3, 5, 21, 0, tzinfo=UTC)
"""16:00 in New York on the day on which the ERP wants the goods to leave."""


def gives_up(_: int) -> None:
    raise StillWaiting


async def waiting(world: ProcessWorld) -> Place:
    """Let an order wait for the warehouse system."""
    world.script.before["release"].append(Unavailable(WMS, "release", "no answer", outcome_unknown=False))
    await run_order(world, submission(), journal=MemoryJournal(gives_up))
    since = (await world.order("ord_1")).accepted_at or NOW
    place = Place("prc_1", Line(WMS, "acc_1"), "release", "ord_1", since, joined_at=world.clock.now())
    return await world.use.lines.join(place)


async def tasks(world: ProcessWorld, state: str = "OPEN") -> tuple[ExceptionTask, ...]:
    page = await world.use.tasks.search_tasks("FULFILMENT", state, PageRequest(10, None))
    return tuple(page.items)


async def looked(world: ProcessWorld, at: datetime) -> int:
    world.clock.at = at
    return await ReleaseWatch(world.use).look()


@pytest.mark.parametrize(
    ("place", "day", "at"),
    [
        pytest.param(warehouse(cutoff="16:00"), CUTOFF.date(), CUTOFF, id="local time in winter"),
        pytest.param(
            warehouse(cutoff="16:00"),
            datetime(2026, 7, 1, tzinfo=UTC).date(),
            datetime(2026, 7, 1, 20, 0, tzinfo=UTC),
            id="local time in summer",
        ),
        pytest.param(
            None, CUTOFF.date(), datetime(2026, 3, 6, 12, 0, tzinfo=UTC), id="nobody knows the place: the day is over"
        ),
    ],
)
def test_a_cut_off_is_a_moment_at_the_warehouse(place: Warehouse | None, day: date, at: datetime) -> None:
    assert cutoff_at(place, day) == at


async def test_only_firm_goods_whose_cut_off_has_passed_are_late(world: ProcessWorld) -> None:
    await waiting(world)
    order, places = await world.order("ord_1"), {"W01": warehouse()}
    assert missed(order, places, CUTOFF - timedelta(seconds=1)) == ()
    assert missed(order, places, CUTOFF) == (Missed("W01", 1, CUTOFF),)
    soft = [
        replace(row, allocations=tuple(replace(entry, firm=False) for entry in row.allocations)) for row in order.lines
    ]
    assert missed(replace(order, lines=tuple(soft)), places, CUTOFF) == ()


async def test_a_release_past_its_cut_off_is_a_task_with_owner_due_time_and_what_may_be_decided(
    world: ProcessWorld,
) -> None:
    await waiting(world)
    assert await looked(world, CUTOFF - timedelta(seconds=1)) == 0
    assert await tasks(world) == ()
    assert await looked(world, CUTOFF) == 1
    (task,) = await tasks(world)
    assert (task.queue, task.kind, task.order_id, task.process_id) == (
        "FULFILMENT",
        "FulfillmentDelay",
        "ord_1",
        "prc_1",
    )
    assert (task.opened_at, task.due_at) == (CUTOFF, CUTOFF + DUE)
    assert task.resolutions == ("INFORM_CUSTOMER", "WAIT")
    assert "W01" in task.summary
    assert (await world.event_types("ord_1")).count("task.opened") == 1
    assert await looked(world, CUTOFF + timedelta(minutes=1)) == 0
    assert await tasks(world) == (task,)


async def test_it_stands_on_the_order_as_long_as_it_holds(world: ProcessWorld) -> None:
    place = await waiting(world)
    await looked(world, CUTOFF)
    (problem,) = (await world.order("ord_1")).exceptions
    assert isinstance(problem, FulfillmentDelay)
    (task,) = await tasks(world)
    assert (problem.shipment_id, problem.reason_code, problem.message) == (None, "CUTOFF_MISSED", task.summary)
    (told_,) = await world.use.events.read(EventFilter(types=("order.delayed",)), None, 10)
    assert told_.event.data["problem"]["message"] == task.summary
    await world.use.lines.leave(place.process_id)
    await looked(world, CUTOFF + timedelta(hours=1))
    assert (await world.order("ord_1")).exceptions == ()


async def test_an_order_that_has_ended_meanwhile_shows_no_delay(world: ProcessWorld) -> None:
    await waiting(world)
    order = await world.order("ord_1")
    await world.use.orders.update(replace(order, status=OrderStatus.CANCELLED))
    await looked(world, CUTOFF)
    assert (await world.order("ord_1")).exceptions == ()


async def test_an_order_that_replaces_returned_goods_is_asked_about_too(world: ProcessWorld) -> None:
    place = await waiting(world)
    await world.use.lines.leave(place.process_id)
    order = await world.order("ord_1")
    replacing = replace(order, id="ord_rma_1", number="SO-R1", process_id="prc_r1", version=1)
    await world.use.orders.create(replacing)
    await world.use.returns.create(ledger_return(process_id="prc_r1", id="rma_1"))
    await world.use.lines.join(replace(place, process_id="prc_r1"))
    assert await looked(world, CUTOFF) == 1
    (task,) = await tasks(world)
    assert (task.order_id, task.process_id) == ("ord_rma_1", "prc_r1")
    assert "SO-R1" in task.summary
    assert len((await world.order("ord_rma_1")).exceptions) == 1
    assert (await world.order("ord_1")).exceptions == ()


async def test_without_knowing_the_warehouse_it_is_asked_when_the_day_is_over(world: ProcessWorld) -> None:
    await waiting(world)
    world.script.down.add(WMS)
    assert await looked(world, CUTOFF + timedelta(hours=1)) == 0
    assert await looked(world, CUTOFF + timedelta(hours=15)) == 1


async def test_what_is_released_after_all_is_asked_about_no_longer(world: ProcessWorld) -> None:
    place = await waiting(world)
    await looked(world, CUTOFF + timedelta(hours=15))
    await world.use.lines.leave(place.process_id)
    assert await looked(world, CUTOFF + timedelta(hours=16)) == 0
    assert await tasks(world) == ()
    (task,) = await tasks(world, "RESOLVED")
    assert (task.resolution, task.resolved_by) == ("RELEASED", "system:crossdock")


async def test_an_order_that_one_of_its_warehouses_has_released_is_asked_about_for_the_other(
    world: ProcessWorld,
) -> None:
    await waiting(world)
    order = await world.order("ord_1")
    (row,) = order.lines
    (whole,) = row.allocations
    parts = tuple(replace(whole, warehouse_code=code, quantity=Quantity(Decimal(3), "EA")) for code in ("W01", "W02"))
    released = told("or:ord_1:released:W01:1", "order.released", partition_key="ord_1")
    await world.use.orders.update(replace(order, lines=(replace(row, allocations=parts),)), [released])
    assert await looked(world, CUTOFF) == 1
    (task,) = await tasks(world)
    assert "in W02:" in task.summary
