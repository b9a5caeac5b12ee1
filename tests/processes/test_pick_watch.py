"""Released goods that are not picked four hours before their cut-off are asked about, once, until they are picked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from processes.amend_case import CHANGE
from processes.api import LineChange
from processes.pick_watch import DUE, PickWatch, pass_over_releases
from processes.rules.delays import leaves_on, pick_by
from schema.enums import OrderStatus, ProcessState, SourceSystem
from schema.events.envelope import Event, EventFilter
from schema.records.operations import ExceptionTask
from schema.records.problems import FulfillmentDelay
from schema.records.values import PageRequest, Quantity
from tests.support.order_records import told
from tests.support.process_world import ProcessWorld, run_amend, run_order, submission

CUTOFF = datetime(2026, 3, 5, 21, 0, tzinfo=UTC)
"""16:00 in New York on the day on which the ERP wants the goods to leave."""

LATEST = CUTOFF - timedelta(hours=4)
A_MOMENT = timedelta(seconds=1)


async def released(world: ProcessWorld) -> str:
    """Release an order, and return the shipment that its goods leave with."""
    await run_order(world, submission())
    (stored,) = await world.use.events.read(EventFilter(types=("order.released",)), None, 10)
    return f"sh_{stored.event.data['shipmentNumber']}"


async def tasks(world: ProcessWorld, state: str = "OPEN") -> tuple[ExceptionTask, ...]:
    return tuple((await world.use.tasks.search_tasks("FULFILMENT", state, PageRequest(10, None))).items)


async def looked(world: ProcessWorld, at: datetime) -> int:
    world.clock.at = at
    return await PickWatch(world.use).look()


def news(shipment_id: str, type_: str = "shipment.picked", status: str = "PICKING") -> Event:
    event = told(f"wms:{type_}:{status}", type_, partition_key="ord_1")
    return replace(event, subject=shipment_id, data={"status": status})


@pytest.mark.parametrize(
    ("released_at", "latest"),
    [
        pytest.param(LATEST, LATEST, id="released in time: four hours before the cut-off"),
        pytest.param(LATEST + A_MOMENT, CUTOFF, id="released later: until the cut-off"),
        pytest.param(CUTOFF + A_MOMENT, CUTOFF + A_MOMENT, id="released after the cut-off: late at once"),
    ],
)
def test_goods_are_picked_ahead_of_their_cut_off(released_at: datetime, latest: datetime):
    assert pick_by(CUTOFF, released_at) == latest


async def test_only_firm_goods_of_the_release_leave_with_it(world: ProcessWorld):
    await released(world)
    order = await world.order("ord_1")
    assert leaves_on(order, "W01", "1") == CUTOFF.date()
    assert leaves_on(order, "W02", "1") is None
    assert leaves_on(order, "W01", "2") is None
    assert leaves_on(replace(order, status=OrderStatus.CANCELLED), "W01", "1") is None


async def test_goods_that_are_not_picked_in_time_are_a_task_once(world: ProcessWorld):
    shipment_id = await released(world)
    assert await looked(world, LATEST - A_MOMENT) == 0
    assert await looked(world, LATEST) == 1
    (task,) = await tasks(world)
    assert (task.id, task.kind, task.order_id) == (f"tsk_{shipment_id}_pick", "FulfillmentDelay", "ord_1")
    assert task.warehouse_code == "W01"
    assert (task.opened_at, task.due_at) == (LATEST, LATEST + DUE)
    assert task.resolutions == ("INFORM_CUSTOMER", "WAIT")
    assert "in W01" in task.summary
    assert await looked(world, LATEST + timedelta(hours=1)) == 0
    assert await tasks(world) == (task,)
    assert (await world.event_types("ord_1")).count("task.opened") == 1


async def test_goods_that_are_picked_are_not_asked_about(world: ProcessWorld):
    await world.use.events.append([news(await released(world))])
    assert (await looked(world, LATEST), await tasks(world)) == (0, ())


async def test_a_shipment_that_is_only_released_is_not_picked(world: ProcessWorld):
    await world.use.events.append([news(await released(world), "shipment.milestone", "RELEASED")])
    assert await looked(world, LATEST) == 1


async def test_a_cut_off_that_comes_before_that_of_an_earlier_release_is_not_missed(world: ProcessWorld):
    await released(world)
    order = await world.order("ord_1")
    (row,) = order.lines
    (whole,) = row.allocations
    later = replace(whole, ship_date=whole.ship_date + timedelta(days=5))
    second = told("or:ord_1:released:W01:2", "order.released", partition_key="ord_1")
    second = replace(second, data={"warehouse": "W01", "shipmentNumber": "S-2"})
    row = replace(row, allocations=(later, replace(whole, round=2)))
    await world.use.orders.update(replace(order, lines=(row,)), [second])
    assert await looked(world, LATEST) == 1
    assert [task.id for task in await tasks(world)] == ["tsk_sh_S-2_pick"]
    assert await looked(world, LATEST + timedelta(days=5)) == 1
    assert len(await tasks(world)) == 2


@pytest.mark.parametrize(
    ("type_", "status"),
    [
        pytest.param("shipment.picked", "PICKING", id="picked"),
        pytest.param("shipment.milestone", "CANCELLED", id="cancelled"),
    ],
)
async def test_goods_that_are_over_with_are_asked_about_no_longer(world: ProcessWorld, type_: str, status: str):
    shipment_id = await released(world)
    await looked(world, LATEST)
    await world.use.events.append([news(shipment_id, type_, status)])
    assert await looked(world, LATEST + timedelta(hours=1)) == 0
    assert await tasks(world) == ()
    (task,) = await tasks(world, "RESOLVED")
    assert (task.resolution, task.resolved_by) == ("PICKED", "system:crossdock")


async def test_it_stands_on_the_order_until_the_goods_are_picked(world: ProcessWorld):
    shipment_id = await released(world)
    await looked(world, LATEST)
    (problem,) = (await world.order("ord_1")).exceptions
    assert isinstance(problem, FulfillmentDelay)
    assert (problem.shipment_id, problem.reason_code) == (shipment_id, "NOT_PICKED")
    await world.use.events.append([news(shipment_id)])
    await looked(world, LATEST + timedelta(hours=1))
    assert (await world.order("ord_1")).exceptions == ()


@pytest.mark.parametrize("is_claimed", [False, True], ids=["open", "claimed"])
async def test_a_release_that_a_change_has_dropped_without_news_is_asked_about_no_longer(
    world: ProcessWorld, is_claimed: bool
):
    await released(world)
    await looked(world, LATEST)
    (task,) = await tasks(world)
    if is_claimed:
        claimed = replace(task, state="CLAIMED", assignee="user:usr_9")
        assert await world.use.tasks.change_task(task, claimed, world.clock.now(), [])
    changed = await run_amend(world, CHANGE, LineChange(1, Quantity(Decimal(4), "EA")))
    assert changed.ending.state is ProcessState.COMPLETED
    await looked(world, LATEST + timedelta(minutes=1))
    (done,) = await tasks(world, "RESOLVED")
    assert (done.id, done.comment) == (task.id, "the goods are picked, or wanted no longer")
    assert [task.id for task in await tasks(world)] == []
    assert (await world.order("ord_1")).exceptions == ()


async def test_without_knowing_the_warehouse_the_cut_off_is_the_end_of_the_day(world: ProcessWorld):
    await released(world)
    world.script.down.add(SourceSystem.WMS)
    assert await looked(world, LATEST) == 0
    assert await looked(world, LATEST + timedelta(hours=15)) == 1


async def test_a_past_that_was_brought_in_is_passed_over(world: ProcessWorld):
    await released(world)
    await pass_over_releases(world.use.events, world.use.cursors)
    assert await looked(world, LATEST) == 0


async def test_goods_of_long_ago_are_not_asked_about(world: ProcessWorld):
    await released(world)
    assert await looked(world, LATEST + timedelta(days=8)) == 0
