"""P8: the copy of stock follows the warehouse system, tells of changes, finds gaps and drift, and answers for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from processes.inventory_sync import InventorySync, is_drift
from processes.rules.staleness import SAFE_FOR, freshness_of, safe
from schema.enums import SourceSystem
from schema.events.envelope import Event, EventFilter
from schema.records.inventory import StockPosition
from schema.records.values import PageRequest
from systems.errors import Rejected, Unavailable
from systems.news import StockNews
from systems.stock_fallback import RememberingFloor
from tests.support.process_world import ProcessWorld, process_world
from tests.support.rule_records import NOW, stock

WMS = SourceSystem.WMS
DOWN = Unavailable(WMS, "stock", "no answer within 5 s", outcome_unknown=False)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(database_url) as made:
        made.wms.positions = []
        yield made


@pytest.fixture
def sync(world: ProcessWorld) -> InventorySync:
    return InventorySync(world.use)


def position(on_hand: str = "18", sequence: int = 1, code: str = "W01", **changes: Any) -> StockPosition:
    return replace(stock(on_hand, code), sequence=sequence, as_of=NOW - timedelta(minutes=10), **changes)


def news(*positions: StockPosition) -> list[StockNews]:
    return [StockNews(WMS, f"evt-{entry.warehouse_code}-{entry.sequence}", entry) for entry in positions]


async def known(world: ProcessWorld, sku: str = "PMP-0042") -> dict[str, tuple[str, int]]:
    found = (await world.use.stock.positions([sku]))[sku]
    return {entry.warehouse_code: (str(entry.on_hand), entry.sequence) for entry in found}


async def told(world: ProcessWorld, type_: str = "inventory.position.changed") -> list[Event]:
    return [stored.event for stored in await world.use.events.read(EventFilter(types=(type_,)), None, 100)]


async def test_news_in_any_order_leave_the_latest_figures(world: ProcessWorld, sync: InventorySync):
    for entry in news(position("20", 1), position("14", 3), position("17", 2), position("14", 3)):
        await sync.handle(entry)
    assert await known(world) == {"W01": ("14", 3)}


async def test_changes_are_told_once_a_look_with_the_latest_figures(world: ProcessWorld, sync: InventorySync):
    for entry in news(position("20", 1), position("19", 2), position("50", 1, "W02")):
        await sync.handle(entry)
    await sync.tell()
    await sync.tell()
    assert [(event.subject, event.data["onHand"], event.data["sequence"]) for event in await told(world)] == [
        ("PMP-0042:W01", "19", 2),
        ("PMP-0042:W02", "50", 1),
    ]
    await sync.handle(news(position("18", 3))[0])
    await sync.tell()
    assert [event.data["onHand"] for event in await told(world)] == ["19", "50", "18"]


async def test_a_gap_in_the_news_makes_the_item_be_read_as_a_whole(world: ProcessWorld, sync: InventorySync):
    await sync.handle(news(position("20", 1))[0])
    world.wms.positions = [position("11", 4), position("70", 9, "W02")]
    await sync.handle(news(position("12", 3))[0])
    assert await known(world) == {"W01": ("11", 4), "W02": ("70", 9)}


async def test_news_without_a_gap_ask_nothing_of_the_warehouse_system(world: ProcessWorld, sync: InventorySync):
    world.script.calls.clear()
    for entry in news(position("20", 1), position("19", 2)):
        await sync.handle(entry)
    assert not world.script.calls


async def test_a_gap_while_the_warehouse_system_is_away_loses_no_news(world: ProcessWorld, sync: InventorySync):
    await sync.handle(news(position("20", 1))[0])
    world.script.before["stock"].append(DOWN)
    await sync.handle(news(position("12", 3))[0])
    assert await known(world) == {"W01": ("12", 3)}


DRIFT = [
    pytest.param(position("100", 5), position("98.9", 5), True, id="more than one unit under the same sequence"),
    pytest.param(position("100", 5), position("99", 5), False, id="one unit"),
    pytest.param(position("1000", 5), position("995.1", 5), False, id="half a per cent of many"),
    pytest.param(position("1000", 5), position("990", 5), True, id="a per cent of many"),
    pytest.param(position("9", 5, allocated=Decimal(6)), position("9", 5), True, id="what is allocated"),
    pytest.param(position("100", 5), position("50", 6), True, id="a change whose news never came"),
    pytest.param(position("50", 6), position("100", 5), False, id="a copy that is ahead"),
]


@pytest.mark.parametrize(("copy", "told_now", "drifts"), DRIFT)
def test_drift_is_a_difference_that_news_do_not_explain(copy: StockPosition, told_now: StockPosition, drifts: bool):
    assert is_drift(copy, told_now, NOW) is drifts


def test_a_change_of_this_moment_is_no_drift_because_its_news_may_be_on_the_way():
    assert not is_drift(position("100", 5), replace(position("50", 6), as_of=NOW - timedelta(seconds=20)), NOW)


async def test_a_reconciliation_takes_the_figures_over_and_asks_a_person_once(world: ProcessWorld, sync: InventorySync):
    await sync.handle(news(position("20", 1))[0])
    world.wms.positions = [position("12", 2), position("70", 9, "W02")]
    assert await sync.reconcile() == 1
    assert await sync.reconcile() == 0
    assert await known(world) == {"W01": ("12", 2), "W02": ("70", 9)}
    (task,) = (await world.use.tasks.search_tasks("INVENTORY", "OPEN", PageRequest(10))).items
    assert (task.kind, task.warehouse_code, task.summary) == (
        "StockDrift",
        "W01",
        "stock of PMP-0042 in W01: 20 known here, 12 in the WMS",
    )
    (event,) = await told(world, "inventory.drift.detected")
    assert (event.data["known"], event.data["told"]) == ("20", "12")
    assert len(await told(world, "task.opened")) == 1


async def test_a_reconciliation_fills_an_empty_copy_without_asking_anybody(world: ProcessWorld, sync: InventorySync):
    world.wms.positions = [position("12", 2)]
    assert await sync.reconcile() == 0
    assert await known(world) == {"W01": ("12", 2)}


# --- answering for the warehouse system


@pytest.fixture
def floor(world: ProcessWorld) -> RememberingFloor:
    return RememberingFloor(world.wms, world.use.stock, world.clock)


async def test_without_an_answer_stock_is_what_was_read_last(world: ProcessWorld, floor: RememberingFloor):
    world.wms.positions = [position("12", 2), position("70", 9, "W02")]
    assert [entry.read_at for entry in await floor.stock(["PMP-0042"])] == [None, None]
    world.script.before["stock"] += [DOWN, DOWN]
    found = await floor.stock(["PMP-0042"])
    assert [(entry.warehouse_code, str(entry.on_hand), entry.read_at) for entry in found] == [
        ("W01", "12", NOW),
        ("W02", "70", NOW),
    ]
    assert [entry.warehouse_code for entry in await floor.stock(["PMP-0042"], ["W02"])] == ["W02"]


async def test_news_that_came_since_the_last_reading_count(
    world: ProcessWorld, floor: RememberingFloor, sync: InventorySync
):
    world.wms.positions = [position("12", 2)]
    await floor.stock(["PMP-0042"])
    await sync.handle(news(position("7", 3))[0])
    world.script.before["stock"].append(DOWN)
    assert [str(entry.on_hand) for entry in await floor.stock(["PMP-0042"])] == ["7"]


async def test_an_item_of_which_nothing_is_known_has_no_answer(world: ProcessWorld, floor: RememberingFloor):
    world.script.before["stock"].append(DOWN)
    with pytest.raises(Unavailable):
        await floor.stock(["PMP-0042"])


async def test_a_refusal_of_the_warehouse_system_is_an_answer(world: ProcessWorld, floor: RememberingFloor):
    world.wms.positions = [position("12", 2)]
    await floor.stock(["PMP-0042"])
    world.script.before["stock"].append(Rejected(WMS, "stock", "too many skus", reason="TOO_MANY"))
    with pytest.raises(Rejected):
        await floor.stock(["PMP-0042"])


AGES = [
    pytest.param(timedelta(0), False, "10", id="read now"),
    pytest.param(timedelta(minutes=4), False, "10", id="minutes old"),
    pytest.param(timedelta(minutes=5), True, "10", id="five minutes old"),
    pytest.param(SAFE_FOR, True, "10", id="an hour old"),
    pytest.param(SAFE_FOR + timedelta(seconds=1), True, "0", id="older than an hour"),
]


@pytest.mark.parametrize(("age", "is_stale", "free"), AGES)
def test_old_figures_are_marked_and_very_old_ones_promise_nothing_from_the_shelf(
    age: timedelta, is_stale: bool, free: str
):
    entry = position("18", blocked=Decimal(2), allocated=Decimal(6), read_at=NOW - age)
    found = freshness_of([entry], NOW, fresh_for=timedelta(minutes=5))
    assert (found.as_of, found.stale) == (NOW - age, is_stale)
    (counted,) = safe([entry], NOW)
    assert str(counted.on_hand - counted.blocked - counted.allocated) == free
